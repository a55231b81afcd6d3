"""Wire format between a decoder process and its client: a stream of chunks, each a fixed header and its content.

A stream begins with a FILE_HEADER chunk and ends with CPU_TIME and END, or CPU_TIME and ERROR.
"""

import json
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from moodmirror.media.formats import Kind

# Tag, timestamp (seconds), width and height (pixels), and the length of the content that follows (bytes).
CHUNK_HEADER: Final = struct.Struct("<cdHHI")
FILE_HEADER, FRAME, AUDIO, TEXT, NOTICE, CPU_TIME, ERROR, END = b"h", b"f", b"s", b"t", b"n", b"c", b"p", b"e"
SAMPLE_RATE: Final = 16_000  # Hz, of all audio
AUDIO_CHUNK_SAMPLES: Final = 2**17


class Chunk(NamedTuple):
    """A piece of a decoded file.

    `content` is JSON for FILE_HEADER, gray pixels (uint8) for FRAME, samples (float32, 16 kHz, mono) for AUDIO, UTF-8 for
    TEXT, a sentence for NOTICE, and for ERROR a problem and a message, separated by a line feed.
    """

    tag: bytes
    content: bytes = b""
    at: float = 0.0  # seconds from the start; of CPU_TIME, the CPU time that the process has used
    width: int = 0  # pixels
    height: int = 0


def file_header(kind: Kind, width: int | None = None, height: int | None = None, seconds: float | None = None) -> Chunk:
    """Return a FILE_HEADER chunk; `width` and `height` in pixels, None for what the file does not have or is unknown."""
    return Chunk(FILE_HEADER, json.dumps({"kind": kind, "width": width, "height": height, "seconds": seconds}).encode())


def notice(sentence: str) -> Chunk:
    """Return a NOTICE chunk."""
    return Chunk(NOTICE, sentence.encode())


def audio_chunks(samples: npt.NDArray[np.float32], at: float) -> Iterator[Chunk]:
    """Cut samples, float32 [n] at 16 kHz, the first of which is at `at` seconds, into AUDIO chunks."""
    for start in range(0, len(samples), AUDIO_CHUNK_SAMPLES):
        yield Chunk(AUDIO, samples[start : start + AUDIO_CHUNK_SAMPLES].tobytes(), at + start / SAMPLE_RATE)


def write_chunk(output: BinaryIO, chunk: Chunk) -> None:
    """Write a chunk and flush the stream."""
    output.write(CHUNK_HEADER.pack(chunk.tag, chunk.at, chunk.width, chunk.height, len(chunk.content)))
    output.write(chunk.content)
    output.flush()
