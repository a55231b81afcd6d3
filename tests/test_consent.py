"""Consent in a real browser: the dialogs, the recording indicator, and stopping everything."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import MODELS_DIR
from tests.page_helpers import (
    accessibility_violations,
    await_filled_tables,
    await_label,
    open_camera,
    open_microphone,
    open_server_camera,
    pick,
    visiting,
)

pytestmark = pytest.mark.browser

# Records which media the page requests; the test browser grants them all.
RECORD_OPENED = """
    window.opened = [];
    const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => {
        window.opened.push(...Object.keys(wanted));
        return getUserMedia(wanted);
    };
    null;
"""


def opened_media(page: Page) -> list[str]:
    """Return the media that were opened since RECORD_OPENED: video or audio."""
    return page.evaluate("window.opened")


def test_camera_and_microphone_need_separate_consent(browser, hosted):
    with visiting(browser, hosted) as page:
        page.evaluate(RECORD_OPENED)
        page.get_by_role("button", name="Use this browser's camera").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Listen").click()
        page.get_by_role("button", name="Continue without a microphone").click()
        expect(page.locator("#audio-status")).to_have_text(
            "The microphone stays off. Write instead, or choose a mood yourself."
        )
        assert opened_media(page) == []
        open_camera(page)
        await_label(page, *EMOTIONS)
        assert opened_media(page) == ["video"]
        page.get_by_role("button", name="Listen").click()  # consent to the camera is none to the microphone
        expect(page.get_by_role("dialog", name="May the mirror hear your voice?")).to_be_visible()
        assert opened_media(page) == ["video"]


@pytest.mark.parametrize(
    ("button", "card", "keys"),
    [
        ("Use this browser's camera", "face_emotion", ("splits", "development, without exact copies of training faces")),
        ("Listen", "speech_emotion", ("seven_emotions",)),
    ],
)
def test_the_consent_dialog_states_purpose_accuracy_storage_and_prohibited_uses(browser, hosted, button, card, keys):
    figures = json.loads((MODELS_DIR / f"{card}.json").read_text(encoding="utf-8"))
    for key in keys:
        figures = figures[key]
    with visiting(browser, hosted) as page:
        page.get_by_role("button", name=button).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("An AI system reads emotions here.")
        for emotion in EMOTIONS:
            expect(dialog).to_contain_text(emotion)
        expect(dialog).to_contain_text(f"right {round(100 * figures['accuracy'])} times in 100")
        expect(dialog).to_contain_text("Nothing.")
        expect(dialog).to_contain_text("Not at work and not at school, where the law forbids it (EU AI Act, Article 5)")
        expect(dialog.get_by_role("heading")).to_be_focused()  # screen readers start there
        looks = (
            "button => JSON.stringify([...['color', 'backgroundColor', 'fontWeight']].map(p => getComputedStyle(button)[p]))"
        )
        no, yes = (dialog.get_by_role("button").nth(index).evaluate(looks) for index in (0, 1))
        assert no == yes  # neither answer is made more attractive


def test_open_inputs_are_always_visible_and_one_button_stops_all_and_withdraws_consent(browser, hosted):
    with visiting(browser, hosted) as page:
        bar = page.get_by_role("region", name="Open cameras and microphones")
        expect(bar).to_be_hidden()
        open_camera(page)
        expect(page.locator("#live")).to_be_visible()  # from now on, nothing on the page moves
        open_microphone(page)
        await_label(page, *EMOTIONS)
        page.locator("footer").scroll_into_view_if_needed()
        expect(bar.get_by_role("listitem")).to_have_text(["Camera", "Microphone"])
        expect(bar).to_be_in_viewport()
        assert page.title().startswith("●")
        bar.get_by_role("button", name="Stop everything").click()
        expect(bar).to_be_hidden()
        expect(page.locator("#status")).to_contain_text("Everything is stopped")
        await_label(page, "not read yet")
        assert page.evaluate("document.getElementById('video').srcObject") is None
        expect(page.get_by_role("button", name="Listen")).to_be_visible()
        assert not page.title().startswith("●")
        expect(page.locator("#start-browser")).to_be_focused()
        page.locator("#start-browser").click()
        expect(page.get_by_role("dialog")).to_be_visible()


def test_consent_holds_for_one_tab_only(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, *EMOTIONS)
        page.reload()
        pick(page, "fear")
        await_label(page, "fear")  # by then all scripts have run and the server has answered
        expect(page.locator("#recording-indicator")).to_be_hidden()  # nothing opens by itself
        assert page.evaluate("document.getElementById('video').srcObject") is None
        page.get_by_role("button", name="Use this browser's camera").click()
        expect(page.locator("#stage[data-faces='1']")).to_be_visible()
        assert page.evaluate("Object.keys(localStorage)") == []
        other = page.context.new_page()
        other.goto(hosted.url)
        other.get_by_role("button", name="Use this browser's camera").click()
        expect(other.get_by_role("dialog")).to_be_visible()


def test_without_a_camera_the_mirror_draws_the_mood_also_after_a_reload(browser, hosted):
    with visiting(browser, hosted) as page:
        page.evaluate(RECORD_OPENED)
        page.get_by_role("button", name="Use this browser's camera").click()
        page.get_by_role("button", name="Continue without a camera").click()
        expect(page.locator("#text-input")).to_be_focused()
        page.keyboard.type("I am so happy today!")
        expect(page.locator("#avatar[data-emotion='happy'] use")).to_have_attribute("href", re.compile("#happy$"))
        expect(page.locator("#avatar")).to_be_visible()
        await_filled_tables(page)
        assert opened_media(page) == []
        page.reload()
        expect(page.locator("#avatar")).to_be_visible()
        page.get_by_role("button", name="Use a camera").click()
        expect(page.locator("#start-browser")).to_be_focused()


def test_the_server_camera_starts_only_with_consent(browser, filming):
    with visiting(browser, filming) as page:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        page.get_by_role("button", name="Start the mirror").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("only if everybody in that room knows about it and agrees")
        dialog.get_by_role("button", name="Leave it off").click()
        pick(page, "sad")
        await_label(page, "sad")  # by then a request for the stream would have been made
        page.get_by_role("button", name="Clear my choice").click()
        assert not any("stream" in url for url in requested)
        open_server_camera(page)
        await_label(page, "happy")
        expect(page.get_by_role("region", name="Open cameras and microphones").get_by_role("listitem")).to_have_text(
            ["Server's camera"]
        )
        page.get_by_role("button", name="Stop everything").click()
        await_label(page, "not read yet")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_consent_dialog_is_accessible(browser, hosted, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}, "bypass_csp": True}
    with visiting(browser, hosted, **options) as page:
        page.emulate_media(reduced_motion="reduce")
        page.get_by_role("button", name="Use this browser's camera").click()
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Open my camera").click()
        expect(page.get_by_role("button", name="Stop everything")).to_be_in_viewport()
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, "the page scrolls sideways"
