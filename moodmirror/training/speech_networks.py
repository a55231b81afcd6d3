"""The speech networks over log-mel spectrograms: a residual CNN, and an RNN over the same frames."""

from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from moodmirror.recognition.speech import LABELS
from moodmirror.recognition.speech_features import MEL_BANDS, WINDOW_FRAMES

LOGITS: Final = "logits"
UNTRAINED_LOGIT: Final = -1e4  # a probability of 0 at every temperature


def build_network(
    kind: str,
    mean: npt.ArrayLike,
    variance: npt.ArrayLike,
    *,
    dropout: float,
    name: str,
    normalization: type[layers.Layer] = layers.BatchNormalization,
) -> keras.Model:
    """Build a network of `kind` ``cnn`` or ``rnn``: log-mel features [n, 150, 64] → logits of LABELS [n, 8].

    `mean` and `variance`, [64] each, are those of the training features; the scaling by them is part of the network.
    The weights are the same for every `normalization` of the inner layers.
    """
    inputs = layers.Input((WINDOW_FRAMES, MEL_BANDS), name="log_mel")
    x = layers.Normalization(axis=-1, mean=np.asarray(mean), variance=np.asarray(variance))(inputs)
    body = {"cnn": _convolutions, "rnn": _recurrence}[kind]
    x = layers.Dropout(dropout)(body(x, normalization))
    return keras.Model(inputs, layers.Dense(len(LABELS), name=LOGITS)(x), name=name)


def silence_untrained(logits: layers.Dense, labels: npt.NDArray[np.int_]) -> None:
    """Change the last layer of a network so that LABELS that `labels`, those of the training, lack get probability 0."""
    untrained = ~np.isin(np.arange(len(LABELS)), labels)
    kernel, bias = logits.get_weights()
    logits.set_weights([np.where(untrained, 0.0, kernel), np.where(untrained, UNTRAINED_LOGIT, bias)])


def _convolutions(x: Any, normalization: type[layers.Layer]) -> Any:
    """Apply residual convolutions (He et al., CVPR 2016) over time and frequency, and pool them by attention."""
    # The effect of a microphone or a room on a band is the same in every frame. So the network also receives the spectrum
    # without the mean of each band.
    x = ops.stack([x, x - ops.mean(x, axis=1, keepdims=True)], axis=-1)
    x = layers.Conv2D(16, 4, strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(normalization()(x))
    for filters in (24, 48, 96):
        x = _residual_block(x, filters, normalization)
    frames, bands = x.shape[1], x.shape[2]
    x = layers.Reshape((frames, bands * x.shape[3]))(x)
    x = layers.Dense(160, use_bias=False)(x)
    return attentive_statistics(layers.ReLU()(layers.BatchNormalization()(x)))


def _residual_block(x: Any, filters: int, normalization: type[layers.Layer]) -> Any:
    """Apply two convolutions beside a shortcut, at half the resolution."""
    x = layers.AveragePooling2D(2)(x)
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    y = layers.ReLU()(normalization()(y))
    y = normalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
    x = normalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def _recurrence(x: Any, _: type[layers.Layer]) -> Any:
    """Apply convolutions over time, eight frames to one, a bidirectional GRU (Cho et al., EMNLP 2014) and attention."""
    for filters in (64, 96, 128):
        x = layers.Conv1D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    # LiteRT runs the unrolled GRU without TensorFlow's own operations.
    x = layers.Bidirectional(layers.GRU(64, return_sequences=True, unroll=True))(x)
    return attentive_statistics(x)


def attentive_statistics(x: Any) -> Any:
    """Return the attention-weighted mean and standard deviation over frames: [n, frames, channels] → [n, 2 · channels].

    Okabe et al., "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018.
    """
    attention = layers.Dense(1)(layers.Dense(64, activation="tanh")(x))
    attention = layers.Softmax(axis=1)(attention)
    mean = ops.sum(attention * x, axis=1)
    variance = ops.sum(attention * ops.square(x), axis=1) - ops.square(mean)
    return layers.Concatenate()([mean, ops.sqrt(ops.maximum(variance, 1e-5))])
