"""Nobody is read who has not said so: what the page asks, tells and closes, in a real browser."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import MODELS_DIR
from tests.test_page import (
    accessibility_faults,
    await_filled_tables,
    await_label,
    listen,
    open_camera,
    open_room,
    visiting,
)

# Counts what the page asks the browser for; the browser itself would say yes.
COUNT_OPENED = """
    window.opened = [];
    const getUserMedia = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => {
        window.opened.push(...Object.keys(wanted));
        return getUserMedia(wanted);
    };
    null;
"""


def opened(page: Page) -> list[str]:
    """What was opened since COUNT_OPENED: video or audio."""
    return page.evaluate("window.opened")


def test_each_sense_is_asked_for_by_itself_and_opened_only_by_a_yes(browser, hosted):
    with visiting(browser, hosted) as page:
        page.evaluate(COUNT_OPENED)
        page.get_by_role("button", name="Use this browser's camera").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Listen").click()
        page.get_by_role("button", name="Continue without a microphone").click()
        expect(page.locator("#audio-status")).to_have_text(
            "The microphone stays off. Write instead, or choose a mood yourself."
        )
        assert opened(page) == []
        open_camera(page)
        await_label(page, *EMOTIONS)
        assert opened(page) == ["video"]
        page.get_by_role("button", name="Listen").click()  # a yes to the camera is none to the microphone
        expect(page.get_by_role("dialog", name="May the mirror hear your voice?")).to_be_visible()
        assert opened(page) == ["video"]


@pytest.mark.parametrize(
    ("button", "card", "keys"),
    [
        ("Use this browser's camera", "face_emotion", ("splits", "development, without exact copies of training faces")),
        ("Listen", "speech_emotion", ("seven_emotions",)),
    ],
)
def test_the_question_says_what_is_inferred_how_surely_what_is_kept_and_who_may_not(browser, hosted, button, card, keys):
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
        expect(dialog.get_by_role("heading")).to_be_focused()  # so that it is read from its beginning
        looks = (
            "button => JSON.stringify([...['color', 'backgroundColor', 'fontWeight']].map(p => getComputedStyle(button)[p]))"
        )
        no, yes = (dialog.get_by_role("button").nth(index).evaluate(looks) for index in (0, 1))
        assert no == yes  # neither answer is the nicer one


def test_what_is_open_is_told_everywhere_and_one_button_closes_all_and_asks_anew(browser, hosted):
    with visiting(browser, hosted) as page:
        bar = page.get_by_role("region", name="Open cameras and microphones")
        expect(bar).to_be_hidden()
        open_camera(page)
        expect(page.locator("#live")).to_be_visible()  # nothing on the page moves any more
        listen(page)
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


def test_the_answer_holds_for_this_tab_alone(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, *EMOTIONS)
        page.reload()
        expect(page.locator("#recording-indicator")).to_be_hidden()  # nothing opens by itself
        page.get_by_role("button", name="Use this browser's camera").click()
        await_label(page, *EMOTIONS)
        assert page.evaluate("Object.keys(localStorage)") == []
        other = page.context.new_page()
        other.goto(hosted.url)
        other.get_by_role("button", name="Use this browser's camera").click()
        expect(other.get_by_role("dialog")).to_be_visible()


def test_without_a_camera_the_mirror_draws_the_mood_also_after_a_reload(browser, hosted):
    with visiting(browser, hosted) as page:
        page.evaluate(COUNT_OPENED)
        page.get_by_role("button", name="Use this browser's camera").click()
        page.get_by_role("button", name="Continue without a camera").click()
        expect(page.locator("#text-input")).to_be_focused()
        page.keyboard.type("I am so happy today!")
        expect(page.locator("#avatar[data-emotion='happy'] use")).to_have_attribute("href", re.compile("#happy$"))
        expect(page.locator("#avatar")).to_be_visible()
        await_filled_tables(page)
        assert opened(page) == []
        page.reload()
        expect(page.locator("#avatar")).to_be_visible()
        page.get_by_role("button", name="Use a camera").click()
        expect(page.locator("#start-browser")).to_be_focused()


def test_the_rooms_camera_is_started_only_by_who_was_told_whom_it_films(browser, filming):
    with visiting(browser, filming) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.get_by_role("button", name="Start the mirror").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("only if everybody in that room knows about it and agrees")
        dialog.get_by_role("button", name="Leave it off").click()
        assert not any("stream" in url for url in asked)
        open_room(page)
        await_label(page, "happy")
        expect(page.get_by_role("region", name="Open cameras and microphones").get_by_role("listitem")).to_have_text(
            ["Server's camera"]
        )
        page.get_by_role("button", name="Stop everything").click()
        await_label(page, "not read yet")


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_the_question_is_accessible(browser, hosted, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}, "bypass_csp": True}
    with visiting(browser, hosted, **options) as page:
        page.emulate_media(reduced_motion="reduce")
        page.get_by_role("button", name="Use this browser's camera").click()
        assert accessibility_faults(page) == []
        page.get_by_role("button", name="Open my camera").click()
        expect(page.get_by_role("button", name="Stop everything")).to_be_in_viewport()
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, "the page scrolls sideways"
