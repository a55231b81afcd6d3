"""Pydantic models of every Socket.IO message, in both directions, and of the shapes that the HTTP API shares with them.

Messages of clients are validated through these models when they arrive, and messages of the server are built through them.
:mod:`moodmirror.live.page_types` generates the page's TypeScript types and the documentation of the events from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    RootModel,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from moodmirror.camera.status import CameraState
from moodmirror.emotions import EMOTIONS, parse_emotion
from moodmirror.fusion import SOURCES, Source
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.ratings import SORTS
from moodmirror.recommendation.taste import VERDICTS

MAX_TEXT_CHARACTERS: Final = 5000  # of the text box: a long letter, whose analysis takes up to 1.2 s of CPU
MAX_SHOWN_READINGS: Final = 16  # of eight files: a clip has two
MAX_QUERY_CHARACTERS: Final = 200  # of a text query
MAX_FILTER_CHARACTERS: Final = 60  # of one filter's value: all diets at once
MAX_SEED: Final = 999_999_999
MAX_PROBLEMS: Final = 3  # in one error message
MAX_KEY_CHARACTERS: Final = 40  # of a key that an error message quotes
SAMPLE_BYTES: Final = 2  # of one audio sample: 16-bit little-endian, mono, at SAMPLE_RATE
MAX_PACKET_BYTES: Final = SAMPLE_RATE * SAMPLE_BYTES  # one second; the page sends a quarter of it


def emotion_of_name(name: Any) -> Any:
    """Return the emotion of a name such as ``surprised``; what is no such name is left for validation to reject."""
    try:
        return parse_emotion(name) if isinstance(name, str) else name
    except ValueError:
        return name


Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
EmotionName = Annotated[Emotion, BeforeValidator(emotion_of_name)]  # in what clients send
Kind = Literal["songs", "movies", "food", "activities"]
Mode = Literal["match", "lift", "journey", "surprise"]
Sort = Literal["match", "rating"]
Erasable = Literal["face", "speech", "text", "chosen", "course"]
SpotifyState = Literal["signed_out", "reading", "ready", "failed"]
Verdict = Literal["like", "play", "skip", "hide", "save"]
assert get_args(Emotion) == EMOTIONS
assert get_args(Kind) == KINDS
assert get_args(Mode) == MODES
assert get_args(Sort) == SORTS
assert get_args(Erasable) == (*SOURCES, "course")
assert set(get_args(Verdict)) == {*VERDICTS, "save"}

Share = Annotated[float, Field(ge=0, le=1)]
Signed = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class MaxCharacters:
    """Limit the length of a string.

    Unlike Pydantic's ``max_length``, it accepts a lone surrogate: a browser sends half an emoji where a text field's limit
    cuts through it.
    """

    limit: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "maxLength": self.limit}

    def _check(self, text: str) -> str:
        if len(text) > self.limit:
            context = {"limit": self.limit, "length": len(text)}
            raise PydanticCustomError("max_characters", "{length} characters, but at most {limit} are allowed", context)
        return text


# Shapes that several messages share, and the HTTP API with them


class Vector(BaseModel):
    """The shares of the seven emotions, which sum to 1; all 0 where nothing was recognized."""

    angry: Share
    disgust: Share
    fear: Share
    happy: Share
    sad: Share
    surprise: Share
    neutral: Share


class Reading(BaseModel):
    """The emotions recognized in an input; the label is null where none was recognized."""

    label: Emotion | None
    confidence: Share = Field(description="the share of the label")
    vector: Vector
    valence: Signed = Field(description="from unpleasant (−1) to pleasant (1)")
    arousal: Signed = Field(description="from calm (−1) to aroused (1)")


class FusedReading(Reading):
    """The emotions of several sources together, and the share of each source."""

    sources: dict[Source, Share]


class Contribution(BaseModel):
    """What one source contributes to a mood, and when its last reading was made."""

    label: Emotion
    confidence: Share
    weight: Share = Field(description="how reliable the reading is")
    at: float = Field(description="seconds on the server's monotonic clock")


class Mood(FusedReading):
    """A mood with its display name and the contribution of each source."""

    name: str | None = Field(description="its label, or both names of a mixed mood")
    mixed: list[Emotion] | None = Field(description="the two emotions of sources that contradict each other strongly")
    said: dict[Source, Contribution] = Field(description="the contribution of each source")
    at: float | None = Field(description="when it was made, in seconds on the server's monotonic clock")


class TrackedFace(BaseModel):
    """A face in a frame. If it can't be read, the label is null and `obstacle` says why."""

    number: Count = Field(description="identifies the face from frame to frame, from 1; 0 in a single picture")
    box: list[int] = Field(min_length=4, max_length=4, description="x, y, width and height in pixels of the picture")
    label: Emotion | None
    confidence: Share
    obstacle: str | None = Field(description="why the face can't be read and what to do, for the user")


class Word(BaseModel):
    """A word of a text that influenced its label strongly; positions count Unicode characters from 0."""

    start: Count
    end: Count = Field(description="exclusive")
    weight: float = Field(description="how much of the label's share depends on the word")


class Link(BaseModel):
    """An item's page on another site, or a search for it there."""

    name: str
    url: str


class Item(BaseModel):
    """An item of the catalogue."""

    id: str
    title: str
    about: str = Field(description="artist or cuisine, year, genre, duration, rating: one short line")
    line: str = Field(description="a description in one sentence")
    links: list[Link]
    rating: float | None = Field(None, description="of a film or series, 0…10, by the users of the site that it comes from")
    votes: Count | None = Field(None, description="how many people rated it")


class Row(Item):
    """One recommendation."""

    why: str = Field(description="the main reason, in one sentence")
    details: list[str] = Field(description="further reasons, in sentences")
    score: float
    liked: bool = Field(description="by the visitor; always false in the HTTP API, which uses nobody's taste")


class HelpLine(BaseModel):
    """A help line: a phone number, or a number to text with the word to send, or both; empty where it has none."""

    name: str
    phone: str
    text: str
    url: str
    hours: str


class HelpNotice(BaseModel):
    """Help for a person who states suicidality or self-harm: show it at once, above everything."""

    message: str = Field(description="what to say to the person, in plain text")
    country: str | None = Field(description="ISO 3166 code of the country of the lines; null where the locale implies none")
    lines: list[HelpLine]
    emergency: str | None = Field(description="the emergency number of the country")
    directory: str = Field(description="a site that lists the help lines of most countries")


# Messages of clients


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class FramePayload(RootModel[bytes]):
    """One frame of the visitor's camera as a JPEG file."""

    model_config = ConfigDict(strict=True)


class AudioPayload(RootModel[bytes]):
    """A packet of sound: 16-bit little-endian samples, mono, at 16 kHz; at most one second (32,000 bytes)."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        length = len(self.root)
        if not length or length % SAMPLE_BYTES:
            raise PydanticCustomError("samples", "{length} bytes are no whole 16-bit samples", {"length": length})
        if length > MAX_PACKET_BYTES:
            context = {"limit": MAX_PACKET_BYTES, "length": length}
            raise PydanticCustomError(
                "max_bytes", "{length} bytes, but at most {limit} (1 s) are allowed per packet", context
            )
        return self


class TextPayload(RootModel[Annotated[str, MaxCharacters(MAX_TEXT_CHARACTERS)]]):
    """The content of the text box; an empty text removes the reading of the last one."""

    model_config = ConfigDict(strict=True)


class ChoosePayload(RootModel[EmotionName | None]):
    """The emotion that the visitor chose by hand; null to use the other sources again."""

    model_config = ConfigDict(strict=True)


Shares = Annotated[dict[Emotion, Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(min_length=1)]


class SourceReading(BaseModel):
    """What one source says of a whole file or text, as an analysis returns it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: Literal["face", "speech", "text"]
    vector: Shares
    weight: Annotated[float, Field(gt=0, le=1)]


Shown = Annotated[
    Annotated[Shares, Tag("[shares]")]
    | Annotated[list[SourceReading], Field(max_length=MAX_SHOWN_READINGS), Tag("[readings]")],
    Discriminator(lambda payload: "[readings]" if isinstance(payload, list) else "[shares]"),
]


class ShowPayload(RootModel[Shown]):
    """The readings of analyzed files, which are held until another `show`, and fused with live ones of other sources.

    An empty list ends that. Shares by emotion are a mood instead, which holds until it is released by `choose` with null.
    """

    model_config = ConfigDict(strict=True)


class ForgetPayload(RootModel[Erasable | None]):
    """Which data of the session to delete: the readings of one source, the mood history (`course`), or everything (null)."""

    model_config = ConfigDict(strict=True)


class WatchPayload(RootModel[bool]):
    """Whether the visitor watches the server's camera, and so shares the mood of the camera room."""

    model_config = ConfigDict(strict=True)


class PreferencesPayload(_Payload):
    """How to make the visitor's tables; fields that are left out take their defaults."""

    mode: Mode = "match"
    towards: EmotionName | None = Field(None, description="the destination of a journey; null in all other modes")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="another seed gives other surprises")
    filters: dict[Kind, dict[str, Annotated[str, MaxCharacters(MAX_FILTER_CHARACTERS)]]] = Field(
        default_factory=dict, description="values by the names of the table's filters"
    )
    wish: Annotated[str, MaxCharacters(MAX_QUERY_CHARACTERS)] = Field("", description="a text query")
    sort: Sort = Field("match", description="the order of the movies: best match, or best rated of those that fit, first")
    song_list: Annotated[str, MaxCharacters(MAX_FILTER_CHARACTERS)] = Field(
        "", description="the list of the visitor's liked songs from which to recommend songs; empty: from all songs"
    )

    @model_validator(mode="after")
    def _check_destination(self) -> Self:
        if (self.mode == "journey") != (self.towards is not None):
            raise PydanticCustomError("destination", "towards must be an emotion for a journey, and null in all other modes")
        return self


class FeedbackPayload(_Payload):
    """The visitor's opinion of an item, or that they save it."""

    kind: Kind
    id: str
    verdict: Verdict
    on: bool = Field(True, description="false withdraws the verdict")


class OthersPayload(RootModel[Kind]):
    """The table whose rows to replace by others."""

    model_config = ConfigDict(strict=True)


class SafeTablesPayload(RootModel[bool]):
    """Whether the visitor's tables show only what comforts; false shows everything again."""

    model_config = ConfigDict(strict=True)


class ConnectAuth(BaseModel):
    """The credentials with which a client connects."""

    model_config = ConfigDict(strict=True)

    token: str = Field(description="from GET /token, with the same cookie")


# Acknowledgements of the server


class EmptyAck(BaseModel):
    """The message was processed."""


class ErrorAck(BaseModel):
    """The message was rejected."""

    error: str = Field(description="why, for the user or the developer of a client")


class FrameReading(BaseModel):
    """The faces in a frame, the nearest first."""

    width: Count = Field(description="of the frame in pixels")
    height: Count
    faces: list[TrackedFace]


class FrameAck(FrameReading):
    """The faces in a frame, the nearest first, and the rate at which to send frames."""

    pause: float = Field(ge=0, description="seconds to wait between two frames, so that the server can serve all visitors")


class SpeechReading(Reading):
    """The emotions recognized in the last three seconds of speech."""

    snr_db: float = Field(description="signal-to-noise ratio")
    weight: Share = Field(description="how reliable the reading is")


class AudioAck(BaseModel):
    """The state of speech recognition after a packet of sound."""

    level: float = Field(description="root mean square in dB of full scale, −96 for silence")
    state: Literal["listening", "silence", "speech"] = Field(description="`listening` before the first reading")
    reading: SpeechReading | None = Field(None, description="left out where there is no new one")


class Sentence(Reading):
    """A sentence of a text; positions count Unicode characters from 0."""

    start: Count
    end: Count = Field(description="exclusive")


class TextAck(Reading):
    """The emotions recognized in a text; the label is null for an empty text."""

    language: str | None = Field(description="the ISO 639 code of the text's language; null for an empty text")
    language_known: bool = Field(description="false for a language that the server can't read")
    weight: Share = Field(description="how reliable the reading is")
    course: list[Sentence]
    words: list[Word] = Field(description="the most influential words, in their order")
    states_crisis: bool = Field(description="whether the text states suicidality or self-harm")


class SupersededAck(BaseModel):
    """A newer text arrived before this one was analyzed, which was therefore dropped."""

    superseded: Literal[True]


class FeedbackAck(BaseModel):
    """The feedback was processed."""

    kept: bool = Field(description="whether it is stored in the database at present")


# Messages of the server


class TableRow(Row):
    """One row of a table on the page."""

    saved: bool = Field(description="by the visitor")


class RecommendationsPayload(RootModel[dict[Kind, list[TableRow]]]):
    """All four tables, best row first; empty when there is neither a mood nor a text query any more."""


class CameraPayload(BaseModel):
    """The status of the server's camera, with texts for the user."""

    state: CameraState
    message: str
    advice: str


class FacesPayload(BaseModel):
    """The faces that the server's camera sees."""

    count: Count
    obstacle: str | None = Field(description="why the nearest face can't be read and what to do, for the user")


class CoursePayload(RootModel[list[Mood]]):
    """The moods that were added to the mood history, oldest first, one per second at most."""


class LowPayload(RootModel[bool]):
    """Whether the mood has been very low for minutes."""


class HelpPayload(BaseModel):
    """Help for a person in a crisis: emitted at once for a text or wish that states one, and when `safe_tables` changes."""

    statement: bool = Field(description="whether such a statement was just found: show the help notice")
    safe_tables: bool = Field(description="whether the tables show only what comforts, until the visitor chooses otherwise")


class CatalogueItem(Item):
    """An item with its table."""

    kind: Kind


class TastePayload(BaseModel):
    """The visitor's stored data, as far as the page shows it."""

    kept: bool = Field(description="whether anything can be stored at present")
    opinions: Count = Field(description="how many")
    saved: list[CatalogueItem] = Field(description="newest first")
    hidden: list[CatalogueItem] = Field(description="newest first")


class SpotifyList(BaseModel):
    """A list of the visitor's liked songs, to choose in the preferences as `song_list`."""

    name: str = Field(description="`liked` for all of them, or a group's mood")
    songs: Count = Field(description="how many")


class SpotifyPayload(BaseModel):
    """The visitor's sign-in to Spotify, and their liked songs."""

    state: SpotifyState
    read: Count = Field(description="liked songs that are read")
    total: Count | None = Field(description="of how many; null while that is unknown")
    in_catalogue: Count = Field(description="how many of them the catalogue has")
    guessed: Count = Field(description="how many have a mood that is only guessed")
    message: str = Field(description="why reading failed and what to do, for the user")
    lists: list[SpotifyList]


class ConnectRefusal(BaseModel):
    """The data of the error with which a connection is refused; the error's message is for the user."""

    again: Count = Field(description="seconds after which to try again")


# The events


@dataclass(frozen=True)
class ClientEvent:
    """An event that clients emit: its payload, and the content of its acknowledgement besides :class:`ErrorAck`."""

    payload: type[BaseModel]
    acknowledgements: tuple[type[BaseModel], ...] = (EmptyAck,)
    awaited: bool = False  # whether the page always waits for the acknowledgement


CLIENT_EVENTS: Final[Mapping[str, ClientEvent]] = {
    "frame": ClientEvent(FramePayload, (FrameAck,), awaited=True),
    "audio": ClientEvent(AudioPayload, (AudioAck,), awaited=True),
    "text": ClientEvent(TextPayload, (TextAck, SupersededAck), awaited=True),
    "choose": ClientEvent(ChoosePayload),
    "show": ClientEvent(ShowPayload),
    "forget": ClientEvent(ForgetPayload),
    "watch": ClientEvent(WatchPayload),
    "preferences": ClientEvent(PreferencesPayload, awaited=True),
    "feedback": ClientEvent(FeedbackPayload, (FeedbackAck,)),
    "others": ClientEvent(OthersPayload),
    "safe_tables": ClientEvent(SafeTablesPayload),
}
"""The events of clients by name."""

SERVER_EVENTS: Final[Mapping[str, type[BaseModel]]] = {
    "mood": Mood,
    "recommendations": RecommendationsPayload,
    "camera": CameraPayload,
    "faces": FacesPayload,
    "course": CoursePayload,
    "low": LowPayload,
    "help": HelpPayload,
    "taste": TastePayload,
    "spotify": SpotifyPayload,
}
"""The payloads of the server's events by name."""


def error_message(event: str, error: ValidationError) -> str:
    """Return what is wrong with the payload of an event: at most three problems, with their paths."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)[:MAX_PROBLEMS]
    return "; ".join(f"{_path(event, problem['loc'])}: {problem['msg']}" for problem in problems)


def _path(event: str, keys: tuple[int | str, ...]) -> str:
    return ".".join(
        (event, *(str(key)[:MAX_KEY_CHARACTERS] for key in keys if key not in ("[key]", "[shares]", "[readings]")))
    )
