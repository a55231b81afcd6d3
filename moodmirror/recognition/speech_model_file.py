"""Load a trained speech model from a file that holds numbers only, so that opening a stranger's file runs none of its code.

``train.py speech`` writes them: networks as ``.tflite``, over log-mel spectrograms (``cnn``, ``rnn``) or over the classic
features (``cnn1d``); the classic models ``mlp`` and ``bagging`` as ``.npz``, NumPy's arrays without pickled objects. The
content decides which it is.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from moodmirror.recognition.model_files import LiteRTModel, ModelError
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, SpeechEmotionRecognizer, classic_feature_function
from moodmirror.recognition.speech_features import network_features

MAX_ARRAY_BYTES: Final = 500_000_000  # unpacked; the largest that training writes has a few megabytes
LITERT_MAGIC: Final = b"TFL3"  # from the fifth byte
SPECTROGRAM_DIMENSIONS: Final = 3  # of a network's input: windows, frames and bands; classic features have two

Floats = npt.NDArray[np.float32]
Arrays = Mapping[str, npt.NDArray[Any]]


def load_speech_model(path: str | Path, *, emotions: Sequence[str] | None = None) -> SpeechEmotionRecognizer:
    """Load the model in a file that ``train.py speech`` wrote, ``.tflite`` or ``.npz``.

    With `emotions`, the others get probability 0. Raises ModelError if the file is missing or no such model.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"The speech model {path} can't be read: {error.strerror}") from None
    return speech_model_of(content, str(path), emotions=emotions)


def speech_model_of(content: bytes, name: str, *, emotions: Sequence[str] | None = None) -> SpeechEmotionRecognizer:
    """Return the recognizer of a model file's content; `name` is what errors call it. Raises ModelError."""
    if content[4:8] == LITERT_MAGIC:
        network = LiteRTModel(content)
        classic = len(network.input_shape) < SPECTROGRAM_DIMENSIONS
        return SpeechEmotionRecognizer(network, emotions, classic_feature_function() if classic else network_features)
    if not content.startswith(b"PK"):
        raise ModelError(
            f"{name} is no speech model of train.py: expected a .tflite or .npz file. Pickled models (.joblib, .pkl) are "
            "not opened, because that runs code of the file. Train it again: python train.py speech --data PATH --model mlp"
        )
    try:
        classifier = StoredClassifier(_arrays(content))
    except (KeyError, ValueError, IndexError, OSError, zipfile.BadZipFile) as error:
        raise ModelError(f"{name} is no speech model of train.py, or it is damaged: {error}") from None
    return SpeechEmotionRecognizer(classifier, emotions)


class StoredClassifier:
    """A classic model from its arrays, with scikit-learn's ``classes_`` and ``predict_proba``."""

    def __init__(self, arrays: Arrays) -> None:
        """Read the arrays that ``moodmirror.training.speech_model_export`` describes. Raises KeyError or ValueError."""
        self.classes_: Final = tuple(str(name) for name in arrays["classes"])
        unknown = [name for name in self.classes_ if name not in LABEL_TO_EMOTION]
        if unknown or not self.classes_:
            raise ValueError(f"classes must be some of {', '.join(LABELS)}, not {', '.join(unknown) or 'none'}")
        self._mean, self._scale = (np.asarray(arrays[name], dtype=np.float32) for name in ("mean", "scale"))
        if self._mean.ndim != 1 or self._mean.shape != self._scale.shape or not self._scale.all():
            raise ValueError("mean and scale must have the length of the features, and no scale may be 0")
        self._model = _Layers(arrays) if str(arrays["kind"]) == "mlp" else _Trees(arrays, len(self._mean))
        outputs = self._model(np.zeros((1, len(self._mean)), np.float32))
        if outputs.shape != (1, len(self.classes_)):
            raise ValueError(f"{outputs.shape[1]} outputs for {len(self.classes_)} classes")

    def predict_proba(self, features: npt.ArrayLike) -> Floats:
        """Return the probabilities of the classes, float32 [n, classes], of classic features [n, features]."""
        rows = np.asarray(features, dtype=np.float32)
        if rows.shape[1] != len(self._mean):
            raise ModelError(f"The speech model expects {len(self._mean)} features, not {rows.shape[1]}: train it again")
        return self._model((rows - self._mean) / self._scale)


class _Layers:
    """A multilayer perceptron: matrices with ReLU between them, and a softmax."""

    def __init__(self, arrays: Arrays) -> None:
        count = sum(name.startswith("kernel") for name in arrays)
        self._layers = [(arrays[f"kernel{layer}"], arrays[f"bias{layer}"]) for layer in range(count)]
        if not self._layers:
            raise ValueError("no layers")

    def __call__(self, rows: Floats) -> Floats:
        for number, (kernel, bias) in enumerate(self._layers):
            rows = rows @ kernel + bias
            if number < len(self._layers) - 1:
                rows = np.maximum(rows, 0)
        if rows.shape[1] == 1:  # the logit of the second of two classes
            rows = np.hstack([np.zeros_like(rows), rows])
        powers = np.exp(rows - rows.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)


class _Trees:
    """Bagged decision trees: the mean of the class shares in the leaves that a row reaches."""

    def __init__(self, arrays: Arrays, features: int) -> None:
        self._feature, self._left, self._right, self._roots = (
            np.asarray(arrays[name], dtype=np.int64) for name in ("feature", "left", "right", "roots")
        )
        self._threshold = np.asarray(arrays["threshold"], dtype=np.float64)
        self._shares = np.asarray(arrays["shares"], dtype=np.float32)
        nodes = np.arange(len(self._feature))
        inner = self._left >= 0
        # Children come after their parent, so that every walk through a tree ends.
        forward = (self._left > nodes) & (self._right > nodes) & (np.maximum(self._left, self._right) < len(nodes))
        if not (
            len(nodes) == len(self._left) == len(self._right) == len(self._threshold) == len(self._shares)
            and len(self._roots)
            and ((self._roots >= 0) & (self._roots < len(nodes))).all()
            and (forward | ~inner).all()
            and ((self._feature >= 0) & (self._feature < features) | ~inner).all()
        ):
            raise ValueError("the trees are inconsistent")

    def __call__(self, rows: Floats) -> Floats:
        node = np.tile(self._roots, (len(rows), 1))
        row = np.arange(len(rows))[:, np.newaxis]
        while (inner := self._left[node] >= 0).any():
            below = rows[row, np.where(inner, self._feature[node], 0)] <= self._threshold[node]
            node = np.where(inner, np.where(below, self._left[node], self._right[node]), node)
        return np.asarray(self._shares[node].mean(axis=1), dtype=np.float32)


def _arrays(content: bytes) -> Arrays:
    """Return the arrays of an ``.npz`` file's content. Raises ValueError for pickled objects, and for too much content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_ARRAY_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes, more than {MAX_ARRAY_BYTES:,}")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}
