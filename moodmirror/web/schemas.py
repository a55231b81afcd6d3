"""Pydantic models of the HTTP API: every response is built through them, and /openapi.json is generated from them."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from moodmirror.live.message_schemas import (
    MAX_QUERY_CHARACTERS,
    MAX_SEED,
    Count,
    Emotion,
    EmotionName,
    FusedReading,
    HelpNotice,
    Mode,
    Mood,
    Reading,
    Row,
    Share,
    Sort,
    SourceReading,
    TrackedFace,
    Word,
)
from moodmirror.live.messages import ROWS_PER_TABLE
from moodmirror.media.formats import Kind
from moodmirror.recommendation.filters import FILTERS

MAX_ROWS: Final = 100


class Moment(FusedReading):
    """One moment of a recording or video, by its time; or one sentence of a text, by its position."""

    at: float | None = Field(description="seconds from the start")
    start: Count | None = Field(description="position of its first character, in Unicode characters")
    end: Count | None = Field(description="position after its last character, in Unicode characters")
    weight: Share | None = Field(description="how reliable the reading is")
    snr_db: float | None = Field(description="signal-to-noise ratio of the voice in dB")
    mixed: list[Emotion] | None = Field(description="the emotions of face and voice if they strongly contradict each other")


class Face(TrackedFace, Reading):
    """One face, and the emotions recognized in it."""


class Analysis(FusedReading):
    """The result of an analysis, with the same fields for every kind; fields that a kind does not have are null or empty."""

    kind: Kind
    share: Share = Field(description="the share of the readings in which the label leads")
    width: Count | None
    height: Count | None
    seconds: float | None
    course: list[Moment]
    faces: list[Face]
    words: list[Word]
    language: str | None = Field(description="the ISO 639 code of a text's language")
    language_known: bool | None = Field(
        description="whether that language is supported; if not, the text counts for nothing"
    )
    weight: Share | None
    notices: list[str] = Field(description="sentences about what was read in part only, or differently than expected")
    readings: list[SourceReading] = Field(description="what each source says of the whole, for the event `show`")
    help: HelpNotice | None = Field(description="help to show at once, if the text states suicidality or self-harm")


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str


class Part(BaseModel):
    """One part of a request with several: its analysis, or the reason why it can't be read."""

    name: str = Field(description="the file's name, or the name of the form's field")
    analysis: Analysis | None
    problem: Problem | None


class CombinedAnalysis(BaseModel):
    """The analyses of several files and texts of one person, and the one mood that they make."""

    parts: list[Part] = Field(description="in the order of the form")
    together: Mood = Field(description="its label is null where nothing was recognized in any part")


PROGRESS_TYPE: Final = "application/x-ndjson"


class FileAnalysis(Analysis):
    """The result of a file's analysis; with progress, line by line, for clients that accept newline-delimited JSON."""

    model_config = ConfigDict(
        title="FileAnalysis",
        openapi_extra={  # type: ignore[typeddict-unknown-key]  # flask-openapi3's
            "content": {
                PROGRESS_TYPE: {
                    "schema": {
                        "type": "string",
                        "description": 'one JSON object per line: {"progress": 0…1 or null} during the analysis, then '
                        '{"analysis": …} or {"problem": …}. Closing the connection cancels the analysis.',
                    }
                }
            }
        },
    )


class Recommendations(BaseModel):
    """The four tables, best rows first."""

    songs: list[Row]
    movies: list[Row]
    food: list[Row]
    activities: list[Row]
    help: HelpNotice | None = Field(None, description="help to show at once, if the wish states suicidality or self-harm")


class MyData(BaseModel):
    """All data stored about a visitor; null and empty for an unknown visitor."""

    visitor: dict[str, Any] | None
    opinions: list[dict[str, Any]]
    saved: list[dict[str, Any]]


class TextBody(BaseModel):
    """A text to analyze."""

    model_config = ConfigDict(extra="forbid")

    text: str


_COMFORTING: Final = (
    "true: only rows that comfort, for a person in a crisis; false: everything; left out: true if the wish states "
    "suicidality or self-harm"
)


class RecommendationOptions(BaseModel):
    """Which recommendations to return."""

    model_config = ConfigDict(extra="forbid")

    mood: EmotionName | None = Field(None, description="optional if there is a vector or a wish")
    vector: str | None = Field(
        None,
        description='a mood vector instead of a mood: the "vector" of an analysis as JSON, or seven numbers with commas',
    )
    mode: Mode = "match"
    towards: EmotionName | None = Field(None, description="the emotion that a journey leads to")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="selects among the results of the mode surprise")
    sort: Sort = Field("match", description="rating: of the movies that fit, the best rated first")
    k: int = Field(ROWS_PER_TABLE, ge=1, le=MAX_ROWS, description="rows of each table")
    wish: str = Field(
        "", max_length=MAX_QUERY_CHARACTERS, description="a query in free text; ranks together with the mood, or alone"
    )
    comforting: bool | None = Field(None, description=_COMFORTING)


_filters: Any = {name: (str | None, Field(None, description=meaning)) for name, meaning in FILTERS.items()}
RecommendationQuery: type[RecommendationOptions] = create_model(
    "RecommendationQuery", __base__=RecommendationOptions, **_filters
)


def problem_response(description: str) -> dict[str, Any]:
    """Return the OpenAPI description of a response with problem details."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def parts_body() -> dict[str, Any]:
    """Return the OpenAPI description of a form with several files and texts."""
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    properties = {"file": files, "text": {"description": "a text; may be repeated"}}
    return {"required": True, "content": {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}}


def file_body(*media_types: str) -> dict[str, Any]:
    """Return the OpenAPI description of a body that is a file, or a form with one."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    content: dict[str, Any] = {media_type: {"schema": binary} for media_type in media_types}
    return {"required": True, "content": content | {"multipart/form-data": {"schema": form}}}


RATE_LIMITED: Final[dict[str, Any]] = {
    **problem_response("The visitor or the address sent too many requests."),
    "headers": {"Retry-After": {"description": "Seconds to wait before the next request.", "schema": {"type": "integer"}}},
}
