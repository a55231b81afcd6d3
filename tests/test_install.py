"""The first start from a fresh clone, the lock files, and what installs from them."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks.install import bare_programs
from tests.conftest import ROOT, await_answer, free_port
from tools.lock import LOCKS

pytestmark = pytest.mark.services

PYTHONS = ("3.11", "3.12", "3.13")
SYSTEMS = (("linux", "Linux", "x86_64"), ("darwin", "Darwin", "arm64"), ("win32", "Windows", "AMD64"))


def requirements(text: str) -> list[Requirement]:
    """Return the requirements of a file, without its options and comments."""
    lines = [line.split(" #")[0].strip(" \\") for line in text.splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def environments() -> list[dict[str, str]]:
    """Return the markers of every supported system and Python."""
    return [
        {
            **{name: str(value) for name, value in default_environment().items()},
            "python_version": python,
            "python_full_version": f"{python}.9",
            "sys_platform": platform,
            "platform_system": system,
            "platform_machine": machine,
            "os_name": "nt" if platform == "win32" else "posix",
        }
        for python in PYTHONS
        for platform, system, machine in SYSTEMS
    ]


def locked(lock: str, environment: dict[str, str]) -> dict[str, str]:
    """Return the versions that a lock file has for an environment."""
    versions: dict[str, str] = {}
    for requirement in requirements((ROOT / lock).read_text()):
        if requirement.marker is None or requirement.marker.evaluate(environment):
            [specifier] = requirement.specifier
            assert specifier.operator == "=="
            assert requirement.name not in versions, f"{lock} has {requirement.name} twice"
            versions[canonicalize_name(requirement.name)] = specifier.version
    return versions


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_names_no_address(lock):
    text = (ROOT / lock).read_text()
    assert "://" not in text
    packages = re.split(r"\n(?=[^\s#])", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    for package in packages:
        assert re.match(r"[\w.-]+==\S+ (; .+ )?\\\n( +--hash=sha256:[0-9a-f]{64}( \\\n|$))+", package), package


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_everything_that_is_required_on_every_system(lock):
    files = [name for name in LOCKS[lock] if name.endswith(".txt")]
    if "requirements.txt" in files:
        files.append("requirements-serving.txt")
    wanted = [requirement for file in files for requirement in requirements((ROOT / file).read_text())]
    assert wanted
    for environment in environments():
        versions = locked(lock, environment)
        for requirement in wanted:
            if requirement.marker is None or requirement.marker.evaluate(environment):
                assert requirement.specifier.contains(versions[canonicalize_name(requirement.name)]), requirement


def test_packages_for_training_and_development_are_added_to_those_for_serving_in_the_same_versions():
    for environment in environments():
        serving, training, development = (
            locked(f"requirements-{name}.lock", environment) for name in ("serving", "training", "dev")
        )
        assert serving.items() < training.items() < development.items()
        assert not {"tensorflow", "keras", "torch", "librosa", "pandas"} & set(serving)


def copy_checkout(folder: Path) -> Path:
    """Copy the files of this checkout that git knows, without the large ones of training."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if name and (ROOT / name).is_file() and not name.endswith(".keras"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def test_make_run_starts_the_site_without_compiler_node_uv_and_training_packages(tmp_path):
    site, port = copy_checkout(tmp_path / "site"), free_port()
    search_path = [part for part in os.environ["PATH"].split(os.pathsep) if ".venv" not in part]
    programs = bare_programs(tmp_path, search_path)
    for name in ("node", "npm", "uv", "cc", "gcc"):
        assert shutil.which(name, path=str(programs)) is None
    environment = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")
    }
    environment |= {"PATH": str(programs), "CAMERA": "off", "PORT": str(port)}
    make = str(shutil.which("make"))
    install = [make, "install"]
    done = subprocess.run(install, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Installing the Python packages for serving \(up to \d+ MB to download\)", done.stdout)
    with (tmp_path / "log").open("w+") as log:
        process = subprocess.Popen([make, "run"], cwd=site, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            await_answer(f"http://127.0.0.1:{port}/", process)
            for file in ("socket.io.esm.min.js", "uPlot.min.css"):
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/static/vendor/{file}", timeout=30) as answer:
                    assert answer.status == 200
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
    assert "Installing" not in (tmp_path / "log").read_text()
    python = site / ".venv" / "bin" / "python"
    missing = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ['tensorflow', 'keras', 'pandas', 'pytest'])))"
    assert subprocess.run([python, "-c", missing], check=False).returncode == 0
    # The first training says what it installs; without a network, what to do. Nothing else is lost by that.
    offline = {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "UV_OFFLINE": "1"}
    offline |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}
    offline |= {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_CACHE_DIR": str(tmp_path / "pip")}  # nothing from earlier runs
    command = [str(python), "train.py", "face", "--data", "fer2013.csv"]
    done = subprocess.run(command, cwd=site, env=offline, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert "Training needs packages that are not installed yet: tensorflow, keras" in done.stdout
    assert "Check the internet connection" in done.stderr


@pytest.fixture
def tiny_index(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a package index on this machine, and its only wheel: the module tiny_moods."""
    folder = tmp_path / "index" / "tiny-moods"
    folder.mkdir(parents=True)
    wheel = folder / "tiny_moods-1.0-py3-none-any.whl"
    files = {
        "tiny_moods.py": "MOODS = 7\n",
        "tiny_moods-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-moods\nVersion: 1.0\n",
        "tiny_moods-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        record = "".join(f"{name},,\n" for name in [*files, "tiny_moods-1.0.dist-info/RECORD"])
        archive.writestr("tiny_moods-1.0.dist-info/RECORD", record)
    handler = partial(QuietHandler, directory=str(tmp_path / "index"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", wheel
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("use_uv", [True, False], ids=["uv", "pip"])
def test_packages_come_from_the_index_of_pip_and_only_with_the_locked_hash(tmp_path, tiny_index, use_uv):
    address, wheel = tiny_index
    site = tmp_path / "site"
    (site / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools" / "install.py", site / "tools")
    lock = site / "requirements-serving.lock"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "VIRTUAL_ENV"))}
    environment |= {"PIP_INDEX_URL": address, "PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(tmp_path / "uv")}
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}", "PIP_NO_CACHE_DIR": "1"}

    def install(again: bool = False) -> subprocess.CompletedProcess[str]:
        call = f"install_packages('serving', use_uv={use_uv}, again={again})"
        command = [sys.executable, "-c", f"from tools.install import *; create_environment(); {call}"]
        return subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, check=False, timeout=120)

    python = site / ".venv" / "bin" / "python"
    has_moods = [str(python), "-c", "import tiny_moods; assert tiny_moods.MOODS == 7"]
    lock.write_text(f"tiny-moods==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    done = install()
    assert done.returncode == 1
    assert "The Python packages of requirements-serving.lock could not be installed" in done.stderr
    assert subprocess.run(has_moods, capture_output=True, check=False).returncode == 1
    lock.write_text(f"tiny-moods==1.0 \\\n    --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    done = install()
    assert done.returncode == 0, done.stderr
    assert "trying pip" not in done.stdout
    subprocess.run(has_moods, check=True)
    assert install().stdout == ""  # nothing is left to do
    [module] = (site / ".venv").glob("lib/python*/site-packages/tiny_moods.py")
    with module.open("r+") as file:  # as a damaged disk does it: in place, and so in the cache of uv that links to it
        file.write("MOODS = 6  # damaged\n")
    assert subprocess.run(has_moods, capture_output=True, check=False).returncode == 1
    assert install(again=True).returncode == 0
    subprocess.run(has_moods, check=True)


def test_an_audit_that_no_service_answers_says_only_that_nothing_was_audited():
    unreachable = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), "http://127.0.0.1:9")
    for required, status in (("", 0), ("required", 1)):
        environment = {**os.environ, **unreachable, "npm_config_fetch_retries": "0", "AUDIT": required}
        command = [sys.executable, ".ci/audit.py"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == status, done.stdout + done.stderr
        lines = done.stdout.splitlines()
        assert lines
        assert all(line.startswith("NOT AUDITED: ") for line in lines)
        assert ("AUDIT=required, and not every package was audited" in done.stderr) == bool(required)
        assert "vulnerable" not in done.stderr


def test_the_bill_of_materials_lists_packages_page_scripts_and_models(tmp_path):
    command = [sys.executable, "tools/sbom.py", str(tmp_path / "sbom.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr  # it is validated before it is written
    components = {
        component["bom-ref"]: component for component in json.loads((tmp_path / "sbom.json").read_text())["components"]
    }
    names = {reference.partition("@")[0] for reference in components}
    assert {"pypi/flask", "pypi/opencv-python", "npm/socket.io-client", "npm/uplot", "models/face_emotion.tflite"} <= names
    assert not {"pypi/tensorflow", "pypi/pytest", "npm/typescript"} & names
    [flask] = [component for reference, component in components.items() if reference.startswith("pypi/flask@")]
    assert flask["purl"] == f"pkg:pypi/flask@{flask['version']}"
    assert flask["licenses"]
    [hashed] = components["models/face_emotion.tflite"]["hashes"]
    assert hashed["content"] == hashlib.sha256((ROOT / "models" / "face_emotion.tflite").read_bytes()).hexdigest()
