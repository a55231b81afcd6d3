"""A WebSocket that holds one message at most, over the connection that the HTTP server passes on."""

import selectors
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Message, Ping, Request, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from moodmirror.server.client_socket import client_socket, taken_over
from moodmirror.server.engineio_adapter import EngineSession, WebSocketHandler
from moodmirror.server.lingering_close import linger
from moodmirror.server.packet_validation import ENGINEIO_PACKET, SOCKETIO_PATH, StartResponse

RECEIVE_BYTES: Final = 65_536  # per read: a browser's camera frame in one piece
SEND_BUFFER_BYTES: Final = 262_144  # in the kernel, for data that a client does not read: ten sets of tables
# A page sends ten camera frames and four audio packets a second, each as two WebSocket frames, and more after a stall.
# Frames of every type count: each costs the server a tenth of a millisecond.
FRAMES_PER_SECOND: Final = 400.0
FRAMES_BURST: Final = 1000.0


# poll() where the system has it: select(), which Windows has alone, is limited to 1,024 open files elsewhere.
_Selector: Final[type[selectors.BaseSelector]] = getattr(selectors, "PollSelector", selectors.SelectSelector)


class WebSocket:
    """A WebSocket (RFC 6455) with the interface that Engine.IO expects.

    The thread that waits for the next message reads it: nothing is read ahead, so the network slows down a client that sends
    faster than it is served. Extensions are declined: a few compressed bytes can expand to many megabytes.
    """

    def __init__(
        self,
        handler: WebSocketHandler,
        max_message_bytes: int,
        idle_timeout_seconds: float,
        report: Callable[[str], None],
    ) -> None:
        """`handler` is the Engine.IO session's own and is called with this object.

        A live client answers a ping within `idle_timeout_seconds`. `report` is called with ``too_big``, ``malformed`` or
        ``slow`` when the server ends the connection for that reason.
        """
        self._handler = handler
        self._session = EngineSession(handler)
        self._report = report
        self._max_message_bytes = max_message_bytes
        self._idle_timeout_seconds = idle_timeout_seconds
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._send_lock = threading.Lock()
        # The unsent rest of the message that send() gets next; None if no part of it was sent.
        self._unsent: bytes | None = None
        self._fragments: list[Any] = []
        self._fragment_bytes = 0
        self._frames_allowed = FRAMES_BURST
        self._counted_at = time.monotonic()
        self._open = False

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Any:
        """Accept the WebSocket, and serve the connection until it ends."""
        connection = client_socket(environ)
        assert connection is not None, "the HTTP server does not expose the client's connection"
        self._connection: socket.socket = connection
        connection.settimeout(self._idle_timeout_seconds)
        with suppress(OSError):  # a connection need not be TCP
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        queue = self._session.queue
        queue.attach(self._end_slow_client, self._try_send)
        try:
            self._accept(environ)
            self._handler(self)
        except (OSError, RemoteProtocolError):
            pass
        finally:
            self._shut_down()
            # The exception raised below bypasses Engine.IO's own cleanup.
            self._session.discard_if_closed()
            queue.detach()  # a reference cycle, else left to the garbage collector
        raise taken_over(environ)

    def wait(self) -> str | bytes | None:
        """Return the next message; None when the connection has ended, or was ended for what the client sent."""
        while self._open:
            try:
                for event in self._protocol.events():
                    message = self._handle_event(event) if self._count_frame(event) else None
                    if message is not None:
                        return message
                    if not self._open:
                        return None
                content = self._connection.recv(RECEIVE_BYTES)
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
        with self._send_lock:
            unsent, self._unsent = self._unsent, None
            self._connection.sendall(self._protocol.send(_message_event(message)) if unsent is None else unsent)

    def close(self) -> None:
        """End the connection."""
        self._close(CloseReason.NORMAL_CLOSURE)
        self._shut_down()

    def _accept(self, environ: dict[str, Any]) -> None:
        headers = [
            (key[5:].replace("_", "-").encode("latin-1"), value.encode("latin-1"))
            for key, value in environ.items()
            if key.startswith("HTTP_")
        ]
        self._protocol.initiate_upgrade_connection(headers, environ.get("PATH_INFO", SOCKETIO_PATH))
        for event in self._protocol.events():
            if isinstance(event, Request):
                self._send_event(AcceptConnection())
                self._open = True

    def _count_frame(self, event: Event) -> bool:
        """Count the frame that an event completes; end the connection and return false if there are too many."""
        if isinstance(event, Message) and not event.frame_finished:
            return True
        now = time.monotonic()
        self._frames_allowed = min(self._frames_allowed + (now - self._counted_at) * FRAMES_PER_SECOND, FRAMES_BURST) - 1
        self._counted_at = now
        if self._frames_allowed >= 0:
            return True
        self._report("too_fast")
        self._refuse(CloseReason.POLICY_VIOLATION, f"At most {FRAMES_PER_SECOND:.0f} frames a second are allowed")
        return False

    def _handle_event(self, event: Event) -> str | bytes | None:
        """Handle a protocol event; return the message that it completes, if any."""
        match event:
            case TextMessage() | BytesMessage():
                self._fragments.append(event.data)
                self._fragment_bytes += len(event.data)
                if self._fragment_bytes > self._max_message_bytes:
                    self._report("too_big")
                    self._refuse(CloseReason.MESSAGE_TOO_BIG, f"A message may have {self._max_message_bytes} bytes")
                elif event.message_finished:
                    empty: str | bytes = "" if isinstance(event, TextMessage) else b""
                    message: str | bytes = empty.join(self._fragments)
                    self._fragments, self._fragment_bytes = [], 0
                    if isinstance(message, bytes) or ENGINEIO_PACKET.match(message):
                        return message
                    self._report("malformed")
                    self._refuse(CloseReason.PROTOCOL_ERROR, "A text message must be an Engine.IO packet")
            case Ping():
                self._send_event(event.response())
            case CloseConnection():
                self._send_event(event.response())
                self._open = False
        return None

    def _close(self, code: CloseReason, reason: str = "") -> None:
        if self._open:
            with suppress(OSError, LocalProtocolError):
                self._send_event(CloseConnection(code, reason))
            self._open = False

    def _refuse(self, code: CloseReason, reason: str) -> None:
        """End the connection for what the client sent, and give it time to read the reason."""
        self._close(code, reason)
        linger(self._connection)

    def _send_event(self, event: Event) -> None:
        with self._send_lock:
            if self._unsent is not None:
                self._connection.sendall(self._unsent)
                self._unsent = b""
            self._connection.sendall(self._protocol.send(event))

    def _try_send(self, packet: Any) -> bool:
        """Send as much of an Engine.IO packet as does not block; return false if :meth:`send` must send it, or the rest."""
        if not (self._open and self._session.sends_over_websocket) or not self._send_lock.acquire(blocking=False):
            return False
        try:
            if self._unsent is not None or not _is_writable(self._connection):
                return False
            content = self._protocol.send(_message_event(packet.encode()))
            sent = self._connection.send(content)
            if sent < len(content):
                self._unsent = content[sent:]
            return sent == len(content)
        except (OSError, LocalProtocolError):
            return False  # the writer thread meets the same error, and ends
        finally:
            self._send_lock.release()

    def _end_slow_client(self) -> None:
        self._report("slow")
        self._shut_down()

    def _shut_down(self) -> None:
        """End the connection from any thread, whatever other threads wait for on it."""
        self._open = False
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)


def _message_event(message: str | bytes) -> Event:
    return BytesMessage(message) if isinstance(message, bytes) else TextMessage(message)


def _is_writable(connection: socket.socket) -> bool:
    """Return whether the kernel accepts data to send without blocking."""
    with _Selector() as selector:
        selector.register(connection, selectors.EVENT_WRITE)
        return bool(selector.select(0))
