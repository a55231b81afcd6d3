"""Fusion methods for a face and a voice, and their accuracy on pairs that express one emotion.

:mod:`moodmirror.training.fusion` predicts the emotions of the faces and voices that are paired here.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import Mood, Reading, Source, fuse
from moodmirror.training.metrics import ClassificationMetrics, Reliability, classification_metrics, reliability
from moodmirror.training.progress import show_progress

Vectors = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int_]

FINE, WORSE, MISSING = "fine", "worse", "missing"
FITTING: Final = "worse to fit on"
SERVED: Final = "served: fuse()"
NEUTRAL: Final = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("neutral")]
MIN_WEIGHT: Final = 1e-3
# The states of face and voice in the test pairs. None, in "as they come", is fine, worse or missing by CHANCES.
CONDITIONS: Final[dict[str, tuple[str | None, str | None]]] = {
    "both fine": (FINE, FINE),
    "face worse": (WORSE, FINE),
    "voice worse": (FINE, WORSE),
    "both worse": (WORSE, WORSE),
    "face missing": (MISSING, FINE),
    "voice missing": (FINE, MISSING),
    "as they come": (None, None),
}
CHANCES: Final = {FINE: 0.5, WORSE: 0.25, MISSING: 0.25}
FITTING_DRAWS: Final = 6  # faces that each voice is paired with in the fitting set
FOREST_TREES: Final = 300
MIN_PAIRS_PER_LEAF: Final = 5


@dataclass(frozen=True)
class SourcePredictions:
    """The predictions of one source, face or voice, for each of its inputs, by condition.

    `labels` is int [n], indices into EMOTIONS; `vectors` are mood vectors, float32 [n, 7]; `weights` the weights of their
    readings, float64 [n], 0 where the source would give no reading.
    """

    source: Source
    labels: Labels
    vectors: dict[str, Vectors]
    weights: dict[str, Weights]

    def where(self, selected: npt.NDArray[np.bool_] | npt.NDArray[np.int_]) -> "SourcePredictions":
        """Return the predictions for the `selected` inputs, given as a mask or as indices."""
        return SourcePredictions(
            self.source,
            self.labels[selected],
            {name: vectors[selected] for name, vectors in self.vectors.items()},
            {name: weights[selected] for name, weights in self.weights.items()},
        )


@dataclass(frozen=True)
class Pairs:
    """Pairs of a face and a voice with one emotion: labels int [n]; vectors float32 [n, 7], weights float64 [n] of both.

    A weight of 0 marks a missing reading; its vector has no meaning.
    """

    labels: Labels
    face: Vectors
    face_weight: Weights
    voice: Vectors
    voice_weight: Weights

    def features(self) -> npt.NDArray[np.float64]:
        """Return the features of the random forest, float64 [n, 16]: vectors and weights; a missing vector is uniform."""
        uniform = np.float32(1 / len(EMOTIONS))
        face = np.where(self.face_weight[:, None] > 0, self.face, uniform)
        voice = np.where(self.voice_weight[:, None] > 0, self.voice, uniform)
        return np.column_stack([face, voice, self.face_weight, self.voice_weight]).astype(np.float64)

    def logarithms(self) -> npt.NDArray[np.float64]:
        """Return the features of logistic stacking, float64 [n, 14]: log shares minus their mean, times the weight."""
        parts = []
        for vectors, weights in ((self.face, self.face_weight), (self.voice, self.voice_weight)):
            logs = np.log(np.maximum(vectors, 1e-3).astype(np.float64))
            parts.append(weights[:, None] * (logs - logs.mean(axis=1, keepdims=True)))
        return np.concatenate(parts, axis=1)


Fusion = Callable[[Pairs], Vectors]


# Pairs


def paired(
    face: SourcePredictions,
    voice: SourcePredictions,
    rng: np.random.Generator,
    states: tuple[str | None, str | None],
    worse: str = WORSE,
) -> Pairs:
    """Pair each voice with a random face of its emotion, in the `states` of face and voice; None draws one by CHANCES.

    `worse` is the condition that is used for WORSE. If both of a pair would be missing, the voice stays.
    """
    drawn = np.empty(len(voice.labels), dtype=np.int_)
    for label in np.unique(voice.labels):
        here = np.flatnonzero(voice.labels == label)
        drawn[here] = rng.choice(np.flatnonzero(face.labels == label), size=len(here))
    sides = []
    for source, rows, state in ((face, drawn, states[0]), (voice, np.arange(len(drawn)), states[1])):
        if state is None:
            state_of_each = rng.choice(list(CHANCES), p=list(CHANCES.values()), size=len(drawn))
        else:
            state_of_each = np.full(len(drawn), state)
        is_worse = (state_of_each == WORSE)[:, None]
        vectors = np.where(is_worse, source.vectors[worse][rows], source.vectors[FINE][rows])
        weights = np.where(is_worse[:, 0], source.weights[worse][rows], source.weights[FINE][rows])
        sides.append((vectors, np.where(state_of_each == MISSING, 0.0, weights)))
    (faces, face_weights), (voices, voice_weights) = sides
    both_missing = (face_weights == 0) & (voice_weights == 0)
    voice_weights = np.where(both_missing, np.maximum(voice.weights[FINE], MIN_WEIGHT), voice_weights)
    voices = np.where(both_missing[:, None], voice.vectors[FINE], voices)
    return Pairs(voice.labels, faces, face_weights, voices, voice_weights)


# Fusion methods


def face_alone(pairs: Pairs) -> Vectors:
    """Return the mood vectors of the faces; neutral where there is none."""
    return np.where(pairs.face_weight[:, None] > 0, pairs.face, NEUTRAL)


def voice_alone(pairs: Pairs) -> Vectors:
    """Return the mood vectors of the voices; neutral where there is none."""
    return np.where(pairs.voice_weight[:, None] > 0, pairs.voice, NEUTRAL)


def averaged(pairs: Pairs) -> Vectors:
    """Return the weighted mean of both."""
    total = pairs.face_weight + pairs.voice_weight
    mean = pairs.face_weight[:, None] * pairs.face + pairs.voice_weight[:, None] * pairs.voice
    return np.asarray(mean / total[:, None], dtype=np.float32)


def as_served(pairs: Pairs) -> Vectors:
    """Return the mood vectors of :func:`moodmirror.fusion.fuse` for simultaneous readings."""
    return np.stack([mood.vector for mood in served_moods(pairs)])


def served_moods(pairs: Pairs) -> list[Mood]:
    """Return the served mood of each pair."""
    moods = []
    for row in range(len(pairs.labels)):
        readings = []
        if pairs.face_weight[row] > 0:
            readings.append(Reading(pairs.face[row], "face", float(pairs.face_weight[row]), 0.0))
        if pairs.voice_weight[row] > 0:
            readings.append(Reading(pairs.voice[row], "speech", float(pairs.voice_weight[row]), 0.0))
        moods.append(fuse(readings))
    return moods


def fit_stacking(pairs: Pairs, seed: int) -> Fusion:
    """Fit a logistic regression on the logarithms of both (Wolpert, "Stacked generalization", Neural Networks 5 (1992))."""
    model = LogisticRegression(C=0.1, max_iter=1000).fit(pairs.logarithms(), pairs.labels)
    return lambda tested: _as_mood_vectors(model.predict_proba(tested.logarithms()), model.classes_)


def fit_forest(pairs: Pairs, seed: int) -> Fusion:
    """Fit a random forest on the concatenated vectors and weights (Breiman, Machine Learning 45 (2001))."""
    model = RandomForestClassifier(FOREST_TREES, min_samples_leaf=MIN_PAIRS_PER_LEAF, random_state=seed).fit(
        pairs.features(), pairs.labels
    )
    return lambda tested: _as_mood_vectors(model.predict_proba(tested.features()), model.classes_)


def _as_mood_vectors(probabilities: npt.NDArray[np.float64], classes: Labels) -> Vectors:
    """Return mood vectors, float32 [n, 7], of probabilities [n, classes] over the emotions that `classes` index."""
    vectors = np.zeros((len(probabilities), len(EMOTIONS)), dtype=np.float32)
    vectors[:, classes] = probabilities
    return vectors


FIXED: Final[dict[str, Fusion]] = {
    "face alone": face_alone,
    "voice alone": voice_alone,
    "average by weight": averaged,
    SERVED: as_served,
}
FITTED_FUSIONS: Final[dict[str, Callable[[Pairs, int], Fusion]]] = {
    "logistic stacking": fit_stacking,
    "random forest": fit_forest,
}


# Evaluation


@dataclass(frozen=True)
class FusionEvaluation:
    """The metrics by condition and fusion method, over the pairs of all pairings.

    `spread` is the standard deviation of the served macro-F1 between pairings; `calibration` that of the served moods if
    both are fine. `mixed` is the share of served moods that are mixed: for pairs of one emotion, and for pairs of two
    emotions of which none is neutral.
    """

    metrics: dict[str, dict[str, ClassificationMetrics]]
    spread: dict[str, float]
    calibration: Reliability
    mixed: tuple[float, float]
    pairings: int

    @property
    def gain(self) -> float:
        """The difference of the served macro-F1 and that of the better source alone, if both are fine, 0…1."""
        fine = self.metrics["both fine"]
        return fine[SERVED].macro_f1 - max(fine["face alone"].macro_f1, fine["voice alone"].macro_f1)

    def as_text(self) -> str:
        """Return the table for a terminal."""
        names = [*FIXED, *FITTED_FUSIONS]
        lines = ["macro-F1 (accuracy)", f"{'':16}" + "".join(f"{name:>20}" for name in names)]
        for condition, row in self.metrics.items():
            cells = (f"{row[name].macro_f1:.3f} ({row[name].accuracy:.1%})" if name in row else "" for name in names)
            lines.append(f"{condition:16}" + "".join(f"{cell:>20}" for cell in cells))
        return "\n".join(lines)


def evaluation(
    fitting_faces: SourcePredictions,
    test_faces: SourcePredictions,
    voice: SourcePredictions,
    folds: Labels,
    *,
    pairings: int,
    seed: int,
) -> FusionEvaluation:
    """Fit and evaluate every fusion method, on voices by folds of speakers and on two halves of the faces."""
    predictions: dict[tuple[str, str], list[Vectors]] = {}
    labels: dict[str, list[Labels]] = {condition: [] for condition in CONDITIONS}
    served_f1: dict[str, list[float]] = {condition: [] for condition in CONDITIONS}
    by_fold = {fold: fit_all(fitting_faces, voice.where(folds != fold), seed) for fold in np.unique(folds).tolist()}
    for pairing in range(pairings):
        show_progress("pairings", pairing + 1, pairings)
        for number, (condition, states) in enumerate(CONDITIONS.items()):
            rng = np.random.default_rng((seed, pairing, number))
            in_pairing: dict[str, list[Vectors]] = {}
            true_labels = []
            for fold, fitted in by_fold.items():
                pairs = paired(test_faces, voice.where(folds == fold), rng, states)
                true_labels.append(pairs.labels)
                for name, fusion in (FIXED | fitted).items():
                    if is_missing_source(name, states):
                        continue
                    in_pairing.setdefault(name, []).append(fusion(pairs))
            labels[condition].append(np.concatenate(true_labels))
            for name, vectors in in_pairing.items():
                predictions.setdefault((condition, name), []).append(np.concatenate(vectors))
            served_f1[condition].append(
                classification_metrics(labels[condition][-1], predictions[condition, SERVED][-1]).macro_f1
            )
    metrics: dict[str, dict[str, ClassificationMetrics]] = {condition: {} for condition in CONDITIONS}
    for (condition, name), vectors in predictions.items():
        metrics[condition][name] = classification_metrics(
            np.concatenate(labels[condition]), np.concatenate(vectors), unit="pairs"
        )
    fine = np.concatenate(labels["both fine"]), np.concatenate(predictions["both fine", SERVED])
    return FusionEvaluation(
        metrics,
        {condition: float(np.std(values)) for condition, values in served_f1.items()},
        reliability(*fine),
        shares_mixed(test_faces, voice, np.random.default_rng(seed)),
        pairings,
    )


def is_missing_source(fusion: str, states: tuple[str | None, str | None]) -> bool:
    """Return whether a fusion method is one source alone, and that source is missing in every pair of these states."""
    return (fusion == "face alone" and states[0] == MISSING) or (fusion == "voice alone" and states[1] == MISSING)


def fit_all(face: SourcePredictions, voice: SourcePredictions, seed: int) -> dict[str, Fusion]:
    """Return every learned fusion method, fitted on pairs with random states."""
    rng = np.random.default_rng(seed)
    draws = [paired(face, voice, rng, (None, None), FITTING) for _ in range(FITTING_DRAWS)]
    all_pairs = Pairs(*(np.concatenate([getattr(pairs, entry.name) for pairs in draws]) for entry in fields(Pairs)))
    return {name: fit(all_pairs, seed) for name, fit in FITTED_FUSIONS.items()}


def shares_mixed(face: SourcePredictions, voice: SourcePredictions, rng: np.random.Generator) -> tuple[float, float]:
    """Return the share of mixed served moods, for pairs of one emotion and for pairs of two that are not neutral."""
    neutral = EMOTIONS.index("neutral")
    same = paired(face, voice, rng, (FINE, FINE))
    drawn = rng.integers(len(face.labels), size=len(voice.labels))
    differs = (face.labels[drawn] != voice.labels) & (face.labels[drawn] != neutral) & (voice.labels != neutral)
    faces, voices = face.where(drawn[differs]), voice.where(differs)
    different = Pairs(
        voices.labels,
        faces.vectors[FINE],
        faces.weights[FINE],
        voices.vectors[FINE],
        np.maximum(voices.weights[FINE], MIN_WEIGHT),
    )
    of_same, of_different = (
        float(np.mean([mood.mixed is not None for mood in served_moods(pairs)])) for pairs in (same, different)
    )
    return of_same, of_different
