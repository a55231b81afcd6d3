import itertools
import threading
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.fusion import BASE_RATES, SOURCES, Mood, Reading, Source, fuse
from moodmirror.live.session import Audience
from moodmirror.mood import HISTORY_STEP_SECONDS, LOW_SECONDS, MoodState
from moodmirror.mood_history import MIN_ROWS, MoodHistory

pytestmark = pytest.mark.unit

HAPPY = mood_vector({"happy": 8, "neutral": 2})
SAD = mood_vector({"sad": 8, "neutral": 2})
FEAR = mood_vector({"fear": 8, "neutral": 2})


class Clock:
    """A clock that stands still until a test sets `now`."""

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


def show_face(state, clock, vector, seconds, rate=10):
    """Add readings of one face for `seconds`, `rate` of them a second."""
    for _ in range(round(seconds * rate)):
        clock.now += 1 / rate
        state.update(Reading(vector, "face", 1.0, clock.now))


class TestFuse:
    def test_a_single_reading_is_the_mood(self):
        mood = fuse([Reading(HAPPY, "face", 0.4, 5.0)])
        np.testing.assert_allclose(mood.vector, HAPPY)
        assert (mood.label, mood.name, mood.sources, mood.mixed) == ("happy", "happy", {"face": 1.0}, None)
        assert mood.valence > 0.5

    def test_simultaneous_readings_are_averaged_by_weight(self):
        mood = fuse([Reading(HAPPY, "face", 0.75, 5.0), Reading(SAD, "face", 0.25, 5.0)])
        np.testing.assert_allclose(mood.vector, 0.75 * HAPPY + 0.25 * SAD, atol=1e-6)

    def test_a_reading_has_half_its_weight_after_its_half_life(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(SAD, "face", 1.0, 5.9)])
        np.testing.assert_allclose(mood.vector, HAPPY / 3 + SAD * 2 / 3, atol=1e-6)

    def test_a_chosen_mood_overrides_all_sources_and_does_not_fade(self):
        mood = fuse([Reading(SAD, "chosen", 1.0, 5.0), Reading(HAPPY, "face", 1.0, 500.0)])
        assert (mood.label, mood.sources, mood.mixed) == ("sad", {"chosen": 1.0}, None)

    def test_a_source_has_the_weight_of_its_strongest_reading_whatever_their_number(self):
        frames = [Reading(HAPPY, "face", 1.0, 5.0)] * 100
        mood = fuse([*frames, Reading(SAD, "text", 0.5, 5.0)])
        assert mood.sources == pytest.approx({"face": 2 / 3, "text": 1 / 3})
        np.testing.assert_allclose(mood.vector, fuse([frames[0], Reading(SAD, "text", 0.5, 5.0)]).vector, atol=1e-6)

    def test_an_emotion_that_both_sources_find_likely_becomes_likelier(self):
        leaning = mood_vector({"happy": 5, "surprise": 4, "neutral": 1})
        another = mood_vector({"happy": 5, "sad": 4, "neutral": 1})
        mood = fuse([Reading(leaning, "face", 1.0, 5.0), Reading(another, "speech", 1.0, 5.0)])
        assert mood.label == "happy"
        assert mood.confidence > 0.7
        assert mood.mixed is None

    def test_a_uniform_reading_changes_little(self):
        nothing = mood_vector(dict.fromkeys(EMOTIONS, 1))
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(nothing, "speech", 1.0, 5.0)])
        np.testing.assert_allclose(mood.vector, HAPPY, atol=0.08)

    def test_two_sources_at_their_base_rates_do_not_make_a_rare_emotion_rarer(self):
        usual = {source: np.array(BASE_RATES[source], dtype=np.float32) for source in ("face", "speech")}
        mood = fuse([Reading(usual["face"], "face", 1.0, 5.0), Reading(usual["speech"], "speech", 1.0, 5.0)])
        disgust = EMOTIONS.index("disgust")
        assert usual["face"][disgust] < mood.vector[disgust] < usual["speech"][disgust]

    def test_the_share_of_text_falls_with_its_age(self):
        shares = [
            fuse([Reading(SAD, "text", 0.9, 0.0), Reading(HAPPY, "face", 1.0, now)], now).sources["text"]
            for now in (0.0, 30.0, 60.0, 180.0)
        ]
        assert shares == pytest.approx([0.9 / 1.9, 0.45 / 1.45, 0.225 / 1.225, 0.9 / 64 / (1 + 0.9 / 64)])

    def test_clear_speech_counts_more_than_noisy_speech(self):
        clear, noisy = (
            fuse([Reading(SAD, "speech", weight, 0.0), Reading(HAPPY, "face", 1.0, 0.0)], 0.0).sources["speech"]
            for weight in (0.9, 0.2)
        )
        assert clear > 2 * noisy

    def test_contributions_hold_each_sources_vector_and_time(self):
        mood = fuse([Reading(SAD, "text", 0.5, 3.0), Reading(HAPPY, "face", 1.0, 4.0)], now=5.0)
        text, face = mood.contributions["text"], mood.contributions["face"]
        assert (text.label, text.at, face.label, face.at) == ("sad", 3.0, "happy", 4.0)
        assert text.confidence == pytest.approx(0.8)
        assert text.share + face.share == pytest.approx(1)

    def test_very_old_readings_are_fused_without_underflow(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 0.0), Reading(SAD, "speech", 1.0, 0.0)], now=1e6)
        assert mood.label == "sad"  # the one that fades more slowly
        assert float(mood.vector.sum()) == pytest.approx(1)

    def test_no_readings_raise_an_error(self):
        with pytest.raises(ValueError, match="no reading"):
            fuse([])

    @pytest.mark.parametrize(
        ("vector", "weight"),
        [(HAPPY * 2, 1.0), (-HAPPY, 1.0), (HAPPY[:6], 1.0), (HAPPY * np.nan, 1.0), (HAPPY, 0.0), (HAPPY, 1.5)],
    )
    def test_invalid_readings_raise_an_error(self, vector, weight):
        with pytest.raises(ValueError, match="reading"):
            Reading(vector, "face", weight, 0.0)


class TestConflict:
    def test_a_happy_face_and_sad_text_are_mixed_and_both_stay_visible(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(SAD, "text", 0.8, 5.0)])
        assert mood.mixed == ("happy", "sad")
        assert mood.name == "mixed: happy and sad"
        assert mood.label == "happy"
        shares = {emotion: float(share) for emotion, share in zip(EMOTIONS, mood.vector, strict=True)}
        assert min(shares["happy"], shares["sad"]) > 0.25
        assert max(share for emotion, share in shares.items() if emotion not in mood.mixed) < 0.25

    def test_a_neutral_face_does_not_contradict_text(self):
        mood = fuse([Reading(mood_vector({"neutral": 1}), "face", 1.0, 5.0), Reading(SAD, "text", 0.9, 5.0)])
        assert mood.mixed is None

    def test_an_uncertain_source_contradicts_no_other(self):
        unsure = mood_vector({"sad": 4, "happy": 3, "neutral": 3})
        assert fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(unsure, "text", 1.0, 5.0)]).mixed is None

    def test_a_mixed_mood_names_the_strongest_conflict(self):
        angry = mood_vector({"angry": 1})
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(HAPPY, "speech", 0.4, 5.0), Reading(angry, "text", 0.9, 5.0)])
        assert mood.mixed == ("happy", "angry")

    def test_a_leading_third_emotion_is_the_mood(self):
        """One source is half happy, one half sad, and both are half surprised: surprise is what they share."""
        happy, sad = mood_vector({"happy": 5, "surprise": 5}), mood_vector({"sad": 5, "surprise": 5})
        mood = fuse([Reading(happy, "face", 1.0, 5.0), Reading(sad, "text", 1.0, 5.0)])
        assert (mood.name, mood.mixed) == ("surprise", None)

    def test_text_of_a_minute_ago_contradicts_no_more(self, state, clock):
        state.update(Reading(SAD, "text", 0.9, clock.now))
        show_face(state, clock, HAPPY, 1)
        assert state.mood.mixed == ("happy", "sad")
        show_face(state, clock, HAPPY, 90)
        assert (state.mood.name, set(state.mood.sources)) == ("happy", {"face", "text"})

    def test_a_mood_at_the_threshold_of_mixed_does_not_flicker(self, state, clock):
        rng = np.random.default_rng(5)
        state.update(Reading(mood_vector({"sad": 1}), "speech", 0.9, clock.now))
        names = []
        for _ in range(100):
            sure = rng.uniform(0.62, 0.8)
            state.update(Reading(mood_vector({"sad": 0.85, "neutral": 0.15}), "text", 1.0, clock.now))
            show_face(state, clock, mood_vector({"happy": sure, "neutral": 1 - sure}), 0.1)
            names.append(state.mood.name)
        assert "mixed: happy and sad" in names or "mixed: sad and happy" in names
        assert sum(before != after for before, after in itertools.pairwise(names)) <= 3

    def test_a_new_conflict_replaces_the_first(self, state, clock):
        state.update(Reading(SAD, "text", 0.9, clock.now))
        show_face(state, clock, HAPPY, 2)
        show_face(state, clock, mood_vector({"angry": 9, "neutral": 1}), 3)
        assert set(state.mood.mixed) == {"angry", "sad"}


# No deadlines: the machine may be busy.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
WEIGHTS = st.floats(0.01, 1)
SECONDS = st.floats(0, 300)
VECTORS = (
    arrays(np.float32, 7, elements=st.floats(0, 1, width=32)).filter(lambda v: v.sum() > 0.01).map(lambda v: v / v.sum())
)

# Vectors over at most two emotions, as in sources that contradict each other.
SURE = st.builds(
    lambda one, other, sure: mood_vector({one: sure}) * sure + mood_vector({other: 1}) * (1 - sure),
    st.sampled_from(EMOTIONS),
    st.sampled_from(EMOTIONS),
    st.floats(0.5, 1),
)


@st.composite
def readings(draw: st.DrawFn, sources: tuple[Source, ...] = ("face", "speech", "text")) -> list[Reading]:
    count = draw(st.integers(1, 6))
    return [Reading(draw(VECTORS), draw(st.sampled_from(sources)), draw(WEIGHTS), draw(SECONDS)) for _ in range(count)]


class TestProperties:
    @UNHURRIED
    @given(readings(), SECONDS)
    def test_any_readings_make_a_valid_mood(self, given_readings, later):
        mood = fuse(given_readings, 300 + later)
        assert float(mood.vector.sum()) == pytest.approx(1, abs=1e-4)
        assert mood.vector.min() >= 0
        assert sum(mood.sources.values()) == pytest.approx(1)
        assert set(mood.sources) == {reading.source for reading in given_readings}
        assert 0 <= mood.conflict <= 1
        assert -1 <= mood.valence <= 1
        assert -1 <= mood.arousal <= 1
        if mood.mixed:
            assert mood.mixed[0] != mood.mixed[1]
            assert set(mood.mixed) <= {contribution.label for contribution in mood.contributions.values()} - {"neutral"}

    @UNHURRIED
    @given(st.lists(st.tuples(SURE, st.sampled_from(("face", "speech", "text")), WEIGHTS, st.floats(0, 10)), min_size=3))
    def test_a_mixed_mood_never_lags_behind_another_emotion(self, steps):
        clock = Clock()
        state = MoodState(clock)
        for vector, source, weight, later in steps:
            clock.now += later
            mood = state.update(Reading(vector, source, weight, clock.now))
            if mood.mixed:
                shares = dict(zip(EMOTIONS, mood.vector, strict=True))
                assert mood.label in mood.mixed
                assert max(shares.values()) - max(shares[emotion] for emotion in mood.mixed) < 0.1

    @UNHURRIED
    @given(readings())
    def test_the_order_of_readings_does_not_matter(self, given_readings):
        one, other = fuse(given_readings, 300.0), fuse(given_readings[::-1], 300.0)
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-4)
        assert one.conflict == pytest.approx(other.conflict, abs=1e-4)

    @UNHURRIED
    @given(VECTORS, st.sampled_from(("face", "speech", "text")), WEIGHTS, SECONDS)
    def test_a_single_source_is_returned_unchanged(self, vector, source, weight, age):
        np.testing.assert_allclose(fuse([Reading(vector, source, weight, 0.0)], age).vector, vector, atol=1e-5)

    @UNHURRIED
    @given(face=VECTORS, text=VECTORS, weight=WEIGHTS, other=WEIGHTS, age=st.floats(0, 60), more=st.floats(0.1, 60))
    def test_the_share_of_a_reading_falls_as_it_ages(self, *, face, text, weight, other, age, more):
        """A face that is read on and on, and text written once: the share of the text falls as time passes."""

        def share(now: float) -> float:
            return fuse([Reading(face, "face", weight, now), Reading(text, "text", other, 0.0)], now).sources["text"]

        assert share(age + more) < share(age)

    @UNHURRIED
    @given(VECTORS, VECTORS, VECTORS)
    def test_old_readings_have_no_effect(self, face, speech, text):
        """Readings of 15 minutes ago don't move the mood, whatever their weight."""
        old = [Reading(speech, "speech", 1.0, 0.0), Reading(text, "text", 1.0, 0.0)]
        mood = fuse([*old, Reading(face, "face", 0.1, 900.0)], 900.0)
        np.testing.assert_allclose(mood.vector, fuse([Reading(face, "face", 0.1, 900.0)]).vector, atol=0.08)

    @UNHURRIED
    @given(VECTORS, readings(), st.floats(0, 1e5))
    def test_a_chosen_mood_is_the_mood(self, chosen, others, later):
        mood = fuse([*others, Reading(chosen, "chosen", 1.0, 0.0)], 300 + later)
        np.testing.assert_allclose(mood.vector, chosen, atol=1e-6)
        assert (mood.sources, mood.mixed) == ({"chosen": 1.0}, None)

    @UNHURRIED
    @given(st.lists(st.one_of(readings(), st.floats(0, 400)), max_size=12), st.integers(0, 12))
    def test_clearing_leaves_nothing(self, steps, when):
        """After `clear`, a state equals a new one that receives only the later readings."""
        clock = Clock()
        used = MoodState(clock)
        for number, step in enumerate(steps):
            if number == min(when, len(steps) - 1):
                used.clear()
                assert (used.mood, used.history) == (None, [])
                fresh = MoodState(clock)
            if isinstance(step, float):
                clock.now += step
                continue
            for reading in step:
                now = replace(reading, at=clock.now)
                used.update(now)
                if number >= min(when, len(steps) - 1):
                    fresh.update(now)
        if steps:
            one, other = used.refresh(), fresh.refresh()
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                np.testing.assert_array_equal(one.vector, other.vector)
                assert (one.name, one.sources) == (other.name, other.sources)
            assert [mood.at for mood in used.history] == [mood.at for mood in fresh.history]


class TestMoodHistory:
    @UNHURRIED
    @given(readings(), st.lists(readings(), max_size=20), st.integers(0, 70))
    def test_holds_the_last_moods_in_order_whatever_their_sources(self, first, groups, later):
        """The number of sources grows after the buffer has wrapped round: all rows are copied into a wider array."""
        history = MoodHistory(MIN_ROWS + 8)
        groups = [first[:1]] * 45 + groups
        moods = [fuse([replace(reading, at=float(at)) for reading in group], float(at)) for at, group in enumerate(groups)]
        for mood in moods:
            history.append(mood)
            assert history.newest_at == mood.at
        stored, expected = history.after(later), [mood for mood in moods[-MIN_ROWS - 8 :] if mood.at > later]
        assert [(mood.at, mood.name, list(mood.contributions)) for mood in stored] == [
            (mood.at, mood.name, list(mood.contributions)) for mood in expected
        ]
        for one, other in zip(stored, expected, strict=True):
            np.testing.assert_array_equal(one.vector, other.vector)
            for source, contribution in other.contributions.items():
                np.testing.assert_array_equal(one.contributions[source].vector, contribution.vector)
        vectors = history.vectors_after(later)
        np.testing.assert_array_equal(vectors, np.array([mood.vector for mood in expected]).reshape(-1, len(EMOTIONS)))

    def test_moods_that_were_returned_do_not_change_when_their_rows_are_overwritten(self):
        history = MoodHistory(2)
        history.append(fuse([Reading(HAPPY, "face", 1.0, 0.0)]))
        [mood], vectors = history.after(-1.0), history.vectors_after(-1.0)
        for at in range(1, 4):
            history.append(fuse([Reading(SAD, "face", 1.0, float(at))]))
        for vector in (mood.vector, mood.contributions["face"].vector, vectors[0]):
            np.testing.assert_array_equal(vector, HAPPY)

    def test_a_full_history_needs_little_memory(self):
        """Visitors are many: 600 moods of one source take 53 KB, of three sources 107 KB."""
        for sources, limit in ((SOURCES[:1], 55_000), (SOURCES[:3], 110_000)):
            mood = fuse([Reading(HAPPY, source, 1.0, 0.0) for source in sources])
            tracemalloc.start()
            history = MoodHistory(600)
            for at in range(700):
                history.append(replace(mood, at=float(at)))
            size, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert size < limit
            assert len(history.after(-1.0)) == 600


class TestMoodState:
    def test_is_empty_at_first(self, state):
        assert state.mood is None
        assert state.history == []

    def test_follows_a_changed_face_within_two_seconds(self, state, clock):
        show_face(state, clock, HAPPY, 5)
        assert state.mood.label == "happy"
        show_face(state, clock, SAD, 2)
        assert state.mood.label == "sad"

    def test_one_wrong_frame_does_not_change_the_label(self, state, clock):
        show_face(state, clock, HAPPY, 3)
        show_face(state, clock, mood_vector({"fear": 1}), 0.1)
        assert state.mood.label == "happy"

    def test_two_nearly_equal_emotions_do_not_flicker(self, state, clock):
        rng = np.random.default_rng(3)
        labels = []
        for _ in range(200):
            lead = rng.uniform(-0.04, 0.04)
            show_face(state, clock, mood_vector({"happy": 0.5 + lead, "surprise": 0.5 - lead}), 0.1)
            labels.append(state.mood.label)
        assert sum(before != after for before, after in itertools.pairwise(labels)) <= 1

    def test_a_face_that_left_is_removed(self, state, clock):
        show_face(state, clock, HAPPY, 1)
        clock.now += 5
        assert state.refresh() is None

    def test_each_source_expires_after_its_own_time(self, state, clock):
        state.update(Reading(SAD, "text", 0.8, clock.now))
        state.update(Reading(SAD, "speech", 0.8, clock.now))
        show_face(state, clock, HAPPY, 1)
        assert set(state.mood.sources) == {"face", "speech", "text"}
        clock.now += 5
        assert set(state.refresh().sources) == {"speech", "text"}
        clock.now += 10
        assert set(state.refresh().sources) == {"text"}
        clock.now += 180
        assert state.refresh() is None

    def test_frames_do_not_displace_text(self, state, clock):
        state.update(Reading(SAD, "text", 0.8, clock.now))
        show_face(state, clock, HAPPY, 20, rate=30)
        assert 0.2 < state.mood.sources["text"] < 0.45

    def test_only_the_newest_text_counts(self, state, clock):
        state.update(Reading(SAD, "text", 1.0, clock.now))
        state.update(Reading(HAPPY, "text", 0.3, clock.now))
        np.testing.assert_allclose(state.mood.vector, HAPPY, atol=1e-6)

    def test_a_changed_tone_of_voice_leads_within_three_readings(self, state, clock):
        for vector in [HAPPY] * 12 + [SAD] * 3:
            clock.now += 1
            state.update(Reading(vector, "speech", 0.7, clock.now))
        assert state.mood.label == "sad"

    def test_one_source_can_be_cleared_alone(self, state, clock):
        state.update(Reading(SAD, "text", 1.0, clock.now))
        show_face(state, clock, HAPPY, 1)
        state.clear("text")
        assert state.mood.sources == {"face": 1.0}
        assert len(state.history) >= 1

    def test_a_mood_that_was_cleared_is_told_from_one_that_expired(self, state, clock):
        notified: list[Mood | None] = []
        state.subscribe(notified.append)
        show_face(state, clock, HAPPY, 1)
        clock.now += 10
        assert state.refresh() is None
        assert not state.was_cleared
        state.clear("face")
        assert state.was_cleared
        assert notified[-2:] == [None, None]  # clearing is news, although there was no mood any more
        show_face(state, clock, HAPPY, 1)
        assert not state.was_cleared
        state.clear("text")
        assert not state.was_cleared

    def test_held_readings_neither_fade_nor_expire_and_are_fused_with_other_sources(self, state, clock):
        state.hold([Reading(HAPPY, "face", 0.8, clock.now), Reading(HAPPY, "speech", 0.8, clock.now)])
        show_face(state, clock, SAD, 2)  # a live face does not count beside a held one
        assert set(state.mood.sources) == {"face", "speech"}
        assert state.mood.label == "happy"
        before = state.mood.vector
        clock.now += 1000
        np.testing.assert_allclose(state.refresh().vector, before, atol=1e-6)
        state.update(Reading(SAD, "text", 1.0, clock.now))
        assert set(state.mood.sources) == {"face", "speech", "text"}
        state.update(Reading(FEAR, "chosen", 1.0, clock.now))
        assert state.mood.label == "fear"
        state.clear("chosen")
        state.hold([])
        assert set(state.mood.sources) == {"text"}
        assert not state.was_cleared
        state.clear("text")
        assert state.was_cleared

    @pytest.mark.parametrize("removal", ["hold", "clear"])
    def test_held_readings_end_when_they_are_removed(self, state, clock, removal):
        state.hold([Reading(HAPPY, "face", 0.8, clock.now)])
        assert state.holds_readings
        if removal == "hold":
            state.hold([])
        else:
            state.clear()
        assert state.mood is None
        assert state.was_cleared
        assert not state.holds_readings

    def test_text_names_the_mood_at_once(self, state, clock):
        nearly = np.array([0, 0, 0, 0.48, 0.52, 0, 0], dtype=np.float32)
        state.update(Reading(nearly[[0, 1, 2, 4, 3, 5, 6]], "text", 1.0, clock.now))
        assert state.mood.label == "happy"
        state.update(Reading(nearly, "text", 1.0, clock.now))
        assert state.mood.label == "sad"

    def test_a_chosen_mood_holds_until_it_is_cleared(self, state, clock):
        show_face(state, clock, HAPPY, 1)
        state.update(Reading(SAD, "chosen", 1.0, clock.now))
        show_face(state, clock, HAPPY, 30)
        assert state.mood.label == "sad"
        state.clear("chosen")
        assert state.mood.label == "happy"

    def test_subscribers_are_notified_only_of_changes(self, state, clock):
        notified: list[Mood | None] = []
        unsubscribe = state.subscribe(notified.append)
        show_face(state, clock, HAPPY, 2)
        assert len(notified) == 1  # the same mood again is no change
        show_face(state, clock, SAD, 1)
        assert len(notified) > 1
        clock.now += 10
        state.refresh()
        state.refresh()
        assert notified[-1] is None
        assert notified.count(None) == 1
        unsubscribe()
        known = len(notified)
        show_face(state, clock, HAPPY, 1)
        assert len(notified) == known

    def test_history_is_limited_and_can_be_cleared(self, state, clock):
        show_face(state, clock, HAPPY, 5)
        assert 4 <= len(state.history) <= 6
        show_face(state, clock, SAD, 700, rate=2)
        assert len(state.history) == 600
        state.clear_history()
        assert (state.mood.label, state.history) == ("sad", [])
        show_face(state, clock, SAD, 3)
        assert len(state.history) == 3
        state.clear()
        assert (state.mood, state.history) == (None, [])

    @UNHURRIED
    @given(readings())
    def test_history_returns_each_mood_as_it_was(self, given_readings):
        clock = Clock()
        state, moods = MoodState(clock), []
        for reading in given_readings:
            clock.now += HISTORY_STEP_SECONDS
            moods.append(state.update(replace(reading, at=clock.now)))
        for stored, mood in zip(state.history, moods, strict=True):
            assert (stored.name, stored.label, stored.mixed, stored.at) == (mood.name, mood.label, mood.mixed, mood.at)
            np.testing.assert_array_equal(stored.vector, mood.vector)
            assert stored.conflict == pytest.approx(mood.conflict, abs=1e-6)
            assert list(stored.contributions) == list(mood.contributions)
            for source, contribution in mood.contributions.items():
                np.testing.assert_array_equal(stored.contributions[source].vector, contribution.vector)
                assert stored.contributions[source].at == contribution.at
                assert stored.contributions[source].weight == pytest.approx(contribution.weight, rel=1e-5)
                assert stored.contributions[source].share == pytest.approx(contribution.share, rel=1e-5)

    def test_only_a_mood_that_is_very_low_for_minutes_is_low_for_long(self, state, clock):
        published = []
        audience = Audience("a visitor", state, lambda event, content, to: published.append((event, content)), lambda: None)

        def live(vector, seconds):
            for _ in range(seconds):
                show_face(state, clock, vector, 1, rate=2)
                audience.publish(clock.now)

        live(SAD, LOW_SECONDS - 70)
        assert ("low", True) not in published
        live(SAD, 70)
        assert published.count(("low", True)) == 1
        live(HAPPY, 120)
        assert published.count(("low", False)) == 1
        state.clear()
        assert not state.is_low_for_long

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
