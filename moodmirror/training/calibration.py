"""Scale logits so that the confidence in the top class equals how often it is correct."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import softmax

# Probabilities are clipped to this distance from 0 and 1, so that a single prediction can't dominate the log loss.
MIN_DISTANCE_FROM_CERTAINTY: Final = 1e-6


def confidence_scale(parts: Iterable[tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_], float]]) -> float:
    """Return the factor of the logits at which the top class is correct as often as its probability states.

    Each of `parts` holds logits [n, classes], whether the top class is correct, bool [n], and the weight of the part. The
    factor minimizes the log loss of being correct. It changes no prediction, as the order of the classes stays.
    """
    fixed_parts = list(parts)

    def loss(scale: float) -> float:
        losses = []
        for logits, correct, weight in fixed_parts:
            confidence = softmax(scale * logits, axis=1).max(axis=1)
            confidence = np.clip(confidence, MIN_DISTANCE_FROM_CERTAINTY, 1 - MIN_DISTANCE_FROM_CERTAINTY)
            losses.append(weight * -np.where(correct, np.log(confidence), np.log(1 - confidence)).mean())
        return float(sum(losses))

    return float(minimize_scalar(loss, bounds=(0.3, 3.0), method="bounded").x)
