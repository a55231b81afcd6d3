"""The page in a real browser: moods, history, connection, accessibility."""

import csv
import re

import cv2
import pytest
from playwright.sync_api import expect

from moodmirror.emotions import EMOTIONS
from tests.conftest import free_port, serving
from tests.page_helpers import (
    AXE,
    KINDS,
    accessibility_violations,
    await_filled_tables,
    await_label,
    open_camera,
    open_microphone,
    pick,
    press,
    record_moods,
    recorded_moods,
    row_ids,
    visiting,
)

pytestmark = pytest.mark.browser


def test_the_first_visit_explains_the_page_and_opens_no_camera(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.get_by_text("no picture is ever stored")).to_be_visible()
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_hidden()
        expect(page.get_by_text("Music to keep your mood company")).to_be_visible()
        pick(page, "sad")
        await_label(page, "sad")  # by then all scripts have run and the server has answered
        assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_chosen_mood_changes_all_tables_until_the_choice_is_cleared(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        await_filled_tables(page)
        before = {kind: row_ids(page, kind) for kind in KINDS}
        pick(page, "sad")
        await_label(page, "sad")
        page.wait_for_function(
            "before => Object.entries(before).every(([kind, ids]) => ![...document.getElementById(kind).tBodies[0].rows]"
            ".some(row => ids.includes(row.dataset.id)))",
            arg=before,
        )
        await_filled_tables(page)
        page.get_by_role("button", name="Clear my choice").click()
        await_label(page, "happy")
        expect(page.get_by_role("radio", name="sad")).not_to_be_checked()


def test_two_visitors_have_separate_moods(browser, hosted):
    with visiting(browser, hosted) as first, visiting(browser, hosted) as second:
        record_moods(first)
        record_moods(second)
        pick(first, "angry")
        await_label(first, "angry")
        pick(second, "fear")
        await_label(second, "fear")
        pick(first, "sad")  # messages arrive in their order: before this mood, any mood of the second visitor would
        await_label(first, "sad")
        assert recorded_moods(first) == ["angry", "sad"]
        assert recorded_moods(second) == ["fear"]


def test_the_privacy_page_is_one_click_away(browser, hosted):
    with visiting(browser, hosted) as page:
        page.get_by_role("link", name="Privacy").click()
        expect(page.get_by_role("heading", name="What happens to what you show, say and write")).to_be_visible()
        page.get_by_role("link", name="Back to the mirror").click()
        expect(page.locator("#mood-label")).to_have_text("not read yet")


def test_the_sources_of_a_mood_are_shown_with_their_shares(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        page.locator("#text-input").fill("I am so sad and lonely tonight.")
        expect(page.locator("#sources li")).to_have_count(2)
        assert re.fullmatch(r"(face \d+\s%\s+text \d+\s%|text \d+\s%\s+face \d+\s%)", page.locator("#sources").inner_text())
        pick(page, "fear")
        expect(page.locator("#sources")).to_have_text("your choice")


def test_the_mood_history_is_drawn_downloaded_and_deleted(browser, hosted):
    with visiting(browser, hosted, accept_downloads=True) as page:
        card = page.locator("#mood-history")
        expect(card.get_by_text("A chart of your mood will grow here")).to_be_visible()
        expect(card.get_by_role("button")).to_have_count(0)
        pick(page, "sad")
        page.locator("#text-input").fill("I am so happy today!")
        summary = page.locator("#history-summary")
        expect(summary).to_have_text(re.compile(r"^In [1-9]\d* s: mostly sad \(8\d\s%\), then \w+ \(2\s%\)\.$"))
        expect(page.locator("#contributions")).to_have_text(re.compile("^your choicesad 88\\s%counts 100\\s%$"))
        page.get_by_role("button", name="Clear my choice").click()
        expect(summary).to_have_text(re.compile(r"then happy .* Text read once\.$"))
        expect(card.get_by_role("img", name="The shares of the seven emotions")).to_be_visible()
        painted = page.locator("#history-chart canvas").evaluate(
            """canvas => {
                const { width, height } = canvas;
                const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
                return new Set(pixels).size;
            }"""
        )
        assert painted > 3
        with page.expect_download() as table:
            press(card.get_by_role("button", name="Download CSV"))
        assert re.fullmatch(r"mood-mirror-\d{4}-\d\d-\d\dT\d{4}\.csv", table.value.suggested_filename)
        with table.value.path().open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {"sad", "happy"} == {row["label"] for row in rows}
        for row in rows:
            assert sum(float(row[emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=0.01)
            assert row["chosen_says"] == ("sad" if row["label"] == "sad" else "")
        times = [row["time"] for row in rows]
        assert times == sorted(times)
        with page.expect_download() as picture:
            press(card.get_by_role("button", name="Download image"))
        image = cv2.imread(str(picture.value.path()))
        assert image is not None
        assert min(image.shape[:2]) > 200
        press(card.get_by_role("button", name="Delete"))
        expect(page.locator("#history-announcement")).to_have_text("Deleted, here and on the server.")
        expect(page.locator("#history-heading")).to_be_focused()
        expect(summary).to_have_text(re.compile(r"mostly happy"))  # it starts again with the current mood


def test_a_smile_and_sad_text_are_shown_as_a_mixed_mood(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        page.locator("#text-input").fill("I am so sad and lonely tonight, I keep crying.")
        await_label(page, "mixed: happy and sad", "mixed: sad and happy")
        expect(page.locator("#bars .leading")).to_have_count(2)
        expect(page.locator("#mood-announcement")).to_contain_text("Mixed feelings.")
        expect(page.locator("#contributions li")).to_have_count(2)


def test_a_lost_connection_is_reported_and_restored_with_the_chosen_mood(browser, tmp_path):
    port = free_port()
    with serving(tmp_path / "first.log", port, CAMERA="off") as server, visiting(browser, server) as page:
        pick(page, "surprise")
        await_label(page, "surprise")
        server.stop()
        expect(page.locator("#status")).to_contain_text("Reconnecting")
        page.eval_on_selector("#mood-label", "label => { label.textContent = 'old'; }")
        with serving(tmp_path / "second.log", port, CAMERA="off"):
            await_label(page, "surprise")
            expect(page.locator("#status")).not_to_contain_text("Reconnecting")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_is_accessible(browser, hosted, scheme, width):
    if not AXE.is_file():
        pytest.fail("node_modules/ is missing: run make setup")
    # Axe is added to the page as a script, which its Content Security Policy would block.
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with visiting(browser, hosted, **options) as page:
        page.emulate_media(reduced_motion="reduce")  # contrast must not be measured during a fade
        expect(page.locator("#start-browser")).to_be_visible()
        assert accessibility_violations(page) == []
        open_camera(page)
        expect(page.locator("#live")).to_be_visible()  # from now on, nothing on the page moves
        open_microphone(page)
        page.locator("#text-input").fill("I am so sad and lonely tonight. " * 25)
        expect(page.locator("#text-highlights mark").first).to_be_visible()
        expect(page.locator("#sources")).to_be_visible()
        pick(page, "sad")
        await_filled_tables(page)
        assert accessibility_violations(page) == []
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, "the page scrolls sideways"


def test_the_page_can_be_used_by_keyboard_alone(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.locator("#start-browser")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the recommendations")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="What it reads, and who may not use it")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator("#start-browser")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="May the mirror read your face?")).to_be_focused()
        for name in ("Privacy in plain words", "Continue without a camera", "Open my camera"):
            page.keyboard.press("Tab")
            expect(page.locator("#consent-camera :focus")).to_have_text(name)
        page.keyboard.press("Enter")
        expect(page.locator("#stop")).to_be_focused()
        await_label(page, *EMOTIONS)
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        await_label(page, "angry")
        page.keyboard.press("ArrowDown")
        await_label(page, "disgust")
        page.keyboard.press("Shift+Tab")
        expect(page.locator("#clear-choice")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#clear-choice")).to_be_hidden()


def test_reduced_motion_is_respected(browser, hosted):
    with visiting(browser, hosted, reduced_motion="reduce") as page:
        moving = page.eval_on_selector_all(
            "*",
            "all => all.filter(one => getComputedStyle(one).animationName !== 'none'"
            " || getComputedStyle(one).transitionDuration !== '0s').length",
        )
        assert moving == 0


def test_titles_link_to_searches_on_other_sites(browser, hosted):
    with visiting(browser, hosted) as page:
        pick(page, "sad")
        await_filled_tables(page)
        for kind, address in {
            "songs": "open.spotify.com",
            "movies": "imdb.com",
            "food": "allrecipes.com",
            "activities": "duckduckgo.com/?q=how+to",
        }.items():
            link = page.locator(f"#{kind} .title").first
            assert address in str(link.get_attribute("href"))
            assert link.get_attribute("rel") == "noreferrer"
            assert str(link.get_attribute("aria-label")).startswith(link.inner_text())
