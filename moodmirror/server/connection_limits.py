"""Limit the number of open Socket.IO connections, in all and per address, and the requests of clients without WebSockets."""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from moodmirror.server.packet_validation import SOCKETIO_PATH, Application, StartResponse
from moodmirror.visitor_identity import client_network

RETRY_AFTER_SECONDS: Final = 10  # for a client that was refused
# A page whose network blocks WebSockets sends its messages as thirty requests a second: six such pages per address.
REQUESTS_PER_ADDRESS: Final = parse("400 per 2 seconds")


class ConnectionLimiter:
    """WSGI middleware: answer 503 to Socket.IO connections over a limit, in all or per address, 429 to too many requests.

    Addresses count as rate limits count them: an IPv6 network of one customer is one address.
    """

    def __init__(
        self,
        application: Application,
        max_connections: int,
        max_per_address: int,
        session_addresses: Callable[[], Collection[str]],
        report: Callable[[str], None],
        *,
        limit_rate: bool = True,
    ) -> None:
        """`session_addresses` returns the address of every session, also of polling ones between two requests.

        `report` is called with the reason of each refusal: ``connections``, ``address`` or ``too_fast``. With `limit_rate`,
        an address has REQUESTS_PER_ADDRESS.
        """
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if limit_rate else None
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
        address = client_network(environ.get("REMOTE_ADDR", ""))
        if self._limiter and not self._limiter.hit(REQUESTS_PER_ADDRESS, address):
            return self._refuse(start_response, "too_fast", "429 Too Many Requests", "Too many requests.")
        is_new = "sid" not in parse_qs(environ.get("QUERY_STRING", ""))
        sessions = self._session_addresses() if is_new else ()
        refusal = None
        own_sessions = sum(client_network(other) == address for other in sessions)
        with self._lock:
            if max(self._open[address], own_sessions) >= self._max_per_address:
                refusal = "address"
            elif max(self._open.total(), len(sessions)) >= self._max_connections:
                refusal = "connections"
            else:
                self._open[address] += 1
        if refusal:
            scope = "open from this address" if refusal == "address" else "open"
            return self._refuse(start_response, refusal, "503 Service Unavailable", f"Too many connections are {scope}.")
        try:
            return self._application(environ, start_response)
        finally:  # Engine.IO's answers are complete by now, and its WebSockets have ended
            with self._lock:
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]

    def _refuse(self, start_response: StartResponse, reason: str, status: str, detail: str) -> Iterable[bytes]:
        self._report(reason)
        start_response(
            status, [("Content-Type", "text/plain"), ("Retry-After", str(RETRY_AFTER_SECONDS)), ("Connection", "close")]
        )
        return [f"{detail} Try again in {RETRY_AFTER_SECONDS} s.\n".encode()]
