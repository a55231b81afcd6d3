"""The page in a real browser, whose camera shows a real face."""

import csv
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Locator, Page, expect

from moodmirror.camera.capture import webcam_indices
from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import SAMPLE_RATE
from tests.conftest import DATA, ROOT, Server, Viewer, free_port, launch, need_program, serving, skip

KINDS = ("songs", "movies", "food", "activities")
PATIENCE = 60_000  # ms
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"

expect.set_options(timeout=PATIENCE)


@contextmanager
def visiting(browser: Browser, server: Server, *, camera: bool = True, **options) -> Iterator[Page]:
    """A new visitor, with or without leave to use camera and microphone; errors in the page's console fail the test."""
    context = browser.new_context(permissions=["camera", "microphone"] if camera else [], **options)
    context.set_default_timeout(PATIENCE)
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
    """Press a button or a link, or with Space a radio button: by the keyboard, for it may still move under a pointer."""
    control.page.mouse.move(0, 0)  # where it holds no row still
    control.press(key)


def pick(page: Page, name: str) -> None:
    """Choose a mood or a mode."""
    radio = page.get_by_role("radio", name=name, exact=True)
    press(radio, "Space")
    expect(radio).to_be_checked()


def open_camera(page: Page) -> None:
    """Open the browser's camera, as one does who has read what it means."""
    page.get_by_role("button", name="Use this browser's camera").click()
    page.get_by_role("button", name="Open my camera").click()


def open_room(page: Page) -> None:
    """Start the server's camera."""
    page.get_by_role("button", name="Start the mirror").click()
    page.get_by_role("button", name="Start the camera").click()


def listen(page: Page) -> None:
    """Open the microphone."""
    page.get_by_role("button", name="Listen").click()
    page.get_by_role("button", name="Open my microphone").click()


def ids(page: Page, kind: str) -> list[str]:
    return page.eval_on_selector_all(f"#{kind} tbody tr", "rows => rows.map(row => row.dataset.id)")


def shares(page: Page) -> dict[str, int]:
    wells = "wells => wells.map(well => [well.getAttribute('aria-label'), Number(well.getAttribute('aria-valuenow'))])"
    return dict(page.eval_on_selector_all("#bars [role=meter]", wells))


def await_label(page: Page, *labels: str) -> None:
    page.wait_for_function("labels => labels.includes(document.getElementById('mood-label').textContent)", arg=list(labels))


def await_filled_tables(page: Page) -> None:
    for kind in KINDS:
        expect(page.locator(f"#{kind} tbody tr")).to_have_count(10)


def accessibility_faults(page: Page) -> list[str]:
    page.add_script_tag(path=str(AXE))
    result = page.evaluate("axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})")
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in result["violations"]
        for node in fault["nodes"]
    ]


def test_first_visit_explains_invites_and_opens_no_camera(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.get_by_text("no picture is ever stored")).to_be_visible()
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_hidden()
        expect(page.get_by_text("Music to keep your mood company")).to_be_visible()
        assert page.evaluate("document.getElementById('video').srcObject") is None


def test_the_browsers_camera_fills_the_mirror_the_bars_and_the_tables(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        expect(page.locator("#stage[data-faces='1']")).to_be_visible()
        await_label(page, *EMOTIONS)
        await_filled_tables(page)
        expect(page.locator("#live")).to_be_visible()
        expect(page.locator("#status")).to_have_text("Reading your face.")
        assert 95 <= sum(shares(page).values()) <= 105


def test_video_and_boxes_mirror_each_other(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        expect(page.locator("#stage[data-faces='1']")).to_be_visible()
        assert page.eval_on_selector("#video", "video => getComputedStyle(video).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
        assert page.eval_on_selector("#overlay", "overlay => getComputedStyle(overlay).transform") == "none"
        # The camera sees the face in its left half, so the mirror shows it, and its box, in the right one.
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


def test_choosing_sad_changes_all_four_tables_and_letting_go_brings_the_mirror_back(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        await_filled_tables(page)
        before = {kind: ids(page, kind) for kind in KINDS}
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


def test_a_second_visitors_mood_is_not_the_firsts(browser, hosted):
    with visiting(browser, hosted) as first, visiting(browser, hosted) as second:
        pick(first, "angry")
        await_label(first, "angry")
        expect(second.locator("#mood-label")).to_have_text("not read yet")
        pick(second, "fear")
        await_label(second, "fear")
        expect(first.locator("#mood-label")).to_have_text("angry")


def test_stop_closes_the_camera_and_forgets(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, *EMOTIONS)
        page.get_by_role("button", name="Stop", exact=True).click()
        await_label(page, "not read yet")
        expect(page.locator("#live")).to_be_hidden()
        assert page.evaluate("document.getElementById('video').srcObject") is None


def test_a_refused_camera_is_told_with_what_to_do(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        open_camera(page)
        expect(page.locator("#status")).to_contain_text("Camera access was denied. Allow it")
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()


def test_words_are_read_as_they_are_typed_and_move_bars_and_tables(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.get_by_text("no word is ever stored")).to_be_visible()
        box = page.get_by_role("textbox", name="How are you feeling, or what happened?")
        box.press_sequentially("I am so sad and lonely tonight.")
        await_label(page, "sad")
        await_filled_tables(page)
        assert shares(page)["sad"] > 40
        assert page.locator("#sources").inner_text() == "text"
        expect(page.locator("#mood-announcement")).to_have_text("Your words sound sad.")
        expect(page.locator("#text-status")).to_contain_text(
            "Your words sound sad. The words that counted most are highlighted."
        )
        marks = page.locator("#text-highlights mark")
        assert {"sad", "lonely"} & set(marks.all_inner_texts())
        assert page.locator("#text-highlights").inner_text().rstrip("\u200b\n") == box.input_value()
        before = {kind: ids(page, kind) for kind in KINDS}
        box.fill("I am so happy today! <b>🎉</b>")
        await_label(page, "happy")
        page.wait_for_function(
            "before => Object.entries(before).every(([kind, ids]) =>"
            " document.getElementById(kind).tBodies[0].rows[0].dataset.id !== ids[0])",
            arg=before,
        )
        assert page.locator("#text-highlights b").count() == 0  # what is written is never taken for a page
        page.get_by_role("button", name="Clear").click()
        await_label(page, "not read yet")
        expect(box).to_be_focused()
        expect(marks).to_have_count(0)


def test_what_weighed_most_is_marked_where_it_stands(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#text-input").fill("🌧🌧 I am\nso sad\nand lonely tonight.")
        expect(page.locator("#text-highlights mark", has_text="sad")).to_be_visible()
        places = page.evaluate(
            """() => {
                const box = document.getElementById("text-input"), marks = document.getElementById("text-highlights");
                const place = (element) => element.getBoundingClientRect();
                const word = place([...marks.querySelectorAll("mark")].find((mark) => mark.textContent === "sad"));
                const { paddingTop, lineHeight } = getComputedStyle(box);
                return {
                    same: ["top", "left", "width", "height"].every((side) => place(box)[side] === place(marks)[side]),
                    fits: box.scrollHeight <= box.clientHeight,
                    line: Math.floor((word.top - place(box).top - parseFloat(paddingTop)) / parseFloat(lineHeight)),
                };
            }"""
        )
        assert places == {"same": True, "fits": True, "line": 1}


def test_what_is_read_and_kept_stands_one_click_away(browser, hosted):
    with visiting(browser, hosted) as page:
        page.get_by_role("link", name="Privacy").click()
        expect(page.get_by_role("heading", name="What happens to what you show, say and write")).to_be_visible()
        page.get_by_role("link", name="Back to the mirror").click()
        expect(page.locator("#mood-label")).to_have_text("not read yet")


def test_a_language_it_does_not_know_is_told_and_leaves_the_mood(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#text-input").fill("Сегодня я получил новую работу, и мы долго праздновали с друзьями.")
        expect(page.locator("#text-status")).to_contain_text("does not look like English")
        expect(page.locator("#mood-label")).to_have_text("not read yet")


def test_the_box_counts_when_it_is_nearly_full_and_takes_no_more(browser, hosted):
    with visiting(browser, hosted) as page:
        box = page.locator("#text-input")
        box.fill("so happy " * 95)
        expect(page.locator("#text-count")).to_have_text("855 of 1000")
        box.press("End")
        page.keyboard.insert_text("and so on " * 50)
        expect(page.locator("#text-count")).to_have_text("1000 of 1000")
        await_label(page, "happy")


def test_face_voice_and_words_are_told_with_their_shares(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        page.locator("#text-input").fill("I am so sad and lonely tonight.")
        expect(page.locator("#sources li")).to_have_count(2)
        assert re.fullmatch(r"(face \d+\s%\s+text \d+\s%|text \d+\s%\s+face \d+\s%)", page.locator("#sources").inner_text())
        pick(page, "fear")
        expect(page.locator("#sources")).to_have_text("your choice")


def test_the_course_draws_itself_is_downloaded_and_forgotten(browser, hosted):
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
        expect(summary).to_have_text(re.compile(r"mostly happy"))  # it begins anew with the mood of the moment


def test_a_smile_and_sad_words_are_shown_as_mixed(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        await_label(page, "happy")
        page.locator("#text-input").fill("I am so sad and lonely tonight, I keep crying.")
        await_label(page, "mixed: happy and sad", "mixed: sad and happy")
        expect(page.locator("#bars .leading")).to_have_count(2)
        expect(page.locator("#mood-announcement")).to_contain_text("Mixed feelings.")
        expect(page.locator("#contributions li")).to_have_count(2)


def test_the_microphone_is_open_only_between_start_and_stop(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.get_by_text("no sound is ever stored")).to_be_visible()
        listen(page)
        expect(page.locator("#audio-status")).to_have_text(re.compile("Listening|Silence|You sound"))
        page.wait_for_function("() => Number(document.getElementById('level-meter').getAttribute('aria-valuenow')) > 0")
        page.wait_for_function("() => !document.getElementById('audio-status').textContent.startsWith('Listening')")
        page.get_by_role("button", name="Stop listening").click()
        expect(page.get_by_text("no sound is ever stored")).to_be_visible()
        expect(page.get_by_role("meter", name="Volume of your voice")).to_have_attribute("aria-valuenow", "0")
        await_label(page, "not read yet")


def test_a_refused_microphone_is_told_with_what_to_do(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        listen(page)
        expect(page.locator("#audio-status")).to_contain_text("Microphone access was denied. Allow it")
        expect(page.get_by_role("button", name="Listen")).to_be_visible()


@pytest.fixture
def voice_file(tmp_path):
    """What the browser's fake microphone hears, as WAV: an actor of RAVDESS, or a program where no corpora are."""
    path = tmp_path / "voice.wav"
    clips = sorted((DATA / "speech" / "ravdess" / "Actor_01").glob("03-01-05-02-*.flac"))  # angry, strongly
    if not clips:
        words = "I can't believe it! That was the very last time. Leave me alone, all of you! "
        subprocess.run([need_program("espeak-ng"), "-w", path, 3 * words], check=True, timeout=60)
        return path
    spoken = np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips])
    soundfile.write(path, spoken / np.abs(spoken).max(), SAMPLE_RATE)
    return path


def test_a_voice_is_heard_and_changes_the_mood(playwright, hosted, voice_file):
    browser = launch(playwright, f"--use-file-for-fake-audio-capture={voice_file}")
    with visiting(browser, hosted) as page:
        listen(page)
        expect(page.locator("#audio-status")).to_have_text(re.compile("^You sound "))
        await_label(page, *EMOTIONS)
        await_filled_tables(page)
        expect(page.locator("#sources")).to_have_text("voice")
        assert 95 <= sum(shares(page).values()) <= 105
        expect(page.locator("#mood-announcement")).to_have_text(re.compile("^You sound "))
    browser.close()


def test_sound_is_brought_to_16_khz_without_folding(browser, hosted):
    """What lies in the voice's band passes as it is; what 16 kHz can't hold is gone, not folded into it."""
    rates, tones, seconds = [8_000, 44_100, 48_000, 96_000], [200, 3000, 10_000, 15_900], 0.25
    with visiting(browser, hosted) as page:
        resampled = page.evaluate(
            """async ([rates, tones, seconds]) => {
                const { Resampler } = await import("/static/js/inputs/resampler.js");
                return rates.map((rate) => tones.map((hertz) => {
                    const resampler = new Resampler(rate, 16000);
                    const wave = (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate);
                    const sound = Float32Array.from({ length: rate * seconds }, wave);
                    const output = [];
                    for (let n = 0; n < sound.length; n += 128) output.push(...resampler.push(sound.subarray(n, n + 128)));
                    return output;
                }));
            }""",
            [rates, tones, seconds],
        )
    for rate, by_tone in zip(rates, resampled, strict=True):
        for hertz, samples in zip(tones, by_tone, strict=True):
            assert len(samples) == pytest.approx(SAMPLE_RATE * seconds, abs=60)
            heard = np.array(samples)[100:-100]
            if hertz <= 3000:
                expected = np.sin(2 * np.pi * hertz * np.arange(len(samples)) / SAMPLE_RATE)[100:-100]
                assert np.abs(heard - expected).max() < 0.01
            elif rate > 2 * hertz:
                assert np.abs(heard).max() < 0.003


def test_the_servers_camera_shows_its_stream_and_its_mood(browser, filming):
    with visiting(browser, filming) as page:
        open_room(page)
        page.wait_for_function("() => document.getElementById('stream').naturalWidth === 640")
        await_label(page, "happy")
        await_filled_tables(page)
        expect(page.locator("#status")).to_have_text("Reading your face.")
        page.get_by_role("button", name="Stop", exact=True).click()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_focused()
        await_label(page, "not read yet")


def test_a_face_that_cant_be_read_gets_a_reason_in_place_of_a_guess(browser, scene, tmp_path):
    video = tmp_path / "blurred.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
    for step in range(20):
        writer.write(cv2.GaussianBlur(scene(x=320 + step), (0, 0), 9))
    writer.release()
    with serving(tmp_path / "log", CAMERA=str(video)) as server, visiting(browser, server, camera=False) as page:
        open_room(page)
        expect(page.locator("#status")).to_have_text(re.compile("too blurred to read: hold still"))
        expect(page.locator("#mood-label")).to_have_text("not read yet")


def test_a_picture_that_too_many_watch_comes_once_there_is_a_place(browser, face_video, tmp_path):
    with serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="1") as server, visiting(browser, server) as page:
        with Viewer(server) as viewer:
            next(viewer.parts())
            open_room(page)
            expect(page.locator("#status")).to_contain_text("Trying again")
        page.wait_for_function("() => document.getElementById('stream').naturalWidth === 640")
        expect(page.locator("#status")).to_have_text("Reading your face.")


def test_a_server_camera_in_trouble_is_told_with_what_to_do(browser, tmp_path):
    with serving(tmp_path / "log", CAMERA=str(tmp_path / "none.mp4")) as server, visiting(browser, server) as page:
        open_room(page)
        expect(page.locator("#status")).to_contain_text("The video can't be read. CAMERA must name a video file")
        expect(page.locator("#live")).to_be_hidden()


def test_auto_without_webcam_offers_the_browsers_camera_at_once(browser, tmp_path):
    if webcam_indices():
        skip("this machine has a webcam, so its server offers that")
    with serving(tmp_path / "log", CAMERA="auto") as server, visiting(browser, server) as page:
        expect(page.get_by_role("button", name="Use this browser's camera")).to_be_visible()
        expect(page.get_by_role("button", name="Start the mirror")).to_be_hidden()


def test_a_lost_connection_is_told_and_mended_with_the_choice_kept(browser, tmp_path):
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
    # Axe is put into the page as a script, which the page's own policy would refuse.
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with visiting(browser, hosted, **options) as page:
        page.emulate_media(reduced_motion="reduce")  # so that no contrast is measured in the middle of a fade
        expect(page.locator("#start-browser")).to_be_visible()
        assert accessibility_faults(page) == []
        open_camera(page)
        expect(page.locator("#live")).to_be_visible()  # nothing on the page moves any more
        listen(page)
        page.locator("#text-input").fill("I am so sad and lonely tonight. " * 25)
        expect(page.locator("#text-highlights mark").first).to_be_visible()
        expect(page.locator("#sources")).to_be_visible()
        pick(page, "sad")
        await_filled_tables(page)
        assert accessibility_faults(page) == []
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, "the page scrolls sideways"


def test_the_keyboard_is_enough(browser, hosted):
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


def test_titles_link_to_searches_elsewhere(browser, hosted):
    with visiting(browser, hosted) as page:
        pick(page, "sad")
        await_filled_tables(page)
        for kind, address in {
            "songs": "open.spotify.com",
            "movies": "imdb.com",
            "food": "allrecipes.com",
            "activities": "https://",
        }.items():
            link = page.locator(f"#{kind} .title").first
            assert address in str(link.get_attribute("href"))
            assert link.get_attribute("rel") == "noreferrer"
            assert str(link.get_attribute("aria-label")).startswith(link.inner_text())
