"""Draw the plots of the model cards as PNG files: training curves, confusion matrix, reliability diagram, bar charts."""

from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from moodmirror.training.metrics import RELIABILITY_BINS, ClassificationMetrics, Reliability

matplotlib.use("Agg")

DPI: Final = 110

# Two plots side by side: the history keys that each shows, and its title.
Panels = tuple[tuple[tuple[str, ...], str], tuple[tuple[str, ...], str]]
ACCURACY_PANELS: Final[Panels] = (
    (("loss", "development_loss"), "cross-entropy"),
    (("training_accuracy", "development_accuracy", "development_macro_f1"), "accuracy and macro-F1"),
)


def plot_curves(history: list[dict[str, float]], path: Path, *, panels: Panels = ACCURACY_PANELS) -> None:
    """Plot the history keys in `panels` over the epochs. A curve skips the epochs that lack its key."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (keys, title) in zip(figure.subplots(1, 2), panels, strict=True):
        for key in keys:
            entries = [entry for entry in history if key in entry]
            epochs = [entry["epoch"] for entry in entries]
            axes.plot(epochs, [entry[key] for entry in entries], marker=".", label=key.replace("_", " "))
        axes.set(title=title, xlabel="epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=DPI)


def plot_confusion(result: ClassificationMetrics, path: Path) -> None:
    """Plot the confusion matrix, each row as shares of that true label."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    shares = result.confusion / np.maximum(result.confusion.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(result.names))
    axes.set_xticks(ticks, result.names, rotation=40)
    axes.set_yticks(ticks, result.names)
    axes.set(xlabel="predicted", ylabel="true", title=f"accuracy {result.accuracy:.1%}, macro-F1 {result.macro_f1:.3f}")
    for row in ticks:
        for column in ticks:
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=color, fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8)
    figure.savefig(path, dpi=DPI)


def plot_reliability(result: Reliability, path: Path, *, unit: str = "faces") -> None:
    """Plot the reliability diagram: accuracy by confidence, and how many inputs fall into each bin."""
    figure = Figure(figsize=(5.6, 5.6), layout="constrained")
    axes, counts = figure.subplots(2, 1, height_ratios=(4, 1), sharex=True)
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", label="perfect calibration")
    axes.plot(result.confidence, result.accuracy, marker="o", label="the network")
    axes.set(ylabel="accuracy", ylim=(0, 1), title=f"expected calibration error {result.error:.3f}")
    axes.grid(alpha=0.3)
    axes.legend()
    bin_centers = (np.arange(RELIABILITY_BINS) + 0.5) / RELIABILITY_BINS
    counts.bar(bin_centers, result.count, width=0.9 / RELIABILITY_BINS)
    counts.set(xlabel="confidence", ylabel=unit, xlim=(0, 1))
    figure.savefig(path, dpi=DPI)


def plot_bars(values: dict[str, float], path: Path, *, measure: str = "accuracy") -> None:
    """Plot one bar per name, 0…1 of a `measure`. A dashed line marks the first value as the reference."""
    figure = Figure(figsize=(7, 0.32 * len(values) + 1), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(values), list(values.values()))
    axes.bar_label(bars, fmt="{:.1%}", padding=3, fontsize=8)
    axes.axvline(next(iter(values.values())), color="gray", linestyle="--")
    axes.set(xlabel=measure, xlim=(0, 1))
    axes.invert_yaxis()
    figure.savefig(path, dpi=DPI)


def plot_grouped_bars(rows: dict[str, dict[str, float]], path: Path, *, measure: str) -> None:
    """Plot groups of bars, 0…1 of a `measure`: one group per row, one color per name in the rows."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    figure = Figure(figsize=(7, 0.24 * len(names) * len(rows) + 1.2), layout="constrained")
    axes = figure.subplots()
    thickness = 0.85 / len(names)
    for number, name in enumerate(names):
        positions = [index + number * thickness for index, row in enumerate(rows.values()) if name in row]
        bars = axes.barh(positions, [row[name] for row in rows.values() if name in row], height=thickness, label=name)
        axes.bar_label(bars, fmt="{:.2f}", padding=3, fontsize=7)
    axes.set_yticks([index + 0.425 - thickness / 2 for index in range(len(rows))], list(rows))
    axes.set(xlabel=measure, xlim=(0, 1))
    axes.invert_yaxis()
    figure.legend(loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=DPI)
