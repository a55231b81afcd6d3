"""Serve the site for development, with Werkzeug's server."""

import logging
import logging.config
import signal
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from moodmirror.config import ConfigError
from moodmirror.logs import settings
from moodmirror.services import EXTENSION, Services


def serve(app: Flask, close: Callable[[Flask], None]) -> None:
    """Serve an application until Ctrl-C or SIGTERM, then close it with `close`."""
    site: Services = app.extensions[EXTENSION]
    socketio: SocketIO = app.extensions["socketio"]
    try:
        site.config.require_secret()
    except ConfigError as error:
        sys.exit(f"Mood Mirror can't start: {error}")

    def end(*_: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    logging.config.dictConfig(settings(site.config.log_format))
    # Its warnings are for those who would put this server on the internet; whoever tries the mirror at home need not worry.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    print(f"Mood Mirror is at http://{site.config.host}:{site.config.port}  (Ctrl-C ends it)", flush=True)
    try:
        socketio.run(app, host=site.config.host, port=site.config.port, allow_unsafe_werkzeug=True)
    except KeyboardInterrupt:
        pass
    finally:
        close(app)
