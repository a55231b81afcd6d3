"""What the tests of the page share: visiting it in a real browser, and its controls."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, expect

from tests.conftest import ROOT, Server

KINDS = ("songs", "movies", "food", "activities")
TIMEOUT_MS = 60_000
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

expect.set_options(timeout=TIMEOUT_MS)


@contextmanager
def visiting(browser: Browser, server: Server, *, camera: bool = True, **options) -> Iterator[Page]:
    """Open the page as a new visitor, with or without permission for camera and microphone.

    An uncaught error in the page, or a violation of its Content Security Policy, fails the test.
    """
    context = browser.new_context(permissions=["camera", "microphone"] if camera else [], **options)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None)
    page.goto(server.url)
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def press(control: Locator, key: str = "Enter") -> None:
    """Press a button or a link by the keyboard (a radio button with Space): it may still move under a pointer."""
    control.page.mouse.move(0, 0)  # where it does not hold the rows of a table
    control.press(key)


def pick(page: Page, name: str) -> None:
    """Choose a mood or a mode."""
    radio = page.get_by_role("radio", name=name, exact=True)
    press(radio, "Space")
    expect(radio).to_be_checked()


def open_camera(page: Page) -> None:
    """Open the browser's camera and consent to it."""
    page.get_by_role("button", name="Use this browser's camera").click()
    page.get_by_role("button", name="Open my camera").click()


def open_server_camera(page: Page) -> None:
    """Start the server's camera and consent to it."""
    page.get_by_role("button", name="Start the mirror").click()
    page.get_by_role("button", name="Start the camera").click()


def open_microphone(page: Page) -> None:
    """Open the microphone and consent to it."""
    page.get_by_role("button", name="Listen").click()
    page.get_by_role("button", name="Open my microphone").click()


def row_ids(page: Page, kind: str) -> list[str]:
    """Return the ids of a table's rows."""
    return page.eval_on_selector_all(f"#{kind} tbody tr", "rows => rows.map(row => row.dataset.id)")


def shares(page: Page) -> dict[str, int]:
    """Return the shown share of each emotion in percent."""
    wells = "wells => wells.map(well => [well.getAttribute('aria-label'), Number(well.getAttribute('aria-valuenow'))])"
    return dict(page.eval_on_selector_all("#bars [role=meter]", wells))


def await_label(page: Page, *labels: str) -> None:
    """Wait until the page shows one of these moods."""
    page.wait_for_function("labels => labels.includes(document.getElementById('mood-label').textContent)", arg=list(labels))


def await_filled_tables(page: Page) -> None:
    """Wait until all four tables have ten rows."""
    for kind in KINDS:
        expect(page.locator(f"#{kind} tbody tr")).to_have_count(10)


def accessibility_violations(page: Page) -> list[str]:
    """Return what violates WCAG 2.2 AA or axe's best practices."""
    page.add_script_tag(path=str(AXE))
    result = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]


def record_moods(page: Page) -> None:
    """Start to record which moods the page shows, for `recorded_moods`."""
    page.evaluate(
        """() => {
            const label = document.getElementById("mood-label");
            let last = label.textContent;
            window.recordedMoods = [];
            new MutationObserver(() => {
                if (label.textContent !== last) recordedMoods.push(last = label.textContent);
            }).observe(label, { childList: true });
        }"""
    )


def recorded_moods(page: Page) -> list[str]:
    """Return the moods to which the page has changed since `record_moods`."""
    return page.evaluate("window.recordedMoods")
