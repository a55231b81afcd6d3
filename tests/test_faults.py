"""Faults of the whole server, under real gunicorn; those of a part are tested with it."""

import socket
from contextlib import closing, suppress

from tests.conftest import ROOT, Viewer, serving
from tests.test_live import Visitor
from tests.test_server import get
from tests.test_sockets import connected, smile


def test_sigterm_in_the_middle_of_everything_ends_cleanly(face_video, scene, tmp_path):
    log = tmp_path / "log"
    with (
        serving(log, CAMERA=str(face_video)) as server,
        Viewer(server) as viewer,
        Visitor(server) as visitor,
        closing(connected(server)) as silent,
        socket.create_connection(("127.0.0.1", server.port)) as slow,
    ):
        slow.sendall(b"POST /api/analyze/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n")
        next(viewer.parts())
        assert visitor.ask("frame", smile(scene))["faces"]
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
        assert visitor.await_told("taste")["kept"] is False
        assert visitor.ask("frame", smile(scene))["faces"]
        assert visitor.await_told("recommendations")
        assert get(server, "/")[0] == 200


def test_every_test_that_the_table_of_faults_names_is_there():
    table = (ROOT / "docs" / "faults.md").read_text()
    named = {word.strip("`") for word in table.split() if word.startswith("`tests/test_") and "::" in word}
    assert len(named) > 15
    for name in named:
        file, _, test = name.partition("::")
        assert f"def {test.rpartition('::')[2]}(" in (ROOT / file).read_text(), name
