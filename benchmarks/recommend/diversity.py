"""Diversity of lists: similarity of their items, coverage of the catalogue, and what that costs in match."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.recommend.report import Finding, print_row
from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, Item, read_table
from moodmirror.recommendation.diversity import ItemTraits
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.top_k import top_k_indices

K: Final = 10
RANDOM_MOODS: Final = 200  # beside the seven emotions

Lister = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.intp]]
"""Maps a mood to the indices of the items of a list."""


def _moods() -> Iterator[npt.NDArray[np.float32]]:
    for emotion in EMOTIONS:
        yield mood_vector({emotion: 1})
    yield from np.random.default_rng(0).dirichlet(np.full(len(EMOTIONS), 0.5), RANDOM_MOODS).astype(np.float32)


@dataclass(frozen=True)
class Table:
    """One kind's items, to evaluate lists of them: their mood directions, float32 [n, 7], and their traits."""

    items: list[Item]
    directions: npt.NDArray[np.float32]
    traits: ItemTraits

    @classmethod
    def read(cls, kind: str) -> "Table":
        """Read the shipped table."""
        items = read_table(DATA_DIR / f"{kind}.csv", kind)
        return cls(items, np.stack([item.vector / np.linalg.norm(item.vector) for item in items]), ItemTraits(items))

    def fits(self, mood: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return each item's cosine similarity to a mood."""
        return np.asarray(self.directions @ (mood / np.linalg.norm(mood)), dtype=np.float32)

    def recommended(self, recommender: Recommender, kind: str, mode: str) -> Lister:
        """Return a lister by the recommender."""
        index_of = {item.id: index for index, item in enumerate(self.items)}
        towards = "happy" if mode == "journey" else None
        return lambda mood: np.array(
            [index_of[row.item.id] for row in recommender.recommend(mood, kind, K, mode, towards=towards)], dtype=np.intp
        )

    def nearest(self, mood: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """Return the K items nearest to a mood."""
        return top_k_indices(self.fits(mood), K)

    def random(self) -> Lister:
        """Return a lister of random items."""
        generator = np.random.default_rng(0)
        return lambda mood: generator.choice(len(self.items), K, replace=False)

    def evaluate(self, name: str, lister: Lister) -> tuple[float, float, float]:
        """Print and return the mean match, the mean similarity and the coverage of the lists for all moods."""
        matches, similarities = [], []
        listed: set[int] = set()
        for mood in _moods():
            chosen = lister(mood)
            matches.append(float(self.fits(mood)[chosen].mean()))
            pairwise, _ = self.traits.similarity(chosen)
            similarities.append(float(pairwise[np.triu_indices(len(chosen), 1)].mean()))
            listed |= set(chosen.tolist())
        match, similarity, coverage = float(np.mean(matches)), float(np.mean(similarities)), len(listed) / len(self.items)
        print_row(name, match, similarity, f"{coverage:.1%}")
        return match, similarity, coverage


def measure_diversity() -> list[Finding]:
    """Measure match, similarity and coverage of the recommended, the nearest and random items."""
    recommender = Recommender.open()
    print(f"\nLists of {K} for {len(EMOTIONS)} emotions and {RANDOM_MOODS} random moods, the shipped catalogue")
    print_row("", "match", "similarity", "coverage")
    findings = []
    for kind in KINDS:
        table = Table.read(kind)
        ours, *_ = [table.evaluate(f"{kind}, {mode}", table.recommended(recommender, kind, mode)) for mode in MODES]
        nearest = table.evaluate(f"{kind}, the {K} nearest", table.nearest)
        table.evaluate(f"{kind}, any {K}", table.random())
        findings.append(
            Finding(
                f"{kind}: similarity in a list (match; coverage)",
                f"{nearest[1]:.3f} ({nearest[0]:.3f}; {nearest[2]:.0%}) for the nearest",
                f"{ours[1]:.3f} ({ours[0]:.3f}; {ours[2]:.0%})",
            )
        )
    print(
        "  match: mean cosine similarity of an item's mood to the given one (lift and journey aim elsewhere on purpose);\n"
        "  similarity: mean cosine similarity of two items' traits; coverage: share of the table that is in any list"
    )
    return findings
