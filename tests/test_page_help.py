"""The help notice of the page, in a real browser."""

import re

import pytest
from playwright.sync_api import Page, expect

from moodmirror.recommendation import Recommender
from moodmirror.recommendation.comforting_items import is_comforting
from tests.page_helpers import AXE, KINDS, accessibility_violations, await_filled_tables, pick, press, row_ids, visiting

pytestmark = pytest.mark.browser

RECOMMENDER = Recommender.open()


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="How are you feeling, or what happened?").fill(text)


def all_comfort(page: Page) -> bool:
    return all(
        ids and all((found := RECOMMENDER.item(kind, item)) is not None and is_comforting(kind, found) for item in ids)
        for kind in KINDS
        for ids in [row_ids(page, kind)]
    )


def await_rows(page: Page, *, comfort: bool) -> None:
    """Wait until the tables show only what comforts, or other things too."""
    for _ in range(600):
        if all_comfort(page) is comfort:
            return
        page.wait_for_timeout(100)
    pytest.fail("the tables did not change")


def test_a_statement_brings_help_above_everything_and_comforting_tables_and_a_harmless_text_does_not(browser, hosted):
    with visiting(browser, hosted, locale="en-US") as page:
        notice = page.get_by_role("region", name="You don’t have to go through this alone")
        write(page, "kill me lol, this heat kills me")
        await_filled_tables(page)
        expect(notice).to_be_hidden()
        write(page, "I want to kill myself")
        expect(notice).to_be_visible()
        expect(page.get_by_role("textbox", name="How are you feeling, or what happened?")).to_be_focused()  # goes on typing
        expect(page.get_by_role("alert")).to_contain_text("You don’t have to go through this alone. Call 988")
        expect(notice.get_by_role("link", name="Call 988")).to_have_attribute("href", "tel:988")
        expect(notice.get_by_role("link", name="Text HOME to 741741")).to_have_attribute("href", "sms:741741")
        expect(notice.get_by_role("link", name="911")).to_have_attribute("href", "tel:911")
        expect(page.locator("#text-status")).to_contain_text("Help is shown at the top of this page")
        assert page.evaluate("document.elementFromPoint(innerWidth / 2, 40).closest('#help-notice') !== null")
        await_rows(page, comfort=True)
        write(page, "The sun is shining.")
        expect(page.locator("#text-status")).to_contain_text("Your words sound")
        pick(page, "angry")
        page.wait_for_timeout(1500)  # nothing announces that nothing changes
        expect(notice).to_be_visible()
        assert all_comfort(page)
        press(page.get_by_role("button", name="Close", exact=True))
        expect(notice).to_be_hidden()
        assert all_comfort(page)
        press(page.get_by_role("button", name="Show everything again"))
        await_rows(page, comfort=False)
        expect(page.get_by_role("button", name="Show everything again")).to_be_hidden()


def test_a_wish_brings_it_too(browser, hosted):
    with visiting(browser, hosted) as page:
        page.get_by_role("searchbox").fill("films because I want to die")
        expect(page.get_by_role("region", name="You don’t have to go through this alone")).to_be_visible()
        await_rows(page, comfort=True)


def test_a_text_file_brings_it_too(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#file-input").set_input_files(
            {"name": "note.txt", "mimeType": "text/plain", "buffer": b"I can't go on living."}
        )
        expect(page.get_by_role("region", name="You don’t have to go through this alone")).to_be_visible()
        await_rows(page, comfort=True)


def test_the_visitor_chooses_another_country(browser, hosted):
    with visiting(browser, hosted, locale="de-AT") as page:
        write(page, "Ich will nicht mehr leben")
        notice = page.get_by_role("region", name="You don’t have to go through this alone")
        expect(notice.get_by_role("link", name="Call 142")).to_be_visible()
        notice.get_by_label("Where are you?").select_option("New Zealand")
        expect(notice.get_by_role("link", name="Call 1737")).to_be_visible()
        expect(notice.get_by_role("link", name="Text 1737")).to_have_attribute("href", "sms:1737")
        expect(notice.get_by_role("link", name="Call 142")).to_be_hidden()
        expect(notice.get_by_role("link", name="111", exact=True)).to_have_attribute("href", "tel:111")
        notice.get_by_label("Where are you?").select_option("Another country")
        expect(notice.locator(".call:visible")).to_have_count(0)
        expect(notice.get_by_text("your emergency number")).to_be_visible()
        expect(notice.get_by_role("link", name="Find a Helpline")).to_have_attribute("href", re.compile("findahelpline"))


def test_the_keyboard_reaches_and_closes_it_and_it_can_be_shown_again(browser, hosted):
    with visiting(browser, hosted, locale="en-GB") as page:
        write(page, "I want to die")
        notice = page.get_by_role("region", name="You don’t have to go through this alone")
        expect(notice).to_be_visible()
        page.keyboard.press("Escape")  # in the text box, Escape does not hide it
        expect(notice).to_be_visible()
        notice.get_by_role("link", name="Call 116 123").focus()
        page.keyboard.press("Escape")
        expect(notice).to_be_hidden()
        expect(page.get_by_role("textbox", name="How are you feeling, or what happened?")).to_be_focused()
        press(page.get_by_role("button", name="Show the help lines"))
        expect(notice).to_be_visible()
        expect(page.get_by_role("heading", name="You don’t have to go through this alone")).to_be_focused()
        page.keyboard.press("Tab")
        expect(notice.get_by_role("link", name="999")).to_be_focused()


def test_it_survives_a_reload_in_the_tables_but_no_text_does(browser, hosted):
    with visiting(browser, hosted) as page:
        write(page, "I want to die")
        expect(page.get_by_role("region", name="You don’t have to go through this alone")).to_be_visible()
        page.goto(hosted.url)
        expect(page.get_by_role("button", name="Show everything again")).to_be_visible()
        pick(page, "angry")
        await_rows(page, comfort=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_notice_is_accessible_and_fits_the_window(browser, hosted, scheme, width):
    if not AXE.is_file():
        pytest.fail("node_modules/ is missing: run make setup")
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 844}, "bypass_csp": True, "locale": "en-US"}
    with visiting(browser, hosted, **options) as page:
        page.emulate_media(reduced_motion="reduce")
        write(page, "I want to die")
        expect(page.get_by_role("region", name="You don’t have to go through this alone")).to_be_visible()
        await_rows(page, comfort=True)
        box = page.locator("#help-notice").bounding_box()
        assert box
        assert box["height"] <= 844
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert accessibility_violations(page) == []
