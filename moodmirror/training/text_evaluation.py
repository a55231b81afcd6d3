"""Evaluate the served text network on comments, dialogues, tweets and test sentences."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import ROOT
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_network import GRAPH_FILE
from moodmirror.training import metrics
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_corpora import TextCorpora, TextSplit, load_for_training

CASES: Final = ROOT / "tests" / "text_cases.tsv"
FOLDS: Final = 5  # of the development part: thresholds are found on four and measured on the fifth
# Random divisions into folds: macro-F1 of a single one varies by up to 0.004, because rare emotions have only 100 texts.
DIVISIONS: Final = 8

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.bool_]


class Recognizer(Protocol):
    """Anything that maps texts to mood vectors, float32 [n, 7]."""

    def predict_proba(self, texts: list[str]) -> Floats:
        """Return the mood vectors of texts."""


@dataclass(frozen=True)
class MultilabelMetrics:
    """Metrics of predicted probabilities for texts with one or several labels.

    Arrays are in the order of EMOTIONS. An emotion is predicted where its probability reaches its own threshold; thresholds
    are found by cross-validation, which is repeated with other folds; precision, recall and F1 are means over the
    repetitions. `top_accuracy` is the share of texts whose likeliest emotion is one of the labels.
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
    """Return the score that gives the best F1 as a threshold; labels bool [n], scores float32 [n]."""
    order = np.argsort(-scores, kind="stable")
    true_positives = np.cumsum(labels[order])
    f1 = 2 * true_positives / (np.arange(1, len(scores) + 1) + max(labels.sum(), 1))
    return float(scores[order[int(f1.argmax())]])


def multilabel_metrics(labels: Labels, probabilities: Floats) -> MultilabelMetrics:
    """Compare probabilities, float32 [n, 7], with labels, bool [n, 7]."""
    repeated = [_cross_validated(labels, probabilities, np.random.default_rng(seed)) for seed in range(DIVISIONS)]
    precision, recall, f1 = np.mean(repeated, axis=0)
    top_accuracy = labels[np.arange(len(labels)), probabilities.argmax(axis=1)].mean()
    return MultilabelMetrics(precision, recall, f1, labels.sum(axis=0), float(top_accuracy))


def _cross_validated(labels: Labels, probabilities: Floats, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return precision, recall and F1 of each emotion, [3, 7].

    No text is used to find the thresholds that classify it.
    """
    folds = rng.permutation(len(labels)) % FOLDS
    predicted = np.zeros_like(labels)
    for fold in range(FOLDS):
        inside = folds == fold
        for emotion in range(len(EMOTIONS)):
            threshold = best_threshold(labels[~inside, emotion], probabilities[~inside, emotion])
            predicted[inside, emotion] = probabilities[inside, emotion] >= threshold
    hits, positives, support = (predicted & labels).sum(axis=0), predicted.sum(axis=0), labels.sum(axis=0)
    return np.array(
        [hits / np.maximum(positives, 1), hits / np.maximum(support, 1), 2 * hits / np.maximum(positives + support, 1)]
    )


def top_reliability(split: TextSplit, probabilities: Floats) -> metrics.Reliability:
    """Compare the probability of the likeliest emotion with how often it is one of the labels."""
    top = probabilities.argmax(axis=1)
    correct = split.labels[np.arange(len(split)), top]
    # One label for each text: the likeliest emotion if that is one of the labels, else any other.
    return metrics.reliability(np.where(correct, top, (top + 1) % len(EMOTIONS)), probabilities)


@dataclass(frozen=True)
class MajorityBaseline:
    """Metrics of always predicting the emotion that is most frequent in the evaluated texts."""

    emotion: str
    accuracy: float
    macro_f1: float


def majority_baseline(labels: npt.NDArray[np.int_]) -> MajorityBaseline:
    """Return the metrics of the majority baseline on labels, int [n]."""
    majority = int(np.bincount(labels, minlength=len(EMOTIONS)).argmax())
    constant = np.tile(np.eye(len(EMOTIONS), dtype=np.float32)[majority], (len(labels), 1))
    result = metrics.classification_metrics(labels, constant)
    return MajorityBaseline(EMOTIONS[majority], result.accuracy, result.macro_f1)


@dataclass(frozen=True)
class EverydayEvaluation:
    """Metrics on held-out lines of DailyDialog.

    Most lines are neutral, so the accuracy means nothing without that of the majority baseline beside it.
    """

    result: metrics.ClassificationMetrics
    baseline: MajorityBaseline
    reliability: metrics.Reliability


@dataclass(frozen=True)
class TextEvaluation:
    """All metrics of a served text network. Those of a missing corpus are None."""

    development: MultilabelMetrics
    reliability: metrics.Reliability
    everyday: EverydayEvaluation | None
    tweets_accuracy: float | None
    correct_cases: int
    cases: int

    def as_text(self) -> str:
        """Return the metrics for a terminal."""
        development = self.development
        lines = [f"{'':10}{'precision':>10}{'recall':>8}{'F1':>8}{'texts':>8}"]
        lines += [
            f"{emotion:10}{development.precision[i]:10.3f}{development.recall[i]:8.3f}"
            f"{development.f1[i]:8.3f}{development.support[i]:8d}"
            for i, emotion in enumerate(EMOTIONS)
        ]
        lines.append(
            f"GoEmotions, development: macro-F1 {development.macro_f1:.4f}, top emotion is among the labels "
            f"{development.top_accuracy:.4f}; expected calibration error (other half) {self.reliability.error:.4f}"
        )
        if self.everyday is not None:
            result, baseline = self.everyday.result, self.everyday.baseline
            lines.append(
                f"DailyDialog, held-out dialogues: accuracy {result.accuracy:.4f} (always {baseline.emotion}: "
                f"{baseline.accuracy:.4f}), macro-F1 {result.macro_f1:.4f} (always {baseline.emotion}: "
                f"{baseline.macro_f1:.4f}), expected calibration error {self.everyday.reliability.error:.4f}"
            )
        if self.tweets_accuracy is not None:
            lines.append(f"CARER, validation, among its five emotions: accuracy {self.tweets_accuracy:.4f}")
        lines.append(f"{CASES.name}: {self.correct_cases} of {self.cases} correct, {self.correct_cases / self.cases:.4f}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Return the metrics as plain numbers, for a JSON file."""
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
            "everyday": None if self.everyday is None else _everyday_json(self.everyday),
            "tweets": None if self.tweets_accuracy is None else {"accuracy": round(self.tweets_accuracy, 5)},
            "cases": {"right": self.correct_cases, "of": self.cases},
        }


def _everyday_json(everyday: EverydayEvaluation) -> dict[str, Any]:
    return {
        "accuracy": round(everyday.result.accuracy, 5),
        "macro_f1": round(everyday.result.macro_f1, 5),
        "expected_calibration_error": round(everyday.reliability.error, 5),
        "majority_baseline": {
            "emotion": everyday.baseline.emotion,
            "accuracy": round(everyday.baseline.accuracy, 5),
            "macro_f1": round(everyday.baseline.macro_f1, 5),
        },
    }


@dataclass(frozen=True)
class Case:
    """A test sentence, its correct emotions, and the group of difficulties it belongs to."""

    text: str
    expected: frozenset[str]
    group: str


def read_cases() -> list[Case]:
    """Read the project's own test sentences."""
    with CASES.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Case(row["text"], frozenset(row["expected"].split(",")), row["group"]) for row in rows]


def wrong_cases(cases: list[Case], recognizer: Recognizer) -> list[str]:
    """Return a line for each case that the recognizer misclassifies."""
    moods = recognizer.predict_proba([case.text for case in cases])
    predicted = [EMOTIONS[index] for index in moods.argmax(axis=1)]
    return [
        f"{case.group}: {case.text!r} classified as {label}, not {'/'.join(sorted(case.expected))}"
        for case, label in zip(cases, predicted, strict=True)
        if label not in case.expected
    ]


def evaluate(data: Path, *, config: TextTraining, models_dir: Path) -> None:
    """Print the metrics of the served model in `models_dir` on the corpora at `data`: their emotions that `config` names."""
    corpora = load_for_training(data, config)
    print(f"the served {GRAPH_FILE}\n")
    print(evaluate_recognizer(corpora, TextEmotionRecognizer.load(models_dir)).as_text())


def evaluate_recognizer(corpora: TextCorpora, recognizer: Recognizer) -> TextEvaluation:
    """Evaluate a recognizer on the parts of the corpora that it was not trained on."""
    held_out = corpora.development.halves()[1]
    cases = [case for case in read_cases() if case.expected & set(corpora.emotions)]
    everyday = tweets_accuracy = None
    if corpora.everyday is not None:
        labels, moods = corpora.everyday.labels.argmax(axis=1), recognizer.predict_proba(corpora.everyday.texts)
        everyday = EverydayEvaluation(
            metrics.classification_metrics(labels, moods),
            majority_baseline(labels),
            top_reliability(corpora.everyday, moods),
        )
    if corpora.tweets is not None:
        moods = np.where(corpora.tweets.possible, recognizer.predict_proba(corpora.tweets.texts), 0)
        tweets_accuracy = float((moods.argmax(axis=1) == corpora.tweets.labels.argmax(axis=1)).mean())
    return TextEvaluation(
        development=multilabel_metrics(corpora.development.labels, recognizer.predict_proba(corpora.development.texts)),
        reliability=top_reliability(held_out, recognizer.predict_proba(held_out.texts)),
        everyday=everyday,
        tweets_accuracy=tweets_accuracy,
        correct_cases=len(cases) - len(wrong_cases(cases, recognizer)),
        cases=len(cases),
    )
