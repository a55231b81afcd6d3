"""An attacker inside a decoder process: what a hostile file could try after it has taken over the process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from moodmirror.platforms import isolation_rules
from tests.conftest import ROOT, await_answer, free_port, need_program, skip

pytestmark = pytest.mark.services


@pytest.fixture(autouse=True)
def _isolated_decoders() -> None:
    if missing := isolation_rules().missing:
        skip(f"this machine lacks {', '.join(missing)}: its decoders have resource limits only")


ATTACKER = r"""
import ctypes, json, mmap, os, resource, signal, socket, subprocess, sys, threading
from moodmirror.media import decoder_worker
from moodmirror.platforms import isolate

given = json.loads(sys.argv[1])
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
mapped = ctypes.create_string_buffer(64)


def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connect(family, address):
    with socket.socket(family) as client:
        client.connect(address)


def listen():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()


ATTACKS = {
    "read the server's environment": lambda: open(f"/proc/{parent}/environ", "rb").read(),
    "read the server's memory": lambda: open(f"/proc/{parent}/mem", "rb").read(1),
    "write the server's memory": lambda: open(f"/proc/{parent}/mem", "r+b"),
    "read memory of another process": lambda: call(310, parent, mapped, 1, mapped, 1, 0),  # process_vm_readv
    "write memory of another process": lambda: call(311, parent, mapped, 1, mapped, 1, 0),
    "attach as a debugger": lambda: call(101, 16, parent, 0, 0),  # ptrace, PTRACE_ATTACH
    "read the key file": lambda: open(given["key"]).read(),
    "read the database": lambda: open(given["database"], "rb").read(),
    "read the users": lambda: open("/etc/passwd").read(),
    "list a folder": lambda: os.listdir("/"),
    "look at a file": lambda: os.stat(given["key"]),
    "change a file": lambda: open(given["database"], "r+b"),
    "create a file": lambda: open(given["new"], "w"),
    "delete a file": lambda: os.unlink(given["key"]),
    "rename a file": lambda: os.rename(given["key"], given["new"]),
    "truncate a file": lambda: os.truncate(given["database"], 0),
    "make a folder": lambda: os.mkdir(given["new"]),
    "make a link": lambda: os.symlink("/", given["new"]),
    "change permissions": lambda: os.chmod(given["key"], 0o777),
    "make a file in memory": lambda: os.memfd_create("x"),
    "connect by TCP": lambda: connect(socket.AF_INET, ("127.0.0.1", given["port"])),
    "connect by IPv6": lambda: connect(socket.AF_INET6, ("::1", given["port"])),
    "connect to a local socket": lambda: connect(socket.AF_UNIX, given["local"]),
    "send a datagram": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
    "listen": listen,
    "make a pair of sockets": lambda: socket.socketpair(),
    "make a pipe": lambda: os.pipe(),
    "fork": lambda: os._exit(0) if os.fork() == 0 else None,
    "start a program": lambda: subprocess.run(["/bin/true"]),
    "become another program": lambda: os.execv("/bin/true", ["true"]),
    "end the server": lambda: os.kill(parent, signal.SIGTERM),
    "probe the server": lambda: os.kill(parent, 0),
    "signal a process group": lambda: os.killpg(0, signal.SIGCONT),
    "change the user": lambda: os.setuid(0),
    "change the root": lambda: os.chroot("/"),
    "make new code": lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    "raise its limits": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10_000, 10_000)),
    "lower the priority of others": lambda: os.setpriority(os.PRIO_PROCESS, parent, 19),
    "use io_uring": lambda: call(425, 8, mapped),
    "load a program into the kernel": lambda: call(321, 0, mapped, 64),  # bpf
    "make a namespace": lambda: call(272, 0x10000000),  # unshare, CLONE_NEWUSER
    "open another process's file": lambda: call(434, parent, 0),  # pidfd_open
}


def succeeds(attack):
    try:
        attack()
    except (OSError, ValueError):
        return False
    return True


isolated = given["isolated"]
if isolated:
    isolate(decoder_worker.MEMORY_BYTES, decoder_worker.CPU_SECONDS, 0)
harmless = ("read", "list", "look", "connect", "make a pair", "make a pipe", "make a file", "probe", "start", "listen")
names = [name for name in ATTACKS if isolated or name.startswith(harmless)]
results = {name: succeeds(ATTACKS[name]) for name in names}
worked = []
thread = threading.Thread(target=worked.append, args=(1,))
thread.start()
thread.join()
results["a thread still runs"] = worked == [1]
print(json.dumps(results))
"""


@pytest.fixture
def targets(tmp_path):
    key, database = tmp_path / "secret-key", tmp_path / "mood.db"
    key.write_text("made-up key")
    database.write_bytes(b"made-up rows")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "local"))
        local.listen()
        yield {
            "key": str(key),
            "database": str(database),
            "new": str(tmp_path / "new"),
            "local": str(tmp_path / "local"),
            "port": server.getsockname()[1],
        }


def attack(targets: dict[str, object], *, isolated: bool) -> dict[str, bool]:
    """Run the attacker as a decoder process is run; return which attacks succeed."""
    rules = isolation_rules()
    process = subprocess.run(
        [sys.executable, "-c", ATTACKER, json.dumps({**targets, "isolated": isolated})],
        cwd=ROOT,
        env=dict(rules.environment),
        **rules.options,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr.decode()
    results: dict[str, bool] = json.loads(process.stdout)
    return results


def test_an_attacker_inside_the_decoder_reaches_nothing(targets):
    results = attack(targets, isolated=True)
    assert results.pop("a thread still runs")
    assert [name for name, succeeded in results.items() if succeeded] == []
    assert Path(str(targets["key"])).read_text() == "made-up key"
    assert Path(str(targets["database"])).read_bytes() == b"made-up rows"
    assert not Path(str(targets["new"])).exists()


def test_the_attacks_work_where_nothing_prevents_them(targets):
    """Otherwise the test above could pass because the attacks are wrong."""
    results = attack(targets, isolated=False)
    expected = set(results) - {"connect by IPv6", "read memory of another process", "read the server's memory"}
    assert [name for name in expected if not results[name]] == []


def unprivileged(*command: str) -> list[str]:
    """Return a command that runs without root's privileges, which allow a process to read any other."""
    if os.geteuid() != 0:
        return list(command)
    return [need_program("setpriv"), "--bounding-set=-all", "--inh-caps=-all", *command]


@pytest.mark.parametrize(("setting", "readable"), [("on", False), ("off", True)])
def test_other_processes_of_the_same_user_can_not_read_the_server(tmp_path, setting, readable):
    key, port = "made-up-key-of-a-test-0123456789", free_port()
    settings = {"CAMERA": "off", "SECRET_KEY": key, "PROTECT_MEMORY": setting, "INSTANCE": str(tmp_path), "PORT": str(port)}
    server = subprocess.Popen(
        unprivileged(str(Path(sys.executable).with_name("gunicorn")), "app:app"), cwd=ROOT, env={**os.environ, **settings}
    )
    try:
        await_answer(f"http://127.0.0.1:{port}/healthz", server)
        [worker] = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        for process in (server.pid, int(worker)):
            reader = unprivileged("cat", f"/proc/{process}/environ")
            result = subprocess.run(reader, capture_output=True, check=False, timeout=60)
            assert (key.encode() in result.stdout) == readable
    finally:
        server.terminate()
        server.wait(60)


def test_the_rules_name_what_this_machine_lacks():
    rules = isolation_rules()
    assert rules.missing == ()
    assert set(rules.environment) >= {"LANDLOCK_RULESET", "SECCOMP_FILTER"}
    assert not set(rules.environment) & {"SECRET_KEY", "DATABASE_URL", "HOME"}
    assert os.environ.keys() - rules.environment.keys()
