"""Search for inputs that harm the site: `make fuzz`; `make fuzz FUZZ="--seconds 600 frames packets"`.

atheris (Google's fuzzer, based on LLVM's libFuzzer) mutates pictures, sound, clips, texts and packets as visitors send them,
guided by code coverage. An input is harmful if it raises an undocumented exception, crashes the process, or exceeds
TIMEOUT_SECONDS or MAX_MEGABYTES. Harmful inputs are written to a folder that is printed at the end; nothing else remains. A
fixed fault becomes a test, such as those in `tests/test_damaged_inputs.py`, which mutates the same inputs without guidance.
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
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
DEFAULT_SECONDS: Final = 60
TIMEOUT_SECONDS: Final = 25
MAX_MEGABYTES: Final = 3000  # the models need a tenth of it
MAX_INPUT_BYTES: Final = 20_000  # the unmutated inputs have no more
RATE: Final = 16_000  # Hz

Handler = Callable[[bytes], None]


def frames() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for camera frames."""
    from benchmarks.scenes import portrait_frame
    from moodmirror.media.frame_decoder import FrameError, decode
    from tests.clips import encode_picture

    def handle(content: bytes) -> None:
        with suppress(FrameError):
            decode(content)

    small = portrait_frame()[100:340:2, 160:480:2]
    return handle, [encode_picture(small, "JPEG", quality=q, progressive=p) for q in (30, 90) for p in (False, True)]


def sounds() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for recordings decoded in the same process, as `read_sound` does for programs."""
    import numpy as np

    from moodmirror.recognition import audio_decoder  # noqa: F401  # read_sound imports it later than atheris instruments
    from moodmirror.recognition.audio import SoundError, read_sound
    from tests.clips import RECORDING_CODECS, recording
    from tests.conftest import wav

    def handle(content: bytes) -> None:
        with suppress(SoundError):
            read_sound(content)

    tone = (0.3 * np.sin(np.arange(RATE // 8) / 5)).astype(np.float32)
    stereo = wav(np.stack([tone, tone], axis=1), 44_100, "FLOAT")
    return handle, [
        wav(tone),
        wav(tone, 8_000, "ULAW"),
        stereo,
        *(recording(tone, container, codec) for container, codec in RECORDING_CODECS),
    ]


def clips() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for clips."""
    import numpy as np

    from tests.clips import CODECS, clip

    small = _small_picture()
    tone = (0.3 * np.sin(np.arange(RATE // 8) / 5)).astype(np.float32)
    return _file_handler(), [clip([small] * 2, kind, tone) for kind in CODECS]


def pictures() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for still and animated pictures."""
    import pillow_heif

    from moodmirror.media.formats import PHOTO_FORMATS
    from moodmirror.media.picture_decoder import ANIMATED_FORMATS
    from tests.clips import animation, encode_picture

    pillow_heif.register_heif_opener()
    small = _small_picture()
    stills = [encode_picture(small, name) for name in PHOTO_FORMATS if name != "PSD"]  # Pillow writes no PSD
    return _file_handler(), [*stills, *(animation([small, small[::-1]], name, 100) for name in ANIMATED_FORMATS)]


def texts() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for files of text, in several encodings, and for what looks like a text."""
    text = "I am so happy today! Übermütig, naïve \N{RIGHT SINGLE QUOTATION MARK}tis. "
    encodings = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252")
    others = (
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"PK\3\4word/",
        b'{"a": [1]}',
        b"{\\rtf1 }",
        b"<!-- x --><html>",
    )
    return _file_handler(), [
        *(text.encode(encoding) for encoding in encodings),
        "Сегодня хорошо. ".encode("cp1251"),
        *others,
    ]


def _file_handler() -> Handler:
    """Return a handler for files of any kind: any exception is fine, a crash or hang is not."""
    # Imported here, as all that atheris instruments.
    from moodmirror.media import clip_decoder, picture_decoder  # noqa: F401
    from moodmirror.media.decoder_worker import decode
    from moodmirror.media.formats import KINDS

    def handle(content: bytes) -> None:
        with suppress(Exception):
            for _ in decode(content, KINDS):
                pass

    return handle


def _small_picture() -> Any:
    from benchmarks.scenes import portrait_frame

    return portrait_frame()[100:340:4, 160:480:4]


def bodies() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for bodies of POST requests with a text."""
    from app import app

    client = app.test_client()

    def handle(content: bytes) -> None:
        for kind in ("application/json", "text/plain"):
            assert client.post("/api/analyze/text", data=content, content_type=kind).status_code < 500

    return handle, [json.dumps({"text": "I am so happy today! 😀"}).encode(), "Сегодня. Ich bin müde …".encode()]


def packets() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for packets of a polling client, handled by a live connection."""
    from engineio.packet import MESSAGE
    from engineio.payload import Payload

    from app import app
    from moodmirror.server.packet_validation import is_valid_payload
    from tests.test_damaged_inputs import EVENTS, MESSAGES
    from tests.test_websocket_limits import INVALID_PACKETS

    socketio = app.extensions["socketio"]
    browser = app.test_client()
    handle_message = socketio.server.eio.handlers["message"]
    client = None

    def handle(content: bytes) -> None:
        nonlocal client
        if not is_valid_payload(content):
            return
        if client is None or not client.is_connected():
            client = socketio.test_client(app, auth=browser.get("/token").json, flask_test_client=browser)
        for packet in Payload(encoded_payload=content.decode()).packets:
            if packet.packet_type == MESSAGE:
                handle_message(client.eio_sid, packet.data)
        client.queue.clear()  # drops the answers

    attached = [f'451-["frame",{{"_placeholder":true,"num":{place}}}]\x1eb/9j/4AAQSkZJRg==' for place in (0, 7, '"x"')]
    events = [f'42["{name}",{values}]' for name in EVENTS for values in ("null", '{"a":[1e999]},2')]
    return handle, [*MESSAGES, *(text.encode() for text in (*events, *attached, *INVALID_PACKETS))]


def tables() -> tuple[Handler, list[bytes]]:
    """Return the handler and inputs for files that the host imports: songs and dishes."""
    from moodmirror.recommendation.importers import generic_csv, song_files
    from moodmirror.recommendation.importers.imported_table import ImportedTable
    from moodmirror.recommendation.importers.source_files import SourceError
    from tests.test_song_files import FORMS

    path = Path(tempfile.mkdtemp()) / "table"
    imported = ImportedTable(path, "songs")

    def handle(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(SourceError):
            for entry in song_files.read_all([path]).entries:
                imported.id_of(entry)
        with suppress(SourceError):
            generic_csv.read(path, "food")

    dishes = "name;tags;minutes\nSoup;cosy,warm;PT1H\n"
    return handle, [*(text.encode() for text in FORMS.values()), dishes.encode("utf-16")]


TARGETS: Final = {target.__name__: target for target in (frames, sounds, clips, pictures, texts, tables, bodies, packets)}


def fuzz_in_process(name: str, options: list[str]) -> None:
    """Fuzz one target in this process until libFuzzer's `options` end it, and the process with it."""
    import atheris

    with atheris.instrument_imports(include=["moodmirror", "PIL", "engineio", "socketio", "flask_socketio", "werkzeug"]):
        import tests.conftest  # noqa: F401 - sets the environment of a test site

        handle, inputs = TARGETS[name]()
    corpus = Path(options[-1])
    for number, content in enumerate(inputs):
        (corpus / str(number)).write_bytes(content)
        handle(content)
    atheris.Setup([sys.argv[0], *options], handle)
    atheris.Fuzz()


def fuzz(name: str, seconds: int, found: Path) -> bool:
    """Fuzz one target for `seconds` in a separate process; returns whether no harmful input was found."""
    with tempfile.TemporaryDirectory() as corpus:
        options = [
            f"-max_total_time={seconds}",
            f"-max_len={MAX_INPUT_BYTES}",
            f"-timeout={TIMEOUT_SECONDS}",
            f"-rss_limit_mb={MAX_MEGABYTES}",
            f"-artifact_prefix={found}/{name}-",
            "-print_final_stats=1",
        ]
        command = [sys.executable, "-m", "tests.fuzz", "--inside", name, *options, corpus]
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    executed = re.findall(r"number_of_executed_units: (\d+)", result.stderr)
    coverage = re.findall(r"cov: (\d+)", result.stderr)
    print(f"  {name:10}{int(executed[-1]) if executed else 0:>12,}{int(coverage[-1]) if coverage else 0:>15,}", flush=True)
    if result.returncode:
        print("\n".join(result.stderr.splitlines()[-30:]), file=sys.stderr)
    return result.returncode == 0


def main() -> None:
    """Parse the options, fuzz the targets and print the results."""
    parser = argparse.ArgumentParser(
        prog="make fuzz",
        description="Search for inputs that harm the site.",
        epilog=f"targets: {', '.join(TARGETS)}",
        allow_abbrev=False,
    )
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help="kinds of inputs (default: all)")
    parser.add_argument("--seconds", type=int, default=DEFAULT_SECONDS, help="time for each target (default: %(default)s)")
    parser.add_argument("--found", type=Path, help="the folder for harmful inputs (default: a new one)")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"unknown target: {', '.join(unknown)}; use {', '.join(TARGETS)}")
    found = options.found or Path(tempfile.mkdtemp(prefix="mood-mirror-fuzz-"))
    found.mkdir(parents=True, exist_ok=True)
    print(f"  {'target':10}{'inputs':>12}{'coverage':>15}")
    results = [fuzz(name, options.seconds, found.resolve()) for name in options.targets]
    if any(found.iterdir()):
        print(f"\nHarmful inputs are in {found}")
    elif not options.found:
        shutil.rmtree(found)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        fuzz_in_process(sys.argv[2], sys.argv[3:])
    else:
        main()
