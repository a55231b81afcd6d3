"""The server's camera: its faults by a scripted capture, its video file for real."""

import queue
import threading
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

import camera as camera_module
from camera import ACCENT_BGR, Camera, CameraFault
from moodmirror.camera.status import ADVICE, PLACARD_BGR
from moodmirror.config import CameraSource
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.model_files import ModelError, cached_loader

WEBCAM = CameraSource.parse("0")
PATIENCE = 60  # seconds that a busy machine may take for what should take one


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    """Faults are judged in tenths of the seconds that people are given."""
    for name, seconds in {
        "STALE_SECONDS": 0.6,
        "OPEN_SECONDS": 1.2,
        "FROZEN_SECONDS": 0.6,
        "BLACK_SECONDS": 0.3,
        "FIRST_PAUSE_SECONDS": 0.05,
        "LONGEST_PAUSE_SECONDS": 0.4,
        "IDLE_SECONDS": 0.5,
        "PLACARD_SECONDS": 0.1,
        "SUPERVISOR_SECONDS": 0.05,
    }.items():
        monkeypatch.setattr(camera_module, name, seconds)


class Script:
    """A capture that follows a script: frames, None for a read that fails, an Event for one that blocks until it is set."""

    def __init__(self, steps: Iterator[object]):
        self.steps = steps
        self.released = threading.Event()

    def read(self):
        step = next(self.steps, None)
        if isinstance(step, threading.Event):
            step.wait(PATIENCE)
            step = None
        threading.Event().wait(0.02)  # a camera of 50 frames a second
        return step is not None, step

    def release(self):
        self.released.set()

    def get(self, property_id):
        return 0.0

    def set(self, property_id, value):
        return False


class Openings:
    """Opens one script after the other, the last one again and again; a fault in place of a script is raised."""

    def __init__(self, *scripts: Callable[[], Iterator[object]] | CameraFault):
        self.scripts = list(scripts)
        self.opened: list[Script] = []
        self.count = 0

    def __call__(self, source):
        script = self.scripts[min(self.count, len(self.scripts) - 1)]
        self.count += 1
        if isinstance(script, CameraFault):
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


class Watched:
    """A camera with a viewer, and the states it goes through."""

    def __init__(self, camera: Camera):
        self.camera = camera
        self.states: queue.Queue[str] = queue.Queue()
        camera.subscribe(lambda status: self.states.put(status.state))
        self.viewer = threading.Thread(target=lambda: [None for _ in camera.watch()], daemon=True)
        self.viewer.start()

    def await_state(self, wanted: str) -> list[str]:
        """The states up to and with the wanted one."""
        seen: list[str] = []
        while wanted not in seen:
            try:
                seen.append(self.states.get(timeout=PATIENCE))
            except queue.Empty:
                pytest.fail(f"the camera never was {wanted}, only {seen}")
        return seen


@pytest.fixture
def watch(load_face_analyzer):
    """Watch a camera that is made of scripts, or of a real source."""
    cameras = []

    def start(*scripts, source=WEBCAM, load_analyzer=load_face_analyzer):
        openings = Openings(*scripts)
        camera = Camera(source, load_analyzer, open_source=openings) if scripts else Camera(source, load_analyzer)
        cameras.append(camera)
        return Watched(camera), openings

    yield start
    for camera in cameras:
        camera.close()


class TestLife:
    def test_sleeps_until_somebody_watches_and_again_after_the_last(self, watch, moving):
        watched, openings = watch(endless(moving))
        watched.await_state("live")
        watched.camera.close()
        watched.viewer.join(PATIENCE)
        assert not watched.viewer.is_alive()
        assert openings.opened[0].released.wait(PATIENCE)
        assert watched.camera.status.state == "idle"

    def test_closes_the_device_when_the_last_viewer_has_left(self, load_face_analyzer, moving):
        openings = Openings(endless(moving))
        camera = Camera(WEBCAM, load_face_analyzer, open_source=openings)
        assert openings.count == 0
        pictures = camera.watch()
        next(pictures)
        assert camera.viewers == 1
        pictures.close()
        assert camera.viewers == 0
        assert openings.opened[0].released.wait(PATIENCE)
        again = camera.watch()
        next(again)  # and the next viewer wakes it
        assert openings.count == 2
        again.close()
        camera.close()

    def test_sees_the_face_draws_it_and_knows_the_mood(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=Openings(endless(moving)))
        pictures = camera.watch()
        for _ in pictures:
            if camera.faces:
                break
        jpeg = next(pictures)  # the one after is sure to be drawn on
        picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
        assert picture.shape == (480, 640, 3)
        assert accent_pixels(picture) > 400
        assert [face.label for face in camera.faces] == ["happy"]
        assert camera.mood.mood is not None
        assert camera.mood.mood.label == "happy"
        x, _, width, _ = camera.faces[0].box
        assert x + width / 2 < 360  # a webcam's picture is mirrored: the face right of the middle appears left of it
        pictures.close()
        camera.close()

    def test_each_frame_is_encoded_once_however_many_watch(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=Openings(endless(moving)))
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
            viewer.join(PATIENCE)
        # The very same objects reach all three: none was encoded for one viewer.
        shared = set(map(id, seen[0])) & set(map(id, seen[1])) & set(map(id, seen[2]))
        assert len(shared) > 10
        camera.close()


class TestFaults:
    def test_a_missing_camera_is_tried_until_it_is_there(self, watch, moving):
        watched, openings = watch(CameraFault("missing"), CameraFault("missing"), CameraFault("missing"), endless(moving))
        assert watched.await_state("live") == ["starting", "missing", "live"]
        assert openings.count == 4

    def test_a_busy_camera_is_tried_until_it_is_free(self, watch, moving):
        watched, _ = watch(CameraFault("busy"), endless(moving))
        assert watched.await_state("live") == ["starting", "busy", "live"]

    def test_an_unplugged_camera_comes_back_by_itself(self, watch, moving):
        watched, openings = watch(first(10, moving), endless(moving))
        assert watched.await_state("unplugged")[-2:] == ["live", "unplugged"]
        watched.await_state("live")
        assert openings.opened[0].released.wait(PATIENCE)

    def test_a_read_that_blocks_is_left_behind(self, watch, moving):
        stuck = threading.Event()
        watched, openings = watch(first(10, moving, stuck), endless(moving))
        watched.await_state("blocked")
        watched.await_state("live")
        assert not openings.opened[0].released.is_set()
        stuck.set()
        assert openings.opened[0].released.wait(PATIENCE)  # it closes its device once it wakes

    def test_an_opening_that_blocks_is_left_behind(self, watch, moving, load_face_analyzer):
        stuck = threading.Event()
        watched, _ = watch(first(0, moving, stuck), endless(moving))
        watched.await_state("blocked")
        watched.await_state("live")
        stuck.set()

    def test_captures_left_behind_are_bounded(self, watch, moving):
        stuck = threading.Event()
        watched, openings = watch(first(0, moving, stuck))
        watched.await_state("blocked")
        pictures = watched.camera.watch()
        for _ in range(60):
            next(pictures)
        assert openings.count <= camera_module.MAX_ABANDONED
        pictures.close()
        stuck.set()

    def test_a_frozen_picture_is_not_live_until_it_moves(self, watch, moving):
        still = first(10, moving, *[moving(0)] * 10_000)
        watched, _ = watch(still, endless(lambda number: moving(0)), endless(moving))
        watched.await_state("frozen")
        assert watched.camera.faces == []
        assert watched.camera.mood.mood is None
        assert watched.await_state("live") == ["live"]  # the second capture stood still too, and never counted as live

    def test_a_black_picture_is_told_and_light_mends_it(self, watch, moving):
        rng = np.random.default_rng(5)
        light = threading.Event()

        def picture(number):
            return moving(number) if light.is_set() else rng.integers(0, 6, (480, 640, 3), dtype=np.uint8)

        watched, openings = watch(endless(picture))
        watched.await_state("black")
        light.set()
        watched.await_state("live")
        assert openings.count == 1  # a covered lens needs no new connection

    def test_a_frame_of_another_shape_is_survived(self, watch, moving):
        odd = threading.Event()

        def picture(number):
            return np.full((480, 640), number % 200, np.uint8) if odd.is_set() else moving(number)

        watched, _ = watch(endless(picture))
        watched.await_state("live")
        odd.set()
        watched.await_state("failing")
        odd.clear()
        watched.await_state("live")

    def test_a_model_that_is_missing_is_told_and_frames_go_on_once_it_is_there(self, watch, moving, load_face_analyzer):
        attempts = []

        def load_analyzer():
            attempts.append(1)
            if len(attempts) < 3:
                raise ModelError("The model is missing.")
            return load_face_analyzer()

        watched, _ = watch(endless(moving), load_analyzer=load_analyzer)
        watched.await_state("failing")
        watched.await_state("live")

    def test_no_webcam_anywhere_turns_auto_off_and_ends_the_stream(self, watch):
        watched, _ = watch(CameraFault("off"), source=CameraSource.parse("auto"))
        watched.await_state("off")
        watched.viewer.join(PATIENCE)
        assert not watched.viewer.is_alive()

    def test_viewers_see_what_is_wrong_not_the_last_good_frame(self, load_face_analyzer, moving):
        camera = Camera(WEBCAM, load_face_analyzer, open_source=Openings(first(10, moving), CameraFault("unplugged")))
        pictures = camera.watch()
        for _ in pictures:
            if camera.status.state == "unplugged":
                break
        jpeg = next(pictures)
        picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR))
        assert np.abs(picture[:150].astype(int) - PLACARD_BGR).max() < 12
        pictures.close()
        camera.close()

    def test_every_state_has_words_for_the_visitor(self):
        for state, (message, advice) in ADVICE.items():
            assert message.endswith(".")
            assert advice.endswith(".") or state == "live"


class TestVideoFile:
    def test_plays_on_after_its_end(self, watch, face_video):
        source = CameraSource.parse(str(face_video))
        watched, _ = watch(source=source)
        watched.await_state("live")
        pictures = watched.camera.watch()
        for _ in range(45):  # the video has 20 frames
            next(pictures)
        assert watched.camera.status.state == "live"
        pictures.close()

    @pytest.mark.parametrize("content", [None, b"", b"no video at all" * 100])
    def test_a_file_that_is_none_is_told(self, watch, tmp_path, content):
        path = tmp_path / "clip.mp4"
        if content is not None:
            path.write_bytes(content)
        watched, _ = watch(source=CameraSource.parse(str(path)))
        watched.await_state("unreadable")

    def test_a_truncated_file_plays_what_it_has(self, watch, face_video, tmp_path):
        path = tmp_path / "short.avi"
        content = face_video.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        watched, _ = watch(source=CameraSource.parse(str(path)))
        watched.await_state("live")

    def test_a_missing_webcam_is_told(self, watch):
        watched, _ = watch(source=CameraSource.parse("97"))
        watched.await_state("missing")

    def test_a_stream_that_nobody_serves_is_told(self, watch):
        watched, _ = watch(source=CameraSource.parse("http://127.0.0.1:9/video"))
        watched.await_state("missing")


def accent_pixels(picture: np.ndarray) -> int:
    """How many pixels have the colour in which boxes are drawn."""
    return int((np.abs(picture.astype(int) - ACCENT_BGR).max(axis=2) < 40).sum())
