"""Measure a new user's first start: `make bench-install`, or `python -m benchmarks.install`.

Clones the last commit into an empty directory, runs `make run` there on two cores with empty caches, and stops the time when
the page answers; with the programs of this machine, and without uv, Node.js and a compiler. What is downloaded comes from
the package indexes that this machine is configured with, at their speed. Needs nothing but Python.
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS: Final = 900
CORES: Final = 2
# The programs that a bare machine has: a shell, its tools, make, git and Python.
BARE_PROGRAMS: Final = ("sh", "bash", "make", "git", "awk", "uname", "env", "cat", "ls", "rm", "mkdir", "cp")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="number of first starts of each kind (default: %(default)s)")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    print(
        f"  {'from a fresh clone, with empty caches':40}{'seconds to the page':>20}{'MB downloaded':>15}{'MB installed':>14}"
    )
    for name, bare in (("with this machine's programs", False), ("without uv, Node.js and compiler", True)):
        results = sorted(first_start(bare=bare) for _ in range(arguments.runs))
        seconds, downloaded, installed = results[len(results) // 2]
        print(f"  {name:40}{seconds:20.1f}{downloaded:15.0f}{installed:14.0f}", flush=True)


def first_start(*, bare: bool) -> tuple[float, float, float]:
    """Return the seconds from `make run` to an answering page, and the megabytes that were downloaded and installed."""
    with tempfile.TemporaryDirectory(prefix="mood-mirror-") as folder:
        site, caches, port = Path(folder) / "site", Path(folder) / "caches", free_port()
        subprocess.run(["git", "clone", "--quiet", ROOT, site], check=True)
        environment = {
            name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS", "CI")
        }
        search_path = [part for part in environment["PATH"].split(os.pathsep) if ".venv" not in part]
        environment |= {
            "PATH": str(bare_programs(Path(folder), search_path)) if bare else os.pathsep.join(search_path),
            "UV_CACHE_DIR": str(caches / "uv"),
            "PIP_CACHE_DIR": str(caches / "pip"),
            "npm_config_cache": str(caches / "npm"),
            "CAMERA": "off",
            "PORT": str(port),
        }
        received = received_bytes()
        began = time.perf_counter()
        with (Path(folder) / "log").open("w+") as log:
            make = shutil.which("make") or "make"
            process = subprocess.Popen(
                [make, "run"], cwd=site, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                while not answers(port):
                    if process.poll() is not None or time.perf_counter() - began > TIMEOUT_SECONDS:
                        log.seek(0)
                        sys.exit(f"make run did not start the site:\n{log.read()}")
                    time.sleep(0.1)
                seconds = time.perf_counter() - began
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait()
        downloaded = received_bytes() - received
        installed = sum(size_of(site / name) for name in (".venv", "node_modules", "static/vendor"))
        return seconds, downloaded / 1e6, installed / 1e6


def bare_programs(folder: Path, search_path: list[str]) -> Path:
    """Make a folder of links to the programs that a bare machine has; return it."""
    programs = folder / "programs"
    programs.mkdir()
    for name in BARE_PROGRAMS:
        if path := shutil.which(name, path=os.pathsep.join(search_path)):
            (programs / name).symlink_to(path)
    (programs / "python3").symlink_to(
        (Path(sys.base_exec_prefix) / "bin" / "python3").resolve()
    )  # what is in the search path may be a script
    return programs


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """Whether the page is served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def received_bytes() -> int:
    """Return the bytes that this machine has received over its network, without those from itself."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]
    return sum(int(line.split(":")[1].split()[0]) for line in lines if line.split(":")[0].strip() != "lo")


def size_of(folder: Path) -> int:
    """Return the bytes of all files of a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
