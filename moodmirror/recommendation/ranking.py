"""Rank the catalogue for a mood."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, Item, read_table


@dataclass(frozen=True)
class Recommendation:
    """An item with its `score`, the cosine similarity of its mood to the person's (0…1), and `why` it is offered."""

    item: Item
    score: float
    why: str


class Recommender:
    """Ranks the items of the four tables by the cosine similarity of their mood vectors to a mood."""

    def __init__(self, tables: Mapping[str, list[Item]]) -> None:
        self._tables = tables
        self._directions = {kind: _unit(np.stack([item.vector for item in items])) for kind, items in tables.items()}

    @classmethod
    def open(cls, catalogue_dir: Path | None = None) -> Self:
        """Read the four tables, the shipped ones by default. Raises CatalogueError naming every bad cell."""
        folder = catalogue_dir or CATALOGUE_DIR
        return cls({kind: read_table(folder / f"{kind}.csv", kind) for kind in KINDS})

    def recommend(self, vector: npt.ArrayLike, kind: str, k: int = 10, mode: str = "match") -> list[Recommendation]:
        """The `k` best items of a kind for a mood vector, [7], best first; fewer if the table is shorter.

        `mode` ``match`` ranks for the mood as it is. Raises ValueError for an unknown kind or mode, a k below 1, or a
        vector that is not seven finite non-negative numbers, some of them above 0.
        """
        if kind not in self._tables:
            raise ValueError(f"unknown kind {kind!r}: use one of {', '.join(KINDS)}")
        if mode != "match":
            raise ValueError(f"unknown mode {mode!r}: use match")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        mood = np.asarray(vector, dtype=np.float32)
        if mood.shape != (len(EMOTIONS),) or not np.isfinite(mood).all() or mood.min() < 0 or mood.max() <= 0:
            raise ValueError(f"a mood must be {len(EMOTIONS)} non-negative numbers with some above 0")
        scores = self._directions[kind] @ _unit(mood)
        # Stable, so that items of equal score keep the table's order and lists do not jump.
        best = np.argsort(-scores, kind="stable")[:k]
        items = self._tables[kind]
        return [Recommendation(items[index], min(float(scores[index]), 1.0), items[index].line) for index in best]


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    directions: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return directions
