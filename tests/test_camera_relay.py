"""One camera for many processes: published by one process through a real Redis, and shown by others."""

import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter

import cv2
import numpy as np
import pytest
import redis

from moodmirror.app_factory import close_app, create_app, start_app
from moodmirror.camera import relay
from moodmirror.camera.annotation import ACCENT_BGR
from moodmirror.camera.relay import CAMERA_FRAMES, CAMERA_UPDATES, CameraUpdate, PublishedCamera
from moodmirror.camera.status_image import BACKGROUND_BGR
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import Reading
from moodmirror.recognition.face import Face
from tests.cluster import publishing, running_redis
from tests.conftest import ROOT

pytestmark = pytest.mark.services

TIMEOUT = 60  # seconds; a busy machine is slow


class ShownCamera:
    """A published camera as a web process shows it, with a viewer, and the states it goes through."""

    def __init__(self, url: str):
        self.camera = PublishedCamera(url)
        self.states: queue.Queue[str] = queue.Queue()
        self.camera.subscribe(lambda status: self.states.put(status.state))
        self.camera.start()

    def await_state(self, wanted: str) -> None:
        while self.states.get(timeout=TIMEOUT) != wanted:
            pass

    def await_picture(self, condition) -> None:
        """Watch the stream until a picture meets the condition."""
        pictures = self.camera.watch()
        deadline = threading.Timer(TIMEOUT, self.camera.close)
        deadline.start()
        try:
            for jpeg in pictures:
                picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                if condition(picture.astype(int)):
                    return
            pytest.fail("no picture met the condition")
        finally:
            deadline.cancel()
            pictures.close()


def has_box(picture) -> bool:
    return int((np.abs(picture - ACCENT_BGR).max(axis=2) < 40).sum()) > 400


def is_status_image(picture) -> bool:
    return np.abs(picture[:150] - BACKGROUND_BGR).max() < 12


@pytest.fixture
def show():
    shown = []

    def start(url):
        shown.append(ShownCamera(url))
        return shown[-1]

    yield start
    for one in shown:
        one.camera.close()


@pytest.fixture
def own_redis(tmp_path):
    with running_redis(tmp_path) as server:
        yield server


def test_two_processes_show_one_camera_that_opens_on_demand_and_stores_nothing_in_redis(own_redis, face_video, show):
    one, other = show(own_redis.url), show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        one.await_state("idle")
        watching = threading.Thread(target=one.await_picture, args=(has_box,))
        watching.start()
        other.await_state("live")  # all processes are notified, though only one has a viewer
        watching.join(TIMEOUT)
        other.await_picture(has_box)
        assert [face.label for face in other.camera.faces] == ["happy"]
        for shown in (one, other):
            mood = shown.camera.mood.refresh()
            assert mood is not None
            assert mood.label == "happy"
            assert shown.camera.counts["captured"] >= shown.camera.counts["read"] > 0
            assert shown.camera.counts["openings"] == 1
        with redis.Redis.from_url(own_redis.url) as client:
            assert client.dbsize() == 0
            client.bgsave()
            while client.info("persistence")["rdb_bgsave_in_progress"]:
                time.sleep(0.01)  # Redis sends no event
        assert b"\xff\xd8\xff" not in (own_redis.folder / "dump.rdb").read_bytes()
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(TIMEOUT) == 0


def test_a_lost_redis_or_publisher_is_reported_and_both_recover(own_redis, face_video, show):
    shown = show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        shown.await_picture(has_box)
        own_redis.kill()
        shown.await_state("away")
        assert shown.camera.mood.mood is None
        shown.await_picture(is_status_image)  # not the last good frame
        own_redis.start()
        shown.await_picture(has_box)
        publisher.kill()
        shown.await_state("away")
    with publishing(own_redis.url, str(face_video)):
        shown.await_picture(has_box)
        shown.await_state("live")


def test_a_second_publisher_at_the_same_redis_exits_with_a_message(own_redis, face_video, show):
    shown = show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        shown.await_state("idle")
        with publishing(own_redis.url, str(face_video), stderr=subprocess.PIPE) as second:
            _, errors = second.communicate(timeout=TIMEOUT)
        assert second.returncode == 1
        assert b"another process publishes a camera at this Redis. Stop that one first" in errors
        shown.await_picture(has_box)
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(TIMEOUT) == 0
    with publishing(own_redis.url, str(face_video)):
        shown.await_picture(has_box)


def test_a_stream_without_new_frames_is_not_shown_as_live(own_redis, show, monkeypatch):
    """The publisher sends updates, but no more frames."""
    monkeypatch.setattr(relay, "UNREACHABLE_SECONDS", 0.5)
    shown = show(own_redis.url)
    ended = threading.Event()

    def publish_live() -> None:
        with redis.Redis.from_url(own_redis.url) as client:
            while not ended.wait(0.05):
                client.publish(CAMERA_UPDATES, CameraUpdate("live").to_json(0.0))

    publishing_live = threading.Thread(target=publish_live)
    publishing_live.start()
    try:
        shown.await_state("live")
        shown.await_picture(is_status_image)
        assert shown.camera.status.state == "away"
    finally:
        ended.set()
        publishing_live.join()


def test_invalid_messages_are_ignored(own_redis, show, caplog):
    shown = show(own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        while not client.publish(CAMERA_UPDATES, CameraUpdate("black").to_json(0.0)):
            time.sleep(0.01)  # until the subscription exists
        shown.await_state("black")
        for content in (b"", b"\xff", b"[]", b"{}", b'{"state": "odd", "faces": [], "reading": null, "counts": {}}'):
            client.publish(CAMERA_UPDATES, content)
        client.publish(CAMERA_FRAMES, b"a frame although there is no viewer")
        client.publish(CAMERA_UPDATES, CameraUpdate("frozen").to_json(0.0))
    shown.await_state("frozen")
    assert "could not be handled" in caplog.text


def test_an_update_survives_serialization():
    vector = np.eye(len(EMOTIONS), dtype=np.float32)[3]
    faces = [Face((1, 2, 3, 4), vector, None, 5, 0.5), Face((9, 8, 7, 6), None, "blurred", 6)]
    content = (
        CameraUpdate("live", faces, Reading(vector, "face", 0.5, at=17.0), Counter(captured=8, read=5))
        .to_json(19.0)
        .encode()
    )
    update = CameraUpdate.from_json(content, now=100.0)
    assert (update.state, update.counts) == ("live", Counter(captured=8, read=5))
    assert [(face.box, face.label, face.quality_issue, face.number, face.weight) for face in update.faces] == [
        ((1, 2, 3, 4), "happy", None, 5, 0.5),
        ((9, 8, 7, 6), None, "blurred", 6, 1.0),
    ]
    reading = update.reading
    assert reading is not None
    assert (reading.vector.tolist(), reading.source, reading.weight, reading.at) == (vector.tolist(), "face", 0.5, 98.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CAMERA": "off"}, "REDIS_URL must name"),
        ({"CAMERA": "published", "REDIS_URL": "redis://127.0.0.1"}, "CAMERA must name the camera itself"),
    ],
)
def test_invalid_settings_exit_with_a_message(settings, message):
    command = [sys.executable, "camera.py", "--publish"]
    environment = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 1
    assert message in done.stderr


def test_creating_an_application_opens_no_connection_and_starts_no_thread(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.3)
        before = set(threading.enumerate())
        app = create_app(
            Config(
                camera=CameraSource.parse("published"),
                instance=tmp_path / "instance",
                redis_url=f"redis://127.0.0.1:{server.getsockname()[1]}",
            )
        )
        try:
            # The limits library's storages start a timer of 10 ms each.
            assert [each for each in set(threading.enumerate()) - before if not isinstance(each, threading.Timer)] == []
            assert not (tmp_path / "instance").exists()
            with pytest.raises(TimeoutError):
                server.accept()
            start_app(app)
            server.settimeout(TIMEOUT)
            server.accept()[0].close()  # only a server connects
        finally:
            close_app(app)
