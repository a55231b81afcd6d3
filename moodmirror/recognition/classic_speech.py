"""Classic speech models: hand-made features and the scikit-learn models over them. The server never imports this module."""

import io
from pathlib import Path
from typing import Any, Final

import joblib
import librosa
import numpy as np
import numpy.typing as npt
import pywt

from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.model_files import verified_model_bytes
from moodmirror.recognition.speech_features import (
    DYNAMIC_RANGE_DB,
    FRAME_SAMPLES,
    HOP_SAMPLES,
    MAX_MEL_HZ,
    MIN_MEL_HZ,
    SILENCE,
    Features,
    power_spectrogram,
)

MIN_PITCH_HZ, MAX_PITCH_HZ = 65.0, 600.0  # from a low male voice to a scream
MFCCS: Final = 20
WAVELET, WAVELET_LEVELS = "db4", 5


def classic_model_file(name: str) -> str:
    """Return the file name of the classic model `name`, ``mlp`` or ``bagging``."""
    return f"speech_emotion_{name}.joblib"


def load_classic_model(name: str, models_dir: Path = MODELS_DIR) -> Any:
    """Load a trained scikit-learn pipeline, ``mlp`` or ``bagging``, for ``SpeechEmotionRecognizer(model)``.

    Raises ModelError, before a byte is unpickled, if the file is missing or its hash is not that of the manifest.
    """
    make_command = f"python train.py speech --data PATH --model {name}"
    return joblib.load(io.BytesIO(verified_model_bytes(classic_model_file(name), make_command, models_dir)))


def classic_features(samples: Samples) -> Features:
    """Return the classic features of samples, float32 [n] at 16 kHz: float32 [features], none of them NaN.

    Means and standard deviations over frames of 64 ms every 20 ms, in this order:

    - 20 mel-frequency cepstral coefficients (of decibels), and the same of their differences from frame to frame
    - 12 chroma, the shares of the pitch classes from C, 0…1
    - 32 mel bands, dB relative to the loudest
    - zero-crossing rate, crossings per sample, 0…1
    - energy, root mean square in dB relative to the loudest frame
    - spectral contrast in 7 bands, dB (Jiang et al., ICME 2002)

    Then, over the whole sound:

    - pitch F0 in octaves above 100 Hz by YIN (de Cheveigné and Kawahara, JASA 111 (2002)), over the frames within 30 dB of
      the loudest: mean, standard deviation, 10th and 90th percentile, and mean absolute change in octaves per frame
    - discrete wavelet transform (Daubechies 4, 5 levels): for each of its 6 bands the energy's share in dB, and the mean
      absolute coefficient divided by the root mean square, 0…1
    """
    if len(samples) < FRAME_SAMPLES:
        samples = np.pad(samples, (0, FRAME_SAMPLES - len(samples)))
    peak = max(float(np.abs(samples).max()), SILENCE)
    scaled = samples / np.float32(peak)
    features = np.concatenate([*_frame_statistics(samples, scaled), *_wavelet_statistics(scaled)]).astype(np.float32)
    return np.nan_to_num(features)


def _frame_statistics(samples: Samples, scaled: Samples) -> tuple[npt.NDArray[np.floating[Any]], ...]:
    """Return means and standard deviations over frames, and the statistics of the pitch."""
    power = power_spectrogram(samples)
    mel = librosa.feature.melspectrogram(S=power, sr=SAMPLE_RATE, n_mels=40, fmin=MIN_MEL_HZ, fmax=MAX_MEL_HZ)
    decibels = librosa.power_to_db(mel, ref=np.max, amin=1e-12, top_db=DYNAMIC_RANGE_DB)
    mfcc = librosa.feature.mfcc(S=decibels, n_mfcc=MFCCS)
    rms = librosa.feature.rms(y=scaled, frame_length=FRAME_SAMPLES, hop_length=HOP_SAMPLES, pad_mode="constant")
    energy = librosa.amplitude_to_db(rms, ref=np.max, amin=1e-6, top_db=DYNAMIC_RANGE_DB)
    crossings = librosa.feature.zero_crossing_rate(scaled, frame_length=FRAME_SAMPLES, hop_length=HOP_SAMPLES)
    chroma = librosa.feature.chroma_stft(S=power, sr=SAMPLE_RATE, n_fft=FRAME_SAMPLES, tuning=0.0, norm=1)
    contrast = librosa.feature.spectral_contrast(S=np.sqrt(power), sr=SAMPLE_RATE, n_fft=FRAME_SAMPLES, fmin=100.0)
    by_frame = np.concatenate([mfcc, np.diff(mfcc, axis=1, prepend=mfcc[:, :1]), chroma, decibels[:32]])
    by_frame = np.concatenate([by_frame, crossings, energy, contrast])
    octaves = np.log2(pitch(scaled) / 100.0)
    loud = energy[0, : len(octaves)] > -30.0
    octaves = octaves[: len(loud)][loud] if loud.any() else np.zeros(1, dtype=np.float32)
    changes = np.abs(np.diff(octaves)).mean() if len(octaves) > 1 else 0.0
    melody = np.array([octaves.mean(), octaves.std(), *np.percentile(octaves, (10, 90)), changes])
    return by_frame.mean(axis=1), by_frame.std(axis=1), melody


def _wavelet_statistics(scaled: Samples) -> tuple[npt.NDArray[np.floating[Any]], ...]:
    """Return the energies' shares in dB and the normalized mean absolute coefficients of the wavelet bands."""
    bands = pywt.wavedec(scaled, WAVELET, level=WAVELET_LEVELS, mode="zero")
    energies = np.array([np.square(band, dtype=np.float64).mean() for band in bands])
    shares = 10 * np.log10(np.maximum(energies / max(energies.sum(), 1e-12), 1e-7))
    shapes = np.array(
        [
            np.abs(band).mean(dtype=np.float64) / max(np.sqrt(energy), 1e-9)
            for band, energy in zip(bands, energies, strict=True)
        ]
    )
    return shares, shapes


def pitch(samples: Samples) -> npt.NDArray[np.float32]:
    """Return the pitch F0 of samples, float32 [n] at 16 kHz, in Hz: float32 [1 + n // 320], one every 20 ms (YIN).

    Values lie in 65…600 Hz; where the sound has no pitch they are meaningless.
    """
    hertz = librosa.yin(
        samples,
        fmin=MIN_PITCH_HZ,
        fmax=MAX_PITCH_HZ,
        sr=SAMPLE_RATE,
        frame_length=FRAME_SAMPLES,
        hop_length=HOP_SAMPLES,
        pad_mode="constant",
    )
    return np.asarray(hertz, dtype=np.float32)
