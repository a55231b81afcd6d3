"""What people like together: an item's neighbours are those that the same people like.

Neighbours are found by the cosine similarity of two items' sets of people (G. Linden, B. Smith and J. York, "Amazon.com
recommendations: item-to-item collaborative filtering", IEEE Internet Computing 7, 2003), shrunk where few like both (R. Bell
and Y. Koren, "Scalable collaborative filtering with jointly derived neighborhood interpolation weights", ICDM 2007).

Only counts are known here, and only counts of several people: what fewer than :data:`LEAST_PEOPLE` like, alone or with
another item, is left out before anything is kept or used (L. Sweeney's k-anonymity, 2002). So no list can tell what one
person likes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy import sparse

from moodmirror.recommendation.catalogue import CatalogueError

LEAST_PEOPLE: Final = 5
# So many likes of a person count, the newest: who likes everything says little, and nobody shall weigh more than a crowd.
MOST_LIKES: Final = 200
SHRINKAGE: Final = 5.0  # people: as if so many more liked either item and not the other
# After so many newer opinions a like counts half: what one likes now says most of what one likes next. Chosen on MovieLens,
# as the benchmark tells, where people rate film after film.
OPINIONS_HALF_LIFE: Final = 3.0
LIKES: Final = "{kind}_likes.npz"  # in the folder of imported tables

Numbers = npt.NDArray[np.int64]


def _no_numbers() -> Numbers:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Counts:
    """How many people like each of some `items`, by id, and how many like two of them both.

    `likes` are int64 [n] as the items; `pairs` int64 [m, 2] are places of two items, the lower first, and `both` int64 [m]
    how many like them. None is below :data:`LEAST_PEOPLE`.
    """

    items: tuple[str, ...] = ()
    likes: Numbers = field(default_factory=_no_numbers)
    pairs: Numbers = field(default_factory=lambda: _no_numbers().reshape(0, 2))
    both: Numbers = field(default_factory=_no_numbers)

    @classmethod
    def of(cls, people: Sequence[Any] | npt.NDArray[Any], items: Sequence[str] | npt.NDArray[Any]) -> Self:
        """Count likes: `people` [n], by anything that tells them apart, like `items` [n], by id, oldest like first."""
        if not len(people):
            return cls()
        _, rows = np.unique(np.asarray(people), return_inverse=True)
        names, columns = np.unique(np.asarray(items, dtype=np.str_), return_inverse=True)
        order = np.argsort(rows, kind="stable")
        newer = np.searchsorted(rows[order], rows[order], side="right") - np.arange(len(rows))  # the newest is 1
        kept = order[newer <= MOST_LIKES]
        marks = sparse.csr_matrix((np.ones(len(kept)), (rows[kept], columns[kept])), (rows.max() + 1, len(names)))
        marks.data[:] = 1  # who likes an item twice is one person
        likes = np.asarray(marks.sum(axis=0)).ravel()
        known = np.flatnonzero(likes >= LEAST_PEOPLE)
        marks = marks[:, known]
        together = sparse.triu(marks.T @ marks, k=1).tocoo()
        many = together.data >= LEAST_PEOPLE
        return cls(
            items=tuple(names[known].tolist()),
            likes=likes[known].astype(np.int64),
            pairs=np.stack([together.row[many], together.col[many]], axis=1).astype(np.int64),
            both=together.data[many].astype(np.int64),
        )

    @classmethod
    def load(cls, folder: Path, kind: str) -> Self:
        """Read what was kept for a kind in a folder; nothing where nothing was. Raises CatalogueError if it is damaged."""
        path = folder / LIKES.format(kind=kind)
        if not path.exists():
            return cls()
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                items = tuple(map(str, stored["items"]))
                counts = cls(items, *(stored[name].astype(np.int64) for name in ("likes", "pairs", "both")))
            fitting = len(counts.likes) == len(items) and counts.pairs.shape == (len(counts.both), 2)
            if not fitting or not np.isin(counts.pairs, np.arange(len(items))).all():
                raise ValueError("its parts do not fit each other")
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CatalogueError(f"{path} can't be read: {error}. Import the ratings anew, or delete it.") from None
        return counts

    def save(self, folder: Path, kind: str) -> None:
        """Keep the counts of a kind in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / LIKES.format(kind=kind)
        temporary = path.with_suffix(".part.npz")
        np.savez_compressed(temporary, items=np.array(self.items), likes=self.likes, pairs=self.pairs, both=self.both)
        temporary.replace(path)


class Neighbours:
    """How alike the items of a table are by who likes both, and what opinions on some of them say of all."""

    def __init__(self, index_of: Mapping[str, int], counts: Iterable[Counts] = ()) -> None:
        """`index_of` has the items' places by id; `counts` of several crowds are added up, unknown items passed over."""
        size = len(index_of)
        likes = np.zeros(size)
        ends, both = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for crowd in counts:
            places = np.array([index_of.get(item, -1) for item in crowd.items], dtype=np.int64)
            known = places >= 0
            likes[places[known]] += crowd.likes[known]
            pairs = places[crowd.pairs]
            inside = (pairs >= 0).all(axis=1)
            ends.append(pairs[inside])
            both.append(crowd.both[inside])
        one, other = np.concatenate(ends).T
        summed = sparse.csr_matrix((np.concatenate(both), (one, other)), (size, size)).tocoo()  # of a pair in both crowds
        cosines = summed.data / (np.sqrt(likes[summed.row] * likes[summed.col]) + SHRINKAGE)
        half = sparse.csr_matrix((cosines.astype(np.float32), (summed.row, summed.col)), (size, size))
        self._alike = sparse.csr_matrix(half + half.T)

    def __bool__(self) -> bool:
        """Whether any two items are known to be liked together."""
        return bool(self._alike.nnz > 0)

    def worth(self, judged: npt.NDArray[np.intp], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What `values` [m] of the items `judged` [m], by index and oldest first, make likely of each item, float32 [n].

        The greatest is below 1, and nearer to it the more was judged; nothing is known of an item at 0.
        """
        fading = values * 0.5 ** (np.arange(len(judged))[::-1] / OPINIONS_HALF_LIFE)
        worth: npt.NDArray[np.float32] = np.asarray(fading.astype(np.float32) @ self._alike[judged], dtype=np.float32)
        greatest, weight = float(np.abs(worth).max(initial=0)), float(np.abs(fading).sum())
        return worth * np.float32(weight / (weight + 1) / greatest) if greatest > 0 else worth

    def nearest(self, item: int, others: Sequence[int]) -> int | None:
        """Of some `others` the one most liked by those who like an item, by index; None if none is by enough people."""
        row = slice(*self._alike.indptr[item : item + 2])
        alike = dict(zip(self._alike.indices[row].tolist(), self._alike.data[row].tolist(), strict=True))
        return max((other for other in others if other in alike), key=lambda other: alike[other], default=None)
