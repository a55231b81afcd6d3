"""Visitors' sessions over real Socket.IO connections."""

import queue
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import cv2
import numpy as np
import pytest
import socketio

from moodmirror.emotions import EMOTIONS
from moodmirror.live.session import STEADY_TABLES_SECONDS
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from tests.conftest import Server, admitted, pcm, serving

pytestmark = pytest.mark.services

TIMEOUT_SECONDS = 60


class Visitor:
    """A client, with a cookie if one is given, and the messages it receives."""

    def __init__(self, server: Server, cookie: str | None = None):
        self.server = server
        self.client = socketio.Client(reconnection=False)
        self.received: dict[str, queue.Queue[Any]] = {
            name: queue.Queue() for name in ("mood", "recommendations", "camera", "course", "taste", "low", "help")
        }
        for name, messages in self.received.items():
            self.client.on(name, messages.put)
        headers, auth = admitted(server, cookie)
        self.client.connect(server.url, headers=headers, auth=auth, transports=["websocket"], wait_timeout=TIMEOUT_SECONDS)

    def call(self, event: str, *arguments: Any) -> Any:
        return self.client.call(event, *arguments, timeout=TIMEOUT_SECONDS)

    def wait_for(
        self, event: str, wanted: Callable[[Any], bool] = lambda message: True, timeout: float = TIMEOUT_SECONDS
    ) -> Any:
        while not wanted(message := self.received[event].get(timeout=timeout)):
            pass
        return message

    def next_mood_after_choosing(self, emotion: str) -> Any:
        """Choose an emotion; return the next mood that shows anything. Readings made earlier would be published before."""
        self.call("choose", emotion)
        return self.wait_for("mood", lambda mood: mood["label"] is not None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.wait()


@pytest.fixture
def frame(scene) -> bytes:
    """A frame as a browser sends it: a 320×240 JPEG with a smiling face."""
    return cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()


class TestFrames:
    def test_a_frame_is_acknowledged_with_its_faces_and_changes_mood_and_tables(self, hosted, frame):
        with Visitor(hosted) as visitor:
            answer = visitor.call("frame", frame)
            assert (answer["width"], answer["height"]) == (320, 240)
            [face] = answer["faces"]
            x, y, width, height = face["box"]
            assert x < 160 < x + width
            assert y < 115 < y + height
            assert face["label"] == "happy"
            mood = visitor.wait_for("mood")
            assert mood["label"] == "happy"
            assert set(mood["vector"]) == set(EMOTIONS)
            assert sum(mood["vector"].values()) == pytest.approx(1, abs=0.01)
            assert mood["valence"] > 0.5
            tables = visitor.wait_for("recommendations")
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
                [face] = visitor.call("frame", cv2.imencode(".jpg", picture)[1].tobytes())["faces"]
                assert (face["number"], face["obstacle"]) == (1, None)

    def test_an_unreadable_face_has_a_reason_and_does_not_change_the_mood(self, hosted, scene):
        blurred = cv2.GaussianBlur(cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA), (0, 0), 5)
        with Visitor(hosted) as visitor:
            [face] = visitor.call("frame", cv2.imencode(".jpg", blurred)[1].tobytes())["faces"]
            assert face["label"] is None
            assert "too blurred" in face["obstacle"]
            mood = visitor.next_mood_after_choosing("sad")
            assert (mood["label"], set(mood["said"])) == ("sad", {"chosen"})

    def test_the_mood_fades_after_the_face_has_left(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("frame", frame)
            visitor.wait_for("mood", lambda mood: mood["label"] == "happy")
            visitor.wait_for("mood", lambda mood: mood["label"] is None)

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
    def test_an_invalid_frame_is_rejected_and_the_connection_stays_open(self, hosted, frame, content):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.call("frame", content)
            assert visitor.call("frame", frame)["faces"]

    def test_a_flood_of_frames_is_acknowledged_in_turn_with_a_pause(self, hosted, frame):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(30):
                visitor.client.emit("frame", frame, callback=answers.put)
            given = [answers.get(timeout=TIMEOUT_SECONDS) for _ in range(30)]
            assert all(answer["faces"] and answer["pause"] > 0 for answer in given)

    def test_tables_are_sent_only_when_they_change(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "sad")
            tables = visitor.wait_for("recommendations")
            # The chosen mood holds, so nothing changes, for longer than tables are throttled.
            ended = time.monotonic() + STEADY_TABLES_SECONDS + 2
            while time.monotonic() < ended:
                visitor.call("frame", frame)
                time.sleep(0.03)  # between two frames of a fast camera
            # The next tables are those of the next change: other songs, in the rows of the same mood.
            visitor.call("others", "songs")
            changed = visitor.wait_for("recommendations")
            assert not {row["id"] for row in changed["songs"]} & {row["id"] for row in tables["songs"]}
            assert changed["food"] == tables["food"]


PACKET = 4000  # samples: a quarter of a second


def packets(samples: np.ndarray) -> list[bytes]:
    return [pcm(samples[start : start + PACKET]) for start in range(0, len(samples), PACKET)]


class TestAudio:
    def test_speech_is_recognized_after_a_second_and_a_half_as_by_the_python_interface(self, hosted, voice):
        sent = voice[: 6 * PACKET]
        with Visitor(hosted) as visitor:
            *before, answer = [visitor.call("audio", packet) for packet in packets(sent)]
            assert [given["state"] for given in before] == ["listening"] * 5
            assert all("reading" not in given for given in before)
            assert answer["state"] == "speech"
            quantized = (np.frombuffer(pcm(sent), "<i2") / 32_768).astype(np.float32)
            expected = SpeechEmotionRecognizer.load().read_window(quantized)
            assert expected is not None
            assert list(answer["reading"]["vector"].values()) == pytest.approx(expected.vector, abs=1e-3)
            assert answer["reading"]["weight"] == pytest.approx(expected.weight, abs=1e-3)
            mood = visitor.wait_for("mood")
            assert mood["sources"] == {"speech": 1.0}
            assert mood["label"] == answer["reading"]["label"]
            visitor.wait_for("recommendations")

    def test_silence_does_not_change_the_mood(self, hosted):
        with Visitor(hosted) as visitor:
            answers = [visitor.call("audio", packet) for packet in packets(np.zeros(8 * PACKET))]
            assert answers[-1] == {"level": -96.0, "state": "silence"}
            mood = visitor.next_mood_after_choosing("sad")
            assert (mood["label"], set(mood["said"])) == ("sad", {"chosen"})

    @pytest.mark.parametrize(("amplitude", "level"), [(1.0, 0.0), (0.1, -20.0), (0.01, -40.0)])
    def test_the_level_is_in_decibels_of_full_scale(self, hosted, amplitude, level):
        square = amplitude * np.where(np.arange(PACKET) % 32 < 16, 1.0, -1.0)
        with Visitor(hosted) as visitor:
            assert visitor.call("audio", pcm(square))["level"] == pytest.approx(level, abs=0.1)

    @pytest.mark.parametrize("content", [b"", b"\0", b"\0" * 32_002, "text", None, {"a": 1}, [1, 2]])
    def test_an_invalid_audio_packet_is_rejected_and_the_connection_stays_open(self, hosted, voice, content):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.call("audio", content)
            assert visitor.call("audio", pcm(voice[:PACKET]))["state"] == "listening"

    def test_audio_faster_than_real_time_is_rejected(self, hosted, voice):
        with Visitor(hosted) as visitor:
            answers = []
            for packet in packets(np.tile(voice, 30)):  # a busy machine processes it not much faster than real time
                answers.append(visitor.call("audio", packet))
                if "error" in answers[-1]:
                    break
            assert "faster than real time" in answers[-1]["error"]
            assert len(answers) > 12

    def test_a_flood_of_audio_is_partly_rejected(self, hosted, voice):
        with Visitor(hosted) as visitor:
            answers: queue.Queue[Any] = queue.Queue()
            for _ in range(200):
                visitor.client.emit("audio", pcm(voice[:PACKET]), callback=answers.put)
            given = [answers.get(timeout=TIMEOUT_SECONDS) for _ in range(200)]
            assert sum("level" in answer for answer in given) < 100
            assert any("error" in answer for answer in given)

    def test_forgetting_speech_leaves_the_text(self, hosted, voice):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so happy today!")
            for packet in packets(voice[: 6 * PACKET]):
                visitor.call("audio", packet)
            visitor.wait_for("mood", lambda mood: set(mood["sources"]) == {"speech", "text"})
            visitor.call("forget", "speech")
            visitor.wait_for("mood", lambda mood: set(mood["sources"]) == {"text"})
            assert visitor.call("audio", pcm(voice[:PACKET]))["state"] == "listening"


class TestText:
    def test_a_text_is_acknowledged_with_its_emotions_and_changes_mood_and_tables(self, hosted):
        with Visitor(hosted) as visitor:
            text = "I am so happy today!"
            answer = visitor.call("text", text)
            assert answer["label"] == "happy"
            assert answer["language_known"]
            assert sum(answer["vector"].values()) == pytest.approx(1, abs=0.01)
            assert "happy" in [text[word["start"] : word["end"]].strip("!") for word in answer["words"]]
            mood = visitor.wait_for("mood")
            assert (mood["label"], mood["sources"]) == ("happy", {"text": 1.0})
            assert set(visitor.wait_for("recommendations")) == {"songs", "movies", "food", "activities"}

    def test_the_newest_text_wins(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so happy today!")
            answers: queue.Queue[Any] = queue.Queue()
            for text in ["I", "I am", "I am so", "I am so sad", "I am so sad and lonely, I keep crying."]:
                visitor.client.emit("text", text, callback=answers.put)
            given = [answers.get(timeout=TIMEOUT_SECONDS) for _ in range(5)]
            assert all("label" in answer or answer == {"superseded": True} for answer in given)
            mood = visitor.wait_for("mood", lambda mood: mood["label"] == "sad")
            assert mood["sources"] == {"text": 1.0}

    @pytest.mark.parametrize("nothing", ["", "  \n"])
    def test_an_empty_text_removes_the_last_reading(self, hosted, nothing):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so sad today.")
            visitor.wait_for("mood", lambda mood: mood["label"] == "sad")
            assert visitor.call("text", nothing)["label"] is None
            assert visitor.wait_for("mood")["label"] is None

    @pytest.mark.parametrize("removal", [("text", ""), ("forget", "text"), ("forget", None)])
    def test_a_removed_text_removes_the_rows_that_it_alone_supported(self, hosted, removal):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so sad today.")
            assert visitor.wait_for("recommendations")
            visitor.call(*removal)
            assert visitor.wait_for("recommendations", lambda tables: not tables) == {}
            assert visitor.wait_for("mood", lambda mood: mood["label"] is None)

    def test_a_cleared_choice_removes_its_rows_and_the_next_mood_brings_new_ones(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "happy")
            assert visitor.wait_for("recommendations")
            visitor.call("choose", None)
            assert visitor.wait_for("recommendations", lambda tables: not tables) == {}
            visitor.call("choose", "happy")
            assert visitor.wait_for("recommendations")["songs"]

    def test_a_cleared_choice_brings_back_the_rows_of_the_text_beneath_it(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so sad and lonely, I keep crying.")
            visitor.wait_for("mood", lambda mood: mood["label"] == "sad")
            sad = visitor.wait_for("recommendations")
            visitor.call("choose", "happy")
            happy = visitor.wait_for("recommendations", lambda tables: tables["songs"] != sad["songs"])
            visitor.call("choose", None)
            again = visitor.wait_for("recommendations")
            ids = lambda tables: {row["id"] for row in tables["songs"]}  # noqa: E731
            assert ids(again) & ids(sad)
            assert not ids(again) & ids(happy)

    def test_an_unsupported_language_does_not_change_the_mood(self, hosted):
        with Visitor(hosted) as visitor:
            answer = visitor.call("text", "Сегодня я получил новую работу, и мы долго праздновали с друзьями.")
            assert not answer["language_known"]
            assert answer["words"] == []
            mood = visitor.next_mood_after_choosing("sad")
            assert (mood["label"], set(mood["said"])) == ("sad", {"chosen"})

    @pytest.mark.parametrize("content", [None, 3, b"bytes", ["I am happy"], {"text": "I am happy"}, "long " * 1001])
    def test_an_invalid_text_is_rejected_and_the_connection_stays_open(self, hosted, content):
        with Visitor(hosted) as visitor:
            assert "error" in visitor.call("text", content)
            assert visitor.call("text", "I am so happy today!")["label"] == "happy"

    @pytest.mark.parametrize("odd", ["\0\x1b[31m", "\u202e\u2066", "👩‍👩‍👧🏽" * 20, "\ud800", "?"])
    def test_unusual_characters_are_processed_safely(self, hosted, odd):
        with Visitor(hosted) as visitor:
            answer = visitor.call("text", f"I am so happy today! {odd}")
            assert answer.get("label") in EMOTIONS or "error" in answer

    def test_texts_are_not_logged(self, tmp_path):
        with serving(tmp_path / "log", CAMERA="off") as server, Visitor(server) as visitor:
            visitor.call("text", "I am so happy about xylophones!")
            assert "error" in visitor.call("text", "xylophones" * 600)
            visitor.wait_for("mood")
        log = (tmp_path / "log").read_text()
        assert log
        assert "xylophone" not in log


class TestMood:
    def test_each_visitor_has_their_own_mood(self, hosted, frame):
        with Visitor(hosted) as one, Visitor(hosted) as other:
            one.call("choose", "sad")
            other.call("frame", frame)
            assert one.wait_for("mood")["label"] == "sad"
            assert other.wait_for("mood")["label"] == "happy"
            sad, happy = one.wait_for("recommendations"), other.wait_for("recommendations")
            for kind in sad:
                assert {row["id"] for row in sad[kind]}.isdisjoint(row["id"] for row in happy[kind])
            one.call("choose", "disgust")  # until this choice, no mood of the other visitor has come
            assert one.wait_for("mood", lambda mood: mood["label"] != "sad")["label"] == "disgust"

    def test_a_chosen_mood_holds_until_it_is_released(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "fear")
            mood = visitor.wait_for("mood")
            assert (mood["label"], mood["sources"]) == ("fear", {"chosen": 1.0})
            visitor.call("frame", frame)
            visitor.call("choose", None)
            assert visitor.wait_for("mood", lambda mood: mood["label"] != "fear")["label"] == "happy"

    def test_the_mood_of_an_analyzed_file_holds_until_it_is_released(self, hosted, frame):
        with Visitor(hosted) as visitor:
            assert visitor.call("show", {"sad": 0.7, "neutral": 0.3}) == {}
            mood = visitor.wait_for("mood")
            assert (mood["label"], mood["confidence"]) == ("sad", pytest.approx(0.7))
            assert visitor.wait_for("recommendations")
            visitor.call("frame", frame)
            visitor.call("choose", None)
            assert visitor.wait_for("mood", lambda mood: mood["label"] != "sad")["label"] == "happy"

    def test_face_and_text_are_fused_into_one_mood(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so sad and alone.")
            visitor.call("frame", frame)
            mood = visitor.wait_for("mood", lambda mood: len(mood["sources"]) == 2)
            assert set(mood["sources"]) == {"face", "text"}
            assert min(mood["vector"]["happy"], mood["vector"]["sad"]) > 0.15

    def test_a_smile_and_a_sad_text_make_a_mixed_mood(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("text", "I am so sad and lonely tonight, I keep crying.")
            visitor.call("frame", frame)
            mood = visitor.wait_for("mood", lambda mood: len(mood["sources"]) == 2)
            assert set(mood["mixed"]) == {"happy", "sad"}
            assert mood["name"] == f"mixed: {mood['mixed'][0]} and {mood['mixed'][1]}"
            assert mood["label"] in mood["mixed"]
            assert {source: said["label"] for source, said in mood["said"].items()} == {"face": "happy", "text": "sad"}

    def test_the_mood_history_is_published_and_deleted_on_request(self, hosted):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "sad")
            [first] = visitor.wait_for("course")
            assert (first["label"], first["sources"]) == ("sad", {"chosen": 1.0})
            assert first["at"] >= first["said"]["chosen"]["at"]
            assert visitor.call("forget", "course") == {}
            [later, *_] = visitor.wait_for("course")
            assert later["label"] == "sad"  # the current mood stays
            assert later["at"] > first["at"]

    def test_forget_deletes_everything(self, hosted, frame):
        with Visitor(hosted) as visitor:
            visitor.call("choose", "angry")
            visitor.wait_for("mood")
            visitor.call("forget")
            assert visitor.wait_for("mood")["label"] is None

    @pytest.mark.parametrize(
        ("event", "argument", "error"),
        [
            ("choose", "bored", "choose: Input should be 'angry'"),
            ("choose", 3, "choose: Input should be 'angry'"),
            ("choose", ["sad"], "choose: Input should be 'angry'"),
            ("watch", "yes", "watch: Input should be a valid boolean"),
            ("watch", None, "watch: Input should be a valid boolean"),
            ("forget", "voice", "forget: Input should be 'face', 'speech', 'text', 'chosen' or 'course'"),
            ("forget", 3, "forget: Input should be 'face', 'speech', 'text', 'chosen' or 'course'"),
            ("show", None, "show: Input should be a valid dictionary"),
            ("show", "sad", "show: Input should be a valid dictionary"),
            ("show", {"bored": 1}, "show.bored: Input should be 'angry'"),
            ("show", {"sad": -1}, "show.sad: Input should be greater than or equal to 0"),
            ("show", {"sad": "1"}, "show.sad: Input should be a valid number"),
            ("show", {"sad": [1]}, "show.sad: Input should be a valid number"),
            ("show", {}, "show: Dictionary should have at least 1 item"),
            (
                "show",
                [{"source": "face", "vector": {"sad": 1}, "weight": 0}],
                "show.0.weight: Input should be greater than 0",
            ),
            ("show", [{"source": "nose", "vector": {"sad": 1}, "weight": 1}], "show.0.source: Input should be 'face'"),
            ("show", [3], "show.0: Input should be a valid dictionary"),
            (
                "show",
                [{"source": "face", "vector": {"sad": 1}, "weight": 1}] * 17,
                "show: List should have at most 16 items",
            ),
            ("show", {"sad": 0}, "show: at least one emotion needs a weight above 0"),
        ],
    )
    def test_an_invalid_message_is_rejected_with_a_precise_error(self, hosted, event, argument, error):
        with Visitor(hosted) as visitor:
            assert visitor.call(event, argument)["error"].startswith(error)
            assert visitor.call("choose", "sad") == {}


@contextmanager
def watched(server: Server) -> Iterator[None]:
    """Watch the server camera's stream meanwhile, so that it is awake."""
    ended = threading.Event()

    def watch_stream() -> None:
        with urllib.request.urlopen(f"{server.url}/stream.mjpg", timeout=TIMEOUT_SECONDS) as stream:
            while not ended.is_set():
                stream.read(4096)

    stream = threading.Thread(target=watch_stream)
    stream.start()
    try:
        yield
    finally:
        ended.set()
        stream.join(TIMEOUT_SECONDS)


class TestCameraRoom:
    def test_watching_visitors_share_the_cameras_mood_until_they_choose(self, filming):
        with watched(filming), Visitor(filming) as one, Visitor(filming) as other:
            one.call("watch", True)
            other.call("watch", True)
            for visitor in (one, other):
                visitor.wait_for("mood", lambda mood: mood["label"] == "happy")
                visitor.wait_for("recommendations")
            one.call("choose", "disgust")
            one.wait_for("mood", lambda mood: mood["label"] == "disgust")
            one.call("choose", None)
            one.wait_for("mood", lambda mood: mood["label"] == "happy")
            with pytest.raises(queue.Empty):  # the room's mood, not followed by their own empty one
                one.wait_for("mood", lambda mood: mood["label"] is None, timeout=1)
            other.call("choose", "fear")  # until this choice, the other one has received the camera's mood alone
            assert other.wait_for("mood", lambda mood: mood["label"] != "happy")["label"] == "fear"
            one.call("watch", False)
            one.wait_for("mood", lambda mood: mood["label"] is None)
            one.call("choose", "fear")
            one.wait_for("mood", lambda mood: mood["label"] == "fear")
            one.call("watch", True)  # a choice made before watching holds too
            with pytest.raises(queue.Empty):
                one.wait_for("mood", lambda mood: mood["label"] != "fear", timeout=1)

    def test_text_is_fused_with_the_face_that_the_camera_sees(self, filming):
        with watched(filming), Visitor(filming) as visitor:
            visitor.call("watch", True)
            visitor.wait_for("mood", lambda mood: mood["sources"] == {"face": 1.0})
            visitor.call("text", "I am so sad and alone.")
            visitor.wait_for("mood", lambda mood: set(mood["sources"]) == {"face", "text"})
            visitor.call("text", "")
            visitor.wait_for("mood", lambda mood: mood["sources"] == {"face": 1.0})
            visitor.call("watch", False)
            visitor.wait_for("mood", lambda mood: mood["label"] is None)

    def test_the_cameras_status_is_sent_on_connection(self, hosted):
        with Visitor(hosted) as visitor:
            assert visitor.wait_for("camera")["state"] == "off"


def test_more_visitors_than_allowed_are_refused_with_a_reason(tmp_path):
    refusals: queue.Queue[Any] = queue.Queue()
    with serving(tmp_path / "log", CAMERA="off", MAX_VISITORS="1") as server, Visitor(server):
        client = socketio.Client(reconnection=False)
        client.on("connect_error", refusals.put)
        headers, auth = admitted(server)
        with pytest.raises(socketio.exceptions.ConnectionError):
            client.connect(server.url, headers=headers, auth=auth, transports=["websocket"], wait_timeout=TIMEOUT_SECONDS)
        assert "The site is full" in str(refusals.get(timeout=TIMEOUT_SECONDS))
