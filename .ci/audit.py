#!/usr/bin/env python3
"""Ask PyPI's and npm's advisory services about every installed package. Run by `make lint`.

Exit status 1: a known vulnerability. Where a service can't be asked, or knows nothing of what it is asked, that is said and
is no failure, unless AUDIT=required: then nothing may stay unasked.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
SECONDS = 300  # for each service


def answer_of(command: list[str]) -> tuple[dict, str]:
    """The JSON that a command prints, and its last words where that is none."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, str(error)
    said = (done.stderr.strip() or done.stdout.strip() or "no answer").splitlines()
    try:
        return json.loads(done.stdout), said[-1]
    except json.JSONDecodeError:
        return {}, said[-1]


def audit_python() -> tuple[list[str], list[str], int]:
    """Vulnerabilities of the Python packages, what could not be asked, and how many were asked about."""
    answer, words = answer_of([str(BIN / "pip-audit"), "--local", "--format", "json", "--progress-spinner", "off"])
    packages = answer.get("dependencies", [])
    asked = [package for package in packages if "vulns" in package]
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    problems = [
        f"{package['name']} {package['version']}: {found['id']}, mended in: {', '.join(found['fix_versions']) or 'none'}"
        for package in asked
        for found in package["vulns"]
    ]
    if not packages:
        return [], [f"PyPI's advisories can't be asked: {words}"], 0
    if unasked:
        return problems, [f"PyPI's service knows nothing of {len(unasked)} packages: {', '.join(unasked[:5])} …"], len(asked)
    return problems, [], len(asked)


def audit_npm() -> tuple[list[str], list[str], int]:
    """Likewise of the page's packages."""
    answer, words = answer_of([shutil.which("npm") or str(BIN / "npm"), "audit", "--json"])
    if "vulnerabilities" not in answer:
        return [], [f"npm's advisories can't be asked: {answer.get('message') or words}"], 0
    problems = [f"{name}: {found['severity']} ({found['range']})" for name, found in answer["vulnerabilities"].items()]
    return problems, [], answer["metadata"]["dependencies"]["total"]


def main() -> int:
    """Audit both; returns the exit status."""
    required = os.environ.get("AUDIT") == "required"
    failed = False
    for name, audit in (("Python", audit_python), ("npm", audit_npm)):
        problems, unasked, count = audit()
        for problem in problems:
            print(f"VULNERABLE: {problem}")
        for reason in unasked:
            print(f"NOT AUDITED: {reason}")
        print(f"{name}: {count} packages audited, {len(problems)} known vulnerabilities.")
        failed |= bool(problems) or (required and bool(unasked))
    if failed:
        print("Update what is vulnerable, in requirements*.txt or package.json.", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
