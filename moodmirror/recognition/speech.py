"""Recognize emotions in speech: :class:`SpeechEmotionRecognizer` reads windows of three seconds."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, overload

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin, parse_emotion, plain_name, shares_by_name
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.audio import Samples, SoundError, read_sound, resample
from moodmirror.recognition.model_files import LiteRTModel, ModelError, trained_emotions, verified_model_bytes
from moodmirror.recognition.speech_features import Features, network_features, split_windows
from moodmirror.recognition.voice_activity import snr_weight, voice_activity, weighted_windows

MODEL_NAME: Final = "speech_emotion"
MAKE_COMMAND: Final = "python train.py speech --data PATH"

# The eight labels of RAVDESS (Livingstone and Russo, PLOS ONE 13 (2018)) in its order: the classes that models learn.
LABELS: Final = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
LABEL_TO_EMOTION: Final = {**{emotion: emotion for emotion in EMOTIONS}, "calm": "neutral"}
CALM_NAMES: Final = ("calm", "calmness")


def parse_label(name: str) -> str:
    """Return the label, one of LABELS, that a name stands for. Raises ValueError as :func:`parse_emotion` does.

    Calm, which is neutral elsewhere, is a label of its own here.
    """
    return "calm" if plain_name(name) in CALM_NAMES else parse_emotion(name)


def _known_label(name: object) -> str | None:
    """Return the label that a name stands for; None for another name."""
    try:
        return parse_label(str(name))
    except ValueError:
        return None


Sound = str | Path | tuple[npt.ArrayLike, float]


@dataclass(frozen=True)
class SpeechReading(MoodVectorMixin):
    """The mood of one window of speech.

    `vector` is a mood vector, float32 [7]; `snr_db` the estimated signal-to-noise ratio in dB; `weight`, in (0, 1], the
    reading's weight, one half at 10 dB and less in more noise; `voice_share`, 0…1, the share of the window that is speech.
    """

    vector: MoodVector
    snr_db: float
    weight: float
    voice_share: float = 1.0


class SpeechEmotionRecognizer:
    """Maps sounds to mood vectors, in scikit-learn's manner."""

    classes_: Final = EMOTIONS

    def __init__(
        self,
        model: Any,
        emotions: Sequence[str] | None = None,
        features: Callable[[Samples], Features] | None = None,
        *,
        verbose: bool | int = False,
    ) -> None:
        """Wrap a fitted `model`: one with scikit-learn's ``predict_proba``, or a function of a batch as Keras' and LiteRT's.

        Its outputs, [n, classes], are in the order of its ``classes_`` if these are names of emotions that
        :func:`parse_label` reads, else of `emotions` if there are as many, else of LABELS or of EMOTIONS. With `emotions`,
        the other emotions get probability 0. `features` computes the model's input from a window, float32 [n ≤ 48,000] at
        16 kHz: by default ``classic_features`` for models with ``predict_proba``, and :func:`network_features` for others.
        With `verbose`, the progress of reading a list of sounds is printed to standard error.

        Raises ValueError for unknown emotions, or none, and for ``classes_`` with a name that is none, without `emotions`.
        """
        given = tuple(EMOTIONS if emotions is None else emotions)
        unknown = [str(name) for name in given if _known_label(name) is None]
        if unknown or not given:
            raise ValueError(f"emotions must be some of {', '.join(LABEL_TO_EMOTION)}, not {', '.join(unknown) or 'none'}")
        selected = tuple(parse_label(str(name)) for name in given)
        self._verbose = bool(verbose)
        mapped = {LABEL_TO_EMOTION[name] for name in selected}
        self.emotions: Final = tuple(emotion for emotion in EMOTIONS if emotion in mapped)
        predict = getattr(model, "predict_proba", None)
        self._predict: Callable[[Any], Any] = predict if predict is not None else model
        self._features = features or (network_features if predict is None else classic_feature_function())
        classes = [str(name) for name in getattr(model, "classes_", ())]
        names = tuple(label for name in classes if (label := _known_label(name)) is not None)
        named = bool(names) and len(names) == len(classes)
        # Numbers of classes follow one of the orders; a name that is no emotion would shift all that follow it.
        foreign = [name for name in classes if _known_label(name) is None and not name.isdigit()]
        if foreign and emotions is None:
            raise ValueError(f"the model has the class {foreign[0]!r}, which is no emotion: pass the classes as emotions")
        self._class_orders = (names,) if named else (selected, LABELS, EMOTIONS)

    @classmethod
    def load(
        cls, models_dir: Path = MODELS_DIR, *, emotions: Sequence[str] | None = None, verbose: bool | int = False
    ) -> Self:
        """Load the trained network, over the emotions that it was trained on, or over some of them.

        Raises ModelError if it is missing or its hash is not that of the manifest.
        """
        name = f"{MODEL_NAME}.tflite"
        content = verified_model_bytes(name, MAKE_COMMAND, models_dir)
        return cls(LiteRTModel(content), emotions or trained_emotions(name, models_dir), verbose=verbose)

    @overload
    def predict_proba(self, sound: Sound) -> MoodVector: ...

    @overload
    def predict_proba(self, sound: list[Sound]) -> npt.NDArray[np.float32]: ...

    def predict_proba(self, sound: Sound | list[Sound]) -> npt.NDArray[np.float32]:
        """Return the probabilities of the seven emotions, float32 [7]; for a list of n sounds float32 [n, 7].

        `sound` is a path or a pair (float32 samples [n] in −1…1, rate in Hz). A sound longer than 3 s is read in windows of
        3 s every second; their predictions are averaged, weighted by their share of speech and their signal-to-noise ratio.
        If no window holds speech, all have equal weights.
        Raises SoundError for a sound that can't be read or is silent.
        """
        if isinstance(sound, list):
            vectors = np.empty((len(sound), len(EMOTIONS)), dtype=np.float32)
            for row, each in enumerate(sound):
                if self._verbose:
                    name = each if isinstance(each, str | Path) else "samples"
                    print(f"Reading {row + 1} of {len(sound)}: {name}", file=sys.stderr)
                vectors[row] = self.predict_proba(each)
            return vectors
        parts, weights = weighted_windows(load_samples(sound))
        mean = np.average(self._predict_windows(parts), axis=0, weights=weights)
        return np.asarray(mean / mean.sum(), dtype=np.float32)

    @overload
    def predict(self, sound: Sound) -> str: ...

    @overload
    def predict(self, sound: list[Sound]) -> list[str]: ...

    def predict(self, sound: Sound | list[Sound]) -> str | list[str]:
        """Return the most probable emotion of a sound, or of each of a list. Raises SoundError as :meth:`predict_proba`."""
        if isinstance(sound, list):
            return [EMOTIONS[index] for index in self.predict_proba(sound).argmax(axis=1)]
        return EMOTIONS[int(self.predict_proba(sound).argmax())]

    @overload
    def predict_proba_by_name(self, sound: Sound) -> dict[str, float]: ...

    @overload
    def predict_proba_by_name(self, sound: list[Sound]) -> list[dict[str, float]]: ...

    def predict_proba_by_name(self, sound: Sound | list[Sound]) -> dict[str, float] | list[dict[str, float]]:
        """Return the probabilities of the seven emotions by name, of a sound or of each of a list.

        Raises SoundError as :meth:`predict_proba` does.
        """
        if isinstance(sound, list):
            return [shares_by_name(vector) for vector in self.predict_proba(sound)]
        return shares_by_name(self.predict_proba(sound))

    def read_window(self, samples: Samples) -> SpeechReading | None:
        """Return the reading of one window, float32 [n ≤ 48,000] at 16 kHz; None if it holds no speech."""
        activity = voice_activity(samples)
        if activity is None:
            return None
        vector = self._predict_windows([samples])[0]
        return SpeechReading(vector, activity.snr_db, snr_weight(activity.snr_db), activity.share)

    def read_windows(self, samples: Samples) -> list[tuple[float, SpeechReading | None]]:
        """Return (time of the window's end in seconds, reading) for windows of 3 s every second.

        `samples` are float32 [n] at 16 kHz.
        """
        return [(end, self.read_window(part)) for end, part in split_windows(samples)]

    def _predict_windows(self, parts: Sequence[Samples]) -> npt.NDArray[np.float32]:
        """Return mood vectors, float32 [n, 7], of n windows, each float32 [≤ 48,000] at 16 kHz."""
        outputs = np.asarray(self._predict(np.stack([self._features(part) for part in parts])), dtype=np.float32)
        if not np.isfinite(outputs).all():
            raise ModelError(f"The speech model's output is not finite. Create the model again with: {MAKE_COMMAND}")
        labels = next((names for names in self._class_orders if len(names) == outputs.shape[1]), None)
        if labels is None:
            expected = " or ".join(str(len(names)) for names in dict.fromkeys(self._class_orders))
            raise ValueError(f"the model's output has {outputs.shape[1]} classes, expected {expected}")
        return to_mood_vectors(outputs, labels, self.emotions)


def to_mood_vectors(
    outputs: npt.NDArray[np.float32], labels: Sequence[str], emotions: Sequence[str] = EMOTIONS
) -> npt.NDArray[np.float32]:
    """Return mood vectors, float32 [n, 7], of a model's outputs, float32 [n, classes] in the order of `labels`.

    Calm counts as neutral. Only the selected `emotions` keep their shares, and rows sum to 1; a row in which none of them
    has a share becomes uniform over them.
    """
    vectors = np.zeros((len(outputs), len(EMOTIONS)), dtype=np.float32)
    for column, name in enumerate(labels):
        vectors[:, EMOTIONS.index(LABEL_TO_EMOTION[name])] += outputs[:, column]
    selected = np.isin(EMOTIONS, emotions)
    vectors[:, ~selected] = 0
    totals = vectors.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, vectors / np.maximum(totals, 1e-12), selected / selected.sum())
    return np.asarray(shares, dtype=np.float32)


def load_samples(sound: Sound) -> Samples:
    """Return samples, float32 [n] at 16 kHz, of a path or of a pair (samples, rate in Hz). Raises SoundError."""
    if isinstance(sound, str | Path):
        return read_sound(sound)
    try:
        samples, rate = sound
    except (TypeError, ValueError):
        raise SoundError("a sound must be a path, or a pair of float32 samples [n] and their rate in Hz") from None
    return resample(samples, rate)


def classic_feature_function() -> Callable[[Samples], Features]:
    """Import the classic features, which need librosa: four seconds and 200 MB that a server must not spend."""
    from moodmirror.recognition.classic_speech import classic_features

    return classic_features
