"""A thousand damaged inputs: each gets an answer or one clear error, and leaves nothing behind.

Pictures, sound, clips and words as visitors send them, changed as networks and malice change them. Hypothesis makes the same
ones in every run. `make fuzz` goes on from here, led by the code that inputs reach.
"""

import gc
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import cv2
import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websocket import WebSocketConnectionClosedException
from werkzeug.test import TestResponse

from app import app
from moodmirror.media import decoder_worker
from moodmirror.media.errors import MediaError
from moodmirror.recognition.audio import SAMPLE_RATE, SoundError, read_sound
from moodmirror.server.packet_validation import MalformedPacketError, StrictPacket, is_valid_payload
from tests.clips import clip
from tests.conftest import admitted, own_memory, running, running_frame_decoder, wav
from tests.test_live import Visitor
from tests.test_websocket_limits import PATIENCE, opened, polled, smile, told, worker_of

PICTURES, SOUNDS, CLIPS, BODIES, PACKETS, CONNECTIONS = 400, 280, 20, 120, 120, 60
assert PICTURES + SOUNDS + CLIPS + BODIES + PACKETS + CONNECTIONS == 1000
MOST_GROWTH: Final = 30_000_000  # bytes of memory: caches fill, and what made the inputs remembers them
REFUSED: Final = (400, 413, 415)


def times(count: int) -> settings:
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


# Numbers that lengths, sizes and counts in a header may be made to be.
EXTREMES: Final = sorted(
    {
        value.to_bytes(width, order)
        for width in (1, 2, 4, 8)
        for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
        for order in ("big", "little")
    }
)
CHANGE: Final = st.tuples(
    st.sampled_from(["flip", "cut", "end", "insert", "double", "number"]),
    st.integers(0, 63) | st.integers(0, 65_535),  # where: headers stand at the beginning
    st.integers(1, 64),  # how many bytes, or which bit
    st.binary(max_size=16) | st.sampled_from(EXTREMES),
)
# Changes of an original, or so many bytes of its beginning and then anything.
DAMAGE: Final = st.lists(CHANGE, min_size=1, max_size=5) | st.tuples(st.integers(0, 24), st.binary(max_size=600))


def damaged(original: bytes, damage: Any) -> bytes:
    """An original, changed as the strategy above says."""
    if isinstance(damage, tuple):
        begin, rest = damage
        return original[:begin] + rest
    content = bytearray(original)
    for how, place, count, piece in damage:
        at = place % (len(content) + 1)
        match how:
            case "flip":
                content[at : at + 1] = bytes(byte ^ 1 << count % 8 for byte in content[at : at + 1])
            case "cut":
                del content[at : at + count]
            case "end":
                del content[at:]
            case "insert":
                content[at:at] = piece
            case "double":
                content[at:at] = content[at : at + count]
            case "number":
                content[at : at + len(piece)] = piece
    return bytes(content)


# Any JSON, with the words among it that the site knows.
WORDS: Final = st.sampled_from(["text", "sad", "songs", "like", "journey", "mode", "wish", "filters", "seed", "kind", "id"])
VALUE: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20) | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
EVENTS: Final = ("frame", "audio", "text", "watch", "choose", "show", "forget", "preferences", "others", "feedback")
EVENT: Final = st.builds(
    lambda name, values, number: f"42{number}{json.dumps([name, *values])}",
    st.sampled_from((*EVENTS, "connect", "disconnect", "unknown")),
    st.lists(VALUE, max_size=3),
    st.sampled_from(["", "7"]),
)
MESSAGES: Final = (
    b'421["choose","sad"]',
    b'422["text","I am so happy today!"]',
    b'423["preferences",{"mode":"journey","towards":"happy","seed":1,"filters":{"food":{"diet":"vegan"}},"wish":"rain"}]',
    b'424["feedback",{"kind":"songs","id":"10cc-im-not-in-love","verdict":"like","on":true}]',
    b'425["show",{"sad":0.7,"neutral":0.3}]',
    b'451-6["frame",{"_placeholder":true,"num":0}]',
    b"40",
    b"41",
)
PACKET: Final = EVENT.map(str.encode) | st.builds(damaged, st.sampled_from(MESSAGES), DAMAGE)


@pytest.fixture(scope="module")
def picture(scene) -> bytes:
    return smile(scene)


@pytest.fixture(scope="module")
def recordings(voice) -> list[bytes]:
    spoken = voice[: SAMPLE_RATE // 2]
    return [wav(spoken), wav(np.stack([spoken, spoken], axis=1), 44_100, "FLOAT"), wav(spoken, 8_000, "ULAW")]


@pytest.fixture(scope="module")
def clips(scene, voice) -> list[bytes]:
    pictures = [cv2.resize(scene(), (160, 120), interpolation=cv2.INTER_AREA)] * 5
    return [clip(pictures, kind, voice[: SAMPLE_RATE // 2]) for kind in ("mp4", "h264")]


@pytest.fixture(autouse=True)
def no_traceback(caplog, capfd) -> Iterator[None]:
    """Nothing that is sent fills the log, of this process or of the decoders'."""
    with caplog.at_level(logging.WARNING):
        yield
    assert "Traceback" not in caplog.text
    assert "Traceback" not in "".join(capfd.readouterr())


@contextmanager
def flat(process: psutil.Process, warm: Callable[[], Any]) -> Iterator[None]:
    """Memory and open files of a process are as they were before, once what is opened once is open."""
    warm()
    gc.collect()
    memory, files = own_memory(process), process.num_fds()
    yield
    gc.collect()
    assert own_memory(process) - memory < MOST_GROWTH
    deadline = time.monotonic() + PATIENCE
    while process.num_fds() > files:
        assert time.monotonic() < deadline, "files or connections are left open"
        time.sleep(0.05)  # the end of a connection sends us no event


def is_clear(words: str) -> bool:
    return 15 < len(words) < 400


def is_answer(answer: TestResponse) -> bool:
    """Whether it was read, or refused with clear words."""
    return answer.status_code == 200 or (answer.status_code in REFUSED and is_clear(answer.get_json()["detail"]))


def read(reader: Callable[[bytes], Any], content: bytes, refusal: type[ValueError]) -> Any:
    """What is read of a content; None where it was refused with clear words."""
    try:
        return reader(content)
    except refusal as error:
        words = str(error)
    assert is_clear(words)
    return None


def test_frames(picture):
    @times(PICTURES)
    @given(DAMAGE)
    def decode(damage):
        gray = read(frames.decode, damaged(picture, damage), MediaError)
        assert gray is None or (gray.dtype == np.uint8 and gray.ndim == 2)

    with running_frame_decoder() as (frames, process):
        with flat(psutil.Process(), lambda: frames.decode(picture)), flat(process, lambda: frames.decode(picture)):
            decode()
        assert process.is_running()  # no frame took it down


def test_sounds(recordings):
    @times(SOUNDS)
    @given(st.sampled_from(recordings), DAMAGE)
    def decode(recording, damage):
        samples = read(read_sound, damaged(recording, damage), SoundError)
        assert samples is None or (samples.dtype == np.float32 and np.isfinite(samples).all())

    with flat(psutil.Process(), lambda: [read_sound(recording) for recording in recordings]):
        decode()


def test_clips(clips):
    client = app.test_client()

    @times(CLIPS)
    @given(st.sampled_from(clips), DAMAGE)
    def upload(film, damage):
        answer = client.post("/api/analyze/file", data=damaged(film, damage), content_type="video/mp4")
        assert is_answer(answer)

    with flat(psutil.Process(), lambda: client.post("/api/analyze/file", data=clips[0], content_type="video/mp4")):
        upload()
    assert running(decoder_worker) == []


def test_bodies():
    client = app.test_client()
    whole = json.dumps({"text": "I am so happy today! 😀 Сегодня."}).encode()
    as_json = VALUE.map(lambda value: json.dumps({"text": value}).encode()) | VALUE.map(lambda v: json.dumps(v).encode())
    kinds = st.sampled_from(
        ["application/json", "application/json; charset=utf-16", "text/plain", "text/plain; charset=x", ""]
    )

    @times(BODIES)
    @given(as_json | st.builds(damaged, st.just(whole), DAMAGE), kinds)
    def ask(body, kind):
        answer = client.post("/api/analyze/text", data=body, content_type=kind)
        assert is_answer(answer)

    def warm() -> None:
        for text in ("filters", "I am so happy today! " * 40):  # the first needs the model that tells languages apart
            assert client.post("/api/analyze/text", json={"text": text}).status_code == 200

    with flat(psutil.Process(), warm):
        ask()


@times(PACKETS)
@given(PACKET, st.binary(max_size=8) | st.text(max_size=8))
def test_packets(content, attachment):
    assert is_valid_payload(content) in (True, False)
    try:
        packet = StrictPacket(encoded_packet=content.decode(errors="replace")[1:])
        if packet.attachment_count:
            assert packet.add_attachment(attachment)
    except MalformedPacketError:
        pass


def test_connections(hosted, scene, picture):
    headers, auth = admitted(hosted)
    written = hosted.log.stat().st_size

    def end(*messages: bytes) -> None:
        """Say something over a WebSocket, and part: all is handled when the server has closed it."""
        with closing(opened(hosted, "127.0.0.7", headers)) as client:
            client.send(f"40{json.dumps(auth)}")
            while not told(client).startswith("40"):
                pass
            try:
                for message in messages:
                    if message is picture or not message:
                        client.send_binary(message)
                    else:
                        client.send(message)
                client.send("1")
                while client.recv():
                    pass
            except (WebSocketConnectionClosedException, ConnectionError):
                pass

    @times(CONNECTIONS)
    @given(PACKET, st.booleans(), st.booleans())
    def say(message, polls, attaches):
        if polls:
            assert polled(hosted, "127.0.0.8", headers, auth, message) in (200, 400)
        else:
            end(message, *([picture] if attaches else []))

    def warm() -> None:
        for message in MESSAGES:
            end(message, picture)

    with Visitor(hosted) as bystander:
        bystander.ask("frame", smile(scene))
        with flat(worker_of(hosted), warm):
            say()
            assert bystander.ask("frame", smile(scene))["faces"]
    with hosted.log.open() as log:
        log.seek(written)
        assert "Traceback" not in log.read()
