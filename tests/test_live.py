"""Visitors over real Socket.IO connections."""

import queue
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import cv2
import numpy as np
import pytest
import socketio

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from tests.conftest import Server, admitted, pcm, serving

PATIENCE = 60  # seconds


class Visitor:
    """A connection, under a cookie if there is one, and what it is told."""

    def __init__(self, server: Server, cookie: str | None = None):
        self.server = server
        self.client = socketio.Client(reconnection=False)
        self.told: dict[str, queue.Queue[Any]] = {
            name: queue.Queue() for name in ("mood", "recommendations", "camera", "course", "taste")
        }
        for name, messages in self.told.items():
            self.client.on(name, messages.put)
        headers, auth = admitted(server, cookie)
        self.client.connect(server.url, headers=headers, auth=auth, transports=["websocket"], wait_timeout=PATIENCE)

    def ask(self, event: str, *arguments: Any) -> Any:
        return self.client.call(event, *arguments, timeout=PATIENCE)

    def await_told(
        self, event: str, wanted: Callable[[Any], bool] = lambda message: True, patience: float = PATIENCE
    ) -> Any:
        while not wanted(message := self.told[event].get(timeout=patience)):
            pass
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.wait()


@pytest.fixture
def frame(scene) -> bytes:
    """What a browser sends: 320×240 JPEG with a smiling face."""
    return cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()


class TestFrames:
    def test_a_frame_is_answered_with_its_faces_and_moves_mood_and_tables(self, hosted, frame):
        with Visitor(hosted) as visitor:
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
        with Visitor(hosted) as visitor:
            for x in (300, 310, 320, 330):
                picture = cv2.resize(scene(x), (320, 240), interpolation=cv2.INTER_AREA)
                [face] = visitor.ask("frame", cv2.imencode(".jpg", picture)[1].tobytes())["faces"]
                assert (face["number"], face["obstacle"]) == (1, None)

    def test_a_face_that_cant_be_read_gets_a_reason_and_moves_no_mood(self, hosted, scene):
        blurred = cv2.GaussianBlur(cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA), (0, 0), 5)
        with Visitor(hosted) as visitor:
            [face] = visitor.ask("frame", cv2.imencode(".jpg", blurred)[1].tobytes())["faces"]
            assert face["label"] is None
            assert "too blurred" in face["obstacle"]
            assert all(mood["label"] is None for mood in list(visitor.told["mood"].queue))

    def test_the_mood_fades_when_the_face_has_gone(self, hosted, frame):
        with Visitor(hosted) as visitor:
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
        with Visitor(hosted) as visitor:
            assert "error" in visitor.ask("frame", content)
            assert visitor.ask("frame", frame)["faces"]

    def test_who_floods_frames_is_answered_one_after_the_other_and_told_to_pause(self, hosted, frame):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(30):
                visitor.client.emit("frame", frame, callback=answers.put)
            given = [answers.get(timeout=PATIENCE) for _ in range(30)]
            assert all(answer["faces"] and answer["pause"] > 0 for answer in given)

    def test_tables_are_sent_only_when_they_change(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "sad")
            visitor.await_told("recommendations")
            for _ in range(20):
                visitor.ask("frame", frame)  # the chosen mood holds, so nothing changes
            assert visitor.told["recommendations"].empty()


PACKET = 4000  # samples: a quarter of a second


def packets(samples: np.ndarray) -> list[bytes]:
    return [pcm(samples[start : start + PACKET]) for start in range(0, len(samples), PACKET)]


class TestSound:
    def test_a_voice_is_heard_after_a_second_and_a_half_as_the_python_call_hears_it(self, hosted, voice):
        sent = voice[: 6 * PACKET]
        with Visitor(hosted) as visitor:
            *before, answer = [visitor.ask("audio", packet) for packet in packets(sent)]
            assert [given["state"] for given in before] == ["listening"] * 5
            assert all("reading" not in given for given in before)
            assert answer["state"] == "speech"
            quantised = (np.frombuffer(pcm(sent), "<i2") / 32_768).astype(np.float32)
            expected = SpeechEmotionRecognizer.load().read_window(quantised)
            assert expected is not None
            assert list(answer["reading"]["vector"].values()) == pytest.approx(expected.vector, abs=1e-3)
            assert answer["reading"]["weight"] == pytest.approx(expected.weight, abs=1e-3)
            mood = visitor.await_told("mood")
            assert mood["sources"] == {"speech": 1.0}
            assert mood["label"] == answer["reading"]["label"]
            visitor.await_told("recommendations")

    def test_silence_moves_no_mood(self, hosted):
        with Visitor(hosted) as visitor:
            answers = [visitor.ask("audio", packet) for packet in packets(np.zeros(8 * PACKET))]
            assert answers[-1] == {"level": -96.0, "state": "silence"}
            assert all(mood["label"] is None for mood in list(visitor.told["mood"].queue))

    @pytest.mark.parametrize(("amplitude", "level"), [(1.0, 0.0), (0.1, -20.0), (0.01, -40.0)])
    def test_the_level_is_in_decibels_of_full_scale(self, hosted, amplitude, level):
        square = amplitude * np.where(np.arange(PACKET) % 32 < 16, 1.0, -1.0)
        with Visitor(hosted) as visitor:
            assert visitor.ask("audio", pcm(square))["level"] == pytest.approx(level, abs=0.1)

    @pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 32_002, "text", None, {"a": 1}, [1, 2]])
    def test_what_is_no_sound_is_refused_and_the_visitor_stays(self, hosted, voice, content):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.ask("audio", content)
            assert visitor.ask("audio", pcm(voice[:PACKET]))["state"] == "listening"

    def test_sound_that_comes_faster_than_it_can_be_spoken_is_refused(self, hosted, voice):
        with Visitor(hosted) as visitor:
            answers = []
            for packet in packets(np.tile(voice, 30)):  # a busy machine takes it not much faster than it is spoken
                answers.append(visitor.ask("audio", packet))
                if "error" in answers[-1]:
                    break
            assert "faster than anybody speaks" in answers[-1]["error"]
            assert len(answers) > 12

    def test_who_floods_sound_is_answered_one_packet_at_a_time(self, hosted, voice):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(200):
                visitor.client.emit("audio", pcm(voice[:PACKET]), callback=answers.put)
            given = [answers.get(timeout=PATIENCE) for _ in range(200)]
            assert sum("level" in answer for answer in given) < 100
            assert any("error" in answer for answer in given)

    def test_stopping_forgets_the_voice_alone(self, hosted, voice):
        with Visitor(hosted) as visitor:
            visitor.ask("text", "I am so happy today!")
            for packet in packets(voice[: 6 * PACKET]):
                visitor.ask("audio", packet)
            visitor.await_told("mood", lambda mood: set(mood["sources"]) == {"speech", "text"})
            visitor.ask("forget", "speech")
            visitor.await_told("mood", lambda mood: set(mood["sources"]) == {"text"})
            assert visitor.ask("audio", pcm(voice[:PACKET]))["state"] == "listening"


class TestWords:
    def test_a_text_is_answered_with_what_it_says_and_moves_mood_and_tables(self, hosted):
        with Visitor(hosted) as visitor:
            text = "I am so happy today!"
            answer = visitor.ask("text", text)
            assert answer["label"] == "happy"
            assert answer["language_known"]
            assert sum(answer["vector"].values()) == pytest.approx(1, abs=0.01)
            assert "happy" in [text[word["start"] : word["end"]].strip("!") for word in answer["words"]]
            mood = visitor.await_told("mood")
            assert (mood["label"], mood["sources"]) == ("happy", {"text": 1.0})
            assert set(visitor.await_told("recommendations")) == {"songs", "movies", "food", "activities"}

    def test_the_newest_text_wins(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("text", "I am so happy today!")
            answers: queue.Queue[Any] = queue.Queue()
            for text in ["I", "I am", "I am so", "I am so sad", "I am so sad and lonely, I keep crying."]:
                visitor.client.emit("text", text, callback=answers.put)
            given = [answers.get(timeout=PATIENCE) for _ in range(5)]
            assert all("label" in answer or answer == {"superseded": True} for answer in given)
            mood = visitor.await_told("mood", lambda mood: mood["label"] == "sad")
            assert mood["sources"] == {"text": 1.0}

    @pytest.mark.parametrize("nothing", ["", "  \n"])
    def test_an_emptied_box_takes_the_words_back(self, hosted, nothing):
        with Visitor(hosted) as visitor:
            visitor.ask("text", "I am so sad today.")
            visitor.await_told("mood", lambda mood: mood["label"] == "sad")
            assert visitor.ask("text", nothing)["label"] is None
            assert visitor.await_told("mood")["label"] is None

    def test_a_language_it_does_not_know_moves_no_mood(self, hosted):
        with Visitor(hosted) as visitor:
            answer = visitor.ask("text", "Сегодня я получил новую работу, и мы долго праздновали с друзьями.")
            assert not answer["language_known"]
            assert answer["words"] == []
            assert all(mood["label"] is None for mood in list(visitor.told["mood"].queue))

    @pytest.mark.parametrize("content", [None, 3, b"bytes", ["I am happy"], {"text": "I am happy"}, "long " * 201])
    def test_what_is_no_text_is_refused_and_the_visitor_stays(self, hosted, content):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.ask("text", content)
            assert visitor.ask("text", "I am so happy today!")["label"] == "happy"

    @pytest.mark.parametrize("odd", ["\0\x1b[31m", "\u202e\u2066", "👩‍👩‍👧🏽" * 20, "\ud800", "?"])
    def test_odd_characters_are_read_safely(self, hosted, odd):
        with Visitor(hosted) as visitor:
            answer = visitor.ask("text", f"I am so happy today! {odd}")
            assert answer.get("label") in EMOTIONS or "error" in answer

    def test_what_was_written_stands_in_no_log(self, tmp_path):
        with serving(tmp_path / "log", CAMERA="off") as server, Visitor(server) as visitor:
            visitor.ask("text", "I am so happy about xylophones!")
            assert "error" in visitor.ask("text", "xylophones" * 200)
            visitor.await_told("mood")
        assert "xylophone" not in (tmp_path / "log").read_text()


class TestMoods:
    def test_each_visitor_has_a_mood_of_their_own(self, hosted, frame):
        with Visitor(hosted) as one, Visitor(hosted) as other:
            one.ask("choose", "sad")
            other.ask("frame", frame)
            assert one.await_told("mood")["label"] == "sad"
            assert other.await_told("mood")["label"] == "happy"
            assert one.told["mood"].empty()
            sad, happy = one.await_told("recommendations"), other.await_told("recommendations")
            for kind in sad:
                assert {row["id"] for row in sad[kind]}.isdisjoint(row["id"] for row in happy[kind])

    def test_a_chosen_mood_is_let_go_again(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "fear")
            mood = visitor.await_told("mood")
            assert (mood["label"], mood["sources"]) == ("fear", {"chosen": 1.0})
            visitor.ask("frame", frame)
            visitor.ask("choose", None)
            assert visitor.await_told("mood", lambda mood: mood["label"] != "fear")["label"] == "happy"

    def test_the_mood_of_a_shown_file_holds_until_it_is_let_go_of(self, hosted, frame):
        with Visitor(hosted) as visitor:
            assert visitor.ask("show", {"sad": 0.7, "neutral": 0.3}) == {}
            mood = visitor.await_told("mood")
            assert (mood["label"], mood["confidence"]) == ("sad", pytest.approx(0.7))
            assert visitor.await_told("recommendations")
            visitor.ask("frame", frame)
            visitor.ask("choose", None)
            assert visitor.await_told("mood", lambda mood: mood["label"] != "sad")["label"] == "happy"

    def test_face_and_words_make_one_mood(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.ask("text", "I am so sad and alone.")
            visitor.ask("frame", frame)
            mood = visitor.await_told("mood", lambda mood: len(mood["sources"]) == 2)
            assert set(mood["sources"]) == {"face", "text"}
            assert min(mood["vector"]["happy"], mood["vector"]["sad"]) > 0.15

    def test_a_smile_and_sad_words_are_told_as_mixed(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.ask("text", "I am so sad and lonely tonight, I keep crying.")
            visitor.ask("frame", frame)
            mood = visitor.await_told("mood", lambda mood: len(mood["sources"]) == 2)
            assert set(mood["mixed"]) == {"happy", "sad"}
            assert mood["name"] == f"mixed: {mood['mixed'][0]} and {mood['mixed'][1]}"
            assert mood["label"] in mood["mixed"]
            assert {source: said["label"] for source, said in mood["said"].items()} == {"face": "happy", "text": "sad"}

    def test_the_course_is_told_and_forgotten_on_request(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "sad")
            [first] = visitor.await_told("course")
            assert (first["label"], first["sources"]) == ("sad", {"chosen": 1.0})
            assert first["at"] >= first["said"]["chosen"]["at"]
            assert visitor.ask("forget", "course") == {}
            [later, *_] = visitor.await_told("course")
            assert later["label"] == "sad"  # the mood of the moment stays
            assert later["at"] > first["at"]

    def test_forget_leaves_nothing(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.ask("choose", "angry")
            visitor.await_told("mood")
            visitor.ask("forget")
            assert visitor.await_told("mood")["label"] is None

    @pytest.mark.parametrize(
        ("event", "argument"),
        [("choose", "bored"), ("choose", 3), ("choose", ["sad"]), ("watch", "yes"), ("forget", "voice"), ("forget", 3)]
        + [("show", shares) for shares in (None, "sad", {"bored": 1}, {"sad": -1}, {"sad": "1"}, {"sad": [1]}, {})],
    )
    def test_what_makes_no_sense_is_refused(self, hosted, event, argument):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.ask(event, argument)


@contextmanager
def watched(server: Server) -> Iterator[None]:
    """Somebody watches the server's camera meanwhile, so it is awake."""
    ended = threading.Event()

    def watch_stream() -> None:
        with urllib.request.urlopen(f"{server.url}/stream.mjpg", timeout=PATIENCE) as stream:
            while not ended.is_set():
                stream.read(4096)

    stream = threading.Thread(target=watch_stream)
    stream.start()
    try:
        yield
    finally:
        ended.set()
        stream.join(PATIENCE)


class TestServerCamera:
    def test_those_who_watch_share_its_mood_until_they_choose(self, filming):
        with watched(filming), Visitor(filming) as one, Visitor(filming) as other:
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

    def test_words_count_beside_the_face_that_it_sees(self, filming):
        with watched(filming), Visitor(filming) as visitor:
            visitor.ask("watch", True)
            visitor.await_told("mood", lambda mood: mood["sources"] == {"face": 1.0})
            visitor.ask("text", "I am so sad and alone.")
            visitor.await_told("mood", lambda mood: set(mood["sources"]) == {"face", "text"})
            visitor.ask("text", "")
            visitor.await_told("mood", lambda mood: mood["sources"] == {"face": 1.0})
            visitor.ask("watch", False)
            visitor.await_told("mood", lambda mood: mood["label"] is None)

    def test_its_status_is_told_at_once(self, hosted):
        with Visitor(hosted) as visitor:
            assert visitor.await_told("camera")["state"] == "off"


def test_more_visitors_than_allowed_are_refused_with_a_reason(tmp_path):
    with (
        serving(tmp_path / "log", CAMERA="off", MAX_VISITORS="1") as server,
        Visitor(server),
        pytest.raises(socketio.exceptions.ConnectionError),
    ):
        Visitor(server)
