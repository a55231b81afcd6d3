#!/usr/bin/env python3
"""Write the lock files: the versions and hashes of everything that requirements*.txt allow. Run by `make lock`.

    python tools/lock.py              keep the locked versions that the ranges still allow
    python tools/lock.py --upgrade    the newest versions

Each lock holds for Linux, macOS and Windows and for every Python from 3.11 on. All have the same versions, so that the
packages for training and for development can be added to those for serving.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
OLDEST_PYTHON: Final = "3.11"
# By lock file: the ranges, and options. The first has the most packages and determines the versions of the others.
LOCKS: Final[dict[str, tuple[str, ...]]] = {
    "requirements-dev.lock": ("requirements.txt", "requirements-dev.txt", "requirements-docs.txt"),
    "requirements-training.lock": ("requirements.txt",),
    "requirements-serving.lock": ("requirements-serving.txt",),
    "requirements-text.lock": ("requirements-text.txt", "--no-deps"),
    "requirements-node.lock": ("requirements-node.txt",),
    "requirements-uv.lock": ("requirements-uv.txt",),
    "requirements-peers.lock": ("requirements-peers.txt",),
    "requirements-fer.lock": ("requirements-fer.txt", "--no-deps"),
}
CONSTRAINED: Final = ("requirements-training.lock", "requirements-serving.lock", "requirements-text.lock")


def main() -> None:
    """Write all lock files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        sys.exit("uv is missing: run tools/install.py development")
    first = next(iter(LOCKS))
    for lock, inputs in LOCKS.items():
        command = [uv, "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--python-version", OLDEST_PYTHON]
        command += ["--no-emit-index-url", "--no-emit-find-links", "--no-annotate", "--custom-compile-command", "make lock"]
        command += ["--upgrade"] if arguments.upgrade and lock not in CONSTRAINED else []
        command += ["--constraint", first] if lock in CONSTRAINED else []
        print(f"{lock} …", flush=True)
        done = subprocess.run([*command, *inputs, "--output-file", lock], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(f"{lock} was not written.")


if __name__ == "__main__":
    main()
