"""What the log says and how: lines for people, or JSON with the request that each belongs to. Never who asked for what."""

import logging
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from engineio.exceptions import SocketIsClosedError
from flask import Flask, Response, g, has_request_context, request

from moodmirror.metrics import Metrics

LOGGER: Final = logging.getLogger("moodmirror.requests")
HEADER: Final = "X-Request-ID"
KNOWN_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")  # what a proxy in front may have given
QUIET: Final = ("/healthz", "/readyz", "/metrics", "/static/")  # asked for all the time, and no news

_connection: ContextVar[str | None] = ContextVar("connection", default=None)  # whose message is being handled


@contextmanager
def log_connection(sid: str) -> Iterator[None]:
    """Name the live connection in what is logged meanwhile."""
    before = _connection.set(sid)
    try:
        yield
    finally:
        _connection.reset(before)


class RequestId(logging.Filter):
    """Adds to each record the request, or the live connection, that it was written for."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add `request_id`; None outside of requests."""
        record.request_id = _connection.get() or (g.get("request_id") if has_request_context() else None)
        return True


class News(logging.Filter):
    """Keeps what is no news out: that a client had gone before it was answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is news."""
        return not (record.exc_info and isinstance(record.exc_info[1], SocketIsClosedError))


def settings(form: str) -> dict[str, Any]:
    """What logging.config.dictConfig takes for a form, ``text`` or ``json``."""
    formatters = {
        "text": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(levelname)s %(name)s %(message)s %(request_id)s",
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": True,
        },
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": RequestId}, "news": {"()": News}},
        "formatters": {form: formatters[form]},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form, "filters": ["request", "news"]}},
        "root": {"level": "WARNING", "handlers": ["console"]},
        "loggers": {
            # A line for each request only where programs read it.
            "moodmirror": {"level": "INFO" if form == "json" else "WARNING"},
            # Without a level they would make themselves handlers of their own.
            "engineio.server": {"level": "ERROR", "handlers": []},
            "socketio.server": {"level": "ERROR", "handlers": []},
            "gunicorn.error": {"level": "INFO", "propagate": False, "handlers": ["console"]},
            "gunicorn.access": {"level": "WARNING", "propagate": False, "handlers": ["console"]},
        },
    }


def log_requests(app: Flask, metrics: Metrics) -> None:
    """Give each request of an app an id, answer with it, time it, and log method, path, status and milliseconds.

    The path is its rule's: an address may hold whatever somebody typed, a query a wish in their own words. Addresses of
    people and their browsers are left out.
    """

    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if KNOWN_ID.fullmatch(given) else secrets.token_hex(8)
        g.asked_at = time.perf_counter()

    def end(response: Response) -> Response:
        if "request_id" in g:
            seconds = time.perf_counter() - g.asked_at
            metrics.requests.labels(request.endpoint or "none", str(response.status_code)).observe(seconds)
            response.headers[HEADER] = g.request_id
            if not request.path.startswith(QUIET):
                figures = {
                    "method": request.method,
                    "path": request.url_rule.rule if request.url_rule else None,
                    "status": response.status_code,
                    "milliseconds": round(1000 * seconds, 1),
                }
                LOGGER.info("request", extra=figures)
        return response

    app.before_request(begin)
    app.after_request(end)
