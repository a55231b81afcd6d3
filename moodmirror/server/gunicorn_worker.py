"""gunicorn's threaded worker, changed so that slow clients do not delay others; every private hook of gunicorn is here.

tests/test_private_hooks.py checks each hook against the installed version.
"""

import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any, Final

from gunicorn.errors import HaltServer
from gunicorn.workers.gthread import ThreadWorker

from moodmirror.server.lingering_close import linger

FIRST_BYTE_SECONDS: Final = 10.0  # browsers open connections ahead of need; one without a request is then closed
HEADERS_SECONDS: Final = 10.0  # from a request's first byte to the end of its headers, which a browser sends at once
CHECK_SECONDS: Final = 1.0  # between two checks for overdue headers


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gives a thread only to connections that have sent data, for a limited time, and closes each in its own thread.

    gunicorn (27) lets a thread wait five seconds for the first byte of each connection, and without limit for the rest of
    the headers. It closes connections in the one thread that accepts them, where a client that keeps its end open delays all
    others by two seconds. Hundreds of silent connections would stop the site for a minute.
    """

    def init_process(self) -> None:
        """Start the thread that closes connections with overdue headers, then serve."""
        self._reading_headers: dict[Any, float] = {}  # connection to the start of its request, in monotonic seconds
        threading.Thread(target=self._close_overdue, name="overdue-headers", daemon=True).start()
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread, once there is data to read."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + FIRST_BYTE_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def handle(self, conn: Any) -> Any:
        """Answer the requests of a connection; return gunicorn's own result, which is false to close the connection."""
        self._reading_headers[conn] = time.monotonic()
        try:
            stays_open = super().handle(conn)
        finally:
            self._reading_headers.pop(conn, None)
        if not stays_open:
            linger(conn.sock)
        return stays_open

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose headers are complete."""
        self._reading_headers.pop(conn, None)
        return super().handle_request(req, conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """At shutdown, close connections without a request as early as those kept alive for another one."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _close_overdue(self) -> None:
        while True:
            time.sleep(CHECK_SECONDS)
            for conn, started in self._reading_headers.copy().items():
                if time.monotonic() - started > HEADERS_SECONDS:
                    with suppress(OSError):
                        conn.sock.shutdown(socket.SHUT_RDWR)


def halt_without_workers(arbiter: Any) -> None:
    """End the whole gunicorn after its last worker was killed, unless it is shutting down."""
    if arbiter.LISTENERS and not arbiter.WORKERS:
        raise HaltServer("The worker process was killed.", 1)


def freeze_objects() -> None:
    """Exempt all objects of now from garbage collection: the catalogue and the modules are never freed.

    Searching them for garbage would stop all threads for 0.15 s now and then.
    """
    gc.collect()
    gc.freeze()


def close_on_sigterm(worker: Any, close: Callable[[Any], None]) -> None:
    """Call `close` with the WSGI application on SIGTERM, before gunicorn waits for open connections."""
    stop = signal.getsignal(signal.SIGTERM)

    def close_and_stop(number: int, frame: FrameType | None) -> None:
        # In its own thread: a signal may arrive while the main thread holds a lock that closing needs.
        threading.Thread(target=close, args=(worker.wsgi,), daemon=True).start()
        if callable(stop):
            stop(number, frame)

    signal.signal(signal.SIGTERM, close_and_stop)


def ignore_write_timeouts(worker: Any) -> None:
    """Keep gunicorn from logging an error for each stream viewer that reads nothing and is disconnected."""
    worker.log.error_log.addFilter(_is_no_timeout)


def _is_no_timeout(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], TimeoutError))
