"""The HTTP interface for programs; errors are problem details after RFC 9457."""

import re
from typing import Any, Final

from flask import Blueprint, Response, request

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation.filters import FILTERS
from moodmirror.web.messages import ROWS, mood_message, recommendations_message
from moodmirror.web.preferences import WishError, make_wish
from moodmirror.web.problems import problem
from moodmirror.web.site import current_site

MAX_ROWS: Final = 100
QUESTIONS: Final = ("mood", "mode", "towards", "seed", "k", "wish")

bp = Blueprint("api", __name__, url_prefix="/api")


@bp.get("/mood")
def mood() -> dict[str, Any]:
    """The mood of the room that the server's camera sees; its label is null while that camera reads none."""
    return mood_message(current_site().camera.mood.refresh())


@bp.get("/recommendations")
def recommendations() -> dict[str, Any] | Response:
    """Songs, movies, food and activities for `mood`, one of the seven emotions.

    `mode`, with `towards` for a journey and `seed` for a surprise; `k` rows of each; a `wish` in own words that counts
    beside the mood; and filters by their names. Nobody's taste is part of it: the same question has the same answer. What
    is asked for more than once or is unknown is refused, so that a slip of the pen does not pass for an answer.
    """
    for name in request.args:
        if name not in (*QUESTIONS, *FILTERS):
            return problem(400, "Unknown parameter", f"{name!r} is none of {', '.join((*QUESTIONS, *FILTERS))}")
        if len(request.args.getlist(name)) > 1:
            return problem(400, "Parameter stands twice", f"{name} may stand once only")
    emotion = request.args.get("mood", "")
    if emotion not in EMOTIONS:
        return problem(400, "Unknown mood", f"mood must be one of {', '.join(EMOTIONS)}")
    k = request.args.get("k", str(ROWS))
    if not k.isdigit() or not 1 <= int(k) <= MAX_ROWS:
        return problem(400, "Wrong number of rows", f"k must be a whole number from 1 to {MAX_ROWS}")
    seed = request.args.get("seed", "0")
    if not re.fullmatch(r"[0-9]{1,9}", seed):
        return problem(400, "Wrong seed", "seed must be a whole number of at most nine digits")
    mode, towards = request.args.get("mode", "match"), request.args.get("towards")
    filters = {name: value for name, value in request.args.items() if name in FILTERS}
    site = current_site()
    try:
        return recommendations_message(
            site.recommender,
            mood_vector({emotion: 1}),
            mode,
            int(k),
            filters,
            towards=towards,
            seed=int(seed),
            wish=make_wish(site, request.args.get("wish", "")),
        )
    except WishError as error:
        return problem(400, "Wrong wish", str(error))
    except ValueError as error:
        return problem(400, "Wrong mode or filter", str(error))
