"""How the server's camera does, in words for the visitor, and as a picture in place of its own; and who is shown that."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
State = Literal[
    "off",
    "idle",
    "starting",
    "live",
    "missing",
    "busy",
    "unplugged",
    "blocked",
    "frozen",
    "black",
    "unreadable",
    "failing",
    "away",
]

PLACARD_SECONDS: Final = 1.0  # how often viewers get the picture that says what is wrong: a gone viewer shows so
JPEG_QUALITY: Final = 80  # of 100: boxes and letters stay crisp at about 50 kB a 640×480 frame
PLACARD_BGR: Final = (240, 233, 230)

# What is wrong, and what to do, in the words that the page shows.
ADVICE: Final[dict[State, tuple[str, str]]] = {
    "off": ("This server has no camera.", "Use your own camera in this browser, or choose a mood by hand."),
    "idle": ("The camera is asleep.", "Start the mirror to wake it."),
    "starting": ("The camera is starting.", "This takes a few seconds."),
    "live": ("The camera is live.", ""),
    "missing": ("No camera answers.", "Connect one, or set CAMERA to another; it is tried again by itself."),
    "busy": ("The camera can't be opened.", "Close other programs that use it, and check that it may be used."),
    "unplugged": ("The camera has gone.", "Plug it in again; it is tried again by itself."),
    "blocked": ("The camera sends no pictures.", "Check its cable or network; it is tried again by itself."),
    "frozen": ("The camera's picture stands still.", "Plug it out and in again; it is tried again by itself."),
    "black": ("The camera sees only black.", "Open its cover or turn on a light."),
    "unreadable": ("The video can't be read.", "CAMERA must name a video file that exists and that OpenCV can play."),
    "failing": ("The frames can't be analysed.", "See the server's log for the reason; it goes on trying."),
    "away": ("The camera can't be reached.", "It comes back by itself. Meanwhile use your own, or choose a mood."),
}


@dataclass(frozen=True)
class CameraStatus:
    """How the camera does: a state, and for the visitor what that means and what to do."""

    state: State
    message: str
    advice: str

    @classmethod
    def of(cls, state: State) -> "CameraStatus":
        """The status that tells of `state`."""
        return cls(state, *ADVICE[state])


class ShownCamera(ABC):
    """What a camera of this process and one that another process publishes have in common: a status and pictures to show.

    Who derives from it says in :meth:`_ended` when the pictures end, and counts the viewers.
    """

    def __init__(self, state: State) -> None:
        self._changed = threading.Condition()  # guards everything below; reentrant
        self._viewers = 0
        self._status = CameraStatus.of(state)
        self._subscribers: list[Callable[[CameraStatus], None]] = []
        self._jpeg = b""
        self._jpeg_number = 0
        self.counts: Counter[str] = Counter()  # frames captured and read, and openings

    @property
    def status(self) -> CameraStatus:
        """How the camera does."""
        with self._changed:
            return self._status

    @property
    def viewers(self) -> int:
        """How many watch the stream in this process."""
        with self._changed:
            return self._viewers

    def subscribe(self, subscriber: Callable[[CameraStatus], None]) -> None:
        """Call `subscriber` with each new status, in the thread that found it."""
        with self._changed:
            self._subscribers.append(subscriber)

    @abstractmethod
    def _ended(self) -> bool:
        """Whether no more pictures come; asked while `_changed` is held."""

    def _show(self, jpeg: bytes) -> None:
        with self._changed:
            self._jpeg = jpeg
            self._jpeg_number += 1
            self._changed.notify_all()

    def _pictures(self, seen: int) -> Generator[bytes, None, None]:
        """Each newest picture after the one whose number was `seen`, until they end.

        A viewer who is slow misses frames and delays nobody. While nothing new comes the last picture is repeated now and
        then, so that the write to a viewer who has gone fails.
        """
        while True:
            with self._changed:
                if self._jpeg_number == seen and not self._ended():
                    self._changed.wait(PLACARD_SECONDS)
                if self._ended():
                    return
                seen, jpeg = self._jpeg_number, self._jpeg
            if jpeg:
                yield jpeg


def encode(frame: Frame) -> bytes:
    """A frame, uint8 [h, w, 3] in BGR, as JPEG."""
    done, encoded = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"a frame of {list(frame.shape)} can't be encoded")
    return encoded.tobytes()


def draw_placard(status: CameraStatus) -> Frame:
    """A picture that says what is wrong, uint8 [480, 640, 3]: nobody shall take an old frame for a live one."""
    frame = np.full((480, 640, 3), PLACARD_BGR, dtype=np.uint8)
    for text, y, scale, colour in (
        (status.message, 230, 0.85, (78, 55, 46)),
        (status.advice, 270, 0.5, (110, 90, 80)),
    ):
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]
        fitting = scale * min(1.0, 600 / max(width, 1))
        width = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, fitting, 1)[0][0]
        cv2.putText(frame, text, ((640 - width) // 2, y), cv2.FONT_HERSHEY_SIMPLEX, fitting, colour, 1, cv2.LINE_AA)
    return frame
