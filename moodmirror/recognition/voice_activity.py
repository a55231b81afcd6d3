"""Detect speech in a sound and weigh it by its signal-to-noise ratio.

Speech varies in level more than room noise does, and its loud parts have a pitch.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recognition.audio import Samples, SoundError
from moodmirror.recognition.speech_features import (
    FRAME_SAMPLES,
    SILENCE,
    WINDOW_FRAMES,
    frequencies,
    power_spectrogram,
    split_windows,
)

SPEECH_BAND_HZ: Final = (200.0, 4000.0)
FLOOR_SHARE: Final = 0.1  # of the frames, the quietest, are the noise floor
MIN_LEVEL_ABOVE_FLOOR_DB: Final = 6.0  # of an active frame
MIN_ACTIVE_SHARE: Final = 0.1  # of a window's frames: 0.3 s
MAX_FLATNESS: Final = 0.35  # spectral flatness of loud frames: white noise has 0.56, voiced speech less than 0.1
HALF_WEIGHT_SNR_DB: Final = 10.0  # at which a reading has half its weight
MAX_SNR_DB: Final = 60.0


@dataclass(frozen=True)
class VoiceActivity:
    """Speech in a sound: the estimated signal-to-noise ratio in dB, and the share of frames with speech, 0…1."""

    snr_db: float
    share: float


def voice_activity(samples: Samples) -> VoiceActivity | None:
    """Detect speech in samples, float32 [n] at 16 kHz; return None for silence and for noise without a voice.

    Active frames are 6 dB above the sound's own floor, the mean of its quietest tenth, between 200 and 4000 Hz. The loud
    half of them must have the low spectral flatness of a pitch (Johnston, IEEE JSAC 6 (1988)).
    """
    if len(samples) < FRAME_SAMPLES or np.abs(samples).max() <= SILENCE:
        return None
    hertz = frequencies()
    within = (hertz >= SPEECH_BAND_HZ[0]) & (hertz <= SPEECH_BAND_HZ[1])
    power = power_spectrogram(samples)[within].astype(np.float64)
    energy = power.sum(axis=0)
    sounding = energy > 1e-9 * energy.max()  # zeros inserted by a stream or a cut are no noise floor
    power, energy = power[:, sounding], energy[sounding]
    floor = float(np.sort(energy)[: max(int(FLOOR_SHARE * len(energy)), 1)].mean())
    active = energy > floor * 10 ** (MIN_LEVEL_ABOVE_FLOOR_DB / 10)
    if active.sum() < MIN_ACTIVE_SHARE * WINDOW_FRAMES:
        return None
    loud = active & (energy >= np.quantile(energy[active], 0.5))
    flatness = np.exp(np.log(power[:, loud] + 1e-12).mean(axis=0)) / (power[:, loud].mean(axis=0) + 1e-12)
    if np.median(flatness) > MAX_FLATNESS:
        return None
    ratio = max(float(energy[active].mean()) / floor - 1, 1e-3)
    return VoiceActivity(min(10 * float(np.log10(ratio)), MAX_SNR_DB), float(active.sum() / WINDOW_FRAMES))


def snr_weight(snr_db: float) -> float:
    """Return the weight of a reading at a signal-to-noise ratio in dB, in (0, 1]: one half at HALF_WEIGHT_SNR_DB."""
    return float(1 / (1 + 10 ** ((HALF_WEIGHT_SNR_DB - snr_db) / 10)))


def weighted_windows(samples: Samples) -> tuple[list[Samples], npt.NDArray[np.float64]]:
    """Return the windows of samples, float32 [n] at 16 kHz, that hold speech, and their weights, float64 [windows] above 0.

    A window's weight is the share of it that is speech times :func:`snr_weight` of its signal-to-noise ratio. If no window
    holds speech, all are returned with equal weights. Raises SoundError for silence.
    """
    if np.abs(samples).max(initial=0.0) <= SILENCE:
        raise SoundError("the sound is silent: there is nothing to recognize")
    parts = [part for _, part in split_windows(samples)]
    if len(parts) == 1:
        return parts, np.ones(1)
    activities = [voice_activity(part) for part in parts]
    weights = np.array(
        [0.0 if activity is None else activity.share * snr_weight(activity.snr_db) for activity in activities]
    )
    if not weights.any():
        return parts, np.ones(len(parts))
    return [part for part, weight in zip(parts, weights, strict=True) if weight], weights[weights > 0]
