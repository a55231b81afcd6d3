"""Faults of the whole server, under real gunicorn; those of a part are tested with it."""

import os
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


def test_sigterm_in_the_middle_of_everything_ends_cleanly(face_video, scene, tmp_path):
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
            silent.send(f'42{number}["choose","bored"]')  # its answers are never read
        for _ in range(5):
            visitor.client.emit("frame", smile(scene))
        assert server.stop() == 0
        with suppress(ConnectionError):
            while viewer.file.read(65536):
                pass
    told = log.read_text()
    assert "Traceback" not in told
    assert "SIGKILL" not in told


def test_a_folder_that_cant_be_written_takes_nothing_down_but_what_is_kept(tmp_path, scene):
    blocked = tmp_path / "instance"
    blocked.write_text("a file where a folder should be")  # as on a full or read-only disk, nothing can be made here
    with serving(tmp_path / "log", CAMERA="off", INSTANCE=str(blocked)) as server, Visitor(server) as visitor:
        assert visitor.wait_for("taste")["kept"] is False
        assert visitor.call("frame", smile(scene))["faces"]
        assert visitor.wait_for("recommendations")
        assert get(server, "/")[0] == 200


@contextmanager
def full_disk(process: psutil.Process) -> Iterator[None]:
    """Let every write of a process to a file fail, its log's too, as on a full disk."""
    process.rlimit(psutil.RLIMIT_FSIZE, (0, psutil.RLIM_INFINITY))
    yield
    process.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def asked(server: Server, path: str, cookie: str, body: bytes | None = None) -> tuple[int, dict[str, str]]:
    """The status and headers that a visitor's browser gets; a body is a text."""
    headers = {"Cookie": cookie} | ({"Content-Type": "text/plain"} if body is not None else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(server.url + path, body, headers), timeout=60) as answer:
            return answer.status, dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers)


def liked(server: Server, cookie: str) -> set[str]:
    """The songs that are kept as liked."""
    return {opinion["item"] for opinion in my_data(server, cookie)["opinions"]}


def test_a_full_disk_takes_nothing_down_and_what_is_said_is_kept_once_there_is_room(tmp_path, scene):
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
        assert liked(server, visitor.cookie) == set(SONGS[:2])


class WallClock:
    """The wall clock of a server, that jumps when told to; its monotonic clock goes on as it is."""

    def __init__(self, folder: Path) -> None:
        need_program("faketime")
        [library] = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        self._file = folder / "clock"
        # libfaketime (0.9.10) spoils clock_nanosleep for monotonic times, with which Python sleeps.
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
        self.show(0)

    def show(self, ahead: int) -> None:
        """Have it so many seconds ahead from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{ahead:+d}")
        os.replace(new, self._file)  # it is read at any moment


def test_a_clock_that_jumps_by_a_day_moves_no_mood_and_refuses_nobody(face_video, scene, tmp_path):
    clock = WallClock(tmp_path)
    with (
        serving(tmp_path / "log", CAMERA=str(face_video), RATE_LIMITS="on", **clock.settings) as server,
        Visitor(server) as visitor,
        Viewer(server) as viewer,
    ):
        pictures, cookie = viewer.parts(), visitor.cookie
        next(pictures)
        for number, (ahead, emotion) in enumerate([(DAY, "sad"), (0, "fear"), (-DAY, "happy")], 1):
            clock.show(ahead)
            shown = parsedate_to_datetime(get(server, "/healthz")[1]["Date"]).timestamp()
            assert abs(shown - time.time() - ahead) < 60
            # The connection of before goes on, and the camera.
            assert visitor.call("frame", smile(scene))["faces"]
            visitor.call("choose", emotion)
            while visitor.wait_for("mood")["label"] != emotion:
                pass
            assert visitor.wait_for_tables()
            assert visitor.send_feedback("like", SONGS[number - 1])["kept"]
            next(pictures)
            assert get(server, "/readyz")[0] == 200
            # The cookie of before is known, though it may date from tomorrow, and lets in.
            with Visitor(server, cookie) as other:
                assert other.wait_for_taste()["opinions"] == number
            cookie = asked(server, "/token", cookie)[1]["Set-Cookie"].split(";")[0]
            assert liked(server, cookie) == set(SONGS[:number])
            # Limits count from here, and are told as they are.
            assert asked(server, "/api/analyze/text", cookie, b"Hello")[0] == 200
            for _ in range(120):  # 30 are allowed a minute, and a few of them anew as it passes
                status, headers = asked(server, "/api/analyze/text", cookie, b"")
                if status == 429:
                    break
            assert status == 429
            assert 0 < int(headers["Retry-After"]) <= 120
        assert visitor.client.connected
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_every_test_that_the_table_of_faults_names_is_there():
    table = (ROOT / "docs" / "faults.md").read_text()
    named = {word.strip("`") for word in table.split() if word.startswith("`tests/test_") and "::" in word}
    assert len(named) > 15
    for name in named:
        file, _, test = name.partition("::")
        assert f"def {test.rpartition('::')[2]}(" in (ROOT / file).read_text(), name
