"""Who sent a request: an anonymous visitor id in a signed cookie, and the client's address as rate limits count it."""

import ipaddress
import secrets
from datetime import timedelta
from typing import Any, Final

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from moodmirror.storage.database import RETENTION_DAYS

VISITOR: Final = "visitor"  # the cookie's one field
IPV6_SHARE: Final = 64  # bits: what one customer is given, with 2⁶⁴ addresses to choose from


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
        PERMANENT_SESSION_LIFETIME=timedelta(days=RETENTION_DAYS),
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


def address_key() -> str:
    """Whom a request counts for by its address; of IPv6 the part that a customer is given as a whole."""
    text = request.remote_addr or "unknown"
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return f"address {text}"
    if address.version == 6:
        return f"address {ipaddress.ip_network((int(address), IPV6_SHARE), strict=False)}"
    return f"address {address}"
