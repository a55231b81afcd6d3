"""How often one visitor, and one address, may ask for pages and the interface. What is too much is answered with 429."""

import math
import time
from typing import Final

from flask import Flask, request
from flask.blueprints import Blueprint
from flask.typing import ResponseReturnValue
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded

from moodmirror.redis_connection import connection_options
from moodmirror.visitor_identity import address_key, visitor_id
from moodmirror.web.problem_details import on_http_error

# A page asks for little once it is open; a household or an office shares an address.
REQUESTS_OF_VISITOR: Final = "240 per minute"
REQUESTS_OF_ADDRESS: Final = "600 per minute"
# Reading a file takes seconds.
FILES_OF_VISITOR: Final = "30 per minute"
FILES_OF_ADDRESS: Final = "60 per minute"
UNCOUNTED: Final = ("/healthz", "/readyz", "/metrics")  # who watches the server must not be told that it is busy


def limit_requests(app: Flask, files: Blueprint, *, enabled: bool = True, redis_url: str | None = None) -> None:
    """Have a site count requests. `files` is the part that reads files, which may be asked for less often.

    The processes of one site count together in Redis; a process without it, or while it is away, by itself.
    """
    limiter = Limiter(
        address_key,
        app=app,
        application_limits=[
            ApplicationLimit(REQUESTS_OF_ADDRESS),
            ApplicationLimit(REQUESTS_OF_VISITOR, key_function=_visitor_key, exempt_when=_is_unknown),
        ],
        strategy="sliding-window-counter",
        storage_uri=redis_url or "memory://",
        storage_options=connection_options() if redis_url else {},
        in_memory_fallback_enabled=True,
        enabled=enabled,
    )
    limiter.request_filter(lambda: request.path in UNCOUNTED)
    limiter.limit(FILES_OF_ADDRESS)(files)
    limiter.limit(FILES_OF_VISITOR, key_func=_visitor_key, exempt_when=_is_unknown)(files)

    def refuse(error: RateLimitExceeded) -> ResponseReturnValue:
        reached = limiter.current_limit
        error.retry_after = max(math.ceil(reached.reset_at - time.time()), 1) if reached else 60
        error.description = f"That is more than one visitor may ask. Try again in {error.retry_after} s."
        return on_http_error(error)

    app.register_error_handler(RateLimitExceeded, refuse)


def _visitor_key() -> str:
    return f"visitor {visitor_id()}"


def _is_unknown() -> bool:
    return visitor_id() is None
