"""One server camera for many processes: one owns and publishes it through Redis, the others show what it publishes.

Two channels. On CAMERA_NEWS come the camera's status, its faces and each new reading, at every frame and at least once a
second; all processes listen to it always. On CAMERA_FRAMES come the annotated frames as JPEG bytes, newest only; a process
listens to it while somebody watches there, and as long as nobody listens the camera may sleep. Frames are published, never
set: Redis hands them on and keeps none. On CAMERA_OWNER nothing is said: who owns the camera listens to it, so that a second
one, whose moods would mix with the first one's, sees that it is one too many.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, Self

import numpy as np
from redis.exceptions import RedisError

from moodmirror.camera.status import ADVICE, PLACARD_SECONDS, CameraStatus, ShownCamera, State, draw_placard, encode
from moodmirror.fusion import Reading
from moodmirror.mood import MoodState
from moodmirror.recognition.face import Face
from moodmirror.redis_connection import Subscriber, connect

LOGGER = logging.getLogger("moodmirror.camera")

CAMERA_NEWS: Final = "mood-mirror:camera:news"
CAMERA_FRAMES: Final = "mood-mirror:camera:frames"
CAMERA_OWNER: Final = "mood-mirror:camera:owner"

NEWS_SECONDS: Final = 1.0  # between two pieces of news while nothing happens: they say that the camera's process lives
AWAY_SECONDS: Final = 3.0  # without any for so long it can't be reached
DEMAND_SECONDS: Final = 0.25  # how often the camera's process asks whether somebody watches
SUPERVISOR_SECONDS: Final = 0.2


@dataclass(frozen=True)
class News:
    """What is told of the camera: its state, its faces, a new reading if there is one, and what it has counted."""

    state: State
    faces: list[Face] = field(default_factory=list)
    reading: Reading | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def to_json(self, now: float) -> str:
        """The news as they are told at `now`, by the clock of the reading, in seconds."""
        reading = self.reading
        news: dict[str, Any] = {
            "state": self.state,
            "faces": [
                {
                    "box": [int(edge) for edge in face.box],
                    "vector": None if face.vector is None else face.vector.tolist(),
                    "obstacle": face.quality_issue,
                    "number": face.number,
                    "weight": face.weight,
                }
                for face in self.faces
            ],
            "reading": reading and {"vector": reading.vector.tolist(), "weight": reading.weight, "age": now - reading.at},
            "counts": self.counts,
        }
        return json.dumps(news)

    @classmethod
    def from_json(cls, content: bytes, now: float) -> Self:
        """The news as they are heard at `now`, by the clock of who hears them: clocks of two processes tell apart.

        Raises ValueError, KeyError, TypeError or AttributeError for anything else.
        """
        news = json.loads(content)
        state = news["state"]
        if state not in ADVICE:
            raise ValueError(f"unknown state of the camera: {state!r}")
        faces = [
            Face(
                tuple(face["box"]),
                None if face["vector"] is None else np.array(face["vector"], dtype=np.float32),
                face["obstacle"],
                face["number"],
                face["weight"],
            )
            for face in news["faces"]
        ]
        counts = Counter({str(name): int(count) for name, count in news["counts"].items()})
        told = news["reading"]
        if told is None:
            return cls(state, faces, None, counts)
        at = now - max(float(told["age"]), 0.0)
        reading = Reading(np.array(told["vector"], dtype=np.float32), "face", float(told["weight"]), at)
        return cls(state, faces, reading, counts)


class OwnCamera(Protocol):
    """What the publisher needs of the camera."""

    faces: list[Face]
    reading: Reading | None
    counts: Counter[str]

    @property
    def status(self) -> CameraStatus:
        """How it does now."""

    def subscribe(self, subscriber: Callable[[CameraStatus], None], /) -> None:
        """Call `subscriber` with each new status."""

    def watch(self) -> Generator[bytes, None, None]:
        """Newest annotated frames as JPEG bytes."""


class AlreadyPublishedError(RuntimeError):
    """Another process publishes a camera there."""


class Publisher:
    """Publishes a camera through Redis, and wakes it while anybody watches in any process."""

    def __init__(self, camera: OwnCamera, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is the camera's, in seconds that never go back."""
        self._camera = camera
        self._url = url
        self._redis = connect(url)
        self._clock = clock
        self._changed = threading.Event()
        self._watched = threading.Event()
        self._told_gone = False

    def run(self, stopping: threading.Event) -> None:
        """Publish until `stopping` is set. A Redis that goes away is tried again; meanwhile the camera falls asleep.

        Raises AlreadyPublishedError if another process publishes there, and lives.
        """
        self._require_to_be_alone()
        LOGGER.info("camera: published here; it opens when somebody watches, and closes when nobody does")
        with closing(Subscriber(self._url, [CAMERA_OWNER], lambda channel, content: None)):
            self._publish(stopping)

    def _require_to_be_alone(self) -> None:
        heard = threading.Event()
        try:
            [(_, owners)] = self._redis.pubsub_numsub(CAMERA_OWNER)
        except (RedisError, OSError):
            return  # it is told, and tried again, by those who publish
        if not owners:
            return
        # A machine that was cut off may be listed for minutes: who lives has news each second.
        with closing(Subscriber(self._url, [CAMERA_NEWS], lambda channel, content: heard.set())):
            if heard.wait(AWAY_SECONDS):
                raise AlreadyPublishedError(
                    "another process publishes a camera at this Redis. Stop that one first, or give this one's site a Redis "
                    "of its own in REDIS_URL"
                )

    def _publish(self, stopping: threading.Event) -> None:
        self._camera.subscribe(lambda status: self._changed.set())
        frames: threading.Thread | None = None
        told_at = -float("inf")
        while not stopping.is_set():
            try:
                [(_, listeners)] = self._redis.pubsub_numsub(CAMERA_FRAMES)
                if self._changed.is_set() or self._clock() - told_at >= NEWS_SECONDS:
                    self._changed.clear()
                    told_at = self._clock()
                    self._tell_news(None)
                self._tell_gone(None)
            except (RedisError, OSError) as error:
                listeners = 0
                self._tell_gone(error)
            if listeners:
                self._watched.set()
                if frames is None or not frames.is_alive():
                    frames = threading.Thread(target=self._publish_frames, name="camera-publisher", daemon=True)
                    frames.start()
            else:
                self._watched.clear()
            if not self._changed.is_set():
                stopping.wait(DEMAND_SECONDS)
        self._watched.clear()

    def _publish_frames(self) -> None:
        told: Reading | None = None
        with closing(self._camera.watch()) as frames:
            for jpeg in frames:
                if not self._watched.is_set():
                    return
                reading = self._camera.reading
                try:
                    self._tell_news(reading if reading is not told else None)
                    self._redis.publish(CAMERA_FRAMES, jpeg)
                except (RedisError, OSError) as error:
                    self._tell_gone(error)
                    return
                told = reading

    def _tell_news(self, reading: Reading | None) -> None:
        news = News(self._camera.status.state, self._camera.faces, reading, self._camera.counts.copy())
        self._redis.publish(CAMERA_NEWS, news.to_json(self._clock()))

    def _tell_gone(self, error: Exception | None) -> None:
        if error and not self._told_gone:
            LOGGER.warning("camera: Redis can't be reached, it is tried again by itself: %s", error)
        if self._told_gone and not error:
            LOGGER.info("camera: Redis is back")
        self._told_gone = error is not None


class PublishedCamera(ShownCamera):
    """The camera that another process publishes, as this process shows it: :class:`Publisher`'s other end."""

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Listens to Redis at `url` at once, in threads of its own. `clock` gives seconds that never go back."""
        super().__init__("starting")
        self.mood = MoodState(clock)
        self.faces: list[Face] = []
        self._clock = clock
        self._watched_at = clock()  # when the first of the present viewers came
        self._state: State = "starting"  # as the camera's process told last
        self._news_at = clock()
        self._jpeg_at = clock()
        self._closing = threading.Event()
        self._listener = Subscriber(url, [CAMERA_NEWS], self._hear)
        self._supervisor = threading.Thread(target=self._supervise, name="camera-supervisor", daemon=True)
        self._supervisor.start()

    def watch(self) -> Generator[bytes, None, None]:
        """Yield each newest annotated frame as JPEG bytes, and have the camera woken if it sleeps.

        A viewer who is slow misses frames and delays nobody. While nothing new comes the last picture is repeated now and
        then, so that the write to a viewer who has gone fails. Ends when this is closed, or when there is no camera.
        """
        with self._watched():
            yield from self._pictures(self._jpeg_number)

    def close(self) -> None:
        """Listen no more, and end every stream."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._listener.close()
        self._supervisor.join(timeout=2.0)

    def _ended(self) -> bool:
        return self._closing.is_set() or self._status.state == "off"

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with self._changed:
            self._viewers += 1
            if self._viewers == 1:
                self._watched_at = self._clock()
                self._listener.subscribe([CAMERA_NEWS, CAMERA_FRAMES])
        try:
            yield
        finally:
            with self._changed:
                self._viewers -= 1
                if self._viewers == 0:
                    self._listener.subscribe([CAMERA_NEWS])
                    self._jpeg = b""  # nobody shall see it as new who comes later

    def _hear(self, channel: str, content: bytes) -> None:
        now = self._clock()
        if channel == CAMERA_FRAMES:
            with self._changed:
                if self._viewers:
                    self._jpeg_at = now
                    self._show(content)
            return
        news = News.from_json(content, now)
        self.counts = news.counts
        with self._changed:
            self._state, self._news_at = news.state, now
        self._settle(now)
        if self.status.state in ("live", "failing"):
            self.faces = news.faces
            if news.reading:
                self.mood.update(news.reading)

    def _supervise(self) -> None:
        placard_at = -float("inf")
        while not self._closing.wait(SUPERVISOR_SECONDS):
            now = self._clock()
            self._settle(now)
            with self._changed:
                # What else is wrong shows the camera's own process.
                due = self._viewers and self._status.state == "away" and now - placard_at >= PLACARD_SECONDS
            if due:
                placard_at = now
                self._show(encode(draw_placard(self.status)))

    def _settle(self, now: float) -> None:
        """Set the status by what was told last, and by how long ago that was."""
        with self._changed:
            state = self._state
            if now - self._news_at > AWAY_SECONDS:
                state = "away"
            elif self._viewers and state == "live" and now - max(self._jpeg_at, self._watched_at) > AWAY_SECONDS:
                state = "away"  # nobody shall take an old frame for a live one
            if self._status.state == state:
                return
            status = self._status = CameraStatus.of(state)
            subscribers = list(self._subscribers)
        if state not in ("live", "failing"):
            self.faces = []
            self.mood.clear()
        LOGGER.log(logging.WARNING if state == "away" else logging.INFO, "camera: %s. %s", state, status.message)
        for subscriber in subscribers:
            subscriber(status)
