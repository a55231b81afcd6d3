"""Limit the number of open Socket.IO connections, in all and per address."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from moodmirror.server.packet_validation import SOCKETIO_PATH, Application, StartResponse

RETRY_AFTER_SECONDS: Final = 10  # for a client that was refused


class ConnectionLimiter:
    """WSGI middleware: answer 503 to Socket.IO connections over a limit in all, or over a limit per client address."""

    def __init__(
        self,
        application: Application,
        max_connections: int,
        max_per_address: int,
        session_addresses: Callable[[], Collection[str]],
        report: Callable[[str], None],
    ) -> None:
        """`session_addresses` returns the address of every session, also of polling ones between two requests.

        `report` is called with the reason of each refusal: ``connections`` or ``address``.
        """
        self._application = application
        self._report = report
        self._max_connections = max_connections
        self._max_per_address = max_per_address
        self._session_addresses = session_addresses
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()  # requests in progress by address

    @property
    def open_connections(self) -> int:
        """The number of connections that are open now."""
        with self._lock:
            return self._open.total()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, or refuse it with 503."""
        if not environ.get("PATH_INFO", "").startswith(SOCKETIO_PATH):
            return self._application(environ, start_response)
        address = environ.get("REMOTE_ADDR", "")
        is_new = "sid" not in parse_qs(environ.get("QUERY_STRING", ""))
        sessions = self._session_addresses() if is_new else ()
        refusal = None
        with self._lock:
            if max(self._open[address], sum(other == address for other in sessions)) >= self._max_per_address:
                refusal = "address"
            elif max(self._open.total(), len(sessions)) >= self._max_connections:
                refusal = "connections"
            else:
                self._open[address] += 1
        if refusal:
            self._report(refusal)
            start_response(
                "503 Service Unavailable",
                [("Content-Type", "text/plain"), ("Retry-After", str(RETRY_AFTER_SECONDS)), ("Connection", "close")],
            )
            scope = "open from this address" if refusal == "address" else "open"
            return [f"Too many connections are {scope}. Try again in {RETRY_AFTER_SECONDS} s.\n".encode()]
        try:
            return self._application(environ, start_response)
        finally:  # Engine.IO's answers are complete by now, and its WebSockets have ended
            with self._lock:
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]
