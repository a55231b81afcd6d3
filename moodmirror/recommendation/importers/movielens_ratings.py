"""MovieLens' ratings.csv: how often each film is rated, and as counts of several people, what they like together."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.recommendation.item_item import CoLikeCounts

if TYPE_CHECKING:
    import pandas as pd

LIKED: Final = 4.0  # stars from which on a film counts as liked, of 0.5…5
COLUMNS: Final = {"userId": "int64", "movieId": "str", "rating": "float64", "timestamp": "float64"}


def read(path: Path) -> "pd.DataFrame | None":
    """The ratings of a file, oldest first; None if there is no such file. Raises SourceError if it is in another form."""
    import pandas as pd  # noqa: PLC0415  # takes a second, and serving does without

    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, usecols=list(COLUMNS), dtype=COLUMNS)
    except (OSError, ValueError) as error:
        needed = ", ".join(COLUMNS)
        raise SourceError(f"{path} can't be read as MovieLens' ratings, with the columns {needed}: {error}") from None
    return table.sort_values("timestamp", kind="stable")


def count_likes(ratings: "pd.DataFrame", id_of: Mapping[str, str]) -> CoLikeCounts:
    """What people like together of the films in `id_of`, which gives our ids by MovieLens' own."""
    liked = ratings[(ratings["rating"] >= LIKED) & ratings["movieId"].isin(list(id_of))]
    return CoLikeCounts.from_likes(liked["userId"].to_numpy(), liked["movieId"].map(id_of).to_numpy())
