"""One camera for many processes: published by a process of its own, over a real Redis, and shown by others."""

import queue
import signal
import subprocess
import sys
import threading
from collections import Counter

import cv2
import numpy as np
import pytest
import redis

from camera import ACCENT_BGR
from moodmirror.camera import relay
from moodmirror.camera.relay import CAMERA_FRAMES, CAMERA_NEWS, News, PublishedCamera
from moodmirror.camera.status import PLACARD_BGR
from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import Reading
from moodmirror.recognition.face import Face
from tests.cluster import publishing, running_redis
from tests.conftest import ROOT

PATIENCE = 60  # seconds that a busy machine may take for what should take one


class Shown:
    """A published camera as a web process shows it, with a viewer, and the states it goes through."""

    def __init__(self, url: str):
        self.camera = PublishedCamera(url)
        self.states: queue.Queue[str] = queue.Queue()
        self.camera.subscribe(lambda status: self.states.put(status.state))

    def await_state(self, wanted: str) -> None:
        while self.states.get(timeout=PATIENCE) != wanted:
            pass

    def await_picture(self, is_wanted) -> None:
        """Watch until a picture comes as is wanted."""
        pictures = self.camera.watch()
        deadline = threading.Timer(PATIENCE, self.camera.close)
        deadline.start()
        try:
            for jpeg in pictures:
                picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                if is_wanted(picture.astype(int)):
                    return
            pytest.fail("no such picture came")
        finally:
            deadline.cancel()
            pictures.close()


def has_box(picture) -> bool:
    return int((np.abs(picture - ACCENT_BGR).max(axis=2) < 40).sum()) > 400


def is_placard(picture) -> bool:
    return np.abs(picture[:150] - PLACARD_BGR).max() < 12


@pytest.fixture
def show():
    shown = []

    def start(url):
        shown.append(Shown(url))
        return shown[-1]

    yield start
    for one in shown:
        one.camera.close()


@pytest.fixture
def own_redis(tmp_path):
    with running_redis(tmp_path) as server:
        yield server


def test_two_processes_show_one_camera_which_sleeps_until_somebody_watches_and_leaves_nothing_in_redis(
    own_redis, face_video, show
):
    one, other = show(own_redis.url), show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        one.await_state("idle")
        watching = threading.Thread(target=one.await_picture, args=(has_box,))
        watching.start()
        other.await_state("live")  # told to all, though only one watches
        watching.join(PATIENCE)
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
                pass
        assert b"\xff\xd8\xff" not in (own_redis.folder / "dump.rdb").read_bytes()
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(PATIENCE) == 0


def test_redis_or_the_cameras_process_gone_is_told_and_all_comes_back_by_itself(own_redis, face_video, show):
    shown = show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        shown.await_picture(has_box)
        own_redis.kill()
        shown.await_state("away")
        assert shown.camera.mood.mood is None
        shown.await_picture(is_placard)  # and not the last good frame
        own_redis.start()
        shown.await_picture(has_box)
        publisher.kill()
        shown.await_state("away")
    with publishing(own_redis.url, str(face_video)):
        shown.await_picture(has_box)
        shown.await_state("live")


def test_a_second_camera_at_the_same_redis_is_refused_with_a_sentence(own_redis, face_video, show):
    shown = show(own_redis.url)
    with publishing(own_redis.url, str(face_video)) as publisher:
        shown.await_state("idle")
        with publishing(own_redis.url, str(face_video), stderr=subprocess.PIPE) as second:
            _, told = second.communicate(timeout=PATIENCE)
        assert second.returncode == 1
        assert b"another process publishes a camera at this Redis. Stop that one first" in told
        shown.await_picture(has_box)
        publisher.send_signal(signal.SIGTERM)
        assert publisher.wait(PATIENCE) == 0
    with publishing(own_redis.url, str(face_video)):
        shown.await_picture(has_box)


def test_a_picture_that_stands_still_is_not_shown_as_live(own_redis, show, monkeypatch):
    """The camera's process lives and says so, but its frames do not come through any more."""
    monkeypatch.setattr(relay, "AWAY_SECONDS", 0.5)
    shown = show(own_redis.url)
    ended = threading.Event()

    def say_live() -> None:
        with redis.Redis.from_url(own_redis.url) as client:
            while not ended.wait(0.05):
                client.publish(CAMERA_NEWS, News("live").to_json(0.0))

    saying = threading.Thread(target=say_live)
    saying.start()
    try:
        shown.await_state("live")
        shown.await_picture(is_placard)
        assert shown.camera.status.state == "away"
    finally:
        ended.set()
        saying.join()


def test_a_message_that_makes_no_sense_is_survived(own_redis, show, caplog):
    shown = show(own_redis.url)
    with redis.Redis.from_url(own_redis.url) as client:
        while not client.publish(CAMERA_NEWS, News("black").to_json(0.0)):
            pass
        shown.await_state("black")
        for content in (b"", b"\xff", b"[]", b"{}", b'{"state": "odd", "faces": [], "reading": null, "counts": {}}'):
            client.publish(CAMERA_NEWS, content)
        client.publish(CAMERA_FRAMES, b"no picture that anybody asked for")
        client.publish(CAMERA_NEWS, News("frozen").to_json(0.0))
    shown.await_state("frozen")
    assert "could not be handled" in caplog.text


def test_news_come_through_as_they_were_told():
    vector = np.eye(len(EMOTIONS), dtype=np.float32)[3]
    faces = [Face((1, 2, 3, 4), vector, None, 5, 0.5), Face((9, 8, 7, 6), None, "blurred", 6)]
    content = News("live", faces, Reading(vector, "face", 0.5, at=17.0), Counter(captured=8, read=5)).to_json(19.0).encode()
    news = News.from_json(content, now=100.0)
    assert (news.state, news.counts) == ("live", Counter(captured=8, read=5))
    assert [(face.box, face.label, face.quality_issue, face.number, face.weight) for face in news.faces] == [
        ((1, 2, 3, 4), "happy", None, 5, 0.5),
        ((9, 8, 7, 6), None, "blurred", 6, 1.0),
    ]
    reading = news.reading
    assert reading is not None
    assert (reading.vector.tolist(), reading.source, reading.weight, reading.at) == (vector.tolist(), "face", 0.5, 98.0)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"CAMERA": "off"}, "REDIS_URL must name"),
        ({"CAMERA": "published", "REDIS_URL": "redis://127.0.0.1"}, "CAMERA must name the camera itself"),
    ],
)
def test_what_cant_be_published_ends_with_a_sentence(settings, problem):
    command = [sys.executable, "camera.py", "--publish"]
    environment = {"PATH": "/usr/bin:/bin", **settings}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1
    assert problem in done.stderr
