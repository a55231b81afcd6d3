"""Ratings of films by the users of other sites, weighted by their number of votes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import RATING, VOTES, Item

SORTS: Final = ("match", "rating")
"""The orders of a list: best match first, or of the items that fit, the best rated first."""


def weighted_ratings(items: Sequence[Item]) -> npt.NDArray[np.float32] | None:
    """Return each item's rating, 0…10, weighted by its votes, float32 [n]: −1 where none is known. None if none has one.

    The weighted rating (Bayesian mean) is the one of IMDb's Top 250: as if everything had, beside its own votes, the median
    number of votes at the mean rating. So a perfect rating by three people does not win. A rating without a number of votes
    counts as if it had the median.
    """
    ratings = np.array([float(item.facts.get(RATING) or np.nan) for item in items])
    is_rated = np.isfinite(ratings)
    if not is_rated.any():
        return None
    votes = np.array([float(item.facts.get(VOTES) or np.nan) for item in items])
    has_votes = is_rated & np.isfinite(votes)
    median = max(float(np.median(votes[has_votes])), 1.0) if has_votes.any() else 1.0
    votes = np.where(np.isfinite(votes), votes, median)
    weighted = (votes * ratings + median * ratings[is_rated].mean()) / (votes + median)
    return np.where(is_rated, weighted, -1).astype(np.float32)
