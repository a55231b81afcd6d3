"""Which host names and origins a request may name: those of this site."""

from typing import Any, Final

from moodmirror.config import Config

LOOPBACK: Final = ("localhost", "127.0.0.1")  # Werkzeug compares no IPv6 addresses


def trusted_hosts(config: Config) -> list[str] | None:
    """The names that a site answers to; None for any. This computer's own are always among them.

    A site for this computer alone answers to those only: otherwise a page from elsewhere, whose name is made to point here,
    could watch its camera (DNS rebinding).
    """
    if config.trusted_hosts or config.is_local:
        return [*config.trusted_hosts, *LOOPBACK]
    return None


def is_own_origin(origin: str | None, environ: dict[str, Any]) -> bool:
    """Whether an Origin header names the site itself."""
    scheme = environ["wsgi.url_scheme"]
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)  # some proxies say so of a WebSocket; an Origin never does
    return origin == f"{scheme}://{environ.get('HTTP_HOST', '')}"
