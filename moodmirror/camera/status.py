"""The camera's status: its states, and for each a message and advice for the visitor."""

from dataclasses import dataclass
from typing import Final, Literal, Self

from moodmirror.platforms import CAMERA_PERMISSION

CameraState = Literal[
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

# For each state: what it means, and what to do, as the page shows it. ASCII, for the status image.
STATUS_TEXTS: Final[dict[CameraState, tuple[str, str]]] = {
    "off": ("This server has no camera.", "Use your own camera in this browser, or choose a mood yourself."),
    "idle": ("The camera is asleep.", "Start the mirror to wake it."),
    "starting": ("The camera is starting.", "This takes a few seconds."),
    "live": ("The camera is live.", ""),
    "missing": ("No camera was found.", "Connect one, or set CAMERA to another. The server keeps trying."),
    "busy": ("The camera can't be opened.", "Close other programs that use it, and check the permission to use it."),
    "unplugged": ("The camera was disconnected.", "Plug it in again. The server keeps trying."),
    "blocked": ("The camera sends no pictures.", "Check its cable or network. The server keeps trying."),
    "frozen": ("The camera's picture is frozen.", "Unplug it and plug it in again. The server keeps trying."),
    "black": ("The camera's picture is black.", "Open its cover or turn on a light."),
    "unreadable": ("The video can't be read.", "CAMERA must name a video file that exists and that OpenCV can play."),
    "failing": ("The camera's pictures can't be analyzed.", "The server's log has the reason. The server keeps trying."),
    "away": ("The camera can't be reached.", "The server keeps trying. Meanwhile use your own, or choose a mood."),
}

# What a camera that the system keeps from programs looks like.
MAYBE_FORBIDDEN: Final[frozenset[CameraState]] = frozenset({"missing", "busy", "black", "blocked"})


@dataclass(frozen=True)
class CameraStatus:
    """The camera's state, and for the visitor what it means and what to do."""

    state: CameraState
    message: str
    advice: str

    @classmethod
    def of(cls, state: CameraState) -> Self:
        """Return the status for `state`."""
        message, advice = STATUS_TEXTS[state]
        if state in MAYBE_FORBIDDEN and CAMERA_PERMISSION:
            advice = f"{advice} {CAMERA_PERMISSION}"
        return cls(state, message, advice)
