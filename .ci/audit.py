#!/usr/bin/env python3
"""Check every installed package against PyPI's and npm's advisory services. Run by `make lint`.

Exit status 1: a known vulnerability. If a service is unreachable, or has no data on a package, that is printed and is not a
failure, unless AUDIT=required: then every package must be audited.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
TIMEOUT_SECONDS = 300  # for each service


def run_json(command: list[str]) -> tuple[dict, str]:
    """Run a command and return its JSON output, empty if it has none, and the last line of its messages."""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS, env=environment)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, str(error)
    messages = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()
    try:
        return json.loads(done.stdout), messages[-1]
    except json.JSONDecodeError:
        return {}, messages[-1]


def audit_python() -> tuple[list[str], list[str], int]:
    """Return the vulnerabilities of the Python packages, what could not be audited, and the number of audited packages."""
    output, message = run_json([str(BIN / "pip-audit"), "--local", "--format", "json", "--progress-spinner", "off"])
    packages = output.get("dependencies", [])
    audited = [package for package in packages if "vulns" in package]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    vulnerabilities = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in: {', '.join(found['fix_versions']) or 'none'}"
        for package in audited
        for found in package["vulns"]
    ]
    if not packages:
        return [], [f"PyPI's advisories are unreachable: {message}"], 0
    if skipped:
        reason = f"PyPI's service has no data on {len(skipped)} packages: {', '.join(skipped[:5])} …"
        return vulnerabilities, [reason], len(audited)
    return vulnerabilities, [], len(audited)


def audit_npm() -> tuple[list[str], list[str], int]:
    """Return the same for the page's packages."""
    output, message = run_json([shutil.which("npm") or str(BIN / "npm"), "audit", "--json"])
    if "vulnerabilities" not in output:
        return [], [f"npm's advisories are unreachable: {output.get('message') or message}"], 0
    vulnerabilities = [
        f"{name}: {found['severity']} ({found['range']})" for name, found in output["vulnerabilities"].items()
    ]
    return vulnerabilities, [], output["metadata"]["dependencies"]["total"]


def main() -> int:
    """Audit both; return the exit status."""
    required = os.environ.get("AUDIT") == "required"
    vulnerable = incomplete = False
    for name, audit in (("Python", audit_python), ("npm", audit_npm)):
        vulnerabilities, not_audited, count = audit()
        for vulnerability in vulnerabilities:
            print(f"VULNERABLE: {vulnerability}")
        for reason in not_audited:
            print(f"NOT AUDITED: {reason}")
        if count:
            print(f"{name}: {count} packages audited, {len(vulnerabilities)} known vulnerabilities.")
        vulnerable |= bool(vulnerabilities)
        incomplete |= bool(not_audited)
    if vulnerable:
        print("Update the vulnerable packages: make lock LOCK=--upgrade, or package.json.", file=sys.stderr)
    if required and incomplete:
        print("AUDIT=required, and not every package was audited: try again where both services answer.", file=sys.stderr)
    return int(vulnerable or (required and incomplete))


if __name__ == "__main__":
    sys.exit(main())
