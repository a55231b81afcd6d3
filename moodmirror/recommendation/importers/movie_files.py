"""Read the files in which people have films and series: data sets, lists, viewing histories and APIs' answers.

A file is a table whose columns :mod:`movie_columns` knows, MovieLens' files without a header, or JSON with such objects.
docs/file_formats.md lists the forms with an example of each. A file may be larger than memory: of all its films only the
most voted are kept.
"""

import heapq
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from moodmirror.recommendation.catalogue import VOTES
from moodmirror.recommendation.importers import movielens
from moodmirror.recommendation.importers.imported_table import POPULARITY
from moodmirror.recommendation.importers.movie_columns import (
    IMDB_TITLES,
    MOVIELENS,
    SUPPORTED,
    TMDB,
    MovieColumns,
    find_columns,
)
from moodmirror.recommendation.importers.movie_entries import LIKED_VIEWINGS, MovieParser
from moodmirror.recommendation.importers.movie_json import json_rows
from moodmirror.recommendation.importers.source_files import (
    FAULT,
    Entry,
    Source,
    SourceError,
    count_unread,
    merge_sources,
    open_csv,
    read_beginning,
    read_csv,
    row_of_record,
)
from moodmirror.recommendation.item_item import CoLikeCounts

DEFAULT_LIMIT: Final = 20_000  # films: six minutes of work on two cores, and a second at every start of the site
SUFFIXES: Final = {".csv", ".tsv", ".txt", ".dat", ".item", ".json", ".jsonl"}  # read from a folder
# Files that are read with another one of the folder, or that contain no films.
COMPANIONS: Final = {
    "ratings.csv", "tags.csv", "links.csv", "genome-scores.csv", "genome-tags.csv", "ratings.dat", "users.dat", "tags.dat",
    "title.ratings.tsv", "tmdb_5000_credits.csv", "credits.csv", "keywords.csv", "profile.csv", "comments.csv", "README.txt",
}  # fmt: skip
LEFT_OUT_FOLDERS: Final = {"deleted", "orphaned"}  # of Letterboxd's export: what the user has deleted
LETTERBOXD_LIST: Final = "Letterboxd list export"  # the first line of such a file; the films come after the list's own row
PROGRESS_ROWS: Final = 100_000  # rows between two reports of the progress

OnProgress = Callable[[int], object]
Row = dict[str, str]


def read(path: Path, limit: int = DEFAULT_LIMIT, on_progress: OnProgress = lambda rows: None) -> Source:
    """Parse a file of films, or all in a folder. Raises SourceError if it can't be read or its format is unknown.

    Of more films than `limit`, the most voted are kept. `on_progress` receives the number of rows read, now and then. A
    film's popularity, 0…100, is its percentile by votes.
    """
    if not path.is_dir():
        return _finish(_read_file(path, limit, on_progress))
    if (found := movielens.find(path)) is not None:
        return _finish(_read_file(found, limit, on_progress))
    sources, left_out = [], Counter[str]()
    for file in sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file()):
        if LEFT_OUT_FOLDERS & set(file.relative_to(path).parts):
            continue
        try:
            sources.append(_read_file(file, limit, on_progress))
        except SourceError:
            left_out[f"the file {file.name}, which is in another format"] += file.name not in COMPANIONS
    if not sources:
        raise SourceError(f"{path} is a folder without files of films. {_supported()}")
    source = merge_sources(sources)
    return _finish(replace(source, skipped=source.skipped + left_out))


def count_co_likes(path: Path) -> CoLikeCounts | None:
    """Count co-likes of MovieLens' films; None for other files, and without ratings in the same folder.

    Raises SourceError as :func:`read` does, and for ratings in another format.
    """
    found = movielens.find(path)
    ratings = movielens.read_ratings(found) if found is not None else None
    return None if found is None or ratings is None else movielens.count_co_likes(ratings, item_ids(found))


def item_ids(path: Path) -> dict[str, str]:
    """Return the catalogue ids of the films of MovieLens' file or folder by MovieLens' ids."""
    columns, rows = _open(movielens.find(path) or path)
    parse = MovieParser(_find_columns(path, columns))
    return {row["movieId"]: parse(row).id for row in rows if row["title"]}


def _read_file(path: Path, limit: int, on_progress: OnProgress) -> Source:
    columns, rows = _open(path)
    known = _find_columns(path, columns)
    if known.form == MOVIELENS:
        rows = movielens.with_ratings(path, rows)
        known = _find_columns(path, [*columns, "averageRating", "numVotes", "imdbId", "tmdbId"])
        parse = MovieParser(known, tags=movielens.read_user_tags(path.with_name("tags.csv")))
    elif known.form == IMDB_TITLES:
        rows = _with_imdb_ratings(path.with_name("title.ratings.tsv"), rows)
        known = _find_columns(path, [*columns, "averageRating", "numVotes"])
        parse = MovieParser(known)
    else:
        directors = _read_directors(path) if known.form == TMDB and path.suffix.lower() == ".csv" else {}
        parse = MovieParser(known, directors=directors, all_liked=path.parent.name == "likes")
    return _parse(known, parse, rows, limit, on_progress)


def _parse(
    columns: MovieColumns, parse: MovieParser, rows: Iterable[Mapping[str, str]], limit: int, on_progress: OnProgress
) -> Source:
    kept: list[tuple[int, int, Entry]] = []  # a heap, the least voted first
    skipped: Counter[str] = Counter()
    beyond_limit = f"not among the {limit:,} films with most votes; --limit sets how many are imported"
    for count, row in enumerate(rows, start=1):
        if count % PROGRESS_ROWS == 0:
            on_progress(count)
        if FAULT in row:
            skipped[row[FAULT]] += 1
            continue
        if len(kept) == limit and parse.votes(row) <= kept[0][0]:  # parsing the rest of the row would take long
            skipped[beyond_limit] += 1
            continue
        try:
            entry = parse(row)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        ranked = (parse.votes(row), -count, entry)  # of equally voted films, the first
        if len(kept) < limit:
            heapq.heappush(kept, ranked)
        else:
            heapq.heappushpop(kept, ranked)
            skipped[beyond_limit] += 1
    entries = [entry for _, _, entry in sorted(kept, key=lambda ranked: -ranked[1])]
    liked = parse.liked_ids()
    entries = [replace(entry, liked=True) if entry.id in liked else entry for entry in entries]
    return merge_sources([Source(columns.form, entries, skipped, count_unread(entries))])


def _finish(source: Source) -> Source:
    """Return the source with popularity, and what was watched often liked."""
    votes = sorted(float(entry.cells[VOTES]) for entry in source.entries if entry.cells[VOTES])
    entries = []
    for entry in source.entries:
        own = entry.cells[VOTES]
        popularity = str(round(100 * bisect_right(votes, float(own)) / len(votes))) if own else ""
        liked = entry.liked or entry.plays >= LIKED_VIEWINGS[entry.cells["kind"]]
        entries.append(replace(entry, cells={**entry.cells, POPULARITY: popularity}, liked=liked))
    return replace(source, entries=entries)


def _find_columns(path: Path, columns: Sequence[str]) -> MovieColumns:
    found = find_columns(columns)
    if found is None:
        shown = ", ".join(columns[:12]) + (", …" if len(columns) > 12 else "")
        raise SourceError(f"{path} is in an unknown format: its columns are {shown or 'none'}. {_supported()}")
    return found


def _supported() -> str:
    return "Supported formats and their columns:" + "".join(f"\n  {line}" for line in SUPPORTED)


def _open(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Return the columns and the rows of a file."""
    if path.name in movielens.FILES:
        return movielens.open_films(path)
    encoding, beginning = read_beginning(path)
    first_line = beginning.partition("\n")[0]
    if beginning.startswith(("{", "[")):
        return _open_json(path, encoding)
    if "\t" in first_line and first_line.startswith("tconst"):
        return _open_tabs(path)
    if first_line.startswith(LETTERBOXD_LIST):
        return _open_letterboxd_list(path)
    return open_csv(path)


def _open_json(path: Path, encoding: str) -> tuple[list[str], Iterator[Row]]:
    text = path.read_text(encoding=encoding, errors="replace").lstrip("\ufeff")
    try:
        document: Any = json.loads(text)
    except RecursionError:
        raise SourceError(f"{path} is not valid JSON. Download or export it again.") from None
    except ValueError:
        try:  # an object on each line
            document = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            raise SourceError(f"{path} is not valid JSON. Download or export it again.") from None
    rows = list(json_rows(document))
    columns = list(dict.fromkeys(column for row in rows for column in row))
    return columns, ({column: row.get(column, "") for column in columns} for row in rows)


def _open_tabs(path: Path) -> tuple[list[str], Iterator[Row]]:
    """Open a file of IMDb's data sets: tabs separate cells, and quotation marks are text."""

    def records() -> Iterator[list[str]]:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            for line in file:
                yield line.rstrip("\r\n").split("\t")

    lines = records()
    columns = next(lines)
    return columns, (row_of_record(columns, record) for record in lines)


def _open_letterboxd_list(path: Path) -> tuple[list[str], Iterator[Row]]:
    _, rows = open_csv(path)
    records = [list(row.values()) for row in rows]
    header = next((index for index, record in enumerate(records) if "Name" in record and "Year" in record), None)
    if header is None:
        raise SourceError(f"{path} is a list of Letterboxd without films. Export it again.")
    columns = records[header]
    return columns, (row_of_record(columns, record) for record in records[header + 1 :])


def _with_imdb_ratings(path: Path, rows: Iterator[Row]) -> Iterator[Row]:
    ratings: dict[int, tuple[str, str]] = {}
    if path.is_file():
        _, lines = _open_tabs(path)
        # Numbers rather than ids, and each rating once, because there are 1.6 million.
        shared: dict[str, str] = {}
        for line in lines:
            number = line["tconst"].removeprefix("tt")
            if number.isdigit():
                rating = shared.setdefault(line["averageRating"], line["averageRating"])
                ratings[int(number)] = (rating, shared.setdefault(line["numVotes"], line["numVotes"]))
    for row in rows:
        number = row["tconst"].removeprefix("tt")
        rating, votes = ratings.get(int(number), ("", "")) if number.isdigit() else ("", "")
        yield row | {"averageRating": rating, "numVotes": votes}


def _read_directors(path: Path) -> dict[str, str]:
    """Return the directors by TMDB's ids, of the credits file in the same folder, if there is one."""
    file = next(
        (path.with_name(name) for name in ("tmdb_5000_credits.csv", "credits.csv") if path.with_name(name).is_file()), None
    )
    if file is None or file == path:
        return {}
    _, rows = read_csv(file)
    directors = {}
    for row in rows:
        try:
            crew = json.loads(row.get("crew", "") or "[]")
        except (ValueError, RecursionError):
            continue
        members = crew if isinstance(crew, list) else []
        names = [
            str(member.get("name", "")) for member in members if isinstance(member, dict) and member.get("job") == "Director"
        ]
        directors[row.get("movie_id") or row.get("id", "")] = "|".join(filter(None, names))
    return directors
