"""What people send, made into what recognisers read: gray pictures and sound, each with its time.

All of it may be made to do harm. So each file is decoded by a process of its own (:mod:`moodmirror.media.decoder_worker`),
browsers' frames by some that go on to the next one (:mod:`moodmirror.media.frame_decoder`); nothing but pixels,
samples and short words comes back.
"""

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Collection, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Final

import numpy as np

from moodmirror.media import decoder_worker, frame_decoder
from moodmirror.media.decoder_worker import KINDS, MAX_BYTES, Kind, MediaError, TooLargeError, WrongKindError
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES, MAX_FRAME_SIDE
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face import GrayImage

WAIT_SECONDS: Final = 180.0  # for a file to be received, decoded and read, whatever it makes its decoder do
FRAME_SECONDS: Final = 2.0  # for one frame, which takes milliseconds: what takes longer is no honest one
FAREWELL_SECONDS: Final = 0.5  # for a decoder of frames to end by itself
MAX_PART_BYTES: Final = 4_000_000  # more than any part has: a decoder that a file has taken over may say anything
CHUNK_BYTES: Final = 65_536

_ROOT: Final = Path(__file__).resolve().parents[2]
_DECODER: Final = [sys.executable, "-m", decoder_worker.__name__]
_FRAME_DECODER: Final = [sys.executable, "-m", frame_decoder.__name__]
# Nothing of the site's environment, which holds its secrets; and one thread for arithmetic that they do not do.
_ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
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


class FrameDecoders:
    """Some processes that decode browsers' frames, one frame at a time each, and are started when they are needed.

    One that a frame makes crash or hang is ended, and another takes its place. Safe to call from several threads.
    """

    def __init__(self, count: int) -> None:
        """At most so many processes."""
        self._free: queue.SimpleQueue[_FrameDecoder | None] = queue.SimpleQueue()
        for _ in range(count):
            self._free.put(None)
        self._count = count

    def decode(self, content: bytes) -> GrayImage:
        """The gray picture, uint8 [h, w], of one JPEG frame of a browser's camera; a large one at half its size.

        Raises MediaError for anything that is no JPEG, has more bytes or pixels than a frame may have, or is damaged;
        DecoderError where the decoder can't run.
        """
        if len(content) > MAX_FRAME_BYTES:
            raise MediaError(
                f"a frame may have {MAX_FRAME_BYTES // 1000} kB at most, this one has {len(content) // 1000} kB"
            )
        decoder = self._free.get()
        try:
            if decoder is None:
                decoder = _FrameDecoder()
            return decoder.decode(content)
        except OSError:
            failed, decoder = decoder, None
            if failed is None or failed.end() > 0:
                raise DecoderError("the decoder of frames can't run; its own words are in the log") from None
            raise MediaError("the frame is damaged") from None
        finally:
            self._free.put(decoder)

    def close(self) -> None:
        """End the processes, each when its frame is decoded; another frame would start them anew."""
        decoders = [self._free.get() for _ in range(self._count)]
        for decoder in decoders:
            if decoder is not None:
                decoder.end()
            self._free.put(None)


class _FrameDecoder:
    """One process of :class:`FrameDecoders`, which ends with this object."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            # In a session of its own: it ends with whoever asks it, not by a key that is meant for them.
            self._process = subprocess.Popen(
                _FRAME_DECODER,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=_ROOT,
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._end = weakref.finalize(self, _end, self._connection, self._process)

    def decode(self, content: bytes) -> GrayImage:
        """As :meth:`FrameDecoders.decode`. Raises OSError if the process has ended or takes too long."""
        until = time.monotonic() + FRAME_SECONDS
        self._connection.settimeout(FRAME_SECONDS)
        self._connection.sendall(frame_decoder.REQUEST.pack(len(content)) + content)
        width, height, length = frame_decoder.ANSWER.unpack(self._received(frame_decoder.ANSWER.size, until))
        if length > MAX_FRAME_SIDE**2 or (width and length != width * height):
            raise OSError("the decoder's answer makes no sense")
        answer = self._received(length, until)
        if not width:
            raise MediaError(answer.decode(errors="replace"))
        return np.frombuffer(answer, dtype=np.uint8).reshape(height, width)

    def _received(self, length: int, until: float) -> bytearray:
        """So many bytes of the answer, which must come before the monotonic time `until`."""
        answer = bytearray(length)
        rest = memoryview(answer)
        while rest:
            self._connection.settimeout(max(until - time.monotonic(), 1e-3))
            count = self._connection.recv_into(rest)
            if not count:
                raise ConnectionError("the decoder has ended")
            rest = rest[count:]
        return answer

    def end(self) -> int:
        """End the process; returns its status, below 0 if a signal ended it, now or at what it decoded."""
        self._end()
        return self._process.returncode


def _end(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    connection.close()  # the sign to end
    try:
        process.wait(FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


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
        env=_ENVIRONMENT,
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
        header = pipe.read(decoder_worker.HEADER.size)
        if len(header) < decoder_worker.HEADER.size:
            raise _failure(process, late)
        tag, at, width, height, length = decoder_worker.HEADER.unpack(header)
        if length > MAX_PART_BYTES:
            raise DecoderError("the decoder's answer makes no sense")
        content = pipe.read(length)
        if len(content) < length:
            raise _failure(process, late)
        match tag:
            case decoder_worker.HEADING:
                yield _heading(content)
            case decoder_worker.FRAME if length == width * height > 0:
                yield Frame(np.frombuffer(content, dtype=np.uint8).reshape(height, width), at)
            case decoder_worker.SOUND if length % 4 == 0:
                yield Sound(np.frombuffer(content, dtype=np.float32), at)
            case decoder_worker.TEXT:
                yield Text(content)
            case decoder_worker.PROBLEM:
                problem, _, words = content.decode(errors="replace").partition("\n")
                raise _ERRORS.get(problem, MediaError)(words)
            case decoder_worker.END:
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
