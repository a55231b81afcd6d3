"""Capture: open the source that CAMERA names and hold its newest frame, in a thread of its own."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from moodmirror.camera.frame import BGRFrame
from moodmirror.camera.status import STATUS_TEXTS, CameraState
from moodmirror.config import CameraSource
from moodmirror.platforms import CAMERA_BACKENDS, has_webcam, webcam_indices

MIN_FILE_RATE, MAX_FILE_RATE = 1, 240  # frames per second: a video file's header with another rate is wrong
DEFAULT_FILE_RATE: Final = 25  # frames per second, about that of films


class Capture(Protocol):
    """The methods of cv2.VideoCapture that the camera uses."""

    def read(self) -> tuple[bool, Any]:
        """Return whether there is a frame, and the frame, uint8 [h, w, 3] in BGR. May block."""

    def release(self) -> None:
        """Close the device."""

    def get(self, property_id: int, /) -> float:
        """Return a property by OpenCV's number."""

    def set(self, property_id: int, value: float, /) -> bool:
        """Set a property and return whether that worked."""


class CameraError(Exception):
    """A source can't be opened, or its capture failed; `state` is the camera's state that results."""

    def __init__(self, state: CameraState) -> None:
        super().__init__(STATUS_TEXTS[state][0])
        self.state = state


def open_source(source: CameraSource) -> Capture:
    """Open the camera that `source` names. May block for a long time. Raises CameraError."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the camera logs a missing device, once
    match source.kind:
        case "auto":
            for index in webcam_indices():
                if (capture := _open_webcam(index)) and capture.read()[0]:
                    return capture
            raise CameraError("busy" if any(map(has_webcam, webcam_indices())) else "off")
        case "index":
            index = int(source.value)
            if capture := _open_webcam(index):
                return capture
            raise CameraError("busy" if has_webcam(index) else "missing")
        case "file":
            if Path(source.value).is_file():
                capture = cv2.VideoCapture(source.value)
                if capture.isOpened():
                    return capture
            raise CameraError("unreadable")
        case "url":
            capture = cv2.VideoCapture(source.value, cv2.CAP_FFMPEG)
            if capture.isOpened():
                return capture
            raise CameraError("missing")
        case "off" | "published":  # another process opens and publishes it
            raise CameraError("off")


def _open_webcam(index: int) -> Capture | None:
    """Open a webcam with the first of the system's backends that can; None if none can."""
    for backend in CAMERA_BACKENDS:
        capture = cv2.VideoCapture(index, getattr(cv2, backend))
        if capture.isOpened():
            return capture
    return None


class CaptureThread(threading.Thread):
    """Opens a source and holds its newest frame, until it is abandoned or the source fails.

    Only this thread uses the capture. If a read blocks, the camera abandons the thread, which closes the device when the
    read returns.
    """

    def __init__(
        self,
        source: CameraSource,
        open_source: Callable[[CameraSource], Capture],
        clock: Callable[[], float],
        changed: threading.Condition,
        counts: Counter[str],
    ) -> None:
        """`clock` returns monotonic seconds; `changed` is notified of each frame and of a failure."""
        super().__init__(name="camera-capture", daemon=True)
        self._source = source
        self._open_source = open_source
        self._clock = clock
        self._changed = changed
        self._counts = counts
        self._abandoned = threading.Event()
        self.started_at = clock()
        self.newest_frame: BGRFrame | None = None
        self.frame_number = 0
        self.frame_at = self.started_at
        self.moved_at = self.started_at  # when a frame last differed from the one before
        self.moves = 0  # number of frames that differed
        self.fault: CameraState | None = None

    def abandon(self) -> None:
        """Request the thread to close its capture and end; it does so once a blocking read returns."""
        self._abandoned.set()

    def run(self) -> None:
        """Open the source and read its frames."""
        try:
            capture = self._open_source(self._source)
        except CameraError as error:
            self._fail(error.state)
            return
        try:
            self._read_frames(capture)
        except CameraError as error:
            self._fail(error.state)
        except Exception:  # a driver's own error: for the visitor the same as a disconnected camera
            self._fail("unplugged")
        finally:
            capture.release()

    def _read_frames(self, capture: Capture) -> None:
        """Read frames until the thread is abandoned; a video file at its own rate, and from the start after its end."""
        is_file = self._source.kind == "file"
        rate = capture.get(cv2.CAP_PROP_FPS) if is_file else 0.0
        frame_seconds = 1 / rate if MIN_FILE_RATE <= rate <= MAX_FILE_RATE else 1 / DEFAULT_FILE_RATE
        due = self._clock()
        frames_since_rewind = 0
        while not self._abandoned.is_set():
            succeeded, frame = capture.read()
            if not succeeded or frame is None:
                if not is_file:
                    raise CameraError("unplugged")
                if frames_since_rewind == 0:
                    raise CameraError("unreadable")
                frames_since_rewind = 0
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                continue
            frames_since_rewind += 1
            self._store(frame)
            if is_file:
                due = max(due + frame_seconds, self._clock() - frame_seconds)
                self._abandoned.wait(max(due - self._clock(), 0.0))

    def _store(self, frame: BGRFrame) -> None:
        now = self._clock()
        previous = self.newest_frame
        moved = previous is None or not np.array_equal(frame, previous)
        with self._changed:
            self.newest_frame = frame
            self.frame_number += 1
            self._counts["captured"] += 1
            self.frame_at = now
            if moved:
                self.moved_at = now
                self.moves += previous is not None
            self._changed.notify_all()

    def _fail(self, state: CameraState) -> None:
        with self._changed:
            self.fault = state
            self._changed.notify_all()
