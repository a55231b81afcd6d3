"""Make the text network as sure as it is right, on Reddit's comments and in everyday talk alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import log_softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.training.calibration import confidence_scale
from moodmirror.training.text_corpora import TextCorpora, TextSplit

Logits = Callable[[list[str]], npt.NDArray[np.float32]]

# How much everyday talk counts beside Reddit's comments, each as a whole. Most of its lines are neutral: more weight
# makes the network right more often there, and blind to what people tell of their day without a word of feeling.
EVERYDAY_WEIGHT: Final = 0.1
BIAS_PENALTY: Final = 0.01  # on the squared biases: a rare emotion's must not run away


@dataclass(frozen=True)
class Calibration:
    """How logits z become a mood vector: ``softmax(factor · z + bias)``, with a bias for each emotion, float64 [7]."""

    factor: float
    bias: npt.NDArray[np.float64]


def calibrate(corpora: TextCorpora, logits_of: Logits) -> Calibration:
    """Find the factor and the biases of least log loss on texts that nothing was trained on.

    Vector scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017) with one common factor, on one half of
    GoEmotions' development part and on the dialogues kept for it. That makes shares of texts with several labels right; how
    often the likeliest emotion is one of a text's labels is more than its share, so factor and biases are then scaled
    together until its probability says that (least log loss of being right, on the same texts). No answer changes by it.
    """
    parts: list[tuple[TextSplit, float]] = [(corpora.development.halves()[0], 1.0)]
    if corpora.everyday_calibration is not None:
        parts.append((corpora.everyday_calibration, EVERYDAY_WEIGHT))
    seen = [(logits_of(part.texts).astype(np.float64), part, weight) for part, weight in parts]

    def log_loss(values: npt.NDArray[np.float64]) -> float:
        factor, bias = values[0], values[1:]
        losses = (
            weight * -(part.shares() * log_softmax(factor * logits + bias, axis=1)).sum(axis=1).mean()
            for logits, part, weight in seen
        )
        return float(sum(losses) + BIAS_PENALTY * (bias**2).sum())

    start = np.concatenate([[1.0], np.zeros(len(EMOTIONS))])
    bounds = [(0.2, 3.0), *[(-4.0, 4.0)] * len(EMOTIONS)]
    found = minimize(log_loss, start, bounds=bounds, method="L-BFGS-B").x
    calibrated = [(found[0] * logits + found[1:], part, weight) for logits, part, weight in seen]
    scale = confidence_scale(
        (logits, part.labels[np.arange(len(part)), logits.argmax(axis=1)], weight) for logits, part, weight in calibrated
    )
    return Calibration(scale * float(found[0]), scale * (found[1:] - found[1:].mean()))
