"""Every environment variable that the site reads, typed and checked at start."""

import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

LOGGER = logging.getLogger("moodmirror.config")

INSTANCE: Final = Path(__file__).resolve().parents[1] / "instance"
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1", "[::1]")
# What stands where a secret should be: in examples, and in what was copied from one.
PLACEHOLDER: Final = re.compile("change|secret|example|password|default|placeholder|replace|insert|todo", re.IGNORECASE)
LEAST_CHARACTERS: Final = 8  # different ones: fewer were typed, not drawn
SECRETS: Final = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN")  # never shown: an address holds its password


class ConfigError(ValueError):
    """The environment holds a value that can't be used; the message names every such variable and what it may be."""


@dataclass(frozen=True)
class CameraSource:
    """Which camera the server watches.

    ``auto`` is the first webcam that opens, ``index`` a webcam by its number, ``url`` an RTSP or HTTP stream, ``file`` a
    video that loops, ``published`` the one that another process publishes through Redis, ``off`` none. `value` is what
    CAMERA said.
    """

    kind: Literal["auto", "index", "url", "file", "published", "off"]
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Tell the kind from the text of CAMERA."""
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
        """What to call it to a visitor: never an address, which may hold a password."""
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
    """The site's settings; the fields are the environment variables in small letters."""

    camera: CameraSource = CameraSource("auto", "auto")
    host: str = "127.0.0.1"
    port: int = 8000
    # Where the database and the key are kept that are not given.
    instance: Path = INSTANCE
    # Signs the cookie that holds a visitor's anonymous id. None: one that was made at the first start.
    secret_key: str | None = field(default=None, repr=False)
    # None: a SQLite file.
    database_url: str | None = field(default=None, repr=False)
    # None: this process is the whole site.
    redis_url: str | None = field(default=None, repr=False)
    # Each viewer of the MJPEG stream and each open socket holds a thread.
    max_viewers: int = 20
    max_visitors: int = 100
    # Connections of one address, behind which a school or a proxy may stand.
    max_per_address: int = 50
    # How the log is written.
    log_format: Literal["text", "json"] = "text"
    # Who knows it may read /metrics; None: only this machine may.
    metrics_token: str | None = field(default=None, repr=False)
    # The names that the site answers to. None given: for this computer alone, this computer's; else any.
    trusted_hosts: tuple[str, ...] = ()
    # How many proxies in front are ours, whose word on a visitor's address and scheme is taken.
    trusted_proxies: int = 0
    rate_limits: bool = True
    # An app of one's own at Spotify; without both there is nothing of Spotify's here.
    spotify_client_id: str = ""
    spotify_client_secret: str = field(default="", repr=False)
    spotify_redirect_uri: str = "http://127.0.0.1:8888/callback"
    spotify_api_url: str = "https://api.spotify.com/v1/"
    spotify_accounts_url: str = "https://accounts.spotify.com/"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings. Raises ConfigError naming all that are wrong at once."""
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
        read("TRUSTED_HOSTS", lambda text: tuple(text.replace(",", " ").split()))
        read("TRUSTED_PROXIES", lambda text: _whole_number(text, 0, 9))
        read("RATE_LIMITS", _on_or_off)
        for name in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API_URL", "ACCOUNTS_URL"):
            read(f"SPOTIFY_{name}", str.strip)
        camera = given.get("camera")
        if isinstance(camera, CameraSource) and camera.kind == "published" and "REDIS_URL" not in environment:
            problems.append("CAMERA='published': needs REDIS_URL, through which it is published")
        if problems:
            raise ConfigError("; ".join(problems))
        return cls(**given)  # type: ignore[arg-type]

    @property
    def imported_dir(self) -> Path:
        """Where imported tables lie, which are read at start beside the shipped ones."""
        return self.instance / "catalogue"

    @property
    def spotify(self) -> bool:
        """Whether signing in to Spotify is set up."""
        return bool(self.spotify_client_id and self.spotify_client_secret)

    @property
    def database(self) -> str:
        """The address of the database."""
        return self.database_url or f"sqlite:///{self.instance / 'mood_mirror.sqlite3'}"

    @property
    def max_connections(self) -> int:
        """Live connections that may be open: half as many again as visitors, for who reconnects holds two for a while.

        Eight more, so that those who are refused are told why.
        """
        return self.max_visitors + self.max_visitors // 2 + 8

    @property
    def is_local(self) -> bool:
        """Whether the site is for this computer alone: nobody else reaches it, not even through a proxy."""
        return self.host in LOOPBACK and not self.trusted_proxies

    def require_secret(self) -> None:
        """Raise ConfigError where others reach the site and its SECRET_KEY is none, or one that others may guess."""
        if self.is_local:
            return
        reached = f"others than this computer reach the site (HOST={self.host}, TRUSTED_PROXIES={self.trusted_proxies})"
        if self.secret_key is None:
            problem = f"SECRET_KEY is not set, but {reached}"
        elif PLACEHOLDER.search(self.secret_key) or len(set(self.secret_key)) < LEAST_CHARACTERS:
            problem = f"SECRET_KEY looks like an example's, but {reached}"
        else:
            return
        raise ConfigError(
            f"{problem}. Whoever knows the key can pass for any visitor. Draw one, and keep it: "
            "python3 -c 'import secrets; print(secrets.token_hex(32))'"
        )

    @property
    def server_threads(self) -> int:
        """Threads that gunicorn needs so that streams and sockets, all open at once, leave some for requests: 16."""
        return self.max_viewers + self.max_connections + 16


def _whole_number(text: str, least: int, most: int) -> int:
    if not text.strip().isdigit() or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
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
        raise ValueError("must be an address as sqlite:////folder/file.sqlite3 or postgresql://user:password@host/name")
    return text


def _redis(text: str) -> str:
    try:
        address = urlsplit(text)
        right = address.scheme in ("redis", "rediss") and address.hostname and address.port != 0
    except ValueError:  # its words would show the password
        right = False
    if not right:
        raise ValueError("must be an address as redis://host:6379 or rediss://:password@host:6379")
    return text


def stored_secret(instance: Path) -> str:
    """Return the secret key that is stored in a folder, and create it at the first call.

    Where the folder can't be written, a warning is logged and a key returned that lasts as long as the process: the cookies
    of earlier processes are invalid then.
    """
    try:
        return _read_or_create_secret(instance)
    except OSError as error:
        LOGGER.warning("no key can be stored in %s, so one is used until this process ends: %s", instance, error)
        return secrets.token_hex(32)


def _read_or_create_secret(instance: Path) -> str:
    path = instance / "secret_key"
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        instance.mkdir(parents=True, exist_ok=True)
    # Written whole under another name, then linked: of several processes that start at once all read the first one's.
    made = instance / f"secret_key.{os.getpid()}.{secrets.token_hex(4)}"
    made.touch(mode=0o600)
    made.write_text(secrets.token_hex(32), encoding="ascii")
    try:
        path.hardlink_to(made)
    except FileExistsError:
        pass
    finally:
        made.unlink()
    return path.read_text(encoding="ascii")
