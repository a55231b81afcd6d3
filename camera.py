"""The server's camera: the newest frame only, faces found and read, the annotated MJPEG stream.

`python camera.py --publish` runs it alone, for all the site's processes.

Three threads while somebody watches, none otherwise:

- *capture* opens the source and keeps the newest frame; a read may block for ever, so nobody waits for it;
- *analysis* reads the faces in the newest frame, updates the shared mood, draws, and encodes each frame once;
- *supervisor* judges by the clock what the other two can't know: that a read blocks, that frames have stopped. It gives up
  a capture that does not answer, opens the source again with growing pauses, and tells viewers meanwhile what is wrong.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import cv2
import numpy as np

from moodmirror.camera.relay import AlreadyPublishedError, Publisher
from moodmirror.camera.status import ADVICE, PLACARD_SECONDS, CameraStatus, Frame, ShownCamera, State, draw_placard, encode
from moodmirror.config import CameraSource, Config, ConfigError
from moodmirror.fusion import Reading
from moodmirror.mood import MoodState
from moodmirror.recognition.face import Face, FaceAnalyzer
from moodmirror.recognition.model_files import cached_loader
from moodmirror.recognition.tracking import FaceTracker

LOGGER = logging.getLogger("moodmirror.camera")

STALE_SECONDS: Final = 3.0  # without a frame this long, a camera that was live is blocked
OPEN_SECONDS: Final = 12.0  # some webcams and most network cameras take several seconds for their first frame
FROZEN_SECONDS: Final = 5.0  # a sensor's noise changes every frame; the very same picture this long is no live one
BLACK_SECONDS: Final = 2.0
BLACK_LEVEL: Final = 16  # gray level, 0…255: brighter than a covered lens's noise, darker than a dim room's lamp
FIRST_PAUSE_SECONDS: Final = 1.0  # before the first reconnection; each further pause is twice as long
LONGEST_PAUSE_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 20.0  # after the last viewer left, the camera is closed and its light goes out
SUPERVISOR_SECONDS: Final = 0.2
MAX_ABANDONED: Final = 3  # captures that do not answer; each holds a thread and maybe the device
STREAM_WIDTH: Final = 960  # pixels: wider frames are scaled down before they are analysed and sent
ACCENT_BGR: Final = (206, 76, 91)  # the page's accent colour, #5b4cce
UNREAD_BGR: Final = (120, 110, 104)  # a quiet gray, for a face that can't be read at the moment


class Capture(Protocol):
    """What the camera needs of cv2.VideoCapture."""

    def read(self) -> tuple[bool, Any]:
        """Whether there was a frame, and the frame, uint8 [h, w, 3] in BGR."""

    def release(self) -> None:
        """Close the device."""

    def get(self, property_id: int, /) -> float:
        """A property of the capture, by OpenCV's number."""

    def set(self, property_id: int, value: float, /) -> bool:
        """Change a property; whether that worked."""


class CameraFault(Exception):
    """A capture can't be opened or went wrong; `state` says how."""

    def __init__(self, state: State) -> None:
        super().__init__(ADVICE[state][0])
        self.state = state


def webcam_indices() -> list[int]:
    """The webcams worth trying, by number. Linux lists its devices; elsewhere only opening one tells."""
    if sys.platform == "linux":
        numbers = (device.name.removeprefix("video") for device in Path("/dev").glob("video*"))
        return sorted(int(number) for number in numbers if number.isdigit())
    return [0, 1, 2]


def open_source(source: CameraSource) -> Capture:
    """Open the camera that `source` names. May block for long. Raises CameraFault."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # a missing camera is told once, by us
    match source.kind:
        case "auto":
            for index in webcam_indices():
                capture = cv2.VideoCapture(index)
                if capture.isOpened() and capture.read()[0]:
                    return capture
                capture.release()
            raise CameraFault("busy" if sys.platform == "linux" and webcam_indices() else "off")
        case "index":
            capture = cv2.VideoCapture(int(source.value))
            if capture.isOpened():
                return capture
            device = Path(f"/dev/video{source.value}")
            raise CameraFault("busy" if sys.platform == "linux" and device.exists() else "missing")
        case "file":
            if Path(source.value).is_file():
                capture = cv2.VideoCapture(source.value)
                if capture.isOpened():
                    return capture
            raise CameraFault("unreadable")
        case "url":
            capture = cv2.VideoCapture(source.value, cv2.CAP_FFMPEG)
            if capture.isOpened():
                return capture
            raise CameraFault("missing")
        case "off" | "published":  # what another process publishes is not ours to open
            raise CameraFault("off")


class Camera(ShownCamera):
    """The server's camera, shared by all who watch it. Opens for the first viewer, closes after the last."""

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
        super().__init__("off" if self._surely_off() else "idle")
        self.mood = MoodState(clock)
        self._load_face_analyzer = load_face_analyzer
        self._open_source = open_source
        self._clock = clock
        self._lifecycle = threading.Lock()
        self._running = False
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._last_viewer_left = clock()
        self._capture: _CaptureThread | None = None
        self._abandoned: list[_CaptureThread] = []
        self.faces: list[Face] = []
        self.reading: Reading | None = None  # the newest of all faces together

    # What others ask

    def watch(self) -> Generator[bytes, None, None]:
        """Yield each newest annotated frame as JPEG bytes, starting the camera if it sleeps.

        A viewer who is slow misses frames and delays nobody. While nothing new comes the last picture is repeated now and
        then, so that the write to a viewer who has gone fails. Ends when the camera is closed.
        """
        with self._watched():
            self._start()
            yield from self._pictures(0)

    def close(self) -> None:
        """Stop the threads, close the device, and end every stream. The next viewer starts it again."""
        with self._lifecycle:
            self._stop()

    # Life

    def _ended(self) -> bool:
        return not self._running

    def _surely_off(self) -> bool:
        return self.source.kind == "off" or (self.source.kind == "auto" and sys.platform == "linux" and not webcam_indices())

    @contextmanager
    def _watched(self) -> Iterator[None]:
        with self._changed:
            self._viewers += 1
        try:
            yield
        finally:
            with self._changed:
                self._viewers -= 1
                self._last_viewer_left = self._clock()

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
                threading.Thread(target=self._analyse, args=(self._stopping,), name="camera-analysis", daemon=True),
            ]
            for thread in self._threads:
                thread.start()

    def _stop(self, state: State = "idle") -> None:
        if not self._running:
            return
        self._stopping.set()
        with self._changed:
            self._running = False
            capture, self._capture = self._capture, None
            self._changed.notify_all()
        if capture:
            capture.abandon()
            capture.join(timeout=2.0)  # seconds: one that blocks in read() is left behind, and closes when it wakes
            if capture.is_alive():
                self._abandoned.append(capture)
        for thread in self._threads:
            thread.join(timeout=2.0)
        self.faces = []
        self.mood.clear()
        self._set_status(state)

    def _set_status(self, state: State) -> None:
        with self._changed:
            if self._status.state == state:
                return
            status = self._status = CameraStatus.of(state)
            subscribers = list(self._subscribers)
        expected = state in ("idle", "starting", "live", "off")
        LOGGER.log(logging.INFO if expected else logging.WARNING, "camera: %s. %s", state, status.message)
        for subscriber in subscribers:
            subscriber(status)

    # Supervisor

    def _supervise(self, stopping: threading.Event) -> None:
        pause, next_try, live_since, last_placard = FIRST_PAUSE_SECONDS, self._clock(), 0.0, 0.0
        was_live = False
        while not stopping.wait(SUPERVISOR_SECONDS):
            now = self._clock()
            capture = self._capture
            if capture is None:
                if now >= next_try and self._may_open():
                    live_since = 0.0
                    with self._changed:
                        if not self._running:
                            return
                        self._capture = _CaptureThread(
                            self.source, self._open_source, self._clock, self._changed, self.counts
                        )
                        self.counts["openings"] += 1
                        self._capture.start()
            else:
                fault = self._judge(capture, now)
                if fault is None:
                    # A camera that froze is not live again before its picture moves.
                    delivers = capture.moves > 0 if self._status.state == "frozen" else capture.newest_number > 0
                    if delivers:
                        was_live = True
                        live_since = live_since or now
                        if self._status.state not in ("black", "failing"):
                            self._set_status("live")
                        if now - live_since > LONGEST_PAUSE_SECONDS:
                            pause = FIRST_PAUSE_SECONDS
                else:
                    self._give_up(capture)
                    self._set_status("unplugged" if fault == "off" and was_live else fault)
                    if self._status.state == "off":  # CAMERA=auto, and no webcam opens
                        threading.Thread(target=self._close_as_off, daemon=True).start()
                        return
                    next_try, pause = now + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)
            if self._status.state not in ("live", "failing") and now - last_placard >= PLACARD_SECONDS:
                self._show(encode(draw_placard(self.status)))
                last_placard = now
            with self._changed:
                idle = self._viewers == 0 and now - self._last_viewer_left > IDLE_SECONDS
            if idle:  # in a thread of its own, for closing waits for this one to end
                threading.Thread(target=self._close_if_idle, daemon=True).start()
                stopping.wait(PLACARD_SECONDS)

    def _close_as_off(self) -> None:
        with self._lifecycle:
            self._stop("off")

    def _close_if_idle(self) -> None:
        with self._lifecycle:
            with self._changed:
                if self._viewers:  # somebody came in the last moment
                    return
            self._stop()

    def _may_open(self) -> bool:
        self._abandoned = [capture for capture in self._abandoned if capture.is_alive()]
        return len(self._abandoned) < MAX_ABANDONED

    def _judge(self, capture: "_CaptureThread", now: float) -> State | None:
        """What is wrong with a capture, by the clock; None while nothing is."""
        if capture.fault:
            return capture.fault
        if capture.newest_number == 0:
            return "blocked" if now - capture.started_at > OPEN_SECONDS else None
        if now - capture.newest_at > STALE_SECONDS:
            return "blocked"
        if self.source.kind != "file" and now - capture.moved_at > FROZEN_SECONDS:
            return "black" if self._status.state == "black" else "frozen"
        return None

    def _give_up(self, capture: "_CaptureThread") -> None:
        capture.abandon()
        with self._changed:
            self._capture = None
            self.faces = []
        self.mood.clear()
        if capture.is_alive():
            self._abandoned.append(capture)

    # Analysis

    def _analyse(self, stopping: threading.Event) -> None:
        tracker: FaceTracker | None = None
        seen: tuple[_CaptureThread, int] | None = None
        bright_at = self._clock()
        while not stopping.is_set():
            with self._changed:
                if not self._has_newer(seen):
                    self._changed.wait(SUPERVISOR_SECONDS)
                capture = self._capture
                if capture is None or not self._has_newer(seen) or stopping.is_set():
                    continue
                frame, seen = capture.newest, (capture, capture.newest_number)
            assert frame is not None
            try:
                frame = self._prepare(frame)
                gray = np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
                now = self._clock()
                if gray.max() > BLACK_LEVEL:
                    bright_at = now
                if now - bright_at >= BLACK_SECONDS:
                    self.faces = []
                    self.mood.clear()
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
                jpeg = encode(frame)
            except Exception:  # whatever it is, the next frame may be read, and the site stays up
                if self._status.state != "failing":
                    LOGGER.exception("camera: a frame can't be analysed")
                    self._set_status("failing")
                self._show(encode(draw_placard(self.status)))
                stopping.wait(1.0)
                continue
            if self._status.state == "failing":
                self._set_status("live")
            with self._changed:
                if self._capture is not capture:
                    continue  # given up meanwhile: an old frame must not follow the news of what is wrong
                self.faces = faces
                reading = crowd_reading(faces, now)
                if reading:
                    self.reading = reading
                    self.mood.update(reading)
                self._show(jpeg)

    def _has_newer(self, seen: "tuple[_CaptureThread, int] | None") -> bool:
        capture = self._capture
        return capture is not None and capture.newest is not None and seen != (capture, capture.newest_number)

    def _prepare(self, frame: Frame) -> Frame:
        """A copy to draw on, no wider than viewers get it; a webcam's is mirrored, for its viewers face it."""
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ValueError(f"the camera gave a frame of {frame.dtype} {list(frame.shape)}, not uint8 [h, w, 3]")
        if frame.shape[1] > STREAM_WIDTH:
            height = round(frame.shape[0] * STREAM_WIDTH / frame.shape[1])
            frame = np.asarray(cv2.resize(frame, (STREAM_WIDTH, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        if self.source.kind in ("auto", "index"):
            return np.ascontiguousarray(frame[:, ::-1])
        return frame.copy()


class _CaptureThread(threading.Thread):
    """Opens a source and keeps its newest frame, until it is abandoned or the source fails.

    Only this thread touches the capture: when a read blocks, the others leave it, and it closes the device when it wakes.
    """

    def __init__(
        self,
        source: CameraSource,
        open_source: Callable[[CameraSource], Capture],
        clock: Callable[[], float],
        changed: threading.Condition,
        counts: Counter[str],
    ) -> None:
        super().__init__(name="camera-capture", daemon=True)
        self._source = source
        self._open_source = open_source
        self._clock = clock
        self._changed = changed
        self._counts = counts
        self._abandoned = threading.Event()
        self.started_at = clock()
        self.newest: Frame | None = None
        self.newest_number = 0
        self.newest_at = self.started_at
        self.moved_at = self.started_at  # when a frame last differed from the one before
        self.moves = 0  # how often one did
        self.fault: State | None = None

    def abandon(self) -> None:
        """Tell the thread to close its capture and end, as soon as it can."""
        self._abandoned.set()

    def run(self) -> None:
        try:
            capture = self._open_source(self._source)
        except CameraFault as fault:
            self._fail(fault.state)
            return
        try:
            self._read_on(capture)
        except CameraFault as fault:
            self._fail(fault.state)
        except Exception:  # a driver's own error: to the visitor the same as a camera that went away
            self._fail("unplugged")
        finally:
            capture.release()

    def _read_on(self, capture: Capture) -> None:
        is_file = self._source.kind == "file"
        rate = capture.get(cv2.CAP_PROP_FPS) if is_file else 0.0
        seconds_a_frame = 1 / rate if 1 <= rate <= 240 else 1 / 25  # a file without a sane rate: the cinema's, about
        due = self._clock()
        frames_since_rewind = 0
        while not self._abandoned.is_set():
            done, frame = capture.read()
            if not done or frame is None:
                if not is_file:
                    raise CameraFault("unplugged")
                if frames_since_rewind == 0:
                    raise CameraFault("unreadable")
                frames_since_rewind = 0
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                continue
            frames_since_rewind += 1
            self._keep(frame)
            if is_file:
                due = max(due + seconds_a_frame, self._clock() - seconds_a_frame)
                self._abandoned.wait(max(due - self._clock(), 0.0))

    def _keep(self, frame: Frame) -> None:
        now = self._clock()
        before = self.newest
        moved = before is None or not np.array_equal(frame, before)
        with self._changed:
            self.newest = frame
            self.newest_number += 1
            self._counts["captured"] += 1
            self.newest_at = now
            if moved:
                self.moved_at = now
                self.moves += before is not None
            self._changed.notify_all()

    def _fail(self, state: State) -> None:
        with self._changed:
            self.fault = state
            self._changed.notify_all()


def crowd_reading(faces: list[Face], at: float) -> Reading | None:
    """One reading for several faces, `at` in seconds: the mean of those that can be read, each by the area of its box."""
    read = [(face.box[2] * face.box[3], face.vector, face.weight) for face in faces if face.vector is not None]
    if not read:
        return None
    areas = np.array([area for area, _, _ in read], dtype=np.float32)
    shares = areas / areas.sum()
    weight = float(shares @ np.array([weight for _, _, weight in read]))
    return Reading(shares @ np.stack([vector for _, vector, _ in read]), "face", min(weight, 1.0), at)


def draw_faces(frame: Frame, faces: list[Face]) -> None:
    """Draw each face's box, emotion and confidence onto a frame, uint8 [h, w, 3] in BGR."""
    thickness = max(round(frame.shape[1] / 320), 1)
    scale = max(frame.shape[1] / 900, 0.4)
    for face in faces:
        x, y, width, height = face.box
        text = f"{face.label} {face.confidence:.0%}" if face.label else "?"
        colour = ACCENT_BGR if face.label else UNREAD_BGR
        (text_width, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        pad = 2 * thickness + 2
        tag_height = text_height + baseline + 2 * pad
        tag_y = y - tag_height if y >= tag_height else min(y + height, frame.shape[0] - tag_height)
        cv2.rectangle(frame, (x, y), (x + width, y + height), colour, thickness)
        cv2.rectangle(frame, (x, tag_y), (x + text_width + 2 * pad, tag_y + tag_height), colour, cv2.FILLED)
        origin = (x + pad, tag_y + pad + text_height)
        cv2.putText(frame, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), thickness, cv2.LINE_AA)


def _main() -> None:
    parser = argparse.ArgumentParser(
        description="The server's camera without the site: it watches what CAMERA names while somebody looks, and publishes "
        "annotated frames, faces, mood and status through REDIS_URL to all the site's processes, which run with "
        "CAMERA=published. Nothing is stored, here or in Redis.",
        epilog="For example: REDIS_URL=redis://127.0.0.1 CAMERA=0 python camera.py --publish",
    )
    parser.add_argument("--publish", action="store_true", required=True, help="run until Ctrl-C or SIGTERM")
    parser.parse_args()
    try:
        config = Config.from_environment(os.environ)
        if config.redis_url is None:
            raise ConfigError("REDIS_URL must name the Redis to publish through, as redis://127.0.0.1")
        if config.camera.kind == "published":
            raise ConfigError("CAMERA must name the camera itself here: published is for the processes that show it")
    except ConfigError as problem:
        sys.exit(f"The camera can't be published: {problem}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    camera = Camera(config.camera, cached_loader(FaceAnalyzer.load))
    try:
        Publisher(camera, config.redis_url).run(stopping)
    except AlreadyPublishedError as problem:
        sys.exit(f"The camera can't be published: {problem}")
    finally:
        camera.close()


if __name__ == "__main__":
    _main()
