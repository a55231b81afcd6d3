"""Make a recording with several channels mono, without losing the voice."""

from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recognition.audio import Samples
from moodmirror.recognition.speech_features import WINDOW_SAMPLES
from moodmirror.recognition.voice_activity import snr_weight, voice_activity

# Channels of equal level lose 3 dB in their mean if they are independent, and 6 dB if all but one are silent; channels of
# opposite phase cancel each other.
MAX_MEAN_LOSS_DB: Final = 4.5
MIN_VOICE: Final = 0.9  # of the clearest channel's voice: with less, there is more noise
MAX_WINDOWS: Final = 30  # of 3 s, evenly spaced, in which the voice is measured


def mix_channels(channels: npt.NDArray[np.float32]) -> Samples:
    """Return mono samples, float32 [n], of channels, float32 [n, channels] at 16 kHz.

    The result is the mean of the channels, unless the mean loses the voice: because channels have opposite phase, are silent
    or hold noise only. Then it is the loudest of the channels with the clearest voice.
    """
    mean = np.asarray(channels.mean(axis=1, dtype=np.float32))
    if channels.shape[1] == 1:
        return mean
    voices = [_voice(channel) for channel in channels.T]
    levels = [_level(channel) for channel in channels.T]
    clear = [number for number, voice in enumerate(voices) if voice >= MIN_VOICE * max(voices)]
    best = max(clear, key=lambda number: levels[number])
    loses_level = _level(mean) < levels[best] * 10 ** (-MAX_MEAN_LOSS_DB / 20)
    if loses_level or _voice(mean) < MIN_VOICE * max(voices):
        return np.ascontiguousarray(channels[:, best])
    return mean


def _voice(samples: Samples) -> float:
    """Return the mean over windows of the share of speech, weighted by its signal-to-noise ratio: 0…1."""
    starts = np.arange(0, max(len(samples), 1), WINDOW_SAMPLES)
    chosen = starts[np.unique(np.linspace(0, len(starts) - 1, MAX_WINDOWS).round().astype(int))]
    activities = [voice_activity(samples[start : start + WINDOW_SAMPLES]) for start in chosen]
    return sum(activity.share * snr_weight(activity.snr_db) for activity in activities if activity) / len(activities)


def _level(samples: Samples) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
