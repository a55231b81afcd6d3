"""Decode one untrusted file in a process of its own.

:mod:`moodmirror.media.decoder_client` starts this module as a program, writes the file to its standard input and reads the
decoded content from its standard output, as a sequence of :class:`Part`. Memory and CPU time of the process are limited and
it can write no file; if a file makes a decoder hang or crash, only this process ends.

Whatever a file is called, its first bytes decide what it is. Pictures are decoded by Pillow (HEIC by libheif), WAV, FLAC,
OGG and MP3 by libsndfile, everything in MP4, WebM, QuickTime and AVI, and animated GIFs, by FFmpeg's libraries. What a
header says of pixels, seconds and frames is judged before any of it is decoded, and again while it is.
"""

import io
import json
import struct
import sys
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO, Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from moodmirror.media.isolation import limit_resources

Kind = Literal["image", "audio", "video", "text"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

MAX_BYTES: Final = 100_000_000  # two minutes of a telephone's video
MAX_TEXT_BYTES: Final = 250_000  # as many characters as are read, each escaped in JSON
MAX_PHOTO_PIXELS: Final = 50_000_000  # more than telephones make; decoded it takes 50 to 200 MB
MAX_CLIP_PIXELS: Final = 4096 * 2304  # 4K
MAX_CLIP_SECONDS: Final = 300.0
MAX_CLIP_FRAMES: Final = 40_000  # five minutes of slow motion, 120 frames a second
PHOTO_SIDE: Final = 1280  # pixels: a larger photo is scaled down to it, in which a face across a room is still read
CLIP_SIDE: Final = 640  # pixels: likewise a clip, in which faces are followed and near
FRAMES_PER_SECOND: Final = 5  # of a clip are read: faces change in fractions of a second, and are still followed
STEP: Final = 1 / FRAMES_PER_SECOND  # seconds
FAST_RATE: Final = 20  # frames a second: from there on those that no other frame needs are not even decoded
HALF_FRAME: Final = 0.008  # seconds: by so much a frame may be early; clocks of clips are rounded
WHOLE_SHARE: Final = 0.9  # of the seconds that a clip's header promises must be there

# For one file. 4K frames, two threads' worth of them, are the most that an honest one needs.
MEMORY_BYTES: Final = 1_500_000_000  # of address space, of which libraries reserve some 400 MB without using it
CPU_SECONDS: Final = 60
POLITENESS: Final = 5  # live pages go first
SOUND_RATE: Final = 16_000  # Hz
SOUND_CHUNK: Final = 2**17  # samples

# What a part is, when it is (seconds), its width and height (pixels), and how many bytes follow.
HEADER: Final = struct.Struct("<cdHHI")
HEADING, FRAME, SOUND, TEXT, PROBLEM, END = b"h", b"f", b"s", b"t", b"p", b"e"

PICTURES_TEXT: Final = "JPEG, PNG, WebP, GIF or HEIC"
CLIPS_TEXT: Final = "MP4, WebM, MOV, AVI or an animated GIF"
SOUNDS_TEXT: Final = "WAV, FLAC, OGG, Opus, MP3, M4A or WebM"
EXIF_ORIENTATION, EXIF_LYING = 0x0112, (5, 6, 7, 8)  # the tag of the EXIF standard, and its values for turned by 90°
PHOTO_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "HEIF")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_QUICKTIME_ATOMS: Final = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_NAMES: Final = {"image": "a picture", "audio": "a recording", "video": "a clip", "text": "a text"}
_WANTED: Final = {
    "image": f"a picture ({PICTURES_TEXT})",
    "audio": f"a recording ({SOUNDS_TEXT})",
    "video": f"a clip ({CLIPS_TEXT})",
    "text": "a text in UTF-8",
}

Problem = Literal["unreadable", "wrong kind", "too large"]


class MediaError(ValueError):
    """What was sent can't be read; the message says why, in words for the person who sent it."""

    problem: Problem = "unreadable"


class WrongKindError(MediaError):
    """What was sent can be read, but is of another kind than was asked for."""

    problem: Problem = "wrong kind"


class TooLargeError(MediaError):
    """What was sent has more bytes, pixels, seconds or frames than are read."""

    problem: Problem = "too large"


class Part(NamedTuple):
    """One thing that a file holds: a heading (JSON), a frame (gray, uint8), sound (float32 at 16 kHz), a text (UTF-8)."""

    tag: bytes
    content: bytes = b""
    at: float = 0.0  # seconds from the start
    width: int = 0  # pixels
    height: int = 0


def parts(content: bytes, wanted: Collection[Kind]) -> Iterator[Part]:
    """What a file holds: a heading first, then its frames and its sound in the order of time.

    The heading has `kind`, `width` and `height` in pixels and `seconds`, null where there are none or nobody knows. Raises
    MediaError for what can't be read or is of a kind that is not `wanted`; decoders may raise anything for what is damaged.
    """
    if not content:
        raise MediaError("the file is empty: it has no bytes")
    container = _container(content)
    match container:
        case "picture":
            return _picture(content, wanted)
        case "sound":
            _require("audio", wanted)
            return _sound(content)
        case None:
            if not _is_text(content):
                names = ", ".join(_WANTED[kind] for kind in KINDS if kind in wanted)
                raise MediaError(f"this can't be read: send {names}")
            _require("text", wanted)
            return iter([_heading("text"), Part(TEXT, content)])
        case _:
            return _clip(content, container, wanted)


def _container(content: bytes) -> str | None:
    """What the first bytes begin: a ``picture``, a ``sound``, or the name of FFmpeg's demuxer; None for all else."""
    name, kind = content[:4], content[8:12]
    if name == b"RIFF":
        return {b"WAVE": "sound", b"AVI ": "avi", b"WEBP": "picture"}.get(kind)
    if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8")) or (
        content[4:8] == b"ftyp" and kind in _HEIF_BRANDS
    ):
        return "picture"
    if content[4:8] in _QUICKTIME_ATOMS:
        return "mov"
    if name == b"\x1a\x45\xdf\xa3":
        return "matroska"
    # MP3 begins with a tag, or with the eleven set bits of a frame.
    if name in (b"RF64", b"fLaC", b"OggS") or name[:3] == b"ID3" or (name[0] == 0xFF and name[1:2] >= b"\xe0"):
        return "sound"
    return None


def _is_text(content: bytes) -> bool:
    if len(content) > MAX_TEXT_BYTES or b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _require(kind: Kind, wanted: Collection[Kind]) -> None:
    if kind not in wanted:
        names = " or ".join(_NAMES[name] for name in KINDS if name in wanted)
        raise WrongKindError(f"this is {_NAMES[kind]}, not {names}")


def _heading(kind: Kind, width: int | None = None, height: int | None = None, seconds: float | None = None) -> Part:
    return Part(HEADING, json.dumps({"kind": kind, "width": width, "height": height, "seconds": seconds}).encode())


def _picture(content: bytes, wanted: Collection[Kind]) -> Iterator[Part]:
    import pillow_heif
    from PIL import Image, ImageOps, UnidentifiedImageError

    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = None  # judged here, with words that say what to do
    try:
        photo = Image.open(io.BytesIO(content), formats=PHOTO_FORMATS)
    except UnidentifiedImageError:
        raise MediaError("the picture is damaged") from None
    with photo:
        width, height = photo.size
        if width * height > MAX_PHOTO_PIXELS:
            raise TooLargeError(
                f"a picture may have {MAX_PHOTO_PIXELS // 10**6} megapixels at most, this one is {width}×{height}: "
                "make it smaller"
            )
        if photo.format == "GIF" and "video" in wanted and getattr(photo, "is_animated", False):
            yield from _clip(content, "gif", wanted)
            return
        _require("image", wanted)
        lying = photo.getexif().get(EXIF_ORIENTATION) in EXIF_LYING
        photo.draft("L", (PHOTO_SIDE, PHOTO_SIDE))  # a JPEG is decoded no larger than is needed
        ImageOps.exif_transpose(photo, in_place=True)
        # Pillow itself would clip 16 bits to 8.
        gray = (photo.point(lambda value: value / 256) if photo.mode.startswith("I;16") else photo).convert("L")
        gray.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
        yield _heading("image", *((height, width) if lying else (width, height)))
        yield Part(FRAME, gray.tobytes(), 0.0, *gray.size)


def _sound(content: bytes) -> Iterator[Part]:
    from moodmirror.recognition.audio import SoundError, read_sound

    try:
        samples = read_sound(content)
    except SoundError as error:
        raise MediaError(str(error)) from None
    yield _heading("audio", seconds=len(samples) / SOUND_RATE)
    yield from _sound_parts(samples, 0.0)


def _sound_parts(samples: npt.NDArray[np.float32], at: float) -> Iterator[Part]:
    for start in range(0, len(samples), SOUND_CHUNK):
        yield Part(SOUND, samples[start : start + SOUND_CHUNK].tobytes(), at + start / SOUND_RATE)


def _clip(content: bytes, demuxer: str, wanted: Collection[Kind]) -> Iterator[Part]:
    import av

    av.logging.set_level(None)
    # The demuxer is named, so that none is tried that would fetch other files, as those of playlists do.
    with av.open(io.BytesIO(content), mode="r", format=demuxer, metadata_errors="ignore") as container:
        pictures = [stream for stream in container.streams.video if not stream.disposition & stream.disposition.attached_pic]
        video = pictures[0] if pictures else None
        audio = next(iter(container.streams.audio), None)
        if video is None and audio is None:
            raise MediaError("this clip holds neither pictures nor sound")
        _require("video" if video else "audio", wanted)
        promised = container.duration / av.time_base if container.duration else None
        if promised is not None and promised > MAX_CLIP_SECONDS:
            raise _too_long(promised)
        sight = _Sight(video, container.start_time / av.time_base if container.start_time else 0.0) if video else None
        hearing = _Hearing(sight.start if sight else 0.0)
        if sight is None:
            yield _heading("audio", seconds=promised)
        packets = 0  # of the pictures
        early: list[Part] = []  # sound that comes before the first picture, which says how the clip is turned
        for packet in container.demux([stream for stream in (video, audio) if stream is not None]):
            packets += packet.stream is video and packet.size > 0
            try:
                frames = packet.decode()
            except av.FFmpegError:
                continue  # one damaged packet is no damaged clip; whether enough is there is judged in the end
            for frame in frames:
                if sight is None or packet.stream is not video:
                    early.extend(hearing.take(frame))
                else:
                    if sight.count == 0:
                        yield _heading("video", *sight.size_of(frame), seconds=promised)
                    yield from sight.take(frame)
                if sight is None or sight.count:
                    yield from early
                    early.clear()
        yield from sight.hold(sight.reached) if sight else ()
        yield from hearing.take(None)
        reached = max(sight.reached if sight else 0.0, hearing.reached)
        # Some demuxers shorten the length that a header promises to what is there, but none the number of frames.
        there = packets / video.frames if video and video.frames else 1.0
        if reached == 0 or (sight and sight.count == 0) or min(there, reached / (promised or reached)) < WHOLE_SHARE:
            raise MediaError(
                "the clip is damaged: it holds less than its header promises, or nothing that can be decoded. "
                "Save or send it again, whole"
            )


class _Sight:
    """Takes the frames of a video stream as they are decoded, and lets those through that are due."""

    def __init__(self, video: Any, start: float) -> None:
        """Judge the stream by its header, and set how it is decoded; `start` is the clip's first time in seconds."""
        codec = video.codec_context
        if video.codec_context is None or codec.width * codec.height == 0:
            raise MediaError("the clip's pictures can't be decoded: save it as MP4 (H.264) or WebM")
        self._require_size(codec.width, codec.height)
        if video.frames > MAX_CLIP_FRAMES:
            raise _too_many_frames(video.frames)
        self._rate = float(video.average_rate or FRAMES_PER_SECOND)
        codec.thread_count = 2
        codec.thread_type = "AUTO"
        if self._rate >= FAST_RATE:
            codec.skip_frame = "NONREF"
        self.start = start
        self.count = 0
        self.reached = 0.0  # seconds, the last frame's own included
        self._due = 0.0
        self._held: Part | None = None

    @staticmethod
    def size_of(frame: Any) -> tuple[int, int]:
        """Width and height in pixels of a frame as it is shown."""
        return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)

    def take(self, frame: Any) -> Iterator[Part]:
        """The frame as a part, if it is due. Raises TooLargeError for one too many, too late or too large."""
        self.count += 1
        if self.count > MAX_CLIP_FRAMES:
            raise _too_many_frames(self.count)
        self._require_size(frame.width, frame.height)
        at = self.reached if frame.time is None else max(frame.time - self.start, 0.0)
        if at > MAX_CLIP_SECONDS:
            raise _too_long(at)
        lasts = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 1 / self._rate
        self.reached = max(self.reached, at + min(lasts, MAX_CLIP_SECONDS))
        yield from self.hold(at - STEP + 2 * HALF_FRAME)
        if at + HALF_FRAME < self._due:
            return
        self._due = max(self._due, at) + STEP
        scale = min(CLIP_SIDE / max(frame.width, frame.height), 1.0)
        width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
        gray = frame.to_ndarray(width=width, height=height, format="gray8")
        upright = np.ascontiguousarray(np.rot90(gray, round(frame.rotation / 90)))
        self._held = Part(FRAME, upright.tobytes(), at, upright.shape[1], upright.shape[0])
        yield self._held

    def hold(self, until: float) -> Iterator[Part]:
        """The last frame again and again, as it stays on the screen, up to `until` in seconds."""
        while self._held is not None and self._due + HALF_FRAME < until:
            yield self._held._replace(at=self._due)
            self._due += STEP

    @staticmethod
    def _require_size(width: int, height: int) -> None:
        if width * height > MAX_CLIP_PIXELS:
            raise TooLargeError(f"a clip may have 4096×2304 pixels at most, this one has {width}×{height}: make it smaller")


class _Hearing:
    """Takes the sound of a clip as it is decoded, and brings it to mono at 16 kHz."""

    def __init__(self, start: float) -> None:
        """`start` is the clip's first time in seconds."""
        from av.audio.resampler import AudioResampler

        self._resampler = AudioResampler(format="flt", layout="mono", rate=SOUND_RATE)
        self._start = start
        self._began: float | None = None
        self._count = 0  # samples

    @property
    def reached(self) -> float:
        """Seconds of the clip up to where sound was read."""
        return 0.0 if self._began is None else self._began + self._count / SOUND_RATE

    def take(self, frame: Any) -> Iterator[Part]:
        """What a frame of sound becomes; None for the end. Raises TooLargeError for too much."""
        if self._began is None:
            if frame is None:
                return
            self._began = 0.0 if frame.time is None else max(frame.time - self._start, 0.0)
        for resampled in self._resampler.resample(frame):
            samples = resampled.to_ndarray().reshape(-1)
            at = self.reached
            if at > MAX_CLIP_SECONDS:
                raise _too_long(at)
            self._count += len(samples)
            yield from _sound_parts(np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), at)


def _too_long(seconds: float) -> TooLargeError:
    return TooLargeError(
        f"a clip may last {MAX_CLIP_SECONDS / 60:.0f} minutes at most, this one {seconds / 60:,.1f}: cut it"
    )


def _too_many_frames(count: int) -> TooLargeError:
    return TooLargeError(f"a clip may have {MAX_CLIP_FRAMES:,} frames at most, this one has {count:,}: cut it")


def _write(output: BinaryIO, part: Part) -> None:
    output.write(HEADER.pack(part.tag, part.at, part.width, part.height, len(part.content)))
    output.write(part.content)
    output.flush()


def main(wanted: list[str]) -> None:
    """Read a file from standard input and write its parts to standard output, the last of them END or PROBLEM."""
    content = sys.stdin.buffer.read()
    limit_resources(MEMORY_BYTES, CPU_SECONDS, POLITENESS)
    output = sys.stdout.buffer
    try:
        for part in parts(content, [kind for kind in KINDS if kind in wanted]):
            _write(output, part)
        _write(output, Part(END))
    except (BrokenPipeError, ImportError):  # nobody waits for it any more; or a decoder is not installed
        raise
    except MediaError as error:
        _write(output, Part(PROBLEM, f"{error.problem}\n{error}".encode()))
    except MemoryError:
        _write(output, Part(PROBLEM, b"too large\nreading it takes more memory than a file may have: make it smaller"))
    except Exception:  # decoders raise anything at all when a file is damaged, and damaged is all there is to say
        _write(output, Part(PROBLEM, b"unreadable\nthe file is damaged, or is not what its first bytes say"))


if __name__ == "__main__":
    main(sys.argv[1:])
