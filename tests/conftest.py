"""Real inputs for the tests: a public-domain face, videos of it, a real server, a real browser."""

import atexit
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import cv2
import numpy as np
import psutil
import pytest
import skimage.data
import soundfile
from playwright.sync_api import Browser, Playwright, sync_playwright

from moodmirror.media import frame_decoder
from moodmirror.media.frame_decoder_pool import FrameDecoderPool
from moodmirror.recognition.audio import SAMPLE_RATE

ROOT = Path(__file__).resolve().parents[1]
# What sites keep that the tests open in their own process; a developer's own likes are none of theirs.
_instance = tempfile.mkdtemp(prefix="mood-mirror-")
atexit.register(shutil.rmtree, _instance, ignore_errors=True)
os.environ["INSTANCE"] = _instance
# Processes that compile librosa's functions into one cache at the same time may leave it so that every later one crashes.
os.environ["NUMBA_CACHE_DIR"] = str(Path(_instance) / "numba")
os.environ["RATE_LIMITS"] = "off"  # the tests ask more than any visitor does, all from one address
DATA = Path(os.environ.get("DATA", ROOT.parent / "shared" / "data"))  # the corpora, where there are any
START_SECONDS = 60  # a busy machine opens OpenCV and LiteRT slowly


KINDS = {"unit", "browser", "services", "training"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test without a marker of its kind: `make test-fast` would leave it out, or start a browser for it."""
    for item in items:
        if not KINDS & {mark.name for mark in item.iter_markers()}:
            raise pytest.UsageError(f"{item.nodeid}: mark its file with one of {', '.join(sorted(KINDS))}")


def skip(reason: str) -> NoReturn:
    """Skip the calling test, or fail it under CI=true, where every test must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need_program(name: str) -> str:
    """Return the path of a program that a test needs, or skip the test."""
    return shutil.which(name) or skip(f"{name} is not installed: .ci/run installs it")


def own_memory(process: psutil.Process) -> int:
    """Return the bytes of memory that a process has allocated for itself.

    Without pages of files: those of libraries are the system's, and count as a process's own or not by who else has the
    same ones open.
    """
    pages = process.memory_info()
    return int(pages.rss - pages.shared)


def running(module: ModuleType, pid: int | None = None) -> list[psutil.Process]:
    """Return the descendants of a process, by default of this one, that run a `module`."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has just ended
            if child.status() != psutil.STATUS_ZOMBIE and module.__name__ in child.cmdline():
                found.append(child)
    return found


@contextmanager
def running_frame_decoder() -> Iterator[tuple[FrameDecoderPool, psutil.Process]]:
    """Run a frame decoder; yield its pool and its process, not those of other tests' applications in this process."""
    others = running(frame_decoder)
    with closing(FrameDecoderPool(1)) as decoders:
        decoders.decode(cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes())
        [process] = [process for process in running(frame_decoder) if process not in others]
        yield decoders, process


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """A smiling face, NASA's portrait of Eileen Collins (public domain): uint8 [512, 512, 3] in BGR."""
    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


@pytest.fixture(scope="session")
def scene(portrait) -> Callable[..., np.ndarray]:
    """Put the portrait's face at a place of a 640×480 picture, uint8 [480, 640, 3] in BGR."""

    def make(x: float = 320, y: float = 230, scale: float = 1.2, tilt: float = 0.0) -> np.ndarray:
        # The face's middle lies at (224, 115) of the portrait. The tilt is in degrees, counter-clockwise.
        matrix = np.asarray(cv2.getRotationMatrix2D((224, 115), tilt, scale), dtype=np.float64)
        matrix[:, 2] += np.array([x - 224, y - 115])
        return cv2.warpAffine(portrait, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)

    return make


@pytest.fixture(scope="session")
def face_video(scene, tmp_path_factory) -> Path:
    """A video of one second in which the face moves."""
    path = tmp_path_factory.mktemp("video") / "face.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
    for step in range(20):
        writer.write(scene(x=320 + 30 * np.sin(2 * np.pi * step / 20)))
    writer.release()
    return path


@pytest.fixture(scope="session")
def camera_clip(scene, tmp_path_factory) -> Path:
    """The clip of the browser's fake camera, Motion JPEG: the face in the left half, which moves and changes its size."""
    path = tmp_path_factory.mktemp("clip") / "face.mjpeg"
    with path.open("wb") as clip:
        for step in range(40):
            turn = np.sin(2 * np.pi * step / 40)
            picture = scene(x=200 + 20 * turn, scale=1.2 + 0.25 * turn)
            clip.write(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    return path


@pytest.fixture(scope="session")
def voice() -> np.ndarray:
    """Seven seconds of a synthetic voice, float32 in −1…1 at 16 kHz: syllables of a buzzing tone with a little noise."""
    seconds = np.arange(7 * SAMPLE_RATE) / SAMPLE_RATE
    phase = 2 * np.pi * np.cumsum(140 + 25 * np.sin(2 * np.pi * 0.4 * seconds)) / SAMPLE_RATE
    tone = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 25))
    syllables = np.maximum(np.sin(2 * np.pi * 1.7 * seconds), 0) ** 0.5
    noise = np.random.default_rng(1).normal(size=len(seconds))
    return (0.2 * tone * syllables + 0.001 * noise).astype(np.float32)


def pcm(samples: np.ndarray) -> bytes:
    """Convert samples in −1…1 to the browser's format: 16-bit, little-endian."""
    return np.clip(np.rint(samples * 32_768), -32_768, 32_767).astype("<i2").tobytes()


def wav(samples: np.ndarray, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> bytes:
    """Convert samples to a WAV file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype=subtype)
    return file.getvalue()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """Stop the server with SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


@contextmanager
def serving(
    log: Path, port: int | None = None, *, launcher: Sequence[str] = (), server: str = "gunicorn", **settings: str
) -> Iterator[Server]:
    """Start the site under gunicorn as the Procfile does, or by `python app.py` if `server` is "app".

    A `launcher` is a command that starts it; settings are environment variables.
    """
    port = port or free_port()
    command = ["python", "app.py"] if server == "app" else (ROOT / "Procfile").read_text().removeprefix("web:").split()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*launcher, str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=ROOT,
            env={
                **os.environ,
                "HOST": "127.0.0.1",
                "PORT": str(port),
                "INSTANCE": str(log.parent / "instance"),
                "PROTECT_MEMORY": "off",  # so that tests of an ordinary user can watch its memory and open files
                **settings,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Server(process, port, log)
    try:
        await_answer(f"{running.url}/healthz", process)
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            assert process.poll() is None, "the server ended at its start"
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.02)  # a port that opens sends no event


def admitted(server: Server, cookie: str | None = None) -> tuple[dict[str, str], dict[str, str]]:
    """Return the headers and the auth of a Socket.IO client, with a given or a new cookie and its token."""
    asked = urllib.request.Request(f"{server.url}/token", headers={"Cookie": cookie} if cookie else {})
    with urllib.request.urlopen(asked, timeout=START_SECONDS) as answer:
        return {"Cookie": cookie or answer.headers["Set-Cookie"].split(";")[0]}, json.load(answer)


class Viewer:
    """A viewer of the camera stream."""

    def __init__(self, server: Server, *, receive_buffer: int | None = None, address: str | None = None):
        """`address` is the viewer's, as a proxy reports it."""
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", server.port))
        reported = f"X-Forwarded-For: {address}\r\n" if address else ""
        self.socket.sendall(f"GET /stream.mjpg HTTP/1.0\r\nHost: 127.0.0.1\r\n{reported}\r\n".encode())
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def headers(self) -> list[bytes]:
        lines: list[bytes] = []
        while (line := self.file.readline().strip()) or not lines:
            lines.append(line)
        return lines

    def parts(self) -> Iterator[bytes]:
        """Yield the JPEG of each part, using its Content-Length."""
        status, *headers = self.headers()
        assert b"200" in status
        kind = next(line for line in headers if line.lower().startswith(b"content-type:"))
        boundary = kind.partition(b"boundary=")[2]
        while True:
            assert self.file.readline().strip() == b"--" + boundary
            part = dict(line.lower().split(b": ") for line in self.headers())
            assert part[b"content-type"] == b"image/jpeg"
            jpeg = self.file.read(int(part[b"content-length"]))
            assert self.file.readline() == b"\r\n"
            yield jpeg


@pytest.fixture(scope="session")
def hosted(tmp_path_factory) -> Iterator[Server]:
    """A server without a camera of its own."""
    with serving(tmp_path_factory.mktemp("hosted") / "log", CAMERA="off") as server:
        yield server


@pytest.fixture(scope="session")
def filming(face_video, tmp_path_factory) -> Iterator[Server]:
    """A server whose camera is the video of the face."""
    with serving(tmp_path_factory.mktemp("filming") / "log", CAMERA=str(face_video)) as server:
        yield server


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright, camera_clip) -> Iterator[Browser]:
    """Headless Chromium whose camera shows the clip; its microphone receives a beep each second."""
    browser = launch(playwright, f"--use-file-for-fake-video-capture={camera_clip}")
    yield browser
    browser.close()


def launch(playwright: Playwright, *arguments: str) -> Browser:
    """Launch headless Chromium with a fake camera and microphone."""
    return playwright.chromium.launch(
        executable_path=need_program("chromium"),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--use-fake-device-for-media-stream",
            *arguments,
        ],
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty PostgreSQL server started by the tests."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [Path(need_program("postgres")).resolve()]
    home = Path(tempfile.mkdtemp(prefix="mood-mirror-postgres-"))
    # It refuses to run as root, which tests in a container often are.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)
    port = free_port()
    initdb: list[str | Path] = [
        programs[-1].with_name("initdb"),
        "-D",
        home / "data",
        "-U",
        "mirror",
        "-A",
        "trust",
        "--no-sync",
    ]
    subprocess.run(initdb, check=True, user=user, cwd=home, capture_output=True, timeout=120)
    server: list[str | Path] = [
        programs[-1],
        "-D",
        home / "data",
        "-k",
        home,
        "-h",
        "127.0.0.1",
        "-p",
        str(port),
        "-c",
        "fsync=off",
    ]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(server, user=user, cwd=home, stdout=log, stderr=log)
    try:
        ready: list[str | Path] = [programs[-1].with_name("pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-q"]
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(ready, check=False).returncode:
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL did not answer"
            time.sleep(0.05)  # a port that opens sends no event
        yield f"postgresql://mirror@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # ends it at once, though somebody be connected
        process.wait(timeout=30)
        shutil.rmtree(home)
