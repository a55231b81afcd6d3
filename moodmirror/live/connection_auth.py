"""Who may hold a live connection, and how much they may say over it.

Who connects shows a token that only the site's own page can have got, for the visitor whom the cookie names: a page of
another site can have its visitor's browser send the cookie, but reads no answer. Who sends no Origin needs it as well.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from flask import Blueprint, Flask, Response, current_app, jsonify, request
from flask_socketio import ConnectionRefusedError
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.exceptions import SecurityError
from werkzeug.sansio.utils import get_host

from moodmirror.config import Config
from moodmirror.request_origin import is_own_origin, trusted_hosts
from moodmirror.visitor_identity import address_key, greet_visitor, visitor_id

TOKEN_SECONDS: Final = 300  # from when a page fetches it to when it connects: a slow telephone's handshake is over by then
CONNECTS_OF_VISITOR: Final = parse("30 per minute")
CONNECTS_OF_ADDRESS: Final = parse("120 per minute")
OPEN_OF_VISITOR: Final = 12  # windows at once
# A page says ten frames, four packets of sound and a few words a second; two may be open, and a stalled network catches up.
SAID_OF_VISITOR: Final = (40.0, 80.0)  # a second, and at once
SAID_OF_ADDRESS: Final = (400.0, 800.0)
NOT_OURS: Final = (
    "This page could not show that it is the mirror's own. Reload it; if that doesn't help, allow this site to keep its "
    "cookie."
)
TOO_OFTEN: Final = (
    "These are more connections than one visitor may open. Close other windows of the mirror, or wait a minute."
)
TOO_FAST: Final = "That is faster than the mirror can follow. Wait a moment."

SOON: Final = 5  # seconds: the cookie may just have been changed, and the next connection goes with the new one

bp = Blueprint("door", __name__)


@bp.get("/token")
def token() -> Response:
    """What the page shows when it connects."""
    answer = jsonify(token=_serializer(current_app).dumps(greet_visitor()))
    answer.headers["Cache-Control"] = "no-store"
    return answer


class Bucket:
    """An allowance that fills as time passes and is used up by what is said."""

    def __init__(self, a_second: float, at_once: float, clock: Callable[[], float]) -> None:
        self._a_second, self._at_once, self._clock = a_second, at_once, clock
        self._left, self._at = at_once, clock()

    def take(self) -> bool:
        """Use up one, if there is one left."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._a_second, self._at_once)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Door:
    """The door of one site. Its counts are this process's own: a visitor's connections all come to the same one."""

    def __init__(self, app: Flask, config: Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._serializer = _serializer(app)
        self._trusted_hosts = trusted_hosts(config)
        self._limited = config.rate_limits
        self._clock = clock
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._lock = threading.Lock()
        self._guests: dict[str, tuple[str, str]] = {}  # whom each connection counts for: its visitor and its address
        self._open: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}

    def enter(self, sid: str, auth: Any) -> None:
        """Let the connection of the present request in.

        Raises ConnectionRefusedError: words for the visitor, and after how many seconds to try again.
        """
        self._check(auth)
        visitor, address = f"visitor {visitor_id()}", address_key()
        with self._lock:
            if self._limited and not (
                self._open[visitor] < OPEN_OF_VISITOR
                and self._limiter.hit(CONNECTS_OF_VISITOR, visitor)
                and self._limiter.hit(CONNECTS_OF_ADDRESS, address)
            ):
                raise ConnectionRefusedError(TOO_OFTEN, {"again": 60})
            self._guests[sid] = (visitor, address)
            for key, allowance in ((visitor, SAID_OF_VISITOR), (address, SAID_OF_ADDRESS)):
                self._open[key] += 1
                self._buckets.setdefault(key, Bucket(*allowance, self._clock))

    def leave(self, sid: str) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            for key in self._guests.pop(sid, ()):
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key], self._buckets[key]

    def lets_speak(self, sid: str) -> bool:
        """Whether what a connection says now is not too much, of its visitor and its address."""
        if not self._limited:
            return True
        with self._lock:
            return all(self._buckets[key].take() for key in self._guests.get(sid, ()))

    def _check(self, auth: Any) -> None:
        origin = request.headers.get("Origin")
        shown = auth.get("token") if isinstance(auth, dict) else None
        visitor = visitor_id()
        try:
            get_host(request.scheme, request.headers.get("Host"), request.server, self._trusted_hosts)
            named = self._serializer.loads(shown or "", max_age=TOKEN_SECONDS)
        except (SecurityError, BadSignature, TypeError, ValueError):
            raise ConnectionRefusedError(NOT_OURS, {"again": SOON}) from None
        if visitor is None or named != visitor or not (origin is None or is_own_origin(origin, request.environ)):
            raise ConnectionRefusedError(NOT_OURS, {"again": SOON})


def _serializer(app: Flask) -> URLSafeTimedSerializer:
    assert app.secret_key is not None
    return URLSafeTimedSerializer(app.secret_key, salt="moodmirror.door")
