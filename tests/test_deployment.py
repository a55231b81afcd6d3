"""Deployment files: what the image contains, compose.yaml, nginx's configuration."""

import http.client
import http.server
import json
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import compose_spec
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.cluster import await_port, nginx_configuration
from tests.conftest import ROOT, free_port, need_program
from tests.documented_commands import fenced_blocks, page_section
from tools.install import PAGE_FILES

pytestmark = pytest.mark.services

# Analyzes a face, a text and a voice while only the given distributions can be imported.
SERVING = """
import json, sys
from importlib.metadata import packages_distributions
allowed = set(json.loads(sys.argv[1]))
owners = {name: {owner.lower().replace("_", "-") for owner in given} for name, given in packages_distributions().items()}
class Absent:
    def find_spec(name, path=None, target=None):
        if name in owners and not owners[name] & allowed:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
sys.meta_path.insert(0, Absent)
import numpy as np
from app import app
from moodmirror.services import EXTENSION
site = app.extensions[EXTENSION]
site.face_analyzer().analyze(np.zeros((480, 640), np.uint8))
site.text_recognizer().predict_proba(["What a day!"])
seconds = np.arange(48_000) / 16_000
syllables = 0.3 * (seconds * 140 % 1 - 0.5) * (seconds % 0.6 < 0.3)
site.speech_recognizer().predict_proba((syllables.astype(np.float32), 16_000))
for name in ("tensorflow", "librosa"):
    try:
        __import__(name)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{name} can be imported")
"""


def load_compose(text: str) -> compose_spec.PyCompose:
    """Load a Compose file as Compose does, whose specification allows no unknown and no repeated keys.

    Raises ValueError for what Compose would refuse.
    """
    secrets = dict(line.split("=", 1) for line in written_secrets().splitlines())

    def value(variable: re.Match[str]) -> str:
        name, operator, argument = variable.groups()
        assert operator == "-" or name in secrets, f"{name}: {argument}"
        return secrets.get(name, argument)

    options = compose_spec.PyOptions()
    options.apply_merge = True  # of YAML anchors
    loaded = options.from_yaml(re.sub(r"\$\{(\w+):([-?])([^}]*)\}", value, text))
    loaded.validate()
    services = loaded.to_dict()["services"]
    for name, service in services.items():
        if unknown := set(service.get("depends_on", ())) - set(services):
            raise ValueError(f"{name} depends on unknown services: {unknown}")
        for key, values in service.items():
            if isinstance(values, list) and len({str(entry) for entry in values}) < len(values):
                raise ValueError(f"{name}: {key} has an entry twice")
    return loaded


def written_secrets() -> str:
    """Run the documented command that writes .env; return the file's content."""
    commands = fenced_blocks(page_section("### With Compose"), "sh")[0].splitlines()
    [command] = [line for line in commands if line.endswith("> .env")]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["bash", "-ec", command], cwd=folder, check=True, timeout=30)
        return (Path(folder) / ".env").read_text()


def compose() -> dict[str, Any]:
    services: dict[str, Any] = load_compose((ROOT / "compose.yaml").read_text()).to_dict()
    return services


def needed_by(names: list[str]) -> set[str]:
    """Return the canonical names of requirements and of everything they require in turn."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    seen = set()
    while waiting:
        requirement = waiting.pop()
        key = (name := canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(name)
        try:
            dependencies = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # for another platform
            continue
        waiting += [
            dependency
            for dependency in dependencies
            if dependency.marker is None
            or any(dependency.marker.evaluate({"extra": extra}) for extra in (*requirement.extras, ""))
        ]
    return found


def test_the_image_serves_with_only_its_files_and_packages(tmp_path):
    copied = re.findall(r"^COPY (?!--from)(.+) (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for sources, _ in copied:
        for source in sources.split():
            if (ROOT / source).is_dir():
                ignored = shutil.ignore_patterns("training", "*.keras", "*.png", "__pycache__", "vendor")
                shutil.copytree(ROOT / source, tmp_path / source, ignore=ignored)
            else:
                shutil.copy(ROOT / source, tmp_path)
    lines = (ROOT / "requirements-serving.txt").read_text().splitlines()
    allowed = needed_by([line for line in lines if line and not line.startswith("#")])
    assert not {"tensorflow", "keras", "torch"} & allowed
    environment = {"CAMERA": "off", "PATH": "/usr/bin:/bin", "INSTANCE": str(tmp_path / "instance")}
    command = [sys.executable, "-c", SERVING, json.dumps(sorted(allowed))]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_compose_starts_every_service_and_nginx_proxies_to_every_web_process(tmp_path):
    services = compose()["services"]
    assert {"nginx", "redis", "postgres", "camera"} < set(services)
    web = {name for name in services if name.startswith("web")}
    assert len(web) == 3
    for name in web:
        assert {"SECRET_KEY", "DATABASE_URL", "REDIS_URL"} <= set(services[name]["environment"])
    values = {name: value for name, value in services["nginx"]["environment"].items() if name.startswith("MIRROR_")}
    assert set(re.findall(r"server (\w+):8000 ", values["MIRROR_PROCESSES"])) == web
    # These names resolve in the Compose network only.
    values["MIRROR_PROCESSES"] = re.sub(r"web\d", "127.0.0.1", values["MIRROR_PROCESSES"])
    main = nginx_configuration(tmp_path, **values)
    done = subprocess.run([need_program("nginx"), "-t", "-q", "-c", main], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("present", "added"),
    [
        ("  web3: *web\n", "  web3: *web\n"),
        ("    image: redis:8-alpine\n", "    image: redis:8-alpine\n"),
        ("    image: redis:8-alpine\n", "    imagge: redis:8-alpine\n"),
        ("      redis: {condition: service_healthy}\n", "      mariadb: {condition: service_healthy}\n"),
        ("volumes:\n  taste:\n", "volumess: {}\n"),
        ("      interval: 5s\n", "      interval: soon\n"),
    ],
)
def test_a_compose_file_with_a_mistake_is_refused(present, added):
    text = (ROOT / "compose.yaml").read_text()
    assert present in text
    with pytest.raises(ValueError, match=r"."):
        load_compose(text.replace(present, present + added))


@pytest.mark.parametrize("name", ["SECRET_KEY", "POSTGRES_PASSWORD"])
def test_compose_requires_secrets_and_contains_none(name):
    text = (ROOT / "compose.yaml").read_text()
    assert re.findall(rf"\$\{{{name}\b(.)", text)
    assert set(re.findall(rf"\$\{{{name}\b(..)", text)) == {":?"}


def test_every_vendor_file_that_the_pages_load_is_installed():
    copied = {path.rpartition("/")[2] for path in PAGE_FILES}
    files = [*(ROOT / "templates").glob("*.html"), *(ROOT / "static" / "js").rglob("*.js")]
    loaded = {name for file in files for name in re.findall(r"vendor/([\w.-]+)", file.read_text())}
    assert loaded == copied


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with its port and the X-Forwarded-For header that it received."""

    def do_GET(self) -> None:
        content = json.dumps([self.connection.getsockname()[1], self.headers["X-Forwarded-For"]]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def proxied(tmp_path_factory) -> Iterator[int]:
    """The port of nginx as configured for the site, in front of two servers that echo."""
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo) for _ in range(2)]
    threads = [threading.Thread(target=server.serve_forever) for server in servers]
    for thread in threads:
        thread.start()
    processes = " ".join(f"server 127.0.0.1:{server.server_port} max_fails=0;" for server in servers)
    main = nginx_configuration(folder, MIRROR_LISTEN=f"127.0.0.1:{port}", MIRROR_PROCESSES=processes)
    with (folder / "log").open("wb") as log:
        nginx = subprocess.Popen([need_program("nginx"), "-c", main], stdout=log, stderr=log)
    try:
        await_port(port, nginx)
        yield port
    finally:
        nginx.terminate()
        nginx.wait(30)
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()


def echo(port: int, peer: str, forwarded: str | None = None) -> tuple[int, str]:
    """Ask nginx from an address of this machine; return the chosen server and the addresses it received."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30, source_address=(peer, 0))) as client:
        client.request("GET", "/", headers={"X-Forwarded-For": forwarded} if forwarded else {})
        server, addresses = json.loads(client.getresponse().read())
        return server, addresses


TRUSTED, STRANGER = "127.0.0.1", "127.0.0.2"
CLIENTS = [f"198.51.100.{number}" for number in range(16)]


def test_clients_without_a_cookie_behind_a_tls_proxy_are_spread_by_their_own_address(proxied):
    chosen = {client: echo(proxied, TRUSTED, client)[0] for client in CLIENTS}
    assert len(set(chosen.values())) == 2
    for client, server in chosen.items():
        assert echo(proxied, TRUSTED, client)[0] == server
        assert echo(proxied, TRUSTED, f"203.0.113.9, {client}")[0] == server  # the client wrote the first address itself
        assert echo(proxied, TRUSTED, f"{client}, {TRUSTED}")[0] == server  # two proxies of this machine


def test_a_client_that_is_no_trusted_proxy_does_not_choose_its_process_by_a_header(proxied):
    assert len({echo(proxied, STRANGER, client)[0] for client in CLIENTS}) == 1


def test_the_site_gets_every_address_in_the_order_of_the_proxies(proxied):
    assert echo(proxied, STRANGER)[1] == STRANGER
    assert echo(proxied, STRANGER, "198.51.100.1")[1] == f"198.51.100.1, {STRANGER}"
    assert echo(proxied, TRUSTED, "203.0.113.9, 198.51.100.1")[1] == f"203.0.113.9, 198.51.100.1, {TRUSTED}"
