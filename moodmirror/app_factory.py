"""The application factory: create_app() builds one Flask application with all that it serves."""

import os
import secrets
import threading
from pathlib import Path
from typing import Final

from flask import Flask
from flask_openapi3 import OpenAPI
from flask_socketio import SocketIO
from socketio import Manager, RedisManager
from werkzeug.exceptions import HTTPException

from camera import Camera
from moodmirror.camera.relay import PublishedCamera
from moodmirror.cli import register_commands
from moodmirror.config import Config, ConfigError
from moodmirror.live import connection_auth
from moodmirror.live.handlers import Live
from moodmirror.logs import log_requests
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.metrics import Present
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.model_files import cached_loader
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.redis_connection import connection_options
from moodmirror.request_origin import is_own_origin
from moodmirror.server.websocket_limits import OneAttachment, bound
from moodmirror.services import EXTENSION, ServerCamera, Services
from moodmirror.storage.database import Database
from moodmirror.visitor_identity import identify
from moodmirror.web import analyze, api, pages, rate_limits, security, visitor_data
from moodmirror.web.analyze import MemoryRequest
from moodmirror.web.problem_details import on_http_error, on_invalid
from moodmirror.web.schemas import Problem

ROOT: Final = Path(__file__).resolve().parents[1]  # holds templates/ and static/
LIVE_EXTENSION: Final = "moodmirror.live"
SOCKETIO_CHANNEL: Final = "mood-mirror:socketio"


def create_app(config: Config | None = None, *, secret_key: str | None = None) -> Flask:
    """Create the Flask application: check the settings and tables, open no model, camera or database yet.

    `config` defaults to the settings of the environment. `secret_key` signs the cookie; it defaults to the one of `config`,
    else to a random one that lasts as long as the application.
    Raises ConfigError or CatalogueError, each naming all that is wrong.
    """
    config = config or Config.from_environment(os.environ)
    app = OpenAPI(
        __name__,
        root_path=str(ROOT),
        info=api.INFO,
        security_schemes={},  # none: it is open
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=on_invalid,
        doc_ui=False,  # its pages come from elsewhere
    )
    app.request_class = MemoryRequest
    app.config.update(MAX_CONTENT_LENGTH=1_000_000)
    identify(app, secret_key or config.secret_key or secrets.token_hex(32))
    face_analyzer = cached_loader(FaceAnalyzer.load)
    camera: ServerCamera
    if config.camera.kind == "published" and config.redis_url:
        camera = PublishedCamera(config.redis_url)
    else:
        camera = Camera(config.camera, face_analyzer)
    site = Services(
        config,
        camera,
        face_analyzer,
        FrameDecoderPool(os.cpu_count() or 1),
        cached_loader(SpeechEmotionRecognizer.load),
        cached_loader(TextEmotionRecognizer.load),
        Recommender.open(imported_dir=config.imported_dir),
        _open_database(config),
        threading.BoundedSemaphore(config.max_viewers),
    )
    app.extensions[EXTENSION] = site
    app.register_blueprint(pages.bp)
    app.register_blueprint(connection_auth.bp)
    app.register_api(api.bp)
    app.register_api(visitor_data.bp)
    app.register_api(analyze.bp)
    app.register_error_handler(HTTPException, on_http_error)
    log_requests(app, site.metrics)
    security.guard(app, config)
    rate_limits.limit_requests(app, analyze.bp, enabled=config.rate_limits, redis_url=config.redis_url)
    register_commands(app, config)
    # One frame and the envelope around it; a longer message ends its connection.
    socketio = SocketIO(
        app,
        async_mode="threading",
        async_handlers=False,  # each connection's messages in their order, in its own thread
        serializer=OneAttachment,
        max_http_buffer_size=MAX_FRAME_BYTES + 10_000,
        cors_allowed_origins=is_own_origin,
        client_manager=_client_manager(config),
    )
    admission = bound(
        app, socketio, config.max_connections, config.max_per_address, lambda why: site.metrics.rejections.labels(why).inc()
    )
    live = app.extensions[LIVE_EXTENSION] = Live(socketio, site, connection_auth.Door(app, config))
    site.metrics.watch(lambda: Present(camera.counts, camera.viewers, live.visitors, admission.connections, live.pause))
    security.believe_proxies(app, config.trusted_proxies)
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
