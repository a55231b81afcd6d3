"""What the mirror keeps of a voice, and when it reads it, by a clock that goes when told to."""

import numpy as np
import pytest

from moodmirror.live.inputs import Hearing, SenseError
from moodmirror.mood import MoodState
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.recognition.speech import WINDOW_SAMPLES, SpeechEmotionRecognizer
from tests.conftest import pcm

PACKET = SAMPLE_RATE // 4


@pytest.fixture(scope="module")
def recognizer():
    return SpeechEmotionRecognizer.load()


class Listener:
    """A microphone that sends a packet each quarter of a second."""

    def __init__(self, recognizer):
        self.now = 100.0
        self.mood = MoodState(lambda: self.now)
        self.hearing = Hearing(self.mood, lambda: recognizer, lambda: self.now)

    def hear(self, samples):
        """Send samples; returns the readings by the seconds of sound after which they came."""
        readings = {}
        for start in range(0, len(samples), PACKET):
            self.now += 0.25
            answer = self.hearing.take(pcm(samples[start : start + PACKET]))
            if "reading" in answer:
                readings[(start + PACKET) / SAMPLE_RATE] = answer["reading"]
        return readings


@pytest.fixture
def listener(recognizer):
    return Listener(recognizer)


def test_a_new_reading_comes_each_second_from_the_last_three(listener, recognizer, voice):
    readings = listener.hear(voice[: 6 * SAMPLE_RATE])
    assert list(readings) == [1.5, 2.5, 3.5, 4.5, 5.5]
    heard = (np.frombuffer(pcm(voice), "<i2") / 32_768).astype(np.float32)
    for end, reading in readings.items():
        last = int(end * SAMPLE_RATE)
        expected = recognizer.read_window(heard[max(last - WINDOW_SAMPLES, 0) : last])
        assert list(reading["vector"].values()) == pytest.approx(expected.vector, abs=1e-3)


def test_a_silence_is_told_and_the_voice_fades_from_the_mood(listener, voice):
    listener.hear(voice[: 3 * SAMPLE_RATE])
    assert set(listener.mood.mood.sources) == {"speech"}
    assert list(listener.hear(np.zeros(12 * SAMPLE_RATE)))[-1:] <= [3.0]  # while the voice is in the window still
    assert listener.hearing.take(pcm(np.zeros(PACKET)))["state"] == "silence"
    listener.now += 3
    assert listener.mood.refresh() is None


def test_noise_lowers_what_a_voice_counts(listener, recognizer, voice):
    noise = np.random.default_rng(2).normal(scale=0.08, size=len(voice))
    clear = listener.hear(voice[: 3 * SAMPLE_RATE])
    noisy = Listener(recognizer).hear((voice + noise)[: 3 * SAMPLE_RATE])
    assert noisy[2.5]["weight"] < clear[2.5]["weight"] - 0.1


def test_after_a_gap_it_begins_anew(listener, voice):
    listener.hear(voice[:SAMPLE_RATE])
    listener.now += 10
    assert list(listener.hear(voice[: 2 * SAMPLE_RATE])) == [1.5]


def test_nothing_is_kept_once_its_time_has_passed(listener, voice):
    listener.hear(voice)
    assert len(listener.hearing._window) == WINDOW_SAMPLES
    listener.hearing.fade(listener.now + 1)
    assert len(listener.hearing._window) == WINDOW_SAMPLES
    listener.hearing.fade(listener.now + 3.1)
    assert len(listener.hearing._window) == 0


def test_nothing_is_kept_when_it_is_forgotten(listener, voice):
    listener.hear(voice[:SAMPLE_RATE])
    listener.hearing.forget()
    assert len(listener.hearing._window) == 0
    assert list(listener.hear(voice[: 2 * SAMPLE_RATE])) == [1.5]


def test_a_network_that_stalled_may_catch_up(listener, voice):
    listener.now += 60
    for start in range(0, 3 * SAMPLE_RATE, PACKET):
        listener.hearing.take(pcm(voice[start : start + PACKET]))
    with pytest.raises(SenseError, match="faster than anybody speaks"):
        listener.hearing.take(pcm(voice[:PACKET]))
    listener.now += 0.25
    assert listener.hearing.take(pcm(voice[:PACKET]))["state"] == "speech"
