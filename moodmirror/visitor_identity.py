"""The identity of a request: an anonymous visitor id in a signed cookie, and the address that rate limits count."""

import ipaddress
import secrets
from datetime import timedelta
from typing import Any, Final

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import SignatureExpired, TimestampSigner, URLSafeTimedSerializer

from moodmirror.storage.database import RETENTION_DAYS

VISITOR: Final = "visitor"  # the only field of the cookie
IPV6_PREFIX_BITS: Final = 64  # providers assign each customer a network of this prefix length, with 2⁶⁴ addresses


class LenientSigner(TimestampSigner):
    """Accepts a signature with a time in the future as a new one.

    It was made before the server's clock was set back. If it were rejected, the visitor would lose their id and their data.
    """

    def unsign(self, signed_value: str | bytes, max_age: int | None = None, return_timestamp: bool = False) -> Any:
        """Return the signed value. Raises BadSignature for a wrong signature, or one older than `max_age` seconds."""
        try:
            return super().unsign(signed_value, max_age, return_timestamp)  # type: ignore[call-overload]
        except SignatureExpired as error:
            if error.date_signed is None or error.date_signed <= self.timestamp_to_datetime(self.get_timestamp()):
                raise
            return super().unsign(signed_value, None, return_timestamp)  # type: ignore[call-overload]


class VisitorCookie(SecureCookieSessionInterface):
    """Flask's signed cookie, marked Secure if set over HTTPS; it stays valid when the server's clock is set back."""

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """Return the serializer that signs and verifies the cookie."""
        serializer = super().get_signing_serializer(app)
        if serializer is not None:
            serializer.signer = LenientSigner
        return serializer

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the request came over HTTPS, according to the trusted proxy if there is one."""
        return request.is_secure


def configure_visitor_cookie(app: Flask, secret: str) -> None:
    """Identify visitors by a cookie that scripts can't read and other sites can't send."""
    app.session_interface = VisitorCookie()
    app.config.update(
        SECRET_KEY=secret,
        SESSION_COOKIE_NAME="mood_mirror",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=timedelta(days=RETENTION_DAYS),
    )


def ensure_visitor_id() -> str:
    """Return the visitor's id, a new one if needed, and renew the cookie. Nothing is stored before they give feedback."""
    session.permanent = True
    visitor: str = session.setdefault(VISITOR, secrets.token_hex(16))
    return visitor


def visitor_id() -> str | None:
    """Return the visitor's id; None if the request has no valid cookie."""
    visitor = session.get(VISITOR)
    return visitor if isinstance(visitor, str) else None


def address_key() -> str:
    """Return the key by which rate limits count the address of the current request."""
    return f"address {client_network(request.remote_addr or 'unknown')}"


def client_network(address: str) -> str:
    """Return what counts as one client's address: for IPv6 the network which one customer is assigned.

    An IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2), as on a socket for both, counts as IPv4.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), IPV6_PREFIX_BITS), strict=False))
