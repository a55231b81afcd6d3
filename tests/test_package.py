"""The installed package: its command, with everything that it needs inside of the wheel."""

import json
import os
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

from tests.clips import encode_picture
from tests.conftest import ROOT, Server, await_answer, free_port
from tests.test_recommendation_session import Visitor, my_data
from tests.test_server import post

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `pip install .` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def command(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of `mood-mirror` in an environment with the wheel, and the other packages of this one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True, symlinks=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True, timeout=120)
    [packages] = (environment / "lib").glob("python*/site-packages")
    [ours] = [path for path in sys.path if path.endswith("site-packages") and (Path(path) / "flask").is_dir()]
    (packages / "dependencies.pth").write_text(ours)
    return str(environment / "bin" / "mood-mirror")


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with an empty home, who knows nothing of this checkout."""
    ignored = ("INSTANCE", "PYTHONPATH", "XDG_DATA_HOME", "RATE_LIMITS")
    kept = {name: value for name, value in os.environ.items() if name not in ignored}
    return {**kept, "HOME": str(tmp_path), "CAMERA": "off"}


def run(command: str, home: dict[str, str], *arguments: str) -> str:
    """Run a command in the home; return its output."""
    done = subprocess.run(
        [command, *arguments], cwd=home["HOME"], env=home, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_what_serving_needs_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    for file in ("templates/index.html", "static/vendor/uPlot.esm.js", "data/songs.csv", "models/manifest.json"):
        assert f"moodmirror/site/{file}" in names
    assert {name.partition("/")[0] for name in names} <= {"moodmirror", "camera.py"} | {
        name.partition("/")[0] for name in names if ".dist-info/" in name
    }
    assert not [name for name in names if "training" in name or "tests/" in name or name.endswith(".keras")]


def test_help_teaches_and_lists_the_commands_that_flask_has(command, home):
    help_text = run(command, home, "--help")
    in_checkout = subprocess.run(
        [sys.executable, "-m", "flask", "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    listed = {line.split()[0] for line in in_checkout.partition("Commands:")[2].splitlines() if line.startswith("  ")}
    for name in {line for line in listed if line.isidentifier() or "-" in line} - {"routes", "shell"}:
        assert f"\n  {name} " in help_text, name
    assert str(Path(home["HOME"]) / ".local" / "share" / "mood-mirror") in help_text
    analyze_help = run(command, home, "analyze", "--help")
    assert 'mood-mirror analyze "I can\'t believe I got the job!"' in analyze_help
    assert "flask" not in analyze_help
    assert run(command, home, "--version").startswith("mood-mirror, version ")
    assert "--app" not in help_text


def test_commands_read_texts_and_pictures_and_import(command, home, scene):
    photo = Path(home["HOME"]) / "me.jpg"
    photo.write_bytes(encode_picture(scene(), "JPEG"))
    lines = run(command, home, "analyze", "--json", "--text", "I am so happy today!", str(photo)).splitlines()
    assert [json.loads(line)["label"] for line in lines] == ["happy", "happy"]
    table = Path(home["HOME"]) / "food.csv"
    table.write_text("title,description,ingredients,mood\nMy soup,A soup of mine for a cold evening,leek,sad\n")
    assert "1" in run(command, home, "import", "food", str(table))
    assert list((Path(home["HOME"]) / ".local" / "share" / "mood-mirror").iterdir())


def test_run_serves_the_page_and_stores_what_is_liked_in_the_users_data(command, home):
    port = free_port()
    log = Path(home["HOME"]) / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [command, "run"], cwd=home["HOME"], env={**home, "PORT": str(port)}, stdout=output, stderr=output
        )
    server = Server(process, port, log)
    try:
        await_answer(f"{server.url}/", process)
        for path in ("/static/vendor/socket.io.esm.min.js", "/static/js/messages.d.ts", "/privacy"):
            with urllib.request.urlopen(server.url + path, timeout=30) as answer:
                assert answer.status == 200
        assert post(server, "/api/analyze/text", b"I am so happy today!", "text/plain")[2]["label"] == "happy"
        with Visitor(server) as visitor:
            visitor.call("choose", "sad")
            liked = visitor.wait_for_tables()["songs"][0]["id"]
            assert visitor.send_feedback("like", liked)["kept"]
            assert [opinion["item"] for opinion in my_data(server, visitor.cookie)["opinions"]] == [liked]
        assert list((Path(home["HOME"]) / ".local" / "share" / "mood-mirror").glob("*.sqlite3"))
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
    assert f"Mood Mirror is at http://127.0.0.1:{port}" in log.read_text()
