"""The page, the camera's stream, and the answers for whoever watches over the site."""

import hmac
import time
from collections.abc import Iterator
from typing import Any, Final

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS
from moodmirror.live.message_schemas import MAX_QUERY_CHARACTERS, MAX_TEXT_CHARACTERS
from moodmirror.live.messages import camera_message
from moodmirror.recognition.model_files import ModelError
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import AUDIENCES, COMPANY_OPTIONS, COSTS, DIETS, FREE_FROM, KINDS, PLACES
from moodmirror.recommendation.filters import FILTERS_BY_KIND
from moodmirror.services import ServerCamera, current_services
from moodmirror.storage.database import RETENTION_DAYS
from moodmirror.visitor_identity import greet_visitor
from moodmirror.web.model_accuracy import certainty

MINUTES: Final = ("15", "30", "60", "120", "240")  # people think of time in such steps
# To all viewers together: twenty of them see all frames of a camera, of more each sees fewer. Above it, sending would take
# the processor from reading.
PICTURES_A_SECOND: Final = 400
BOUNDARY: Final = "frame"
# A viewer who takes nothing for this long is gone, or as good as: its thread is needed for others.
VIEWER_WRITE_SECONDS: Final = 10.0
LOOPBACK: Final = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
# Headers of a proxy's: behind one on this machine, everybody comes from a loopback address.
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """The mirror."""
    greet_visitor()
    return render_template(
        "index.html",
        filters=_filter_choices(current_services().recommender),
        emotions=EMOTIONS,
        circumplex=CIRCUMPLEX,
        kinds=KINDS,
        camera=camera_message(current_services().camera.status),
        max_characters=MAX_TEXT_CHARACTERS,
        max_wish=MAX_QUERY_CHARACTERS,
        keep_days=RETENTION_DAYS,
        certainty=certainty,
    )


@bp.get("/privacy")
def privacy() -> str:
    """What is read and what is kept, in plain words."""
    return render_template("privacy.html", keep_days=RETENTION_DAYS, certainty=certainty)


def _filter_choices(recommender: Recommender) -> dict[str, dict[str, list[str]]]:
    """What each table's filters can be set to, by kind and name; the frequent genres and languages first."""
    fixed = {
        "minutes": list(MINUTES),
        "audience": list(AUDIENCES[:-1]),  # what is fit for adults is everything
        "diet": [*DIETS[:-1], *FREE_FROM],
        "cost": list(COSTS[:-1]),
        "place": list(PLACES),
        "company": list(COMPANY_OPTIONS),
    }
    choices: dict[str, dict[str, list[str]]] = {}
    for kind, names in FILTERS_BY_KIND.items():
        own = dict(fixed)
        if "genre" in names:
            own["genre"] = recommender.filter_values(kind, "genres")
            own["decade"] = sorted({f"{year[:3]}0" for year in recommender.filter_values(kind, "year")}, reverse=True)
            own["language"] = recommender.filter_values(kind, "language")
        choices[kind] = {name: own[name] for name in names}
    return choices


@bp.get("/stream.mjpg")
def stream() -> ResponseReturnValue:
    """The server camera's annotated frames as multipart JPEG, for as long as the viewer stays."""
    site = current_services()
    if site.camera.status.state == "off":
        return Response("This server has no camera.\n", 404, mimetype="text/plain")
    # Taken at once, not when the first picture goes out: two who come together must not both find the last place free.
    if not site.stream_places.acquire(blocking=False):
        return Response(
            "As many as may watch the camera do so already. Try again in a minute.\n", 503, {"Retry-After": "60"}
        )
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.settimeout(VIEWER_WRITE_SECONDS)
    response = Response(
        _parts(site.camera),
        mimetype=f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        headers={"Cache-Control": "no-store", "Connection": "close", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(site.stream_places.release)
    return response


def _parts(camera: ServerCamera) -> Iterator[bytes]:
    # Each part is sent with the boundary that ends it: browsers show a frame only once they have seen that.
    yield f"--{BOUNDARY}\r\n".encode()
    for jpeg in camera.watch():
        began = time.monotonic()
        header = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        yield header + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
        time.sleep(max(began + camera.viewers / PICTURES_A_SECOND - time.monotonic(), 0))


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Alive: this process answers."""
    return {"status": "ok"}


@bp.get("/metrics")
def metrics() -> Response:
    """All figures in Prometheus' text format, for this machine or for who knows METRICS_TOKEN; nothing for others."""
    site = current_services()
    token = site.config.metrics_token
    if token:
        given = request.authorization.token if request.authorization and request.authorization.type == "bearer" else None
        known = given is not None and hmac.compare_digest(given.encode(), token.encode())
    else:
        known = request.remote_addr in LOOPBACK and not any(name in request.headers for name in FORWARDED)
    if not known:
        abort(404)
    return Response(generate_latest(site.metrics.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@bp.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Ready: the models open and the camera, if any is awake, is fresh. 503 with the reasons when not."""
    site = current_services()
    problems = []
    for open_model in (site.face_analyzer, site.speech_recognizer, site.text_recognizer):
        try:
            open_model()
        except (ModelError, FileNotFoundError) as error:
            problems.append(str(error))
    status = site.camera.status
    # One that another process publishes says nothing of this one: with it gone, all would seem not ready at once.
    ours = site.config.camera.kind != "published"
    if ours and status.state not in ("off", "idle", "starting", "live"):
        problems.append(f"{status.message} {status.advice}")
    return {
        "status": "not ready" if problems else "ready",
        "camera": status.state,
        "problems": problems,
    }, 503 if problems else 200
