"""What people like together: how it is counted, what it does to lists, and that it tells of nobody alone."""

import numpy as np
import pytest

from moodmirror.emotions import mood_vector
from moodmirror.live.co_likes import REFRESH_SECONDS, Crowd
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, CatalogueError, Item
from moodmirror.recommendation.item_item import LEAST_PEOPLE, MOST_LIKES, Counts, Neighbours
from moodmirror.recommendation.item_moods import mood_of_parts
from moodmirror.recommendation.taste import Opinion, Taste
from moodmirror.storage.database import Database

SAD = mood_vector({"sad": 1})


def song(name):
    """A song that has nothing in common with any other but its mood."""
    vector = mood_of_parts(0.3, 0.3, ("grief",), [])
    facts = {"artist": f"artist of {name}", "year": "", "language": "", "genres": ""}
    return Item(name, name.title(), 0.3, 0.3, ("grief",), vector, "A line.", facts)


def count(*groups):
    """Counts of groups of (how many people, what each of them likes)."""
    people, items = [], []
    for group, (size, liked) in enumerate(groups):
        for person in range(size):
            people += [(f"{group}-{person}")] * len(liked)
            items += liked
    return Counts.of(people, items)


def liking(*items):
    return Taste([Opinion("songs", item, "like", float(at)) for at, item in enumerate(items)])


def ids(rows):
    return [row.item.id for row in rows]


@pytest.fixture
def songs():
    return {kind: [song(name) for name in ("a", "b", "c", "d", "e", "f")] for kind in KINDS}


class TestCounts:
    def test_likes_and_pairs_of_enough_people_are_counted(self):
        counts = count((6, ["a", "b"]), (5, ["a"]), (1, ["c"]))
        assert dict(zip(counts.items, counts.likes, strict=True)) == {"a": 11, "b": 6}
        assert counts.pairs.tolist() == [[0, 1]]
        assert counts.both.tolist() == [6]

    def test_nothing_of_fewer_people_is_known_even_of_items_that_many_like(self):
        few = LEAST_PEOPLE - 1
        counts = count((few, ["a", "b"]), (20, ["a"]), (20, ["b"]), (few, ["rare"]))
        assert counts.items == ("a", "b")
        assert not len(counts.both)

    def test_somebody_who_likes_an_item_again_and_again_is_one_person(self):
        assert count((1, ["a", "b"] * 50)).items == ()

    def test_of_somebody_who_likes_everything_the_newest_likes_count(self):
        everything = [f"item-{number:04}" for number in range(MOST_LIKES + 10)]
        counts = count((LEAST_PEOPLE, everything))
        assert counts.items == tuple(everything[10:])

    def test_nobody_likes_anything(self):
        assert Counts.of([], []).items == ()
        assert not Neighbours({"a": 0}, [Counts.of([], [])])

    def test_counts_are_kept_and_read_again(self, tmp_path):
        counts = count((6, ["a", "b", "c"]), (7, ["a", "b"]))
        counts.save(tmp_path, "songs")
        read = Counts.load(tmp_path, "songs")
        assert read.items == counts.items
        assert read.both.tolist() == counts.both.tolist()
        assert Counts.load(tmp_path, "movies").items == ()

    def test_what_is_damaged_is_named_with_the_next_step(self, tmp_path):
        (tmp_path / "songs_likes.npz").write_bytes(b"PK\x03\x04 no archive")
        with pytest.raises(CatalogueError, match=r"songs_likes\.npz can't be read: .*Import the ratings anew, or delete it"):
            Counts.load(tmp_path, "songs")


class TestNeighbours:
    def test_what_the_same_people_like_is_alike_and_popular_things_are_not_alike_to_all(self):
        places = {name: place for place, name in enumerate("abcd")}
        # All like d; those who like a like b, never c.
        counts = count((20, ["a", "b", "d"]), (20, ["c", "d"]))
        worth = Neighbours(places, [counts]).worth(np.array([0]), np.ones(1, np.float32))
        assert worth[1] > worth[3] > worth[2] == 0

    def test_a_dislike_speaks_against_and_the_newest_opinion_most(self):
        places = {name: place for place, name in enumerate("abcd")}
        counts = count((20, ["a", "b"]), (20, ["c", "d"]))
        neighbours = Neighbours(places, [counts])
        disliked = neighbours.worth(np.array([0]), np.array([-1], dtype=np.float32))
        assert disliked[1] < 0
        both = neighbours.worth(np.array([0, 2]), np.ones(2, np.float32))
        assert both[3] > both[1] > 0

    def test_several_crowds_add_up_and_what_is_not_in_the_table_is_passed_over(self):
        crowd = count((6, ["a", "b"]), (6, ["a", "gone"]))
        once, twice = (Neighbours({"b": 0, "a": 1}, [crowd] * times) for times in (1, 2))
        row = np.array([1])
        assert once.nearest(0, [1]) == 1
        assert twice.nearest(0, []) is None
        assert once.worth(row, np.ones(1, np.float32)).shape == twice.worth(row, np.ones(1, np.float32)).shape == (2,)

    def test_a_like_brings_what_others_like_with_it_and_the_line_says_so(self, songs):
        recommender = Recommender(songs, counts={"songs": count((8, ["a", "e"]), (8, ["b", "c"]))})
        plain = ids(recommender.recommend(SAD, "songs"))
        rows = recommender.with_taste(liking("a")).recommend(SAD, "songs", without=["a"])
        assert rows[0].item.id == "e" != plain[1]
        assert rows[0].why.endswith("others who liked A like it too")
        assert not any("others" in row.why for row in rows[1:])

    def test_few_people_move_nothing(self, songs):
        few = Recommender(songs, counts={"songs": count((LEAST_PEOPLE - 1, ["a", "e"]), (9, ["e"]), (9, ["a"]))})
        own = few.with_taste(liking("a")).recommend(SAD, "songs")
        assert own == Recommender(songs).with_taste(liking("a")).recommend(SAD, "songs")


class TestCrowd:
    """The site's own visitors."""

    @pytest.fixture
    def database(self, tmp_path):
        database = Database(f"sqlite:///{tmp_path / 'likes.sqlite3'}")
        yield database
        database.close()

    @pytest.fixture
    def crowd(self, database, songs):
        self.now = 0.0
        self.recommender = Recommender(songs)
        return Crowd(database, self.recommender, clock=lambda: self.now)

    def visit(self, database, visitors, verdict="like"):
        for visitor in visitors:
            for at, item in enumerate(("a", "e")):
                database.save_opinion(visitor, Opinion("songs", item, verdict, float(at)))

    def best_with_a_like(self):
        return ids(self.recommender.with_taste(liking("a")).recommend(SAD, "songs", without=["a"]))[0]

    def test_what_five_visitors_like_together_counts_for_the_next(self, crowd, database):
        self.visit(database, [f"visitor-{number}" for number in range(LEAST_PEOPLE)])
        assert self.best_with_a_like() == "b"
        crowd.refresh()
        assert self.best_with_a_like() == "e"

    def test_four_visitors_move_nothing_and_hides_are_no_likes(self, crowd, database):
        self.visit(database, [f"visitor-{number}" for number in range(LEAST_PEOPLE - 1)])
        self.visit(database, [f"hider-{number}" for number in range(LEAST_PEOPLE)], "hide")
        crowd.refresh()
        assert self.best_with_a_like() == "b"

    def test_who_is_forgotten_no_longer_counts_at_the_next_look(self, crowd, database):
        self.visit(database, [f"visitor-{number}" for number in range(LEAST_PEOPLE)])
        crowd.refresh()
        database.delete_visitor("visitor-0")
        crowd.refresh()
        assert self.best_with_a_like() == "e", "it looked again too soon"
        self.now += REFRESH_SECONDS
        crowd.refresh()
        assert self.best_with_a_like() == "b"

    def test_without_the_database_what_was_known_holds(self, songs):
        database = Database("sqlite:////dev/null/none.sqlite3")
        recommender = Recommender(songs, counts={"songs": count((8, ["a", "e"]))})
        Crowd(database, recommender).refresh()
        rows = recommender.with_taste(liking("a")).recommend(SAD, "songs", without=["a"])
        assert rows[0].item.id == "e"
