"""Tests of the Spotify commands against a local HTTP server that stands in for Spotify."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from moodmirror.app_factory import create_app
from moodmirror.config import CameraSource, Config
from moodmirror.recommendation.catalogue import read_table
from tests.conftest import free_port

TOKEN = "made-up-token"

pytestmark = [
    pytest.mark.unit,
    # spotipy does not close the socket on which it waits for the sign-in.
    pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning"),
]


class SpotifyHandler(BaseHTTPRequestHandler):
    """One user with 51 liked songs and one playlist."""

    server: "SpotifyServer"

    liked = [  # noqa: RUF012
        {
            "id": f"{number:022}",
            "name": f"Made-up {number}",
            "artists": [{"name": "The Inventions"}],
            "album": {"release_date": "1984"},
            "popularity": 12,
        }
        for number in range(51)
    ]

    def log_message(self, format, *args):  # the name of the base class
        pass

    def respond(self, message, status=200):
        content = json.dumps(message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def rejected(self):
        if self.server.forbidden:
            self.respond({"error": {"status": 403, "message": "user not registered"}}, 403)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.respond({"error": {"status": 401, "message": "no token"}}, 401)
        else:
            return False
        return True

    def do_GET(self):
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/authorize":
            self.server.scopes = asked["scope"]
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': 'yes', 'state': asked['state']})}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.rejected():
            pass
        elif address.path == "/v1/me/tracks":
            start, count = int(asked.get("offset", 0)), int(asked["limit"])
            later = start + count < len(self.liked)
            further = f"{self.server.address}/v1/me/tracks?limit={count}&offset={start + count}" if later else None
            self.respond({"items": [{"track": track} for track in self.liked[start : start + count]], "next": further})
        elif address.path == "/v1/me/playlists":
            self.respond({"items": [{"id": "happylist", "name": "Mood: happy"}], "next": None})
        else:
            self.respond({"error": {"status": 404, "message": "not there"}}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/api/token":
            assert self.headers["Authorization"].startswith("Basic ")
            assert parse_qs(body)["code"] == ["yes"]
            self.server.signed_in += 1
            self.respond({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600, "refresh_token": "again"})
        elif not self.rejected():
            self.server.written.append(("POST", self.path.partition("?")[0], json.loads(body)))
            self.respond({"id": "newlist", "snapshot_id": "1"}, 201)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if not self.rejected():
            self.server.written.append(("PUT", self.path, json.loads(body)))
            self.respond({"snapshot_id": "1"})


class SpotifyServer(ThreadingHTTPServer):
    address: str
    forbidden = False
    signed_in = 0
    scopes = ""
    written: list[tuple[str, str, object]]


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    server = SpotifyServer(("127.0.0.1", 0), SpotifyHandler)
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    server.written = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def flask(spotify, tmp_path, monkeypatch):
    """Run a `flask` command against the local server; the browser sign-in succeeds at once."""
    browsers = []

    def open_browser(address):
        browsers.append(threading.Thread(target=lambda: urllib.request.urlopen(address).close()))
        browsers[-1].start()
        return True

    monkeypatch.setattr("webbrowser.open", open_browser)

    def run(*arguments):
        config = Config(
            camera=CameraSource("off", "off"),
            instance=tmp_path,
            spotify_client_id="made-up",
            spotify_client_secret="made-up-too",
            spotify_redirect_uri=f"http://127.0.0.1:{free_port()}/callback",
            spotify_api_url=f"{spotify.address}/v1/",
            spotify_accounts_url=f"{spotify.address}/",
        )
        return create_app(config).test_cli_runner().invoke(args=list(map(str, arguments)))

    yield run
    for browser in browsers:
        browser.join()


def test_liked_songs_of_all_pages_are_imported_with_one_sign_in(flask, spotify, tmp_path):
    first, second = flask("spotify", "import"), flask("spotify", "import")
    assert "51 added" in first.output, first.output
    assert "51 songs have no audio features" in first.output
    assert "0 added, 51 already imported" in second.output
    assert spotify.signed_in == 1
    songs = read_table(tmp_path / "catalogue" / "songs.csv", "songs", imported=True)
    assert songs[50].title == "Made-up 50"
    assert (tmp_path / "catalogue" / "spotify-token.json").stat().st_mode & 0o077 == 0


def test_playlists_are_created_or_replaced(flask, spotify, tmp_path):
    lists = tmp_path / "lists"
    lists.mkdir()
    uris = [f"spotify:track:{number:022}" for number in range(120)]
    (lists / "happy.csv").write_text("title,artist,uri,emotion\n" + "".join(f"t,a,{uri},happy\n" for uri in uris))
    (lists / "centroids.csv").write_text("group,emotion,songs\nhappy,happy,120\n")
    (lists / "sad.csv").write_text(f"title,artist,uri,emotion\nt,a,{uris[0]},sad\nu,a,,sad\n")
    done = flask("spotify", "save", lists)
    assert "Mood: happy: 120 songs saved\n" in done.output, done.output
    assert "Mood: sad: 1 songs saved, 1 left out" in done.output
    happy, further, made, sad = spotify.written
    assert happy == ("PUT", "/v1/playlists/happylist/items", {"uris": uris[:100]})
    assert further == ("POST", "/v1/playlists/happylist/items", uris[100:])
    assert made[:2] == ("POST", "/v1/me/playlists")
    assert made[2]["name"] == "Mood: sad"
    assert made[2]["public"] is False
    assert sad == ("PUT", "/v1/playlists/newlist/items", {"uris": uris[:1]})


def test_a_forbidden_account_gets_the_reason(flask, spotify):
    spotify.forbidden = True
    done = flask("spotify", "import")
    assert done.exit_code == 1
    assert "may have five users" in done.output
    assert "Traceback" not in done.output


def test_a_folder_without_playlists_is_reported(flask, tmp_path):
    done = flask("spotify", "save", tmp_path)
    assert "has no playlists" in done.output


@pytest.mark.parametrize("settings", [{}, {"SPOTIFY_CLIENT_ID": "made-up"}])
def test_the_command_exists_only_if_spotify_is_configured(settings):
    config = Config.from_environment({"CAMERA": "off", **settings})
    assert "spotify" not in create_app(config).test_cli_runner().invoke(args=["--help"]).output
