"""Make rows of songs, with a mood that is measured as well as what a file knows of them allows.

The mood of a song with audio features is predicted by :mod:`moodmirror.recommendation.song_mood`, unless the file itself
names the mood. Missing features are looked up among the known songs; if they are not found, the mood is guessed from the
artist's other songs or the title.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import numpy as np

from moodmirror.emotions import MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import MAX_CHARACTERS
from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.importers.imported_table import (
    AUDIO_COLUMNS,
    GUESSED,
    NAMED,
    ORIGIN,
    SPOTIFY_ID,
    Row,
    make_row,
    measured_from,
)
from moodmirror.recommendation.importers.song_files import parse_features
from moodmirror.recommendation.importers.source_files import Entry, Source
from moodmirror.recommendation.importers.tag_lexicon import plain_tags
from moodmirror.recommendation.item_keys import item_key, main_artist, slug
from moodmirror.recommendation.song_mood import AUDIO_FEATURES, SongMood

BATCH: Final = 2000  # songs whose moods are computed at once
# The title's weight in a guess; the rest is the typical song's mood, because a title says little.
TITLE_SHARE: Final = 0.3
FAST_TEMPO, SLOW_TEMPO = 130, 90  # beats per minute, for a song's line


def _key(entry: Entry) -> str:
    return item_key("songs", entry.title, entry.cells)


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
        named = {index: entry.mood for index, entry in enumerate(entries) if entry.mood is not None}
        measured = [index for index, own in enumerate(features) if own and index not in named]
        guessed = [index for index, own in enumerate(features) if not own and index not in named]
        for index, mood in named.items():
            vectors[index], positions[index] = mood, valence_arousal(mood)
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
                origin=_origin(entry, own),
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


def _origin(entry: Entry, own: tuple[float, ...] | None) -> str:
    if entry.mood is not None:
        return f"{NAMED}: {', '.join(entry.words)}"
    return measured_from(["audio features"]) if own else f"{GUESSED} from artist or title"


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
