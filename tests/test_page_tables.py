"""The recommendation tables, their buttons and preferences, and stored data, in a real browser."""

import json
import os
import re
import subprocess
import sys

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT, serving
from tests.page_helpers import accessibility_violations, await_filled_tables, pick, press, row_ids, visiting

pytestmark = pytest.mark.browser

GONE = "([kind, id]) => ![...document.getElementById(kind).tBodies[0].rows].some((row) => row.dataset.id === id)"
CHANGED = "([kind, first]) => document.getElementById(kind).tBodies[0].rows[0]?.dataset.id !== first"
OTHERS = (
    "([kind, ids]) => [...document.getElementById(kind).tBodies[0].rows].some((row, place) => row.dataset.id !== ids[place])"
)


def choose_mood(page: Page, mood: str) -> None:
    pick(page, mood)
    await_filled_tables(page)
    expect(page.locator("#history-content")).to_be_visible()  # shown last; it moves what is below it


def move_pointer_off_the_tables(page: Page) -> None:
    page.locator("h1").hover()


def row(page: Page, kind: str, item: str):
    return page.locator(f'#{kind} tr[data-id="{item}"]')


def test_a_like_is_stored_shown_as_the_reason_and_reorders_the_table(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "sad")
        before = row_ids(page, "songs")
        liked = row(page, "songs", before[6])
        button = liked.get_by_role("button", name=re.compile("^Like: "))
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")
        expect(liked.locator(".why")).to_contain_text("you liked it")
        assert row_ids(page, "songs")[:7] == before[:7], "rows moved under the pointer"
        move_pointer_off_the_tables(page)
        page.wait_for_function(CHANGED, arg=["songs", before[0]])
        page.reload()
        choose_mood(page, "sad")
        expect(row(page, "songs", before[6]).get_by_role("button", name=re.compile("^Like: "))).to_have_attribute(
            "aria-pressed", "true"
        )


def test_hiding_removes_the_row_adds_another_and_can_be_undone(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "happy")
        before = row_ids(page, "food")
        row(page, "food", before[2]).get_by_role("button", name=re.compile("^Never show again")).click()
        page.wait_for_function(GONE, arg=["food", before[2]])
        expect(page.locator("#food tbody tr")).to_have_count(10)
        assert row_ids(page, "food")[:2] == before[:2]
        expect(page.locator("#food-undo")).to_contain_text("Hidden: ")
        page.reload()
        choose_mood(page, "happy")
        assert before[2] not in row_ids(page, "food")
        row(page, "food", before[0]).get_by_role("button", name=re.compile("^Not now")).click()
        page.wait_for_function(GONE, arg=["food", before[0]])
        press(page.get_by_role("button", name="Undo"))
        expect(row(page, "food", before[0])).to_be_visible()


def test_keyboard_focus_stays_in_the_table_when_a_row_is_skipped(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "fear")
        before = row_ids(page, "activities")
        row(page, "activities", before[0]).get_by_role("button", name=re.compile("^Not now")).focus()
        page.keyboard.press("Enter")
        page.wait_for_function(GONE, arg=["activities", before[0]])
        expect(row(page, "activities", before[1]).get_by_role("button", name=re.compile("^Not now"))).to_be_focused()


def test_why_this_shows_further_reasons(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "sad")
        first = page.locator("#movies tbody tr").first
        why = first.get_by_role("button", name=re.compile("^Why this"))
        expect(first.locator(".details")).to_be_hidden()
        why.click()
        expect(first.locator(".details")).to_contain_text("Its own mood: mostly sadness")
        expect(why).to_have_attribute("aria-expanded", "true")


def test_saved_items_survive_a_reload_and_can_be_removed(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        expect(page.get_by_text("What you save from the lists appears here.")).to_be_visible()
        choose_mood(page, "angry")
        for kind in ("songs", "activities"):
            page.locator(f"#{kind} tbody tr").first.get_by_role("button", name=re.compile("^Save: ")).click()
        expect(page.locator("#saved-list li")).to_have_count(2)
        page.reload()
        expect(page.locator("#saved-list li")).to_have_count(2)
        press(page.locator("#saved-list li").first.get_by_role("button", name=re.compile("^Remove: ")))
        expect(page.locator("#saved-list li")).to_have_count(1)
        page.reload()
        expect(page.locator("#saved-list li")).to_have_count(1)


def test_modes_a_text_query_and_filters_change_the_tables(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "sad")
        pick(page, "Lift my mood")
        expect(page.locator("#songs .why").first).to_contain_text("than you feel")
        pick(page, "A journey")
        expect(page.locator("#songs .why").first).to_contain_text("step 1 of 10, from sadness to joy")
        page.locator("#journey-target").select_option("neutral")
        expect(page.locator("#songs .why").last).to_contain_text("step 10 of 10, from sadness to calm")
        pick(page, "Surprise me")
        expect(page.locator("#songs .why").first).to_contain_text("not the obvious choice")
        before = row_ids(page, "songs")
        page.get_by_role("button", name="Another surprise").click()
        page.wait_for_function(OTHERS, arg=["songs", before])
        pick(page, "Match my mood")
        page.get_by_label("Looking for something?").fill("a bowl of soup")
        expect(page.locator("#food .why", has_text="close to your search").first).to_be_visible()
        page.get_by_label("Looking for something?").fill("")
        expect(page.locator("#food .why", has_text="close to your search")).to_have_count(0)
        press(page.get_by_role("button", name="Filter food"))
        form = page.get_by_role("form", name="Filters for food")
        form.locator("select[name=diet]").select_option("vegan")
        form.get_by_label("gluten").check()
        expect(page.locator("#food .about", has_text="vegan")).to_have_count(10)
        expect(page.get_by_role("button", name="Filter food, 2 set")).to_be_visible()
        form.locator("select[name=minutes]").select_option("15")
        press(form.get_by_role("button", name="Clear filters"))
        expect(page.get_by_role("button", name="Filter food", exact=True)).to_be_visible()
        before = row_ids(page, "songs")
        page.get_by_role("button", name="Other songs").click()
        page.wait_for_function(OTHERS, arg=["songs", before])


def test_touched_rows_do_not_move_and_controls_take_effect_at_once(browser, hosted):
    with visiting(
        browser, hosted, camera=False, viewport={"width": 390, "height": 900}, has_touch=True, is_mobile=True
    ) as page:
        choose_mood(page, "sad")
        page.evaluate("performance.now = () => 0")  # touched rows are held for good
        before = row_ids(page, "songs")
        liked = row(page, "songs", before[6])
        liked.get_by_role("button", name=re.compile("^Like: ")).tap()
        expect(liked.locator(".why")).to_contain_text("you liked it")
        assert row_ids(page, "songs") == before, "touched rows moved"
        page.get_by_role("radio", name="Lift my mood").tap()
        page.wait_for_function(CHANGED, arg=["songs", before[0]])
        page.get_by_role("button", name="Filter songs").tap()
        language = page.get_by_role("form", name="Filters for songs").locator("select[name=language]")
        language.tap()
        language.select_option("se")
        expect(page.locator("#songs .about", has_text="Mari Boine")).to_have_count(2)
        expect(page.locator("#songs tbody tr")).to_have_count(2)


def test_filters_that_match_nothing_show_a_message(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "happy")
        page.get_by_role("button", name="Filter movies").click()
        form = page.get_by_role("form", name="Filters for movies")
        expect(form.locator("select[name=language]").locator("option", has_text="Japanese")).to_have_count(1)
        form.locator("select[name=genre]").select_option("horror")
        form.locator("select[name=audience]").select_option("family")
        form.locator("select[name=minutes]").select_option("15")
        expect(page.get_by_text("Nothing matches these filters.")).to_be_visible()
        press(form.get_by_role("button", name="Clear filters"))
        expect(page.locator("#movies tbody tr")).to_have_count(10)


def test_my_data_can_be_downloaded_and_deleted(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        choose_mood(page, "sad")
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
        choose_mood(page, "sad")
        expect(page.locator("#songs .why", has_text="you liked")).to_have_count(0)


def test_an_unavailable_database_is_reported_and_the_tables_still_work(browser, tmp_path):
    address = "sqlite:////dev/null/none.sqlite3"
    with (
        serving(tmp_path / "log", CAMERA="off", DATABASE_URL=address) as server,
        visiting(browser, server, camera=False) as page,
    ):
        expect(page.get_by_text("Nothing can be stored at the moment")).to_be_visible()
        choose_mood(page, "sad")
        first = row_ids(page, "songs")[0]
        row(page, "songs", first).get_by_role("button", name=re.compile("^Never show again")).click()
        page.wait_for_function(GONE, arg=["songs", first])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_table_buttons_are_accessible_on_a_phone(browser, hosted, scheme):
    options = {"color_scheme": scheme, "viewport": {"width": 390, "height": 900}, "bypass_csp": True, "has_touch": True}
    with visiting(browser, hosted, camera=False, **options) as page:
        page.emulate_media(reduced_motion="reduce")
        choose_mood(page, "sad")
        first = page.locator("#songs tbody tr").first
        for action in ("Like", "Save", "Why this"):
            first.get_by_role("button", name=re.compile(f"^{action}: ")).click()
        for kind in ("songs", "movies", "food", "activities"):
            press(page.get_by_role("button", name=f"Filter {kind}"))
        expect(page.locator("#saved-list li")).to_have_count(1)
        # The window shows the whole page, so that the bar at its edge covers nothing.
        page.set_viewport_size({"width": 390, "height": page.evaluate("document.documentElement.scrollHeight")})
        assert accessibility_violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        sizes = page.eval_on_selector_all(".icon-button", "all => all.map(tool => tool.getBoundingClientRect().width)")
        assert min(size for size in sizes if size) >= 24


def test_a_text_query_works_without_a_mood_and_hidden_items_can_be_restored(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        page.get_by_label("Looking for something?").fill("a bowl of soup")
        await_filled_tables(page)
        first = row_ids(page, "food")[0]
        expect(row(page, "food", first).locator(".why")).to_contain_text("close to your search")
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


def test_films_are_sorted_by_rating_where_they_have_one(browser, tmp_path):
    rows = [f"Made-up Film {number},{1950 + number},Comedy,{4 + number / 10:.1f},{5000}" for number in range(40)]
    films = tmp_path / "films.csv"
    films.write_text("\n".join(["title,year,genres,rating,votes", *rows]), encoding="utf-8")
    instance = tmp_path / "instance"
    command = [sys.executable, "-m", "flask", "import", "movies", str(films)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "INSTANCE": str(instance)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(tmp_path / "log", CAMERA="off") as server, visiting(browser, server, camera=False) as page:
        choose_mood(page, "happy")
        page.get_by_label("Sort movies").select_option("rating")
        # The table of before is replaced at any moment.
        page.wait_for_function(
            """() => {
                const texts = [...document.querySelectorAll("#movies .about")].map((about) => about.textContent);
                const found = texts.map((text) => text.match(/★\\s(\\d\\.\\d)/)).filter(Boolean);
                const ratings = found.map((match) => Number(match[1]));
                return ratings.length > 3 && ratings.every((rating, index) => !index || ratings[index - 1] >= rating);
            }"""
        )


def test_no_sort_is_offered_where_no_film_has_a_rating(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        expect(page.locator("#movies-sort")).to_have_count(0)
