"""What the web's parts share: the settings, the camera, the recognisers, the recommender."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from flask import current_app

from moodmirror.config import Config
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.metrics import Metrics
from moodmirror.mood import MoodState
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.storage.database import Database

EXTENSION = "moodmirror"
# Files that are read at once: each may take megabytes and seconds, and the live page goes on beside.
ANALYSES: Final = 2


class CameraStatus(Protocol):
    """How the server's camera does: a state such as ``live``, and for the visitor what it means and what to do."""

    @property
    def state(self) -> str:
        """One word."""

    @property
    def message(self) -> str:
        """What it means."""

    @property
    def advice(self) -> str:
        """What to do about it."""


class ServerCamera(Protocol):
    """What the site needs of the server's camera."""

    mood: MoodState
    faces: list[Face]
    counts: Counter[str]  # frames captured and read, and openings

    @property
    def status(self) -> CameraStatus:
        """How it does now."""

    @property
    def viewers(self) -> int:
        """How many watch its stream."""

    def subscribe(self, subscriber: Callable[[Any], None], /) -> None:
        """Call `subscriber` with each new status."""

    def watch(self) -> Iterator[bytes]:
        """Newest annotated frames as JPEG bytes."""

    def close(self) -> None:
        """Close the device and end every stream."""


@dataclass(frozen=True)
class Services:
    """One site: made once by create_app, found by every request under :func:`current_services`."""

    config: Config
    camera: ServerCamera
    face_analyzer: Callable[[], FaceAnalyzer]
    frames: FrameDecoderPool
    speech_recognizer: Callable[[], SpeechEmotionRecognizer]
    text_recognizer: Callable[[], TextEmotionRecognizer]
    recommender: Recommender
    database: Database
    stream_places: threading.Semaphore  # one for each who may watch the server's camera
    # Called with the id of each visitor who asked to be forgotten.
    on_forgotten: list[Callable[[str], None]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    analyses: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(ANALYSES))


def current_services() -> Services:
    """The site that the present request belongs to."""
    site: Services = current_app.extensions[EXTENSION]
    return site
