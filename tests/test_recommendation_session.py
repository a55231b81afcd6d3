"""Visitors' feedback and preferences, over real Socket.IO connections."""

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
from tests.test_live import TIMEOUT_SECONDS, watched

pytestmark = pytest.mark.services

KINDS = ("songs", "movies", "food", "activities")


class Visitor(test_live.Visitor):
    """A client with a cookie, and its tables."""

    def __init__(self, server: Server, cookie: str | None = None):
        self.cookie = cookie or new_cookie(server)
        super().__init__(server, self.cookie)

    def wait_for_tables(self, wanted=lambda tables: True) -> dict[str, Any]:
        return self.wait_for("recommendations", wanted)

    def wait_for_taste(self, wanted=lambda taste: True) -> dict[str, Any]:
        return self.wait_for("taste", wanted)

    def send_feedback(self, verdict: str, item: str, kind: str = "songs", **more: Any) -> Any:
        return self.call("feedback", {"kind": kind, "id": item, "verdict": verdict, **more})


def new_cookie(server: Server) -> str:
    with urllib.request.urlopen(server.url, timeout=TIMEOUT_SECONDS) as answer:
        return answer.headers["Set-Cookie"].split(";")[0]


def my_data(server: Server, cookie: str, method: str = "GET") -> Any:
    request = urllib.request.Request(f"{server.url}/api/my-data", method=method)
    request.add_header("Cookie", cookie)
    request.add_header("X-Mood-Mirror", "1")
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        return json.loads(answer.read() or "null")


def ids(tables: dict[str, Any], kind: str = "songs") -> list[str]:
    return [row["id"] for row in tables[kind]]


class TestFeedback:
    def test_a_like_shows_in_the_tables_at_once_and_is_stored(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "sad")
            liked = ids(visitor.wait_for_tables())[3]
            assert visitor.send_feedback("like", liked) == {"kept": True}
            tables = visitor.wait_for_tables(lambda tables: any(row["liked"] for row in tables["songs"]))
            [row] = [row for row in tables["songs"] if row["liked"]]
            assert row["id"] == liked
            assert row["why"].endswith("you liked it")
            cookie = visitor.cookie
        with Visitor(hosted, cookie) as again, Visitor(hosted) as somebody_else:
            for one in (again, somebody_else):
                one.call("choose", "sad")
            assert any("you liked" in row["why"] for row in again.wait_for_tables()["songs"])
            assert not any("you liked" in row["why"] for row in somebody_else.wait_for_tables()["songs"])

    @pytest.mark.parametrize("verdict", ["skip", "hide"])
    def test_a_skipped_or_hidden_item_leaves_the_table_and_can_be_restored(self, hosted, verdict):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "happy")
            first = ids(visitor.wait_for_tables(), "food")[0]
            visitor.send_feedback(verdict, first, "food")
            tables = visitor.wait_for_tables(lambda tables: first not in ids(tables, "food"))
            assert len(tables["food"]) == 10
            visitor.send_feedback(verdict, first, "food", on=False)
            visitor.wait_for_tables(lambda tables: first in ids(tables, "food"))

    def test_a_saved_item_is_published_to_all_windows(self, hosted):
        with Visitor(hosted) as one, Visitor(hosted, one.cookie) as other:
            one.call("choose", "fear")
            item = ids(one.wait_for_tables(), "movies")[0]
            one.send_feedback("save", item, "movies")
            taste = other.wait_for_taste(lambda taste: taste["saved"])
            assert [(row["kind"], row["id"]) for row in taste["saved"]] == [("movies", item)]
            assert taste["kept"]
            other.send_feedback("save", item, "movies", on=False)
            one.wait_for_taste(lambda taste: taste["saved"])
            one.wait_for_taste(lambda taste: not taste["saved"])

    def test_others_replaces_all_rows_of_one_table(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "angry")
            first = visitor.wait_for_tables()
            assert visitor.call("others", "songs") == {}
            second = visitor.wait_for_tables()
            assert not set(ids(first)) & set(ids(second))
            assert ids(first, "food") == ids(second, "food")

    @pytest.mark.parametrize(
        ("event", "contents"),
        [
            (
                "feedback",
                [
                    (None, "feedback: Input should be a valid dictionary"),
                    ("like", "feedback: Input should be a valid dictionary"),
                    (
                        {"kind": "songs", "id": "no-such-song", "verdict": "like"},
                        "feedback.id: the table songs has no such item",
                    ),
                    (
                        {"kind": "songs", "id": ["10cc-im-not-in-love"], "verdict": "like"},
                        "feedback.id: Input should be a valid string",
                    ),
                    (
                        {"kind": "books", "id": "10cc-im-not-in-love", "verdict": "like"},
                        "feedback.kind: Input should be 'songs'",
                    ),
                    (
                        {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "adore"},
                        "feedback.verdict: Input should be 'like'",
                    ),
                    (
                        {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like", "on": 1},
                        "feedback.on: Input should be a valid boolean",
                    ),
                    (
                        {"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like", "note": "x"},
                        "feedback.note: Extra inputs are not permitted",
                    ),
                ],
            ),
            (
                "others",
                [
                    ("books", "others: Input should be 'songs'"),
                    ({}, "others: Input should be 'songs'"),
                ],
            ),
            (
                "preferences",
                [
                    ([], "preferences: Input should be a valid dictionary"),
                    ({"mood": "sad"}, "preferences.mood: Extra inputs are not permitted"),
                    ({"mode": "fly"}, "preferences.mode: Input should be 'match'"),
                    ({"mode": ["match"]}, "preferences.mode: Input should be 'match'"),
                    ({"mode": "journey"}, "towards must be an emotion for a journey"),
                    ({"mode": "journey", "towards": "bliss"}, "preferences.towards: Input should be 'angry'"),
                    ({"towards": "happy"}, "and null in all other modes"),
                    ({"seed": -1}, "preferences.seed: Input should be greater than or equal to 0"),
                    ({"seed": True}, "preferences.seed: Input should be a valid integer"),
                    ({"wish": 1}, "preferences.wish: Input should be a valid string"),
                    ({"wish": "x" * 201}, "preferences.wish: 201 characters, but at most 200 are allowed"),
                    ({"filters": "jazz"}, "preferences.filters: Input should be a valid dictionary"),
                    ({"filters": {"books": {}}}, "preferences.filters.books: Input should be 'songs'"),
                    ({"filters": {"songs": {"diet": "vegan"}}}, "diet"),
                    ({"filters": {"songs": {"genre": "no such genre"}}}, "no such genre"),
                    (
                        {"filters": {"songs": {"decade": 1990}}},
                        "preferences.filters.songs.decade: Input should be a valid string",
                    ),
                    (
                        {"filters": {"food": {"diet": "vegan|" * 50}}},
                        "preferences.filters.food.diet: 300 characters, but at most 60 are allowed",
                    ),
                ],
            ),
        ],
        ids=["feedback", "others", "preferences"],
    )
    def test_invalid_messages_are_rejected_and_the_connection_stays_open(self, hosted, event, contents):
        with Visitor(hosted) as visitor:
            for content, error in contents:
                assert error in visitor.call(event, content)["error"], content
            assert visitor.call("preferences", {}) == {}

    def test_a_flood_of_clicks_is_partly_rejected(self, hosted):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(60):
                visitor.client.emit("others", "songs", callback=answers.put)
            given = [answers.get(timeout=TIMEOUT_SECONDS) for _ in range(60)]
            assert any(answer == {} for answer in given)
            assert any("faster than" in answer.get("error", "") for answer in given)


class TestPreferences:
    def test_modes_filters_and_text_queries_change_the_tables(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "sad")
            visitor.wait_for_tables()
            visitor.call("preferences", {"mode": "lift"})
            lifting = visitor.wait_for_tables()
            assert all("than you feel" in row["why"] or "as you feel" in row["why"] for row in lifting["songs"])
            visitor.call("preferences", {"mode": "journey", "towards": "happy"})
            steps = visitor.wait_for_tables()
            assert "step 1 of 10, from sadness to joy" in steps["songs"][0]["why"]
            visitor.call("preferences", {"mode": "surprise", "seed": 4})
            assert all("not the obvious choice" in row["why"] for row in visitor.wait_for_tables()["songs"])
            visitor.call("preferences", {"filters": {"songs": {"genre": "jazz"}, "food": {"diet": "vegan"}}})
            filtered = visitor.wait_for_tables()
            jazz = [Recommender.open().item("songs", item) for item in ids(filtered)]
            assert all(item is not None and "jazz" in item.facts["genres"].split("|") for item in jazz)
            assert all("vegan" in row["about"] for row in filtered["food"])
            visitor.call("preferences", {"wish": "a bowl of soup"})
            wished = visitor.wait_for_tables()
            assert any("close to your search" in row["why"] for row in wished["food"])

    def test_a_text_query_alone_fills_the_tables_until_it_is_removed(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("preferences", {"mode": "lift", "wish": "a bowl of soup"})
            wished = visitor.wait_for_tables()
            assert "close to your search" in wished["food"][0]["why"]
            assert not any("you feel" in row["why"] for rows in wished.values() for row in rows)
            visitor.call("preferences", {})
            visitor.wait_for_tables(lambda tables: tables == {})
            visitor.call("choose", "sad")
            assert "you feel" in visitor.wait_for_tables(lambda tables: tables != {})["food"][0]["why"]

    def test_visitors_in_the_camera_room_have_their_own_tables(self, filming):
        with watched(filming), Visitor(filming) as one, Visitor(filming) as other:
            for visitor in (one, other):
                visitor.call("watch", True)
            first = one.wait_for_tables()
            other.wait_for_tables()
            one.send_feedback("hide", ids(first)[0])
            one.wait_for_tables(lambda tables: ids(first)[0] not in ids(tables))
            other.call("preferences", {"filters": {"songs": {"genre": "jazz"}}})
            jazz = other.wait_for_tables(lambda tables: any("jazz" in row["about"] for row in tables["songs"]))
            assert len(jazz["songs"]) == 10


class TestDeletion:
    def test_deleting_the_data_closes_the_connections_and_leaves_nothing(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "sad")
            visitor.send_feedback("like", ids(visitor.wait_for_tables())[0])
            assert len(my_data(hosted, visitor.cookie)["opinions"]) == 1
            my_data(hosted, visitor.cookie, "DELETE")
            visitor.client.wait()  # until the server has closed the connection
            assert my_data(hosted, visitor.cookie) == {"visitor": None, "opinions": [], "saved": []}

    def test_a_visitor_deleted_by_another_process_is_not_stored_again(self, tmp_path):
        address = f"sqlite:///{tmp_path / 'shared.sqlite3'}"
        with (
            serving(tmp_path / "one.log", CAMERA="off", DATABASE_URL=address, SECRET_KEY="k" * 32) as one,
            serving(tmp_path / "two.log", CAMERA="off", DATABASE_URL=address, SECRET_KEY="k" * 32) as two,
            Visitor(one) as visitor,
        ):
            visitor.send_feedback("like", "10cc-im-not-in-love")
            assert len(my_data(two, visitor.cookie)["opinions"]) == 1
            my_data(two, visitor.cookie, "DELETE")
            assert "data was deleted" in visitor.send_feedback("like", "2ne1-i-am-the-best")["error"]
            visitor.client.wait()  # until the server has closed the connection
            assert my_data(one, visitor.cookie)["opinions"] == []


class TestDatabaseUnavailable:
    def test_feedback_counts_for_the_connection_and_the_page_is_notified(self, tmp_path):
        with serving(tmp_path / "log", CAMERA="off", DATABASE_URL="sqlite:////dev/null/none.sqlite3") as server:
            with Visitor(server) as visitor:
                assert visitor.wait_for_taste()["kept"] is False
                visitor.call("choose", "sad")
                first = ids(visitor.wait_for_tables())[0]
                assert visitor.send_feedback("hide", first) == {"kept": False}
                visitor.wait_for_tables(lambda tables: first not in ids(tables))  # it counts while the connection is open
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=TIMEOUT_SECONDS) as answer:
                assert answer.status == 200

    def test_text_queries_are_neither_stored_nor_logged(self, tmp_path):
        secret = "xylophone dreams of my secret aunt"
        with serving(tmp_path / "log", CAMERA="off") as server, Visitor(server) as visitor:
            visitor.call("choose", "sad")
            visitor.wait_for_tables()
            visitor.call("preferences", {"wish": secret})
            visitor.send_feedback("like", "10cc-im-not-in-love")
            visitor.server.process.send_signal(signal.SIGTERM)
            server.process.wait(timeout=60)
        kept = [path for path in (tmp_path / "instance").iterdir() if path.name.startswith("mood_mirror")]
        assert kept
        for path in (*kept, tmp_path / "log"):
            assert b"xylophone" not in path.read_bytes()
        with sqlite3.connect(tmp_path / "instance" / "mood_mirror.sqlite3") as connection:
            assert connection.execute("SELECT item FROM opinions").fetchall() == [("10cc-im-not-in-love",)]
        connection.close()
