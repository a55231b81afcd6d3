"""What one visitor likes, learnt at once from what they like, skip, hide and open; and what they have just seen.

The model is small and starts from nothing. What it knows of items is their content, and where several people's likes are
known, their neighbours (:mod:`moodmirror.recommendation.item_item`). An item's features are
its traits (maker, genres, tags, language, decade, cuisine …), each weighing by its inverse document frequency (K. Spärck
Jones, "A statistical interpretation of term specificity and its application in retrieval", Journal of Documentation 28,
1972), and the sentence vector of its description. Over them kernel ridge regression gives each item the worth that the
visitor's opinions make likely, which is also the mean of a Gaussian process (C. E. Rasmussen and C. K. I. Williams,
"Gaussian Processes for Machine Learning", 2006, section 2.2): one opinion moves what is like it, many agreeing ones further.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.diversity import traits_of
from moodmirror.recommendation.item_item import ItemSimilarity

VERDICTS: Final[Mapping[str, float]] = {"like": 1.0, "play": 0.4, "skip": -0.4, "hide": -1.0}
"""What people do with an item, and what it is worth as a sign: who opens one is curious, who skips one may just be busy."""
OPPOSITES: Final[Mapping[str, str]] = {"like": "hide", "hide": "like"}

# So many opinions of a kind count, the newest: taste changes, and the work of a ranking is bounded.
MOST_JUDGED: Final = 200
# How far one opinion is to be doubted, as the variance of its error beside the variance of worth, which is 1.
DOUBT: Final = 1.0
# Of the likeness of two items; the rest is what their descriptions mean.
TRAITS_SHARE: Final = 0.6
# Of an item's worth, where people's likes tell something; the rest is theirs.
CONTENT_SHARE: Final = 0.2

NAMED: Final = ("tag", "genres", "cuisine", "place", "company")
"""The traits that a reason may name; makers have a sentence of their own."""

# What a worth of 1 adds to an item's fit, whose cosine lies in 0…1. Those that fit a mood lie within some tenths of each
# other: taste chooses among them, and does not bring what does not fit.
TASTE_WEIGHT: Final = 0.35
# Skipping says "not now": the item leaves the lists and comes back within days, when its worth as a sign has faded too.
SKIP_COST: Final = 1.0
SKIP_HALF_LIFE: Final = 24 * 3600.0  # seconds
# What was on show and left steps back a little, so that the same mood does not bring the same list again; who asks for
# others sees none of those for a while.
SEEN_COST: Final = 0.15
SENT_AWAY_COST: Final = 1.0
SEEN_HALF_LIFE: Final = 600.0  # seconds
READING_SECONDS: Final = 5.0  # what was on show for less has hardly been read
# What is on show stays while nothing else fits clearly better, so that lists do not jump.
STAY_BONUS: Final = 0.03


@dataclass(frozen=True)
class Opinion:
    """That a visitor gave an item, by kind and id, one of the :data:`VERDICTS`; `at` is in seconds since the epoch."""

    kind: str
    item: str
    verdict: str
    at: float


@dataclass(frozen=True)
class Standing:
    """What counts for a ranking of one kind at one moment, by the items' ids.

    `judged` has the worth −1…1 of what there is an opinion on, newest last; `liked` and `hidden` are parts of it; `costs` is
    what skipping and having been seen take from an item's fit, and `on_show` what is in the list now.
    """

    judged: Mapping[str, float]
    liked: frozenset[str]
    hidden: frozenset[str]
    costs: Mapping[str, float]
    on_show: tuple[str, ...]


class Taste:
    """One visitor's opinions, and what they have just been shown. Every method may be called from any thread."""

    def __init__(
        self,
        opinions: Iterable[Opinion] = (),
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives seconds since the epoch, `monotonic` seconds that never go back."""
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._opinions: dict[tuple[str, str, str], Opinion] = {}
        self._on_show: dict[str, dict[str, float]] = {}  # by kind and id, since when
        self._seen: dict[str, dict[str, tuple[float, float]]] = {}  # by kind and id, until when, and what that costs
        self.replace_opinions(opinions)

    @property
    def opinions(self) -> list[Opinion]:
        """All of them, oldest first."""
        with self._lock:
            return sorted(self._opinions.values(), key=lambda opinion: opinion.at)

    def replace_opinions(self, opinions: Iterable[Opinion]) -> bool:
        """Have these opinions and no others. Returns whether that changed anything."""
        own = {(opinion.kind, opinion.item, opinion.verdict): opinion for opinion in opinions}
        with self._lock:
            changed = set(own) != set(self._opinions)
            self._opinions = own
        return changed

    def add_opinion(self, kind: str, item: str, verdict: str) -> Opinion:
        """Take in an opinion; what it contradicts is taken back. Raises ValueError for an unknown verdict."""
        if verdict not in VERDICTS:
            raise ValueError(f"unknown verdict {verdict!r}: use one of {', '.join(VERDICTS)}")
        opinion = Opinion(kind, item, verdict, self._clock())
        with self._lock:
            self._opinions[kind, item, verdict] = opinion
            if verdict in OPPOSITES:
                self._opinions.pop((kind, item, OPPOSITES[verdict]), None)
        return opinion

    def remove_opinion(self, kind: str, item: str, verdict: str) -> None:
        """Forget an opinion, if there is one; what it took off the list stands there as if it had never gone."""
        now = self._monotonic()
        with self._lock:
            if self._opinions.pop((kind, item, verdict), None):
                self._seen.get(kind, {}).pop(item, None)
                self._on_show.setdefault(kind, {})[item] = now

    def mark_shown(self, kind: str, ids: Sequence[str]) -> None:
        """Take note that these items of a kind are on show now, and no others."""
        now = self._monotonic()
        with self._lock:
            before = self._on_show.get(kind, {})
            seen = self._seen.setdefault(kind, {})
            for item, since in before.items():
                if item not in ids and now - since >= READING_SECONDS and item not in seen:
                    seen[item] = (now, SEEN_COST)
            self._on_show[kind] = {item: before.get(item, now) for item in ids}
            for item in ids:
                seen.pop(item, None)

    def dismiss_shown(self, kind: str) -> None:
        """Let what is on show of a kind step far back: others are wanted."""
        now = self._monotonic()
        with self._lock:
            for item in self._on_show.pop(kind, {}):
                self._seen.setdefault(kind, {})[item] = (now, SENT_AWAY_COST)

    def standing(self, kind: str) -> Standing:
        """What counts for a ranking of this kind now."""
        now, moment = self._clock(), self._monotonic()
        with self._lock:
            opinions = sorted((o for o in self._opinions.values() if o.kind == kind), key=lambda opinion: opinion.at)
            on_show = tuple(self._on_show.get(kind, ()))
            costs = {
                item: cost * 0.5 ** ((moment - at) / SEEN_HALF_LIFE) for item, (at, cost) in self._seen.get(kind, {}).items()
            }
        judged: dict[str, float] = {}
        for opinion in opinions:
            worth = VERDICTS[opinion.verdict]
            if opinion.verdict == "skip":
                faded = 0.5 ** (max(now - opinion.at, 0) / SKIP_HALF_LIFE)
                worth *= faded
                costs[opinion.item] = max(costs.get(opinion.item, 0), SKIP_COST * faded)
            # Of several verdicts on one item the weightiest says what it is worth: who likes a song may still skip it.
            judged[opinion.item] = max(judged.pop(opinion.item, 0.0), worth, key=abs)
        return Standing(
            judged=dict(list(judged.items())[-MOST_JUDGED:]),
            liked=frozenset(opinion.item for opinion in opinions if opinion.verdict == "like"),
            hidden=frozenset(opinion.item for opinion in opinions if opinion.verdict == "hide"),
            costs=costs,
            on_show=on_show,
        )


class ItemFeatures:
    """The features of a table's items, and what opinions on some of them say of all."""

    def __init__(self, items: Sequence[Item], descriptions: npt.NDArray[np.float32] | None = None) -> None:
        """`descriptions`, float32 [n, d], are the items' sentence vectors; a row of zeros stands for none."""
        owned = self._traits = [traits_of(item) for item in items]
        counts: dict[tuple[str, str], int] = {}
        for traits in owned:
            for trait in traits:
                counts[trait] = counts.get(trait, 0) + 1
        # What only one item has says nothing of another, and what all have says nothing at all.
        self._rarity = {trait: float(np.log(len(items) / count)) for trait, count in counts.items() if count > 1}
        numbers = {trait: number for number, trait in enumerate(self._rarity)}
        self._none = len(numbers)  # fills rows up
        most = max((len(traits) for traits in owned), default=0)
        self._rows = np.full((len(items), most), self._none, dtype=np.int32)
        self._weights = np.zeros((len(items), most), dtype=np.float32)
        for index, traits in enumerate(owned):
            shared = sorted(trait for trait in traits if trait in numbers)
            self._rows[index, : len(shared)] = [numbers[trait] for trait in shared]
            self._weights[index, : len(shared)] = [self._rarity[trait] for trait in shared]
        self._weights *= np.sqrt(TRAITS_SHARE) / np.maximum(np.linalg.norm(self._weights, axis=1, keepdims=True), 1e-9)
        self._descriptions = None if descriptions is None else _centred(descriptions) * np.sqrt(1 - TRAITS_SHARE)

    def worth(self, judged: npt.NDArray[np.intp], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The worth, float32 [n], about −1…1, that `values` [m] of the items `judged` [m], by index, make likely."""
        marks = np.zeros((len(judged), self._none + 1), dtype=np.float32)
        np.put_along_axis(marks, self._rows[judged].astype(np.intp), self._weights[judged], axis=1)
        marks[:, self._none] = 0
        kernel = marks @ marks.T
        if self._descriptions is not None:
            kernel += self._descriptions[judged] @ self._descriptions[judged].T
        shares = np.linalg.solve(kernel + DOUBT * np.eye(len(judged), dtype=np.float32), values)
        by_trait = shares @ marks
        worth: npt.NDArray[np.float32] = (by_trait[self._rows] * self._weights).sum(axis=1, dtype=np.float32)
        if self._descriptions is not None:
            worth += self._descriptions @ (shares @ self._descriptions[judged])
        return worth

    def nearest(self, item: int, others: Sequence[int]) -> tuple[int, tuple[str, str]] | None:
        """Of some `others` the one most like an item, by index, that shares a trait which people name.

        Returns its index and the rarest such trait, as column and value; None if none shares any.
        """
        found = [(self._likeness(item, other), other, trait) for other in others if (trait := self._shared(item, other))]
        return max(found)[1:] if found else None

    def _likeness(self, one: int, other: int) -> float:
        both = dict(zip(self._rows[one], self._weights[one], strict=True))
        likeness = sum(
            both.get(trait, 0) * weight for trait, weight in zip(self._rows[other], self._weights[other], strict=True)
        )
        if self._descriptions is not None:
            likeness += self._descriptions[one] @ self._descriptions[other]
        return float(likeness)

    def _shared(self, one: int, other: int) -> tuple[str, str] | None:
        named = {t for t in self._traits[one] & self._traits[other] if t in self._rarity and t[0] in NAMED}
        return max(named, key=lambda trait: (self._rarity[trait], trait), default=None)


def leaning(
    standing: Standing, index_of: Mapping[str, int], features: ItemFeatures, neighbours: ItemSimilarity
) -> npt.NDArray[np.float32]:
    """The worth, float32 [n], about −1…1, that a visitor's opinions make likely of each item.

    Where people's likes tell something of what was judged they say most of it, and content the rest.
    """
    judged = [(index_of[item], worth) for item, worth in standing.judged.items() if item in index_of]
    if not judged:
        return np.zeros(len(index_of), dtype=np.float32)
    indices, values = zip(*judged, strict=True)
    places, worths = np.array(indices, dtype=np.intp), np.array(values, dtype=np.float32)
    by_content, by_people = features.worth(places, worths), neighbours.predict(places, worths)
    if not by_people.any():
        return by_content
    worth: npt.NDArray[np.float32] = CONTENT_SHARE * by_content + (1 - CONTENT_SHARE) * by_people
    return worth


def freshness(standing: Standing, index_of: Mapping[str, int]) -> npt.NDArray[np.float32]:
    """What, float32 [n], having been skipped or seen takes from an item's fit, and being on show adds to it."""
    change = np.zeros(len(index_of), dtype=np.float32)
    for item, cost in standing.costs.items():
        if item in index_of:
            change[index_of[item]] -= cost
    for item in standing.on_show:
        if item in index_of:
            change[index_of[item]] += STAY_BONUS
    return change


def _centred(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Unit vectors of how each description differs from the mean one: all of a table share that it is a table of songs."""
    given = np.linalg.norm(vectors, axis=1, keepdims=True) > 0
    if not given.any():
        return vectors
    apart = np.where(given, vectors - vectors[given[:, 0]].mean(axis=0), 0)
    unit: npt.NDArray[np.float32] = (apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)).astype(
        np.float32
    )
    return unit
