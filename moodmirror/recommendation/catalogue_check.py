"""Judge the catalogue as a whole: duplicates, gaps, imbalance and harm that no single row shows.

``python -m moodmirror.recommendation.catalogue_check [FOLDER]`` prints what the tables hold and what is
wrong with them, and exits with 1 if anything is. Single cells are checked by
:mod:`moodmirror.recommendation.catalogue`.
"""

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.catalogue import (
    AUDIENCES,
    CATALOGUE_DIR,
    COMPANY_OPTIONS,
    COSTS,
    DIETS,
    FREE_FROM,
    KINDS,
    PLACES,
    CatalogueError,
    Item,
    read_table,
)
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.sentence_vectors import CatalogueVectors

Tables = Mapping[str, list[Item]]

LEAST_ROWS: Final[Mapping[str, int]] = {"songs": 1000, "movies": 600, "food": 350, "activities": 300}
# Rows in which an emotion is the strongest or the second strongest: eight lists of ten songs, and so on, before they repeat.
LEAST_SERVED: Final[Mapping[str, int]] = {"songs": 80, "movies": 50, "food": 30, "activities": 30}
MOST_OF_A_MAKER: Final[Mapping[str, int]] = {"artist": 4, "director": 5}
MOST_ENGLISH: Final = 0.6  # of songs and of movies: the world is larger
LEAST_LANGUAGES: Final = 20
LEAST_CUISINES: Final = 40
LEAST_OF_A_DECADE: Final = 20  # from the 1950s on: a filter by decade fills a page twice
LEAST_OF_A_CHOICE: Final = 5  # what can be asked for must be there
# Titles by the same maker, or of food and activities, that share so much of their letters are probably one thing twice.
NEARLY_EQUAL: Final = 0.88
OPENING_WORDS: Final = 3
MOST_OPENINGS: Final = 2  # lines of a table that may begin with the same words

DECADES: Final = tuple(f"{year}s" for year in range(1950, 2030, 10))
MINUTES: Final[Mapping[str, tuple[int, ...]]] = {
    "movies": (30, 60, 90, 120),
    "food": (10, 20, 40, 60),
    "activities": (10, 30, 60, 240),
}
"""Upper ends of the bands of time that people have; the last band is open."""


def find_faults(tables: Tables) -> list[str]:
    """All that is wrong with the tables as a whole, one line each."""
    faults = []
    for kind, items in tables.items():
        checks: tuple[Callable[[str, list[Item]], Iterable[str]], ...] = (
            _duplicates,
            _makers,
            _gaps,
            _imbalance,
            _openings,
            _harm,
        )
        faults += [f"{kind}: {fault}" for check in checks for fault in check(kind, items)]
    return faults


def _fold(text: str) -> str:
    """Letters and digits alone, without case and accents, and without what stands in brackets."""
    plain = re.sub(r"\(.*?\)", "", text) or text
    decomposed = unicodedata.normalize("NFKD", plain.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


def _made_by(item: Item) -> list[str]:
    return (item.facts.get("artist") or item.facts.get("director") or "").split("|")


def _duplicates(kind: str, items: list[Item]) -> Iterable[str]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        for maker in _made_by(item):
            groups.setdefault(_fold(maker), []).append(item)
    if kind == "movies":  # once more by year, for a director can be misspelt
        for item in items:
            groups.setdefault(item.facts["year"], []).append(item)
    told = set()
    for group in groups.values():
        for one, other in combinations(group, 2):
            titles = _fold(one.title), _fold(other.title)
            if (one.id, other.id) not in told and _alike(*titles):
                told.add((one.id, other.id))
                what = "are one thing twice" if titles[0] == titles[1] else "are nearly the same title"
                yield f"{one.id} and {other.id} {what}"


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    # "2" and "3" part two films of one name, and are all that does.
    if re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    # From the cheapest bound to the dearest, for nearly all pairs differ widely.
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(ratio() >= NEARLY_EQUAL for ratio in ratios)


def _makers(kind: str, items: list[Item]) -> Iterable[str]:
    for column, most in MOST_OF_A_MAKER.items():
        names = [name for item in items if column in item.facts for name in item.facts[column].split("|")]
        spelt = {_fold(name): name for name in names}
        for folded, count in Counter(_fold(name) for name in names).items():
            if count > most:
                yield f"{column} {spelt[folded]} stands {count} times, more than {most}"


def _harm(kind: str, items: list[Item]) -> Iterable[str]:
    for item in items:
        if found := find_risks(kind, item.title, item.line):
            yield f"{item.id} may harm who feels low: {', '.join(found)}"


def _gaps(kind: str, items: list[Item]) -> Iterable[str]:
    if len(items) < LEAST_ROWS[kind]:
        yield f"only {len(items)} rows, fewer than {LEAST_ROWS[kind]}"
    for name, counts in spread(kind, items).items():
        least = LEAST_OF_A_DECADE if name == "decade" else LEAST_OF_A_CHOICE
        for value, count in counts.items():
            if count < least:
                yield f"only {count} of {name} {value}, fewer than {least}"
    if "language" in items[0].facts:
        languages = Counter(item.facts["language"] for item in items)
        if len(languages) < LEAST_LANGUAGES:
            yield f"only {len(languages)} languages, fewer than {LEAST_LANGUAGES}"
        if languages["en"] > MOST_ENGLISH * len(items):
            yield f"{languages['en'] / len(items):.0%} in English, more than {MOST_ENGLISH:.0%}"
    if "cuisine" in items[0].facts and (cuisines := len({item.facts["cuisine"] for item in items})) < LEAST_CUISINES:
        yield f"only {cuisines} cuisines, fewer than {LEAST_CUISINES}"


def _imbalance(kind: str, items: list[Item]) -> Iterable[str]:
    for emotion, count in zip(EMOTIONS, served(items), strict=True):
        if count < LEAST_SERVED[kind]:
            yield f"{emotion} is strongest or second strongest in only {count}, fewer than {LEAST_SERVED[kind]}"


def _openings(kind: str, items: list[Item]) -> Iterable[str]:
    openings = Counter(" ".join(re.findall(r"[\w'’]+", item.line.casefold())[:OPENING_WORDS]) for item in items)
    for opening, count in openings.items():
        if count > MOST_OPENINGS:
            yield f"{count} lines begin with “{opening}”, more than {MOST_OPENINGS}"
    for line, count in Counter(item.line for item in items).items():
        if count > 1:
            yield f"{count} rows have the line “{line}”"


def served(items: list[Item]) -> list[int]:
    """In how many items each emotion, in their order, is the strongest or the second strongest."""
    first_two = np.argsort([-item.vector for item in items], axis=1, kind="stable")[:, :2]
    return [int((first_two == index).sum()) for index in range(len(EMOTIONS))]


def spread(kind: str, items: list[Item]) -> dict[str, dict[str, int]]:
    """How many items a kind has of each decade, band of time, diet, place, company and cost, as far as it knows them."""
    facts = [item.facts for item in items]
    counts: dict[str, dict[str, int]] = {}
    if "year" in facts[0]:
        decades = Counter(f"{fact['year'][:3]}0s" for fact in facts)
        counts["decade"] = {decade: decades[decade] for decade in DECADES}
    if "minutes" in facts[0]:
        counts["minutes"] = _bands([int(fact["minutes"]) for fact in facts], MINUTES[kind])
    choices = {
        "audience": AUDIENCES,
        "diet": (*DIETS, *FREE_FROM),
        "place": PLACES,
        "company": COMPANY_OPTIONS,
        "cost": COSTS,
    }
    for column, values in choices.items():
        if column in facts[0]:
            found = Counter(value for fact in facts for value in fact[column].split("|"))
            counts[column] = {value: found[value] for value in values}
    return counts


def _bands(minutes: list[int], ends: tuple[int, ...]) -> dict[str, int]:
    least, counts = 1, {}
    for end in ends:
        counts[f"{least}–{end}"] = sum(least <= number <= end for number in minutes)
        least = end + 1
    counts[f"{least}+"] = sum(number >= least for number in minutes)
    return counts


def describe(tables: Tables) -> str:
    """What the tables hold, as a table to read."""
    lines = [
        f"{'':<28}" + "".join(f"{kind:>12}" for kind in tables),
        _row("rows", [len(items) for items in tables.values()]),
    ]
    lines += ["", "strongest or second strongest"]
    lines += [_row(f"  {emotion}", counts) for emotion, *counts in zip(EMOTIONS, *map(served, tables.values()), strict=True)]
    lines.append(_row("  (at least)", [LEAST_SERVED[kind] for kind in tables]))
    for kind, items in tables.items():
        lines += ["", kind]
        if "language" in items[0].facts:
            languages = Counter(item.facts["language"] for item in items)
            makers = len({_fold(maker) for item in items for maker in _made_by(item)})
            abroad = 1 - languages["en"] / len(items)
            lines.append(f"  {len(languages)} languages, {abroad:.0%} not in English; {makers} artists or directors")
        if "cuisine" in items[0].facts:
            lines.append(f"  {len({item.facts['cuisine'] for item in items})} cuisines")
        for name, counts in spread(kind, items).items():
            lines.append(f"  {name:<10}" + "   ".join(f"{value} {count}" for value, count in counts.items()))
    return "\n".join(lines)


def _row(name: str, numbers: Iterable[int]) -> str:
    return f"{name:<28}" + "".join(f"{number:>12,}" for number in numbers)


def _old_vectors(folder: Path, tables: Tables) -> Iterable[str]:
    try:
        fault = CatalogueVectors.load(folder).find_fault(tables)
    except CatalogueError as error:
        fault = str(error)
    if fault:
        yield fault


def main(folder: Path = CATALOGUE_DIR) -> int:
    """Print what the tables of a folder hold and all that is wrong with them; 1 if anything is, else 0."""
    try:
        tables = {kind: read_table(folder / f"{kind}.csv", kind) for kind in KINDS}
    except CatalogueError as error:
        print(error)
        return 1
    print(describe(tables))
    faults = [*find_faults(tables), *_old_vectors(folder, tables)]
    print(
        f"\n{len(faults)} faults"
        if faults
        else "\nNo faults: no duplicates, no gaps, nothing harmful, and every emotion is served."
    )
    print("".join(f"  {fault}\n" for fault in faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
