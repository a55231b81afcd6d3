"""The small text model: TF-IDF and logistic regression, for machines on which even the transformer is too much.

``python train.py text --data PATH --model tfidf`` makes it; it is not part of the repository.
"""

import pickle
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import MODELS_DIR, ModelError, verified_model_bytes
from moodmirror.recognition.text_input import Texts, clean_texts

TFIDF_FILE: Final = "text_tfidf.pickle"
MAKE_COMMAND: Final = "python train.py text --data PATH --model tfidf"


class TfidfEmotionRecognizer:
    """Maps texts to mood vectors, in scikit-learn's manner, by the words and pairs of words in them."""

    classes_: Final = EMOTIONS

    def __init__(self, pipeline: Any) -> None:
        """`pipeline` is a fitted scikit-learn pipeline whose ``predict_proba`` gives [n, 7], one probability an emotion."""
        self._pipeline = pipeline

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR) -> Self:
        """Open the trained pipeline: a pickle, and only if it is the very file that the manifest names.

        Raises ModelError if it is missing, another, or made by an incompatible scikit-learn.
        """
        content = verified_model_bytes(TFIDF_FILE, MAKE_COMMAND, models_dir)
        try:
            return cls(pickle.loads(content))
        except (pickle.UnpicklingError, AttributeError, ImportError, ValueError) as error:
            raise ModelError(f"{TFIDF_FILE} can't be opened: {error}. Make it anew with: {MAKE_COMMAND}") from None

    def predict_proba(self, texts: Texts) -> npt.NDArray[np.float32]:
        """Probabilities of the seven emotions, float32 [n, 7], of texts; n may be 0.

        Each emotion's own probability, by the sum of all. Raises TextError for a text that is empty or too long.
        """
        clean = clean_texts(texts)
        if not clean:
            return np.empty((0, len(EMOTIONS)), np.float32)
        scores = np.asarray(self._pipeline.predict_proba(clean), dtype=np.float32)
        moods: npt.NDArray[np.float32] = scores / scores.sum(axis=1, keepdims=True)
        return moods

    def predict(self, texts: Texts) -> list[str]:
        """The likeliest emotion of each text."""
        return [EMOTIONS[index] for index in self.predict_proba(texts).argmax(axis=1)]
