"""Decode sound with FFmpeg's libraries (PyAV): of recordings, and of clips.

FFmpeg detects the container by its content; containers outside DEMUXERS, such as playlists, which would open further files,
are refused.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.resampler import AudioResampler
from av.container import InputContainer

from moodmirror.recognition.audio import (
    MAX_SECONDS,
    SAMPLE_RATE,
    Samples,
    SoundError,
    require_channels,
    require_finite,
    require_length,
    require_rate,
)
from moodmirror.recognition.channels import mix_channels

# FFmpeg's names of the containers that are read.
DEMUXERS: Final = (
    *("wav", "w64", "aiff", "caf", "au", "nistsphere", "flac", "ogg", "mp3", "aac", "ac3", "amr", "ape", "wv", "tta"),
    *("mov", "matroska", "avi", "asf", "flv", "mpegts", "mpeg", "dv"),
)
# Containers whose headers state their length; for the others FFmpeg estimates it.
MEASURED: Final = {
    "wav",
    "w64",
    "aiff",
    "caf",
    "au",
    "nistsphere",
    "flac",
    "ape",
    "wv",
    "tta",
    "mov",
    "matroska",
    "avi",
    "flv",
}
# An MP3 states its length in one of these tags, which encoders write into its first frame, behind titles and a cover.
_MP3_LENGTH: Final = re.compile(rb"(?:Xing|Info)\0\0\0|VBRI\x00\x01")
MP3_HEADER_BYTES: Final = 2**20
# Programs that write a WAV to a pipe, and recorders that end unexpectedly, leave 0 or a number about 2 or 4 GB as its size.
MIN_PLACEHOLDER_BYTES: Final = 2**31 - 2**16
MIN_COMPLETE_SHARE: Final = 0.97  # of the stated length: with less, a file is incomplete; headers and codecs round
# Of a frame of FFmpeg. PyAV (18.1) reads beyond them where each channel has its own, and crashes.
FRAME_POINTERS: Final = 8
MAX_TRACKS: Final = 4  # of sound in one file, of which the first with sound is used


@contextmanager
def open_container(content: bytes) -> Iterator[InputContainer]:
    """Open a recording or clip, and close it at the end. Raises av.FFmpegError if its container is not one of DEMUXERS."""
    av.logging.set_level(None)
    file = io.BytesIO(_without_impossible_chunks(content))
    # No protocol is allowed, so that no content makes FFmpeg open another file.
    options = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": ""}
    with av.open(file, mode="r", metadata_errors="ignore", options=options) as container:
        yield container


def stated_seconds(container: InputContainer, content: bytes) -> tuple[float | None, bool]:
    """Return the length of a container in seconds, None if it is unknown, and whether its header leaves the end open.

    The length is stated by the header or estimated by FFmpeg. `content` is that of the container.
    """
    seconds = container.duration / av.time_base if container.duration else None
    if container.format.name != "wav" or content[:4] != b"RIFF" or not container.streams.audio:
        return seconds, False
    codec: Any = container.streams.audio[0].codec_context
    start, stated_bytes = _wav_data(content)
    is_open_ended = stated_bytes == 0 or stated_bytes >= MIN_PLACEHOLDER_BYTES > len(content)
    if codec is None or not codec.name.startswith("pcm_"):
        return seconds, is_open_ended
    # FFmpeg takes the file's size where the header states more.
    bits = re.search(r"\d+", codec.name)
    bytes_per_second = (int(bits[0]) if bits else 8) / 8 * codec.channels * codec.sample_rate
    return (len(content) - start if is_open_ended else stated_bytes) / max(bytes_per_second, 1), is_open_ended


def _without_impossible_chunks(content: bytes) -> bytes:
    """Return a WAV up to the first chunk of its header that is longer than the file: FFmpeg would allocate it first."""
    start = 12
    while content[8:12] == b"WAVE" and start + 8 <= len(content):
        length = int.from_bytes(content[start + 4 : start + 8], "little")
        is_data = content[start : start + 4] == b"data"
        if is_data and (length == 0 or start + 8 + length > len(content)):  # open-ended, or incomplete
            return content
        if start + 8 + length > len(content):
            return content[:start]
        start += 8 + length + length % 2
    return content


def _wav_data(content: bytes) -> tuple[int, int]:
    """Return the position of the samples in a WAV, and their length as its header states, in bytes; 0 if there are none."""
    start = 12
    while start + 8 <= len(content):
        length = int.from_bytes(content[start + 4 : start + 8], "little")
        if content[start : start + 4] == b"data":
            return start + 8, length
        start += 8 + length + length % 2
    return len(content), 0


def is_incomplete(container: InputContainer, content: bytes, stated: float | None, decoded: float) -> bool:
    """Return whether less was decoded, in seconds, than the container's header states. `content` is the container's."""
    is_measured_mp3 = container.format.name == "mp3" and _MP3_LENGTH.search(content, 0, MP3_HEADER_BYTES) is not None
    is_measured = is_measured_mp3 or not MEASURED.isdisjoint(container.format.name.split(","))
    return stated is not None and is_measured and decoded < MIN_COMPLETE_SHARE * stated


def incomplete_notice(stated: float, decoded: float) -> str:
    """Return the notice for a recording or clip of which only `decoded` of the `stated` seconds are there."""
    return f"The file is incomplete: its header states {stated:.1f} s, {decoded:.1f} s could be read."


class SoundTrack:
    """Decodes one stream of sound, and resamples its channels to 16 kHz."""

    def __init__(self, max_seconds: float = MAX_SECONDS) -> None:
        """A sound longer than `max_seconds` is refused."""
        self._max_seconds = max_seconds
        self._rate = 0  # Hz, of the last frame
        self._channel_count = 0
        self._resampler: soxr.ResampleStream | None = None
        self._parts: list[npt.NDArray[np.float32]] = []  # float32 [n, channels] at 16 kHz
        self.seconds = 0.0  # decoded

    def add(self, frame: Any) -> None:
        """Add a decoded frame. Raises SoundError for an invalid rate or number of channels, and for too long a sound."""
        channels = _channels(frame)
        if not self._channel_count:
            self._channel_count = channels.shape[1]
            require_channels(self._channel_count)
        if channels.shape[1] != self._channel_count:  # a broadcast may change between mono and stereo
            channels = channels[:, np.arange(self._channel_count) % channels.shape[1]]
        if frame.sample_rate != self._rate:
            require_rate(frame.sample_rate)
            self._flush()
            self._rate = frame.sample_rate
            if self._rate != SAMPLE_RATE:
                self._resampler = soxr.ResampleStream(self._rate, SAMPLE_RATE, self._channel_count, dtype="float32")
        self.seconds += len(channels) / self._rate
        require_length(self.seconds, self._max_seconds)
        channels = np.ascontiguousarray(channels)
        self._parts.append(channels if self._resampler is None else self._resample(channels, last=False))

    def mono(self) -> Samples:
        """Return all samples, float32 [n], mono at 16 kHz. Raises SoundError for samples that are not finite."""
        self._flush()
        if not self._parts:
            return np.empty(0, dtype=np.float32)
        channels = np.concatenate(self._parts)
        self._parts = [channels]
        require_finite(channels)
        return mix_channels(channels)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._parts.append(self._resample(np.empty((0, self._channel_count), dtype=np.float32), last=True))
            self._resampler = None

    def _resample(self, channels: npt.NDArray[np.float32], *, last: bool) -> npt.NDArray[np.float32]:
        assert self._resampler is not None
        resampled = self._resampler.resample_chunk(channels, last=last)
        return np.asarray(resampled, dtype=np.float32).reshape(-1, self._channel_count)


def _channels(frame: Any) -> npt.NDArray[np.float32]:
    """Return a frame's samples in −1…1, float32 [n, channels]."""
    require_channels(frame.layout.nb_channels)
    is_unsafe = frame.format.is_planar and frame.layout.nb_channels >= FRAME_POINTERS
    if is_unsafe or frame.format.packed.name == "s64":  # which PyAV does not convert
        [frame] = AudioResampler(format="dbl").resample(frame)
    samples: npt.NDArray[Any] = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite, and are refused as such
        return np.asarray(samples, dtype=np.float32)


def decode_sound(content: bytes) -> Samples:
    """Decode a recording, or the sound of a clip: float32 [n], mono at 16 kHz.

    Raises SoundError if no sound can be decoded, or more than MAX_SECONDS.
    """
    try:
        with open_container(content) as container:
            return _decode(container, content)
    except av.FFmpegError:
        raise SoundError("this is no sound that can be decoded: send WAV, FLAC, OGG, Opus, MP3, M4A or AAC") from None


def _decode(container: InputContainer, content: bytes) -> Samples:
    if not container.streams.audio:
        raise SoundError("this is no sound: the file has pictures only")
    streams = [stream for stream in container.streams.audio[:MAX_TRACKS] if has_decoder(stream)]
    require_sound(streams, stated_seconds(container, content)[0])
    tracks = {stream.index: SoundTrack() for stream in streams}
    for packet in container.demux([container.streams[index] for index in tracks]):
        for frame in decode_packet(packet) or ():
            tracks[packet.stream.index].add(frame)
    samples, _ = first_sounding(tracks)
    if not len(samples):
        raise SoundError("the sound is empty or damaged: it has no samples that can be decoded")
    return samples


def has_decoder(stream: Any) -> bool:
    """Return whether FFmpeg's libraries can decode a stream."""
    return stream.codec_context is not None


def require_sound(streams: Sequence[Any], stated: float | None) -> None:
    """Check the headers of streams of sound, and their length in seconds, before they are decoded. Raises SoundError."""
    for stream in streams:
        if stream.codec_context.sample_rate:
            require_rate(stream.codec_context.sample_rate)
    if stated is not None:
        require_length(stated)


def decode_packet(packet: Any) -> list[Any] | None:
    """Decode a packet to frames; return None for a damaged one."""
    try:
        frames: list[Any] = packet.decode()
    except (av.FFmpegError, ValueError):
        return None
    return frames


def first_sounding(tracks: dict[int, SoundTrack]) -> tuple[Samples, int]:
    """Return the samples, mono, float32 [n] at 16 kHz, and the number of the first track that is not silent.

    Returns the first track if all are silent, and no samples and −1 if there is no track.
    """
    samples = {number: track.mono() for number, track in tracks.items()}
    chosen = next((number for number, mono in samples.items() if mono.any()), next(iter(samples), -1))
    return samples.get(chosen, np.empty(0, dtype=np.float32)), chosen
