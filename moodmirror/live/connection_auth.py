"""Authentication and rate limits of Socket.IO connections.

A client connects with a token that only the site's own page can obtain, for the visitor whom the cookie names: a page of
another site can make a browser send the cookie, but can't read the response of ``/token``. Clients that send no Origin
header need the token as well.
"""

import threading
from collections import Counter
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask_socketio import ConnectionRefusedError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pydantic import ValidationError
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from moodmirror.config import Config
from moodmirror.cpu_budget import Client, current_client
from moodmirror.live.message_schemas import ConnectAuth, ConnectRefusal
from moodmirror.request_origin import is_own_origin, trusted_hosts
from moodmirror.visitor_identity import ensure_visitor_id, visitor_id

TOKEN_SECONDS: Final = 300  # from GET /token to the connection: enough for the handshake of a slow phone
CONNECTIONS_PER_VISITOR: Final = parse("30 per minute")
CONNECTIONS_PER_ADDRESS: Final = parse("120 per minute")
MAX_OPEN_PER_VISITOR: Final = 12  # browser windows
# A page sends ten frames, four audio packets and a few texts per second; two pages may be open, and after a network stall
# a client catches up. A window of two seconds allows bursts of twice the rate.
MESSAGES_PER_VISITOR: Final = parse("80 per 2 seconds")
MESSAGES_PER_ADDRESS: Final = parse("800 per 2 seconds")
UNAUTHENTICATED: Final = (
    "The server could not verify that this page is its own. Reload the page; if that doesn't help, allow this site to store "
    "its cookie."
)
TOO_MANY_CONNECTIONS: Final = (
    "You have opened too many connections. Close other windows of Mood Mirror, or try again in a minute."
)
TOO_MANY_MESSAGES: Final = "You are sending faster than the server can follow. Wait a moment."
RETRY_SECONDS: Final = 5  # the cookie may just have changed: the next attempt sends the new one
TOO_MANY_CONNECTIONS_RETRY_SECONDS: Final = 60

bp = Blueprint("connection_auth", __name__)


@bp.get("/token")
def token() -> Response:
    """Return the token with which the page connects."""
    response = jsonify(token=_serializer(current_app).dumps(ensure_visitor_id()))
    response.headers["Cache-Control"] = "no-store"
    return response


class ConnectionAuth:
    """Accepts connections and limits their messages, per visitor and per address.

    It counts in this process alone: all connections of a visitor reach the same process.
    """

    def __init__(self, app: Flask, config: Config) -> None:
        self._serializer = _serializer(app)
        self._trusted_hosts = trusted_hosts(config)
        self._limited = config.rate_limits
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}  # by connection
        self._open: Counter[str] = Counter()

    def accept(self, sid: str, auth: Any) -> None:
        """Authenticate and count the connection of the current request.

        Raises ConnectionRefusedError with a message for the user, and the seconds after which to try again.
        """
        self._authenticate(auth)
        client = current_client()
        assert client.visitor is not None
        with self._lock:
            if self._limited and not (
                self._open[client.visitor] < MAX_OPEN_PER_VISITOR
                and self._limiter.hit(CONNECTIONS_PER_VISITOR, client.visitor)
                and self._limiter.hit(CONNECTIONS_PER_ADDRESS, client.address)
            ):
                raise _refusal(TOO_MANY_CONNECTIONS, TOO_MANY_CONNECTIONS_RETRY_SECONDS)
            self._clients[sid] = client
            self._open.update((client.visitor, client.address))

    def release(self, sid: str) -> None:
        """Delete what is stored of a closed connection, and its message counts with the last of its visitor or address."""
        with self._lock:
            for limit, key in _message_limits(self._clients.pop(sid, None)):
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
                    self._limiter.clear(limit, key)

    def allows_message(self, sid: str) -> bool:
        """Count a message; return whether it is within the limits of its visitor and its address."""
        if not self._limited:
            return True
        with self._lock:
            return all(self._limiter.hit(limit, key) for limit, key in _message_limits(self._clients.get(sid)))

    def _authenticate(self, auth: Any) -> None:
        origin, visitor = request.headers.get("Origin"), visitor_id()
        try:
            get_host(request.scheme, request.headers.get("Host"), request.server, self._trusted_hosts)
            signed = ConnectAuth.model_validate(auth).token
            token_visitor = self._serializer.loads(signed, max_age=TOKEN_SECONDS)
        except (SecurityError, ValidationError, BadSignature, TypeError, ValueError):
            raise _refusal(UNAUTHENTICATED, RETRY_SECONDS) from None
        if visitor is None or token_visitor != visitor or not (origin is None or is_own_origin(origin, request.environ)):
            raise _refusal(UNAUTHENTICATED, RETRY_SECONDS)


def _message_limits(client: Client | None) -> list[tuple[RateLimitItem, str]]:
    if client is None or client.visitor is None:
        return []
    return [(MESSAGES_PER_VISITOR, client.visitor), (MESSAGES_PER_ADDRESS, client.address)]


def _refusal(message: str, retry_seconds: int) -> ConnectionRefusedError:
    return ConnectionRefusedError(message, ConnectRefusal(again=retry_seconds).model_dump())


def _serializer(app: Flask) -> URLSafeTimedSerializer:
    assert app.secret_key is not None
    return URLSafeTimedSerializer(app.secret_key, salt="moodmirror.door")  # the salt of tokens that pages may hold already
