"""Several processes as one site: real Redis, PostgreSQL, web processes under gunicorn, and nginx in front."""

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

from tests.cluster import Cluster, Redis, TemporaryDatabase, publishing, running_cluster, running_redis
from tests.conftest import Viewer, admitted

pytestmark = pytest.mark.services

TIMEOUT_SECONDS = 60  # a busy machine may take this long for what should take one second
RECONNECT_SECONDS = 5  # promised in the documentation to a visitor whose process is killed
NOTIFY_SECONDS = 5  # well before the processes reload the database by themselves
SONG = "10cc-im-not-in-love"


class Visitor:
    """A visitor with the page's cookies and connection, which reconnects automatically when it ends."""

    def __init__(self, cluster: Cluster):
        jar = http.cookiejar.CookieJar()
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(
            cluster.front.url, timeout=TIMEOUT_SECONDS
        ):
            self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
        self.received: dict[str, queue.Queue[Any]] = {name: queue.Queue() for name in ("taste", "mood", "camera")}
        self.client = socketio.Client()
        for name, messages in self.received.items():
            self.client.on(name, messages.put)
        self._front = cluster.front
        self.connect()

    def connect(self) -> None:
        """Connect as the page does, which fetches a token each time."""
        auth = lambda: admitted(self._front, self.cookies)[1]  # noqa: E731
        self.client.connect(self._front.url, headers={"Cookie": self.cookies}, auth=auth, transports=["websocket"])

    def wait_for(self, event: str, condition=lambda message: True, timeout: float = TIMEOUT_SECONDS) -> Any:
        while not condition(message := self.received[event].get(timeout=timeout)):
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
def redis_server(folder) -> Iterator[Redis]:
    with running_redis(folder) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(folder, redis_server, postgres, face_video) -> Iterator[Cluster]:
    """Two web processes, and a third that publishes the camera."""
    settings = {"REDIS_URL": redis_server.url, "DATABASE_URL": TemporaryDatabase(postgres).url, "CAMERA": "published"}
    settings |= {"TRUSTED_PROXIES": "1", "SECRET_KEY": secrets.token_hex(32), "RATE_LIMITS": "on"}
    with running_cluster(folder, 2, **settings) as cluster, publishing(redis_server.url, str(face_video)):
        yield cluster


def test_a_visitor_stays_with_one_process_and_visitors_are_spread(cluster):
    ports = {number: cluster.port_of(f"mirror_process={number:02x}") for number in range(0, 256, 16)}
    assert set(ports.values()) == set(cluster.ports)
    for number, port in ports.items():
        assert cluster.port_of(f"other=1; mirror_process={number:02x}") == port
    with Visitor(cluster) as visitor:
        assert re.search(r"\bmirror_process=[0-9a-f]{2}\b", visitor.cookies)
        assert "mood_mirror=" in visitor.cookies


@pytest.mark.parametrize("whole", [True, False], ids=["the whole process", "its worker only"])
def test_visitors_of_a_killed_process_reconnect_to_another_with_their_taste(cluster, whole):
    with Visitor(cluster) as visitor:
        visitor.wait_for("taste")
        for verdict in ("like", "save"):
            answer = visitor.client.call(
                "feedback", {"kind": "songs", "id": SONG, "verdict": verdict}, timeout=TIMEOUT_SECONDS
            )
            assert answer == {"kept": True}
        port = cluster.port_of(visitor.cookies)
        gunicorn = cluster.processes[port]
        worker = cluster.worker(port)
        visitor.wait_for("taste", has_taste)
        while not visitor.received["taste"].empty():
            visitor.received["taste"].get()
        if whole:
            gunicorn.kill()
        worker.kill()
        visitor.wait_for("taste", has_taste, timeout=RECONNECT_SECONDS)
        assert cluster.port_of(visitor.cookies) != port
        assert gunicorn.wait(TIMEOUT_SECONDS) != 0  # so that its supervisor restarts it
        cluster.start(port)
        cluster.await_ready(port)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while cluster.port_of(visitor.cookies) != port:  # once it runs, its visitors return to it
            assert time.monotonic() < deadline
            time.sleep(0.2)  # nginx retries after two seconds, without an event


def test_saved_items_and_deletion_reach_windows_at_both_processes_at_once(cluster):
    with Visitor(cluster) as visitor:
        visitor.wait_for("taste")
        windows = [Window(cluster, port, visitor.cookies) for port in cluster.ports]
        try:
            one, other = windows
            assert one.client.call("feedback", {"kind": "songs", "id": SONG, "verdict": "save"}, timeout=TIMEOUT_SECONDS)[
                "kept"
            ]
            while not other.taste.get(timeout=NOTIFY_SECONDS)["saved"]:
                pass
            request = urllib.request.Request(
                f"http://127.0.0.1:{cluster.ports[0]}/api/my-data",
                headers={"Cookie": visitor.cookies, "X-Mood-Mirror": "1"},
                method="DELETE",
            )
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):
                pass
            for window in windows:
                assert window.gone.wait(NOTIFY_SECONDS)
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


def test_every_process_shows_the_camera_and_visitors_continue_without_redis(cluster, redis_server):
    with Visitor(cluster) as visitor, Viewer(cluster.front) as viewer:
        pictures = viewer.parts()
        visitor.wait_for("camera", lambda status: status["state"] == "live")
        for port in cluster.ports:
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while mood_at(port)["label"] != "happy":
                assert time.monotonic() < deadline
                next(pictures)  # with a viewer, the camera is active
        redis_server.kill()
        visitor.wait_for("camera", lambda status: status["state"] == "away")
        assert visitor.client.call("choose", "sad", timeout=TIMEOUT_SECONDS) == {}
        visitor.wait_for("mood", lambda mood: mood["label"] == "sad")
        answer = visitor.client.call("feedback", {"kind": "songs", "id": SONG, "verdict": "like"}, timeout=TIMEOUT_SECONDS)
        assert answer == {"kept": True}
        with Visitor(cluster) as newcomer:
            newcomer.wait_for("taste")
        redis_server.start()
        visitor.wait_for("camera", lambda status: status["state"] == "live")


def mood_at(port: int) -> dict[str, Any]:
    """Return the server camera's mood as one process reports it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/mood", timeout=TIMEOUT_SECONDS) as answer:
        return json.load(answer)
