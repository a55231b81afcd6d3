"""No picture, audio or text is stored: files, log and database are searched after a full session."""

import base64
import contextlib
import json
import os
import secrets
import sqlite3
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

from moodmirror.recognition.audio import SAMPLE_RATE
from tests.clips import clip, encode_picture
from tests.conftest import ROOT, Server, pcm, serving, wav
from tests.test_recommendation_session import Visitor, ids
from tests.test_server import form, post

pytestmark = pytest.mark.services

PACKET = 4000  # samples: a quarter of a second
SAMPLE_BYTES = 24  # a varied sequence of this length is found nowhere by chance
SAMPLES = 25  # of each picture and recording
UNRELATED_FOLDERS = (".git", ".venv", "node_modules", "__pycache__")  # of the working folder


def samples_of(content: bytes) -> list[bytes]:
    """Return varied byte sequences from all parts of a picture or a recording, raw and as text would contain them."""
    starts = np.linspace(0, len(content) - 3 * SAMPLE_BYTES, 40 * SAMPLES).astype(int)
    raw = [content[start : start + SAMPLE_BYTES] for start in starts]
    varied = [sample for sample in raw if len(set(sample)) > SAMPLE_BYTES // 2]
    assert len(varied) >= SAMPLES, "the content does not vary enough to be searched for"
    chosen = varied[:: len(varied) // SAMPLES]
    # Base64 has three alignments; the characters at either end depend on the adjacent bytes.
    texts = [base64.b64encode(sample[skip : skip + 18])[:24] for sample in chosen for skip in range(3)]
    return [*chosen, *texts, *(sample.hex().encode() for sample in chosen)]


def spellings(word: str) -> list[bytes]:
    """Return the encodings in which a text may contain a word."""
    plain = word.encode()
    return [plain, word.encode("utf-16-le"), urllib.parse.quote(word).encode(), plain.hex().encode()] + [
        base64.b64encode(plain[skip : skip + (len(plain) - skip) // 3 * 3]) for skip in range(3)
    ]


def found(files: Iterable[Path], traces: dict[str, list[bytes]]) -> list[tuple[str, str]]:
    """Return the files that contain a trace, and its name."""
    hits = []
    for path in files:
        try:
            content = path.read_bytes()
        except OSError:  # deleted meanwhile, or a socket
            continue
        hits += [(str(path), name) for name, needles in traces.items() if any(needle in content for needle in needles)]
    return hits


def files_below(folder: Path, since: float = 0.0, without: tuple[str, ...] = ()) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in without]
        for path in (Path(parent, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and path.stat().st_mtime >= since:
                    yield path


def written_by(server: Server) -> set[str]:
    """Return the files that the server's processes have open for writing at this moment, deleted ones too."""
    paths = set()
    parent = psutil.Process(server.process.pid)
    for process in [parent, *parent.children(recursive=True)]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for fd in Path(f"/proc/{process.pid}/fd").iterdir():
                with contextlib.suppress(FileNotFoundError):
                    flags = int(Path(f"/proc/{process.pid}/fdinfo/{fd.name}").read_text().split("flags:")[1].split()[0], 8)
                    if flags & (os.O_WRONLY | os.O_RDWR) and (path := str(fd.readlink())).startswith("/"):
                        paths.add(path)
    return {path for path in paths if not path.startswith(("/dev/", "/proc/"))}


def test_the_search_finds_planted_traces(portrait, voice, tmp_path):
    photo, sound, word = encode_picture(portrait, "JPEG"), pcm(voice), f"xylophone{secrets.token_hex(6)}"
    traces = {"photo": samples_of(photo), "sound": samples_of(sound), "word": spellings(word)}
    (tmp_path / "none").write_bytes(secrets.token_bytes(100_000))
    assert found(files_below(tmp_path), traces) == []
    middle = slice(len(photo) // 3 // 3 * 3, None)
    for name, content in {
        "photo": b"...." + photo[len(photo) // 3 :],
        "photo base64": json.dumps({"image": base64.b64encode(photo[middle]).decode()}).encode(),
        "photo hex": photo.hex().encode(),
        "sound": sound[100_000:],
        "word in a log": f"ERROR can't read {word}\n".encode(),
        "word in base64": base64.b64encode(f"I like a {word}.".encode()),
    }.items():
        (tmp_path / name).write_bytes(content)
        assert {(Path(path).name, what) for path, what in found(files_below(tmp_path), traces)} == {(name, name.split()[0])}
        (tmp_path / name).unlink()


@pytest.fixture(scope="module")
def session(scene, portrait, voice, tmp_path_factory) -> Iterator[dict[str, Any]]:
    """A full session that uses every input and upload, with a log of every request."""
    home = tmp_path_factory.mktemp("session")
    temporary = home / "tmp"
    temporary.mkdir()
    word = f"xylophone{secrets.token_hex(6)}"
    began = time.time() - 1
    frame = cv2.imencode(".jpg", cv2.resize(scene(), (320, 240), interpolation=cv2.INTER_AREA))[1].tobytes()
    photo, film, recording = (
        encode_picture(portrait, "JPEG"),
        clip([cv2.resize(portrait, (320, 320))] * 40, "avi"),
        voice[::-1].copy(),
    )
    with serving(home / "log", CAMERA="off", TMPDIR=str(temporary), LOG_FORMAT="json") as server:
        with Visitor(server) as visitor:
            assert visitor.call("frame", frame)["faces"]
            for start in range(0, 6 * PACKET, PACKET):
                answer = visitor.call("audio", pcm(voice[start : start + PACKET]))
            assert answer["state"] == "speech"
            assert visitor.call("text", f"I am so happy about my {word}!")["label"] == "happy"
            assert visitor.call("preferences", {"wish": f"a song about a {word}"}) == {}
            tables = visitor.wait_for_tables()
            assert visitor.send_feedback("like", ids(tables)[0]) == {"kept": True}
            assert visitor.send_feedback("save", ids(tables)[1]) == {"kept": True}
            # Rejected content must not be logged either.
            assert "error" in visitor.call("frame", frame[: len(frame) // 2])
            assert "error" in visitor.call("audio", pcm(voice[:PACKET]) + b"\0")
            assert "error" in visitor.call("text", f"{word} " * 300)
            assert "error" in visitor.call("choose", word)
            assert "error" in visitor.call("preferences", {"wish": f"{word} " * 200})
            cookie = visitor.cookie
        assert post(server, "/api/analyze/file", *form(photo))[0] == 200
        assert post(server, "/api/analyze/image", photo[: len(photo) // 2], "image/jpeg")[0] == 200  # its upper half is read
        assert post(server, "/api/analyze/image", b"\xff\xd8\xff" + photo[-5000:], "image/jpeg")[0] == 400
        assert post(server, "/api/analyze/audio", wav(recording), "audio/wav")[0] == 200
        assert (
            post(server, "/api/analyze/text", json.dumps({"text": f"A {word} is fun."}).encode(), "application/json")[0]
            == 200
        )
        assert post(server, "/api/analyze/text", json.dumps({"text": [word]}).encode(), "application/json")[0] == 400
        asked = urllib.request.Request(
            f"{server.url}/api/analyze/video", film, {"Content-Type": "video/x-msvideo", "Accept": "application/x-ndjson"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            lines = iter(answer)
            next(lines)
            during_analysis = written_by(server)  # the clip is being analyzed at this moment
            assert b"analysis" in list(lines)[-1]
        gray = cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_GRAYSCALE)  # as the server decodes it
        assert gray is not None
        traces = {
            "frame": [*samples_of(frame), *samples_of(gray.tobytes())],
            "photo": samples_of(photo),
            "clip": samples_of(film),
            "sound": [*samples_of(pcm(voice[: 6 * PACKET])), *samples_of(voice[: 6 * PACKET].tobytes())],
            "recording": [*samples_of(wav(recording)), *samples_of(recording[: 5 * SAMPLE_RATE].tobytes())],
            "word": spellings(word),
        }
        yield {
            "server": server, "home": home, "began": began, "traces": traces, "word": word, "cookie": cookie,
            "during_analysis": during_analysis,
        }  # fmt: skip


def test_the_log_contains_requests_and_nothing_of_their_content(session):
    log = session["home"] / "log"
    assert '"path": "/api/analyze/file"' in log.read_text()
    assert found([log], session["traces"]) == []


def test_the_database_contains_the_taste_and_nothing_else(session):
    instance = session["home"] / "instance"
    [path] = instance.glob("*.sqlite3")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {table: connection.execute(f'SELECT * FROM "{table}"').fetchall() for table in tables}
    assert sum(len(entries) for table, entries in rows.items() if table != "alembic_version") >= 3  # visitor, like, saved
    assert session["word"] not in repr(rows)
    assert not any(isinstance(value, bytes) for entries in rows.values() for row in entries for value in row)
    assert found(files_below(instance), session["traces"]) == []


def test_the_servers_folders_contain_no_trace(session):
    home, began = session["home"], session["began"]
    assert found(files_below(home), session["traces"]) == []
    assert found(files_below(ROOT, began, UNRELATED_FOLDERS), session["traces"]) == []
    assert list(files_below(home / "tmp")) == []


def test_only_log_and_database_are_written_during_an_analysis(session):
    allowed = (str(session["home"] / "log"), str(session["home"] / "instance"), str(session["home"] / "tmp" / "wgunicorn-"))
    assert session["during_analysis"]
    assert [path for path in session["during_analysis"] if not path.startswith(allowed)] == []
