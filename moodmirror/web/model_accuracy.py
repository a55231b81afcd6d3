"""How often the models are right, for people who are to decide whether they want to be read by them."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from moodmirror.recognition.model_files import MODELS_DIR

# Where each model's figures stand: measured by train.py on what the model did not learn from, and told in its card.
PLACES: Final = {
    "face": ("face_emotion.json", "splits", "development, without exact copies of training faces"),
    "speech": ("speech_emotion.json", "seven_emotions"),
    "text": ("text_emotion.json", "development"),
}


@dataclass(frozen=True)
class Certainty:
    """How many in a hundred are read rightly, and which emotion best and worst (its recall, in the hundred too)."""

    right: int
    best: str
    best_right: int
    worst: str
    worst_right: int


@cache
def certainty(sense: str) -> Certainty:
    """The figures of one model: face, speech or text."""
    name, *keys = PLACES[sense]
    figures: dict[str, Any] = json.loads((MODELS_DIR / name).read_text(encoding="utf-8"))
    for key in keys:
        figures = figures[key]
    recalls = sorted((row["recall"], emotion) for emotion, row in figures["by_emotion"].items())
    (worst_recall, worst), (best_recall, best) = recalls[0], recalls[-1]
    right = figures["accuracy"] if "accuracy" in figures else figures["top_accuracy"]
    return Certainty(round(100 * right), best, round(100 * best_recall), worst, round(100 * worst_recall))
