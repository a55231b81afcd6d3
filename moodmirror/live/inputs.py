"""How the mirror perceives one visitor: it sees them, hears them and reads what they write.

Each sense takes what a connection sends, answers what it made of it, and puts its reading into the visitor's mood. It holds
no more than its next reading needs, only in memory, and forgets that on request.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Final

import numpy as np

from moodmirror.fusion import Reading, Source
from moodmirror.live.message_schemas import MAX_PACKET_BYTES, MAX_TEXT_CHARACTERS
from moodmirror.live.messages import face_message, hearing_message, words_message
from moodmirror.media.errors import MediaError
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.mood import MoodState
from moodmirror.recognition.audio import SAMPLE_RATE, Samples
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.speech import STEP_SAMPLES, WINDOW_SAMPLES, WINDOW_SECONDS, SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import TextError
from moodmirror.recognition.tracking import FaceTracker

# Sound comes as 16-bit little-endian samples, mono, at 16 kHz.
SAMPLE_TYPE: Final = np.dtype("<i2")
FULL_SCALE: Final = 32_768.0
MAX_AHEAD_SECONDS: Final = 3.0  # sound comes as time passes; a network that stalled may bring so much at once
FIRST_READING: Final = int(1.5 * SAMPLE_RATE)  # samples: half a window is enough for a first answer
# Somebody at their own camera is mostly alone there. On a busy server, which gets few frames, a search of the whole picture
# must not come with each of them: that would keep it busy. Who passes far behind has not asked to be read.
NEWCOMER_SECONDS: Final = 3.0
NEWCOMER_FRAMES: Final = 10
NEWCOMER_SHARE: Final = 0.7  # of the side of the nearest face: a search for a third of the cost of one for all faces


class SenseError(ValueError):
    """What was sent can't be perceived; the message says why, in words for the page."""


class Sense(ABC):
    """One sense for one visitor. Its methods may be called from any thread; it perceives one thing at a time."""

    event: ClassVar[str]  # the Socket.IO event that feeds it
    source: ClassVar[Source]
    unavailable: ClassVar[str]  # what to tell the visitor when its model can't be used

    def __init__(self, mood: MoodState) -> None:
        self._mood = mood
        self._turn = threading.Lock()
        self.readings = 0  # that went into the mood

    def take(self, content: Any) -> dict[str, Any]:
        """Perceive what was sent; returns what to answer.

        Raises SenseError for what can't be perceived; ModelError, FileNotFoundError or DecoderError where what it takes to
        perceive it can't be used.
        """
        if not self._turn.acquire(blocking=False):
            raise SenseError(f"one {self.event} at a time: send the next when the last is answered")
        try:
            return self._perceive(content)
        finally:
            self._turn.release()

    def forget(self) -> None:
        """Forget what was perceived, once what is being read at this moment is in the mood."""
        with self._turn:
            self._clear()

    def fade(self, now: float) -> None:  # noqa: B027 - most senses hold nothing that grows old
        """Drop what is too old to be part of another reading at `now`, in monotonic seconds."""

    def _tell(self, reading: Reading) -> None:
        self._mood.update(reading)
        self.readings += 1

    @abstractmethod
    def _perceive(self, content: Any) -> dict[str, Any]: ...

    @abstractmethod
    def _clear(self) -> None: ...


class Sight(Sense):
    """The visitor's own camera, frame by frame."""

    event = "frame"
    source = "face"
    unavailable = "This server can't read faces at present; its log says why. You can choose a mood by hand."

    def __init__(self, mood: MoodState, decoders: FrameDecoderPool, open_face_analyzer: Callable[[], FaceAnalyzer]) -> None:
        super().__init__(mood)
        self._decoders = decoders
        self._open_face_analyzer = open_face_analyzer
        self._tracker: FaceTracker | None = None

    def _perceive(self, content: Any) -> dict[str, Any]:
        """A JPEG frame; answers with its size and the faces in it."""
        if not isinstance(content, bytes):
            raise SenseError("a frame must be sent as bytes")
        try:
            gray = self._decoders.decode(content)
        except MediaError as error:
            raise SenseError(str(error)) from None
        self._tracker = self._tracker or FaceTracker(
            self._open_face_analyzer(), NEWCOMER_SECONDS, NEWCOMER_FRAMES, NEWCOMER_SHARE
        )
        faces = self._tracker.follow(gray, time.monotonic())
        # The visitor is whoever is nearest; people passing behind have not asked for anything.
        if faces and faces[0].vector is not None:
            self._tell(Reading(faces[0].vector, "face", faces[0].weight, time.monotonic()))
        return {"width": gray.shape[1], "height": gray.shape[0], "faces": [face_message(face) for face in faces]}

    def _clear(self) -> None:
        self._tracker = None


class Hearing(Sense):
    """The visitor's microphone: a window of three seconds that moves on as they speak, read anew each second."""

    event = "audio"
    source = "speech"
    unavailable = "This server can't hear at present; its log says why. You can write, or choose a mood by hand."

    def __init__(
        self,
        mood: MoodState,
        open_recognizer: Callable[[], SpeechEmotionRecognizer],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mood)
        self._open_recognizer = open_recognizer
        self._clock = clock
        self._came_at = clock()  # when the last packet came
        self._ahead = 0.0  # seconds of sound that came before their time
        self._window: Samples = np.empty(0, dtype=np.float32)
        self._unread = STEP_SAMPLES - FIRST_READING  # samples since the last reading; the first one waits longer
        self._state = "listening"

    def _perceive(self, content: Any) -> dict[str, Any]:
        """A packet of samples; answers with its level, whether speech is heard, and the reading if there is a new one."""
        samples = _decode_packet(content)
        now = self._clock()
        passed, self._came_at = now - self._came_at, now
        self._ahead = max(self._ahead - passed, 0.0)
        if self._ahead + len(samples) / SAMPLE_RATE > MAX_AHEAD_SECONDS:
            raise SenseError("sound comes faster than anybody speaks: send it as it is recorded, 16,000 samples a second")
        self._ahead += len(samples) / SAMPLE_RATE
        if passed > WINDOW_SECONDS:
            self._clear()  # what was said before the gap is no part of what is said now
        self._window = np.concatenate([self._window, samples])[-WINDOW_SAMPLES:]
        self._unread += len(samples)
        if self._unread < STEP_SAMPLES:
            return hearing_message(samples, self._state)
        self._unread = 0
        reading = self._open_recognizer().read_window(self._window)
        self._state = "silence" if reading is None else "speech"
        if reading is not None:
            self._tell(Reading(reading.vector, "speech", reading.weight, now))
        return hearing_message(samples, self._state, reading)

    def fade(self, now: float) -> None:
        """Drop the window once the time that it may span has passed without sound."""
        if now - self._came_at > WINDOW_SECONDS and self._turn.acquire(blocking=False):
            try:
                self._clear()
            finally:
                self._turn.release()

    def _clear(self) -> None:
        self._window = np.empty(0, dtype=np.float32)
        self._unread = STEP_SAMPLES - FIRST_READING
        self._state = "listening"


class Reader(Sense):
    """What the visitor writes. They go on typing while it is read, so the newest text wins."""

    event = "text"
    source = "text"
    unavailable = "This server can't read words at present; its log says why. You can choose a mood by hand."

    def __init__(self, mood: MoodState, open_recognizer: Callable[[], TextEmotionRecognizer]) -> None:
        super().__init__(mood)
        self._open_recognizer = open_recognizer
        self._newest: object = None

    def take(self, content: Any) -> dict[str, Any]:
        """As :meth:`Sense.take`, but a text that comes while another is read waits, and is dropped for a newer one."""
        mine = self._newest = object()
        with self._turn:
            return self._perceive(content) if mine is self._newest else {"superseded": True}

    def _perceive(self, content: Any) -> dict[str, Any]:
        """A text, empty to take it back; answers with its mood and the words that weighed most."""
        if not isinstance(content, str):
            raise SenseError("text must be sent as a string")
        if len(content) > MAX_TEXT_CHARACTERS:
            raise SenseError(f"a text may have {MAX_TEXT_CHARACTERS} characters at most, this one has {len(content)}")
        if not content.strip():
            self._mood.clear("text")
            return words_message(None)
        recognizer = self._open_recognizer()
        try:
            reading = recognizer.read(content)
            if not reading.language_known:
                self._mood.clear("text")
                return words_message(reading)
            self._tell(Reading(reading.vector, "text", reading.weight, time.monotonic()))
            return words_message(reading, recognizer.explain(content))
        except TextError as error:
            raise SenseError(str(error)) from None

    def _clear(self) -> None:
        self._newest = None  # what waits for its turn is forgotten too


def _decode_packet(content: Any) -> Samples:
    """Samples, float32 [n] in −1…1, of a packet of sound. Raises SenseError for anything else."""
    if not isinstance(content, bytes):
        raise SenseError("sound must be sent as bytes: 16-bit little-endian samples, mono, at 16 kHz")
    if not content or len(content) % SAMPLE_TYPE.itemsize:
        raise SenseError(f"a packet must hold whole 16-bit samples, this one has {len(content)} bytes")
    if len(content) > MAX_PACKET_BYTES:
        raise SenseError(f"a packet may have {MAX_PACKET_BYTES:,} bytes (1 s) at most, this one has {len(content):,}")
    return (np.frombuffer(content, SAMPLE_TYPE) / np.float32(FULL_SCALE)).astype(np.float32)
