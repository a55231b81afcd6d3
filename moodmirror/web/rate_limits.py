"""Limit how many requests one visitor and one address may send; further ones are answered with 429.

Requests that take much CPU time have a budget of it as well (:mod:`moodmirror.cpu_budget`).
"""

import math
import time
from typing import Final

from flask import Flask, request
from flask.typing import ResponseReturnValue
from flask_limiter import ApplicationLimit, Limiter, RateLimitExceeded
from werkzeug.exceptions import TooManyRequests

from moodmirror.cpu_budget import BudgetSpentError
from moodmirror.redis_connection import connection_options
from moodmirror.visitor_identity import address_key, visitor_id
from moodmirror.web.problem_details import on_http_error

# A page sends few requests once it is open; a household or an office shares an address.
REQUESTS_PER_VISITOR: Final = "240 per minute"
REQUESTS_PER_ADDRESS: Final = "600 per minute"
UNLIMITED_PATHS: Final = ("/healthz", "/readyz", "/metrics")  # monitoring must not be refused


def limit_requests(app: Flask, *, enabled: bool = True, redis_url: str | None = None) -> None:
    """Apply the rate limits to an application.

    The processes of one site count together in Redis; without Redis, or while it is unavailable, each counts alone.
    """
    limiter = Limiter(
        address_key,
        app=app,
        application_limits=[
            ApplicationLimit(REQUESTS_PER_ADDRESS),
            ApplicationLimit(REQUESTS_PER_VISITOR, key_function=_visitor_key, exempt_when=_has_no_visitor),
        ],
        strategy="sliding-window-counter",
        storage_uri=redis_url or "memory://",
        storage_options=connection_options() if redis_url else {},
        in_memory_fallback_enabled=True,
        enabled=enabled,
    )
    limiter.request_filter(lambda: request.path in UNLIMITED_PATHS)

    def refuse(error: RateLimitExceeded) -> ResponseReturnValue:
        exceeded = limiter.current_limit
        error.retry_after = max(math.ceil(exceeded.reset_at - time.time()), 1) if exceeded else 60
        error.description = f"Too many requests. Try again in {error.retry_after} s."
        return on_http_error(error)

    def refuse_work(error: BudgetSpentError) -> ResponseReturnValue:
        return on_http_error(TooManyRequests(str(error), retry_after=error.retry_after))

    app.register_error_handler(RateLimitExceeded, refuse)
    app.register_error_handler(BudgetSpentError, refuse_work)


def _visitor_key() -> str:
    return f"visitor {visitor_id()}"


def _has_no_visitor() -> bool:
    return visitor_id() is None
