"""The server's camera: its newest frame, the faces in it and their mood, and the annotated MJPEG stream.

`python camera.py --publish` runs it alone, for all of the site's processes.

Three threads run while the stream has viewers, none otherwise:

- *capture* opens the source and holds the newest frame; a read may block forever, so no other thread waits for it;
- *analysis* finds the faces in the newest frame (Haar cascade), classifies each, updates the shared mood, draws, and encodes
  each frame once for all viewers;
- *supervisor* detects by the clock what the other two can't: a read that blocks, a picture that is frozen. It abandons a
  capture that does not respond, opens the source again with growing delays, and meanwhile shows viewers a status image.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, get_args

import cv2
import numpy as np

from moodmirror.camera.annotation import draw_faces
from moodmirror.camera.capture import Capture, CaptureThread, open_source
from moodmirror.camera.frame import encode_jpeg, prepare_frame
from moodmirror.camera.relay import AlreadyPublishedError, CameraPublisher
from moodmirror.camera.status import CameraState
from moodmirror.camera.stream import REPEAT_SECONDS, CameraStream
from moodmirror.config import CameraSource, Config, ConfigError
from moodmirror.fusion import Reading
from moodmirror.mood import MoodState
from moodmirror.platforms import webcam_indices
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.model_files import cached_loader
from moodmirror.recognition.tracking import FaceTracker

LOGGER = logging.getLogger("moodmirror.camera")

STALE_SECONDS: Final = 3.0  # without a frame for this long, a live camera counts as blocked
OPEN_TIMEOUT_SECONDS: Final = 12.0  # some webcams and most network cameras take several seconds for their first frame
FROZEN_SECONDS: Final = 5.0  # a sensor's noise changes every frame, so a picture identical for this long is not live
BLACK_SECONDS: Final = 2.0
BLACK_LEVEL: Final = 16  # gray level, 0…255: brighter than a covered lens's noise, darker than a lamp in a dim room
MIN_RETRY_SECONDS: Final = 1.0  # before the first reconnection; each further delay is twice as long
MAX_RETRY_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 20.0  # after the last viewer has left, the camera is closed and its light goes out
SUPERVISOR_INTERVAL_SECONDS: Final = 0.2
FAILURE_DELAY_SECONDS: Final = 1.0  # after a frame that can't be analyzed
JOIN_TIMEOUT_SECONDS: Final = 2.0  # for a thread to end; a capture that blocks in read() is abandoned and closes later
MAX_ABANDONED: Final = 3  # captures that do not respond; each holds a thread and maybe the device


@dataclass
class _Connection:
    """The supervisor's record of the connection to the source, from one capture to the next. Times are the clock's."""

    next_attempt_at: float
    retry_seconds: float  # delay after the next fault
    live_since: float | None = None  # of the present capture
    was_live: bool = False  # whether any capture was


class Camera(CameraStream):
    """The server's camera, shared by all viewers. Opens for the first viewer and closes after the last one."""

    _warning_states = frozenset(get_args(CameraState)) - {"idle", "starting", "live", "off"}

    def __init__(
        self,
        source: CameraSource,
        load_face_analyzer: Callable[[], FaceAnalyzer],
        *,
        open_source: Callable[[CameraSource], Capture] = open_source,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load_face_analyzer` is called at the first frame, in the analysis thread; `open_source` opens the capture."""
        self.source = source
        super().__init__("off" if self._is_surely_off() else "idle")
        self.mood = MoodState(clock)
        self._load_face_analyzer = load_face_analyzer
        self._open_source = open_source
        self._clock = clock
        self._lifecycle = threading.Lock()
        self._running = False
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._last_viewer_left_at = clock()
        self._capture: CaptureThread | None = None
        self._abandoned: list[CaptureThread] = []
        self.faces: list[Face] = []
        self.reading: Reading | None = None  # the newest one, of all faces together

    def watch(self) -> Generator[bytes, None, None]:
        """Yield each newest annotated frame as JPEG bytes; starts the camera if it is idle.

        A slow viewer skips frames and delays nobody. Without a new frame, the last picture is repeated, so that the write to
        a viewer who has left fails. Ends when the camera is closed.
        """
        with self._counted_viewer():
            self._start()
            yield from self._pictures(0)

    def close(self) -> None:
        """Stop the threads, close the device and end every stream. The next viewer starts the camera again."""
        with self._lifecycle:
            self._stop()

    # Start and stop

    def _has_ended(self) -> bool:
        return not self._running

    def _is_surely_off(self) -> bool:
        return self.source.kind == "off" or (self.source.kind == "auto" and not webcam_indices())

    @contextmanager
    def _counted_viewer(self) -> Iterator[None]:
        with self._changed:
            self._viewers += 1
        try:
            yield
        finally:
            with self._changed:
                self._viewers -= 1
                self._last_viewer_left_at = self._clock()

    def _start(self) -> None:
        with self._lifecycle:
            if self._running:
                return
            self._stopping = threading.Event()
            with self._changed:
                self._running = True
                self._jpeg = b""
            self._set_status("starting")
            self._threads = [
                threading.Thread(target=self._supervise, args=(self._stopping,), name="camera-supervisor", daemon=True),
                threading.Thread(target=self._analyze, args=(self._stopping,), name="camera-analysis", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def _stop(self, state: CameraState = "idle") -> None:
        if not self._running:
            return
        self._stopping.set()
        with self._changed:
            self._running = False
            capture, self._capture = self._capture, None
            self._changed.notify_all()
        if capture:
            capture.abandon()
            capture.join(timeout=JOIN_TIMEOUT_SECONDS)
            if capture.is_alive():
                self._abandoned.append(capture)
        for thread in self._threads:
            thread.join(timeout=JOIN_TIMEOUT_SECONDS)
        self._clear_readings()
        self._set_status(state)

    def _stop_as_off(self) -> None:
        with self._lifecycle:
            self._stop("off")

    def _stop_if_unwatched(self) -> None:
        with self._lifecycle:
            with self._changed:
                if self._viewers:  # a viewer came in the meantime
                    return
            self._stop()

    def _clear_readings(self) -> None:
        self.faces = []
        self.mood.clear()

    # Supervisor

    def _supervise(self, stopping: threading.Event) -> None:
        connection = _Connection(next_attempt_at=self._clock(), retry_seconds=MIN_RETRY_SECONDS)
        status_image_at = -float("inf")
        while not stopping.wait(SUPERVISOR_INTERVAL_SECONDS):
            now = self._clock()
            capture = self._capture
            if capture is None:
                self._open_when_due(connection, now)
            elif fault := self._fault_of(capture, now):
                self._schedule_reconnection(connection, capture, fault, now)
                if self._status.state == "off":  # CAMERA=auto, and no webcam can be opened
                    threading.Thread(target=self._stop_as_off, daemon=True).start()
                    return
            else:
                self._update_live_state(connection, capture, now)
            if self._status.state not in ("live", "failing") and now - status_image_at >= REPEAT_SECONDS:
                self._publish_status_image()
                status_image_at = now
            with self._changed:
                is_idle = self._viewers == 0 and now - self._last_viewer_left_at > IDLE_SECONDS
            if is_idle:  # in its own thread, because stopping waits for this one to end
                threading.Thread(target=self._stop_if_unwatched, daemon=True).start()
                stopping.wait(REPEAT_SECONDS)

    def _open_when_due(self, connection: _Connection, now: float) -> None:
        """Start a capture if its time has come and not too many abandoned ones are left."""
        if now < connection.next_attempt_at:
            return
        self._abandoned = [capture for capture in self._abandoned if capture.is_alive()]
        if len(self._abandoned) >= MAX_ABANDONED:
            return
        connection.live_since = None
        with self._changed:
            if not self._running:
                return
            self._capture = CaptureThread(self.source, self._open_source, self._clock, self._changed, self.counts)
            self.counts["openings"] += 1
            self._capture.start()

    def _fault_of(self, capture: CaptureThread, now: float) -> CameraState | None:
        """Return the fault of a capture, its own or one that the clock shows; None while there is none."""
        if capture.fault:
            return capture.fault
        if capture.frame_number == 0:
            return "blocked" if now - capture.started_at > OPEN_TIMEOUT_SECONDS else None
        if now - capture.frame_at > STALE_SECONDS:
            return "blocked"
        if self.source.kind != "file" and now - capture.moved_at > FROZEN_SECONDS:
            return "black" if self._status.state == "black" else "frozen"
        return None

    def _schedule_reconnection(
        self, connection: _Connection, capture: CaptureThread, fault: CameraState, now: float
    ) -> None:
        """Abandon a capture, set the status to its fault, and schedule the next attempt; the delay after it is doubled."""
        self._abandon(capture)
        self._set_status("unplugged" if fault == "off" and connection.was_live else fault)
        connection.next_attempt_at = now + connection.retry_seconds
        connection.retry_seconds = min(2 * connection.retry_seconds, MAX_RETRY_SECONDS)

    def _update_live_state(self, connection: _Connection, capture: CaptureThread, now: float) -> None:
        """Set the status to live once a capture without a fault delivers frames; reset the delay if it stays so."""
        # After a frozen picture, the camera is live again only when its picture moves.
        delivers = capture.moves > 0 if self._status.state == "frozen" else capture.frame_number > 0
        if not delivers:
            return
        connection.was_live = True
        connection.live_since = connection.live_since or now
        if self._status.state not in ("black", "failing"):
            self._set_status("live")
        if now - connection.live_since > MAX_RETRY_SECONDS:
            connection.retry_seconds = MIN_RETRY_SECONDS

    def _abandon(self, capture: CaptureThread) -> None:
        capture.abandon()
        with self._changed:
            self._capture = None
            self.faces = []
        self.mood.clear()
        if capture.is_alive():
            self._abandoned.append(capture)

    # Analysis

    def _analyze(self, stopping: threading.Event) -> None:
        tracker: FaceTracker | None = None
        seen: tuple[CaptureThread, int] | None = None
        bright_at = self._clock()
        while not stopping.is_set():
            with self._changed:
                if not self._has_newer_frame(seen):
                    self._changed.wait(SUPERVISOR_INTERVAL_SECONDS)
                capture = self._capture
                if capture is None or not self._has_newer_frame(seen) or stopping.is_set():
                    continue
                frame, seen = capture.newest_frame, (capture, capture.frame_number)
            assert frame is not None
            try:
                frame = prepare_frame(frame, mirror=self.source.kind in ("auto", "index"))
                gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
                now = self._clock()
                if gray.max() > BLACK_LEVEL:
                    bright_at = now
                if now - bright_at >= BLACK_SECONDS:
                    self._clear_readings()
                    self._set_status("black")
                    continue
                if self._status.state == "black":
                    self._set_status("live")
                if self._status.state == "frozen":
                    continue
                tracker = tracker or FaceTracker(self._load_face_analyzer())
                faces = tracker.follow(gray, now)
                self.counts["read"] += 1
                draw_faces(frame, faces)
                jpeg = encode_jpeg(frame)
            except Exception:  # whatever the reason, the next frame may be readable, and the site must stay up
                if self._status.state != "failing":
                    LOGGER.exception("camera: a frame can't be analyzed")
                    self._set_status("failing")
                self._publish_status_image()
                stopping.wait(FAILURE_DELAY_SECONDS)
                continue
            if self._status.state == "failing":
                self._set_status("live")
            self._publish_frame(capture, jpeg, faces, now)

    def _has_newer_frame(self, seen: tuple[CaptureThread, int] | None) -> bool:
        capture = self._capture
        return capture is not None and capture.newest_frame is not None and seen != (capture, capture.frame_number)

    def _publish_frame(self, capture: CaptureThread, jpeg: bytes, faces: list[Face], now: float) -> None:
        """Publish an annotated frame, its faces and their mood, unless its capture was abandoned in the meantime."""
        with self._changed:
            if self._capture is not capture:
                return  # an old frame must not follow the status image of a fault
            self.faces = faces
            reading = mean_face_reading(faces, now)
            if reading:
                self.reading = reading
                self.mood.update(reading)
            self._publish_picture(jpeg)


def mean_face_reading(faces: list[Face], at: float) -> Reading | None:
    """Return the mean of all readable faces, weighted by the areas of their boxes, as one reading at `at` in seconds."""
    readable = [(face.box[2] * face.box[3], face.vector, face.weight) for face in faces if face.vector is not None]
    if not readable:
        return None
    areas = np.array([area for area, _, _ in readable], dtype=np.float32)
    shares = areas / areas.sum()
    weight = float(shares @ np.array([weight for _, _, weight in readable]))
    return Reading(shares @ np.stack([vector for _, vector, _ in readable]), "face", min(weight, 1.0), at)


def _main() -> None:
    parser = argparse.ArgumentParser(
        description="Run the server's camera without the site. It opens the source that CAMERA names while the stream has "
        "viewers, and publishes annotated frames, faces, mood and status through REDIS_URL to all of the site's processes, "
        "which run with CAMERA=published. Nothing is stored, neither here nor in Redis.",
        epilog="Example: REDIS_URL=redis://127.0.0.1 CAMERA=0 python camera.py --publish",
        allow_abbrev=False,
    )
    parser.add_argument("--publish", action="store_true", required=True, help="publish until Ctrl-C or SIGTERM")
    parser.parse_args()
    try:
        config = Config.from_environment(os.environ)
        if config.redis_url is None:
            raise ConfigError("REDIS_URL must name the Redis to publish through, for example redis://127.0.0.1")
        if config.camera.kind == "published":
            raise ConfigError("CAMERA must name the camera itself here; CAMERA=published is for the processes that show it")
    except ConfigError as error:
        sys.exit(f"The camera can't be published: {error}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    camera = Camera(config.camera, cached_loader(FaceAnalyzer.load))
    try:
        CameraPublisher(camera, config.redis_url).run(stopping)
    except AlreadyPublishedError as error:
        sys.exit(f"The camera can't be published: {error}")
    finally:
        camera.close()


if __name__ == "__main__":
    _main()
