"""CSV files as programs write them: detect the encoding, the separator and the decimal mark, and read the records.

Spreadsheets of many countries separate cells with semicolons or tabs and write decimal commas, and older ones write
Windows-1252 or UTF-16. The file's content decides, because a name or a locale says nothing about who wrote it.
"""

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SEPARATORS: Final = (",", ";", "\t", "|")  # in case of doubt the first
# The separator of a file with one column, in whose cells commas are text: a control character that no cell contains.
NO_SEPARATOR: Final = "\x1f"
SAMPLE_BYTES: Final = 1 << 18  # enough for hundreds of records
CHUNK_BYTES: Final = 1 << 20
MAX_PREAMBLE_LINES: Final = 3  # such as "Shazam Library" above the header
MIN_PREAMBLE_COLUMNS: Final = 3  # of the header below it: a list of titles has a comma in some line, too
# A sample with more NUL bytes than this share is UTF-16 without a mark, or no text.
MIN_NUL_SHARE: Final = 0.2
# Accented letters stand alone in words of Western languages; three in a row show another script.
_WORD_BYTES: Final = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_OTHER_SCRIPT: Final = re.compile(rb"[\x80-\xff]{3}")
MAX_OTHER_SCRIPT_SHARE: Final = 0.3
_UTF8_CHARACTER: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_DECLARED_SEPARATOR: Final = re.compile(r'"?sep=(.)"?;?,?\s*', re.IGNORECASE)  # Excel's first line
_DECIMAL_POINT: Final = re.compile(r"[-−]?\d+\.\d+")
# A comma before other than three digits separates no thousands.
_DECIMAL_COMMA: Final = re.compile(r"[-−]?(0,\d+|\d+,(\d{1,2}|\d{4,}))")
_ARCHIVES: Final = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"\xd0\xcf\x11\xe0", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!")
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class CsvFileError(ValueError):
    """A file can't be read as CSV; the message gives the reason and the next step."""


@dataclass(frozen=True)
class CsvDialect:
    """How a file writes its records; `first_line` is the number of lines above the header."""

    encoding: str
    separator: str
    first_line: int
    decimal_mark: str

    def pandas_options(self) -> dict[str, Any]:
        """Return the options of ``pandas.read_csv`` for this dialect."""
        return {
            "encoding": self.encoding,
            "encoding_errors": "replace",
            "sep": self.separator,
            "skiprows": self.first_line,
            "decimal": self.decimal_mark,
            "skipinitialspace": True,
        }


def detect_dialect(path: Path) -> CsvDialect:
    """Detect how a CSV file is written. Raises CsvFileError if it can't be read or is no text."""
    encoding = detect_encoding(path)
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE_BYTES)
            is_whole = not file.read(1)
    except OSError as error:
        raise CsvFileError(f"{path} can't be read: {error.strerror}.") from None
    sample = head.decode(encoding, "ignore")
    lines = sample.splitlines()
    first_line = 0
    if lines and (match := _DECLARED_SEPARATOR.fullmatch(lines[0])):
        first_line = 1
        records = _parse(sample, match[1], first_line, is_whole)
        if records and len(records[0]) > 1:
            return CsvDialect(encoding, match[1], first_line, _decimal_mark(records[1:]))
    separator, records = _best_separator(sample, first_line, is_whole)
    if separator == NO_SEPARATOR:
        for preamble in range(first_line + 1, min(first_line + MAX_PREAMBLE_LINES, len(lines) - 1) + 1):
            candidate, below = _best_separator(sample, preamble, is_whole)
            if below and len(below[0]) >= MIN_PREAMBLE_COLUMNS and _regularity(below) == 1:
                separator, records, first_line = candidate, below, preamble
                break
    return CsvDialect(encoding, separator, first_line, _decimal_mark(records[1:]))


def detect_encoding(path: Path) -> str:
    """Return the encoding of a text file: UTF-8, UTF-16 or UTF-32, or else Windows-1252.

    Raises CsvFileError if the file can't be read, is no text, or is in the 8-bit encoding of another script.
    """
    try:
        with path.open("rb") as file:
            head = file.read(SAMPLE_BYTES)
            if head.startswith(_ARCHIVES):
                raise CsvFileError(f"{path} is an archive or a spreadsheet. Unpack it, or save it as CSV in UTF-8.")
            for mark, encoding in _MARKS:
                if head.startswith(mark):
                    return encoding
            if head.count(0) > MIN_NUL_SHARE * len(head):
                return "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
            file.seek(0)
            return _encoding_of_bytes(path, iter(lambda: file.read(CHUNK_BYTES), b""))
    except OSError as error:
        raise CsvFileError(f"{path} can't be read: {error.strerror}.") from None


def _encoding_of_bytes(path: Path, chunks: Iterator[bytes]) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for chunk in chunks:
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            break
    else:
        return "utf-8"
    valid = sum(len(character) for character in _UTF8_CHARACTER.findall(chunk))
    foreign = sum(byte >= 0x80 for byte in chunk)
    if valid > foreign / 2:  # a few damaged characters in UTF-8
        return "utf-8"
    words = _WORD_BYTES.findall(chunk)
    if sum(_OTHER_SCRIPT.search(word) is not None for word in words) > MAX_OTHER_SCRIPT_SHARE * len(words):
        raise CsvFileError(f"{path} is neither UTF-8 nor Windows-1252. Save it as CSV in UTF-8.")
    return "cp1252"


def read_records(path: Path, dialect: CsvDialect) -> Iterator[list[str]]:
    """Yield the header and the records of a CSV file, cells as they are; blank lines are left out.

    Raises CsvFileError if the file can't be read.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a film's cast can be longer than the default 128 kB
    try:
        with path.open(encoding=dialect.encoding, errors="replace", newline="") as file:
            for _ in range(dialect.first_line):
                file.readline()
            yield from filter(None, csv.reader(file, delimiter=dialect.separator, skipinitialspace=True))
    except OSError as error:
        raise CsvFileError(f"{path} can't be read: {error.strerror}.") from None
    except csv.Error as error:
        raise CsvFileError(f"{path} is not a valid CSV file: {error}. Save it as CSV in UTF-8.") from None


def parse_decimal(cell: str) -> float:
    """Parse a number with a decimal point or comma. Raises ValueError if the cell is none."""
    text = cell.strip().replace("−", "-").replace("\xa0", "").replace("\u202f", "")
    if text.rfind(",") > text.rfind(".") and text.count(",") == 1:
        text = text.replace(".", "").replace(",", ".")
    return float(text.replace(",", ""))


def _best_separator(sample: str, first_line: int, is_whole: bool) -> tuple[str, list[list[str]]]:
    """Return the separator whose records have as many cells as their header most often, and these records."""
    best, best_records, best_score = NO_SEPARATOR, _parse(sample, NO_SEPARATOR, first_line, is_whole), (0.0, 0)
    for separator in SEPARATORS:
        records = _parse(sample, separator, first_line, is_whole)
        # A quotation mark within a name shows that the header was cut in the middle of a quoted name.
        if not records or len(records[0]) < 2 or any('"' in name for name in records[0]):
            continue
        score = (_regularity(records), len(records[0]))
        if score > best_score:
            best, best_records, best_score = separator, records, score
    return best, best_records


def _parse(sample: str, separator: str, first_line: int, is_whole: bool) -> list[list[str]]:
    file = io.StringIO(sample, newline="")
    for _ in range(first_line):
        file.readline()
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    records = list(filter(None, csv.reader(file, delimiter=separator, skipinitialspace=True)))
    return records if is_whole or len(records) < 2 else records[:-1]  # the last may be cut


def _regularity(records: Sequence[Sequence[str]]) -> float:
    """Return the share of records that have as many cells as the header, not counting surplus empty ones."""
    width = len(records[0])
    regular = sum(len(record) >= width and not any(record[width:]) for record in records[1:])
    return regular / max(len(records) - 1, 1)


def _decimal_mark(records: Sequence[Sequence[str]]) -> str:
    cells = [cell.strip() for record in records for cell in record]
    if any(map(_DECIMAL_POINT.fullmatch, cells)):
        return "."
    return "," if any(map(_DECIMAL_COMMA.fullmatch, cells)) else "."
