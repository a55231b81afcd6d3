"""Lists that are not ten times the same: what items have in common, and an order that takes it into account."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item

# What likeness to an item already listed takes from the next one's fit. A fifth: enough to part songs of one genre,
# language and decade when fits lie within a few hundredths, too little to offer what does not fit the mood.
LIKENESS_COST: Final = 0.2

MAKERS: Final = ("artist", "director")
_SHARED_COLUMNS: Final = ("language", "genres", "cuisine", "place", "company")

Shares = npt.NDArray[np.float32]


class Traits:
    """What the items of a table share: maker, language, decade, genres, tags, cuisine and the like."""

    def __init__(self, items: Sequence[Item]) -> None:
        traits = [traits_of(item) for item in items]
        # Makers are numbered first, so that their part of a table of marks is one block.
        numbers = {trait: number for number, trait in enumerate(sorted(set().union(*traits), key=_makers_first))}
        self._makers = sum(column in MAKERS for column, _ in numbers)
        self._count = len(numbers)
        # Numbers instead of a table of zeros and ones: [n, most traits of an item], filled up with a number too many.
        self._rows = np.full((len(traits), max(map(len, traits))), self._count, dtype=np.int32)
        for index, own in enumerate(traits):
            self._rows[index, : len(own)] = [numbers[trait] for trait in own]

    @property
    def count(self) -> int:
        """How many items there are."""
        return len(self._rows)

    def likeness(self, chosen: npt.NDArray[np.intp]) -> tuple[Shares, npt.NDArray[np.bool_]]:
        """For `chosen` items, indices [m]: how alike each two are, 0…1, [m, m]; and whether one maker made both, [m, m].

        Likeness is the cosine similarity of the sets of traits.
        """
        marks = np.zeros((len(chosen), self._count + 1), dtype=np.float32)
        marks[np.arange(len(chosen))[:, np.newaxis], self._rows[chosen]] = 1
        marks = marks[:, :-1]
        makers = marks[:, : self._makers]
        same_maker = makers @ makers.T > 0
        marks /= np.linalg.norm(marks, axis=1, keepdims=True)
        return marks @ marks.T, same_maker


def _makers_first(trait: tuple[str, str]) -> tuple[bool, str, str]:
    return trait[0] not in MAKERS, *trait


def traits_of(item: Item) -> set[tuple[str, str]]:
    """What an item may share with others, as pairs of column and value."""
    traits = {("tag", tag) for tag in item.tags}
    for column in (*MAKERS, *_SHARED_COLUMNS):
        traits |= {(column, value) for value in item.facts.get(column, "").split("|") if value}
    if item.facts.get("year"):
        traits.add(("decade", item.facts["year"][:3]))
    return traits


def arrange(fits: Shares, alike: Shares, same_maker: npt.NDArray[np.bool_], k: int) -> list[int]:
    """Pick `k` of m items, one after the other, as indices; fewer if there are fewer.

    `fits` [steps, m] says how well each fits each place of the list; the last row holds for all further places. Each
    place goes to the item of maximal marginal relevance (J. Carbonell and J. Goldstein, SIGIR 1998): its fit less
    :data:`LIKENESS_COST` of its likeness to the nearest item listed before. No maker stands twice in a row as long as
    anything else is left. The earlier of equals wins, so that lists do not jump.
    """
    left = np.ones(fits.shape[1], dtype=bool)
    nearest = np.zeros(fits.shape[1], dtype=np.float32)
    order: list[int] = []
    while left.any() and len(order) < k:
        allowed = left & ~same_maker[order[-1]] if order else left
        if not allowed.any():
            allowed = left
        fit = fits[min(len(order), len(fits) - 1)]
        worth = np.where(allowed, (1 - LIKENESS_COST) * fit - LIKENESS_COST * nearest, -np.inf)
        best = int(worth.argmax())
        order.append(best)
        left[best] = False
        nearest = np.maximum(nearest, alike[best])
    return order
