"""The TF-IDF text model with logistic regression: a small baseline that is not served.

``python train.py text --data PATH --model tfidf`` creates it; it is not part of the repository.
"""

import pickle
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.model_files import ModelError, verified_model_bytes
from moodmirror.recognition.text_input import Texts, clean_texts

TFIDF_FILE: Final = "text_tfidf.pickle"
MAKE_COMMAND: Final = "python train.py text --data PATH --model tfidf"


class TfidfEmotionRecognizer:
    """Maps texts to mood vectors by their words and word pairs, with scikit-learn's interface."""

    classes_: Final = EMOTIONS

    def __init__(self, pipeline: Any) -> None:
        """Wrap a fitted scikit-learn pipeline whose ``predict_proba`` returns [n, 7]."""
        self._pipeline = pipeline

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR) -> Self:
        """Load the fitted pipeline: a pickle, opened only if its hash matches the manifest.

        Raises ModelError if it is missing, has another hash, or was created by an incompatible scikit-learn.
        """
        content = verified_model_bytes(TFIDF_FILE, MAKE_COMMAND, models_dir)
        try:
            return cls(pickle.loads(content))
        except (pickle.UnpicklingError, AttributeError, ImportError, ValueError) as error:
            raise ModelError(f"{TFIDF_FILE} can't be opened: {error}. Create it again with: {MAKE_COMMAND}") from None

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        """Return the probabilities of the seven emotions, float32 [n, 7], of texts; n may be 0.

        Each is the emotion's own probability divided by the sum of all. Raises TextError for a text that is empty or too
        long.
        """
        clean = clean_texts(texts)
        if not clean:
            return np.empty((0, len(EMOTIONS)), np.float32)
        scores = np.asarray(self._pipeline.predict_proba(clean), dtype=np.float32)
        moods: npt.NDArray[np.float32] = scores / scores.sum(axis=1, keepdims=True)
        return moods

    def predict(self, texts: Texts) -> list[str]:
        """Return the likeliest emotion of each text."""
        return [EMOTIONS[index] for index in self.predict_proba(texts).argmax(axis=1)]
