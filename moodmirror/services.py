"""The services that HTTP, Socket.IO and the commands share: configuration, camera, recognizers, recommender, database."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from flask import current_app

from moodmirror.config import Config
from moodmirror.cpu_budget import CpuBudget
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.metrics import Metrics
from moodmirror.mood import MoodState
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.server.viewer_slots import ViewerSlots
from moodmirror.storage.database import Database

EXTENSION: Final = "moodmirror"  # the key of the services in Flask's ``app.extensions``
# Files analyzed at once: each may take megabytes and seconds, while the live page must stay responsive.
MAX_CONCURRENT_ANALYSES: Final = 2
MAX_CONCURRENT_TEXTS: Final = 2  # sent to the HTTP API: a text of the greatest length takes a second of CPU


class CameraStatus(Protocol):
    """The status of the server's camera: a state such as ``live``, and texts for the visitor."""

    @property
    def state(self) -> str:
        """The state in one word."""

    @property
    def message(self) -> str:
        """What the state means."""

    @property
    def advice(self) -> str:
        """What to do about it; may be empty."""


class ServerCamera(Protocol):
    """The interface of the server's camera, or of one that another process publishes."""

    mood: MoodState
    faces: list[Face]
    counts: Counter[str]  # frames captured and analyzed, and openings of the device

    @property
    def status(self) -> CameraStatus:
        """The current status."""

    @property
    def viewers(self) -> int:
        """The number of viewers of its stream."""

    def subscribe(self, subscriber: Callable[[Any], None], /) -> None:
        """Call `subscriber` with each new status."""

    def watch(self) -> Iterator[bytes]:
        """Yield the newest annotated frames as JPEG bytes."""

    def close(self) -> None:
        """Close the device and end every stream."""


@dataclass(frozen=True)
class Services:
    """The services of one site: created once by create_app; requests get them from :func:`current_services`."""

    config: Config
    camera: ServerCamera
    face_analyzer: Callable[[], FaceAnalyzer]
    frame_decoders: FrameDecoderPool
    speech_recognizer: Callable[[], SpeechEmotionRecognizer]
    text_recognizer: Callable[[], TextEmotionRecognizer]
    recommender: Recommender
    database: Database
    stream_slots: ViewerSlots  # one per viewer of the server's camera
    # Called with the id of each visitor whose data was deleted.
    on_visitor_deleted: list[Callable[[str], None]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    cpu_budget: CpuBudget = field(default_factory=CpuBudget)
    text_slots: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_CONCURRENT_TEXTS))
    analysis_slots: threading.Semaphore = field(default_factory=lambda: threading.BoundedSemaphore(MAX_CONCURRENT_ANALYSES))


def current_services() -> Services:
    """Return the services of the current request's application."""
    services: Services = current_app.extensions[EXTENSION]
    return services
