import csv
import shutil

import numpy as np
import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, CatalogueError, parse_moods, read_table

LEAST_ROWS = {"songs": 150, "movies": 100, "food": 80, "activities": 80}


@pytest.fixture(scope="module")
def recommender():
    return Recommender.open()


class TestCatalogue:
    @pytest.mark.parametrize("kind", KINDS)
    def test_shipped_tables_are_large_enough_and_serve_every_emotion(self, kind):
        items = read_table(CATALOGUE_DIR / f"{kind}.csv", kind)
        assert len(items) >= LEAST_ROWS[kind]
        leading = [EMOTIONS[int(item.vector.argmax())] for item in items]
        assert min(leading.count(emotion) for emotion in EMOTIONS) >= 10
        assert len({item.title.lower() + str(item.facts.get("artist")) for item in items}) == len(items)
        assert len({item.line for item in items}) == len(items)

    def test_moods_become_a_vector(self):
        np.testing.assert_allclose(parse_moods("sad:3|neutral:1"), mood_vector({"sad": 0.75, "neutral": 0.25}))

    @pytest.mark.parametrize(
        ("column", "value", "complaint"),
        [
            ("moods", "sad:7|bored:2", "bored"),
            ("moods", "sad", "emotion:weight"),
            ("moods", "sad:1|sad:2", "twice"),
            ("year", "19x7", "19x7"),
            ("id", "Not A Slug", "Not A Slug"),
            ("title", "", "empty"),
            ("energy", "1.7", "1.7"),
            ("language", "english", "english"),
        ],
    )
    def test_a_bad_row_is_named_by_file_line_and_column(self, tmp_path, column, value, complaint):
        path = tmp_path / "songs.csv"
        with (CATALOGUE_DIR / "songs.csv").open(encoding="utf-8", newline="") as original:
            rows = list(csv.DictReader(original))
        rows[4][column] = value
        with path.open("w", encoding="utf-8", newline="") as copy:
            writer = csv.DictWriter(copy, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        with pytest.raises(CatalogueError) as caught:
            read_table(path, "songs")
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
