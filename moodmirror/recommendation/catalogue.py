"""The catalogue: four tables of things to recommend, each row with a mood vector of its own.

A row holds the parts that its vector is computed from (energy, valence, tags, genres) by
:mod:`moodmirror.recommendation.item_moods`. Every row is checked when the tables are read; a fault is reported with its
file, line and column.

Imported tables (:mod:`moodmirror.recommendation.importers`) have the same columns and some more. A row of theirs may state
its ``mood`` as seven shares, measured rather than made from parts; and what it does not know is an empty cell, which
passes no filter that asks for it.
"""

import csv
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.recommendation.item_moods import TAGS, compute_item_mood

CATALOGUE_DIR: Final = Path(__file__).resolve().parents[2] / "data"
KINDS: Final = ("songs", "movies", "food", "activities")

LOGGER = logging.getLogger("moodmirror.catalogue")

MOOD: Final = "mood"  # the column of a measured mood in an imported table
RISKS: Final = "risks"  # the column of an imported table that says why a row is not for who feels low; mostly empty
MAX_TAGS: Final = 4
DIETS: Final = ("vegan", "vegetarian", "pescatarian", "omnivore")
"""Who eats a dish, from the strictest on: each also eats what those before eat."""
FREE_FROM: Final = ("gluten-free", "dairy-free", "nut-free")
AUDIENCES: Final = ("family", "teen", "adult")
"""Whom a movie is fit for, from the youngest on: each also sees what is fit for those before."""
PLACES: Final = ("indoors", "outdoors")
COMPANY_OPTIONS: Final = ("alone", "together")
COSTS: Final = ("free", "low", "medium", "high")
"""What an activity costs, rising."""


class CatalogueError(ValueError):
    """A table can't be used; each line of the message names file, line, column and what is wrong there."""


@dataclass(frozen=True)
class Item:
    """One thing to recommend.

    `energy` (0 soothing … 1 stirring), `valence` (0 bleak … 1 bright) and `tags` (strongest first) are what its mood
    `vector`, float32 [7], is made from; `line` is its own sentence, `facts` its other cells by column.
    """

    id: str
    title: str
    energy: float
    valence: float
    tags: tuple[str, ...]
    vector: MoodVector
    line: str
    facts: Mapping[str, str]


def _text(value: str) -> None:
    if not value:
        raise ValueError("is empty")


def _one_of(*allowed: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        for part in value.split("|"):
            if part not in allowed:
                raise ValueError(f"{part!r} is none of {', '.join(allowed)}")

    return check


def _whole(least: int, most: int) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not value.isdigit() or not least <= int(value) <= most:
            raise ValueError(f"{value!r} is no whole number from {least} to {most}")

    return check


def _share(value: str) -> None:
    try:
        inside = 0 <= float(value) <= 1
    except ValueError:
        inside = False
    if not inside:
        raise ValueError(f"{value!r} is no number in 0…1")


def _language(value: str) -> None:
    if not re.fullmatch(r"[a-z]{2,3}", value):
        raise ValueError(f"{value!r} is no ISO 639 code")


def _slug(value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError(f"{value!r} is no id of small letters, digits and hyphens")


def _tags(value: str) -> None:
    tags = value.split("|")
    _one_of(*TAGS)(value)
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags are too many: at most {MAX_TAGS}")
    if len(set(tags)) < len(tags):
        raise ValueError(f"a tag stands twice in {value!r}")


def _genres(value: str) -> None:
    for genre in value.split("|"):
        if not genre or genre != genre.lower().strip():
            raise ValueError(f"{genre!r} is no genre in small letters")


def _diet(value: str) -> None:
    _one_of(*DIETS, *FREE_FROM)(value)
    eaters = [label for label in value.split("|") if label in DIETS]
    if len(eaters) != 1:
        raise ValueError(f"{value!r} must hold exactly one of {', '.join(DIETS)}")


_ANY_TABLE: Final[Mapping[str, Callable[[str], None]]] = {
    "id": _slug,
    "title": _text,
    "energy": _share,
    "valence": _share,
    "tags": _tags,
    "line": _text,
}
_ALWAYS_KNOWN: Final = (*_ANY_TABLE, "artist")  # in imported tables too
_MINUTES: Final = _whole(1, 2880)  # two days: a weekend
_YEAR: Final = _whole(1850, 2100)

COLUMNS: Final[Mapping[str, Mapping[str, Callable[[str], None]]]] = {
    "songs": {
        **_ANY_TABLE,
        "artist": _text,
        "year": _YEAR,
        "language": _language,
        "genres": _genres,
    },
    "movies": {
        **_ANY_TABLE,
        "year": _YEAR,
        "director": _text,
        "language": _language,
        "genres": _genres,
        "kind": _one_of("film", "series"),
        "minutes": _MINUTES,
        "audience": _one_of(*AUDIENCES),
    },
    "food": {
        **_ANY_TABLE,
        "cuisine": _text,
        "diet": _diet,
        "minutes": _MINUTES,
    },
    "activities": {
        **_ANY_TABLE,
        "place": _one_of(*PLACES),
        "minutes": _MINUTES,
        "company": _one_of(*COMPANY_OPTIONS),
        "cost": _one_of(*COSTS),
    },
}
"""The columns of each table, and what checks a cell: it raises ValueError saying what is wrong."""


def read_table(path: Path, kind: str, *, imported: bool = False) -> list[Item]:
    """Read and check one table, shipped or `imported`. Raises CatalogueError naming every bad cell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        advice = "Import it anew." if imported else "Restore it from the repository."
        raise CatalogueError(f"{path} is missing. {advice}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    problems: list[str] = []
    items: list[Item] = []
    try:
        header = next(rows, [])
        missing = [column for column in COLUMNS[kind] if column not in header]
        if missing:
            raise CatalogueError(f"{path}, line 1: no column {', '.join(missing)}")
        seen: set[str] = set()
        for row in rows:
            item, wrong = _read_row(dict(zip(header, row, strict=False)), len(row) - len(header), kind, seen, imported)
            problems += [f"{path}, line {rows.line_num}, {what}" for what in wrong]
            if item:
                items.append(item)
    except csv.Error as error:
        raise CatalogueError(f"{path}, line {rows.line_num}: {error}") from None
    if not items and not problems:
        problems.append(f"{path} has no rows")
    if problems:
        raise CatalogueError("\n".join(problems))
    return items


def read_items(kind: str, catalogue_dir: Path = CATALOGUE_DIR, imported_dir: Path | None = None) -> list[Item]:
    """All items of a kind: the shipped table, and what was imported, if anything was.

    Raises CatalogueError naming every bad cell of the shipped table. An imported one that can't be used is left out, and the
    log says why and what to do. A row whose id has come to be shipped since it was imported is passed over.
    """
    items = read_table(catalogue_dir / f"{kind}.csv", kind)
    imported = imported_dir / f"{kind}.csv" if imported_dir is not None else None
    if imported is not None and imported.exists():
        try:
            further = read_table(imported, kind, imported=True)
        except CatalogueError as error:
            first, *others = str(error).splitlines()
            more = f" And {len(others):,} faults more." if others else ""
            LOGGER.warning(
                "The imported %s are left out: %s.%s Import them again, which drops what is broken, or delete that file.",
                kind,
                first.rstrip("."),
                more,
            )
            return items
        shipped = {item.id for item in items}
        items += [item for item in further if item.id not in shipped]
    return items


def _read_row(
    cells: Mapping[str, str], surplus: int, kind: str, seen: set[str], imported: bool
) -> tuple[Item | None, list[str]]:
    if surplus:
        return None, [f"all columns: {abs(surplus)} {'cells too many' if surplus > 0 else 'cells missing'}"]
    wrong = cell_faults(cells, kind, imported=imported)
    if cells["id"] in seen:
        wrong.append(f"column id: {cells['id']!r} stands twice")
    seen.add(cells["id"])
    if wrong:
        return None, wrong
    facts = {column: value for column, value in cells.items() if column not in _ANY_TABLE and column != MOOD}
    energy, valence, tags = float(cells["energy"]), float(cells["valence"]), tuple(cells["tags"].split("|"))
    if imported and cells.get(MOOD):
        vector = _stated_mood(cells[MOOD])
    else:
        vector = compute_item_mood(energy, valence, tags, facts.get("genres", "").split("|"))
    return Item(cells["id"], cells["title"], energy, valence, tags, vector, cells["line"], facts), []


def cell_faults(cells: Mapping[str, str], kind: str, *, imported: bool = False) -> list[str]:
    """What is wrong with the cells of a row, by column; an empty list if nothing is."""
    wrong = []
    for column, check in COLUMNS[kind].items():
        if imported and not cells[column] and column not in _ALWAYS_KNOWN:
            continue
        try:
            check(cells[column])
        except ValueError as error:
            wrong.append(f"column {column}: {error}")
    if imported and cells.get(MOOD):
        try:
            _stated_mood(cells[MOOD])
        except ValueError as error:
            wrong.append(f"column {MOOD}: {error}")
    return wrong


def _stated_mood(value: str) -> MoodVector:
    try:
        shares = [float(share) for share in value.split("|")]
    except ValueError:
        raise ValueError(f"{value!r} is no list of numbers") from None
    total = sum(shares)
    if len(shares) != len(EMOTIONS) or min(shares) < 0 or not 0 < total < float("inf"):
        raise ValueError(f"{value!r} must be {len(EMOTIONS)} shares of at least 0, parted by |, some of them above")
    return np.array([share / total for share in shares], dtype=np.float32)
