"""Decode one untrusted file in a separate process.

:mod:`moodmirror.media.decoder_client` starts this module as a program, writes the file to its standard input and reads the
decoded content from its standard output, as a stream of chunks (:mod:`moodmirror.media.decoder_protocol`). Memory and CPU
time of the process are limited and it can write no file; if a file makes a decoder hang or crash, only this process ends.

A file's content decides its format, whatever its name is (:mod:`moodmirror.media.formats`). Pictures are decoded by Pillow
(:mod:`moodmirror.media.picture_decoder`), clips and recordings by FFmpeg's libraries (:mod:`moodmirror.media.clip_decoder`).
Pixels, seconds and frames in a header are checked before anything is decoded, and again during decoding.
"""

import codecs
import importlib
import struct
import sys
import time
from collections.abc import Collection, Iterator
from typing import Final

from charset_normalizer.constant import IANA_SUPPORTED

from moodmirror.media.decoder_protocol import CPU_TIME, END, ERROR, TEXT, Chunk, file_header, notice, write_chunk
from moodmirror.media.errors import MediaError
from moodmirror.media.formats import KINDS, Kind, detect_container, is_photo, is_utf_8, may_be_text, require_kind
from moodmirror.platforms import isolate
from moodmirror.recognition.text_input import decode_bytes

# For one file. Decoding 4K frames in two threads needs the most memory of all valid files.
MEMORY_BYTES: Final = 1_500_000_000  # of address space, of which libraries reserve some 400 MB without using it
CPU_SECONDS: Final = 60
NICENESS: Final = 5  # live pages have priority

# What Pillow and PyAV import when a file needs it: formats of pictures, and subtitles of clips.
PICTURE_MODULES: Final = (
    "moodmirror.media.picture_decoder",
    *(
        f"PIL.{name}ImagePlugin"
        for name in ("Avif", "Bmp", "Gif", "Ico", "Jpeg", "Jpeg2K", "Mpo", "Png", "Ppm", "Psd", "Qoi")
    ),
    *("PIL.TiffImagePlugin", "PIL.WebPImagePlugin", "PIL.ImageOps", "PIL.ImageSequence", "pillow_heif"),
)
UNICODE_ENCODINGS: Final = ("utf_16", "utf_16_le", "utf_16_be", "utf_32")
CLIP_MODULES: Final = ("moodmirror.media.clip_decoder", "av.subtitles.codeccontext", "av.subtitles.stream")
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_SHORT_SOUND_BYTES: Final = bytes(range(256)) * 64
SHORT_SOUND: Final = (
    _WAV_HEADER.pack(
        *(b"RIFF", 36 + len(_SHORT_SOUND_BYTES), b"WAVE", b"fmt ", 16, 1, 2, 8_000, 32_000, 4, 16),
        *(b"data", len(_SHORT_SOUND_BYTES)),
    )
    + _SHORT_SOUND_BYTES
)
"""A WAV file of half a second in stereo, at a rate that needs resampling."""


def decode(content: bytes, accepted: Collection[Kind]) -> Iterator[Chunk]:
    """Yield the decoded content of a file: its FILE_HEADER chunk first, then frames and audio in the order of time.

    FILE_HEADER's JSON has `kind`, `width` and `height` in pixels and `seconds`; null where the kind has none or it is
    unknown. Raises MediaError for a file that can't be decoded, WrongKindError if its kind is not `accepted`. The decoding
    libraries may raise any exception for a damaged file.
    """
    if not content:
        raise MediaError("the file is empty: it has no bytes")
    match detect_container(content):
        case "image":
            from moodmirror.media.picture_decoder import decode_picture

            return decode_picture(content, accepted)
        case "text":
            require_kind("text", accepted)
            return _decode_text(content)
        case _:
            from moodmirror.media.clip_decoder import decode_clip

            return decode_clip(content, accepted)


def load_decoders(content: bytes) -> None:
    """Import what decodes a file with this content: an isolated process can load nothing any more."""
    if is_photo(content):
        for name in PICTURE_MODULES:
            importlib.import_module(name)
        return
    if is_utf_8(content):
        codecs.lookup("utf_8_sig")
        return
    for encoding in (*UNICODE_ENCODINGS, *(IANA_SUPPORTED if may_be_text(content) else ())):
        codecs.lookup(encoding)
    for name in CLIP_MODULES:
        importlib.import_module(name)
    for _ in decode(SHORT_SOUND, KINDS):  # libraries load parts of themselves at their first use
        pass


def _decode_text(content: bytes) -> Iterator[Chunk]:
    text, encoding = decode_bytes(content)
    yield file_header("text")
    yield Chunk(TEXT, text.encode(errors="replace"))
    if not encoding.startswith("utf"):
        yield notice(f"The text is not in UTF-8; it was read as {encoding}. If characters are wrong, save it as UTF-8.")


def main(accepted: list[str]) -> None:
    """Read a file from standard input and write its chunks to standard output, the last of them END or ERROR."""
    content = sys.stdin.buffer.read()
    load_decoders(content)
    isolate(MEMORY_BYTES, CPU_SECONDS, NICENESS)
    output = sys.stdout.buffer
    try:
        for chunk in decode(content, [kind for kind in KINDS if kind in accepted]):
            write_chunk(output, chunk)
        last = Chunk(END)
    except (BrokenPipeError, ImportError):  # the client has closed the pipe; or a decoder is not installed
        raise
    except MediaError as error:
        last = Chunk(ERROR, f"{error.problem}\n{error}".encode())
    except MemoryError:
        last = Chunk(ERROR, b"too large\ndecoding this file takes more memory than the limit: make the file smaller")
    except Exception:  # libraries raise any exception for a damaged file, and their messages don't help who sent it
        last = Chunk(ERROR, b"unreadable\nthe file is damaged, or its content does not match its first bytes")
    write_chunk(output, Chunk(CPU_TIME, at=time.process_time()))
    write_chunk(output, last)


if __name__ == "__main__":
    main(sys.argv[1:])
