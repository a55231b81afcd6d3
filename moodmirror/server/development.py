"""Serve the site for development, with Werkzeug's server."""

import logging
import logging.config
import signal
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_socketio import SocketIO

from moodmirror.config import Config, ConfigError
from moodmirror.logs import logging_config
from moodmirror.platforms import protect_memory


def serve(app: Flask, config: Config, start: Callable[[Flask], None], close: Callable[[Flask], None]) -> None:
    """Call `start` with an application, serve it until Ctrl-C or SIGTERM, then call `close` with it."""
    socketio: SocketIO = app.extensions["socketio"]
    try:
        config.require_secret()
    except ConfigError as error:
        sys.exit(f"Mood Mirror can't start: {error}")

    def stop(*_: Any) -> None:
        raise SystemExit(0)

    if config.protect_memory:
        protect_memory()
    signal.signal(signal.SIGTERM, stop)
    logging.config.dictConfig(logging_config(config.log_format))
    # Werkzeug warns against using this server in public, which does not concern someone who tries Mood Mirror at home.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    print(f"Mood Mirror is at http://{config.host}:{config.port}  (press Ctrl-C to stop)", flush=True)
    start(app)
    try:
        socketio.run(app, host=config.host, port=config.port, allow_unsafe_werkzeug=True)
    except KeyboardInterrupt:
        pass
    finally:
        close(app)
