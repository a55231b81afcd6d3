"""The annotated stream: newest picture, viewers and status, whether the camera is this process's or another's."""

import logging
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator
from typing import ClassVar, Final

from moodmirror.camera.frame import encode_jpeg
from moodmirror.camera.status import CameraState, CameraStatus
from moodmirror.camera.status_image import draw_status_image

LOGGER = logging.getLogger("moodmirror.camera")

# Between two status images, or repetitions of the last picture: the write to a viewer who has left fails.
REPEAT_SECONDS: Final = 1.0


class CameraStream(ABC):
    """Status, viewers and newest picture of a camera; base of the local and the published camera.

    A subclass counts the viewers and decides in :meth:`_has_ended` when the stream ends.
    """

    _warning_states: ClassVar[frozenset[CameraState]]  # logged as warnings, the others as information

    def __init__(self, state: CameraState) -> None:
        self._changed = threading.Condition()  # reentrant; guards all attributes below
        self._viewers = 0
        self._status = CameraStatus.of(state)
        self._subscribers: list[Callable[[CameraStatus], None]] = []
        self._jpeg = b""
        self._jpeg_number = 0
        self.counts: Counter[str] = Counter()  # frames captured and read, and openings

    @property
    def status(self) -> CameraStatus:
        """The camera's current status."""
        with self._changed:
            return self._status

    @property
    def viewers(self) -> int:
        """The number of viewers in this process."""
        with self._changed:
            return self._viewers

    def subscribe(self, subscriber: Callable[[CameraStatus], None]) -> None:
        """Call `subscriber` with each new status, in the thread that detects it."""
        with self._changed:
            self._subscribers.append(subscriber)

    @abstractmethod
    def _has_ended(self) -> bool:
        """Return whether the stream has ended; called with `_changed` held."""

    def _set_status(self, state: CameraState) -> None:
        """Change the status, log it and notify the subscribers; does nothing if the state is the current one."""
        with self._changed:
            if self._status.state == state:
                return
            status = self._status = CameraStatus.of(state)
            subscribers = list(self._subscribers)
        level = logging.WARNING if state in self._warning_states else logging.INFO
        LOGGER.log(level, "camera: %s. %s", state, status.message)
        for subscriber in subscribers:
            subscriber(status)

    def _publish_picture(self, jpeg: bytes) -> None:
        """Make a picture the newest one for all viewers."""
        with self._changed:
            self._jpeg = jpeg
            self._jpeg_number += 1
            self._changed.notify_all()

    def _publish_status_image(self) -> None:
        self._publish_picture(encode_jpeg(draw_status_image(self.status)))

    def _pictures(self, seen_number: int) -> Generator[bytes, None, None]:
        """Yield each newest picture after number `seen_number` until the stream ends.

        A slow viewer skips pictures and delays nobody. Without a new picture, the last one is repeated, so that the write
        to a viewer who has left fails.
        """
        while True:
            with self._changed:
                if self._jpeg_number == seen_number and not self._has_ended():
                    self._changed.wait(REPEAT_SECONDS)
                if self._has_ended():
                    return
                seen_number, jpeg = self._jpeg_number, self._jpeg
            if jpeg:
                yield jpeg
