"""Decode untrusted files: start a decoder process for each file, send the file to it and read the decoded content.

A file may be made to attack its decoder, so only pixels, samples and short messages come back from the process
(:mod:`moodmirror.media.decoder_worker`). Frames of browsers' cameras have decoders of their own
(:mod:`moodmirror.media.frame_decoder_pool`).
"""

import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, Final

import numpy as np

from moodmirror.media import decoder_protocol, decoder_worker
from moodmirror.media.errors import DecoderError, MediaError, TooLargeError, WrongKindError, is_crash
from moodmirror.media.formats import KINDS, MAX_BYTES, Kind
from moodmirror.paths import ROOT
from moodmirror.platforms import isolation_rules
from moodmirror.recognition.audio import Samples
from moodmirror.recognition.face_detector import GrayImage

FILE_TIMEOUT_SECONDS: Final = 180.0  # to receive, decode and analyze one file
MAX_CHUNK_BYTES: Final = 17_000_000  # more than any chunk has: a hostile file may control what its decoder sends
READ_BYTES: Final = 65_536

_COMMAND: Final = [sys.executable, "-m", decoder_worker.__name__]
_ERRORS: Final[dict[str, type[MediaError]]] = {error.problem: error for error in (MediaError, WrongKindError, TooLargeError)}
_INVALID_OUTPUT: Final = "the decoder's output is invalid"


@dataclass(frozen=True)
class FileHeader:
    """A file's kind, size in pixels and length in seconds; None where the kind has none or it is unknown."""

    kind: Kind
    width: int | None
    height: int | None
    seconds: float | None


@dataclass(frozen=True)
class GrayFrame:
    """A gray picture, uint8 [h, w], upright and perhaps scaled down, and its time in seconds from the start."""

    gray: GrayImage
    at: float


@dataclass(frozen=True)
class AudioChunk:
    """Samples, float32 [n] in −1…1, mono at 16 kHz, and the time of the first in seconds from the start."""

    samples: Samples
    at: float


@dataclass(frozen=True)
class TextChunk:
    """A whole text: bytes in UTF-8."""

    content: bytes


@dataclass(frozen=True)
class Notice:
    """A sentence for the user about what of the file was read in part only, or differently than expected."""

    text: str


DecodedChunk = FileHeader | GrayFrame | AudioChunk | TextChunk | Notice


def decode_file(
    source: BinaryIO,
    accepted: Collection[Kind] = KINDS,
    *,
    timeout_seconds: float = FILE_TIMEOUT_SECONDS,
    on_cpu_time: Callable[[float], None] | None = None,
) -> Generator[DecodedChunk, None, None]:
    """Decode a file in a separate process and yield its content: the FileHeader first, the rest in the file's order.

    `source` is read once, in small pieces, and the file is never held in this process. Closing the generator ends the
    decoder process, and so does the timeout; then `on_cpu_time` is called with the CPU time that it used, in seconds, or the
    time that it ran if it was ended before it reported that.

    Raises MediaError for a file that can't be decoded, WrongKindError if its kind is not `accepted`, TooLargeError if it
    exceeds a limit or the timeout, and DecoderError if the decoder can't run.
    """
    rules = isolation_rules()
    process: subprocess.Popen[bytes] = subprocess.Popen(
        [*_COMMAND, *accepted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=rules.environment,
        **rules.options,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    timed_out = threading.Event()
    started, reported = time.monotonic(), list[float]()

    def kill() -> None:
        timed_out.set()
        process.kill()

    watchdog = threading.Timer(timeout_seconds, kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        _send(source, process.stdin)
        yield from _receive(process, process.stdout, timed_out, reported.append)
    finally:
        watchdog.cancel()
        process.kill()
        process.stdout.close()
        process.wait()
        if on_cpu_time is not None:
            on_cpu_time(reported[0] if reported else time.monotonic() - started)


def _send(source: BinaryIO, pipe: IO[bytes]) -> None:
    sent = 0
    try:
        while content := source.read(READ_BYTES):
            sent += len(content)
            if sent > MAX_BYTES:
                raise TooLargeError(f"a file may have {MAX_BYTES // 10**6} MB at most: make it smaller, or shorten it")
            try:
                pipe.write(content)
            except OSError:
                return  # the process has ended; _receive raises the reason
    finally:
        with suppress(OSError):  # the same
            pipe.close()


def _receive(
    process: subprocess.Popen[bytes], pipe: IO[bytes], timed_out: threading.Event, on_cpu_time: Callable[[float], None]
) -> Generator[DecodedChunk, None, None]:
    while True:
        header = pipe.read(decoder_protocol.CHUNK_HEADER.size)
        if len(header) < decoder_protocol.CHUNK_HEADER.size:
            raise _exit_error(process, timed_out)
        tag, at, width, height, length = decoder_protocol.CHUNK_HEADER.unpack(header)
        if length > MAX_CHUNK_BYTES:
            raise DecoderError(_INVALID_OUTPUT)
        content = pipe.read(length)
        if len(content) < length:
            raise _exit_error(process, timed_out)
        match tag:
            case decoder_protocol.FILE_HEADER:
                yield FileHeader(**json.loads(content))
            case decoder_protocol.FRAME if length == width * height > 0:
                yield GrayFrame(np.frombuffer(content, dtype=np.uint8).reshape(height, width), at)
            case decoder_protocol.AUDIO if length % 4 == 0:
                yield AudioChunk(np.frombuffer(content, dtype=np.float32), at)
            case decoder_protocol.TEXT:
                yield TextChunk(content)
            case decoder_protocol.NOTICE:
                yield Notice(content.decode(errors="replace"))
            case decoder_protocol.CPU_TIME if 0 <= at < math.inf:
                on_cpu_time(at)
            case decoder_protocol.ERROR:
                problem, _, message = content.decode(errors="replace").partition("\n")
                raise _ERRORS.get(problem, MediaError)(message)
            case decoder_protocol.END:
                return
            case _:
                raise DecoderError(_INVALID_OUTPUT)


def _exit_error(process: subprocess.Popen[bytes], timed_out: threading.Event) -> MediaError | DecoderError:
    """Return the reason why the decoder ended without END or ERROR: the file, or a decoder that can't run."""
    status = process.wait()
    if timed_out.is_set() or is_crash(status):
        return TooLargeError(
            "decoding this file takes more time or memory than the limit: make the file smaller, or shorten it"
        )
    return DecoderError(f"the decoder ended with status {status}; its error output is in the log")
