"""The connections under Socket.IO, bounded: what one client sends, leaves unread or opens costs so much and no more.

Flask-SocketIO's own connections hold whatever comes before anybody looks at it, queue without end what a client does not
take, and start a thread for each message and each ping. Here a message over the limit ends its connection while it arrives,
a client that takes nothing is let go of, each connection reads its next message when the last one is handled, one thread
sends all pings, and an address may open only so many connections. What is no packet ends its connection, however it came.
:func:`bound` puts all of that under a server.
"""

import base64
import io
import queue
import re
import select
import socket
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, Final
from urllib.parse import parse_qs

import flask
import flask_socketio
from engineio.exceptions import EngineIOError
from engineio.packet import PING
from engineio.packet import Packet as EnginePacket
from engineio.payload import Payload
from engineio.socket import Socket as EngineSocket
from socketio.packet import BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, Request, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from moodmirror.server.lingering_close import linger

PATH: Final = "/socket.io/"
RECEIVED_BYTES: Final = 65_536  # at once: a frame of a browser in one go
# Messages that wait for a client: it gets some ten a second, and the network holds as much again. One that stalls for longer
# connects anew and is told how things stand.
MOST_WAITING: Final = 64
KERNEL_BYTES: Final = 262_144  # that the system holds of what a client does not take: ten sets of tables
FAREWELL_SECONDS: Final = 0.5  # to send what is left to a client that is let go of
RETRY_SECONDS: Final = 10  # after which a client that found no place may ask again

# An Engine.IO packet: its type, and in a message Socket.IO's own type. Engine.IO would take JSON too, as deep as it comes.
ENGINE_PACKET: Final = re.compile(r"4\d|[1-356](?!\s*[\[{\"])")
BETWEEN_PACKETS: Final = "\x1e"  # in what a polling client posts
RESERVED: Final = ("connect", "disconnect")  # what the server calls these events comes in packets of their own

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class MalformedError(ValueError):
    """What came is no Socket.IO packet, or has more attachments than may be."""


class OneAttachment(Packet):  # type: ignore[misc]  # python-socketio has no types
    """A Socket.IO packet of those that a client has reason to send: it connects, disconnects, or tells an event.

    With one attachment at most, a frame or a sound: more would be held until the last has come.
    """

    def __init__(self, *given: Any, encoded_packet: str | bytes | None = None, **named: Any) -> None:
        """As python-socketio's own, which would take nothing at all for an event. Raises MalformedError."""
        if encoded_packet is not None and not encoded_packet:
            raise MalformedError
        super().__init__(*given, encoded_packet=encoded_packet, **named)

    def decode(self, encoded_packet: str | bytes) -> int:
        """Decode a packet; returns how many attachments follow. Raises MalformedError for any other, or no packet."""
        try:
            count = int(super().decode(encoded_packet) or 0)
        except (ValueError, TypeError, RecursionError):
            raise MalformedError from None
        if self.packet_type in (EVENT, BINARY_EVENT):
            named = isinstance(self.data, list) and bool(self.data) and isinstance(self.data[0], str)
            known = named and self.data[0] not in RESERVED
        else:
            known = self.packet_type in (CONNECT, DISCONNECT)
        if not known or count != (self.packet_type == BINARY_EVENT):
            raise MalformedError
        return count

    def add_attachment(self, attachment: str | bytes) -> bool:
        """Put in what was attached; returns true, for then it is whole. Raises MalformedError where it has no place."""
        try:
            return bool(super().add_attachment(attachment))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise MalformedError from None


class Outbox(queue.Queue[Any]):
    """What waits to be sent to one client. Who lets it fill up is let go of, and delays nobody meanwhile.

    While nothing waits, whoever has something to send sends it: to wake the connection's writer for each message takes
    longer than to send it.
    """

    def __init__(self) -> None:
        super().__init__(MOST_WAITING)
        self.let_go: Callable[[], None] = _nothing
        self.send_now: Callable[[Any], bool] = _not_now
        self._reader_waits = False
        self._sent = False  # something, past the queue, since its reader began to wait

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Send a packet, or add it, or None as the end; never blocks."""
        with self.not_full:
            # Its reader comes back for more when all that it took is sent, so nothing is overtaken.
            if self._reader_waits and not self._qsize() and item is not None and self.send_now(item):
                self._sent = True
                return
            full = self._qsize() >= self.maxsize
            if full:
                self.unfinished_tasks -= self._qsize()
                self.queue.clear()
                item = None  # Engine.IO's sign that nothing more comes
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()
        if full:
            self.let_go()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """The next packet; raises queue.Empty if there is none, or nothing was sent for `timeout` seconds."""
        with self.not_empty:
            self._reader_waits = block
            while not self._qsize():
                self._sent = False
                if not block or not (self.not_empty.wait(timeout) or self._qsize() or self._sent):
                    self._reader_waits = False
                    raise queue.Empty
            self._reader_waits = False
            item = self._get()
            self.not_full.notify()
            return item

    def join(self) -> None:
        """Wait for all to be sent, but not for a client that takes nothing."""
        with self.all_tasks_done:
            self.all_tasks_done.wait_for(lambda: not self.unfinished_tasks, FAREWELL_SECONDS)


class WebSocket:
    """A WebSocket (RFC 6455) as Engine.IO asks for one, over the connection that the HTTP server hands on.

    Who waits for the next message reads it: nothing is held before, so the network slows down a client that sends faster
    than it is served. Extensions are declined: a few compressed bytes can stand for many megabytes.
    """

    def __init__(self, handler: Callable[["WebSocket"], Any], server: Any, tell: Callable[[str], None]) -> None:
        """`handler` is the Engine.IO socket's own, to be called with this; `server` the Engine.IO server.

        `tell` is called with ``too_big`` or ``slow`` when the client is let go of for that.
        """
        self._handler = handler
        self._tell = tell
        self._most_bytes: int = server.max_http_buffer_size
        self._silence = server.ping_interval + server.ping_timeout  # seconds: whoever lives answers a ping within them
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._sending = threading.Lock()
        # What is left to send of the message that comes next to send(); None if nothing of it was sent.
        self._begun: bytes | None = None
        self._parts: list[Any] = []
        self._part_bytes = 0
        self._open = False

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Any:
        """Shake hands, and serve the connection until it ends."""
        connection = environ.get("gunicorn.socket") or environ["werkzeug.socket"]
        self._connection: socket.socket = connection
        connection.settimeout(self._silence)
        with suppress(OSError):  # a connection need not be TCP
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        engine_socket = self._handler.__self__  # type: ignore[attr-defined]
        engine_socket.queue.let_go = self._let_go
        engine_socket.queue.send_now = partial(self._send_now, engine_socket)
        try:
            self._shake_hands(environ)
            self._handler(self)
        except (OSError, RemoteProtocolError):
            pass
        finally:
            self._hang_up()
            # What is raised below passes by Engine.IO, which would forget the connection now; it would find half a minute
            # later that it has ended, and the collector even later what refers to each other.
            if engine_socket.closed:
                engine_socket.server.sockets.pop(engine_socket.sid, None)
            engine_socket.queue.let_go, engine_socket.queue.send_now = _nothing, _not_now
        # Both servers take this for a connection that the application has answered itself.
        raise StopIteration if "gunicorn.socket" in environ else ConnectionError

    def wait(self) -> str | bytes | None:
        """The next message; None when the connection has ended, of itself or for a message over the limit."""
        while self._open:
            try:
                for event in self._protocol.events():
                    message = self._take(event)
                    if message is not None:
                        return message
                    if not self._open:
                        return None
                content = self._connection.recv(RECEIVED_BYTES)
                self._protocol.receive_data(content or None)
            except RemoteProtocolError as error:
                self._refuse(CloseReason.PROTOCOL_ERROR, str(error))
            except (OSError, LocalProtocolError):
                self._open = False
        return None

    def send(self, message: str | bytes) -> None:
        """Send a message. Raises OSError if the connection has ended."""
        if not self._open:
            raise OSError("the connection has ended")
        with self._sending:
            content, self._begun = self._begun, None
            self._connection.sendall(self._protocol.send(_event(message)) if content is None else content)

    def close(self) -> None:
        """End the connection."""
        self._close(CloseReason.NORMAL_CLOSURE)
        self._hang_up()

    def _shake_hands(self, environ: dict[str, Any]) -> None:
        headers = [
            (key[5:].replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for key, value in environ.items()
            if key.startswith("HTTP_")
        ]
        self._protocol.initiate_upgrade_connection(headers, environ.get("PATH_INFO", PATH))
        for event in self._protocol.events():
            if isinstance(event, Request):
                self._send(AcceptConnection())
                self._open = True

    def _take(self, event: Event) -> str | bytes | None:
        """The message that an event completes, if it does."""
        match event:
            case TextMessage() | BytesMessage():
                self._parts.append(event.data)
                self._part_bytes += len(event.data)
                if self._part_bytes > self._most_bytes:
                    self._tell("too_big")
                    self._refuse(CloseReason.MESSAGE_TOO_BIG, "The message is too big")
                elif event.message_finished:
                    empty: str | bytes = "" if isinstance(event, TextMessage) else b""
                    message: str | bytes = empty.join(self._parts)
                    self._parts, self._part_bytes = [], 0
                    if isinstance(message, bytes) or ENGINE_PACKET.match(message):
                        return message
                    self._tell("malformed")
                    self._refuse(CloseReason.PROTOCOL_ERROR, "This is no Engine.IO packet")
            case Ping():
                self._send(event.response())
            case CloseConnection():
                self._send(event.response())
                self._open = False
        return None

    def _close(self, code: CloseReason, reason: str = "") -> None:
        if self._open:
            with suppress(OSError, LocalProtocolError):
                self._send(CloseConnection(code, reason))
            self._open = False

    def _refuse(self, code: CloseReason, reason: str) -> None:
        """End the connection for what came, and give the client time to read why."""
        self._close(code, reason)
        linger(self._connection)

    def _send(self, event: Event) -> None:
        with self._sending:
            if self._begun is not None:
                self._connection.sendall(self._begun)
                self._begun = b""
            self._connection.sendall(self._protocol.send(event))

    def _send_now(self, engine_socket: Any, packet: Any) -> bool:
        """Send an Engine.IO packet as far as that needs no waiting; if that is not all, it comes to :meth:`send` too."""
        if (
            not (self._open and engine_socket.upgraded)
            or engine_socket.upgrading
            or not self._sending.acquire(blocking=False)
        ):
            return False
        try:
            if self._begun is not None or not _takes_more(self._connection):
                return False
            content = self._protocol.send(_event(packet.encode()))
            sent = self._connection.send(content)
            if sent < len(content):
                self._begun = content[sent:]
            return sent == len(content)
        except (OSError, LocalProtocolError):
            return False  # the writer meets it too, and ends
        finally:
            self._sending.release()

    def _let_go(self) -> None:
        self._tell("slow")
        self._hang_up()

    def _hang_up(self) -> None:
        """End the connection from whichever thread, whatever the others wait for in it."""
        self._open = False
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


def _nothing() -> None:
    """Let go of nobody: of a connection that is not there, or no more."""


def _not_now(packet: Any) -> bool:
    """Leave a packet to the writer."""
    return False


def _event(message: str | bytes) -> Event:
    return BytesMessage(message) if isinstance(message, bytes) else TextMessage(message)


def _takes_more(connection: socket.socket) -> bool:
    """Whether the system takes something to send at once."""
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(0))


class Pings:
    """Pings to all connections, each when its time has come, from one thread.

    Engine.IO would start a thread for each ping, which sleeps until then, also when its connection has ended meanwhile: who
    connects and leaves, again and again, would leave one behind each time.
    """

    def __init__(self, interval: float, thread: Callable[..., Any]) -> None:
        """`interval`, in seconds, is the time before each; `thread` is what starts all of Engine.IO's other tasks."""
        self._interval = interval
        self._thread = thread
        self._lock = threading.Lock()
        self._started = False
        # As each waits equally long, they are due in the order in which they were asked for.
        self._due: queue.SimpleQueue[tuple[float, weakref.ref[EngineSocket]]] = queue.SimpleQueue()

    def task(self, target: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        """What Engine.IO is to start for `target`: a thread, or where it is a ping, its entry here."""
        if getattr(target, "__func__", None) is EngineSocket._send_ping:
            return SimpleNamespace(start=partial(self._add, target.__self__))  # type: ignore[attr-defined]
        return self._thread(target=target, args=args, kwargs=kwargs)

    def _add(self, connection: EngineSocket) -> None:
        self._due.put((time.monotonic() + self._interval, weakref.ref(connection)))
        with self._lock:
            if not self._started:
                self._started = True
                self._thread(target=self._send).start()

    def _send(self) -> None:
        while True:
            due, reference = self._due.get()
            time.sleep(max(due - time.monotonic(), 0))
            connection = reference()
            if connection is not None and not (connection.closing or connection.closed):
                connection.last_ping = time.time()
                with suppress(EngineIOError):  # it has just ended
                    connection.send(EnginePacket(PING))
            del connection  # or it would be kept until the next is due


class Admission:
    """WSGI middleware: so many Socket.IO connections may be open in all, and so many from one address."""

    def __init__(
        self,
        application: Application,
        most: int,
        most_of_an_address: int,
        sessions: Callable[[], Collection[str]],
        tell: Callable[[str], None],
    ) -> None:
        """`sessions` gives the address of each that is known, polled ones included, which rest between two requests.

        `tell` is called with the reason of each refusal.
        """
        self._application = application
        self._tell = tell
        self._most = most
        self._most_of_an_address = most_of_an_address
        self._sessions = sessions
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many are open."""
        with self._lock:
            return self._open.total()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or refuse it with 503."""
        if not environ.get("PATH_INFO", "").startswith(PATH):
            return self._application(environ, start_response)
        address = environ.get("REMOTE_ADDR", "")
        new = "sid" not in parse_qs(environ.get("QUERY_STRING", ""))
        sessions = self._sessions() if new else ()
        refusal = None
        with self._lock:
            if max(self._open[address], sum(other == address for other in sessions)) >= self._most_of_an_address:
                refusal = "address"
            elif max(self._open.total(), len(sessions)) >= self._most:
                refusal = "connections"
            else:
                self._open[address] += 1
        if refusal:
            self._tell(refusal)
            start_response(
                "503 Service Unavailable",
                [("Content-Type", "text/plain"), ("Retry-After", str(RETRY_SECONDS)), ("Connection", "close")],
            )
            return [b"The mirror has as many connections as it can take. Try again shortly.\n"]
        try:
            return self._application(environ, start_response)
        finally:  # Engine.IO's answers are whole by now, and its WebSockets have ended
            with self._lock:
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]


class Posts:
    """WSGI middleware: what a polling client posts is handed on if it is Engine.IO packets (version 4), else answered 400.

    Engine.IO would write whatever it meets in one that is none into the log, and answer that all is well.
    """

    def __init__(
        self, application: Application, most_bytes: int, end: Callable[[str], None], tell: Callable[[str], None]
    ) -> None:
        """`end` is called with the session that what came was for, `tell` with ``malformed``."""
        self._application = application
        self._most_bytes = most_bytes
        self._end = end
        self._tell = tell

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get("REQUEST_METHOD") != "POST" or not environ.get("PATH_INFO", "").startswith(PATH):
            return self._application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._most_bytes:  # Engine.IO refuses it unread
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(length)
        if not is_payload(body):
            self._tell("malformed")
            for session in parse_qs(environ.get("QUERY_STRING", "")).get("sid", ()):
                self._end(session)
            return self._refuse(start_response, "These are no Engine.IO packets.")
        try:
            return self._application(
                {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response
            )
        except KeyError:  # what Engine.IO raises for a session that has just ended
            return self._refuse(start_response, "This session has ended.")

    @staticmethod
    def _refuse(start_response: StartResponse, why: str) -> Iterable[bytes]:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [why.encode() + b"\n"]


def is_payload(body: bytes) -> bool:
    """Whether a body holds Engine.IO packets as polling clients post them, and each message a Socket.IO packet."""
    try:
        packets = body.decode().split(BETWEEN_PACKETS)
        for packet in packets:
            if packet.startswith("b"):
                base64.b64decode(packet[1:], validate=True)
            elif not ENGINE_PACKET.match(packet):
                return False
            elif packet.startswith("4"):
                OneAttachment(encoded_packet=packet[1:])
    except ValueError:  # no UTF-8, no base 64, or malformed
        return False
    return bool(len(packets) <= Payload.max_decode_packets)


def bound(
    app: flask.Flask, socketio: flask_socketio.SocketIO, most: int, most_of_an_address: int, tell: Callable[[str], None]
) -> Admission:
    """Bound the connections of an app's Socket.IO server in threading mode: so many in all, so many of one address.

    `tell` is called with the reason of each connection that is refused or ended for it.
    """
    engine = socketio.server.eio
    # There is no other way to give Engine.IO a queue, a WebSocket or a thread than the ones of its mode.
    engine._async = {
        **engine._async,
        "queue": Outbox,
        "websocket": partial(WebSocket, tell=tell),
        "thread": Pings(engine.ping_interval, engine._async["thread"]).task,
    }
    take = engine.handlers["message"]

    def take_or_end(sid: str, content: Any) -> None:
        try:
            take(sid, content)
        except ValueError as error:
            # The second is what python-socketio says to a frame of who was just disconnected.
            if not isinstance(error, MalformedError) and str(error) != "Unexpected binary packet":
                raise
            tell("malformed")
            engine.disconnect(sid)

    engine.on("message", take_or_end)
    environs: dict[str, dict[str, Any]] = socketio.server.environ

    def sessions() -> list[str]:
        return [environ.get("REMOTE_ADDR", "") for environ in environs.copy().values()]

    def end(sid: str) -> None:
        engine.start_background_task(engine.disconnect, sid)  # waits for what is left to be polled; the answer need not

    posts = Posts(app.wsgi_app, engine.max_http_buffer_size, end, tell)
    admission = Admission(posts, most, most_of_an_address, sessions, tell)
    app.wsgi_app = admission  # type: ignore[method-assign]
    return admission
