"""Tests of content safety: items that are not recommended for a low mood, and that none of them is shipped."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from moodmirror.app_factory import create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender, catalogue_check
from moodmirror.recommendation.catalogue import KINDS, read_table
from moodmirror.recommendation.content_safety import find_risks, is_low_mood
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.text_query import TextQuery

pytestmark = pytest.mark.unit

LOW = ("angry", "disgust", "fear", "sad")


@pytest.mark.parametrize(
    ("kind", "name", "text", "found"),
    [
        ("movies", "A Quiet House", "A widower plans to commit suicide.", ["self-harm"]),
        ("movies", "Powder", "A cocaine dealer retires.", ["drugs"]),
        ("movies", "The Heroine", "A heroine fights back.", []),
        ("songs", "Suicidal Waltz", "", ["self-harm"]),
        ("songs", "Red Red Wine", "", []),
        ("food", "Gin and tonic", "", ["alcohol"]),
        ("food", "Mulled wine", "", ["alcohol"]),
        ("food", "Onion soup", "Add a glass of white wine.", []),
        ("food", "Salad with red wine vinegar", "", []),
        ("food", "Ginger beer float", "", []),
        ("food", "Non-alcoholic punch", "", []),
        ("food", "Drumsticks with ginger", "", []),
        ("activities", "Go to a shooting range", "", ["danger"]),
        ("activities", "A pub crawl", "", ["alcohol"]),
    ],
)
def test_risks_are_found_by_words_and_not_by_similar_words(kind, name, text, found):
    assert find_risks(kind, name, text) == found


def test_low_moods_are_mostly_unpleasant():
    assert all(is_low_mood(mood_vector({emotion: 1})) is (emotion in LOW) for emotion in EMOTIONS)
    assert is_low_mood(mood_vector({"sad": 0.3, "fear": 0.3, "neutral": 0.4}))
    assert not is_low_mood(mood_vector({"sad": 0.4, "happy": 0.6}))


@pytest.fixture(scope="module")
def with_gin():
    """The shipped catalogue, where one comforting dish is renamed Gin."""
    tables = {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}
    saddest = max(tables["food"], key=lambda item: item.vector[EMOTIONS.index("sad")] / np.linalg.norm(item.vector))
    tables["food"] = [replace(item, title="Gin") if item is saddest else item for item in tables["food"]]
    return Recommender(tables), saddest.id


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("emotion", LOW)
def test_no_mode_or_text_query_recommends_it_for_a_low_mood(with_gin, emotion, mode):
    recommender, gin = with_gin
    rows = recommender.recommend(
        mood_vector({emotion: 1}),
        "food",
        1000,
        mode,
        towards="happy" if mode == "journey" else None,
        text_query=TextQuery("gin"),
    )
    assert len(rows) == len(recommender.items("food")) - 1
    assert gin not in [row.item.id for row in rows]


def test_it_is_recommended_for_a_bright_mood(with_gin):
    recommender, gin = with_gin
    assert gin in [row.item.id for row in recommender.recommend(mood_vector({"happy": 1}), "food", 1000)]


def test_imported_films_are_marked_by_their_keywords_and_overviews(tmp_path):
    film = {"release_date": "1999-01-01", "genres": '[{"name": "Drama"}]', "overview": "People talk by the sea."}
    films = [
        {**film, "id": "1", "title": "Made-up Talk", "keywords": "[]"},
        {**film, "id": "2", "title": "Made-up Despair", "keywords": '[{"name": "suicide attempt"}]'},
        {**film, "id": "3", "title": "Made-up Letter", "keywords": "[]", "overview": "She writes. Then she kills herself."},
    ]
    path = tmp_path / "films.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(films[0]))
        writer.writeheader()
        writer.writerows(films)
    app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
    done = app.test_cli_runner().invoke(args=["import", "movies", str(path)])
    assert "3 added" in done.output, done.output
    recommender = Recommender.open(imported_dir=tmp_path / "catalogue")
    recommended = {
        emotion: {row.item.title for row in recommender.recommend(mood_vector({emotion: 1}), "movies", 1000)}
        for emotion in ("sad", "happy")
    }
    assert recommended["happy"] - recommended["sad"] == {"Made-up Despair", "Made-up Letter"}


def test_the_catalogue_check_finds_harmful_rows_and_the_shipped_table_has_none():
    food = read_table(DATA_DIR / "food.csv", "food")
    harmful = [fault for fault in catalogue_check.find_faults({"food": food}) if "harm" in fault]
    assert harmful == []
    faults = catalogue_check.find_faults({"food": [*food, replace(food[0], id="new", title="Whisky sour")]})
    assert "food: new may do harm in a low mood (alcohol): delete or reword it" in faults
