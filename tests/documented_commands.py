"""Runs the commands of docs/deployment.md, with stand-ins for what a test can't change: packages, users, systemd."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import cache
from multiprocessing.connection import Connection, Listener
from pathlib import Path
from typing import Final

from tests.cluster import await_port
from tests.conftest import ROOT, free_port, need_program

PAGE: Final = ROOT / "docs" / "deployment.md"
COMMAND_SECONDS: Final = 180  # for one block of commands; most take a second or two
# Starts a service's program under the system-call filter of its unit, and with NoNewPrivileges, which the filter implies.
FILTERED: Final = """
import errno, os, sys
import pyseccomp as seccomp
names, deny_executable_memory, command = sys.argv[1].split(), sys.argv[2] == "yes", sys.argv[3:]
rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
for name in names:
    if deny_executable_memory and name in ("mmap", "mprotect"):
        continue
    if seccomp.resolve_syscall(seccomp.system_arch(), name) >= 0:
        rules.add_rule(seccomp.ALLOW, name)
if deny_executable_memory:  # as MemoryDenyWriteExecute: PROT_WRITE is 2, PROT_EXEC 4
    for allowed in (0, 2, 4):
        rules.add_rule(seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, 6, allowed))
    rules.add_rule(seccomp.ALLOW, "mprotect", seccomp.Arg(2, seccomp.MASKED_EQ, 4, 0))
rules.load()
os.execvp(command[0], command)
"""
# Before the documented Caddyfile: no certificate can be obtained for its example, and the usual ports may be taken.
CADDY: Final = """{{
    admin off
    local_certs
    skip_install_trust
    auto_https disable_redirects
    https_port {port}
}}
"""
# Debian's /etc/nginx/nginx.conf, but for its folders.
NGINX: Final = """
pid {root}/nginx.pid;
error_log {root}/var/log/nginx/error.log;
events {{ worker_connections 768; }}
http {{
    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
    sendfile on;
    tcp_nopush on;
    types_hash_max_size 2048;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log {root}/var/log/nginx/access.log;
    gzip on;
    include {root}/etc/nginx/conf.d/*.conf;
}}
"""
STAND_INS: Final = {
    "sudo": 'if [ "$1" = -u ]; then export PGUSER=mirror; shift 2; fi; exec "$@"',  # who administers the tests' PostgreSQL
    "apt-get": "exit 0",  # the test needs the same programs, of any source
    "useradd": "exit 0",  # services run as the user who runs the tests
    "systemctl": '''exec {python} -c "import sys
from multiprocessing.connection import Client
with Client('{root}/systemd') as systemd:
    systemd.send(sys.argv[1:])
    sys.exit(systemd.recv())" "$@"''',
    "nginx": 'exec {nginx} -c {root}/etc/nginx/nginx.conf "$@"',
    # tools/install.py has tests of its own. Here, the packages of the tests' environment count as installed.
    "python3": """if [ "$1" != tools/install.py ]; then exec {python} "$@"; fi
{python} -m venv --without-pip .venv
echo '{packages}' > "$(echo .venv/lib/python*/site-packages)/tests.pth"
printf '#!%s\\nfrom gunicorn.app.wsgiapp import run\\nrun()\\n' "$(pwd)/.venv/bin/python" > .venv/bin/gunicorn
chmod +x .venv/bin/gunicorn
mkdir -p static/vendor && cp {repository}/static/vendor/* static/vendor/""",
}


def page_section(heading: str) -> str:
    """Return the text of a section of the page, with its subsections."""
    text = PAGE.read_text(encoding="utf-8")
    start = text.index(f"{heading}\n")
    level = heading.index(" ")
    end = re.search(rf"^#{{1,{level}}} ", text[start + len(heading) :], re.MULTILINE)
    return text[start : start + len(heading) + end.start()] if end else text[start:]


def fenced_blocks(text: str, language: str) -> list[str]:
    """Return the contents of fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


class DebianMachine:
    """A folder that takes the place of the root folder, in which the documented commands run.

    Paths below /etc, /opt and /var become paths below it; the documented ports become free ones. STAND_INS replaces some
    commands; all others are real.
    """

    def __init__(self, root: Path, postgres: str, redis_port: int) -> None:
        self.root = root
        self.ports = {port: free_port() for port in (8001, 8002, 8080)} | {6379: redis_port}
        self.https_port = free_port()
        self.repository = root / "repository"
        root.mkdir()
        self.systemd = Systemd(self)
        host, _, port = postgres.rpartition("@")[2].partition("/")[0].partition(":")
        self.environment = {
            "PATH": f"{root}/bin:{os.environ['PATH']}",
            "HOME": str(root / "home"),
            "LANG": "C.UTF-8",
            "PGHOST": host,
            "PGPORT": port,
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for folder in (
            "bin",
            "home",
            "etc/nginx/conf.d",
            "etc/caddy",
            "etc/systemd/system",
            "var/lib",
            "var/log/nginx",
            "opt",
        ):
            (root / folder).mkdir(parents=True)
        (root / "etc/nginx/nginx.conf").write_text(NGINX.format(root=root))
        values = {
            "root": root,
            "python": sys.executable,
            "packages": next(path for path in sys.path if path.endswith("site-packages")),
            "nginx": need_program("nginx"),
            "repository": ROOT,
        }
        for name, script in STAND_INS.items():
            content = re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), script)
            (root / "bin" / name).write_text(f"#!/bin/sh\n{content}\n")
            (root / "bin" / name).chmod(0o755)
        self._create_repository()

    def translate(self, text: str) -> str:
        """Replace the documented paths and ports by this machine's."""
        text = re.sub(r"(?<![\w.$])/(?=(?:etc|opt|var)/)(?!etc/nginx/mime)", f"{self.root}/", text)
        text = text.replace("--directory=/", f"--directory={self.root}").replace(
            "git clone …", f"git clone {self.repository}"
        )
        return re.sub(rf"\b({'|'.join(map(str, self.ports))})\b", lambda found: str(self.ports[int(found[0])]), text)

    def run(self, commands: str) -> str:
        """Run commands as a person types them, in the folder of the clone once it is there; return their output."""
        clone = self.root / "home" / "mood-mirror"
        done = subprocess.run(
            ["bash", "-e", "-c", self.translate(commands)],
            cwd=clone if clone.exists() else clone.parent,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{self.systemd.log.read_text()}"
        return done.stdout

    def commit(self, message: str) -> None:
        """Commit what the repository contains now, as a new version."""
        git = ["git", "-C", str(self.repository), "-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run([*git, "add", "--all"], check=True, env=self.environment)
        subprocess.run([*git, "commit", "--quiet", "--message", message], check=True, env=self.environment)

    def _create_repository(self) -> None:
        """Copy what the image contains, and the deployment files with this machine's paths."""
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
        names = {name for line in copied for name in line.split()} | {"deploy"}
        ignored = shutil.ignore_patterns("training", "*.keras", "__pycache__", "vendor")
        self.repository.mkdir()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, self.repository / name, ignore=ignored)
            elif (ROOT / name).exists():
                shutil.copy(ROOT / name, self.repository)
        for path in (self.repository / "deploy").iterdir():
            path.write_text(self.translate(path.read_text()))
        subprocess.run(
            ["git", "init", "--quiet", "--initial-branch=main", self.repository], check=True, env=self.environment
        )
        self.commit("First version")


class Systemd:
    """Starts and stops services as systemd does, as far as their units say; their confinement to folders is not imitated."""

    def __init__(self, machine: DebianMachine) -> None:
        self.machine = machine
        self.log = machine.root / "journal"
        self.log.touch()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self._nginx: subprocess.Popen[bytes] | None = None
        self._caddy: subprocess.Popen[bytes] | None = None
        self._units: dict[str, dict[str, list[str]]] = {}
        self._listener = Listener(str(machine.root / "systemd"))
        self._thread = threading.Thread(target=self._answer, daemon=True)

    def boot(self) -> None:
        """Start nginx, as Debian does with its installation, and answer `systemctl` from now on."""
        with (self.machine.root / "var/log/nginx/output").open("ab") as log:
            command = [need_program("nginx"), "-c", str(self.machine.root / "etc/nginx/nginx.conf"), "-g", "daemon off;"]
            self._nginx = subprocess.Popen(command, stdout=log, stderr=log)
        self._thread.start()

    def shut_down(self) -> None:
        """Stop everything."""
        for unit in list(self.running):
            self.running[unit].kill()
            self.stop(unit)
        for proxy in (self._caddy, self._nginx):
            if proxy:
                proxy.terminate()
                proxy.wait(30)
        self._listener.close()

    def systemctl(self, verb: str, *arguments: str) -> None:
        """Do what `systemctl VERB …` does."""
        units = [name for name in arguments if not name.startswith("--")]
        if verb == "daemon-reload":
            folder = self.machine.root / "etc/systemd/system"
            self._units = {path.name: read_unit(path.read_text()) for path in folder.glob("*.service")}
        elif (verb, units) == ("reload", ["nginx"]):
            assert self._nginx
            self._nginx.send_signal(signal.SIGHUP)
        elif (verb, units) == ("reload", ["caddy"]):
            self._start_caddy()
        elif verb == "stop":
            for name in [name for name in self.running if any(fnmatch(name, pattern) for pattern in units)]:
                self.stop(name)
        elif verb == "restart":
            for name in units:
                self.stop(name)
                self.start(name)
        else:
            assert verb == "start" or (verb == "enable" and "--now" in arguments), f"systemctl {verb}"
            with ThreadPoolExecutor(len(units)) as pool:
                list(pool.map(self.start, units))

    def _start_caddy(self) -> None:
        need_program("caddy")
        root, port = self.machine.root, self.machine.https_port
        documented = (root / "etc/caddy/Caddyfile").read_text()
        (root / "etc/caddy/with_options").write_text(CADDY.format(port=port) + documented)
        command = ["caddy", "run", "--config", str(root / "etc/caddy/with_options"), "--adapter", "caddyfile"]
        environment = {
            **os.environ,
            "HOME": str(root),
            "XDG_DATA_HOME": str(root / "caddy"),
            "XDG_CONFIG_HOME": str(root / "caddy"),
        }
        with (root / "caddy.log").open("ab") as log:
            self._caddy = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        await_port(port, self._caddy)

    def start(self, name: str) -> None:
        """Start a service and wait for its ExecStartPost, as Type=exec says."""
        template, _, instance = name.partition("@")
        unit = self._units[f"{template}@.service"]
        one = {key: values[-1].replace("%i", instance) for key, values in unit.items()}
        assert one["Type"] == "exec"
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        # The processes reach the tests' PostgreSQL by these, and are asked more by the test than visitors ask.
        environment |= {key: self.machine.environment[key] for key in ("PGHOST", "PGPORT")} | {"RATE_LIMITS": "off"}
        environment |= dict(pair.split("=", 1) for pair in shlex.split(one["Environment"]))
        lines = Path(one["EnvironmentFile"]).read_text().splitlines()
        environment |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
        (self.machine.root / "var/lib" / one["StateDirectory"]).mkdir(mode=int(one["StateDirectoryMode"], 8), exist_ok=True)
        allowed = " ".join(sorted(allowed_calls(unit["SystemCallFilter"])))
        launcher = [sys.executable, "-c", FILTERED, allowed, one["MemoryDenyWriteExecute"], *shlex.split(one["ExecStart"])]
        with self.log.open("ab") as log:
            process = self.running[name] = subprocess.Popen(
                launcher, cwd=one["WorkingDirectory"], env=environment, stdout=log, stderr=log, start_new_session=True
            )
            post = subprocess.run(shlex.split(one["ExecStartPost"]), stdout=log, stderr=log, check=False, timeout=120)
        assert post.returncode == 0, f"{name}: ExecStartPost failed"
        assert process.poll() is None, f"{name} ended"

    def stop(self, name: str) -> None:
        """Stop a service as KillMode=mixed says, and wait until it has ended."""
        template = name.partition("@")[0]
        assert self._units[f"{template}@.service"]["KillMode"] == ["mixed"]
        process = self.running.pop(name)
        process.terminate()
        process.wait(int(self._units[f"{template}@.service"]["TimeoutStopSec"][0]))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def _answer(self) -> None:
        while True:
            try:
                client: Connection = self._listener.accept()
            except OSError:  # closed
                return
            with client:
                try:
                    self.systemctl(*client.recv())
                    client.send(0)
                except Exception as error:  # as systemctl, which fails with a message
                    client.send(f"systemctl: {error!r}")


def read_unit(text: str) -> dict[str, list[str]]:
    """Return the values of each key of a unit, in their order."""
    values: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, separator, value = line.partition("=")
        if separator and not line.startswith("#"):
            values.setdefault(key, []).append(value)
    return values


def allowed_calls(filters: list[str]) -> set[str]:
    """Return the system calls that the lines SystemCallFilter= of a unit allow."""
    allowed: set[str] = set()
    for line in filters:
        names = {name for entry in line.removeprefix("~").split() for name in expand_set(entry)}
        allowed = allowed - names if line.startswith("~") else allowed | names
    return allowed | expand_set("@default")


@cache
def expand_set(name: str) -> frozenset[str]:
    """Return the system calls of a set of systemd, such as @system-service, or the one of that name."""
    if not name.startswith("@"):
        return frozenset({name})
    command = [need_program("systemd-analyze"), "syscall-filter", name]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    entries = [line.strip() for line in shown.splitlines()[1:]]
    return frozenset(call for entry in entries if entry and not entry.startswith("#") for call in expand_set(entry))


@contextmanager
def debian_machine(root: Path, postgres: str, redis_port: int) -> Iterator[DebianMachine]:
    """Run a machine whose commands can be run."""
    machine = DebianMachine(root, postgres, redis_port)
    machine.systemd.boot()
    try:
        yield machine
    finally:
        machine.systemd.shut_down()
