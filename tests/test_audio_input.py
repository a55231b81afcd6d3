"""When an audio input reads speech, and what it stores, by a clock that the test sets."""

import numpy as np
import pytest

from moodmirror.live.inputs import AudioInput, InputError
from moodmirror.live.message_schemas import AudioAck
from moodmirror.mood import MoodState
from moodmirror.recognition.audio import SAMPLE_RATE
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.speech_features import WINDOW_SAMPLES
from tests.conftest import pcm

pytestmark = pytest.mark.unit

PACKET = SAMPLE_RATE // 4


@pytest.fixture(scope="module")
def recognizer():
    return SpeechEmotionRecognizer.load()


class Microphone:
    """A microphone that sends a packet every quarter of a second."""

    def __init__(self, recognizer):
        self.now = 100.0
        self.mood = MoodState(lambda: self.now)
        self.input = AudioInput(self.mood, lambda: recognizer, lambda: self.now)

    def send(self, samples):
        """Send samples; return the readings by the seconds of audio after which they were made."""
        readings = {}
        for start in range(0, len(samples), PACKET):
            self.now += 0.25
            acknowledgement = self.input.process(pcm(samples[start : start + PACKET]))
            assert isinstance(acknowledgement, AudioAck)
            if acknowledgement.reading:
                readings[(start + PACKET) / SAMPLE_RATE] = acknowledgement.reading
        return readings


@pytest.fixture
def microphone(recognizer):
    return Microphone(recognizer)


def test_a_reading_is_made_every_second_from_the_last_three(microphone, recognizer, voice):
    readings = microphone.send(voice[: 6 * SAMPLE_RATE])
    assert list(readings) == [1.5, 2.5, 3.5, 4.5, 5.5]
    quantized = (np.frombuffer(pcm(voice), "<i2") / 32_768).astype(np.float32)
    for end, reading in readings.items():
        last = int(end * SAMPLE_RATE)
        expected = recognizer.read_window(quantized[max(last - WINDOW_SAMPLES, 0) : last])
        assert list(reading.vector.model_dump().values()) == pytest.approx(expected.vector, abs=1e-3)


def test_silence_is_reported_and_speech_fades_from_the_mood(microphone, voice):
    microphone.send(voice[: 3 * SAMPLE_RATE])
    assert set(microphone.mood.mood.sources) == {"speech"}
    readings = microphone.send(np.zeros(12 * SAMPLE_RATE))
    assert all(seconds <= 3.0 for seconds in readings)  # while the window still contains speech
    assert microphone.input.process(pcm(np.zeros(PACKET))).model_dump()["state"] == "silence"
    microphone.now += 3
    assert microphone.mood.refresh() is None


def test_noise_lowers_the_weight_of_speech(microphone, recognizer, voice):
    noise = np.random.default_rng(2).normal(scale=0.08, size=len(voice))
    clear = microphone.send(voice[: 3 * SAMPLE_RATE])
    noisy = Microphone(recognizer).send((voice + noise)[: 3 * SAMPLE_RATE])
    assert noisy[2.5].weight < clear[2.5].weight - 0.1


def test_after_a_gap_the_window_starts_again(microphone, voice):
    microphone.send(voice[:SAMPLE_RATE])
    microphone.now += 10
    assert list(microphone.send(voice[: 2 * SAMPLE_RATE])) == [1.5]


def test_the_window_is_deleted_once_its_duration_has_passed(microphone, voice):
    microphone.send(voice)
    assert len(microphone.input._window) == WINDOW_SAMPLES
    microphone.input.expire(microphone.now + 1)
    assert len(microphone.input._window) == WINDOW_SAMPLES
    microphone.input.expire(microphone.now + 3.1)
    assert len(microphone.input._window) == 0


def test_the_window_is_deleted_on_request(microphone, voice):
    microphone.send(voice[:SAMPLE_RATE])
    microphone.input.clear()
    assert len(microphone.input._window) == 0
    assert list(microphone.send(voice[: 2 * SAMPLE_RATE])) == [1.5]


def test_a_client_may_catch_up_after_a_network_stall(microphone, voice):
    microphone.now += 60
    for start in range(0, 3 * SAMPLE_RATE, PACKET):
        microphone.input.process(pcm(voice[start : start + PACKET]))
    with pytest.raises(InputError, match="faster than real time"):
        microphone.input.process(pcm(voice[:PACKET]))
    microphone.now += 0.25
    assert microphone.input.process(pcm(voice[:PACKET])).model_dump()["state"] == "speech"
