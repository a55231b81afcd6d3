"""Errors as problem details (RFC 9457), for programs."""

from typing import Any, Final

from flask import Response, current_app, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from moodmirror.web.schemas import Problem

# Read and discarded of a refused body: a client that is still sending would see a broken connection instead of the response.
MAX_DRAINED_BYTES: Final = 64_000_000
CHUNK_BYTES: Final = 65_536


def problem(status: int, title: str, detail: str) -> Response:
    """Return a response with problem details."""
    body = current_app.json.dumps(problem_body(status, title, detail))
    return Response(body, status, mimetype="application/problem+json")


def problem_body(status: int, title: str, detail: str) -> dict[str, Any]:
    """Return the JSON object of problem details."""
    return Problem(type="about:blank", title=title, status=status, detail=detail).model_dump()


def on_invalid(error: ValidationError) -> Response:
    """Return a 400 response that names every invalid parameter of a request."""
    errors = [f"{'.'.join(map(str, part['loc'])) or 'the query'}: {part['msg']}" for part in error.errors()]
    return problem(400, "Invalid parameter", "; ".join(errors))


def on_http_error(error: HTTPException) -> HTTPException | Response:
    """Return an HTTP error as problem details under /api/, and elsewhere as Flask's plain page."""
    if not request.path.startswith("/api/"):
        return error
    if "stream" not in vars(request._get_current_object()):  # type: ignore[attr-defined]  # the body was not read
        _drain()
    status = error.code or 500
    response = Response(headers=error.get_response().headers, status=status, mimetype="application/problem+json")
    response.set_data(current_app.json.dumps(problem_body(status, error.name, error.description or error.name)))
    response.mimetype = "application/problem+json"
    return response


def _drain() -> None:
    body, remaining = request.environ["wsgi.input"], min(request.content_length or 0, MAX_DRAINED_BYTES)
    while remaining > 0 and (chunk := body.read(min(remaining, CHUNK_BYTES))):
        remaining -= len(chunk)
