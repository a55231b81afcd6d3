"""Inputs of one visitor: camera frames, microphone audio and text, each turned into readings of the visitor's mood.

An input processes the validated payloads of its event and returns the acknowledgement. It stores, only in memory, no more
than its next reading needs, and deletes that on request.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np
from pydantic import BaseModel

from moodmirror.fusion import Reading, Source
from moodmirror.live.message_schemas import AudioAck, FrameReading, SupersededAck, TextAck
from moodmirror.live.messages import audio_ack, text_ack, tracked_face
from moodmirror.media.errors import MediaError
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.mood import MoodState
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import STEP_SAMPLES, WINDOW_SAMPLES, WINDOW_SECONDS
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import TextError
from moodmirror.recognition.tracking import FaceTracker

SAMPLE_TYPE: Final = np.dtype("<i2")  # of audio packets: 16-bit little-endian, mono, at SAMPLE_RATE
FULL_SCALE: Final = 32_768.0
MAX_AHEAD_SECONDS: Final = 3.0  # of audio faster than real time: what a client sends at once after a network stall
FIRST_READING_SAMPLES: Final = int(1.5 * SAMPLE_RATE)  # half a window is enough for a first reading
# A visitor is mostly alone before their own camera. A busy server gets few frames, and a search of the whole picture in each
# of them would keep it busy. People who pass far behind the visitor did not ask to be analyzed.
NEW_FACE_SECONDS: Final = 3.0
NEW_FACE_FRAMES: Final = 10
NEW_FACE_SIZE: Final = 0.7  # of the side of the nearest face: a third of the cost of a search for faces of any size


class InputError(ValueError):
    """An input can't process a payload; the message says why, for the user."""


class Input(ABC):
    """One kind of input of one visitor. Methods may be called from any thread; payloads are processed one at a time."""

    event: ClassVar[str]  # the Socket.IO event that carries its payloads
    source: ClassVar[Source]
    unavailable: ClassVar[str]  # the message for the user if its model can't be used

    def __init__(self, mood: MoodState) -> None:
        self._mood = mood
        self._lock = threading.Lock()
        self.reading_count = 0  # of readings added to the mood

    def process(self, payload: Any) -> BaseModel:
        """Process one payload and return its acknowledgement.

        Raises InputError for a payload that can't be processed; ModelError, FileNotFoundError or DecoderError if a model or
        a decoder can't be used.
        """
        if not self._lock.acquire(blocking=False):
            raise InputError(f"one {self.event} at a time: wait for the acknowledgement before you send the next one")
        try:
            return self._process(payload)
        finally:
            self._lock.release()

    def clear(self) -> None:
        """Delete what is stored, after a payload that is being processed has reached the mood."""
        with self._lock:
            self._clear()

    def expire(self, now: float) -> None:  # noqa: B027 - most inputs store nothing that expires
        """Delete what is too old to be part of another reading at `now`, in monotonic seconds."""

    def _add_reading(self, reading: Reading) -> None:
        self._mood.update(reading)
        self.reading_count += 1

    @abstractmethod
    def _process(self, payload: Any) -> BaseModel: ...

    @abstractmethod
    def _clear(self) -> None: ...


class FrameInput(Input):
    """Frames of the visitor's own camera."""

    event = "frame"
    source = "face"
    unavailable = "This server can't analyze faces at the moment; its log says why. You can choose a mood yourself."

    def __init__(self, mood: MoodState, decoders: FrameDecoderPool, open_face_analyzer: Callable[[], FaceAnalyzer]) -> None:
        super().__init__(mood)
        self._decoders = decoders
        self._open_face_analyzer = open_face_analyzer
        self._tracker: FaceTracker | None = None

    def _process(self, payload: bytes) -> FrameReading:
        """Return the faces in a JPEG frame."""
        try:
            gray = self._decoders.decode(payload)
        except MediaError as error:
            raise InputError(str(error)) from None
        self._tracker = self._tracker or FaceTracker(
            self._open_face_analyzer(), NEW_FACE_SECONDS, NEW_FACE_FRAMES, NEW_FACE_SIZE
        )
        faces = self._tracker.follow(gray, time.monotonic())
        # The visitor is the nearest face; people who pass behind did not ask for anything.
        if faces and faces[0].vector is not None:
            self._add_reading(Reading(faces[0].vector, "face", faces[0].weight, time.monotonic()))
        return FrameReading(width=gray.shape[1], height=gray.shape[0], faces=[tracked_face(face) for face in faces])

    def _clear(self) -> None:
        self._tracker = None


class AudioInput(Input):
    """The visitor's microphone: a sliding window of three seconds, read once per second."""

    event = "audio"
    source = "speech"
    unavailable = (
        "This server can't analyze speech at the moment; its log says why. You can write, or choose a mood yourself."
    )

    def __init__(
        self,
        mood: MoodState,
        open_recognizer: Callable[[], SpeechEmotionRecognizer],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mood)
        self._open_recognizer = open_recognizer
        self._clock = clock
        self._received_at = clock()  # time of the last packet
        self._ahead_seconds = 0.0  # of audio received faster than real time
        self._window: Samples = np.empty(0, dtype=np.float32)
        self._unread = STEP_SAMPLES - FIRST_READING_SAMPLES  # samples since the last reading; the first one needs more
        self._state = "listening"

    def _process(self, payload: bytes) -> AudioAck:
        """Return the level of an audio packet, whether it is speech, and the reading if there is a new one."""
        samples: Samples = (np.frombuffer(payload, SAMPLE_TYPE) / np.float32(FULL_SCALE)).astype(np.float32)
        now = self._clock()
        elapsed, self._received_at = now - self._received_at, now
        self._ahead_seconds = max(self._ahead_seconds - elapsed, 0.0)
        if self._ahead_seconds + len(samples) / SAMPLE_RATE > MAX_AHEAD_SECONDS:
            raise InputError(
                f"audio arrives faster than real time: send it as it is recorded, {SAMPLE_RATE:,} samples per second"
            )
        self._ahead_seconds += len(samples) / SAMPLE_RATE
        if elapsed > WINDOW_SECONDS:
            self._clear()  # speech before the gap is not part of the same utterance
        self._window = np.concatenate([self._window, samples])[-WINDOW_SAMPLES:]
        self._unread += len(samples)
        if self._unread < STEP_SAMPLES:
            return audio_ack(samples, self._state)
        self._unread = 0
        reading = self._open_recognizer().read_window(self._window)
        self._state = "silence" if reading is None else "speech"
        if reading is not None:
            self._add_reading(Reading(reading.vector, "speech", reading.weight, now))
        return audio_ack(samples, self._state, reading)

    def expire(self, now: float) -> None:
        """Delete the window once its whole duration has passed without a packet."""
        if now - self._received_at > WINDOW_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._clear()
            finally:
                self._lock.release()

    def _clear(self) -> None:
        self._window = np.empty(0, dtype=np.float32)
        self._unread = STEP_SAMPLES - FIRST_READING_SAMPLES
        self._state = "listening"


class TextInput(Input):
    """The visitor's text box. They go on typing while a text is analyzed, so the newest text wins."""

    event = "text"
    source = "text"
    unavailable = "This server can't analyze text at the moment; its log says why. You can choose a mood yourself."

    def __init__(self, mood: MoodState, open_recognizer: Callable[[], TextEmotionRecognizer]) -> None:
        super().__init__(mood)
        self._open_recognizer = open_recognizer
        self._newest: object = None

    def process(self, payload: str) -> BaseModel:
        """As :meth:`Input.process`, but a text that arrives meanwhile waits, and is dropped for a newer one."""
        own = self._newest = object()
        with self._lock:
            return self._process(payload) if own is self._newest else SupersededAck(superseded=True)

    def _process(self, payload: str) -> TextAck:
        """Return the emotions of a text and its most influential words; an empty text removes the last reading."""
        if not payload.strip():
            self._mood.clear("text")
            return text_ack(None)
        recognizer = self._open_recognizer()
        try:
            reading = recognizer.read(payload)
            if not reading.language_known:
                self._mood.clear("text")
                return text_ack(reading)
            # Before the mood changes: the page shows both at the same time.
            words = () if reading.states_crisis else recognizer.explain(payload, reading)
            self._add_reading(Reading(reading.vector, "text", reading.weight, time.monotonic()))
            return text_ack(reading, words)
        except TextError as error:
            raise InputError(str(error)) from None

    def _clear(self) -> None:
        self._newest = None  # a waiting text is dropped too
