"""MovieLens' data sets: films, users' tags and ratings, and co-like counts of them.

The newer sets are CSV files; those of 1 and 10 million ratings have ``movies.dat`` and ``ratings.dat``, the one of 100,000
has ``u.item`` and ``u.data``, all without a header and, but for the set of 10 million, in Latin-1.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from moodmirror.csv_files import CsvFileError, detect_dialect, detect_encoding
from moodmirror.recommendation.importers.source_files import SourceError, open_csv, read_csv
from moodmirror.recommendation.item_item import CoLikeCounts

if TYPE_CHECKING:
    import pandas as pd

FILES: Final = ("movies.dat", "u.item")  # of films, without a header
MIN_LIKED_STARS: Final = 4.0  # of 0.5…5: a film with at least this rating counts as liked
MIN_TAGGERS: Final = 2  # users who must agree on a tag, if any tag of the film has so many
COLUMNS: Final = {"userId": "int64", "movieId": "str", "rating": "float64", "timestamp": "float64"}
# The genres of u.item, one flag for each, after the id, title, two dates and address.
_U_ITEM_GENRES: Final = (
    "unknown", "Action", "Adventure", "Animation", "Children", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
_U_ITEM_FLAGS: Final = 5  # the position of the first flag


def find(path: Path) -> Path | None:
    """Return the file of films of a MovieLens folder, or the path itself if it is such a file; else None."""
    candidates = [path / name for name in (*FILES, "movies.csv")] if path.is_dir() else [path]
    for file in candidates:
        if file.name in FILES and file.is_file():
            return file
        if file.suffix.lower() == ".csv" and file.is_file() and {"movieId", "title", "genres"} <= set(open_csv(file)[0]):
            return file
    return None


def open_films(path: Path) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Return the columns and rows of a file of films without a header."""
    parse = _u_item_row if path.name == "u.item" else _dat_row
    try:
        encoding = detect_encoding(path)
    except CsvFileError as error:
        raise SourceError(str(error)) from None

    def rows() -> Iterator[dict[str, str]]:
        with path.open(encoding=encoding, errors="replace") as file:
            yield from filter(None, map(parse, file))

    return ["movieId", "title", "genres"], rows()


def _dat_row(line: str) -> dict[str, str] | None:
    cells = line.strip().split("::")
    return dict(zip(("movieId", "title", "genres"), cells, strict=True)) if len(cells) == 3 else None


def _u_item_row(line: str) -> dict[str, str] | None:
    cells = line.strip().split("|")
    flags = cells[_U_ITEM_FLAGS:]
    if len(flags) != len(_U_ITEM_GENRES):
        return None
    genres = [genre for genre, flag in zip(_U_ITEM_GENRES[1:], flags[1:], strict=True) if flag == "1"]
    return {"movieId": cells[0], "title": cells[1], "genres": "|".join(genres)}


def with_ratings(path: Path, rows: Iterator[dict[str, str]]) -> Iterator[dict[str, str]]:
    """Add to each film its mean rating, 0…10, the number of ratings, and its ids elsewhere, from the files beside `path`."""
    ratings = read_ratings(path)
    means = ratings.groupby("movieId")["rating"].agg(["mean", "count"]).to_dict("index") if ratings is not None else {}
    links = path.with_name("links.csv")
    ids = {row["movieId"]: row for row in read_csv(links)[1]} if path.suffix == ".csv" and links.is_file() else {}
    for row in rows:
        known, link = means.get(row["movieId"]), ids.get(row["movieId"], {})
        imdb = link.get("imdbId", "")
        yield row | {
            "averageRating": f"{2 * known['mean']:.2f}" if known else "",
            "numVotes": str(known["count"]) if known else "",
            "imdbId": f"tt{imdb:0>7}" if imdb.isdigit() else imdb,
            "tmdbId": link.get("tmdbId", ""),
        }


def read_user_tags(path: Path) -> dict[str, list[str]]:
    """Return tags by film id: those that several users gave, or all if too few users tagged the film."""
    if not path.is_file():
        return {}
    _, rows = open_csv(path)
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        counts.setdefault(row.get("movieId", ""), Counter())[row.get("tag", "").lower()] += 1
    return {
        film: [tag for tag, count in own.items() if count >= MIN_TAGGERS or own.most_common(1)[0][1] < MIN_TAGGERS]
        for film, own in counts.items()
    }


def read_ratings(films: Path) -> "pd.DataFrame | None":
    """Read the ratings beside a file of films, oldest first; None if there are none.

    Raises SourceError if they are in another format.
    """
    import pandas as pd  # noqa: PLC0415  # importing pandas takes a second, and serving does not need it

    name = {"movies.dat": "ratings.dat", "u.item": "u.data"}.get(films.name, "ratings.csv")
    path = films.with_name(name)
    if not path.is_file():
        return None
    try:
        options: dict[str, Any] = {"header": None, "names": list(COLUMNS)}
        if name == "ratings.dat":
            options |= {"sep": ":", "usecols": [0, 2, 4, 6]}  # every other cell lies between the colons of a separator
        elif name == "u.data":
            options["sep"] = "\t"
        else:
            options = {"usecols": list(COLUMNS), **detect_dialect(path).pandas_options()}
        table: pd.DataFrame = pd.read_csv(path, dtype=COLUMNS, **options)
    except (OSError, ValueError) as error:
        needed = ", ".join(COLUMNS)
        raise SourceError(f"{path} can't be read as MovieLens' ratings, which have the columns {needed}: {error}") from None
    ordered: pd.DataFrame = table.sort_values("timestamp", kind="stable")
    return ordered


def count_co_likes(ratings: "pd.DataFrame", id_of: Mapping[str, str]) -> CoLikeCounts:
    """Count co-likes of the films in `id_of`, which maps MovieLens' ids to catalogue ids."""
    liked = ratings[(ratings["rating"] >= MIN_LIKED_STARS) & ratings["movieId"].isin(list(id_of))]
    return CoLikeCounts.from_likes(liked["userId"].to_numpy(), liked["movieId"].map(id_of).to_numpy())
