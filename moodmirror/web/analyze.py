"""Read one text or one recording for a program. Both are read in memory and dropped with the answer."""

import io
import logging
from typing import IO, Any, Final

from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import BadRequest, ServiceUnavailable, UnsupportedMediaType

from moodmirror.recognition.runtime import ModelError
from moodmirror.recognition.sound import SoundError, read_sound
from moodmirror.recognition.text import TextError, decoded
from moodmirror.web.messages import sound_message, words_message
from moodmirror.web.problems import problem
from moodmirror.web.site import current_site

LOGGER = logging.getLogger("moodmirror.analyze")

MAX_TEXT_BYTES: Final = 250_000  # as many characters as are read, each escaped in JSON
MAX_SOUND_BYTES: Final = 20_000_000  # ten minutes of 16 kHz, or three of CD quality, uncompressed
BUSY_SECONDS: Final = 5  # after which a program may ask again

bp = Blueprint("analyze", __name__, url_prefix="/api/analyze")


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


@bp.post("/text")
def text() -> dict[str, Any]:
    """The mood of a text, its course sentence by sentence, and the words that weighed most.

    The text comes as JSON ``{"text": …}`` or as text/plain, in UTF-8.
    """
    request.max_content_length = MAX_TEXT_BYTES
    content = _json_text() if request.is_json else _plain_text()
    recognizer = current_site().text_recognizer()
    reading = recognizer.read(content)
    return words_message(reading, recognizer.explain(content) if reading.language_known else ())


@bp.post("/audio")
def audio() -> dict[str, Any]:
    """The mood of a recording and its course over time.

    The recording comes as the one file of a form, or as the request's body.
    """
    request.max_content_length = MAX_SOUND_BYTES
    site = current_site()
    if not site.analyses.acquire(blocking=False):
        raise ServiceUnavailable("As many recordings as can be are being read. Try again shortly.", retry_after=BUSY_SECONDS)
    try:
        samples = read_sound(_uploaded())
        return sound_message(samples, site.speech_recognizer().course(samples))
    finally:
        site.analyses.release()


@bp.errorhandler(SoundError)
@bp.errorhandler(TextError)
def unreadable(error: ValueError) -> Response:
    """Answer that what was sent can't be read, and why."""
    return problem(400, "Can't be read", str(error))


@bp.errorhandler(ModelError)
@bp.errorhandler(FileNotFoundError)
def unavailable(error: Exception) -> Response:
    """Answer that a model can't be used; what is wrong with it is the log's business."""
    LOGGER.error("%s can't be answered: %s", request.path, error)
    return problem(503, "Not available", "This server can't read that at present; its log says why.")


def _json_text() -> str:
    try:
        body = request.get_json()
    except RecursionError:  # brackets in brackets in brackets
        body = None
    if not isinstance(body, dict) or set(body) != {"text"} or not isinstance(body["text"], str):
        raise BadRequest('The body must be {"text": "…"}, with a string and nothing else.')
    return body["text"]


def _plain_text() -> str:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if request.mimetype != "text/plain" or charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedMediaType('Send JSON {"text": "…"}, or text/plain in UTF-8.')
    return decoded(request.get_data(cache=False))


def _uploaded() -> bytes:
    if request.mimetype != "multipart/form-data":
        return request.get_data(cache=False)
    files = [file for _, file in request.files.items(multi=True)]
    if len(files) != 1:
        raise BadRequest(f"The form must hold one file, this one holds {len(files)}.")
    content: bytes = files[0].read()
    return content
