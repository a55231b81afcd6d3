"""How gunicorn serves the site: one worker process, a thread for each open stream and socket, and some to spare."""

import gc
import logging
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from gunicorn.errors import HaltServer

from moodmirror.config import Config, ConfigError
from moodmirror.logs import settings

os.environ.setdefault("HOST", "0.0.0.0")  # as a host expects it; the site itself shall know it too
try:
    _config = Config.from_environment(os.environ)
    _config.require_secret()
except ConfigError as problem:
    sys.exit(f"Mood Mirror can't start: {problem}")

wsgi_app = "app:app"
bind = f"{_config.host}:{_config.port}"
worker_class = "moodmirror.server.gunicorn_worker.Worker"
workers = 1  # the camera, the models and the visitors' moods live in one process; with REDIS_URL start it several times
threads = _config.server_threads
preload_app = False  # OpenCV and LiteRT do not survive a fork
graceful_timeout = 8  # seconds for requests in progress, once streams and sockets were told to end
timeout = 60
logconfig_dict = settings(_config.log_format)
forwarded_allow_ips = ""  # what proxies say is taken by the site itself, as TRUSTED_PROXIES tells
control_socket_disable = True  # nothing manages this server from outside


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Whether a log record is news: that a viewer who took no more pictures was let go is not, though gunicorn says so."""
    return not (record.exc_info and isinstance(record.exc_info[1], TimeoutError))


def child_exit(server: Any, worker: Any) -> None:
    """With other processes that can take its visitors, end when the worker was killed: the open port would hold them.

    Whoever started this process starts it anew, as they would after a crash of it all.
    """
    if _config.redis_url and server.LISTENERS and not server.WORKERS:
        raise HaltServer("The worker was killed.", 1)


def post_worker_init(worker: Any) -> None:
    """Spare the worker long pauses, and on SIGTERM end streams and sockets first: they would hold it until it is killed."""
    # The catalogue and the modules stay for ever: to look through them for garbage stops everybody for 0.15 s now and then.
    gc.collect()
    gc.freeze()
    from moodmirror.app_factory import close_app

    end = signal.getsignal(signal.SIGTERM)

    def close_and_end(number: int, frame: FrameType | None) -> None:
        # In a thread of its own: a signal may come while the main thread holds a lock that closing needs.
        threading.Thread(target=close_app, args=(worker.wsgi,), daemon=True).start()
        if callable(end):
            end(number, frame)

    signal.signal(signal.SIGTERM, close_and_end)
    worker.log.error_log.addFilter(_is_worth_telling)
