"""Import songs from the file formats in which people get them from Spotify.

- the Kaggle file "Spotify 1921–2020": ``id, name, artists, year, release_date`` and audio features;
- the TidyTuesday file ``spotify_songs.csv``: ``track_id, track_name, track_artist, …`` and audio features;
- an Exportify CSV of a playlist: ``Track Name, Artist Name(s), …``, with audio features or, since Spotify closed them to
  new apps, without;
- ``YourLibrary.json`` of the account data download, which has names only.

The mood of a song with audio features is predicted by :mod:`moodmirror.recommendation.song_mood`. Missing features are
looked up among the known songs; if they are not found, the mood is guessed from the artist's other songs or the title.
"""

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.emotions import MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import MAX_CHARACTERS
from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.importers.imported_table import (
    AUDIO_COLUMNS,
    GUESSED,
    ORIGIN,
    POPULARITY,
    SPOTIFY_ID,
    Row,
    make_row,
    measured_from,
)
from moodmirror.recommendation.importers.source_files import (
    Entry,
    FileFormat,
    Source,
    SourceError,
    detect_format,
    extract_year,
    normalized_values,
    parse_entries,
    read_csv,
    required_cell,
)
from moodmirror.recommendation.importers.spotify_ids import track_id
from moodmirror.recommendation.importers.tag_lexicon import plain_tags
from moodmirror.recommendation.item_keys import item_id, item_key, main_artist, slug
from moodmirror.recommendation.song_mood import AUDIO_FEATURES, SongMood

BATCH: Final = 2000  # songs whose moods are computed at once
LIBRARY_FORMAT: Final = "the account data download's YourLibrary.json: an object with a list of tracks"
# The title's weight in a guess; the rest is the typical song's mood, because a title says little.
TITLE_SHARE: Final = 0.3
FAST_TEMPO, SLOW_TEMPO = 130, 90  # beats per minute, for a song's line


def _key(entry: Entry) -> str:
    return item_key("songs", entry.title, entry.cells)


def make_entry(
    title: str,
    artists: Iterable[str],
    spotify_id: str,
    *,
    date: str = "",
    genres: str = "",
    popularity: str = "",
    features: Mapping[str, object] | None = None,
) -> Entry:
    """Make an entry from a song's known attributes; `features` are its audio features by name, or None."""
    names = [artist.strip() for artist in artists if artist.strip()]
    if not title:
        raise ValueError("no title")
    if not names:
        raise ValueError("no artist")
    artist = "|".join(name.replace("|", "/") for name in names)
    return Entry(
        id=item_id("songs", title, {"artist": artist}),
        title=title,
        cells={
            "artist": artist,
            "year": extract_year(date),
            "language": "",  # no format has it
            "genres": "|".join(normalized_values(re.split(r"[|,;]", genres))),
            POPULARITY: popularity if popularity.isdigit() and int(popularity) <= 100 else "",
            SPOTIFY_ID: track_id(spotify_id),
        },
        features=parse_features(features) if features else None,
    )


def parse_features(cells: Mapping[str, object]) -> tuple[float, ...] | None:
    """Parse the audio features of a row; None if some are empty. Raises ValueError if some are not finite numbers."""
    values = [cells.get(name) for name in AUDIO_FEATURES]
    if any(value in ("", None) for value in values):
        return None
    try:
        numbers = tuple(float(str(value)) for value in values)
    except ValueError:
        raise ValueError("an audio feature is not a number") from None
    if not np.isfinite(numbers).all():
        raise ValueError("an audio feature is not a number")
    return numbers


def _kaggle(row: Mapping[str, str]) -> Entry:
    artists = required_cell(row, "artists", "artist")
    try:
        names = ast.literal_eval(artists) if artists.startswith("[") else [artists]
    except (ValueError, SyntaxError):
        raise ValueError("the artists are not a list") from None
    date = row.get("year") or row.get("release_date", "")
    return make_entry(row["name"], map(str, names), row["id"], date=date, popularity=row.get("popularity", ""), features=row)


def _tidytuesday(row: Mapping[str, str]) -> Entry:
    genres = f"{row.get('playlist_subgenre', '')}|{row.get('playlist_genre', '')}"
    return make_entry(
        row["track_name"],
        [row["track_artist"]],
        row["track_id"],
        date=row.get("track_album_release_date", ""),
        genres=genres,
        popularity=row.get("track_popularity", ""),
        features=row,
    )


def _exportify(row: Mapping[str, str]) -> Entry:
    # The separator may occur in a name: "Tyler, The Creator" is one artist, which the single artist URI shows.
    artists = row["Artist Name(s)"]
    single = row.get("Artist URI(s)", "").count("spotify:artist:") == 1
    identity = row.get("Track URI") or row.get("Track ID") or row.get("Spotify ID") or ""
    return make_entry(
        row["Track Name"],
        [artists] if single else re.split(r";" if ";" in artists else r",", artists),
        identity,
        date=row.get("Release Date") or row.get("Album Release Date", ""),
        genres=row.get("Genres") or row.get("Artist Genres", ""),
        popularity=row.get("Popularity", ""),
        features={name: row.get(name.capitalize()) for name in AUDIO_FEATURES},
    )


FORMATS: Final = (
    FileFormat("the Kaggle file “Spotify 1921–2020”", ("id", "name", "artists", *AUDIO_FEATURES), _kaggle),
    FileFormat("the TidyTuesday file", ("track_id", "track_name", "track_artist", *AUDIO_FEATURES), _tidytuesday),
    FileFormat("an Exportify CSV", ("Track Name", "Artist Name(s)"), _exportify),
)


def read(path: Path) -> Source:
    """Parse a file of songs. Raises SourceError if the format is unknown."""
    try:
        with path.open("rb") as file:
            is_json = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}.") from None
    if is_json:
        return _read_library(path)
    columns, rows = read_csv(path)
    return parse_entries(detect_format(path, columns, FORMATS, other_formats=(LIBRARY_FORMAT,)), rows)


def _read_library(path: Path) -> Source:
    try:
        library = json.loads(path.read_text(encoding="utf-8-sig"))
        tracks = library["tracks"]
        rows = [{name: str(track.get(name) or "") for name in ("track", "artist", "uri")} for track in tracks]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{path} is JSON in an unknown format. The supported one is {LIBRARY_FORMAT}.") from None
    file_format = FileFormat(
        "the account data download's library",
        (),
        lambda row: make_entry(row["track"], [row["artist"]], row["uri"]),
    )
    return parse_entries(file_format, rows)


class SongRowBuilder:
    """Makes rows of songs, using the known songs for those without audio features."""

    def __init__(self, known: Sequence[Item], recognizer: Callable[[], TextEmotionRecognizer]) -> None:
        """Index the `known` songs, shipped or imported; `recognizer` opens the text recognizer, if needed."""
        self._mood = SongMood.load()
        self._recognizer = recognizer
        self._features: dict[str, tuple[float, ...]] = {}
        for item in known:
            features = parse_features({name: item.facts.get(column) for name, column in AUDIO_COLUMNS.items()})
            if features:
                self._add_features(item_key("songs", item.title, item.facts), item.facts.get(SPOTIFY_ID, ""), features)
        vectors: dict[str, list[MoodVector]] = {}
        for item in known:
            if not item.facts.get(ORIGIN, "").startswith(GUESSED):
                vectors.setdefault(slug(main_artist(item.facts["artist"])), []).append(item.vector)
        self._artists = {artist: np.mean(own, axis=0).astype(np.float32) for artist, own in vectors.items()}
        self._typical: MoodVector = np.mean([item.vector for item in known], axis=0).astype(np.float32)

    def add_audio_features(self, source: Source) -> None:
        """Add the audio features of a source, to look up those of songs without."""
        for entry in source.entries:
            if entry.features:
                self._add_features(_key(entry), entry.cells[SPOTIFY_ID], entry.features)

    def _add_features(self, key: str, spotify_id: str, features: tuple[float, ...]) -> None:
        self._features[key] = features
        if spotify_id:
            self._features[spotify_id] = features

    def features(self, entry: Entry) -> tuple[float, ...] | None:
        """Return a song's audio features, its own or those of a known song; None if there are none."""
        return entry.features or self._features.get(entry.cells[SPOTIFY_ID]) or self._features.get(_key(entry))

    def build(self, entries: Sequence[Entry]) -> list[Row]:
        """Make rows of songs."""
        features = [self.features(entry) for entry in entries]
        vectors = np.empty((len(entries), len(self._typical)), dtype=np.float32)
        positions = np.empty((len(entries), 2))
        measured = [index for index, own in enumerate(features) if own]
        guessed = [index for index, own in enumerate(features) if not own]
        if measured:
            numbers = np.array([features[index] for index in measured])
            vectors[measured] = self._mood.mood_vectors(numbers)
            positions[measured] = self._mood.positions(numbers)
        if guessed:
            vectors[guessed] = self._guess([entries[index] for index in guessed])
            positions[guessed] = [valence_arousal(vectors[index]) for index in guessed]
        return [
            make_row(
                entry,
                vector,
                (position[0], position[1]),
                tags=tags,
                line=_default_line(entry, own),
                origin=measured_from(["audio features"]) if own else f"{GUESSED} from artist or title",
            )
            | _audio_cells(own)
            for entry, own, vector, position, tags in zip(
                entries, features, vectors, positions, plain_tags(vectors), strict=True
            )
        ]

    def _guess(self, entries: Sequence[Entry]) -> list[MoodVector]:
        """Return the mean mood of the artist's known songs, or for an unknown artist a mix of title and typical mood."""
        artists = [self._artists.get(slug(main_artist(entry.cells["artist"]))) for entry in entries]
        unknown = [entry.title[:MAX_CHARACTERS] for entry, artist in zip(entries, artists, strict=True) if artist is None]
        titles = iter(self._recognizer().predict_proba(unknown) if unknown else ())
        return [
            TITLE_SHARE * next(titles) + (1 - TITLE_SHARE) * self._typical if artist is None else artist
            for artist in artists
        ]


def guessed_note(rows: Iterable[Mapping[str, str]], entries: Sequence[Entry]) -> str | None:
    """Return a note for the user on the imported songs whose mood is only guessed; None if there are none."""
    imported = {entry.id for entry in entries}
    count = Counter(row["id"] in imported and row[ORIGIN].startswith(GUESSED) for row in rows)[True]
    if not count:
        return None
    subject = "song has" if count == 1 else "songs have"
    return (
        f"{count:,} {subject} no audio features: moods are guessed from the artist's other songs or the title. "
        "To measure them, name a file with their features: --features FILE."
    )


def _audio_cells(own: tuple[float, ...] | None) -> Row:
    if not own:
        return {}
    return {column: f"{number:g}" for column, number in zip(AUDIO_COLUMNS.values(), own, strict=True)}


def _default_line(entry: Entry, features: tuple[float, ...] | None) -> str:
    genre = entry.cells["genres"].split("|")[0] or "a song"
    if features is None:
        return f"{genre[0].upper()}{genre[1:]} from your library."
    tempo = features[AUDIO_FEATURES.index("tempo")]
    pace = "fast" if tempo >= FAST_TEMPO else "slow" if tempo <= SLOW_TEMPO else "at a medium pace"
    return f"{genre[0].upper()}{genre[1:]}, {pace}: {tempo:.0f} beats a minute."
