"""Check the catalogue as a whole for duplicates, gaps, imbalance and harmful content that no single row shows.

``python -m moodmirror.recommendation.catalogue_check [FOLDER]`` prints the contents of the tables and
their faults, and exits with status 1 if there are any. Single cells are checked by
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
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation.catalogue import (
    AUDIENCES,
    COMPANY_OPTIONS,
    COSTS,
    DIETS,
    FREE_FROM,
    IMDB_ID,
    KINDS,
    PLACES,
    CatalogueError,
    Item,
    read_table,
)
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.sentence_vectors import CatalogueVectors

Tables = Mapping[str, list[Item]]

MIN_ROWS: Final[Mapping[str, int]] = {"songs": 1000, "movies": 600, "food": 350, "activities": 300}
# Rows in which an emotion is the strongest or the second strongest: for songs, eight lists of ten before they repeat.
MIN_ROWS_PER_EMOTION: Final[Mapping[str, int]] = {"songs": 80, "movies": 50, "food": 30, "activities": 30}
MAX_PER_CREATOR: Final[Mapping[str, int]] = {"artist": 4, "director": 5}
MAX_ENGLISH_SHARE: Final = 0.6  # of songs and of movies, so that other languages are represented
MIN_LANGUAGES: Final = 20
MIN_CUISINES: Final = 40
MIN_PER_DECADE: Final = 20  # from the 1950s on: enough for two pages of a filter by decade
MIN_PER_FILTER_VALUE: Final = 5  # a filter that the page offers must find something
# Titles by the same creator, or of food and activities, with at least this similarity ratio are probably duplicates.
MIN_DUPLICATE_RATIO: Final = 0.88
OPENING_WORDS: Final = 3
MAX_SAME_OPENING: Final = 2  # lines of a table that may begin with the same words

DECADES: Final = tuple(f"{year}s" for year in range(1950, 2030, 10))
MINUTES: Final[Mapping[str, tuple[int, ...]]] = {
    "movies": (30, 60, 90, 120),
    "food": (10, 20, 40, 60),
    "activities": (10, 30, 60, 240),
}
"""Upper ends of the duration bands; the last band is open."""


def find_faults(tables: Tables) -> list[str]:
    """Return the faults of the tables as a whole, one line each."""
    faults = []
    for kind, items in tables.items():
        checks: tuple[Callable[[str, list[Item]], Iterable[str]], ...] = (
            _find_duplicates,
            _find_shared_ids,
            _find_frequent_creators,
            _find_gaps,
            _find_imbalance,
            _find_repeated_lines,
            _find_harmful_items,
        )
        faults += [f"{kind}: {fault}" for check in checks for fault in check(kind, items)]
    return faults


def _fold(text: str) -> str:
    """Return only letters and digits of a text, without case, accents and bracketed parts."""
    plain = re.sub(r"\(.*?\)", "", text) or text
    decomposed = unicodedata.normalize("NFKD", plain.casefold())
    return "".join(letter for letter in decomposed if letter.isalnum())


def _creators(item: Item) -> list[str]:
    return (item.facts.get("artist") or item.facts.get("director") or "").split("|")


def _find_duplicates(kind: str, items: list[Item]) -> Iterable[str]:
    groups: dict[str, list[Item]] = {}
    for item in items:
        for creator in _creators(item):
            groups.setdefault(_fold(creator), []).append(item)
    if kind == "movies":  # also by year, because a director's name may be misspelled
        for item in items:
            groups.setdefault(item.facts["year"], []).append(item)
    reported = set()
    for group in groups.values():
        for one, other in combinations(group, 2):
            titles = _fold(one.title), _fold(other.title)
            if (one.id, other.id) not in reported and _similar_titles(*titles):
                reported.add((one.id, other.id))
                fault = "are duplicates" if titles[0] == titles[1] else "have nearly the same title"
                yield f"{one.id} and {other.id} {fault}: delete one of them"


def _similar_titles(one: str, other: str) -> bool:
    if one == other:
        return True
    # Films of one series may differ only in a number.
    if re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return False
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    # The cheapest upper bound first, because nearly all pairs differ widely.
    ratios = (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio)
    return all(ratio() >= MIN_DUPLICATE_RATIO for ratio in ratios)


def _find_shared_ids(kind: str, items: list[Item]) -> Iterable[str]:
    counts = Counter(imdb_id for item in items if (imdb_id := item.facts.get(IMDB_ID)))
    for imdb_id, count in counts.items():
        if count > 1:
            yield f"{count} rows have the id {imdb_id} of IMDb: only one of them can be right"


def _find_frequent_creators(kind: str, items: list[Item]) -> Iterable[str]:
    for column, maximum in MAX_PER_CREATOR.items():
        names = [name for item in items if column in item.facts for name in item.facts[column].split("|")]
        spelling = {_fold(name): name for name in names}
        for folded, count in Counter(_fold(name) for name in names).items():
            if count > maximum:
                yield f"{count} items of {column} {spelling[folded]}, more than {maximum}"


def _find_harmful_items(kind: str, items: list[Item]) -> Iterable[str]:
    for item in items:
        if risks := find_risks(kind, item.title, item.line):
            yield f"{item.id} may do harm in a low mood ({', '.join(risks)}): delete or reword it"


def _find_gaps(kind: str, items: list[Item]) -> Iterable[str]:
    if len(items) < MIN_ROWS[kind]:
        yield f"only {len(items)} rows, fewer than {MIN_ROWS[kind]}"
    for name, counts in count_filter_values(kind, items).items():
        minimum = MIN_PER_DECADE if name == "decade" else MIN_PER_FILTER_VALUE
        for value, count in counts.items():
            if count < minimum:
                yield f"only {count} items of {name} {value}, fewer than {minimum}"
    if "language" in items[0].facts:
        languages = Counter(item.facts["language"] for item in items)
        if len(languages) < MIN_LANGUAGES:
            yield f"only {len(languages)} languages, fewer than {MIN_LANGUAGES}"
        if languages["en"] > MAX_ENGLISH_SHARE * len(items):
            yield f"{languages['en'] / len(items):.0%} in English, more than {MAX_ENGLISH_SHARE:.0%}"
    if "cuisine" in items[0].facts and (cuisines := len({item.facts["cuisine"] for item in items})) < MIN_CUISINES:
        yield f"only {cuisines} cuisines, fewer than {MIN_CUISINES}"


def _find_imbalance(kind: str, items: list[Item]) -> Iterable[str]:
    for emotion, count in zip(EMOTIONS, items_per_emotion(items), strict=True):
        if count < (minimum := MIN_ROWS_PER_EMOTION[kind]):
            yield f"{emotion} is the strongest or second strongest emotion of only {count} items, fewer than {minimum}"


def _find_repeated_lines(kind: str, items: list[Item]) -> Iterable[str]:
    openings = Counter(" ".join(re.findall(r"[\w'’]+", item.line.casefold())[:OPENING_WORDS]) for item in items)
    for opening, count in openings.items():
        if count > MAX_SAME_OPENING:
            yield f"{count} lines begin with “{opening}”, more than {MAX_SAME_OPENING}"
    for line, count in Counter(item.line for item in items).items():
        if count > 1:
            yield f"{count} rows have the line “{line}”"


def items_per_emotion(items: list[Item]) -> list[int]:
    """Return for each emotion, in their order, in how many items it is the strongest or the second strongest."""
    first_two = np.argsort([-item.vector for item in items], axis=1, kind="stable")[:, :2]
    return [int((first_two == index).sum()) for index in range(len(EMOTIONS))]


def count_filter_values(kind: str, items: list[Item]) -> dict[str, dict[str, int]]:
    """Count a kind's items by decade, duration band, audience, diet, place, company and cost, as far as it has them."""
    facts = [item.facts for item in items]
    counts: dict[str, dict[str, int]] = {}
    if "year" in facts[0]:
        decades = Counter(f"{fact['year'][:3]}0s" for fact in facts)
        counts["decade"] = {decade: decades[decade] for decade in DECADES}
    if "minutes" in facts[0]:
        counts["minutes"] = _count_bands([int(fact["minutes"]) for fact in facts], MINUTES[kind])
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


def _count_bands(minutes: list[int], ends: tuple[int, ...]) -> dict[str, int]:
    start, counts = 1, {}
    for end in ends:
        counts[f"{start}–{end}"] = sum(start <= number <= end for number in minutes)
        start = end + 1
    counts[f"{start}+"] = sum(number >= start for number in minutes)
    return counts


def describe(tables: Tables) -> str:
    """Return a text table of what the tables contain."""
    lines = [
        f"{'':<28}" + "".join(f"{kind:>12}" for kind in tables),
        _row("rows", [len(items) for items in tables.values()]),
    ]
    lines += ["", "strongest or second strongest emotion"]
    for emotion, *numbers in zip(EMOTIONS, *map(items_per_emotion, tables.values()), strict=True):
        lines.append(_row(f"  {emotion}", numbers))
    lines.append(_row("  (at least)", [MIN_ROWS_PER_EMOTION[kind] for kind in tables]))
    for kind, items in tables.items():
        lines += ["", kind]
        if "language" in items[0].facts:
            languages = Counter(item.facts["language"] for item in items)
            creators = len({_fold(creator) for item in items for creator in _creators(item)})
            non_english = 1 - languages["en"] / len(items)
            lines.append(f"  {len(languages)} languages, {non_english:.0%} not in English; {creators} artists or directors")
        if "cuisine" in items[0].facts:
            lines.append(f"  {len({item.facts['cuisine'] for item in items})} cuisines")
        for name, counts in count_filter_values(kind, items).items():
            lines.append(f"  {name:<10}" + "   ".join(f"{value} {count}" for value, count in counts.items()))
    return "\n".join(lines)


def _row(name: str, numbers: Iterable[int]) -> str:
    return f"{name:<28}" + "".join(f"{number:>12,}" for number in numbers)


def _find_vector_faults(folder: Path, tables: Tables) -> Iterable[str]:
    try:
        fault = CatalogueVectors.load(folder).find_fault(tables)
    except CatalogueError as error:
        fault = str(error)
    if fault:
        yield fault


def main(folder: Path = DATA_DIR) -> int:
    """Print the contents and the faults of a folder's tables; returns the exit status, 1 if there are faults."""
    try:
        tables = {kind: read_table(folder / f"{kind}.csv", kind) for kind in KINDS}
    except CatalogueError as error:
        print(error)
        return 1
    print(describe(tables))
    faults = [*find_faults(tables), *_find_vector_faults(folder, tables)]
    print(
        f"\n{len(faults)} faults. Correct the tables, then run this check again:"
        if faults
        else "\nNo faults: no duplicates, no gaps, no harmful items, and enough items for every emotion."
    )
    print("".join(f"  {fault}\n" for fault in faults), end="")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
