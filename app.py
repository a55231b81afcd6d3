"""The site. `gunicorn app:app` in production, `python app.py` for development, `flask …` for its commands."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import click
from flask import Flask, Response
from flask_socketio import SocketIO

from camera import Camera
from moodmirror.config import Config, ConfigError
from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recognition.face import FaceReader
from moodmirror.recognition.media import MAX_FRAME_BYTES
from moodmirror.recognition.runtime import opened_once
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, CatalogueError
from moodmirror.recommendation.filters import FILTERS
from moodmirror.recommendation.modes import MODES
from moodmirror.web import api, pages
from moodmirror.web.live import Live
from moodmirror.web.site import EXTENSION, Site

LIVE_EXTENSION: Final = "moodmirror.live"
FRAMES_TO_JUDGE: Final = 10  # a webcam's first ones are still dark

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def create_app(config: Config | None = None) -> Flask:
    """Make a site: settings from the environment unless given, tables checked, camera and models not yet opened.

    Raises ConfigError or CatalogueError, each naming all that is wrong.
    """
    config = config or Config.from_environment(os.environ)
    app = Flask(__name__)
    app.config.update(SECRET_KEY=config.secret_key, SESSION_COOKIE_SAMESITE="Lax", MAX_CONTENT_LENGTH=1_000_000)
    face_reader = opened_once(FaceReader.load)
    camera = Camera(config.camera, face_reader)
    site = Site(config, camera, face_reader, Recommender.open())
    app.extensions[EXTENSION] = site
    app.register_blueprint(pages.bp)
    app.register_blueprint(api.bp)
    app.after_request(_add_security_headers)
    app.cli.add_command(check_camera)
    app.cli.add_command(recommend)
    # One frame and the envelope around it; a longer message ends its connection.
    socketio = SocketIO(app, async_mode="threading", max_http_buffer_size=MAX_FRAME_BYTES + 10_000)
    app.extensions[LIVE_EXTENSION] = Live(socketio, site)
    return app


def close_app(app: Flask) -> None:
    """End every stream and socket and close the camera, so that the server can stop."""
    app.extensions[EXTENSION].camera.close()
    app.extensions[LIVE_EXTENSION].close()


def _add_security_headers(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    response.headers.setdefault("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response


@click.command("check-camera")
def check_camera() -> None:
    """Open the camera that CAMERA names and say what it sees. Nothing is stored."""
    config = Config.from_environment(os.environ)
    camera = Camera(config.camera, opened_once(FaceReader.load))
    click.echo(f"Trying {config.camera.name} (CAMERA={config.camera.kind}) …")
    live_frames = 0
    pictures = camera.watch()
    for _ in pictures:
        live_frames += camera.status.state == "live"
        if live_frames == FRAMES_TO_JUDGE or camera.status.state not in ("starting", "live"):
            break
    status, faces = camera.status, camera.faces
    pictures.close()
    camera.close()
    click.echo(f"{status.message} {status.advice}".strip())
    if status.state != "live":
        raise SystemExit(1)
    labels = ", ".join(
        f"{face.label} {face.confidence:.0%}" if face.label else f"unreadable ({face.obstacle})" for face in faces
    )
    click.echo(f"Faces: {labels}" if labels else "No face in the picture: sit in front of it, with light on you.")


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, meaning in reversed(list(FILTERS.items())):
        command = click.option(f"--{name}", help=f"{meaning[0].upper()}{meaning[1:]}.")(command)
    return command


@click.command("recommend")
@click.option("--mood", type=click.Choice(EMOTIONS), required=True, help="The mood to recommend for.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="match",
    show_default=True,
    help="match: as it is; lift: toward a better one; journey: step by step to another; surprise: what fits unexpectedly.",
)
@click.option("--towards", type=click.Choice(EMOTIONS), help="Where a journey leads.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another surprise for another number.")
@click.option("--kind", type=click.Choice(KINDS), multiple=True, help="Which tables (default: all).")
@click.option("-k", type=click.IntRange(1, 100), default=5, show_default=True, help="Rows of each.")
@_filter_options
def recommend(
    *, mood: str, mode: str, towards: str | None, seed: int, kind: tuple[str, ...], k: int, **filters: str | None
) -> None:
    """Print what suits a mood. A filter narrows the tables that know it."""
    given = {name: value for name, value in filters.items() if value is not None}
    kinds = tuple(dict.fromkeys(kind)) or KINDS
    try:
        tables = Recommender.open().recommend_each(mood_vector({mood: 1}), kinds, k, mode, given, towards=towards, seed=seed)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name, rows in tables.items():
        click.secho(name.capitalize(), bold=True)
        for row in rows:
            click.echo(f"  {row.score:.2f}  {row.item.title}: {row.item.line}\n        {row.why}")
        if not rows:
            click.echo("  Nothing passes these filters.")


def _run() -> None:
    """Serve for development, until Ctrl-C or SIGTERM."""
    site: Site = app.extensions[EXTENSION]
    socketio: SocketIO = app.extensions["socketio"]

    def end(*_: Any) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
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
