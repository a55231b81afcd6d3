"""Deployment files: what the image contains, compose.yaml, nginx's configuration."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.cluster import nginx_configuration
from tests.conftest import ROOT, need_program
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


def load_yaml(text: str) -> Any:
    """Load a YAML document; raise ValueError where a mapping has a key twice, which PyYAML itself accepts."""

    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            if duplicates := {key for key in keys if keys.count(key) > 1}:
                raise ValueError(f"line {node.start_mark.line + 1}: duplicate keys {sorted(duplicates)}")
            for _, value in node.value:
                check(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                check(value)

    if root := yaml.compose(text, Loader=yaml.SafeLoader):
        check(root)
    return yaml.safe_load(text)


def compose() -> dict[str, Any]:
    services: dict[str, Any] = load_yaml((ROOT / "compose.yaml").read_text())
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


def test_compose_accepts_the_file():
    version = subprocess.run(
        [need_program("docker-compose"), "version", "--short"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.removeprefix("v")
    text = (ROOT / "compose.yaml").read_text()
    if version.startswith("1."):  # Debian 12's; it does not support the key `name`
        text = re.sub(r"^name:.*\n", "", text, flags=re.MULTILINE)
    done = subprocess.run(
        ["docker-compose", "--file", "-", "--project-directory", str(ROOT), "--profile", "camera", "config"],
        input=text,
        env={**os.environ, "SECRET_KEY": "0" * 64, "POSTGRES_PASSWORD": "0" * 32},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert set(load_yaml(done.stdout)["services"]) == set(compose()["services"])


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
