"""Make the text network as sure as it is right, on Reddit's comments and in everyday talk alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.training.text_corpora import TextCorpora, TextSplit

Logits = Callable[[list[str]], npt.NDArray[np.float32]]

# How much everyday talk counts beside Reddit's comments, each as a whole.
EVERYDAY_WEIGHT: Final = 0.3
CERTAIN: Final = 1e-6  # so near to 0 or 1 a probability counts as, lest one text outweighs all
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

    def loss_of_being_right(scale: float) -> float:
        losses = []
        for logits, part, weight in seen:
            moods = softmax(scale * (found[0] * logits + found[1:]), axis=1)
            right = part.labels[np.arange(len(part)), moods.argmax(axis=1)]
            surest = np.clip(moods.max(axis=1), CERTAIN, 1 - CERTAIN)
            losses.append(weight * -np.where(right, np.log(surest), np.log(1 - surest)).mean())
        return float(sum(losses))

    scale = float(minimize_scalar(loss_of_being_right, bounds=(0.3, 3.0), method="bounded").x)
    return Calibration(scale * float(found[0]), scale * (found[1:] - found[1:].mean()))
