"""One server camera for many processes: one process publishes it through Redis, the others show what it publishes.

Three channels. CAMERA_UPDATES carries the camera's status, its faces and each new reading, at every frame and at least once
a second; all processes subscribe to it permanently. CAMERA_FRAMES carries the annotated frames as JPEG bytes; a process
subscribes to it while it has viewers, and without a subscriber the camera may be closed. Frames are published, never set:
Redis passes them on and stores none. CAMERA_OWNER carries nothing: the publishing process subscribes to it, so that a second
publisher, whose moods would mix with the first one's, detects it and exits.
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

from moodmirror.camera.status import STATUS_TEXTS, CameraState, CameraStatus
from moodmirror.camera.stream import REPEAT_SECONDS, CameraStream
from moodmirror.fusion import Reading
from moodmirror.mood import MoodState
from moodmirror.recognition.face import Face
from moodmirror.redis_connection import Subscriber, connect

LOGGER = logging.getLogger("moodmirror.camera")

CAMERA_UPDATES: Final = "mood-mirror:camera:news"
CAMERA_FRAMES: Final = "mood-mirror:camera:frames"
CAMERA_OWNER: Final = "mood-mirror:camera:owner"

HEARTBEAT_SECONDS: Final = 1.0  # between two updates while nothing changes: they show that the publisher is alive
UNREACHABLE_SECONDS: Final = 3.0  # without an update for this long, the camera counts as unreachable
VIEWER_POLL_SECONDS: Final = 0.25  # how often the publisher checks whether any process has viewers
SUPERVISOR_INTERVAL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class CameraUpdate:
    """One message about the camera: its state, its faces, the new reading if there is one, and its counts."""

    state: CameraState
    faces: list[Face] = field(default_factory=list)
    reading: Reading | None = None
    counts: Counter[str] = field(default_factory=Counter)

    def to_json(self, now: float) -> str:
        """Serialize the update; `now` is the present time in seconds of the clock that the reading's time is from."""
        reading = self.reading
        update: dict[str, Any] = {
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
        return json.dumps(update)

    @classmethod
    def from_json(cls, content: bytes, now: float) -> Self:
        """Parse an update received at `now`, in seconds of this process's clock, which differs from the publisher's.

        Raises ValueError, KeyError, TypeError or AttributeError for any other content.
        """
        update = json.loads(content)
        state = update["state"]
        if state not in STATUS_TEXTS:
            raise ValueError(f"unknown camera state: {state!r}")
        faces = [
            Face(
                tuple(face["box"]),
                None if face["vector"] is None else np.array(face["vector"], dtype=np.float32),
                face["obstacle"],
                face["number"],
                face["weight"],
            )
            for face in update["faces"]
        ]
        counts = Counter({str(name): int(count) for name, count in update["counts"].items()})
        received = update["reading"]
        if received is None:
            return cls(state, faces, None, counts)
        at = now - max(float(received["age"]), 0.0)
        reading = Reading(np.array(received["vector"], dtype=np.float32), "face", float(received["weight"]), at)
        return cls(state, faces, reading, counts)


class LocalCamera(Protocol):
    """The members of this process's camera that the publisher uses."""

    faces: list[Face]
    reading: Reading | None
    counts: Counter[str]

    @property
    def status(self) -> CameraStatus:
        """The current status."""

    def subscribe(self, subscriber: Callable[[CameraStatus], None], /) -> None:
        """Call `subscriber` with each new status."""

    def watch(self) -> Generator[bytes, None, None]:
        """Yield the newest annotated frames as JPEG bytes."""


class AlreadyPublishedError(RuntimeError):
    """Another process already publishes a camera at this Redis."""


class CameraPublisher:
    """Publishes a camera through Redis, and runs it while any process has viewers."""

    def __init__(self, camera: LocalCamera, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`url` is that of Redis; `clock` is the camera's, in monotonic seconds."""
        self._camera = camera
        self._url = url
        self._redis = connect(url)
        self._clock = clock
        self._status_changed = threading.Event()
        self._has_viewers = threading.Event()
        self._is_redis_lost = False  # as logged

    def run(self, stopping: threading.Event) -> None:
        """Publish until `stopping` is set. While Redis can't be reached, the publisher retries and the camera closes.

        Raises AlreadyPublishedError if another live process publishes there.
        """
        self._require_no_other_publisher()
        LOGGER.info("camera: published by this process; it opens for the first viewer and closes after the last one")
        with Subscriber(self._url, [CAMERA_OWNER], lambda channel, content: None):
            self._publish(stopping)

    def _require_no_other_publisher(self) -> None:
        received = threading.Event()
        try:
            [(_, owners)] = self._redis.pubsub_numsub(CAMERA_OWNER)
        except (RedisError, OSError):
            return  # _publish logs it and retries
        if not owners:
            return
        # Redis may list a machine that was cut off for minutes, but a live publisher sends an update every second.
        with Subscriber(self._url, [CAMERA_UPDATES], lambda channel, content: received.set()):
            if received.wait(UNREACHABLE_SECONDS):
                raise AlreadyPublishedError(
                    "another process publishes a camera at this Redis. Stop that one first, or set REDIS_URL to a "
                    "Redis that only this site uses"
                )

    def _publish(self, stopping: threading.Event) -> None:
        self._camera.subscribe(lambda status: self._status_changed.set())
        frames: threading.Thread | None = None
        updated_at = -float("inf")
        while not stopping.is_set():
            try:
                [(_, subscribers)] = self._redis.pubsub_numsub(CAMERA_FRAMES)
                if self._status_changed.is_set() or self._clock() - updated_at >= HEARTBEAT_SECONDS:
                    self._status_changed.clear()
                    updated_at = self._clock()
                    self._publish_update(None)
                self._log_redis_state(None)
            except (RedisError, OSError) as error:
                subscribers = 0
                self._log_redis_state(error)
            if subscribers:
                self._has_viewers.set()
                if frames is None or not frames.is_alive():
                    frames = threading.Thread(target=self._publish_frames, name="camera-publisher", daemon=True)
                    frames.start()
            else:
                self._has_viewers.clear()
            if not self._status_changed.is_set():
                stopping.wait(VIEWER_POLL_SECONDS)
        self._has_viewers.clear()

    def _publish_frames(self) -> None:
        published: Reading | None = None
        with closing(self._camera.watch()) as frames:
            for jpeg in frames:
                if not self._has_viewers.is_set():
                    return
                reading = self._camera.reading
                try:
                    self._publish_update(reading if reading is not published else None)
                    self._redis.publish(CAMERA_FRAMES, jpeg)
                except (RedisError, OSError) as error:
                    self._log_redis_state(error)
                    return
                published = reading

    def _publish_update(self, reading: Reading | None) -> None:
        update = CameraUpdate(self._camera.status.state, self._camera.faces, reading, self._camera.counts.copy())
        self._redis.publish(CAMERA_UPDATES, update.to_json(self._clock()))

    def _log_redis_state(self, error: Exception | None) -> None:
        """Log once that Redis can't be reached, with the error, or that it is reachable again (None)."""
        if error and not self._is_redis_lost:
            LOGGER.warning("camera: Redis can't be reached; retrying: %s", error)
        if self._is_redis_lost and not error:
            LOGGER.info("camera: Redis is reachable again")
        self._is_redis_lost = error is not None


class PublishedCamera(CameraStream):
    """The camera that another process publishes with :class:`CameraPublisher`, as this process shows it."""

    _warning_states = frozenset({"away"})  # the camera's own process logs the other faults

    def __init__(self, url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """After :meth:`start`, receive from Redis at `url` in the background. `clock` returns monotonic seconds."""
        super().__init__("starting")
        self.mood = MoodState(clock)
        self.faces: list[Face] = []
        self._clock = clock
        self._watched_since = clock()  # when the first of the present viewers came
        self._published_state: CameraState = "starting"
        self._updated_at = clock()
        self._frame_at = clock()
        self._closing = threading.Event()
        self._subscriber = Subscriber(url, [CAMERA_UPDATES], self._receive)
        self._supervisor = threading.Thread(target=self._supervise, name="camera-supervisor", daemon=True)
        self._start_lock = threading.Lock()

    def start(self) -> None:
        """Start to receive, unless it has started already. Watching starts it, too."""
        with self._start_lock:
            if self._supervisor.ident is None:
                self._updated_at = self._frame_at = self._clock()
                self._subscriber.start()
                self._supervisor.start()

    def watch(self) -> Generator[bytes, None, None]:
        """Yield each newest annotated frame as JPEG bytes; the publisher starts the camera if it is idle.

        A slow viewer skips frames and delays nobody. Without a new frame, the last picture is repeated, so that the write to
        a viewer who has left fails. Ends when this object is closed, or when there is no camera.
        """
        self.start()
        with self._counted_viewer():
            yield from self._pictures(self._jpeg_number)

    def close(self) -> None:
        """Unsubscribe and end every stream."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        self._subscriber.close()
        if self._supervisor.ident is not None:  # it was started
            self._supervisor.join(timeout=2.0)

    def _has_ended(self) -> bool:
        return self._closing.is_set() or self._status.state == "off"

    @contextmanager
    def _counted_viewer(self) -> Iterator[None]:
        with self._changed:
            self._viewers += 1
            if self._viewers == 1:
                self._watched_since = self._clock()
                self._subscriber.subscribe([CAMERA_UPDATES, CAMERA_FRAMES])
        try:
            yield
        finally:
            with self._changed:
                self._viewers -= 1
                if self._viewers == 0:
                    self._subscriber.subscribe([CAMERA_UPDATES])
                    self._jpeg = b""  # a later viewer must not take it for a new one

    def _receive(self, channel: str, content: bytes) -> None:
        now = self._clock()
        if channel == CAMERA_FRAMES:
            with self._changed:
                if self._viewers:
                    self._frame_at = now
                    self._publish_picture(content)
            return
        update = CameraUpdate.from_json(content, now)
        self.counts = update.counts
        with self._changed:
            self._published_state, self._updated_at = update.state, now
        self._update_status(now)
        if self.status.state in ("live", "failing"):
            self.faces = update.faces
            if update.reading:
                self.mood.update(update.reading)

    def _supervise(self) -> None:
        status_image_at = -float("inf")
        while not self._closing.wait(SUPERVISOR_INTERVAL_SECONDS):
            now = self._clock()
            self._update_status(now)
            with self._changed:
                # The camera's own process publishes the status images of all other faults.
                is_due = self._viewers and self._status.state == "away" and now - status_image_at >= REPEAT_SECONDS
            if is_due:
                status_image_at = now
                self._publish_status_image()

    def _update_status(self, now: float) -> None:
        """Set the status from the last update and its age; clear faces and mood if the camera is not live."""
        with self._changed:
            state = self._published_state
            if now - self._updated_at > UNREACHABLE_SECONDS:
                state = "away"
            elif self._viewers and state == "live" and now - max(self._frame_at, self._watched_since) > UNREACHABLE_SECONDS:
                state = "away"  # an old frame must not be taken for a live one
            if self._status.state == state:
                return
        if state not in ("live", "failing"):
            self.faces = []
            self.mood.clear()
        self._set_status(state)
