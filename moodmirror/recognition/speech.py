"""Hear the emotion in a voice.

:class:`SpeechEmotionRecognizer` reads windows of three seconds. Its features stand here, each in one function that training
and serving share: :func:`log_mel` for the networks, :func:`classic_features` for the models of scikit-learn. None of them
depends on how loud the sound is: acted corpora give emotions away by loudness, and a microphone's level says nothing.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin
from moodmirror.recognition.audio import SAMPLE_RATE, Samples, SoundError, read_sound, resample
from moodmirror.recognition.model_files import MODELS_DIR, LiteRTModel, ModelError, verified_model_bytes

MODEL_NAME: Final = "speech_emotion"
MAKE_COMMAND: Final = "python train.py speech --data PATH"

# The eight labels of RAVDESS (Livingstone and Russo, PLOS ONE 13 (2018)) in its own order: what models learn.
LABELS: Final = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprise")
LABEL_TO_EMOTION: Final = {**{emotion: emotion for emotion in EMOTIONS}, "calm": "neutral"}

WINDOW_SECONDS: Final = 3.0
STEP_SECONDS: Final = 1.0  # from one window of a long sound to the next
WINDOW_SAMPLES: Final = int(WINDOW_SECONDS * SAMPLE_RATE)  # samples
STEP_SAMPLES: Final = int(STEP_SECONDS * SAMPLE_RATE)

FRAME_SAMPLES: Final = 1024  # samples, 64 ms: long enough that the harmonics of a voice stand apart
HOP_SAMPLES: Final = 320  # samples, 20 ms
WINDOW_FRAMES: Final = WINDOW_SAMPLES // HOP_SAMPLES
MEL_BANDS: Final = 64
LOWEST, HIGHEST = 50.0, 7600.0  # Hz: of the mel bands
DYNAMIC_RANGE: Final = 70.0  # dB below the window's loudest band: what lies deeper counts as silence

# Noise that is always there is taken out of what the network hears.
NOISE_SHARE: Final = 20.0  # percent of the frames in which a band holds nothing but its noise
LEAST_NOISE: Final = -45.0  # dB below the loudest band: what lies deeper is no noise that matters
MORE_NOISE: Final = 1.5  # times what the quietest frames hold: noise is mostly louder than at its quietest
LEAST_LEFT: Final = 0.01  # of the power: taking away all would leave holes that no voice has
FRAMES_FOR_NOISE: Final = 20  # 0.4 s: in fewer the quietest are speech

PITCH_LOWEST, PITCH_HIGHEST = 65.0, 600.0  # Hz: from a low man's voice to a scream
MFCCS: Final = 20
WAVELET, WAVELET_LEVELS = "db4", 5

# Voice activity. Speech rises and falls by more than a room's noise does, and where it is loud it has a pitch.
SPEECH_BAND: Final = (200.0, 4000.0)  # Hz
SILENCE: Final = 1e-6  # of full scale: a window that never exceeds it is digital silence
FLOOR_SHARE: Final = 0.1  # of the frames, the quietest, are taken for the noise floor
ACTIVE_ABOVE_FLOOR: Final = 6.0  # dB
LEAST_ACTIVE: Final = 0.1  # of the frames: 0.3 s of a window
MOST_FLATNESS: Final = 0.35  # of loud frames: white noise has 0.56, voiced speech less than 0.1
HALF_WEIGHT_SNR: Final = 10.0  # dB: where a reading counts for half
MOST_SNR: Final = 60.0  # dB

Sound = str | Path | tuple[npt.ArrayLike, float]
Features = npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def _mel_filters() -> npt.NDArray[np.float32]:
    """Triangles of unit area on Slaney's mel scale (Auditory Toolbox, 1998), as librosa's: float32 [64, 513].

    Computed here, for librosa takes four seconds and 200 MB before its first answer, and who speaks is waiting.
    """
    linear, octave = 200 / 3, np.log(6.4) / 27  # Hz a mel up to 1000 Hz, 15 mels; above, the logarithm of the step
    lowest, highest = (15 + np.log(hertz / 1000) / octave if hertz > 1000 else hertz / linear for hertz in (LOWEST, HIGHEST))
    mels = np.linspace(lowest, highest, MEL_BANDS + 2)
    edges = np.where(mels > 15, 1000 * np.exp(octave * (mels - 15)), linear * mels)[:, np.newaxis]
    below, middle, above = edges[:-2], edges[1:-1], edges[2:]
    frequencies = _frequencies()
    rising, falling = (frequencies - below) / (middle - below), (above - frequencies) / (above - middle)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0) * 2 / (above - below), dtype=np.float32)


def _frequencies() -> npt.NDArray[np.float64]:
    """The frequencies of :func:`power_spectrogram`, in Hz: float64 [513]."""
    return np.arange(FRAME_SAMPLES // 2 + 1, dtype=np.float64) * (SAMPLE_RATE / FRAME_SAMPLES)


def power_spectrogram(samples: Samples) -> npt.NDArray[np.float32]:
    """Power of samples, float32 [n] at 16 kHz, by frequency and frame: float32 [513, 1 + n // 320], loudest sample 1.

    Hann windows of 64 ms each 20 ms, centred on their time.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    levelled = samples / np.float32(peak) if peak > SILENCE else np.zeros_like(samples)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(levelled, FRAME_SAMPLES // 2), FRAME_SAMPLES)[::HOP_SAMPLES]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)).astype(np.float32)
    return np.asarray(np.abs(np.fft.rfft(frames * hann, axis=1)).T ** 2, dtype=np.float32)


def log_mel(samples: Samples) -> Features:
    """The networks' features of one window, samples float32 [n] at 16 kHz with n ≤ 48,000: float32 [150, 64].

    Decibels of 64 mel bands from 50 to 7600 Hz in 150 frames each 20 ms, relative to the loudest band of the loudest frame:
    −70…0. A shorter sound stands in the middle of silence. All −70 for silence.
    """
    mel = _mel_filters() @ power_spectrogram(pad_to_window(samples))[:, :WINDOW_FRAMES]
    decibels = 10 * np.log10(np.maximum(mel, np.float32(1e-12)))
    loudest = float(decibels.max())
    if loudest <= -119.0:  # dB: nothing but the least that is told apart
        return np.full((WINDOW_FRAMES, MEL_BANDS), -DYNAMIC_RANGE, dtype=np.float32)
    return np.ascontiguousarray(np.maximum(decibels - loudest, -DYNAMIC_RANGE).T, dtype=np.float32)


def subtract_noise(features: Features) -> Features:
    """Log-mel features, float32 [150, 64] in dB, less the noise that is there in every frame; of the same kind.

    From each band half as much again is subtracted as its quietest fifth of frames does not exceed: spectral subtraction
    (Boll, IEEE TASSP 27 (1979)) with over-subtraction and a floor (Berouti et al., ICASSP 1979). Digital silence about a
    sound does not count as quiet.
    """
    heard = features.max(axis=1) > 1 - DYNAMIC_RANGE
    if heard.sum() < FRAMES_FOR_NOISE:
        return features
    noise = np.percentile(features[heard], NOISE_SHARE, axis=0)
    power = 10 ** (features / 10)
    taken = np.where(noise > LEAST_NOISE, MORE_NOISE * 10 ** (noise / 10), 0.0)
    left = np.maximum(power - taken, LEAST_LEFT * power)
    decibels = 10 * np.log10(left + 1e-9)
    return np.asarray(np.maximum(decibels - decibels.max(), -DYNAMIC_RANGE), dtype=np.float32)


def network_features(samples: Samples) -> Features:
    """What a network hears of one window, samples float32 [n ≤ 48,000] at 16 kHz: float32 [150, 64]."""
    return subtract_noise(log_mel(samples))


def pad_to_window(samples: Samples) -> Samples:
    """One whole window, float32 [48,000], with a shorter sound in its middle. Raises ValueError for a longer one."""
    missing = WINDOW_SAMPLES - len(samples)
    if missing < 0:
        raise ValueError(f"a window holds {WINDOW_SAMPLES} samples at most, not {len(samples)}")
    return np.pad(samples, (missing // 2, missing - missing // 2)) if missing else samples


def classic_features(samples: Samples) -> Features:
    """The classic features of samples, float32 [n] at 16 kHz: float32 [CLASSIC_FEATURES], none of them NaN.

    Means and standard deviations over frames of 64 ms each 20 ms, in this order:

    - 20 mel-frequency cepstral coefficients (of decibels), and the same of their differences from frame to frame
    - 12 chroma, the shares of the pitch classes from C, 0…1
    - 32 mel bands, dB relative to the loudest
    - zero-crossing rate, crossings a sample, 0…1
    - energy, root mean square in dB relative to the loudest frame
    - pitch F0 in octaves above 100 Hz by YIN (de Cheveigné and Kawahara, JASA 111 (2002)), over the frames within 30 dB of
      the loudest; for it also the 10th and 90th percentile and the mean absolute change, octaves a frame
    - spectral contrast in 7 bands, dB (Jiang et al., ICME 2002)
    - discrete wavelet transform (Daubechies 4, 5 levels): of each of its 6 bands the energy's share in dB, and the mean
      absolute coefficient by their root mean square, 0…1
    """
    import librosa  # what serves has neither: only the classic models are made from these features
    import pywt

    if len(samples) < FRAME_SAMPLES:
        samples = np.pad(samples, (0, FRAME_SAMPLES - len(samples)))
    power = power_spectrogram(samples)
    magnitude = np.sqrt(power)
    mel = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_mels=40, fmin=LOWEST, fmax=HIGHEST)
    decibels = librosa.power_to_db(mel, ref=np.max, amin=1e-12, top_db=DYNAMIC_RANGE)
    mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=MFCCS)
    peak = max(float(np.abs(samples).max()), SILENCE)
    levelled = samples / np.float32(peak)
    rms = librosa.feature.rms(y=levelled, frame_length=FRAME_SAMPLES, hop_length=HOP_SAMPLES, pad_mode="constant")
    energy = librosa.amplitude_to_db(rms, ref=np.max, amin=1e-6, top_db=DYNAMIC_RANGE)
    crossings = librosa.feature.zero_crossing_rate(levelled, frame_length=FRAME_SAMPLES, hop_length=HOP_SAMPLES)
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, n_fft=FRAME_SAMPLES, tuning=0.0, norm=1)
    contrast = librosa.feature.spectral_contrast(S=magnitude, sr=SAMPLE_RATE, n_fft=FRAME_SAMPLES, fmin=100.0)
    octaves = np.log2(pitch(levelled) / 100.0)
    loud = energy[0, : len(octaves)] > -30.0
    octaves = octaves[: len(loud)][loud] if loud.any() else np.zeros(1, dtype=np.float32)
    by_frame = np.concatenate([mfcc, np.diff(mfcc, axis=1, prepend=mfcc[:, :1]), chroma, decibels[:32]])
    by_frame = np.concatenate([by_frame, crossings, energy, contrast])
    melody = [
        octaves.mean(),
        octaves.std(),
        *np.percentile(octaves, (10, 90)),
        np.abs(np.diff(octaves)).mean() if len(octaves) > 1 else 0.0,
    ]
    wavelets = pywt.wavedec(levelled, WAVELET, level=WAVELET_LEVELS, mode="zero")
    energies = np.array([np.square(band, dtype=np.float64).mean() for band in wavelets])
    shares = 10 * np.log10(np.maximum(energies / max(energies.sum(), 1e-12), 1e-7))
    shapes = [
        np.abs(band).mean(dtype=np.float64) / max(np.sqrt(power_), 1e-9)
        for band, power_ in zip(wavelets, energies, strict=True)
    ]
    features = np.concatenate([by_frame.mean(axis=1), by_frame.std(axis=1), melody, shares, shapes]).astype(np.float32)
    return np.nan_to_num(features)


def pitch(samples: Samples) -> npt.NDArray[np.float32]:
    """Pitch F0 of samples, float32 [n] at 16 kHz, in Hz within 65…600: float32 [1 + n // 320], one each 20 ms (YIN).

    Where there is no pitch the figure means nothing.
    """
    import librosa

    hertz = librosa.yin(
        samples,
        fmin=PITCH_LOWEST,
        fmax=PITCH_HIGHEST,
        sr=SAMPLE_RATE,
        frame_length=FRAME_SAMPLES,
        hop_length=HOP_SAMPLES,
        pad_mode="constant",
    )
    return np.asarray(hertz, dtype=np.float32)


@dataclass(frozen=True)
class Voice:
    """Whether a window holds speech: the estimated signal-to-noise ratio in dB, and the share of frames with voice, 0…1."""

    snr_db: float
    share: float


def voice_activity(samples: Samples) -> Voice | None:
    """Look for speech in samples, float32 [n] at 16 kHz; None for silence, and for noise without a voice.

    Frames count as voice that stand 6 dB above the window's own floor, the mean of its quietest tenth, between 200 and
    4000 Hz. The loud ones of them must have the low spectral flatness of a pitch (Johnston, IEEE JSAC 6 (1988)).
    """
    if len(samples) < FRAME_SAMPLES or np.abs(samples).max() <= SILENCE:
        return None
    frequencies = _frequencies()
    within = (frequencies >= SPEECH_BAND[0]) & (frequencies <= SPEECH_BAND[1])
    power = power_spectrogram(samples)[within].astype(np.float64)
    energy = power.sum(axis=0)
    heard = energy > 1e-9 * energy.max()  # what a stream or a cut filled with zeros is no floor
    power, energy = power[:, heard], energy[heard]
    floor = float(np.sort(energy)[: max(int(FLOOR_SHARE * len(energy)), 1)].mean())
    active = energy > floor * 10 ** (ACTIVE_ABOVE_FLOOR / 10)
    if active.sum() < LEAST_ACTIVE * WINDOW_FRAMES:
        return None
    loud = active & (energy >= np.quantile(energy[active], 0.5))
    flatness = np.exp(np.log(power[:, loud] + 1e-12).mean(axis=0)) / (power[:, loud].mean(axis=0) + 1e-12)
    if np.median(flatness) > MOST_FLATNESS:
        return None
    ratio = max(float(energy[active].mean()) / floor - 1, 1e-3)
    return Voice(min(10 * float(np.log10(ratio)), MOST_SNR), float(active.sum() / WINDOW_FRAMES))


@dataclass(frozen=True)
class SpeechReading(MoodVectorMixin):
    """What is heard in one window.

    `vector` is a mood vector, float32 [7]; `snr_db` the estimated signal-to-noise ratio in dB; `weight`, in (0, 1], how much
    the reading counts, one half at 10 dB and less in more noise; `voice`, 0…1, the share of the window that is speech.
    """

    vector: MoodVector
    snr_db: float
    weight: float
    voice: float = 1.0


def split_windows(samples: Samples) -> Iterator[tuple[float, Samples]]:
    """The windows of samples, float32 [n] at 16 kHz: 3 s each second, with the time in s at which each ends.

    A sound of up to 3 s is one window; the last window of a longer one ends where the sound does.
    """
    last = max(len(samples) - WINDOW_SAMPLES, 0)
    starts = [*range(0, last, STEP_SAMPLES), last]
    # A last window that is nearly the one before it would count the same second twice.
    if len(starts) > 1 and starts[-1] - starts[-2] < STEP_SAMPLES // 4:
        del starts[-2]
    for start in starts:
        part = samples[start : start + WINDOW_SAMPLES]
        yield (start + len(part)) / SAMPLE_RATE, part


def weighted_windows(samples: Samples) -> tuple[list[Samples], npt.NDArray[np.float64]]:
    """The windows of samples, float32 [n] at 16 kHz, that count, and how much: float64 [windows], above 0.

    A window counts by the share of it that is speech times :func:`snr_weight` its signal-to-noise ratio; all count the same
    where none holds speech. Raises SoundError for silence.
    """
    if np.abs(samples).max(initial=0.0) <= SILENCE:
        raise SoundError("nothing is heard: the sound is silent")
    parts = [part for _, part in split_windows(samples)]
    if len(parts) == 1:
        return parts, np.ones(1)
    voices = [voice_activity(part) for part in parts]
    weights = np.array([0.0 if voice is None else voice.share * snr_weight(voice.snr_db) for voice in voices])
    if not weights.any():
        return parts, np.ones(len(parts))
    return [part for part, weight in zip(parts, weights, strict=True) if weight], weights[weights > 0]


class SpeechEmotionRecognizer:
    """Maps sounds to mood vectors, in scikit-learn's manner."""

    classes_: Final = EMOTIONS

    def __init__(
        self, model: Any, emotions: Sequence[str] | None = None, features: Callable[[Samples], Features] | None = None
    ) -> None:
        """Wrap a fitted `model`: with ``predict_proba`` as scikit-learn's, or a function of a batch as Keras' and LiteRT's.

        Its answers are [n, classes] in the order of its ``classes_`` where these are names of emotions (or of LABELS), else
        of `emotions` if there are as many, else of LABELS or of EMOTIONS. With `emotions`, only these are answered, the
        others are 0.
        `features` makes the model's input from a window, float32 [n ≤ 48,000] at 16 kHz: by default :func:`classic_features`
        for models with ``predict_proba``, :func:`network_features` for others.

        Raises ValueError for unknown emotions, or none.
        """
        chosen = tuple(EMOTIONS if emotions is None else emotions)
        unknown = [emotion for emotion in chosen if emotion not in LABEL_TO_EMOTION]
        if unknown or not chosen:
            raise ValueError(f"emotions must be some of {', '.join(LABEL_TO_EMOTION)}, not {', '.join(unknown) or 'none'}")
        self.emotions: Final = tuple(
            emotion for emotion in EMOTIONS if emotion in {LABEL_TO_EMOTION[name] for name in chosen}
        )
        answer = getattr(model, "predict_proba", None)
        self._answer: Callable[[Any], Any] = answer if answer is not None else model
        self._features = features or (network_features if answer is None else classic_features)
        names = tuple(str(name) for name in getattr(model, "classes_", ()))
        named = bool(names) and all(name in LABEL_TO_EMOTION for name in names)
        self._orders = (names,) if named else (chosen, LABELS, EMOTIONS)

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, emotions: Sequence[str] | None = None) -> Self:
        """Open the trained network. Raises ModelError if it is missing or not the one the manifest names."""
        content = verified_model_bytes(f"{MODEL_NAME}.tflite", MAKE_COMMAND, models_dir)
        return cls(LiteRTModel(content), emotions)

    @classmethod
    def load_classic(cls, name: str, models_dir: Path = MODELS_DIR, *, emotions: Sequence[str] | None = None) -> Self:
        """Open a trained pipeline of scikit-learn, ``speech_emotion_<name>.joblib``, `name` being ``mlp`` or ``bagging``.

        Raises ModelError, before a byte is unpickled, if it is missing or not the one the manifest names.
        """
        import joblib

        content = verified_model_bytes(f"{MODEL_NAME}_{name}.joblib", f"{MAKE_COMMAND} --model {name}", models_dir)
        return cls(joblib.load(io.BytesIO(content)), emotions)

    def predict_proba(self, sound: Sound) -> MoodVector:
        """Probabilities of the seven emotions, float32 [7], of a path or of a pair (samples float32 [n], rate in Hz).

        A sound of more than 3 s is read in windows of 3 s each second, and their answers are averaged, each weighing what it
        holds of speech and how far it stands above the noise; where no window holds speech, all weigh the same.
        Raises SoundError for a sound that can't be read or is silent.
        """
        parts, weights = weighted_windows(load_samples(sound))
        mean = np.average(self._read(parts), axis=0, weights=weights)
        return np.asarray(mean / mean.sum(), dtype=np.float32)

    def predict(self, sound: Sound) -> str:
        """The likeliest emotion of a path or of a pair (samples float32 [n], rate in Hz)."""
        return EMOTIONS[int(self.predict_proba(sound).argmax())]

    def read_window(self, samples: Samples) -> SpeechReading | None:
        """Read one window, float32 [n ≤ 48,000] at 16 kHz; None where no speech is heard."""
        voice = voice_activity(samples)
        if voice is None:
            return None
        return SpeechReading(self._read([samples])[0], voice.snr_db, snr_weight(voice.snr_db), voice.share)

    def read_windows(self, samples: Samples) -> list[tuple[float, SpeechReading | None]]:
        """Read samples, float32 [n] at 16 kHz, in windows of 3 s each second: (time in s of a window's end, reading)."""
        return [(end, self.read_window(part)) for end, part in split_windows(samples)]

    def _read(self, parts: Sequence[Samples]) -> npt.NDArray[np.float32]:
        """Mood vectors, float32 [n, 7], of windows, each float32 [≤ 48,000] at 16 kHz."""
        answers = np.asarray(self._answer(np.stack([self._features(part) for part in parts])), dtype=np.float32)
        if not np.isfinite(answers).all():
            raise ModelError(f"The speech model answered with no numbers. Make it anew with: {MAKE_COMMAND}")
        columns = next((names for names in self._orders if len(names) == answers.shape[1]), None)
        if columns is None:
            known = " or ".join(str(len(names)) for names in dict.fromkeys(self._orders))
            raise ValueError(f"the model answers with {answers.shape[1]} classes, expected {known}")
        return to_mood_vectors(answers, columns, self.emotions)


def to_mood_vectors(
    answers: npt.NDArray[np.float32], columns: Sequence[str], emotions: Sequence[str] = EMOTIONS
) -> npt.NDArray[np.float32]:
    """Mood vectors, float32 [n, 7], of answers over the labels that `columns` names: calm counts as neutral.

    Only the chosen `emotions` are left, and rows sum to 1; where a row has nothing left, the chosen weigh the same.
    """
    vectors = np.zeros((len(answers), len(EMOTIONS)), dtype=np.float32)
    for column, name in enumerate(columns):
        vectors[:, EMOTIONS.index(LABEL_TO_EMOTION[name])] += answers[:, column]
    chosen = np.isin(EMOTIONS, emotions)
    vectors[:, ~chosen] = 0
    totals = vectors.sum(axis=1, keepdims=True)
    shares = np.where(totals > 0, vectors / np.maximum(totals, 1e-12), chosen / chosen.sum())
    return np.asarray(shares, dtype=np.float32)


def snr_weight(snr_db: float) -> float:
    """How much a reading counts at a signal-to-noise ratio in dB, in (0, 1]: one half at HALF_WEIGHT_SNR."""
    return float(1 / (1 + 10 ** ((HALF_WEIGHT_SNR - snr_db) / 10)))


def load_samples(sound: Sound) -> Samples:
    """Samples, float32 [n] at 16 kHz, of a path or of a pair (samples, rate in Hz). Raises SoundError."""
    if isinstance(sound, str | Path):
        return read_sound(sound)
    try:
        samples, rate = sound
    except (TypeError, ValueError):
        raise SoundError("a sound must be a path, or a pair: float32 samples [n] and their rate in Hz") from None
    return resample(samples, rate)
