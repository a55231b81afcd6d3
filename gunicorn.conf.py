"""gunicorn's settings: one worker process, with a thread for each open stream and WebSocket and some for requests."""

import os
import sys
from typing import Any

from moodmirror.config import Config, ConfigError
from moodmirror.logs import logging_config
from moodmirror.platforms import protect_memory
from moodmirror.server import gunicorn_worker

os.environ.setdefault("HOST", "0.0.0.0")  # hosting platforms expect it; the application reads it too
try:
    _config = Config.from_environment(os.environ)
    _config.require_secret()
except ConfigError as error:
    sys.exit(f"Mood Mirror can't start: {error}")
if _config.protect_memory:
    protect_memory()

wsgi_app = "app:app"
bind = f"{_config.host}:{_config.port}"
worker_class = "moodmirror.server.gunicorn_worker.Worker"
workers = 1  # the camera, the models and the visitors' moods live in one process; with REDIS_URL run several gunicorns
threads = _config.server_threads
preload_app = False  # OpenCV and LiteRT do not survive a fork
graceful_timeout = 8  # seconds for requests in progress, after streams and WebSockets were ended
timeout = 60
logconfig_dict = logging_config(_config.log_format)
forwarded_allow_ips = ""  # the application itself reads X-Forwarded-* headers, as TRUSTED_PROXIES says
control_socket_disable = True  # no program manages this server


def child_exit(server: Any, worker: Any) -> None:
    """Stop when the worker was killed and other processes can take over its visitors: the open port would hold them.

    Whatever started this process starts it again, as after any crash.
    """
    if _config.redis_url:
        gunicorn_worker.halt_without_workers(server)


def post_worker_init(worker: Any) -> None:
    """Prepare the worker: no long pauses, and a shutdown that ends streams and WebSockets first."""
    from moodmirror.app_factory import close_app, start_app

    start_app(worker.wsgi)
    gunicorn_worker.freeze_objects()
    gunicorn_worker.close_on_sigterm(worker, close_app)
    gunicorn_worker.ignore_write_timeouts(worker)
