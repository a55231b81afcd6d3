"""Signing in to Spotify on the page, in a real browser, against a local HTTP server that stands in for Spotify."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from moodmirror.recommendation import Recommender
from tests.conftest import Server, serving
from tests.page_helpers import accessibility_violations, pick, press, visiting
from tests.spotify_server import SpotifyServer, made_up, serving_spotify

pytestmark = pytest.mark.browser

IDENTITY = "4uLU6hMCjMI75M1A2tKUQC"


@pytest.fixture(scope="module")
def happy_song():
    """A song of the catalogue that suits a happy mood, as the first row does."""
    return Recommender.open().recommend([0.02, 0.02, 0.02, 0.88, 0.02, 0.02, 0.02], "songs", 1)[0].item


@pytest.fixture(scope="module")
def spotify(happy_song) -> Iterator[SpotifyServer]:
    with serving_spotify() as server:
        known = made_up(0, happy_song.title, happy_song.facts["artist"].split("|")[0], IDENTITY)
        server.liked = [known, *server.liked]
        yield server


@pytest.fixture(scope="module")
def site(spotify, tmp_path_factory) -> Iterator[Server]:
    """A site with an app at Spotify; its visitors go to another site to sign in, as localhost is not 127.0.0.1."""
    settings = {
        "SPOTIFY_CLIENT_ID": "made-up",
        "SPOTIFY_CLIENT_SECRET": "made-up-too",
        "SPOTIFY_API_URL": f"{spotify.address}/v1/",
        "SPOTIFY_ACCOUNTS_URL": f"{spotify.address.replace('127.0.0.1', 'localhost')}/",
    }
    with serving(tmp_path_factory.mktemp("spotify") / "log", None, CAMERA="off", **settings) as server:
        yield server


def sign_in(page):
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Sign in to Spotify").click()
    expect(popup.value.get_by_role("heading", name="You are signed in to Spotify")).to_be_visible()
    popup.value.close()


def test_liked_songs_are_read_with_progress_chosen_liked_and_linked(browser, site, spotify, happy_song):
    spotify.may_read.clear()
    with visiting(browser, site) as page:
        pick(page, "happy")
        row = page.locator(f'#songs tr[data-id="{happy_song.id}"]')
        expect(page.locator("#song-list")).to_be_hidden()
        sign_in(page)
        status = page.locator("#spotify-status")
        expect(status).to_have_text("Reading your liked songs: 50 of 52")
        expect(page.get_by_role("progressbar", name="Progress of reading your liked songs")).to_be_visible()
        spotify.may_read.set()
        expect(status).to_have_text(
            "52 liked songs count as liked; 1 was in the lists already; 51 are added for you; "
            "the mood of 51 is guessed from artist or title."
        )

        choice = page.get_by_role("combobox", name="Songs from")
        expect(choice.locator("option")).to_have_text(["All songs", "My liked songs (52)"])
        choice.select_option("liked")
        expect(page.locator("#songs tbody tr .about", has_text="The Inventions")).to_have_count(9)
        like = row.locator('[data-verdict="like"]')
        expect(like).to_have_attribute("aria-pressed", "true")
        expect(row.locator("a.title")).to_have_attribute("href", f"https://open.spotify.com/track/{IDENTITY}")
        made_up_row = page.locator("#songs tr", has_text="Made-up").first
        expect(made_up_row.locator(".tagline")).to_contain_text("its mood is guessed from artist or title")
        number = int(made_up_row.locator("a.title").inner_text().split()[1])
        expect(made_up_row.locator("a.title")).to_have_attribute("href", f"https://open.spotify.com/track/{number:022}")

        press(like)  # no longer liked, though Spotify says so
        expect(like).to_have_attribute("aria-pressed", "false")
        page.reload()
        pick(page, "happy")
        page.get_by_role("combobox", name="Songs from").select_option("liked")
        expect(like).to_have_attribute("aria-pressed", "false")

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Sign in to Spotify")).to_be_visible()
        expect(page.locator("#song-list")).to_be_hidden()
        expect(page.locator("#songs tbody tr", has_text="Made-up")).to_have_count(0)
        expect(page.locator("#songs tbody tr")).to_have_count(10)


def test_a_refusal_is_explained_and_reading_again_mends_it(browser, site, spotify):
    spotify.limited = True
    with visiting(browser, site) as page:
        sign_in(page)
        expect(page.locator("#spotify-status")).to_contain_text("Try again in 7 s")
        spotify.limited = False
        page.get_by_role("button", name="Read them again").click()
        expect(page.locator("#spotify-status")).to_contain_text("52 liked songs count as liked")


def test_the_mood_stays_while_the_visitor_signs_in(browser, site):
    with visiting(browser, site) as page:
        pick(page, "sad")
        sign_in(page)
        expect(page.get_by_role("radio", name="sad", exact=True)).to_be_checked()
        expect(page.locator("#songs tbody tr")).to_have_count(10)


def test_it_is_accessible(browser, site):
    with visiting(browser, site, bypass_csp=True, reduced_motion="reduce") as page:
        assert accessibility_violations(page) == []
        sign_in(page)
        expect(page.locator("#spotify-status")).to_contain_text("52 liked songs count as liked")
        pick(page, "sad")
        assert accessibility_violations(page) == []
        page.goto(f"{site.url}/spotify/callback?state=forged")
        expect(page.get_by_role("heading", name="Spotify did not sign you in")).to_be_visible()
        assert accessibility_violations(page) == []
