"""Who a visitor is to the mirror, an anonymous id in a signed cookie; and what is kept of them: to download or to delete."""

import json
import secrets
from datetime import timedelta
from typing import Any, Final

from flask import Flask, Response, request, session
from flask.sessions import SecureCookieSessionInterface
from flask_openapi3 import APIBlueprint
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from moodmirror.database import KEEP_DAYS, DatabaseAway
from moodmirror.web import schemas
from moodmirror.web.problems import problem
from moodmirror.web.site import current_site

VISITOR: Final = "visitor"  # the cookie's one field
# A page of another site can't send this header without asking first, and is not answered when it asks.
HEADER: Final = "X-Mood-Mirror"

_away: Any = schemas.problem_answer("The database is away.")
_header: Any = {"parameters": [{"name": HEADER, "in": "header", "required": True, "schema": {"const": "1"}}]}

bp = APIBlueprint("my_data", __name__, url_prefix="/api/my-data", abp_responses={429: schemas.TOO_OFTEN})


class LenientSigner(TimestampSigner):
    """Takes a signature from the future for a fresh one.

    It dates from before the server's clock was set back. Refused, the visitor would lose their id, and all that is kept.
    """

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        """The value that was signed. Raises BadSignature for a wrong signature, or one older than `max_age` seconds."""
        try:
            return super().unsign(signed_value, max_age, return_timestamp)  # type: ignore[call-overload]
        except SignatureExpired as error:
            if error.date_signed is None or error.date_signed <= self.timestamp_to_datetime(self.get_timestamp()):
                raise
            return super().unsign(signed_value, None, return_timestamp)  # type: ignore[call-overload]


class SiteCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, sent back over HTTPS only where it was given over HTTPS; valid though a clock was set back."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """What signs the cookie and reads it."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.signer = LenientSigner
        return serializer

    def get_cookie_secure(self, app: Flask) -> bool:
        """Whether this request came over HTTPS, as the proxy in front says where there is one."""
        return request.is_secure


def identify(app: Flask, secret: str) -> None:
    """Have the site know its visitors again, by a cookie that scripts can't read and other sites can't send."""
    app.session_interface = SiteCookie()
    app.config.update(
        SECRET_KEY=secret,
        SESSION_COOKIE_NAME="mood_mirror",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=KEEP_DAYS),
    )


def greet_visitor() -> str:
    """Give the visitor an id, if they have none, and let its cookie live on. Nothing is kept before they say something."""
    session.permanent = True
    visitor: str = session.setdefault(VISITOR, secrets.token_hex(16))
    return visitor


def visitor_id() -> str | None:
    """The id of whoever asks; None if they sent no cookie of ours."""
    visitor = session.get(VISITOR)
    return visitor if isinstance(visitor, str) else None


@bp.get("", responses={200: schemas.MyData, 503: _away})
def download() -> Response:
    """All that is kept of the visitor, as a JSON file."""
    visitor, site = visitor_id(), current_site()
    try:
        data: dict[str, Any] = site.database.everything(visitor) if visitor else {}
    except DatabaseAway as error:
        return problem(503, "Not available", str(error))
    for entry in (*data.get("opinions", ()), *data.get("saved", ())):
        item = site.recommender.item(entry["kind"], entry["item"])
        entry["title"] = item.title if item else None
    content = json.dumps(data or {"visitor": None, "opinions": [], "saved": []}, indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="mood-mirror.json"', "Cache-Control": "no-store"}
    return Response(content, mimetype="application/json", headers=headers)


@bp.delete(
    "",
    responses={204: None, 403: schemas.problem_answer("It was not asked by the site's own page."), 503: _away},
    openapi_extensions=_header,
)
def forget() -> Response:
    """Delete all that is kept of the visitor, and give them another id."""
    if request.headers.get(HEADER) != "1":
        return problem(
            403, "Not from this site's page", f"Only the site's own page may ask this, with the header {HEADER}: 1."
        )
    visitor, site = visitor_id(), current_site()
    if visitor:
        try:
            site.database.forget(visitor)
        except DatabaseAway as error:
            return problem(503, "Not available", f"{error} Nothing was deleted: try again later.")
        session.clear()
        greet_visitor()
        for tell in site.on_forgotten:
            tell(visitor)
    return Response(status=204)
