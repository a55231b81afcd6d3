"""The page, the camera's stream, and the answers for whoever watches over the site."""

from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS
from moodmirror.recognition.runtime import ModelError
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.web.messages import camera_message
from moodmirror.web.senses import MAX_CHARACTERS
from moodmirror.web.site import current_site

BOUNDARY: Final = "frame"
# A viewer who takes nothing for this long is gone, or as good as: its thread is needed for others.
VIEWER_WRITE_SECONDS: Final = 10.0

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """The mirror."""
    return render_template(
        "index.html",
        emotions=EMOTIONS,
        circumplex=CIRCUMPLEX,
        kinds=KINDS,
        camera=camera_message(current_site().camera.status),
        max_characters=MAX_CHARACTERS,
    )


@bp.get("/privacy")
def privacy() -> str:
    """What is read and what is kept, in plain words."""
    return render_template("privacy.html")


@bp.get("/stream.mjpg")
def stream() -> ResponseReturnValue:
    """The server camera's annotated frames as multipart JPEG, for as long as the viewer stays."""
    site = current_site()
    if site.camera.status.state == "off":
        return Response("This server has no camera.\n", 404, mimetype="text/plain")
    if site.camera.viewers >= site.config.max_viewers:
        return Response(
            "As many as may watch the camera do so already. Try again in a minute.\n", 503, {"Retry-After": "60"}
        )
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.settimeout(VIEWER_WRITE_SECONDS)
    return Response(
        _parts(site.camera.watch()),
        mimetype=f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        headers={"Cache-Control": "no-store", "Connection": "close", "X-Accel-Buffering": "no"},
    )


def _parts(frames: Iterator[bytes]) -> Iterator[bytes]:
    # Each part is sent with the boundary that ends it: browsers show a frame only once they have seen that.
    yield f"--{BOUNDARY}\r\n".encode()
    for jpeg in frames:
        header = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        yield header + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive: this process answers."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Ready: the models open and the camera, if any is awake, is fresh. 503 with the reasons when not."""
    site = current_site()
    problems = []
    for open_model in (site.face_reader, site.speech_recognizer, site.text_recognizer):
        try:
            open_model()
        except (ModelError, FileNotFoundError) as error:
            problems.append(str(error))
    status = site.camera.status
    if status.state not in ("off", "idle", "starting", "live"):
        problems.append(f"{status.message} {status.advice}")
    return {
        "status": "not ready" if problems else "ready",
        "camera": status.state,
        "problems": problems,
    }, 503 if problems else 200
