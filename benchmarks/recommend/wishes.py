"""Wishes: how many of the first five rows have the facts that a wish asks for.

tests/wishes/judged.txt has a hundred wishes to work with; tests/wishes/held_out.txt fifty that were written before wishes
were parsed, and that nobody looks at while they are. Each line has a table, a wish, and a predicate over the catalogue's
columns:

    movies|a korean thriller|language = ko & genres = thriller

Conditions are joined by ``&``. ``=`` and ``!=`` compare the parts of a cell with any of the values, which ``/`` separates;
``<=`` and ``>=`` compare numbers; ``~`` finds any of the words in the title or the line.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.recommend.report import Finding, print_row
from moodmirror.paths import DATA_DIR, ROOT
from moodmirror.recognition.text import TextEncoder
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, Item, read_table
from moodmirror.recommendation.text_query import TextQuery

WISHES_DIR: Final = ROOT / "tests" / "wishes"
SETS: Final = {"judged": "judged.txt", "held out": "held_out.txt"}
TARGETS: Final = {"judged": 0.92, "held out": 0.85}
K: Final = 5
MIN_FIT: Final = 3  # rows that have the facts, for a wish to count as met
NUMBERS: Final[Mapping[str, Callable[[float, float], bool]]] = {"<=": operator.le, ">=": operator.ge}
_CONDITION: Final = re.compile(r"(\w+) (=|!=|<=|>=|~) (.+)")


@dataclass(frozen=True)
class Wish:
    """A wish for a table, and which of its items have the facts that it asks for."""

    kind: str
    text: str
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...]

    @classmethod
    def parse(cls, line: str) -> "Wish":
        """Parse a line. Raises ValueError if it is none."""
        kind, text, predicate = line.split("|")
        conditions = []
        for part in predicate.split(" & "):
            if not (found := _CONDITION.fullmatch(part)):
                raise ValueError(f"{part!r} is no condition, in {line!r}")
            column, comparison, values = found.groups()
            conditions.append((column, comparison, tuple(value.strip().casefold() for value in values.split(" / "))))
        return cls(kind, text, tuple(conditions))

    def is_met_by(self, item: Item) -> bool:
        """Return whether an item has the facts."""
        return all(_holds(item, *condition) for condition in self.conditions)


def _holds(item: Item, column: str, comparison: str, values: tuple[str, ...]) -> bool:
    if comparison == "~":
        words = set(re.findall(r"\w+", f"{item.title} {item.line}".casefold()))
        return any(value in words for value in values)
    cells = {"title": item.title, "tags": "|".join(item.tags), "energy": str(item.energy), "valence": str(item.valence)}
    cell = cells[column] if column in cells else item.facts[column]
    if comparison in NUMBERS:
        return bool(cell) and NUMBERS[comparison](float(cell), float(values[0]))
    return bool({part.casefold() for part in cell.split("|")} & set(values)) == (comparison == "=")


def read_wishes(path: Path) -> list[Wish]:
    """Read a file of wishes."""
    return [Wish.parse(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def measure_wishes() -> list[Finding]:
    """Print the precision of the first five rows for each table, without a mood; return it for both sets."""
    recommender, encoder = Recommender.open(), TextEncoder.load()
    tables = {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}
    print(f"\nWishes without a mood: share of the first {K} rows that have the facts asked for")
    print_row("", *KINDS, "all", f"< {MIN_FIT} fit")
    findings = []
    for name, file in SETS.items():
        shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for wish in read_wishes(WISHES_DIR / file):
            [vector] = encoder.encode([wish.text])
            query = TextQuery(wish.text, vector)
            rows = recommender.recommend(None, wish.kind, K, text_query=query)
            possible = min(K, sum(map(wish.is_met_by, tables[wish.kind])))
            shares[wish.kind].append(sum(wish.is_met_by(row.item) for row in rows) / possible)
        every = [share for kind in KINDS for share in shares[kind]]
        unmet = sum(share < MIN_FIT / K for share in every)
        mean = sum(every) / len(every)
        print_row(f"{name}, {len(every)} wishes", *(sum(shares[kind]) / len(shares[kind]) for kind in KINDS), mean, unmet)
        findings.append(Finding(f"wishes, {name}: precision of the first {K}", f">= {TARGETS[name]}", f"{mean:.3f}"))
    return findings
