"""Read one file or text for a program or for the page. It is read in memory and dropped with the answer."""

import io
import json
import logging
from collections.abc import Collection, Generator, Iterator
from contextlib import ExitStack, closing
from typing import IO, Any, BinaryIO, Final, cast

from flask import Request, Response, request, stream_with_context
from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, ServiceUnavailable, UnsupportedMediaType

from moodmirror.live.messages import analysis_message
from moodmirror.media.analysis_result import Analysis
from moodmirror.media.errors import DecoderError, MediaError
from moodmirror.media.file_analysis import Progress, analyze, analyze_text, run_to_completion
from moodmirror.media.formats import KINDS, MAX_BYTES, MAX_TEXT_BYTES, Kind
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.text_input import TextError, decode_text
from moodmirror.services import current_services
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem, problem_body

LOGGER = logging.getLogger("moodmirror.analyze")

# 30 MB hold a telephone's photo many times over, 20 MB ten minutes of sound at 16 kHz, uncompressed.
MOST_BYTES: Final[dict[Kind, int]] = {"image": 30_000_000, "audio": 20_000_000, "video": MAX_BYTES, "text": MAX_TEXT_BYTES}
STALL_SECONDS: Final = 20.0  # an upload that stands still for so long would keep others from being read
PROGRESS_STEP: Final = 0.01  # of the whole: finer than a bar shows
BUSY_SECONDS: Final = 5  # after which a program may ask again
STATUS: Final = {"unreadable": 400, "wrong kind": 415, "too large": 413}
TITLES: Final = {"unreadable": "Can't be read", "wrong kind": "Of another kind", "too large": "Too large"}

_problem = schemas.problem_answer
bp = APIBlueprint(
    "analyze",
    __name__,
    url_prefix="/api/analyze",
    abp_responses={
        400: _problem("It can't be read; the detail says why."),
        403: _problem("A page of another site asked."),
        413: _problem("It has more bytes, pixels, seconds or frames than are read."),
        415: _problem("It is of another kind than is read here."),
        429: schemas.TOO_OFTEN,
        503: _problem("The server can't read it now: it is busy, or a model is missing."),
    },
)
_file_answer: Any = {200: schemas.FileAnalysis, 408: _problem("The upload stood still.")}


class MemoryRequest(Request):
    """A request whose uploads stay in memory: what people send is never written to disk, not even for a moment."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


_text_body: Any = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": schemas.TextBody.model_json_schema()},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


@bp.post("/text", responses={200: schemas.Analysis}, openapi_extensions=_text_body)
def text() -> dict[str, Any]:
    """The mood of a text, its course sentence by sentence, and the words that weighed most.

    The text comes as JSON ``{"text": …}`` or as text/plain, in UTF-8.
    """
    request.max_content_length = MOST_BYTES["text"]
    content = _json_text() if request.is_json else _plain_text()
    return _shaped(analyze_text(content, current_services().text_recognizer()))


@bp.post("/image", responses=_file_answer, openapi_extensions={"requestBody": schemas.file_body("image/*")})
def image() -> Response | dict[str, Any]:
    """The mood of every face in a picture: JPEG, PNG, WebP, GIF or HEIC.

    The file comes as the one file of a form, or as the request's body; likewise at the other addresses for files.
    """
    return _analyzed(["image"])


@bp.post("/audio", responses=_file_answer, openapi_extensions={"requestBody": schemas.file_body("audio/*")})
def audio() -> Response | dict[str, Any]:
    """The mood of a recording and its course over time: WAV, FLAC, OGG, Opus, MP3, M4A or WebM."""
    return _analyzed(["audio"])


@bp.post("/video", responses=_file_answer, openapi_extensions={"requestBody": schemas.file_body("video/*", "image/gif")})
def video() -> Response | dict[str, Any]:
    """The course of moods of a clip, from its faces and its sound: MP4, WebM, MOV, AVI or an animated GIF."""
    return _analyzed(["video"])


@bp.post(
    "/file",
    responses=_file_answer,
    openapi_extensions={"requestBody": schemas.file_body("image/*", "audio/*", "video/*", "application/octet-stream")},
)
def file() -> Response | dict[str, Any]:
    """The mood of a picture, a recording, a clip or a text: the file's first bytes say which it is."""
    return _analyzed(KINDS)


@bp.errorhandler(MediaError)
@bp.errorhandler(TextError)
def unreadable(error: ValueError) -> Response:
    """Answer that what was sent can't be read, and why."""
    return problem(*_unreadable(error))


@bp.errorhandler(TimeoutError)
def stalled(error: TimeoutError) -> Response:
    """Answer that an upload was given up."""
    return problem(408, "Upload stood still", f"Nothing came for {STALL_SECONDS:.0f} s. Send it again.")


@bp.errorhandler(ModelError)
@bp.errorhandler(FileNotFoundError)
@bp.errorhandler(DecoderError)
def unavailable(error: Exception) -> Response:
    """Answer that a model can't be used; what is wrong with it is the log's business."""
    return problem(*_unavailable(error))


def _unreadable(error: ValueError) -> tuple[int, str, str]:
    kind = error.problem if isinstance(error, MediaError) else "unreadable"
    return STATUS[kind], TITLES[kind], str(error)


def _unavailable(error: Exception) -> tuple[int, str, str]:
    LOGGER.error("%s can't be answered: %s", request.path, error)
    return 503, "Not available", "This server can't read that at present; its log says why."


def _analyzed(wanted: Collection[Kind]) -> Response | dict[str, Any]:
    request.max_content_length = max(MOST_BYTES[kind] for kind in wanted)
    site = current_services()
    if not site.analyses.acquire(blocking=False):
        raise ServiceUnavailable("As many files as can be are being read. Try again shortly.", retry_after=BUSY_SECONDS)
    with ExitStack() as held:
        held.callback(site.analyses.release)
        work = held.enter_context(closing(analyze(_uploaded(), site, wanted)))
        if request.accept_mimetypes.best != schemas.PROGRESS_TYPE:
            return _shaped(run_to_completion(work))
        next(work)  # what can be told from the file's header is told with a status of its own
        answer = Response(
            stream_with_context(_lines(work)), mimetype=schemas.PROGRESS_TYPE, headers={"X-Accel-Buffering": "no"}
        )
        answer.call_on_close(held.pop_all().close)  # also when whoever asked has gone: that is how they cancel
        return answer


def _lines(work: Generator[Progress, None, Analysis]) -> Iterator[str]:
    told: Progress = 0.0
    try:
        while True:
            progress = next(work)
            if progress is None or told is None or progress - told >= PROGRESS_STEP:
                told = progress
                yield _line({"progress": progress})
    except StopIteration as done:
        yield _line({"analysis": _shaped(done.value)})
    except (MediaError, TextError) as error:
        yield _line({"problem": problem_body(*_unreadable(error))})
    except (ModelError, FileNotFoundError, DecoderError) as error:
        yield _line({"problem": problem_body(*_unavailable(error))})


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"


def _shaped(analysis: Analysis) -> dict[str, Any]:
    return schemas.Analysis(**analysis_message(analysis)).model_dump(mode="json")


def _uploaded() -> BinaryIO:
    """The one file that was sent, in a form or as the body, to be read as it comes."""
    connection = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    if connection is not None:
        connection.settimeout(STALL_SECONDS)
    if request.mimetype != "multipart/form-data":
        return cast(BinaryIO, request.stream)
    files = [file for _, file in request.files.items(multi=True)]
    if len(files) != 1:
        raise BadRequest(f"The form must hold one file, this one holds {len(files)}.")
    return cast(BinaryIO, files[0].stream)


def _json_text() -> str:
    try:
        body = request.get_json()
    except RecursionError:  # brackets in brackets in brackets
        body = None
    try:
        return schemas.TextBody.model_validate(body, strict=True).text
    except ValidationError:
        raise BadRequest('The body must be {"text": "…"}, with a string and nothing else.') from None


def _plain_text() -> str:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "text/plain" or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType('Send JSON {"text": "…"}, or text/plain in UTF-8.')
    return decode_text(request.get_data(cache=False))
