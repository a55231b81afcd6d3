"""Faults that concern the whole server, under real gunicorn. Faults of one module are tested with that module."""

import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import cv2
import psutil
import pytest

from tests.conftest import ROOT, Server, Viewer, need_program, serving
from tests.test_recommendation_session import Visitor, my_data
from tests.test_server import get, post
from tests.test_websocket_limits import connect, smile, worker_of

pytestmark = pytest.mark.services

DAY = 24 * 3600  # seconds
SONGS = ("10cc-im-not-in-love", "abba-dancing-queen", "2ne1-i-am-the-best")


def test_sigterm_under_full_activity_ends_cleanly(face_video, scene, tmp_path):
    log = tmp_path / "log"
    with (
        serving(log, CAMERA=str(face_video)) as server,
        Viewer(server) as viewer,
        Visitor(server) as visitor,
        closing(connect(server)) as silent,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
    ):
        slow.sendall(b"POST /api/analyze/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n")
        next(viewer.parts())
        assert visitor.call("frame", smile(scene))["faces"]
        for number in range(200):
            silent.send(f'42{number}["choose","bored"]')  # its acknowledgements are never read
        for _ in range(5):
            visitor.client.emit("frame", smile(scene))
        assert server.stop() == 0
        with suppress(ConnectionError):
            while viewer.file.read(65536):
                pass
    content = log.read_text()
    assert "Traceback" not in content
    assert "SIGKILL" not in content


def test_sigterm_closes_the_port_before_requests_in_progress_have_ended(tmp_path):
    """A proxy then sends new requests to another process, instead of losing them in the kernel's queue."""
    with serving(tmp_path / "log", CAMERA="off") as server:
        address = ("127.0.0.1", server.port)
        with socket.create_connection(address) as slow:
            slow.sendall(b"POST /api/analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n")
            connected = socket.create_connection(address)
            server.process.send_signal(signal.SIGTERM)
            with suppress(ConnectionError):
                while True:  # until the signal has arrived
                    socket.create_connection(address).close()
            assert server.process.poll() is None, "the request in progress was not waited for"
            with connected:  # accepted before: it is answered
                connected.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
                assert connected.makefile("rb").readline().endswith(b"200 OK\r\n")
        assert server.process.wait(timeout=30) == 0


def test_an_unwritable_folder_disables_storage_only(tmp_path, scene):
    blocked = tmp_path / "instance"
    blocked.write_text("a file where a folder should be")  # as on a full or read-only disk, nothing can be created here
    with serving(tmp_path / "log", CAMERA="off", INSTANCE=str(blocked)) as server, Visitor(server) as visitor:
        assert visitor.wait_for("taste")["kept"] is False
        assert visitor.call("frame", smile(scene))["faces"]
        assert visitor.wait_for("recommendations")
        assert get(server, "/")[0] == 200


@contextmanager
def full_disk(process: psutil.Process) -> Iterator[None]:
    """Make every write of a process to a file fail, including its log, as on a full disk."""
    process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    yield
    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def request_as(server: Server, path: str, cookie: str, body: bytes | None = None) -> tuple[int, dict[str, str]]:
    """Return the status and headers of a response to a visitor's browser; a body is sent as text."""
    headers = {"Cookie": cookie} | ({"Content-Type": "text/plain"} if body is not None else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=60) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def liked_songs(server: Server, cookie: str) -> set[str]:
    """Return the songs that are stored as liked."""
    return {opinion["item"] for opinion in my_data(server, cookie)["opinions"]}


def test_on_a_full_disk_everything_works_and_feedback_is_stored_once_there_is_space(tmp_path, scene):
    photo = cv2.imencode(".jpg", scene())[1].tobytes()
    with serving(tmp_path / "log", CAMERA="off") as server, Visitor(server) as visitor:
        assert visitor.send_feedback("like", SONGS[0])["kept"]
        with full_disk(worker_of(server)):
            assert not visitor.send_feedback("like", SONGS[1])["kept"]
            assert not visitor.wait_for_taste(lambda taste: taste["opinions"] == 2)["kept"]
            assert visitor.call("frame", smile(scene))["faces"]
            assert visitor.wait_for_tables()
            assert get(server, "/")[0] == 200
            assert post(server, "/api/analyze/image", photo, "image/jpeg")[2]["label"] == "happy"
            with Visitor(server) as newcomer:
                newcomer.call("choose", "sad")
                assert newcomer.wait_for_tables()
        assert visitor.wait_for_taste(lambda taste: taste["kept"])["opinions"] == 2
        assert liked_songs(server, visitor.cookie) == set(SONGS[:2])


class WallClock:
    """The wall clock of a server, which the test can set; the monotonic clock is not changed."""

    def __init__(self, folder: Path) -> None:
        need_program("faketime")
        [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self._file = folder / "clock"
        # libfaketime (0.9.10) breaks clock_nanosleep with monotonic times, which Python's sleep uses.
        patch = folder / "patch"
        patch.mkdir()
        (patch / "sitecustomize.py").write_text(
            "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
        )
        self.settings: dict[str, Any] = {
            "LD_PRELOAD": str(library),
            "PYTHONPATH": str(patch),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        self.set_offset(0)

    def set_offset(self, seconds: int) -> None:
        """Set the clock ahead of the real time by `seconds`."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        os.replace(new, self._file)  # the server may read it at any moment


def test_a_clock_that_jumps_by_a_day_changes_no_mood_and_refuses_no_visitor(face_video, scene, tmp_path):
    clock = WallClock(tmp_path)
    with (
        serving(tmp_path / "log", CAMERA=str(face_video), RATE_LIMITS="on", **clock.settings) as server,
        Visitor(server) as visitor,
        Viewer(server) as viewer,
    ):
        pictures, cookie = viewer.parts(), visitor.cookie
        next(pictures)
        for number, (ahead, emotion) in enumerate([(DAY, "sad"), (0, "fear"), (-DAY, "happy")], 1):
            clock.set_offset(ahead)
            shown = parsedate_to_datetime(get(server, "/healthz")[1]["Date"]).timestamp()
            assert abs(shown - time.time() - ahead) < 60
            # The existing connection and the camera keep working.
            assert visitor.call("frame", smile(scene))["faces"]
            visitor.call("choose", emotion)
            while visitor.wait_for("mood")["label"] != emotion:
                pass
            assert visitor.wait_for_tables()
            assert visitor.send_feedback("like", SONGS[number - 1])["kept"]
            next(pictures)
            assert get(server, "/readyz")[0] == 200
            # The existing cookie is accepted, though it may be dated in the future.
            with Visitor(server, cookie) as other:
                assert other.wait_for_taste()["opinions"] == number
            cookie = request_as(server, "/token", cookie)[1]["Set-Cookie"].split(";")[0]
            assert liked_songs(server, cookie) == set(SONGS[:number])
            # Rate limits count from now, and Retry-After is correct.
            assert request_as(server, "/api/analyze/text", cookie, b"Hello")[0] == 200
            for _ in range(120):  # 30 a minute are allowed, and a few more as the window moves
                status, headers = request_as(server, "/api/analyze/text", cookie, b"")
                if status == 429:
                    break
            assert status == 429
            assert 0 < int(headers["Retry-After"]) <= 120
        assert visitor.client.connected
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_every_test_named_in_the_table_of_faults_exists():
    table = (ROOT / "docs" / "faults.md").read_text()
    named = {word.strip("`") for word in table.split() if word.startswith("`tests/test_") and "::" in word}
    assert len(named) > 15
    for name in named:
        file, _, test = name.partition("::")
        assert f"def {test.rpartition('::')[2]}(" in (ROOT / file).read_text(), name
