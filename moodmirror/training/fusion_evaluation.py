"""Ways to fuse a face and a voice into one mood, and how well each names the emotion that a pair of them expresses.

The pairs are made: see :mod:`moodmirror.training.fusion`, which says what the senses answer.
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
FITTED: Final = "worse to fit on"
SERVED: Final = "served: fuse()"
NEUTRAL: Final = np.eye(len(EMOTIONS), dtype=np.float32)[EMOTIONS.index("neutral")]
LEAST_WEIGHT: Final = 1e-3
# Pairs that are judged: how the face is, and how the voice is. In "as they come" each is fine, worse or missing by chance.
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
FITTING_DRAWS: Final = 6  # faces that each voice is paired with to fit on
TREES: Final = 300
LEAST_IN_LEAF: Final = 5  # pairs


@dataclass(frozen=True)
class Sense:
    """What one sense answers about each of its inputs, by condition.

    `labels` is int [n], indices into EMOTIONS; `vectors` are mood vectors, float32 [n, 7]; `weights` the weights of their
    readings, float64 [n], 0 where the sense would give none.
    """

    source: Source
    labels: Labels
    vectors: dict[str, Vectors]
    weights: dict[str, Weights]

    def where(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int_]) -> "Sense":
        """The inputs that `chosen` picks."""
        return Sense(
            self.source,
            self.labels[chosen],
            {name: vectors[chosen] for name, vectors in self.vectors.items()},
            {name: weights[chosen] for name, weights in self.weights.items()},
        )


@dataclass(frozen=True)
class Pairs:
    """Faces and voices of one emotion each: `labels` int [n]; of both, vectors float32 [n, 7] and weights float64 [n].

    A weight of 0 is a sense that says nothing; its vector then means nothing.
    """

    labels: Labels
    face: Vectors
    face_weight: Weights
    voice: Vectors
    voice_weight: Weights

    def features(self) -> npt.NDArray[np.float64]:
        """What the random forest learns from, float64 [n, 16]: vectors and weights; one that is missing knows nothing."""
        nothing = np.float32(1 / len(EMOTIONS))
        face = np.where(self.face_weight[:, None] > 0, self.face, nothing)
        voice = np.where(self.voice_weight[:, None] > 0, self.voice, nothing)
        return np.column_stack([face, voice, self.face_weight, self.voice_weight]).astype(np.float64)

    def logarithms(self) -> npt.NDArray[np.float64]:
        """What logistic stacking learns from, float64 [n, 14]: log shares about their mean, times the weight."""
        parts = []
        for vectors, weights in ((self.face, self.face_weight), (self.voice, self.voice_weight)):
            logs = np.log(np.maximum(vectors, 1e-3).astype(np.float64))
            parts.append(weights[:, None] * (logs - logs.mean(axis=1, keepdims=True)))
        return np.concatenate(parts, axis=1)


Fusion = Callable[[Pairs], Vectors]


# Pairs


def paired(
    face: Sense, voice: Sense, rng: np.random.Generator, states: tuple[str | None, str | None], worse: str = WORSE
) -> Pairs:
    """Give each voice a face of its emotion, at random, both in the `states` asked for; None draws by CHANCES.

    `worse` is the condition that stands for WORSE. Of a pair in which chance leaves nothing, the voice is kept.
    """
    drawn = np.empty(len(voice.labels), dtype=np.int_)
    for label in np.unique(voice.labels):
        here = np.flatnonzero(voice.labels == label)
        drawn[here] = rng.choice(np.flatnonzero(face.labels == label), size=len(here))
    sides = []
    for sense, rows, state in ((face, drawn, states[0]), (voice, np.arange(len(drawn)), states[1])):
        given = rng.choice(list(CHANCES), p=list(CHANCES.values()), size=len(drawn)) if state is None else None
        chosen = np.full(len(drawn), state) if given is None else given
        is_worse = (chosen == WORSE)[:, None]
        vectors = np.where(is_worse, sense.vectors[worse][rows], sense.vectors[FINE][rows])
        weights = np.where(is_worse[:, 0], sense.weights[worse][rows], sense.weights[FINE][rows])
        sides.append((vectors, np.where(chosen == MISSING, 0.0, weights)))
    (faces, face_weights), (voices, voice_weights) = sides
    silent = (face_weights == 0) & (voice_weights == 0)
    voice_weights = np.where(silent, np.maximum(voice.weights[FINE], LEAST_WEIGHT), voice_weights)
    voices = np.where(silent[:, None], voice.vectors[FINE], voices)
    return Pairs(voice.labels, faces, face_weights, voices, voice_weights)


# Fusions


def face_alone(pairs: Pairs) -> Vectors:
    """What the face says; neutral where there is none."""
    return np.where(pairs.face_weight[:, None] > 0, pairs.face, NEUTRAL)


def voice_alone(pairs: Pairs) -> Vectors:
    """What the voice says; neutral where there is none."""
    return np.where(pairs.voice_weight[:, None] > 0, pairs.voice, NEUTRAL)


def averaged(pairs: Pairs) -> Vectors:
    """The mean of both, each by its weight."""
    total = pairs.face_weight + pairs.voice_weight
    mean = pairs.face_weight[:, None] * pairs.face + pairs.voice_weight[:, None] * pairs.voice
    return np.asarray(mean / total[:, None], dtype=np.float32)


def as_served(pairs: Pairs) -> Vectors:
    """What :func:`moodmirror.fusion.fuse` makes of readings of one moment."""
    return np.stack([mood.vector for mood in served_moods(pairs)])


def served_moods(pairs: Pairs) -> list[Mood]:
    """The served mood of each pair."""
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
    """Logistic regression on the logarithms of both (Wolpert, "Stacked generalization", Neural Networks 5 (1992))."""
    model = LogisticRegression(C=0.1, max_iter=1000).fit(pairs.logarithms(), pairs.labels)
    return lambda given: _spread(model.predict_proba(given.logarithms()), model.classes_)


def fit_forest(pairs: Pairs, seed: int) -> Fusion:
    """A random forest on the concatenated vectors and weights (Breiman, Machine Learning 45 (2001))."""
    model = RandomForestClassifier(TREES, min_samples_leaf=LEAST_IN_LEAF, random_state=seed).fit(
        pairs.features(), pairs.labels
    )
    return lambda given: _spread(model.predict_proba(given.features()), model.classes_)


def _spread(answers: npt.NDArray[np.float64], classes: Labels) -> Vectors:
    """Answers over the emotions that `classes` index, [n, classes], as mood vectors, float32 [n, 7]."""
    vectors = np.zeros((len(answers), len(EMOTIONS)), dtype=np.float32)
    vectors[:, classes] = answers
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
    """What is measured: figures by condition and fusion, over the pairs of every pairing.

    `spread` is the standard deviation of the served macro-F1 from pairing to pairing; `calibration` that of the served
    moods when both are fine. `mixed` is the share of the served moods that are called mixed: of pairs of one emotion, and
    of pairs of two that are both not neutral.
    """

    figures: dict[str, dict[str, ClassificationMetrics]]
    spread: dict[str, float]
    calibration: Reliability
    mixed: tuple[float, float]
    pairings: int

    @property
    def gain(self) -> float:
        """By how much the served macro-F1 exceeds that of the better one alone when both are fine, 0…1."""
        fine = self.figures["both fine"]
        return fine[SERVED].macro_f1 - max(fine["face alone"].macro_f1, fine["voice alone"].macro_f1)

    def as_text(self) -> str:
        """A table for a terminal."""
        names = [*FIXED, *FITTED_FUSIONS]
        lines = ["macro-F1 (accuracy)", f"{'':16}" + "".join(f"{name:>20}" for name in names)]
        for condition, row in self.figures.items():
            cells = (f"{row[name].macro_f1:.3f} ({row[name].accuracy:.1%})" if name in row else "" for name in names)
            lines.append(f"{condition:16}" + "".join(f"{cell:>20}" for cell in cells))
        return "\n".join(lines)


def evaluation(
    fitted_faces: Sense, judged_faces: Sense, voice: Sense, folds: Labels, *, pairings: int, seed: int
) -> FusionEvaluation:
    """Fit and judge every fusion, on voices by folds of speakers and on two halves of the faces."""
    answers: dict[tuple[str, str], list[Vectors]] = {}
    labels: dict[str, list[Labels]] = {condition: [] for condition in CONDITIONS}
    served_f1: dict[str, list[float]] = {condition: [] for condition in CONDITIONS}
    by_fold = {fold: fit_all(fitted_faces, voice.where(folds != fold), seed) for fold in np.unique(folds).tolist()}
    for pairing in range(pairings):
        show_progress("pairings", pairing + 1, pairings)
        for number, (condition, states) in enumerate(CONDITIONS.items()):
            rng = np.random.default_rng((seed, pairing, number))
            here: dict[str, list[Vectors]] = {}
            truth = []
            for fold, fitted in by_fold.items():
                pairs = paired(judged_faces, voice.where(folds == fold), rng, states)
                truth.append(pairs.labels)
                for name, fusion in (FIXED | fitted).items():
                    if alone_is_missing(name, states):
                        continue
                    here.setdefault(name, []).append(fusion(pairs))
            labels[condition].append(np.concatenate(truth))
            for name, vectors in here.items():
                answers.setdefault((condition, name), []).append(np.concatenate(vectors))
            served_f1[condition].append(
                classification_metrics(labels[condition][-1], answers[condition, SERVED][-1]).macro_f1
            )
    figures: dict[str, dict[str, ClassificationMetrics]] = {condition: {} for condition in CONDITIONS}
    for (condition, name), vectors in answers.items():
        figures[condition][name] = classification_metrics(
            np.concatenate(labels[condition]), np.concatenate(vectors), unit="pairs"
        )
    fine = np.concatenate(labels["both fine"]), np.concatenate(answers["both fine", SERVED])
    return FusionEvaluation(
        figures,
        {condition: float(np.std(values)) for condition, values in served_f1.items()},
        reliability(*fine),
        shares_mixed(judged_faces, voice, np.random.default_rng(seed)),
        pairings,
    )


def alone_is_missing(fusion: str, states: tuple[str | None, str | None]) -> bool:
    """Whether a fusion is one sense alone, and that sense says nothing in any pair of these states."""
    return (fusion == "face alone" and states[0] == MISSING) or (fusion == "voice alone" and states[1] == MISSING)


def fit_all(face: Sense, voice: Sense, seed: int) -> dict[str, Fusion]:
    """Every fusion that is fitted, fitted on pairs as they come."""
    rng = np.random.default_rng(seed)
    draws = [paired(face, voice, rng, (None, None), FITTED) for _ in range(FITTING_DRAWS)]
    everything = Pairs(*(np.concatenate([getattr(pairs, entry.name) for pairs in draws]) for entry in fields(Pairs)))
    return {name: fit(everything, seed) for name, fit in FITTED_FUSIONS.items()}


def shares_mixed(face: Sense, voice: Sense, rng: np.random.Generator) -> tuple[float, float]:
    """How many served moods are called mixed: of pairs of one emotion, and of those of two, neither of them neutral."""
    neutral = EMOTIONS.index("neutral")
    same = paired(face, voice, rng, (FINE, FINE))
    drawn = rng.integers(len(face.labels), size=len(voice.labels))
    contrary = (face.labels[drawn] != voice.labels) & (face.labels[drawn] != neutral) & (voice.labels != neutral)
    faces, voices = face.where(drawn[contrary]), voice.where(contrary)
    different = Pairs(
        voices.labels,
        faces.vectors[FINE],
        faces.weights[FINE],
        voices.vectors[FINE],
        np.maximum(voices.weights[FINE], LEAST_WEIGHT),
    )
    of_same, of_different = (
        float(np.mean([mood.mixed is not None for mood in served_moods(pairs)])) for pairs in (same, different)
    )
    return of_same, of_different
