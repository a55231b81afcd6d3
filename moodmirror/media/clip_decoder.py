"""Decode a clip or a recording in MP4, WebM, QuickTime, AVI or animated GIF with FFmpeg's libraries (PyAV).

Frames are sampled at FRAMES_PER_SECOND and scaled down, audio is resampled to mono at 16 kHz. Runs in the decoder process
only (:mod:`moodmirror.media.decoder_worker`).
"""

import io
from collections.abc import Collection, Iterator
from typing import Any, Final

import av
import numpy as np
from av.audio.resampler import AudioResampler

from moodmirror.media.decoder_protocol import FRAME, SAMPLE_RATE, Chunk, audio_chunks, file_header
from moodmirror.media.errors import MediaError, TooLargeError
from moodmirror.media.formats import MAX_CLIP_FRAMES, MAX_CLIP_PIXELS, MAX_CLIP_SECONDS, Kind, require_kind

CLIP_SIDE: Final = 640  # pixels: larger frames are scaled down to it; faces in clips are near, and tracked
FRAMES_PER_SECOND: Final = 5  # sampled: expressions change in fractions of a second, and faces can still be tracked
FRAME_INTERVAL: Final = 1 / FRAMES_PER_SECOND  # seconds
FAST_FRAME_RATE: Final = 20  # frames per second: from here on, frames that no other frame refers to are not decoded
TIMESTAMP_TOLERANCE: Final = 0.008  # seconds by which a frame may be early: timestamps in clips are rounded
MIN_COMPLETE_SHARE: Final = 0.9  # of the duration and of the frames in the header: with less, the clip counts as damaged


def decode_clip(content: bytes, demuxer: str, accepted: Collection[Kind]) -> Iterator[Chunk]:
    """Yield the FILE_HEADER, FRAME and AUDIO chunks of a clip that FFmpeg's `demuxer` reads.

    Raises MediaError for a damaged or too large clip, WrongKindError if its kind is not `accepted`.
    """
    av.logging.set_level(None)
    # The demuxer is named so that FFmpeg tries no other: those of playlists would fetch further files.
    with av.open(io.BytesIO(content), mode="r", format=demuxer, metadata_errors="ignore") as container:
        # A cover picture is a video stream of one frame.
        videos = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
        video = videos[0] if videos else None
        audio = next(iter(container.streams.audio), None)
        if video is None and audio is None:
            raise MediaError("this clip holds neither pictures nor sound")
        require_kind("video" if video else "audio", accepted)
        header_seconds = container.duration / av.time_base if container.duration else None
        if header_seconds is not None and header_seconds > MAX_CLIP_SECONDS:
            raise _too_long(header_seconds)
        start = container.start_time / av.time_base if video and container.start_time else 0.0
        frames = _FrameSampler(video, start) if video else None
        sound = _AudioDecoder(start)
        if frames is None:
            yield file_header("audio", seconds=header_seconds)
        video_packets = 0
        pending_audio: list[Chunk] = []  # audio before the first frame, which has the rotation and so the file header
        for packet in container.demux([stream for stream in (video, audio) if stream is not None]):
            video_packets += packet.stream is video and packet.size > 0
            try:
                decoded = packet.decode()
            except av.FFmpegError:
                continue  # a clip may have one damaged packet; whether enough of it is intact is checked at the end
            for frame in decoded:
                if frames is None or packet.stream is not video:
                    pending_audio.extend(sound.decode(frame))
                else:
                    if frames.count == 0:
                        yield file_header("video", *frames.displayed_size(frame), seconds=header_seconds)
                    yield from frames.sample(frame)
                if frames is None or frames.count:
                    yield from pending_audio
                    pending_audio.clear()
        yield from frames.repeat_until(frames.end) if frames else ()
        yield from sound.decode(None)
        end = max(frames.end if frames else 0.0, sound.end)
        # For a truncated clip, some demuxers reduce the header's duration, but none its number of frames.
        complete = min(video_packets / video.frames if video and video.frames else 1.0, end / (header_seconds or end or 1.0))
        if end == 0 or (frames and frames.count == 0) or complete < MIN_COMPLETE_SHARE:
            raise MediaError(
                "the clip is damaged: it holds less than its header states, or nothing that can be decoded. "
                "Save or send it again, complete"
            )


class _FrameSampler:
    """Selects FRAMES_PER_SECOND of a video stream's decoded frames, scales them down and turns them upright."""

    def __init__(self, video: Any, start: float) -> None:
        """Check the stream's header and configure its decoder; `start` is the clip's first timestamp in seconds."""
        codec = video.codec_context
        if video.codec_context is None or codec.width * codec.height == 0:
            raise MediaError("the clip's pictures can't be decoded: save it as MP4 (H.264) or WebM")
        self._require_size(codec.width, codec.height)
        if video.frames > MAX_CLIP_FRAMES:
            raise _too_many_frames(video.frames)
        self._rate = float(video.average_rate or FRAMES_PER_SECOND)
        codec.thread_count = 2
        codec.thread_type = "AUTO"
        if self._rate >= FAST_FRAME_RATE:
            codec.skip_frame = "NONREF"
        self._start = start
        self.count = 0  # frames decoded
        self.end = 0.0  # seconds, including the last frame's duration
        self._next_due = 0.0  # seconds
        self._last_sample: Chunk | None = None

    @staticmethod
    def displayed_size(frame: Any) -> tuple[int, int]:
        """Return a frame's width and height in pixels after its rotation."""
        return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)

    def sample(self, frame: Any) -> Iterator[Chunk]:
        """Yield the frame as a chunk if one is due, after repetitions that fill a gap before it.

        Raises TooLargeError if a frame exceeds the limit on frames, seconds or pixels.
        """
        self.count += 1
        if self.count > MAX_CLIP_FRAMES:
            raise _too_many_frames(self.count)
        self._require_size(frame.width, frame.height)
        at = self.end if frame.time is None else max(frame.time - self._start, 0.0)
        if at > MAX_CLIP_SECONDS:
            raise _too_long(at)
        duration = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 1 / self._rate
        self.end = max(self.end, at + min(duration, MAX_CLIP_SECONDS))
        yield from self.repeat_until(at - FRAME_INTERVAL + 2 * TIMESTAMP_TOLERANCE)
        if at + TIMESTAMP_TOLERANCE < self._next_due:
            return
        self._next_due = max(self._next_due, at) + FRAME_INTERVAL
        scale = min(CLIP_SIDE / max(frame.width, frame.height), 1.0)
        width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
        gray = frame.to_ndarray(width=width, height=height, format="gray8")
        upright = np.ascontiguousarray(np.rot90(gray, round(frame.rotation / 90)))
        self._last_sample = Chunk(FRAME, upright.tobytes(), at, upright.shape[1], upright.shape[0])
        yield self._last_sample

    def repeat_until(self, end: float) -> Iterator[Chunk]:
        """Yield the last sample again at each due time before `end`, in seconds: it stays on the screen until then."""
        while self._last_sample is not None and self._next_due + TIMESTAMP_TOLERANCE < end:
            yield self._last_sample._replace(at=self._next_due)
            self._next_due += FRAME_INTERVAL

    @staticmethod
    def _require_size(width: int, height: int) -> None:
        if width * height > MAX_CLIP_PIXELS:
            raise TooLargeError(f"a clip may have 4096×2304 pixels at most, this one has {width}×{height}: make it smaller")


class _AudioDecoder:
    """Converts an audio stream's decoded frames to mono at 16 kHz."""

    def __init__(self, start: float) -> None:
        """`start` is the clip's first timestamp in seconds."""
        self._resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
        self._clip_start = start
        self._audio_start: float | None = None  # seconds
        self._sample_count = 0

    @property
    def end(self) -> float:
        """The time in seconds up to which audio was decoded."""
        return 0.0 if self._audio_start is None else self._audio_start + self._sample_count / SAMPLE_RATE

    def decode(self, frame: Any) -> Iterator[Chunk]:
        """Yield the chunks of one audio frame; None flushes the resampler at the end. Raises TooLargeError for too much."""
        if self._audio_start is None:
            if frame is None:
                return
            self._audio_start = 0.0 if frame.time is None else max(frame.time - self._clip_start, 0.0)
        for resampled in self._resampler.resample(frame):
            samples = resampled.to_ndarray().reshape(-1)
            at = self.end
            if at > MAX_CLIP_SECONDS:
                raise _too_long(at)
            self._sample_count += len(samples)
            yield from audio_chunks(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), at)


def _too_long(seconds: float) -> TooLargeError:
    return TooLargeError(
        f"a clip may last {MAX_CLIP_SECONDS / 60:.0f} minutes at most, this one lasts {seconds / 60:,.1f}: shorten it"
    )


def _too_many_frames(count: int) -> TooLargeError:
    return TooLargeError(f"a clip may have {MAX_CLIP_FRAMES:,} frames at most, this one has {count:,}: shorten it")
