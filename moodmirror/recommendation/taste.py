"""One visitor's taste: preferences predicted from what they like, skip, hide and open, and what they have just seen.

The model is small and starts without data. It predicts from the items' content, and where co-likes are available, from
item-item similarity (:mod:`moodmirror.recommendation.item_item`). An item's content features are its traits (creator,
genres, tags, language, decade, cuisine …), each weighted by its inverse document frequency (K. Spärck Jones, "A statistical
interpretation of term specificity and its application in retrieval", Journal of Documentation 28, 1972), and the sentence
vector of its description. Over them, kernel ridge regression predicts each item's preference from the visitor's opinions,
which is also the mean of a Gaussian process (C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine
Learning", 2006, section 2.2): one opinion moves similar items, many agreeing ones move them further.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.diversity import item_traits
from moodmirror.recommendation.item_item import ItemSimilarity

VERDICTS: Final[Mapping[str, float]] = {"like": 1.0, "play": 0.4, "skip": -0.4, "hide": -1.0}
"""What visitors do with an item, and its value as evidence: opening shows curiosity, skipping may just mean no time."""
OPPOSITES: Final[Mapping[str, str]] = {"like": "hide", "hide": "like"}

# The newest opinions of a kind that count: taste changes, and the work for a ranking stays bounded.
MAX_OPINIONS: Final = 200
# The variance of an opinion's error, relative to the variance of preferences, which is 1.
NOISE_VARIANCE: Final = 1.0
# The share of traits in the similarity of two items; the rest is the similarity of their descriptions.
TRAITS_SHARE: Final = 0.6
# The content model's share in a preference where item-item similarity is available; the rest is that of similarity.
CONTENT_SHARE: Final = 0.2

EXPLAINED_COLUMNS: Final = ("tag", "genres", "cuisine", "place", "company")
"""The traits that an explanation may name; creators have a sentence of their own."""

# What a preference of 1 adds to an item's fit, whose cosine lies in 0…1. Items that fit a mood lie within some tenths of
# each other: taste chooses among them and does not list what does not fit.
TASTE_WEIGHT: Final = 0.35
# A skip means "not now": the item leaves the lists and returns within days, when its value as evidence has faded too.
SKIP_PENALTY: Final = 1.0
SKIP_HALF_LIFE: Final = 24 * 3600.0  # seconds
# An item that was shown and replaced ranks a little lower, so that the same mood does not bring the same list again; items
# dismissed by a request for others stay away for a while.
SEEN_PENALTY: Final = 0.15
DISMISSED_PENALTY: Final = 1.0
SEEN_HALF_LIFE: Final = 600.0  # seconds
READING_SECONDS: Final = 5.0  # an item shown for less time has hardly been read
# A shown item stays while nothing else fits clearly better, so that lists are stable.
SHOWN_BONUS: Final = 0.03


@dataclass(frozen=True)
class Opinion:
    """A visitor's verdict, one of :data:`VERDICTS`, on an item, by kind and id; `at` is in seconds since the epoch."""

    kind: str
    item: str
    verdict: str
    at: float


@dataclass(frozen=True)
class TasteSnapshot:
    """What counts for a ranking of one kind at one moment, by item id.

    `opinion_values` holds the value, −1…1, of each item with an opinion, newest last; `liked` and `hidden` are subsets of
    it; `penalties` are what skipping and having been seen subtract from an item's fit; `shown` are the items in the list.
    """

    opinion_values: Mapping[str, float]
    liked: frozenset[str]
    hidden: frozenset[str]
    penalties: Mapping[str, float]
    shown: tuple[str, ...]


class Taste:
    """One visitor's opinions, and what they have just been shown. Thread-safe."""

    def __init__(
        self,
        opinions: Iterable[Opinion] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start from `opinions`. `clock` returns seconds since the epoch, `monotonic` seconds that never decrease."""
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._opinions: dict[tuple[str, str, str], Opinion] = {}
        self._shown: dict[str, dict[str, float]] = {}  # by kind and id: shown since
        self._likes_elsewhere: dict[str, tuple[str, ...]] = {}  # by kind: ids, oldest first
        self._seen: dict[str, dict[str, tuple[float, float]]] = {}  # by kind and id: (when it left the list, penalty)
        self.replace_opinions(opinions)

    @property
    def opinions(self) -> list[Opinion]:
        """All opinions, oldest first."""
        with self._lock:
            return sorted(self._opinions.values(), key=lambda opinion: opinion.at)

    def replace_opinions(self, opinions: Iterable[Opinion]) -> bool:
        """Replace all opinions. Returns whether this changed anything."""
        replacement = {(opinion.kind, opinion.item, opinion.verdict): opinion for opinion in opinions}
        with self._lock:
            changed = set(replacement) != set(self._opinions)
            self._opinions = replacement
        return changed

    def set_likes_elsewhere(self, kind: str, ids: Iterable[str]) -> None:
        """Set the items of a kind, by id, oldest first, that the visitor likes on another site.

        They count as liked and as older than all opinions, of which they are none: `opinions` does not contain them.
        """
        with self._lock:
            self._likes_elsewhere[kind] = tuple(ids)

    def add_opinion(self, kind: str, item: str, verdict: str) -> Opinion:
        """Add an opinion and remove the one that it contradicts. Raises ValueError for an unknown verdict."""
        if verdict not in VERDICTS:
            raise ValueError(f"unknown verdict {verdict!r}: use one of {', '.join(VERDICTS)}")
        opinion = Opinion(kind, item, verdict, self._clock())
        with self._lock:
            self._opinions[kind, item, verdict] = opinion
            if verdict in OPPOSITES:
                self._opinions.pop((kind, item, OPPOSITES[verdict]), None)
        return opinion

    def remove_opinion(self, kind: str, item: str, verdict: str) -> None:
        """Remove an opinion, if there is one; the item counts as shown, as if it had never left the list."""
        now = self._monotonic()
        with self._lock:
            if self._opinions.pop((kind, item, verdict), None):
                self._seen.get(kind, {}).pop(item, None)
                self._shown.setdefault(kind, {})[item] = now

    def mark_shown(self, kind: str, ids: Sequence[str]) -> None:
        """Record that these items of a kind, and no others, are shown now."""
        now = self._monotonic()
        with self._lock:
            before = self._shown.get(kind, {})
            seen = self._seen.setdefault(kind, {})
            for item, since in before.items():
                if item not in ids and now - since >= READING_SECONDS and item not in seen:
                    seen[item] = (now, SEEN_PENALTY)
            self._shown[kind] = {item: before.get(item, now) for item in ids}
            for item in ids:
                seen.pop(item, None)

    def dismiss_shown(self, kind: str) -> None:
        """Give the shown items of a kind a high penalty, so that others replace them."""
        now = self._monotonic()
        with self._lock:
            for item in self._shown.pop(kind, {}):
                self._seen.setdefault(kind, {})[item] = (now, DISMISSED_PENALTY)

    def snapshot(self, kind: str) -> TasteSnapshot:
        """Return what counts for a ranking of this kind now."""
        now, moment = self._clock(), self._monotonic()
        with self._lock:
            opinions = sorted((o for o in self._opinions.values() if o.kind == kind), key=lambda opinion: opinion.at)
            likes_elsewhere = self._likes_elsewhere.get(kind, ())
            shown = tuple(self._shown.get(kind, ()))
            penalties = {
                item: penalty * 0.5 ** ((moment - at) / SEEN_HALF_LIFE)
                for item, (at, penalty) in self._seen.get(kind, {}).items()
            }
        hidden = frozenset(opinion.item for opinion in opinions if opinion.verdict == "hide")
        values = {item: VERDICTS["like"] for item in likes_elsewhere if item not in hidden}
        liked = {*values, *(opinion.item for opinion in opinions if opinion.verdict == "like")}
        for opinion in opinions:
            value = VERDICTS[opinion.verdict]
            if opinion.verdict == "skip":
                decay = 0.5 ** (max(now - opinion.at, 0) / SKIP_HALF_LIFE)
                value *= decay
                penalties[opinion.item] = max(penalties.get(opinion.item, 0), SKIP_PENALTY * decay)
            # Of several verdicts on one item the strongest counts: a visitor may skip a song that they like.
            values[opinion.item] = max(values.pop(opinion.item, 0.0), value, key=abs)
        return TasteSnapshot(
            opinion_values=dict(list(values.items())[-MAX_OPINIONS:]),
            liked=frozenset(liked),
            hidden=hidden,
            penalties=penalties,
            shown=shown,
        )


class ContentModel:
    """Kernel ridge regression over the content features of a table's items."""

    def __init__(self, items: Sequence[Item], descriptions: npt.NDArray[np.float32] | None = None) -> None:
        """Compute the features.

        `descriptions`, float32 [n, d], are the items' sentence vectors, with a row of zeros for a missing one.
        """
        all_traits = self._traits = [item_traits(item) for item in items]
        counts: dict[tuple[str, str], int] = {}
        for traits in all_traits:
            for trait in traits:
                counts[trait] = counts.get(trait, 0) + 1
        # A trait of one item only says nothing about others, and a trait of all items says nothing at all.
        self._idf = {trait: float(np.log(len(items) / count)) for trait, count in counts.items() if count > 1}
        numbers = {trait: number for number, trait in enumerate(self._idf)}
        self._padding = len(numbers)
        width = max((len(traits) for traits in all_traits), default=0)
        self._rows = np.full((len(items), width), self._padding, dtype=np.int32)
        self._weights = np.zeros((len(items), width), dtype=np.float32)
        for index, traits in enumerate(all_traits):
            shared = sorted(trait for trait in traits if trait in numbers)
            self._rows[index, : len(shared)] = [numbers[trait] for trait in shared]
            self._weights[index, : len(shared)] = [self._idf[trait] for trait in shared]
        self._weights *= np.sqrt(TRAITS_SHARE) / np.maximum(np.linalg.norm(self._weights, axis=1, keepdims=True), 1e-9)
        self._descriptions = None if descriptions is None else _centered(descriptions) * np.sqrt(1 - TRAITS_SHARE)

    def predict(self, judged: npt.NDArray[np.intp], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Predict the preference for each item, float32 [n], about −1…1.

        `values` [m] belong to the items `judged` [m], by index.
        """
        features = np.zeros((len(judged), self._padding + 1), dtype=np.float32)
        np.put_along_axis(features, self._rows[judged].astype(np.intp), self._weights[judged], axis=1)
        features[:, self._padding] = 0
        kernel = features @ features.T
        if self._descriptions is not None:
            kernel += self._descriptions[judged] @ self._descriptions[judged].T
        dual = np.linalg.solve(kernel + NOISE_VARIANCE * np.eye(len(judged), dtype=np.float32), values)
        by_trait = dual @ features
        scores: npt.NDArray[np.float32] = (by_trait[self._rows] * self._weights).sum(axis=1, dtype=np.float32)
        if self._descriptions is not None:
            scores += self._descriptions @ (dual @ self._descriptions[judged])
        return scores

    def most_similar(self, item: int, others: Sequence[int]) -> tuple[int, tuple[str, str]] | None:
        """Return the one of `others`, by index, that is most similar to an item and shares an explainable trait with it.

        Returns its index and the rarest such trait, as column and value; None if none shares any.
        """
        found = [
            (self._similarity(item, other), other, trait)
            for other in others
            if (trait := self._rarest_shared_trait(item, other))
        ]
        return max(found)[1:] if found else None

    def _similarity(self, one: int, other: int) -> float:
        weights = dict(zip(self._rows[one], self._weights[one], strict=True))
        similarity = sum(
            weights.get(trait, 0) * weight for trait, weight in zip(self._rows[other], self._weights[other], strict=True)
        )
        if self._descriptions is not None:
            similarity += self._descriptions[one] @ self._descriptions[other]
        return float(similarity)

    def _rarest_shared_trait(self, one: int, other: int) -> tuple[str, str] | None:
        shared = {t for t in self._traits[one] & self._traits[other] if t in self._idf and t[0] in EXPLAINED_COLUMNS}
        return max(shared, key=lambda trait: (self._idf[trait], trait), default=None)


def predict_preferences(
    taste: TasteSnapshot, index_of: Mapping[str, int], content: ContentModel, similarity: ItemSimilarity
) -> npt.NDArray[np.float32]:
    """Predict a visitor's preference for each item, float32 [n], about −1…1.

    Where co-likes cover the items with opinions, they make up most of it, and content the rest.
    """
    judged = [(index_of[item], value) for item, value in taste.opinion_values.items() if item in index_of]
    if not judged:
        return np.zeros(len(index_of), dtype=np.float32)
    indices = np.array([index for index, _ in judged], dtype=np.intp)
    values = np.array([value for _, value in judged], dtype=np.float32)
    by_content, by_people = content.predict(indices, values), similarity.predict(indices, values)
    if not by_people.any():
        return by_content
    preferences: npt.NDArray[np.float32] = CONTENT_SHARE * by_content + (1 - CONTENT_SHARE) * by_people
    return preferences


def freshness_adjustments(taste: TasteSnapshot, index_of: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """Return what to add to each item's fit, float32 [n]: minus its penalty, plus a bonus if it is shown."""
    adjustments = np.zeros(len(index_of), dtype=np.float32)
    for item, penalty in taste.penalties.items():
        if item in index_of:
            adjustments[index_of[item]] -= penalty
    for item in taste.shown:
        if item in index_of:
            adjustments[index_of[item]] += SHOWN_BONUS
    return adjustments


def _centered(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the unit vectors of each description's difference from the mean: what all of a table share is no feature."""
    given = np.linalg.norm(vectors, axis=1, keepdims=True) > 0
    if not given.any():
        return vectors
    differences = np.where(given, vectors - vectors[given[:, 0]].mean(axis=0), 0)
    unit: npt.NDArray[np.float32] = (
        differences / np.maximum(np.linalg.norm(differences, axis=1, keepdims=True), 1e-9)
    ).astype(np.float32)
    return unit
