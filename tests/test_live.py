"""Visitors over real Socket.IO connections."""

import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
import pytest
import socketio

from moodmirror.emotions import EMOTIONS
from tests.conftest import Server, serving

PATIENCE = 60  # seconds


class Visitor:
    """A connection, and what it is told."""

    def __init__(self, server: Server):
        self.client = socketio.Client(reconnection=False)
        self.told: dict[str, queue.Queue[Any]] = {name: queue.Queue() for name in ("mood", "recommendations", "camera")}
        for name, messages in self.told.items():
            self.client.on(name, messages.put)
        self.client.connect(server.url, transports=["websocket"])

    def ask(self, event: str, *arguments: Any) -> Any:
        return self.client.call(event, *arguments, timeout=PATIENCE)

    def await_told(
        self, event: str, wanted: Callable[[Any], bool] = lambda message: True, patience: float = PATIENCE
    ) -> Any:
        while not wanted(message := self.told[event].get(timeout=patience)):
            pass
        return message


@contextmanager
def visiting(server: Server) -> Iterator[Visitor]:
    visitor = Visitor(server)
    try:
        yield visitor
    finally:
        visitor.client.disconnect()
        visitor.client.wait()


@pytest.fixture
def frame(scene) -> bytes:
    """What a browser sends: 320×240 JPEG with a smiling face."""
    return cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()


class TestFrames:
    def test_a_frame_is_answered_with_its_faces_and_moves_mood_and_tables(self, hosted, frame):
        with visiting(hosted) as visitor:
            answer = visitor.ask("frame", frame)
            assert (answer["width"], answer["height"]) == (320, 240)
            [face] = answer["faces"]
            x, y, width, height = face["box"]
            assert x < 160 < x + width
            assert y < 115 < y + height
            assert face["label"] == "happy"
            mood = visitor.await_told("mood")
            assert mood["label"] == "happy"
            assert set(mood["vector"]) == set(EMOTIONS)
            assert sum(mood["vector"].values()) == pytest.approx(1, abs=0.01)
            assert mood["valence"] > 0.5
            tables = visitor.await_told("recommendations")
            assert {kind: len(rows) for kind, rows in tables.items()} == {
                "songs": 10,
                "movies": 10,
                "food": 10,
                "activities": 10,
            }

    def test_a_face_keeps_its_number_from_frame_to_frame(self, hosted, scene):
        with visiting(hosted) as visitor:
            for x in (300, 310, 320, 330):
                picture = cv2.resize(scene(x), (320, 240), interpolation=cv2.INTER_AREA)
                [face] = visitor.ask("frame", cv2.imencode(".jpg", picture)[1].tobytes())["faces"]
                assert (face["number"], face["obstacle"]) == (1, None)

    def test_a_face_that_cant_be_read_gets_a_reason_and_moves_no_mood(self, hosted, scene):
        blurred = cv2.GaussianBlur(cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA), (0, 0), 5)
        with visiting(hosted) as visitor:
            [face] = visitor.ask("frame", cv2.imencode(".jpg", blurred)[1].tobytes())["faces"]
            assert face["label"] is None
            assert "too blurred" in face["obstacle"]
            assert all(mood["label"] is None for mood in list(visitor.told["mood"].queue))

    def test_the_mood_fades_when_the_face_has_gone(self, hosted, frame):
        with visiting(hosted) as visitor:
            visitor.ask("frame", frame)
            visitor.await_told("mood", lambda mood: mood["label"] == "happy")
            visitor.await_told("mood", lambda mood: mood["label"] is None)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\xff\xd8\xff",
            "text",
            None,
            {"a": 1},
            cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(),
            cv2.imencode(".jpg", np.zeros((2, 3000), np.uint8))[1].tobytes(),
        ],
    )
    def test_what_is_no_frame_is_refused_and_the_visitor_stays(self, hosted, frame, content):
        with visiting(hosted) as visitor:
            assert "error" in visitor.ask("frame", content)
            assert visitor.ask("frame", frame)["faces"]

    def test_who_floods_frames_is_answered_one_at_a_time(self, hosted, frame):
        with visiting(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(30):
                visitor.client.emit("frame", frame, callback=answers.put)
            given = [answers.get(timeout=PATIENCE) for _ in range(30)]
            assert any("faces" in answer for answer in given)
            assert any("one frame at a time" in answer.get("error", "") for answer in given)
            assert visitor.ask("frame", frame)["faces"]

    def test_tables_are_sent_only_when_they_change(self, hosted, frame):
        with visiting(hosted) as visitor:
            visitor.ask("choose", "sad")
            visitor.await_told("recommendations")
            for _ in range(20):
                visitor.ask("frame", frame)  # the chosen mood holds, so nothing changes
            assert visitor.told["recommendations"].empty()


class TestMoods:
    def test_each_visitor_has_a_mood_of_their_own(self, hosted, frame):
        with visiting(hosted) as one, visiting(hosted) as other:
            one.ask("choose", "sad")
            other.ask("frame", frame)
            assert one.await_told("mood")["label"] == "sad"
            assert other.await_told("mood")["label"] == "happy"
            assert one.told["mood"].empty()
            sad, happy = one.await_told("recommendations"), other.await_told("recommendations")
            for kind in sad:
                assert {row["id"] for row in sad[kind]}.isdisjoint(row["id"] for row in happy[kind])

    def test_a_chosen_mood_is_let_go_again(self, hosted, frame):
        with visiting(hosted) as visitor:
            visitor.ask("choose", "fear")
            mood = visitor.await_told("mood")
            assert (mood["label"], mood["sources"]) == ("fear", {"chosen": 1.0})
            visitor.ask("frame", frame)
            visitor.ask("choose", None)
            assert visitor.await_told("mood", lambda mood: mood["label"] != "fear")["label"] == "happy"

    def test_forget_leaves_nothing(self, hosted, frame):
        with visiting(hosted) as visitor:
            visitor.ask("choose", "angry")
            visitor.await_told("mood")
            visitor.ask("forget")
            assert visitor.await_told("mood")["label"] is None

    @pytest.mark.parametrize(
        ("event", "argument"), [("choose", "bored"), ("choose", 3), ("choose", ["sad"]), ("watch", "yes")]
    )
    def test_what_makes_no_sense_is_refused(self, hosted, event, argument):
        with visiting(hosted) as visitor:
            assert "error" in visitor.ask(event, argument)


class TestServerCamera:
    def test_those_who_watch_share_its_mood_until_they_choose(self, filming):
        ended = threading.Event()

        def watch_stream() -> None:
            with urllib.request.urlopen(f"{filming.url}/stream.mjpg", timeout=PATIENCE) as stream:
                while not ended.is_set():
                    stream.read(4096)

        stream = threading.Thread(target=watch_stream)
        stream.start()
        try:
            with visiting(filming) as one, visiting(filming) as other:
                one.ask("watch", True)
                other.ask("watch", True)
                for visitor in (one, other):
                    visitor.await_told("mood", lambda mood: mood["label"] == "happy")
                    visitor.await_told("recommendations")
                one.ask("choose", "disgust")
                one.await_told("mood", lambda mood: mood["label"] == "disgust")
                one.ask("choose", None)
                one.await_told("mood", lambda mood: mood["label"] == "happy")
                with pytest.raises(queue.Empty):  # the room's mood, and not their own empty one after it
                    one.await_told("mood", lambda mood: mood["label"] is None, patience=1)
                while not other.told["mood"].empty():
                    assert other.told["mood"].get()["label"] == "happy"
                one.ask("watch", False)
                one.await_told("mood", lambda mood: mood["label"] is None)
                one.ask("choose", "fear")
                one.await_told("mood", lambda mood: mood["label"] == "fear")
                one.ask("watch", True)  # a choice made before watching holds as well
                with pytest.raises(queue.Empty):
                    one.await_told("mood", lambda mood: mood["label"] != "fear", patience=1)
        finally:
            ended.set()
            stream.join(PATIENCE)

    def test_its_status_is_told_at_once(self, hosted):
        with visiting(hosted) as visitor:
            assert visitor.await_told("camera")["state"] == "off"


def test_more_visitors_than_allowed_are_refused_with_a_reason(tmp_path):
    with (
        serving(tmp_path / "log", CAMERA="off", MAX_VISITORS="1") as server,
        visiting(server),
        pytest.raises(socketio.exceptions.ConnectionError),
    ):
        Visitor(server)
