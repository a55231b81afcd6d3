"""Help for a person in a crisis, over real connections: the notice at once, and safe tables until they choose otherwise."""

import json
import urllib.parse
import urllib.request
from typing import Any

import pytest

from moodmirror.live.peer_events import PeerEvents
from moodmirror.live.safe_tables import KEPT_SECONDS, SafeTables
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.comforting_items import is_comforting
from tests.conftest import Server, serving
from tests.test_recommendation_session import Visitor

pytestmark = pytest.mark.services

STATEMENT = "I don't want to live anymore."
RECOMMENDER = Recommender.open()


def all_comfort(tables: dict[str, Any]) -> bool:
    """Return whether tables have rows, and only such as comfort."""
    items = [RECOMMENDER.item(kind, row["id"]) for kind, rows in tables.items() for row in rows]
    kinds = [kind for kind, rows in tables.items() for _ in rows]
    return bool(items) and all(
        item is not None and is_comforting(kind, item) for kind, item in zip(kinds, items, strict=True)
    )


def harsh(tables: dict[str, Any]) -> bool:
    return bool(tables) and not all_comfort(tables)


def test_a_text_brings_the_notice_and_safe_tables_which_stay_until_the_visitor_chooses_otherwise(hosted):
    with Visitor(hosted) as visitor:
        visitor.call("choose", "angry")
        visitor.wait_for_tables(harsh)
        answer = visitor.call("text", STATEMENT)
        assert visitor.wait_for("help") == {"statement": True, "safe_tables": True}
        assert answer["states_crisis"]
        assert answer["label"] == "sad"
        visitor.wait_for_tables(all_comfort)
        # Neither a harmless text nor any mood, mode, wish or change of rows ends it.
        assert not visitor.call("text", "The sun is out today.")["states_crisis"]
        visitor.call("text", "")
        for emotion in ("angry", "fear", "disgust"):
            visitor.call("choose", emotion)
            for preferences in (
                {"mode": "journey", "towards": "sad"},
                {"mode": "surprise", "seed": 3},
                {"wish": "a horror film about death and whisky"},
                {"filters": {"movies": {"genre": "drama"}}},
            ):
                visitor.call("preferences", preferences)
            visitor.call("others", "movies")
        visitor.client.sleep(1)
        while not visitor.received["recommendations"].empty():
            assert all_comfort(visitor.received["recommendations"].get())
        assert visitor.received["help"].empty()
        visitor.call("preferences", {})
        visitor.call("safe_tables", False)
        assert visitor.wait_for("help") == {"statement": False, "safe_tables": False}
        visitor.wait_for_tables(harsh)


def test_a_wish_brings_both_too_and_needs_no_mood(hosted):
    with Visitor(hosted) as visitor:
        visitor.call("preferences", {"wish": "sad songs because I want to end my life"})
        assert visitor.wait_for("help") == {"statement": True, "safe_tables": True}
        visitor.wait_for_tables(all_comfort)
        visitor.call("preferences", {})
        visitor.call("safe_tables", False)
        assert visitor.wait_for_tables(lambda tables: not tables) == {}  # nothing supports the rows any more


def test_the_notice_comes_once_for_a_text_that_is_still_being_written_and_again_for_the_next(hosted):
    with Visitor(hosted) as visitor:
        for text in (STATEMENT, f"{STATEMENT} I", f"{STATEMENT} I am so tired of it all", "I feel better", STATEMENT):
            visitor.call("text", text)
        assert [visitor.wait_for("help")["statement"] for _ in range(2)] == [True, True]
        assert visitor.received["help"].empty()


@pytest.mark.parametrize("text", ["kill me lol", "this heat kills me", "the one where the hero kills himself", "I'm so sad"])
def test_an_idiom_or_a_sad_text_brings_neither(hosted, text):
    with Visitor(hosted) as visitor:
        visitor.call("choose", "angry")
        assert not visitor.call("text", text)["states_crisis"]
        visitor.wait_for_tables(harsh)
        assert visitor.received["help"].empty()


def test_it_holds_in_the_visitors_other_window_and_after_a_reload(hosted):
    with Visitor(hosted) as visitor, Visitor(hosted, visitor.cookie) as window, Visitor(hosted) as somebody_else:
        for one in (window, somebody_else):
            one.call("choose", "angry")
            one.wait_for_tables(harsh)
        visitor.call("text", STATEMENT)
        assert window.wait_for("help") == {"statement": False, "safe_tables": True}  # the notice is where it was written
        window.wait_for_tables(all_comfort)
        assert somebody_else.received["help"].empty()
        cookie = visitor.cookie
    with Visitor(hosted, cookie) as again:
        assert again.wait_for("help") == {"statement": False, "safe_tables": True}
        again.call("choose", "angry")
        again.wait_for_tables(all_comfort)
        again.call("safe_tables", False)
        again.wait_for_tables(harsh)
    with Visitor(hosted, cookie) as later:
        later.call("choose", "angry")
        later.wait_for_tables(harsh)
        assert later.received["help"].empty()


def test_a_page_whose_server_restarted_can_ask_for_safe_tables_itself(hosted):
    with Visitor(hosted) as visitor:
        visitor.call("safe_tables", True)
        assert visitor.wait_for("help") == {"statement": False, "safe_tables": True}
        visitor.call("choose", "angry")
        visitor.wait_for_tables(all_comfort)


def test_nothing_of_it_is_logged_stored_or_counted(tmp_path):
    with serving(tmp_path / "log", CAMERA="off", LOG_LEVEL="debug") as server:
        with Visitor(server) as visitor:
            visitor.call("text", "qwertzuiop I want to kill myself")
            visitor.call("preferences", {"wish": "qwertzuiop I want to die"})
            visitor.wait_for_tables(all_comfort)
        with urllib.request.urlopen(f"{server.url}/metrics", timeout=60) as answer:
            metrics = answer.read().decode()
    assert "crisis" not in metrics
    assert "comfort" not in metrics
    for path in tmp_path.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert b"qwertzuiop" not in content, path
            assert b"states_crisis" not in content, path


class TestHttp:
    def get(self, server: Server, path: str, language: str = "en-US", **parameters: str) -> Any:
        url = f"{server.url}{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url, headers={"Accept-Language": language})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def analyze(self, server: Server, kind: str, content: bytes, media_type: str, language: str = "en-US") -> Any:
        headers = {"Content-Type": media_type, "Accept-Language": language, "X-Mood-Mirror": "1"}
        request = urllib.request.Request(f"{server.url}/api/analyze/{kind}", content, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    @pytest.mark.parametrize("kind", ["text", "file"])
    @pytest.mark.parametrize(
        ("language", "country", "phone"), [("de-AT,de", "AT", "142"), ("en-US", "US", "988"), ("en", None, None)]
    )
    def test_an_analyzed_text_returns_help_with_the_numbers_of_the_locale(self, hosted, kind, language, country, phone):
        message = self.analyze(hosted, kind, STATEMENT.encode(), "text/plain", language)
        assert message["help"]["country"] == country
        assert [line["phone"] for line in message["help"]["lines"]][:1] == ([phone] if phone else [])
        assert "https://findahelpline.com/" in message["help"]["message"]
        assert message["label"] == "sad"

    def test_another_text_returns_none(self, hosted):
        assert self.analyze(hosted, "text", b"The sun is out.", "text/plain")["help"] is None

    def test_a_wish_gets_comforting_rows_and_help(self, hosted):
        tables = self.get(hosted, "/api/recommendations", wish="I want to die", mood="angry", mode="surprise")
        assert tables.pop("help")["lines"][0]["phone"] == "988"
        assert set(tables) == set(KINDS)
        assert all_comfort(tables)

    def test_a_client_can_choose(self, hosted):
        assert all_comfort(self.get(hosted, "/api/recommendations", mood="angry", comforting="true"))
        tables = self.get(hosted, "/api/recommendations", mood="angry", wish="I want to die", comforting="false")
        assert tables.pop("help")
        assert harsh(tables)
        assert set(self.get(hosted, "/api/recommendations", mood="angry")) == set(KINDS)


def test_safe_tables_are_kept_for_an_hour_after_the_last_page_was_closed():
    now = 0.0
    tables = SafeTables(lambda: now)
    tables.set("a", on=True)
    now = KEPT_SECONDS - 1
    assert "a" in tables
    assert "b" not in tables
    now = KEPT_SECONDS
    assert "a" not in tables
    tables.set("a", on=True)
    tables.set("a", on=False)
    assert "a" not in tables


def test_the_other_processes_are_told_and_messages_of_an_earlier_release_are_understood():
    received: list[tuple[Any, ...]] = []
    events = PeerEvents(
        None,
        lambda visitor: received.append(("changed", visitor)),
        lambda visitor: received.append(("deleted", visitor)),
        lambda visitor, on: received.append(("safe", visitor, on)),
    )
    for message in (
        {"from": "x", "visitor": "a", "forgotten": False, "safe_tables": True},
        {"from": "x", "visitor": "b", "forgotten": False},
        {"from": "x", "visitor": "c", "forgotten": True, "safe_tables": None},
    ):
        events._receive("", json.dumps(message).encode())
    assert received == [("safe", "a", True), ("changed", "b"), ("deleted", "c")]
