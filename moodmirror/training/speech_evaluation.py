"""Judge speech models on speakers they never heard: as recorded, in noise, in rooms, quieter, louder, across corpora.

What worsens the recordings here is not what training uses: rooms are computed from their walls instead of drawn as decaying
noise, noise comes from another generator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.signal import fftconvolve
from scipy.special import softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.speech import (
    LABEL_TO_EMOTION,
    Features,
    SpeechEmotionRecognizer,
    network_features,
    weighted_windows,
)
from moodmirror.training.corpora import CorpusError
from moodmirror.training.metrics import classification_metrics, reliability
from moodmirror.training.speech_corpora import SpeechCorpus, load_speech

SPEED_OF_SOUND: Final = 343.0  # m/s, at 20 °C
NOISE_SEED: Final = 20_000  # far from training's

# Length, width and height in m, seconds of reverberation, and where one speaks and where the microphone is, in m.
ROOMS: Final = (
    ((4.1, 3.2, 2.5), 0.30, (1.3, 1.3, 1.4), (1.9, 1.8, 1.1)),
    ((6.3, 4.7, 2.8), 0.45, (2.0, 1.4, 1.6), (2.8, 2.0, 1.2)),
    ((8.6, 6.9, 3.4), 0.60, (3.1, 2.2, 1.6), (4.3, 3.1, 1.1)),
)


@lru_cache(maxsize=len(ROOMS))
def room_response(number: int) -> Samples:
    """The impulse response of one of ROOMS by mirror images of the source, float32 [n] at 16 kHz, direct sound first.

    Allen and Berkley, "Image method for efficiently simulating small-room acoustics", JASA 65 (1979); all six walls absorb
    alike, by Eyring's formula for the room's time of reverberation.
    """
    size, t60, source, microphone = (np.asarray(entry, dtype=np.float64) for entry in ROOMS[number])
    volume = float(size.prod())
    surface = 2 * float(size[0] * size[1] + size[1] * size[2] + size[0] * size[2])
    reflection = float(np.sqrt(np.exp(-24 * np.log(10) / SPEED_OF_SOUND * volume / (surface * float(t60)))))
    reach = float(t60) * SPEED_OF_SOUND
    axes = []
    for axis in range(3):
        count = int(np.ceil(reach / (2 * size[axis])))
        rooms = np.arange(-count, count + 1)
        for mirrored in (0, 1):
            position = 2 * rooms * size[axis] + (1 - 2 * mirrored) * source[axis] - microphone[axis]
            axes.append((position, np.abs(rooms - mirrored) + np.abs(rooms)))
    response = np.zeros(int(float(t60) * SAMPLE_RATE) + 1)
    for x, bounces_x in axes[0:2]:
        for y, bounces_y in axes[2:4]:
            for z, bounces_z in axes[4:6]:
                distance = np.sqrt(x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2)
                bounces = bounces_x[:, None, None] + bounces_y[None, :, None] + bounces_z[None, None, :]
                delay = np.rint(distance / SPEED_OF_SOUND * SAMPLE_RATE).astype(np.int_)
                near = delay < len(response)
                np.add.at(response, delay[near], reflection ** bounces[near] / (4 * np.pi * distance[near]))
    first = int(np.flatnonzero(response)[0])
    return np.asarray(response[first:] / response[first], dtype=np.float32)


def as_recorded(samples: Samples, number: int) -> Samples:
    """Nothing changed."""
    return samples


def in_white_noise(samples: Samples, number: int) -> Samples:
    """White noise 15 dB below the recording's power."""
    noise = np.random.default_rng((NOISE_SEED, number)).normal(0, 1, len(samples))
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    return np.asarray(samples + noise * np.sqrt(power * 10**-1.5), dtype=np.float32)


def in_a_room(samples: Samples, number: int) -> Samples:
    """In one of ROOMS in turn, with what still sounds after the last word."""
    heard = fftconvolve(samples, room_response(number % len(ROOMS)))[: len(samples) + SAMPLE_RATE // 4]
    return np.asarray(heard, dtype=np.float32)


def quieter(samples: Samples, number: int) -> Samples:
    """By 12 dB."""
    return samples * np.float32(10 ** (-12 / 20))


def louder(samples: Samples, number: int) -> Samples:
    """By 12 dB of the recording brought to full scale: what exceeds ±1 is cut off, so every recording is clipped."""
    return np.asarray(np.clip(samples / np.abs(samples).max() * 10 ** (12 / 20), -1, 1), dtype=np.float32)


AS_RECORDED: Final = "as recorded"
CONDITIONS: Final[dict[str, Callable[[Samples, int], Samples]]] = {
    AS_RECORDED: as_recorded,
    "white noise at 15 dB": in_white_noise,
    "in a room": in_a_room,
    "12 dB quieter": quieter,
    "12 dB louder, clipped": louder,
}


@dataclass(frozen=True)
class Windows:
    """Windows of several recordings: `features` float32 [windows, …], whose they are, int [windows], and what they weigh."""

    features: npt.NDArray[np.float32]
    owner: npt.NDArray[np.int_]
    weight: npt.NDArray[np.float64]

    def means(self, answers: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Answers by window, [windows, 8], averaged by recording as the recogniser does: float32 [recordings, 8]."""
        sums = np.zeros((int(self.owner.max()) + 1, answers.shape[1]))
        np.add.at(sums, self.owner, answers * self.weight[:, None])
        return np.asarray(sums / sums.sum(axis=1, keepdims=True), dtype=np.float32)


def windows_of(
    sounds: Sequence[Samples],
    condition: Callable[[Samples, int], Samples] = as_recorded,
    features: Callable[[Samples], Features] = network_features,
) -> Windows:
    """The windows of recordings, each changed by a condition, as the recogniser makes and weighs them."""
    made, owner, weight = [], [], []
    for number, samples in enumerate(sounds):
        parts, weights = weighted_windows(condition(samples, number))
        made += [features(part) for part in parts]
        owner += [number] * len(parts)
        weight += list(weights)
    return Windows(np.stack(made), np.array(owner), np.array(weight))


def unweighted_average_recall(labels: npt.NDArray[np.int_], predicted: npt.NDArray[np.int_]) -> float:
    """The mean over the labels that occur of how many of each are found, 0…1."""
    return float(np.mean([(predicted[labels == label] == label).mean() for label in np.unique(labels)]))


def best_temperature(
    logits: npt.NDArray[np.float64], windows: Windows, labels: npt.NDArray[np.int_], chosen: npt.NDArray[np.bool_]
) -> float:
    """What logits [windows, 8] are to be divided by for the least log loss on the `chosen` recordings, bool [recordings].

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def log_loss(temperature: float) -> float:
        means = windows.means(softmax(logits / temperature, axis=1))[chosen]
        return float(-np.log(np.maximum(means[np.arange(len(means)), labels[chosen]], 1e-9)).mean())

    return float(minimize_scalar(log_loss, bounds=(0.2, 5.0), method="bounded").x)


@dataclass(frozen=True)
class FoldAnswers:
    """What networks answer about speakers whom they did not hear: by condition the windows and their logits [windows, 8].

    `chosen` are the indices of the recordings in the corpus, `labels` theirs, `folds` in which they were judged.
    """

    chosen: npt.NDArray[np.int_]
    labels: npt.NDArray[np.int_]
    folds: npt.NDArray[np.int_]
    windows: dict[str, Windows]
    logits: dict[str, npt.NDArray[np.float64]]

    def probabilities(self, condition: str) -> npt.NDArray[np.float32]:
        """Probabilities of LABELS in a condition, float32 [n, 8], each fold's at the temperature of the other folds."""
        windows, logits = self.windows[condition], self.logits[condition]
        answers = np.zeros((len(self.labels), logits.shape[1]), dtype=np.float32)
        for fold in np.unique(self.folds):
            temperature = self.temperature(self.folds != fold)
            here = self.folds == fold
            answers[here] = windows.means(softmax(logits / temperature, axis=1))[here]
        return answers

    def temperature(self, chosen: npt.NDArray[np.bool_] | None = None) -> float:
        """The temperature that fits the `chosen` recordings as recorded, bool [n], or all of them."""
        everything = np.ones(len(self.labels), dtype=bool)
        recorded = self.windows[AS_RECORDED], self.labels, everything if chosen is None else chosen
        return best_temperature(self.logits[AS_RECORDED], *recorded)


def judged(corpus: SpeechCorpus) -> npt.NDArray[np.int_]:
    """The recordings that are judged on: RAVDESS' where there are any, or else all. Raises CorpusError for one speaker."""
    corpora = corpus.corpora
    chosen = np.flatnonzero(corpora == "RAVDESS") if (corpora == "RAVDESS").any() else np.arange(len(corpus))
    if len(np.unique(corpus.folds[chosen])) < 2:
        raise CorpusError("speakers who were not heard can only be judged if there are two or more: add a corpus to --data")
    return chosen


def evaluate(data: list[Path], *, models_dir: Path) -> None:
    """Print what the served model in `models_dir` answers to the recordings under `data`, in every condition.

    It learnt from RAVDESS, TESS and EMO-DB: figures on these are what it remembers. Those of strangers stand in its card.
    """
    corpus = load_speech(data)
    recognizer = SpeechEmotionRecognizer.load(models_dir)
    emotions = np.array([EMOTIONS.index(LABEL_TO_EMOTION[clip.label]) for clip in corpus.clips])
    print(f"{corpus.describe()}; {'; '.join(corpus.notes)}\n")
    print("These are figures of strangers only if the served model never heard the speakers: see its card.\n")
    for name, condition in CONDITIONS.items():
        vectors = np.stack(
            [
                recognizer.predict_proba((condition(samples, number), SAMPLE_RATE))
                for number, samples in enumerate(corpus.sounds)
            ]
        )
        result = classification_metrics(emotions, vectors, unit="recordings")
        error = reliability(emotions, vectors).error
        print(f"{name}: UAR {result.unweighted_average_recall:.4f}, expected calibration error {error:.4f}")
        print(f"{result.as_text()}\n", flush=True)
