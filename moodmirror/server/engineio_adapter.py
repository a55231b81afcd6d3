"""Every private hook of python-engineio and python-socketio that this server relies on.

Neither library has a public way to replace the queue, the WebSocket and the ping task of its sessions, or to end a session
whose message can't be decoded. tests/test_private_hooks.py checks each hook against the installed versions.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from engineio.exceptions import EngineIOError
from engineio.packet import PING, Packet
from engineio.socket import Socket

from moodmirror.server.packet_validation import MalformedPacketError

# What python-socketio raises as ValueError for an attachment of a session that was just disconnected.
UNEXPECTED_ATTACHMENT: Final = "Unexpected binary packet"

WebSocketHandler = Callable[[Any], Any]


class EngineSession:
    """The Engine.IO session behind a WebSocket."""

    def __init__(self, handler: WebSocketHandler) -> None:
        """`handler` is the session's bound method that Engine.IO passes to its WebSocket class."""
        self._socket = handler.__self__  # type: ignore[attr-defined]

    @property
    def queue(self) -> Any:
        """The queue of packets to send, made by the session's queue factory."""
        return self._socket.queue

    @property
    def sends_over_websocket(self) -> bool:
        """Whether packets are sent over the WebSocket, not yet or no longer by polling."""
        return bool(self._socket.upgraded and not self._socket.upgrading)

    def discard_if_closed(self) -> None:
        """Delete the session at once if it has ended; Engine.IO would find that out half a minute later."""
        if self._socket.closed:
            self._socket.server.sockets.pop(self._socket.sid, None)


def replace_parts(
    engine: Any,
    *,
    create_queue: Callable[[], Any],
    create_websocket: Callable[[WebSocketHandler], Any],
    schedule_ping: Callable[[Socket], None],
) -> None:
    """Have an Engine.IO server in threading mode create its sessions' queues, WebSockets and pings by these functions."""
    create_thread = engine._async["thread"]

    def create_task(target: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if getattr(target, "__func__", None) is Socket._send_ping:
            return SimpleNamespace(start=partial(schedule_ping, target.__self__))  # type: ignore[attr-defined]
        return create_thread(target=target, args=args, kwargs=kwargs)

    engine._async = {
        **engine._async,
        "queue": create_queue,
        "websocket": lambda handler, server: create_websocket(handler),
        "thread": create_task,
    }


def send_ping(session: Socket) -> None:
    """Send a ping to an Engine.IO session, unless it has ended."""
    if not (session.closing or session.closed):
        session.last_ping = time.time()
        with suppress(EngineIOError):  # it has just ended
            session.send(Packet(PING))


def on_malformed_message(engine: Any, handle_malformed: Callable[[str], None]) -> None:
    """Call `handle_malformed` with the id of each session that sent a message which python-socketio can't decode."""
    handle = engine.handlers["message"]

    def handle_message(sid: str, content: Any) -> None:
        try:
            handle(sid, content)
        except ValueError as error:
            if not isinstance(error, MalformedPacketError) and str(error) != UNEXPECTED_ATTACHMENT:
                raise
            handle_malformed(sid)

    engine.on("message", handle_message)


def on_session_opened(engine: Any, handle_opened: Callable[[Socket], None]) -> None:
    """Call `handle_opened` with each new Engine.IO session."""
    handle = engine.handlers["connect"]

    def handle_connect(sid: str, environ: dict[str, Any]) -> Any:
        answer = handle(sid, environ)
        handle_opened(engine.sockets[sid])
        return answer

    engine.on("connect", handle_connect)


def has_connected(server: Any, session: Socket) -> bool:
    """Return whether the client of an Engine.IO session has connected to a Socket.IO server's default namespace."""
    return server.manager.sid_from_eio_sid(session.sid, "/") is not None


def session_addresses(server: Any) -> list[str]:
    """Return the client address of every session of a Socket.IO server, also of polling ones between two requests."""
    return [environ.get("REMOTE_ADDR", "") for environ in server.environ.copy().values()]
