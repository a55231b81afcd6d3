"""The visitors who are signed in to Spotify: their tokens and liked songs, in the memory of this process only.

Imported only if an app's id and secret are configured. A sign-in begins with a random state, which the redirect from Spotify
must bring back to the same visitor within minutes. Then the liked songs are read in a thread of their own.
"""

import hmac
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from spotipy import MemoryCacheHandler, SpotifyOAuth
from spotipy.oauth2 import SpotifyOauthError

from moodmirror.live.message_schemas import SpotifyList, SpotifyPayload, SpotifyState
from moodmirror.recommendation.importers.liked_songs import LikedSongs, add_liked_songs
from moodmirror.recommendation.importers.spotify import READ_SCOPES, SpotifyAccount, SpotifyError, sign_in_with
from moodmirror.services import Services

LOGGER = logging.getLogger("moodmirror.spotify")

MAX_SIGN_INS_BEGUN: Final = 200  # beyond that, the oldest is dropped
SIGN_IN_SECONDS: Final = 600.0  # for a visitor to finish a sign-in
SIGNED_IN_SECONDS: Final = 8 * 3600.0  # after which a visitor is signed out
MAX_LIKED_SONGS: Final = 2000  # of one visitor, the newest
# Songs in the tables of all signed-in visitors together: each visitor's holds the catalogue and takes about 5 kB a song.
MAX_SONGS_IN_MEMORY: Final = 100_000

FULL: Final = "Too many visitors are signed in to Spotify here at the moment. Try again later."
UNKNOWN_SIGN_IN: Final = (
    "This sign-in was not started in this browser, or more than ten minutes ago. Start it again on the page, with cookies "
    "allowed."
)
REFUSED: Final = "You did not allow access, so no songs were read."
FAILED: Final = "Your liked songs could not be read. Try again in a minute."


class _PageSignIn(SpotifyOAuth):  # type: ignore[misc]  # spotipy has no types
    """A sign-in whose code comes from the visitor's browser only; spotipy would ask for it on the server."""

    def get_auth_response(self, open_browser: bool | None = None) -> str:
        """Raise SpotifyOauthError: the visitor must sign in again."""
        raise SpotifyOauthError("the sign-in has expired")


@dataclass
class _Visitor:
    """A visitor who is signed in. `songs` is None until they are read."""

    account: SpotifyAccount
    timer: threading.Timer
    payload: SpotifyPayload
    songs: LikedSongs | None = None
    is_reading: bool = False


class _SignedOutError(Exception):
    """The visitor has signed out while their songs were read."""


@dataclass(frozen=True)
class _SignInBegun:
    sign_in: SpotifyOAuth
    began_at: float  # monotonic seconds


@dataclass
class SpotifySignIns:
    """The sign-ins of a site's visitors. Thread-safe."""

    services: Services
    on_changed: list[Callable[[str], None]] = field(default_factory=list)
    """Called with the visitor's id when their status or songs have changed."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._begun: dict[str, _SignInBegun] = {}  # by visitor, oldest first
        self._visitors: dict[str, _Visitor] = {}
        self.services.on_visitor_deleted.append(self.sign_out)

    def begin(self, visitor: str, redirect_uri: str) -> str:
        """Begin a sign-in and return the address at Spotify. Raises SpotifyError if too many visitors are signed in."""
        sign_in = sign_in_with(self.services.config, redirect_uri, MemoryCacheHandler(), READ_SCOPES, _PageSignIn)
        with self._lock:
            self._check_room(visitor)
            self._begun.pop(visitor, None)
            if len(self._begun) >= MAX_SIGN_INS_BEGUN:
                del self._begun[next(iter(self._begun))]
            self._begun[visitor] = _SignInBegun(sign_in, time.monotonic())
        address: str = sign_in.get_authorize_url()
        return address

    def finish(self, visitor: str | None, state: str, code: str, error: str) -> None:
        """Finish a sign-in with what Spotify's redirect says, and begin to read the liked songs.

        Raises SpotifyError with a message for the visitor.
        """
        with self._lock:
            begun = self._begun.get(visitor) if visitor else None
            if (
                visitor is None
                or begun is None
                or not hmac.compare_digest(begun.sign_in.state.encode(), state.encode())
                or time.monotonic() - begun.began_at > SIGN_IN_SECONDS
            ):
                raise SpotifyError(UNKNOWN_SIGN_IN)
            del self._begun[visitor]  # a state counts once
        if error or not code:
            raise SpotifyError(REFUSED if error in ("access_denied", "") else f"Spotify did not sign you in: {error}.")
        account = SpotifyAccount(begun.sign_in, self.services.config.spotify_api_url, wait_if_limited=False)
        account.redeem(code)
        timer = threading.Timer(SIGNED_IN_SECONDS, self.sign_out, [visitor])
        timer.daemon = True
        with self._lock:
            self._check_room(visitor)
            before = self._visitors.pop(visitor, None)
            self._visitors[visitor] = _Visitor(account, timer, _status("reading"))
        if before:
            before.timer.cancel()
        timer.start()
        self.read(visitor)

    def read(self, visitor: str) -> None:
        """Read a signed-in visitor's liked songs again, in a thread of its own; the songs that are known stay meanwhile."""
        with self._lock:
            entry = self._visitors.get(visitor)
            if entry is None or entry.is_reading:
                return
            entry.is_reading = True
        self._set(visitor, entry, _status("reading"))
        threading.Thread(target=self._read, args=(visitor, entry), name="spotify", daemon=True).start()

    def payload(self, visitor: str | None) -> SpotifyPayload:
        """Return a visitor's status, for the page."""
        entry = self._visitors.get(visitor) if visitor else None
        return entry.payload if entry else _status("signed_out")

    def songs(self, visitor: str | None) -> LikedSongs | None:
        """Return a visitor's liked songs; None if they are not signed in, or if the songs are not read yet."""
        entry = self._visitors.get(visitor) if visitor else None
        return entry.songs if entry else None

    def sign_out(self, visitor: str) -> None:
        """Delete a visitor's token and songs."""
        with self._lock:
            self._begun.pop(visitor, None)
            entry = self._visitors.pop(visitor, None)
        if entry:
            entry.timer.cancel()
            self._notify(visitor)

    def close(self) -> None:
        """Delete all tokens and songs."""
        for visitor in list(self._visitors):
            self.sign_out(visitor)

    def _check_room(self, visitor: str) -> None:
        others = len([other for other in self._visitors if other != visitor])
        songs_each = len(self.services.recommender.items("songs")) + MAX_LIKED_SONGS
        if others and (others + 1) * songs_each > MAX_SONGS_IN_MEMORY:
            raise SpotifyError(FULL)

    def _read(self, visitor: str, entry: _Visitor) -> None:
        try:
            source = entry.account.liked_songs(MAX_LIKED_SONGS, partial(self._progress, visitor, entry))
            songs = add_liked_songs(self.services.recommender, source.entries, self.services.text_recognizer)
            payload = _status(
                "ready",
                read=len(songs.likes),
                total=len(songs.likes),
                in_catalogue=songs.known_count,
                guessed=songs.guessed_count,
                lists=[SpotifyList(name=name, songs=len(songs.lists[name])) for name in songs.lists],
            )
            entry.songs = songs
            self._set(visitor, entry, payload)
        except _SignedOutError:
            pass
        except SpotifyError as error:
            self._set(visitor, entry, _status("failed", message=str(error)))
        except Exception as error:  # its message may contain the name of a song
            LOGGER.error("can't read a visitor's liked songs: %s", type(error).__name__)
            self._set(visitor, entry, _status("failed", message=FAILED))
        finally:
            entry.is_reading = False

    def _progress(self, visitor: str, entry: _Visitor, read: int, total: int) -> None:
        if self._visitors.get(visitor) is not entry:
            raise _SignedOutError
        self._set(visitor, entry, _status("reading", read=read, total=min(total, MAX_LIKED_SONGS)))

    def _set(self, visitor: str, entry: _Visitor, payload: SpotifyPayload) -> None:
        entry.payload = payload
        if self._visitors.get(visitor) is entry:
            self._notify(visitor)

    def _notify(self, visitor: str) -> None:
        for notify in self.on_changed:
            notify(visitor)


def _status(
    state: SpotifyState,
    *,
    read: int = 0,
    total: int | None = None,
    in_catalogue: int = 0,
    guessed: int = 0,
    message: str = "",
    lists: Sequence[SpotifyList] = (),
) -> SpotifyPayload:
    return SpotifyPayload(
        state=state, read=read, total=total, in_catalogue=in_catalogue, guessed=guessed, message=message, lists=list(lists)
    )
