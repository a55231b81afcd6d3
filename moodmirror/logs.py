"""Logging: lines for people, or JSON with the request that each line belongs to; never personal data."""

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
VALID_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")  # an id that a proxy in front may have set
UNLOGGED_PATHS: Final = ("/healthz", "/readyz", "/metrics", "/static/")  # frequent and of no interest

_connection: ContextVar[str | None] = ContextVar("connection", default=None)  # whose message is being handled


@contextmanager
def log_connection(sid: str) -> Iterator[None]:
    """Add a Socket.IO connection's id to the log records that are written inside the context."""
    previous = _connection.set(sid)
    try:
        yield
    finally:
        _connection.reset(previous)


class RequestIdFilter(logging.Filter):
    """Adds to each record the id of the request, or of the Socket.IO connection, that it was written for."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add `request_id`, which is None outside of requests."""
        record.request_id = _connection.get() or (g.get("request_id") if has_request_context() else None)
        return True


class ClosedConnectionFilter(logging.Filter):
    """Drops errors which only say that a client had disconnected before it was answered."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to keep a record."""
        return not (record.exc_info and isinstance(record.exc_info[1], SocketIsClosedError))


def logging_config(log_format: str) -> dict[str, Any]:
    """Return the settings for logging.config.dictConfig for a format, ``text`` or ``json``."""
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
        "filters": {"request_id": {"()": RequestIdFilter}, "closed_connection": {"()": ClosedConnectionFilter}},
        "formatters": {log_format: formatters[log_format]},
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": log_format,
                "filters": ["request_id", "closed_connection"],
            }
        },
        "root": {"level": "WARNING", "handlers": ["console"]},
        "loggers": {
            # One line per request only where programs read the log.
            "moodmirror": {"level": "INFO" if log_format == "json" else "WARNING"},
            # Without a level, these libraries add handlers of their own.
            "engineio.server": {"level": "ERROR", "handlers": []},
            "socketio.server": {"level": "ERROR", "handlers": []},
            "gunicorn.error": {"level": "INFO", "propagate": False, "handlers": ["console"]},
            "gunicorn.access": {"level": "WARNING", "propagate": False, "handlers": ["console"]},
        },
    }


def log_requests(app: Flask, metrics: Metrics) -> None:
    """Give each request an id, return it in a header, time the request, and log method, path, status and milliseconds.

    The path is that of the route: a URL may hold whatever somebody typed, and a query string a wish in their own words.
    Client addresses and user agents are not logged.
    """

    def start() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if VALID_ID.fullmatch(given) else secrets.token_hex(8)
        g.started = time.perf_counter()

    def finish(response: Response) -> Response:
        if "request_id" in g:
            seconds = time.perf_counter() - g.started
            metrics.requests.labels(request.endpoint or "none", str(response.status_code)).observe(seconds)
            response.headers[HEADER] = g.request_id
            if not request.path.startswith(UNLOGGED_PATHS):
                fields = {
                    "method": request.method,
                    "path": request.url_rule.rule if request.url_rule else None,
                    "status": response.status_code,
                    "milliseconds": round(1000 * seconds, 1),
                }
                LOGGER.info("request", extra=fields)
        return response

    app.before_request(start)
    app.after_request(finish)
