"""The HTTP API for mood and recommendations; errors are problem details (RFC 9457), /openapi.json describes everything."""

from typing import Any, Final, cast

from flask import Response, current_app, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI

from moodmirror.cpu_budget import current_client
from moodmirror.emotions import mood_vector, parse_mood_vector
from moodmirror.help_lines import country_of_locale
from moodmirror.live.message_schemas import Mood
from moodmirror.live.messages import help_message, mood_message, recommendations_message
from moodmirror.live.preferences import TextQueryError, read_text_query
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.recommendation.filters import FILTERS
from moodmirror.services import current_services
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem

INFO: Final = Info(
    title="Mood Mirror",
    version="1",
    description="Recognizes moods in pictures, recordings, videos and texts, and recommends songs, movies, food and "
    "activities for them. Uploads are analyzed in memory and never stored.",
)

bp = APIBlueprint("api", __name__, abp_responses={429: schemas.RATE_LIMITED})


@bp.get("/openapi.json", doc_ui=False)
def description() -> dict[str, Any]:
    """Return the OpenAPI description of this API, generated from its schemas."""
    return cast(OpenAPI, current_app).api_doc


@bp.get("/api/mood", responses={200: Mood})
def mood() -> dict[str, Any]:
    """Return the mood of the people in front of the server's camera.

    The label is null while no mood is recognized.
    """
    return Mood(**mood_message(current_services().camera.mood.refresh())).model_dump()


@bp.get(
    "/api/recommendations",
    responses={
        200: schemas.Recommendations,
        400: schemas.problem_response("A parameter is missing or invalid; the detail names it."),
    },
)
def recommendations(query: schemas.RecommendationQuery) -> dict[str, Any] | Response:  # type: ignore[valid-type]  # dynamic
    """Recommend songs, movies, food and activities for a mood or a mood vector, for a wish in free text, or for both.

    A wish without a mood uses the mode match. No visitor's taste has an influence: the same query has the same result.
    A wish that states suicidality or self-harm gets rows that comfort, and help to show at once.
    Repeated and unknown parameters are refused, so that a typing error does not go unnoticed.
    """
    for name in request.args:
        if len(request.args.getlist(name)) > 1:
            return problem(400, "Repeated parameter", f"{name} may be given once only")
    options = cast(schemas.RecommendationOptions, query)
    if options.mood is not None and options.vector is not None:
        return problem(400, "Two moods", "give a mood or a vector, not both")
    try:
        vector = parse_mood_vector(options.vector) if options.vector is not None else None
    except ValueError as error:
        return problem(400, "Invalid vector", str(error))
    if options.mood is not None:
        vector = mood_vector({options.mood: 1})
    if vector is None and not options.wish.strip():
        return problem(400, "No mood and no wish", "give a mood, as mood=sad, a wish, as wish=a+bowl+of+soup, or both")
    filters = options.model_dump(include=set(FILTERS), exclude_none=True)
    states_crisis = is_crisis_statement(options.wish)
    comforting = states_crisis if options.comforting is None else options.comforting
    services = current_services()
    try:
        with services.cpu_budget.charged(current_client()):
            tables = recommendations_message(
                services.recommender,
                vector,
                options.mode,
                options.k,
                filters,
                towards=options.towards,
                seed=options.seed,
                # A statement of a crisis names nothing that the tables should look for.
                text_query=None if states_crisis and comforting else read_text_query(services, options.wish),
                comforting=comforting,
                sort=options.sort,
            )
    except TextQueryError as error:
        return problem(400, "Invalid wish", str(error))
    except ValueError as error:
        return problem(400, "Invalid mode or filter", str(error))
    if not states_crisis:
        return schemas.Recommendations(**tables).model_dump(exclude={"help"})
    tables["help"] = help_message(country_of_locale(request.headers.get("Accept-Language", "")))
    return schemas.Recommendations(**tables).model_dump()
