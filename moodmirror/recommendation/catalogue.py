"""The catalogue: four tables of items to recommend, each row with its own mood vector.

A row holds the attributes that its vector is computed from (energy, valence, tags, genres) by
:mod:`moodmirror.recommendation.item_moods`. Every row is checked when the tables are read; an error is reported with its
file, line and column.

Imported tables (:mod:`moodmirror.recommendation.importers`) have the same columns and some more. Their rows may state
the ``mood`` as seven shares, measured rather than computed from attributes. An unknown value is an empty cell, which no
filter on that column passes.
"""

import csv
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation.item_keys import item_key
from moodmirror.recommendation.item_moods import TAG_EMOTIONS, compute_item_mood

KINDS: Final = ("songs", "movies", "food", "activities")

LOGGER = logging.getLogger("moodmirror.catalogue")

MOOD_COLUMN: Final = "mood"  # in imported tables: the measured mood
KEY_COLUMN: Final = "key"  # in imported tables: the item's comparison key; empty in tables of older versions
ORIGIN_COLUMN: Final = "origin"  # in imported tables: how the mood was determined
RISKS_COLUMN: Final = "risks"  # in imported tables: why an item is not recommended for a low mood; mostly empty
MAX_TAGS: Final = 4
DIETS: Final = ("vegan", "vegetarian", "pescatarian", "omnivore")
"""The diets of a dish, the strictest first: each includes those before it."""
FREE_FROM: Final = ("gluten-free", "dairy-free", "nut-free")
AUDIENCES: Final = ("family", "teen", "adult")
"""The audiences of a movie, the youngest first: each includes those before it."""
PLACES: Final = ("indoors", "outdoors")
COMPANY_OPTIONS: Final = ("alone", "together")
COSTS: Final = ("free", "low", "medium", "high")
"""The costs of an activity, ascending."""


class CatalogueError(ValueError):
    """A table can't be used; each line of the message names file, line, column and the error."""


@dataclass(frozen=True)
class Item:
    """An item to recommend.

    Its mood `vector`, float32 [7], is computed from `energy` (0 soothing … 1 stirring), `valence` (0 bleak … 1 bright) and
    `tags` (strongest first). `line` is a sentence that describes it; `facts` are its other cells by column. `other_ids` are
    those of imported rows of the same item, to which stored likes may refer.
    """

    id: str
    title: str
    energy: float
    valence: float
    tags: tuple[str, ...]
    vector: MoodVector
    line: str
    facts: Mapping[str, str]
    other_ids: tuple[str, ...] = ()


def _check_not_empty(value: str) -> None:
    if not value:
        raise ValueError("must not be empty")


def _one_of(*allowed: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        for part in value.split("|"):
            if part not in allowed:
                raise ValueError(f"{part!r} is none of {', '.join(allowed)}")

    return check


def _integer(minimum: int, maximum: int) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not value.isdigit() or not minimum <= int(value) <= maximum:
            raise ValueError(f"{value!r} is not a whole number from {minimum} to {maximum}")

    return check


def _decimal(minimum: float, maximum: float) -> Callable[[str], None]:
    def check(value: str) -> None:
        try:
            inside = minimum <= float(value) <= maximum
        except ValueError:
            inside = False
        if not inside:
            raise ValueError(f"{value!r} is not a number in {minimum:g}…{maximum:g}")

    return check


def _check_imdb_id(value: str) -> None:
    if not re.fullmatch(r"tt\d{7,10}", value):
        raise ValueError(f"{value!r} is not an id of IMDb, such as tt0114709")


def _check_language(value: str) -> None:
    if not re.fullmatch(r"[a-z]{2,3}", value):
        raise ValueError(f"{value!r} is not an ISO 639 code")


def _check_id(value: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError(f"{value!r} is not an id of lower-case letters, digits and hyphens")


def _check_tags(value: str) -> None:
    tags = value.split("|")
    _one_of(*TAG_EMOTIONS)(value)
    if len(tags) > MAX_TAGS:
        raise ValueError(f"{len(tags)} tags are too many: use at most {MAX_TAGS}")
    if len(set(tags)) < len(tags):
        raise ValueError(f"{value!r} contains a tag twice")


def _check_genres(value: str) -> None:
    for genre in value.split("|"):
        if not genre or genre != genre.lower().strip():
            raise ValueError(f"{genre!r} is not a genre in lower-case letters")


def _check_diet(value: str) -> None:
    _one_of(*DIETS, *FREE_FROM)(value)
    diets = [label for label in value.split("|") if label in DIETS]
    if len(diets) != 1:
        raise ValueError(f"{value!r} must contain exactly one of {', '.join(DIETS)}")


_COMMON_COLUMNS: Final[Mapping[str, Callable[[str], None]]] = {
    "id": _check_id,
    "title": _check_not_empty,
    "energy": _decimal(0, 1),
    "valence": _decimal(0, 1),
    "tags": _check_tags,
    "line": _check_not_empty,
}
_REQUIRED_COLUMNS: Final = (*_COMMON_COLUMNS, "artist")  # in imported tables too
_MINUTES: Final = _integer(1, 2880)  # two days: a weekend
_YEAR: Final = _integer(1850, 2100)

COLUMNS: Final[Mapping[str, Mapping[str, Callable[[str], None]]]] = {
    "songs": {
        **_COMMON_COLUMNS,
        "artist": _check_not_empty,
        "year": _YEAR,
        "language": _check_language,
        "genres": _check_genres,
    },
    "movies": {
        **_COMMON_COLUMNS,
        "year": _YEAR,
        "director": _check_not_empty,
        "language": _check_language,
        "genres": _check_genres,
        "kind": _one_of("film", "series"),
        "minutes": _MINUTES,
        "audience": _one_of(*AUDIENCES),
    },
    "food": {
        **_COMMON_COLUMNS,
        "cuisine": _check_not_empty,
        "diet": _check_diet,
        "minutes": _MINUTES,
    },
    "activities": {
        **_COMMON_COLUMNS,
        "place": _one_of(*PLACES),
        "minutes": _MINUTES,
        "company": _one_of(*COMPANY_OPTIONS),
        "cost": _one_of(*COSTS),
    },
}
"""The columns of each table, each with the check of its cells, which raises ValueError with the reason."""

IMDB_ID: Final = "imdb_id"
TMDB_ID: Final = "tmdb_id"
RATING: Final = "rating"  # the mean of the votes of a site's users
VOTES: Final = "votes"
OPTIONAL_COLUMNS: Final[Mapping[str, Mapping[str, Callable[[str], None]]]] = {
    "songs": {},
    "movies": {
        IMDB_ID: _check_imdb_id,
        TMDB_ID: _integer(1, 10**9),
        RATING: _decimal(0, 10),
        VOTES: _integer(0, 10**9),
    },
    "food": {},
    "activities": {},
}
"""Columns that a table may lack, and in which a cell may be empty."""


def read_table(path: Path, kind: str, *, imported: bool = False) -> list[Item]:
    """Read and check one table, shipped or `imported`. Raises CatalogueError naming every invalid cell."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        advice = "Import it again." if imported else "Restore it from the repository."
        raise CatalogueError(f"{path} is missing. {advice}") from None
    except UnicodeDecodeError as error:
        raise CatalogueError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from None
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    errors: list[str] = []
    items: list[Item] = []
    try:
        header = next(rows, [])
        missing = [column for column in COLUMNS[kind] if column not in header]
        if missing:
            raise CatalogueError(f"{path}, line 1: no column {', '.join(missing)}")
        seen: set[str] = set()
        for row in rows:
            item, row_errors = _read_row(dict(zip(header, row, strict=False)), len(row) - len(header), kind, seen, imported)
            errors += [f"{path}, line {rows.line_num}, {error}" for error in row_errors]
            if item:
                items.append(item)
    except csv.Error as error:
        raise CatalogueError(f"{path}, line {rows.line_num}: {error}") from None
    if not items and not errors:
        errors.append(f"{path} has no rows")
    if errors:
        raise CatalogueError("\n".join(errors))
    return items


def read_items(kind: str, catalogue_dir: Path = DATA_DIR, imported_dir: Path | None = None) -> list[Item]:
    """Return all items of a kind, of the shipped table and, if there is one, of the imported table.

    Raises CatalogueError naming every invalid cell of the shipped table. An imported table that can't be used is ignored,
    and a warning in the log gives the reason and the next step. Of several rows of the same item (:mod:`item_keys`) the
    first is used, which gets the ids of the others.
    """
    items = read_table(catalogue_dir / f"{kind}.csv", kind)
    imported = imported_dir / f"{kind}.csv" if imported_dir is not None else None
    if imported is not None and imported.exists():
        try:
            imported_items = read_table(imported, kind, imported=True)
        except CatalogueError as error:
            first, *others = str(error).splitlines()
            more = f" And {len(others):,} more errors." if others else ""
            LOGGER.warning(
                "Ignoring the imported %s: %s.%s Import them again, which drops the invalid rows, or delete that file.",
                kind,
                first.rstrip("."),
                more,
            )
            return items
        return merge_items(kind, [*items, *imported_items])
    return items


def merge_items(kind: str, items: Iterable[Item]) -> list[Item]:
    """Return the items, of several rows of the same item only the first, with the ids of the others.

    Its empty cells of :data:`OPTIONAL_COLUMNS`, such as the rating, are those of the others.
    """
    kept: dict[str, Item] = {}
    keys: dict[str, str] = {}  # by id
    for item in items:
        key = keys.get(item.id) or item.facts.get(KEY_COLUMN) or item_key(kind, item.title, item.facts)
        first = kept.setdefault(key, item)
        keys[item.id] = key
        if first is not item:
            known = {column: item.facts[column] for column in OPTIONAL_COLUMNS[kind] if item.facts.get(column)}
            own = {column: cell for column, cell in first.facts.items() if cell or column not in known}
            first = kept[key] = replace(first, facts={**known, **own})
        if item.id not in (first.id, *first.other_ids):
            kept[key] = replace(first, other_ids=(*first.other_ids, item.id))
    return list(kept.values())


def _read_row(
    cells: Mapping[str, str], surplus: int, kind: str, seen: set[str], imported: bool
) -> tuple[Item | None, list[str]]:
    if surplus:
        return None, [f"all columns: {abs(surplus)} {'cells too many' if surplus > 0 else 'cells missing'}"]
    errors = cell_errors(cells, kind, imported=imported)
    if cells["id"] in seen:
        errors.append(f"column id: {cells['id']!r} is there twice")
    seen.add(cells["id"])
    return (None, errors) if errors else (make_item(cells, kind, imported=imported), [])


def make_item(cells: Mapping[str, str], kind: str, *, imported: bool = False) -> Item:
    """Make an item of the cells of a row, which :func:`cell_errors` has found valid."""
    facts = {column: value for column, value in cells.items() if column not in _COMMON_COLUMNS and column != MOOD_COLUMN}
    energy, valence, tags = float(cells["energy"]), float(cells["valence"]), tuple(cells["tags"].split("|"))
    if imported and cells.get(MOOD_COLUMN):
        vector = _parse_mood(cells[MOOD_COLUMN])
    else:
        vector = compute_item_mood(energy, valence, tags, facts.get("genres", "").split("|"))
    return Item(cells["id"], cells["title"], energy, valence, tags, vector, cells["line"], facts)


def cell_errors(cells: Mapping[str, str], kind: str, *, imported: bool = False) -> list[str]:
    """Return the errors in the cells of a row, one message for each column; empty if the row is valid."""
    errors = []
    for column, check in COLUMNS[kind].items():
        if imported and not cells[column] and column not in _REQUIRED_COLUMNS:
            continue
        try:
            check(cells[column])
        except ValueError as error:
            errors.append(f"column {column}: {error}")
    for column, check in OPTIONAL_COLUMNS[kind].items():
        if cells.get(column):
            try:
                check(cells[column])
            except ValueError as error:
                errors.append(f"column {column}: {error}")
    if imported and cells.get(MOOD_COLUMN):
        try:
            _parse_mood(cells[MOOD_COLUMN])
        except ValueError as error:
            errors.append(f"column {MOOD_COLUMN}: {error}")
    return errors


def _parse_mood(value: str) -> MoodVector:
    try:
        shares = [float(share) for share in value.split("|")]
    except ValueError:
        raise ValueError(f"{value!r} is not a list of numbers") from None
    total = sum(shares)
    if len(shares) != len(EMOTIONS) or min(shares) < 0 or not 0 < total < float("inf"):
        raise ValueError(f"{value!r} must be {len(EMOTIONS)} non-negative numbers separated by |, some of them above 0")
    return np.array([share / total for share in shares], dtype=np.float32)
