"""Decode untrusted frames of browsers' cameras in a pool of decoder processes that are reused from frame to frame."""

import queue
import socket
import subprocess
import sys
import time
import weakref
from typing import Final

import numpy as np

from moodmirror.media import frame_decoder
from moodmirror.media.errors import DecoderError, MediaError
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES, MAX_FRAME_SIDE
from moodmirror.media.isolation_rules import isolation_rules
from moodmirror.paths import ROOT
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
            if failed is None or failed.end() > 0:
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
        self._connection, decoder_end = socket.socketpair()
        with decoder_end:
            # In its own session, so that Ctrl-C in the server's terminal does not reach it.
            self._process = subprocess.Popen(
                _COMMAND,
                stdin=decoder_end.fileno(),
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env=isolation_rules().environment,
                pass_fds=isolation_rules().file_descriptors,
                start_new_session=True,
            )
        self._end = weakref.finalize(self, _end_process, self._connection, self._process)

    def decode(self, content: bytes) -> GrayImage:
        """Decode a frame as :meth:`FrameDecoderPool.decode`. Raises OSError if the process has ended or times out."""
        deadline = time.monotonic() + FRAME_TIMEOUT_SECONDS
        self._connection.settimeout(FRAME_TIMEOUT_SECONDS)
        self._connection.sendall(frame_decoder.REQUEST.pack(len(content)) + content)
        width, height, length = frame_decoder.RESPONSE.unpack(self._receive(frame_decoder.RESPONSE.size, deadline))
        if length > MAX_FRAME_SIDE**2 or (width and length != width * height):
            raise OSError("the frame decoder's response is invalid")
        response = self._receive(length, deadline)
        if not width:
            raise MediaError(response.decode(errors="replace"))
        return np.frombuffer(response, dtype=np.uint8).reshape(height, width)

    def _receive(self, length: int, deadline: float) -> bytearray:
        """Receive `length` bytes before the monotonic time `deadline`."""
        received = bytearray(length)
        rest = memoryview(received)
        while rest:
            self._connection.settimeout(max(deadline - time.monotonic(), 1e-3))
            count = self._connection.recv_into(rest)
            if not count:
                raise ConnectionError("the frame decoder has ended")
            rest = rest[count:]
        return received

    def end(self) -> int:
        """End the process and return its exit status; below 0 if a signal ended it, now or while decoding."""
        self._end()
        return self._process.returncode


def _end_process(connection: socket.socket, process: subprocess.Popen[bytes]) -> None:
    connection.close()  # the process ends when its connection closes
    try:
        process.wait(EXIT_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
