"""The site. `gunicorn app:app` in production, `python app.py` for development, `flask …` for its commands."""

import logging
import logging.config
import os
import secrets
import signal
import sys
import threading
from typing import Any, Final

import cv2
from flask import Flask
from flask_openapi3 import OpenAPI
from flask_socketio import SocketIO
from socketio import Manager, RedisManager
from threadpoolctl import threadpool_limits
from werkzeug.exceptions import HTTPException

from camera import Camera
from moodmirror.camera_relay import PublishedCamera
from moodmirror.config import Config, ConfigError, kept_secret
from moodmirror.database import Database
from moodmirror.recognition.face import FaceReader
from moodmirror.recognition.frame_decoding import MAX_FRAME_BYTES
from moodmirror.recognition.media import FrameDecoders
from moodmirror.recognition.runtime import opened_once
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CatalogueError
from moodmirror.redis_link import connection_options
from moodmirror.web import analyze, api, catalogue_commands, commands, door, limits, my_data, pages, safety, spotify_commands
from moodmirror.web.analyze import MemoryRequest
from moodmirror.web.live import Live
from moodmirror.web.logs import log_requests, settings
from moodmirror.web.metrics import Present
from moodmirror.web.problems import on_http_error, on_invalid
from moodmirror.web.schemas import Problem
from moodmirror.web.site import EXTENSION, ServerCamera, Site
from moodmirror.web.sockets import OneAttachment, bound

LIVE_EXTENSION: Final = "moodmirror.live"
SOCKETIO_CHANNEL: Final = "mood-mirror:socketio"


def create_app(config: Config | None = None) -> Flask:
    """Make a site: settings from the environment unless given, tables checked, no model or own camera opened yet.

    Raises ConfigError or CatalogueError, each naming all that is wrong.
    """
    config = config or Config.from_environment(os.environ)
    # Visitors are served side by side, a core for each: within one's picture or ranking, threads would mostly wait.
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")
    app = OpenAPI(
        __name__,
        info=api.INFO,
        security_schemes={},  # none: it is open
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=on_invalid,
        doc_ui=False,  # its pages come from elsewhere
    )
    app.request_class = MemoryRequest
    app.config.update(MAX_CONTENT_LENGTH=1_000_000)
    my_data.identify(app, config.secret_key or _secret_of(config))
    face_reader = opened_once(FaceReader.load)
    camera: ServerCamera
    if config.camera.kind == "published" and config.redis_url:
        camera = PublishedCamera(config.redis_url)
    else:
        camera = Camera(config.camera, face_reader)
    site = Site(
        config,
        camera,
        face_reader,
        FrameDecoders(os.cpu_count() or 1),
        opened_once(SpeechEmotionRecognizer.load),
        opened_once(TextEmotionRecognizer.load),
        Recommender.open(imported_dir=config.imported_dir),
        _open_database(config),
        threading.BoundedSemaphore(config.max_viewers),
    )
    app.extensions[EXTENSION] = site
    app.register_blueprint(pages.bp)
    app.register_blueprint(door.bp)
    app.register_api(api.bp)
    app.register_api(my_data.bp)
    app.register_api(analyze.bp)
    app.register_error_handler(HTTPException, on_http_error)
    log_requests(app, site.metrics)
    safety.guard(app, config)
    limits.limit_requests(app, analyze.bp, enabled=config.rate_limits, redis_url=config.redis_url)
    for command in (
        commands.analyze,
        commands.check_camera,
        commands.recommend,
        catalogue_commands.import_group,
        catalogue_commands.cluster_group,
    ):
        app.cli.add_command(command)
    if config.spotify:
        app.cli.add_command(spotify_commands.spotify_group)
    # One frame and the envelope around it; a longer message ends its connection.
    socketio = SocketIO(
        app,
        async_mode="threading",
        async_handlers=False,  # each connection's messages in their order, in its own thread
        serializer=OneAttachment,
        max_http_buffer_size=MAX_FRAME_BYTES + 10_000,
        cors_allowed_origins=safety.is_own_origin,
        client_manager=_client_manager(config),
    )
    admission = bound(
        app, socketio, config.max_connections, config.max_per_address, lambda why: site.metrics.rejections.labels(why).inc()
    )
    live = app.extensions[LIVE_EXTENSION] = Live(socketio, site, door.Door(app, config))
    site.metrics.watch(lambda: Present(camera.counts, camera.viewers, live.visitors, admission.connections, live.pause))
    safety.believe_proxies(app, config.trusted_proxies)
    return app


def close_app(app: Flask) -> None:
    """End every stream and socket and close the camera, so that the server can stop."""
    app.extensions[EXTENSION].camera.close()
    app.extensions[LIVE_EXTENSION].close()
    app.extensions[EXTENSION].frames.close()
    app.extensions[EXTENSION].database.close()


def _client_manager(config: Config) -> Manager:
    """Who knows which connections are in which room: of this process, or with Redis of all processes of the site."""
    if config.redis_url:
        return RedisManager(config.redis_url, channel=SOCKETIO_CHANNEL, redis_options=connection_options())
    return Manager()


def _open_database(config: Config) -> Database:
    try:
        return Database(config.database)
    except ValueError as error:
        raise ConfigError(f"DATABASE_URL {error}") from None


def _secret_of(config: Config) -> str:
    try:
        return kept_secret(config.instance)
    except OSError as error:
        # Only the cookies of before are worth nothing then.
        logging.getLogger("moodmirror").warning(
            "no key can be kept in %s, so one holds until the end: %s", config.instance, error
        )
        return secrets.token_hex(32)


def _run() -> None:
    """Serve for development, until Ctrl-C or SIGTERM."""
    site: Site = app.extensions[EXTENSION]
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
        close_app(app)


try:
    app = create_app()
except (ConfigError, CatalogueError) as problem:
    sys.exit(f"Mood Mirror can't start: {problem}")

if __name__ == "__main__":
    _run()
