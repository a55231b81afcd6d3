"""Measure the text network as it is served: on Reddit's comments, in everyday talk, on tweets, on our own cases."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_network import GRAPH_FILE
from moodmirror.training import metrics
from moodmirror.training.text_corpora import TextCorpora, TextSplit, load_texts

CASES: Final = Path(__file__).resolve().parents[2] / "tests" / "text_cases.tsv"
FOLDS: Final = 5  # of the development part, to find thresholds on four and to measure on the fifth
DRAWS: Final = 8  # of those folds: macro-F1 of a single draw is off by up to 0.004, for rare emotions have a hundred texts

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]


class Recognizer(Protocol):
    """Whatever maps texts to mood vectors, float32 [n, 7]."""

    def predict_proba(self, texts: list[str]) -> Floats:
        """Mood vectors of texts."""


@dataclass(frozen=True)
class MultilabelFigures:
    """How well probabilities fit texts that carry several labels. Arrays are in the order of EMOTIONS.

    An emotion is read where its probability reaches a threshold of its own; thresholds are found by cross-validation,
    repeated with other folds; precision, recall and F1 are means over the repetitions.
    `top_accuracy` is how often the likeliest emotion is one of the labels.
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]
    support: npt.NDArray[np.int_]
    top_accuracy: float

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the emotions that occur."""
        return float(self.f1[self.support > 0].mean())


def best_threshold(labels: Labels, scores: Floats) -> float:
    """The threshold, one of the scores, from which on a text is read so that F1 is best; labels bool [n], scores [n]."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    f1 = 2 * hits / (np.arange(1, len(scores) + 1) + max(labels.sum(), 1))
    return float(scores[order[int(f1.argmax())]])


def multilabel_figures(labels: Labels, probabilities: Floats) -> MultilabelFigures:
    """Compare probabilities, float32 [n, 7], with labels, bool [n, 7]."""
    repeated = [_cross_validated(labels, probabilities, np.random.default_rng(draw)) for draw in range(DRAWS)]
    precision, recall, f1 = np.mean(repeated, axis=0)
    top = labels[np.arange(len(labels)), probabilities.argmax(axis=1)].mean()
    return MultilabelFigures(precision, recall, f1, labels.sum(axis=0), float(top))


def _cross_validated(labels: Labels, probabilities: Floats, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Precision, recall and F1 of each emotion, [3, 7], where no text was used to find the thresholds that read it."""
    folds = rng.permutation(len(labels)) % FOLDS
    read = np.zeros_like(labels)
    for fold in range(FOLDS):
        inside = folds == fold
        for emotion in range(len(EMOTIONS)):
            threshold = best_threshold(labels[~inside, emotion], probabilities[~inside, emotion])
            read[inside, emotion] = probabilities[inside, emotion] >= threshold
    hits, said, there = (read & labels).sum(axis=0), read.sum(axis=0), labels.sum(axis=0)
    return np.array([hits / np.maximum(said, 1), hits / np.maximum(there, 1), 2 * hits / np.maximum(said + there, 1)])


def top_reliability(split: TextSplit, probabilities: Floats) -> metrics.Reliability:
    """How often the likeliest emotion is one of the labels, by its probability."""
    top = probabilities.argmax(axis=1)
    right = split.labels[np.arange(len(split)), top]
    # A label that is the top one where the top one is right, and another where it is not.
    return metrics.reliability(np.where(right, top, (top + 1) % len(EMOTIONS)), probabilities)


@dataclass(frozen=True)
class TextEvaluation:
    """All that is measured of a served text network."""

    development: MultilabelFigures
    reliability: metrics.Reliability
    everyday: metrics.ClassificationMetrics | None
    everyday_reliability: metrics.Reliability | None
    tweets_accuracy: float | None
    cases_right: int
    cases: int

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{'':10}{'precision':>10}{'recall':>8}{'F1':>8}{'texts':>8}"]
        lines += [
            f"{emotion:10}{self.development.precision[i]:10.3f}{self.development.recall[i]:8.3f}"
            f"{self.development.f1[i]:8.3f}{self.development.support[i]:8d}"
            for i, emotion in enumerate(EMOTIONS)
        ]
        lines.append(
            f"GoEmotions, development: macro-F1 {self.development.macro_f1:.4f}, likeliest emotion is a label "
            f"{self.development.top_accuracy:.4f}; expected calibration error (other half) {self.reliability.error:.4f}"
        )
        if self.everyday and self.everyday_reliability:
            lines.append(
                f"DailyDialog, held-out dialogues: accuracy {self.everyday.accuracy:.4f}, macro-F1 "
                f"{self.everyday.macro_f1:.4f}, "
                f"expected calibration error {self.everyday_reliability.error:.4f}"
            )
        if self.tweets_accuracy is not None:
            lines.append(f"CARER, validation, among its five: accuracy {self.tweets_accuracy:.4f}")
        lines.append(f"{CASES.name}: {self.cases_right} of {self.cases} right, {self.cases_right / self.cases:.4f}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "development": {
                "macro_f1": round(self.development.macro_f1, 5),
                "top_accuracy": round(self.development.top_accuracy, 5),
                "expected_calibration_error": round(self.reliability.error, 5),
                "by_emotion": {
                    emotion: {
                        "precision": round(float(self.development.precision[i]), 5),
                        "recall": round(float(self.development.recall[i]), 5),
                        "f1": round(float(self.development.f1[i]), 5),
                        "texts": int(self.development.support[i]),
                    }
                    for i, emotion in enumerate(EMOTIONS)
                },
            },
            "everyday": None
            if self.everyday is None or self.everyday_reliability is None
            else {
                "accuracy": round(self.everyday.accuracy, 5),
                "macro_f1": round(self.everyday.macro_f1, 5),
                "expected_calibration_error": round(self.everyday_reliability.error, 5),
            },
            "tweets": None if self.tweets_accuracy is None else {"accuracy": round(self.tweets_accuracy, 5)},
            "cases": {"right": self.cases_right, "of": self.cases},
        }


@dataclass(frozen=True)
class Case:
    """A text that people would notice if it were misread, the emotions that are right, and what it is an example of."""

    text: str
    expected: frozenset[str]
    group: str


def read_cases() -> list[Case]:
    """The table of cases, our own sentences."""
    with CASES.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Case(row["text"], frozenset(row["expected"].split(",")), row["group"]) for row in rows]


def wrong_cases(cases: list[Case], recognizer: Recognizer) -> list[str]:
    """A line for each case that is misread."""
    moods = recognizer.predict_proba([case.text for case in cases])
    read = [EMOTIONS[index] for index in moods.argmax(axis=1)]
    return [
        f"{case.group}: {case.text!r} read as {label}, not {'/'.join(sorted(case.expected))}"
        for case, label in zip(cases, read, strict=True)
        if label not in case.expected
    ]


def evaluate(data: Path, *, models_dir: Path) -> None:
    """Print the figures of the served model in `models_dir` on the corpora at `data`."""
    corpora = load_texts(data)
    print(f"the served {GRAPH_FILE}\n")
    print(evaluation(corpora, TextEmotionRecognizer.load(models_dir)).as_text())


def evaluation(corpora: TextCorpora, recognizer: Recognizer) -> TextEvaluation:
    """Measure a recogniser on the parts of the corpora that it was not trained on."""
    held_out, cases = corpora.development.halves()[1], read_cases()
    everyday = everyday_reliability = tweets = None
    if corpora.everyday is not None:
        moods = recognizer.predict_proba(corpora.everyday.texts)
        everyday = metrics.classification_metrics(corpora.everyday.labels.argmax(axis=1), moods)
        everyday_reliability = top_reliability(corpora.everyday, moods)
    if corpora.tweets is not None:
        moods = np.where(corpora.tweets.possible, recognizer.predict_proba(corpora.tweets.texts), 0)
        tweets = float((moods.argmax(axis=1) == corpora.tweets.labels.argmax(axis=1)).mean())
    return TextEvaluation(
        development=multilabel_figures(corpora.development.labels, recognizer.predict_proba(corpora.development.texts)),
        reliability=top_reliability(held_out, recognizer.predict_proba(held_out.texts)),
        everyday=everyday,
        everyday_reliability=everyday_reliability,
        tweets_accuracy=tweets,
        cases_right=len(cases) - len(wrong_cases(cases, recognizer)),
        cases=len(cases),
    )
