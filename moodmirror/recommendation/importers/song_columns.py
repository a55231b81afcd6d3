"""The columns of song files: what each means, whatever a program or a language calls it.

A column is found by its name, or, in the CSV files of Exportify, whose header is in the language of its user, by position.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from moodmirror.csv_files import parse_decimal
from moodmirror.recommendation.importers.source_files import Rows
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

NAMES: Final[Mapping[str, str]] = {
    "title": "trackname songname songtitle tracktitle mastermetadatatrackname song track title name titel titre titolo "
    "titulo tytul titulodelacancion cancion chanson brano musica faixa sarki название 曲名 タイトル",
    "artist": "artistnames artists artistsname artistname trackartist mastermetadataalbumartistname artist artistname1 "
    "performer creator interpret kunstler artiste artista interprete wykonawca artiest sanatci исполнитель アーティスト",
    "artist_ids": "artisturis artistids idartists artistid artistcount",
    "id": "trackuri spotifytrackuri spotifyuri trackid spotifyid uri url link id spotifyurl trackurl",
    "date": "releasedate albumreleasedate trackalbumreleasedate year releasedyear releaseyear jahr annee ano anno rok",
    "genre": "trackgenre genres genre playlistsubgenre playlistgenre artistgenres albumgenres topgenre",
    "popularity": "popularity trackpopularity",
    "emotion": "emotion emotions mood moods feeling feelings emotionlabel moodlabel stimmung gefuhl humeur emocion emocao "
    "emozione animo umore nastroj duygu",
    "played_ms": "msplayed",
    "plays": "plays playcount trackplaycount scrobbles playcounts",
    "rating": "rating myrating userrating stars",
    "list": "type",
    "spoken": "episodename podcastname audiobooktitle episodeuri spotifyepisodeuri",
    **{feature: feature for feature in AUDIO_FEATURES},
    "danceability": "danceability dnce",
    "energy": "energy nrgy",
    "loudness": "loudness loudnessdb db",
    "speechiness": "speechiness spch",
    "acousticness": "acousticness acous",
    "liveness": "liveness live",
    "valence": "valence val",
    "tempo": "tempo bpm beatsperminute",
}
"""Names of each meaning, lower-case and without blanks, accents and signs; the first that is present is used."""
SEVERAL: Final = ("id", "date", "genre", "artist")  # meanings of which all columns are used, the first by order of NAMES
# Columns of several artists in a cell; the others name one.
LISTS_OF_ARTISTS: Final = ("artistnames", "artists", "artistsname")

# Exportify's columns, by position; the names of those that are not used are left out.
EXPORTIFY: Final = {0: "Track URI", 1: "Track Name", 2: "Artist URI(s)", 3: "Artist Name(s)", 8: "Album Release Date",
                    15: "Popularity"}  # fmt: skip
EXPORTIFY_BASE_COLUMNS: Final = 17
EXPORTIFY_FEATURES: Final = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness",
    "valence", "tempo", "time_signature",
)  # fmt: skip
# dB, of popular songs, for files without it, such as the Kaggle file "Most streamed songs 2023". Of 688 songs whose moods
# people named, 87 % keep their leading emotion if a typical loudness replaces their own.
TYPICAL_LOUDNESS: Final = -7.0
SAMPLE_ROWS: Final = 200  # that show what a column contains


@dataclass(frozen=True)
class SongColumns:
    """The columns of a file by meaning, and the `divisors` of audio features that are given in percent."""

    columns: Mapping[str, tuple[str, ...]]
    divisors: Mapping[str, float]

    def __contains__(self, meaning: str) -> bool:
        """Return whether the file has a column of this meaning."""
        return meaning in self.columns

    def name(self, meaning: str) -> str:
        """Return the name of the column; empty if there is none."""
        return self.columns.get(meaning, ("",))[0]

    def cell(self, row: Mapping[str, str], meaning: str) -> str:
        """Return the first non-empty cell of this meaning; empty if there is none."""
        return next((row[column] for column in self.columns.get(meaning, ()) if row.get(column)), "")

    def cells(self, row: Mapping[str, str], meaning: str) -> list[str]:
        """Return all non-empty cells of this meaning."""
        return [row[column] for column in self.columns.get(meaning, ()) if row.get(column)]

    @property
    def has_lists_of_artists(self) -> bool:
        """Whether a cell may name several artists, separated by commas."""
        return "artist_ids" in self or simple_name(self.name("artist")) in LISTS_OF_ARTISTS

    def features(self, row: Mapping[str, str]) -> dict[str, object]:
        """Return the audio features of a row by name; empty if a column is missing, and "" for an empty cell.

        A file without loudness gets a typical one. Raises ValueError if a cell is not a number.
        """
        present = [feature for feature in AUDIO_FEATURES if feature in self]
        values: dict[str, object] = {"loudness": TYPICAL_LOUDNESS}
        if not {*present, *values}.issuperset(AUDIO_FEATURES):
            return {}
        for feature in present:
            cell = self.cell(row, feature)
            try:
                values[feature] = parse_decimal(cell) / self.divisors.get(feature, 1) if cell else ""
            except ValueError:
                raise ValueError("an audio feature is not a number") from None
        return values


def simple_name(column: str) -> str:
    """Return a column's name in lower case, with letters and digits only, without accents."""
    decomposed = unicodedata.normalize("NFKD", column.casefold().replace("ı", "i").replace("ł", "l"))
    return "".join(character for character in decomposed if character.isalnum())


def find_columns(columns: Sequence[str], rows: Rows) -> SongColumns:
    """Return the columns of a file by meaning."""
    names = _exportify_names(columns, rows) if rows else {}
    by_name: dict[str, list[str]] = {}
    for column in columns:
        by_name.setdefault(simple_name(names.get(column, column)), []).append(column)
    found = {}
    for meaning, known in NAMES.items():
        present = [column for name in known.split() for column in by_name.get(name, ())]
        if meaning == "artist":  # the further ones are of the same list: "Artist Name 2"
            present = present[:1] + [
                column for column in columns if re.fullmatch("artistname([2-9]|10)", simple_name(column))
            ]
        elif meaning == "id":
            present += [column for column in columns if re.fullmatch("spotify(id|uri|url|link)", simple_name(column))]
        elif meaning not in SEVERAL:
            present = present[:1]
        if present:
            found[meaning] = tuple(dict.fromkeys(present))
    return SongColumns(found, _divisors(found, rows))


def _exportify_names(columns: Sequence[str], rows: Rows) -> dict[str, str]:
    """Return the English names of Exportify's columns in a file whose header is in any language; empty for other files."""
    sample = rows[:SAMPLE_ROWS]
    if len(columns) < EXPORTIFY_BASE_COLUMNS or not (
        all(row[columns[0]].startswith("spotify:") for row in sample)
        and any(row[columns[2]].startswith("spotify:artist:") for row in sample)
    ):
        return {}
    names = {columns[position]: name for position, name in EXPORTIFY.items()}
    for start in range(EXPORTIFY_BASE_COLUMNS, len(columns) - len(EXPORTIFY_FEATURES) + 1):
        run = columns[start : start + len(EXPORTIFY_FEATURES)]
        if any(_are_features([row[column] for column in run]) for row in sample):
            return names | dict(zip(run, EXPORTIFY_FEATURES, strict=True))
    return names


def _are_features(cells: Sequence[str]) -> bool:
    try:
        numbers = dict(zip(EXPORTIFY_FEATURES, map(parse_decimal, cells), strict=True))
    except ValueError:
        return False
    shares = all(0 <= numbers[name] <= 1 for name in AUDIO_FEATURES if name not in ("loudness", "tempo"))
    return shares and numbers["mode"] in (0, 1) and numbers["loudness"] < 10 < numbers["tempo"]


def _divisors(columns: Mapping[str, Sequence[str]], rows: Rows) -> dict[str, float]:
    """Return 100 for each audio feature that the file gives in percent."""
    divisors = {}
    for feature in AUDIO_FEATURES:
        if feature in columns and feature not in ("loudness", "tempo"):
            for row in rows[:SAMPLE_ROWS]:
                try:
                    is_percent = 1.5 < parse_decimal(row.get(columns[feature][0], "")) <= 100
                except ValueError:
                    continue
                if is_percent:
                    divisors[feature] = 100.0
                    break
    return divisors
