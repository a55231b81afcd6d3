"""Evaluate speech models on speakers outside of their training set, in all conditions of :mod:`.speech_conditions`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.model_files import verified_model_bytes
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, MODEL_NAME
from moodmirror.recognition.speech_features import Features, network_features
from moodmirror.recognition.speech_model_file import speech_model_of
from moodmirror.recognition.voice_activity import weighted_windows
from moodmirror.training.metrics import classification_metrics, reliability
from moodmirror.training.speech_conditions import AS_RECORDED, CONDITIONS, as_recorded
from moodmirror.training.speech_corpora import SpeechCorpus, load_speech


@dataclass(frozen=True)
class Windows:
    """The windows of several recordings: `features` float32 [windows, …], index of the recording, weight of the window."""

    features: npt.NDArray[np.float32]
    recording: npt.NDArray[np.int_]
    weight: npt.NDArray[np.float64]

    def means(self, probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Average probabilities, [windows, 8], per recording as the recognizer does: float32 [recordings, 8]."""
        sums = np.zeros((int(self.recording.max()) + 1, probabilities.shape[1]))
        np.add.at(sums, self.recording, probabilities * self.weight[:, None])
        return np.asarray(sums / sums.sum(axis=1, keepdims=True), dtype=np.float32)


def windows_of(
    sounds: Sequence[Samples],
    condition: Callable[[Samples, int], Samples] = as_recorded,
    features: Callable[[Samples], Features] = network_features,
) -> Windows:
    """Return the windows of recordings under a condition, split and weighted as the recognizer does."""
    feature_list, recording, weight = [], [], []
    for number, samples in enumerate(sounds):
        parts, weights = weighted_windows(condition(samples, number))
        feature_list += [features(part) for part in parts]
        recording += [number] * len(parts)
        weight += list(weights)
    return Windows(np.stack(feature_list), np.array(recording), np.array(weight))


def unweighted_average_recall(labels: npt.NDArray[np.int_], predicted: npt.NDArray[np.int_]) -> float:
    """Return the mean recall of the labels that occur, 0…1."""
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def best_temperature(
    logits: npt.NDArray[np.float64], windows: Windows, labels: npt.NDArray[np.int_], selected: npt.NDArray[np.bool_]
) -> float:
    """Return the divisor of logits [windows, 8] with the least log loss on the `selected` recordings, bool [recordings].

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def log_loss(temperature: float) -> float:
        means = windows.means(softmax(logits / temperature, axis=1))[selected]
        return float(-np.log(np.maximum(means[np.arange(len(means)), labels[selected]], 1e-9)).mean())

    return float(minimize_scalar(log_loss, bounds=(0.2, 5.0), method="bounded").x)


@dataclass(frozen=True)
class FoldPredictions:
    """Predictions for speakers outside of the training set: per condition the windows and their logits [windows, 8].

    `indices` are those of the recordings in the corpus, `labels` their labels, `folds` the folds they were predicted in.
    """

    indices: npt.NDArray[np.int_]
    labels: npt.NDArray[np.int_]
    folds: npt.NDArray[np.int_]
    windows: dict[str, Windows]
    logits: dict[str, npt.NDArray[np.float64]]

    def probabilities(self, condition: str) -> npt.NDArray[np.float32]:
        """Return the probabilities of LABELS in a condition, float32 [n, 8]; a fold has the temperature of the others."""
        windows, logits = self.windows[condition], self.logits[condition]
        probabilities = np.zeros((len(self.labels), logits.shape[1]), dtype=np.float32)
        for fold in np.unique(self.folds):
            others = self.folds != fold
            temperature = self.temperature(others if others.any() else None)
            in_fold = self.folds == fold
            probabilities[in_fold] = windows.means(softmax(logits / temperature, axis=1))[in_fold]
        return probabilities

    def temperature(self, selected: npt.NDArray[np.bool_] | None = None) -> float:
        """Return the best temperature for the `selected` recordings as recorded, bool [n], or for all of them."""
        all_recordings = np.ones(len(self.labels), dtype=bool)
        windows = self.windows[AS_RECORDED]
        return best_temperature(
            self.logits[AS_RECORDED], windows, self.labels, all_recordings if selected is None else selected
        )


def evaluation_recordings(corpus: SpeechCorpus) -> npt.NDArray[np.int_]:
    """Return the indices of the recordings to evaluate on: those of RAVDESS, or all without two of its speakers."""
    indices = np.flatnonzero(corpus.corpora == "RAVDESS")
    return indices if len(np.unique(corpus.folds[indices])) > 1 else np.arange(len(corpus))


def training_recordings(corpus: SpeechCorpus, tested: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    """Return the recordings to train on for an evaluation on those at the indices `tested`, bool [n].

    Nothing else of the tested speakers is among them, unless the corpus has a single speaker.
    """
    trained_on = np.ones(len(corpus), dtype=bool)
    trained_on[tested] = False
    if not corpus.known_voice:
        speakers = np.array([clip.speaker for clip in corpus.clips])
        trained_on &= ~np.isin(speakers, speakers[tested])
    return trained_on


def emotion_indices(labels: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Return the indices into EMOTIONS of indices into LABELS: calm is neutral."""
    return np.array([EMOTIONS.index(LABEL_TO_EMOTION[name]) for name in LABELS], dtype=np.int_)[labels]


def model_file(kind: str) -> str:
    """Return the name of the file of a trained model of `kind`; ``cnn`` is the served one."""
    if kind == "cnn":
        return f"{MODEL_NAME}.tflite"
    return f"{MODEL_NAME}_{kind}.{'npz' if kind in ('mlp', 'bagging') else 'tflite'}"


def evaluate(data: list[Path], *, model: str, models_dir: Path, emotions: Sequence[str] = ()) -> None:
    """Print the metrics of the model of the kind `model` in `models_dir` on the recordings under `data`, in every condition.

    With `emotions`, on their recordings only. If it was trained on these speakers, the metrics include what it memorized;
    its card has those on held-out speakers.
    """
    corpus = load_speech(data, emotions)
    name = model_file(model)
    content = verified_model_bytes(name, f"python train.py speech --data PATH --model {model}", models_dir)
    recognizer = speech_model_of(content, name)
    emotions_of_corpus = emotion_indices(corpus.labels)
    print(f"{name}; {corpus.describe()}; {'; '.join(corpus.notes)}\n")
    print("These metrics hold for new speakers only if the model was not trained on these: see its card.\n")
    for condition_name, condition in CONDITIONS.items():
        vectors = np.stack(
            [
                recognizer.predict_proba((condition(samples, number), SAMPLE_RATE))
                for number, samples in enumerate(corpus.sounds)
            ]
        )
        result = classification_metrics(emotions_of_corpus, vectors, unit="recordings")
        error = reliability(emotions_of_corpus, vectors).error
        print(f"{condition_name}: UAR {result.unweighted_average_recall:.4f}, expected calibration error {error:.4f}")
        print(f"{result.as_text()}\n", flush=True)
