"""gunicorn's threaded worker, changed so that slow clients do not delay others; every private hook of gunicorn is here.

tests/test_private_hooks.py checks each hook against the installed version.
"""

import gc
import io
import logging
import math
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

from moodmirror.server.lingering_close import LINGER_SECONDS
from moodmirror.server.request_reader import CONTINUE, Refusal, RequestReader

RECEIVE_BYTES: Final = 262_144  # per read of a connection
# Of all requests that are being received: two uploads of the largest size. The connection that has taken longest is refused.
MAX_BUFFERED_BYTES: Final = 220_000_000
CHECK_SECONDS: Final = 1.0  # between two checks for overdue requests
BUSY_RETRY_SECONDS: Final = 10


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Gives a thread only to requests that have arrived as a whole.

    gunicorn (27) gives a connection a thread when its first byte arrives, and reads the head and the body there, without a
    limit of time: a few dozen clients that send a byte now and then would stop the site. It also closes connections in the
    thread that accepts them, where a client that keeps its end open delays all others by two seconds. Here one thread
    receives all requests and closes all connections, without waiting for any client.
    """

    def init_process(self) -> None:
        """Prepare the connections' bookkeeping, then serve."""
        self._reading: dict[Any, RequestReader] = {}  # by connection, the oldest first
        self._lingering: dict[Any, float] = {}  # connection to the time at which it is closed, in monotonic seconds
        self._idle_deadline = math.inf  # when connections without a request are closed
        self._checked_at = 0.0
        super().init_process()

    def enqueue_req(self, conn: Any) -> None:
        """Receive a connection's next request; hand it to a thread once it is complete."""
        if self.cfg.is_ssl:  # gunicorn's own TLS reads in threads; docs/deployment.md has a proxy do TLS
            super().enqueue_req(conn)
            return
        reader = self._reading[conn] = RequestReader(time.monotonic())
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))
        pipelined = conn.parser.unreader.take_buffered() if conn.parser else b""
        if pipelined:
            self._receive(conn, reader, pipelined)

    def handle(self, conn: Any) -> Any:
        """Answer a connection's request; return gunicorn's own result, which is false to close the connection."""
        reader = getattr(conn, "reader", None)
        if reader is not None:
            conn.data_ready = True
            conn.init()
            conn.parser.unreader.unread(reader.head)
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request, whose body is in memory."""
        reader = getattr(conn, "reader", None)
        if reader is not None and reader.body is not None:
            req.body, reader.body = io.BytesIO(reader.body), None
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep a connection for its next request, or close it so that the client can read the end of the response.

        A connection that is closed while received bytes are unread is reset, and the last data sent is lost (RFC 9112, 9.6).
        """
        conn.reader = None
        if fs.cancelled() or fs.exception() or fs.result():
            super().finish_request(conn, fs)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        """Refuse and close overdue connections; gunicorn calls it after each event, and at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        if now - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = now
        for conn, reader in list(self._reading.items()):
            try:
                idle = reader.is_empty and now >= self._idle_deadline
                if idle or not reader.check_time(now):
                    self._drop(conn)
            except Refusal as refusal:
                self._refuse(conn, refusal)
        for conn, deadline in list(self._lingering.items()):
            if now >= deadline:
                self._close(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """At shutdown, close the port, and connections without a request as early as those kept alive for another one.

        gunicorn leaves the port open until the last request in progress has ended: the kernel would accept connections
        that nobody answers. A proxy sends those that are refused to another process.
        """
        super()._cap_keepalive(deadline)
        self._idle_deadline = deadline
        for listener in self.sockets:
            accepted = -1
            while accepted != self.nr_conns:
                accepted = self.nr_conns
                self.accept(listener)
            listener.close()

    def _on_readable(self, conn: Any, _socket: socket.socket) -> None:
        try:
            data = conn.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._receive(conn, self._reading[conn], data)
        else:
            self._drop(conn)

    def _receive(self, conn: Any, reader: RequestReader, data: bytes) -> None:
        try:
            if reader.receive(data, time.monotonic()):
                conn.sock.send(CONTINUE)
        except Refusal as refusal:
            self._refuse(conn, refusal)
            return
        except OSError:
            self._drop(conn)
            return
        if reader.is_complete:
            self._stop_reading(conn)
            conn.reader = reader
            super().enqueue_req(conn)
        elif sum(each.size for each in self._reading.values()) > MAX_BUFFERED_BYTES:
            oldest = next(each for each, other in self._reading.items() if not other.is_empty)
            detail = f"The server is busy with other uploads. Try again in {BUSY_RETRY_SECONDS} s."
            self._refuse(oldest, Refusal(503, "Service Unavailable", detail, BUSY_RETRY_SECONDS))

    def _stop_reading(self, conn: Any) -> None:
        del self._reading[conn]
        self.poller.unregister(conn.sock)

    def _refuse(self, conn: Any, refusal: Refusal) -> None:
        """Send a refusal, which fits into the kernel's buffer, and close the connection."""
        self._stop_reading(conn)
        with suppress(OSError):
            conn.sock.send(refusal.response)
        self._linger(conn)

    def _drop(self, conn: Any) -> None:
        """Close a connection on which no complete request has arrived."""
        self._stop_reading(conn)
        self.nr_conns -= 1
        conn.close()

    def _linger(self, conn: Any) -> None:
        """Send no more, discard what still arrives, and close the connection once the client has, or after a while."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, EVENT_READ, partial(self._discard, conn))
        except (OSError, ValueError):  # it has ended, or the application has taken it over and closed it
            self.nr_conns -= 1
            conn.close()
            return
        self._lingering[conn] = time.monotonic() + LINGER_SECONDS

    def _discard(self, conn: Any, _socket: socket.socket) -> None:
        try:
            if conn.sock.recv(RECEIVE_BYTES):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close(conn)

    def _close(self, conn: Any) -> None:
        """Close a lingering connection."""
        del self._lingering[conn]
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


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
