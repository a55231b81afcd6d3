"""One visitor's liked songs beside the catalogue: which of them it has, rows for the others, and groups by mood."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import Item, cell_errors, make_item
from moodmirror.recommendation.importers.imported_table import GUESSED, ORIGIN, SPOTIFY_ID, Row
from moodmirror.recommendation.importers.songs import SongRowBuilder
from moodmirror.recommendation.importers.source_files import Entry
from moodmirror.recommendation.item_keys import item_key
from moodmirror.recommendation.playlist_clustering import ClusterError, Song, cluster_songs

LIKED: Final = "liked"  # the name of the list of all liked songs
MAX_LIKED_GROUPS: Final = 6
MIN_SONGS_PER_GROUP: Final = 5  # on average: a list of fewer is none to choose from


@dataclass
class LikedSongs:
    """One visitor's liked songs.

    `recommender` has them all among its songs. `likes` are their ids, oldest first. `lists` are the ids in each list that
    the visitor can choose, by its name: :data:`LIKED`, and the groups by mood. `known_count` of the songs are in the
    catalogue, and `guessed_count` have a mood that is only guessed.
    """

    recommender: Recommender
    likes: tuple[str, ...]
    lists: Mapping[str, frozenset[str]]
    known_count: int
    guessed_count: int

    def withdraw(self, item: str) -> None:
        """Let a song, by id, no longer count as liked; it stays in the lists."""
        self.likes = tuple(liked for liked in self.likes if liked != item)


def add_liked_songs(
    recommender: Recommender, entries: Sequence[Entry], recognizer: Callable[[], TextEmotionRecognizer]
) -> LikedSongs:
    """Add liked songs, newest first, to those of a recommender, which itself stays as it is.

    Songs that it has get their Spotify id. The mood of the others is measured from audio features of known songs, or else
    guessed, as when they are imported.
    """
    catalogue = recommender.items("songs")
    by_spotify_id = {item.facts[SPOTIFY_ID]: item for item in catalogue if item.facts.get(SPOTIFY_ID)}
    by_key = {item_key("songs", item.title, item.facts): item for item in catalogue}
    builder = SongRowBuilder(catalogue, recognizer)
    found = [by_spotify_id.get(entry.cells[SPOTIFY_ID]) or by_key.get(_key(entry)) for entry in entries]
    rows = iter(builder.build([entry for entry, known in zip(entries, found, strict=True) if known is None]))
    songs = {item.id: item for item in catalogue}
    liked: dict[str, Entry] = {}  # by the item's id, newest first
    guessed_count = 0
    for entry, known in zip(entries, found, strict=True):
        item = _with_spotify_id(known, entry) if known else _make_item(next(rows))
        if item is not None and item.id not in liked:
            songs[item.id], liked[item.id] = item, entry
            guessed_count += known is None and item.facts[ORIGIN].startswith(GUESSED)
    return LikedSongs(
        recommender.with_songs(list(songs.values())),
        tuple(reversed(liked)),
        {LIKED: frozenset(liked), **_groups(liked, builder)},
        len(liked.keys() & {item.id for item in catalogue}),
        guessed_count,
    )


def _key(entry: Entry) -> str:
    return item_key("songs", entry.title, entry.cells)


def _with_spotify_id(item: Item, entry: Entry) -> Item:
    facts = {**item.facts, SPOTIFY_ID: item.facts.get(SPOTIFY_ID) or entry.cells[SPOTIFY_ID]}
    return replace(item, facts=facts)


def _make_item(row: Row) -> Item | None:
    """Make an item of a row; None if the catalogue can't have it, such as for a year before there was recorded sound."""
    cells = {column: " ".join(cell.split()) for column, cell in row.items()}
    if cells[ORIGIN].startswith(GUESSED):
        cells["line"] = f"One of your liked songs; its mood is {cells[ORIGIN]}."
    else:
        cells["line"] = f"One of your liked songs. {cells['line']}"
    return None if cell_errors(cells, "songs", imported=True) else make_item(cells, "songs", imported=True)


def _groups(liked: Mapping[str, Entry], builder: SongRowBuilder) -> dict[str, frozenset[str]]:
    """Return groups of the liked songs whose audio features are known, by name; none if these are few or alike."""
    songs = {
        Song(entry.title, tuple(entry.cells["artist"].split("|")), entry.cells[SPOTIFY_ID], features): item
        for item, entry in liked.items()
        if (features := builder.features(entry))
    }
    k = min(MAX_LIKED_GROUPS, len(songs) // MIN_SONGS_PER_GROUP)
    if k < 2:
        return {}
    try:
        clusters = cluster_songs(list(songs), k)
    except ClusterError:
        return {}
    return {cluster.name: frozenset(songs[song] for song in cluster.songs) for cluster in clusters}
