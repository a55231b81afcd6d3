"""Look for inputs that harm the site: `make fuzz`; `make fuzz FUZZ="--seconds 600 frames packets"`.

atheris (Google's, over LLVM's libFuzzer) changes pictures, sound, clips, words and packets such as visitors send, led by the
code that each reaches. An input counts as a fault that raises anything but the documented errors, crashes, takes more than
SLOWEST_SECONDS or MOST_MEGABYTES. Each is written to a folder that is named in the end; nothing else is left behind. A fault
that is mended becomes a test, as those in `tests/test_damaged_inputs.py`, which has the same inputs without the lead.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
SECONDS: Final = 60
SLOWEST_SECONDS: Final = 25
MOST_MEGABYTES: Final = 3000  # the models take a tenth of it
LONGEST: Final = 20_000  # bytes of an input: the originals have no more
RATE: Final = 16_000  # Hz

Feed = Callable[[bytes], None]


def frames() -> tuple[Feed, list[bytes]]:
    """A camera's frames."""
    from benchmarks.scenes import portrait_frame
    from moodmirror.media.frame_decoder import FrameError, decode
    from tests.clips import encoded

    def feed(content: bytes) -> None:
        with suppress(FrameError):
            decode(content)

    small = portrait_frame()[100:340:2, 160:480:2]
    return feed, [encoded(small, "JPEG", quality=q, progressive=p) for q in (30, 90) for p in (False, True)]


def sounds() -> tuple[Feed, list[bytes]]:
    """Recordings that are read without a process of their own, as `read_sound` does for programs."""
    import numpy as np

    from moodmirror.recognition.audio import SoundError, read_sound
    from tests.clips import recording
    from tests.conftest import wav

    def feed(content: bytes) -> None:
        with suppress(SoundError):
            read_sound(content)

    tone = (0.3 * np.sin(np.arange(RATE // 8) / 5)).astype(np.float32)
    stereo = wav(np.stack([tone, tone], axis=1), 44_100, "FLOAT")
    return feed, [
        wav(tone),
        wav(tone, 8_000, "ULAW"),
        stereo,
        recording(tone, "ogg", "libopus"),
        recording(tone, "mp3", "mp3"),
    ]


def files() -> tuple[Feed, list[bytes]]:
    """Files of any kind, as the decoders' process takes them. That may find a file damaged, but must live on and end."""
    import numpy as np

    from benchmarks.scenes import portrait_frame
    from moodmirror.media.decoder_worker import decode
    from moodmirror.media.formats import KINDS
    from tests.clips import clip, encoded, gif

    def feed(content: bytes) -> None:
        with suppress(Exception):
            for _ in decode(content, KINDS):
                pass

    small = portrait_frame()[100:340:4, 160:480:4]
    tone = (0.3 * np.sin(np.arange(RATE // 8) / 5)).astype(np.float32)
    films = [clip([small] * 2, kind, tone) for kind in ("mp4", "h264", "webm", "avi")]
    return feed, [*films, gif([small, small[::-1]], 100), encoded(small, "PNG"), encoded(small, "WEBP")]


def bodies() -> tuple[Feed, list[bytes]]:
    """What is posted to be read as a text."""
    from app import app

    client = app.test_client()

    def feed(content: bytes) -> None:
        for kind in ("application/json", "text/plain"):
            assert client.post("/api/analyze/text", data=content, content_type=kind).status_code < 500

    return feed, [json.dumps({"text": "I am so happy today! 😀"}).encode(), "Сегодня. Ich bin müde …".encode()]


def packets() -> tuple[Feed, list[bytes]]:
    """What a polling client posts, handled by a live connection of the site."""
    from engineio.packet import MESSAGE
    from engineio.payload import Payload

    from app import app
    from moodmirror.server.packet_validation import is_valid_payload
    from tests.test_damaged_inputs import EVENTS, MESSAGES
    from tests.test_websocket_limits import NO_PACKETS

    socketio = app.extensions["socketio"]
    browser = app.test_client()
    take = socketio.server.eio.handlers["message"]
    client = None

    def feed(content: bytes) -> None:
        nonlocal client
        if not is_valid_payload(content):
            return
        if client is None or not client.is_connected():
            client = socketio.test_client(app, auth=browser.get("/token").json, flask_test_client=browser)
        for packet in Payload(encoded_payload=content.decode()).packets:
            if packet.packet_type == MESSAGE:
                take(client.eio_sid, packet.data)
        client.queue.clear()  # of what was answered

    attached = [f'451-["frame",{{"_placeholder":true,"num":{place}}}]\x1eb/9j/4AAQSkZJRg==' for place in (0, 7, '"x"')]
    told = [f'42["{name}",{values}]' for name in EVENTS for values in ("null", '{"a":[1e999]},2')]
    return feed, [*MESSAGES, *(text.encode() for text in (*told, *attached, *NO_PACKETS))]


TARGETS: Final = {target.__name__: target for target in (frames, sounds, files, bodies, packets)}


def inside(name: str, options: list[str]) -> None:
    """Change inputs until libFuzzer's `options` end it; it ends this process too."""
    import atheris

    with atheris.instrument_imports(include=["moodmirror", "PIL", "engineio", "socketio", "flask_socketio", "werkzeug"]):
        import tests.conftest  # noqa: F401 - settings of a site of the tests' own

        feed, originals = TARGETS[name]()
    corpus = Path(options[-1])
    for number, original in enumerate(originals):
        (corpus / str(number)).write_bytes(original)
        feed(original)
    atheris.Setup([sys.argv[0], *options], feed)
    atheris.Fuzz()


def run(name: str, seconds: int, found: Path) -> bool:
    """Change inputs of one sort for so long; returns whether all was well."""
    with tempfile.TemporaryDirectory() as corpus:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={LONGEST}",
            f"-timeout={SLOWEST_SECONDS}",
            f"-rss_limit_mb={MOST_MEGABYTES}",
            f"-artifact_prefix={found}/{name}-",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.fuzz", "--inside", name, *options, corpus]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    tried = re.findall(r"number_of_executed_units: (\d+)", done.stderr)
    reached = re.findall(r"cov: (\d+)", done.stderr)
    print(f"  {name:10}{int(tried[-1]) if tried else 0:>12,}{int(reached[-1]) if reached else 0:>15,}", flush=True)
    if done.returncode:
        print("\n".join(done.stderr.splitlines()[-30:]), file=sys.stderr)
    return done.returncode == 0


def main() -> None:
    """Ask what to look for, look, and print what was found."""
    parser = argparse.ArgumentParser(
        prog="make fuzz", description="Look for inputs that harm the site.", epilog=f"sorts: {', '.join(TARGETS)}"
    )
    parser.add_argument("sorts", nargs="*", default=list(TARGETS), help="of inputs (default: all)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each sort (default: %(default)s)")
    parser.add_argument("--found", type=Path, help="the folder for inputs that do harm (default: a new one)")
    asked = parser.parse_args()
    if unknown := set(asked.sorts) - set(TARGETS):
        parser.error(f"no such sort: {', '.join(unknown)}; use any of {', '.join(TARGETS)}")
    found = asked.found or Path(tempfile.mkdtemp(prefix="mood-mirror-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    print(f"  {'sort':10}{'inputs':>12}{'code reached':>15}")
    well = [run(name, asked.seconds, found.resolve()) for name in asked.sorts]
    if any(found.iterdir()):
        print(f"\nInputs that do harm are in {found}")
    elif not asked.found:
        shutil.rmtree(found)
    sys.exit(0 if all(well) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    else:
        main()
