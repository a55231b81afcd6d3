"""The host names and origins that requests may name: those of this site."""

from typing import Any, Final

from moodmirror.config import Config

LOOPBACK: Final = ("localhost", "127.0.0.1")  # Werkzeug does not compare IPv6 addresses


def trusted_hosts(config: Config) -> list[str] | None:
    """Return the host names of the site, always with those of the local machine; None to accept any name.

    A site for the local machine alone accepts only these names: otherwise a page from elsewhere, whose name resolves to
    this machine, could watch its camera (DNS rebinding).
    """
    if config.trusted_hosts or config.is_local:
        return [*config.trusted_hosts, *LOOPBACK]
    return None


def is_own_origin(origin: str | None, environ: dict[str, Any]) -> bool:
    """Return whether an Origin header names the site itself."""
    scheme = environ["wsgi.url_scheme"]
    scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)  # some proxies name a WebSocket so; an Origin never does
    return origin == f"{scheme}://{environ.get('HTTP_HOST', '')}"
