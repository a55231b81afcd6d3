"""Compute the metrics of a classifier: accuracy, macro-F1, per-class precision and recall, confusion, calibration error."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from moodmirror.emotions import EMOTIONS

RELIABILITY_BINS: Final = 15  # equal bins of confidence, as in Guo et al. (see :func:`reliability`)
MIN_LIKELIHOOD: Final = 1e-7  # lower bound of a probability in the log loss, which would be infinite at 0


@dataclass(frozen=True)
class ClassificationMetrics:
    """Metrics of predicted probabilities against labels.

    Per-class arrays are in the order of `names`. `unit` names what was counted, for example ``faces``.
    """

    accuracy: float
    macro_f1: float
    log_loss: float
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    support: npt.NDArray[np.int_]
    confusion: npt.NDArray[np.int_]
    names: tuple[str, ...] = EMOTIONS
    unit: str = "faces"

    @property
    def unweighted_average_recall(self) -> float:
        """The mean recall of the classes that occur, 0…1."""
        return float(self.recall[self.support > 0].mean())

    def as_text(self) -> str:
        """Return the per-class table and the totals for a terminal."""
        lines = [f"{'':10}{'precision':>10}{'recall':>8}{'F1':>8}{self.unit:>12}"]
        lines += [
            f"{emotion:10}{self.precision[i]:10.3f}{self.recall[i]:8.3f}{self.f1[i]:8.3f}{self.support[i]:12d}"
            for i, emotion in enumerate(self.names)
        ]
        return "\n".join([*lines, f"accuracy {self.accuracy:.4f}, macro-F1 {self.macro_f1:.4f}"])

    def as_markdown(self) -> str:
        """Return the same table in Markdown, for a model card."""
        lines = [
            f"Accuracy **{self.accuracy:.1%}**, macro-F1 **{self.macro_f1:.3f}** over {self.support.sum():,} {self.unit}.",
            "",
            f"| emotion | precision | recall | F1 | {self.unit} |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {emotion} | {self.precision[i]:.3f} | {self.recall[i]:.3f} | {self.f1[i]:.3f} | {self.support[i]} |"
            for i, emotion in enumerate(self.names)
        ]
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the metrics as plain numbers and lists, by emotion in the order of `names`, for a JSON file."""
        return {
            self.unit: int(self.support.sum()),
            "accuracy": round(self.accuracy, 5),
            "macro_f1": round(self.macro_f1, 5),
            "log_loss": round(self.log_loss, 5),
            "by_emotion": {
                emotion: {
                    "precision": round(float(self.precision[i]), 5),
                    "recall": round(float(self.recall[i]), 5),
                    "f1": round(float(self.f1[i]), 5),
                    self.unit: int(self.support[i]),
                }
                for i, emotion in enumerate(self.names)
            },
            "confusion": self.confusion.tolist(),
        }


def classification_metrics(
    labels: npt.NDArray[np.int_],
    probabilities: npt.NDArray[np.float32],
    *,
    names: tuple[str, ...] = EMOTIONS,
    unit: str = "faces",
) -> ClassificationMetrics:
    """Compare probabilities, float32 [n, classes], with labels, int [n]. Macro-F1 is over the classes that occur."""
    predicted = probabilities.argmax(axis=1)
    indices = list(range(len(names)))
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0.0)
    likelihood = probabilities[np.arange(len(labels)), labels]
    return ClassificationMetrics(
        accuracy=float((predicted == labels).mean()),
        macro_f1=float(f1[support > 0].mean()),
        log_loss=float(-np.log(np.maximum(likelihood, MIN_LIKELIHOOD)).mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion_matrix(labels, predicted, labels=indices),
        names=names,
        unit=unit,
    )


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in equal bins of confidence: float64 [bins] each, NaN in empty bins.

    `error` is the expected calibration error, 0…1.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    count: npt.NDArray[np.int_]
    error: float


def reliability(labels: npt.NDArray[np.int_], probabilities: npt.NDArray[np.float32]) -> Reliability:
    """Compare the top probability of each prediction with how often the top class is correct.

    Expected calibration error as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(np.int_), RELIABILITY_BINS - 1)
    count = np.bincount(bins, minlength=RELIABILITY_BINS)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(bins, confidence, RELIABILITY_BINS) / count
        accuracy = np.bincount(bins, correct, RELIABILITY_BINS) / count
    error = float(np.nansum(np.abs(mean_confidence - accuracy) * count) / len(labels))
    return Reliability(mean_confidence, accuracy, count, error)
