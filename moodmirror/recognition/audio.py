"""Read sounds as mono samples at 16 kHz: from files in any format that FFmpeg's libraries decode, and from arrays."""

from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE: Final = 16_000  # Hz: of all samples from which features are computed
MAX_SECONDS: Final = 600.0
MIN_RATE, MAX_RATE = 4_000, 768_000  # Hz: speech is lost below; no device records above
MAX_CHANNELS: Final = 32

Samples = npt.NDArray[np.float32]


class SoundError(ValueError):
    """A sound can't be read. The message gives the reason, for the user who sent it."""


def read_sound(source: str | Path | bytes | BinaryIO) -> Samples:
    """Decode a sound from a path, from bytes or from an open binary file: float32 [n], mono, at 16 kHz.

    Channels are mixed as :func:`moodmirror.recognition.channels.mix_channels` does. Of an incomplete file, the part that is
    there is read. Raises SoundError if no sound can be decoded, or if it is longer than MAX_SECONDS, has samples that are
    not finite, too many channels, or an unusual sample rate.
    """
    from moodmirror.recognition.audio_decoder import decode_sound  # FFmpeg, which most processes never need

    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise SoundError(f"there is no file {path}")
        content = path.read_bytes()
    else:
        content = bytes(source) if isinstance(source, bytes | bytearray | memoryview) else source.read()
    if not content:
        raise SoundError("the sound is empty: it has no bytes")
    return decode_sound(content)


def resample(samples: npt.ArrayLike, rate: float) -> Samples:
    """Resample mono samples, [n] in −1…1, from `rate` Hz to 16 kHz: float32 [m].

    Raises SoundError for no samples, for more than MAX_SECONDS, for values that are not finite, and for a rate outside
    MIN_RATE…MAX_RATE.
    """
    try:
        converted = np.asarray(samples, dtype=np.float32)
        rate = float(rate)
    except (TypeError, ValueError):
        raise SoundError("a sound must be numbers: float32 samples [n] and their rate in Hz") from None
    if converted.ndim != 1:
        raise SoundError(f"samples must be mono, float32 [n], not {list(converted.shape)}")
    require_rate(rate)
    require_length(len(converted) / rate)
    require_finite(converted)
    return converted if rate == SAMPLE_RATE else np.asarray(soxr.resample(converted, rate, SAMPLE_RATE), dtype=np.float32)


def require_rate(rate: float) -> None:
    """Raise SoundError for a sample rate, in Hz, of which no speech can be read."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise SoundError(f"the sample rate must be {MIN_RATE:,} to {MAX_RATE:,} Hz, not {rate:g} Hz")


def require_channels(count: int) -> None:
    """Raise SoundError for more than MAX_CHANNELS."""
    if count > MAX_CHANNELS:
        raise SoundError(f"a sound may have at most {MAX_CHANNELS} channels, this one has {count}")


def require_length(seconds: float, max_seconds: float = MAX_SECONDS) -> None:
    """Raise SoundError for a sound of no length, or of more than `max_seconds`."""
    if seconds <= 0:
        raise SoundError("the sound is empty: it has no samples")
    if seconds > max_seconds:
        raise SoundError(f"a sound may last at most {max_seconds / 60:.0f} minutes, this one lasts {seconds / 60:,.0f}")


def require_finite(samples: npt.NDArray[np.float32]) -> None:
    """Raise SoundError for samples that are NaN or infinite."""
    if not np.isfinite(samples).all():
        raise SoundError("the sound has samples that are not finite numbers (NaN or infinite)")
