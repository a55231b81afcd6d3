"""Several processes as one site: Redis, PostgreSQL, web processes under gunicorn, nginx in front, all of them real."""

import http.cookiejar
import json
import queue
import re
import secrets
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.cluster import Cluster, OwnDatabase, Redis, publishing, running_cluster, running_redis
from tests.conftest import Viewer, admitted

pytestmark = pytest.mark.services

PATIENCE = 60  # seconds that a busy machine may take for what should take one
BACK_SECONDS = 5  # what is promised to a visitor whose process is killed
AT_ONCE_SECONDS = 5  # well before the processes look into the database by themselves
SONG = "10cc-im-not-in-love"


class Visitor:
    """Somebody who opened the page and is connected as it is, by itself anew when the connection ends."""

    def __init__(self, cluster: Cluster):
        jar = http.cookiejar.CookieJar()
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(cluster.front.url, timeout=PATIENCE):
            self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
        self.told: dict[str, queue.Queue[Any]] = {name: queue.Queue() for name in ("taste", "mood", "camera")}
        self.client = socketio.Client()
        for name, messages in self.told.items():
            self.client.on(name, messages.put)
        # As the page does, it fetches a token each time it connects.
        auth = lambda: admitted(cluster.front, self.cookies)[1]  # noqa: E731
        self.client.connect(cluster.front.url, headers={"Cookie": self.cookies}, auth=auth, transports=["websocket"])

    def await_told(self, event: str, wanted=lambda message: True, patience: float = PATIENCE) -> Any:
        while not wanted(message := self.told[event].get(timeout=patience)):
            pass
        return message

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()


def has_taste(message: dict[str, Any]) -> bool:
    return message["opinions"] == 1 and [row["id"] for row in message["saved"]] == [SONG]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("many")


@pytest.fixture(scope="module")
def own_redis(folder) -> Iterator[Redis]:
    with running_redis(folder) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(folder, own_redis, postgres, face_video) -> Iterator[Cluster]:
    """Two web processes, and a third that publishes the camera."""
    settings = {"REDIS_URL": own_redis.url, "DATABASE_URL": OwnDatabase(postgres).url, "CAMERA": "published"}
    settings |= {"TRUSTED_PROXIES": "1", "SECRET_KEY": secrets.token_hex(32), "RATE_LIMITS": "on"}
    with running_cluster(folder, 2, **settings) as cluster, publishing(own_redis.url, str(face_video)):
        yield cluster


def test_a_visitor_stays_with_one_process_and_visitors_are_spread(cluster):
    ports = {number: cluster.port_of(f"mirror_process={number:02x}") for number in range(0, 256, 16)}
    assert set(ports.values()) == set(cluster.ports)
    for number, port in ports.items():
        assert cluster.port_of(f"other=1; mirror_process={number:02x}") == port
    with Visitor(cluster) as visitor:
        assert re.search(r"\bmirror_process=[0-9a-f]{2}\b", visitor.cookies)
        assert "mood_mirror=" in visitor.cookies


@pytest.mark.parametrize("whole", [True, False], ids=["all of it", "its worker alone"])
def test_whose_process_is_killed_is_back_on_another_with_their_taste(cluster, whole):
    with Visitor(cluster) as visitor:
        visitor.await_told("taste")
        for verdict in ("like", "save"):
            answer = visitor.client.call("feedback", {"kind": "songs", "id": SONG, "verdict": verdict}, timeout=PATIENCE)
            assert answer == {"kept": True}
        port = cluster.port_of(visitor.cookies)
        gunicorn = cluster.processes[port]
        worker = cluster.worker(port)
        visitor.await_told("taste", has_taste)
        while not visitor.told["taste"].empty():
            visitor.told["taste"].get()
        if whole:
            gunicorn.kill()
        worker.kill()
        visitor.await_told("taste", has_taste, patience=BACK_SECONDS)
        assert cluster.port_of(visitor.cookies) != port
        assert gunicorn.wait(PATIENCE) != 0  # so that whoever started it starts it anew
        cluster.start(port)
        cluster.await_ready(port)
        deadline = time.monotonic() + PATIENCE
        while cluster.port_of(visitor.cookies) != port:  # once it is back it has its visitors again
            assert time.monotonic() < deadline
            time.sleep(0.2)  # nginx looks again after two seconds, and tells nobody


def test_windows_at_two_processes_see_at_once_what_was_saved_and_that_one_was_forgotten(cluster):
    with Visitor(cluster) as visitor:
        visitor.await_told("taste")
        windows = [Window(cluster, port, visitor.cookies) for port in cluster.ports]
        try:
            one, other = windows
            assert one.client.call("feedback", {"kind": "songs", "id": SONG, "verdict": "save"}, timeout=PATIENCE)["kept"]
            while not other.taste.get(timeout=AT_ONCE_SECONDS)["saved"]:
                pass
            request = urllib.request.Request(
                f"http://127.0.0.1:{cluster.ports[0]}/api/my-data",
                headers={"Cookie": visitor.cookies, "X-Mood-Mirror": "1"},
                method="DELETE",
            )
            with urllib.request.urlopen(request, timeout=PATIENCE):
                pass
            for window in windows:
                assert window.gone.wait(AT_ONCE_SECONDS)
        finally:
            for window in windows:
                window.client.disconnect()


class Window:
    """A window of a visitor, connected to one process."""

    def __init__(self, cluster: Cluster, port: int, cookies: str):
        self.client = socketio.Client(reconnection=False)
        self.taste: queue.Queue[Any] = queue.Queue()
        self.gone = threading.Event()
        self.client.on("taste", self.taste.put)
        self.client.on("disconnect", lambda *_: self.gone.set())
        headers, auth = admitted(cluster.front, cookies)
        self.client.connect(f"http://127.0.0.1:{port}", headers=headers, auth=auth, transports=["websocket"])


def test_the_camera_is_shown_by_every_process_and_visitors_go_on_while_redis_is_away(cluster, own_redis):
    with Visitor(cluster) as visitor, Viewer(cluster.front) as viewer:
        pictures = viewer.parts()
        visitor.await_told("camera", lambda status: status["state"] == "live")
        for port in cluster.ports:
            deadline = time.monotonic() + PATIENCE
            while mood_at(port)["label"] != "happy":
                assert time.monotonic() < deadline
                next(pictures)  # somebody watches, so the camera is awake
        own_redis.kill()
        visitor.await_told("camera", lambda status: status["state"] == "away")
        assert visitor.client.call("choose", "sad", timeout=PATIENCE) == {}
        visitor.await_told("mood", lambda mood: mood["label"] == "sad")
        answer = visitor.client.call("feedback", {"kind": "songs", "id": SONG, "verdict": "like"}, timeout=PATIENCE)
        assert answer == {"kept": True}
        with Visitor(cluster) as newcomer:
            newcomer.await_told("taste")
        own_redis.start()
        visitor.await_told("camera", lambda status: status["state"] == "live")


def mood_at(port: int) -> dict[str, Any]:
    """What a process says of the server camera's mood."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/mood", timeout=PATIENCE) as answer:
        return json.load(answer)
