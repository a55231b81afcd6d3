#!/usr/bin/env python3
"""Install what a task needs into .venv/, from lock files with hashes. `make` calls this, and make.bat on Windows.

    python3 tools/install.py serving        what the site needs, and the page's scripts
    python3 tools/install.py training       also TensorFlow and what else train.py needs
    python3 tools/install.py development    also what tests, benchmarks, linters and the documentation need
    python3 tools/install.py page           the page's scripts alone, in static/vendor/, where they are missing

What is installed already is not installed again; --again does, to mend what is damaged. uv downloads the Python packages,
and pip where uv can't be had, from the package index that pip is configured with; npm downloads the page's scripts, and
comes from a Python package where Node.js is not installed. Needs Python 3.11 or newer, with venv.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # said before anything that older ones can't read
    sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12")

import argparse
import hashlib
import os
import shutil
import subprocess
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
ENVIRONMENT: Final = ROOT / ".venv"
PROGRAMS: Final = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
PYTHON: Final = PROGRAMS / ("python.exe" if os.name == "nt" else "python")
VENDOR: Final = ROOT / "static" / "vendor"
# The files of npm packages that pages load, and the modules whose types they have, for the type checker.
PAGE_FILES: Final = (
    "socket.io-client/dist/socket.io.esm.min.js",
    "uplot/dist/uPlot.esm.js",
    "uplot/dist/uPlot.min.css",
    "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css",
)
PAGE_TYPES: Final = {
    "socket.io.esm.min.d.ts": 'export * from "socket.io-client";\n',
    "uPlot.esm.d.ts": 'export { default } from "uplot";\n',
}


@dataclass(frozen=True)
class PackageSet:
    """The packages of a task: lock files, some of them of single packages without dependencies, and what to tell of them."""

    purpose: str
    megabytes: int  # to download on Linux; for training beyond serving, for the others when nothing is there yet
    locks: tuple[str, ...]
    single: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()  # sets whose packages are among these, in the same versions


SETS: Final = {
    "serving": PackageSet("serving", 310, ("requirements-serving.lock",)),
    "training": PackageSet("training", 850, ("requirements-training.lock",), ("requirements-text.lock",), ("serving",)),
    "development": PackageSet(
        "tests, benchmarks, linters and documentation",
        1400,
        ("requirements-dev.lock",),
        ("requirements-text.lock",),
        ("serving", "training"),
    ),
}


class InstallError(Exception):
    """A step failed; the message says which, and what to do."""


def main() -> None:
    """Install the set that the arguments name."""
    parser = argparse.ArgumentParser(
        prog="install.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=(*SETS, "page"), help="what to install")
    parser.add_argument("--pip", action="store_true", help="use pip, even where uv is installed")
    parser.add_argument("--again", action="store_true", help="download and install all of it again, to mend what is damaged")
    arguments = parser.parse_args()
    try:
        if arguments.set == "page":
            if not all((VENDOR / Path(file).name).is_file() for file in PAGE_FILES):
                install_page_files(development=False)
            return
        create_environment()
        install_packages(arguments.set, use_uv=not arguments.pip, again=arguments.again)
        install_page_files(development=arguments.set == "development")
    except InstallError as error:
        sys.exit(f"{error}")
    except KeyboardInterrupt:
        sys.exit("Interrupted. The next run continues.")


def create_environment() -> None:
    """Create .venv/ if it is not there."""
    if PYTHON.exists():
        return
    print("Creating a virtual environment in .venv/ …", flush=True)
    try:
        venv.create(ENVIRONMENT, with_pip=True, symlinks=os.name != "nt")
    except (subprocess.CalledProcessError, OSError) as error:
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        raise InstallError(
            f"The virtual environment can't be created ({error}). On Debian and Ubuntu: sudo apt install python3-venv"
        ) from error


def install_packages(name: str, *, use_uv: bool, again: bool = False) -> None:
    """Install the Python packages of a set; with `again`, also those that are installed."""
    wanted = SETS[name]
    if not again and all(_is_current(lock) for lock in (*wanted.locks, *wanted.single)):
        return
    print(f"Installing the Python packages for {wanted.purpose} (up to {wanted.megabytes} MB to download) …", flush=True)
    uv = _uv() if use_uv else None
    for lock in wanted.locks:
        _install(lock, uv, again=again)
    for lock in wanted.single:
        _install(lock, uv, "--no-deps", again=again)
    for included in wanted.includes:
        for lock in (*SETS[included].locks, *SETS[included].single):
            _mark_current(lock)


def install_page_files(*, development: bool) -> None:
    """Copy what pages load from npm's packages to static/vendor/; with `development`, install the linters too."""
    kinds = ("development", "page") if development else ("page",)
    if all(_is_current("package-lock.json", kind) for kind in kinds) and VENDOR.is_dir():
        return
    print("Downloading the page's scripts …", flush=True)
    search_path = f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not (npm := shutil.which("npm", path=search_path)):
        print("Node.js is not installed; it is downloaded to .venv/, too (60 MB) …", flush=True)
        create_environment()
        _install("requirements-node.lock", _uv())
        npm = shutil.which("npm", path=search_path)
    if npm is None:
        raise InstallError("There is no npm for this machine: install Node.js 20 or newer (nodejs.org), then try again.")
    command = [npm, "ci", "--loglevel=error", "--no-progress", *([] if development else ["--omit=dev"])]
    if subprocess.run(command, cwd=ROOT, env={**os.environ, "PATH": search_path}, check=False).returncode:
        raise InstallError(f"npm could not download the page's scripts. {_NETWORK_HINT}")
    VENDOR.mkdir(parents=True, exist_ok=True)
    for file in PAGE_FILES:
        shutil.copy(ROOT / "node_modules" / file, VENDOR)
    for file, content in PAGE_TYPES.items():
        (VENDOR / file).write_text(content, encoding="utf-8")
    for kind in kinds:
        _mark_current("package-lock.json", kind)


_NETWORK_HINT: Final = (
    "The messages above say why. Check the internet connection (behind a proxy, set HTTPS_PROXY), then run the same again: "
    "it continues where it stopped."
)


def _uv() -> str | None:
    """Return uv's path; where it is not installed, install it into .venv/; None if that fails."""
    if uv := shutil.which("uv", path=f"{PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"):
        return uv
    print("Downloading uv, which installs the others (25 MB) …", flush=True)
    done = subprocess.run(_pip("--quiet", "requirements-uv.lock"), cwd=ROOT, check=False, capture_output=True)
    return shutil.which("uv", path=str(PROGRAMS)) if done.returncode == 0 else None


def _uv_environment() -> dict[str, str]:
    """Return the environment for uv: pip's index, which uv doesn't look up, and the system's certificates."""
    environment = {"UV_SYSTEM_CERTS": "true", **os.environ}
    if {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE"} & environment.keys():
        return environment
    listing = subprocess.run([PYTHON, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True).stdout
    values = dict(line.split("=", 1) for line in listing.splitlines() if "=" in line)
    for key in (":env:.index-url", "install.index-url", "global.index-url"):  # the first that is set takes precedence
        if key in values:
            return environment | {"UV_DEFAULT_INDEX": values[key].strip("'\"")}
    return environment


def _pip(*options: str) -> list[str]:
    *flags, lock = options
    return [
        *(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"),
        *("--require-hashes", *flags, "--requirement", lock),
    ]


def _install(lock: str, uv: str | None, *options: str, again: bool = False) -> None:
    """Install the packages of a lock file with uv, or else with pip.

    `again` uses no cache: uv links files to its cache, so that a damaged file is damaged there, too.
    """
    if uv is not None:
        repair = ("--reinstall", "--no-cache") if again else ()
        command = [uv, "pip", "install", "--python", str(PYTHON), "--require-hashes", *repair, *options, "-r", lock]
        if subprocess.run(command, cwd=ROOT, env=_uv_environment(), check=False).returncode == 0:
            _mark_current(lock)
            return
        print("uv could not install them; trying pip, which takes longer …", flush=True)
    repair = ("--force-reinstall", "--no-cache-dir") if again else ()
    bar = () if sys.stdout.isatty() else ("--progress-bar", "off")
    if subprocess.run(_pip(*repair, *bar, *options, lock), cwd=ROOT, check=False).returncode:
        raise InstallError(f"The Python packages of {lock} could not be installed. {_NETWORK_HINT}")
    _mark_current(lock)


# .venv/locks/ has the hash of every file that was installed from.


def _is_current(file: str, kind: str = "") -> bool:
    mark = ENVIRONMENT / "locks" / (file + kind)
    return mark.exists() and mark.read_text(encoding="ascii") == _digest(file)


def _mark_current(file: str, kind: str = "") -> None:
    if not PYTHON.exists():  # the page's scripts alone were installed
        return
    mark = ENVIRONMENT / "locks" / (file + kind)
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(_digest(file), encoding="ascii")


def _digest(file: str) -> str:
    return hashlib.sha256((ROOT / file).read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
