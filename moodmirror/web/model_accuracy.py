"""The measured accuracy of the models, shown to people before they consent to their use."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from moodmirror.paths import MODELS_DIR

# Each model's metrics file and the keys inside it: measured by train.py on data that the model was not trained on.
METRICS_KEYS: Final = {
    "face": ("face_emotion.json", "splits", "development, without exact copies of training faces"),
    "speech": ("speech_emotion.json", "seven_emotions"),
    "text": ("text_emotion.json", "development"),
}


@dataclass(frozen=True)
class ModelAccuracy:
    """A model's accuracy, and the emotions with the best and the worst recall; all figures in percent."""

    right: int
    best: str
    best_right: int
    worst: str
    worst_right: int


@cache
def model_accuracy(source: str) -> ModelAccuracy:
    """Return the accuracy of the model for a source: face, speech or text."""
    name, *keys = METRICS_KEYS[source]
    metrics: dict[str, Any] = json.loads((MODELS_DIR / name).read_text(encoding="utf-8"))
    for key in keys:
        metrics = metrics[key]
    recalls = sorted((row["recall"], emotion) for emotion, row in metrics["by_emotion"].items())
    (worst_recall, worst), (best_recall, best) = recalls[0], recalls[-1]
    accuracy = metrics["accuracy"] if "accuracy" in metrics else metrics["top_accuracy"]
    return ModelAccuracy(round(100 * accuracy), best, round(100 * best_recall), worst, round(100 * worst_recall))


# NEED ['MODELS_DIR']
