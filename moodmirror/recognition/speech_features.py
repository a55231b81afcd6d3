"""Compute the spectral features of speech: windows, log-mel spectrograms, and noise subtraction.

Training and serving share these functions. No feature depends on the loudness of the sound: acted corpora reveal emotions by
loudness, and the level of a microphone carries no information.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recognition.audio import SAMPLE_RATE, Samples

WINDOW_SECONDS: Final = 3.0
STEP_SECONDS: Final = 1.0  # between the windows of a longer sound
WINDOW_SAMPLES: Final = int(WINDOW_SECONDS * SAMPLE_RATE)
STEP_SAMPLES: Final = int(STEP_SECONDS * SAMPLE_RATE)

FRAME_SAMPLES: Final = 1024  # 64 ms: long enough to resolve the harmonics of a voice
HOP_SAMPLES: Final = 320  # 20 ms
WINDOW_FRAMES: Final = WINDOW_SAMPLES // HOP_SAMPLES
MEL_BANDS: Final = 64
MIN_MEL_HZ, MAX_MEL_HZ = 50.0, 7600.0  # range of the mel bands
DYNAMIC_RANGE_DB: Final = 70.0  # below the loudest band of the window; weaker values count as silence
SILENCE: Final = 1e-6  # of full scale: a window that never exceeds it is digital silence

# Subtraction of constant noise from the network's input.
NOISE_PERCENTILE: Final = 20.0  # of a band's frames: these hold only noise
MIN_NOISE_DB: Final = -45.0  # relative to the loudest band; weaker noise is ignored
NOISE_FACTOR: Final = 1.5  # over-subtraction: noise is mostly louder than in its quietest frames
MIN_POWER_SHARE: Final = 0.01  # of the power is kept: removing all of it would leave holes that no voice has
MIN_NOISE_FRAMES: Final = 20  # 0.4 s: in fewer frames the quietest ones are speech

Features = npt.NDArray[np.float32]


def split_windows(samples: Samples) -> Iterator[tuple[float, Samples]]:
    """Split samples, float32 [n] at 16 kHz, into windows of 3 s every second: (time of the end in seconds, samples).

    A sound of up to 3 s is one window; the last window of a longer sound ends where the sound ends.
    """
    last = max(len(samples) - WINDOW_SAMPLES, 0)
    starts = [*range(0, last, STEP_SAMPLES), last]
    # A last window that is nearly equal to the previous one would count the same second twice.
    if len(starts) > 1 and starts[-1] - starts[-2] < STEP_SAMPLES // 4:
        del starts[-2]
    for start in starts:
        part = samples[start : start + WINDOW_SAMPLES]
        yield (start + len(part)) / SAMPLE_RATE, part


def pad_to_window(samples: Samples) -> Samples:
    """Return one window, float32 [48,000], with a shorter sound in its middle. Raises ValueError for a longer sound."""
    missing = WINDOW_SAMPLES - len(samples)
    if missing < 0:
        raise ValueError(f"a window has at most {WINDOW_SAMPLES} samples, not {len(samples)}")
    return np.pad(samples, (missing // 2, missing - missing // 2)) if missing else samples


def frequencies() -> npt.NDArray[np.float64]:
    """Return the frequencies of :func:`power_spectrogram` in Hz, float64 [513]."""
    return np.arange(FRAME_SAMPLES // 2 + 1, dtype=np.float64) * (SAMPLE_RATE / FRAME_SAMPLES)


def power_spectrogram(samples: Samples) -> npt.NDArray[np.float32]:
    """Return the power of samples, float32 [n] at 16 kHz, by frequency and frame: float32 [513, 1 + n // 320].

    Samples are scaled to a peak of 1; Hann windows of 64 ms every 20 ms are centered on their time.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    scaled = samples / np.float32(peak) if peak > SILENCE else np.zeros_like(samples)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(scaled, FRAME_SAMPLES // 2), FRAME_SAMPLES)[::HOP_SAMPLES]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES)).astype(np.float32)
    return np.asarray(np.abs(np.fft.rfft(frames * hann, axis=1)).T ** 2, dtype=np.float32)


def log_mel(samples: Samples) -> Features:
    """Return the log-mel spectrogram of one window, samples float32 [n ≤ 48,000] at 16 kHz: float32 [150, 64].

    Values are decibels of 64 mel bands from 50 to 7600 Hz in 150 frames of 20 ms, relative to the loudest band of the
    loudest frame: −70…0. A shorter sound is centered in silence; silence is −70 everywhere.
    """
    mel = _mel_filters() @ power_spectrogram(pad_to_window(samples))[:, :WINDOW_FRAMES]
    decibels = 10 * np.log10(np.maximum(mel, np.float32(1e-12)))
    loudest = float(decibels.max())
    if loudest <= -119.0:  # dB: only the floor of 1e-12
        return np.full((WINDOW_FRAMES, MEL_BANDS), -DYNAMIC_RANGE_DB, dtype=np.float32)
    return np.ascontiguousarray(np.maximum(decibels - loudest, -DYNAMIC_RANGE_DB).T, dtype=np.float32)


def subtract_noise(features: Features) -> Features:
    """Subtract constant noise from log-mel features, float32 [150, 64] in dB; returns features of the same form.

    From each band, 1.5 times the 20th percentile of its frames is subtracted: spectral subtraction (Boll, IEEE TASSP 27
    (1979)) with over-subtraction and a floor (Berouti et al., ICASSP 1979). Frames of digital silence are left out of the
    percentile.
    """
    sounding = features.max(axis=1) > 1 - DYNAMIC_RANGE_DB
    if sounding.sum() < MIN_NOISE_FRAMES:
        return features
    noise = np.percentile(features[sounding], NOISE_PERCENTILE, axis=0)
    power = 10 ** (features / 10)
    subtracted = np.where(noise > MIN_NOISE_DB, NOISE_FACTOR * 10 ** (noise / 10), 0.0)
    remaining = np.maximum(power - subtracted, MIN_POWER_SHARE * power)
    decibels = 10 * np.log10(remaining + 1e-9)
    return np.asarray(np.maximum(decibels - decibels.max(), -DYNAMIC_RANGE_DB), dtype=np.float32)


def network_features(samples: Samples) -> Features:
    """Return the network's input for one window, samples float32 [n ≤ 48,000] at 16 kHz: float32 [150, 64]."""
    return subtract_noise(log_mel(samples))


@lru_cache(maxsize=1)
def _mel_filters() -> npt.NDArray[np.float32]:
    """Return triangles of unit area on Slaney's mel scale (Auditory Toolbox, 1998), as librosa's: float32 [64, 513].

    Computed here because librosa needs four seconds and 200 MB before its first result.
    """
    linear, octave = 200 / 3, np.log(6.4) / 27  # Hz per mel up to 1000 Hz (15 mels); above, the logarithm of one mel's ratio
    lowest, highest = (
        15 + np.log(hertz / 1000) / octave if hertz > 1000 else hertz / linear for hertz in (MIN_MEL_HZ, MAX_MEL_HZ)
    )
    mels = np.linspace(lowest, highest, MEL_BANDS + 2)
    edges = np.where(mels > 15, 1000 * np.exp(octave * (mels - 15)), linear * mels)[:, np.newaxis]
    below, middle, above = edges[:-2], edges[1:-1], edges[2:]
    hertz = frequencies()
    rising, falling = (hertz - below) / (middle - below), (above - hertz) / (above - middle)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0) * 2 / (above - below), dtype=np.float32)
