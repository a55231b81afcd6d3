"""gunicorn's worker with threads, in which no client holds up others by being slow: to ask, or to close its connection."""

import socket
import threading
import time
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

from moodmirror.server.lingering_close import linger

FIRST_BYTE_SECONDS: Final = 10.0  # browsers open connections ahead of need; one that stays silent is closed
HEAD_SECONDS: Final = 10.0  # from a request's first byte to the end of its head, which a browser sends at once
LOOK_SECONDS: Final = 1.0  # between two looks for heads that are overdue


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gives a thread only to connections that have sent something, for a while, and ends each in the thread that answered.

    gunicorn (27) has a thread wait five seconds for the first byte of each connection, and for ever for the rest of a head,
    and it ends connections in the one thread that accepts them, where a client that read its answer and kept its end open
    holds up everybody for two seconds. Hundreds of silent connections would so stop the site for a minute.
    """

    def init_process(self) -> None:
        """Start to look after heads, and serve."""
        self._heads: dict[Any, float] = {}  # when connections began to send a head, in monotonic seconds
        threading.Thread(target=self._end_overdue_heads, name="heads", daemon=True).start()
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Have a thread handle a connection, once there is something to read."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + FIRST_BYTE_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:
        """Answer a request; returns what gunicorn's own returns: false when the connection is to be closed."""
        self._heads[conn] = time.monotonic()
        try:
            goes_on = super().handle(conn)
        finally:
            self._heads.pop(conn, None)
        if not goes_on:
            linger(conn.sock)
        return goes_on

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose head has come."""
        self._heads.pop(conn, None)
        return super().handle_request(req, conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """At the end, wait as little for those who have asked nothing yet as for those who might ask again."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _end_overdue_heads(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            for conn, began in self._heads.copy().items():
                if time.monotonic() - began > HEAD_SECONDS:
                    with suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RDWR)
