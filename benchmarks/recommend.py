"""Measure whether recommendations are worth following: `make bench-recommend`, or `python -m benchmarks.recommend`.

DATA names the folder of the corpora; what is not there is left out and named. Every figure is of what the method has not
seen; folds and seeds stand with each. Absolute times depend on the machine.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is loaded
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import statistics
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
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

from moodmirror.app_factory import create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, Item, read_table
from moodmirror.recommendation.diversity import ItemTraits
from moodmirror.recommendation.importers import movies
from moodmirror.recommendation.importers.imported_table import ImportedTable, import_entries
from moodmirror.recommendation.importers.movielens_ratings import MIN_LIKED_STARS
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.taste import Opinion, Taste
from moodmirror.recommendation.top_k import top_k_indices
from moodmirror.training import song_mood

DATA: Final = Path(os.environ.get("DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "catalogue"
K: Final = 10
SIZES: Final = (10_000, 1_000_000, 10_000_000)
BEST: Final = 20
RANKING_RUNS: Final = 7
MOODS: Final = 200  # drawn at random, besides the seven emotions

MOOD_FOLDS: Final = 10
BOOTSTRAPS: Final = 2000

# From how many stars on somebody who clicks would have liked, opened, skipped and hidden a film.
VERDICT_FROM: Final = ((MIN_LIKED_STARS, "like"), (3.0, "play"), (2.0, "skip"), (0.0, "hide"))
HISTORIES: Final = (5, 10, 20, 50)  # ratings that are known of a person

Floats = npt.NDArray[np.floating[Any]]


def show(name: str, *values: object) -> None:
    """Print one line of a table."""
    cells = (f"{value:10.3f}" if isinstance(value, float) else f"{value:>10}" for value in values)
    print(f"  {name:46}{''.join(cells)}", flush=True)


@dataclass(frozen=True)
class Finding:
    """One line of the table at the end: what was measured, what it should be, and what it is."""

    what: str
    wanted: str
    found: str


def song_moods(folder: Path) -> list[Finding]:
    """Our song mood against people's."""
    print("Song mood against people, on songs held out")
    measured = song_mood.measure(song_mood.Songs.read(folder))
    for name, value in measured.items():
        show(name, value)
    print(
        f"  Valence and arousal: Spearman's correlation, {song_mood.RATING_FOLDS} folds; labels: share right, "
        f"{song_mood.LABEL_FOLDS} folds; means of {song_mood.SEEDS} draws of the folds."
    )
    return [
        Finding("songs' valence against people's, Spearman", "at least 0.52", f"{measured['valence, ours']:.3f}"),
        Finding("songs' arousal against people's, Spearman", "at least 0.56", f"{measured['arousal, ours']:.3f}"),
        Finding("songs' four labels right", "at least 78 %", f"{measured['labels, ours']:.1%}"),
    ]


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


def mood_and_ratings(folder: Path) -> list[Finding]:
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
    findings = []
    for name, key in (("… and the mood before the film", "with"), ("… and the emotion that the film gave*", "both")):
        gains = _bootstrap(people, errors["without"], errors[key])
        gain, (low, high) = _rmse(errors["without"]) - _rmse(errors[key]), np.percentile(gains, (2.5, 97.5))
        show(name, _rmse(errors[key]), gain, low, high)
        findings.append(
            Finding(f"RMSE gained by {name[2:].rstrip('*')}", "whatever it is", f"{gain:.3f} ({low:.3f}…{high:.3f})")
        )
    print(
        f"  Ridge regression, {MOOD_FOLDS} folds of the ratings, seed 0; 95 % interval of the gain from {BOOTSTRAPS}\n"
        "  bootstrap samples of people. * known only after the film: what reading it meanwhile could be worth, no prediction"
    )
    return findings


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
class Person:
    """What somebody rated before the film that is held out, oldest first, and that film; all by MovieLens' numbers."""

    films: npt.NDArray[np.int_]
    stars: Floats
    times: Floats  # seconds since the epoch
    target: int


class Ranker(Protocol):
    """What is compared: it has learnt from everybody's history."""

    def __call__(self, person: Person, known: int) -> int:
        """The place from 0 of the person's target among all films that they have not rated; K stands for any further one.

        Only the newest `known` ratings of the person tell anything of them.
        """


def leave_last_out(ratings: pd.DataFrame, back: int = 1) -> list[Person]:
    """Everybody who liked so many films: what they rated before the last film they liked, or `back` many before, and it."""
    people = []
    for _, own in ratings.groupby("userId"):
        liked = np.flatnonzero(own["rating"] >= MIN_LIKED_STARS)
        if len(liked) >= back:
            before = own.iloc[: liked[-back]]
            films, stars, times = (before[name].to_numpy() for name in ("movieId", "rating", "timestamp"))
            people.append(Person(films, stars, times, target=int(own["movieId"].iloc[liked[-back]])))
    return people


class Scores(ABC):
    """A ranker by scores of all films, [count] in the order of `films`; a target stands in the middle of its equals."""

    def __init__(self, people: list[Person], films: npt.NDArray[np.int_]) -> None:
        self.number = {film: number for number, film in enumerate(films.tolist())}
        rows = np.repeat(np.arange(len(people)), [len(person.films) for person in people])
        columns = [self.number[film] for person in people for film in person.films.tolist()]
        marks = [stars >= MIN_LIKED_STARS for person in people for stars in person.stars]
        self.likes = sparse.csr_matrix((np.array(marks, np.float32), (rows, columns)), (len(people), len(films)))
        self.likes.eliminate_zeros()

    @abstractmethod
    def score(self, films: npt.NDArray[np.int_], stars: Floats) -> Floats:
        """How much someone who gave these `films`, by place, these `stars` should like each film, [count]."""

    def __call__(self, person: Person, known: int) -> int:
        """The target's place."""
        rated = np.array([self.number[film] for film in person.films.tolist()], dtype=np.int_)
        scores = np.array(self.score(rated[-known:], person.stars[-known:]), dtype=float)
        scores[rated] = -np.inf
        own = scores[self.number[person.target]]
        return int((scores > own).sum() + (scores == own).sum() // 2)


class Popularity(Scores):
    """How many like a film."""

    def score(self, films: npt.NDArray[np.int_], stars: Floats) -> Floats:
        """The same for everybody."""
        return np.asarray(self.likes.sum(axis=0), dtype=np.float64).ravel()


class AtRandom(Scores):
    """Any film."""

    generator = np.random.default_rng(0)

    def score(self, films: npt.NDArray[np.int_], stars: Floats) -> Floats:
        """Drawn anew each time."""
        return self.generator.random(self.likes.shape[1])


class Als(Scores):
    """`implicit`'s alternating least squares (Y. Hu, Y. Koren and C. Volinsky, ICDM 2008), its own default settings."""

    def __init__(self, people: list[Person], films: npt.NDArray[np.int_]) -> None:
        from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # may be absent

        super().__init__(people, films)
        self.model = AlternatingLeastSquares(random_state=0, num_threads=1)
        self.model.fit(self.likes, show_progress=False)

    def score(self, films: npt.NDArray[np.int_], stars: Floats) -> Floats:
        """By the factors that fit what the person liked."""
        liked = films[stars >= MIN_LIKED_STARS]
        marks = np.ones(len(liked), np.float32)
        own = sparse.csr_matrix((marks, (np.zeros(len(liked), int), liked)), (1, self.likes.shape[1]))
        factors = self.model.recalculate_user(0, own)
        return np.asarray(self.model.item_factors @ np.ravel(factors))


class Mirror:
    """The mirror itself: its importer, its tables, its taste and its lists of ten, as the page shows them without a mood."""

    def __init__(self, recommender: Recommender, id_of: Mapping[str, str]) -> None:
        self.recommender = recommender
        self.id_of = {int(film): item for film, item in id_of.items()}

    def __call__(self, person: Person, known: int) -> int:
        """The target's place in the list."""
        rated = [self.id_of[film] for film in person.films.tolist()]
        newest = zip(rated[-known:], person.stars[-known:], person.times[-known:], strict=True)
        opinions = [Opinion("movies", item, verdict_of(stars), at) for item, stars, at in newest]
        recommender = self.recommender.with_taste(Taste(opinions, clock=lambda: float(person.times[-1])))
        listed = recommender.recommend(None, "movies", K, exclude=rated)
        ids = [row.item.id for row in listed]
        target = self.id_of[person.target]
        return ids.index(target) if target in ids else K


def verdict_of(stars: float) -> str:
    """What somebody would have clicked who gives a film so many stars."""
    return next(verdict for least, verdict in VERDICT_FROM if stars >= least)


def import_movielens(folder: Path, people: list[Person], target: Path) -> tuple[Recommender, Recommender]:
    """Have the site import MovieLens with these people's ratings, into `target`.

    Returns what ranks with content alone, and with what people like together too.
    """
    source = target / "movielens"
    source.mkdir()
    for name in ("movies.csv", "tags.csv"):
        (source / name).symlink_to((folder / name).resolve())
    columns = {
        "userId": np.repeat(np.arange(len(people)), [len(person.films) for person in people]),
        "movieId": np.concatenate([person.films for person in people]),
        "rating": np.concatenate([person.stars for person in people]),
        "timestamp": np.concatenate([person.times for person in people]),
    }
    pd.DataFrame(columns).to_csv(source / "ratings.csv", index=False)
    table = ImportedTable(target / "catalogue", "movies")
    films = movies.read(source)

    def recognizer() -> TextEmotionRecognizer:
        raise AssertionError("MovieLens has no overviews to read")

    import_entries(table, table.new_entries(films), partial(movies.make_rows, recognizer), movies.BATCH, lambda count: None)
    content = Recommender.open(imported_dir=target / "catalogue")
    likes = movies.count_co_likes(source)
    assert likes is not None
    likes.save(target / "catalogue", "movies")
    return content, Recommender.open(imported_dir=target / "catalogue")


def evaluate(ranker: Ranker, people: list[Person], known: int | None) -> tuple[float, float, int]:
    """NDCG@10, hit rate@10 and the number of people, with the newest `known` ratings of each, or all of them.

    People with fewer ratings are left out; with all, those with fewer than ten.
    """
    those = [person for person in people if len(person.films) >= (known or HISTORIES[1])]
    ranks = np.array([ranker(person, known or len(person.films)) for person in those])
    return float(np.where(ranks < K, 1 / np.log2(ranks + 2), 0).mean()), float((ranks < K).mean()), len(those)


def taste(folder: Path, back: int = 1) -> list[Finding]:
    """Whether knowing a person helps, on MovieLens; `back` of 2 is what settings are chosen on."""
    source = folder / "ml-latest-small"
    ratings = pd.read_csv(source / "ratings.csv").sort_values(["userId", "timestamp", "movieId"], kind="stable")
    films = pd.read_csv(source / "movies.csv")["movieId"].to_numpy()
    people = leave_last_out(ratings, back)
    print(f"\nDoes taste help? The last film that each of {len(people)} people liked, among {len(films)}, MovieLens")
    show("NDCG@10 (hit rate@10) with so many ratings known", *(f"{known}" for known in HISTORIES), "all")
    with tempfile.TemporaryDirectory(prefix="mood-mirror-") as target:
        content, both = import_movielens(source, people, Path(target))
        id_of = movies.item_ids(source)
    makers: dict[str, Callable[[], Ranker]] = {
        "random": lambda: AtRandom(people, films),
        "popularity": lambda: Popularity(people, films),
        "implicit ALS, default settings": lambda: Als(people, films),
        "the mirror, knowing the person alone": lambda: Mirror(content, id_of),
        "the mirror, knowing what people like together": lambda: Mirror(both, id_of),
    }
    popular: list[float] = []
    for name, make in makers.items():
        try:
            ranker = make()
        except ImportError:
            print(f"  {name}: not measured, the package implicit is not installed (it is in requirements-dev.txt)")
            continue
        found = [evaluate(ranker, people, known) for known in (*HISTORIES, None)]
        show(name, *(f"{ndcg:.3f}" for ndcg, _, _ in found))
        show("", *(f"({hit:.3f})" for _, hit, _ in found))
        if name == "popularity":
            popular = [ndcg for ndcg, _, _ in found]
    lead = [ndcg / low - 1 for (ndcg, _, _), low in zip(found, popular, strict=True)]
    show("its NDCG above popularity's", *(f"{share:+.0%}" for share in lead))
    show("people", *(count for _, _, count in found))
    print(
        f"  Held out: each person's last film of {MIN_LIKED_STARS:g} stars or more; known are the newest ratings before "
        "it, and of others all before theirs.\n  The mirror imports these ratings, ranks the shipped films too, "
        "and its lists are kept diverse, as on the page.\n  Half-life, shrinkage and shares were chosen on the last but one."
    )
    columns = zip((*map(str, HISTORIES), "all"), lead, strict=True)
    return [
        Finding(f"taste: NDCG@10 above popularity's, {known} ratings known", "at least +30 %", f"{share:+.0%}")
        for known, share in columns
        if known == "all" or int(known) >= HISTORIES[1]
    ]


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
    traits: ItemTraits

    @classmethod
    def read(cls, kind: str) -> "Table":
        """The shipped table."""
        items = read_table(CATALOGUE_DIR / f"{kind}.csv", kind)
        return cls(items, np.stack([item.vector / np.linalg.norm(item.vector) for item in items]), ItemTraits(items))

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
        return top_k_indices(self.fits(mood), K)

    def any(self) -> Listing:
        """Any items."""
        generator = np.random.default_rng(0)
        return lambda mood: generator.choice(len(self.items), K, replace=False)

    def judge(self, name: str, listing: Listing) -> tuple[float, float, float]:
        """Print how lists for all moods are; returns their match, how alike their items are, and the coverage."""
        fits, alike = [], []
        seen: set[int] = set()
        for mood in _moods():
            chosen = listing(mood)
            fits.append(float(self.fits(mood)[chosen].mean()))
            likeness, _ = self.traits.similarity(chosen)
            alike.append(float(likeness[np.triu_indices(len(chosen), 1)].mean()))
            seen |= set(chosen.tolist())
        match, likeness_in_list, coverage = float(np.mean(fits)), float(np.mean(alike)), len(seen) / len(self.items)
        show(name, match, likeness_in_list, f"{coverage:.1%}")
        return match, likeness_in_list, coverage


def diversity() -> list[Finding]:
    """How alike the items of a list are, how much of the catalogue is ever shown, and what that costs in match."""
    recommender = Recommender.open()
    print(f"\nLists of {K} for {len(EMOTIONS)} emotions and {MOODS} random moods, the shipped catalogue")
    show("", "match", "alike", "coverage")
    findings = []
    for kind in KINDS:
        table = Table.read(kind)
        ours, *_ = [table.judge(f"{kind}, {mode}", table.recommended(recommender, kind, mode)) for mode in MODES]
        plain = table.judge(f"{kind}, the {K} nearest, as they come", table.nearest)
        table.judge(f"{kind}, any {K}", table.any())
        findings.append(
            Finding(
                f"{kind}: alike in a list (match; coverage)",
                f"{plain[1]:.3f} ({plain[0]:.3f}; {plain[2]:.0%}) as they come",
                f"{ours[1]:.3f} ({ours[0]:.3f}; {ours[2]:.0%})",
            )
        )
    print(
        "  match: mean cosine similarity of an item's mood to the person's (lift and journey aim elsewhere on purpose);\n"
        "  alike: mean cosine similarity of two items' traits; coverage: the share of the table in any of the lists"
    )
    return findings


# ── Ranking very many ────────────────────────────────────────────────────────────────────────────────────────────────────


def cost(step: Callable[[], object]) -> float:
    """The median CPU time of `step`, in milliseconds; the first run warms up."""
    times = []
    for _ in range(RANKING_RUNS + 1):
        began = time.process_time()
        step()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times[1:])


def ranking() -> list[Finding]:
    """What ranking many items exactly costs."""
    print(f"\nThe {BEST} best of many, exactly: one matrix product over float32 [n, {len(EMOTIONS)}] and one selection")
    show("items", "MB", "read, ms", "rank, ms", "GB/s", "exact")
    generator, findings = np.random.default_rng(0), []
    mood = generator.dirichlet(np.ones(len(EMOTIONS))).astype(np.float32)
    for size in SIZES:
        features = np.empty((len(EMOTIONS), size), dtype=np.float32)
        for column in features:
            generator.random(out=column, dtype=np.float32)
        # What reading alone costs: one pass that does nothing but find the largest.
        reading = cost(features.max)
        ranking_time = cost(lambda: top_k_indices(mood @ features, BEST))  # noqa: B023  # called at once
        fits = mood @ features
        exact = top_k_indices(fits, BEST).tolist() == np.argsort(-fits, kind="stable")[:BEST].tolist()
        rate = features.nbytes / 1e6 / ranking_time
        show(f"{size:,}", f"{features.nbytes / 1e6:.1f}", f"{reading:.2f}", f"{ranking_time:.2f}", f"{rate:.1f}", str(exact))
        found = f"{ranking_time:.2f} ms, {features.nbytes / 1e6:.1f} MB{'' if exact else ', NOT EXACT'}"
        findings.append(Finding(f"the {BEST} best of {size:,}, exactly", f"{reading:.2f} ms to read once", found))
    print(
        f"  Milliseconds of CPU, medians of {RANKING_RUNS} runs, one thread. Besides the table, 4 bytes an item are written "
        "and read once.\n  exact: the same items in the same order as a full stable sort of all"
    )
    return findings


# ── Importing ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def importing(folder: Path) -> list[Finding]:
    """What importing a song catalogue and a film catalogue costs, in CPU seconds: other programs may run beside."""
    print("\nImporting, from file to saved table")
    show("", "rows", "CPU, s", "a 1,000")
    findings = []
    for kind, file, command, limit in (
        ("songs", "spotify_songs.csv", ["import", "songs"], "30,000 in under 20 s on two cores"),
        ("movies", "tmdb_5000_movies.csv", ["import", "movies"], "5,000 in under 90 s on two cores"),
    ):
        with tempfile.TemporaryDirectory(prefix="mood-mirror-") as instance:
            runner = create_app(Config(camera=CameraSource("off", "off"), instance=Path(instance))).test_cli_runner()
            began = time.process_time()
            done = runner.invoke(args=[*command, str(folder / file)])
            seconds = time.process_time() - began
            if done.exit_code:
                raise RuntimeError(done.output)
            rows = len(ImportedTable(Path(instance) / "catalogue", kind).rows)
        show(f"{kind}, {file}", f"{rows:,}", f"{seconds:.1f}", f"{1000 * seconds / rows:.2f}")
        findings.append(Finding(f"import of {rows:,} {kind}", limit, f"{seconds:.1f} s of CPU"))
    print("  CPU seconds of all threads together, models opened within: on one idle core so many seconds, on two fewer.")
    return findings


def main() -> int:
    """Print the figures; returns the exit status."""
    began = time.perf_counter()
    parts: tuple[tuple[str | None, Callable[..., list[Finding]]], ...] = (
        ("songs_pmemo_joined_spotify.csv", song_moods),
        ("ldos_comoda.csv", mood_and_ratings),
        ("ml-latest-small", taste),
        (None, diversity),
        (None, ranking),
        ("tmdb_5000_movies.csv", importing),
    )
    findings: list[Finding] = []
    for number, (name, part) in enumerate(parts, start=1):
        print(f"[{number}/{len(parts)}, after {time.perf_counter() - began:.0f} s]", file=sys.stderr, flush=True)
        if name is None:
            findings += part()
        elif (DATA / name).exists():
            findings += part(DATA)
        else:
            print(f"\nLeft out: {DATA / name} is missing. Set DATA to the folder that holds catalogue/.")
    print(f"\n{'in short':64}{'wanted, or to compare':>38}{'found':>26}")
    for finding in findings:
        print(f"{finding.what:64}{finding.wanted:>38}{finding.found:>26}")
    print(f"\n{time.perf_counter() - began:.0f} s in all, {time.process_time():.0f} s of CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
