"""What people may narrow a list by: each kind of thing knows its own filters."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from moodmirror.recommendation.catalogue import AUDIENCES, COMPANY_OPTIONS, COSTS, DIETS, FREE_FROM, KINDS, PLACES, Item

FILTERS: Final[Mapping[str, str]] = {
    "genre": "a genre, as jazz or comedy",
    "decade": "the decade it first came out in, as 1990",
    "language": "its ISO 639 code, as fr; zxx: instrumental",
    "minutes": "at most so many",
    "audience": f"fit for: {', '.join(AUDIENCES)}",
    "diet": f"any of {', '.join((*DIETS, *FREE_FROM))}, parted by |",
    "cost": f"at most: {', '.join(COSTS)}",
    "place": " or ".join(PLACES),
    "company": " or ".join(COMPANY_OPTIONS),
}
"""The filters by name, and what each asks for."""

FILTERS_BY_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "songs": ("genre", "decade", "language"),
    "movies": ("genre", "decade", "language", "minutes", "audience"),
    "food": ("minutes", "diet"),
    "activities": ("minutes", "cost", "place", "company"),
}
"""The filters that each kind knows."""

Filters = Mapping[str, str | int]
"""Values by the names in :data:`FILTERS`."""

Test = Callable[[Item], bool]


def make_tests(kind: str, filters: Filters) -> list[Test]:
    """What an item of a kind must pass. Raises ValueError for a filter that the kind does not know, or a wrong value."""
    for name in filters:
        if name not in FILTERS_BY_KIND[kind]:
            raise ValueError(f"{kind} can't be filtered by {name!r}: use {', '.join(FILTERS_BY_KIND[kind])}")
    return [_MAKERS[name](str(value)) for name, value in filters.items()]


def filters_by_kind(kinds: tuple[str, ...], filters: Filters) -> dict[str, Filters]:
    """For each of some kinds those filters that it knows: "vegan, at most 30 minutes" leaves songs as they are.

    Raises ValueError for a filter that none of the kinds knows.
    """
    known = {name for kind in kinds for name in FILTERS_BY_KIND[kind]}
    for name in filters:
        if name not in known:
            what = "anything" if kinds == KINDS else " or ".join(kinds)
            raise ValueError(f"{name!r} does not filter {what}: use {', '.join(n for n in FILTERS if n in known)}")
    return {kind: {name: value for name, value in filters.items() if name in FILTERS_BY_KIND[kind]} for kind in kinds}


def _genre(value: str) -> Test:
    return lambda item: value in item.facts["genres"].split("|")


def _decade(value: str) -> Test:
    if not re.fullmatch(r"\d{3}0s?", value):
        raise ValueError(f"decade must be a year that ends in 0, as 1990, not {value!r}")
    return lambda item: item.facts["year"][:3] == value[:3]


def _language(value: str) -> Test:
    if not re.fullmatch(r"[a-z]{2,3}", value):
        raise ValueError(f"language must be an ISO 639 code, as fr, not {value!r}")
    return lambda item: item.facts["language"] == value


def _minutes(value: str) -> Test:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ValueError(f"minutes must be a whole number above 0, not {value!r}")
    most = int(value)
    return lambda item: item.facts["minutes"] != "" and int(item.facts["minutes"]) <= most


def _at_most(column: str, rising: tuple[str, ...]) -> Callable[[str], Test]:
    def make(value: str) -> Test:
        _require(column, value, rising)
        allowed = rising[: rising.index(value) + 1]
        return lambda item: item.facts[column] in allowed

    return make


def _diet(value: str) -> Test:
    wanted = value.split("|")
    for label in wanted:
        _require("diet", label, (*DIETS, *FREE_FROM))

    def passes(item: Item) -> bool:
        labels = item.facts["diet"].split("|")
        if labels == [""]:  # an imported dish of which nothing is known: whoever has an allergy must not get it
            return False
        # Whoever eats fish also eats what vegans do, never the other way round.
        eaten_by = DIETS[next(rank for rank, eater in enumerate(DIETS) if eater in labels) :]
        return all(label in labels or label in eaten_by for label in wanted)

    return passes


def _includes(column: str, choices: tuple[str, ...]) -> Callable[[str], Test]:
    def make(value: str) -> Test:
        _require(column, value, choices)
        return lambda item: value in item.facts[column].split("|")

    return make


def _require(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


_MAKERS: Final[Mapping[str, Callable[[str], Test]]] = {
    "genre": _genre,
    "decade": _decade,
    "language": _language,
    "minutes": _minutes,
    "audience": _at_most("audience", AUDIENCES),
    "diet": _diet,
    "cost": _at_most("cost", COSTS),
    "place": _includes("place", PLACES),
    "company": _includes("company", COMPANY_OPTIONS),
}
