"""The HTML pages, the camera stream, and the health and metrics endpoints."""

import hmac
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from flask import Blueprint, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS
from moodmirror.help_lines import COUNTRY_NAMES, DIRECTORY_URL, country_of_locale, help_lines
from moodmirror.live.message_schemas import MAX_QUERY_CHARACTERS, MAX_TEXT_CHARACTERS
from moodmirror.live.messages import camera_message
from moodmirror.recognition.model_files import ModelError
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import AUDIENCES, COMPANY_OPTIONS, COSTS, DIETS, FREE_FROM, KINDS, PLACES
from moodmirror.recommendation.filters import FILTERS_BY_KIND
from moodmirror.server.client_socket import client_socket
from moodmirror.services import ServerCamera, current_services
from moodmirror.storage.database import RETENTION_DAYS
from moodmirror.visitor_identity import address_key, ensure_visitor_id
from moodmirror.web.model_accuracy import model_accuracy

MINUTES: Final = ("15", "30", "60", "120", "240")  # choices of the filter for free time
# For all viewers together: up to twenty receive every frame of a camera, more receive fewer each. Above this rate, sending
# would take CPU time from the analysis.
MAX_FRAMES_PER_SECOND: Final = 400
BOUNDARY: Final = "frame"
VIEWER_TIMEOUT_SECONDS: Final = 10.0  # a viewer who reads nothing for so long is disconnected: others need its thread
LOOPBACK: Final = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
# A proxy sets these headers: behind a proxy on this machine, every request comes from a loopback address.
FORWARDED_HEADERS: Final = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")

bp = Blueprint("pages", __name__)


@bp.get("/")
def index() -> str:
    """Return the main page."""
    ensure_visitor_id()
    return render_template(
        "index.html",
        filters=_filter_choices(current_services().recommender),
        has_ratings=current_services().recommender.has_ratings("movies"),
        emotions=EMOTIONS,
        circumplex=CIRCUMPLEX,
        kinds=KINDS,
        camera=camera_message(current_services().camera.status),
        max_characters=MAX_TEXT_CHARACTERS,
        max_wish=MAX_QUERY_CHARACTERS,
        keep_days=RETENTION_DAYS,
        certainty=model_accuracy,
        spotify=current_services().config.spotify,
        help_lines=help_lines(),
        help_country=country_of_locale(request.headers.get("Accept-Language", "")),
        help_directory=DIRECTORY_URL,
        country_names=COUNTRY_NAMES,
    )


@bp.get("/privacy")
def privacy() -> str:
    """Return the page that explains what is analyzed and what is stored."""
    spotify = current_services().config.spotify
    return render_template("privacy.html", keep_days=RETENTION_DAYS, certainty=model_accuracy, spotify=spotify)


def _filter_choices(recommender: Recommender) -> dict[str, dict[str, list[str]]]:
    """Return the choices of each filter by kind and filter name; frequent genres and languages come first."""
    fixed = {
        "minutes": list(MINUTES),
        "audience": list(AUDIENCES[:-1]),  # without the last, which excludes nothing
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
    """Stream the server camera's annotated frames as multipart JPEG until the viewer disconnects."""
    services = current_services()
    if services.camera.status.state == "off":
        return Response("This server has no camera.\n", 404, mimetype="text/plain")
    connection = client_socket(request.environ)

    def end() -> None:
        if connection is not None:
            with suppress(OSError):  # it has ended
                connection.shutdown(socket.SHUT_RDWR)

    # Acquired here, not with the first frame: two viewers who come at once must not both get the last slot.
    release = services.stream_slots.acquire(address_key(), end)
    if release is None:
        detail = f"The camera stream is full ({services.config.max_viewers} viewers). Try again in a minute.\n"
        return Response(detail, 503, {"Retry-After": "60"})
    if connection is not None:
        connection.settimeout(VIEWER_TIMEOUT_SECONDS)
    response = Response(
        _parts(services.camera),
        mimetype=f"multipart/x-mixed-replace; boundary={BOUNDARY}",
        headers={"Cache-Control": "no-store", "Connection": "close", "X-Accel-Buffering": "no"},
    )
    response.call_on_close(release)
    return response


def _parts(camera: ServerCamera) -> Iterator[bytes]:
    # Each part is sent together with the boundary after it: browsers show a frame only when they have received that.
    yield f"--{BOUNDARY}\r\n".encode()
    for jpeg in camera.watch():
        started = time.monotonic()
        header = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        yield header + jpeg + f"\r\n--{BOUNDARY}\r\n".encode()
        time.sleep(max(started + camera.viewers / MAX_FRAMES_PER_SECOND - time.monotonic(), 0))


@bp.get("/healthz")
def healthz() -> dict[str, str]:
    """Return 200: this process responds."""
    return {"status": "ok"}


@bp.get("/metrics")
def metrics() -> Response:
    """Return all metrics in Prometheus' text format to this machine, or with METRICS_TOKEN set to its holders; else 404."""
    services = current_services()
    token = services.config.metrics_token
    if token:
        given = request.authorization.token if request.authorization and request.authorization.type == "bearer" else None
        allowed = given is not None and hmac.compare_digest(given.encode(), token.encode())
    else:
        allowed = request.remote_addr in LOOPBACK and not any(name in request.headers for name in FORWARDED_HEADERS)
    if not allowed:
        abort(404)
    return Response(generate_latest(services.metrics.registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


@bp.get("/readyz")
def readyz() -> tuple[dict[str, Any], int]:
    """Return 200 if the models can be loaded and the camera, unless idle, delivers frames; else 503 with the reasons."""
    services = current_services()
    problems = []
    for load_model in (services.face_analyzer, services.speech_recognizer, services.text_recognizer):
        try:
            load_model()
        except (ModelError, FileNotFoundError) as error:
            problems.append(str(error))
    status = services.camera.status
    # A camera that another process publishes does not count: if it failed, all processes would seem not ready at once.
    own_camera = services.config.camera.kind != "published"
    if own_camera and status.state not in ("off", "idle", "starting", "live"):
        problems.append(f"{status.message} {status.advice}")
    return {
        "status": "not ready" if problems else "ready",
        "camera": status.state,
        "problems": problems,
    }, 503 if problems else 200
