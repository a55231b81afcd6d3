"""Likes of an import, which wait in the database until a visitor takes them over by the link that the import printed."""

from collections import Counter
from typing import Final

from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from moodmirror.recommendation.catalogue import KINDS
from moodmirror.services import current_services
from moodmirror.storage.database import DatabaseUnavailableError, VisitorRecord
from moodmirror.visitor_identity import ensure_visitor_id, visitor_id
from moodmirror.web.problem_details import problem

NAMES: Final = {"songs": "songs", "movies": "films", "food": "dishes", "activities": "activities"}

bp = Blueprint("imported_likes", __name__, url_prefix="/likes/<string(length=32):token>")


@bp.get("")
def show(token: str) -> ResponseReturnValue:
    """Return a page that asks whether to take the likes over."""
    try:
        counts = Counter(opinion.kind for opinion in _load(token).opinions)
    except DatabaseUnavailableError as error:
        return problem(503, "Database unavailable", str(error))
    return render_template(
        "imported_likes.html", counts=[f"{counts[kind]:,} {NAMES[kind]}" for kind in KINDS if counts[kind]]
    )


@bp.post("")
def take_over(token: str) -> ResponseReturnValue:
    """Make the likes the visitor's own and return to the main page. The link is used up then."""
    database = current_services().database
    try:
        record = _load(token)
        database.save_opinions(ensure_visitor_id(), record.opinions)
        database.delete_visitor(token)
    except DatabaseUnavailableError as error:
        return problem(503, "Database unavailable", f"{error} Nothing is lost: try again later.")
    return redirect(url_for("pages.index"), 303)


def _load(token: str) -> VisitorRecord:
    """Return the stored likes of a link; 404 if there are none, and for the visitor's own id."""
    record = current_services().database.load_visitor(token)
    if not record.opinions or token == visitor_id():
        abort(404, "These likes were taken over already, or deleted. Import them again for a new link.")
    return record
