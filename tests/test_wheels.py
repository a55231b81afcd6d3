"""Every locked package has a wheel for every supported system: nobody needs a compiler. Asks the package index."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.services

SYSTEMS = ("x86_64-pc-windows-msvc", "aarch64-apple-darwin", "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
PYTHONS = ("3.11", "3.12", "3.13")
OLDEST_MACOS = "14.0"  # of PyAV's wheels


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("lock", ["requirements-serving.lock", "requirements-dev.lock", "requirements-text.lock"])
def test_every_package_has_a_wheel_with_a_locked_hash(lock, system, tmp_path, monkeypatch):
    monkeypatch.setenv("MACOSX_DEPLOYMENT_TARGET", OLDEST_MACOS)
    for python in PYTHONS:
        command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--quiet", "--require-hashes"]
        command += ["--only-binary", ":all:", "--python-platform", system, "--python-version", python, "--no-deps"]
        command += ["--target", str(tmp_path), "--requirement", lock]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"Python {python}: {done.stderr}"


def test_the_workflow_conforms_to_its_schema():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run(
        [*command, ".github/workflows/tests.yml"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout
