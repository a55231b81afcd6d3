"""Decode a clip or a recording with FFmpeg's libraries (PyAV), in any container that they read.

Frames are sampled (:mod:`moodmirror.media.frame_sampler`), and sound is decoded as in every other place
(:mod:`moodmirror.recognition.audio_decoder`). Runs in the decoder process only (:mod:`moodmirror.media.decoder_worker`).
"""

from collections.abc import Collection, Iterator
from typing import Any, Final

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from moodmirror.media.decoder_protocol import Chunk, audio_chunks, file_header, notice
from moodmirror.media.errors import MediaError
from moodmirror.media.formats import MAX_CLIP_FRAMES, MAX_CLIP_SECONDS, Kind, accepted_formats, require_kind
from moodmirror.media.frame_sampler import (
    FRAMES_PER_SECOND,
    FrameSampler,
    require_frame_size,
    too_long,
    too_many_frames,
)
from moodmirror.recognition.audio import MAX_SECONDS, SAMPLE_RATE, SoundError
from moodmirror.recognition.audio_decoder import (
    MAX_TRACKS,
    MIN_COMPLETE_SHARE,
    SoundTrack,
    decode_packet,
    first_sounding,
    has_decoder,
    incomplete_notice,
    is_incomplete,
    open_container,
    require_sound,
    stated_seconds,
)

FAST_FRAME_RATE: Final = 20  # frames per second: from here on, frames that no other frame refers to are not decoded
HEADERLESS: Final = ("mp3", "aac", "ac3")  # containers that are a sequence of frames, and may begin anywhere
_MP4_BOXES: Final = (b"ftyp", b"mdat", b"wide", b"free", b"skip")  # with which MP4 and QuickTime begin
MAX_PIXEL_ASPECT: Final = 10  # width of a pixel by its height, or the reverse: no device records more


def decode_clip(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    """Yield the FILE_HEADER, FRAME, AUDIO and NOTICE chunks of a clip or recording; its sound comes last.

    Raises MediaError for a format that is not supported and for a damaged or too large file, and WrongKindError if its kind
    is not `accepted`.
    """
    try:
        with open_container(content) as container:
            yield from _ClipDecoder(container, content, accepted).chunks()
    except av.FFmpegError:
        if content[4:8] in _MP4_BOXES and b"moov" not in content:
            raise MediaError(
                "the file is incomplete: its end, with the index that decoding needs, is missing. Save or send it again"
            ) from None
        raise MediaError(
            f"this format is not supported, or the file is damaged: send {accepted_formats(accepted)}"
        ) from None
    except SoundError as error:
        raise MediaError(str(error)) from None


class _ClipDecoder:
    """Decodes the pictures and the sound of one open container."""

    def __init__(self, container: InputContainer, content: bytes, accepted: Collection[Kind]) -> None:
        """Choose the streams and check their headers. `content` is that of the container."""
        self._container = container
        self._content = content
        self._accepted = accepted
        # A cover picture is a video stream of one frame.
        videos = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
        self._has_pictures = bool(videos)
        self._audios = [stream for stream in container.streams.audio[:MAX_TRACKS] if has_decoder(stream)]
        self._video = next((stream for stream in videos if _has_size(stream)), None)
        if self._video is None and not self._audios:
            raise MediaError("the pictures and the sound of this clip can't be decoded: save it as MP4 (H.264) or WebM")
        require_kind("video" if self._video else "audio", accepted)
        self._stated, self._is_open_ended = stated_seconds(container, content)
        if self._stated is not None and self._video is not None and self._stated > MAX_CLIP_SECONDS:
            raise too_long(self._stated)
        if self._video is None:
            require_sound(self._audios, self._stated)
        self._start = container.start_time / av.time_base if container.start_time else 0.0
        self._frames = _FrameReader(self._video, self._start) if self._video is not None else None
        self._tracks = {
            stream.index: SoundTrack(MAX_CLIP_SECONDS if self._video else MAX_SECONDS) for stream in self._audios
        }
        self._track_starts: dict[int, float] = {}  # seconds
        self._damaged_packets = 0
        has_header = content.startswith(b"ID3") or (content[0] == 0xFF and content[1] >= 0xE0)
        self._may_have_garbage = container.format.name in HEADERLESS and not has_header
        self._garbage_bytes = 0  # before the first packet

    def chunks(self) -> Iterator[Chunk]:
        """Decode everything. Raises MediaError if there is nothing to decode."""
        streams = [*([self._video] if self._video else []), *self._audios]
        for packet in self._container.demux(streams):
            yield from self._decode(packet)
        frames = self._frames if self._frames and self._frames.count else None
        if frames is not None:
            yield from frames.finish()
        samples, index = first_sounding(self._tracks)
        if frames is None:
            if not len(samples):
                raise MediaError("the file is damaged: nothing of it can be decoded. Save or send it again, complete")
            require_kind("audio", self._accepted)
            yield file_header("audio", seconds=self._stated)
            if self._garbage_bytes:
                yield notice(f"{self._garbage_bytes:,} bytes at the beginning of the file are no sound and were left out.")
            if self._has_pictures:
                yield notice("The pictures of this clip can't be decoded; only its sound was read.")
        # A recording begins with its sound; in a clip the sound may begin after the pictures.
        sound_start = max(self._track_starts.get(index, 0.0) - self._start, 0.0) if frames else 0.0
        yield from audio_chunks(samples, sound_start)
        yield from self._completeness(sound_start + len(samples) / SAMPLE_RATE)

    def _decode(self, packet: Any) -> Iterator[Chunk]:
        frames = decode_packet(packet)
        if self._may_have_garbage and packet.pos is not None:
            self._may_have_garbage, self._garbage_bytes = False, packet.pos
        self._damaged_packets += bool(packet.size) and (packet.is_corrupt or frames is None)
        if self._frames is not None and packet.stream is self._video:
            self._frames.packet_count += packet.size > 0
        for frame in frames or ():
            if self._frames is not None and packet.stream is self._video:
                if self._frames.count == 0:
                    yield file_header("video", *self._frames.displayed_size(frame), seconds=self._stated)
                yield from self._frames.read(frame)
            else:
                self._track_starts.setdefault(packet.stream.index, self._start if frame.time is None else frame.time)
                self._tracks[packet.stream.index].add(frame)

    def _completeness(self, sound_end: float) -> Iterator[Chunk]:
        """Yield a notice if a part of the file is missing or damaged; `sound_end` in seconds."""
        end = max(self._frames.end if self._frames else 0.0, sound_end)
        if self._stated is not None and is_incomplete(self._container, self._content, self._stated, end):
            yield notice(incomplete_notice(self._stated, end))
        elif self._frames is not None and self._frames.packet_count < MIN_COMPLETE_SHARE * self._frames.stated_count:
            yield notice(
                f"The clip is incomplete: its header states {self._frames.stated_count:,} pictures, "
                f"{self._frames.packet_count:,} are there."
            )
        elif self._damaged_packets and not self._is_open_ended:
            yield notice(f"The file is damaged: {self._damaged_packets:,} parts of it could not be decoded.")


def _has_size(video: Any) -> bool:
    codec = video.codec_context
    return codec is not None and codec.width * codec.height > 0


class _FrameReader(FrameSampler):
    """Samples a video stream's decoded frames, with square pixels and upright."""

    def __init__(self, video: Any, start: float) -> None:
        """Check the stream's header and configure its decoder; `start` is the clip's first timestamp in seconds."""
        super().__init__()
        codec = video.codec_context
        require_frame_size(codec.width, codec.height)
        self.stated_count: int = video.frames  # 0 if unknown
        self.packet_count = 0
        if self.stated_count > MAX_CLIP_FRAMES:
            raise too_many_frames(self.stated_count)
        self._rate = float(video.average_rate or FRAMES_PER_SECOND)
        codec.thread_count = 2
        codec.thread_type = "AUTO"
        if self._rate >= FAST_FRAME_RATE:
            codec.skip_frame = "NONREF"
        self._video = video
        self._start = start

    def displayed_size(self, frame: Any) -> tuple[int, int]:
        """Return a frame's width and height in pixels as displayed: with square pixels, and after its rotation."""
        # FFmpeg's choice between the container's and the codec's ratio; it may become known with the first frame only.
        aspect = float(self._video.sample_aspect_ratio or 1)
        if not 1 / MAX_PIXEL_ASPECT <= aspect <= MAX_PIXEL_ASPECT:
            aspect = 1.0
        width, height = max(round(frame.width * aspect), 1), frame.height
        return (height, width) if frame.rotation % 180 else (width, height)

    def read(self, frame: Any) -> Iterator[Chunk]:
        """Sample the next frame. Raises TooLargeError if it exceeds a limit."""
        require_frame_size(frame.width, frame.height)
        at = self.end if frame.time is None else max(frame.time - self._start, 0.0)
        duration = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 1 / self._rate

        def to_gray(width: int, height: int) -> npt.NDArray[np.uint8]:
            stored = (height, width) if frame.rotation % 180 else (width, height)
            gray = frame.to_ndarray(width=stored[0], height=stored[1], format="gray8")
            return np.asarray(np.rot90(gray, round(frame.rotation / 90)))

        yield from self.sample(at, duration, self.displayed_size(frame), to_gray)
