"""The HTTP API that analyzes one file or text, in memory only: nothing that is sent is stored."""

import io
import json
import logging
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import IO, Any, BinaryIO, Final, TypeVar, cast

from flask import Request, Response, request, stream_with_context
from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, ServiceUnavailable, UnsupportedMediaType

from moodmirror.cpu_budget import CpuMeter, current_client
from moodmirror.help_lines import country_of_locale
from moodmirror.live.message_schemas import Mood
from moodmirror.live.messages import analysis_message, combined_mood_message
from moodmirror.media.analysis_result import Analysis
from moodmirror.media.errors import DecoderError, MediaError
from moodmirror.media.file_analysis import Progress, analyze, analyze_text, run_to_completion
from moodmirror.media.formats import KINDS, MAX_BYTES, MAX_TEXT_BYTES, Kind
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.text_input import TextError, decode_text
from moodmirror.server.client_socket import client_socket
from moodmirror.services import Services, current_services
from moodmirror.web import schemas
from moodmirror.web.problem_details import problem, problem_body

LOGGER = logging.getLogger("moodmirror.analyze")

# Of an upload. 30 MB hold a phone's photo many times over, 20 MB ten minutes of uncompressed audio at 16 kHz.
MAX_UPLOAD_BYTES: Final[dict[Kind, int]] = {
    "image": 30_000_000,
    "audio": 20_000_000,
    "video": MAX_BYTES,
    "text": MAX_TEXT_BYTES,
}
UPLOAD_TIMEOUT_SECONDS: Final = 20.0  # without data: a stalled upload occupies one of the few analysis slots
MAX_PARTS: Final = 8  # of a request with several files and texts
MIN_PROGRESS_STEP: Final = 0.01  # of the whole: finer than a progress bar shows
RETRY_AFTER_SECONDS: Final = 5  # for a client that finds all slots occupied
# Texts take milliseconds, unless they are long: a client that sends several at once need not repeat them.
TEXT_WAIT_SECONDS: Final = 0.25
TEXT_RETRY_SECONDS: Final = 1
STATUS: Final = {"unreadable": 400, "wrong kind": 415, "too large": 413}
TITLES: Final = {"unreadable": "Can't be read", "wrong kind": "Unsupported kind", "too large": "Too large"}

Result = TypeVar("Result")

_problem = schemas.problem_response
bp = APIBlueprint(
    "analyze",
    __name__,
    url_prefix="/api/analyze",
    abp_responses={
        400: _problem("The content can't be read; the detail says why."),
        403: _problem("A page of another site sent the request."),
        413: _problem("The content exceeds a limit of bytes, pixels, seconds or frames."),
        415: _problem("The content is of a kind that this route does not support."),
        429: schemas.RATE_LIMITED,
        503: _problem("The server is busy, or a model is unavailable."),
    },
)
_file_responses: Any = {200: schemas.FileAnalysis, 408: _problem("The upload stalled.")}


class MemoryRequest(Request):
    """A request whose uploads stay in memory: uploaded content is never written to disk, not even temporarily."""

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
    """Analyze a text: its mood, the mood of each sentence, and the words with the highest weights.

    Send JSON ``{"text": …}`` or text/plain, in UTF-8.
    """
    request.max_content_length = MAX_UPLOAD_BYTES["text"]
    content = _json_text() if request.is_json else _plain_text()
    services = current_services()
    with services.cpu_budget.charged(current_client()):
        if not services.text_slots.acquire(timeout=TEXT_WAIT_SECONDS):
            raise _busy("texts", TEXT_RETRY_SECONDS)
        try:
            return _response_body(analyze_text(content, services.text_recognizer()))
        finally:
            services.text_slots.release()


@bp.post("/image", responses=_file_responses, openapi_extensions={"requestBody": schemas.file_body("image/*")})
def image() -> Response | dict[str, Any]:
    """Analyze every face in a picture: JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP, TIFF and others (docs/file_formats.md).

    Send the file as the only file of a form, or as the request's body. The other routes for files work the same way.
    """
    return _analyze_upload(["image"])


@bp.post("/audio", responses=_file_responses, openapi_extensions={"requestBody": schemas.file_body("audio/*")})
def audio() -> Response | dict[str, Any]:
    """Analyze the voice in a recording over time: WAV, FLAC, OGG, Opus, MP3, M4A, AAC, AIFF, WMA, AMR, WebM and others."""
    return _analyze_upload(["audio"])


@bp.post("/video", responses=_file_responses, openapi_extensions={"requestBody": schemas.file_body("video/*", "image/gif")})
def video() -> Response | dict[str, Any]:
    """Analyze the faces and the voice in a video over time: MP4, WebM, MOV, MKV, AVI, MPEG …, or an animated picture."""
    return _analyze_upload(["video"])


@bp.post(
    "/file",
    responses=_file_responses,
    openapi_extensions={"requestBody": schemas.file_body("image/*", "audio/*", "video/*", "application/octet-stream")},
)
def file() -> Response | dict[str, Any]:
    """Analyze a picture, recording, video or text; its kind is detected from the first bytes."""
    return _analyze_upload(KINDS)


@bp.post(
    "",
    responses={200: schemas.CombinedAnalysis, 408: _problem("The upload stalled.")},
    openapi_extensions={"requestBody": schemas.parts_body()},
)
def together() -> Response | dict[str, Any]:
    """Analyze several files and texts of one person, and make one mood of them: a photo, a voice note and a sentence.

    Send a form with any number of files, and texts in fields called ``text``, up to eight parts. A part that can't be read
    has a problem instead of an analysis, and the others make the mood.
    """
    request.max_content_length = MAX_BYTES
    _limit_reading_time()
    parts: list[tuple[str, BinaryIO | str]] = [
        (file.filename or name, cast(BinaryIO, file.stream)) for name, file in request.files.items(multi=True)
    ]
    parts += [(name, text) for name, text in request.form.items(multi=True)]
    unknown = sorted({name for name in request.form if name != "text"})
    if unknown:
        raise BadRequest(f"The form has a field {unknown[0]!r}. Send files, and texts in fields called text.")
    if not 1 <= len(parts) <= MAX_PARTS:
        raise BadRequest(f"The form must hold one to {MAX_PARTS} files and texts, but holds {len(parts)}.")
    return _respond(
        lambda services, meter: _analyze_parts(parts, services, meter), lambda result: result.model_dump(mode="json")
    )


@bp.errorhandler(MediaError)
@bp.errorhandler(TextError)
def on_unreadable(error: ValueError) -> Response:
    """Return a response that says why the content can't be analyzed."""
    return problem(*_unreadable_problem(error))


@bp.errorhandler(TimeoutError)
def on_stalled_upload(error: TimeoutError) -> Response:
    """Return 408 for an upload that stalled."""
    return problem(408, "Upload stalled", f"No data arrived for {UPLOAD_TIMEOUT_SECONDS:.0f} s. Send the file again.")


@bp.errorhandler(ModelError)
@bp.errorhandler(FileNotFoundError)
@bp.errorhandler(DecoderError)
def on_unavailable(error: Exception) -> Response:
    """Return 503 where a model or decoder fails; only the log has the reason."""
    return problem(*_unavailable_problem(error))


def _unreadable_problem(error: ValueError) -> tuple[int, str, str]:
    kind = error.problem if isinstance(error, MediaError) else "unreadable"
    return STATUS[kind], TITLES[kind], str(error)


def _unavailable_problem(error: Exception) -> tuple[int, str, str]:
    LOGGER.error("the request to %s failed: %s", request.path, error)
    return 503, "Unavailable", "The server can't analyze this at the moment. Try again later; its log has the reason."


def _analyze_upload(kinds: Collection[Kind]) -> Response | dict[str, Any]:
    request.max_content_length = max(MAX_UPLOAD_BYTES[kind] for kind in kinds)
    return _respond(lambda services, meter: analyze(_uploaded_file(), services, kinds, meter.add), _response_body)


def _analyze_parts(
    parts: Sequence[tuple[str, BinaryIO | str]], services: Services, meter: CpuMeter
) -> Generator[Progress, None, schemas.CombinedAnalysis]:
    """Analyze each part, a file or a text; yields the progress and returns the analyses and the one mood of all."""
    analyses: list[Analysis] = []
    answers: list[schemas.Part] = []
    yield 0.0
    for number, (name, content) in enumerate(parts):
        try:
            if isinstance(content, str):
                analysis = analyze_text(content, services.text_recognizer())
            else:
                with closing(analyze(content, services, on_cpu_time=meter.add)) as work:
                    while True:
                        try:
                            progress = next(work)
                        except StopIteration as stop:
                            analysis = stop.value
                            break
                        yield None if progress is None else (number + progress) / len(parts)
            analyses.append(analysis)
            answers.append(schemas.Part(name=name, analysis=_analysis_schema(analysis), problem=None))
        except (MediaError, TextError) as error:
            problem = schemas.Problem(**problem_body(*_unreadable_problem(error)))
            answers.append(schemas.Part(name=name, analysis=None, problem=problem))
        yield (number + 1) / len(parts)
    return schemas.CombinedAnalysis(parts=answers, together=Mood.model_validate(combined_mood_message(analyses)))


def _respond(
    start: Callable[[Services, CpuMeter], Generator[Progress, None, Result]], to_body: Callable[[Result], dict[str, Any]]
) -> Response | dict[str, Any]:
    """Run an analysis in one of the slots and return its result, or stream its progress to clients that accept that."""
    services = current_services()
    with ExitStack() as stack:
        meter = stack.enter_context(services.cpu_budget.charged(current_client()))
        if not services.analysis_slots.acquire(blocking=False):
            raise _busy("files", RETRY_AFTER_SECONDS)
        stack.callback(services.analysis_slots.release)
        analysis = stack.enter_context(closing(start(services, meter)))
        if request.accept_mimetypes.best != schemas.PROGRESS_TYPE:
            return to_body(run_to_completion(analysis))
        next(analysis)  # errors in the file's header get an HTTP status of their own
        response = Response(
            stream_with_context(_progress_lines(analysis, to_body)),
            mimetype=schemas.PROGRESS_TYPE,
            headers={"X-Accel-Buffering": "no"},
        )
        response.call_on_close(stack.pop_all().close)  # also when the client disconnects, which cancels the analysis
        return response


def _busy(others: str, retry_after: int) -> ServiceUnavailable:
    return ServiceUnavailable(
        f"The server is busy with other {others}. Try again in {retry_after} s.", retry_after=retry_after
    )


def _progress_lines(
    analysis: Generator[Progress, None, Result], to_body: Callable[[Result], dict[str, Any]]
) -> Iterator[str]:
    reported: Progress = 0.0
    try:
        while True:
            progress = next(analysis)
            if progress is None or reported is None or progress - reported >= MIN_PROGRESS_STEP:
                reported = progress
                yield _line({"progress": progress})
    except StopIteration as stop:
        yield _line({"analysis": to_body(stop.value)})
    except (MediaError, TextError) as error:
        yield _line({"problem": problem_body(*_unreadable_problem(error))})
    except (ModelError, FileNotFoundError, DecoderError) as error:
        yield _line({"problem": problem_body(*_unavailable_problem(error))})


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message) + "\n"


def _response_body(analysis: Analysis) -> dict[str, Any]:
    return _analysis_schema(analysis).model_dump(mode="json")


def _analysis_schema(analysis: Analysis) -> schemas.Analysis:
    country = country_of_locale(request.headers.get("Accept-Language", ""))
    return schemas.Analysis(**analysis_message(analysis, country))


def _uploaded_file() -> BinaryIO:
    """Return the uploaded file, from a form or the body, as a stream that is read while it arrives."""
    _limit_reading_time()
    if request.mimetype != "multipart/form-data":
        return cast(BinaryIO, request.stream)
    files = [file for _, file in request.files.items(multi=True)]
    if len(files) != 1:
        raise BadRequest(f"The form must hold one file, but holds {len(files)}.")
    return cast(BinaryIO, files[0].stream)


def _limit_reading_time() -> None:
    """Limit the time without data; gunicorn's worker has received the request as a whole, other servers have not."""
    connection = client_socket(request.environ)
    if connection is not None:
        connection.settimeout(UPLOAD_TIMEOUT_SECONDS)


def _json_text() -> str:
    try:
        body = request.get_json()
    except RecursionError:  # deeply nested brackets
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
