"""Tests of signing in to Spotify on the page, against a local HTTP server that stands in for Spotify."""

import csv
import queue
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config
from moodmirror.live import spotify_sign_ins
from moodmirror.live.spotify_sign_ins import SpotifySignIns
from moodmirror.recommendation.importers.liked_songs import LIKED
from moodmirror.recommendation.song_mood import AUDIO_FEATURES
from moodmirror.services import EXTENSION
from moodmirror.web.spotify import EXTENSION as SPOTIFY_EXTENSION
from tests.spotify_server import SpotifyServer, made_up, serving_spotify

pytestmark = pytest.mark.unit

SITE = "http://127.0.0.1:8000"
LOADING = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}  # a redirect's
FESTIVE = (0.85, 0.9, -4.0, 0.06, 0.05, 0.0, 0.1, 0.95, 124.0)
MOURNFUL = (0.3, 0.1, -18.0, 0.06, 0.95, 0.0, 0.1, 0.08, 72.0)


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    with serving_spotify() as server:
        yield server


@pytest.fixture
def config(spotify, tmp_path):
    return Config(
        camera=CameraSource("off", "off"),
        instance=tmp_path / "instance",
        spotify_client_id="made-up",
        spotify_client_secret="made-up-too",
        spotify_api_url=f"{spotify.address}/v1/",
        spotify_accounts_url=f"{spotify.address}/",
    )


class Site:
    """A site, the sign-ins of its visitors, and the news about them."""

    def __init__(self, config: Config):
        self.app = create_app(config)
        self.sign_ins: SpotifySignIns = self.app.extensions[SPOTIFY_EXTENSION]
        self.news: queue.Queue[str] = queue.Queue()
        self.sign_ins.on_changed.append(self.news.put)

    @property
    def recommender(self):
        return self.app.extensions[EXTENSION].recommender

    def browser(self, address=SITE):
        client = self.app.test_client()
        client.get("/", base_url=address)
        return client

    @staticmethod
    def visitor(client) -> str:
        with client.session_transaction(base_url=SITE) as session:
            return session["visitor"]

    def begin(self, client, **headers) -> Any:
        return client.get("/spotify/sign-in", base_url=SITE, headers=headers)

    def asked_of_spotify(self, client) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.begin(client).location).query).items()}

    def finish(self, client, **answer) -> Any:
        return client.get("/spotify/callback", base_url=SITE, headers=LOADING, query_string=answer)

    def sign_in(self, client) -> str:
        """Sign in, wait until the songs are read or reading has failed, and return the visitor's id."""
        done = self.finish(client, code="yes", state=self.asked_of_spotify(client)["state"])
        assert done.status_code == 200, done.text
        return self.await_state(client, "ready", "failed")

    def await_state(self, client, *states) -> str:
        visitor = self.visitor(client)
        while self.sign_ins.payload(visitor).state not in states:
            self.news.get(timeout=60)
        return visitor


@pytest.fixture
def site(config) -> Iterator[Site]:
    site = Site(config)
    yield site
    close_app(site.app)


def title(songs, item) -> str:
    return songs.recommender.item("songs", item).title


class TestSignIn:
    def test_the_sign_in_asks_for_the_liked_songs_only_and_returns_to_the_site(self, site):
        asked = site.asked_of_spotify(site.browser())
        assert asked["redirect_uri"] == f"{SITE}/spotify/callback"
        assert asked["scope"] == "user-library-read"
        assert len(asked["state"]) >= 20

    def test_behind_a_proxy_it_returns_to_the_public_address(self, config):
        site = Site(replace(config, trusted_proxies=1, secret_key="0123456789abcdefghij", trusted_hosts=("mirror.test",)))
        client = site.app.test_client()
        done = client.get("/spotify/sign-in", headers={"Host": "mirror.test", "X-Forwarded-Proto": "https"})
        assert parse_qs(urlsplit(done.location).query)["redirect_uri"] == ["https://mirror.test/spotify/callback"]
        close_app(site.app)

    def test_an_address_to_which_spotify_does_not_redirect_is_explained(self, site):
        done = site.browser("http://localhost:8000").get("/spotify/sign-in", base_url="http://localhost:8000")
        assert done.status_code == 400
        assert "http://127.0.0.1:8000" in done.text

    def test_page_and_privacy_page_tell_of_it(self, site):
        client = site.browser()
        assert "Sign in to Spotify" in client.get("/", base_url=SITE).text
        assert "If you sign in to Spotify" in client.get("/privacy", base_url=SITE).text

    def test_another_sites_page_cannot_begin_a_sign_in(self, site):
        assert site.begin(site.browser(), **LOADING).status_code == 403

    @pytest.mark.parametrize("forged", ["", "guessed", "another visitor's", "used"])
    def test_a_state_that_is_not_this_visitors_signs_nobody_in(self, site, spotify, forged):
        client, other = site.browser(), site.browser()
        state = site.asked_of_spotify(client)["state"]
        if forged == "used":
            site.finish(client, code="", error="access_denied", state=state)
        else:
            state = {"another visitor's": site.asked_of_spotify(other)["state"]}.get(forged, forged)
        done = site.finish(client, code="yes", state=state)
        assert done.status_code == 400
        assert "not started in this browser" in done.text
        assert spotify.signed_in == 0
        assert site.sign_ins.payload(site.visitor(client)).state == "signed_out"

    def test_a_browser_without_the_cookie_is_not_signed_in(self, site, spotify):
        state = site.asked_of_spotify(site.browser())["state"]
        assert site.finish(site.app.test_client(), code="yes", state=state).status_code == 400
        assert spotify.signed_in == 0

    def test_a_late_redirect_is_refused(self, site, monkeypatch):
        client = site.browser()
        state = site.asked_of_spotify(client)["state"]
        monkeypatch.setattr(spotify_sign_ins, "SIGN_IN_SECONDS", 0)
        assert "more than ten minutes ago" in site.finish(client, code="yes", state=state).text

    def test_a_visitor_who_does_not_allow_access_is_told_so(self, site):
        client = site.browser()
        done = site.finish(client, error="access_denied", state=site.asked_of_spotify(client)["state"])
        assert done.status_code == 400
        assert "You did not allow access" in done.text

    def test_a_code_that_spotify_does_not_accept_is_explained(self, site):
        client = site.browser()
        done = site.finish(client, code="no", state=site.asked_of_spotify(client)["state"])
        assert done.status_code == 400
        assert "Signing in to Spotify failed" in done.text

    def test_begun_sign_ins_are_bounded(self, site, monkeypatch):
        monkeypatch.setattr(spotify_sign_ins, "MAX_SIGN_INS_BEGUN", 2)
        clients = [site.browser() for _ in range(3)]
        states = [site.asked_of_spotify(client)["state"] for client in clients]
        results = [
            site.finish(client, error="access_denied", state=state).text
            for client, state in zip(clients, states, strict=True)
        ]
        assert ["did not allow" in text for text in results] == [False, True, True]

    def test_signed_in_visitors_are_bounded_by_their_songs(self, site, monkeypatch):
        monkeypatch.setattr(spotify_sign_ins, "MAX_SONGS_IN_MEMORY", 1)
        first = site.browser()
        site.sign_in(first)
        refused = site.begin(site.browser())
        assert refused.status_code == 503
        assert "Too many visitors are signed in" in refused.text
        assert site.begin(first).status_code == 302  # a visitor who is signed in may sign in again

    def test_a_site_without_an_app_at_spotify_has_nothing_of_it(self, config):
        app = create_app(replace(config, spotify_client_id=""))
        client = app.test_client()
        assert "potify" not in re.sub("open.spotify", "", client.get("/").text)
        assert "potify" not in client.get("/privacy").text
        assert client.get("/spotify/sign-in").status_code == 404
        close_app(app)


class TestLikedSongs:
    def test_they_count_as_liked_and_are_rows_with_links_to_their_tracks(self, site, spotify):
        known = site.recommender.items("songs")[7]
        identity = "4uLU6hMCjMI75M1A2tKUQC"
        spotify.liked = [made_up(0, known.title, known.facts["artist"].split("|")[0], identity), *spotify.liked]
        songs = site.sign_ins.songs(site.sign_in(site.browser()))
        assert songs is not None
        assert len(songs.likes) == 52
        assert songs.likes[-1] == known.id  # the newest
        assert songs.known_count == 1
        assert songs.lists[LIKED] == set(songs.likes)
        assert songs.recommender.item("songs", known.id).facts["spotify_id"] == identity
        assert title(songs, songs.likes[0]) == "Made-up 50"
        added = songs.recommender.item("songs", songs.likes[0])
        assert "guessed from artist or title" in added.line
        assert not site.recommender.items("songs")[7].facts.get("spotify_id")  # other visitors' songs stay as they are
        assert site.recommender.item("songs", added.id) is None

    def test_only_the_newest_are_read(self, site, spotify, monkeypatch):
        monkeypatch.setattr(spotify_sign_ins, "MAX_LIKED_SONGS", 10)
        songs = site.sign_ins.songs(site.sign_in(site.browser()))
        assert songs is not None
        assert [title(songs, item) for item in songs.likes] == [f"Made-up {number}" for number in reversed(range(10))]

    def test_groups_of_songs_with_known_features_are_lists(self, config, spotify, tmp_path):
        rows = [
            (f"{name} {number}", [value * (1 + 0.003 * number) for value in features])
            for name, features in (("Feast", FESTIVE), ("Wake", MOURNFUL))
            for number in range(6)
        ]
        with (tmp_path / "songs.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["track_id", "track_name", "track_artist", *AUDIO_FEATURES])
            writer.writerows(["", title, "The Inventions", *features] for title, features in rows)
        imported = create_app(config).test_cli_runner().invoke(args=["import", "songs", str(tmp_path / "songs.csv")])
        assert "12 added" in imported.output
        spotify.liked = [made_up(number, title) for number, (title, _) in enumerate(rows)]
        site = Site(config)
        client = site.browser()
        visitor = site.sign_in(client)
        songs = site.sign_ins.songs(visitor)
        assert songs is not None
        titles = {name: {title(songs, item).split()[0] for item in ids} for name, ids in songs.lists.items()}
        assert titles == {LIKED: {"Feast", "Wake"}, "happy": {"Feast"}, "sad": {"Wake"}}
        assert [entry.name for entry in site.sign_ins.payload(visitor).lists] == [LIKED, "happy", "sad"]
        close_app(site.app)

    def test_progress_is_reported_page_by_page(self, site, spotify):
        spotify.may_read.clear()
        client = site.browser()
        site.finish(client, code="yes", state=site.asked_of_spotify(client)["state"])
        visitor = site.visitor(client)
        while site.sign_ins.payload(visitor).read == 0:
            site.news.get(timeout=60)
        payload = site.sign_ins.payload(visitor)
        assert (payload.state, payload.read, payload.total) == ("reading", 50, 51)
        spotify.may_read.set()
        site.await_state(client, "ready")
        assert site.sign_ins.payload(visitor).read == 51

    @pytest.mark.parametrize(("attribute", "words"), [("forbidden", "may have five users"), ("limited", "Try again in 7 s")])
    def test_a_refusal_is_explained_and_reading_again_mends_it(self, site, spotify, attribute, words):
        setattr(spotify, attribute, True)
        client = site.browser()
        visitor = site.sign_in(client)
        assert site.sign_ins.payload(visitor).state == "failed"
        assert words in site.sign_ins.payload(visitor).message
        setattr(spotify, attribute, False)
        assert client.post("/spotify/read", base_url=SITE).status_code == 204
        site.await_state(client, "ready")
        assert spotify.signed_in == 1

    def test_an_expired_token_is_renewed(self, site, spotify):
        spotify.token_seconds = 1  # spotipy renews a minute before the end
        client = site.browser()
        site.sign_in(client)
        assert spotify.renewed >= 1


class TestSignOut:
    def test_it_deletes_token_and_songs(self, site):
        client = site.browser()
        visitor = site.sign_in(client)
        assert client.post("/spotify/sign-out", base_url=SITE).status_code == 204
        assert site.sign_ins.payload(visitor).state == "signed_out"
        assert site.sign_ins.songs(visitor) is None

    def test_another_sites_page_cannot_sign_out(self, site):
        client = site.browser()
        visitor = site.sign_in(client)
        refused = client.post("/spotify/sign-out", base_url=SITE, headers={"Sec-Fetch-Site": "cross-site"})
        assert refused.status_code == 403
        assert site.sign_ins.payload(visitor).state == "ready"

    def test_it_stops_reading(self, site, spotify):
        spotify.may_read.clear()
        client = site.browser()
        site.finish(client, code="yes", state=site.asked_of_spotify(client)["state"])
        client.post("/spotify/sign-out", base_url=SITE)
        spotify.may_read.set()
        visitor = site.sign_in(client)
        assert site.sign_ins.payload(visitor).state == "ready"

    def test_deleting_ones_data_signs_out(self, site):
        client = site.browser()
        visitor = site.sign_in(client)
        client.delete("/api/my-data", base_url=SITE, headers={"X-Mood-Mirror": "1"})
        assert site.sign_ins.songs(visitor) is None

    def test_a_visitor_is_signed_out_after_a_while(self, site, monkeypatch):
        monkeypatch.setattr(spotify_sign_ins, "SIGNED_IN_SECONDS", 0.05)
        client = site.browser()
        site.finish(client, code="yes", state=site.asked_of_spotify(client)["state"])
        site.await_state(client, "signed_out")


class TestPrivacy:
    def test_token_and_songs_are_in_no_file_and_no_log(self, site, spotify, tmp_path, caplog):
        caplog.set_level("DEBUG")
        spotify.liked = [made_up(0, "An Unmistakable Title", "Nobody Elsewhere")]
        client = site.browser()
        site.sign_in(client)
        client.post("/spotify/sign-out", base_url=SITE)
        close_app(site.app)
        words = ("Unmistakable", "unmistakable", "Nobody Elsewhere", "made-up-token", "again")
        for path in tmp_path.rglob("*"):
            if path.is_file():
                assert not any(word.encode() in path.read_bytes() for word in words), path
        assert not any(word in caplog.text for word in words)
