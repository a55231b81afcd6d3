"""A small network of three 1-D convolutions over the vector of classic features, as many student projects use it.

Such projects slide convolutions over a vector whose neighbors are neighboring mel bands or MFCCs (for example D. Issa,
M. F. Demirci and A. Yazici, "Speech emotion recognition with deep convolutional neural networks", Biomedical Signal
Processing and Control 59, 2020). It is here for comparison with the served network.
"""

from pathlib import Path
from typing import Any, Final, Self

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from moodmirror.recognition.speech import LABELS
from moodmirror.training.export import export_to_litert
from moodmirror.training.speech_networks import silence_untrained

EPOCHS: Final = 60
BATCH_SIZE: Final = 32
LEARNING_RATE: Final = 1e-3
DROPOUT: Final = 0.3

Floats = npt.NDArray[np.float32]


class Cnn1dClassifier:
    """The network with scikit-learn's ``fit`` and ``predict_proba``; its outputs are LABELS, 0 for those not trained."""

    classes_: Final = LABELS

    def __init__(self, seed: int, epochs: int = EPOCHS) -> None:
        self._seed, self._epochs = seed, epochs
        self._network: keras.Model | None = None

    def fit(self, features: Floats, names: npt.NDArray[np.str_]) -> Self:
        """Train on classic features, float32 [n, features], and their labels' names, [n]."""
        keras.utils.set_random_seed(self._seed)
        labels = np.array([LABELS.index(name) for name in names])
        network, logits = _build(features.mean(axis=0), features.var(axis=0))
        network.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="sparse_categorical_crossentropy")
        network.fit(features, labels, batch_size=BATCH_SIZE, epochs=self._epochs, verbose=0)
        silence_untrained(logits, labels)
        self._network = network
        return self

    def predict_proba(self, features: npt.ArrayLike) -> Floats:
        """Return the probabilities of LABELS, float32 [n, 8], of classic features [n, features]."""
        assert self._network is not None
        return np.asarray(self._network.predict(np.asarray(features, np.float32), batch_size=256, verbose=0))

    def export(self, keras_path: Path, litert_path: Path) -> None:
        """Write the network for Keras, and for LiteRT."""
        assert self._network is not None
        self._network.save(keras_path)
        export_to_litert(keras_path, litert_path)


def _build(mean: Floats, variance: Floats) -> tuple[keras.Model, layers.Dense]:
    inputs = layers.Input((len(mean),), name="classic_features")
    x: Any = layers.Normalization(mean=mean, variance=np.maximum(variance, 1e-6))(inputs)
    x = layers.Reshape((len(mean), 1))(x)
    for filters in (64, 128, 128):
        x = layers.Conv1D(filters, 5, padding="same", activation="relu")(x)
        x = layers.MaxPooling1D(2)(x)
    x = layers.Dropout(DROPOUT)(layers.Flatten()(x))
    logits = layers.Dense(len(LABELS), name="logits")
    return keras.Model(inputs, layers.Softmax()(logits(x)), name="speech_emotion_cnn1d"), logits
