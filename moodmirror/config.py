"""The settings, read from environment variables, typed and validated at start."""

import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from moodmirror.paths import INSTANCE_DIR

LOGGER = logging.getLogger("moodmirror.config")

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1", "[::1]")
# Words in placeholders for a secret, as in documentation and in files copied from it.
PLACEHOLDER: Final = re.compile("change|secret|example|password|default|placeholder|replace|insert|todo", re.IGNORECASE)
MIN_DISTINCT_CHARACTERS: Final = 8  # of a secret: fewer were typed, not drawn at random
SECRETS: Final = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN")  # never printed: a URL contains its password


class ConfigError(ValueError):
    """Environment variables have invalid values; the message names each of them and its valid values."""


@dataclass(frozen=True)
class CameraSource:
    """The source of the server's camera.

    ``auto`` is the first webcam that opens, ``index`` a webcam by its number, ``url`` an RTSP or HTTP stream, ``file`` a
    video file in a loop, ``published`` the camera that another process publishes through Redis, ``off`` none. `value` is
    the text of CAMERA.
    """

    kind: Literal["auto", "index", "url", "file", "published", "off"]
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse the text of CAMERA."""
        text = text.strip()
        if text in ("auto", ""):
            return cls("auto", "auto")
        if text == "off":
            return cls("off", "off")
        if text == "published":
            return cls("published", "published")
        if text.isdigit():
            return cls("index", text)
        if re.match(r"(rtsps?|https?)://", text, re.IGNORECASE):
            return cls("url", text)
        return cls("file", text)

    @property
    def name(self) -> str:
        """The name shown to visitors; never a URL, which may contain a password."""
        return {
            "auto": "the server's webcam",
            "index": f"the server's webcam number {self.value}",
            "url": "the server's network camera",
            "file": "the server's video file",
            "published": "the camera that another process publishes",
            "off": "no camera",
        }[self.kind]


@dataclass(frozen=True)
class Config:
    """The settings of the site; each field is the environment variable of the same name in lower case."""

    camera: CameraSource = CameraSource("auto", "auto")
    host: str = "127.0.0.1"
    port: int = 8000
    # The folder for the SQLite database, the generated secret key and imported tables.
    instance: Path = INSTANCE_DIR
    # Signs the cookie with the visitor's anonymous id. None: use the key generated at the first start.
    secret_key: str | None = field(default=None, repr=False)
    # None: use a SQLite file.
    database_url: str | None = field(default=None, repr=False)
    # None: the site has this process only.
    redis_url: str | None = field(default=None, repr=False)
    # Each viewer of the MJPEG stream and each open WebSocket occupies a thread.
    max_viewers: int = 20
    max_visitors: int = 100
    # Connections from one address, which a school or a proxy may share.
    max_per_address: int = 50
    log_format: Literal["text", "json"] = "text"
    # Grants access to /metrics; None: only requests from this machine have access.
    metrics_token: str | None = field(default=None, repr=False)
    # Host names that the site answers to. Empty: on a local site the names of this computer, else any name.
    trusted_hosts: tuple[str, ...] = ()
    # The number of own proxies in front, whose `X-Forwarded-*` headers are trusted.
    trusted_proxies: int = 0
    rate_limits: bool = True
    # Keep other processes of the same user from reading this one's memory and environment. Off for debuggers and profilers.
    protect_memory: bool = True
    # The operator's own app at Spotify; without both values the commands and the page have no Spotify.
    spotify_client_id: str = ""
    spotify_client_secret: str = field(default="", repr=False)
    spotify_redirect_uri: str = "http://127.0.0.1:8888/callback"
    spotify_api_url: str = "https://api.spotify.com/v1/"
    spotify_accounts_url: str = "https://accounts.spotify.com/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. Raises ConfigError that names all invalid values at once."""
        given: dict[str, object] = {}
        problems: list[str] = []

        def read(name: str, parse: Callable[[str], object]) -> None:
            text = environment.get(name)
            if text is None:
                return
            try:
                given[name.lower()] = parse(text)
            except ValueError as error:
                shown = "" if name in SECRETS else f"={text!r}"
                problems.append(f"{name}{shown}: {error}")

        read("CAMERA", CameraSource.parse)
        read("HOST", str)
        read("PORT", lambda text: _whole_number(text, 1, 65535))
        read("INSTANCE", Path)
        read("SECRET_KEY", _secret)
        read("DATABASE_URL", _database)
        read("REDIS_URL", _redis)
        read("MAX_VIEWERS", lambda text: _whole_number(text, 1, 1000))
        read("MAX_VISITORS", lambda text: _whole_number(text, 1, 1000))
        read("MAX_PER_ADDRESS", lambda text: _whole_number(text, 1, 1500))
        read("LOG_FORMAT", _log_format)
        read("METRICS_TOKEN", _secret)
        read("TRUSTED_HOSTS", lambda text: tuple(text.lower().replace(",", " ").split()))  # as browsers send it
        read("TRUSTED_PROXIES", lambda text: _whole_number(text, 0, 9))
        read("RATE_LIMITS", _on_or_off)
        read("PROTECT_MEMORY", _on_or_off)
        for name in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API_URL", "ACCOUNTS_URL"):
            read(f"SPOTIFY_{name}", str.strip)
        camera = given.get("camera")
        if isinstance(camera, CameraSource) and camera.kind == "published" and "REDIS_URL" not in environment:
            problems.append("CAMERA='published': needs REDIS_URL, through which the other process publishes it")
        if problems:
            raise ConfigError("; ".join(problems))
        return cls(**given)  # type: ignore[arg-type]

    @property
    def imported_dir(self) -> Path:
        """The folder of imported tables, which are loaded at start in addition to the bundled ones."""
        return self.instance / "catalogue"

    @property
    def spotify(self) -> bool:
        """Whether signing in to Spotify is configured."""
        return bool(self.spotify_client_id and self.spotify_client_secret)

    @property
    def database(self) -> str:
        """The URL of the database."""
        return self.database_url or f"sqlite:///{self.instance / 'mood_mirror.sqlite3'}"

    @property
    def max_connections(self) -> int:
        """The limit of open Socket.IO connections: 1.5 per visitor, as a client that reconnects has two for a while.

        Eight more, so that a refused visitor can be sent the reason.
        """
        return self.max_visitors + self.max_visitors // 2 + 8

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the site, neither other computers nor a proxy."""
        return self.host in LOOPBACK and not self.trusted_proxies

    def require_secret(self) -> None:
        """Raise ConfigError if other computers can reach the site and its SECRET_KEY is missing or easy to guess."""
        if self.is_local:
            return
        reached = f"other computers can reach the site (HOST={self.host}, TRUSTED_PROXIES={self.trusted_proxies})"
        if self.secret_key is None:
            problem = f"SECRET_KEY is not set, but {reached}"
        elif PLACEHOLDER.search(self.secret_key) or len(set(self.secret_key)) < MIN_DISTINCT_CHARACTERS:
            problem = f"SECRET_KEY looks like a placeholder, but {reached}"
        else:
            return
        raise ConfigError(
            f"{problem}. With the key anybody can impersonate any visitor. Generate one, and keep it: "
            "python3 -c 'import secrets; print(secrets.token_hex(32))'"
        )

    @property
    def server_threads(self) -> int:
        """Threads for gunicorn: one for each possible stream and WebSocket, and 16 for other requests."""
        return self.max_viewers + self.max_connections + 16


def _whole_number(text: str, minimum: int, maximum: int) -> int:
    if not text.strip().isdigit() or not minimum <= int(text) <= maximum:
        raise ValueError(f"must be a whole number from {minimum} to {maximum}")
    return int(text)


def _secret(text: str) -> str:
    if len(text) < 16:
        raise ValueError("must be at least 16 characters long")
    return text


def _log_format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("must be text or json")
    return text


def _on_or_off(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def _database(text: str) -> str:
    if not re.match(r"(sqlite|postgres(ql)?(\+psycopg)?)://", text):
        raise ValueError("must be a URL such as sqlite:////folder/file.sqlite3 or postgresql://user:password@host/name")
    return text


def _redis(text: str) -> str:
    try:
        address = urlsplit(text)
        valid = address.scheme in ("redis", "rediss") and address.hostname and address.port != 0
    except ValueError:  # its message would show the password
        valid = False
    if not valid:
        raise ValueError("must be a URL such as redis://host:6379 or rediss://:password@host:6379")
    return text


def stored_secret(instance: Path) -> str:
    """Return the secret key stored in a folder; generate it at the first call.

    If the folder is not writable, log a warning and return a key for this process only: cookies of earlier processes are
    invalid then.
    """
    try:
        return _read_or_create_secret(instance)
    except OSError as error:
        LOGGER.warning(
            "the secret key can't be stored in %s, so cookies expire when this process ends; make the folder writable: %s",
            instance,
            error,
        )
        return secrets.token_hex(32)


def _read_or_create_secret(instance: Path) -> str:
    path = instance / "secret_key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        instance.mkdir(parents=True, exist_ok=True)
    # Written completely under another name, then linked: processes that start at once all read the first one's key.
    temporary = instance / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    temporary.touch(mode=0o600)
    temporary.write_text(secrets.token_hex(32), encoding="ascii")
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return path.read_text(encoding="ascii")
