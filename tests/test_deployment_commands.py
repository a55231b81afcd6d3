"""docs/deployment.md is followed word by word: its commands run, with real PostgreSQL, Redis, nginx and gunicorn.

tests/documented_commands.py has what is replaced: paths, ports, and stand-ins for `sudo`, `apt-get`, `useradd` and systemd.
"""

import http.client
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import SimpleNamespace
from typing import Any

import cv2
import pytest

from moodmirror.recommendation.taste import Opinion
from moodmirror.storage.database import Database
from tests.cluster import await_port, running_redis
from tests.conftest import ROOT, Server, await_answer, free_port, need_program
from tests.documented_commands import DebianMachine, debian_machine, fenced_blocks, page_section, read_unit
from tests.test_multi_process import TIMEOUT_SECONDS, Visitor
from tests.test_recommendation_session import my_data
from tests.test_server import get, post

pytestmark = pytest.mark.services

HOST = "mirror.example"
SONGS = ("10cc-im-not-in-love", "abba-dancing-queen", "2ne1-i-am-the-best")
UNIT = ROOT / "deploy" / "mood-mirror@.service"
MAX_EXPOSURE = 15  # of `systemd-analyze security`, in tenths: 10 of 100 is what it calls OK


class Site:
    """The site that the documented commands install, step by step."""

    def __init__(self, machine: DebianMachine) -> None:
        self.machine = machine
        blocks = fenced_blocks(page_section("### On Debian 12, without Docker"), "sh")
        names = (
            "packages",
            "database",
            "settings",
            "processes",
            "nginx",
            "tls",
            "front",
            "restart",
            "backup",
            "restore",
            "upgrade",
        )
        assert len(blocks) == len(names)
        self.commands = dict(zip(names, blocks, strict=True))

    def run(self, *names: str) -> None:
        for name in names:
            self.machine.run(self.commands[name])

    @property
    def front(self) -> Server:
        """The server that visitors reach: nginx."""
        process: Any = None
        return Server(process, self.machine.ports[8080], self.machine.systemd.log)

    @property
    def processes(self) -> set[int]:
        """The ids of the processes of the service."""
        return {process.pid for process in self.machine.systemd.running.values()}


@pytest.fixture(scope="module")
def site(tmp_path_factory, postgres) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("debian")
    with running_redis(folder) as redis, debian_machine(folder / "root", postgres, redis.port) as machine:
        site = Site(machine)
        site.run("packages", "database", "settings", "processes", "nginx", "tls", "front")
        yield site


def like(visitor: Visitor, song: str) -> None:
    feedback = {"kind": "songs", "id": song, "verdict": "like"}
    assert visitor.client.call("feedback", feedback, timeout=TIMEOUT_SECONDS) == {"kept": True}


def likes(site: Site, visitor: Visitor) -> set[str]:
    return {opinion["item"] for opinion in my_data(site.front, visitor.cookies)["opinions"]}


def connect(site: Site) -> Visitor:
    cluster: Any = SimpleNamespace(front=site.front)
    return Visitor(cluster)


@contextmanager
def traffic(site: Site) -> Iterator[Counter[tuple[str, Any]]]:
    """Send requests through nginx, as from several addresses; count their methods and statuses, or what a refusal says."""
    statuses: Counter[tuple[str, Any]] = Counter()
    ended = threading.Event()

    def send(method: str, address: str) -> None:
        path, body = ("/api/analyze/text", "What a day!") if method == "POST" else ("/api/recommendations?mood=sad", None)
        headers = {"X-Forwarded-For": address} | ({"Content-Type": "text/plain"} if body else {})
        while not ended.wait(0.02):  # seconds between two requests
            with closing(http.client.HTTPConnection("127.0.0.1", site.front.port, timeout=TIMEOUT_SECONDS)) as client:
                client.request(method, path, body, headers)
                answer = client.getresponse()
                content = answer.read()
                statuses[method, answer.status if answer.status == 200 else content] += 1

    threads = [
        threading.Thread(target=send, args=(method, f"198.51.100.{number}"))
        for number, method in enumerate(("GET", "POST", "GET", "GET"))  # several texts at once may be too many
    ]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_the_installed_site_reads_moods_and_keeps_likes(site, scene):
    assert get(site.front, "/readyz")[0] == 200
    photo = cv2.imencode(".jpg", scene())[1].tobytes()
    assert post(site.front, "/api/analyze/image", photo, "image/jpeg")[2]["label"] == "happy"
    with connect(site) as visitor:
        assert visitor.client.call("choose", "sad", timeout=TIMEOUT_SECONDS) == {}
        visitor.wait_for("mood", lambda mood: mood["label"] == "sad")
        like(visitor, SONGS[0])
        assert likes(site, visitor) == {SONGS[0]}


@contextmanager
def https(site: Site, peer: str = "127.0.0.1") -> Iterator[ssl.SSLSocket]:
    """Connect to the TLS proxy, from an address of this machine, as a browser does that was given the host name."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # of a certificate that Caddy made itself
    address = ("127.0.0.1", site.machine.https_port)
    with (
        socket.create_connection(address, timeout=TIMEOUT_SECONDS, source_address=(peer, 0)) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        yield secure


def test_the_tls_proxy_leads_to_the_site(site):
    with https(site) as connection, connection.makefile("rb") as stream:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        answer = stream.read().decode()
    assert answer.startswith("HTTP/1.1 200 OK")
    cookies = [line for line in answer.splitlines() if line.lower().startswith("set-cookie")]
    assert len(cookies) == 2
    assert all("; Secure" in cookie for cookie in cookies)
    with https(site) as connection, connection.makefile("rb") as stream:
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        connection.sendall(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {HOST}\r\nOrigin: https://{HOST}\r\n"
            f"{upgrade}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode()
        )
        assert b" 101 " in stream.readline()
        while stream.readline().strip():
            pass
        assert b'"sid"' in stream.read(30)


def test_clients_without_a_cookie_behind_the_tls_proxy_are_spread(site):
    for number in range(2, 18):
        with https(site, f"127.0.0.{number}") as connection, connection.makefile("rb") as stream:
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            assert b"200 OK" in stream.readline()
    log = (site.machine.root / "var/log/nginx/access.log").read_text()
    assert {line.split()[-2] for line in log.splitlines() if " /healthz " in line} == {
        f"127.0.0.1:{site.machine.ports[port]}" for port in (8001, 8002)
    }


def test_decoders_are_isolated_inside_the_unit_as_outside_of_it(site):
    """The unit's filter of system calls leaves Landlock and seccomp to the processes: they would report a lack of them."""
    assert "isolated only in part" not in site.machine.systemd.log.read_text()


def test_a_rolling_restart_fails_no_request(site):
    before = site.processes
    with connect(site) as visitor, traffic(site) as statuses:
        like(visitor, SONGS[0])
        disconnected = threading.Event()
        visitor.client.on("disconnect", lambda *_: disconnected.set())
        site.run("restart")
        assert disconnected.wait(TIMEOUT_SECONDS)
        visitor.connect()  # as the page does a second later
        assert likes(site, visitor) == {SONGS[0]}
        like(visitor, SONGS[1])
    assert len(site.processes) == 2
    assert not before & site.processes
    assert set(statuses) == {("GET", 200), ("POST", 200)}, statuses


def test_a_restored_backup_has_the_data_of_its_time_and_the_key(site):
    settings = site.machine.root / "etc" / "mood-mirror.env"
    with connect(site) as visitor:
        like(visitor, SONGS[0])
        site.run("backup")
        like(visitor, SONGS[1])
        assert likes(site, visitor) == set(SONGS[:2])
        content = settings.read_text()
        settings.unlink()
        site.run("restore")
        assert settings.read_text() == content
        assert settings.stat().st_mode & 0o777 == 0o600
        assert likes(site, visitor) == {SONGS[0]}  # the cookie is still valid
    for name in ("mood-mirror.dump", "mood-mirror-files.tar.gz"):
        assert (site.machine.root / "home" / name).stat().st_mode & 0o077 == 0


def test_an_upgrade_serves_the_new_version_and_fails_no_request(site):
    page = site.machine.repository / "templates" / "base.html"
    page.write_text(page.read_text() + "<!-- the next version -->")
    site.machine.commit("Next version")
    before = site.processes
    with connect(site) as visitor, traffic(site) as statuses:
        like(visitor, SONGS[2])
        site.run("upgrade")
        assert likes(site, visitor) == {SONGS[2]}
    assert not before & site.processes
    assert set(statuses) == {("GET", 200), ("POST", 200)}, statuses
    assert b"the next version" in get(site.front, "/")[2]
    assert len(list((site.machine.root / "opt" / "mood-mirror").iterdir())) == 3  # two versions and the link
    assert "is the current one already" in site.machine.run("sudo deploy/install")


def test_systemd_accepts_the_unit_and_finds_it_confined(tmp_path):
    program = need_program("systemd-analyze")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/mood-mirror/current/.venv/bin/gunicorn", "/bin/true"))
    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    command = [program, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_a_unit_has_its_own_port_and_restarts_one_at_a_time():
    unit = read_unit(UNIT.read_text())
    assert "PORT=%i" in unit["Environment"][0]
    assert unit["KillMode"] == ["mixed"]
    assert unit["ExecStartPost"][0].endswith("http://127.0.0.1:%i/readyz")


def test_one_process_starts_as_documented(tmp_path):
    [start, _] = fenced_blocks(page_section("## One process"), "sh")
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "INSTANCE": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-ec", start], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        await_answer(f"http://127.0.0.1:{port}/readyz", process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_the_documented_backup_of_sqlite_is_complete_while_the_file_is_written(tmp_path):
    [_, backup] = fenced_blocks(page_section("## One process"), "sh")
    database = Database(f"sqlite:///{tmp_path / 'instance' / 'mood_mirror.sqlite3'}")
    with closing(database):
        database.save_opinion("a" * 32, Opinion("songs", SONGS[0], "like", 1.5))  # in the write-ahead log, not in the file
        subprocess.run(["bash", "-ec", backup], cwd=tmp_path, check=True, timeout=60)
    with closing(sqlite3.connect(tmp_path / "mood_mirror.backup")) as copy:
        assert copy.execute("SELECT item FROM opinions").fetchall() == [(SONGS[0],)]


def test_debians_nginx_accepts_the_documented_tls_proxy(tmp_path):
    [server] = fenced_blocks(page_section("## One process"), "nginx")
    create = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=mirror.example", "-days", "2"]
    files = ["-keyout", tmp_path / "privkey.pem", "-out", tmp_path / "fullchain.pem"]
    subprocess.run([*create, *files], check=True, capture_output=True, timeout=60)
    server = server.replace("/etc/letsencrypt/live/mirror.example", str(tmp_path)).replace("/var/log/nginx", str(tmp_path))
    port, upstream = free_port(), free_port()
    server = server.replace("listen 443", f"listen 127.0.0.1:{port}").replace("127.0.0.1:8000", f"127.0.0.1:{upstream}")
    temporary = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}} http {{ {temporary} {server} }}"
    )
    with (tmp_path / "log").open("wb") as log:
        nginx = subprocess.Popen([need_program("nginx"), "-c", tmp_path / "nginx.conf"], stdout=log, stderr=log)
    try:
        await_port(port, nginx)
        command = ["curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}"]
        done = subprocess.run(
            [*command, f"https://127.0.0.1:{port}/?wish=secret"], capture_output=True, text=True, check=True
        )
        assert done.stdout == "502"  # nothing runs behind it
    finally:
        nginx.terminate()
        nginx.wait(30)
    logged = "".join(re.sub(r"\x00", "", path.read_text()) for path in tmp_path.glob("*log"))
    assert "secret" not in logged
