"""What the HTTP interface takes and gives: every answer is made through these, and /openapi.json is made from them."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from moodmirror.live.message_schemas import (
    MAX_QUERY_CHARACTERS,
    MAX_SEED,
    Count,
    Emotion,
    FusedReading,
    Mode,
    Reading,
    Row,
    Share,
    TrackedFace,
    Word,
)
from moodmirror.live.messages import ROWS
from moodmirror.media.formats import Kind
from moodmirror.recommendation.filters import FILTERS

MAX_ROWS: Final = 100


class Moment(FusedReading):
    """One moment of a course, in seconds or by its place in a text."""

    at: float | None = Field(description="seconds from the start")
    start: Count | None = Field(description="Unicode characters from the text's start")
    end: Count | None = Field(description="likewise, not included")
    weight: Share | None = Field(description="how far to trust it")
    snr_db: float | None = Field(description="how far a voice stands above the noise")
    mixed: list[Emotion] | None = Field(description="what face and voice say where they contradict each other strongly")


class Face(TrackedFace, Reading):
    """One face, and the emotions recognized in it."""


class Analysis(FusedReading):
    """What was sent was read as: always of this one shape, with null or nothing for what its kind does not have."""

    kind: Kind
    share: Share = Field(description="the part of what was read in which the label leads")
    width: Count | None
    height: Count | None
    seconds: float | None
    course: list[Moment]
    faces: list[Face]
    words: list[Word]
    language_known: bool | None
    weight: Share | None


PROGRESS_TYPE: Final = "application/x-ndjson"


class FileAnalysis(Analysis):
    """An analysis of a file; to who asks for it, its progress comes first, line by line."""

    model_config = ConfigDict(
        title="FileAnalysis",
        openapi_extra={  # type: ignore[typeddict-unknown-key]  # flask-openapi3's
            "content": {
                PROGRESS_TYPE: {
                    "schema": {
                        "type": "string",
                        "description": 'a JSON object a line: {"progress": 0…1 or null} while it works; in the end '
                        '{"analysis": …} or {"problem": …}. Closing the connection ends the work.',
                    }
                }
            }
        },
    )


class Recommendations(BaseModel):
    """The four tables, best first."""

    songs: list[Row]
    movies: list[Row]
    food: list[Row]
    activities: list[Row]


class MyData(BaseModel):
    """All that is kept of a visitor; null and empty for who is not known."""

    visitor: dict[str, Any] | None
    opinions: list[dict[str, Any]]
    saved: list[dict[str, Any]]


class Problem(BaseModel):
    """What went wrong, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str


class TextBody(BaseModel):
    """A text to read."""

    model_config = ConfigDict(extra="forbid")

    text: str


class Asked(BaseModel):
    """Which recommendations are wanted."""

    model_config = ConfigDict(extra="forbid")

    mood: Emotion | None = Field(None, description="may be left out where there is a wish")
    mode: Mode = "match"
    towards: Emotion | None = Field(None, description="where a journey leads")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="another surprise for another number")
    k: int = Field(ROWS, ge=1, le=MAX_ROWS, description="rows of each table")
    wish: str = Field(
        "", max_length=MAX_QUERY_CHARACTERS, description="in own words; counts beside the mood, or alone without one"
    )


_filters: Any = {name: (str | None, Field(None, description=meaning)) for name, meaning in FILTERS.items()}
Question: type[Asked] = create_model("Question", __base__=Asked, **_filters)


def problem_answer(description: str) -> dict[str, Any]:
    """How an operation's description tells of an answer with problem details."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def file_body(*media_types: str) -> dict[str, Any]:
    """How an operation's description tells of a body that is a file, or a form with one."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    content: dict[str, Any] = {media_type: {"schema": binary} for media_type in media_types}
    return {"required": True, "content": content | {"multipart/form-data": {"schema": form}}}


# What every part answers whoever asks too much.
TOO_OFTEN: Final[dict[str, Any]] = {
    **problem_answer("One visitor, or one address, asked too much."),
    "headers": {"Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}}},
}
