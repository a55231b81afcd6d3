"""Bound what one client costs: the messages it sends, the data it does not read, the connections it opens.

Flask-SocketIO's own connections read ahead and queue unread data without limit, and start a thread for each message and each
ping. Here a message over the size limit ends its connection while it arrives, a client that reads nothing is disconnected,
each connection reads its next message after the last one is handled, one thread sends all pings, an address may open a
limited number of connections, a connection that is not used is closed, every frame counts, and malformed data ends its
session on either transport.
"""

from collections.abc import Callable
from typing import Any, Final

import flask
import flask_socketio

from moodmirror.server import engineio_adapter
from moodmirror.server.connection_limits import ConnectionLimiter
from moodmirror.server.connection_timer import ConnectionTimer
from moodmirror.server.packet_validation import PostValidator
from moodmirror.server.send_queue import SendQueue
from moodmirror.server.websocket import WebSocket

CONNECT_SECONDS: Final = 10.0  # from a transport's connection to Socket.IO's CONNECT, which a page sends at once


def limit_connections(
    app: flask.Flask,
    socketio: flask_socketio.SocketIO,
    max_connections: int,
    max_per_address: int,
    report: Callable[[str], None],
    *,
    limit_rate: bool = True,
) -> ConnectionLimiter:
    """Apply all limits to an app's Socket.IO server, which must be in threading mode and use StrictPacket.

    `report` is called with the reason of each connection that is refused or ended. With `limit_rate`, the requests of an
    address are limited, too.
    """
    engine = socketio.server.eio
    idle_timeout_seconds = engine.ping_interval + engine.ping_timeout
    engineio_adapter.replace_parts(
        engine,
        create_queue=SendQueue,
        create_websocket=lambda handler: WebSocket(handler, engine.max_http_buffer_size, idle_timeout_seconds, report),
        schedule_ping=ConnectionTimer("pings", engine.ping_interval, engineio_adapter.send_ping).schedule,
    )

    def end_malformed(sid: str) -> None:
        report("malformed")
        engine.disconnect(sid)

    engineio_adapter.on_malformed_message(engine, end_malformed)

    def end_session(sid: str) -> None:
        # Disconnecting waits until the client has fetched what is queued; the answer to its POST need not.
        engine.start_background_task(engine.disconnect, sid)

    def end_without_connect(session: Any) -> None:
        if not session.closed and not engineio_adapter.has_connected(socketio.server, session):
            report("no_connect")
            end_session(session.sid)

    connect_timer = ConnectionTimer("connect-deadlines", CONNECT_SECONDS, end_without_connect)
    engineio_adapter.on_session_opened(engine, connect_timer.schedule)

    validator = PostValidator(app.wsgi_app, engine.max_http_buffer_size, end_session, report)
    limiter = ConnectionLimiter(
        validator,
        max_connections,
        max_per_address,
        lambda: engineio_adapter.session_addresses(socketio.server),
        report,
        limit_rate=limit_rate,
    )
    app.wsgi_app = limiter  # type: ignore[method-assign]
    return limiter
