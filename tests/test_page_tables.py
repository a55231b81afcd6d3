"""What one can do with the tables, in a real browser."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import serving
from tests.test_page import accessibility_faults, await_filled_tables, ids, pick, press, visiting

GONE = "([kind, id]) => ![...document.getElementById(kind).tBodies[0].rows].some((row) => row.dataset.id === id)"
CHANGED = "([kind, first]) => document.getElementById(kind).tBodies[0].rows[0]?.dataset.id !== first"
OTHERS = (
    "([kind, ids]) => [...document.getElementById(kind).tBodies[0].rows].some((row, place) => row.dataset.id !== ids[place])"
)


def choose(page: Page, mood: str) -> None:
    pick(page, mood)
    await_filled_tables(page)
    expect(page.locator("#history-content")).to_be_visible()  # the last to open; what is below it moves down


def leave_the_tables(page: Page) -> None:
    page.locator("h1").hover()


def row(page: Page, kind: str, item: str):
    return page.locator(f'#{kind} tr[data-id="{item}"]')


def test_a_like_is_kept_told_in_the_reasons_and_moves_what_is_like_it(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "sad")
        before = ids(page, "songs")
        liked = row(page, "songs", before[6])
        button = liked.get_by_role("button", name=re.compile("^Like: "))
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(liked.locator(".why")).to_contain_text("you liked it")
        assert ids(page, "songs")[:7] == before[:7], "rows moved under the pointer"
        leave_the_tables(page)
        page.wait_for_function(CHANGED, arg=["songs", before[0]])
        page.reload()
        choose(page, "sad")
        expect(row(page, "songs", before[6]).get_by_role("button", name=re.compile("^Like: "))).to_have_attribute(
            "aria-pressed", "true"
        )


def test_hiding_takes_the_row_fills_the_place_and_can_be_undone(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "happy")
        before = ids(page, "food")
        row(page, "food", before[2]).get_by_role("button", name=re.compile("^Never show again")).click()
        page.wait_for_function(GONE, arg=["food", before[2]])
        expect(page.locator("#food tbody tr")).to_have_count(10)
        assert ids(page, "food")[:2] == before[:2]
        expect(page.locator("#food-undo")).to_contain_text("Hidden: ")
        page.reload()
        choose(page, "happy")
        assert before[2] not in ids(page, "food")
        row(page, "food", before[0]).get_by_role("button", name=re.compile("^Not now")).click()
        page.wait_for_function(GONE, arg=["food", before[0]])
        press(page.get_by_role("button", name="Undo"))
        expect(row(page, "food", before[0])).to_be_visible()


def test_the_keyboard_stays_in_the_list_when_a_row_is_skipped(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "fear")
        before = ids(page, "activities")
        row(page, "activities", before[0]).get_by_role("button", name=re.compile("^Not now")).focus()
        page.keyboard.press("Enter")
        page.wait_for_function(GONE, arg=["activities", before[0]])
        expect(row(page, "activities", before[1]).get_by_role("button", name=re.compile("^Not now"))).to_be_focused()


def test_why_opens_what_else_there_is_to_say(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "sad")
        first = page.locator("#movies tbody tr").first
        why = first.get_by_role("button", name=re.compile("^Why this"))
        expect(first.locator(".details")).to_be_hidden()
        why.click()
        expect(first.locator(".details")).to_contain_text("Its own mood: mostly sadness")
        expect(why).to_have_attribute("aria-expanded", "true")


def test_what_is_saved_survives_a_reload_and_can_be_removed(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        expect(page.get_by_text("What you save from the lists appears here.")).to_be_visible()
        choose(page, "angry")
        for kind in ("songs", "activities"):
            page.locator(f"#{kind} tbody tr").first.get_by_role("button", name=re.compile("^Save: ")).click()
        expect(page.locator("#saved-list li")).to_have_count(2)
        page.reload()
        expect(page.locator("#saved-list li")).to_have_count(2)
        press(page.locator("#saved-list li").first.get_by_role("button", name=re.compile("^Remove: ")))
        expect(page.locator("#saved-list li")).to_have_count(1)
        page.reload()
        expect(page.locator("#saved-list li")).to_have_count(1)


def test_modes_a_wish_and_filters_change_the_lists(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "sad")
        pick(page, "Lift my mood")
        expect(page.locator("#songs .why").first).to_contain_text("than you feel")
        pick(page, "A journey")
        expect(page.locator("#songs .why").first).to_contain_text("step 1 of 10, from sadness to joy")
        page.locator("#journey-target").select_option("neutral")
        expect(page.locator("#songs .why").last).to_contain_text("step 10 of 10, from sadness to calm")
        pick(page, "Surprise me")
        expect(page.locator("#songs .why").first).to_contain_text("not the obvious choice")
        before = ids(page, "songs")
        page.get_by_role("button", name="Another surprise").click()
        page.wait_for_function(OTHERS, arg=["songs", before])
        pick(page, "Match my mood")
        page.get_by_label("Looking for something?").fill("a bowl of soup")
        expect(page.locator("#food .why", has_text="close to your wish").first).to_be_visible()
        page.get_by_label("Looking for something?").fill("")
        expect(page.locator("#food .why", has_text="close to your wish")).to_have_count(0)
        press(page.get_by_role("button", name="Filter food"))
        form = page.get_by_role("form", name="Filters for food")
        form.locator("select[name=diet]").select_option("vegan")
        form.get_by_label("gluten").check()
        expect(page.locator("#food .about", has_text="vegan")).to_have_count(10)
        expect(page.get_by_role("button", name="Filter food, 2 set")).to_be_visible()
        form.locator("select[name=minutes]").select_option("15")
        press(form.get_by_role("button", name="Clear filters"))
        expect(page.get_by_role("button", name="Filter food", exact=True)).to_be_visible()
        before = ids(page, "songs")
        page.get_by_role("button", name="Other songs").click()
        page.wait_for_function(OTHERS, arg=["songs", before])


def test_a_finger_holds_the_rows_that_it_touches_and_choices_count_at_once(browser, hosted):
    with visiting(
        browser, hosted, camera=False, viewport={"width": 390, "height": 900}, has_touch=True, is_mobile=True
    ) as page:
        choose(page, "sad")
        page.evaluate("performance.now = () => 0")  # no pause ever ends by itself
        before = ids(page, "songs")
        liked = row(page, "songs", before[6])
        liked.get_by_role("button", name=re.compile("^Like: ")).tap()
        expect(liked.locator(".why")).to_contain_text("you liked it")
        assert ids(page, "songs") == before, "rows moved under the finger"
        page.get_by_role("radio", name="Lift my mood").tap()
        page.wait_for_function(CHANGED, arg=["songs", before[0]])
        page.get_by_role("button", name="Filter songs").tap()
        language = page.get_by_role("form", name="Filters for songs").locator("select[name=language]")
        language.tap()
        language.select_option("se")
        expect(page.locator("#songs .about", has_text="Mari Boine")).to_have_count(2)
        expect(page.locator("#songs tbody tr")).to_have_count(2)


def test_filters_that_leave_nothing_say_so(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "happy")
        page.get_by_role("button", name="Filter movies").click()
        form = page.get_by_role("form", name="Filters for movies")
        expect(form.locator("select[name=language]").locator("option", has_text="Japanese")).to_have_count(1)
        form.locator("select[name=genre]").select_option("horror")
        form.locator("select[name=audience]").select_option("family")
        form.locator("select[name=minutes]").select_option("15")
        expect(page.get_by_text("Nothing matches these filters.")).to_be_visible()
        press(form.get_by_role("button", name="Clear filters"))
        expect(page.locator("#movies tbody tr")).to_have_count(10)


def test_my_data_can_be_downloaded_and_everything_forgotten(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose(page, "sad")
        first = page.locator("#songs tbody tr").first
        first.get_by_role("button", name=re.compile("^Save: ")).click()
        first.get_by_role("button", name=re.compile("^Like: ")).click()
        expect(page.locator("#saved-list li")).to_have_count(1)
        expect(first.locator(".why")).to_contain_text("you liked it")
        with page.expect_download() as download:
            press(page.get_by_role("link", name="Download my data"))
        data = json.loads(download.value.path().read_text(encoding="utf-8"))
        assert [opinion["verdict"] for opinion in data["opinions"]] == ["like"]
        assert "like, skip, hide, open and save" in page.locator("#storage-notice").inner_text()
        assert len(data["saved"]) == 1
        press(page.get_by_role("button", name="Delete my data"))
        page.get_by_role("button", name="Keep my data").click()
        expect(page.locator("#saved-list li")).to_have_count(1)
        press(page.get_by_role("button", name="Delete my data"))
        page.get_by_role("dialog").get_by_role("button", name="Delete my data").click()
        expect(page.get_by_text("Your data is deleted.")).to_be_visible()
        expect(page.locator("#saved-list li")).to_have_count(0)
        expect(page.locator("#songs .why", has_text="you liked")).to_have_count(0)
        page.reload()
        choose(page, "sad")
        expect(page.locator("#songs .why", has_text="you liked")).to_have_count(0)


def test_a_database_that_is_away_is_told_and_the_tables_go_on(browser, tmp_path):
    address = "sqlite:////dev/null/none.sqlite3"
    with (
        serving(tmp_path / "log", CAMERA="off", DATABASE_URL=address) as server,
        visiting(browser, server, camera=False) as page,
    ):
        expect(page.get_by_text("Nothing can be stored at the moment")).to_be_visible()
        choose(page, "sad")
        first = ids(page, "songs")[0]
        row(page, "songs", first).get_by_role("button", name=re.compile("^Never show again")).click()
        page.wait_for_function(GONE, arg=["songs", first])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_tables_tools_are_accessible_on_a_phone(browser, hosted, scheme):
    options = {"color_scheme": scheme, "viewport": {"width": 390, "height": 900}, "bypass_csp": True, "has_touch": True}
    with visiting(browser, hosted, camera=False, **options) as page:
        page.emulate_media(reduced_motion="reduce")
        choose(page, "sad")
        first = page.locator("#songs tbody tr").first
        for action in ("Like", "Save", "Why this"):
            first.get_by_role("button", name=re.compile(f"^{action}: ")).click()
        for kind in ("songs", "movies", "food", "activities"):
            press(page.get_by_role("button", name=f"Filter {kind}"))
        expect(page.locator("#saved-list li")).to_have_count(1)
        # As high as the page is long, so that the bar at the window's edge covers nothing of it.
        page.set_viewport_size({"width": 390, "height": page.evaluate("document.documentElement.scrollHeight")})
        assert accessibility_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        sizes = page.eval_on_selector_all(".icon-button", "all => all.map(tool => tool.getBoundingClientRect().width)")
        assert min(size for size in sizes if size) >= 24


def test_a_wish_fills_the_tables_before_any_mood_and_hidden_rows_can_be_brought_back(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        page.get_by_label("Looking for something?").fill("a bowl of soup")
        await_filled_tables(page)
        first = ids(page, "food")[0]
        expect(row(page, "food", first).locator(".why")).to_contain_text("close to your wish")
        title = row(page, "food", first).locator(".title").inner_text()
        row(page, "food", first).get_by_role("button", name=re.compile("^Never show again")).click()
        page.wait_for_function(GONE, arg=["food", first])
        press(page.get_by_text("Never shown again (1)"))
        press(page.get_by_role("button", name=f"Show again: {title}"))
        expect(page.locator("#hidden-items")).to_be_hidden()
        expect(row(page, "food", first)).to_be_visible()
        page.get_by_label("Looking for something?").fill("")
        expect(page.locator("#food")).to_be_hidden()
        expect(page.locator(".tables .empty-state").first).to_contain_text("choose a mood")
