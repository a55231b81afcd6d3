"""Decode sound files (WAV, FLAC, OGG, Opus, MP3) and resample them to mono samples at 16 kHz.

libsndfile (``soundfile``) decodes and libsoxr resamples. The header is checked before a sample is decoded, and decoding is
done in blocks, so that invalid input costs little time and valid input little memory.
"""

import io
import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

SAMPLE_RATE: Final = 16_000  # Hz: of all samples from which features are computed
MAX_SECONDS: Final = 600.0
MIN_RATE, MAX_RATE = 4_000, 768_000  # Hz: speech is lost below; no device records above
MAX_CHANNELS: Final = 32
BLOCK_VALUES: Final = 2**20  # decoded at once, over all channels: 4 MB
FORMATS: Final = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}  # libsndfile's names; its other formats are refused
FORMATS_TEXT: Final = "WAV, FLAC, OGG, Opus or MP3"

Samples = npt.NDArray[np.float32]


class SoundError(ValueError):
    """A sound can't be read. The message gives the reason, for the user who sent it."""


def read_sound(source: str | Path | bytes | BinaryIO) -> Samples:
    """Decode a sound from a path, from bytes or from an open binary file: float32 [n], mono, at 16 kHz.

    Channels are averaged. Raises SoundError if the content is not a sound in one of the five formats, is empty, is longer
    than MAX_SECONDS, has a header that announces more than the content holds, or has samples that are not finite.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise SoundError(f"there is no file {path}")
        with path.open("rb") as file:
            return _read(file)
    return _read(io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source)


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
    _require_rate(rate)
    _require_length(len(converted), rate)
    _require_finite(converted)
    return converted if rate == SAMPLE_RATE else np.asarray(soxr.resample(converted, rate, SAMPLE_RATE), dtype=np.float32)


def _read(file: BinaryIO) -> Samples:
    start = file.read(65536)
    size = file.seek(0, io.SEEK_END)
    if not start:
        raise SoundError("the sound is empty: it has no bytes")
    _require_complete_wav(start, size)
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            return _decode(sound)
    except soundfile.SoundFileError as error:
        kind = "it looks like a video container; " if _is_video(start) else ""
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise SoundError(f"this is no sound that can be decoded: {kind}send {FORMATS_TEXT} ({reason})") from None


def _decode(sound: soundfile.SoundFile) -> Samples:
    if sound.format not in FORMATS:
        raise SoundError(f"a sound must be {FORMATS_TEXT}, not {sound.format}")
    rate, announced = sound.samplerate, sound.frames
    _require_rate(rate)
    if sound.channels > MAX_CHANNELS:
        raise SoundError(f"a sound may have at most {MAX_CHANNELS} channels, this one has {sound.channels}")
    _require_length(announced, rate)
    stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    parts: list[Samples] = []
    decoded = 0
    while True:
        block = sound.read(BLOCK_VALUES // sound.channels, dtype="float32", always_2d=True)
        decoded += len(block)
        if len(block):
            _require_length(decoded, rate)
            _require_finite(block)
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        last = len(block) == 0
        parts.append(mono if stream is None else stream.resample_chunk(mono, last=last))
        if last:
            break
    # The header of an MP3 without a table of contents has only an estimate of its length.
    if decoded == 0 or (decoded < 0.9 * announced and sound.format != "MP3"):
        raise SoundError(
            f"the sound is damaged: its header announces {announced / rate:.1f} s, it holds {decoded / rate:.1f} s"
        )
    return np.concatenate(parts)


def _require_complete_wav(start: bytes, size: int) -> None:
    """Compare the length in a WAV's header with the file's size; libsndfile reads a truncated file without an error."""
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        return
    offset = 12
    while offset + 8 <= len(start):
        name, length = start[offset : offset + 4], struct.unpack_from("<I", start, offset + 4)[0]
        if name == b"data":
            if offset + 8 + length > size:
                raise SoundError(
                    f"the WAV file is incomplete: its header announces {length:,} bytes of sound, the file has "
                    f"{size - offset - 8:,}. Save or send it again"
                )
            return
        offset += 8 + length + length % 2


def _is_video(start: bytes) -> bool:
    """Return whether these first bytes are of MP4 or QuickTime, Matroska or WebM, AVI, or an MPEG program stream."""
    return (
        start[4:8] == b"ftyp"
        or start[:4] in (b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba")
        or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")
    )


def _require_rate(rate: float) -> None:
    if not MIN_RATE <= rate <= MAX_RATE:
        raise SoundError(f"the sample rate must be {MIN_RATE:,} to {MAX_RATE:,} Hz, not {rate:g} Hz")


def _require_length(count: int, rate: float) -> None:
    if count <= 0:
        raise SoundError("the sound is empty: it has no samples")
    if count > MAX_SECONDS * rate:
        raise SoundError(f"a sound may last at most {MAX_SECONDS / 60:.0f} minutes, this one lasts {count / rate / 60:,.0f}")


def _require_finite(samples: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise SoundError("the sound has samples that are not finite numbers (NaN or infinite)")
