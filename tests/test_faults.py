"""Faults that concern the whole server, under real gunicorn. Faults of one module are tested with that module."""

import itertools
import os
import queue
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import cv2
import pytest

from moodmirror.recommendation import Recommender
from tests.conftest import ROOT, Server, Viewer, need_program, serving, skip
from tests.test_recommendation_session import Visitor, my_data
from tests.test_server import get, post
from tests.test_websocket_limits import connect, smile

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


def test_sigterm_ends_idle_decoders_without_an_error(tmp_path, scene):
    log = tmp_path / "log"
    with serving(log, CAMERA="off") as server, Visitor(server) as visitor:
        assert visitor.call("frame", smile(scene))["faces"]
        assert server.stop() == 0
    assert "Traceback" not in log.read_text()


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


def test_one_address_that_opens_many_camera_streams_leaves_room_for_others(face_video, tmp_path):
    greedy, other = "198.51.100.1", "198.51.100.2"
    settings: dict[str, Any] = {
        "CAMERA": str(face_video),
        "MAX_VIEWERS": "4",
        "TRUSTED_PROXIES": "1",
        "SECRET_KEY": secrets.token_hex(32),
    }
    with serving(tmp_path / "log", **settings) as server, ExitStack() as stack:

        def watch(address: str) -> Viewer:
            return stack.enter_context(Viewer(server, address=address))

        first = watch(greedy)
        assert next(first.parts())
        streams = [watch(greedy) for _ in range(30)]
        answers = [(viewer, viewer.headers()[0].split()[1]) for viewer in streams]
        accepted = [viewer for viewer, status in answers if status == b"200"]
        assert len(accepted) == 3
        ended: queue.Queue[Viewer] = queue.Queue()

        def read(viewer: Viewer) -> None:
            with suppress(OSError, ValueError):
                while viewer.file.read(65_536):
                    pass
            ended.put(viewer)

        for viewer in accepted:
            threading.Thread(target=read, args=(viewer,), daemon=True).start()
        # Another address gets places from it, one by one, until both have as many; the oldest stream continues.
        for _ in range(2):
            assert next(watch(other).parts())
            ended.get(timeout=60)
        assert watch(other).headers()[0].split()[1] == b"503"
        assert watch(greedy).headers()[0].split()[1] == b"503"
        assert first.file.read(100_000)
        assert ended.empty()
        assert get(server, "/healthz")[0] == 200
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_an_unwritable_folder_disables_storage_only(tmp_path, scene):
    blocked = tmp_path / "instance"
    blocked.write_text("a file where a folder should be")  # as on a full or read-only disk, nothing can be created here
    with serving(tmp_path / "log", CAMERA="off", INSTANCE=str(blocked)) as server, Visitor(server) as visitor:
        assert visitor.wait_for("taste")["kept"] is False
        assert visitor.call("frame", smile(scene))["faces"]
        assert visitor.wait_for("recommendations")
        assert get(server, "/")[0] == 200


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


def small_disk(folder: Path, megabytes: int) -> list[str]:
    """Return the launcher of a server whose `folder` is a small disk of its own, on which its log is, too."""
    own_mounts = [need_program("unshare"), "--mount", *(() if os.geteuid() == 0 else ("--user", "--map-root-user"))]
    if subprocess.run([*own_mounts, "true"], check=False, capture_output=True).returncode:
        skip("this machine lets no process mount a disk of its own (unshare --mount)")
    script = 'mount -t tmpfs -o size="$1"m tmpfs "$0" && folder=$0 && shift && exec "$@" >> "$folder/log" 2>&1'
    return [*own_mounts, "sh", "-c", script, str(folder), str(megabytes)]


def fill(file: Path) -> None:
    """Write a file until the disk is full."""
    with file.open("wb", buffering=0) as output, suppress(OSError):
        while True:
            output.write(bytes(4096))


def test_on_a_full_disk_visitors_notice_nothing_and_feedback_is_stored_once_there_is_space(tmp_path, scene):
    photo = cv2.imencode(".jpg", scene())[1].tobytes()
    songs = [item.id for item in Recommender.open().items("songs")[:12]]
    disk = tmp_path / "disk"
    disk.mkdir()
    launcher = small_disk(disk, megabytes=4)
    with (
        serving(tmp_path / "log", launcher=launcher, CAMERA="off", INSTANCE=str(disk / "instance")) as server,
        ExitStack() as stack,
    ):
        filler = Path(f"/proc/{server.process.pid}/root{disk}/filler")  # in the server's own view of the disk
        visitors = [stack.enter_context(Visitor(server)) for _ in range(8)]
        assert all(visitor.send_feedback("like", songs[0])["kept"] for visitor in visitors)
        fill(filler)

        def use(visitor: Visitor) -> list[bool]:
            """Do what visitors do, without pauses; return which of the opinions were stored at once."""
            kept = []
            for song in songs[1:]:
                answer = visitor.send_feedback("like", song)
                assert "kept" in answer, answer
                kept.append(answer["kept"])
                assert visitor.call("frame", smile(scene))["faces"]
                fill(filler)  # what SQLite or the log has released
            visitor.call("choose", "sad")
            assert visitor.wait_for_tables()
            return kept

        with ThreadPoolExecutor(len(visitors)) as pool:
            kept = list(pool.map(use, visitors))
        assert not all(itertools.chain(*kept)), "the disk was not full"
        assert get(server, "/")[0] == get(server, "/readyz")[0] == 200
        assert post(server, "/api/analyze/image", photo, "image/jpeg")[2]["label"] == "happy"
        with Visitor(server) as newcomer:
            newcomer.call("choose", "happy")
            assert newcomer.wait_for_tables()
        filler.unlink()
        for visitor in visitors:
            visitor.wait_for_taste(lambda taste: taste["kept"] and taste["opinions"] == len(songs))
            assert liked_songs(server, visitor.cookie) == set(songs)


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
            for _ in range(600):  # 240 a minute are allowed, and a few more as the window moves
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
