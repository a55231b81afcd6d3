"""The application factory: create_app() builds a Flask application with everything it serves."""

import logging
import os
import secrets
import threading
from typing import TYPE_CHECKING, Final

from flask import Flask
from flask_openapi3 import OpenAPI
from flask_socketio import SocketIO
from socketio import Manager, RedisManager
from werkzeug.exceptions import HTTPException

from camera import Camera
from moodmirror.camera.relay import PublishedCamera
from moodmirror.cli import register_commands
from moodmirror.config import Config, ConfigError
from moodmirror.cpu_budget import CpuBudget
from moodmirror.live import connection_auth
from moodmirror.live.handlers import LiveServer
from moodmirror.logs import log_requests
from moodmirror.media.frame_decoder import MAX_FRAME_BYTES
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.metrics import CurrentValues
from moodmirror.paths import ROOT
from moodmirror.platforms import isolation_rules
from moodmirror.recognition.face import FaceAnalyzer
from moodmirror.recognition.model_files import ModelError, cached_loader
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.redis_connection import connection_options
from moodmirror.request_origin import is_own_origin
from moodmirror.server.packet_validation import StrictPacket
from moodmirror.server.viewer_slots import ViewerSlots
from moodmirror.server.websocket_limits import limit_connections
from moodmirror.services import EXTENSION, ServerCamera, Services
from moodmirror.storage.database import Database, DatabaseUnavailableError
from moodmirror.visitor_identity import configure_visitor_cookie
from moodmirror.web import analyze, api, api_docs, imported_likes, pages, rate_limits, security, visitor_data
from moodmirror.web.analyze import MemoryRequest
from moodmirror.web.problem_details import on_http_error, on_invalid
from moodmirror.web.schemas import Problem

if TYPE_CHECKING:
    from moodmirror.live.spotify_sign_ins import SpotifySignIns

LOGGER = logging.getLogger("moodmirror")

LIVE_EXTENSION: Final = "moodmirror.live"
SOCKETIO_CHANNEL: Final = "mood-mirror:socketio"
MAX_BODY_BYTES: Final = 1_000_000  # of a request; the routes for files set their own limits
ENVELOPE_BYTES: Final = 10_000  # around the frame in a Socket.IO message


def create_app(config: Config | None = None, *, secret_key: str | None = None) -> Flask:
    """Create the Flask application; check the settings and tables, but open no model, camera, database or connection.

    `config` defaults to the settings in the environment. `secret_key` signs the cookie; it defaults to that of `config`,
    else to a random key that lasts as long as the application.
    Raises ConfigError or CatalogueError; each names everything that is wrong.
    """
    config = config or Config.from_environment(os.environ)
    app = OpenAPI(
        __name__,
        root_path=str(ROOT),
        info=api.INFO,
        security_schemes={},  # none: the interface is open
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=on_invalid,
        doc_ui=False,  # flask-openapi3's own pages load scripts from other sites; moodmirror.web.api_docs serves ours
    )
    app.request_class = MemoryRequest
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    configure_visitor_cookie(app, secret_key or config.secret_key or secrets.token_hex(32))
    services = app.extensions[EXTENSION] = _create_services(config)
    sign_ins = _add_spotify(app, services) if config.spotify else None
    _register_routes(app)
    log_requests(app, services.metrics)
    security.protect(app, config)
    rate_limits.limit_requests(app, enabled=config.rate_limits, redis_url=config.redis_url)
    register_commands(app, config)
    _add_socketio(app, services, sign_ins)
    security.trust_proxies(app, config.trusted_proxies)
    return app


def start_app(app: Flask) -> None:
    """Start to receive what other processes publish, and to preload models. A server calls it once; commands need not."""
    services: Services = app.extensions[EXTENSION]
    for missing in isolation_rules().missing:
        LOGGER.warning("decoders of untrusted files are isolated only in part: this machine lacks %s", missing)
    _rename_merged_items(services)
    if isinstance(services.camera, PublishedCamera):
        services.camera.start()
    app.extensions[LIVE_EXTENSION].start()
    threading.Thread(target=_preload, args=(services,), name="preload", daemon=True).start()


def close_app(app: Flask) -> None:
    """End every stream and WebSocket, and close the camera and the database, so that the server can stop."""
    services: Services = app.extensions[EXTENSION]
    services.camera.close()
    app.extensions[LIVE_EXTENSION].close()
    services.frame_decoders.close()
    services.database.close()


def _preload(services: Services) -> None:
    """Load what the first visitor would otherwise wait for: the models, and the indexes of text queries."""
    for load_model in (services.text_recognizer, services.face_analyzer, services.speech_recognizer):
        try:
            load_model()
        except (ModelError, FileNotFoundError) as error:  # the inputs that need it report it to visitors
            LOGGER.error("can't preload a model: %s", error)
    services.recommender.build_text_query_indexes()


def _rename_merged_items(services: Services) -> None:
    """Let stored likes refer to the row that is used of several rows of the same item."""
    for kind in KINDS:
        ids = {other: item.id for item in services.recommender.items(kind) for other in item.other_ids}
        if ids:
            try:
                services.database.rename_items(kind, ids)
            except DatabaseUnavailableError:
                return  # it has logged the reason; likes of these items count again after a start with the database


def _create_services(config: Config) -> Services:
    face_analyzer = cached_loader(FaceAnalyzer.load)
    camera: ServerCamera
    if config.camera.kind == "published" and config.redis_url:
        camera = PublishedCamera(config.redis_url)
    else:
        camera = Camera(config.camera, face_analyzer)
    return Services(
        config,
        camera,
        face_analyzer,
        FrameDecoderPool(os.cpu_count() or 1),
        cached_loader(SpeechEmotionRecognizer.load),
        cached_loader(TextEmotionRecognizer.load),
        Recommender.open(imported_dir=config.imported_dir),
        _create_database(config),
        ViewerSlots(config.max_viewers),
        cpu_budget=CpuBudget(config.redis_url, enabled=config.rate_limits),
    )


def _create_database(config: Config) -> Database:
    try:
        return Database(config.database)
    except ValueError as error:
        raise ConfigError(f"DATABASE_URL {error}") from None


def _register_routes(app: OpenAPI) -> None:
    for blueprint in (pages.bp, imported_likes.bp, api_docs.bp, connection_auth.bp):
        app.register_blueprint(blueprint)
    for api_blueprint in (api.bp, visitor_data.bp, analyze.bp):
        app.register_api(api_blueprint)
    app.register_error_handler(HTTPException, on_http_error)


def _add_spotify(app: Flask, services: Services) -> "SpotifySignIns":
    from moodmirror.live.spotify_sign_ins import SpotifySignIns  # noqa: PLC0415  # most sites don't need its packages
    from moodmirror.web import spotify  # noqa: PLC0415

    sign_ins = app.extensions[spotify.EXTENSION] = SpotifySignIns(services)
    app.register_blueprint(spotify.bp)
    return sign_ins


def _add_socketio(app: Flask, services: Services, sign_ins: "SpotifySignIns | None") -> None:
    config, metrics, camera = services.config, services.metrics, services.camera
    socketio = SocketIO(
        app,
        async_mode="threading",
        async_handlers=False,  # each connection's messages are handled in order, in its own thread
        serializer=StrictPacket,
        max_http_buffer_size=MAX_FRAME_BYTES + ENVELOPE_BYTES,
        cors_allowed_origins=is_own_origin,
        client_manager=_client_manager(config),
    )
    limiter = limit_connections(
        app,
        socketio,
        config.max_connections,
        config.max_per_address,
        report=lambda reason: metrics.rejections.labels(reason).inc(),
        limit_rate=config.rate_limits,
    )
    live = app.extensions[LIVE_EXTENSION] = LiveServer(
        socketio, services, connection_auth.ConnectionAuth(app, config), sign_ins
    )
    metrics.add_current_values(
        lambda: CurrentValues(camera.counts, camera.viewers, live.session_count, limiter.open_connections, live.pause)
    )


def _client_manager(config: Config) -> Manager:
    """Return the registry of rooms and connections: of this process, or through Redis of all processes of the site."""
    if config.redis_url:
        return RedisManager(config.redis_url, channel=SOCKETIO_CHANNEL, redis_options=connection_options())
    return Manager()
