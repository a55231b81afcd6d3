"""Merge the two outputs of a trained face network into one calibrated output."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from scipy.optimize import minimize
from scipy.special import log_softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import MODEL_NAME, preprocess
from moodmirror.training.calibration import confidence_scale
from moodmirror.training.face_corpora import FaceSplit
from moodmirror.training.face_network import EMOTIONS_OUTPUT, FEATURES_LAYER, VOTES_OUTPUT

# A network may neglect an emotion in favor of similar ones. The bias of the emotion with the lowest recall is raised by
# BIAS_STEP until every emotion reaches MIN_RECALL, in MAX_BIAS_STEPS at most: more would lose more faces than it gains.
MIN_RECALL: Final = 0.47
BIAS_STEP: Final = 0.02
MAX_BIAS_STEPS: Final = 25
UNTRAINED_LOGIT: Final = -1e5  # of emotions without training faces: a probability of 0 at every temperature


@dataclass(frozen=True)
class Calibration:
    """How the two outputs become one: ``softmax(label_factor · z_emotions + vote_factor · z_votes + bias)``.

    z are the logits of the two outputs, `bias` is added per emotion, float64 [7].
    """

    label_factor: float
    vote_factor: float
    bias: npt.NDArray[np.float64]


def calibrated(network: keras.Model, half: FaceSplit, emotions: Sequence[str] = EMOTIONS) -> tuple[keras.Model, Calibration]:
    """Return a network [n, 48, 48, 1] → [n, 7] that merges the two outputs of `network`, and its calibration.

    Two factors, which minimize the log loss on `half` of the development part, scale and mix the logits: temperature
    scaling (Guo et al., ICML 2017) of two experts. Then :func:`recall_bias` raises the logits of neglected emotions, as in
    logit adjustment (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021). Finally all logits are scaled
    together until the top emotion is correct as often as its probability states. All of this is folded into the last layer
    and costs no time in inference. Emotions that are not among the trained `emotions` get a probability of 0.
    """
    feature_network = keras.Model(network.input, network.get_layer(FEATURES_LAYER).output)
    weights = [network.get_layer(name).get_weights() for name in (EMOTIONS_OUTPUT, VOTES_OUTPUT)]
    untrained = ~np.isin(EMOTIONS, emotions)
    kernels = [np.where(untrained, 0.0, kernel) for kernel, _ in weights]
    biases = [np.where(untrained, UNTRAINED_LOGIT, bias) for _, bias in weights]
    features = np.asarray(feature_network.predict(preprocess(half.faces), batch_size=256, verbose=0), dtype=np.float64)
    logits = [features @ kernel + bias for kernel, bias in zip(kernels, biases, strict=True)]

    def log_loss(factors: npt.NDArray[np.float64]) -> float:
        log_probabilities = log_softmax(factors[0] * logits[0] + factors[1] * logits[1], axis=1)
        return float(-log_probabilities[np.arange(len(half)), half.labels].mean())

    # Without votes in the corpus the second output was never trained and gets no weight.
    max_votes = 5.0 if half.votes is not None and half.votes.any() else 0.0
    start, bounds = (1.0, min(0.1, max_votes)), ((0.05, 5.0), (0.0, max_votes))
    label_factor, vote_factor = minimize(log_loss, x0=start, bounds=bounds, method="L-BFGS-B").x
    mixed = label_factor * logits[0] + vote_factor * logits[1]
    bias = recall_bias(mixed, half.labels)
    scale = confidence_scale([(mixed + bias, (mixed + bias).argmax(axis=1) == half.labels, 1.0)])
    label_factor, vote_factor, bias = scale * label_factor, scale * vote_factor, scale * bias
    output = layers.Dense(len(EMOTIONS), activation="softmax", name=EMOTIONS_OUTPUT)
    served = keras.Model(network.input, output(network.get_layer(FEATURES_LAYER).output), name=MODEL_NAME)
    output.set_weights(
        [
            label_factor * kernels[0] + vote_factor * kernels[1],
            label_factor * biases[0] + vote_factor * biases[1] + bias,
        ]
    )
    return served, Calibration(float(label_factor), float(vote_factor), bias)


def recall_bias(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """Return what to add to logits, float64 [n, 7], for the recall of each emotion to reach MIN_RECALL: float64 [7].

    Each step raises the emotion with the lowest recall, so most emotions keep their logits.
    """
    bias = np.zeros(len(EMOTIONS))
    present = np.unique(labels)
    for _ in range(MAX_BIAS_STEPS):
        predicted = (logits + bias).argmax(axis=1)
        recalls = np.array([(predicted[labels == emotion] == emotion).mean() for emotion in present])
        if recalls.min() >= MIN_RECALL:
            break
        bias[present[recalls.argmin()]] += BIAS_STEP
    return bias
