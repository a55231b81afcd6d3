"""Songs, from the forms in which people have them from Spotify.

- the Kaggle file "Spotify 1921–2020": ``id, name, artists, year, release_date`` and audio features;
- the TidyTuesday file ``spotify_songs.csv``: ``track_id, track_name, track_artist, …`` and audio features;
- an Exportify CSV of a playlist: ``Track Name, Artist Name(s), …``, with audio features or, since Spotify closed them to
  new apps, without;
- ``YourLibrary.json`` of the account data download, which has names alone.

A song with audio features gets the mood that :mod:`moodmirror.recommendation.song_mood` measures. For one without, they are
looked up among the songs that are known; failing that, its mood is guessed from the artist's other songs or the title.
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
from moodmirror.recommendation.importers.imported_table import AUDIO_COLUMNS, ORIGIN, POPULARITY, SPOTIFY_ID, Row, row_of
from moodmirror.recommendation.importers.source_files import (
    Entry,
    Form,
    Source,
    SourceError,
    entries_of,
    form_of,
    listed,
    read_csv,
    required,
    slug,
    year_in,
)
from moodmirror.recommendation.importers.tag_lexicon import plain_tags
from moodmirror.recommendation.song_mood import AUDIO_FEATURES, SongMood

BATCH: Final = 2000  # songs whose moods are made at once
LIBRARY: Final = "the account data download's YourLibrary.json: an object with a list of tracks"
# What the title's words weigh in a guess; the rest is the typical song's mood, for a title says little.
TITLE_SHARE: Final = 0.3
GUESSED: Final = "guessed"  # in ORIGIN, of a song without audio features
FAST, SLOW = 130, 90  # beats a minute, in the words of a song's line

# Versions of one recording: "… - 2011 Remaster", "… (feat. somebody)".
_VERSION: Final = re.compile(
    r"\s+-\s+(\d{4}\s+)?((digital|digitally|stereo|mono)\s+)?remaster(ed)?\b.*$|\s+[(\[](feat\.?|ft\.?|with)\s[^)\]]*[)\]]",
    re.IGNORECASE,
)


def song_id(artist: str, title: str) -> str:
    """A song's id; remasters and the naming of guests make no other song."""
    return slug(artist, _VERSION.sub("", title) or title)


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
    """An entry of what is known of a song; `features` are nine numbers by AUDIO_FEATURES, or None."""
    makers = [artist.strip() for artist in artists if artist.strip()]
    if not title:
        raise ValueError("no title")
    if not makers:
        raise ValueError("no artist")
    return Entry(
        id=song_id(makers[0], title),
        title=title,
        cells={
            "artist": "|".join(maker.replace("|", "/") for maker in makers),
            "year": year_in(date),
            "language": "",  # no form states it
            "genres": "|".join(listed(re.split(r"[|,;]", genres))),
            POPULARITY: popularity if popularity.isdigit() and int(popularity) <= 100 else "",
            SPOTIFY_ID: spotify_id,
        },
        features=features_of(features) if features else None,
    )


def features_of(cells: Mapping[str, object]) -> tuple[float, ...] | None:
    """Audio features by name as numbers; None if some are empty. Raises ValueError if some are no finite numbers."""
    values = [cells.get(name) for name in AUDIO_FEATURES]
    if any(value in ("", None) for value in values):
        return None
    try:
        numbers = tuple(float(str(value)) for value in values)
    except ValueError:
        raise ValueError("an audio feature is no number") from None
    if not np.isfinite(numbers).all():
        raise ValueError("an audio feature is no number")
    return numbers


def _kaggle(row: Mapping[str, str]) -> Entry:
    artists = required(row, "artists", "artist")
    try:
        makers = ast.literal_eval(artists) if artists.startswith("[") else [artists]
    except (ValueError, SyntaxError):
        raise ValueError("the artists are no list") from None
    date = row.get("year") or row.get("release_date", "")
    return make_entry(
        row["name"], map(str, makers), row["id"], date=date, popularity=row.get("popularity", ""), features=row
    )


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
    # Names are parted by what may stand in them: "Tyler, The Creator" is one, as his one address tells.
    artists = row["Artist Name(s)"]
    alone = row.get("Artist URI(s)", "").count("spotify:artist:") == 1
    identity = row.get("Track URI") or row.get("Track ID") or row.get("Spotify ID") or ""
    return make_entry(
        row["Track Name"],
        [artists] if alone else re.split(r";" if ";" in artists else r",", artists),
        identity.rpartition(":")[2],
        date=row.get("Release Date") or row.get("Album Release Date", ""),
        genres=row.get("Genres") or row.get("Artist Genres", ""),
        popularity=row.get("Popularity", ""),
        features={name: row.get(name.capitalize()) for name in AUDIO_FEATURES},
    )


FORMS: Final = (
    Form("the Kaggle file “Spotify 1921–2020”", ("id", "name", "artists", *AUDIO_FEATURES), _kaggle),
    Form("the TidyTuesday file", ("track_id", "track_name", "track_artist", *AUDIO_FEATURES), _tidytuesday),
    Form("an Exportify CSV", ("Track Name", "Artist Name(s)"), _exportify),
)


def read(path: Path) -> Source:
    """The songs of a file in one of the forms. Raises SourceError if it is in none."""
    try:
        with path.open("rb") as file:
            is_json = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"[")
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}.") from None
    if is_json:
        return _read_library(path)
    columns, rows = read_csv(path)
    return entries_of(form_of(path, columns, FORMS, also=(LIBRARY,)), rows)


def _read_library(path: Path) -> Source:
    try:
        library = json.loads(path.read_text(encoding="utf-8-sig"))
        tracks = library["tracks"]
        rows = [{name: str(track.get(name) or "") for name in ("track", "artist", "uri")} for track in tracks]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceError(f"{path} is JSON in no form that is known. Known is {LIBRARY}.") from None
    form = Form(
        "the account data download's library",
        (),
        lambda row: make_entry(row["track"], [row["artist"]], row["uri"].rpartition(":")[2]),
    )
    return entries_of(form, rows)


class SongRowBuilder:
    """Makes rows of songs, with what is known already to help those that come without audio features."""

    def __init__(self, known: Sequence[Item], recognizer: Callable[[], TextEmotionRecognizer]) -> None:
        """`known` songs are shipped or imported ones; `recognizer` opens what reads a title, if one must be read."""
        self._mood = SongMood.load()
        self._recognizer = recognizer
        self._features: dict[str, tuple[float, ...]] = {}
        for item in known:
            features = features_of({name: item.facts.get(column) for name, column in AUDIO_COLUMNS.items()})
            if features:
                self._learn(item.id, item.facts.get(SPOTIFY_ID, ""), features)
        vectors: dict[str, list[MoodVector]] = {}
        for item in known:
            if not item.facts.get(ORIGIN, "").startswith(GUESSED):
                vectors.setdefault(slug(item.facts["artist"].split("|")[0]), []).append(item.vector)
        self._artists = {artist: np.mean(own, axis=0).astype(np.float32) for artist, own in vectors.items()}
        self._typical: MoodVector = np.mean([item.vector for item in known], axis=0).astype(np.float32)

    def add_audio_features(self, source: Source) -> None:
        """Take in the audio features of a source, to look up those of songs that come without."""
        for entry in source.entries:
            if entry.features:
                self._learn(entry.id, entry.cells[SPOTIFY_ID], entry.features)

    def _learn(self, identity: str, spotify_id: str, features: tuple[float, ...]) -> None:
        self._features[identity] = features
        if spotify_id:
            self._features[spotify_id] = features

    def features(self, entry: Entry) -> tuple[float, ...] | None:
        """A song's audio features, its own or those looked up."""
        return entry.features or self._features.get(entry.cells[SPOTIFY_ID]) or self._features.get(entry.id)

    def build(self, entries: Sequence[Entry]) -> list[Row]:
        """Rows of songs."""
        features = [self.features(entry) for entry in entries]
        vectors = np.empty((len(entries), len(self._typical)), dtype=np.float32)
        places = np.empty((len(entries), 2))
        measured = [index for index, own in enumerate(features) if own]
        guessed = [index for index, own in enumerate(features) if not own]
        if measured:
            numbers = np.array([features[index] for index in measured])
            vectors[measured], places[measured] = self._mood.vectors(numbers), self._mood.places(numbers)
        if guessed:
            vectors[guessed] = self._guess([entries[index] for index in guessed])
            places[guessed] = [valence_arousal(vectors[index]) for index in guessed]
        return [
            row_of(
                entry,
                vector,
                (place[0], place[1]),
                tags=tags,
                line=_line(entry, own),
                origin="measured from audio features" if own else f"{GUESSED} from artist or title",
            )
            | _audio_cells(own)
            for entry, own, vector, place, tags in zip(entries, features, vectors, places, plain_tags(vectors), strict=True)
        ]

    def _guess(self, entries: Sequence[Entry]) -> list[MoodVector]:
        """The mean mood of the artist's known songs; for an unknown artist what the title says, and mostly the typical."""
        artists = [self._artists.get(slug(entry.cells["artist"].split("|")[0])) for entry in entries]
        unknown = [entry.title[:MAX_CHARACTERS] for entry, artist in zip(entries, artists, strict=True) if artist is None]
        titles = iter(self._recognizer().predict_proba(unknown) if unknown else ())
        return [
            TITLE_SHARE * next(titles) + (1 - TITLE_SHARE) * self._typical if artist is None else artist
            for artist in artists
        ]


def guessed_note(rows: Iterable[Mapping[str, str]], entries: Sequence[Entry]) -> str | None:
    """What to tell about songs of an import whose mood is only guessed; None if there are none."""
    imported = {entry.id for entry in entries}
    count = Counter(row["id"] in imported and row[ORIGIN].startswith(GUESSED) for row in rows)[True]
    if not count:
        return None
    return (
        f"{count:,} came without audio features: their moods are guessed from the artist's other songs or the title. "
        "Give a file that has the features with --features FILE to measure them."
    )


def _audio_cells(own: tuple[float, ...] | None) -> Row:
    if not own:
        return {}
    return {column: f"{number:g}" for column, number in zip(AUDIO_COLUMNS.values(), own, strict=True)}


def _line(entry: Entry, features: tuple[float, ...] | None) -> str:
    genre = entry.cells["genres"].split("|")[0] or "a song"
    if features is None:
        return f"{genre[0].upper()}{genre[1:]} from your library."
    tempo = features[AUDIO_FEATURES.index("tempo")]
    pace = "fast" if tempo >= FAST else "slow" if tempo <= SLOW else "at a medium pace"
    return f"{genre[0].upper()}{genre[1:]}, {pace}: {tempo:.0f} beats a minute."
