"""Decode one untrusted file in a separate process.

:mod:`moodmirror.media.decoder_client` starts this module as a program, writes the file to its standard input and reads the
decoded content from its standard output, as a stream of chunks (:mod:`moodmirror.media.decoder_protocol`). Memory and CPU
time of the process are limited and it can write no file; if a file makes a decoder hang or crash, only this process ends.

The first bytes of a file decide its format, whatever its name is. Pictures are decoded by Pillow (HEIC by libheif), WAV,
FLAC, OGG and MP3 by libsndfile, clips (MP4, WebM, QuickTime, AVI and animated GIF) by FFmpeg's libraries
(:mod:`moodmirror.media.clip_decoder`). Pixels, seconds and frames in a header are checked before anything is decoded, and
again during decoding.
"""

import importlib
import io
import struct
import sys
from collections.abc import Collection, Iterator
from typing import Final

from moodmirror.media.decoder_protocol import (
    END,
    ERROR,
    FRAME,
    SAMPLE_RATE,
    TEXT,
    Chunk,
    audio_chunks,
    file_header,
    write_chunk,
)
from moodmirror.media.errors import MediaError, TooLargeError
from moodmirror.media.formats import (
    KINDS,
    MAX_PHOTO_PIXELS,
    PHOTO_FORMATS,
    Kind,
    accepted_formats,
    detect_container,
    is_text,
    require_kind,
)
from moodmirror.media.isolation import isolate

PHOTO_SIDE: Final = 1280  # pixels: larger photos are scaled down to it; a face across a room can still be read
EXIF_ORIENTATION, EXIF_QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # the tag of the EXIF standard, and its values for 90° turns

# For one file. Decoding 4K frames in two threads needs the most memory of all valid files.
MEMORY_BYTES: Final = 1_500_000_000  # of address space, of which libraries reserve some 400 MB without using it
CPU_SECONDS: Final = 60
NICENESS: Final = 5  # live pages have priority

# Pillow and PyAV import these when a file needs them: for WebP, EXIF data, and subtitles of clips.
IMAGE_MODULES: Final = ("PIL.ImageOps", "PIL.TiffImagePlugin", "PIL.WebPImagePlugin")
CLIP_MODULES: Final = ("moodmirror.media.clip_decoder", "av.subtitles.codeccontext", "av.subtitles.stream")
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
SHORT_SOUND: Final = _WAV_HEADER.pack(b"RIFF", 38, b"WAVE", b"fmt ", 16, 1, 1, 16_000, 32_000, 2, 16, b"data", 2) + bytes(2)
"""A WAV file of one sample."""


def decode(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    """Yield the decoded content of a file: its FILE_HEADER chunk first, then frames and audio in the order of time.

    FILE_HEADER's JSON has `kind`, `width` and `height` in pixels and `seconds`; null where the kind has none or it is
    unknown. Raises MediaError for a file that can't be decoded, WrongKindError if its kind is not `accepted`. The decoding
    libraries may raise any exception for a damaged file.
    """
    if not content:
        raise MediaError("the file is empty: it has no bytes")
    container = detect_container(content)
    match container:
        case "image":
            return _decode_image(content, accepted)
        case "audio":
            require_kind("audio", accepted)
            return _decode_audio(content)
        case None:
            if not is_text(content):
                raise MediaError(f"this format is not supported: send {accepted_formats(accepted)}")
            require_kind("text", accepted)
            return iter([file_header("text"), Chunk(TEXT, content)])
        case _:
            return _decode_clip(content, container, accepted)


def load_decoders(content: bytes) -> None:
    """Import what decodes a file with this content: an isolated process can load nothing any more."""
    container = detect_container(content) if content else None
    match container:
        case None:
            return
        case "image":
            import pillow_heif
            from PIL import Image

            Image.preinit()
            pillow_heif.register_heif_opener()
            modules = IMAGE_MODULES
        case "audio":
            from moodmirror.recognition.audio import read_sound

            read_sound(SHORT_SOUND)  # libsndfile's callbacks are made at its first use
            return
        case _:
            modules = CLIP_MODULES
    for name in modules:
        importlib.import_module(name)
    if content.startswith(b"GIF8"):  # it may be animated
        for name in CLIP_MODULES:
            importlib.import_module(name)


def _decode_image(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    from PIL import Image, ImageOps, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # checked below, with a message that gives advice
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
        if photo.format == "GIF" and "video" in accepted and getattr(photo, "is_animated", False):
            yield from _decode_clip(content, "gif", accepted)
            return
        require_kind("image", accepted)
        quarter_turn = photo.getexif().get(EXIF_ORIENTATION) in EXIF_QUARTER_TURNS
        photo.draft("L", (PHOTO_SIDE, PHOTO_SIDE))  # decode a JPEG no larger than needed
        ImageOps.exif_transpose(photo, in_place=True)
        # Pillow's own conversion would clip 16 bits to 8.
        gray = (photo.point(lambda value: value / 256) if photo.mode.startswith("I;16") else photo).convert("L")
        gray.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
        yield file_header("image", *((height, width) if quarter_turn else (width, height)))
        yield Chunk(FRAME, gray.tobytes(), 0.0, *gray.size)


def _decode_audio(content: bytes) -> Iterator[Chunk]:
    from moodmirror.recognition.audio import SoundError, read_sound

    try:
        samples = read_sound(content)
    except SoundError as error:
        raise MediaError(str(error)) from None
    yield file_header("audio", seconds=len(samples) / SAMPLE_RATE)
    yield from audio_chunks(samples, 0.0)


def _decode_clip(content: bytes, demuxer: str, accepted: Collection[Kind]) -> Iterator[Chunk]:
    from moodmirror.media.clip_decoder import decode_clip

    return decode_clip(content, demuxer, accepted)


def main(accepted: list[str]) -> None:
    """Read a file from standard input and write its chunks to standard output, the last of them END or ERROR."""
    content = sys.stdin.buffer.read()
    load_decoders(content)
    isolate(MEMORY_BYTES, CPU_SECONDS, NICENESS)
    output = sys.stdout.buffer
    try:
        for chunk in decode(content, [kind for kind in KINDS if kind in accepted]):
            write_chunk(output, chunk)
        write_chunk(output, Chunk(END))
    except (BrokenPipeError, ImportError):  # the client has closed the pipe; or a decoder is not installed
        raise
    except MediaError as error:
        write_chunk(output, Chunk(ERROR, f"{error.problem}\n{error}".encode()))
    except MemoryError:
        write_chunk(
            output, Chunk(ERROR, b"too large\ndecoding this file takes more memory than the limit: make the file smaller")
        )
    except Exception:  # libraries raise any exception for a damaged file, and their messages don't help who sent it
        write_chunk(output, Chunk(ERROR, b"unreadable\nthe file is damaged, or its content does not match its first bytes"))


if __name__ == "__main__":
    main(sys.argv[1:])
