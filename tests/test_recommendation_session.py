"""What visitors want and think of the tables, over real Socket.IO connections."""

import json
import queue
import signal
import sqlite3
import urllib.request
from typing import Any

import pytest

from moodmirror.recommendation import Recommender
from tests import test_live
from tests.conftest import Server, serving
from tests.test_live import PATIENCE, watched

KINDS = ("songs", "movies", "food", "activities")


class Visitor(test_live.Visitor):
    """A connection under a cookie, and what its tables show."""

    def __init__(self, server: Server, cookie: str | None = None):
        self.cookie = cookie or new_cookie(server)
        super().__init__(server, self.cookie)

    def await_tables(self, wanted=lambda tables: True) -> dict[str, Any]:
        return self.await_told("recommendations", wanted)

    def await_taste(self, wanted=lambda taste: True) -> dict[str, Any]:
        return self.await_told("taste", wanted)

    def think(self, verdict: str, item: str, kind: str = "songs", **more: Any) -> Any:
        return self.ask("feedback", {"kind": kind, "id": item, "verdict": verdict, **more})


def new_cookie(server: Server) -> str:
    with urllib.request.urlopen(server.url, timeout=PATIENCE) as answer:
        return answer.headers["Set-Cookie"].split(";")[0]


def my_data(server: Server, cookie: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{server.url}/api/my-data", method=method)
    request.add_header("Cookie", cookie)
    request.add_header("X-Mood-Mirror", "1")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or "null")


def ids(tables: dict[str, Any], kind: str = "songs") -> list[str]:
    return [row["id"] for row in tables[kind]]


class TestFeedback:
    def test_a_like_is_told_in_the_tables_at_once_and_lives_on(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "sad")
            liked = ids(visitor.await_tables())[3]
            assert visitor.think("like", liked) == {"kept": True}
            tables = visitor.await_tables(lambda tables: any(row["liked"] for row in tables["songs"]))
            [row] = [row for row in tables["songs"] if row["liked"]]
            assert row["id"] == liked
            assert row["why"].endswith("you liked it")
            cookie = visitor.cookie
        with Visitor(hosted, cookie) as again, Visitor(hosted) as somebody_else:
            for one in (again, somebody_else):
                one.ask("choose", "sad")
            assert any("you liked" in row["why"] for row in again.await_tables()["songs"])
            assert not any("you liked" in row["why"] for row in somebody_else.await_tables()["songs"])

    @pytest.mark.parametrize("verdict", ["skip", "hide"])
    def test_what_is_skipped_or_hidden_leaves_and_can_be_called_back(self, hosted, verdict):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "happy")
            first = ids(visitor.await_tables(), "food")[0]
            visitor.think(verdict, first, "food")
            tables = visitor.await_tables(lambda tables: first not in ids(tables, "food"))
            assert len(tables["food"]) == 10
            visitor.think(verdict, first, "food", on=False)
            visitor.await_tables(lambda tables: first in ids(tables, "food"))

    def test_what_is_saved_is_told_to_all_windows(self, hosted):
        with Visitor(hosted) as one, Visitor(hosted, one.cookie) as other:
            one.ask("choose", "fear")
            item = ids(one.await_tables(), "movies")[0]
            one.think("save", item, "movies")
            taste = other.await_taste(lambda taste: taste["saved"])
            assert [(row["kind"], row["id"]) for row in taste["saved"]] == [("movies", item)]
            assert taste["kept"]
            other.think("save", item, "movies", on=False)
            one.await_taste(lambda taste: taste["saved"])
            one.await_taste(lambda taste: not taste["saved"])

    def test_others_are_others(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "angry")
            first = visitor.await_tables()
            assert visitor.ask("others", "songs") == {}
            second = visitor.await_tables()
            assert not set(ids(first)) & set(ids(second))
            assert ids(first, "food") == ids(second, "food")

    @pytest.mark.parametrize(
        ("event", "contents"),
        [
            (
                "feedback",
                [
                    None,
                    "like",
                    {"kind": "songs", "id": "no-such-song", "verdict": "like"},
                    {"kind": "songs", "id": ["10cc-im-not-in-love"], "verdict": "like"},
                    {"kind": "books", "id": "10cc-im-not-in-love", "verdict": "like"},
                    {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "adore"},
                    {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like", "on": 1},
                    {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like", "note": "x"},
                ],
            ),
            (
                "others",
                [
                    "books",
                    {},
                ],
            ),
            (
                "preferences",
                [
                    [],
                    {"mood": "sad"},
                    {"mode": "fly"},
                    {"mode": ["match"]},
                    {"mode": "journey"},
                    {"mode": "journey", "towards": "bliss"},
                    {"towards": "happy"},
                    {"seed": -1},
                    {"seed": True},
                    {"wish": 1},
                    {"wish": "x" * 201},
                    {"filters": "jazz"},
                    {"filters": {"books": {}}},
                    {"filters": {"songs": {"diet": "vegan"}}},
                    {"filters": {"songs": {"genre": "no such genre"}}},
                    {"filters": {"songs": {"decade": 1990}}},
                    {"filters": {"food": {"diet": "vegan|" * 50}}},
                ],
            ),
        ],
        ids=["feedback", "others", "preferences"],
    )
    def test_what_makes_no_sense_is_refused_and_the_visitor_stays(self, hosted, event, contents):
        with Visitor(hosted) as visitor:
            for content in contents:
                assert visitor.ask(event, content)["error"]
            assert visitor.ask("preferences", {}) == {}

    def test_who_floods_is_told_to_wait(self, hosted):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(60):
                visitor.client.emit("others", "songs", callback=answers.put)
            given = [answers.get(timeout=PATIENCE) for _ in range(60)]
            assert any(answer == {} for answer in given)
            assert any("faster than" in answer.get("error", "") for answer in given)


class TestPreferences:
    def test_modes_filters_and_wishes_change_the_tables(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "sad")
            visitor.await_tables()
            visitor.ask("preferences", {"mode": "lift"})
            lifting = visitor.await_tables()
            assert all("than you feel" in row["why"] or "as you feel" in row["why"] for row in lifting["songs"])
            visitor.ask("preferences", {"mode": "journey", "towards": "happy"})
            steps = visitor.await_tables()
            assert "step 1 of 10, from sadness to joy" in steps["songs"][0]["why"]
            visitor.ask("preferences", {"mode": "surprise", "seed": 4})
            assert all("not the obvious choice" in row["why"] for row in visitor.await_tables()["songs"])
            visitor.ask("preferences", {"filters": {"songs": {"genre": "jazz"}, "food": {"diet": "vegan"}}})
            filtered = visitor.await_tables()
            jazz = [Recommender.open().item("songs", item) for item in ids(filtered)]
            assert all(item is not None and "jazz" in item.facts["genres"].split("|") for item in jazz)
            assert all("vegan" in row["about"] for row in filtered["food"])
            visitor.ask("preferences", {"wish": "a bowl of soup"})
            wished = visitor.await_tables()
            assert any("close to your wish" in row["why"] for row in wished["food"])

    def test_a_wish_alone_fills_the_tables_until_it_is_taken_back(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("preferences", {"mode": "lift", "wish": "a bowl of soup"})
            wished = visitor.await_tables()
            assert "close to your wish" in wished["food"][0]["why"]
            assert not any("you feel" in row["why"] for rows in wished.values() for row in rows)
            visitor.ask("preferences", {})
            visitor.await_tables(lambda tables: tables == {})
            visitor.ask("choose", "sad")
            assert "you feel" in visitor.await_tables(lambda tables: tables != {})["food"][0]["why"]

    def test_a_visitor_in_the_cameras_room_has_tables_of_their_own(self, filming):
        with watched(filming), Visitor(filming) as one, Visitor(filming) as other:
            for visitor in (one, other):
                visitor.ask("watch", True)
            first = one.await_tables()
            other.await_tables()
            one.think("hide", ids(first)[0])
            one.await_tables(lambda tables: ids(first)[0] not in ids(tables))
            other.ask("preferences", {"filters": {"songs": {"genre": "jazz"}}})
            jazz = other.await_tables(lambda tables: any("jazz" in row["about"] for row in tables["songs"]))
            assert len(jazz["songs"]) == 10


class TestForgetting:
    def test_to_be_forgotten_ends_the_connections_and_leaves_nothing(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "sad")
            visitor.think("like", ids(visitor.await_tables())[0])
            assert len(my_data(hosted, visitor.cookie)["opinions"]) == 1
            my_data(hosted, visitor.cookie, "DELETE")
            visitor.client.wait()  # until the server has said goodbye
            assert my_data(hosted, visitor.cookie) == {"visitor": None, "opinions": [], "saved": []}

    def test_who_was_forgotten_by_another_process_is_not_kept_again(self, tmp_path):
        address = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
        with (
            serving(tmp_path / "one.log", CAMERA="off", DATABASE_URL=address, SECRET_KEY="k" * 32) as one,
            serving(tmp_path / "two.log", CAMERA="off", DATABASE_URL=address, SECRET_KEY="k" * 32) as two,
            Visitor(one) as visitor,
        ):
            visitor.think("like", "10cc-im-not-in-love")
            assert len(my_data(two, visitor.cookie)["opinions"]) == 1
            my_data(two, visitor.cookie, "DELETE")
            assert "forgotten" in visitor.think("like", "2ne1-i-am-the-best")["error"]
            visitor.client.wait()  # until the server has said goodbye
            assert my_data(one, visitor.cookie)["opinions"] == []


class TestAway:
    def test_taste_rests_while_the_database_is_away_and_the_page_is_told(self, tmp_path):
        with serving(tmp_path / "log", CAMERA="off", DATABASE_URL="sqlite:////dev/null/none.sqlite3") as server:
            with Visitor(server) as visitor:
                assert visitor.await_taste()["kept"] is False
                visitor.ask("choose", "sad")
                first = ids(visitor.await_tables())[0]
                assert visitor.think("hide", first) == {"kept": False}
                visitor.await_tables(lambda tables: first not in ids(tables))  # it counts while the visitor stays
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=PATIENCE) as answer:
                assert answer.status == 200

    def test_no_word_of_a_wish_is_kept_or_logged(self, tmp_path):
        secret = "xylophone dreams of my secret aunt"
        with serving(tmp_path / "log", CAMERA="off") as server, Visitor(server) as visitor:
            visitor.ask("choose", "sad")
            visitor.await_tables()
            visitor.ask("preferences", {"wish": secret})
            visitor.think("like", "10cc-im-not-in-love")
            visitor.server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=60)
        kept = [path for path in (tmp_path / "instance").iterdir() if path.name.startswith("mood_mirror")]
        assert kept
        for path in (*kept, tmp_path / "log"):
            assert b"xylophone" not in path.read_bytes()
        with sqlite3.connect(tmp_path / "instance" / "mood_mirror.sqlite3") as connection:
            assert connection.execute("SELECT item FROM opinions").fetchall() == [("10cc-im-not-in-love",)]
        connection.close()
