"""Tests of item-item similarity: counting, effect on recommendations, and protection of single visitors."""

import numpy as np
import pytest

from moodmirror.emotions import mood_vector
from moodmirror.live.co_likes import REFRESH_SECONDS, CoLikesJob
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item
from moodmirror.recommendation.item_item import MAX_LIKES_PER_PERSON, MIN_PEOPLE, CoLikeCounts, ItemSimilarity
from moodmirror.recommendation.item_moods import compute_item_mood
from moodmirror.recommendation.taste import Opinion, Taste
from moodmirror.storage.database import Database

pytestmark = pytest.mark.unit

SAD = mood_vector({"sad": 1})


def song(name):
    """Return a song that shares nothing with other songs but its mood."""
    vector = compute_item_mood(0.3, 0.3, ("grief",), [])
    facts = {"artist": f"artist of {name}", "year": "", "language": "", "genres": ""}
    return Item(name, name.title(), 0.3, 0.3, ("grief",), vector, "A line.", facts)


def count(*groups):
    """Count the likes of groups, each (number of people, items that each of them likes)."""
    people, items = [], []
    for group, (size, liked) in enumerate(groups):
        for person in range(size):
            people += [(f"{group}-{person}")] * len(liked)
            items += liked
    return CoLikeCounts.from_likes(people, items)


def liking(*items):
    return Taste([Opinion("songs", item, "like", float(at)) for at, item in enumerate(items)])


def ids(rows):
    return [row.item.id for row in rows]


@pytest.fixture
def songs():
    return {kind: [song(name) for name in ("a", "b", "c", "d", "e", "f")] for kind in KINDS}


class TestCoLikeCounts:
    def test_likes_and_pairs_of_enough_people_are_counted(self):
        counts = count((6, ["a", "b"]), (5, ["a"]), (1, ["c"]))
        assert dict(zip(counts.items, counts.like_counts, strict=True)) == {"a": 11, "b": 6}
        assert counts.pairs.tolist() == [[0, 1]]
        assert counts.pair_counts.tolist() == [6]

    def test_items_and_pairs_of_too_few_people_are_dropped(self):
        few = MIN_PEOPLE - 1
        counts = count((few, ["a", "b"]), (20, ["a"]), (20, ["b"]), (few, ["rare"]))
        assert counts.items == ("a", "b")
        assert not len(counts.pair_counts)

    def test_repeated_likes_of_a_person_count_once(self):
        assert count((1, ["a", "b"] * 50)).items == ()

    def test_only_the_newest_likes_of_a_person_count(self):
        everything = [f"item-{number:04}" for number in range(MAX_LIKES_PER_PERSON + 10)]
        counts = count((MIN_PEOPLE, everything))
        assert counts.items == tuple(everything[10:])

    def test_no_likes_give_empty_counts(self):
        assert CoLikeCounts.from_likes([], []).items == ()
        assert not ItemSimilarity({"a": 0}, [CoLikeCounts.from_likes([], [])])

    def test_saved_counts_are_loaded_unchanged(self, tmp_path):
        counts = count((6, ["a", "b", "c"]), (7, ["a", "b"]))
        counts.save(tmp_path, "songs")
        read = CoLikeCounts.load(tmp_path, "songs")
        assert read.items == counts.items
        assert read.like_counts.tolist() == counts.like_counts.tolist()
        assert read.pairs.tolist() == counts.pairs.tolist()
        assert read.pair_counts.tolist() == counts.pair_counts.tolist()
        assert CoLikeCounts.load(tmp_path, "movies").items == ()

    def test_a_damaged_file_is_reported_with_the_next_step(self, tmp_path):
        (tmp_path / "songs_likes.npz").write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(
            CatalogueError, match=r"songs_likes\.npz can't be read: .*Import the ratings again, or delete the file"
        ):
            CoLikeCounts.load(tmp_path, "songs")


class TestItemSimilarity:
    def test_co_liked_items_are_more_similar_than_popular_items(self):
        index_of = {name: index for index, name in enumerate("abcd")}
        # Everyone likes d; people who like a also like b, never c.
        counts = count((20, ["a", "b", "d"]), (20, ["c", "d"]))
        scores = ItemSimilarity(index_of, [counts]).predict(np.array([0]), np.ones(1, np.float32))
        assert scores[1] > scores[3] > scores[2] == 0

    def test_dislikes_count_negatively_and_newer_opinions_count_more(self):
        index_of = {name: index for index, name in enumerate("abcd")}
        counts = count((20, ["a", "b"]), (20, ["c", "d"]))
        similarity = ItemSimilarity(index_of, [counts])
        disliked = similarity.predict(np.array([0]), np.array([-1], dtype=np.float32))
        assert disliked[1] < 0
        both = similarity.predict(np.array([0, 2]), np.ones(2, np.float32))
        assert both[3] > both[1] > 0

    def test_counts_of_several_sources_are_added_up(self):
        index_of = {name: index for index, name in enumerate("abc")}
        first, second = count((6, ["a", "b"]), (10, ["a", "c"])), count((6, ["a", "b"]))
        assert ItemSimilarity(index_of, [first]).most_similar(0, [1, 2]) == 2
        assert ItemSimilarity(index_of, [first, second]).most_similar(0, [1, 2]) == 1
        assert ItemSimilarity(index_of, [second, first]).most_similar(0, [1, 2]) == 1

    def test_similarity_is_shrunk_where_few_people_like_both(self):
        # Unshrunk cosines: 5 / sqrt(20 · 5) = 0.5 for b, 15 / sqrt(20 · 50) = 0.47 for c.
        counts = count((5, ["a", "b"]), (15, ["a", "c"]), (35, ["c"]))
        assert ItemSimilarity({"a": 0, "b": 1, "c": 2}, [counts]).most_similar(0, [1, 2]) == 2

    def test_items_that_are_not_in_the_table_are_ignored(self):
        similarity = ItemSimilarity({"b": 0, "a": 1}, [count((6, ["a", "b"]), (6, ["a", "gone"]))])
        assert similarity.most_similar(0, [1]) == 1
        assert similarity.most_similar(0, []) is None
        scores = similarity.predict(np.array([1]), np.ones(1, np.float32))
        assert scores.shape == (2,)
        assert scores[0] > scores[1] == 0

    def test_a_like_promotes_co_liked_items_and_the_explanation_says_so(self, songs):
        recommender = Recommender(songs, counts={"songs": count((8, ["a", "e"]), (8, ["b", "c"]))})
        plain = ids(recommender.recommend(SAD, "songs"))
        rows = recommender.with_taste(liking("a")).recommend(SAD, "songs", exclude=["a"])
        assert rows[0].item.id == "e" != plain[1]
        assert rows[0].why.endswith("others who liked A like it too")
        assert not any("others" in row.why for row in rows[1:])

    def test_too_few_people_change_nothing(self, songs):
        few = Recommender(songs, counts={"songs": count((MIN_PEOPLE - 1, ["a", "e"]), (9, ["e"]), (9, ["a"]))})
        own = few.with_taste(liking("a")).recommend(SAD, "songs")
        assert own == Recommender(songs).with_taste(liking("a")).recommend(SAD, "songs")


class TestCoLikesJob:
    """Co-likes of the site's own visitors."""

    @pytest.fixture
    def database(self, tmp_path):
        database = Database(f"sqlite:///{tmp_path / 'likes.sqlite3'}")
        yield database
        database.close()

    @pytest.fixture
    def co_likes_job(self, database, songs):
        self.now = 0.0
        self.recommender = Recommender(songs)
        return CoLikesJob(database, self.recommender, clock=lambda: self.now)

    def visit(self, database, visitors, verdict="like"):
        for visitor in visitors:
            for at, item in enumerate(("a", "e")):
                database.save_opinion(visitor, Opinion("songs", item, verdict, float(at)))

    def best_for_a_like_of_a(self):
        return ids(self.recommender.with_taste(liking("a")).recommend(SAD, "songs", exclude=["a"]))[0]

    def test_co_likes_of_five_visitors_change_the_ranking(self, co_likes_job, database):
        self.visit(database, [f"visitor-{number}" for number in range(MIN_PEOPLE)])
        assert self.best_for_a_like_of_a() == "b"
        co_likes_job.refresh()
        assert self.best_for_a_like_of_a() == "e"

    def test_four_visitors_change_nothing_and_hides_are_not_likes(self, co_likes_job, database):
        self.visit(database, [f"visitor-{number}" for number in range(MIN_PEOPLE - 1)])
        self.visit(database, [f"hider-{number}" for number in range(MIN_PEOPLE)], "hide")
        co_likes_job.refresh()
        assert self.best_for_a_like_of_a() == "b"

    def test_deleted_visitors_do_not_count_after_the_next_refresh(self, co_likes_job, database):
        self.visit(database, [f"visitor-{number}" for number in range(MIN_PEOPLE)])
        co_likes_job.refresh()
        database.delete_visitor("visitor-0")
        co_likes_job.refresh()
        assert self.best_for_a_like_of_a() == "e", "the counts were refreshed before REFRESH_SECONDS"
        self.now += REFRESH_SECONDS
        co_likes_job.refresh()
        assert self.best_for_a_like_of_a() == "b"

    def test_earlier_counts_stay_when_the_database_is_unavailable(self, songs):
        database = Database("sqlite:////dev/null/none.sqlite3")
        recommender = Recommender(songs, counts={"songs": count((8, ["a", "e"]))})
        CoLikesJob(database, recommender).refresh()
        rows = recommender.with_taste(liking("a")).recommend(SAD, "songs", exclude=["a"])
        assert rows[0].item.id == "e"


def test_counts_under_several_ids_of_one_item_add_up():
    parts = count((6, ["a", "b"]), (6, ["a2", "b"]), (5, ["a", "a2", "c"])).renamed({"a2": "a"})
    index_of = {"a": 0, "b": 1, "c": 2}
    predicted = ItemSimilarity(index_of, [parts]).predict(np.array([0]), np.array([1.0], dtype=np.float32))
    # 22 likes of a, as those of both ids are added; 12 people like it with b, and 5 under both ids, counted twice, with c.
    whole = CoLikeCounts(
        ("a", "b", "c"), np.array([22, 12, 5]), np.array([[0, 1], [0, 2]], dtype=np.int64), np.array([12, 10])
    )
    expected = ItemSimilarity(index_of, [whole]).predict(np.array([0]), np.array([1.0], dtype=np.float32))
    np.testing.assert_allclose(predicted, expected)
    assert predicted[0] == 0, "an item is not similar to itself"
