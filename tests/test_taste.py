"""Tests of taste, freshness and text queries in the ranking."""

from itertools import pairwise

import numpy as np
import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, Item
from moodmirror.recommendation.diversity import item_traits
from moodmirror.recommendation.explanations import explain_shared_trait
from moodmirror.recommendation.item_moods import compute_item_mood
from moodmirror.recommendation.sentence_vectors import CatalogueVectors
from moodmirror.recommendation.taste import (
    MAX_OPINIONS,
    READING_SECONDS,
    SEEN_HALF_LIFE,
    SKIP_HALF_LIFE,
    ContentModel,
    Opinion,
    Taste,
)
from moodmirror.recommendation.text_query import TextQuery, TextQueryIndex

pytestmark = pytest.mark.unit

SAD = mood_vector({"sad": 1})


class Clock:
    """A clock that is set by the test."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def tables():
    return Recommender.open()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def taste(clock):
    return Taste(clock=clock, monotonic=clock)


@pytest.fixture
def recommender(tables, taste):
    return tables.with_taste(taste)


def ids(recommendations):
    return [recommendation.item.id for recommendation in recommendations]


def shown(recommender, taste, kind="songs", mood=SAD, **options):
    """Recommend, and mark the rows as shown, as the page does."""
    rows = recommender.recommend(mood, kind, **options)
    taste.mark_shown(kind, ids(rows))
    return rows


def song(name, artist="somebody", tags=("grief",), genres="folk", **facts):
    vector = compute_item_mood(0.3, 0.3, tags, [genres])
    given = {"artist": artist, "year": "1971", "language": "en", "genres": genres, **facts}
    return Item(name, name.title(), 0.3, 0.3, tuple(tags), vector, "A line.", given)


class TestTaste:
    def test_an_empty_taste_changes_nothing(self, tables, recommender):
        for kind in KINDS:
            for mode in ("match", "lift", "surprise"):
                assert recommender.recommend(SAD, kind, mode=mode) == tables.recommend(SAD, kind, mode=mode)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_like_raises_similar_items_at_once(self, tables, recommender, taste, kind):
        everything = 10_000
        before = ids(recommender.recommend(SAD, kind, everything))
        liked = tables.recommend(SAD, kind, 30)[25].item
        taste.add_opinion(kind, liked.id, "like")
        after = ids(recommender.recommend(SAD, kind, everything))
        items = {row.item.id: row.item for row in tables.recommend(SAD, kind, everything)}
        others = [item for item in items.values() if item.id != liked.id]
        similar = sorted(others, key=lambda item: -len(item_traits(item) & item_traits(liked)))[:10]
        dissimilar = [item for item in others if not item_traits(item) & item_traits(liked)]
        risen = np.mean([before.index(item.id) - after.index(item.id) for item in similar])
        assert risen > 0
        if dissimilar:
            assert risen > np.mean([before.index(item.id) - after.index(item.id) for item in dissimilar])

    def test_likes_of_an_artist_are_explained(self, tables, recommender, taste):
        works = [r.item for r in tables.recommend(SAD, "songs", 10_000) if r.item.facts["artist"] == "Nina Simone"]
        assert len(works) >= 3
        for work in works[:2]:
            taste.add_opinion("songs", work.id, "like")
        by_id = {r.item.id: r for r in recommender.recommend(SAD, "songs", 10_000)}
        assert "you liked two songs by Nina Simone" in by_id[works[2].id].why
        assert any(works[0].title in detail and works[1].title in detail for detail in by_id[works[2].id].details)
        assert by_id[works[0].id].why.endswith("you liked it")
        assert by_id[works[0].id].liked
        assert not by_id[works[2].id].liked

    def test_explanations_of_taste_are_true(self, tables, recommender, taste):
        liked = {r.item.title: r.item for r in tables.recommend(SAD, "movies", 6)}
        for item in liked.values():
            taste.add_opinion("movies", item.id, "like")
        explained = 0
        for row in recommender.recommend(SAD, "movies", 60):
            _, _, phrase = row.why.partition("; ")
            if phrase.startswith("you liked ") and ", also " in phrase:
                named = [item for title, item in liked.items() if phrase.startswith(f"you liked {title}, ")]
                assert named
                assert item_traits(named[0]) & item_traits(row.item)
                explained += 1
        assert explained > 0

    @pytest.mark.parametrize(
        ("kind", "trait", "words"),
        [
            ("songs", ("tag", "love"), "also full of love"),
            ("songs", ("genres", "jazz"), "also jazz"),
            ("food", ("tag", "melancholy"), "also for melancholy hours"),
            ("food", ("cuisine", "korean"), "also Korean"),
            ("activities", ("company", "alone"), "also to do alone"),
            ("activities", ("place", "outdoors"), "also outdoors"),
        ],
    )
    def test_shared_traits_are_explained_in_english(self, kind, trait, words):
        assert explain_shared_trait(kind, song("blue days"), trait) == f"you liked Blue Days, {words}"

    def test_hidden_items_are_never_listed(self, recommender, taste, clock):
        hidden = ids(recommender.recommend(SAD, "food", 5))
        for item in hidden:
            taste.add_opinion("food", item, "hide")
        for mode in ("match", "lift", "surprise"):
            assert not set(hidden) & set(ids(recommender.recommend(SAD, "food", 10_000, mode)))
        clock.now += 365 * 24 * 3600
        assert not set(hidden) & set(ids(recommender.recommend(SAD, "food", 10_000)))
        taste.remove_opinion("food", hidden[0], "hide")
        assert hidden[0] in ids(recommender.recommend(SAD, "food", 10_000))

    def test_hiding_removes_a_like(self, taste):
        taste.add_opinion("songs", "a", "like")
        taste.add_opinion("songs", "a", "hide")
        assert [(opinion.item, opinion.verdict) for opinion in taste.opinions] == [("a", "hide")]

    def test_likes_elsewhere_count_as_liked_and_are_no_opinions(self, tables, recommender, taste):
        liked = tables.items("songs")[3].id
        before = recommender.recommend(SAD, "songs", 1000)
        taste.set_likes_elsewhere("songs", [liked])
        after = recommender.recommend(SAD, "songs", 1000)
        assert [row.item.id for row in after if row.liked] == [liked]
        assert ids(after).index(liked) < ids(before).index(liked)
        assert taste.opinions == []
        taste.add_opinion("songs", liked, "hide")  # what the visitor says here counts more
        assert liked not in ids(recommender.recommend(SAD, "songs", 1000))

    def test_likes_elsewhere_count_after_opinions_where_they_are_many(self, tables, taste):
        taste.set_likes_elsewhere("songs", [item.id for item in tables.items("songs")])
        taste.add_opinion("songs", tables.items("songs")[5].id, "skip")
        snapshot = taste.snapshot("songs")
        assert len(snapshot.opinion_values) == MAX_OPINIONS
        assert list(snapshot.opinion_values)[-1] == tables.items("songs")[5].id

    def test_the_strongest_of_several_verdicts_counts(self, taste):
        for item, verdicts in (("a", ("like", "skip")), ("b", ("hide", "play"))):
            for verdict in verdicts:
                taste.add_opinion("songs", item, verdict)
        assert taste.snapshot("songs").opinion_values == {"a": 1.0, "b": -1.0}

    def test_a_skipped_item_leaves_and_returns_within_days(self, recommender, taste, clock):
        first = ids(recommender.recommend(SAD, "songs"))[0]
        taste.add_opinion("songs", first, "skip")
        assert first not in ids(recommender.recommend(SAD, "songs", 40))
        clock.now += 14 * SKIP_HALF_LIFE
        taste.replace_opinions([Opinion("songs", first, "skip", clock.now - 14 * SKIP_HALF_LIFE)])
        assert first in ids(recommender.recommend(SAD, "songs", 40))

    def test_hides_lower_similar_items(self, tables, recommender, taste):
        before = tables.recommend(SAD, "songs", 10_000)
        genre = "country"
        for row in [row for row in before if genre in row.item.facts["genres"].split("|")][:6]:
            taste.add_opinion("songs", row.item.id, "hide")
        after = recommender.recommend(SAD, "songs", 40)
        count = sum(genre in row.item.facts["genres"].split("|") for row in after)
        assert count < sum(genre in row.item.facts["genres"].split("|") for row in before[:40])

    def test_opinions_on_removed_items_are_ignored(self, tables, recommender, taste):
        for verdict in ("like", "skip", "hide", "play"):
            taste.add_opinion("songs", f"gone-{verdict}", verdict)
        assert ids(recommender.recommend(SAD, "songs")) == ids(tables.recommend(SAD, "songs"))

    def test_an_unknown_verdict_is_rejected(self, taste):
        with pytest.raises(ValueError, match="unknown verdict 'adore': use one of like"):
            taste.add_opinion("songs", "a", "adore")

    def test_taste_works_without_sentence_vectors(self, clock):
        items = [song("a", "x"), song("b", "y"), song("c", "x"), song("d", "z", ("party",), "disco")]
        taste = Taste(clock=clock)
        recommender = Recommender({"songs": items}, taste)
        taste.add_opinion("songs", "a", "like")
        rows = {row.item.id: row for row in recommender.recommend(SAD, "songs")}
        assert rows["c"].why.endswith("you liked a song by x")
        liked, same_genre, same_artist, other = ContentModel(items).predict(np.array([0]), np.ones(1, np.float32))
        assert liked >= same_artist > same_genre > other

    def test_popularity_decides_only_among_equals(self):
        equal = [song("a", "x", popularity="1"), song("b", "y", popularity="90"), song("c", "z", popularity="")]
        assert ids(Recommender({"songs": equal}).recommend(SAD, "songs")) == ["b", "a", "c"]
        known = [song("a", "x", ("party",), popularity="100"), song("b", "y", popularity="0")]
        assert ids(Recommender({"songs": known}).recommend(SAD, "songs")) == ["b", "a"]


class TestFreshness:
    def test_a_shown_item_stays_until_another_fits_clearly_better(self, clock):
        items = [song("a", "x", ("grief",)), song("b", "y", ("melancholy",))]
        taste = Taste(clock=clock, monotonic=clock)
        recommender = Recommender({"songs": items}, taste)
        assert ids(recommender.recommend(items[1].vector, "songs", 1)) == ["b"]
        taste.mark_shown("songs", ["a"])
        assert ids(recommender.recommend(items[1].vector, "songs", 1)) == ["a"]
        assert ids(recommender.recommend(mood_vector({"neutral": 1}), "songs", 1)) == ["b"]

    def test_an_item_shown_again_loses_its_penalty(self, taste, clock):
        taste.mark_shown("songs", ["a"])
        clock.now += READING_SECONDS
        taste.mark_shown("songs", ["b"])
        assert set(taste.snapshot("songs").penalties) == {"a"}
        taste.mark_shown("songs", ["a"])
        assert set(taste.snapshot("songs").penalties) == set()

    def test_a_seen_item_that_fits_best_is_no_surprise(self, tables, recommender, taste, clock):
        best = sorted(tables.recommend(SAD, "songs", 10_000), key=lambda row: -row.score)[:10]
        obvious = set(ids(best))
        taste.mark_shown("songs", ids(best))
        clock.now += READING_SECONDS
        shown(recommender, taste, mood=mood_vector({"happy": 1}))
        for seed in range(20):
            assert not obvious & set(ids(recommender.recommend(SAD, "songs", mode="surprise", seed=seed)))

    def test_a_list_is_stable_while_the_mood_drifts(self, recommender, taste):
        first = ids(shown(recommender, taste))
        drifted = mood_vector({"sad": 0.97, "neutral": 0.03})
        assert len(set(ids(shown(recommender, taste, mood=drifted))) & set(first)) >= 9

    def test_a_surprise_is_stable_while_the_mood_drifts(self, recommender, taste):
        first = ids(shown(recommender, taste, mode="surprise", seed=3))
        drifted = mood_vector({"sad": 0.98, "neutral": 0.02})
        assert len(set(ids(shown(recommender, taste, mood=drifted, mode="surprise", seed=3))) & set(first)) >= 7

    def test_a_returning_mood_gets_other_items(self, recommender, taste, clock):
        first = ids(shown(recommender, taste))
        clock.now += READING_SECONDS
        shown(recommender, taste, mood=mood_vector({"happy": 1}))
        clock.now += READING_SECONDS
        assert not set(ids(shown(recommender, taste))) & set(first)

    def test_a_short_change_of_mood_keeps_the_list(self, recommender, taste, clock):
        first = ids(shown(recommender, taste))
        clock.now += READING_SECONDS / 5
        shown(recommender, taste, mood=mood_vector({"happy": 1}))
        assert ids(shown(recommender, taste)) == first

    def test_dismissed_items_are_replaced_each_time(self, recommender, taste):
        seen: set[str] = set()
        for _ in range(4):
            rows = ids(shown(recommender, taste, "activities"))
            assert not seen & set(rows)
            seen |= set(rows)
            taste.dismiss_shown("activities")

    def test_setting_the_wall_clock_back_does_not_prolong_penalties(self, tables, clock):
        wall = Clock()
        taste = Taste(clock=wall, monotonic=clock)
        recommender = tables.with_taste(taste)
        first = ids(shown(recommender, taste))
        taste.dismiss_shown("songs")
        assert not set(ids(recommender.recommend(SAD, "songs"))) & set(first)
        wall.now -= 365 * 24 * 3600
        clock.now += 20 * SEEN_HALF_LIFE
        assert ids(recommender.recommend(SAD, "songs")) == first

    @pytest.mark.parametrize("verdict", ["skip", "hide"])
    @pytest.mark.parametrize("position", [0, 9])
    def test_an_undone_verdict_restores_the_item(self, recommender, taste, clock, verdict, position):
        first = ids(shown(recommender, taste))
        clock.now += 10 * READING_SECONDS
        taste.add_opinion("songs", first[position], verdict)
        assert first[position] not in ids(shown(recommender, taste))
        taste.remove_opinion("songs", first[position], verdict)
        assert first[position] in ids(shown(recommender, taste))

    @pytest.mark.parametrize("kind", KINDS)
    def test_likes_do_not_change_the_course_of_a_journey(self, tables, recommender, taste, kind):
        for row in tables.recommend(SAD, kind, 30)[::2]:
            taste.add_opinion(kind, row.item.id, "like")
        rows = recommender.recommend(SAD, kind, 10, "journey", towards="happy")
        happy = [row.item.vector[EMOTIONS.index("happy")] for row in rows]
        assert np.corrcoef(happy, range(10))[0, 1] > 0.8
        assert max(happy[:2]) < 0.4
        assert min(happy[-2:]) > 0.6

    def test_liked_artists_are_not_listed_twice_in_a_row(self, tables, recommender, taste):
        for row in tables.recommend(SAD, "songs", 10_000):
            if row.item.facts["artist"] in ("Nina Simone", "Radiohead"):
                taste.add_opinion("songs", row.item.id, "like")
        artists = [row.item.facts["artist"] for row in recommender.recommend(SAD, "songs", 20)]
        assert all(one != other for one, other in pairwise(artists))


class TestTextQueries:
    @pytest.mark.parametrize(
        ("kind", "words", "wanted"),
        [
            ("food", "a bowl of soup", "soup"),
            ("songs", "something with piano", "piano"),
            ("activities", "a walk", "walk"),
            ("movies", "TRAINS!", "train"),
        ],
    )
    def test_items_with_a_word_of_the_query_are_listed(self, tables, kind, words, wanted):
        def count(rows):
            facts = [" ".join([row.item.title, row.item.line, *row.item.facts.values()]).casefold() for row in rows]
            return sum(wanted in text for text in facts)

        plain, queried = tables.recommend(SAD, kind), tables.recommend(SAD, kind, text_query=TextQuery(words))
        assert count(queried) > count(plain)
        assert any("close to your search" in row.why for row in queried)

    @pytest.mark.parametrize("kind", ["movies", "food", "activities"])
    def test_short_means_a_short_duration(self, tables, kind):
        rows = [row for row in tables.recommend(SAD, kind, text_query=TextQuery("something short")) if "(short)" in row.why]
        assert len(rows) >= 5
        assert all(int(row.item.facts["minutes"]) <= (90 if kind == "movies" else 20) for row in rows)

    def test_short_in_a_songs_line_is_no_match(self, tables):
        rows = tables.recommend(SAD, "songs", 10_000, text_query=TextQuery("something short"))
        assert any("short" in row.item.line.split() for row in rows)
        assert not any("your search" in row.why for row in rows)

    @pytest.mark.parametrize(("kind", "light"), [("movies", "comedy"), ("songs", "novelty"), ("activities", "playful")])
    def test_funny_means_comedy(self, tables, kind, light):
        rows = [row for row in tables.recommend(None, kind, 10, text_query=TextQuery("funny")) if "(funny)" in row.why]
        assert len(rows) >= 5
        for row in rows:
            assert {light, "comedy", "satire", "dark-humour"} & {
                *row.item.facts.get("genres", "").split("|"),
                *row.item.tags,
            }

    def test_the_mood_counts_beside_the_query(self, tables):
        moods = [mood_vector({emotion: 1}) for emotion in ("sad", "happy")]
        sad, happy = (tables.recommend(mood, "songs", text_query=TextQuery("piano")) for mood in moods)
        emotions = [np.mean([row.item.vector[3] for row in rows]) for rows in (sad, happy)]
        assert emotions[0] < emotions[1]

    def test_semantically_similar_items_are_found(self, tables):
        stored = CatalogueVectors.load()
        items = [row.item for row in tables.recommend(SAD, "songs", 10_000)]
        row = stored.ids["songs"].index(items[300].id)
        vector = stored.vectors["songs"][row].astype(np.float32) / 127
        own_mood = items[300].vector
        assert items[300].id not in ids(tables.recommend(own_mood, "songs", text_query=TextQuery("", -vector)))
        assert items[300].id in ids(tables.recommend(own_mood, "songs", text_query=TextQuery("", vector)))

    @pytest.mark.parametrize("words", ["", "the of and", "zzzzqq", "🎉", "ß" * 200])
    def test_a_query_without_content_changes_nothing(self, tables, words):
        assert ids(tables.recommend(SAD, "food", text_query=TextQuery(words))) == ids(tables.recommend(SAD, "food"))

    def test_a_query_ranks_without_a_mood(self, tables):
        rows = tables.recommend(None, "food", text_query=TextQuery("soup"))
        assert all("soup" in f"{row.item.title} {row.item.line}".casefold() for row in rows[:5])
        assert all("close to your search" in row.why and "feel" not in row.why for row in rows[:5])
        assert all(0 <= row.score <= 1 for row in rows)

    def test_only_items_with_a_word_of_the_query_are_called_close(self, tables):
        vector = CatalogueVectors.load().vectors["songs"][0].astype(np.float32) / 127
        rows = tables.recommend(SAD, "songs", 10_000, text_query=TextQuery("Some PIANO, and unicorns", vector))
        close = [row for row in rows if "close to your search" in row.why]
        assert 0 < len(close) < len(rows)
        for row in close:
            assert row.why.split("close to your search (")[1].startswith("PIANO")
            assert "piano" in " ".join([row.item.title, row.item.line, *row.item.facts.values()]).casefold()

    @pytest.mark.parametrize("options", [{"mode": "lift"}, {"mode": "journey", "towards": "happy"}, {"mode": "surprise"}])
    def test_other_modes_need_a_mood(self, tables, options):
        with pytest.raises(ValueError, match="needs a mood to start from"):
            tables.recommend(None, "songs", **options)

    def test_the_best_match_has_similarity_one(self):
        items = [song("piano waltz"), song("piano"), song("guitar")]
        similarity = TextQueryIndex(items, "songs").similarity(TextQuery("a piano waltz"))
        assert similarity.tolist() == [1, pytest.approx(0.4, abs=0.3), 0]

    def test_a_querys_text_is_not_in_its_repr(self):
        assert "secret" not in repr(TextQuery("my secret", np.ones(3, np.float32)))


def test_vectors_of_unknown_items_are_zero(tables):
    assert (DATA_DIR / "catalogue_vectors.npz").exists()
    items = [row.item for row in tables.recommend(SAD, "food", 5)]
    rows = CatalogueVectors.load().rows([*items, song("not there")], "food")
    assert np.linalg.norm(rows[:5], axis=1) == pytest.approx(1, abs=0.02)
    assert not rows[5].any()
