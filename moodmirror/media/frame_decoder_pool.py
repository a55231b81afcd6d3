"""Decode untrusted frames of browsers' cameras in a pool of decoder processes that are reused from frame to frame."""

import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import numpy as np

from moodmirror.media import frame_decoder
from moodmirror.media.errors import DecoderError, MediaError, is_crash
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES, MAX_FRAME_SIDE
from moodmirror.paths import ROOT
from moodmirror.platforms import isolation_rules
from moodmirror.recognition.face_detector import GrayImage

FRAME_TIMEOUT_SECONDS: Final = 2.0  # a valid frame takes milliseconds
EXIT_TIMEOUT_SECONDS: Final = 0.5  # for a decoder process to end by itself; then it is killed

_COMMAND: Final = [sys.executable, "-m", frame_decoder.__name__]


class FrameDecoderPool:
    """A pool of processes that decode browsers' frames, one frame at a time each, and are started on demand.

    A process that a frame makes crash or hang is ended and replaced. Thread-safe.
    """

    def __init__(self, max_processes: int) -> None:
        """`max_processes` is the number of frames that are decoded at the same time; further callers wait."""
        self._free: queue.SimpleQueue[_FrameDecoderProcess | None] = queue.SimpleQueue()  # None: not started yet
        for _ in range(max_processes):
            self._free.put(None)
        self._max_processes = max_processes

    def decode(self, content: bytes) -> GrayImage:
        """Decode one JPEG frame of a browser's camera to gray, uint8 [h, w]; a large one to half its size.

        Raises MediaError for content that is not a JPEG, has more bytes or pixels than the limit, or is damaged, and
        DecoderError if the decoder can't run.
        """
        if len(content) > MAX_FRAME_BYTES:
            raise MediaError(
                f"a frame may have {MAX_FRAME_BYTES // 1000} kB at most, this one has {len(content) // 1000} kB"
            )
        decoder = self._free.get()
        try:
            if decoder is None:
                decoder = _FrameDecoderProcess()
            return decoder.decode(content)
        except OSError:
            failed, decoder = decoder, None
            if failed is None or failed.end():
                raise DecoderError("the frame decoder can't run; its error output is in the log") from None
            raise MediaError("the frame is damaged") from None
        finally:
            self._free.put(decoder)

    def close(self) -> None:
        """End all processes, each after its current frame. Decoding another frame starts them again."""
        decoders = [self._free.get() for _ in range(self._max_processes)]
        for decoder in decoders:
            if decoder is not None:
                decoder.end()
            self._free.put(None)


class _FrameDecoderProcess:
    """One process of a :class:`FrameDecoderPool`; it ends when this object is deleted."""

    def __init__(self) -> None:
        rules = isolation_rules()
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=rules.environment, **rules.options
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._responses = self._process.stdin, self._process.stdout
        self._time_limit = _TimeLimit(FRAME_TIMEOUT_SECONDS, self._process.kill)
        self._end = weakref.finalize(self, _end_process, self._process, self._time_limit)

    def decode(self, content: bytes) -> GrayImage:
        """Decode a frame as :meth:`FrameDecoderPool.decode`. Raises OSError if the process has ended or times out."""
        with self._time_limit:
            self._requests.write(frame_decoder.REQUEST.pack(len(content)))
            self._requests.write(content)
            self._requests.flush()
            width, height, length = frame_decoder.RESPONSE.unpack(self._receive(frame_decoder.RESPONSE.size))
            if length > MAX_FRAME_SIDE**2 or (width and length != width * height):
                raise OSError("the frame decoder's response is invalid")
            response = self._receive(length)
        if not width:
            raise MediaError(response.decode(errors="replace"))
        return np.frombuffer(response, dtype=np.uint8).reshape(height, width)

    def _receive(self, length: int) -> bytes:
        received = self._responses.read(length)
        if len(received) < length:
            raise ConnectionError("the frame decoder has ended")
        return received

    def end(self) -> bool:
        """End the process; return whether it could not run at all, rather than was crashed by a frame or ended."""
        self._end()
        status = self._process.wait()  # at the interpreter's exit, another thread may be ending it
        return status > 0 and not self._time_limit.is_exceeded and not is_crash(status)


class _TimeLimit:
    """Calls a function when a `with` block takes longer than a limit: one thread for all blocks, one after the other."""

    def __init__(self, seconds: float, on_exceeded: Callable[[], None]) -> None:
        self.is_exceeded = False
        self._seconds = seconds
        self._on_exceeded = on_exceeded
        self._changed = threading.Condition()
        self._deadline: float | None = None  # of the present block, on the monotonic clock
        self._is_closed = False
        self._is_idle = False  # the thread waits without a timeout
        threading.Thread(target=self._watch, name="frame-decoder-limit", daemon=True).start()

    def __enter__(self) -> None:
        with self._changed:
            self._deadline = time.monotonic() + self._seconds
            if self._is_idle:  # otherwise it wakes before this deadline
                self._changed.notify()

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._deadline = None

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._is_closed:
                rest = None if self._deadline is None else self._deadline - time.monotonic()
                if rest is not None and rest <= 0:
                    self.is_exceeded, self._deadline = True, None
                    self._on_exceeded()
                    continue
                self._is_idle = rest is None
                self._changed.wait(rest)


def _end_process(process: subprocess.Popen[bytes], time_limit: _TimeLimit) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(OSError):  # it has ended, and what it was sent is lost
        process.stdin.close()  # the process ends when its standard input closes
    try:
        process.wait(EXIT_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
    time_limit.close()
