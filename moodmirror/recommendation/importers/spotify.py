"""A person's Spotify account: their liked songs, and playlists to save there.

Opened by the commands alone, and only where an app's id and secret are set. Audio features are closed to new apps, so liked
songs come without. An app without extended access may have five users, each named in Spotify's dashboard.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from spotipy import CacheFileHandler, Spotify, SpotifyException, SpotifyOAuth
from spotipy.oauth2 import SpotifyOauthError

from moodmirror.recommendation.importers.songs import make_entry
from moodmirror.recommendation.importers.source_files import Form, Source, entries_of

SCOPES: Final = ("user-library-read", "playlist-read-private", "playlist-modify-private")
LIKED_PAGE: Final = 50  # songs a request may ask for
PLAYLIST_PAGE: Final = 50
MOST_ADDED: Final = 100  # songs a request may add to a playlist
FORBIDDEN: Final = 403


class SpotifyError(RuntimeError):
    """Spotify refused, or can't be reached; the message says what to do."""


class SpotifyAccount:
    """The account of whoever signs in, in the browser, when something is first asked of it.

    The token is kept in a file that only its owner may read, so that one signs in once.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        token_file: Path,
        *,
        api_address: str = "https://api.spotify.com/v1/",
        sign_in_address: str = "https://accounts.spotify.com/",
    ) -> None:
        """`redirect_uri` must stand in the app's settings at Spotify; a server of our own answers there for the sign-in."""
        token_file.parent.mkdir(parents=True, exist_ok=True)
        token_file.touch(mode=0o600)
        sign_in = SpotifyOAuth(
            client_id,
            client_secret,
            redirect_uri,
            state=secrets.token_urlsafe(16),
            scope=",".join(SCOPES),
            cache_handler=_QuietCache(str(token_file)),
        )
        sign_in.OAUTH_AUTHORIZE_URL = f"{sign_in_address}authorize"
        sign_in.OAUTH_TOKEN_URL = f"{sign_in_address}api/token"
        self._api = Spotify(auth_manager=sign_in)
        self._api.prefix = api_address

    def liked_songs(self) -> Source:
        """The liked songs, as a source to import. Raises SpotifyError."""
        with _told():
            saved = [entry["track"] for entry in self._pages(self._api.current_user_saved_tracks(limit=LIKED_PAGE))]
        rows = [
            {
                "title": track["name"],
                "artists": "\n".join(artist["name"] for artist in track["artists"]),
                "id": track["id"] or "",
                "date": track["album"].get("release_date") or "",
                "popularity": str(track.get("popularity", "")),
            }
            for track in saved
        ]
        form = Form(
            "liked songs at Spotify",
            (),
            lambda row: make_entry(
                row["title"], row["artists"].split("\n"), row["id"], date=row["date"], popularity=row["popularity"]
            ),
        )
        return entries_of(form, rows)

    def save_playlist(self, name: str, uris: Sequence[str]) -> None:
        """Save a private playlist; one of this name is replaced. Raises SpotifyError."""
        with _told():
            own = self._pages(self._api.current_user_playlists(limit=PLAYLIST_PAGE))
            identity = next((playlist["id"] for playlist in own if playlist["name"] == name), None)
            if identity is None:
                made = self._api.current_user_playlist_create(name, public=False, description="Made by Mood Mirror")
                identity = made["id"]
            self._api.playlist_replace_items(identity, list(uris[:MOST_ADDED]))
            for start in range(MOST_ADDED, len(uris), MOST_ADDED):
                self._api.playlist_add_items(identity, list(uris[start : start + MOST_ADDED]))

    def _pages(self, page: Any) -> Iterator[Any]:
        while page:
            yield from page["items"]
            page = self._api.next(page) if page["next"] else None


class _QuietCache(CacheFileHandler):  # type: ignore[misc]  # spotipy has no types
    """Takes the empty file of before the first sign-in for what it is, no token."""

    def get_cached_token(self) -> Any:
        """The token of the last sign-in; None if there was none."""
        return super().get_cached_token() if Path(self.cache_path).stat().st_size else None


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except SpotifyOauthError as error:
        raise SpotifyError(
            f"Signing in to Spotify failed: {error}. Check SPOTIFY_CLIENT_ID, SPOTIFY_CLIENT_SECRET, and that the app's "
            "settings at Spotify name SPOTIFY_REDIRECT_URI."
        ) from None
    except SpotifyException as error:
        advice = (
            "Apps without extended access may have five users: name this account in the app's settings at Spotify."
            if error.http_status == FORBIDDEN
            else "Try again later."
        )
        raise SpotifyError(f"Spotify refused ({error.http_status}): {error.msg}. {advice}") from None
    except requests.RequestException as error:
        raise SpotifyError(f"Spotify can't be reached: {type(error).__name__}. Is this machine online?") from None
