"""Calibrate the text network on Reddit comments and everyday dialogues."""

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

LogitFunction = Callable[[list[str]], npt.NDArray[np.float32]]  # texts → logits [n, 7]

# Weight of the dialogues beside Reddit's comments, each as a whole. Most lines of the dialogues are neutral: a higher weight
# raises the accuracy there, but then the network misses what people report of their day without emotional words.
EVERYDAY_WEIGHT: Final = 0.1
UNTRAINED_BIAS: Final = -1e4  # of emotions that were left out of the training: a probability of 0
BIAS_PENALTY: Final = 0.01  # on the squared biases: limits those of rare emotions


@dataclass(frozen=True)
class Calibration:
    """How logits z become a mood vector: ``softmax(factor · z + bias)``, `bias` float64 [7]."""

    factor: float
    bias: npt.NDArray[np.float64]


def calibrate(corpora: TextCorpora, logits_of: LogitFunction) -> Calibration:
    """Find the factor and biases that minimize the log loss on texts that were not trained on.

    Vector scaling (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017) with one common factor, on one half of
    GoEmotions' development part and on DailyDialog's calibration dialogues. It fits the shares of texts with several labels;
    but the likeliest emotion is one of a text's labels more often than its share. Factor and biases are therefore scaled
    together until its probability equals that frequency (minimum log loss of being correct, on the same texts); this
    changes no predicted emotion. Emotions that the corpora were cut down by get a probability of 0.
    """
    parts: list[tuple[TextSplit, float]] = [(corpora.development.halves()[0], 1.0)]
    if corpora.everyday_calibration is not None:
        parts.append((corpora.everyday_calibration, EVERYDAY_WEIGHT))
    weighted_logits = [(logits_of(part.texts).astype(np.float64), part, weight) for part, weight in parts]

    def log_loss(values: npt.NDArray[np.float64]) -> float:
        factor, bias = values[0], values[1:]
        losses = (
            weight * -(part.label_distributions() * log_softmax(factor * logits + bias, axis=1)).sum(axis=1).mean()
            for logits, part, weight in weighted_logits
        )
        return float(sum(losses) + BIAS_PENALTY * (bias**2).sum())

    start = np.concatenate([[1.0], np.zeros(len(EMOTIONS))])
    bounds = [(0.2, 3.0), *[(-4.0, 4.0)] * len(EMOTIONS)]
    best = minimize(log_loss, start, bounds=bounds, method="L-BFGS-B").x
    calibrated = [(best[0] * logits + best[1:], part, weight) for logits, part, weight in weighted_logits]
    scale = confidence_scale(
        (logits, part.labels[np.arange(len(part)), logits.argmax(axis=1)], weight) for logits, part, weight in calibrated
    )
    bias = scale * (best[1:] - best[1:].mean())
    return Calibration(scale * float(best[0]), np.where(np.isin(EMOTIONS, corpora.emotions), bias, UNTRAINED_BIAS))
