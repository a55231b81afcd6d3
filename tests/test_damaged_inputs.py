"""A thousand damaged inputs: each gets an answer or one clear error, and leaves nothing behind.

Pictures, sound, clips and texts as visitors send them, mutated as networks and attackers may do. Hypothesis generates the
same ones in every run. `make fuzz` continues from here, guided by code coverage.
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
from tests.test_websocket_limits import TIMEOUT_SECONDS, open_websocket, post_polled, receive_text, smile, worker_of

pytestmark = pytest.mark.services

PICTURES, SOUNDS, CLIPS, BODIES, PACKETS, CONNECTIONS = 400, 280, 20, 120, 120, 60
assert PICTURES + SOUNDS + CLIPS + BODIES + PACKETS + CONNECTIONS == 1000
MAX_GROWTH_BYTES: Final = 30_000_000  # caches fill, and Hypothesis stores the inputs
REJECTION_CODES: Final = (400, 413, 415)


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


# Extreme values for lengths, sizes and counts in a header.
EXTREMES: Final = sorted(
    {
        value.to_bytes(width, order)
        for width in (1, 2, 4, 8)
        for value in (0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1)
        for order in ("big", "little")
    }
)
MUTATION: Final = st.tuples(
    st.sampled_from(["flip", "cut", "end", "insert", "double", "number"]),
    st.integers(0, 63) | st.integers(0, 65_535),  # position: headers are at the beginning
    st.integers(1, 64),  # number of bytes, or of a bit
    st.binary(max_size=16) | st.sampled_from(EXTREMES),
)
# Mutations of an original, or some bytes of its beginning followed by random ones.
DAMAGE: Final = st.lists(MUTATION, min_size=1, max_size=5) | st.tuples(st.integers(0, 24), st.binary(max_size=600))


def damaged(original: bytes, damage: Any) -> bytes:
    """Apply a value of the strategy DAMAGE to an original."""
    if isinstance(damage, tuple):
        kept, rest = damage
        return original[:kept] + rest
    content = bytearray(original)
    for operation, position, count, inserted in damage:
        at = position % (len(content) + 1)
        match operation:
            case "flip":
                content[at : at + 1] = bytes(byte ^ 1 << count % 8 for byte in content[at : at + 1])
            case "cut":
                del content[at : at + count]
            case "end":
                del content[at:]
            case "insert":
                content[at:at] = inserted
            case "double":
                content[at:at] = content[at : at + count]
            case "number":
                content[at : at + len(inserted)] = inserted
    return bytes(content)


# Any JSON, including names that the site uses.
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
    """No input causes a traceback in the log of this process or of the decoders."""
    with caplog.at_level(logging.WARNING):
        yield
    assert "Traceback" not in caplog.text
    assert "Traceback" not in "".join(capfd.readouterr())


@contextmanager
def no_growth(process: psutil.Process, warm_up: Callable[[], Any]) -> Iterator[None]:
    """Assert that memory and open files of a process do not grow after `warm_up` has loaded models and filled caches."""
    warm_up()
    gc.collect()
    memory, files = own_memory(process), process.num_fds()
    yield
    gc.collect()
    assert own_memory(process) - memory < MAX_GROWTH_BYTES
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while process.num_fds() > files:
        assert time.monotonic() < deadline, "files or connections are still open"
        time.sleep(0.05)  # closing a connection sends no event


def is_clear(message: str) -> bool:
    return 15 < len(message) < 400


def is_answer(answer: TestResponse) -> bool:
    """Return whether the input was read, or rejected with a clear message."""
    return answer.status_code == 200 or (answer.status_code in REJECTION_CODES and is_clear(answer.get_json()["detail"]))


def read_or_reject(reader: Callable[[bytes], Any], content: bytes, rejection: type[ValueError]) -> Any:
    """Return the reader's result; None if it rejected the content with a clear message."""
    try:
        return reader(content)
    except rejection as error:
        message = str(error)
    assert is_clear(message)
    return None


def test_frames(picture):
    @examples(PICTURES)
    @given(DAMAGE)
    def decode(damage):
        gray = read_or_reject(frames.decode, damaged(picture, damage), MediaError)
        assert gray is None or (gray.dtype == np.uint8 and gray.ndim == 2)

    with running_frame_decoder() as (frames, process):
        with no_growth(psutil.Process(), lambda: frames.decode(picture)), no_growth(process, lambda: frames.decode(picture)):
            decode()
        assert process.is_running()  # no frame crashed it


def test_sounds(recordings):
    @examples(SOUNDS)
    @given(st.sampled_from(recordings), DAMAGE)
    def decode(recording, damage):
        samples = read_or_reject(read_sound, damaged(recording, damage), SoundError)
        assert samples is None or (samples.dtype == np.float32 and np.isfinite(samples).all())

    with no_growth(psutil.Process(), lambda: [read_sound(recording) for recording in recordings]):
        decode()


def test_clips(clips):
    client = app.test_client()

    @examples(CLIPS)
    @given(st.sampled_from(clips), DAMAGE)
    def upload(film, damage):
        answer = client.post("/api/analyze/file", data=damaged(film, damage), content_type="video/mp4")
        assert is_answer(answer)

    with no_growth(psutil.Process(), lambda: client.post("/api/analyze/file", data=clips[0], content_type="video/mp4")):
        upload()
    assert running(decoder_worker) == []


def test_bodies():
    client = app.test_client()
    whole = json.dumps({"text": "I am so happy today! 😀 Сегодня."}).encode()
    as_json = VALUE.map(lambda value: json.dumps({"text": value}).encode()) | VALUE.map(lambda v: json.dumps(v).encode())
    kinds = st.sampled_from(
        ["application/json", "application/json; charset=utf-16", "text/plain", "text/plain; charset=x", ""]
    )

    @examples(BODIES)
    @given(as_json | st.builds(damaged, st.just(whole), DAMAGE), kinds)
    def post(body, kind):
        answer = client.post("/api/analyze/text", data=body, content_type=kind)
        assert is_answer(answer)

    def warm_up() -> None:
        for text in ("filters", "I am so happy today! " * 40):  # the first one loads the model for language detection
            assert client.post("/api/analyze/text", json={"text": text}).status_code == 200

    with no_growth(psutil.Process(), warm_up):
        post()


@examples(PACKETS)
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

    def send_and_close(*messages: bytes) -> None:
        """Send messages over a WebSocket and close it: all are handled once the server has closed it, too."""
        with closing(open_websocket(hosted, "127.0.0.7", headers)) as client:
            client.send(f"40{json.dumps(auth)}")
            while not receive_text(client).startswith("40"):
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

    @examples(CONNECTIONS)
    @given(PACKET, st.booleans(), st.booleans())
    def send(message, by_polling, with_attachment):
        if by_polling:
            assert post_polled(hosted, "127.0.0.8", headers, auth, message) in (200, 400)
        else:
            send_and_close(message, *([picture] if with_attachment else []))

    def warm_up() -> None:
        for message in MESSAGES:
            send_and_close(message, picture)

    with Visitor(hosted) as bystander:
        bystander.call("frame", smile(scene))
        with no_growth(worker_of(hosted), warm_up):
            send()
            assert bystander.call("frame", smile(scene))["faces"]
    with hosted.log.open() as log:
        log.seek(written)
        assert "Traceback" not in log.read()
