"""Source files of an import: CSV reading, format detection, entries and their ids."""

import itertools
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from moodmirror.csv_files import CsvFileError, detect_dialect, detect_encoding, read_records
from moodmirror.emotions import MoodVector

MAX_LISTED_COLUMNS: Final = 12  # in the error message for an unknown format
BEGINNING_CHARACTERS: Final = 2000  # of a file, to tell its format
MAX_SHOWN_CELL: Final = 40  # characters of a cell, in a report
FAULT: Final = "\0fault"  # in a row: why it can't be read; no column has this name
# What pandas, R, SQL and spreadsheets write for a missing value.
TITLES_OR_MISSING: Final = frozenset({"NA", "N/A", "n/a", "None", "none", "-", "--", "–", "—"})
"""Missing values that also occur as titles: they are titles where nothing else in the row is missing in such a way."""
MISSING_VALUES: Final = TITLES_OR_MISSING | {"NaN", "nan", "<NA>", "#N/A", "null", "NULL", "\\N"}
TITLE_COLUMNS: Final = frozenset({"title", "name", "song", "track", "track_name", "track name", "trackname"})


class SourceError(ValueError):
    """A file can't be imported; the message gives the reason and the next step."""


@dataclass(frozen=True)
class Entry:
    """One item of a file, before its mood is measured.

    `cells` are the known values of its table's other columns; `words` its genres, keywords and tags, in lower case; `text`
    is its description; `features` are a song's audio features, in the order of :data:`song_mood.AUDIO_FEATURES`. `mood`,
    float32 [7], is the mood that the file itself names. `liked` is true if the file's owner rates it high or plays it often;
    `plays` is how often they did. `unread` are the column and the content of cells that could not be read.
    """

    id: str
    title: str
    cells: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    text: str = ""
    features: tuple[float, ...] | None = None
    mood: MoodVector | None = None
    liked: bool = False
    plays: int = 0
    unread: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Source:
    """A parsed file: the name of its `format`, its `entries`, and the number of `skipped` rows by reason.

    `unread` counts the cells that could not be read, by column and content.
    """

    format: str
    entries: list[Entry]
    skipped: Counter[str]
    unread: Counter[tuple[str, str]] = field(default_factory=Counter)


@dataclass(frozen=True)
class FileFormat:
    """A file format with the columns `required_columns`; `parse_row` makes an entry of a row of cells.

    `parse_row` raises ValueError with the reason to skip a row.
    """

    name: str
    required_columns: tuple[str, ...]
    parse_row: Callable[[Mapping[str, str]], Entry]


Rows = list[dict[str, str]]


def read_csv(path: Path) -> tuple[list[str], Rows]:
    """Return the columns and rows of a CSV file, in any encoding and with any separator that csv_files detects.

    Surrounding whitespace is removed. Missing cells are empty, and so are those that state a missing value, such as NA. A
    row that does not fit the columns gives the reason in its cell :data:`FAULT`. Raises SourceError if the file can't be
    read.
    """
    columns, rows = open_csv(path)
    return columns, list(rows)


def open_csv(path: Path) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Return the columns of a CSV file, and its rows one by one, as :func:`read_csv` does."""
    try:
        records = read_records(path, detect_dialect(path))
        columns = [column.strip() for column in next(records, [])]
    except CsvFileError as error:
        raise SourceError(str(error)) from None
    return columns, _rows(columns, records)


def read_beginning(path: Path) -> tuple[str, str]:
    """Return the encoding of a file and its first BEGINNING_CHARACTERS, without white space before them.

    Raises SourceError if the file can't be read or is no text.
    """
    try:
        encoding = detect_encoding(path)
        with path.open(encoding=encoding, errors="replace") as file:
            return encoding, file.read(BEGINNING_CHARACTERS).lstrip("\ufeff \r\n\t")
    except CsvFileError as error:
        raise SourceError(str(error)) from None
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}.") from None


def _rows(columns: Sequence[str], records: Iterator[list[str]]) -> Iterator[dict[str, str]]:
    row, record = None, []
    try:
        for record in records:
            if row is not None:
                yield row
            row = row_of_record(columns, record)
    except CsvFileError as error:
        raise SourceError(str(error)) from None
    if row is None:
        return
    # An opening quotation mark that is never closed makes the rest of the file one cell.
    if len(record) < len(columns) and (lines := record[-1].count("\n")):
        row[FAULT] = f"a quotation mark is never closed, so that the {lines:,} lines after it are not read"
    yield row


def row_of_record(columns: Sequence[str], record: Sequence[str]) -> dict[str, str]:
    """Return a row of a record's cells, as :func:`read_csv` does."""
    cells = [cell.strip() for cell in record]
    missing = {column for column, cell in zip(columns, cells, strict=False) if cell in MISSING_VALUES}
    row = dict(itertools.zip_longest(columns, cells[: len(columns)], fillvalue=""))
    for column in missing:
        is_title = column.lower() in TITLE_COLUMNS and row[column] in TITLES_OR_MISSING and len(missing) == 1
        if not (is_title and any(cell for other, cell in row.items() if other != column)):
            row[column] = ""
    if any(cells[len(columns) :]):
        row[FAULT] = "more cells than columns: put a cell that contains the separator in quotation marks"
    return row


def is_missing(cell: str) -> bool:
    """Return whether a cell is empty or states a missing value."""
    return not cell or cell in MISSING_VALUES


def detect_format(
    path: Path, columns: Collection[str], formats: Sequence[FileFormat], other_formats: Sequence[str] = ()
) -> FileFormat:
    """Return the first format whose required columns are all present.

    Raises SourceError naming the supported formats and the descriptions of `other_formats`.
    """
    for file_format in formats:
        if set(file_format.required_columns) <= set(columns):
            return file_format
    shown = ", ".join(list(columns)[:MAX_LISTED_COLUMNS]) + (", …" if len(columns) > MAX_LISTED_COLUMNS else "")
    descriptions = (*(f"{known.name}: {', '.join(known.required_columns)}" for known in formats), *other_formats)
    supported = "".join(f"\n  {line}" for line in descriptions)
    raise SourceError(
        f"{path} is in an unknown format: its columns are {shown or 'none'}. Supported formats and their columns:{supported}"
    )


def parse_entries(file_format: FileFormat, rows: Iterable[Mapping[str, str]]) -> Source:
    """Parse the rows of a file into entries, each id once."""
    entries: list[Entry] = []
    skipped: Counter[str] = Counter()
    for row in rows:
        if FAULT in row:
            skipped[row[FAULT]] += 1
            continue
        try:
            entries.append(file_format.parse_row(row))
        except ValueError as error:
            skipped[str(error)] += 1
    return merge_sources([Source(file_format.name, entries, skipped, count_unread(entries))])


def count_unread(entries: Iterable[Entry]) -> Counter[tuple[str, str]]:
    """Count the cells of entries that could not be read."""
    return Counter(cell for entry in entries for cell in entry.unread)


def unread_cell(column: str, cell: str) -> tuple[str, str]:
    """Return the column and the beginning of a cell that could not be read."""
    return column, cell if len(cell) <= MAX_SHOWN_CELL else f"{cell[:MAX_SHOWN_CELL]}…"


def merge_sources(sources: Sequence[Source]) -> Source:
    """Return one source of all entries, each id once with what any of its rows knows; plays are added up."""
    entries: dict[str, Entry] = {}
    skipped: Counter[str] = Counter()
    unread: Counter[tuple[str, str]] = Counter()
    for source in sources:
        skipped += source.skipped
        unread += source.unread
        for entry in source.entries:
            if entry.id not in entries:
                entries[entry.id] = entry
            else:
                entries[entry.id] = _merged(entries[entry.id], entry)
                skipped["duplicate of an earlier row"] += not entry.plays  # a play of a song is no row of its own
    formats = ", ".join(dict.fromkeys(source.format for source in sources))
    return Source(formats, list(entries.values()), +skipped, unread)


def _merged(first: Entry, second: Entry) -> Entry:
    return replace(
        first,
        cells={column: first.cells.get(column) or cell for column, cell in second.cells.items()},
        words=first.words or second.words,
        text=first.text or second.text,
        features=first.features or second.features,
        mood=second.mood if first.mood is None else first.mood,
        liked=first.liked or second.liked,
        plays=first.plays + second.plays,
    )


def required_cell(row: Mapping[str, str], column: str, meaning: str) -> str:
    """Return a cell. Raises ValueError, naming its `meaning`, if it is empty."""
    value = row.get(column, "")
    if not value:
        raise ValueError(f"no {meaning}")
    return value


def extract_year(value: str) -> str:
    """Return the year of a date, or an empty string."""
    match = re.search(r"\b(1[89]|20)\d\d\b", value)
    return match[0] if match else ""


def normalized_values(values: Iterable[str]) -> tuple[str, ...]:
    """Return the values in lower case, each once, without empty ones."""
    return tuple(dict.fromkeys(value.strip().lower() for value in values if value.strip()))


def first_sentence(text: str, max_characters: int = 160) -> str:
    """Return the first sentence of a text, cut at a word if it is longer than `max_characters`."""
    line = " ".join(text.split())
    match = re.match(r".{20,}?[.!?…](?=\s|$)", line)
    sentence = match[0] if match else line
    return sentence if len(sentence) <= max_characters else sentence[:max_characters].rsplit(" ", 1)[0].rstrip(",;:") + "…"
