"""Tests of the catalogue, ranking modes, diversity, explanations, filters, the API and the catalogue check."""

import csv
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from urllib.parse import unquote

import numpy as np
import pytest

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import Config
from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, mood_vector
from moodmirror.live.messages import item_fields
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender, catalogue_check, ranking_modes
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item, read_table
from moodmirror.recommendation.explanations import EMOTION_NOUNS, FOOD_AND_ACTIVITY_TAG_PHRASES, TAG_PHRASES
from moodmirror.recommendation.item_moods import GENRE_EMOTIONS, TAG_EMOTIONS, compute_item_mood, mood_at_position
from moodmirror.recommendation.text_query import TextQuery

pytestmark = pytest.mark.unit

MIN_ROWS = {"songs": 1000, "movies": 600, "food": 350, "activities": 300}

# Rows in which an emotion is the strongest or second strongest.
MIN_ROWS_PER_EMOTION = {"songs": 80, "movies": 50, "food": 30, "activities": 30}


@pytest.fixture(scope="module")
def recommender():
    return Recommender.open()


class TestItemMoods:
    def test_shares_of_a_tag_are_a_distribution(self):
        for shares in TAG_EMOTIONS.values():
            assert set(shares) <= set(EMOTIONS)
            assert sum(shares.values()) == pytest.approx(1)
            assert next(iter(shares)) == max(shares, key=lambda emotion: shares[emotion])

    def test_genres_map_to_emotions_and_occur_in_the_tables(self):
        tables = [read_table(DATA_DIR / f"{kind}.csv", kind) for kind in ("songs", "movies")]
        known = {genre for items in tables for item in items for genre in item.facts["genres"].split("|")}
        assert set(GENRE_EMOTIONS) <= known
        assert set(GENRE_EMOTIONS.values()) <= set(EMOTIONS)

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_an_emotion_is_strongest_at_its_own_position(self, emotion):
        near = mood_at_position(*CIRCUMPLEX[emotion])
        assert EMOTIONS[int(near.argmax())] == emotion
        assert near.sum() == pytest.approx(1)

    @pytest.mark.parametrize(
        ("energy", "valence", "tags", "genres", "leading"),
        [
            (0.1, 0.1, ["grief"], [], "sad"),
            (0.95, 0.3, ["rage", "defiant"], ["metal"], "angry"),
            (0.6, 0.95, ["joyful", "love"], ["pop"], "happy"),
            (0.6, 0.2, ["nightmare", "eerie"], ["horror"], "fear"),
            (0.5, 0.5, ["satire", "cynical"], ["comedy"], "disgust"),
            (0.8, 0.7, ["wonder", "epic"], ["fantasy"], "surprise"),
            (0.3, 0.5, ["focus", "steady"], ["ambient"], "neutral"),
        ],
    )
    def test_attributes_give_the_expected_mood(self, energy, valence, tags, genres, leading):
        vector = compute_item_mood(energy, valence, tags, genres)
        assert EMOTIONS[int(vector.argmax())] == leading
        assert vector.dtype == np.float32
        assert vector.sum() == pytest.approx(1)
        assert vector.min() >= 0

    def test_the_first_tag_counts_most(self):
        sad_first = compute_item_mood(0.5, 0.5, ["grief", "rage"])
        angry_first = compute_item_mood(0.5, 0.5, ["rage", "grief"])
        assert sad_first[EMOTIONS.index("sad")] > angry_first[EMOTIONS.index("sad")]
        assert EMOTIONS[int(angry_first.argmax())] == "angry"

    def test_energy_distinguishes_items_of_the_same_tags(self):
        slow, fast = compute_item_mood(0.1, 0.2, ["heartbreak"]), compute_item_mood(0.9, 0.2, ["heartbreak"])
        assert fast[EMOTIONS.index("angry")] > slow[EMOTIONS.index("angry")]
        assert slow[EMOTIONS.index("sad")] > fast[EMOTIONS.index("sad")]

    def test_a_genre_only_tips_the_balance(self):
        plain, horror = (
            compute_item_mood(0.4, 0.6, ["comfort"]),
            compute_item_mood(0.4, 0.6, ["comfort"], ["horror", "unheard of"]),
        )
        assert 0 < horror[EMOTIONS.index("fear")] - plain[EMOTIONS.index("fear")] < 0.1
        assert plain.argmax() == horror.argmax()

    @pytest.mark.parametrize(("tags", "complaint"), [([], "at least one"), (["bored"], "bored")])
    def test_a_mood_needs_known_tags(self, tags, complaint):
        with pytest.raises(ValueError, match=complaint):
            compute_item_mood(0.5, 0.5, tags)


class TestCatalogue:
    @pytest.mark.parametrize("kind", KINDS)
    def test_shipped_tables_are_large_enough_for_every_emotion(self, kind):
        items = read_table(DATA_DIR / f"{kind}.csv", kind)
        assert len(items) >= MIN_ROWS[kind]
        first_two = [EMOTIONS[index] for item in items for index in np.argsort(-item.vector)[:2]]
        assert min(first_two.count(emotion) for emotion in EMOTIONS) >= MIN_ROWS_PER_EMOTION[kind]
        assert len({item.title.lower() + str(item.facts.get("artist")) for item in items}) == len(items)
        assert len({item.line for item in items}) == len(items)

    @pytest.mark.parametrize(
        ("kind", "column", "value", "complaint"),
        [
            ("songs", "tags", "grief|bored", "bored"),
            ("songs", "tags", "", "none of"),
            ("songs", "tags", "grief|lonely|grief", "twice"),
            ("songs", "tags", "grief|lonely|rage|calm|love", "too many"),
            ("songs", "year", "19x7", "19x7"),
            ("songs", "id", "Not A Slug", "Not A Slug"),
            ("songs", "title", "", "empty"),
            ("songs", "energy", "1.7", "1.7"),
            ("songs", "valence", "nan", "nan"),
            ("songs", "language", "english", "english"),
            ("songs", "genres", "Rock", "lower-case letters"),
            ("movies", "audience", "children", "children"),
            ("movies", "minutes", "", "whole number"),
            ("food", "diet", "vegan|vegetarian", "exactly one"),
            ("food", "diet", "gluten-free", "exactly one"),
            ("activities", "cost", "cheap", "cheap"),
        ],
    )
    def test_an_invalid_cell_is_reported_with_file_line_and_column(self, tmp_path, kind, column, value, complaint):
        path = tmp_path / f"{kind}.csv"
        with (DATA_DIR / path.name).open(encoding="utf-8", newline="") as original:
            rows = list(csv.DictReader(original))
        rows[4][column] = value
        with path.open("w", encoding="utf-8", newline="") as copy:
            writer = csv.DictWriter(copy, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        with pytest.raises(CatalogueError) as caught:
            read_table(path, kind)
        message = str(caught.value)
        assert f"{path}, line 6, column {column}: " in message
        assert complaint in message

    def test_every_invalid_row_is_reported(self, tmp_path):
        path = tmp_path / "food.csv"
        lines = (DATA_DIR / "food.csv").read_text(encoding="utf-8").splitlines()
        lines[2] += ",surplus"
        lines[3] = lines[5]
        path.write_text("\n".join(lines), encoding="utf-8")
        with pytest.raises(CatalogueError) as caught:
            read_table(path, "food")
        assert "line 3, all columns: 1 cells too many" in str(caught.value)
        assert "line 6, column id: " in str(caught.value)

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"id,title\n", "line 1: no column"),
            (b"\xff\xfe\x00", "not UTF-8"),
            (b"", "line 1: no column"),
            (None, "missing"),
        ],
    )
    def test_an_unreadable_table_is_rejected(self, tmp_path, content, complaint):
        path = tmp_path / "food.csv"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CatalogueError, match=complaint):
            read_table(path, "food")


class TestRecommender:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_an_emotion_gets_items_of_that_emotion(self, recommender, kind, emotion):
        found = recommender.recommend(mood_vector({emotion: 1}), kind)
        assert len(found) == 10
        assert {EMOTIONS[int(row.item.vector.argmax())] for row in found} == {emotion}
        assert found[0].score == max(row.score for row in found)
        assert all(0 <= row.score <= 1 for row in found)

    def test_a_mixed_mood_finds_mixed_items(self, recommender):
        mood = mood_vector({"sad": 6, "angry": 4})
        for row in recommender.recommend(mood, "songs", k=5):
            assert row.item.vector[EMOTIONS.index("sad")] > 0.2
            assert row.item.vector[EMOTIONS.index("angry")] > 0.1

    def test_score_is_the_cosine_similarity(self, recommender):
        mood = mood_vector({"fear": 3, "surprise": 1})
        row = recommender.recommend(mood, "movies", k=1)[0]
        vector = row.item.vector
        expected = vector @ mood / np.linalg.norm(vector) / np.linalg.norm(mood)
        assert row.score == pytest.approx(expected, abs=1e-5)

    def test_k_beyond_the_table_gives_the_whole_table(self, recommender):
        for mode in ("match", "lift", "surprise"):
            found = recommender.recommend(mood_vector({"sad": 1}), "food", 10_000, mode)
            assert len({row.item.id for row in found}) == len(found) >= MIN_ROWS["food"]

    def test_a_list_is_the_best_of_the_whole_table(self, recommender):
        mood = mood_vector({"happy": 2, "surprise": 1})
        items = read_table(DATA_DIR / "songs.csv", "songs")
        cosines = [item.vector @ mood / np.linalg.norm(item.vector) / np.linalg.norm(mood) for item in items]
        found = recommender.recommend(mood, "songs", 10)
        assert found[0].item.id == items[int(np.argmax(cosines))].id
        assert min(row.score for row in found) >= sorted(cosines)[-40] - 1e-5

    @pytest.mark.parametrize(
        ("vector", "options", "complaint"),
        [
            (np.zeros(7), {}, "a mood must be 7 non-negative numbers"),
            (np.full(7, np.nan), {}, "a mood must be 7 non-negative numbers"),
            (np.ones(6), {}, "a mood must be 7 non-negative numbers"),
            (-np.ones(7), {}, "a mood must be 7 non-negative numbers"),
            (np.ones(7), {"kind": "books"}, "unknown kind 'books'"),
            (np.ones(7), {"k": 0}, "k must be at least 1, not 0"),
            (np.ones(7), {"mode": "sideways"}, "unknown mode 'sideways'"),
            (np.ones(7), {"mode": "journey"}, "a journey needs an emotion"),
        ],
    )
    def test_invalid_arguments_are_rejected(self, recommender, vector, options, complaint):
        with pytest.raises(ValueError, match=complaint):
            recommender.recommend(vector, **{"kind": "songs", **options})

    def test_tables_are_read_from_another_folder(self, tmp_path):
        for kind in KINDS:
            shutil.copy(DATA_DIR / f"{kind}.csv", tmp_path)
        assert Recommender.open(tmp_path).recommend(mood_vector({"happy": 1}), "songs", k=1)
        (tmp_path / "food.csv").unlink()
        with pytest.raises(CatalogueError, match=r"food\.csv is missing"):
            Recommender.open(tmp_path)


def make_item(kind, id, tags, energy=0.5, valence=0.5, **facts):
    """Return an item with the mood vector of its attributes."""
    vector = compute_item_mood(energy, valence, tags, facts.get("genres", "").split("|"))
    return Item(id, id.title(), energy, valence, tuple(tags), vector, "A line of its own.", {"genres": "pop", **facts})


def song(id, tags, artist, energy=0.5, valence=0.5, **facts):
    return make_item("songs", id, tags, energy, valence, **{"artist": artist, "year": "1999", "language": "en", **facts})


class TestDiversity:
    @pytest.mark.parametrize("mode", ["match", "lift", "journey", "surprise"])
    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_no_creator_is_listed_twice_in_a_row(self, recommender, mode, emotion):
        for kind, column in (("songs", "artist"), ("movies", "director")):
            towards = "happy" if mode == "journey" else None
            found = recommender.recommend(mood_vector({emotion: 1}), kind, 50, mode, towards=towards)
            creators = [set(row.item.facts[column].split("|")) for row in found]
            assert not any(one & next_one for one, next_one in pairwise(creators))

    def test_a_repeated_artist_ranks_lower_at_the_same_fit(self):
        table = [song("a", ["grief"], "One"), song("b", ["grief"], "One"), song("c", ["grief", "lonely"], "Other")]
        found = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")
        assert [row.item.id for row in found] == ["a", "c", "b"]

    def test_the_only_artist_left_is_listed_again(self):
        table = [song("a", ["grief"], "One"), song("b", ["grief"], "One")]
        assert len(Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")) == 2

    def test_variety_decides_among_equals_and_never_over_the_mood(self):
        table = [
            song("a", ["grief"], "One"),
            song("b", ["grief"], "Two"),
            song("c", ["grief"], "Three", language="fr", year="1961", genres="chanson"),
            song("d", ["party"], "Four", language="ja", year="2021", genres="electronic"),
        ]
        found = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")
        assert [row.item.id for row in found] == ["a", "c", "b", "d"]

    def test_lists_are_varied(self, recommender):
        for emotion in EMOTIONS:
            songs = [row.item.facts for row in recommender.recommend(mood_vector({emotion: 1}), "songs")]
            assert len({facts["artist"] for facts in songs}) == 10
            assert len({facts["language"] for facts in songs}) >= 4
            assert len({facts["year"][:3] for facts in songs}) >= 4


class TestModes:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("emotion", ["angry", "disgust", "fear", "sad", "neutral"])
    def test_lift_is_brighter_than_match(self, recommender, kind, emotion):
        mood = mood_vector({emotion: 1})
        matched, lifted = ([row.item for row in recommender.recommend(mood, kind, mode=mode)] for mode in ("match", "lift"))
        assert np.mean([item.valence for item in lifted]) > np.mean([item.valence for item in matched]) + 0.05

    @pytest.mark.parametrize(("emotion", "sign"), [("angry", -1), ("fear", -1), ("sad", 1)])
    def test_lift_lowers_arousal_of_anger_and_fear_and_raises_it_for_sadness(self, emotion, sign):
        (target,) = ranking_modes.lift(mood_vector({emotion: 1}))
        assert target.position
        valence, arousal = np.subtract(target.position, CIRCUMPLEX[emotion])
        assert valence > 0.5
        assert sign * arousal > 0.3

    def test_lift_depends_on_the_mood(self, recommender):
        lists = {
            emotion: {row.item.id for row in recommender.recommend(mood_vector({emotion: 1}), "songs", mode="lift")}
            for emotion in EMOTIONS
        }
        assert not lists["sad"] & lists["angry"]
        for row in recommender.recommend(mood_vector({"sad": 1}), "songs", mode="lift"):
            assert row.item.vector[EMOTIONS.index("happy")] > 0.2
            assert row.item.vector[EMOTIONS.index("sad")] > 0.1

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("start", "towards"), [("sad", "happy"), ("angry", "neutral"), ("fear", "happy")])
    def test_a_journey_leads_from_one_emotion_to_the_other(self, recommender, kind, start, towards):
        found = recommender.recommend(mood_vector({start: 1}), kind, 8, "journey", towards=towards)
        leading = [EMOTIONS[int(row.item.vector.argmax())] for row in found]
        assert (leading[0], leading[-1]) == (start, towards)
        steps = np.arange(8)
        of_start, of_goal = ([row.item.vector[EMOTIONS.index(emotion)] for row in found] for emotion in (start, towards))
        assert np.corrcoef(steps, of_start)[0, 1] < -0.8
        assert np.corrcoef(steps, of_goal)[0, 1] > 0.8
        assert len({row.item.id for row in found}) == 8

    def test_a_journey_of_one_step_stays_at_the_mood(self, recommender):
        (row,) = recommender.recommend(mood_vector({"sad": 1}), "songs", 1, "journey", towards="happy")
        assert EMOTIONS[int(row.item.vector.argmax())] == "sad"

    def test_only_a_journey_takes_towards(self, recommender):
        with pytest.raises(ValueError, match="only the mode journey"):
            recommender.recommend(mood_vector({"sad": 1}), "songs", mode="lift", towards="happy")
        with pytest.raises(ValueError, match="needs an emotion"):
            recommender.recommend(mood_vector({"sad": 1}), "songs", mode="journey", towards="bliss")

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_surprise_fits_is_not_obvious_and_is_reproducible(self, recommender, kind):
        mood = mood_vector({"sad": 1})
        first, again, other = (
            [row.item.id for row in recommender.recommend(mood, kind, mode="surprise", seed=seed)] for seed in (1, 1, 2)
        )
        assert first == again
        assert set(first) != set(other)
        cosines = {row.item.id: row.score for row in recommender.recommend(mood, kind, 10_000)}
        obvious = sorted(cosines, key=lambda id: -cosines[id])[:10]
        assert not set(first) & set(obvious)
        assert min(cosines[id] for id in first) >= 0.75 * max(cosines.values())

    def test_a_surprise_of_a_small_table_marks_only_drawn_items(self):
        table = [song("a", ["grief"], "One"), song("b", ["lonely"], "Two"), song("c", ["melancholy"], "Three")]
        found = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs", 2, "surprise")
        whys = {row.item.id: row.why.partition(": ")[2] for row in found}
        assert list(whys.values()).count("not the obvious choice, close to how you feel") == 1
        assert whys["a"] == "close to how you feel"


class TestExplanations:
    def test_an_explanation_is_true_of_the_item_and_the_mood(self):
        table = [song("a", ["bittersweet"], "One", energy=0.2), song("b", ["rage"], "Two", energy=0.9, valence=0.2)]
        recommender = Recommender({"songs": table})
        close, apart = recommender.recommend(mood_vector({"sad": 7, "happy": 3}), "songs")
        assert close.why == "Quiet, bittersweet: close to how you feel"
        assert apart.why == "Furious, stirring: some way from how you feel"
        assert close.item.line == "A line of its own."
        mixed = recommender.recommend(mood_vector({"angry": 4, "neutral": 6}), "songs", 1)[0]
        assert mixed.why == "Furious, stirring: it shares the anger in how you feel"

    def test_a_lift_explanation_names_the_change(self):
        recommender = Recommender({"songs": [song("a", ["hopeful"], "One", energy=0.4, valence=0.8)]})
        assert recommender.recommend(mood_vector({"angry": 1}), "songs", mode="lift")[0].why == (
            "Hopeful: brighter and calmer than you feel"
        )
        assert recommender.recommend(mood_vector({"happy": 1}), "songs", mode="lift")[0].why == (
            "Hopeful: calmer than you feel"
        )

    def test_a_journey_explanation_counts_the_steps(self, recommender):
        found = recommender.recommend(mood_vector({"sad": 1}), "songs", 3, "journey", towards="happy")
        assert [row.why.partition(": ")[2] for row in found] == [
            f"step {step} of 3, from sadness to joy" for step in (1, 2, 3)
        ]

    def test_only_close_items_are_called_close(self, recommender):
        for emotion in EMOTIONS:
            for row in recommender.recommend(mood_vector({emotion: 1}), "movies", 100):
                assert row.why.endswith("close to how you feel") == (row.score >= 0.8)

    def test_every_tag_has_a_phrase(self):
        assert set(TAG_PHRASES) == set(TAG_EMOTIONS)
        assert set(FOOD_AND_ACTIVITY_TAG_PHRASES) <= set(TAG_EMOTIONS)
        assert set(EMOTION_NOUNS) == set(EMOTIONS)


class TestFilters:
    @pytest.mark.parametrize(
        ("kind", "filters", "passes"),
        [
            ("songs", {"genre": "jazz"}, lambda facts: "jazz" in facts["genres"].split("|")),
            ("songs", {"decade": "1980"}, lambda facts: 1980 <= int(facts["year"]) <= 1989),
            ("songs", {"decade": "1960s", "language": "fr"}, lambda facts: facts["year"][:3] + facts["language"] == "196fr"),
            ("movies", {"minutes": 95}, lambda facts: int(facts["minutes"]) <= 95),
            ("movies", {"audience": "family"}, lambda facts: facts["audience"] == "family"),
            ("movies", {"audience": "teen"}, lambda facts: facts["audience"] in ("family", "teen")),
            ("food", {"diet": "vegan"}, lambda facts: "vegan" in facts["diet"].split("|")),
            ("food", {"diet": "vegetarian|nut-free"}, lambda facts: re.match(r"veg.*nut-free", facts["diet"])),
            ("food", {"minutes": "20"}, lambda facts: int(facts["minutes"]) <= 20),
            ("activities", {"cost": "low"}, lambda facts: facts["cost"] in ("free", "low")),
            ("activities", {"place": "outdoors"}, lambda facts: "outdoors" in facts["place"]),
            ("activities", {"company": "alone"}, lambda facts: "alone" in facts["company"]),
        ],
    )
    def test_filters_pass_exactly_the_matching_items(self, recommender, kind, filters, passes):
        found = recommender.recommend(mood_vector({"happy": 1}), kind, 10_000, filters=filters)
        items = read_table(DATA_DIR / f"{kind}.csv", kind)
        expected = {item.id for item in items if passes(item.facts)}
        assert {row.item.id for row in found} == expected
        assert 5 <= len(expected) < len(items)

    def test_a_diet_includes_the_stricter_ones(self, recommender):
        def ids(diet):
            return {row.item.id for row in recommender.recommend(np.ones(7), "food", 10_000, filters={"diet": diet})}

        assert ids("vegan") < ids("vegetarian") < ids("pescatarian") < ids("omnivore")
        assert len(ids("omnivore")) == len(recommender.recommend(np.ones(7), "food", 10_000))

    def test_filters_apply_in_every_mode(self, recommender):
        for mode in ("match", "lift", "journey", "surprise"):
            towards = "happy" if mode == "journey" else None
            found = recommender.recommend(np.ones(7), "movies", 5, mode, {"language": "ja"}, towards=towards)
            assert [row.item.facts["language"] for row in found] == ["ja"] * 5

    def test_only_the_given_items_are_listed_in_every_mode(self, recommender):
        only = [item.id for item in recommender.items("songs")[:7]]
        for mode in ("match", "lift", "journey", "surprise"):
            towards = "happy" if mode == "journey" else None
            found = recommender.recommend(np.ones(7), "songs", 9, mode, towards=towards, only=[*only, "unknown"])
            assert {row.item.id for row in found} == set(only)
        assert recommender.recommend(np.ones(7), "songs", only=[]) == []

    def test_a_recommender_with_other_songs_leaves_the_first_as_it_is(self, recommender):
        own = replace(recommender.items("songs")[0], id="my-own-song", title="My Own Song")
        other = recommender.with_songs([*recommender.items("songs"), own])
        assert other.item("songs", "my-own-song") is own
        assert recommender.item("songs", "my-own-song") is None
        [best, *_] = other.recommend(own.vector, "songs", text_query=TextQuery("my own song"))
        assert best.item is own

    def test_a_filter_without_matches_gives_an_empty_list(self, recommender):
        assert recommender.recommend(np.ones(7), "songs", filters={"language": "tlh"}) == []

    @pytest.mark.parametrize(
        ("kind", "filters", "complaint"),
        [
            ("songs", {"diet": "vegan"}, "songs can't be filtered by 'diet': use genre"),
            ("songs", {"genre": "polka-metal"}, "unknown genre 'polka-metal': use one of"),
            ("songs", {"decade": "1987"}, "ends in 0"),
            ("songs", {"language": "French"}, "ISO 639"),
            ("movies", {"minutes": "-5"}, "whole number above 0"),
            ("movies", {"audience": "kids"}, "family, teen, adult"),
            ("food", {"diet": "vegan|paleo"}, "'paleo'"),
            ("activities", {"cost": "cheap"}, "free, low, medium, high"),
            ("activities", {"place": "moon"}, "indoors, outdoors"),
            ("activities", {"company": ""}, "alone, together"),
        ],
    )
    def test_an_invalid_filter_is_rejected_with_valid_values(self, recommender, kind, filters, complaint):
        with pytest.raises(ValueError, match=complaint):
            recommender.recommend(np.ones(7), kind, filters=filters)

    def test_each_filter_applies_to_the_kinds_that_have_it(self, recommender):
        tables = recommender.recommend_each(np.ones(7), filters={"minutes": "30", "genre": "jazz"})
        assert [len(tables[kind]) for kind in KINDS] == [10, 0, 10, 10]
        assert all("jazz" in row.item.facts["genres"] for row in tables["songs"])
        assert all(int(row.item.facts["minutes"]) <= 30 for row in tables["food"] + tables["activities"])

    @pytest.mark.parametrize(
        ("kinds", "filters", "complaint"),
        [
            (KINDS, {"color": "red"}, "'color' does not filter anything: use genre"),
            (("songs", "food"), {"cost": "low"}, "'cost' does not filter songs or food"),
            (KINDS, {"genre": "polka-metal"}, "unknown genre"),
        ],
    )
    def test_a_filter_that_no_kind_has_is_rejected(self, recommender, kinds, filters, complaint):
        with pytest.raises(ValueError, match=complaint):
            recommender.recommend_each(np.ones(7), kinds, filters=filters)


@pytest.fixture(scope="module")
def client():
    app = create_app(Config.from_environment({"CAMERA": "off"}))
    yield app.test_client()
    close_app(app)


class TestApi:
    def test_modes_and_filters_are_query_parameters(self, client):
        answer = client.get("/api/recommendations?mood=sad&mode=journey&towards=happy&k=4&language=fr&diet=vegan&cost=free")
        tables = answer.get_json()
        assert answer.status_code == 200
        assert all(len(tables[kind]) == 4 for kind in KINDS)
        assert tables["songs"][0]["why"].endswith("step 1 of 4, from sadness to joy")
        assert tables["songs"][0]["line"].endswith(".")
        assert all("vegan" in row["about"] for row in tables["food"])
        assert all("free" in row["about"] for row in tables["activities"])

    def test_other_names_of_an_emotion_are_read(self, client):
        answer = client.get("/api/recommendations?mood=sadness&mode=journey&towards=Happiness&k=2")
        assert answer.status_code == 200, answer.get_json()
        assert answer.get_json() == client.get("/api/recommendations?mood=sad&mode=journey&towards=happy&k=2").get_json()
        assert "'angry', 'disgust'" in client.get("/api/recommendations?mood=contempt").get_json()["detail"]

    def test_a_surprise_is_reproducible_by_its_seed(self, client):
        one, again, other = (
            client.get(f"/api/recommendations?mood=sad&mode=surprise&seed={seed}").get_json() for seed in (3, 3, 4)
        )
        assert one == again != other

    def test_links_search_for_the_exact_title(self, client):
        rows = client.get("/api/recommendations?mood=happy&k=50").get_json()
        for kind, mark in (("songs", "/search/"), ("songs", "search_query="), ("food", "?q="), ("movies", "trailer+")):
            for row in rows[kind]:
                [url] = [link["url"] for link in row["links"] if mark in link["url"]]
                assert unquote(url.partition(mark)[2]).startswith(row["title"])

    def test_a_song_with_a_known_track_links_to_it(self):
        song = Recommender.open().items("songs")[0]
        known = replace(song, facts={**song.facts, "spotify_id": "4uLU6hMCjMI75M1A2tKUQC"})
        assert item_fields("songs", known)["links"][0]["url"] == "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
        for identity in ("", "215", "../evil"):
            broken = replace(song, facts={**song.facts, "spotify_id": identity})
            assert "/search/" in item_fields("songs", broken)["links"][0]["url"]

    def test_a_film_with_a_known_id_links_to_its_page(self):
        film = Recommender.open().items("movies")[0]
        for ids, url in (
            ({"imdb_id": "tt0000001", "tmdb_id": "7"}, "https://www.imdb.com/title/tt0000001/"),
            ({"imdb_id": "", "tmdb_id": "7"}, "https://www.themoviedb.org/movie/7"),
            ({"imdb_id": "", "tmdb_id": "7", "kind": "series"}, "https://www.themoviedb.org/tv/7"),
        ):
            known = replace(film, facts={**film.facts, **ids})
            assert item_fields("movies", known)["links"][0]["url"] == url
        unknown = replace(film, facts={**film.facts, "imdb_id": ""})
        assert item_fields("movies", unknown)["links"][0]["url"].startswith("https://www.imdb.com/find/")

    def test_sorted_by_rating_few_votes_do_not_win(self, client):
        films = Recommender.open().items("movies")[:6]
        votes = (("9.9", "2"), ("8.0", "90000"), ("6.0", "80000"), ("7.0", "70000"), ("", ""), ("5.0", "60000"))
        rated = [
            replace(film, facts={**film.facts, "rating": rating, "votes": count})
            for film, (rating, count) in zip(films, votes, strict=True)
        ]
        recommender = Recommender({"movies": rated})
        mood = mood_vector({"happy": 1})
        found = [row.item.id for row in recommender.recommend(mood, "movies", 6, sort="rating")]
        assert found == [films[index].id for index in (1, 0, 3, 2, 5, 4)]  # 0 counts nearly as the mean
        assert "★\N{NO-BREAK SPACE}8.0\N{NO-BREAK SPACE}(90,000)" in item_fields("movies", rated[1])["about"]
        journey = [row.item.id for row in recommender.recommend(mood, "movies", 6, "journey", towards="sad", sort="rating")]
        assert journey == [row.item.id for row in recommender.recommend(mood, "movies", 6, "journey", towards="sad")]
        assert client.get("/api/recommendations?mood=happy&sort=rating").status_code == 200
        assert client.get("/api/recommendations?mood=happy&sort=votes").status_code == 400

    def test_a_text_query_needs_no_mood(self, client):
        answer = client.get("/api/recommendations?wish=a+bowl+of+soup&k=3")
        assert answer.status_code == 200
        rows = answer.get_json()["food"]
        assert rows[0]["score"] > 0.9
        assert all("close to your search" in row["why"] for row in rows)

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ("", "give a mood, as mood=sad, a wish"),
            ("wish=+", "give a mood, as mood=sad, a wish"),
            ("wish=soup&mode=lift", "the mode lift needs a mood"),
            ("mood=&wish=soup", "mood: Input should be 'angry'"),
        ],
    )
    def test_a_request_without_mood_and_text_query_is_rejected(self, client, query, complaint):
        answer = client.get(f"/api/recommendations?{query}")
        assert answer.status_code == 400
        assert complaint in answer.get_json(force=True)["detail"]

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ("mode=journey", "needs an emotion"),
            ("mode=journey&towards=bliss", "towards: Input should be 'angry'"),
            ("towards=happy", "only the mode journey"),
            ("mode=sideways", "'match', 'lift', 'journey' or 'surprise'"),
            ("mode=surprise&seed=x", "seed: Input should be a valid integer"),
            ("genre=polka-metal", "unknown genre"),
            ("decade=eighties", "decade"),
            ("diet=paleo", "paleo"),
            ("color=red", "color"),
            ("diet=vegan&diet=vegetarian", "once"),
        ],
    )
    def test_an_invalid_request_is_rejected_with_valid_values(self, client, query, complaint):
        answer = client.get(f"/api/recommendations?mood=sad&{query}")
        assert answer.status_code == 400
        assert answer.mimetype == "application/problem+json"
        assert complaint in answer.get_json(force=True)["detail"]


class TestCatalogueCheck:
    @pytest.fixture(scope="class")
    @classmethod
    def tables(cls):
        return {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}

    def test_the_shipped_catalogue_has_no_faults(self, tables, capsys):
        assert catalogue_check.find_faults(tables) == []
        assert catalogue_check.main() == 0
        output = capsys.readouterr().out
        assert "No faults" in output
        assert re.search(r"rows +1,010 +620 +370 +320", output)

    @pytest.mark.parametrize(
        ("kind", "changes", "fault"),
        [
            ("songs", {"title": "Dejà vu!", "artist": "BEYONCE"}, "songs: new and old are duplicates: delete one of them"),
            ("songs", {"title": "Déja vu", "artist": "Beyoncé"}, "songs: new and old are duplicates: delete one of them"),
            (
                "songs",
                {"title": "Déjà vus", "artist": "Beyoncé"},
                "songs: new and old have nearly the same title: delete one of them",
            ),
            ("songs", {"title": "Déjà vu", "artist": "Olivia Rodrigo"}, None),
            (
                "movies",
                {"title": "Deja Vu", "year": "1999", "director": "Anybody Else"},
                "movies: new and old are duplicates: delete one of them",
            ),
            ("movies", {"title": "Déjà vu 2", "year": "2001"}, None),
            ("food", {"title": "Deja vu (again)"}, "food: new and old are duplicates: delete one of them"),
        ],
    )
    def test_duplicates_are_found_by_their_folded_titles(self, tables, kind, changes, fault):
        facts = {**tables[kind][0].facts, "artist": "Beyoncé", "year": "1999", "director": "Tony Scott"}
        old = replace(tables[kind][0], id="old", title="Déjà vu", facts=facts)
        new = replace(old, id="new", title=changes["title"], line="Quite another line.", facts={**facts, **changes})
        faults = [found for found in catalogue_check.find_faults({kind: [new, old]}) if "new and old" in found]
        assert faults == ([fault] if fault else [])

    def test_gaps_and_imbalance_are_reported(self, tables):
        songs = tables["songs"]
        english = [item for item in songs if item.facts["language"] == "en" and item.facts["year"] < "2020"]
        happy = [item for item in english if item.vector.argmax() == EMOTIONS.index("happy")]
        faults = "\n".join(catalogue_check.find_faults({"songs": happy}))
        assert "songs: only 0 items of decade 2020s, fewer than 20" in faults
        assert "songs: only 1 languages, fewer than 20" in faults
        assert "songs: 100% in English, more than 60%" in faults
        assert "songs: fear is the strongest or second strongest emotion of only" in faults

        five = [replace(item, facts={**item.facts, "artist": "Björk"}) for item in songs[:5]]
        assert "songs: 5 items of artist Björk, more than 4" in catalogue_check.find_faults({"songs": five})

        same = [replace(item, line=f"Here is a line, number {index}.") for index, item in enumerate(songs[:3])]
        assert "songs: 3 lines begin with “here is a”, more than 2" in catalogue_check.find_faults({"songs": same})

    def test_gaps_of_filter_values_are_reported(self, tables):
        costly = [item for item in tables["activities"] if item.facts["cost"] != "free" and int(item.facts["minutes"]) > 30]
        faults = catalogue_check.find_faults({"activities": costly})
        assert "activities: only 0 items of cost free, fewer than 5" in faults
        assert "activities: only 0 items of minutes 11–30, fewer than 5" in faults

    def test_the_command_fails_on_an_invalid_table(self, tmp_path, capsys):
        assert catalogue_check.main(tmp_path) == 1
        assert "songs.csv is missing" in capsys.readouterr().out
        for kind in KINDS:
            shutil.copy(DATA_DIR / f"{kind}.csv", tmp_path)
        food = tmp_path / "food.csv"
        rows = food.read_text(encoding="utf-8").splitlines()
        food.write_text("\n".join([*rows, "again-" + rows[1]]), encoding="utf-8")
        assert catalogue_check.main(tmp_path) == 1
        assert "are duplicates" in capsys.readouterr().out
