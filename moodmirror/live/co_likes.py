"""What this site's visitors like together, told to the recommender now and then."""

import time
from collections.abc import Callable
from typing import Final

from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.item_item import CoLikeCounts
from moodmirror.storage.database import Database, DatabaseUnavailableError

# Between two looks at everybody's likes. So seldom that nobody can tell from a list whose like has just come; who asks to be
# forgotten counts for so long at most.
REFRESH_SECONDS: Final = 3600.0


class Crowd:
    """Counts likes of all visitors; only counts of several people reach the recommender."""

    def __init__(self, database: Database, recommender: Recommender, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._database = database
        self._recommender = recommender
        self._clock = clock
        self._due = -float("inf")

    def refresh(self) -> None:
        """Count anew if it is time; while the database is away, what was known holds."""
        if self._clock() < self._due:
            return
        self._due = self._clock() + REFRESH_SECONDS
        for kind in KINDS:
            try:
                visitors, items = self._database.load_likes(kind)
            except DatabaseUnavailableError:
                return
            self._recommender.update_co_likes(kind, CoLikeCounts.from_likes(visitors, items))
