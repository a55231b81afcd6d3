"""What likes, skips, hides and wishes do to the lists."""

from itertools import pairwise

import numpy as np
import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, KINDS, Item
from moodmirror.recommendation.diversity import traits_of
from moodmirror.recommendation.explanations import in_common
from moodmirror.recommendation.item_moods import compute_item_mood
from moodmirror.recommendation.sentence_vectors import CatalogueVectors
from moodmirror.recommendation.taste import READING_SECONDS, SEEN_HALF_LIFE, SKIP_HALF_LIFE, ItemFeatures, Opinion, Taste
from moodmirror.recommendation.text_query import TextQuery

SAD = mood_vector({"sad": 1})


class Clock:
    """Time that passes when told to."""

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
    """What the page would show, and takes note of."""
    rows = recommender.recommend(mood, kind, **options)
    taste.mark_shown(kind, ids(rows))
    return rows


def song(name, artist="somebody", tags=("grief",), genres="folk", **facts):
    vector = compute_item_mood(0.3, 0.3, tags, [genres])
    given = {"artist": artist, "year": "1971", "language": "en", "genres": genres, **facts}
    return Item(name, name.title(), 0.3, 0.3, tuple(tags), vector, "A line.", given)


class TestTaste:
    def test_it_starts_from_nothing(self, tables, recommender):
        for kind in KINDS:
            for mode in ("match", "lift", "surprise"):
                assert recommender.recommend(SAD, kind, mode=mode) == tables.recommend(SAD, kind, mode=mode)

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_like_raises_what_is_like_it_at_once(self, tables, recommender, taste, kind):
        everything = 10_000
        before = ids(recommender.recommend(SAD, kind, everything))
        liked = tables.recommend(SAD, kind, 30)[25].item
        taste.add_opinion(kind, liked.id, "like")
        after = ids(recommender.recommend(SAD, kind, everything))
        items = {row.item.id: row.item for row in tables.recommend(SAD, kind, everything)}
        others = [item for item in items.values() if item.id != liked.id]
        alike = sorted(others, key=lambda item: -len(traits_of(item) & traits_of(liked)))[:10]
        unlike = [item for item in others if not traits_of(item) & traits_of(liked)]
        risen = np.mean([before.index(item.id) - after.index(item.id) for item in alike])
        assert risen > 0
        if unlike:
            assert risen > np.mean([before.index(item.id) - after.index(item.id) for item in unlike])

    def test_likes_of_an_artist_bring_the_artist_and_are_told(self, tables, recommender, taste):
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

    def test_reasons_of_taste_are_true(self, tables, recommender, taste):
        liked = {r.item.title: r.item for r in tables.recommend(SAD, "movies", 6)}
        for item in liked.values():
            taste.add_opinion("movies", item.id, "like")
        told = 0
        for row in recommender.recommend(SAD, "movies", 60):
            _, _, said = row.why.partition("; ")
            if said.startswith("you liked ") and ", also " in said:
                named = [item for title, item in liked.items() if said.startswith(f"you liked {title}, ")]
                assert named
                assert traits_of(named[0]) & traits_of(row.item)
                told += 1
        assert told > 0

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
    def test_what_one_has_in_common_is_said_in_english(self, kind, trait, words):
        assert in_common(kind, song("blue days"), trait) == f"you liked Blue Days, {words}"

    def test_what_is_hidden_never_returns_whatever_is_asked_for(self, recommender, taste, clock):
        hidden = ids(recommender.recommend(SAD, "food", 5))
        for item in hidden:
            taste.add_opinion("food", item, "hide")
        for mode in ("match", "lift", "surprise"):
            assert not set(hidden) & set(ids(recommender.recommend(SAD, "food", 10_000, mode)))
        clock.now += 365 * 24 * 3600
        assert not set(hidden) & set(ids(recommender.recommend(SAD, "food", 10_000)))
        taste.remove_opinion("food", hidden[0], "hide")
        assert hidden[0] in ids(recommender.recommend(SAD, "food", 10_000))

    def test_hiding_takes_back_a_like(self, taste):
        taste.add_opinion("songs", "a", "like")
        taste.add_opinion("songs", "a", "hide")
        assert [(opinion.item, opinion.verdict) for opinion in taste.opinions] == [("a", "hide")]

    def test_a_skip_steps_back_and_comes_again_within_days(self, recommender, taste, clock):
        first = ids(recommender.recommend(SAD, "songs"))[0]
        taste.add_opinion("songs", first, "skip")
        assert first not in ids(recommender.recommend(SAD, "songs", 40))
        clock.now += 14 * SKIP_HALF_LIFE
        taste.replace_opinions([Opinion("songs", first, "skip", clock.now - 14 * SKIP_HALF_LIFE)])
        assert first in ids(recommender.recommend(SAD, "songs", 40))

    def test_dislikes_lower_what_is_like_them(self, tables, recommender, taste):
        before = tables.recommend(SAD, "songs", 10_000)
        genre = "country"
        for row in [row for row in before if genre in row.item.facts["genres"].split("|")][:6]:
            taste.add_opinion("songs", row.item.id, "hide")
        after = recommender.recommend(SAD, "songs", 40)
        count = sum(genre in row.item.facts["genres"].split("|") for row in after)
        assert count < sum(genre in row.item.facts["genres"].split("|") for row in before[:40])

    def test_opinions_on_what_is_gone_from_the_catalogue_do_no_harm(self, tables, recommender, taste):
        for verdict in ("like", "skip", "hide", "play"):
            taste.add_opinion("songs", f"gone-{verdict}", verdict)
        assert ids(recommender.recommend(SAD, "songs")) == ids(tables.recommend(SAD, "songs"))

    def test_an_unknown_verdict_is_refused(self, taste):
        with pytest.raises(ValueError, match="unknown verdict 'adore': use one of like"):
            taste.add_opinion("songs", "a", "adore")

    def test_taste_does_without_sentence_vectors(self, clock):
        items = [song("a", "x"), song("b", "y"), song("c", "x"), song("d", "z", ("party",), "disco")]
        taste = Taste(clock=clock)
        recommender = Recommender({"songs": items}, taste)
        taste.add_opinion("songs", "a", "like")
        rows = {row.item.id: row for row in recommender.recommend(SAD, "songs")}
        assert rows["c"].why.endswith("you liked a song by x")
        liked, same_genre, same_artist, other = ItemFeatures(items).worth(np.array([0]), np.ones(1, np.float32))
        assert liked >= same_artist > same_genre > other

    def test_popularity_chooses_only_among_equals(self):
        equal = [song("a", "x", popularity="1"), song("b", "y", popularity="90"), song("c", "z", popularity="")]
        assert ids(Recommender({"songs": equal}).recommend(SAD, "songs")) == ["b", "a", "c"]
        known = [song("a", "x", ("party",), popularity="100"), song("b", "y", popularity="0")]
        assert ids(Recommender({"songs": known}).recommend(SAD, "songs")) == ["b", "a"]


class TestFreshness:
    def test_a_list_stays_while_the_mood_drifts(self, recommender, taste):
        first = ids(shown(recommender, taste))
        drifted = mood_vector({"sad": 0.97, "neutral": 0.03})
        assert len(set(ids(shown(recommender, taste, mood=drifted))) & set(first)) >= 9

    def test_a_surprise_stays_while_the_mood_drifts(self, recommender, taste):
        first = ids(shown(recommender, taste, mode="surprise", seed=3))
        drifted = mood_vector({"sad": 0.98, "neutral": 0.02})
        assert len(set(ids(shown(recommender, taste, mood=drifted, mode="surprise", seed=3))) & set(first)) >= 7

    def test_who_comes_back_to_a_mood_is_shown_others(self, recommender, taste, clock):
        first = ids(shown(recommender, taste))
        clock.now += READING_SECONDS
        shown(recommender, taste, mood=mood_vector({"happy": 1}))
        clock.now += READING_SECONDS
        assert not set(ids(shown(recommender, taste))) & set(first)

    def test_a_mood_that_only_flickers_brings_the_same_list(self, recommender, taste, clock):
        first = ids(shown(recommender, taste))
        clock.now += READING_SECONDS / 5
        shown(recommender, taste, mood=mood_vector({"happy": 1}))
        assert ids(shown(recommender, taste)) == first

    def test_who_asks_for_others_gets_others_again_and_again(self, recommender, taste):
        seen: set[str] = set()
        for _ in range(4):
            rows = ids(shown(recommender, taste, "activities"))
            assert not seen & set(rows)
            seen |= set(rows)
            taste.dismiss_shown("activities")

    def test_a_wall_clock_that_is_set_back_keeps_nothing_away(self, tables, clock):
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
    @pytest.mark.parametrize("place", [0, 9])
    def test_what_is_called_back_is_back_in_the_list(self, recommender, taste, clock, verdict, place):
        first = ids(shown(recommender, taste))
        clock.now += 10 * READING_SECONDS
        taste.add_opinion("songs", first[place], verdict)
        assert first[place] not in ids(shown(recommender, taste))
        taste.remove_opinion("songs", first[place], verdict)
        assert first[place] in ids(shown(recommender, taste))

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_journey_keeps_its_way_however_much_is_liked(self, tables, recommender, taste, kind):
        for row in tables.recommend(SAD, kind, 30)[::2]:
            taste.add_opinion(kind, row.item.id, "like")
        rows = recommender.recommend(SAD, kind, 10, "journey", towards="happy")
        happy = [row.item.vector[EMOTIONS.index("happy")] for row in rows]
        assert np.corrcoef(happy, range(10))[0, 1] > 0.8
        assert max(happy[:2]) < 0.4
        assert min(happy[-2:]) > 0.6

    def test_no_artist_stands_twice_in_a_row_however_much_they_are_liked(self, tables, recommender, taste):
        for row in tables.recommend(SAD, "songs", 10_000):
            if row.item.facts["artist"] in ("Nina Simone", "Radiohead"):
                taste.add_opinion("songs", row.item.id, "like")
        artists = [row.item.facts["artist"] for row in recommender.recommend(SAD, "songs", 20)]
        assert all(one != other for one, other in pairwise(artists))


class TestWishes:
    @pytest.mark.parametrize(
        ("kind", "words", "wanted"),
        [
            ("food", "a bowl of soup", "soup"),
            ("songs", "something with piano", "piano"),
            ("activities", "a walk", "walk"),
            ("movies", "TRAINS!", "train"),
        ],
    )
    def test_what_is_named_comes_to_the_fore(self, tables, kind, words, wanted):
        def count(rows):
            facts = [" ".join([row.item.title, row.item.line, *row.item.facts.values()]).casefold() for row in rows]
            return sum(wanted in text for text in facts)

        plain, wished = tables.recommend(SAD, kind), tables.recommend(SAD, kind, text_query=TextQuery(words))
        assert count(wished) > count(plain)
        assert any("close to your wish" in row.why for row in wished)

    @pytest.mark.parametrize("kind", ["movies", "food", "activities"])
    def test_something_short_is_short_and_not_of_a_short_life(self, tables, kind):
        rows = [row for row in tables.recommend(SAD, kind, text_query=TextQuery("something short")) if "(short)" in row.why]
        assert len(rows) >= 5
        assert all(int(row.item.facts["minutes"]) <= (90 if kind == "movies" else 20) for row in rows)

    def test_no_song_is_said_to_be_short_for_a_word_in_its_line(self, tables):
        rows = tables.recommend(SAD, "songs", 10_000, text_query=TextQuery("something short"))
        assert any("short" in row.item.line.split() for row in rows)
        assert not any("your wish" in row.why for row in rows)

    @pytest.mark.parametrize(("kind", "light"), [("movies", "comedy"), ("songs", "novelty"), ("activities", "playful")])
    def test_something_funny_is_made_to_be_laughed_at(self, tables, kind, light):
        rows = [row for row in tables.recommend(None, kind, 10, text_query=TextQuery("funny")) if "(funny)" in row.why]
        assert len(rows) >= 5
        for row in rows:
            assert {light, "comedy", "satire", "dark-humour"} & {
                *row.item.facts.get("genres", "").split("|"),
                *row.item.tags,
            }

    def test_the_mood_counts_beside_the_wish(self, tables):
        moods = [mood_vector({emotion: 1}) for emotion in ("sad", "happy")]
        sad, happy = (tables.recommend(mood, "songs", text_query=TextQuery("piano")) for mood in moods)
        emotions = [np.mean([row.item.vector[3] for row in rows]) for rows in (sad, happy)]
        assert emotions[0] < emotions[1]

    def test_sentences_that_mean_the_same_find_each_other(self, tables):
        stored = CatalogueVectors.load()
        items = [row.item for row in tables.recommend(SAD, "songs", 10_000)]
        row = stored.ids["songs"].index(items[300].id)
        vector = stored.vectors["songs"][row].astype(np.float32) / 127
        own_mood = items[300].vector
        assert items[300].id not in ids(tables.recommend(own_mood, "songs", text_query=TextQuery("", -vector)))
        assert items[300].id in ids(tables.recommend(own_mood, "songs", text_query=TextQuery("", vector)))

    @pytest.mark.parametrize("words", ["", "the of and", "zzzzqq", "🎉", "ß" * 200])
    def test_a_wish_that_says_nothing_changes_nothing(self, tables, words):
        assert ids(tables.recommend(SAD, "food", text_query=TextQuery(words))) == ids(tables.recommend(SAD, "food"))

    def test_a_wish_alone_ranks_while_no_mood_is_known(self, tables):
        rows = tables.recommend(None, "food", text_query=TextQuery("soup"))
        assert all("soup" in f"{row.item.title} {row.item.line}".casefold() for row in rows[:5])
        assert all("close to your wish" in row.why and "feel" not in row.why for row in rows[:5])
        assert all(0 <= row.score <= 1 for row in rows)

    def test_only_what_has_a_word_of_the_wish_is_said_to_be_close_to_it(self, tables):
        vector = CatalogueVectors.load().vectors["songs"][0].astype(np.float32) / 127
        rows = tables.recommend(SAD, "songs", 10_000, text_query=TextQuery("Some PIANO, and unicorns", vector))
        close = [row for row in rows if "close to your wish" in row.why]
        assert 0 < len(close) < len(rows)
        for row in close:
            assert row.why.split("close to your wish (")[1].startswith("PIANO")
            assert "piano" in " ".join([row.item.title, row.item.line, *row.item.facts.values()]).casefold()

    @pytest.mark.parametrize("options", [{"mode": "lift"}, {"mode": "journey", "towards": "happy"}, {"mode": "surprise"}])
    def test_what_starts_from_a_mood_needs_one(self, tables, options):
        with pytest.raises(ValueError, match="needs a mood to start from"):
            tables.recommend(None, "songs", **options)

    def test_no_wish_stands_in_a_log(self):
        assert "secret" not in repr(TextQuery("my secret", np.ones(3, np.float32)))


def test_the_catalogue_vectors_are_for_the_tables_rows(tables):
    assert (CATALOGUE_DIR / "catalogue_vectors.npz").exists()
    items = [row.item for row in tables.recommend(SAD, "food", 5)]
    rows = CatalogueVectors.load().rows([*items, song("not there")], "food")
    assert np.linalg.norm(rows[:5], axis=1) == pytest.approx(1, abs=0.02)
    assert not rows[5].any()
