"""Figures and pictures of a classifier: accuracy, macro-F1, per-class table, calibration, curves, confusion matrix."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from moodmirror.emotions import EMOTIONS

matplotlib.use("Agg")

RELIABILITY_BINS: Final = 15  # of confidence, as in Guo et al. (see :func:`reliability`)


@dataclass(frozen=True)
class Figures:
    """How well probabilities fit labels. Per-class arrays are in the order of `names`; `unit` is what was counted."""

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
        """A table for a terminal."""
        lines = [f"{'':10}{'precision':>10}{'recall':>8}{'F1':>8}{self.unit:>12}"]
        lines += [
            f"{emotion:10}{self.precision[i]:10.3f}{self.recall[i]:8.3f}{self.f1[i]:8.3f}{self.support[i]:12d}"
            for i, emotion in enumerate(self.names)
        ]
        return "\n".join([*lines, f"accuracy {self.accuracy:.4f}, macro-F1 {self.macro_f1:.4f}"])

    def as_markdown(self) -> str:
        """The same table for a model card."""
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
        """The same for programs: plain numbers, lists by emotion in the order of EMOTIONS."""
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


@dataclass(frozen=True)
class Reliability:
    """How well confidence fits correctness, by bins of confidence: float64 [bins] each; NaN in empty bins.

    `error` is the expected calibration error, 0…1.
    """

    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]
    count: npt.NDArray[np.int_]
    error: float


def reliability(labels: npt.NDArray[np.int_], probabilities: npt.NDArray[np.float32]) -> Reliability:
    """Compare the top probability with how often it is right, in equal bins of confidence.

    Expected calibration error as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * RELIABILITY_BINS).astype(np.int_), RELIABILITY_BINS - 1)
    count = np.bincount(bins, minlength=RELIABILITY_BINS)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(bins, confidence, RELIABILITY_BINS) / count
        accuracy = np.bincount(bins, right, RELIABILITY_BINS) / count
    error = float(np.nansum(np.abs(mean_confidence - accuracy) * count) / len(labels))
    return Reliability(mean_confidence, accuracy, count, error)


def figures(
    labels: npt.NDArray[np.int_],
    probabilities: npt.NDArray[np.float32],
    *,
    names: tuple[str, ...] = EMOTIONS,
    unit: str = "faces",
) -> Figures:
    """Compare probabilities, float32 [n, classes], with labels, int [n]. Macro-F1 is over the classes that occur."""
    predicted = probabilities.argmax(axis=1)
    indices = list(range(len(names)))
    precision, recall, f1, support = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0.0)
    likelihood = probabilities[np.arange(len(labels)), labels]
    return Figures(
        accuracy=float((predicted == labels).mean()),
        macro_f1=float(f1[support > 0].mean()),
        log_loss=float(-np.log(np.maximum(likelihood, 1e-7)).mean()),
        precision=precision,
        recall=recall,
        f1=f1,
        support=support,
        confusion=confusion_matrix(labels, predicted, labels=indices),
        names=names,
        unit=unit,
    )


# Two pictures side by side: the keys of the history that each shows, and its title.
Panels = tuple[tuple[tuple[str, ...], str], tuple[tuple[str, ...], str]]
ACCURACY_PANELS: Final[Panels] = (
    (("loss", "development_loss"), "cross-entropy"),
    (("training_accuracy", "development_accuracy", "development_macro_f1"), "accuracy and macro-F1"),
)


def draw_curves(history: list[dict[str, float]], path: Path, *, panels: Panels = ACCURACY_PANELS) -> None:
    """What `panels` name over the epochs, as PNG. An epoch without a figure is left out of its curve."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (keys, title) in zip(figure.subplots(1, 2), panels, strict=True):
        for key in keys:
            known = [entry for entry in history if key in entry]
            epochs = [entry["epoch"] for entry in known]
            axes.plot(epochs, [entry[key] for entry in known], marker=".", label=key.replace("_", " "))
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=110)


def draw_confusion(result: Figures, path: Path) -> None:
    """The confusion matrix in shares of each true emotion, as PNG."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    shares = result.confusion / np.maximum(result.confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(result.names))
    axes.set_xticks(ticks, result.names, rotation=40)
    axes.set_yticks(ticks, result.names)
    axes.set(xlabel="read", ylabel="labelled", title=f"accuracy {result.accuracy:.1%}, macro-F1 {result.macro_f1:.3f}")
    for row in ticks:
        for column in ticks:
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=colour, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8)
    figure.savefig(path, dpi=110)


def draw_reliability(result: Reliability, path: Path, *, unit: str = "faces") -> None:
    """The reliability diagram, as PNG: how often each confidence is right, and how many inputs have it."""
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", label="as sure as right")
    axes.plot(result.confidence, result.accuracy, marker="o", label="the network")
    axes.set(ylabel="share that is right", ylim=(0, 1), title=f"expected calibration error {result.error:.3f}")
    axes.grid(alpha=0.3)
    axes.legend()
    middles = (np.arange(RELIABILITY_BINS) + 0.5) / RELIABILITY_BINS
    counts.bar(middles, result.count, width=0.9 / RELIABILITY_BINS)
    counts.set(xlabel="confidence", ylabel=unit, xlim=(0, 1))
    figure.savefig(path, dpi=110)


def draw_bars(accuracies: dict[str, float], path: Path, *, measure: str = "accuracy") -> None:
    """Accuracies, or another `measure`, by name, the first as the measure of the others, as PNG."""
    figure = Figure(figsize=(7, 0.32 * len(accuracies) + 1), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(accuracies), list(accuracies.values()))
    axes.bar_label(bars, fmt="{:.1%}", padding=3, fontsize=8)
    axes.axvline(next(iter(accuracies.values())), color="gray", linestyle="--")
    axes.set(xlabel=measure, xlim=(0, 1))
    axes.invert_yaxis()
    figure.savefig(path, dpi=110)


def draw_groups(rows: dict[str, dict[str, float]], path: Path, *, measure: str) -> None:
    """Groups of bars, as PNG: a group for each row, a colour for each name in it; 0…1 of a `measure`."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    figure = Figure(figsize=(7, 0.24 * len(names) * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    thickness = 0.85 / len(names)
    for number, name in enumerate(names):
        places = [index + number * thickness for index, row in enumerate(rows.values()) if name in row]
        bars = axes.barh(places, [row[name] for row in rows.values() if name in row], height=thickness, label=name)
        axes.bar_label(bars, fmt="{:.2f}", padding=3, fontsize=7)
    axes.set_yticks([index + 0.425 - thickness / 2 for index in range(len(rows))], list(rows))
    axes.set(xlabel=measure, xlim=(0, 1))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=110)


def progress(what: str, done: int, total: int) -> None:
    """Show on the error stream how far long work is: a line that is written over, on a terminal; a few lines in a log."""
    terminal = sys.stderr.isatty()
    if done == total or done % max(total // (100 if terminal else 10), 1) == 0:
        end = "\n" if done == total or not terminal else ""
        start = "\r" if terminal else ""
        print(f"{start}{what}: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole before it takes the old one's place."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
