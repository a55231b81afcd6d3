"""Measure whether recommendations are worth following: `make bench-recommend`, or `python -m benchmarks.recommend`.

DATA names the folder of the corpora; what is not there is left out and named. Every figure is of what the method has not
seen; folds and seeds stand with each. Absolute times depend on the machine.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, Item, read_table
from moodmirror.recommendation.diversity import Traits
from moodmirror.recommendation.modes import MODES
from moodmirror.recommendation.selection import largest
from moodmirror.training import song_mood

DATA: Final = Path(os.environ.get("DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "catalogue"
K: Final = 10
SIZES: Final = (10_000, 1_000_000, 10_000_000)
BEST: Final = 20
RANKING_RUNS: Final = 7
MOODS: Final = 200  # drawn at random, besides the seven emotions

MOOD_FOLDS: Final = 10
BOOTSTRAPS: Final = 2000

LIKED: Final = 4.0  # stars from which on a film counts as liked
HISTORIES: Final = (5, 10, 20, 50)  # ratings that are known of a person

Floats = npt.NDArray[np.floating[Any]]


def show(name: str, *values: object) -> None:
    """Print one line of a table."""
    cells = (f"{value:10.3f}" if isinstance(value, float) else f"{value:>10}" for value in values)
    print(f"  {name:46}{''.join(cells)}", flush=True)


def song_moods(folder: Path) -> None:
    """Our song mood against people's."""
    print("Song mood against people, on songs held out")
    for name, value in song_mood.measure(song_mood.Songs.read(folder)).items():
        show(name, value)
    print(
        f"  Valence and arousal: Spearman's correlation, {song_mood.RATING_FOLDS} folds; labels: share right, "
        f"{song_mood.LABEL_FOLDS} folds; means of {song_mood.SEEDS} draws of the folds."
    )


# ── Mood helps? ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _one_hot(*columns: pd.Series) -> sparse.csr_matrix:
    parts = []
    for column in columns:
        codes, values = pd.factorize(column)
        ones = np.ones((codes >= 0).sum())
        rows = np.flatnonzero(codes >= 0)
        parts.append(sparse.csr_matrix((ones, (rows, codes[rows])), shape=(len(column), max(len(values), 1))))
    return sparse.hstack(parts).tocsr()


def _crossed(one: pd.Series, other: pd.Series) -> pd.Series:
    return (one.astype(str) + "×" + other.astype(str)).where(one.notna() & other.notna())


def mood_and_ratings(folder: Path) -> None:
    """Rating error with the mood against without it, on LDOS-CoMoDa."""
    table = pd.read_csv(folder / "ldos_comoda.csv")
    table = table[table["mood"].notna()].reset_index(drop=True)
    base = (table["userID"], table["itemID"], table["genre1"], table["director"])
    without = _one_hot(*base)
    before = (table["mood"], _crossed(table["mood"], table["genre1"]), _crossed(table["mood"], table["userID"]))
    during = table["dominantEmo"]
    with_mood = _one_hot(*base, *before)
    with_both = _one_hot(*base, *before, during, _crossed(during, table["genre1"]), _crossed(during, table["userID"]))
    ratings = table["rating"].to_numpy(float)
    people = table["userID"].to_numpy()
    print(f"\nDoes the mood help? {len(table)} film ratings (1…5) of {len(np.unique(people))} people, LDOS-CoMoDa")
    errors = {name: _errors(x, ratings) for name, x in (("without", without), ("with", with_mood), ("both", with_both))}
    show("", "RMSE", "gain", "from", "to")
    show("people, films, genres, directors", _rmse(errors["without"]))
    for name, key in (("… and the mood before the film", "with"), ("… and the emotion that the film gave*", "both")):
        gains = _bootstrap(people, errors["without"], errors[key])
        show(name, _rmse(errors[key]), _rmse(errors["without"]) - _rmse(errors[key]), *np.percentile(gains, (2.5, 97.5)))
    print(
        f"  Ridge regression, {MOOD_FOLDS} folds of the ratings, seed 0; 95 % interval of the gain from {BOOTSTRAPS}\n"
        "  bootstrap samples of people. * known only after the film: what reading it meanwhile could be worth, no prediction"
    )


def _errors(features: sparse.csr_matrix, ratings: Floats) -> Floats:
    """Squared errors of held-out ratings, float64 [n]; each fold chooses its penalty on a tenth of its training part."""
    errors = np.empty(len(ratings))
    for train, test in KFold(MOOD_FOLDS, shuffle=True, random_state=0).split(ratings):
        held, rest = np.split(np.random.default_rng(0).permutation(train), [len(train) // 10])
        trials = [
            (float(((_ridge(features, ratings, rest, alpha).predict(features[held]) - ratings[held]) ** 2).mean()), alpha)
            for alpha in (1.0, 2.0, 4.0, 8.0, 16.0)
        ]
        predicted = _ridge(features, ratings, train, min(trials)[1]).predict(features[test])
        errors[test] = (np.clip(predicted, 1, 5) - ratings[test]) ** 2
    return errors


def _ridge(features: sparse.csr_matrix, ratings: Floats, rows: npt.NDArray[np.int_], alpha: float) -> Any:
    return Ridge(alpha=alpha).fit(features[rows], ratings[rows])


def _rmse(squared: Floats) -> float:
    return float(np.sqrt(squared.mean()))


def _bootstrap(people: npt.NDArray[np.int_], one: Floats, other: Floats) -> Floats:
    """Differences of RMSE in samples of people, float64 [BOOTSTRAPS]."""
    codes, names = pd.factorize(people)
    sums = np.array([np.bincount(codes, weights) for weights in (one, other, np.ones(len(one)))])
    generator = np.random.default_rng(0)
    drawn = sums[:, generator.integers(0, len(names), (BOOTSTRAPS, len(names)))].sum(axis=2)
    return np.asarray(np.sqrt(drawn[0] / drawn[2]) - np.sqrt(drawn[1] / drawn[2]))


# ── Taste helps? ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Histories:
    """What people rated, before the film that is held out: `items` and `stars` by person, oldest first; `count` items."""

    items: list[npt.NDArray[np.intp]]
    stars: list[Floats]
    count: int

    def matrix(self, value: Callable[[Floats], Floats]) -> sparse.csr_matrix:
        """People by films, [people, count], with the `value` of each one's stars."""
        rows = np.repeat(np.arange(len(self.items)), [len(own) for own in self.items])
        values = np.concatenate([value(own) for own in self.stars])
        return sparse.csr_matrix((values, (rows, np.concatenate(self.items))), shape=(len(self.items), self.count))


class Scorer(Protocol):
    """What is compared: it has learnt from histories, and scores all films for one person's."""

    def __call__(self, items: npt.NDArray[np.intp], stars: Floats) -> Floats:
        """How much someone who gave `items` these `stars`, oldest first, should like each film: [count]."""


def likes(stars: Floats) -> Floats:
    """1 for what is liked, else 0."""
    return (stars >= LIKED).astype(float)


def popularity(histories: Histories) -> Scorer:
    """How many like a film."""
    counts = np.asarray(histories.matrix(likes).sum(axis=0), dtype=np.float64).ravel()
    return lambda items, stars: counts


def at_random(histories: Histories) -> Scorer:
    """Any film."""
    generator = np.random.default_rng(0)
    return lambda items, stars: generator.random(histories.count)


def als(histories: Histories) -> Scorer:
    """`implicit`'s alternating least squares (Y. Hu, Y. Koren and C. Volinsky, ICDM 2008), its own default settings."""
    from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # may be absent

    matrix = histories.matrix(likes).astype(np.float32)
    model = AlternatingLeastSquares(random_state=0, num_threads=1)
    model.fit(matrix, show_progress=False)

    def score(items: npt.NDArray[np.intp], stars: Floats) -> Floats:
        own = sparse.csr_matrix((likes(stars).astype(np.float32), (np.zeros(len(items), int), items)), (1, histories.count))
        factors = model.recalculate_user(0, own)
        return np.asarray(model.item_factors @ np.ravel(factors))

    return score


# What a liking that is so many ratings old still weighs is half; tastes and eras change.
HALF_LIFE: Final = 3.0
SHRINKAGE: Final = 5.0  # people who like both films, fewer than which says little
CONTENT_SHARE: Final = 0.1  # of a hybrid score; the rest is what other people liked


def _weights(stars: Floats) -> Floats:
    """What a person's ratings are worth: above or below the middle, the newest most."""
    weights: Floats = np.clip(stars - 2.5, -0.5, 2.5) * 0.5 ** (np.arange(len(stars))[::-1] / HALF_LIFE)
    return weights


def content(features: sparse.csr_matrix, histories: Histories) -> Scorer:
    """The mean cosine similarity of genres, decade and tags to what the person liked."""
    return lambda items, stars: np.asarray(features @ (features[items].T @ _weights(stars))).ravel()


def hybrid(features: sparse.csr_matrix, histories: Histories) -> Scorer:
    """Cosine similarity of films by who liked both, shrunk, and a little of what :func:`content` says."""
    matrix = histories.matrix(likes).tocsc()
    matrix.eliminate_zeros()
    norms = np.sqrt(np.asarray(matrix.sum(axis=0)).ravel())
    together = (matrix.T @ matrix).tocoo()
    cosines = together.data / (norms[together.row] * norms[together.col] + SHRINKAGE)
    alike = sparse.csc_matrix((cosines, (together.row, together.col)), shape=together.shape)
    by_content = content(features, histories)

    def score(items: npt.NDArray[np.intp], stars: Floats) -> Floats:
        collaborative: Floats = np.asarray(alike[:, items] @ _weights(stars), dtype=np.float64)
        said = by_content(items, stars)
        return (1 - CONTENT_SHARE) * _scaled(collaborative) + CONTENT_SHARE * _scaled(said)

    return score


def _scaled(values: Floats) -> Floats:
    return values / max(float(np.abs(values).max()), 1e-12)


def movielens(folder: Path) -> tuple[list[pd.DataFrame], sparse.csr_matrix]:
    """Each person's ratings in order of time, and the films' features: unit rows of genres, decades and tags by rarity."""
    films = pd.read_csv(folder / "movies.csv")
    number = {film: index for index, film in enumerate(films["movieId"])}
    ratings = pd.read_csv(folder / "ratings.csv").sort_values(["userId", "timestamp", "movieId"], kind="stable")
    ratings["item"] = ratings["movieId"].map(number)
    tags = pd.read_csv(folder / "tags.csv")
    marks = [(number[film], tag.lower()) for film, tag in zip(tags["movieId"], tags["tag"].astype(str), strict=True)]
    marks += [(index, genre) for index, cell in enumerate(films["genres"]) for genre in cell.split("|")]
    decades = films["title"].str.extract(r"\((\d{3})\d\)\s*$")[0]
    marks += [(index, str(decade)) for index, decade in enumerate(decades) if isinstance(decade, str)]
    marks = sorted(set(marks))
    codes, names = pd.factorize(pd.Series([mark for _, mark in marks]))
    rows = np.array([row for row, _ in marks])
    counts = np.bincount(codes)
    features = sparse.csr_matrix((np.log(len(films) / counts)[codes], (rows, codes)), (len(films), len(names)))
    lengths = np.sqrt(np.asarray(features.multiply(features).sum(axis=1)).ravel())
    unit = sparse.diags_array(1 / np.maximum(lengths, 1e-12)) @ features
    return [own for _, own in ratings.groupby("userId")], unit.tocsr()


def leave_last_out(people: list[pd.DataFrame], count: int, back: int = 1) -> tuple[Histories, npt.NDArray[np.intp]]:
    """All that people rated before the last film they liked (or `back` many before), and that film; −1 without one."""
    items, stars, held = [], [], []
    for own in people:
        liked = np.flatnonzero(own["rating"] >= LIKED)
        end = liked[-back] if len(liked) >= back else len(own)
        items.append(own["item"].to_numpy()[:end].astype(np.intp))
        stars.append(own["rating"].to_numpy()[:end])
        held.append(own["item"].iloc[end] if end < len(own) else -1)
    return Histories(items, stars, count), np.array(held, dtype=np.intp)


def evaluate(score: Scorer, histories: Histories, held: npt.NDArray[np.intp], known: int | None) -> tuple[float, float, int]:
    """NDCG@10, hit rate@10 and the number of people, with the newest `known` ratings of each, or all of them.

    Every film that the person has not rated is ranked. People with fewer ratings are left out; in the middle of equals.
    """
    gains, hits = [], []
    for items, stars, target in zip(histories.items, histories.stars, held, strict=True):
        if target < 0 or len(items) < (known or HISTORIES[1]):
            continue
        scores = np.array(score(items[-(known or 0) :], stars[-(known or 0) :]), dtype=float)
        scores[items] = -np.inf
        rank = int((scores > scores[target]).sum() + (scores == scores[target]).sum() // 2)
        hits.append(rank < K)
        gains.append(1 / np.log2(rank + 2) if rank < K else 0.0)
    return float(np.mean(gains)), float(np.mean(hits)), len(hits)


def taste(folder: Path) -> None:
    """Whether knowing a person helps, on MovieLens."""
    people, features = movielens(folder / "ml-latest-small")
    histories, held = leave_last_out(people, features.shape[0])
    makers: dict[str, Callable[[Histories], Scorer]] = {
        "random": at_random,
        "popularity": popularity,
        "content: genres, decades, tags": partial(content, features),
        "implicit ALS, default settings": als,
        "hybrid: who liked both, and content": partial(hybrid, features),
    }
    print(f"\nDoes taste help? The last film that each of {len(people)} people liked, among {features.shape[0]}, MovieLens")
    show("NDCG@10 (hit rate@10) with so many ratings known", *(f"{known}" for known in HISTORIES), "all")
    popular: list[float] = []
    for name, make in makers.items():
        try:
            scorer = make(histories)
        except ImportError:
            print(f"  {name}: not measured, the package implicit is not installed (it is in requirements-dev.txt)")
            continue
        found = [evaluate(scorer, histories, held, known) for known in (*HISTORIES, None)]
        show(name, *(f"{ndcg:.3f}" for ndcg, _, _ in found))
        show("", *(f"({hit:.3f})" for _, hit, _ in found))
        if name == "popularity":
            popular = [ndcg for ndcg, _, _ in found]
    lead = [ndcg / low - 1 for (ndcg, _, _), low in zip(found, popular, strict=True)]
    show("hybrid's NDCG above popularity's", *(f"{share:+.0%}" for share in lead))
    show("people", *(count for _, _, count in found))
    print(
        f"  Held out: each person's last film of {LIKED:g} stars or more; known are the newest ratings before "
        "it, and of others all before theirs.\n  Half-life, shrinkage and share were chosen on the last but one."
    )


# ── Lists that are not ten times the same ────────────────────────────────────────────────────────────────────────────────


def _moods() -> Iterator[npt.NDArray[np.float32]]:
    for emotion in EMOTIONS:
        yield mood_vector({emotion: 1})
    yield from np.random.default_rng(0).dirichlet(np.full(len(EMOTIONS), 0.5), MOODS).astype(np.float32)


Listing = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.intp]]


@dataclass(frozen=True)
class Table:
    """One kind's items, to judge lists of them: their directions of mood, float32 [n, 7], and their traits."""

    items: list[Item]
    directions: npt.NDArray[np.float32]
    traits: Traits

    @classmethod
    def read(cls, kind: str) -> "Table":
        """The shipped table."""
        items = read_table(CATALOGUE_DIR / f"{kind}.csv", kind)
        return cls(items, np.stack([item.vector / np.linalg.norm(item.vector) for item in items]), Traits(items))

    def fits(self, mood: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Each item's cosine similarity to a mood."""
        return np.asarray(self.directions @ (mood / np.linalg.norm(mood)), dtype=np.float32)

    def recommended(self, recommender: Recommender, kind: str, mode: str) -> Listing:
        """What the recommender lists."""
        index = {item.id: place for place, item in enumerate(self.items)}
        towards = "happy" if mode == "journey" else None
        return lambda mood: np.array(
            [index[row.item.id] for row in recommender.recommend(mood, kind, K, mode, towards=towards)], dtype=np.intp
        )

    def nearest(self, mood: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
        """The nearest, as they come."""
        return largest(self.fits(mood), K)

    def any(self) -> Listing:
        """Any items."""
        generator = np.random.default_rng(0)
        return lambda mood: generator.choice(len(self.items), K, replace=False)

    def judge(self, name: str, listing: Listing) -> None:
        """Print how lists for all moods are."""
        fits, alike = [], []
        seen: set[int] = set()
        for mood in _moods():
            chosen = listing(mood)
            fits.append(float(self.fits(mood)[chosen].mean()))
            likeness, _ = self.traits.likeness(chosen)
            alike.append(float(likeness[np.triu_indices(len(chosen), 1)].mean()))
            seen |= set(chosen.tolist())
        show(name, float(np.mean(fits)), float(np.mean(alike)), f"{len(seen) / len(self.items):.1%}")


def diversity() -> None:
    """How alike the items of a list are, how much of the catalogue is ever shown, and what that costs in match."""
    recommender = Recommender.open()
    print(f"\nLists of {K} for {len(EMOTIONS)} emotions and {MOODS} random moods, the shipped catalogue")
    show("", "match", "alike", "coverage")
    for kind in KINDS:
        table = Table.read(kind)
        for mode in MODES:
            table.judge(f"{kind}, {mode}", table.recommended(recommender, kind, mode))
        table.judge(f"{kind}, the {K} nearest, as they come", table.nearest)
        table.judge(f"{kind}, any {K}", table.any())
    print(
        "  match: mean cosine similarity of an item's mood to the person's (lift and journey aim elsewhere on purpose);\n"
        "  alike: mean cosine similarity of two items' traits; coverage: the share of the table in any of the lists"
    )


# ── Ranking very many ────────────────────────────────────────────────────────────────────────────────────────────────────


def cost(step: Callable[[], object]) -> float:
    """The median CPU time of `step`, in milliseconds; the first run warms up."""
    times = []
    for _ in range(RANKING_RUNS + 1):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times[1:])


def ranking() -> None:
    """What ranking many items exactly costs."""
    print(f"\nThe {BEST} best of many, exactly: one matrix product over float32 [n, {len(EMOTIONS)}] and one selection")
    show("items", "MB", "read, ms", "rank, ms", "GB/s", "exact")
    generator = np.random.default_rng(0)
    mood = generator.dirichlet(np.ones(len(EMOTIONS))).astype(np.float32)
    for size in SIZES:
        features = np.empty((len(EMOTIONS), size), dtype=np.float32)
        for column in features:
            generator.random(out=column, dtype=np.float32)
        # What reading alone costs: one pass that does nothing but find the largest.
        reading = cost(features.max)
        ranking_time = cost(lambda: largest(mood @ features, BEST))  # noqa: B023  # called at once
        fits = mood @ features
        exact = largest(fits, BEST).tolist() == np.argsort(-fits, kind="stable")[:BEST].tolist()
        rate = features.nbytes / 1e6 / ranking_time
        show(f"{size:,}", f"{features.nbytes / 1e6:.1f}", f"{reading:.2f}", f"{ranking_time:.2f}", f"{rate:.1f}", str(exact))
    print(
        f"  Milliseconds of CPU, medians of {RANKING_RUNS} runs, one thread. Besides the table, 4 bytes an item are written "
        "and read once.\n  exact: the same items in the same order as a full stable sort of all"
    )


def main() -> int:
    """Print the figures; returns the exit status."""
    began = time.perf_counter()
    for name, part in (
        ("songs_pmemo_joined_spotify.csv", song_moods),
        ("ldos_comoda.csv", mood_and_ratings),
        ("ml-latest-small", taste),
    ):
        if (DATA / name).exists():
            part(DATA)
        else:
            print(f"\nLeft out: {DATA / name} is missing. Set DATA to the folder that holds catalogue/.")
    diversity()
    ranking()
    print(f"\n{time.perf_counter() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
