"""What differs between operating systems, as far as it can be tried on one of them."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from moodmirror.camera.status import CameraStatus
from moodmirror.platforms import CAMERA_BACKENDS, isolation_rules, webcam_indices
from tests.conftest import ROOT

pytestmark = pytest.mark.unit

ADVICE = {"linux": "check the permission to use it", "darwin": "System Settings, Privacy", "win32": "allow desktop apps"}
# Modules, and attributes of modules, that Windows does not have.
POSIX_MODULES = {"fcntl", "grp", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    *("os.fork", "os.killpg", "os.nice", "os.geteuid", "os.getuid", "os.memfd_create", "os.sched_getaffinity", "os.setsid"),
    *("os.uname", "os.getloadavg", "os.statvfs", "os.mkfifo", "select.poll", "select.epoll", "socket.AF_UNIX"),
    *("signal.SIGKILL", "signal.SIGALRM", "signal.SIGHUP", "signal.SIGCHLD", "signal.SIGUSR1", "signal.SIGPIPE"),
    *("signal.alarm", "signal.setitimer", "signal.pthread_sigmask"),
}
POSIX_OPTIONS = {"pass_fds", "preexec_fn", "start_new_session"}
# gunicorn does not run on Windows, and these run under it only.
UNDER_GUNICORN = {"moodmirror/server/gunicorn_worker.py", "gunicorn.conf.py"}


def posix_only(path: Path) -> set[str]:
    """Return what a source file uses that only POSIX systems have."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names} & POSIX_MODULES
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} & POSIX_MODULES
                found |= {f"{module}.{name.name}" for name in names} & POSIX_NAMES
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                found |= {f"{module}.{name}"} & POSIX_NAMES
            case ast.keyword(arg=str(name)):
                found |= {name} & POSIX_OPTIONS
    return found


def test_only_the_modules_of_platforms_use_what_one_system_has():
    names = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    served = [name for name in names if not name.startswith(("tests/", "benchmarks/", "moodmirror/platforms/"))]
    assert "moodmirror/media/decoder_client.py" in served
    found = {name: posix_only(ROOT / name) for name in served if name not in UNDER_GUNICORN}
    assert not {name: used for name, used in found.items() if used}
    assert posix_only(ROOT / "moodmirror/platforms/posix.py") == {"resource", "os.nice"}


def test_advice_says_where_the_system_lets_programs_use_the_camera():
    assert ADVICE[sys.platform] in CameraStatus.of("busy").advice
    assert ("Privacy" in CameraStatus.of("black").advice) == (sys.platform != "linux")


def test_the_system_has_a_camera_backend_and_rules_of_its_own():
    expected = {"linux": "CAP_V4L2", "darwin": "CAP_AVFOUNDATION", "win32": "CAP_DSHOW"}
    assert CAMERA_BACKENDS[0] == expected[sys.platform]
    assert isinstance(webcam_indices(), list)
    rules = isolation_rules()
    assert "SECRET_KEY" not in rules.environment
    assert ("SYSTEMROOT" in rules.environment) == (sys.platform == "win32")
    if sys.platform != "linux":
        assert "on Linux only" in rules.missing[0]


@pytest.mark.skipif(os.name == "nt", reason="Windows has nothing of what macOS' module uses")
def test_macos_ends_a_process_that_takes_too_much_memory():
    # Linux counts in kilobytes what macOS counts in bytes, so this limit is 200 MB here; and it counts what the process that
    # starts another one has taken, here a small shell.
    program = (
        "import time; from moodmirror.platforms.macos import isolate; isolate(200_000, cpu_seconds=60, niceness=0)\n"
        "kept = b'a' * {megabytes} * 1_000_000\ntime.sleep({seconds})"
    )
    for megabytes, seconds, status in ((1, 0.2, 0), (400, 60, 128 + signal.SIGKILL)):
        command = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, program.format(megabytes=megabytes, seconds=seconds)]
        assert subprocess.run(command, cwd=ROOT, check=False, timeout=30).returncode == status
