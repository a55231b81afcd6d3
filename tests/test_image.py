"""The container image, built and run as compose.yaml runs it: `make test-image`.

Its base is made here, because none is downloaded: Debian with Python, by mmdebstrap. buildah builds the image, podman runs
it. Needs root, and a kernel with overlayfs and namespaces. Prints the image's size and the time to its start.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clips import encode_picture
from tests.conftest import ROOT, Server, free_port, need_program
from tests.test_deployment import compose
from tests.test_recommendation_session import Visitor, my_data
from tests.test_server import get, post

pytestmark = [pytest.mark.services, pytest.mark.image, pytest.mark.timeout(1200)]

BASE: Final = "localhost/mood-mirror-base"
IMAGE: Final = "localhost/mood-mirror-test"
# The certificates of this machine, with which packages are downloaded: behind a proxy, they include the proxy's.
CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"
CERTIFICATE_VARIABLES: Final = ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")
# The host's network, so that nothing of the machine's firewall is changed; limits that a virtual machine without
# CAP_SYS_RESOURCE may set; and no timer of systemd for the health check, which the test runs itself.
OPEN_FILES: Final = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
NEEDED_HERE: Final = (
    *("--network=host", "--no-healthcheck", f"--ulimit=nofile={OPEN_FILES}:{OPEN_FILES}", "--ulimit=nproc=4096:4096"),
)
STARTS: Final = 5
SONG: Final = "10cc-im-not-in-love"


class Containers:
    """A storage of images and containers in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._options = ["--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "overlay"]

    def command(self, program: str, *arguments: str) -> list[str]:
        """Return a command of podman or buildah with this storage."""
        # Neither needs systemd; crun, the other runtime, refuses machines with both versions of control groups.
        more = ["--runtime", need_program("runc"), "--cgroup-manager", "cgroupfs"] if program == "podman" else []
        return [need_program(program), *self._options, *more, *arguments]

    def run(self, program: str, *arguments: str, timeout: float = 600) -> str:
        """Run a command of podman or buildah; return its output."""
        command = self.command(program, *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()


@pytest.fixture(scope="module")
def containers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """The image, in a storage that is deleted afterwards."""
    assert os.geteuid() == 0, "The image's test needs root: sudo make test-image"
    folder = tmp_path_factory.mktemp("containers")
    containers = Containers(folder)
    base, packages = folder / "base.tar", "python3,python3-venv,ca-certificates"
    codename = "bookworm"  # the oldest Debian with Python 3.11
    command = [need_program("mmdebstrap"), "--quiet", "--variant=minbase", f"--include={packages}", codename, str(base)]
    subprocess.run(command, check=True, timeout=600)
    variables = [f"--change=ENV {name}={CERTIFICATES}" for name in CERTIFICATE_VARIABLES]
    containers.run("podman", "import", "--quiet", *variables, str(base), BASE)
    base.unlink()
    certificates = f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"
    build = ["--isolation=chroot", "--format=docker", certificates, f"--build-arg=BASE={BASE}", f"--tag={IMAGE}", str(ROOT)]
    containers.run("buildah", "bud", *build)
    try:
        yield containers
    finally:
        containers.run("podman", "rm", "--all", "--force")
        containers.run("podman", "rmi", "--all", "--force")
        shutil.rmtree(folder, ignore_errors=True)


def limits() -> list[str]:
    """Return podman's options for the limits that compose.yaml sets."""
    service = compose()["services"]["web1"]
    assert service["read_only"] is True
    return [
        "--read-only",
        *(f"--tmpfs={path}" for path in service["tmpfs"]),
        *(f"--cap-drop={name}" for name in service["cap_drop"]),
        *(f"--security-opt={option.replace(':true', '')}" for option in service["security_opt"]),
        *NEEDED_HERE,
        f"--pids-limit={service['pids_limit']}",
        f"--memory={service['mem_limit']}",
    ]


@contextmanager
def running(containers: Containers, log: Path, volume: str = "") -> Iterator[Server]:
    """Run the image with these limits; `volume` keeps its data. SIGTERM must end it within Compose's grace period."""
    port = free_port()
    options = [
        "--rm",
        f"--env=PORT={port}",
        "--env=HOST=127.0.0.1",
        f"--env=SECRET_KEY={'0123456789abcdef' * 4}",
    ]
    options += ["--env=PROTECT_MEMORY=on", *([f"--volume={volume}:/data"] if volume else []), *limits()]
    with log.open("ab") as output:
        process = subprocess.Popen(containers.command("podman", "run", *options, IMAGE), stdout=output, stderr=output)
    server = Server(process, port, log)
    try:
        await_ready(server)
        yield server
    finally:
        grace = int(compose()["services"]["web1"]["stop_grace_period"].removesuffix("s"))
        process.terminate()  # podman passes the signal on
        try:
            status = process.wait(timeout=grace)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert status == 0


def await_ready(server: Server) -> None:
    """Wait until /readyz answers that everything is there."""
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            assert server.process.poll() is None, server.log.read_text()
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.02)  # a port that opens sends no event


def execute(containers: Containers, *command: str) -> str:
    """Run a command in the running container; return its output."""
    [container] = containers.run("podman", "ps", "--quiet").splitlines()
    return containers.run("podman", "exec", container, *command)


def status_of_the_server(containers: Containers) -> dict[str, str]:
    """Return /proc/…/status of the image's first process."""
    lines = execute(containers, "cat", "/proc/1/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_image_reads_moods_without_rights_and_keeps_data(containers, tmp_path, scene):
    log = tmp_path / "log"
    with running(containers, log, "mood-mirror-data") as server:
        status = status_of_the_server(containers)
        assert status["Uid"].split() == ["10001"] * 4
        assert int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert post(server, "/api/analyze/text", b"I am so happy today!", "text/plain")[2]["label"] == "happy"
        photo = encode_picture(scene(), "JPEG")
        assert post(server, "/api/analyze/image", photo, "image/jpeg")[2]["label"] == "happy"
        for path in ("/", "/static/vendor/socket.io.esm.min.js", "/healthz", "/api/recommendations?mood=sad"):
            assert get(server, path)[0] == 200
        [image] = json.loads(containers.run("podman", "image", "inspect", IMAGE))
        execute(containers, *image["Healthcheck"]["Test"][1:])
        with Visitor(server) as visitor:
            visitor.call("choose", "sad")
            assert visitor.wait_for_tables()
            assert visitor.send_feedback("like", SONG)["kept"]
            cookie = visitor.cookie
    with running(containers, log, "mood-mirror-data") as server:
        assert [opinion["item"] for opinion in my_data(server, cookie)["opinions"]] == [SONG]
    content = log.read_text()
    assert "Traceback" not in content
    assert "this machine lacks" not in content  # Landlock and seccomp isolate decoders in the container, too


def test_the_image_contains_nothing_that_serving_does_not_use(containers, tmp_path):
    find = [
        "find",
        "/site",
        "/data",
        "-xdev",
        "(",
        "-name",
        "*.keras",
        "-o",
        "-name",
        "training",
        "-o",
        "-name",
        "tests",
        "-path",
    ]
    find += [
        "/site/tests",
        "-o",
        "-name",
        "node_modules",
        "-o",
        "-name",
        ".git",
        "-o",
        "-name",
        "tensorflow*",
        "-o",
        "-name",
        "uv",
        ")",
    ]
    assert containers.run("podman", "run", "--rm", *NEEDED_HERE, IMAGE, *find) == ""


def test_figures(containers, tmp_path, capsys):
    seconds = []
    for number in range(STARTS):
        began = time.perf_counter()
        with running(containers, tmp_path / f"log{number}"):
            seconds.append(time.perf_counter() - began)
    sizes = {name: image_size(containers, name) for name in (IMAGE, BASE)}
    with capsys.disabled():
        print(f"\n  the image: {sizes[IMAGE] / 1e6:.0f} MB, of which its base {sizes[BASE] / 1e6:.0f} MB")
        print(f"  from its start to /readyz: {statistics.median(seconds):.1f} s, the median of {STARTS} starts")


def image_size(containers: Containers, name: str) -> int:
    """Return the size of an image in bytes."""
    found: Any = json.loads(containers.run("podman", "image", "inspect", name))
    return int(found[0]["Size"])
