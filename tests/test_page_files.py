"""Files on the page, in a real browser: dropped, chosen, pasted, canceled, removed."""

import base64
import re

import cv2
import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.clips import animation, clip, encode_picture
from tests.conftest import wav
from tests.page_helpers import (
    KINDS,
    accessibility_violations,
    await_filled_tables,
    await_label,
    record_moods,
    recorded_moods,
    row_ids,
    visiting,
)

pytestmark = pytest.mark.browser

DATA_TRANSFER = """([content, name, type]) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
    return transfer;
}"""


def add_file(page: Page, event: str, content: bytes, name: str, media_type: str) -> None:
    """Drop a file on the page, or paste one."""
    transfer = page.evaluate_handle(DATA_TRANSFER, [base64.b64encode(content).decode(), name, media_type])
    if event == "drop":
        page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
        page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    else:
        paste = "(clipboardData) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, cancelable: true }))"
        page.evaluate(paste, transfer)


@pytest.fixture(scope="module")
def smile(scene) -> np.ndarray:
    return cv2.resize(scene(scale=1.6), (320, 240), interpolation=cv2.INTER_AREA)


def test_a_dropped_photo_shows_its_face_mood_and_tables_until_it_is_removed(browser, hosted, portrait):
    with visiting(browser, hosted, bypass_csp=True) as page:
        add_file(page, "drop", encode_picture(portrait, "JPEG"), "me.jpg", "image/jpeg")
        await_label(page, "happy")
        await_filled_tables(page)
        expect(page.locator("#file-preview-image")).to_be_visible()
        expect(page.locator("#sources")).to_have_text("picture")
        expect(page.locator("#status")).to_have_text("In the mirror: me.jpg")
        # The center of the box is the center of the face, (224, 115) of 512 pixels, scaled as the picture is.
        picture, box = (
            page.locator("#file-preview-image").bounding_box(),
            page.locator("#file-preview-boxes rect").bounding_box(),
        )
        assert picture
        assert box
        side = min(picture["width"], picture["height"])
        x = (box["x"] + box["width"] / 2 - picture["x"] - (picture["width"] - side) / 2) / side
        y = (box["y"] + box["height"] / 2 - picture["y"] - (picture["height"] - side) / 2) / side
        assert (x, y) == (pytest.approx(224 / 512, abs=0.06), pytest.approx(115 / 512, abs=0.06))
        page.emulate_media(reduced_motion="reduce")  # contrast must not be measured during a fade
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Remove the file").click()
        expect(page.locator("#file-preview")).to_be_hidden()
        expect(page.locator("#status")).to_have_text(re.compile("No camera yet"))
        await_label(page, "not read yet")


def test_a_dropped_gif_shows_its_chart_and_tables(browser, hosted, smile):
    nobody = np.full_like(smile, 90)
    with visiting(browser, hosted, bypass_csp=True) as page:
        add_file(page, "drop", animation([smile, nobody], "GIF", 2000), "funny.png", "image/gif")
        expect(page.locator("#file-chart polygon")).to_have_count(7)
        expect(page.locator("#file-summary")).to_have_text(re.compile(r"^happy 0\.0–"))
        expect(page.locator("#file-duration")).to_have_text("4.0\u2009s")
        await_label(page, "happy")
        await_filled_tables(page)
        page.emulate_media(reduced_motion="reduce")  # contrast must not be measured during a fade
        assert accessibility_violations(page) == []


def test_a_pasted_clip_is_read_and_a_chosen_mood_overrides_it(browser, hosted, smile):
    with visiting(browser, hosted) as page:
        add_file(page, "paste", clip([smile] * 20, "avi"), "clip.avi", "video/x-msvideo")
        await_label(page, "happy")
        await_filled_tables(page)
        before = {kind: row_ids(page, kind) for kind in KINDS}
        page.get_by_role("radio", name="sad").check(force=True)
        await_label(page, "sad")
        expect(page.locator("#sources")).to_have_text("your choice")
        page.wait_for_function(
            "before => document.querySelector('#songs tbody tr').dataset.id !== before.songs[0]", arg=before
        )
        page.get_by_role("button", name="Clear my choice").click()
        await_label(page, "not read yet")
        expect(page.locator("#file-chart")).to_be_hidden()


def test_a_photo_a_voice_note_and_a_sentence_make_one_mood(browser, hosted, portrait, voice):
    with visiting(browser, hosted, bypass_csp=True) as page:
        photo: FilePayload = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": encode_picture(portrait, "JPEG")}
        note: FilePayload = {"name": "note.wav", "mimeType": "audio/wav", "buffer": wav(voice)}
        page.locator("#file-input").set_input_files([photo, note])
        expect(page.locator("#file-list li")).to_have_count(2)
        expect(page.locator("#sources")).to_contain_text("picture")
        expect(page.locator("#sources")).to_contain_text("recording")
        expect(page.locator("#file-status")).to_contain_text("2 of 2 files make one mood")
        page.locator("#text-input").fill("I am so sad and lonely, I keep crying.")
        expect(page.locator("#sources")).to_contain_text("text")
        expect(page.locator("#sources li")).to_have_count(3)
        page.emulate_media(reduced_motion="reduce")
        assert accessibility_violations(page) == []
        page.get_by_role("button", name="Remove note.wav").click()
        expect(page.locator("#sources")).not_to_contain_text("recording")
        expect(page.locator("#sources li")).to_have_count(2)
        page.get_by_role("button", name="Remove the file").click()
        await_label(page, "sad")  # the text is left
        expect(page.locator("#sources")).to_have_text("text")


def test_a_second_file_is_added_to_the_first(browser, hosted, portrait, voice):
    with visiting(browser, hosted) as page:
        add_file(page, "drop", encode_picture(portrait, "JPEG"), "me.jpg", "image/jpeg")
        expect(page.locator("#sources")).to_have_text("picture")
        add_file(page, "paste", wav(voice), "note.wav", "audio/wav")
        expect(page.locator("#sources li")).to_have_count(2)
        page.get_by_role("button", name="Remove all files").click()
        await_label(page, "not read yet")
        expect(page.locator("#file-list")).to_be_hidden()


def test_an_unreadable_file_among_others_leaves_their_mood(browser, hosted, portrait):
    with visiting(browser, hosted) as page:
        photo: FilePayload = {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": encode_picture(portrait, "JPEG")}
        damaged: FilePayload = {"name": "other.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff\xe0" + bytes(1000)}
        page.locator("#file-input").set_input_files([photo, damaged])
        expect(page.locator("#file-status")).to_contain_text("other.jpg: The picture is damaged")
        await_label(page, "happy")
        expect(page.get_by_role("button", name="Remove the file")).to_be_visible()


def test_an_unreadable_file_is_reported_with_the_reason(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#file-input").set_input_files(
            {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8\xff\xe0" + bytes(1000)}
        )
        expect(page.locator("#file-status")).to_have_text(re.compile("damaged"))
        expect(page.get_by_role("button", name="Choose a file")).to_be_visible()
        expect(page.locator("#file-preview")).to_be_hidden()


def test_reading_a_file_shows_progress_and_can_be_canceled(browser, hosted, portrait):
    with visiting(browser, hosted) as page:
        record_moods(page)
        film = clip([portrait] * 900, "avi")
        page.locator("#file-input").set_input_files({"name": "long.avi", "mimeType": "video/x-msvideo", "buffer": film})
        page.wait_for_function("() => document.getElementById('file-progress').value > 0.02")
        expect(page.locator("#file-status")).to_have_text("Reading …")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#file-status")).to_have_text("Canceled. Nothing of the file is stored.")
        expect(page.locator("#file-progress")).to_be_hidden()
        page.get_by_role("radio", name="fear").check(force=True)
        await_label(page, "fear")  # messages arrive in their order: a mood of the file would come first
        assert recorded_moods(page) == ["fear"]
