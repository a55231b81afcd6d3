"""What people send, made into what recognisers read: gray pictures and sound, each with its time.

A browser's frames are decoded here. Files, which may be anything, are decoded by a process of their own (see
:mod:`moodmirror.recognition.decoding`), of which nothing but pixels, samples and short words comes back.
"""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Collection, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from moodmirror.recognition import decoding
from moodmirror.recognition.decoding import KINDS, MAX_BYTES, Kind, MediaError, TooLargeError, WrongKindError
from moodmirror.recognition.face import GrayImage
from moodmirror.recognition.sound import Samples

MAX_FRAME_BYTES: Final = 200_000  # a 320×240 JPEG has about 15 kB; a noisy 1280×720 one fits still
MAX_FRAME_SIDE: Final = 1280  # pixels
# Larger ones are decoded to half their size, which skips three quarters of the work: a face of them is large enough still.
LARGE_FRAME_SIDE: Final = 640  # pixels

WAIT_SECONDS: Final = 180.0  # for a file to be received, decoded and read, whatever it makes its decoder do
MAX_PART_BYTES: Final = 4_000_000  # more than any part has: a decoder that a file has taken over may say anything
CHUNK_BYTES: Final = 65_536

_ROOT: Final = Path(__file__).resolve().parents[2]
_DECODER: Final = [sys.executable, "-m", decoding.__name__]
_ERRORS: Final[dict[str, type[MediaError]]] = {error.problem: error for error in (MediaError, WrongKindError, TooLargeError)}


class DecoderError(RuntimeError):
    """The decoder itself can't run; what was sent has nothing to do with it."""


@dataclass(frozen=True)
class Heading:
    """What a file is: its kind, its size in pixels and its length in seconds; None where it has none, or nobody knows."""

    kind: Kind
    width: int | None
    height: int | None
    seconds: float | None


@dataclass(frozen=True)
class Frame:
    """A picture, gray, uint8 [h, w], upright and perhaps scaled down, and its time in seconds from the start."""

    gray: GrayImage
    at: float


@dataclass(frozen=True)
class Sound:
    """Samples, float32 [n] in −1…1, mono at 16 kHz, and the time of the first in seconds from the start."""

    samples: Samples
    at: float


@dataclass(frozen=True)
class Text:
    """A text as it was sent: bytes in UTF-8."""

    content: bytes


Part = Heading | Frame | Sound | Text


def decode_frame(content: bytes) -> GrayImage:
    """Decode one JPEG frame of a browser's camera to gray, uint8 [h, w]; a large one to half its width and height.

    Its size is read from its header before a pixel is decoded. Raises MediaError for anything that is no JPEG, is larger
    than MAX_FRAME_BYTES or MAX_FRAME_SIDE, or is damaged.
    """
    if len(content) > MAX_FRAME_BYTES:
        raise MediaError(f"a frame may have {MAX_FRAME_BYTES // 1000} kB at most, this one has {len(content) // 1000} kB")
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG"]) as header:
            width, height = header.size
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise MediaError("a frame must be a JPEG picture") from None
    if max(width, height) > MAX_FRAME_SIDE:
        raise MediaError(f"a frame may be {MAX_FRAME_SIDE} pixels wide and high at most, this one is {width}×{height}")
    large = max(width, height) > LARGE_FRAME_SIDE
    try:
        gray = cv2.imdecode(
            np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_2 if large else cv2.IMREAD_GRAYSCALE
        )
    except cv2.error:
        gray = None
    if gray is None:
        raise MediaError("the frame is damaged")
    return np.asarray(gray, dtype=np.uint8)


def decoded(
    source: BinaryIO, wanted: Collection[Kind] = KINDS, *, wait_seconds: float = WAIT_SECONDS
) -> Generator[Part, None, None]:
    """Decode a file in a process of its own, and give its parts as they come: a Heading first, the rest in its order.

    The file is read from `source` once, in small pieces, and never held here. Closing the generator ends the process;
    so does the end of `wait_seconds`. Raises MediaError for what can't be read, is of a kind that is not `wanted`, or
    takes too long; DecoderError where the decoder can't run.
    """
    process = subprocess.Popen(
        [*_DECODER, *wanted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        # Nothing of the site's environment, which holds its secrets; and one thread for arithmetic that it does not do.
        env={"PATH": os.defpath, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        process.kill()

    watchdog = threading.Timer(wait_seconds, end)
    watchdog.daemon = True
    watchdog.start()
    try:
        _send(source, process.stdin)
        yield from _received(process, process.stdout, late)
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _send(source: BinaryIO, pipe: IO[bytes]) -> None:
    sent = 0
    try:
        while chunk := source.read(CHUNK_BYTES):
            sent += len(chunk)
            if sent > MAX_BYTES:
                raise TooLargeError(f"a file may have {MAX_BYTES // 10**6} MB at most: make it smaller, or cut it")
            pipe.write(chunk)
        pipe.flush()
    except BrokenPipeError:
        pass  # the process has ended; why, is told where its answer is read
    finally:
        with suppress(BrokenPipeError):
            pipe.close()


def _received(process: subprocess.Popen[bytes], pipe: IO[bytes], late: threading.Event) -> Generator[Part, None, None]:
    while True:
        header = pipe.read(decoding.HEADER.size)
        if len(header) < decoding.HEADER.size:
            raise _failure(process, late)
        tag, at, width, height, length = decoding.HEADER.unpack(header)
        if length > MAX_PART_BYTES:
            raise DecoderError("the decoder's answer makes no sense")
        content = pipe.read(length)
        if len(content) < length:
            raise _failure(process, late)
        match tag:
            case decoding.HEADING:
                yield _heading(content)
            case decoding.FRAME if length == width * height > 0:
                yield Frame(np.frombuffer(content, dtype=np.uint8).reshape(height, width), at)
            case decoding.SOUND if length % 4 == 0:
                yield Sound(np.frombuffer(content, dtype=np.float32), at)
            case decoding.TEXT:
                yield Text(content)
            case decoding.PROBLEM:
                problem, _, words = content.decode(errors="replace").partition("\n")
                raise _ERRORS.get(problem, MediaError)(words)
            case decoding.END:
                return
            case _:
                raise DecoderError("the decoder's answer makes no sense")


def _heading(content: bytes) -> Heading:
    said = json.loads(content)
    return Heading(said["kind"], said["width"], said["height"], said["seconds"])


def _failure(process: subprocess.Popen[bytes], late: threading.Event) -> MediaError | DecoderError:
    """Why the decoder ended without an answer: what a file made it do, or that it can't run at all."""
    status = process.wait()
    if late.is_set() or status < 0:
        return TooLargeError("reading this file takes more time or memory than a file may have: make it smaller, or cut it")
    return DecoderError(f"the decoder ended with status {status}; its own words are in the log")
