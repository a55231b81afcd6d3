"""The co-likes job: counts which items the site's visitors like together, and passes the counts to the recommender."""

import time
from collections.abc import Callable
from typing import Final

from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.item_item import CoLikeCounts
from moodmirror.storage.database import Database, DatabaseUnavailableError

# Between two counts of all likes. So rarely that a change of a list reveals nobody's newest like; deleted likes count for
# this long at most.
REFRESH_SECONDS: Final = 3600.0


class CoLikesJob:
    """Counts the likes of all visitors. Only counts of several visitors reach the recommender."""

    def __init__(self, database: Database, recommender: Recommender, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._database = database
        self._recommender = recommender
        self._clock = clock
        self._due = -float("inf")

    def refresh(self) -> None:
        """Count again if it is time; while the database is unavailable, the previous counts stay."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + REFRESH_SECONDS
        for kind in KINDS:
            try:
                visitors, items = self._database.load_likes(kind)
            except DatabaseUnavailableError:
                return
            self._recommender.update_co_likes(kind, CoLikeCounts.from_likes(visitors, items))
