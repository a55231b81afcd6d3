import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.fusion import BASE_RATES, Mood, Reading, Source, fuse
from moodmirror.live.handlers import Audience
from moodmirror.mood import HISTORY_STEP_SECONDS, LOW_SECONDS, MoodState

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
        assert (mood.label, mood.name, mood.sources, mood.mixed) == ("happy", "happy", {"face": 1.0}, None)
        assert mood.valence > 0.5

    def test_weights_decide_between_readings_of_one_moment(self):
        mood = fuse([Reading(HAPPY, "face", 0.75, 5.0), Reading(SAD, "face", 0.25, 5.0)])
        np.testing.assert_allclose(mood.vector, 0.75 * HAPPY + 0.25 * SAD, atol=1e-6)

    def test_a_reading_counts_half_after_its_half_life(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(SAD, "face", 1.0, 5.9)])
        np.testing.assert_allclose(mood.vector, HAPPY / 3 + SAD * 2 / 3, atol=1e-6)

    def test_a_chosen_mood_overrules_all_and_does_not_fade(self):
        mood = fuse([Reading(SAD, "chosen", 1.0, 5.0), Reading(HAPPY, "face", 1.0, 500.0)])
        assert (mood.label, mood.sources, mood.mixed) == ("sad", {"chosen": 1.0}, None)

    def test_a_source_counts_as_its_surest_reading_however_many_it_gives(self):
        frames = [Reading(HAPPY, "face", 1.0, 5.0)] * 100
        mood = fuse([*frames, Reading(SAD, "text", 0.5, 5.0)])
        assert mood.sources == pytest.approx({"face": 2 / 3, "text": 1 / 3})
        np.testing.assert_allclose(mood.vector, fuse([frames[0], Reading(SAD, "text", 0.5, 5.0)]).vector, atol=1e-6)

    def test_what_both_think_likely_becomes_likelier(self):
        leaning = mood_vector({"happy": 5, "surprise": 4, "neutral": 1})
        another = mood_vector({"happy": 5, "sad": 4, "neutral": 1})
        mood = fuse([Reading(leaning, "face", 1.0, 5.0), Reading(another, "speech", 1.0, 5.0)])
        assert mood.label == "happy"
        assert mood.confidence > 0.7
        assert mood.mixed is None

    def test_who_knows_nothing_changes_little(self):
        nothing = mood_vector(dict.fromkeys(EMOTIONS, 1))
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(nothing, "speech", 1.0, 5.0)])
        np.testing.assert_allclose(mood.vector, HAPPY, atol=0.08)

    def test_two_who_find_a_rare_emotion_as_rare_as_it_is_do_not_make_it_rarer(self):
        usual = {source: np.array(BASE_RATES[source], dtype=np.float32) for source in ("face", "speech")}
        mood = fuse([Reading(usual["face"], "face", 1.0, 5.0), Reading(usual["speech"], "speech", 1.0, 5.0)])
        disgust = EMOTIONS.index("disgust")
        assert usual["face"][disgust] < mood.vector[disgust] < usual["speech"][disgust]

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

    def test_each_source_is_told_with_what_it_said_and_when(self):
        mood = fuse([Reading(SAD, "text", 0.5, 3.0), Reading(HAPPY, "face", 1.0, 4.0)], now=5.0)
        text, face = mood.contributions["text"], mood.contributions["face"]
        assert (text.label, text.at, face.label, face.at) == ("sad", 3.0, "happy", 4.0)
        assert text.confidence == pytest.approx(0.8)
        assert text.share + face.share == pytest.approx(1)

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


class TestConflict:
    def test_a_smile_and_sad_words_are_mixed_and_both_stay_visible(self):
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(SAD, "text", 0.8, 5.0)])
        assert mood.mixed == ("happy", "sad")
        assert mood.name == "mixed: happy and sad"
        assert mood.label == "happy"
        shares = {emotion: float(share) for emotion, share in zip(EMOTIONS, mood.vector, strict=True)}
        assert min(shares["happy"], shares["sad"]) > 0.25
        assert max(share for emotion, share in shares.items() if emotion not in mood.mixed) < 0.25

    def test_a_blank_face_does_not_contradict_words(self):
        mood = fuse([Reading(mood_vector({"neutral": 1}), "face", 1.0, 5.0), Reading(SAD, "text", 0.9, 5.0)])
        assert mood.mixed is None

    def test_whoever_is_unsure_contradicts_nobody(self):
        unsure = mood_vector({"sad": 4, "happy": 3, "neutral": 3})
        assert fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(unsure, "text", 1.0, 5.0)]).mixed is None

    def test_the_two_that_contradict_each_other_most_are_named(self):
        angry = mood_vector({"angry": 1})
        mood = fuse([Reading(HAPPY, "face", 1.0, 5.0), Reading(HAPPY, "speech", 0.4, 5.0), Reading(angry, "text", 0.9, 5.0)])
        assert mood.mixed == ("happy", "angry")

    def test_where_a_third_emotion_leads_the_mood_is_that(self):
        """One voice is happy, one sad, and both half surprised: that is what they share."""
        happy, sad = mood_vector({"happy": 5, "surprise": 5}), mood_vector({"sad": 5, "surprise": 5})
        mood = fuse([Reading(happy, "face", 1.0, 5.0), Reading(sad, "text", 1.0, 5.0)])
        assert (mood.name, mood.mixed) == ("surprise", None)

    def test_words_of_a_minute_ago_contradict_no_more(self, state, clock):
        state.update(Reading(SAD, "text", 0.9, clock.now))
        watch(state, clock, HAPPY, 1)
        assert state.mood.mixed == ("happy", "sad")
        watch(state, clock, HAPPY, 90)
        assert (state.mood.name, set(state.mood.sources)) == ("happy", {"face", "text"})

    def test_a_mood_between_mixed_and_not_does_not_flicker(self, state, clock):
        rng = np.random.default_rng(5)
        state.update(Reading(mood_vector({"sad": 1}), "speech", 0.9, clock.now))
        names = []
        for _ in range(100):
            sure = rng.uniform(0.62, 0.8)
            state.update(Reading(mood_vector({"sad": 0.85, "neutral": 0.15}), "text", 1.0, clock.now))
            watch(state, clock, mood_vector({"happy": sure, "neutral": 1 - sure}), 0.1)
            names.append(state.mood.name)
        assert "mixed: happy and sad" in names or "mixed: sad and happy" in names
        assert sum(before != after for before, after in itertools.pairwise(names)) <= 3

    def test_another_conflict_takes_the_place_of_the_first(self, state, clock):
        state.update(Reading(SAD, "text", 0.9, clock.now))
        watch(state, clock, HAPPY, 2)
        watch(state, clock, mood_vector({"angry": 9, "neutral": 1}), 3)
        assert set(state.mood.mixed) == {"angry", "sad"}


# A busy machine may take its time.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
WEIGHTS = st.floats(0.01, 1)
SECONDS = st.floats(0, 300)
VECTORS = (
    arrays(np.float32, 7, elements=st.floats(0, 1, width=32)).filter(lambda v: v.sum() > 0.01).map(lambda v: v / v.sum())
)

# A source that thinks of two emotions at most, as those that contradict each other do.
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
    def test_a_mood_is_a_mood_whatever_was_read(self, given_readings, later):
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
            assert set(mood.mixed) <= {said.label for said in mood.contributions.values()} - {"neutral"}

    @UNHURRIED
    @given(st.lists(st.tuples(SURE, st.sampled_from(("face", "speech", "text")), WEIGHTS, st.floats(0, 10)), min_size=3))
    def test_a_mood_is_never_named_by_a_conflict_that_another_emotion_leads_over(self, told):
        clock = Clock()
        state = MoodState(clock)
        for vector, source, weight, later in told:
            clock.now += later
            mood = state.update(Reading(vector, source, weight, clock.now))
            if mood.mixed:
                shares = dict(zip(EMOTIONS, mood.vector, strict=True))
                assert mood.label in mood.mixed
                assert max(shares.values()) - max(shares[emotion] for emotion in mood.mixed) < 0.1

    @UNHURRIED
    @given(readings())
    def test_their_order_does_not_matter(self, given_readings):
        one, other = fuse(given_readings, 300.0), fuse(given_readings[::-1], 300.0)
        np.testing.assert_allclose(one.vector, other.vector, atol=1e-4)
        assert one.conflict == pytest.approx(other.conflict, abs=1e-4)

    @UNHURRIED
    @given(VECTORS, st.sampled_from(("face", "speech", "text")), WEIGHTS, SECONDS)
    def test_a_source_alone_is_believed_as_it_is(self, vector, source, weight, age):
        np.testing.assert_allclose(fuse([Reading(vector, source, weight, 0.0)], age).vector, vector, atol=1e-5)

    @UNHURRIED
    @given(face=VECTORS, text=VECTORS, weight=WEIGHTS, other=WEIGHTS, age=st.floats(0, 60), more=st.floats(0.1, 60))
    def test_what_is_not_said_again_counts_less_and_less(self, *, face, text, weight, other, age, more):
        """A face that goes on, and words that were written once: their share falls as time passes."""

        def share(now: float) -> float:
            return fuse([Reading(face, "face", weight, now), Reading(text, "text", other, 0.0)], now).sources["text"]

        assert share(age + more) < share(age)

    @UNHURRIED
    @given(VECTORS, VECTORS, VECTORS)
    def test_far_back_is_gone(self, face, speech, text):
        """What is old enough moves nothing, however sure it was."""
        old = [Reading(speech, "speech", 1.0, 0.0), Reading(text, "text", 1.0, 0.0)]
        mood = fuse([*old, Reading(face, "face", 0.1, 900.0)], 900.0)
        np.testing.assert_allclose(mood.vector, fuse([Reading(face, "face", 0.1, 900.0)]).vector, atol=0.08)

    @UNHURRIED
    @given(VECTORS, readings(), st.floats(0, 1e5))
    def test_what_is_chosen_by_hand_is_the_mood(self, chosen, others, later):
        mood = fuse([*others, Reading(chosen, "chosen", 1.0, 0.0)], 300 + later)
        np.testing.assert_allclose(mood.vector, chosen, atol=1e-6)
        assert (mood.sources, mood.mixed) == ({"chosen": 1.0}, None)

    @UNHURRIED
    @given(st.lists(st.one_of(readings(), st.floats(0, 400)), max_size=12), st.integers(0, 12))
    def test_forgetting_leaves_nothing(self, steps, when):
        """Whatever came before it: after `clear` a state is as one that has seen only what came after."""
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
        state.clear("text")
        assert state.mood.sources == {"face": 1.0}
        assert len(state.history) >= 1

    def test_a_chosen_mood_holds_until_it_is_let_go(self, state, clock):
        watch(state, clock, HAPPY, 1)
        state.update(Reading(SAD, "chosen", 1.0, clock.now))
        watch(state, clock, HAPPY, 30)
        assert state.mood.label == "sad"
        state.clear("chosen")
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
        state.clear_history()
        assert (state.mood.label, state.history) == ("sad", [])
        watch(state, clock, SAD, 3)
        assert len(state.history) == 3
        state.clear()
        assert (state.mood, state.history) == (None, [])

    @UNHURRIED
    @given(readings())
    def test_the_course_keeps_what_each_mood_was(self, given_readings):
        clock = Clock()
        state, moods = MoodState(clock), []
        for reading in given_readings:
            clock.now += HISTORY_STEP_SECONDS
            moods.append(state.update(replace(reading, at=clock.now)))
        for kept, mood in zip(state.history, moods, strict=True):
            assert (kept.name, kept.label, kept.mixed, kept.at) == (mood.name, mood.label, mood.mixed, mood.at)
            np.testing.assert_array_equal(kept.vector, mood.vector)
            assert kept.conflict == pytest.approx(mood.conflict, abs=1e-6)
            assert list(kept.contributions) == list(mood.contributions)
            for source, said in mood.contributions.items():
                np.testing.assert_array_equal(kept.contributions[source].vector, said.vector)
                assert kept.contributions[source].at == said.at
                assert kept.contributions[source].weight == pytest.approx(said.weight, rel=1e-5)
                assert kept.contributions[source].share == pytest.approx(said.share, rel=1e-5)

    def test_only_a_mood_that_is_very_low_for_minutes_is_told_as_such(self, state, clock):
        told = []
        audience = Audience("a visitor", state, lambda event, content, to: told.append((event, content)), lambda: None)

        def live(vector, seconds):
            for _ in range(seconds):
                watch(state, clock, vector, 1, rate=2)
                audience.publish(clock.now)

        live(SAD, LOW_SECONDS - 70)
        assert ("low", True) not in told
        live(SAD, 70)
        assert told.count(("low", True)) == 1
        live(HAPPY, 120)
        assert told.count(("low", False)) == 1
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
