"""Who may ask for what: names the site answers to, proxies it believes, pages of other sites, and what browsers are told."""

import logging
from typing import Any, Final

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden, SecurityError
from werkzeug.middleware.proxy_fix import ProxyFix

from moodmirror.config import Config
from moodmirror.request_origin import is_own_origin, trusted_hosts
from moodmirror.web.problem_details import on_http_error

LOGGER = logging.getLogger("moodmirror.safety")

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
HSTS: Final = "max-age=31536000"  # a year; other names under this one are for their own to judge
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
NOT_OURS: Final = "This was asked by a page of another site. Only the mirror's own page may ask it, or a program."
UNKNOWN_NAME: Final = "This site does not answer to that name. Whoever runs it can add the name to TRUSTED_HOSTS."


def guard(app: Flask, config: Config) -> None:
    """Have a site refuse what other sites' pages ask and names that are not its own, and tell browsers to help."""
    app.config["TRUSTED_HOSTS"] = trusted_hosts(config)
    app.before_request(refuse_other_sites)
    app.after_request(_add_headers)
    app.register_error_handler(SecurityError, _on_unknown_name)


def believe_proxies(app: Flask, proxies: int) -> None:
    """Take a visitor's address and scheme from what so many proxies in front say. To be called last: it wraps the site."""
    if proxies:
        # Not the host: a proxy that passes it on as it came would let anybody name one.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)  # type: ignore[method-assign]
    else:
        app.wsgi_app = _WarnOfProxies(app.wsgi_app)  # type: ignore[method-assign]


def refuse_other_sites() -> None:
    """Raise Forbidden for what a page of another site has its visitor's browser ask.

    Told by Fetch Metadata (W3C), as in its resource isolation policy, or by Origin where a browser is too old for that; so
    no form needs a token. A link that is followed hither is welcome; so are programs, which send neither header: they carry
    nobody's cookie.
    """
    own = request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    followed = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate" and _is_for_reading()
    origin = request.headers.get("Origin")
    if not (own or followed):
        raise Forbidden(NOT_OURS)
    if request.method not in SAFE_METHODS and origin is not None and not is_own_origin(origin, request.environ):
        raise Forbidden(NOT_OURS)


def _is_for_reading() -> bool:
    """Whether opening an address in a window has no effect but to show it: the stream would open the camera."""
    return request.endpoint != "pages.stream" and request.headers.get("Sec-Fetch-Dest") == "document"


def _on_unknown_name(error: SecurityError) -> ResponseReturnValue:
    error.description = UNKNOWN_NAME
    return on_http_error(error)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.is_secure:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    return response


class _WarnOfProxies:
    """Says once in the log that a proxy seems to stand in front though none is to be believed."""

    def __init__(self, site: Any) -> None:
        self._site = site
        self._said = False

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if not self._said and "HTTP_X_FORWARDED_FOR" in environ:
            self._said = True
            LOGGER.warning(
                "requests come through a proxy, but TRUSTED_PROXIES is not set: all visitors count as one address, "
                "and https:// is not seen. Set TRUSTED_PROXIES=1 if the proxy is yours."
            )
        return self._site(environ, start_response)
