"""Next-item prediction from a person's ratings on MovieLens, compared with popularity and matrix factorization."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from benchmarks.recommend.report import Finding, FloatArray, print_row
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.importers import movie_files, movies
from moodmirror.recommendation.importers.imported_table import ImportedTable, import_entries
from moodmirror.recommendation.importers.movielens import MIN_LIKED_STARS
from moodmirror.recommendation.taste import Opinion, Taste

K: Final = 10
# The verdict of a visitor who would rate a film with at least this many stars.
VERDICT_BY_MIN_STARS: Final = ((MIN_LIKED_STARS, "like"), (3.0, "play"), (2.0, "skip"), (0.0, "hide"))
HISTORY_LENGTHS: Final = (5, 10, 20, 50)  # ratings of a person that a ranker receives


@dataclass(frozen=True)
class Person:
    """A person's ratings before the held-out film, oldest first, and that film (`target`), by MovieLens' ids."""

    films: npt.NDArray[np.int_]
    stars: FloatArray
    times: FloatArray  # seconds since the epoch
    target: int


class Ranker(Protocol):
    """A method to compare, fitted to the ratings of all people."""

    def __call__(self, person: Person, known: int) -> int:
        """Return the rank, from 0, of the person's target among all films that they have not rated; K for any lower rank.

        Only the newest `known` ratings of the person may be used to rank.
        """


def leave_last_out(ratings: pd.DataFrame, back: int = 1) -> list[Person]:
    """Hold out the last film that each person liked, or the `back`-th last; people who liked fewer are left out."""
    people = []
    for _, own in ratings.groupby("userId"):
        liked = np.flatnonzero(own["rating"] >= MIN_LIKED_STARS)
        if len(liked) >= back:
            before = own.iloc[: liked[-back]]
            films, stars, times = (before[name].to_numpy() for name in ("movieId", "rating", "timestamp"))
            people.append(Person(films, stars, times, target=int(own["movieId"].iloc[liked[-back]])))
    return people


class ScoreRanker(ABC):
    """A ranker by scores of all films, [count] in the order of `films`; ties share their middle rank."""

    def __init__(self, people: list[Person], films: npt.NDArray[np.int_]) -> None:
        self.index_of = {film: index for index, film in enumerate(films.tolist())}
        rows = np.repeat(np.arange(len(people)), [len(person.films) for person in people])
        columns = [self.index_of[film] for person in people for film in person.films.tolist()]
        marks = [stars >= MIN_LIKED_STARS for person in people for stars in person.stars]
        self.likes = sparse.csr_matrix((np.array(marks, np.float32), (rows, columns)), (len(people), len(films)))
        self.likes.eliminate_zeros()

    @abstractmethod
    def score(self, films: npt.NDArray[np.int_], stars: FloatArray) -> FloatArray:
        """Return the score of each film, [count], for a person who gave these `films`, by index, these `stars`."""

    def __call__(self, person: Person, known: int) -> int:
        """Return the rank of the person's target."""
        rated = np.array([self.index_of[film] for film in person.films.tolist()], dtype=np.int_)
        scores = np.array(self.score(rated[-known:], person.stars[-known:]), dtype=float)
        scores[rated] = -np.inf
        own = scores[self.index_of[person.target]]
        return int((scores > own).sum() + (scores == own).sum() // 2)


class PopularityRanker(ScoreRanker):
    """Ranks by the number of likes."""

    def score(self, films: npt.NDArray[np.int_], stars: FloatArray) -> FloatArray:
        """Return the same scores for everyone."""
        return np.asarray(self.likes.sum(axis=0), dtype=np.float64).ravel()


class RandomRanker(ScoreRanker):
    """Ranks at random."""

    generator = np.random.default_rng(0)

    def score(self, films: npt.NDArray[np.int_], stars: FloatArray) -> FloatArray:
        """Return new random scores at each call."""
        return self.generator.random(self.likes.shape[1])


class AlsRanker(ScoreRanker):
    """`implicit`'s alternating least squares (Y. Hu, Y. Koren and C. Volinsky, ICDM 2008), with its default settings."""

    def __init__(self, people: list[Person], films: npt.NDArray[np.int_]) -> None:
        from implicit.als import AlternatingLeastSquares  # noqa: PLC0415  # may not be installed

        super().__init__(people, films)
        self.model = AlternatingLeastSquares(random_state=0, num_threads=1)
        self.model.fit(self.likes, show_progress=False)

    def score(self, films: npt.NDArray[np.int_], stars: FloatArray) -> FloatArray:
        """Return scores by the factors that fit the person's likes."""
        liked = films[stars >= MIN_LIKED_STARS]
        marks = np.ones(len(liked), np.float32)
        own = sparse.csr_matrix((marks, (np.zeros(len(liked), int), liked)), (1, self.likes.shape[1]))
        factors = self.model.recalculate_user(0, own)
        return np.asarray(self.model.item_factors @ np.ravel(factors))


class MirrorRanker:
    """Mood Mirror's recommender: its importer, tables, taste and lists of ten, as the page shows them without a mood."""

    def __init__(self, recommender: Recommender, id_of: Mapping[str, str]) -> None:
        self.recommender = recommender
        self.id_of = {int(film): item for film, item in id_of.items()}

    def __call__(self, person: Person, known: int) -> int:
        """Return the target's rank in the list."""
        rated = [self.id_of[film] for film in person.films.tolist()]
        newest = zip(rated[-known:], person.stars[-known:], person.times[-known:], strict=True)
        opinions = [Opinion("movies", item, verdict_of(stars), at) for item, stars, at in newest]
        recommender = self.recommender.with_taste(Taste(opinions, clock=lambda: float(person.times[-1])))
        rows = recommender.recommend(None, "movies", K, exclude=rated)
        ids = [row.item.id for row in rows]
        target = self.id_of[person.target]
        return ids.index(target) if target in ids else K


def verdict_of(stars: float) -> str:
    """Return the verdict of a visitor who would rate a film with `stars`."""
    return next(verdict for minimum, verdict in VERDICT_BY_MIN_STARS if stars >= minimum)


def import_movielens(folder: Path, people: list[Person], target: Path) -> tuple[Recommender, Recommender]:
    """Import MovieLens with these people's ratings into `target`, with the importer of the site.

    Returns a recommender with content only, and one with co-likes too.
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
    films = movie_files.read(source)

    def recognizer() -> TextEmotionRecognizer:
        raise AssertionError("MovieLens has no overviews to analyze")

    import_entries(
        table, table.entries_to_import(films), partial(movies.make_rows, recognizer), movies.BATCH, lambda count: None
    )
    content_only = Recommender.open(imported_dir=target / "catalogue")
    co_likes = movie_files.count_co_likes(source)
    assert co_likes is not None
    co_likes.save(target / "catalogue", "movies")
    return content_only, Recommender.open(imported_dir=target / "catalogue")


def evaluate(ranker: Ranker, people: list[Person], known: int | None) -> tuple[float, float, int]:
    """Return NDCG@10, hit rate@10 and the number of people, with the newest `known` ratings of each, or all of them.

    People with fewer ratings are left out; with all ratings, those with fewer than ten.
    """
    included = [person for person in people if len(person.films) >= (known or HISTORY_LENGTHS[1])]
    ranks = np.array([ranker(person, known or len(person.films)) for person in included])
    return float(np.where(ranks < K, 1 / np.log2(ranks + 2), 0).mean()), float((ranks < K).mean()), len(included)


def measure_taste(folder: Path, back: int = 1) -> list[Finding]:
    """Measure whether a person's ratings help; with `back` 2 on the development set on which settings were chosen."""
    source = folder / "ml-latest-small"
    ratings = pd.read_csv(source / "ratings.csv").sort_values(["userId", "timestamp", "movieId"], kind="stable")
    films = pd.read_csv(source / "movies.csv")["movieId"].to_numpy()
    people = leave_last_out(ratings, back)
    print(f"\nDoes taste help? The last film that each of {len(people)} people liked, among {len(films)}, MovieLens")
    print_row("NDCG@10 (hit rate@10) by ratings known", *(f"{known}" for known in HISTORY_LENGTHS), "all")
    with tempfile.TemporaryDirectory(prefix="mood-mirror-") as target:
        content_only, with_co_likes = import_movielens(source, people, Path(target))
        id_of = movie_files.item_ids(source)
    factories: dict[str, Callable[[], Ranker]] = {
        "random": lambda: RandomRanker(people, films),
        "popularity": lambda: PopularityRanker(people, films),
        "implicit ALS, default settings": lambda: AlsRanker(people, films),
        "the mirror, content only": lambda: MirrorRanker(content_only, id_of),
        "the mirror, with co-likes": lambda: MirrorRanker(with_co_likes, id_of),
    }
    popularity: list[float] = []
    for name, create in factories.items():
        try:
            ranker = create()
        except ImportError:
            print(f"  {name}: not measured, the package implicit is not installed (it is in requirements-dev.txt)")
            continue
        results = [evaluate(ranker, people, known) for known in (*HISTORY_LENGTHS, None)]
        print_row(name, *(f"{ndcg:.3f}" for ndcg, _, _ in results))
        print_row("", *(f"({hit_rate:.3f})" for _, hit_rate, _ in results))
        if name == "popularity":
            popularity = [ndcg for ndcg, _, _ in results]
    gains = [ndcg / baseline - 1 for (ndcg, _, _), baseline in zip(results, popularity, strict=True)]
    print_row("its NDCG above popularity's", *(f"{gain:+.0%}" for gain in gains))
    print_row("people", *(count for _, _, count in results))
    print(
        f"  Held out: each person's last film of {MIN_LIKED_STARS:g} stars or more; known are the newest ratings before "
        "it, and of others all before theirs.\n  The mirror imports these ratings, ranks the shipped films too, "
        "and its lists are diverse, as on the page.\n  Half-life, shrinkage and weights: chosen on the last film but one."
    )
    columns = zip((*map(str, HISTORY_LENGTHS), "all"), gains, strict=True)
    return [
        Finding(f"taste: NDCG@10 above popularity's, {known} ratings known", "at least +30 %", f"{gain:+.0%}")
        for known, gain in columns
        if known == "all" or int(known) >= HISTORY_LENGTHS[1]
    ]
