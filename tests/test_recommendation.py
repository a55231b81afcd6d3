import csv
import shutil

import numpy as np
import pytest

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, mood_vector
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, CatalogueError, read_table
from moodmirror.recommendation.moods import GENRES, TAGS, emotions_near, mood_of_parts

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
        near = emotions_near(*CIRCUMPLEX[emotion])
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
        vector = mood_of_parts(energy, valence, tags, genres)
        assert EMOTIONS[int(vector.argmax())] == leading
        assert vector.dtype == np.float32
        assert vector.sum() == pytest.approx(1)
        assert vector.min() >= 0

    def test_the_first_tag_counts_most(self):
        sad_first = mood_of_parts(0.5, 0.5, ["grief", "rage"])
        angry_first = mood_of_parts(0.5, 0.5, ["rage", "grief"])
        assert sad_first[EMOTIONS.index("sad")] > angry_first[EMOTIONS.index("sad")]
        assert EMOTIONS[int(angry_first.argmax())] == "angry"

    def test_energy_parts_items_of_the_same_tags(self):
        slow, fast = mood_of_parts(0.1, 0.2, ["heartbreak"]), mood_of_parts(0.9, 0.2, ["heartbreak"])
        assert fast[EMOTIONS.index("angry")] > slow[EMOTIONS.index("angry")]
        assert slow[EMOTIONS.index("sad")] > fast[EMOTIONS.index("sad")]

    def test_a_genre_only_tips_the_balance(self):
        plain, horror = mood_of_parts(0.4, 0.6, ["comfort"]), mood_of_parts(0.4, 0.6, ["comfort"], ["horror", "unheard of"])
        assert 0 < horror[EMOTIONS.index("fear")] - plain[EMOTIONS.index("fear")] < 0.1
        assert plain.argmax() == horror.argmax()

    @pytest.mark.parametrize(("tags", "complaint"), [([], "at least one"), (["bored"], "bored")])
    def test_a_mood_needs_known_tags(self, tags, complaint):
        with pytest.raises(ValueError, match=complaint):
            mood_of_parts(0.5, 0.5, tags)


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
        scores = [answer.score for answer in answers]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert all(answer.why for answer in answers)

    def test_a_mixed_mood_finds_mixed_items(self, recommender):
        mood = mood_vector({"sad": 6, "angry": 4})
        best = recommender.recommend(mood, "songs", k=5)
        for answer in best:
            assert answer.item.vector[EMOTIONS.index("sad")] > 0.2
            assert answer.item.vector[EMOTIONS.index("angry")] > 0.1

    def test_score_is_the_cosine_similarity(self, recommender):
        mood = mood_vector({"fear": 3, "surprise": 1})
        answer = recommender.recommend(mood, "movies", k=1)[0]
        vector = answer.item.vector
        expected = vector @ mood / np.linalg.norm(vector) / np.linalg.norm(mood)
        assert answer.score == pytest.approx(expected, abs=1e-5)

    def test_k_beyond_the_table_gives_the_whole_table(self, recommender):
        assert len(recommender.recommend(mood_vector({"sad": 1}), "food", k=10_000)) >= LEAST_ROWS["food"]

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
        ],
    )
    def test_impossible_questions_are_refused(self, recommender, vector, kind, k, mode):
        with pytest.raises(ValueError, match=r"mood|kind|k must|mode"):
            recommender.recommend(vector, kind, k, mode)

    def test_another_folder_may_hold_the_tables(self, tmp_path):
        for kind in KINDS:
            shutil.copy(CATALOGUE_DIR / f"{kind}.csv", tmp_path)
        assert Recommender.open(tmp_path).recommend(mood_vector({"happy": 1}), "songs", k=1)
        (tmp_path / "food.csv").unlink()
        with pytest.raises(CatalogueError, match=r"food\.csv is missing"):
            Recommender.open(tmp_path)
