"""Hostile clients: what they send, leave unread or open costs the server little, and nobody else notices."""

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

PATIENCE = 60  # seconds
FLOOD_BYTES = 100_000_000
PIECE_BYTES = 250_000
MOST_GROWTH = 25_000_000  # bytes of memory: a quarter of the flood, much more than is held, and room for what others do
PER_ADDRESS = 12
MOST_VISITORS = 16
PARKED = 500


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Server]:
    """A server that takes few visitors."""
    log = tmp_path_factory.mktemp("small") / "log"
    with serving(
        log, CAMERA="off", MAX_VISITORS=str(MOST_VISITORS), MAX_PER_ADDRESS=str(PER_ADDRESS), MAX_VIEWERS="1"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def bystander(small, scene) -> Iterator[Visitor]:
    """Somebody from elsewhere whose camera runs meanwhile."""
    with Visitor(small) as visitor:
        assert visitor.call("frame", smile(scene))["faces"]
        yield visitor


def smile(scene) -> bytes:
    return cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()


def worker_of(server: Server) -> psutil.Process:
    [worker] = psutil.Process(server.process.pid).children()
    return worker


class Client(WebSocket):
    """A WebSocket that lets go of its connection in any case."""

    def close(self, *arguments: Any, **options: Any) -> None:
        super().close(*arguments, **options)
        self.shutdown()


def told(client: WebSocket) -> str:
    """The next message, which is a text."""
    message = client.recv()
    assert isinstance(message, str)
    return message


def raw(client: WebSocket) -> socket.socket:
    assert client.sock is not None
    return client.sock


def opened(server: Server, address: str = "127.0.0.1", headers: dict[str, str] | None = None) -> WebSocket:
    """A WebSocket from an address of this machine, greeted by Engine.IO."""
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(PATIENCE)
        connection.bind((address, 0))
        connection.connect(("127.0.0.1", server.port))
        client = create_connection(
            f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket",
            class_=Client,
            socket=connection,
            header=headers,
            timeout=PATIENCE,
        )
        assert told(client).startswith("0{")
        stack.pop_all()
    return client


def connected(server: Server, address: str = "127.0.0.1") -> WebSocket:
    """Likewise, and greeted by Socket.IO."""
    headers, auth = admitted(server)
    client = opened(server, address, headers)
    client.send(f"40{json.dumps(auth)}")
    while not told(client).startswith("40"):
        pass
    return client


def placed(server: Server, address: str) -> WebSocket:
    """Likewise, once the server has seen that former connections have ended."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return connected(server, address)
        except WebSocketBadStatusException:
            assert time.monotonic() < deadline, "no place became free"
            time.sleep(0.05)  # the end of a connection sends us no event


def polled(server: Server, address: str, headers: dict[str, str], auth: dict[str, str], content: bytes) -> int:
    """The status that a client which polls gets for what it posts; it parts afterwards."""
    path = "/socket.io/?EIO=4&transport=polling"
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE, source_address=(address, 0))) as client:

        def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
            client.request(method, path, body, headers)
            answer = client.getresponse()
            return answer.status, answer.read()

        status, greeting = ask("GET", path)
        assert status == 200
        path += f"&sid={json.loads(greeting[1:])['sid']}"
        assert ask("POST", path, b"40" + json.dumps(auth).encode())[0] == 200
        status, _ = ask("POST", path, content)
        assert ask("POST", path, b"1")[0] in (200, 400)
        return status


def close_code(client: WebSocket) -> int:
    """The code of the frame with which the server closes the connection (RFC 6455, 7.4); it is not answered."""
    frame = client.recv_frame()
    while frame.opcode != ABNF.OPCODE_CLOSE:
        frame = client.recv_frame()
    return int(struct.unpack("!H", frame.data[:2])[0])


def header(opcode: int, size: int, final: bool) -> bytes:
    """The beginning of a WebSocket frame of the client's, masked with zeros."""
    return struct.pack("!BBQ4x", opcode | (0x80 if final else 0), 0x80 | 127, size)


def one_message() -> Iterator[bytes]:
    yield header(2, FLOOD_BYTES, final=True)
    for _ in range(FLOOD_BYTES // PIECE_BYTES):
        yield bytes(PIECE_BYTES)


def fragments() -> Iterator[bytes]:
    for number in range(FLOOD_BYTES // PIECE_BYTES):
        yield header(2 if number == 0 else 0, PIECE_BYTES, final=False) + bytes(PIECE_BYTES)


def attachments() -> Iterator[bytes]:
    text = b'451000-["frame",{"_placeholder":true,"num":0}]'
    yield header(1, len(text), final=True) + text
    size = 200_000  # each of them is allowed
    for _ in range(FLOOD_BYTES // size):
        yield header(2, size, final=True) + bytes(size)


@pytest.mark.parametrize("flood", [one_message, fragments, attachments])
def test_a_hundred_megabytes_are_refused_while_they_come(small, bystander, scene, flood):
    worker = worker_of(small)
    before = own_memory(worker)
    held = 0
    with closing(connected(small)) as client:
        sent = 0
        try:
            for piece in flood():
                raw(client).sendall(piece)
                sent += len(piece)
                if sent // PIECE_BYTES % 20 == 0:
                    held = max(held, own_memory(worker) - before)
        except (ConnectionError, TimeoutError):
            pass
        held = max(held, own_memory(worker) - before)
    assert held < MOST_GROWTH
    assert bystander.ask("frame", smile(scene))["faces"]


def test_a_message_over_the_limit_is_told_to_be_too_big(small):
    with closing(connected(small)) as client:
        client.send_binary(bytes(300_000))
        assert close_code(client) == 1009


def test_who_is_still_sending_when_refused_can_read_why(small):
    with closing(connected(small)) as client:
        raw(client).sendall(header(2, 2_000_000, final=True))
        for _ in range(20):  # more than what the network holds: the server must take it for this to end
            raw(client).sendall(bytes(100_000))
        assert close_code(client) == 1009


def test_compression_which_could_hide_megabytes_is_declined(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=PATIENCE) as client:
        client.sendall(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
        )
        answer = client.recv(4096).partition(b"\r\n\r\n")[0].lower()
        assert b" 101 " in answer
        assert b"permessage-deflate" not in answer


def test_who_never_reads_is_let_go_of(small, bystander, scene):
    worker = worker_of(small)
    before, threads = own_memory(worker), worker.num_threads()
    held = most_threads = 0
    with closing(connected(small)) as client, pytest.raises(ConnectionError):  # noqa: PT012
        for number in range(100_000):
            client.send(f'42{number}["choose","bored"]')  # the answer lists what may be chosen
            if number % 200 == 0:
                held = max(held, own_memory(worker) - before)
                most_threads = max(most_threads, worker.num_threads() - threads)
    assert held < MOST_GROWTH
    assert most_threads <= 4  # of the connection itself
    assert bystander.ask("frame", smile(scene))["faces"]


def test_who_keeps_an_answered_connection_open_holds_up_nobody(small):
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with ExitStack() as stack:
        # Waiting for each of them in turn, the server would be busy for minutes.
        for _ in range(120):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=PATIENCE))
            client.sendall(request)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert get(small, "/healthz")[0] == 200


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: 127.0"], ids=["nothing", "half a head"])
def test_who_connect_and_send_no_request_hold_up_nobody(small, sent):
    with ExitStack() as stack:
        for _ in range(60 if sent else PARKED):  # more than there are threads
            client = stack.enter_context(socket.create_connection(("127.0.0.1", small.port), timeout=PATIENCE))
            client.sendall(sent)
        assert get(small, "/healthz")[0] == 200
        with suppress(ConnectionError):
            assert client.recv(4096) == b""  # in the end they are let go of


def test_five_hundred_connections_of_one_address_leave_room_for_others(small, bystander, scene):
    worker = worker_of(small)
    with ExitStack() as stack:
        taken, refused = 0, 0
        for _ in range(PARKED):
            try:
                stack.enter_context(closing(opened(small)))
                taken += 1
            except (WebSocketBadStatusException, ConnectionError):
                refused += 1
        assert taken <= PER_ADDRESS
        assert taken + refused == PARKED
        assert worker.num_threads() < 120
        assert get(small, "/healthz")[0] == 200
        assert bystander.ask("frame", smile(scene))["faces"]
        with closing(connected(small, "127.0.0.2")) as other:
            other.send('421["choose","sad"]')
            while not told(other).startswith("431"):
                pass


def test_places_are_free_again_once_connections_have_ended(small):
    for _ in range(3):
        with ExitStack() as stack:
            for _ in range(PER_ADDRESS):
                stack.enter_context(closing(placed(small, "127.0.0.4")))


def test_who_comes_and_goes_again_and_again_leaves_nothing_behind(small, bystander, scene):
    worker = worker_of(small)
    threads, files, came = worker.num_threads(), worker.num_fds(), 0
    for _ in range(PARKED):
        with suppress(WebSocketBadStatusException), closing(opened(small, "127.0.0.7")):
            came += 1
    with closing(placed(small, "127.0.0.7")):
        assert worker.num_threads() - threads <= 2 * PER_ADDRESS  # of those whose end the server is just seeing
        assert worker.num_fds() - files <= PER_ADDRESS
    assert came > PARKED / 2
    assert bystander.ask("frame", smile(scene))["faces"]


def test_a_connection_is_pinged_for_as_long_as_it_answers_and_then_ended():
    app = Flask(__name__)
    site = SocketIO(app, async_mode="threading", ping_interval=0.2, ping_timeout=0.4)
    limit_connections(app, site, 10, 10, pytest.fail)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    with answering(server), closing(create_connection(url, class_=Client, timeout=PATIENCE)) as client:
        assert told(client).startswith("0{")
        for _ in range(5):
            assert told(client) == "2"
            client.send("3")
        assert told(client) == "2"
        with pytest.raises(WebSocketConnectionClosedException):
            told(client)


NO_PACKETS = [
    "9", "42", "4x", "451000-[1]", '451-["frame"', "4" + "[" * 20_000, "3 " + "[" * 20_000,  # nor Engine.IO's
    "49", "43[]", '44{"message":"no"}', '42["disconnect"]', '42["connect",{}]', '450-["frame"]', '421-["frame"]',
    '40{"token":"\\ud800"}x',
]  # fmt: skip


@pytest.mark.parametrize("content", NO_PACKETS, ids=lambda content: content[:12])
def test_what_is_no_packet_ends_that_connection_and_fills_no_log(small, bystander, scene, content):
    with closing(placed(small, "127.0.0.6")) as client:
        client.send(content)
        client.send("4not a packet either")
        with suppress(WebSocketConnectionClosedException, ConnectionError):
            while client.recv():
                pass
    assert "Traceback" not in small.log.read_text()
    assert bystander.ask("frame", smile(scene))["faces"]


@pytest.mark.parametrize("attachment", [b"", b"a frame"])
@pytest.mark.parametrize("place", ["7", '"x"', "null"])
def test_an_attachment_without_a_place_ends_that_connection_and_fills_no_log(small, bystander, scene, attachment, place):
    with closing(placed(small, "127.0.0.6")) as client:
        client.send(f'451-["frame",{{"_placeholder":true,"num":{place}}}]')
        with suppress(WebSocketConnectionClosedException, ConnectionError):
            client.send_binary(attachment)
            client.send_binary(attachment)
            while client.recv():
                pass
    assert "Traceback" not in small.log.read_text()
    assert bystander.ask("frame", smile(scene))["faces"]


@pytest.mark.parametrize(
    "content",
    [*(content.encode() for content in NO_PACKETS), b"", b"\xff", b"d=4", b"b!", b"3\x1e", b"\x1e".join([b"3"] * 17)],
    ids=lambda content: repr(content[:12]),
)
def test_what_a_polling_client_posts_that_is_no_packet_is_refused_and_fills_no_log(small, bystander, scene, content):
    assert polled(small, "127.0.0.9", *admitted(small), content) == 400
    assert "Traceback" not in small.log.read_text()
    assert bystander.ask("frame", smile(scene))["faces"]


def test_what_a_polling_client_posts_that_is_a_packet_is_taken(small, scene):
    frame = b'451-["frame",{"_placeholder":true,"num":0}]\x1eb' + base64.b64encode(smile(scene))
    assert polled(small, "127.0.0.9", *admitted(small), b"3") == 200
    assert polled(small, "127.0.0.9", *admitted(small), b"1") == 200  # and parts twice
    assert polled(small, "127.0.0.9", *admitted(small), frame) == 200
    assert "Traceback" not in small.log.read_text()


def test_more_values_than_an_event_has_and_a_token_that_is_no_text_are_refused_and_fill_no_log(small, bystander):
    assert "one value" in bystander.ask("choose", ("sad", "happy"))["error"]
    headers, _ = admitted(small)
    with closing(opened(small, headers=headers)) as client:
        client.send('40{"token":"\\ud800"}')
        while not (answer := told(client)).startswith("44"):
            pass
    assert "the mirror's own" in answer
    assert "Traceback" not in small.log.read_text()


def test_who_polls_finds_the_same_limits(small, bystander, scene):
    statuses = []
    for _ in range(2 * PER_ADDRESS):
        with closing(HTTPConnection("127.0.0.1", small.port, timeout=PATIENCE, source_address=("127.0.0.3", 0))) as client:
            client.request("GET", "/socket.io/?EIO=4&transport=polling")
            statuses.append(client.getresponse().status)
    assert statuses == [200] * PER_ADDRESS + [503] * PER_ADDRESS
    assert bystander.ask("frame", smile(scene))["faces"]


def test_messages_are_handled_in_their_order(hosted):
    with closing(connected(hosted)) as client:
        for number in range(50):
            client.send(f'42{number}["choose","{("sad", "happy")[number % 2]}"]')
        answered: list[int] = []
        while len(answered) < 50:
            message = told(client)
            if message.startswith("43"):
                answered.append(int(message[2 : message.index("[")]))
        assert answered == list(range(50))


@pytest.mark.parametrize("waits", [False, True])
def test_what_a_client_is_slow_to_read_comes_whole_and_in_order(waits):
    app, sent = Flask(__name__), threading.Event()
    site = SocketIO(app, async_mode="threading")
    limit_connections(app, site, 10, 10, pytest.fail)
    # Some are more than the system takes at once; all that it holds not at all may wait.
    contents = ["é" * (100_000 if number % 5 == 0 else 2_000) for number in range(MAX_QUEUED_PACKETS - 4)]

    def begin() -> None:
        for number, content in enumerate(contents):
            site.emit("part", {"number": number, "content": content})
        sent.set()

    site.on_event("begin", begin)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with answering(server), socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.connect(("127.0.0.1", server.port))
        url = f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
        with closing(create_connection(url, class_=Client, socket=connection, timeout=PATIENCE)) as client:
            client.send("40")
            client.send('421["begin"]')
            if waits:
                assert sent.wait(PATIENCE)
            came = [told(client) for _ in range(len(contents) + 3)]  # with two greetings, and the answer
    parts = [json.loads(message[2:])[1] for message in came if message.startswith('42["part"')]
    assert [part["number"] for part in parts] == list(range(len(contents)))
    assert all(part["content"] == content for part, content in zip(parts, contents, strict=True))


@contextmanager
def answering(server: BaseWSGIServer) -> Iterator[None]:
    """Have a server answer in a thread meanwhile."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("content", [b"\x83\x80\x00\x00\x00\x00", b"\xff" * 40, header(1, 2, final=True) + b"\xff\xfe"])
def test_what_is_no_websocket_frame_ends_that_connection_alone(small, bystander, scene, content):
    with closing(placed(small, "127.0.0.5")) as client:
        raw(client).sendall(content)
        while raw(client).recv(4096):
            pass
    assert bystander.ask("frame", smile(scene))["faces"]
