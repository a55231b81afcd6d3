"""Read sound, WAV, FLAC, OGG, Opus or MP3, into mono samples at 16 kHz.

Decoding is libsndfile's (``soundfile``), resampling libsoxr's. A header is judged before a sample is decoded, and decoding
goes by blocks, so bad input costs nothing and good input little memory.
"""

import io
import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

SAMPLE_RATE: Final = 16_000  # Hz: of all samples that features are made of
MAX_SECONDS: Final = 600.0
MIN_RATE, MAX_RATE = 4_000, 768_000  # Hz: below, no speech is left to hear; above, nothing records
MAX_CHANNELS: Final = 32
BLOCK_VALUES: Final = 2**20  # decoded at once, over all channels: 4 MB
FORMATS: Final = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}  # libsndfile's names; its others are not wanted
FORMATS_TEXT: Final = "WAV, FLAC, OGG, Opus or MP3"

Samples = npt.NDArray[np.float32]


class SoundError(ValueError):
    """A sound can't be read; the message says why, in words for the person who sent it."""


def read_sound(source: str | Path | bytes | BinaryIO) -> Samples:
    """Decode a sound from a path, from its bytes or from an open binary file: float32 [n], mono, at 16 kHz.

    Channels are averaged. Raises SoundError for what is no sound in one of the five formats, is empty, lasts longer than
    MAX_SECONDS, has a header that promises more than there is, or holds samples that are no numbers.
    """
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise SoundError(f"there is no file {path}")
        with path.open("rb") as file:
            return _read(file)
    return _read(io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source)


def resample(samples: npt.ArrayLike, rate: float) -> Samples:
    """Bring mono samples, [n] in −1…1, from `rate` Hz to 16 kHz: float32.

    Raises SoundError for no samples or too many, for values that are no numbers, or for a rate of no use.
    """
    try:
        converted = np.asarray(samples, dtype=np.float32)
        rate = float(rate)
    except (TypeError, ValueError):
        raise SoundError("sound must be numbers: float32 samples [n] and their rate in Hz") from None
    if converted.ndim != 1:
        raise SoundError(f"samples must be mono, float32 [n], not {list(converted.shape)}")
    _require_rate(rate)
    _require_length(len(converted), rate)
    _require_numbers(converted)
    return converted if rate == SAMPLE_RATE else np.asarray(soxr.resample(converted, rate, SAMPLE_RATE), dtype=np.float32)


def _read(file: BinaryIO) -> Samples:
    start = file.read(65536)
    size = file.seek(0, io.SEEK_END)
    if not start:
        raise SoundError("the sound is empty: it has no bytes")
    _require_honest_wav(start, size)
    file.seek(0)
    try:
        with soundfile.SoundFile(file) as sound:
            return _decode(sound)
    except soundfile.SoundFileError as error:
        kind = "it looks like a video or a film's container; " if _is_film(start) else ""
        reason = str(getattr(error, "error_string", error)).rstrip(".")
        raise SoundError(f"this is no sound that can be read: {kind}send {FORMATS_TEXT} ({reason})") from None


def _decode(sound: soundfile.SoundFile) -> Samples:
    if sound.format not in FORMATS:
        raise SoundError(f"a sound must be {FORMATS_TEXT}, not {sound.format}")
    rate, promised = sound.samplerate, sound.frames
    _require_rate(rate)
    if sound.channels > MAX_CHANNELS:
        raise SoundError(f"a sound may have {MAX_CHANNELS} channels at most, this one has {sound.channels}")
    _require_length(promised, rate)
    stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
    parts: list[Samples] = []
    decoded = 0
    while True:
        block = sound.read(BLOCK_VALUES // sound.channels, dtype="float32", always_2d=True)
        decoded += len(block)
        if len(block):
            _require_length(decoded, rate)
            _require_numbers(block)
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        last = len(block) == 0
        parts.append(mono if stream is None else stream.resample_chunk(mono, last=last))
        if last:
            break
    # An MP3 without a table of contents has only a guess of its length in its header.
    if decoded == 0 or (decoded < 0.9 * promised and sound.format != "MP3"):
        raise SoundError(
            f"the sound is damaged: its header promises {promised / rate:.1f} s, it holds {decoded / rate:.1f} s"
        )
    return np.concatenate(parts)


def _require_honest_wav(start: bytes, size: int) -> None:
    """Compare the length in a WAV's header with the file's: libsndfile itself would read what there is in silence."""
    if start[:4] != b"RIFF" or start[8:12] != b"WAVE":
        return
    offset = 12
    while offset + 8 <= len(start):
        name, length = start[offset : offset + 4], struct.unpack_from("<I", start, offset + 4)[0]
        if name == b"data":
            if offset + 8 + length > size:
                raise SoundError(
                    f"the WAV's header lies: it promises {length:,} bytes of sound, {size - offset - 8:,} are there. "
                    "Save or send it again, whole"
                )
            return
        offset += 8 + length + length % 2


def _is_film(start: bytes) -> bool:
    """Whether these first bytes begin MP4 or QuickTime, Matroska or WebM, AVI, or an MPEG programme stream."""
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
        raise SoundError(f"a sound may last {MAX_SECONDS / 60:.0f} minutes at most, this one {count / rate / 60:,.0f}")


def _require_numbers(samples: npt.NDArray[np.float32]) -> None:
    if not np.isfinite(samples).all():
        raise SoundError("the sound holds samples that are no numbers (NaN or infinite)")
