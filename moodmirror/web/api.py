"""The HTTP interface for programs; errors are problem details after RFC 9457, and /openapi.json describes it all."""

from typing import Any, Final, cast

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI

from moodmirror.emotions import mood_vector
from moodmirror.live.message_schemas import Mood
from moodmirror.live.messages import mood_message, recommendations_message
from moodmirror.live.preferences import TextQueryError, read_text_query
from moodmirror.recommendation.filters import FILTERS
from moodmirror.services import current_services
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem

INFO: Final = Info(
    title="Mood Mirror",
    version="1",
    description="Reads moods in pictures, recordings, clips and texts, and recommends songs, movies, food and activities "
    "for them. What is sent is read in memory and dropped with the answer.",
)

bp = APIBlueprint("api", __name__, abp_responses={429: schemas.TOO_OFTEN})


@bp.get("/openapi.json", doc_ui=False)
def description() -> dict[str, Any]:
    """The description of this interface, made from its schemas."""
    return cast(OpenAPI, current_app).api_doc


@bp.get("/api/mood", responses={200: Mood})
def mood() -> dict[str, Any]:
    """The mood of the room that the server's camera sees; its label is null while that camera reads none."""
    return Mood(**mood_message(current_services().camera.mood.refresh())).model_dump()


@bp.get(
    "/api/recommendations",
    responses={200: schemas.Recommendations, 400: schemas.problem_answer("The question is wrong; the detail says why.")},
)
def recommendations(query: schemas.Question) -> dict[str, Any] | Response:  # type: ignore[valid-type]  # made from FILTERS
    """Songs, movies, food and activities for a mood, a wish in own words, or both; a wish alone has the mode match.

    Nobody's taste is part of it: the same question has the same answer. What is asked for more than once or is unknown is
    refused, so that a slip of the pen does not pass for an answer.
    """
    for name in request.args:
        if len(request.args.getlist(name)) > 1:
            return problem(400, "Parameter stands twice", f"{name} may stand once only")
    asked = cast(schemas.Asked, query)
    if asked.mood is None and not asked.wish.strip():
        return problem(400, "Nothing to go by", "give a mood, as mood=sad, a wish, as wish=a+bowl+of+soup, or both")
    filters = asked.model_dump(include=set(FILTERS), exclude_none=True)
    site = current_services()
    try:
        tables = recommendations_message(
            site.recommender,
            mood_vector({asked.mood: 1}) if asked.mood else None,
            asked.mode,
            asked.k,
            filters,
            towards=asked.towards,
            seed=asked.seed,
            text_query=read_text_query(site, asked.wish),
        )
    except TextQueryError as error:
        return problem(400, "Wrong wish", str(error))
    except ValueError as error:
        return problem(400, "Wrong mode or filter", str(error))
    return schemas.Recommendations(**tables).model_dump()
