"""Make a network's surest answer as sure as it is right."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import softmax

CERTAIN: Final = 1e-6  # so near to 0 or 1 a probability counts as, lest one answer outweighs all


def scale_to_be_right(parts: Iterable[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], float]]) -> float:
    """What to multiply logits by for the likeliest class to be right as often as its probability says.

    Each of `parts` is the logits [n, classes] of some answers, whether the likeliest class is right, bool [n], and what the
    part weighs. The scale is the one of least log loss of being right; no answer changes by it.
    """
    seen = list(parts)

    def loss(scale: float) -> float:
        losses = []
        for logits, right, weight in seen:
            surest = np.clip(softmax(scale * logits, axis=1).max(axis=1), CERTAIN, 1 - CERTAIN)
            losses.append(weight * -np.where(right, np.log(surest), np.log(1 - surest)).mean())
        return float(sum(losses))

    return float(minimize_scalar(loss, bounds=(0.3, 3.0), method="bounded").x)
