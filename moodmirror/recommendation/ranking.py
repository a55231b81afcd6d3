"""Score and select the items of one table: fit to the mood, and taste, freshness, text query and popularity beside it."""

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import MoodVector
from moodmirror.recommendation import ranking_modes
from moodmirror.recommendation.catalogue import RISKS_COLUMN, Item
from moodmirror.recommendation.comforting_items import connects, is_comforting
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.diversity import ItemTraits
from moodmirror.recommendation.explanations import explain_co_likes, explain_same_creator, explain_shared_trait
from moodmirror.recommendation.item_item import CoLikeCounts, ItemSimilarity
from moodmirror.recommendation.item_moods import circumplex_position
from moodmirror.recommendation.ranking_modes import DISTANCE_COST, Target
from moodmirror.recommendation.ratings import weighted_ratings
from moodmirror.recommendation.taste import (
    TASTE_WEIGHT,
    ContentModel,
    TasteSnapshot,
    freshness_adjustments,
    predict_preferences,
)
from moodmirror.recommendation.text_query import TEXT_QUERY_WEIGHT, TextQuery, TextQueryIndex
from moodmirror.recommendation.top_k import top_k_indices

# A list is arranged from a shortlist of the best items, so that its cost does not grow with the table: four times the
# requested number leaves room for variety, and at least forty when few are requested.
SHORTLIST_FACTOR: Final = 4
MIN_SHORTLIST: Final = 40
# `surprise` draws from items that fit nearly as well as the best one, far beyond what `match` lists.
SURPRISE_SHORTLIST_FACTOR: Final = 20
MIN_SURPRISE_FIT: Final = 0.8  # share of the best item's score
# What the best known item gains over an unknown one, in tables with a column `popularity`: it decides among equals.
POPULARITY_WEIGHT: Final = 0.02
# What an item that connects people gains among comforting ones: as much as a clear difference between two moods.
CONNECTION_WEIGHT: Final = 0.12
# Smallest predicted preference that an explanation mentions: below it, taste hardly changes the ranking.
MIN_EXPLAINED_PREFERENCE: Final = 0.12


class RankingTable:
    """One kind's items, prepared for ranking."""

    def __init__(
        self,
        kind: str,
        items: list[Item],
        descriptions: npt.NDArray[np.float32] | None = None,
        counts: Iterable[CoLikeCounts] = (),
    ) -> None:
        """Prepare `items`.

        `descriptions`, float32 [n, d], are their sentence vectors, and `counts` their co-likes, where available.
        """
        self.kind = kind
        self.items = items
        self._counts = tuple(counts)
        self._site_counts = CoLikeCounts()
        self.similarity = ItemSimilarity(self.index_of, self._counts)
        self._descriptions = descriptions
        self.traits = ItemTraits(items)
        self.genres = {genre for item in items for genre in item.facts.get("genres", "").split("|") if genre}
        # float32 [n, 10]: the mood's direction, the position, and its squared distance from the center. With them, a
        # target's cosine similarity less its squared distance is linear: one matrix product ranks the table exactly.
        directions = _normalized(np.stack([item.vector for item in items]))
        positions = np.array([circumplex_position(item.energy, item.valence) for item in items], dtype=np.float32)
        # Stored column by column: the matrix product reads them fastest that way.
        self.features = np.asfortranarray(np.hstack([directions, positions, (positions**2).sum(axis=1, keepdims=True)]))

    def update_co_likes(self, counts: CoLikeCounts) -> None:
        """Replace the visitors' co-like counts; those that the table was created with stay."""
        self._site_counts = counts
        self.similarity = ItemSimilarity(self.index_of, (*self._counts, counts))

    def with_items(self, items: list[Item]) -> "RankingTable":
        """Return a table of other items, with the descriptions and co-likes of this one where it has the same ids."""
        descriptions = None
        if self._descriptions is not None:
            descriptions = np.zeros((len(items), self._descriptions.shape[1]), dtype=np.float32)
            for index, item in enumerate(items):
                if item.id in self.index_of:
                    descriptions[index] = self._descriptions[self.index_of[item.id]]
        return RankingTable(self.kind, items, descriptions, (*self._counts, self._site_counts))

    # Only taste and text queries need these, so they are computed on first use.

    @cached_property
    def index_of(self) -> dict[str, int]:
        """The items' indices by id."""
        return {item.id: index for index, item in enumerate(self.items)}

    @cached_property
    def content_model(self) -> ContentModel:
        """The content features that predict preferences."""
        return ContentModel(self.items, self._descriptions)

    @cached_property
    def text_query_index(self) -> TextQueryIndex:
        """The index of the items' words for text queries."""
        return TextQueryIndex(self.items, self.kind, self._descriptions)

    @cached_property
    def is_risky(self) -> npt.NDArray[np.bool_]:
        """Which items are not recommended for a low mood, bool [n]."""
        return np.array(
            [bool(item.facts.get(RISKS_COLUMN) or find_risks(self.kind, item.title, item.line)) for item in self.items]
        )

    @cached_property
    def is_comforting(self) -> npt.NDArray[np.bool_]:
        """Which items suit a person in a crisis, bool [n]."""
        return np.array([is_comforting(self.kind, item) for item in self.items])

    @cached_property
    def connects(self) -> npt.NDArray[np.float32]:
        """1 for items that bring people together or comfort, 0 for others, float32 [n]."""
        return np.array([connects(self.kind, item) for item in self.items], dtype=np.float32)

    @cached_property
    def popularity(self) -> npt.NDArray[np.float32] | None:
        """How well known each item is, float32 [n] in 0…1; None for a table without a column `popularity` (0…100)."""
        if not any("popularity" in item.facts for item in self.items):
            return None
        known = [float(item.facts.get("popularity") or 0) / 100 for item in self.items]
        return np.clip(np.array(known, dtype=np.float32), 0, 1)

    @cached_property
    def ratings(self) -> npt.NDArray[np.float32] | None:
        """The items' ratings weighted by their votes, float32 [n]: −1 where none is known; None if no item has one."""
        return weighted_ratings(self.items)

    def select(
        self, passing: npt.NDArray[np.intp], only: Collection[str] | None, *, without: Collection[str]
    ) -> npt.NDArray[np.intp]:
        """Return the indices in `passing` of items whose ids are in `only`, if that is given, and not in `without`."""
        for ids, wanted in ((only, True), (without, False)):
            if ids is not None and (wanted or ids):
                chosen = [self.index_of[item] for item in ids if item in self.index_of]
                passing = passing[np.isin(passing, chosen, invert=not wanted)]
        return passing

    def fits(self, targets: list[Target]) -> npt.NDArray[np.float32]:
        """Return how well each item fits each target, float32 [targets, n], at most 1."""
        weights = np.stack([_target_weights(target) for target in targets])
        fits: npt.NDArray[np.float32] = weights[:, :-1] @ self.features.T
        fits += weights[:, -1:]
        return fits


class RankingSignals:
    """What ranks a table's items beside the mood: taste, freshness, a text query, and a little popularity."""

    def __init__(self, table: RankingTable, taste: TasteSnapshot | None, text_query: TextQuery | None) -> None:
        self._table = table
        self._taste = taste
        self._similarity = table.similarity  # one and the same for the whole list, even if it is updated meanwhile
        self._preferences = (
            predict_preferences(taste, table.index_of, table.content_model, self._similarity)
            if taste and taste.opinion_values
            else None
        )
        self._freshness = freshness_adjustments(taste, table.index_of) if taste else None
        self._text_query = text_query
        self._query_scores = table.text_query_index.similarity(text_query) if text_query else None

    def add_to(
        self, fits: npt.NDArray[np.float32], passing: npt.NDArray[np.intp], *, with_freshness: bool = True
    ) -> npt.NDArray[np.float32]:
        """Add the weighted signals to `fits`, float32 [targets, m], of the items `passing` [m], by index."""
        terms = (
            (TASTE_WEIGHT, self._preferences),
            (1.0, self._freshness if with_freshness else None),
            (TEXT_QUERY_WEIGHT, self._query_scores),
            (POPULARITY_WEIGHT, self._table.popularity),
        )
        for weight, values in terms:
            if values is not None:
                fits = fits + weight * values[passing]
        return fits

    def query_score(self, index: int) -> float:
        """Return how well an item matches the text query, 0…1; 0 without one."""
        return float(self._query_scores[index]) if self._query_scores is not None else 0.0

    def explain(self, index: int) -> tuple[list[str], list[str]]:
        """Return why text query and taste favor an item: phrases for its one-line explanation, and detail sentences."""
        item, phrases, details = self._table.items[index], [], []
        if self._text_query is not None:
            if matched := self._table.text_query_index.matched_words(self._text_query, index):
                phrases.append(f"close to your search ({', '.join(matched)})")
            details.append(f"It matches your search {100 * self.query_score(index):.0f} % as well as the best match.")
        if self._taste is None or self._preferences is None:
            return phrases, details
        liked_indices = [
            self._table.index_of[i]
            for i in self._taste.opinion_values
            if i in self._taste.liked and i in self._table.index_of
        ]
        same_creator = explain_same_creator(item, [self._table.items[liked] for liked in liked_indices])
        if item.id in self._taste.liked:
            phrases.append("you liked it")
        elif same_creator:
            phrase, works = same_creator
            phrases.append(phrase)
            details.append(f"{phrase[0].upper()}{phrase[1:]}: {', '.join(work.title for work in works)}.")
        elif self._preferences[index] >= MIN_EXPLAINED_PREFERENCE:
            co_liked = self._similarity.most_similar(index, liked_indices)
            if co_liked is not None:
                phrases.append(explain_co_likes(self._table.items[co_liked]))
            elif (nearest := self._table.content_model.most_similar(index, liked_indices)) is not None:
                phrases.append(explain_shared_trait(self._table.kind, self._table.items[nearest[0]], nearest[1]))
        if item.id not in self._taste.liked and abs(self._preferences[index]) >= MIN_EXPLAINED_PREFERENCE:
            direction = "for" if self._preferences[index] > 0 else "against"
            details.append(f"Your likes, skips and hides so far count {direction} it.")
        return phrases, details


def ranking_targets(mood: MoodVector, mode: str, towards: str | None, steps: int) -> list[Target]:
    """Return what a mode looks for: `steps` targets for a journey, one for any other mode."""
    if towards is not None:
        return ranking_modes.journey(mood, towards, steps)
    return ranking_modes.lift(mood) if mode == "lift" else ranking_modes.match(mood)


def select_best(scores: npt.NDArray[np.float32], depth: int) -> npt.NDArray[np.intp]:
    """Return the columns of `scores` [targets, m] that are among the `depth` best of any row, ascending."""
    if depth >= scores.shape[1]:
        return np.arange(scores.shape[1])
    return np.unique(np.concatenate([top_k_indices(row, depth) for row in scores]))


def draw_unexpected(
    scores: npt.NDArray[np.float32],
    obvious_scores: npt.NDArray[np.float32],
    traits: ItemTraits,
    passing: npt.NDArray[np.intp],
    *,
    k: int,
    seed: int,
) -> tuple[npt.NDArray[np.intp], int]:
    """Draw `k` of m columns with high `scores` [m] that are not the `k` best by `obvious_scores` [m].

    The less similar a column is to those, the likelier it is drawn. If too few fit, the best of the others fill the list.
    Returns the columns, and how many of them, from the first on, are drawn.
    """
    shortlist = select_best(scores[np.newaxis], SURPRISE_SHORTLIST_FACTOR * k)
    shortlist = shortlist[np.argsort(-scores[shortlist], kind="stable")]
    obvious = select_best(obvious_scores[np.newaxis], k)
    similarity = traits.similarity(passing[np.append(shortlist, obvious)])[0][: len(shortlist), len(shortlist) :]
    fitting = np.flatnonzero((scores[shortlist] >= MIN_SURPRISE_FIT * scores[shortlist[0]]) & ~np.isin(shortlist, obvious))
    dissimilarity = 1 - similarity[fitting].max(axis=1).astype(np.float64) + 1e-6  # above 0, so that each can be drawn
    # The noise belongs to the item, so that the draw stays the same while the mood only drifts. The k greatest sums of
    # logarithm and Gumbel noise are k draws without replacement (W. Kool, H. van Hoof and M. Welling, ICML 2019).
    noise = np.random.default_rng(seed).gumbel(size=traits.count)[passing[shortlist[fitting]]]
    drawn = fitting[np.argsort(-(np.log(dissimilarity) + noise), kind="stable")[:k]]
    others = np.setdiff1d(np.arange(len(shortlist)), drawn)
    columns: npt.NDArray[np.intp] = shortlist[np.append(drawn, others[: k - len(drawn)])]
    return columns, len(drawn)


def _target_weights(target: Target) -> npt.NDArray[np.float32]:
    """Return the linear weights of a target's fit, float32 [11]: ten factors of an item's features, and a constant.

    With u an item's direction and p its position, t the target's position and c :data:`DISTANCE_COST`, the fit is
    cos(u, target) − c‖p − t‖² = u·target + 2c p·t − c‖p‖² − c‖t‖².
    """
    direction = _normalized(target.vector)
    if target.position is None:
        return np.append(direction, np.zeros(4, dtype=np.float32))
    valence, arousal = target.position
    factors = [2 * valence, 2 * arousal, -1, -(valence**2 + arousal**2)]
    return np.append(direction, DISTANCE_COST * np.array(factors, dtype=np.float32))


def _normalized(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    directions: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return directions
