"""Private hooks of gunicorn, python-engineio and python-socketio: a failing test names the hook that a new version changed.

moodmirror/server/gunicorn_worker.py and moodmirror/server/engineio_adapter.py hold all code that relies on them.
"""

import inspect
import io
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import parse_headers
from importlib.metadata import version
from pathlib import Path
from typing import Any

import engineio
import pytest
import socketio
from engineio.exceptions import EngineIOError, SocketIsClosedError
from engineio.packet import CLOSE, MESSAGE, PING, PONG
from engineio.packet import Packet as EnginePacket
from engineio.payload import Payload
from engineio.socket import Socket
from gunicorn.workers.gthread import ThreadWorker
from socketio.packet import Packet

from moodmirror.server import engineio_adapter
from moodmirror.server.engineio_adapter import EngineSession
from moodmirror.server.packet_validation import StrictPacket
from moodmirror.server.send_queue import SendQueue
from tests.conftest import ROOT, START_SECONDS, free_port

pytestmark = pytest.mark.services

PATIENCE = 30  # seconds
ATTACHMENT_EVENT = '51-["frame",{"_placeholder":true,"num":0}]'
ADAPTERS = {
    "gunicorn": "moodmirror/server/gunicorn_worker.py",
    "python-engineio": "moodmirror/server/engineio_adapter.py",
    "python-socketio": "moodmirror/server/engineio_adapter.py and packet_validation.py",
}


def changed(package: str, hook: str) -> str:
    """Return the message of a failed check: what changed, in which version, and which module to adapt."""
    return f"{package} {version(package)} changed {hook}; adapt {ADAPTERS[package]}"


class RecordingQueue(SendQueue):
    """Records how Engine.IO uses its queue."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        self.calls.append("put None" if item is None else "put packet")
        super().put(item, block, timeout)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        self.calls.append(f"get block={block} timeout={timeout is not None}")
        return super().get(block, timeout)

    def task_done(self) -> None:
        self.calls.append("task_done")
        super().task_done()

    def join(self) -> None:
        self.calls.append("join")
        super().join()


def server_with(**parts: Callable[..., Any]) -> engineio.Server:
    """Return an Engine.IO server with our parts; those not given stay unused."""
    server = engineio.Server(async_mode="threading", monitor_clients=False)
    given: dict[str, Any] = {"create_queue": SendQueue, "create_websocket": pytest.fail, "schedule_ping": pytest.fail}
    engineio_adapter.replace_parts(server, **{**given, **parts})
    return server


class TestEngineIO:
    def test_async_holds_the_factories_of_a_mode(self):
        factories = engineio.Server(async_mode="threading", monitor_clients=False)._async
        assert isinstance(factories, dict), changed("python-engineio", "the type of Server._async")
        expected = {"thread", "queue", "queue_empty", "event", "websocket", "sleep"}
        assert expected <= set(factories), changed("python-engineio", "the keys of Server._async")
        assert factories["queue_empty"] is queue.Empty, changed("python-engineio", 'Server._async["queue_empty"]')

    def test_tasks_are_created_with_target_args_and_kwargs_and_then_started(self):
        results: queue.Queue[tuple[int, int]] = queue.Queue()
        server = server_with()
        server.start_background_task(lambda first, second: results.put((first, second)), 1, second=2)
        assert results.get(timeout=PATIENCE) == (1, 2), changed("python-engineio", "the call of Server._async['thread']")

    def test_a_session_creates_its_queue_by_the_factory(self):
        session = Socket(server_with(), "id")
        assert isinstance(session.queue, SendQueue), changed("python-engineio", 'the use of Server._async["queue"]')

    def test_a_session_has_the_attributes_that_we_read(self):
        session = Socket(server_with(), "id")
        for name in ("sid", "server", "queue", "last_ping", "upgraded", "upgrading", "closing", "closed"):
            assert hasattr(session, name), changed("python-engineio", f"the attribute Socket.{name}")

    def test_a_ping_is_scheduled_as_a_task_that_runs_send_ping_and_again_after_each_pong(self):
        assert hasattr(Socket, "_send_ping"), changed("python-engineio", "the method Socket._send_ping")
        scheduled: list[Socket] = []
        session = Socket(server_with(schedule_ping=scheduled.append), "id")
        session.schedule_ping()
        assert scheduled == [session], changed("python-engineio", "how Socket.schedule_ping starts Socket._send_ping")
        session.receive(EnginePacket(PONG))
        assert scheduled == [session], changed("python-engineio", "that no ping is scheduled while one is pending")
        engineio_adapter.send_ping(session)
        assert session.queue.get(block=False).packet_type == PING, changed("python-engineio", "Socket.send")
        session.receive(EnginePacket(PONG))
        assert scheduled == [session] * 2, changed("python-engineio", "the meaning of Socket.last_ping")

    def test_a_closed_session_gets_no_ping_and_refuses_packets(self):
        session = Socket(server_with(), "id")
        session.close(wait=False, abort=True)
        engineio_adapter.send_ping(session)
        assert [session.queue.get(block=False)] == [None], changed("python-engineio", "the end of the queue, which is None")
        with pytest.raises(SocketIsClosedError):
            session.send(EnginePacket(MESSAGE, "text"))
        assert issubclass(SocketIsClosedError, EngineIOError), changed("python-engineio", "the base of SocketIsClosedError")

    def test_the_websocket_factory_is_called_with_the_sessions_bound_handler(self):
        handlers: list[Any] = []

        def create_websocket(handler: Any) -> Callable[..., str]:
            handlers.append(handler)
            return lambda environ, start_response: "served"

        session = Socket(server_with(create_websocket=create_websocket), "id")
        environ = {"HTTP_CONNECTION": "Upgrade", "HTTP_UPGRADE": "websocket"}
        assert session.handle_get_request(environ, pytest.fail) == "served", changed(
            "python-engineio", "the WebSocket's call"
        )
        [handler] = handlers
        assert handler.__self__ is session, changed("python-engineio", "the handler that a WebSocket gets")
        assert EngineSession(handler).queue is session.queue

    def test_a_session_sends_over_the_websocket_once_it_is_upgraded_and_ends_with_it(self):
        server = server_with(create_queue=RecordingQueue)
        session = Socket(server, "id")
        server.sockets["id"] = session
        adapter = EngineSession(session._websocket_handler)
        states: list[bool | str] = []
        sent: list[str] = []

        class FakeWebSocket:
            def wait(self) -> None:
                states.append(adapter.sends_over_websocket)

            def send(self, content: str) -> None:
                sent.append(content)

            def close(self) -> None:
                states.append("closed")

        assert not adapter.sends_over_websocket, changed("python-engineio", "Socket.upgraded before the handshake")
        session.send(EnginePacket(MESSAGE, "text"))
        session._websocket_handler(FakeWebSocket())
        assert states == [True, "closed"], changed("python-engineio", "the order of upgrade, wait and close")
        assert sent == ["4text"], changed("python-engineio", "how the writer sends packets")
        calls = [call for call in session.queue.calls if call.startswith("get")]
        assert calls[:2] == ["get block=True timeout=True", "get block=False timeout=False"], changed(
            "python-engineio", "how Socket.poll waits for the first packet and then takes the others"
        )
        assert session.queue.calls.count("put None") >= 1, changed("python-engineio", "the end of the writer by None")
        assert session.queue.calls.count("task_done") >= 2, changed("python-engineio", "Queue.task_done after each packet")
        assert session.closed, changed("python-engineio", "Socket.closed after the WebSocket")
        adapter.discard_if_closed()
        assert server.sockets == {}, changed("python-engineio", "Server.sockets")

    def test_closing_a_session_queues_the_close_packet_then_the_end_and_joins_the_queue(self):
        session = Socket(server_with(create_queue=RecordingQueue), "id")
        session.queue.join = lambda: session.queue.calls.append("join")
        session.close()
        assert session.queue.get(block=False).packet_type == CLOSE
        assert session.queue.calls[:3] == ["put packet", "put None", "join"], changed("python-engineio", "Socket.close")

    def test_a_post_to_a_session_that_has_ended_raises_key_error(self):
        server = server_with()
        session = server.sockets["id"] = Socket(server, "id")
        session.close(wait=False, abort=True)
        environ = {"REQUEST_METHOD": "POST", "QUERY_STRING": "EIO=4&sid=id", "wsgi.input": io.BytesIO()}
        with pytest.raises(KeyError):
            server.handle_request(environ, pytest.fail)

    def test_a_payload_holds_a_limited_number_of_packets(self):
        assert isinstance(Payload.max_decode_packets, int), changed("python-engineio", "Payload.max_decode_packets")
        Payload(encoded_payload="\x1e".join(["3"] * Payload.max_decode_packets))
        with pytest.raises(ValueError, match="packets"):
            Payload(encoded_payload="\x1e".join(["3"] * (Payload.max_decode_packets + 1)))


class TestSocketIO:
    def test_a_packet_is_decoded_by_its_constructor_and_completed_by_its_attachment(self):
        assert "encoded_packet" in inspect.signature(Packet.__init__).parameters, changed(
            "python-socketio", "Packet.__init__"
        )
        for packet_class in (Packet, StrictPacket):
            packet = packet_class(encoded_packet=ATTACHMENT_EVENT)
            assert packet.attachment_count == 1, changed("python-socketio", "the return value of Packet.decode")
            assert packet.add_attachment(b"jpeg") is True, changed("python-socketio", "Packet.add_attachment")
            assert packet.data == ["frame", b"jpeg"], changed("python-socketio", "Packet.data")

    def test_the_server_handles_messages_through_the_handler_that_we_wrap(self):
        server = socketio.Server(async_mode="threading", monitor_clients=False, serializer=StrictPacket)
        assert server.packet_class is StrictPacket, changed("python-socketio", "the option serializer")
        assert "message" in server.eio.handlers, changed("python-socketio", 'Server.eio.handlers["message"]')
        malformed: list[str] = []
        engineio_adapter.on_malformed_message(server.eio, malformed.append)
        session = server.eio.sockets["id"] = Socket(server.eio, "id")
        session.receive(EnginePacket(MESSAGE, "9"))
        assert malformed == ["id"], changed("python-socketio", 'the call of Server.eio.handlers["message"]')
        session.receive(EnginePacket(MESSAGE, ATTACHMENT_EVENT))  # of a client that is not connected
        assert malformed == ["id"] * 2, changed("python-socketio", f"the error {engineio_adapter.UNEXPECTED_ATTACHMENT!r}")

    def test_the_server_keeps_the_environ_of_every_session(self):
        server = socketio.Server(async_mode="threading", monitor_clients=False)
        engineio_adapter.replace_parts(
            server.eio, create_queue=SendQueue, create_websocket=EngineSession, schedule_ping=lambda session: None
        )
        environ = {"REQUEST_METHOD": "GET", "QUERY_STRING": "EIO=4&transport=polling", "REMOTE_ADDR": "203.0.113.7"}
        server.handle_request(environ, lambda *_: None)
        assert engineio_adapter.session_addresses(server) == ["203.0.113.7"], changed("python-socketio", "Server.environ")


SIGNATURES = {
    "init_process": ["self"],
    "enqueue_req": ["self", "conn"],
    "handle": ["self", "conn"],
    "handle_request": ["self", "req", "conn"],
    "finish_request": ["self", "conn", "fs"],
    "murder_pending": ["self"],
    "_cap_keepalive": ["self", "deadline"],
    "accept": ["self", "listener"],
}
# A worker that records the calls of its hooks, and an application that answers on the socket itself at /taken-over.
RECORDER = """
import json, logging, os
from moodmirror.server.client_socket import client_socket, taken_over
from moodmirror.server.gunicorn_worker import Worker

log = open(os.environ["CALLS"], "a", buffering=1)

def record(name, *values):
    log.write(json.dumps([name, *values]) + "\\n")

class RecordingWorker(Worker):
    def enqueue_req(self, conn):
        record("enqueue_req", conn.initialized, conn.data_ready)
        super().enqueue_req(conn)

    def handle(self, conn):
        record("handle", self.nr_conns)
        stays_open = super().handle(conn)
        record("handled", bool(stays_open))
        return stays_open

    def handle_request(self, req, conn):
        answer = super().handle_request(req, conn)
        record("handle_request", req.path, conn.parser.mesg is req)
        return answer

    def finish_request(self, conn, fs):
        record("finish_request", bool(fs.result()))
        super().finish_request(conn, fs)

    def _cap_keepalive(self, deadline):
        record("_cap_keepalive", len(self._reading), len(self.keepalived_conns))
        super()._cap_keepalive(deadline)

def application(environ, start_response):
    record("application", hasattr(client_socket(environ), "settimeout"))
    if environ["PATH_INFO"] == "/taken-over":
        client_socket(environ).sendall(b"raw bytes")
        raise taken_over(environ)
    body = environ["wsgi.input"].read() or b"ok"
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
CONFIGURATION = """
import logging
from moodmirror.server import gunicorn_worker
from recorder import record

control_socket_disable = True
threads = 2

def child_exit(server, worker):
    record("child_exit", len(server.LISTENERS), len(server.WORKERS))
    gunicorn_worker.halt_without_workers(server)

def post_worker_init(worker):
    record("post_worker_init", callable(worker.wsgi), isinstance(worker.log.error_log, logging.Logger))
    gunicorn_worker.close_on_sigterm(worker, lambda application: record("close", callable(application)))
    gunicorn_worker.ignore_write_timeouts(worker)
"""


class RecordedGunicorn:
    """A running gunicorn that records the calls of the hooks."""

    def __init__(self, folder: Path, port: int, process: "subprocess.Popen[bytes]") -> None:
        self.port, self.process, self._folder = port, process, folder

    @property
    def calls(self) -> list[list[Any]]:
        return [json.loads(line) for line in (self._folder / "calls").read_text().splitlines()]

    @property
    def log(self) -> str:
        return (self._folder / "log").read_text()

    def await_call(self, name: str) -> list[Any]:
        deadline = time.monotonic() + START_SECONDS
        while not (found := [call for call in self.calls if call[0] == name]):
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, changed("gunicorn", f"the call of {name}")
            time.sleep(0.02)  # a file of another process sends no event
        return found[0][1:]

    def request(self, path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            with client.makefile("rb") as response:
                return response.read()


@pytest.fixture
def gunicorn(tmp_path) -> Iterator[RecordedGunicorn]:
    with recorded_gunicorn(tmp_path) as server:
        yield server


@contextmanager
def recorded_gunicorn(folder: Path) -> Iterator[RecordedGunicorn]:
    (folder / "recorder.py").write_text(RECORDER)
    (folder / "gunicorn.conf.py").write_text(CONFIGURATION)
    (folder / "calls").touch()
    port = free_port()
    paths = [str(ROOT), str(folder), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    options = ["-b", f"127.0.0.1:{port}", "-k", "recorder.RecordingWorker", "recorder:application"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "CALLS": str(folder / "calls")},
            stdout=log,
            stderr=log,
        )
    server = RecordedGunicorn(folder, port, process)
    try:
        server.await_call("post_worker_init")
        yield server
    finally:
        process.kill()
        process.wait()


def read_response(stream: Any) -> bytes:
    """Read one HTTP response with a Content-Length; return its body."""
    headers = parse_headers(io.BytesIO(b"".join(iter(stream.readline, b"\r\n")).partition(b"\r\n")[2] + b"\r\n"))
    content: bytes = stream.read(int(headers["Content-Length"]))
    return content


class TestGunicorn:
    @pytest.mark.parametrize("method", SIGNATURES)
    def test_the_worker_has_the_methods_that_we_override_or_call(self, method):
        function = getattr(ThreadWorker, method, None)
        assert function, changed("gunicorn", f"ThreadWorker.{method}, which is gone")
        assert list(inspect.signature(function).parameters) == SIGNATURES[method], changed(
            "gunicorn", f"the parameters of ThreadWorker.{method}"
        )

    def test_a_connection_waits_for_its_first_byte_and_is_then_handled(self, gunicorn):
        assert gunicorn.await_call("post_worker_init") == [True, True], changed("gunicorn", "worker.wsgi or worker.log")
        assert gunicorn.request("/").startswith(b"HTTP/1.1 200 OK")
        gunicorn.await_call("finish_request")
        calls = [call for call in gunicorn.calls if call[0] != "post_worker_init"]
        assert calls == [
            ["enqueue_req", False, False],
            ["handle", 1],
            ["application", True],
            ["handle_request", "/", True],
            ["handled", False],
            ["finish_request", False],
        ], changed("gunicorn", "the order of the worker's calls, or the attributes of a connection")

    def test_the_next_request_on_a_connection_is_received_in_the_same_way(self, gunicorn):
        address = ("127.0.0.1", gunicorn.port)
        with socket.create_connection(address, timeout=PATIENCE) as client, client.makefile("rb") as answer:
            first = b"POST /1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody"
            client.sendall(first + b"POST /2 HTTP/1.1\r\nHost: localhost\r\nContent-Le")  # pipelined
            assert read_response(answer) == b"body", changed("gunicorn", "Request.body, which handle_request replaces")
            client.sendall(b"ngth: 5\r\n\r\nothe")
            client.sendall(b"r")
            assert read_response(answer) == b"other", changed("gunicorn", "Parser.unreader or Unreader.take_buffered")
            client.sendall(b"GET /3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_response(answer) == b"ok", changed("gunicorn", "how ThreadWorker keeps connections open")

    def test_an_application_may_answer_on_the_connection_itself(self, gunicorn):
        assert gunicorn.request("/taken-over") == b"raw bytes", changed("gunicorn", 'environ["gunicorn.socket"]')
        assert gunicorn.await_call("handled") == [False], changed("gunicorn", "the result of handle after StopIteration")
        assert "Traceback" not in gunicorn.log, changed("gunicorn", "how an application's StopIteration is handled")

    def test_sigterm_closes_the_application_first_and_then_connections_without_a_request(self, gunicorn):
        with socket.create_connection(("127.0.0.1", gunicorn.port), timeout=PATIENCE):
            gunicorn.await_call("enqueue_req")
            started = time.monotonic()
            gunicorn.process.send_signal(signal.SIGTERM)
            assert gunicorn.process.wait(PATIENCE) == 0, gunicorn.log
            assert time.monotonic() - started < 8, changed("gunicorn", "ThreadWorker._cap_keepalive at shutdown")
        assert ["close", True] in gunicorn.calls, changed("gunicorn", "the signal handler of the worker")
        assert ["_cap_keepalive", 1, 0] in gunicorn.calls, changed("gunicorn", "ThreadWorker.pending_conns")

    def test_gunicorn_ends_after_its_worker_was_killed(self, gunicorn):
        [worker] = Path(f"/proc/{gunicorn.process.pid}/task/{gunicorn.process.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        assert gunicorn.process.wait(PATIENCE) == 1, changed("gunicorn", "HaltServer or the hook child_exit")
        assert ["child_exit", 1, 0] in gunicorn.calls, changed("gunicorn", "Arbiter.LISTENERS or Arbiter.WORKERS")
