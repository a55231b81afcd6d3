"""Filters for each kind of item, such as a genre, a decade or a maximal duration."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from moodmirror.recommendation.catalogue import AUDIENCES, COMPANY_OPTIONS, COSTS, DIETS, FREE_FROM, KINDS, PLACES, Item

FILTERS: Final[Mapping[str, str]] = {
    "genre": "a genre, such as jazz or comedy",
    "decade": "the decade of its first release, such as 1990",
    "language": "an ISO 639 code, such as fr; zxx: instrumental",
    "minutes": "the longest duration in minutes",
    "audience": f"suitable for: {', '.join(AUDIENCES)}",
    "diet": f"any of {', '.join((*DIETS, *FREE_FROM))}, separated by |",
    "cost": f"at most: {', '.join(COSTS)}",
    "place": " or ".join(PLACES),
    "company": " or ".join(COMPANY_OPTIONS),
}
"""The filters by name, and the value that each takes."""

FILTERS_BY_KIND: Final[Mapping[str, tuple[str, ...]]] = {
    "songs": ("genre", "decade", "language"),
    "movies": ("genre", "decade", "language", "minutes", "audience"),
    "food": ("minutes", "diet"),
    "activities": ("minutes", "cost", "place", "company"),
}
"""The filters that each kind has."""

Filters = Mapping[str, str | int]
"""Values by the names in :data:`FILTERS`."""

Predicate = Callable[[Item], bool]


def make_predicates(kind: str, filters: Filters) -> list[Predicate]:
    """Return the predicates that an item must satisfy.

    Raises ValueError for a filter that the kind does not have, or an invalid value.
    """
    for name in filters:
        if name not in FILTERS_BY_KIND[kind]:
            raise ValueError(f"{kind} can't be filtered by {name!r}: use {', '.join(FILTERS_BY_KIND[kind])}")
    return [_FACTORIES[name](str(value)) for name, value in filters.items()]


def split_by_kind(kinds: tuple[str, ...], filters: Filters) -> dict[str, Filters]:
    """Return for each kind the filters that it has: "vegan, at most 30 minutes" does not filter songs.

    Raises ValueError for a filter that none of the kinds has.
    """
    known = {name for kind in kinds for name in FILTERS_BY_KIND[kind]}
    for name in filters:
        if name not in known:
            what = "anything" if kinds == KINDS else " or ".join(kinds)
            raise ValueError(f"{name!r} does not filter {what}: use {', '.join(n for n in FILTERS if n in known)}")
    return {kind: {name: value for name, value in filters.items() if name in FILTERS_BY_KIND[kind]} for kind in kinds}


def _genre(value: str) -> Predicate:
    return lambda item: value in item.facts["genres"].split("|")


def _decade(value: str) -> Predicate:
    if not re.fullmatch(r"\d{3}0s?", value):
        raise ValueError(f"decade must be a year that ends in 0, such as 1990, not {value!r}")
    return lambda item: item.facts["year"][:3] == value[:3]


def _language(value: str) -> Predicate:
    if not re.fullmatch(r"[a-z]{2,3}", value):
        raise ValueError(f"language must be an ISO 639 code, such as fr, not {value!r}")
    return lambda item: item.facts["language"] == value


def _max_minutes(value: str) -> Predicate:
    if not (value.isascii() and value.isdigit() and int(value) > 0):
        raise ValueError(f"minutes must be a whole number above 0, not {value!r}")
    limit = int(value)
    return lambda item: item.facts["minutes"] != "" and int(item.facts["minutes"]) <= limit


def _at_most(column: str, ascending: tuple[str, ...]) -> Callable[[str], Predicate]:
    def make(value: str) -> Predicate:
        _check_choice(column, value, ascending)
        allowed = ascending[: ascending.index(value) + 1]
        return lambda item: item.facts[column] in allowed

    return make


def _diet(value: str) -> Predicate:
    required = value.split("|")
    for label in required:
        _check_choice("diet", label, (*DIETS, *FREE_FROM))

    def passes(item: Item) -> bool:
        labels = item.facts["diet"].split("|")
        if labels == [""]:  # an imported dish with unknown diet must not be shown to somebody with an allergy
            return False
        # Each diet includes the stricter ones: pescatarians also eat vegan dishes, not the other way round.
        suits = DIETS[next(rank for rank, diet in enumerate(DIETS) if diet in labels) :]
        return all(label in labels or label in suits for label in required)

    return passes


def _includes(column: str, choices: tuple[str, ...]) -> Callable[[str], Predicate]:
    def make(value: str) -> Predicate:
        _check_choice(column, value, choices)
        return lambda item: value in item.facts[column].split("|")

    return make


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


_FACTORIES: Final[Mapping[str, Callable[[str], Predicate]]] = {
    "genre": _genre,
    "decade": _decade,
    "language": _language,
    "minutes": _max_minutes,
    "audience": _at_most("audience", AUDIENCES),
    "diet": _diet,
    "cost": _at_most("cost", COSTS),
    "place": _includes("place", PLACES),
    "company": _includes("company", COMPANY_OPTIONS),
}
