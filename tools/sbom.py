#!/usr/bin/env python3
"""Write what a site consists of as a CycloneDX 1.6 document: Python packages, page scripts and models. Run by `make sbom`.

    python tools/sbom.py sbom.json

The Python packages are those of requirements-serving.lock that are installed on this system, with their licenses; the page
scripts those of package-lock.json, with their hashes; the models those of models/manifest.json, with theirs.
"""

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
SPECIFICATION: Final = "1.6"
MODEL_LICENSE: Final = {"license": {"name": "see MODEL_LICENSE.md"}}
Component = dict[str, Any]


def main() -> None:
    """Write the document to the path of the first argument."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    components = [*python_packages(), *page_scripts(), *models()]
    document = {
        "$schema": f"http://cyclonedx.org/schema/bom-{SPECIFICATION}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": SPECIFICATION,
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "mood-mirror", "bom-ref": "mood-mirror"}},
        "components": sorted(components, key=lambda component: str(component["bom-ref"])),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        sys.exit(f"The document does not conform to CycloneDX {SPECIFICATION}: {error}")
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
    print(f"{len(components)} components are listed in {sys.argv[1]}.")


def python_packages() -> list[Component]:
    """Return the installed packages of requirements-serving.lock."""
    lines = (ROOT / "requirements-serving.lock").read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line.rstrip("\\ ")) for line in lines if line[:1].isalnum()]
    wanted = {
        (canonicalize_name(each.name), next(iter(each.specifier)).version)
        for each in locked
        if each.marker is None or each.marker.evaluate()
    }
    command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-format", "JSON", "--sv", SPECIFICATION]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)["components"]
    installed = {(canonicalize_name(each["name"]), each["version"]): each for each in found}
    if missing := sorted(wanted - installed.keys()):
        names = ", ".join(f"{name} {version}" for name, version in missing)
        sys.exit(f"Not installed as locked: {names}. Run: python3 tools/install.py development")
    kept = ("type", "name", "version", "description", "licenses", "purl", "externalReferences")
    return [
        {key: installed[package][key] for key in kept if key in installed[package]}
        | {"bom-ref": f"pypi/{'@'.join(package)}"}
        for package in wanted
    ]


def page_scripts() -> list[Component]:
    """Return the npm packages that pages load."""
    locked = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return [
        {
            "type": "library",
            "name": (name := path.rpartition("node_modules/")[2]),
            "version": package["version"],
            "bom-ref": f"npm/{name}@{package['version']}",
            "purl": f"pkg:npm/{quote(name)}@{package['version']}",
            "licenses": [{"expression": package["license"]}] if "license" in package else [],
            "hashes": [{"alg": "SHA-512", "content": base64.b64decode(package["integrity"].removeprefix("sha512-")).hex()}],
        }
        for path, package in locked.items()
        if path and not package.get("dev")
    ]


def models() -> list[Component]:
    """Return the models that are served."""
    manifest = json.loads((ROOT / "models" / "manifest.json").read_text(encoding="utf-8"))
    return [
        {
            "type": "machine-learning-model",
            "name": name,
            "bom-ref": f"models/{name}",
            "hashes": [{"alg": "SHA-256", "content": entry["sha256"]}],
            "licenses": [MODEL_LICENSE],
        }
        for name, entry in manifest.items()
    ]


if __name__ == "__main__":
    main()
