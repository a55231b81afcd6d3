"""The public recommender: opens the catalogue and ranks it for a mood, a visitor's taste, filters and a text query."""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import ranking_modes
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item, read_items
from moodmirror.recommendation.content_safety import is_low_mood
from moodmirror.recommendation.diversity import arrange_by_mmr
from moodmirror.recommendation.explanations import (
    compose_explanation,
    describe_item_mood,
    explain_comfort,
    explain_journey_step,
    explain_lift,
    explain_match,
)
from moodmirror.recommendation.filters import Filters, make_predicates, split_by_kind
from moodmirror.recommendation.item_item import CoLikeCounts
from moodmirror.recommendation.ranking import (
    CONNECTION_WEIGHT,
    MIN_SHORTLIST,
    SHORTLIST_FACTOR,
    RankingSignals,
    RankingTable,
    draw_unexpected,
    ranking_targets,
    select_best,
)
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.ratings import SORTS
from moodmirror.recommendation.sentence_vectors import VECTORS_FILE, CatalogueVectors
from moodmirror.recommendation.taste import Taste
from moodmirror.recommendation.text_query import TextQuery

LOGGER = logging.getLogger("moodmirror.recommendation")


@dataclass(frozen=True)
class Recommendation:
    """An item, its `score` (0…1) for what the mode looks for, and `why` it is recommended, in one line.

    In the modes match and surprise the score is the cosine similarity of the item's mood vector to the visitor's mood;
    without a mood, how well the item matches the text query. `details` are further sentences for a visitor who wants to know
    more; `liked` is true if the visitor likes the item.
    """

    item: Item
    score: float
    why: str
    details: tuple[str, ...] = ()
    liked: bool = False


class Recommender:
    """Ranks the items of the four tables for a mood and, if given, one visitor's taste."""

    def __init__(
        self,
        tables: Mapping[str, list[Item]],
        taste: Taste | None = None,
        vectors: CatalogueVectors | None = None,
        counts: Mapping[str, CoLikeCounts] | None = None,
    ) -> None:
        """Prepare the tables. Taste predicts better with the items' sentence `vectors` and the co-like `counts` by kind."""
        self._tables = {
            kind: RankingTable(
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
        """Read the four tables, by default the shipped ones, and the imported tables, if there are any.

        Raises CatalogueError naming every invalid cell.
        """
        folder = catalogue_dir or DATA_DIR
        tables = {kind: read_items(kind, folder, imported_dir) for kind in KINDS}
        counts = {kind: _load_co_likes(imported_dir, kind, tables[kind]) for kind in KINDS} if imported_dir else {}
        return cls(tables, taste, CatalogueVectors.load(folder) if (folder / VECTORS_FILE).exists() else None, counts)

    def with_taste(self, taste: Taste) -> Self:
        """Return a recommender that shares these tables and ranks for this taste too."""
        other = copy(self)
        other._taste = taste
        return other

    def with_songs(self, songs: list[Item]) -> Self:
        """Return a recommender that shares the other tables, and has these songs; their indexes are built at once."""
        other = copy(self)
        table = self._tables["songs"].with_items(songs)
        table.text_query_index, table.content_model, table.is_risky  # noqa: B018  # cached properties
        other._tables = {**self._tables, "songs": table}
        return other

    def update_co_likes(self, kind: str, counts: CoLikeCounts) -> None:
        """Replace the counts of what this site's visitors like together.

        Affects every recommender that shares the table. Thread-safe.
        """
        self._tables[kind].update_co_likes(counts)

    def build_text_query_indexes(self) -> None:
        """Build the tables' indexes of words, which the first text query would otherwise wait for: 6 s for 40,000 items."""
        for table in self._tables.values():
            table.text_query_index  # noqa: B018  # a cached property

    def items(self, kind: str) -> Sequence[Item]:
        """Return all items of a kind, in the order of their table."""
        return self._tables[kind].items

    def item(self, kind: str, item: str) -> Item | None:
        """Return an item by its kind and id; None if there is none."""
        table = self._tables.get(kind)
        return table.items[table.index_of[item]] if table and item in table.index_of else None

    def has_ratings(self, kind: str) -> bool:
        """Return whether any item of a kind has a rating to sort by."""
        return self._tables[kind].ratings is not None

    def filter_values(self, kind: str, column: str) -> list[str]:
        """Return the values of a column, the most frequent first."""
        counts = Counter(value for item in self._tables[kind].items for value in item.facts[column].split("|") if value)
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
        comforting: bool = False,
        only: Collection[str] | None = None,
        sort: str = "match",
    ) -> list[Recommendation]:
        """Return the `k` best items of a kind for a mood vector, [7]; fewer if fewer pass the `filters`.

        Without a mood, `vector` is None: then the text query and taste alone rank, in the mode match.

        `mode` ``match`` looks for the mood as it is, ``lift`` for a better one within reach, ``journey`` orders the items
        from the mood to the emotion `towards`, and ``surprise`` draws items that fit but that match would not list; another
        `seed` draws others. `filters` maps names in :data:`moodmirror.recommendation.filters.FILTERS` to values. Except in
        a journey the best come first, but similar items are kept apart, and no artist or director is listed twice in a row
        while there are others. A `text_query` counts beside the mood, and so does the recommender's taste: hidden items are
        never listed, skipped and recently seen ones rank lower. Items whose ids are in `exclude`, or not in `only` if that
        is given, are left out, and for a low mood items that may do harm then
        (:mod:`moodmirror.recommendation.content_safety`).

        With the `sort` ``rating``, of the items that fit well the best rated come first, weighted by their votes, in tables
        with ratings. A journey keeps its order.

        With `comforting`, for a person in a crisis, only items that comfort and connect are listed, the best for that first,
        with or without a mood, whatever the mode, `only` and `sort`.

        Raises ValueError for an unknown kind, mode, sort, emotion or filter, an invalid filter value, a k below 1, a
        `towards` that is missing or that the mode does not take, a mode other than match without a mood, or a vector that is
        not seven finite non-negative numbers, some of them above 0.
        """
        if kind not in self._tables:
            raise ValueError(f"unknown kind {kind!r}: use one of {', '.join(KINDS)}")
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        mood = None if vector is None else _checked_mood(vector)
        _check_mode(mode, towards, sort)
        if comforting:
            mode, towards, sort = "match", None, "match"
        if mood is None and mode != "match":
            raise ValueError(f"the mode {mode} needs a mood to start from: give one, or use match")
        table = self._tables[kind]
        taste = self._taste.snapshot(kind) if self._taste else None
        passing = self._passing(kind, filters or {})
        if mood is not None and is_low_mood(mood):
            passing = passing[~table.is_risky[passing]]
        if comforting:
            passing, only = passing[table.is_comforting[passing]], None
        passing = table.select(passing, only, without={*exclude, *(taste.hidden if taste else ())})
        k = min(k, len(passing))
        if k == 0:
            return []
        fits = _fits(table, mood, mode, towards, k, comforting=comforting)
        if len(passing) < len(table.items):
            fits = fits[:, passing]
        signals = RankingSignals(table, taste, text_query)
        scores = signals.add_to(fits, passing)
        if mode == "surprise":
            # A recently seen item is still an obvious choice, so freshness does not count there.
            obvious_scores = signals.add_to(fits, passing, with_freshness=False)
            shortlist, drawn = draw_unexpected(scores[0], obvious_scores[0], table.traits, passing, k=k, seed=seed)
        else:
            shortlist, drawn = select_best(scores, max(SHORTLIST_FACTOR * k, MIN_SHORTLIST)), 0
        recommendations = []
        by_rating = sort == "rating" and towards is None
        for step, choice in enumerate(_arrange(table, passing[shortlist], scores[:, shortlist], k, by_rating=by_rating)):
            column = shortlist[choice]
            index = int(passing[column])
            item, fit = table.items[index], float(fits[min(step, len(fits) - 1), column])
            phrases, details = signals.explain(index)
            if comforting:
                phrases.insert(0, explain_comfort(kind, item))
            elif mood is None:
                fit = signals.query_score(index)
            elif towards is not None:
                phrases.insert(0, explain_journey_step(mood, towards, step + 1, k))
            elif mode == "lift":
                phrases.insert(0, explain_lift(item, mood))
            else:
                phrases.insert(0, ("not the obvious choice, " if choice < drawn else "") + explain_match(item, mood, fit))
            recommendations.append(
                Recommendation(
                    item,
                    score=min(max(fit, 0.0), 1.0),
                    why=compose_explanation(kind, item, *phrases),
                    details=(describe_item_mood(item), *details),
                    liked=taste is not None and item.id in taste.liked,
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
        comforting: bool = False,
        sort: str = "match",
    ) -> dict[str, list[Recommendation]]:
        """Call :meth:`recommend` for several kinds; each filter applies only to the kinds that have it.

        A kind without any item of a genre gives an empty list. Raises ValueError as :meth:`recommend` does, for a filter
        that no kind has, and for a genre that no kind has.
        """
        filters_of = split_by_kind(kinds, filters or {})
        without_genre = {
            kind
            for kind in kinds
            if "genre" in filters_of[kind] and filters_of[kind]["genre"] not in self._tables[kind].genres
        }
        if without_genre and all(kind in without_genre or "genre" not in filters_of[kind] for kind in kinds):
            raise _unknown_genre(
                filters_of[min(without_genre)]["genre"], set().union(*(self._tables[kind].genres for kind in without_genre))
            )
        return {
            kind: []
            if kind in without_genre
            else self.recommend(
                vector,
                kind,
                k,
                mode,
                filters_of[kind],
                towards=towards,
                seed=seed,
                text_query=text_query,
                comforting=comforting,
                sort=sort,
            )
            for kind in kinds
        }

    def check_filters(self, kind: str, filters: Filters) -> None:
        """Raise ValueError, as :meth:`recommend` does, for a filter that a kind does not have, or an invalid value."""
        make_predicates(kind, filters)
        genres = self._tables[kind].genres
        if "genre" in filters and filters["genre"] not in genres:
            raise _unknown_genre(filters["genre"], genres)

    def _passing(self, kind: str, filters: Filters) -> npt.NDArray[np.intp]:
        """Return the indices of a kind's items that pass the filters, ascending."""
        items = self._tables[kind].items
        self.check_filters(kind, filters)
        predicates = make_predicates(kind, filters)
        if not predicates:
            return np.arange(len(items))
        return np.array(
            [index for index, item in enumerate(items) if all(passes(item) for passes in predicates)], dtype=np.intp
        )


def _load_co_likes(folder: Path, kind: str, items: Iterable[Item]) -> CoLikeCounts:
    """Return the imported co-like counts of a kind; empty, with a warning in the log, if they can't be read."""
    try:
        return CoLikeCounts.load(folder, kind).renamed({other: item.id for item in items for other in item.other_ids})
    except CatalogueError as error:
        LOGGER.warning("Recommending %s without imported co-likes: %s", kind, error)
        return CoLikeCounts()


def _fits(
    table: RankingTable, mood: MoodVector | None, mode: str, towards: str | None, k: int, *, comforting: bool
) -> npt.NDArray[np.float32]:
    """Return how well each item fits what is looked for, float32 [targets, n]: zeros for a text query without a mood."""
    if comforting:
        fits: npt.NDArray[np.float32] = table.fits(ranking_modes.comfort()) + CONNECTION_WEIGHT * table.connects
        return fits
    if mood is None:
        return np.zeros((1, len(table.items)), np.float32)
    return table.fits(ranking_targets(mood, mode, towards, k))


def _arrange(
    table: RankingTable, shortlist: npt.NDArray[np.intp], scores: npt.NDArray[np.float32], k: int, *, by_rating: bool
) -> Sequence[int]:
    """Return the positions of `k` items of a shortlist in the order of the list; `scores`, [targets, m], are theirs."""
    if by_rating and table.ratings is not None:
        best_rated: list[int] = np.lexsort((-scores[0], -table.ratings[shortlist]))[:k].tolist()
        return best_rated
    similarity, same_creator = table.traits.similarity(shortlist)
    return arrange_by_mmr(scores, similarity, same_creator, k)


def _checked_mood(vector: npt.ArrayLike) -> MoodVector:
    mood = np.asarray(vector, dtype=np.float32)
    if mood.shape != (len(EMOTIONS),) or not np.isfinite(mood).all() or mood.min() < 0 or mood.max() <= 0:
        raise ValueError(f"a mood must be {len(EMOTIONS)} non-negative numbers, some of them above 0")
    shares: MoodVector = mood / mood.sum()
    return shares


def _check_mode(mode: str, towards: str | None, sort: str) -> None:
    if sort not in SORTS:
        raise ValueError(f"unknown sort {sort!r}: use one of {', '.join(SORTS)}")
    if mode not in MODES:
        raise ValueError(f"unknown mode {mode!r}: use one of {', '.join(MODES)}")
    if mode == "journey" and towards not in EMOTIONS:
        raise ValueError(f"a journey needs an emotion to lead towards, one of {', '.join(EMOTIONS)}")
    if mode != "journey" and towards is not None:
        raise ValueError(f"only the mode journey leads towards an emotion, {mode} does not")


def _unknown_genre(genre: str | int, genres: set[str]) -> ValueError:
    return ValueError(f"unknown genre {genre!r}: use one of {', '.join(sorted(genres))}")
