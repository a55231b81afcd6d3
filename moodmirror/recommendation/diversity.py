"""Diversity of a list: the traits that items share, and an order by maximal marginal relevance (MMR)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item

# What similarity to an item already listed subtracts from the next one's fit. A fifth is enough to separate songs of one
# genre, language and decade when fits lie within a few hundredths, and too little to list what does not fit the mood.
SIMILARITY_COST: Final = 0.2

CREATOR_COLUMNS: Final = ("artist", "director")
_SHARED_COLUMNS: Final = ("language", "genres", "cuisine", "place", "company")

FloatArray = npt.NDArray[np.float32]


class ItemTraits:
    """The traits of a table's items: creator, language, decade, genres, tags, cuisine and others."""

    def __init__(self, items: Sequence[Item]) -> None:
        traits = [item_traits(item) for item in items]
        # Creators are numbered first, so that they are one block of columns of the indicator matrix.
        numbers = {trait: number for number, trait in enumerate(sorted(set().union(*traits), key=_creators_first))}
        self._creator_count = sum(column in CREATOR_COLUMNS for column, _ in numbers)
        self._padding = len(numbers)
        # Trait numbers instead of an indicator matrix: [n, most traits of an item], padded with a number of no trait.
        self._rows = np.full((len(traits), max(map(len, traits))), self._padding, dtype=np.int32)
        for index, own in enumerate(traits):
            self._rows[index, : len(own)] = [numbers[trait] for trait in own]

    @property
    def count(self) -> int:
        """The number of items."""
        return len(self._rows)

    def similarity(self, chosen: npt.NDArray[np.intp]) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Return the pairwise similarity of `chosen` items, and which pairs share a creator.

        `chosen` are indices [m]; both results are [m, m]. Similarity, 0…1, is the cosine of two sets of traits.
        """
        indicators = np.zeros((len(chosen), self._padding + 1), dtype=np.float32)
        indicators[np.arange(len(chosen))[:, np.newaxis], self._rows[chosen]] = 1
        indicators = indicators[:, :-1]
        creators = indicators[:, : self._creator_count]
        same_creator = creators @ creators.T > 0
        indicators /= np.linalg.norm(indicators, axis=1, keepdims=True)
        return indicators @ indicators.T, same_creator


def _creators_first(trait: tuple[str, str]) -> tuple[bool, str, str]:
    return trait[0] not in CREATOR_COLUMNS, *trait


def item_traits(item: Item) -> set[tuple[str, str]]:
    """Return the traits that an item may share with others, as pairs of column and value."""
    traits = {("tag", tag) for tag in item.tags}
    for column in (*CREATOR_COLUMNS, *_SHARED_COLUMNS):
        traits |= {(column, value) for value in item.facts.get(column, "").split("|") if value}
    if item.facts.get("year"):
        traits.add(("decade", item.facts["year"][:3]))
    return traits


def arrange_by_mmr(fits: FloatArray, similarity: FloatArray, same_creator: npt.NDArray[np.bool_], k: int) -> list[int]:
    """Pick `k` of m items one after the other by maximal marginal relevance; fewer if there are fewer.

    `fits` [positions, m] holds how well each item fits each position of the list; the last row holds for all further
    positions. Each position gets the item of greatest fit less :data:`SIMILARITY_COST` times its similarity to the most
    similar item listed before (J. Carbonell and J. Goldstein, SIGIR 1998). No creator is listed twice in a row as long as
    any other item is left. Ties go to the earlier item, so that lists stay stable. Returns indices, [k].
    """
    left = np.ones(fits.shape[1], dtype=bool)
    max_similarity = np.zeros(fits.shape[1], dtype=np.float32)
    order: list[int] = []
    while left.any() and len(order) < k:
        allowed = left & ~same_creator[order[-1]] if order else left
        if not allowed.any():
            allowed = left
        fit = fits[min(len(order), len(fits) - 1)]
        scores = np.where(allowed, (1 - SIMILARITY_COST) * fit - SIMILARITY_COST * max_similarity, -np.inf)
        best = int(scores.argmax())
        order.append(best)
        left[best] = False
        max_similarity = np.maximum(max_similarity, similarity[best])
    return order
