"""The mirror in a real browser, whose camera shows a real face, and with the server's camera."""

import re

import cv2
import pytest
from playwright.sync_api import expect

from moodmirror.emotions import EMOTIONS
from moodmirror.platforms import webcam_indices
from tests.conftest import Viewer, serving, skip
from tests.page_helpers import (
    await_filled_tables,
    await_label,
    open_camera,
    open_server_camera,
    pick,
    record_moods,
    recorded_moods,
    shares,
    visiting,
)

pytestmark = pytest.mark.browser


def test_the_browser_camera_updates_the_mirror_the_bars_and_the_tables(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        expect(page.locator("#stage[data-faces='1']")).to_be_visible()
        await_label(page, *EMOTIONS)
        await_filled_tables(page)
        expect(page.locator("#live")).to_be_visible()
        expect(page.locator("#status")).to_have_text("Reading your face.")
        assert 95 <= sum(shares(page).values()) <= 105


def test_face_boxes_are_mirrored_like_the_video(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        expect(page.locator("#stage[data-faces='1']")).to_be_visible()
        assert page.eval_on_selector("#video", "video => getComputedStyle(video).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
        assert page.eval_on_selector("#overlay", "overlay => getComputedStyle(overlay).transform") == "none"
        # The face is in the left half of the camera's frames, so the mirror shows it and its box in the right half.
        middle = page.eval_on_selector(
            "#overlay",
            """overlay => {
                const { width, height } = overlay;
                const pixels = overlay.getContext("2d").getImageData(0, 0, width, height).data;
                let sum = 0, count = 0;
                for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 128) { sum += ((i - 3) / 4) % width; count += 1; }
                return count ? sum / count / width : null;
            }""",
        )
        assert middle is not None
        assert middle > 0.55


def test_stop_closes_the_camera_and_deletes_the_mood(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, *EMOTIONS)
        page.get_by_role("button", name="Stop", exact=True).click()
        await_label(page, "not read yet")
        expect(page.locator("#live")).to_be_hidden()
        assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_denied_camera_is_reported_with_advice(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        open_camera(page)
        expect(page.locator("#status")).to_contain_text("Camera access was denied. Allow it")
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()


def test_the_server_camera_shows_its_stream_and_its_mood(browser, filming):
    with visiting(browser, filming) as page:
        open_server_camera(page)
        page.wait_for_function("() => document.getElementById('stream').naturalWidth === 640")
        await_label(page, "happy")
        await_filled_tables(page)
        expect(page.locator("#status")).to_have_text("Reading your face.")
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_focused()
        await_label(page, "not read yet")


def test_an_unreadable_face_is_reported_with_the_reason_instead_of_a_guess(browser, scene, tmp_path):
    video = tmp_path / "blurred.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
    for step in range(20):
        writer.write(cv2.GaussianBlur(scene(x=320 + step), (0, 0), 9))
    writer.release()
    with serving(tmp_path / "log", CAMERA=str(video)) as server, visiting(browser, server, camera=False) as page:
        record_moods(page)
        open_server_camera(page)
        expect(page.locator("#status")).to_have_text(re.compile("too blurred to read: hold still"))
        pick(page, "fear")
        await_label(page, "fear")  # messages arrive in their order: a guess from the frames before would come first
        assert recorded_moods(page) == ["fear"]


def test_a_full_stream_is_retried_until_there_is_capacity(browser, face_video, tmp_path):
    with serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="1") as server, visiting(browser, server) as page:
        with Viewer(server) as viewer:
            next(viewer.parts())
            open_server_camera(page)
            expect(page.locator("#status")).to_contain_text("Trying again")
        page.wait_for_function("() => document.getElementById('stream').naturalWidth === 640")
        expect(page.locator("#status")).to_have_text("Reading your face.")


def test_a_failing_server_camera_is_reported_with_advice(browser, tmp_path):
    with serving(tmp_path / "log", CAMERA=str(tmp_path / "none.mp4")) as server, visiting(browser, server) as page:
        open_server_camera(page)
        expect(page.locator("#status")).to_contain_text("The video can't be read. CAMERA must name a video file")
        expect(page.locator("#live")).to_be_hidden()


def test_auto_without_a_webcam_offers_the_browser_camera(browser, tmp_path):
    if webcam_indices():
        skip("this machine has a webcam, so its server offers that")
    with serving(tmp_path / "log", CAMERA="auto") as server, visiting(browser, server) as page:
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_hidden()
