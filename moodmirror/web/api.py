"""The HTTP interface for programs; errors are problem details after RFC 9457."""

from typing import Any, Final

from flask import Blueprint, Response, current_app, request

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.web.messages import ROWS, mood_message, recommendations_message
from moodmirror.web.site import current_site

MAX_ROWS: Final = 100

bp = Blueprint("api", __name__, url_prefix="/api")


def problem(status: int, title: str, detail: str) -> Response:
    """A problem details answer."""
    body = current_app.json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return Response(body, status, mimetype="application/problem+json")


@bp.get("/mood")
def mood() -> dict[str, Any]:
    """The mood of the room that the server's camera sees; its label is null while that camera reads none."""
    return mood_message(current_site().camera.mood.refresh())


@bp.get("/recommendations")
def recommendations() -> dict[str, Any] | Response:
    """Songs, movies, food and activities for `mood`, one of the seven emotions; `mode`, and `k` rows of each."""
    emotion = request.args.get("mood", "")
    if emotion not in EMOTIONS:
        return problem(400, "Unknown mood", f"mood must be one of {', '.join(EMOTIONS)}")
    k = request.args.get("k", str(ROWS))
    if not k.isdigit() or not 1 <= int(k) <= MAX_ROWS:
        return problem(400, "Wrong number of rows", f"k must be a whole number from 1 to {MAX_ROWS}")
    mode = request.args.get("mode", "match")
    try:
        return recommendations_message(current_site().recommender, mood_vector({emotion: 1}), mode, int(k))
    except ValueError as error:
        return problem(400, "Unknown mode", str(error))
