"""Tests of the tables for a person in a crisis: what comforts and connects, and nothing bleak, violent or of alcohol."""

from dataclasses import replace

import numpy as np
import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, read_table
from moodmirror.recommendation.comforting_items import is_comforting
from moodmirror.recommendation.ranking_modes import MODES
from moodmirror.recommendation.text_query import TextQuery

pytestmark = pytest.mark.unit

HARSH = {
    "grief",
    "heartbreak",
    "rage",
    "nightmare",
    "eerie",
    "tense",
    "cynical",
    "dark-humour",
    "gross",
    "disillusion",
    "betrayal",
}


@pytest.fixture(scope="module")
def tables():
    return {kind: read_table(DATA_DIR / f"{kind}.csv", kind) for kind in KINDS}


@pytest.fixture(scope="module")
def recommender(tables):
    return Recommender(tables)


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_has_enough_that_comforts_and_nothing_harsh_in_it(recommender, kind):
    rows = recommender.recommend(mood_vector({"sad": 1}), kind, 1000, comforting=True)
    assert len(rows) >= 80
    for row in rows:
        assert not HARSH & set(row.item.tags), row.item.id
        assert not {"horror", "thriller", "crime", "war", "metal", "punk"} & set(row.item.facts.get("genres", "").split("|"))
        assert row.item.valence >= 0.5


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_no_mode_mood_or_dark_wish_brings_anything_else(recommender, tables, emotion, mode):
    for kind in KINDS:
        rows = recommender.recommend(
            mood_vector({emotion: 1}),
            kind,
            20,
            mode,
            towards="sad" if mode == "journey" else None,
            text_query=TextQuery("something bleak about death, murder and whisky"),
            comforting=True,
        )
        assert len(rows) == 20
        assert all(is_comforting(kind, row.item) for row in rows)


def test_without_a_mood_or_a_wish_there_is_something_too(recommender):
    rows = recommender.recommend(None, "songs", 10, comforting=True)
    assert len(rows) == 10
    assert all(not np.isnan(row.score) and row.why for row in rows)


def test_activities_for_company_come_first(recommender):
    rows = recommender.recommend(mood_vector({"sad": 1}), "activities", 10, comforting=True)
    together = ["together" in row.item.facts["company"].split("|") for row in rows]
    assert sum(together) >= 7
    assert any("near you" in row.why for row in rows)


def test_a_filter_still_applies(recommender):
    rows = recommender.recommend(mood_vector({"sad": 1}), "movies", 10, filters={"genre": "animation"}, comforting=True)
    assert rows
    assert all("animation" in row.item.facts["genres"].split("|") for row in rows)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("songs", {"title": "Drunk Again"}),
        ("songs", {"tags": ("comfort", "grief")}),
        ("songs", {"valence": 0.3}),
        ("movies", {"line": "A widower plans his own death."}),
        ("movies", {"line": "Two friends share a bottle of whisky."}),
        ("movies", {"facts": {"genres": "drama|horror"}}),
        ("movies", {"facts": {"genres": "drama", "risks": "self-harm"}}),
        ("food", {"title": "Mulled wine"}),
        ("activities", {"line": "Sit on the edge of the roof and look down."}),
    ],
)
def test_one_bleak_or_violent_or_harmful_property_excludes_an_item(tables, kind, change):
    item = next(item for item in tables[kind] if is_comforting(kind, item))
    facts = {**item.facts, **change.get("facts", {})}
    assert not is_comforting(kind, replace(item, **{**change, "facts": facts}))
