"""A site of several processes, from system packages: Redis, web processes under gunicorn, and nginx in front."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import psycopg
import psycopg.sql
import pytest

from tests.conftest import ROOT, START_SECONDS, Server, await_answer, free_port, need_program

LOG: Final = "web.log"
TEMPLATE: Final = ROOT / "deploy" / "nginx.conf.template"


class Redis:
    """A Redis server started by the tests, in memory only, which can be stopped and started again at the same address."""

    def __init__(self, folder: Path) -> None:
        self.program = need_program("redis-server")
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [self.program, *options]
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        await_port(self.port, self._process)

    def kill(self) -> None:
        """Kill the server, as if its machine failed."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def await_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Wait until a process of this machine listens on a port."""
    deadline = time.monotonic() + START_SECONDS
    while not any(
        connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
        for connection in psutil.net_connections("tcp")
    ):
        assert process.poll() is None, f"{process.args!r} ended at its start"
        assert time.monotonic() < deadline, f"{process.args!r} did not listen"
        time.sleep(0.02)  # a port that opens sends no event


@contextmanager
def running_redis(folder: Path) -> Iterator[Redis]:
    """Run a Redis server."""
    redis = Redis(folder)
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()


class TemporaryDatabase:
    """An empty database in a running PostgreSQL, which can be made unavailable and available again."""

    def __init__(self, postgres: str) -> None:
        self._postgres = postgres
        self._name = f"mirror_{uuid.uuid4().hex}"
        self.url = f"{postgres.rpartition('/')[0]}/{self._name}"
        self._execute("CREATE DATABASE {}")

    def make_unavailable(self) -> None:
        """Close every connection and refuse new ones."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS false")
        self._execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {}", literally=True)

    def make_available(self) -> None:
        """Accept connections again."""
        self._execute("ALTER DATABASE {} ALLOW_CONNECTIONS true")

    def _execute(self, statement: str, *, literally: bool = False) -> None:
        name = psycopg.sql.Literal(self._name) if literally else psycopg.sql.Identifier(self._name)
        with psycopg.connect(self._postgres, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL(statement).format(name))


class Cluster:
    """Several web processes behind nginx, one site for its visitors."""

    def __init__(self, folder: Path, count: int, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.port = free_port()
        self.ports = [free_port() for _ in range(count)]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}  # by the port
        self._nginx: subprocess.Popen[bytes] | None = None

    @property
    def front(self) -> Server:
        """The server that visitors reach: nginx."""
        assert self._nginx
        return Server(self._nginx, self.port, self.folder / "nginx.log")

    def start(self, port: int) -> None:
        """Start the web process of a port; :meth:`await_ready` waits for it."""
        with (self.folder / LOG).open("ab") as log:
            self.processes[port] = subprocess.Popen(
                [str(Path(sys.executable).with_name("gunicorn")), "app:app"],
                cwd=ROOT,
                env={**os.environ, "HOST": "127.0.0.1", "PORT": str(port), **self.settings},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def await_ready(self, port: int) -> None:
        """Wait until the web process at a port answers."""
        await_answer(f"http://127.0.0.1:{port}/healthz", self.processes[port])

    def start_all(self) -> None:
        """Start the web processes and nginx, and wait for all of them."""
        for port in self.ports:
            self.start(port)
        processes = " ".join(f"server 127.0.0.1:{port} max_fails=1 fail_timeout=2s;" for port in self.ports)
        main = nginx_configuration(self.folder, MIRROR_LISTEN=f"127.0.0.1:{self.port}", MIRROR_PROCESSES=processes)
        with (self.folder / "nginx.log").open("ab") as log:
            self._nginx = subprocess.Popen([need_program("nginx"), "-c", main], stdout=log, stderr=log)
        for port in self.ports:
            self.await_ready(port)
        await_port(self.port, self._nginx)

    def worker(self, port: int) -> psutil.Process:
        """Return the gunicorn worker of a port."""
        [worker] = psutil.Process(self.processes[port].pid).children()
        return worker

    def port_of(self, cookies: str) -> int:
        """Return the port of the process that nginx selects for these cookies."""
        mark = f"/nothing-{uuid.uuid4().hex}"
        request = urllib.request.Request(self.front.url + mark, headers={"Cookie": cookies})
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(request, timeout=START_SECONDS)
        answer.value.close()
        log = self.folder / "access.log"
        deadline = time.monotonic() + START_SECONDS
        while not (line := next((line for line in log.read_text().splitlines() if mark in line), "")):
            assert time.monotonic() < deadline, "nginx wrote no line"
            time.sleep(0.02)  # it writes after it has answered
        # After a process that did not answer stands the one that did.
        return int(line.split()[-2].rpartition(":")[2])

    def stop(self) -> None:
        """Stop nginx and the web processes."""
        for process in (self._nginx, *self.processes.values()):
            if process and process.poll() is None:
                process.terminate()
        for process in (self._nginx, *self.processes.values()):
            if process:
                process.wait(timeout=30)


def nginx_configuration(folder: Path, **values: str) -> Path:
    """Write deploy/nginx.conf.template with its values, inside a main configuration as Debian's; return the path."""
    site = TEMPLATE.read_text().replace("/var/log/nginx/", f"{folder}/").replace("/etc/nginx/", f"{folder}/nginx/")
    for name, value in values.items():
        site = site.replace(f"${{{name}}}", value)
    (folder / "site.conf").write_text(site)
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {folder}/nginx.pid; error_log /dev/stderr crit; events {{}}\n"
        f"http {{ {temporary} include {folder}/site.conf; }}\n"
    )
    return main


@contextmanager
def running_cluster(folder: Path, count: int = 2, **settings: str) -> Iterator[Cluster]:
    """Run web processes behind nginx. `settings` are their environment, including REDIS_URL and DATABASE_URL."""
    cluster = Cluster(folder, count, {"INSTANCE": str(folder / "instance"), **settings})
    try:
        cluster.start_all()
        yield cluster
    finally:
        cluster.stop()


@contextmanager
def publishing(url: str, source: str, *, stderr: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python camera.py --publish`."""
    environment = {**os.environ, "REDIS_URL": url, "CAMERA": source}
    process = subprocess.Popen([sys.executable, "camera.py", "--publish"], cwd=ROOT, env=environment, stderr=stderr)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
