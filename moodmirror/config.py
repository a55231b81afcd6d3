"""Every environment variable that the site reads, typed and checked at start."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self


class ConfigError(ValueError):
    """The environment holds a value that can't be used; the message names every such variable and what it may be."""


@dataclass(frozen=True)
class CameraSource:
    """Which camera the server watches.

    ``auto`` is the first webcam that opens, ``index`` a webcam by its number, ``url`` an RTSP or HTTP stream, ``file`` a
    video that loops, ``off`` none. `value` is what CAMERA said.
    """

    kind: Literal["auto", "index", "url", "file", "off"]
    value: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Tell the kind from the text of CAMERA."""
        text = text.strip()
        if text in ("auto", ""):
            return cls("auto", "auto")
        if text == "off":
            return cls("off", "off")
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
            "off": "no camera",
        }[self.kind]


@dataclass(frozen=True)
class Config:
    """The site's settings; the fields are the environment variables in small letters."""

    camera: CameraSource = CameraSource("auto", "auto")
    host: str = "127.0.0.1"
    port: int = 8000
    # Signs the session cookie. A fresh one at each start is safe, and only ends the sessions of before.
    secret_key: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    # Each viewer of the MJPEG stream and each open socket holds a thread.
    max_viewers: int = 20
    max_visitors: int = 100
    # Where imported tables lie, read at start beside the shipped ones.
    imported_dir: Path = Path(__file__).resolve().parents[1] / "instance" / "catalogue"
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
                shown = "" if name == "SECRET_KEY" else f"={text!r}"
                problems.append(f"{name}{shown}: {error}")

        read("CAMERA", CameraSource.parse)
        read("HOST", str)
        read("PORT", lambda text: _whole_number(text, 1, 65535))
        read("SECRET_KEY", _secret)
        read("MAX_VIEWERS", lambda text: _whole_number(text, 1, 1000))
        read("MAX_VISITORS", lambda text: _whole_number(text, 1, 1000))
        read("IMPORTED_DIR", _folder)
        for name in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API_URL", "ACCOUNTS_URL"):
            read(f"SPOTIFY_{name}", str.strip)
        if problems:
            raise ConfigError("; ".join(problems))
        return cls(**given)  # type: ignore[arg-type]

    @property
    def spotify(self) -> bool:
        """Whether signing in to Spotify is set up."""
        return bool(self.spotify_client_id and self.spotify_client_secret)

    @property
    def server_threads(self) -> int:
        """Threads that gunicorn needs so that streams and sockets, all open at once, leave some for requests.

        Half as many again of the sockets, for a visitor who reconnects holds two for a while; 16 for the rest.
        """
        return self.max_viewers + self.max_visitors + self.max_visitors // 2 + 16


def _whole_number(text: str, least: int, most: int) -> int:
    if not text.strip().isdigit() or not least <= int(text) <= most:
        raise ValueError(f"must be a whole number from {least} to {most}")
    return int(text)


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not text.strip() or (path.exists() and not path.is_dir()):
        raise ValueError("must name a folder")
    return path.resolve()


def _secret(text: str) -> str:
    if len(text) < 16:
        raise ValueError("must be at least 16 characters long")
    return text
