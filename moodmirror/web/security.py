"""Protect the site against other sites' pages, unknown host names and untrusted proxies; set the security headers."""

import logging
from typing import Any, Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from moodmirror.config import Config
from moodmirror.request_origin import is_own_origin, trusted_hosts
from moodmirror.web.problem_details import on_http_error

LOGGER = logging.getLogger("moodmirror.security")

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), display-capture=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS: Final = "max-age=31536000"  # one year; without includeSubDomains, as subdomains may belong to others
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
CROSS_SITE_REFUSAL: Final = (
    "A page of another site sent this request. Open Mood Mirror itself: only its own pages, and programs, may send it."
)
UNKNOWN_HOST: Final = "This site is not configured for that host name. Its operator can add the name to TRUSTED_HOSTS."


def protect(app: Flask, config: Config) -> None:
    """Refuse requests of other sites' pages and for unknown host names, and set the security headers."""
    app.config["TRUSTED_HOSTS"] = trusted_hosts(config)
    app.before_request(refuse_cross_site_requests)
    app.after_request(_add_headers)
    app.register_error_handler(SecurityError, _on_unknown_host)


def trust_proxies(app: Flask, proxies: int) -> None:
    """Trust the `X-Forwarded-*` headers of this number of proxies. Call it last: it wraps the app."""
    if proxies:
        # Not X-Forwarded-Host: a proxy that forwards it unchanged would let clients set any host name.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]
    else:
        app.wsgi_app = _ProxyWarning(app.wsgi_app)  # type: ignore[method-assign]


def refuse_cross_site_requests() -> None:
    """Raise Forbidden for a request that a page of another site has a visitor's browser send.

    It is recognized by Fetch Metadata (W3C), as in its resource isolation policy, or by Origin in browsers without it; so no
    form needs a token. A followed link is accepted. So are programs, which send neither header: they carry nobody's cookie.
    """
    same_site = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    followed_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate" and _only_displays()
    origin = request.headers.get("Origin")
    if not (same_site or followed_link):
        raise Forbidden(CROSS_SITE_REFUSAL)
    if request.method not in SAFE_METHODS and origin is not None and not is_own_origin(origin, request.environ):
        raise Forbidden(CROSS_SITE_REFUSAL)


def _only_displays() -> bool:
    """Return whether opening the URL in a window has no further effect: the stream would open the camera."""
    return request.endpoint != "pages.stream" and request.headers.get("Sec-Fetch-Dest") == "document"


def _on_unknown_host(error: SecurityError) -> ResponseReturnValue:
    error.description = UNKNOWN_HOST
    return on_http_error(error)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    return response


class _ProxyWarning:
    """WSGI middleware: logs once that requests come through a proxy although TRUSTED_PROXIES is 0."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._logged = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not self._logged and "HTTP_X_FORWARDED_FOR" in environ:
            self._logged = True
            LOGGER.warning(
                "requests come through a proxy, but TRUSTED_PROXIES is not set: all visitors count as one address, and "
                "https:// is not recognized. Set TRUSTED_PROXIES=1 if the proxy is yours."
            )
        return self._application(environ, start_response)
