"""Tests of the Spotify commands against a local HTTP server that stands in for Spotify."""

import queue
import socket
import threading
import urllib.request
import webbrowser
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from urllib.parse import urlsplit

import click
import pytest

from moodmirror.app_factory import create_app
from moodmirror.cli.spotify_sign_in import TerminalSignIn
from moodmirror.config import CameraSource, Config
from moodmirror.recommendation.catalogue import read_table
from tests.conftest import free_port
from tests.spotify_server import SpotifyServer, serving_spotify

pytestmark = pytest.mark.unit


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    with serving_spotify() as server:
        yield server


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
    assert "Still at Spotify, of an earlier run: Mood: angry." in done.output
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


def test_songs_that_spotify_no_longer_has_are_skipped(flask, spotify):
    gone: list[object] = [None, {"id": None, "name": "", "artists": [], "album": None}, {"name": "Talk", "type": "episode"}]
    spotify.liked = [*spotify.liked[:2], *gone]
    done = flask("spotify", "import")
    assert "2 added, 0 already imported, 3 skipped" in done.output, done.output


class TestSignInWithoutABrowser:
    """On a server without a browser: the address is printed, and the one that the sign-in ends at can be pasted."""

    @pytest.fixture(params=["returns False", "raises"])
    def no_browser(self, request, monkeypatch):
        def open_browser(address):
            if request.param == "raises":
                raise webbrowser.Error("could not locate runnable browser")
            return False

        monkeypatch.setattr("webbrowser.open", open_browser)

    @pytest.fixture
    def terminal(self, flask, no_browser, monkeypatch):
        """Run a command whose user does with the printed address what `answer` says; yields lines to paste."""

        def run(answer, *arguments):
            printed: queue.SimpleQueue[str] = queue.SimpleQueue()
            echo = click.echo

            def show(message=None, *args, **kwargs):
                echo(message, *args, **kwargs)
                for word in str(message).split():
                    if word.startswith("http") and "/authorize?" in word:
                        printed.put(word)

            def lines():
                yield from answer(printed.get(timeout=30))

            monkeypatch.setattr("moodmirror.cli.spotify_sign_in.click.echo", show)
            monkeypatch.setattr("moodmirror.cli.spotify_sign_in._read_lines", partial(put_lines, lines))
            return flask(*arguments)

        def put_lines(lines, addresses):
            for line in lines():
                addresses.put(line)
            addresses.put(None)

        return run

    @staticmethod
    def redirect_of(address):
        """Sign in as a browser on another computer would; return the address at which it ends."""
        parts = urlsplit(address)
        connection = HTTPConnection(parts.hostname or "", parts.port)
        connection.request("GET", f"{parts.path}?{parts.query}")
        location = connection.getresponse().headers["Location"]
        connection.close()
        return location

    def test_the_redirected_address_is_pasted(self, terminal):
        def answer(address):
            yield "something else"
            yield self.redirect_of(address)

        done = terminal(answer, "spotify", "import")
        assert done.exit_code == 0, done.output
        assert "That is not the address after this sign-in" in done.output
        assert "51 added" in done.output

    def test_a_browser_that_the_user_opens_here_is_redirected(self, terminal):
        def answer(address):
            urllib.request.urlopen(self.redirect_of(address)).close()
            yield from ()

        assert "51 added" in terminal(answer, "spotify", "import").output

    def test_a_refusal_is_reported(self, terminal):
        def answer(address):
            yield self.redirect_of(address).replace("code=yes", "error=access_denied")

        done = terminal(answer, "spotify", "import")
        assert done.exit_code == 1
        assert "access_denied" in done.output

    def test_another_sign_ins_address_is_not_accepted(self, terminal, monkeypatch):
        monkeypatch.setattr(TerminalSignIn, "unattended_timeout", 0.2)

        def answer(address):
            yield "http://127.0.0.1:8888/callback?code=yes&state=forged"

        done = terminal(answer, "spotify", "import")
        assert done.exit_code == 1
        assert "That is not the address" in done.output

    def test_nobody_signs_in(self, flask, no_browser, monkeypatch):
        monkeypatch.setattr(TerminalSignIn, "unattended_timeout", 0.2)
        done = flask("spotify", "import")
        assert done.exit_code == 1
        assert "/authorize?client_id=made-up" in done.output
        assert "Nobody signed in to Spotify within 0.2 s" in done.output

    def test_without_a_terminal_and_a_port_it_ends_at_once(self, flask, no_browser, monkeypatch):
        with socket.create_server(("127.0.0.1", 0)) as used:
            monkeypatch.setattr("tests.test_spotify.free_port", lambda: used.getsockname()[1])
            done = flask("spotify", "import")
        assert done.exit_code == 1
        assert "/authorize?" in done.output
        assert "Nothing can receive the sign-in" in done.output


@pytest.mark.parametrize("settings", [{}, {"SPOTIFY_CLIENT_ID": "made-up"}])
def test_the_command_exists_only_if_spotify_is_configured(settings):
    config = Config.from_environment({"CAMERA": "off", **settings})
    assert "spotify" not in create_app(config).test_cli_runner().invoke(args=["--help"]).output
