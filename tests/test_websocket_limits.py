"""Limits of connections: a hostile client costs the server a bounded amount, and other clients are not affected."""

import base64
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from typing import Any

import cv2
import psutil
import pytest
from flask import Flask
from flask_socketio import SocketIO
from websocket import ABNF, WebSocket, WebSocketBadStatusException, WebSocketConnectionClosedException, create_connection
from werkzeug.serving import BaseWSGIServer, make_server

from moodmirror.server.send_queue import MAX_QUEUED_PACKETS
from moodmirror.server.websocket_limits import limit_connections
from tests.conftest import Server, admitted, own_memory, serving
from tests.test_live import Visitor
from tests.test_server import get

pytestmark = pytest.mark.services

TIMEOUT_SECONDS = 60
FLOOD_BYTES = 100_000_000
CHUNK_BYTES = 250_000
MAX_GROWTH_BYTES = 25_000_000  # of memory: a quarter of the flood; the server holds much less, but other work adds to it
MAX_PER_ADDRESS = 12
MAX_VISITORS = 16
CONNECTIONS = 500


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Server]:
    """A server with low limits."""
    log = tmp_path_factory.mktemp("small") / "log"
    with serving(
        log, CAMERA="off", MAX_VISITORS=str(MAX_VISITORS), MAX_PER_ADDRESS=str(MAX_PER_ADDRESS), MAX_VIEWERS="1"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def bystander(small, scene) -> Iterator[Visitor]:
    """Another visitor, whose camera must keep working during each test."""
    with Visitor(small) as visitor:
        assert visitor.call("frame", smile(scene))["faces"]
        yield visitor


def smile(scene) -> bytes:
    return cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()


def worker_of(server: Server) -> psutil.Process:
    [worker] = psutil.Process(server.process.pid).children()
    return worker


class Client(WebSocket):
    """A WebSocket that always closes its connection."""

    def close(self, *arguments: Any, **options: Any) -> None:
        super().close(*arguments, **options)
        self.shutdown()


def receive_text(client: WebSocket) -> str:
    """Receive the next message, which must be a text."""
    message = client.recv()
    assert isinstance(message, str)
    return message


def raw_socket(client: WebSocket) -> socket.socket:
    assert client.sock is not None
    return client.sock


def open_websocket(server: Server, address: str = "127.0.0.1", headers: dict[str, str] | None = None) -> WebSocket:
    """Open a WebSocket from a loopback address and receive Engine.IO's handshake."""
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(TIMEOUT_SECONDS)
        connection.bind((address, 0))
        connection.connect(("127.0.0.1", server.port))
        client = create_connection(
            f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket",
            class_=Client,
            socket=connection,
            header=headers,
            timeout=TIMEOUT_SECONDS,
        )
        assert receive_text(client).startswith("0{")
        stack.pop_all()
    return client


def connect(server: Server, address: str = "127.0.0.1") -> WebSocket:
    """Open a WebSocket from a loopback address and connect to Socket.IO's namespace."""
    headers, auth = admitted(server)
    client = open_websocket(server, address, headers)
    client.send(f"40{json.dumps(auth)}")
    while not receive_text(client).startswith("40"):
        pass
    return client


def connect_when_free(server: Server, address: str) -> WebSocket:
    """Connect as :func:`connect`, as soon as the server has noticed that earlier connections have ended."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return connect(server, address)
        except WebSocketBadStatusException:
            assert time.monotonic() < deadline, "no slot became free"
            time.sleep(0.05)  # no event signals that the server has noticed it


def post_polled(server: Server, address: str, headers: dict[str, str], auth: dict[str, str], content: bytes) -> int:
    """Post a payload as a polling client and return the response's status; the session is closed afterwards."""
    path = "/socket.io/?EIO=4&transport=polling"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS, source_address=(address, 0))) as client:

        def send(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
            client.request(method, path, body, headers)
            answer = client.getresponse()
            return answer.status, answer.read()

        status, handshake = send("GET", path)
        assert status == 200
        path += f"&sid={json.loads(handshake[1:])['sid']}"
        assert send("POST", path, b"40" + json.dumps(auth).encode())[0] == 200
        status, _ = send("POST", path, content)
        assert send("POST", path, b"1")[0] in (200, 400)
        return status


def close_code(client: WebSocket) -> int:
    """Return the code of the server's close frame (RFC 6455, 7.4), without answering it."""
    frame = client.recv_frame()
    while frame.opcode != ABNF.OPCODE_CLOSE:
        frame = client.recv_frame()
    return int(struct.unpack("!H", frame.data[:2])[0])


def frame_header(opcode: int, size: int, final: bool) -> bytes:
    """Return the header of a client's WebSocket frame, masked with zeros."""
    return struct.pack("!BBQ4x", opcode | (0x80 if final else 0), 0x80 | 127, size)


def one_message() -> Iterator[bytes]:
    yield frame_header(2, FLOOD_BYTES, final=True)
    for _ in range(FLOOD_BYTES // CHUNK_BYTES):
        yield bytes(CHUNK_BYTES)


def fragments() -> Iterator[bytes]:
    for number in range(FLOOD_BYTES // CHUNK_BYTES):
        yield frame_header(2 if number == 0 else 0, CHUNK_BYTES, final=False) + bytes(CHUNK_BYTES)


def attachments() -> Iterator[bytes]:
    text = b'451000-["frame",{"_placeholder":true,"num":0}]'
    yield frame_header(1, len(text), final=True) + text
    size = 200_000  # each of them is allowed
    for _ in range(FLOOD_BYTES // size):
        yield frame_header(2, size, final=True) + bytes(size)


@pytest.mark.parametrize("flood", [one_message, fragments, attachments])
def test_a_hundred_megabytes_are_refused_while_they_come(small, bystander, scene, flood):
    worker = worker_of(small)
    before = own_memory(worker)
    growth = 0
    with closing(connect(small)) as client:
        sent = 0
        try:
            for chunk in flood():
                raw_socket(client).sendall(chunk)
                sent += len(chunk)
                if sent // CHUNK_BYTES % 20 == 0:
                    growth = max(growth, own_memory(worker) - before)
        except (ConnectionError, TimeoutError):
            pass
        growth = max(growth, own_memory(worker) - before)
    assert growth < MAX_GROWTH_BYTES
    assert bystander.call("frame", smile(scene))["faces"]


def test_a_message_over_the_limit_closes_the_connection_with_code_1009(small):
    with closing(connect(small)) as client:
        client.send_binary(bytes(300_000))
        assert close_code(client) == 1009


def test_a_client_that_is_still_sending_when_refused_receives_the_close_code(small):
    with closing(connect(small)) as client:
        raw_socket(client).sendall(frame_header(2, 2_000_000, final=True))
        for _ in range(20):  # more than the network buffers: the server must read it for this loop to end
            raw_socket(client).sendall(bytes(100_000))
        assert close_code(client) == 1009


def test_compression_which_could_hide_megabytes_is_declined(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=TIMEOUT_SECONDS) as client:
        client.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        answer = client.recv(4096).partition(b"\r\n\r\n")[0].lower()
        assert b" 101 " in answer
        assert b"permessage-deflate" not in answer


def test_a_client_that_never_reads_is_disconnected(small, bystander, scene):
    worker = worker_of(small)
    before, threads = own_memory(worker), worker.num_threads()
    growth = max_threads = 0
    with closing(connect(small)) as client, pytest.raises(ConnectionError):  # noqa: PT012
        for number in range(10_000):
            client.send(f'42{number}["choose","{("sad", "happy")[number % 2]}"]')  # each brings new tables: 40 kB
            time.sleep(0.01)  # as fast as a client may send without being closed for that
            if number % 200 == 0:
                growth = max(growth, own_memory(worker) - before)
                max_threads = max(max_threads, worker.num_threads() - threads)
    assert growth < MAX_GROWTH_BYTES
    assert max_threads <= 4  # of the connection itself
    assert bystander.call("frame", smile(scene))["faces"]


def test_clients_that_keep_answered_connections_open_do_not_delay_others(small):
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        # If the server waited for each of them in turn, it would be blocked for minutes.
        for _ in range(120):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=TIMEOUT_SECONDS))
            client.sendall(request)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert get(small, "/healthz")[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0"], ids=["nothing", "half a head"])
def test_clients_that_send_no_complete_request_do_not_delay_others(small, sent):
    with ExitStack() as stack:
        for _ in range(60 if sent else CONNECTIONS):  # more than the server has threads
            client = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=TIMEOUT_SECONDS))
            client.sendall(sent)
        assert get(small, "/healthz")[0] == 200
        with suppress(ConnectionError):
            assert client.recv(4096) == b""  # the server closes them in the end


def test_five_hundred_connections_of_one_address_leave_room_for_others(small, bystander, scene):
    worker = worker_of(small)
    with ExitStack() as stack:
        accepted, refused = 0, 0
        for _ in range(CONNECTIONS):
            try:
                stack.enter_context(closing(open_websocket(small)))
                accepted += 1
            except (WebSocketBadStatusException, ConnectionError):
                refused += 1
        assert accepted <= MAX_PER_ADDRESS
        assert accepted + refused == CONNECTIONS
        assert worker.num_threads() < 120
        assert get(small, "/healthz")[0] == 200
        assert bystander.call("frame", smile(scene))["faces"]
        with closing(connect(small, "127.0.0.2")) as other:
            other.send('421["choose","sad"]')
            while not receive_text(other).startswith("431"):
                pass


def test_slots_are_free_again_after_connections_have_ended(small):
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(MAX_PER_ADDRESS):
                stack.enter_context(closing(connect_when_free(small, "127.0.0.4")))


def test_repeated_connecting_and_disconnecting_leaks_no_threads_or_files(small, bystander, scene):
    worker = worker_of(small)
    threads, files, connected_count = worker.num_threads(), worker.num_fds(), 0
    for _ in range(CONNECTIONS):
        with suppress(WebSocketBadStatusException), closing(open_websocket(small, "127.0.0.7")):
            connected_count += 1
    with closing(connect_when_free(small, "127.0.0.7")):
        assert worker.num_threads() - threads <= 2 * MAX_PER_ADDRESS  # those whose end the server has not noticed yet
        assert worker.num_fds() - files <= MAX_PER_ADDRESS
    assert connected_count > CONNECTIONS / 2
    assert bystander.call("frame", smile(scene))["faces"]


def test_a_connection_is_pinged_while_it_answers_and_then_closed():
    app = Flask(__name__)
    site = SocketIO(app, async_mode="threading", ping_interval=0.2, ping_timeout=0.4)
    limit_connections(app, site, 10, 10, pytest.fail)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    with serving_in_thread(server), closing(create_connection(url, class_=Client, timeout=TIMEOUT_SECONDS)) as client:
        assert receive_text(client).startswith("0{")
        for _ in range(5):
            assert receive_text(client) == "2"
            client.send("3")
        assert receive_text(client) == "2"
        with pytest.raises(WebSocketConnectionClosedException):
            receive_text(client)


INVALID_PACKETS = [
    "9", "42", "4x", "451000-[1]", '451-["frame"', "4" + "[" * 20_000, "3 " + "[" * 20_000,  # invalid for Engine.IO, too
    "49", "43[]", '44{"message":"no"}', '42["disconnect"]', '42["connect",{}]', '450-["frame"]', '421-["frame"]',
    '40{"token":"\\ud800"}x',
]  # fmt: skip


@pytest.mark.parametrize("content", INVALID_PACKETS, ids=lambda content: content[:12])
def test_an_invalid_packet_closes_that_connection_without_a_traceback(small, bystander, scene, content):
    with closing(connect_when_free(small, "127.0.0.6")) as client:
        client.send(content)
        client.send("4not a packet either")
        with suppress(WebSocketConnectionClosedException, ConnectionError):
            while client.recv():
                pass
    assert "Traceback" not in small.log.read_text()
    assert bystander.call("frame", smile(scene))["faces"]


@pytest.mark.parametrize("attachment", [b"", b"a frame"])
@pytest.mark.parametrize("placeholder", ["7", '"x"', "null"])
def test_an_attachment_with_an_invalid_placeholder_closes_that_connection_without_a_traceback(
    small, bystander, scene, attachment, placeholder
):
    with closing(connect_when_free(small, "127.0.0.6")) as client:
        client.send(f'451-["frame",{{"_placeholder":true,"num":{placeholder}}}]')
        with suppress(WebSocketConnectionClosedException, ConnectionError):
            client.send_binary(attachment)
            client.send_binary(attachment)
            while client.recv():
                pass
    assert "Traceback" not in small.log.read_text()
    assert bystander.call("frame", smile(scene))["faces"]


@pytest.mark.parametrize(
    "content",
    [*(content.encode() for content in INVALID_PACKETS), b"", b"\xff", b"d=4", b"b!", b"3\x1e", b"\x1e".join([b"3"] * 17)],
    ids=lambda content: repr(content[:12]),
)
def test_an_invalid_polled_payload_is_refused_without_a_traceback(small, bystander, scene, content):
    assert post_polled(small, "127.0.0.9", *admitted(small), content) == 400
    assert "Traceback" not in small.log.read_text()
    assert bystander.call("frame", smile(scene))["faces"]


def test_a_valid_polled_payload_is_accepted(small, scene):
    frame = b'451-["frame",{"_placeholder":true,"num":0}]\x1eb' + base64.b64encode(smile(scene))
    assert post_polled(small, "127.0.0.9", *admitted(small), b"3") == 200
    assert post_polled(small, "127.0.0.9", *admitted(small), b"1") == 200  # closes twice
    assert post_polled(small, "127.0.0.9", *admitted(small), frame) == 200
    assert "Traceback" not in small.log.read_text()


def test_two_payloads_and_an_unencodable_token_are_refused_without_a_traceback(small, bystander):
    assert "one payload" in bystander.call("choose", ("sad", "happy"))["error"]
    headers, _ = admitted(small)
    with closing(open_websocket(small, headers=headers)) as client:
        client.send('40{"token":"\\ud800"}')
        while not (answer := receive_text(client)).startswith("44"):
            pass
    assert "could not verify that this page is its own" in answer
    assert "Traceback" not in small.log.read_text()


def test_polling_clients_have_the_same_limits(small, bystander, scene):
    statuses = []
    for _ in range(2 * MAX_PER_ADDRESS):
        with closing(
            HTTPConnection("127.0.0.1", small.port, timeout=TIMEOUT_SECONDS, source_address=("127.0.0.3", 0))
        ) as client:
            client.request("GET", "/socket.io/?EIO=4&transport=polling")
            statuses.append(client.getresponse().status)
    assert statuses == [200] * MAX_PER_ADDRESS + [503] * MAX_PER_ADDRESS
    assert bystander.call("frame", smile(scene))["faces"]


def test_messages_of_a_client_are_handled_in_order(hosted):
    with closing(connect(hosted)) as client:
        for number in range(50):
            client.send(f'42{number}["choose","{("sad", "happy")[number % 2]}"]')
        acknowledged: list[int] = []
        while len(acknowledged) < 50:
            message = receive_text(client)
            if message.startswith("43"):
                acknowledged.append(int(message[2 : message.index("[")]))
        assert acknowledged == list(range(50))


@pytest.mark.parametrize("reads_late", [False, True])
def test_a_slow_client_receives_everything_complete_and_in_order(reads_late):
    app, sent = Flask(__name__), threading.Event()
    site = SocketIO(app, async_mode="threading")
    limit_connections(app, site, 10, 10, pytest.fail)
    # Some are larger than the system's send buffer; the queue may hold all of them.
    contents = ["é" * (100_000 if number % 5 == 0 else 2_000) for number in range(MAX_QUEUED_PACKETS - 4)]

    def begin() -> None:
        for number, content in enumerate(contents):
            site.emit("part", {"number": number, "content": content})
        sent.set()

    site.on_event("begin", begin)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with serving_in_thread(server), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.connect(("127.0.0.1", server.port))
        url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
        with closing(create_connection(url, class_=Client, socket=connection, timeout=TIMEOUT_SECONDS)) as client:
            client.send("40")
            client.send('421["begin"]')
            if reads_late:
                assert sent.wait(TIMEOUT_SECONDS)
            received = [receive_text(client) for _ in range(len(contents) + 3)]  # 2 handshakes, 1 acknowledgement
    parts = [json.loads(message[2:])[1] for message in received if message.startswith('42["part"')]
    assert [part["number"] for part in parts] == list(range(len(contents)))
    assert all(part["content"] == content for part, content in zip(parts, contents, strict=True))


@contextmanager
def serving_in_thread(server: BaseWSGIServer) -> Iterator[None]:
    """Run a server in a thread."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    "content", [b"\x83\x80\x00\x00\x00\x00", b"\xff" * 40, frame_header(1, 2, final=True) + b"\xff\xfe"]
)
def test_an_invalid_websocket_frame_closes_that_connection_only(small, bystander, scene, content):
    with closing(connect_when_free(small, "127.0.0.5")) as client:
        raw_socket(client).sendall(content)
        while raw_socket(client).recv(4096):
            pass
    assert bystander.call("frame", smile(scene))["faces"]
