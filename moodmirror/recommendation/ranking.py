"""Rank the catalogue for a mood."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.recommendation import ranking_modes
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, RISKS, CatalogueError, Item, read_items
from moodmirror.recommendation.content_safety import find_risks, is_low_mood
from moodmirror.recommendation.diversity import Traits, arrange
from moodmirror.recommendation.explanations import (
    by_the_same,
    change,
    in_common,
    liked_together,
    nearness,
    on_the_way,
    own_mood,
    reason,
)
from moodmirror.recommendation.filters import Filters, filters_by_kind, make_tests
from moodmirror.recommendation.item_item import CoLikeCounts, ItemSimilarity
from moodmirror.recommendation.item_moods import place
from moodmirror.recommendation.ranking_modes import DISTANCE_COST, MODES, Aim
from moodmirror.recommendation.sentence_vectors import VECTORS_FILE, CatalogueVectors
from moodmirror.recommendation.taste import TASTE_WEIGHT, ItemFeatures, Standing, Taste, freshness, leaning
from moodmirror.recommendation.text_query import TEXT_QUERY_WEIGHT, TextQuery, TextQueryIndex
from moodmirror.recommendation.top_k import top_k_indices

LOGGER = logging.getLogger("moodmirror.recommendation")

# A list is arranged from the best few, so that its cost does not grow with the table: four times as many as are asked for
# leave room for variety, and forty do when few are.
SHORTLIST_TIMES: Final = 4
SHORTLIST_LEAST: Final = 40
# `surprise` draws from what fits nearly as well as the best, far beyond what `match` would list.
SURPRISE_TIMES: Final = 20
SURPRISE_FIT: Final = 0.8
# What the best known item gains over one that nobody has heard of, where a table tells: enough to choose among equals.
POPULARITY_WEIGHT: Final = 0.02
# From which worth on an opinion is said to speak for an item: below it moves next to nothing.
TELLING: Final = 0.12


@dataclass(frozen=True)
class Recommendation:
    """An item, how well it fits what the mode looks for (`score`, 0…1), and `why` it is offered, in one line.

    In the modes match and surprise the score is the cosine similarity of the item's mood vector to the person's; without a
    mood, how well it answers the wish. `details` are further sentences for those who ask why; `liked` says whether the
    visitor likes it.
    """

    item: Item
    score: float
    why: str
    details: tuple[str, ...] = ()
    liked: bool = False


class _Table:
    """One kind's items, ready to be ranked."""

    def __init__(
        self,
        kind: str,
        items: list[Item],
        descriptions: npt.NDArray[np.float32] | None = None,
        counts: Iterable[CoLikeCounts] = (),
    ) -> None:
        """`descriptions`, float32 [n, d], are the items' sentence vectors, `counts` who likes what, where there are any."""
        self.kind = kind
        self.items = items
        self._counts = tuple(counts)
        self.neighbours = ItemSimilarity(self.index_of, self._counts)
        self._descriptions = descriptions
        self.traits = Traits(items)
        self.genres = {genre for item in items for genre in item.facts.get("genres", "").split("|") if genre}
        # float32 [n, 10]: the mood's direction, the place, and its squared distance from the centre. With them an aim's
        # cosine similarity less its squared distance is linear, so that one matrix product ranks the table exactly.
        directions = _unit(np.stack([item.vector for item in items]))
        places = np.array([place(item.energy, item.valence) for item in items], dtype=np.float32)
        # Column by column in memory, for that is how the product reads them fastest.
        self.features = np.asfortranarray(np.hstack([directions, places, (places**2).sum(axis=1, keepdims=True)]))

    def update_co_likes(self, counts: CoLikeCounts) -> None:
        """Have this crowd's likes beside those that the table came with, instead of what was learnt before."""
        self.neighbours = ItemSimilarity(self.index_of, (*self._counts, counts))

    # What only taste and wishes need is made once somebody has some.

    @cached_property
    def index_of(self) -> dict[str, int]:
        """The items' places by their ids."""
        return {item.id: index for index, item in enumerate(self.items)}

    @cached_property
    def tastes(self) -> ItemFeatures:
        """What the items have in common, for taste."""
        return ItemFeatures(self.items, self._descriptions)

    @cached_property
    def wishes(self) -> TextQueryIndex:
        """What the items' words are, for wishes."""
        return TextQueryIndex(self.items, self.kind, self._descriptions)

    @cached_property
    def risky(self) -> npt.NDArray[np.bool_]:
        """Which items are not offered to who feels low, bool [n]."""
        return np.array([bool(item.facts.get(RISKS) or find_risks(self.kind, item.title, item.line)) for item in self.items])

    @cached_property
    def popularity(self) -> npt.NDArray[np.float32] | None:
        """How well known each item is, float32 [n] in 0…1; None for a table that has no column `popularity` (0…100)."""
        if not any("popularity" in item.facts for item in self.items):
            return None
        known = [float(item.facts.get("popularity") or 0) / 100 for item in self.items]
        return np.clip(np.array(known, dtype=np.float32), 0, 1)

    def fits(self, aims: list[Aim]) -> npt.NDArray[np.float32]:
        """How well each item fits each aim, float32 [aims, n], at most 1."""
        queries = np.stack([_query(aim) for aim in aims])
        fits: npt.NDArray[np.float32] = queries[:, :-1] @ self.features.T
        fits += queries[:, -1:]
        return fits


class Recommender:
    """Ranks the items of the four tables for a mood, and for one visitor's taste where it is given."""

    def __init__(
        self,
        tables: Mapping[str, list[Item]],
        taste: Taste | None = None,
        vectors: CatalogueVectors | None = None,
        counts: Mapping[str, CoLikeCounts] | None = None,
    ) -> None:
        """Taste does without the items' sentence `vectors` and the `counts` of what people like, by kind, but sees less."""
        self._tables = {
            kind: _Table(
                kind,
                items,
                vectors.rows(items, kind) if vectors else None,
                [counts[kind]] if counts and kind in counts else [],
            )
            for kind, items in tables.items()
        }
        self._taste = taste

    @classmethod
    def open(
        cls, catalogue_dir: Path | None = None, taste: Taste | None = None, *, imported_dir: Path | None = None
    ) -> Self:
        """Read the four tables, the shipped ones by default, and beside them those that were imported, if any.

        Raises CatalogueError naming every bad cell.
        """
        folder = catalogue_dir or CATALOGUE_DIR
        tables = {kind: read_items(kind, folder, imported_dir) for kind in KINDS}
        counts = {kind: _kept_counts(imported_dir, kind) for kind in KINDS} if imported_dir else {}
        return cls(tables, taste, CatalogueVectors.load(folder) if (folder / VECTORS_FILE).exists() else None, counts)

    def with_taste(self, taste: Taste) -> Self:
        """The same tables, ranked for this taste too."""
        other = copy(self)
        other._taste = taste
        return other

    def update_co_likes(self, kind: str, counts: CoLikeCounts) -> None:
        """Take in what this site's visitors like together, instead of what was known of them before.

        It counts for every recommender that shares these tables. May be called from any thread.
        """
        self._tables[kind].update_co_likes(counts)

    def items(self, kind: str) -> Sequence[Item]:
        """All items of a kind, in the order of their table."""
        return self._tables[kind].items

    def item(self, kind: str, item: str) -> Item | None:
        """An item by its kind and id; None if there is none."""
        table = self._tables.get(kind)
        return table.items[table.index_of[item]] if table and item in table.index_of else None

    def filter_values(self, kind: str, filter_name: str) -> list[str]:
        """The values that a filter on a column can take, in the order of their frequency, the most frequent first."""
        counts = Counter(value for item in self._tables[kind].items for value in item.facts[filter_name].split("|") if value)
        return sorted(counts, key=lambda value: (-counts[value], value))

    def recommend(
        self,
        vector: npt.ArrayLike | None,
        kind: str,
        k: int = 10,
        mode: str = "match",
        filters: Filters | None = None,
        *,
        towards: str | None = None,
        seed: int = 0,
        text_query: TextQuery | None = None,
        exclude: Collection[str] = (),
    ) -> list[Recommendation]:
        """The `k` best items of a kind for a mood vector, [7]; fewer if fewer pass the `filters`.

        While no mood is known, `vector` is None: then the wish and taste alone rank, in the mode match.

        `mode` ``match`` looks for the mood as it is, ``lift`` for a better one within reach, ``journey`` orders the items
        from the mood to the emotion `towards`, and ``surprise`` draws items that fit but that match would not list;
        another `seed` draws others. `filters` maps names in :data:`moodmirror.recommendation.filters.FILTERS` to values.
        Except on a journey the best come first, but items alike are kept apart, and no artist or director stands twice
        in a row while there are others. A `wish` counts beside the mood, and so does the recommender's taste: what was
        hidden is never offered, what was skipped or just seen steps back. Items whose ids are in `without` are left out, and
        for a low mood those that may do harm then (:mod:`moodmirror.recommendation.content_safety`).

        Raises ValueError for an unknown kind, mode, emotion or filter, a wrong filter's value, a k below 1, a `towards`
        that is missing or that the mode does not take, a mode other than match without a mood, or a vector that is not
        seven finite non-negative numbers, some of them above 0.
        """
        if kind not in self._tables:
            raise ValueError(f"unknown kind {kind!r}: use one of {', '.join(KINDS)}")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        mood = None if vector is None else _checked_mood(vector)
        _check_mode(mode, towards)
        if mood is None and mode != "match":
            raise ValueError(f"the mode {mode} needs a mood to start from: give one, or use match")
        table = self._tables[kind]
        standing = self._taste.standing(kind) if self._taste else None
        passing = self._passing(kind, filters or {})
        left_out = {*exclude, *(standing.hidden if standing else ())}
        if mood is not None and is_low_mood(mood):
            passing = passing[~table.risky[passing]]
        if left_out:
            offered = np.ones(len(table.items), dtype=np.bool_)
            offered[[table.index_of[item] for item in left_out if item in table.index_of]] = False
            passing = passing[offered[passing]]
        k = min(k, len(passing))
        if k == 0:
            return []
        fits = table.fits(_aims(mood, mode, towards, k)) if mood is not None else np.zeros((1, len(table.items)), np.float32)
        if len(passing) < len(table.items):
            fits = fits[:, passing]
        leanings = _Leanings(table, standing, text_query)
        worths = leanings.added_to(fits, passing)
        if mode == "surprise":
            obvious = leanings.added_to(fits, passing, fresh=False)  # what was just seen is no less obvious for it
            shortlist, unexpected = _unexpected(worths[0], obvious[0], table.traits, passing, k=k, seed=seed)
        else:
            shortlist, unexpected = _shortlist(worths, max(SHORTLIST_TIMES * k, SHORTLIST_LEAST)), 0
        alike, same_maker = table.traits.likeness(passing[shortlist])
        recommendations = []
        for step, choice in enumerate(arrange(worths[:, shortlist], alike, same_maker, k)):
            index = shortlist[choice]
            item, fit = table.items[passing[index]], float(fits[min(step, len(fits) - 1), index])
            relations, details = leanings.reasons(int(passing[index]))
            if mood is None:
                fit = leanings.answers(int(passing[index]))
            elif towards is not None:
                relations.insert(0, on_the_way(mood, towards, step + 1, k))
            elif mode == "lift":
                relations.insert(0, change(item, mood))
            else:
                relations.insert(0, ("not the obvious choice, " if choice < unexpected else "") + nearness(item, mood, fit))
            recommendations.append(
                Recommendation(
                    item,
                    score=min(max(fit, 0.0), 1.0),
                    why=reason(kind, item, *relations),
                    details=(own_mood(item), *details),
                    liked=standing is not None and item.id in standing.liked,
                )
            )
        return recommendations

    def recommend_each(
        self,
        vector: npt.ArrayLike | None,
        kinds: tuple[str, ...] = KINDS,
        k: int = 10,
        mode: str = "match",
        filters: Filters | None = None,
        *,
        towards: str | None = None,
        seed: int = 0,
        text_query: TextQuery | None = None,
    ) -> dict[str, list[Recommendation]]:
        """What :meth:`recommend` gives for several kinds, where each filter narrows those kinds only that know it.

        A kind that has nothing of a genre gives an empty list. Raises ValueError as :meth:`recommend` does, for a filter
        that no kind knows, and for a genre that none has.
        """
        own = filters_by_kind(kinds, filters or {})
        without = {kind for kind in kinds if "genre" in own[kind] and own[kind]["genre"] not in self._tables[kind].genres}
        if without and all(kind in without or "genre" not in own[kind] for kind in kinds):
            raise _no_genre(own[min(without)]["genre"], set().union(*(self._tables[kind].genres for kind in without)))
        return {
            kind: []
            if kind in without
            else self.recommend(vector, kind, k, mode, own[kind], towards=towards, seed=seed, text_query=text_query)
            for kind in kinds
        }

    def check_filters(self, kind: str, filters: Filters) -> None:
        """Raise ValueError, as :meth:`recommend` does, for a filter that a kind does not know, or a wrong value."""
        make_tests(kind, filters)
        genres = self._tables[kind].genres
        if "genre" in filters and filters["genre"] not in genres:
            raise _no_genre(filters["genre"], genres)

    def _passing(self, kind: str, filters: Filters) -> npt.NDArray[np.intp]:
        """The indices of a kind's items that pass the filters, rising."""
        table = self._tables[kind]
        self.check_filters(kind, filters)
        tests = make_tests(kind, filters)
        if not tests:
            return np.arange(len(table.items))
        return np.array(
            [index for index, item in enumerate(table.items) if all(test(item) for test in tests)], dtype=np.intp
        )


class _Leanings:
    """What speaks for a table's items beside the mood: taste, freshness, a wish, and a little how well known they are."""

    def __init__(self, table: _Table, standing: Standing | None, text_query: TextQuery | None) -> None:
        self._table = table
        self._standing = standing
        self._neighbours = table.neighbours  # the same ones for the whole list, whatever is learnt meanwhile
        self._worth = (
            leaning(standing, table.index_of, table.tastes, self._neighbours) if standing and standing.judged else None
        )
        self._freshness = freshness(standing, table.index_of) if standing else None
        self._text_query = text_query
        self._answers = table.wishes.likeness(text_query) if text_query else None

    def added_to(
        self, fits: npt.NDArray[np.float32], passing: npt.NDArray[np.intp], *, fresh: bool = True
    ) -> npt.NDArray[np.float32]:
        """The fits, float32 [aims, m], of the items `passing`, by index, with what speaks for each beside them.

        Without `fresh`, what was seen does not step back.
        """
        terms = (
            (TASTE_WEIGHT, self._worth),
            (1.0, self._freshness if fresh else None),
            (TEXT_QUERY_WEIGHT, self._answers),
            (POPULARITY_WEIGHT, self._table.popularity),
        )
        for weight, values in terms:
            if values is not None:
                fits = fits + weight * values[passing]
        return fits

    def answers(self, index: int) -> float:
        """How well an item answers the wish, 0…1; 0 without one."""
        return float(self._answers[index]) if self._answers is not None else 0.0

    def reasons(self, index: int) -> tuple[list[str], list[str]]:
        """What of wish and taste speaks for an item: in words for its line, and in sentences for who wants to know more."""
        item, words, details = self._table.items[index], [], []
        if self._text_query is not None:
            if named := self._table.wishes.named(self._text_query, index):
                words.append(f"close to your wish ({', '.join(named)})")
            details.append(f"It answers your wish {100 * self.answers(index):.0f} % as well as the best that there is.")
        if self._standing is None or self._worth is None:
            return words, details
        places = [
            self._table.index_of[i] for i in self._standing.judged if i in self._standing.liked and i in self._table.index_of
        ]
        liked = [self._table.items[place] for place in places]
        same = by_the_same(item, liked)
        if item.id in self._standing.liked:
            words.append("you liked it")
        elif same:
            said, works = same
            words.append(said)
            details.append(f"{said[0].upper()}{said[1:]}: {', '.join(work.title for work in works)}.")
        elif self._worth[index] >= TELLING:
            together = self._neighbours.most_similar(index, places)
            if together is not None:
                words.append(liked_together(self._table.items[together]))
            elif (near := self._table.tastes.nearest(index, places)) is not None:
                liked_one, trait = self._table.items[near[0]], near[1]
                words.append(in_common(self._table.kind, liked_one, trait))
        if item.id not in self._standing.liked and abs(self._worth[index]) >= TELLING:
            moves = "for" if self._worth[index] > 0 else "against"
            details.append(f"Your likes, skips and hides so far speak {moves} it.")
        return words, details


def _kept_counts(folder: Path, kind: str) -> CoLikeCounts:
    """What was kept of who likes what; nothing if it can't be used, which the log tells."""
    try:
        return CoLikeCounts.load(folder, kind)
    except CatalogueError as error:
        LOGGER.warning("What people like together is left out: %s", error)
        return CoLikeCounts()


def _checked_mood(vector: npt.ArrayLike) -> MoodVector:
    mood = np.asarray(vector, dtype=np.float32)
    if mood.shape != (len(EMOTIONS),) or not np.isfinite(mood).all() or mood.min() < 0 or mood.max() <= 0:
        raise ValueError(f"a mood must be {len(EMOTIONS)} non-negative numbers with some above 0")
    shares: MoodVector = mood / mood.sum()
    return shares


def _check_mode(mode: str, towards: str | None) -> None:
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: use one of {', '.join(MODES)}")
    if mode == "journey" and towards not in EMOTIONS:
        raise ValueError(f"a journey needs an emotion to lead towards, one of {', '.join(EMOTIONS)}")
    if mode != "journey" and towards is not None:
        raise ValueError(f"only the mode journey leads towards an emotion, {mode} does not")


def _no_genre(genre: str | int, genres: set[str]) -> ValueError:
    return ValueError(f"unknown genre {genre!r}: use one of {', '.join(sorted(genres))}")


def _aims(mood: MoodVector, mode: str, towards: str | None, steps: int) -> list[Aim]:
    if towards is not None:
        return ranking_modes.journey(mood, towards, steps)
    return ranking_modes.lift(mood) if mode == "lift" else ranking_modes.match(mood)


def _query(aim: Aim) -> npt.NDArray[np.float32]:
    """What an aim's fit is linear in, float32 [11]: ten factors of an item's features, and what is added to them.

    With u an item's direction and p its place, t the aim's place and c :data:`DISTANCE_COST`, the fit is
    cos(u, aim) − c‖p − t‖² = u·aim + 2c p·t − c‖p‖² − c‖t‖².
    """
    direction = _unit(aim.vector)
    if aim.place is None:
        return np.append(direction, np.zeros(4, dtype=np.float32))
    valence, arousal = aim.place
    toward = [2 * valence, 2 * arousal, -1, -(valence**2 + arousal**2)]
    return np.append(direction, DISTANCE_COST * np.array(toward, dtype=np.float32))


def _shortlist(fits: npt.NDArray[np.float32], depth: int) -> npt.NDArray[np.intp]:
    """The columns of `fits` [aims, m] that are among the `depth` best of any row, rising."""
    if depth >= fits.shape[1]:
        return np.arange(fits.shape[1])
    return np.unique(np.concatenate([top_k_indices(row, depth) for row in fits]))


def _unexpected(
    worths: npt.NDArray[np.float32],
    obvious_worths: npt.NDArray[np.float32],
    traits: Traits,
    passing: npt.NDArray[np.intp],
    *,
    k: int,
    seed: int,
) -> tuple[npt.NDArray[np.intp], int]:
    """Draw `k` of m columns whose `worths` [m] are high and that are not the `k` best by `obvious_worths` [m].

    The less like those, the likelier. Where too few fit, the best of the others fill up. Returns the columns, and how many
    of them, from the first on, are drawn.
    """
    shortlist = _shortlist(worths[np.newaxis], SURPRISE_TIMES * k)
    shortlist = shortlist[np.argsort(-worths[shortlist], kind="stable")]
    obvious = _shortlist(obvious_worths[np.newaxis], k)
    alike = traits.likeness(passing[np.append(shortlist, obvious)])[0][: len(shortlist), len(shortlist) :]
    fitting = np.flatnonzero((worths[shortlist] >= SURPRISE_FIT * worths[shortlist[0]]) & ~np.isin(shortlist, obvious))
    unlike = 1 - alike[fitting].max(axis=1).astype(np.float64) + 1e-6  # above 0, that all can be drawn
    # Each item has a luck of its own, so that the draw stays while the mood only drifts. The k greatest sums of logarithm
    # and Gumbel noise are k drawn without replacement (W. Kool, H. van Hoof and M. Welling, ICML 2019).
    luck = np.random.default_rng(seed).gumbel(size=traits.count)[passing[shortlist[fitting]]]
    drawn = fitting[np.argsort(-(np.log(unlike) + luck), kind="stable")[:k]]
    others = np.setdiff1d(np.arange(len(shortlist)), drawn)
    columns: npt.NDArray[np.intp] = shortlist[np.append(drawn, others[: k - len(drawn)])]
    return columns, len(drawn)


def _unit(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    directions: npt.NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return directions
