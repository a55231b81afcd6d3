"""What importers share: entries, the forms of files, and how names become ids."""

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

SHOWN_COLUMNS: Final = 12  # of a file in no known form


class SourceError(ValueError):
    """A file can't be imported; the message says why, and what can."""


@dataclass(frozen=True)
class Entry:
    """One thing of a file, before its mood is known.

    `cells` are what is known of its table's other columns; `words` its genres, keywords and tags, in small letters; `text`
    tells what it is about; `features` are a song's, in the order of :data:`song_mood.AUDIO_FEATURES`.
    """

    id: str
    title: str
    cells: Mapping[str, str] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    text: str = ""
    features: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Source:
    """What a file holds: the name of its `form`, its `entries`, and how many rows were `skipped`, by reason."""

    form: str
    entries: list[Entry]
    skipped: Counter[str]


@dataclass(frozen=True)
class Form:
    """One form that files come in: it has all the columns in `needs`; `entry` makes an entry of a row of cells.

    `entry` raises ValueError saying why a row is skipped.
    """

    name: str
    needs: tuple[str, ...]
    entry: Callable[[Mapping[str, str]], Entry]


Rows = list[dict[str, str]]


def read_csv(path: Path) -> tuple[list[str], Rows]:
    """The columns and rows of a CSV file; cells too many are dropped, missing ones empty, blanks around them gone.

    Raises SourceError if it is none in UTF-8.
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
        raise SourceError(f"{path} is no CSV file: {error}.") from None
    return columns, rows


def form_of(path: Path, columns: Collection[str], forms: Sequence[Form], also: Sequence[str] = ()) -> Form:
    """The first form whose columns are all there.

    Raises SourceError naming the known forms, and what is `also` read.
    """
    for form in forms:
        if set(form.needs) <= set(columns):
            return form
    shown = ", ".join(list(columns)[:SHOWN_COLUMNS]) + (", …" if len(columns) > SHOWN_COLUMNS else "")
    known = "".join(f"\n  {line}" for line in (*(f"{form.name}: {', '.join(form.needs)}" for form in forms), *also))
    raise SourceError(f"{path} is in no form that is known: its columns are {shown or 'none'}. Known forms are:{known}")


def entries_of(form: Form, rows: Iterable[Mapping[str, str]]) -> Source:
    """The entries of a form's rows, each id once."""
    entries: dict[str, Entry] = {}
    skipped: Counter[str] = Counter()
    for row in rows:
        try:
            entry = form.entry(row)
        except ValueError as error:
            skipped[str(error)] += 1
            continue
        if entry.id in entries:
            skipped["the same again"] += 1
        else:
            entries[entry.id] = entry
    return Source(form.name, list(entries.values()), skipped)


def slug(*names: str) -> str:
    """An id of small letters, digits and hyphens; where nothing is left of the names, as in other scripts, a sum of them."""
    joined = " ".join(names)
    plain = unicodedata.normalize("NFKD", joined.casefold()).encode("ascii", "ignore").decode()
    made = "-".join(re.findall(r"[a-z0-9]+", re.sub(r"['’`]", "", plain)))
    lost = sum(character.isalpha() and not character.isascii() for character in unicodedata.normalize("NFC", joined))
    kept = sum(character.isalpha() for character in made)
    if kept < lost:
        made = f"{made}-{hashlib.sha256(joined.casefold().encode()).hexdigest()[:10]}".strip("-")
    return made or hashlib.sha256(joined.encode()).hexdigest()[:10]


def required(row: Mapping[str, str], column: str, what: str) -> str:
    """A cell that must not be empty. Raises ValueError saying that `what` is missing."""
    value = row.get(column, "")
    if not value:
        raise ValueError(f"no {what}")
    return value


def year_in(value: str) -> str:
    """The year of a date, or an empty string."""
    match = re.search(r"\b(1[89]|20)\d\d\b", value)
    return match[0] if match else ""


def listed(values: Iterable[str]) -> tuple[str, ...]:
    """Values in small letters, each once, without empty ones."""
    return tuple(dict.fromkeys(value.strip().lower() for value in values if value.strip()))


def first_sentence(text: str, most: int = 160) -> str:
    """The first sentence of a text, cut at a word where it is longer than `most` characters."""
    line = " ".join(text.split())
    match = re.match(r".{20,}?[.!?…](?=\s|$)", line)
    sentence = match[0] if match else line
    return sentence if len(sentence) <= most else sentence[:most].rsplit(" ", 1)[0].rstrip(",;:") + "…"
