import itertools
import threading

import numpy as np
import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.fusion import Mood, Reading, fuse
from moodmirror.mood import MoodState

HAPPY = mood_vector({"happy": 8, "neutral": 2})
SAD = mood_vector({"sad": 8, "neutral": 2})


class Clock:
    """Seconds that pass when told to."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def state(clock):
    return MoodState(clock)


def watch(state, clock, vector, seconds, rate=10):
    """Feed readings of a face at so many frames a second."""
    for _ in range(round(seconds * rate)):
        clock.now += 1 / rate
        state.update(Reading(vector, "face", 1.0, clock.now))


class TestFuse:
    def test_one_reading_is_the_mood(self):
        mood = fuse([Reading(HAPPY, "face", 0.4, 5.0)])
        np.testing.assert_allclose(mood.vector, HAPPY)
        assert (mood.label, mood.sources) == ("happy", {"face": 1.0})
        assert mood.valence > 0.5

    def test_weights_decide_between_readings_of_one_moment(self):
        mood = fuse([Reading(HAPPY, "face", 0.75, 5.0), Reading(SAD, "face", 0.25, 5.0)])
        np.testing.assert_allclose(mood.vector, 0.75 * HAPPY + 0.25 * SAD, atol=1e-6)

    def test_a_reading_counts_half_after_its_half_life(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(SAD, "face", 1.0, 5.9)])
        np.testing.assert_allclose(mood.vector, HAPPY / 3 + SAD * 2 / 3, atol=1e-6)

    def test_a_chosen_mood_overrules_all_and_does_not_fade(self):
        mood = fuse([Reading(SAD, "chosen", 1.0, 5.0), Reading(HAPPY, "face", 1.0, 500.0)])
        assert (mood.label, mood.sources) == ("sad", {"chosen": 1.0})

    def test_a_source_counts_as_its_surest_reading_however_many_it_gives(self):
        frames = [Reading(HAPPY, "face", 1.0, 5.0)] * 100
        mood = fuse([*frames, Reading(SAD, "text", 0.5, 5.0)])
        np.testing.assert_allclose(mood.vector, HAPPY * 2 / 3 + SAD / 3, atol=1e-6)
        assert mood.sources == pytest.approx({"face": 2 / 3, "text": 1 / 3})

    def test_words_give_way_to_a_face_with_time(self):
        shares = [
            fuse([Reading(SAD, "text", 0.9, 0.0), Reading(HAPPY, "face", 1.0, now)], now).sources["text"]
            for now in (0.0, 30.0, 60.0, 180.0)
        ]
        assert shares == pytest.approx([0.9 / 1.9, 0.45 / 1.45, 0.225 / 1.225, 0.9 / 64 / (1 + 0.9 / 64)])

    def test_a_clear_voice_counts_more_than_one_in_noise(self):
        clear, noisy = (
            fuse([Reading(SAD, "speech", weight, 0.0), Reading(HAPPY, "face", 1.0, 0.0)], 0.0).sources["speech"]
            for weight in (0.9, 0.2)
        )
        assert clear > 2 * noisy

    def test_very_old_readings_still_make_a_mood(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 0.0), Reading(SAD, "speech", 1.0, 0.0)], now=1e6)
        assert mood.label == "sad"  # the one that fades more slowly
        assert float(mood.vector.sum()) == pytest.approx(1)

    def test_nothing_to_fuse_is_an_error(self):
        with pytest.raises(ValueError, match="no reading"):
            fuse([])

    @pytest.mark.parametrize(
        ("vector", "weight"),
        [(HAPPY * 2, 1.0), (-HAPPY, 1.0), (HAPPY[:6], 1.0), (HAPPY * np.nan, 1.0), (HAPPY, 0.0), (HAPPY, 1.5)],
    )
    def test_impossible_readings_are_refused(self, vector, weight):
        with pytest.raises(ValueError, match="reading"):
            Reading(vector, "face", weight, 0.0)


class TestMoodState:
    def test_knows_nothing_at_first(self, state):
        assert state.mood is None
        assert state.history == []

    def test_follows_a_changed_face_within_two_seconds(self, state, clock):
        watch(state, clock, HAPPY, 5)
        assert state.mood.label == "happy"
        watch(state, clock, SAD, 2)
        assert state.mood.label == "sad"

    def test_one_odd_frame_does_not_turn_the_label(self, state, clock):
        watch(state, clock, HAPPY, 3)
        watch(state, clock, mood_vector({"fear": 1}), 0.1)
        assert state.mood.label == "happy"

    def test_two_level_emotions_do_not_flicker(self, state, clock):
        rng = np.random.default_rng(3)
        labels = []
        for _ in range(200):
            lead = rng.uniform(-0.04, 0.04)
            watch(state, clock, mood_vector({"happy": 0.5 + lead, "surprise": 0.5 - lead}), 0.1)
            labels.append(state.mood.label)
        assert sum(before != after for before, after in itertools.pairwise(labels)) <= 1

    def test_forgets_a_face_that_left(self, state, clock):
        watch(state, clock, HAPPY, 1)
        clock.now += 5
        assert state.refresh() is None

    def test_each_source_is_remembered_for_its_own_time(self, state, clock):
        state.update(Reading(SAD, "text", 0.8, clock.now))
        state.update(Reading(SAD, "speech", 0.8, clock.now))
        watch(state, clock, HAPPY, 1)
        assert set(state.mood.sources) == {"face", "speech", "text"}
        clock.now += 5
        assert set(state.refresh().sources) == {"speech", "text"}
        clock.now += 10
        assert set(state.refresh().sources) == {"text"}
        clock.now += 180
        assert state.refresh() is None

    def test_frames_never_push_out_what_was_written(self, state, clock):
        state.update(Reading(SAD, "text", 0.8, clock.now))
        watch(state, clock, HAPPY, 20, rate=30)
        assert 0.2 < state.mood.sources["text"] < 0.45

    def test_of_what_is_written_the_last_word_counts(self, state, clock):
        state.update(Reading(SAD, "text", 1.0, clock.now))
        state.update(Reading(HAPPY, "text", 0.3, clock.now))
        np.testing.assert_allclose(state.mood.vector, HAPPY, atol=1e-6)

    def test_a_changed_voice_leads_within_three_readings(self, state, clock):
        for vector in [HAPPY] * 12 + [SAD] * 3:
            clock.now += 1
            state.update(Reading(vector, "speech", 0.7, clock.now))
        assert state.mood.label == "sad"

    def test_one_source_can_be_forgotten_alone(self, state, clock):
        state.update(Reading(SAD, "text", 1.0, clock.now))
        watch(state, clock, HAPPY, 1)
        state.forget("text")
        assert state.mood.sources == {"face": 1.0}
        assert len(state.history) >= 1

    def test_a_chosen_mood_holds_until_it_is_let_go(self, state, clock):
        watch(state, clock, HAPPY, 1)
        state.update(Reading(SAD, "chosen", 1.0, clock.now))
        watch(state, clock, HAPPY, 30)
        assert state.mood.label == "sad"
        state.release()
        assert state.mood.label == "happy"

    def test_tells_subscribers_only_about_changes(self, state, clock):
        told: list[Mood | None] = []
        unsubscribe = state.subscribe(told.append)
        watch(state, clock, HAPPY, 2)
        assert len(told) == 1  # the same again is no news
        watch(state, clock, SAD, 1)
        assert len(told) > 1
        clock.now += 10
        state.refresh()
        state.refresh()
        assert told[-1] is None
        assert told.count(None) == 1
        unsubscribe()
        known = len(told)
        watch(state, clock, HAPPY, 1)
        assert len(told) == known

    def test_keeps_a_short_history_and_forgets_it_on_request(self, state, clock):
        watch(state, clock, HAPPY, 5)
        assert 4 <= len(state.history) <= 6
        watch(state, clock, SAD, 700, rate=2)
        assert len(state.history) == 600
        state.forget()
        assert (state.mood, state.history) == (None, [])

    def test_is_safe_from_several_threads(self, state, clock):
        failures = []

        def work(vector):
            try:
                for _ in range(300):
                    mood = state.update(Reading(vector, "face", 1.0, clock.now))
                    assert abs(mood.vector.sum() - 1) < 1e-4
                    assert mood.label in EMOTIONS
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(vector,)) for vector in (HAPPY, SAD, HAPPY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
