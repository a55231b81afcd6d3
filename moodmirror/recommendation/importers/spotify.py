"""Access to a Spotify account: import liked songs, and save playlists.

Imported only by commands, and only if an app's id and secret are configured. Spotify gives no audio features to new apps, so
liked songs have none. An app without extended access may have five users, each added in Spotify's dashboard.
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
from moodmirror.recommendation.importers.source_files import FileFormat, Source, parse_entries

SCOPES: Final = ("user-library-read", "playlist-read-private", "playlist-modify-private")
LIKED_SONGS_PER_PAGE: Final = 50  # Spotify's maximum
PLAYLISTS_PER_PAGE: Final = 50
MAX_ITEMS_PER_REQUEST: Final = 100  # songs that one request may add to a playlist
HTTP_FORBIDDEN: Final = 403


class SpotifyError(RuntimeError):
    """Spotify refused a request or can't be reached; the message gives the next step."""


class SpotifyAccount:
    """The account of the user, who signs in with the browser at the first request.

    The token is stored in a file that only its owner may read, so that the user signs in once.
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
        """Prepare the sign-in.

        `redirect_uri` must be in the app's settings at Spotify; a local server receives the token there.
        """
        token_file.parent.mkdir(parents=True, exist_ok=True)
        token_file.touch(mode=0o600)
        sign_in = SpotifyOAuth(
            client_id,
            client_secret,
            redirect_uri,
            state=secrets.token_urlsafe(16),
            scope=",".join(SCOPES),
            cache_handler=_TokenFile(str(token_file)),
        )
        sign_in.OAUTH_AUTHORIZE_URL = f"{sign_in_address}authorize"
        sign_in.OAUTH_TOKEN_URL = f"{sign_in_address}api/token"
        self._api = Spotify(auth_manager=sign_in)
        self._api.prefix = api_address

    def liked_songs(self) -> Source:
        """Fetch the liked songs as a source to import. Raises SpotifyError."""
        with _translated_errors():
            saved = [
                entry["track"] for entry in self._pages(self._api.current_user_saved_tracks(limit=LIKED_SONGS_PER_PAGE))
            ]
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
        file_format = FileFormat(
            "liked songs at Spotify",
            (),
            lambda row: make_entry(
                row["title"], row["artists"].split("\n"), row["id"], date=row["date"], popularity=row["popularity"]
            ),
        )
        return parse_entries(file_format, rows)

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


class _TokenFile(CacheFileHandler):  # type: ignore[misc]  # spotipy has no types
    """A token cache that accepts the empty file of before the first sign-in."""

    def get_cached_token(self) -> Any:
        """Return the token of the last sign-in; None if there was none."""
        return super().get_cached_token() if Path(self.cache_path).stat().st_size else None


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
        advice = (
            "Apps without extended access may have five users: add this account in the app's settings at Spotify."
            if error.http_status == HTTP_FORBIDDEN
            else "Try again later."
        )
        raise SpotifyError(f"Spotify refused the request ({error.http_status}): {error.msg}. {advice}") from None
    except requests.RequestException as error:
        raise SpotifyError(
            f"Spotify can't be reached: {type(error).__name__}. Check this machine's internet connection, then try again."
        ) from None
