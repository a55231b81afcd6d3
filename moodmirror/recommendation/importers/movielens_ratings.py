"""MovieLens' ratings.csv: ratings of films, and co-like counts of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moodmirror.csv_files import detect_dialect
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.recommendation.item_item import CoLikeCounts

if TYPE_CHECKING:
    import pandas as pd

MIN_LIKED_STARS: Final = 4.0  # of 0.5…5: a film with at least this rating counts as liked
COLUMNS: Final = {"userId": "int64", "movieId": "str", "rating": "float64", "timestamp": "float64"}


def read(path: Path) -> "pd.DataFrame | None":
    """Read the ratings, oldest first; None if the file does not exist. Raises SourceError if it is in another format."""
    import pandas as pd  # noqa: PLC0415  # importing pandas takes a second, and serving does not need it

    if not path.is_file():
        return None
    try:
        table: pd.DataFrame = pd.read_csv(
            path, usecols=list(COLUMNS), dtype=COLUMNS, **detect_dialect(path).pandas_options()
        )
    except (OSError, ValueError) as error:
        needed = ", ".join(COLUMNS)
        raise SourceError(f"{path} can't be read as MovieLens' ratings, which have the columns {needed}: {error}") from None
    ordered: pd.DataFrame = table.sort_values("timestamp", kind="stable")
    return ordered


def count_co_likes(ratings: "pd.DataFrame", id_of: Mapping[str, str]) -> CoLikeCounts:
    """Count co-likes of the films in `id_of`, which maps MovieLens' ids to catalogue ids."""
    liked = ratings[(ratings["rating"] >= MIN_LIKED_STARS) & ratings["movieId"].isin(list(id_of))]
    return CoLikeCounts.from_likes(liked["userId"].to_numpy(), liked["movieId"].map(id_of).to_numpy())
