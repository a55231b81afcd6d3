"""Item-item similarity: which items the same people like.

Similarity is the cosine of two items' sets of people (G. Linden, B. Smith and J. York, "Amazon.com recommendations:
item-to-item collaborative filtering", IEEE Internet Computing 7, 2003), shrunk where few people like both (R. Bell and
Y. Koren, "Scalable collaborative filtering with jointly derived neighborhood interpolation weights", ICDM 2007).

Only counts are used, and only counts of several people: what fewer than :data:`MIN_PEOPLE` people like, alone or together
with another item, is dropped before anything is stored or used (L. Sweeney's k-anonymity, 2002). So no recommendation
reveals what one person likes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from scipy import sparse

from moodmirror.recommendation.catalogue import CatalogueError

MIN_PEOPLE: Final = 5
# A person's newest likes that count: likes of someone who likes everything carry little information, and no single person
# may outweigh many others.
MAX_LIKES_PER_PERSON: Final = 200
SHRINKAGE: Final = 5.0  # people: as if this many more liked either item but not the other
# A like weighs half after this many newer opinions: recent likes predict the next one best. Chosen on MovieLens (see the
# benchmark), where people rate film after film.
OPINIONS_HALF_LIFE: Final = 3.0
COUNTS_FILE: Final = "{kind}_likes.npz"  # in the folder of imported tables

IntArray = npt.NDArray[np.int64]


def _no_numbers() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class CoLikeCounts:
    """How many people like each item, and how many like both items of a pair.

    `like_counts`, int64 [n], belong to `items` (ids). `pairs`, int64 [m, 2], are indices of two items, the lower first, and
    `pair_counts`, int64 [m], how many people like both. No count is below :data:`MIN_PEOPLE`.
    """

    items: tuple[str, ...] = ()
    like_counts: IntArray = field(default_factory=_no_numbers)
    pairs: IntArray = field(default_factory=lambda: _no_numbers().reshape(0, 2))
    pair_counts: IntArray = field(default_factory=_no_numbers)

    @classmethod
    def from_likes(cls, people: Sequence[Any] | npt.NDArray[Any], items: Sequence[str] | npt.NDArray[Any]) -> Self:
        """Count likes: `people` [n], by any distinct value, like `items` [n], by id, oldest like first."""
        if not len(people):
            return cls()
        _, rows = np.unique(np.asarray(people), return_inverse=True)
        names, columns = np.unique(np.asarray(items, dtype=np.str_), return_inverse=True)
        order = np.argsort(rows, kind="stable")
        recency = np.searchsorted(rows[order], rows[order], side="right") - np.arange(len(rows))  # 1 for the newest
        kept = order[recency <= MAX_LIKES_PER_PERSON]
        likes = sparse.csr_matrix((np.ones(len(kept)), (rows[kept], columns[kept])), (rows.max() + 1, len(names)))
        likes.data[:] = 1  # a person who likes an item twice counts once
        like_counts = np.asarray(likes.sum(axis=0)).ravel()
        known = np.flatnonzero(like_counts >= MIN_PEOPLE)
        likes = likes[:, known]
        together = sparse.triu(likes.T @ likes, k=1).tocoo()
        enough = together.data >= MIN_PEOPLE
        return cls(
            items=tuple(names[known].tolist()),
            like_counts=like_counts[known].astype(np.int64),
            pairs=np.stack([together.row[enough], together.col[enough]], axis=1).astype(np.int64),
            pair_counts=together.data[enough].astype(np.int64),
        )

    def renamed(self, ids: Mapping[str, str]) -> Self:
        """Return the counts with the ids that are keys of `ids` replaced by its values."""
        return replace(self, items=tuple(ids.get(item, item) for item in self.items))

    @classmethod
    def load(cls, folder: Path, kind: str) -> Self:
        """Read the stored counts of a kind, empty if there are none. Raises CatalogueError if the file is damaged."""
        path = folder / COUNTS_FILE.format(kind=kind)
        if not path.exists():
            return cls()
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                items = tuple(map(str, stored["items"]))
                counts = cls(items, *(stored[name].astype(np.int64) for name in ("likes", "pairs", "both")))
            consistent = len(counts.like_counts) == len(items) and counts.pairs.shape == (len(counts.pair_counts), 2)
            if not consistent or not np.isin(counts.pairs, np.arange(len(items))).all():
                raise ValueError("its arrays are inconsistent")
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise CatalogueError(f"{path} can't be read: {error}. Import the ratings again, or delete the file.") from None
        return counts

    def save(self, folder: Path, kind: str) -> None:
        """Write the counts of a kind to a folder, atomically."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / COUNTS_FILE.format(kind=kind)
        temporary = path.with_suffix(".part.npz")
        np.savez_compressed(
            temporary, items=np.array(self.items), likes=self.like_counts, pairs=self.pairs, both=self.pair_counts
        )
        temporary.replace(path)


class ItemSimilarity:
    """Item-item similarity of a table, from one or more sets of counts."""

    def __init__(self, index_of: Mapping[str, int], counts: Iterable[CoLikeCounts] = ()) -> None:
        """Add up `counts` and compute the similarities.

        `index_of` maps item ids to indices; items that it does not contain are ignored.
        """
        size = len(index_of)
        like_counts = np.zeros(size)
        pairs, pair_counts = [np.zeros((0, 2), dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for source in counts:
            indices = np.array([index_of.get(item, -1) for item in source.items], dtype=np.int64)
            known = indices >= 0
            np.add.at(like_counts, indices[known], source.like_counts[known])  # several ids may be of one item
            source_pairs = np.sort(indices[source.pairs], axis=1)
            inside = (source_pairs[:, 0] >= 0) & (source_pairs[:, 0] < source_pairs[:, 1])
            pairs.append(source_pairs[inside])
            pair_counts.append(source.pair_counts[inside])
        one, other = np.concatenate(pairs).T
        # Building the sparse matrix adds up pairs that several sources contain.
        total = sparse.csr_matrix((np.concatenate(pair_counts), (one, other)), (size, size)).tocoo()
        cosines = total.data / (np.sqrt(like_counts[total.row] * like_counts[total.col]) + SHRINKAGE)
        half = sparse.csr_matrix((cosines.astype(np.float32), (total.row, total.col)), (size, size))
        self._similarity = sparse.csr_matrix(half + half.T)

    def __bool__(self) -> bool:
        """Return whether any two items are liked together by enough people."""
        return bool(self._similarity.nnz > 0)

    def predict(self, judged: npt.NDArray[np.intp], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Predict the preference for each item, float32 [n] in −1…1, from a person's opinions.

        `values` [m] belong to the items `judged` [m], by index, oldest opinion first. The largest magnitude is below 1, and
        closer to it the more opinions there are; 0 means that nothing is known of an item.
        """
        weights = values * 0.5 ** (np.arange(len(judged))[::-1] / OPINIONS_HALF_LIFE)
        scores: npt.NDArray[np.float32] = np.asarray(weights.astype(np.float32) @ self._similarity[judged], dtype=np.float32)
        greatest, weight = float(np.abs(scores).max(initial=0)), float(np.abs(weights).sum())
        return scores * np.float32(weight / (weight + 1) / greatest) if greatest > 0 else scores

    def most_similar(self, item: int, others: Sequence[int]) -> int | None:
        """Return the one of `others` that is most similar to an item, by index; None if none is similar."""
        row = slice(*self._similarity.indptr[item : item + 2])
        similarity = dict(zip(self._similarity.indices[row].tolist(), self._similarity.data[row].tolist(), strict=True))
        return max((other for other in others if other in similarity), key=lambda other: similarity[other], default=None)
