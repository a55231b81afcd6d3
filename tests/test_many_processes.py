"""Several processes as one site: Redis, PostgreSQL, web processes under gunicorn, nginx in front, all of them real."""

import http.cookiejar
import queue
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio

from tests.cluster import Cluster, Redis, running_cluster, running_redis

PATIENCE = 60  # seconds that a busy machine may take for what should take one
BACK_SECONDS = 5  # what is promised to a visitor whose process is killed
AT_ONCE_SECONDS = 5  # well before the processes look into the database by themselves
SONG = "10cc-im-not-in-love"


class Visitor:
    """Somebody who opened the page and is connected as it is, by itself anew when the connection ends."""

    def __init__(self, cluster: Cluster):
        jar = http.cookiejar.CookieJar()
        with urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar)).open(cluster.url, timeout=PATIENCE):
            self.cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)
        self.told: dict[str, queue.Queue[Any]] = {name: queue.Queue() for name in ("taste", "mood", "camera")}
        self.client = socketio.Client()
        for name, messages in self.told.items():
            self.client.on(name, messages.put)
        self.client.connect(cluster.url, headers={"Cookie": self.cookies}, transports=["websocket"])

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
def cluster(folder, own_redis, postgres) -> Iterator[Cluster]:
    with running_cluster(folder, 2, REDIS_URL=own_redis.url, DATABASE_URL=postgres, CAMERA="off") as cluster:
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
        windows = [Window(port, visitor.cookies) for port in cluster.ports]
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

    def __init__(self, port: int, cookies: str):
        self.client = socketio.Client(reconnection=False)
        self.taste: queue.Queue[Any] = queue.Queue()
        self.gone = threading.Event()
        self.client.on("taste", self.taste.put)
        self.client.on("disconnect", lambda *_: self.gone.set())
        self.client.connect(f"http://127.0.0.1:{port}", headers={"Cookie": cookies}, transports=["websocket"])
