"""The TCP connection under a WSGI request, as gunicorn and Werkzeug expose it."""

import socket
from typing import Any


def client_socket(environ: dict[str, Any]) -> socket.socket | None:
    """Return the connection that a request came over; None under a server that does not expose it."""
    connection: socket.socket | None = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    return connection


def taken_over(environ: dict[str, Any]) -> Exception:
    """Return the exception that an application raises after it has answered on the connection itself.

    Both servers then send nothing more and log no error.
    """
    return StopIteration() if "gunicorn.socket" in environ else ConnectionError()
