"""Source files of an import: CSV reading, format detection, entries and their ids."""

import csv
import hashlib
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

MAX_LISTED_COLUMNS: Final = 12  # in the error message for an unknown format


class SourceError(ValueError):
    """A file can't be imported; the message gives the reason and the next step."""


@dataclass(frozen=True)
class Entry:
    """One item of a file, before its mood is measured.

    `cells` are the known values of its table's other columns; `words` its genres, keywords and tags, in lower case; `text`
    is its description; `features` are a song's audio features, in the order of :data:`song_mood.AUDIO_FEATURES`.
    """

    id: str
    title: str
    cells: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    text: str = ""
    features: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Source:
    """A parsed file: the name of its `format`, its `entries`, and the number of `skipped` rows by reason."""

    format: str
    entries: list[Entry]
    skipped: Counter[str]


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
    """Return the columns and rows of a CSV file.

    Surplus cells are dropped, missing ones are empty, and surrounding whitespace is removed. Raises SourceError if the file
    can't be read or is not CSV in UTF-8.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a film's cast can be longer than the default 128 kB
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            columns = [column.strip() for column in next(reader, [])]
            rows = [
                dict(zip(columns, [cell.strip() for cell in row] + [""] * (len(columns) - len(row)), strict=False))
                for row in reader
                if row
            ]
    except OSError as error:
        raise SourceError(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not UTF-8 (byte {error.start}). Save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise SourceError(f"{path} is not a valid CSV file: {error}. Save it as CSV in UTF-8.") from None
    return columns, rows


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
    entries: dict[str, Entry] = {}
    skipped: Counter[str] = Counter()
    for row in rows:
        try:
            entry = file_format.parse_row(row)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        if entry.id in entries:
            skipped["duplicate of an earlier row"] += 1
        else:
            entries[entry.id] = entry
    return Source(file_format.name, list(entries.values()), skipped)


def slug(*names: str) -> str:
    """Return an id of lower-case letters, digits and hyphens, with a hash where a name in another script would be lost."""
    joined = " ".join(names)
    plain = unicodedata.normalize("NFKD", joined.casefold()).encode("ascii", "ignore").decode()
    ascii_id = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"['’`]", "", plain)))
    lost = sum(character.isalpha() and not character.isascii() for character in unicodedata.normalize("NFC", joined))
    kept = sum(character.isalpha() for character in ascii_id)
    if kept < lost:
        ascii_id = f"{ascii_id}-{hashlib.sha256(joined.casefold().encode()).hexdigest()[:10]}".strip("-")
    return ascii_id or hashlib.sha256(joined.encode()).hexdigest()[:10]


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
