"""Text and voice on the page, in a real browser."""

import re
import subprocess

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.audio import SAMPLE_RATE
from tests.conftest import DATA, launch, need_program
from tests.page_helpers import (
    KINDS,
    await_filled_tables,
    await_label,
    open_camera,
    open_microphone,
    pick,
    record_moods,
    recorded_moods,
    row_ids,
    shares,
    visiting,
)

pytestmark = pytest.mark.browser


def test_text_is_read_while_typing_and_updates_bars_and_tables(browser, hosted):
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
        before = {kind: row_ids(page, kind) for kind in KINDS}
        box.fill("I am so happy today! <b>🎉</b>")
        await_label(page, "happy")
        page.wait_for_function(
            "before => Object.entries(before).every(([kind, ids]) =>"
            " document.getElementById(kind).tBodies[0].rows[0].dataset.id !== ids[0])",
            arg=before,
        )
        assert page.locator("#text-highlights b").count() == 0  # text is never parsed as HTML
        page.get_by_role("button", name="Clear").click()
        await_label(page, "not read yet")
        expect(box).to_be_focused()
        expect(marks).to_have_count(0)


def test_highlights_lie_behind_their_words(browser, hosted):
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


def test_an_unsupported_language_is_reported_and_leaves_the_mood_unchanged(browser, hosted):
    with visiting(browser, hosted) as page:
        record_moods(page)
        page.locator("#text-input").fill("Сегодня я получил новую работу, и мы долго праздновали с друзьями.")
        expect(page.locator("#text-status")).to_contain_text("This looks like Russian. The mirror can read English only")
        pick(page, "fear")
        await_label(page, "fear")  # messages arrive in their order: a mood of the text would come first
        assert recorded_moods(page) == ["fear"]


def test_a_long_text_shows_its_count_and_how_much_of_it_is_read(browser, hosted):
    with visiting(browser, hosted) as page:
        box = page.locator("#text-input")
        box.fill("so happy " * 500)
        expect(page.locator("#text-count")).to_have_text("4,500 of 5,000")
        await_label(page, "happy")
        expect(page.locator("#text-status")).not_to_contain_text("Only the first")
        box.fill("so happy " * 800)
        expect(page.locator("#text-count")).to_have_text("7,200 of 5,000")
        expect(page.locator("#text-status")).to_contain_text("Only the first 5,000 characters are read")
        assert len(box.input_value()) == 7200  # nothing that was pasted is lost


def test_a_cleared_text_removes_its_rows(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#text-input").fill("I am so happy today!")
        await_label(page, "happy")
        expect(page.locator("#songs tbody tr").first).to_be_visible()
        page.get_by_role("button", name="Clear", exact=True).click()
        await_label(page, "not read yet")
        expect(page.locator("#songs tbody tr")).to_have_count(0)
        expect(page.locator("#tables-note")).to_be_hidden()


def test_rows_stay_with_a_note_when_the_face_has_left(browser, hosted):
    with visiting(browser, hosted) as page:
        open_camera(page)
        expect(page.locator("#songs tbody tr").first).to_be_visible()
        # The browser sends no more frames, as when the visitor covers the camera; the face's readings expire.
        page.evaluate("HTMLCanvasElement.prototype.toBlob = () => {}")
        await_label(page, "not read yet")
        expect(page.locator("#tables-note")).to_have_text(re.compile("No mood is read at the moment"))
        expect(page.locator("#songs tbody tr").first).to_be_visible()


def test_the_label_and_the_sentence_of_a_text_change_together(browser, hosted):
    with visiting(browser, hosted) as page:
        page.locator("#text-input").fill("I am so happy today!")
        await_label(page, "happy")
        page.evaluate(
            """() => {
                window.seen = [];
                const label = document.getElementById("mood-label");
                const status = document.getElementById("text-status");
                const look = () => {
                    const said = /Your words sound (\\w+)/.exec(status.textContent);
                    window.seen.push([label.textContent, said ? said[1] : null]);
                    requestAnimationFrame(look);
                };
                look();
            }"""
        )
        page.locator("#text-input").fill("I am so sad and lonely, I keep crying.")
        await_label(page, "sad")
        expect(page.locator("#text-status")).to_contain_text("Your words sound sad")
        seen = page.evaluate("window.seen")
        assert set(map(tuple, seen)) == {("happy", "happy"), ("sad", "sad")}


def test_the_microphone_is_open_only_between_start_and_stop(browser, hosted):
    with visiting(browser, hosted) as page:
        expect(page.get_by_text("no sound is ever stored")).to_be_visible()
        open_microphone(page)
        expect(page.locator("#audio-status")).to_have_text(re.compile("Listening|Silence|You sound"))
        page.wait_for_function("() => Number(document.getElementById('level-meter').getAttribute('aria-valuenow')) > 0")
        page.wait_for_function("() => !document.getElementById('audio-status').textContent.startsWith('Listening')")
        page.get_by_role("button", name="Stop listening").click()
        expect(page.get_by_text("no sound is ever stored")).to_be_visible()
        expect(page.get_by_role("meter", name="Volume of your voice")).to_have_attribute("aria-valuenow", "0")
        await_label(page, "not read yet")


def test_a_denied_microphone_is_reported_with_advice(browser, hosted):
    with visiting(browser, hosted, camera=False) as page:
        open_microphone(page)
        expect(page.locator("#audio-status")).to_contain_text("Microphone access was denied. Allow it")
        expect(page.get_by_role("button", name="Listen")).to_be_visible()


@pytest.fixture
def voice_file(tmp_path):
    """A WAV file for the browser's fake microphone: an actor of RAVDESS, or a speech synthesizer where no corpora are."""
    path = tmp_path / "voice.wav"
    clips = sorted((DATA / "speech" / "ravdess" / "Actor_01").glob("03-01-05-02-*.flac"))  # angry, strongly
    if not clips:
        words = "I can't believe it! That was the very last time. Leave me alone, all of you! "
        subprocess.run([need_program("espeak-ng"), "-w", path, 3 * words], check=True, timeout=60)
        return path
    spoken = np.concatenate([soundfile.read(clip, dtype="float32")[0] for clip in clips])
    soundfile.write(path, spoken / np.abs(spoken).max(), SAMPLE_RATE)
    return path


def test_a_voice_is_read_and_changes_the_mood(playwright, hosted, voice_file):
    browser = launch(playwright, f"--use-file-for-fake-audio-capture={voice_file}")
    with visiting(browser, hosted) as page:
        open_microphone(page)
        expect(page.locator("#audio-status")).to_have_text(re.compile("^You sound "))
        await_label(page, *EMOTIONS)
        await_filled_tables(page)
        expect(page.locator("#sources")).to_have_text("voice")
        assert 95 <= sum(shares(page).values()) <= 105
        expect(page.locator("#mood-announcement")).to_have_text(re.compile("^You sound "))
    browser.close()


def test_resampling_to_16_khz_does_not_alias(browser, hosted):
    """Frequencies of the voice pass unchanged; those above 8 kHz are removed and do not alias."""
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
            received = np.array(samples)[100:-100]
            if hertz <= 3000:
                expected = np.sin(2 * np.pi * hertz * np.arange(len(samples)) / SAMPLE_RATE)[100:-100]
                assert np.abs(received - expected).max() < 0.01
            elif rate > 2 * hertz:
                assert np.abs(received).max() < 0.003
