"""The server's camera: faults from a scripted capture, and real video files."""

import queue
import threading
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

import camera as camera_module
from camera import Camera
from moodmirror.camera.annotation import ACCENT_BGR
from moodmirror.camera.capture import CameraError
from moodmirror.camera.status import STATUS_TEXTS
from moodmirror.camera.status_image import BACKGROUND_BGR
from moodmirror.config import CameraSource
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.model_files import ModelError, cached_loader

pytestmark = pytest.mark.unit

WEBCAM = CameraSource.parse("0")
TIMEOUT = 60  # seconds; a busy machine is slow


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    """Detect faults in a tenth of the usual time."""
    for name, seconds in {
        "STALE_SECONDS": 0.6,
        "OPEN_TIMEOUT_SECONDS": 1.2,
        "FROZEN_SECONDS": 0.6,
        "BLACK_SECONDS": 0.3,
        "MIN_RETRY_SECONDS": 0.05,
        "MAX_RETRY_SECONDS": 0.4,
        "IDLE_SECONDS": 0.5,
        "REPEAT_SECONDS": 0.1,
        "SUPERVISOR_INTERVAL_SECONDS": 0.05,
    }.items():
        monkeypatch.setattr(camera_module, name, seconds)


class Script:
    """A capture that follows a script: frames, None for a failing read, an Event for a read that blocks until it is set."""

    def __init__(self, steps: Iterator[object]):
        self.steps = steps
        self.released = threading.Event()

    def read(self):
        step = next(self.steps, None)
        if isinstance(step, threading.Event):
            step.wait(TIMEOUT)
            step = None
        time.sleep(0.02)  # a camera of 50 frames per second
        return step is not None, step

    def release(self):
        self.released.set()

    def get(self, property_id):
        return 0.0

    def set(self, property_id, value):
        return False


class ScriptedSource:
    """Opens one script after the other, the last one again and again.

    A CameraError in place of a script is raised; an Event blocks the opening until it is set.
    """

    def __init__(self, *scripts: Callable[[], Iterator[object]] | CameraError | threading.Event):
        self.scripts = list(scripts)
        self.opened: list[Script] = []
        self.count = 0  # of opener

    def __call__(self, source):
        script = self.scripts[min(self.count, len(self.scripts) - 1)]
        self.count += 1
        if isinstance(script, threading.Event):
            script.wait(TIMEOUT)
            raise CameraError("missing")
        if isinstance(script, CameraError):
            raise script
        self.opened.append(Script(script()))
        return self.opened[-1]


def endless(make: Callable[[int], object]) -> Callable[[], Iterator[object]]:
    def steps():
        number = 0
        while True:
            yield make(number)
            number += 1

    return steps


def first(count: int, make: Callable[[int], object], *then: object) -> Callable[[], Iterator[object]]:
    def steps():
        for number in range(count):
            yield make(number)
        yield from then

    return steps


@pytest.fixture(scope="module")
def load_face_analyzer():
    return cached_loader(FaceAnalyzer.load)


@pytest.fixture
def moving(scene):
    """A face that moves from frame to frame."""
    frames = [scene(x=300 + 10 * step) for step in range(5)]
    return lambda number: frames[number % 5]


class WatchedCamera:
    """A camera with a viewer, and the states it goes through."""

    def __init__(self, camera: Camera):
        self.camera = camera
        self.states: queue.Queue[str] = queue.Queue()
        camera.subscribe(lambda status: self.states.put(status.state))
        self.viewer = threading.Thread(target=lambda: [None for _ in camera.watch()], daemon=True)
        self.viewer.start()

    def await_state(self, wanted: str) -> list[str]:
        """Wait for a state; returns the states up to it, included."""
        seen: list[str] = []
        while wanted not in seen:
            try:
                seen.append(self.states.get(timeout=TIMEOUT))
            except queue.Empty:
                pytest.fail(f"the camera never became {wanted}, only {seen}")
        return seen


@pytest.fixture
def watch(load_face_analyzer):
    """A function that watches a camera made of scripts, or of a real source."""
    cameras = []

    def start(*scripts, source=WEBCAM, load_analyzer=load_face_analyzer):
        opener = ScriptedSource(*scripts)
        camera = Camera(source, load_analyzer, open_source=opener) if scripts else Camera(source, load_analyzer)
        cameras.append(camera)
        return WatchedCamera(camera), opener

    yield start
    for camera in cameras:
        camera.close()


class TestStartAndStop:
    def test_closing_ends_the_stream_and_releases_the_device(self, watch, moving):
        watched, opener = watch(endless(moving))
        watched.await_state("live")
        watched.camera.close()
        watched.viewer.join(TIMEOUT)
        assert not watched.viewer.is_alive()
        assert opener.opened[0].released.wait(TIMEOUT)
        assert watched.camera.status.state == "idle"

    def test_opens_for_the_first_viewer_and_closes_after_the_last(self, load_face_analyzer, moving):
        opener = ScriptedSource(endless(moving))
        camera = Camera(WEBCAM, load_face_analyzer, open_source=opener)
        assert opener.count == 0
        pictures = camera.watch()
        next(pictures)
        assert camera.viewers == 1
        pictures.close()
        assert camera.viewers == 0
        assert opener.opened[0].released.wait(TIMEOUT)
        again = camera.watch()
        next(again)  # the next viewer starts it again
        assert opener.count == 2
        again.close()
        camera.close()

    def test_finds_and_draws_the_face_and_updates_the_mood(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=ScriptedSource(endless(moving)))
        pictures = camera.watch()
        for _ in pictures:
            if camera.faces:
                break
        jpeg = next(pictures)  # the next picture is certainly annotated
        picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
        assert picture.shape == (480, 640, 3)
        assert accent_pixels(picture) > 400
        assert [face.label for face in camera.faces] == ["happy"]
        assert camera.mood.mood is not None
        assert camera.mood.mood.label == "happy"
        x, _, width, _ = camera.faces[0].box
        assert x + width / 2 < 360  # a webcam's picture is mirrored: the face right of the center appears left of it
        pictures.close()
        camera.close()

    def test_each_frame_is_encoded_once_for_all_viewers(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=ScriptedSource(endless(moving)))
        seen: list[list[bytes]] = [[], [], []]

        def view(mine):
            pictures = camera.watch()
            for jpeg in pictures:
                mine.append(jpeg)
                if len(mine) == 40:
                    break
            pictures.close()

        viewers = [threading.Thread(target=view, args=(mine,)) for mine in seen]
        for viewer in viewers:
            viewer.start()
        for viewer in viewers:
            viewer.join(TIMEOUT)
        # The same objects reach all three viewers: no picture was encoded for only one of them.
        shared = set(map(id, seen[0])) & set(map(id, seen[1])) & set(map(id, seen[2]))
        assert len(shared) > 10
        camera.close()


class TestFaults:
    def test_a_missing_camera_is_retried_until_it_appears(self, watch, moving):
        watched, opener = watch(CameraError("missing"), CameraError("missing"), CameraError("missing"), endless(moving))
        assert watched.await_state("live") == ["starting", "missing", "live"]
        assert opener.count == 4

    def test_a_busy_camera_is_retried_until_it_is_free(self, watch, moving):
        watched, _ = watch(CameraError("busy"), endless(moving))
        assert watched.await_state("live") == ["starting", "busy", "live"]

    def test_an_unplugged_camera_is_reconnected(self, watch, moving):
        watched, opener = watch(first(10, moving), endless(moving))
        assert watched.await_state("unplugged")[-2:] == ["live", "unplugged"]
        watched.await_state("live")
        assert opener.opened[0].released.wait(TIMEOUT)

    def test_a_capture_that_blocks_is_abandoned(self, watch, moving):
        stuck = threading.Event()
        watched, opener = watch(first(10, moving, stuck), endless(moving))
        watched.await_state("blocked")
        watched.await_state("live")
        assert not opener.opened[0].released.is_set()
        stuck.set()
        assert opener.opened[0].released.wait(TIMEOUT)  # it closes its device once the read returns

    def test_an_opening_that_blocks_is_abandoned(self, watch, moving):
        stuck = threading.Event()
        watched, opener = watch(stuck, endless(moving))
        watched.await_state("blocked")
        watched.await_state("live")
        assert opener.count == 2
        stuck.set()

    def test_the_number_of_abandoned_captures_is_limited(self, watch, moving):
        stuck = threading.Event()
        watched, opener = watch(first(0, moving, stuck))
        pictures = watched.camera.watch()
        while opener.count < camera_module.MAX_ABANDONED:
            next(pictures)
        time_for_two_more = 2 * (camera_module.OPEN_TIMEOUT_SECONDS + camera_module.MAX_RETRY_SECONDS)
        end = time.monotonic() + time_for_two_more
        while time.monotonic() < end:
            next(pictures)  # status images
        assert opener.count == camera_module.MAX_ABANDONED
        pictures.close()
        stuck.set()

    def test_a_frozen_picture_is_not_live_until_it_moves(self, watch, moving):
        still = first(10, moving, *[moving(0)] * 10_000)
        watched, _ = watch(still, endless(lambda number: moving(0)), endless(moving))
        watched.await_state("frozen")
        assert watched.camera.faces == []
        assert watched.camera.mood.mood is None
        assert watched.await_state("live") == ["live"]  # the second capture was frozen too, and never counted as live

    def test_a_black_picture_is_reported_until_there_is_light(self, watch, moving):
        rng = np.random.default_rng(5)
        light = threading.Event()

        def picture(number):
            return moving(number) if light.is_set() else rng.integers(0, 6, (480, 640, 3), dtype=np.uint8)

        watched, opener = watch(endless(picture))
        watched.await_state("black")
        light.set()
        watched.await_state("live")
        assert opener.count == 1  # a covered lens needs no reconnection

    def test_frames_of_a_wrong_shape_are_skipped(self, watch, moving):
        odd = threading.Event()

        def picture(number):
            return np.full((480, 640), number % 200, np.uint8) if odd.is_set() else moving(number)

        watched, _ = watch(endless(picture))
        watched.await_state("live")
        odd.set()
        watched.await_state("failing")
        odd.clear()
        watched.await_state("live")

    def test_a_missing_model_is_reported_until_it_can_be_loaded(self, watch, moving, load_face_analyzer):
        attempts = []

        def load_analyzer():
            attempts.append(1)
            if len(attempts) < 3:
                raise ModelError("The model is missing.")
            return load_face_analyzer()

        watched, _ = watch(endless(moving), load_analyzer=load_analyzer)
        watched.await_state("failing")
        watched.await_state("live")

    def test_auto_without_any_webcam_turns_off_and_ends_the_stream(self, watch):
        watched, _ = watch(CameraError("off"), source=CameraSource.parse("auto"))
        watched.await_state("off")
        watched.viewer.join(TIMEOUT)
        assert not watched.viewer.is_alive()

    def test_viewers_see_a_status_image_instead_of_the_last_good_frame(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=ScriptedSource(first(10, moving), CameraError("unplugged")))
        pictures = camera.watch()
        for _ in pictures:
            if camera.status.state == "unplugged":
                break
        jpeg = next(pictures)
        picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
        assert np.abs(picture[:150].astype(int) - BACKGROUND_BGR).max() < 12
        pictures.close()
        camera.close()

    def test_every_state_has_a_message_and_advice(self):
        for state, (message, advice) in STATUS_TEXTS.items():
            assert message.endswith(".")
            assert advice.endswith(".") or state == "live"


class TestVideoFile:
    def test_repeats_from_the_start_after_its_end(self, watch, face_video):
        source = CameraSource.parse(str(face_video))
        watched, _ = watch(source=source)
        watched.await_state("live")
        pictures = watched.camera.watch()
        for _ in range(45):  # the video has 20 frames
            next(pictures)
        assert watched.camera.status.state == "live"
        pictures.close()

    @pytest.mark.parametrize("content", [None, b"", b"no video at all" * 100])
    def test_a_file_that_is_not_a_video_is_reported(self, watch, tmp_path, content):
        path = tmp_path / "clip.mp4"
        if content is not None:
            path.write_bytes(content)
        watched, _ = watch(source=CameraSource.parse(str(path)))
        watched.await_state("unreadable")

    def test_a_truncated_file_plays_its_intact_part(self, watch, face_video, tmp_path):
        path = tmp_path / "short.avi"
        content = face_video.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        watched, _ = watch(source=CameraSource.parse(str(path)))
        watched.await_state("live")

    def test_a_missing_webcam_is_reported(self, watch):
        watched, _ = watch(source=CameraSource.parse("97"))
        watched.await_state("missing")

    def test_an_unreachable_stream_is_reported(self, watch):
        watched, _ = watch(source=CameraSource.parse("http://127.0.0.1:9/video"))
        watched.await_state("missing")


def accent_pixels(picture: np.ndarray) -> int:
    """Return the number of pixels that have the color in which boxes are drawn."""
    return int((np.abs(picture.astype(int) - ACCENT_BGR).max(axis=2) < 40).sum())
