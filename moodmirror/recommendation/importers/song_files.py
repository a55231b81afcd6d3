"""Read the files in which people have songs: playlists, libraries and listening histories of many programs.

A file is a table with a column of titles and one of artists or emotions (:mod:`song_columns`), JSON with such objects, an
iTunes library, or an M3U playlist. docs/file_formats.md lists the forms with an example of each.
"""

import json
import math
import plistlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_plus
from xml.parsers.expat import ExpatError

import numpy as np

from moodmirror.csv_files import parse_decimal
from moodmirror.recommendation.importers.artist_names import UNAMBIGUOUS_SEPARATORS, ArtistSplitter
from moodmirror.recommendation.importers.imported_table import POPULARITY, SPOTIFY_ID
from moodmirror.recommendation.importers.song_columns import SongColumns, find_columns, simple_name
from moodmirror.recommendation.importers.source_files import (
    Entry,
    FileFormat,
    Rows,
    Source,
    SourceError,
    extract_year,
    is_missing,
    merge_sources,
    normalized_values,
    parse_entries,
    read_beginning,
    read_csv,
)
from moodmirror.recommendation.importers.spotify_ids import spoken_kind, track_id
from moodmirror.recommendation.importers.tag_lexicon import mood_of_words
from moodmirror.recommendation.item_keys import item_id
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

KNOWN_FORMATS: Final[Sequence[tuple[str, frozenset[str]]]] = tuple(
    (name, frozenset(map(simple_name, columns.split(", "))))
    for name, columns in (
        ("the Kaggle file “Spotify 1921–2020”", "id, name, artists, danceability"),
        ("the TidyTuesday file", "track_id, track_name, track_artist, danceability"),
        ("the Kaggle file of 114,000 tracks", "track_id, artists, track_name, track_genre"),
        ("an Exportify CSV", "Track Name, Artist Name(s)"),
        ("a TuneMyMusic CSV", "Track name, Artist name, Playlist name"),
        ("Shazam's library", "TagTime, Title, Artist, TrackKey"),
        ("Spotify's extended streaming history", "ts, ms_played, master_metadata_track_name"),
        ("Spotify's streaming history", "endTime, artistName, trackName, msPlayed"),
        ("Spotify's playlists", "trackName, artistName, trackUri"),
        ("the account data download's library", "artist, track, uri"),
        ("a playlist of flask cluster songs", "title, artist, uri, emotion"),
        ("Last.fm's scrobbles", "uts, artist, track"),
        ("YouTube Music's library", "Song Title, Album Title, Artist Name 1"),
    )
)
"""Names of formats, for the report, by some of their columns."""
SUPPORTED: Final = (
    "a table with a column of titles and one of artists, such as Track Name, Artist Name(s), or of emotions: title, emotion",
    "JSON of the account data download: YourLibrary.json, Playlist1.json, StreamingHistory_music_0.json, …",
    "an iTunes library as XML, or an M3U playlist",
)
SUFFIXES: Final = {".csv", ".tsv", ".txt", ".json", ".xml", ".m3u", ".m3u8", ".jspf"}  # read from a folder
UNKNOWN_ARTIST: Final = "Unknown artist"  # of a song in a list of titles and emotions
MAX_LISTED_COLUMNS: Final = 12  # in an error message

PLAYED_MS: Final = 30_000  # a shorter play is a skip: this long a play counts as a stream at Spotify
LIKED_PLAYS: Final = 3  # so often played, a song is liked
MAX_LIKED_BY_PLAYS: Final = 200  # the most played: as many opinions as taste counts
LIKED_RATING_SHARE: Final = 0.8  # of the best rating: 4 of 5 stars
RATING_SCALES: Final = (5.0, 10.0, 100.0)

_ARTIST_AND_TITLE: Final = re.compile(r"(.+?)\s+[-–—]\s+(.+)")  # in one cell, as video sites name songs
_NUMBERED_GROUP: Final = re.compile(
    r"(?<=\D) \d+$"
)  # "happy 2": what `flask cluster songs` calls a second group of one name
_LOCAL_FILE: Final = re.compile(r"spotify:local:([^:]*):[^:]*:([^:]*):\d*")  # artist, album, title, seconds
# Lists of JSON objects are under these names; what an object of one of the others names is merged into the object it is in.
_LISTS: Final = ("tracks", "items", "playlists", "playlist", "track", "songs", "listens", "data")
_PARTS: Final = ("track", "item", "localTrack", "episode", "track_metadata")


def read_all(paths: Sequence[Path]) -> Source:
    """Parse files of songs, and those in folders, into one source. Raises SourceError if one can't be read.

    Files of a folder in another format are left out, and named among what was skipped.
    """
    sources, left_out = [], Counter[str]()
    for path in paths:
        if not path.is_dir():
            sources.append(read(path))
            continue
        for file in sorted(found for found in path.rglob("*") if found.suffix.lower() in SUFFIXES and found.is_file()):
            try:
                sources.append(read(file))
            except SourceError:
                left_out[f"the file {file.name}, which is in another format"] += 1
    if not sources:
        raise SourceError(f"{paths[0]} is a folder without files of songs. {_supported()}")
    source = merge_sources(sources)
    plays = sum(entry.plays for entry in source.entries)
    return replace(
        source,
        format=f"{source.format}, {plays:,} plays" if plays else source.format,
        entries=_mark_liked(source.entries),
        skipped=source.skipped + left_out,
    )


def read(path: Path) -> Source:
    """Parse a file of songs. Raises SourceError if it can't be read or its format is unknown."""
    encoding, beginning = read_beginning(path)
    if beginning.startswith(("{", "[")):
        return _read_json(path, encoding)
    if beginning.startswith("#EXTM3U") or "\n#EXTINF:" in beginning:
        return _read_m3u(path, encoding)
    if beginning.startswith("<") and "plist" in beginning:
        return _read_itunes(path)
    columns, rows = read_csv(path)
    return _parse(path, columns, rows)


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
    """Make an entry from a song's known attributes; `features` are its audio features by name, or None.

    `spotify_id` may be an id, a URI or a link. Raises ValueError with the reason if it is no song.
    """
    if kind := spoken_kind(spotify_id):
        raise ValueError(f"a podcast or audiobook ({kind}), not a song")
    names = [artist.strip() for artist in artists if not is_missing(artist.strip())]
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
            "genres": "|".join(normalized_values(re.split(r"[|,;]", re.sub(r"[\[\]'\"]", "", genres)))),
            POPULARITY: _parse_popularity(popularity),
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


def _parse_popularity(cell: str) -> str:
    number = _number(cell)
    return f"{number:.0f}" if number is not None and 0 <= number <= 100 else ""


class _SongParser:
    """Parses the rows of one file: its columns, and how it separates artists, are known from all of them."""

    def __init__(self, names: Sequence[str], rows: Rows) -> None:
        """Find the columns by their `names` and content."""
        self.columns = columns = find_columns(names, rows)
        if "Record Label" in names and "artist_ids" not in columns:
            self._splitter = ArtistSplitter(";")  # this form of Exportify's file separates with semicolons only
        else:
            self._splitter = ArtistSplitter.of_cells(
                [(columns.cell(row, "artist"), self._artist_count(row)) for row in rows]
            )
        if not columns.has_lists_of_artists and self._splitter.separator not in UNAMBIGUOUS_SEPARATORS:
            self._splitter = ArtistSplitter(r"(?!)")  # a pattern that matches nothing
        ratings = [rating for row in rows if (rating := _number(columns.cell(row, "rating"))) is not None]
        self._best_rating = next((scale for scale in RATING_SCALES if max(ratings, default=0) <= scale), RATING_SCALES[-1])

    def _artist_count(self, row: Mapping[str, str]) -> int | None:
        cell = self.columns.cell(row, "artist_ids")
        if cell.isdigit():
            return int(cell)
        return len(re.findall(r"[^,;|\s\[\]'\"]+", cell)) or None  # ids contain no separators

    def __call__(self, row: Mapping[str, str]) -> Entry:
        """Parse one row. Raises ValueError with the reason to skip it."""
        title, artists, uri = self._names(row)
        emotion = _NUMBERED_GROUP.sub("", self.columns.cell(row, "emotion"))
        # Numbers of classes say nothing without a legend, and a mixed group has no emotion.
        emotion = "" if _number(emotion) is not None or emotion == "mixed" else emotion
        entry = make_entry(
            title,
            artists or ([UNKNOWN_ARTIST] if emotion else []),
            uri,
            date=self.columns.cell(row, "date"),
            genres="|".join(self.columns.cells(row, "genre")),
            popularity=self.columns.cell(row, "popularity"),
            features=self.columns.features(row),
        )
        entry = replace(entry, liked=self._is_liked(row), plays=self._plays(row))
        words = normalized_values(re.split(r"[|,;/+]", emotion))
        return replace(entry, mood=mood_of_words(words), words=words) if words else entry

    def _names(self, row: Mapping[str, str]) -> tuple[str, list[str], str]:
        """Return title, artists, and the Spotify URI or id."""
        title, cells = self.columns.cell(row, "title"), self.columns.cells(row, "artist")
        identities = self.columns.cells(row, "id")
        uri = next(filter(track_id, identities), "") or next((cell for cell in identities if "spotify" in cell), "")
        if not title and self.columns.cell(row, "spoken"):
            raise ValueError("a podcast or audiobook, not a song")
        artists = [name for cell in cells for name in self._splitter.split(cell, self._artist_count(row))]
        if not artists and "emotion" not in self.columns and (match := _ARTIST_AND_TITLE.fullmatch(title)):
            return match[2], [match[1]], uri
        return title, artists, uri

    def _plays(self, row: Mapping[str, str]) -> int:
        if "played_ms" in self.columns:
            if (_number(self.columns.cell(row, "played_ms")) or 0) < PLAYED_MS:
                raise ValueError(f"played for less than {PLAYED_MS // 1000} seconds")
            return 1
        return int(_number(self.columns.cell(row, "plays")) or 0)

    def _is_liked(self, row: Mapping[str, str]) -> bool:
        rating = _number(self.columns.cell(row, "rating"))
        is_favorite = self.columns.cell(row, "list").lower() in ("favorite", "favourite")
        return is_favorite or (rating is not None and rating >= LIKED_RATING_SHARE * self._best_rating)


def _number(cell: str) -> float | None:
    """Return the finite number that a cell states; None if it states none."""
    try:
        number = parse_decimal(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse(path: Path, columns: Sequence[str], rows: Rows) -> Source:
    parser = _SongParser(columns, rows)
    titles = [parser.columns.cell(row, "title") for row in rows]
    has_artists_in_titles = bool(titles) and sum(map(bool, map(_ARTIST_AND_TITLE.fullmatch, titles))) > len(titles) / 2
    if "title" not in parser.columns or not (
        "artist" in parser.columns or "emotion" in parser.columns or has_artists_in_titles
    ):
        shown = ", ".join(columns[:MAX_LISTED_COLUMNS]) + (", …" if len(columns) > MAX_LISTED_COLUMNS else "")
        raise SourceError(f"{path} is in an unknown format: its columns are {shown or 'none'}. {_supported()}")
    return parse_entries(FileFormat(_format_name(columns, parser.columns), (), parser), rows)


def _format_name(columns: Sequence[str], found: SongColumns) -> str:
    names = set(map(simple_name, columns))
    used = ", ".join(
        f"{meaning} from {found.name(meaning)!r}" for meaning in ("title", "artist", "emotion") if meaning in found
    )
    return next((name for name, required in KNOWN_FORMATS if required <= names), f"a list of songs: {used}")


def _supported() -> str:
    return "Supported:" + "".join(f"\n  {line}" for line in SUPPORTED)


def _read_json(path: Path, encoding: str) -> Source:
    try:
        rows = list(_json_rows(json.loads(path.read_text(encoding=encoding))))
    except (ValueError, RecursionError):
        raise SourceError(f"{path} is not valid JSON. Download or export it again.") from None
    columns = list(dict.fromkeys(column for row in rows for column in row))
    try:
        return _parse(path, columns, [{column: row.get(column, "") for column in columns} for row in rows])
    except SourceError:
        raise SourceError(f"{path} is JSON in an unknown format. {_supported()}") from None


def _json_rows(node: Any) -> Iterator[dict[str, str]]:
    """Yield the objects of the lists of songs in a JSON document, as rows of cells."""
    if isinstance(node, list):
        for child in node:
            yield from _json_rows(child)
    elif isinstance(node, dict):
        lists = [node[name] for name in _LISTS if isinstance(node.get(name), list)]
        lists += [node[name] for name in ("tracks", "playlist") if isinstance(node.get(name), dict)]
        if lists:
            yield from _json_rows(lists)
        else:
            yield _json_row(node)


def _json_row(node: Mapping[str, Any]) -> dict[str, str]:
    row: dict[str, str] = {}
    for name, value in node.items():
        if name in _PARTS and isinstance(value, dict | None):
            row = _json_row(value or {}) | row
        elif name == "album" and isinstance(value, dict):
            row["album release date"] = str(value.get("release_date") or "")
        elif isinstance(value, list):
            names = [child.get("name") if isinstance(child, dict) else child for child in value]
            row[name] = repr([str(child) for child in names if child])
        elif isinstance(value, str | int | float):
            is_nan = isinstance(value, float) and math.isnan(value)  # what Python writes for a missing value
            row[name] = "" if is_nan else str(value).strip()
    if local := _LOCAL_FILE.fullmatch(row.get("uri", "")):
        row = {"title": unquote_plus(local[2]), "artist": unquote_plus(local[1])} | row
    return row


def _read_m3u(path: Path, encoding: str) -> Source:
    rows, title = [], ""
    for line in path.read_text(encoding=encoding, errors="replace").splitlines():
        if line.startswith("#EXTINF:"):
            title = line.partition(",")[2].strip()
        elif line.strip() and not line.startswith("#"):
            rows.append({"title": title, "url": line.strip()})
            title = ""
    return replace(_parse(path, ["title", "url"], rows), format="an M3U playlist")


def _read_itunes(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            tracks = plistlib.load(file)["Tracks"].values()
        rows = list(map(_itunes_row, tracks))
    except (ValueError, LookupError, AttributeError, TypeError, ExpatError) as error:
        raise SourceError(f"{path} is not an iTunes library: {error!r}. {_supported()}") from None
    columns = list(dict.fromkeys(column for row in rows for column in row))
    source = _parse(path, columns, [{column: row.get(column, "") for column in columns} for row in rows])
    return replace(source, format="an iTunes library")


def _itunes_row(track: Mapping[str, Any]) -> dict[str, str]:
    if track.get("Podcast") or "audiobook" in str(track.get("Kind", "")).lower():
        return {"podcast name": str(track.get("Name", ""))}
    names = ("Name", "Artist", "Genre", "Year", "Play Count")
    row = {name: str(track[name]) for name in names if name in track}
    if not track.get("Rating Computed"):
        row["Rating"] = str(track.get("Rating", ""))
    return row | ({"Type": "Favorite"} if track.get("Loved") or track.get("Favorited") else {})


def _mark_liked(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries, the most played of them liked."""
    entries = list(entries)
    often = sorted((entry for entry in entries if entry.plays >= LIKED_PLAYS), key=lambda entry: -entry.plays)
    liked = {entry.id for entry in often[:MAX_LIKED_BY_PLAYS]}
    return [replace(entry, liked=entry.liked or entry.id in liked) for entry in entries]
