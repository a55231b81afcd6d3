"""Errors as problem details after RFC 9457, for programs."""

from typing import Any, Final

from flask import Response, current_app, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from moodmirror.web.schemas import Problem

# Of a body that is refused, so much is taken all the same: who still sends would see a broken connection, not the answer.
DRAINED_BYTES: Final = 64_000_000
CHUNK_BYTES: Final = 65_536


def problem(status: int, title: str, detail: str) -> Response:
    """A problem details answer."""
    body = current_app.json.dumps(problem_body(status, title, detail))
    return Response(body, status, mimetype="application/problem+json")


def problem_body(status: int, title: str, detail: str) -> dict[str, Any]:
    """What a problem details answer holds."""
    return Problem(type="about:blank", title=title, status=status, detail=detail).model_dump()


def on_invalid(error: ValidationError) -> Response:
    """What is wrong with a question, parameter by parameter."""
    wrong = [f"{'.'.join(map(str, part['loc'])) or 'the question'}: {part['msg']}" for part in error.errors()]
    return problem(400, "Wrong parameter", "; ".join(wrong))


def on_http_error(error: HTTPException) -> HTTPException | Response:
    """What Flask itself refuses, as problem details where a program asked; people get its plain page."""
    if not request.path.startswith("/api/"):
        return error
    if "stream" not in vars(request._get_current_object()):  # type: ignore[attr-defined]  # nothing was read
        _drain()
    status = error.code or 500
    answer = Response(headers=error.get_response().headers, status=status, mimetype="application/problem+json")
    answer.set_data(current_app.json.dumps(problem_body(status, error.name, error.description or error.name)))
    answer.mimetype = "application/problem+json"
    return answer


def _drain() -> None:
    body, left = request.environ["wsgi.input"], min(request.content_length or 0, DRAINED_BYTES)
    while left > 0 and (chunk := body.read(min(left, CHUNK_BYTES))):
        left -= len(chunk)
