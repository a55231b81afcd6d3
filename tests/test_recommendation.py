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
from moodmirror.recommendation import Recommender, catalogue_check, ranking_modes
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, CatalogueError, Item, read_table
from moodmirror.recommendation.explanations import CARRIES, MEETS, NOUNS
from moodmirror.recommendation.item_moods import GENRES, TAGS, compute_item_mood, mood_at_position

LEAST_ROWS = {"songs": 1000, "movies": 600, "food": 350, "activities": 300}

# Rows whose strongest or second strongest emotion is a given one.
LEAST_SERVED = {"songs": 80, "movies": 50, "food": 30, "activities": 30}


@pytest.fixture(scope="module")
def recommender():
    return Recommender.open()


class TestMoods:
    def test_what_a_tag_says_is_a_mood(self):
        for shares in TAGS.values():
            assert set(shares) <= set(EMOTIONS)
            assert sum(shares.values()) == pytest.approx(1)
            assert next(iter(shares)) == max(shares, key=lambda emotion: shares[emotion])

    def test_genres_lean_to_emotions_and_stand_in_the_tables(self):
        tables = [read_table(CATALOGUE_DIR / f"{kind}.csv", kind) for kind in ("songs", "movies")]
        known = {genre for items in tables for item in items for genre in item.facts["genres"].split("|")}
        assert set(GENRES) <= known
        assert set(GENRES.values()) <= set(EMOTIONS)

    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_an_emotion_is_nearest_its_own_place(self, emotion):
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
    def test_parts_become_the_mood_that_a_person_expects(self, energy, valence, tags, genres, leading):
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

    def test_energy_parts_items_of_the_same_tags(self):
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
    def test_shipped_tables_are_large_enough_and_serve_every_emotion(self, kind):
        items = read_table(CATALOGUE_DIR / f"{kind}.csv", kind)
        assert len(items) >= LEAST_ROWS[kind]
        first_two = [EMOTIONS[index] for item in items for index in np.argsort(-item.vector)[:2]]
        assert min(first_two.count(emotion) for emotion in EMOTIONS) >= LEAST_SERVED[kind]
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
            ("songs", "genres", "Rock", "small letters"),
            ("movies", "audience", "children", "children"),
            ("movies", "minutes", "", "whole number"),
            ("food", "diet", "vegan|vegetarian", "exactly one"),
            ("food", "diet", "gluten-free", "exactly one"),
            ("activities", "cost", "cheap", "cheap"),
        ],
    )
    def test_a_bad_row_is_named_by_file_line_and_column(self, tmp_path, kind, column, value, complaint):
        path = tmp_path / f"{kind}.csv"
        with (CATALOGUE_DIR / path.name).open(encoding="utf-8", newline="") as original:
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

    def test_every_bad_row_is_named_not_only_the_first(self, tmp_path):
        path = tmp_path / "food.csv"
        lines = (CATALOGUE_DIR / "food.csv").read_text(encoding="utf-8").splitlines()
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
    def test_a_table_that_is_none_is_refused(self, tmp_path, content, complaint):
        path = tmp_path / "food.csv"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CatalogueError, match=complaint):
            read_table(path, "food")


class TestRecommender:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_the_answer_to_an_emotion_is_items_of_that_emotion(self, recommender, kind, emotion):
        answers = recommender.recommend(mood_vector({emotion: 1}), kind)
        assert len(answers) == 10
        assert {EMOTIONS[int(answer.item.vector.argmax())] for answer in answers} == {emotion}
        assert answers[0].score == max(answer.score for answer in answers)
        assert all(0 <= answer.score <= 1 for answer in answers)

    def test_a_mixed_mood_finds_mixed_items(self, recommender):
        mood = mood_vector({"sad": 6, "angry": 4})
        for answer in recommender.recommend(mood, "songs", k=5):
            assert answer.item.vector[EMOTIONS.index("sad")] > 0.2
            assert answer.item.vector[EMOTIONS.index("angry")] > 0.1

    def test_score_is_the_cosine_similarity(self, recommender):
        mood = mood_vector({"fear": 3, "surprise": 1})
        answer = recommender.recommend(mood, "movies", k=1)[0]
        vector = answer.item.vector
        expected = vector @ mood / np.linalg.norm(vector) / np.linalg.norm(mood)
        assert answer.score == pytest.approx(expected, abs=1e-5)

    def test_k_beyond_the_table_gives_the_whole_table(self, recommender):
        for mode in ("match", "lift", "surprise"):
            answers = recommender.recommend(mood_vector({"sad": 1}), "food", 10_000, mode)
            assert len({answer.item.id for answer in answers}) == len(answers) >= LEAST_ROWS["food"]

    def test_a_list_is_the_best_of_the_whole_table(self, recommender):
        mood = mood_vector({"happy": 2, "surprise": 1})
        items = read_table(CATALOGUE_DIR / "songs.csv", "songs")
        cosines = [item.vector @ mood / np.linalg.norm(item.vector) / np.linalg.norm(mood) for item in items]
        answers = recommender.recommend(mood, "songs", 10)
        assert answers[0].item.id == items[int(np.argmax(cosines))].id
        assert min(answer.score for answer in answers) >= sorted(cosines)[-40] - 1e-5

    @pytest.mark.parametrize(
        ("vector", "kind", "k", "mode"),
        [
            (np.zeros(7), "songs", 10, "match"),
            (np.full(7, np.nan), "songs", 10, "match"),
            (np.ones(6), "songs", 10, "match"),
            (-np.ones(7), "songs", 10, "match"),
            (np.ones(7), "books", 10, "match"),
            (np.ones(7), "songs", 0, "match"),
            (np.ones(7), "songs", 10, "sideways"),
            (np.ones(7), "songs", 10, "journey"),
        ],
    )
    def test_impossible_questions_are_refused(self, recommender, vector, kind, k, mode):
        with pytest.raises(ValueError, match=r"mood|kind|k must|mode|towards"):
            recommender.recommend(vector, kind, k, mode)

    def test_another_folder_may_hold_the_tables(self, tmp_path):
        for kind in KINDS:
            shutil.copy(CATALOGUE_DIR / f"{kind}.csv", tmp_path)
        assert Recommender.open(tmp_path).recommend(mood_vector({"happy": 1}), "songs", k=1)
        (tmp_path / "food.csv").unlink()
        with pytest.raises(CatalogueError, match=r"food\.csv is missing"):
            Recommender.open(tmp_path)


def made(kind, id, tags, energy=0.5, valence=0.5, **facts):
    """An item as a row of a table would make it."""
    vector = compute_item_mood(energy, valence, tags, facts.get("genres", "").split("|"))
    return Item(id, id.title(), energy, valence, tuple(tags), vector, "A line of its own.", {"genres": "pop", **facts})


def song(id, tags, artist, energy=0.5, valence=0.5, **facts):
    return made("songs", id, tags, energy, valence, **{"artist": artist, "year": "1999", "language": "en", **facts})


class TestDiversity:
    @pytest.mark.parametrize("mode", ["match", "lift", "journey", "surprise"])
    @pytest.mark.parametrize("emotion", EMOTIONS)
    def test_no_maker_stands_twice_in_a_row(self, recommender, mode, emotion):
        for kind, column in (("songs", "artist"), ("movies", "director")):
            towards = "happy" if mode == "journey" else None
            answers = recommender.recommend(mood_vector({emotion: 1}), kind, 50, mode, towards=towards)
            makers = [set(answer.item.facts[column].split("|")) for answer in answers]
            assert not any(one & next_one for one, next_one in pairwise(makers))

    def test_an_artist_steps_back_though_the_fit_is_the_same(self):
        table = [song("a", ["grief"], "One"), song("b", ["grief"], "One"), song("c", ["grief", "lonely"], "Other")]
        answers = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")
        assert [answer.item.id for answer in answers] == ["a", "c", "b"]

    def test_the_only_artist_left_may_follow(self):
        table = [song("a", ["grief"], "One"), song("b", ["grief"], "One")]
        assert len(Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")) == 2

    def test_variety_wins_among_equals_and_never_over_the_mood(self):
        table = [
            song("a", ["grief"], "One"),
            song("b", ["grief"], "Two"),
            song("c", ["grief"], "Three", language="fr", year="1961", genres="chanson"),
            song("d", ["party"], "Four", language="ja", year="2021", genres="electronic"),
        ]
        answers = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs")
        assert [answer.item.id for answer in answers] == ["a", "c", "b", "d"]

    def test_lists_are_varied(self, recommender):
        for emotion in EMOTIONS:
            songs = [answer.item.facts for answer in recommender.recommend(mood_vector({emotion: 1}), "songs")]
            assert len({facts["artist"] for facts in songs}) == 10
            assert len({facts["language"] for facts in songs}) >= 4
            assert len({facts["year"][:3] for facts in songs}) >= 4


class TestModes:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("emotion", ["angry", "disgust", "fear", "sad", "neutral"])
    def test_lift_is_brighter_than_match(self, recommender, kind, emotion):
        mood = mood_vector({emotion: 1})
        matched, lifted = (
            [answer.item for answer in recommender.recommend(mood, kind, mode=mode)] for mode in ("match", "lift")
        )
        assert np.mean([item.valence for item in lifted]) > np.mean([item.valence for item in matched]) + 0.05

    @pytest.mark.parametrize(("emotion", "sign"), [("angry", -1), ("fear", -1), ("sad", 1)])
    def test_lift_calms_anger_and_fear_and_gently_wakes_sadness(self, emotion, sign):
        (aim,) = ranking_modes.lift(mood_vector({emotion: 1}))
        assert aim.place
        valence, arousal = np.subtract(aim.place, CIRCUMPLEX[emotion])
        assert valence > 0.5
        assert sign * arousal > 0.3

    def test_lift_starts_where_the_person_is(self, recommender):
        lists = {
            emotion: {answer.item.id for answer in recommender.recommend(mood_vector({emotion: 1}), "songs", mode="lift")}
            for emotion in EMOTIONS
        }
        assert not lists["sad"] & lists["angry"]
        for answer in recommender.recommend(mood_vector({"sad": 1}), "songs", mode="lift"):
            assert answer.item.vector[EMOTIONS.index("happy")] > 0.2
            assert answer.item.vector[EMOTIONS.index("sad")] > 0.1

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("start", "towards"), [("sad", "happy"), ("angry", "neutral"), ("fear", "happy")])
    def test_a_journey_leads_from_one_mood_to_the_other(self, recommender, kind, start, towards):
        answers = recommender.recommend(mood_vector({start: 1}), kind, 8, "journey", towards=towards)
        leading = [EMOTIONS[int(answer.item.vector.argmax())] for answer in answers]
        assert (leading[0], leading[-1]) == (start, towards)
        steps = np.arange(8)
        of_start, of_goal = (
            [answer.item.vector[EMOTIONS.index(emotion)] for answer in answers] for emotion in (start, towards)
        )
        assert np.corrcoef(steps, of_start)[0, 1] < -0.8
        assert np.corrcoef(steps, of_goal)[0, 1] > 0.8
        assert len({answer.item.id for answer in answers}) == 8

    def test_a_journey_of_one_step_stays(self, recommender):
        (answer,) = recommender.recommend(mood_vector({"sad": 1}), "songs", 1, "journey", towards="happy")
        assert EMOTIONS[int(answer.item.vector.argmax())] == "sad"

    def test_only_a_journey_leads_towards_something(self, recommender):
        with pytest.raises(ValueError, match="only the mode journey"):
            recommender.recommend(mood_vector({"sad": 1}), "songs", mode="lift", towards="happy")
        with pytest.raises(ValueError, match="needs an emotion"):
            recommender.recommend(mood_vector({"sad": 1}), "songs", mode="journey", towards="bliss")

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_surprise_fits_is_not_the_obvious_and_comes_again_by_its_seed(self, recommender, kind):
        mood = mood_vector({"sad": 1})
        first, again, other = (
            [answer.item.id for answer in recommender.recommend(mood, kind, mode="surprise", seed=seed)]
            for seed in (1, 1, 2)
        )
        assert first == again
        assert set(first) != set(other)
        cosines = {answer.item.id: answer.score for answer in recommender.recommend(mood, kind, 10_000)}
        obvious = sorted(cosines, key=lambda id: -cosines[id])[:10]
        assert not set(first) & set(obvious)
        assert min(cosines[id] for id in first) >= 0.75 * max(cosines.values())

    def test_where_little_is_left_a_surprise_does_not_call_the_obvious_unexpected(self):
        table = [song("a", ["grief"], "One"), song("b", ["lonely"], "Two"), song("c", ["melancholy"], "Three")]
        answers = Recommender({"songs": table}).recommend(mood_vector({"sad": 1}), "songs", 2, "surprise")
        whys = {answer.item.id: answer.why.partition(": ")[2] for answer in answers}
        assert list(whys.values()).count("not the obvious choice, close to how you feel") == 1
        assert whys["a"] == "close to how you feel"


class TestReasons:
    def test_a_reason_says_what_is_true_of_the_item_and_the_mood(self):
        table = [song("a", ["bittersweet"], "One", energy=0.2), song("b", ["rage"], "Two", energy=0.9, valence=0.2)]
        recommender = Recommender({"songs": table})
        close, apart = recommender.recommend(mood_vector({"sad": 7, "happy": 3}), "songs")
        assert close.why == "Quiet, bittersweet: close to how you feel"
        assert apart.why == "Furious, stirring: some way from how you feel"
        assert close.item.line == "A line of its own."
        mixed = recommender.recommend(mood_vector({"angry": 4, "neutral": 6}), "songs", 1)[0]
        assert mixed.why == "Furious, stirring: it shares the anger in how you feel"

    def test_the_reason_of_a_lift_names_the_change(self):
        recommender = Recommender({"songs": [song("a", ["hopeful"], "One", energy=0.4, valence=0.8)]})
        assert recommender.recommend(mood_vector({"angry": 1}), "songs", mode="lift")[0].why == (
            "Hopeful: brighter and calmer than you feel"
        )
        assert recommender.recommend(mood_vector({"happy": 1}), "songs", mode="lift")[0].why == (
            "Hopeful: calmer than you feel"
        )

    def test_a_journey_counts_its_steps(self, recommender):
        answers = recommender.recommend(mood_vector({"sad": 1}), "songs", 3, "journey", towards="happy")
        assert [answer.why.partition(": ")[2] for answer in answers] == [
            f"step {step} of 3, from sadness to joy" for step in (1, 2, 3)
        ]

    def test_what_is_close_is_said_to_be(self, recommender):
        for emotion in EMOTIONS:
            for answer in recommender.recommend(mood_vector({emotion: 1}), "movies", 100):
                assert answer.why.endswith("close to how you feel") == (answer.score >= 0.8)

    def test_every_tag_has_words(self):
        assert set(CARRIES) == set(TAGS)
        assert set(MEETS) <= set(TAGS)
        assert set(NOUNS) == set(EMOTIONS)


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
    def test_filters_leave_all_that_passes_and_nothing_else(self, recommender, kind, filters, passes):
        found = recommender.recommend(mood_vector({"happy": 1}), kind, 10_000, filters=filters)
        items = read_table(CATALOGUE_DIR / f"{kind}.csv", kind)
        expected = {item.id for item in items if passes(item.facts)}
        assert {answer.item.id for answer in found} == expected
        assert 5 <= len(expected) < len(items)

    def test_who_eats_fish_is_offered_what_vegans_eat(self, recommender):
        def ids(diet):
            return {answer.item.id for answer in recommender.recommend(np.ones(7), "food", 10_000, filters={"diet": diet})}

        assert ids("vegan") < ids("vegetarian") < ids("pescatarian") < ids("omnivore")
        assert len(ids("omnivore")) == len(recommender.recommend(np.ones(7), "food", 10_000))

    def test_filters_hold_in_every_mode(self, recommender):
        for mode in ("match", "lift", "journey", "surprise"):
            towards = "happy" if mode == "journey" else None
            found = recommender.recommend(np.ones(7), "movies", 5, mode, {"language": "ja"}, towards=towards)
            assert [answer.item.facts["language"] for answer in found] == ["ja"] * 5

    def test_nothing_may_pass(self, recommender):
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
    def test_a_wrong_filter_is_refused_with_what_would_do(self, recommender, kind, filters, complaint):
        with pytest.raises(ValueError, match=complaint):
            recommender.recommend(np.ones(7), kind, filters=filters)

    def test_of_several_kinds_each_filter_narrows_those_that_know_it(self, recommender):
        tables = recommender.recommend_each(np.ones(7), filters={"minutes": "30", "genre": "jazz"})
        assert [len(tables[kind]) for kind in KINDS] == [10, 0, 10, 10]
        assert all("jazz" in answer.item.facts["genres"] for answer in tables["songs"])
        assert all(int(answer.item.facts["minutes"]) <= 30 for answer in tables["food"] + tables["activities"])

    @pytest.mark.parametrize(
        ("kinds", "filters", "complaint"),
        [
            (KINDS, {"colour": "red"}, "'colour' does not filter anything: use genre"),
            (("songs", "food"), {"cost": "low"}, "'cost' does not filter songs or food"),
            (KINDS, {"genre": "polka-metal"}, "unknown genre"),
        ],
    )
    def test_a_filter_that_no_kind_knows_is_refused(self, recommender, kinds, filters, complaint):
        with pytest.raises(ValueError, match=complaint):
            recommender.recommend_each(np.ones(7), kinds, filters=filters)


@pytest.fixture(scope="module")
def client():
    app = create_app(Config.from_environment({"CAMERA": "off"}))
    yield app.test_client()
    close_app(app)


class TestInterface:
    def test_modes_and_filters_are_asked_for_over_http(self, client):
        answer = client.get("/api/recommendations?mood=sad&mode=journey&towards=happy&k=4&language=fr&diet=vegan&cost=free")
        tables = answer.get_json()
        assert answer.status_code == 200
        assert all(len(tables[kind]) == 4 for kind in KINDS)
        assert tables["songs"][0]["why"].endswith("step 1 of 4, from sadness to joy")
        assert tables["songs"][0]["line"].endswith(".")
        assert all("vegan" in row["about"] for row in tables["food"])
        assert all("free" in row["about"] for row in tables["activities"])

    def test_a_surprise_comes_again_by_its_seed(self, client):
        one, again, other = (
            client.get(f"/api/recommendations?mood=sad&mode=surprise&seed={seed}").get_json() for seed in (3, 3, 4)
        )
        assert one == again != other

    def test_links_look_for_the_very_words_in_paths_and_in_questions(self, client):
        rows = client.get("/api/recommendations?mood=happy&k=50").get_json()
        for kind, mark in (("songs", "/search/"), ("songs", "search_query="), ("food", "?q="), ("movies", "?q=")):
            for row in rows[kind]:
                [url] = [link["url"] for link in row["links"] if mark in link["url"]]
                assert unquote(url.partition(mark)[2]).startswith(row["title"])

    def test_a_wish_alone_is_answered_without_a_mood(self, client):
        answer = client.get("/api/recommendations?wish=a+bowl+of+soup&k=3")
        assert answer.status_code == 200
        rows = answer.get_json()["food"]
        assert rows[0]["score"] > 0.9
        assert all("close to your wish" in row["why"] for row in rows)

    @pytest.mark.parametrize(
        ("query", "complaint"),
        [
            ("", "give a mood, as mood=sad, a wish"),
            ("wish=+", "give a mood, as mood=sad, a wish"),
            ("wish=soup&mode=lift", "the mode lift needs a mood"),
            ("mood=&wish=soup", "mood: Input should be 'angry'"),
        ],
    )
    def test_who_gives_neither_mood_nor_wish_is_told_what_to_give(self, client, query, complaint):
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
            ("colour=red", "colour"),
            ("diet=vegan&diet=vegetarian", "once"),
        ],
    )
    def test_a_wrong_question_is_answered_with_what_would_do(self, client, query, complaint):
        answer = client.get(f"/api/recommendations?mood=sad&{query}")
        assert answer.status_code == 400
        assert answer.mimetype == "application/problem+json"
        assert complaint in answer.get_json(force=True)["detail"]


class TestCheck:
    @pytest.fixture(scope="class")
    @classmethod
    def tables(cls):
        return {kind: read_table(CATALOGUE_DIR / f"{kind}.csv", kind) for kind in KINDS}

    def test_the_shipped_catalogue_has_no_faults(self, tables, capsys):
        assert catalogue_check.find_faults(tables) == []
        assert catalogue_check.main() == 0
        told = capsys.readouterr().out
        assert "No faults" in told
        assert re.search(r"rows +1,010 +620 +370 +320", told)

    @pytest.mark.parametrize(
        ("kind", "changes", "fault"),
        [
            ("songs", {"title": "Dejà vu!", "artist": "BEYONCE"}, "songs: new and old are one thing twice"),
            ("songs", {"title": "Déja vu", "artist": "Beyoncé"}, "songs: new and old are one thing twice"),
            ("songs", {"title": "Déjà vus", "artist": "Beyoncé"}, "songs: new and old are nearly the same title"),
            ("songs", {"title": "Déjà vu", "artist": "Olivia Rodrigo"}, None),
            (
                "movies",
                {"title": "Deja Vu", "year": "1999", "director": "Anybody Else"},
                "movies: new and old are one thing twice",
            ),
            ("movies", {"title": "Déjà vu 2", "year": "2001"}, None),
            ("food", {"title": "Deja vu (again)"}, "food: new and old are one thing twice"),
        ],
    )
    def test_duplicates_are_found_by_their_folded_titles(self, tables, kind, changes, fault):
        facts = {**tables[kind][0].facts, "artist": "Beyoncé", "year": "1999", "director": "Tony Scott"}
        old = replace(tables[kind][0], id="old", title="Déjà vu", facts=facts)
        new = replace(old, id="new", title=changes["title"], line="Quite another line.", facts={**facts, **changes})
        faults = [found for found in catalogue_check.find_faults({kind: [new, old]}) if "new and old" in found]
        assert faults == ([fault] if fault else [])

    def test_what_is_missing_too_often_or_out_of_balance_is_named(self, tables):
        songs = tables["songs"]
        english = [item for item in songs if item.facts["language"] == "en" and item.facts["year"] < "2020"]
        glad = [item for item in english if item.vector.argmax() == EMOTIONS.index("happy")]
        faults = "\n".join(catalogue_check.find_faults({"songs": glad}))
        assert "songs: only 0 of decade 2020s, fewer than 20" in faults
        assert "songs: only 1 languages, fewer than 20" in faults
        assert "songs: 100% in English, more than 60%" in faults
        assert "songs: fear is strongest or second strongest in only" in faults

        five = [replace(item, facts={**item.facts, "artist": "Björk"}) for item in songs[:5]]
        assert "songs: artist Björk stands 5 times, more than 4" in catalogue_check.find_faults({"songs": five})

        same = [replace(item, line=f"Here is a line, number {index}.") for index, item in enumerate(songs[:3])]
        assert "songs: 3 lines begin with “here is a”, more than 2" in catalogue_check.find_faults({"songs": same})

    def test_gaps_in_what_can_be_asked_for_are_named(self, tables):
        dear = [item for item in tables["activities"] if item.facts["cost"] != "free" and int(item.facts["minutes"]) > 30]
        faults = catalogue_check.find_faults({"activities": dear})
        assert "activities: only 0 of cost free, fewer than 5" in faults
        assert "activities: only 0 of minutes 11–30, fewer than 5" in faults

    def test_the_command_fails_on_a_bad_table(self, tmp_path, capsys):
        assert catalogue_check.main(tmp_path) == 1
        assert "songs.csv is missing" in capsys.readouterr().out
        for kind in KINDS:
            shutil.copy(CATALOGUE_DIR / f"{kind}.csv", tmp_path)
        food = tmp_path / "food.csv"
        rows = food.read_text(encoding="utf-8").splitlines()
        food.write_text("\n".join([*rows, "again-" + rows[1]]), encoding="utf-8")
        assert catalogue_check.main(tmp_path) == 1
        assert "are one thing twice" in capsys.readouterr().out
