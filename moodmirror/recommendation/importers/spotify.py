"""Access to a Spotify account: read liked songs, and save playlists.

Imported only if an app's id and secret are configured. Spotify gives no audio features to new apps, so liked songs have
none. An app without extended access may have five users, each added in Spotify's dashboard.
"""

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import requests
from spotipy import CacheFileHandler, MemoryCacheHandler, Spotify, SpotifyException, SpotifyOAuth
from spotipy.oauth2 import SpotifyOauthError

from moodmirror.config import Config
from moodmirror.recommendation.importers.song_files import make_entry
from moodmirror.recommendation.importers.source_files import Entry, FileFormat, Source, parse_entries

READ_SCOPES: Final = ("user-library-read",)
SAVE_SCOPES: Final = (*READ_SCOPES, "playlist-read-private", "playlist-modify-private")
LIKED_SONGS_PER_PAGE: Final = 50  # Spotify's maximum
PLAYLISTS_PER_PAGE: Final = 50
MAX_ITEMS_PER_REQUEST: Final = 100  # songs that one request may add to a playlist
TIMEOUT_SECONDS: Final = 10  # of one request
HTTP_FORBIDDEN: Final = 403
HTTP_TOO_MANY: Final = 429
SERVER_FAILURES: Final = (500, 502, 503, 504)  # tried again after a moment

# At lower levels it logs tokens and the names of songs.
logging.getLogger("spotipy").setLevel(logging.CRITICAL)


class SpotifyError(RuntimeError):
    """Spotify refused a request or can't be reached; the message gives the next step."""


class SpotifyAccount:
    """The account of one user. It has a token once somebody has signed in; the token is renewed as needed."""

    def __init__(self, sign_in: SpotifyOAuth, api_address: str, *, wait_if_limited: bool = True) -> None:
        """`sign_in` holds the token, and gets one if it has none.

        With `wait_if_limited`, a request that Spotify's rate limit refuses is sent again after the time that Spotify names,
        which may be long; without, it raises SpotifyError.
        """
        self._sign_in = sign_in
        codes = (HTTP_TOO_MANY, *SERVER_FAILURES) if wait_if_limited else SERVER_FAILURES
        self._api = Spotify(auth_manager=sign_in, requests_timeout=TIMEOUT_SECONDS, status_forcelist=codes)
        self._api.prefix = api_address

    def redeem(self, code: str) -> None:
        """Exchange the code of a sign-in for a token. Raises SpotifyError."""
        with _translated_errors():
            self._sign_in.get_access_token(code, as_dict=False, check_cache=False)

    def liked_songs(self, limit: int | None = None, on_page: Callable[[int, int], object] | None = None) -> Source:
        """Fetch the liked songs, newest first, at most `limit`, as a source to import. Raises SpotifyError.

        After each page, `on_page` receives how many are fetched, and how many there are.
        """
        saved: list[Any] = []
        with _translated_errors():
            page = self._api.current_user_saved_tracks(limit=LIKED_SONGS_PER_PAGE)
            while page and (limit is None or len(saved) < limit):
                saved += page["items"]
                if on_page:
                    on_page(len(saved), int(page.get("total") or len(saved)))
                page = self._api.next(page) if page["next"] else None
        rows = [_cells(entry.get("track") or {}) for entry in saved[:limit]]
        return parse_entries(FileFormat("liked songs at Spotify", (), _entry), rows)

    def playlist_names(self) -> list[str]:
        """Return the names of the account's playlists. Raises SpotifyError."""
        with _translated_errors():
            return [playlist["name"] for playlist in self._pages(self._api.current_user_playlists(limit=PLAYLISTS_PER_PAGE))]

    def save_playlist(self, name: str, uris: Sequence[str]) -> None:
        """Save a private playlist, replacing one of the same name. Raises SpotifyError."""
        with _translated_errors():
            playlists = self._pages(self._api.current_user_playlists(limit=PLAYLISTS_PER_PAGE))
            playlist_id = next((playlist["id"] for playlist in playlists if playlist["name"] == name), None)
            if playlist_id is None:
                made = self._api.current_user_playlist_create(name, public=False, description="Made by Mood Mirror")
                playlist_id = made["id"]
            self._api.playlist_replace_items(playlist_id, list(uris[:MAX_ITEMS_PER_REQUEST]))
            for start in range(MAX_ITEMS_PER_REQUEST, len(uris), MAX_ITEMS_PER_REQUEST):
                self._api.playlist_add_items(playlist_id, list(uris[start : start + MAX_ITEMS_PER_REQUEST]))

    def _pages(self, page: Any) -> Iterator[Any]:
        while page:
            yield from page["items"]
            page = self._api.next(page) if page["next"] else None


def sign_in_with(
    config: Config,
    redirect_uri: str,
    token: CacheFileHandler | MemoryCacheHandler,
    scopes: Sequence[str],
    kind: type[SpotifyOAuth] = SpotifyOAuth,
) -> SpotifyOAuth:
    """Return the sign-in of the configured app, whose token is stored by `token`.

    `redirect_uri` must be in the app's settings at Spotify.
    """
    sign_in = kind(
        config.spotify_client_id,
        config.spotify_client_secret,
        redirect_uri,
        state=secrets.token_urlsafe(16),
        scope=",".join(scopes),
        cache_handler=token,
        requests_timeout=TIMEOUT_SECONDS,
    )
    sign_in.OAUTH_AUTHORIZE_URL = f"{config.spotify_accounts_url}authorize"
    sign_in.OAUTH_TOKEN_URL = f"{config.spotify_accounts_url}api/token"
    return sign_in


class TokenFile(CacheFileHandler):  # type: ignore[misc]  # spotipy has no types
    """A token in a file that only its owner may read."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        super().__init__(str(path))

    def get_cached_token(self) -> Any:
        """Return the token of the last sign-in; None if there was none."""
        return super().get_cached_token() if Path(self.cache_path).stat().st_size else None


def _cells(track: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of a track; empty ones for a podcast's episode, and for what Spotify no longer has."""
    names = (artist.get("name") or "" for artist in track.get("artists") or ())
    return {
        "title": track.get("name") or "",
        "artists": "\n".join(names),
        "id": track.get("id") or "",
        "date": (track.get("album") or {}).get("release_date") or "",
        "popularity": str(track.get("popularity") or ""),
    }


def _entry(row: Mapping[str, str]) -> Entry:
    return make_entry(row["title"], row["artists"].split("\n"), row["id"], date=row["date"], popularity=row["popularity"])


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except SpotifyOauthError as error:
        raise SpotifyError(
            f"Signing in to Spotify failed: {error}. Check SPOTIFY_CLIENT_ID, SPOTIFY_CLIENT_SECRET, and that the app's "
            "settings at Spotify contain SPOTIFY_REDIRECT_URI."
        ) from None
    except SpotifyException as error:
        advice = "Try again later."
        if error.http_status == HTTP_FORBIDDEN:
            advice = "Apps without extended access may have five users: add this account in the app's settings at Spotify."
        elif error.http_status == HTTP_TOO_MANY and error.headers.get("Retry-After", "").isdigit():
            advice = f"Try again in {error.headers['Retry-After']} s."
        reason = str(error.msg).rpartition("\n")[2].strip()  # below the request's address
        raise SpotifyError(f"Spotify refused the request ({error.http_status}): {reason}. {advice}") from None
    except requests.RequestException as error:
        raise SpotifyError(
            f"Spotify can't be reached: {type(error).__name__}. Check this machine's internet connection, then try again."
        ) from None
