"""Requests that arrive slowly, in pieces or never as a whole, under real gunicorn: they occupy no thread."""

import json
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPConnection, parse_headers
from io import BytesIO
from typing import Any

import pytest

from moodmirror.server.request_reader import (
    BODY_WINDOW_SECONDS,
    FIRST_BYTE_SECONDS,
    HEAD_SECONDS,
    MAX_BODY_BYTES,
    MIN_BODY_BYTES_PER_SECOND,
    Refusal,
    RequestReader,
)
from tests.conftest import Server, serving
from tests.test_server import get

pytestmark = pytest.mark.services

PATIENCE_SECONDS = 60
TEXT = json.dumps({"text": "I am so happy today!"}).encode()
UNFINISHED_BODIES = [
    b"POST /api/analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /api/analyze/image HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\nContent-Length: 90000\r\n\r\n\xff",
    b"POST /socket.io/?EIO=4&transport=polling&sid=none HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\n4",
    b"POST /api/analyze/file HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\nab",
]


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Server]:
    """A server with few threads."""
    log = tmp_path_factory.mktemp("small") / "log"
    with serving(log, CAMERA="off", MAX_VISITORS="4", MAX_VIEWERS="1", RATE_LIMITS="off") as server:
        yield server


def open_connection(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS)


def read_response(stream: Any) -> tuple[int, dict[str, str], bytes]:
    """Read one HTTP response with a Content-Length: its status, headers and body."""
    head = b"".join(iter(stream.readline, b"\r\n"))
    first, _, rest = head.partition(b"\r\n")
    headers = dict(parse_headers(BytesIO(rest + b"\r\n")).items())
    return int(first.split()[1]), headers, stream.read(int(headers.get("Content-Length", 0)))


def test_240_unfinished_bodies_that_drip_leave_the_site_answering(small):
    with ExitStack() as stack:
        clients = []
        for number in range(240):
            client = stack.enter_context(open_connection(small))
            client.sendall(UNFINISHED_BODIES[number % len(UNFINISHED_BODIES)])
            clients.append(client)
        refused: set[socket.socket] = set()
        waits = []
        while len(refused) < len(clients):
            started = time.perf_counter()
            assert get(small, "/healthz")[0] == 200
            waits.append(time.perf_counter() - started)
            for client in clients:
                try:
                    client.send(b"a")
                except OSError:
                    refused.add(client)
            time.sleep(0.25)  # between two bytes of a client
        # Before, every thread waited for a body, and no answer came at all: a median is no measure of speed here.
        assert statistics.median(waits) < 1
    assert get(small, "/healthz")[0] == 200
    assert "Traceback" not in small.log.read_text()


def test_a_body_that_stalls_is_refused_with_the_reason(small):
    with open_connection(small) as client, client.makefile("rb") as stream:
        client.sendall(UNFINISHED_BODIES[0])
        status, headers, body = read_response(stream)
        assert status == 408
        assert headers["Content-Type"] == "application/problem+json"
        assert "Send it again" in json.loads(body)["detail"]
        assert stream.read() == b""


@pytest.mark.parametrize("size", [1, 7])
def test_a_request_in_pieces_is_answered(small, size):
    head = b"POST /api/analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = head + f"Content-Length: {len(TEXT)}\r\n\r\n".encode() + TEXT
    with open_connection(small) as client, client.makefile("rb") as stream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(request), size):
            client.sendall(request[start : start + size])
        status, _, body = read_response(stream)
        assert (status, json.loads(body)["label"]) == (200, "happy")


def test_requests_that_follow_each_other_on_a_connection_are_answered_in_order(small):
    head = b"POST /api/analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    post = head + f"Content-Length: {len(TEXT)}\r\n\r\n".encode() + TEXT
    with open_connection(small) as client, client.makefile("rb") as stream:
        client.sendall(post + b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + post[:30])
        assert json.loads(read_response(stream)[2])["label"] == "happy"
        assert json.loads(read_response(stream)[2]) == {"status": "ok"}
        client.sendall(post[30:])
        assert json.loads(read_response(stream)[2])["label"] == "happy"


def test_a_chunked_body_is_read(small):
    with closing(HTTPConnection("127.0.0.1", small.port, timeout=PATIENCE_SECONDS)) as client:
        parts = iter([TEXT[:5], TEXT[5:]])
        client.request("POST", "/api/analyze/text", parts, {"Content-Type": "application/json"}, encode_chunked=True)
        assert json.load(client.getresponse())["label"] == "happy"


def test_a_client_that_waits_for_continue_receives_it(small):
    with open_connection(small) as client, client.makefile("rb") as stream:
        client.sendall(
            b"POST /api/analyze/text HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(TEXT)}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert read_response(stream)[0] == 100
        client.sendall(TEXT)
        while (answer := read_response(stream))[0] == 100:  # gunicorn sends it once more
            pass
        assert (answer[0], json.loads(answer[2])["label"]) == (200, "happy")


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (b"POST /api/analyze/file HTTP/1.1\r\nHost: a\r\nContent-Length: 900000000\r\n\r\n", 413),
        (b"POST /api/analyze/file HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n", 400),
        (b"POST /api/analyze/file HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (b"\x16\x03\x01 this is TLS\r\n\r\n", 400),
    ],
    ids=["too large", "malformed chunk", "malformed length", "bare line feeds", "another protocol"],
)
def test_a_request_that_can_not_be_read_is_refused_at_once(small, request_head, status):
    with open_connection(small) as client, client.makefile("rb") as stream:
        client.sendall(request_head)
        assert read_response(stream)[0] == status
    assert get(small, "/healthz")[0] == 200
    assert "Traceback" not in small.log.read_text()


def test_two_dripped_uploads_leave_room_for_other_files(small):
    with open_connection(small) as one, open_connection(small) as other:
        for slow in (one, other):
            slow.sendall(UNFINISHED_BODIES[1])
        with closing(HTTPConnection("127.0.0.1", small.port, timeout=PATIENCE_SECONDS)) as client:
            client.request("POST", "/api/analyze/image", b"not a picture", {"Content-Type": "image/jpeg"})
            assert client.getresponse().status in (400, 415)  # it was read; 503 would mean that no place was free


def test_connections_that_do_not_end_their_side_delay_no_other(small):
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(200):  # each would occupy a thread for two seconds
            client = stack.enter_context(open_connection(small))
            client.sendall(request)
        started = time.monotonic()
        assert get(small, "/healthz")[0] == 200
        with suppress(ConnectionError):
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < PATIENCE_SECONDS


class TestRequestReader:
    def test_a_connection_without_a_byte_is_overdue_after_a_while(self):
        reader = RequestReader(0)
        assert reader.check_time(FIRST_BYTE_SECONDS)
        assert not reader.check_time(FIRST_BYTE_SECONDS + 0.1)

    def test_a_head_has_a_total_deadline(self):
        reader = RequestReader(0)
        for second in range(11):
            reader.receive(b"GET / HTTP/1.1\r\n" if second == 0 else b"X", float(second))
        assert reader.check_time(HEAD_SECONDS)
        assert not reader.check_time(HEAD_SECONDS + 0.1)

    def test_a_body_must_arrive_at_the_least_rate_all_the_time(self):
        window = int(BODY_WINDOW_SECONDS * MIN_BODY_BYTES_PER_SECOND)
        reader = RequestReader(0)
        reader.receive(f"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {4 * window}\r\n\r\n".encode(), 0)
        reader.receive(bytes(window), 10)
        assert reader.check_time(BODY_WINDOW_SECONDS)
        reader.receive(bytes(window - 1), 20)
        with pytest.raises(Refusal):
            reader.check_time(2 * BODY_WINDOW_SECONDS)

    def test_a_chunked_body_has_a_limit(self):
        reader = RequestReader(0)
        reader.receive(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 0)
        chunk = b"%x\r\n" % 10_000_000 + bytes(10_000_000) + b"\r\n"
        with pytest.raises(Refusal) as refusal:  # noqa: PT012
            for _ in range(MAX_BODY_BYTES // 10_000_000 + 1):
                reader.receive(chunk, 0)
        assert refusal.value.response.startswith(b"HTTP/1.1 413")
