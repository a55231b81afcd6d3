"""Where the site's files are: at the top level of a checkout, or inside the installed package."""

from pathlib import Path
from typing import Final

import platformdirs

_PACKAGE: Final = Path(__file__).resolve().parent
_INSTALLED: Final = _PACKAGE / "site"  # where pyproject.toml puts them in a wheel
IS_INSTALLED: Final = _INSTALLED.is_dir()

ROOT: Final = _INSTALLED if IS_INSTALLED else _PACKAGE.parent
TEMPLATES_DIR: Final = ROOT / "templates"
STATIC_DIR: Final = ROOT / "static"
DATA_DIR: Final = ROOT / "data"
MODELS_DIR: Final = ROOT / "models"
CASCADES_DIR: Final = ROOT / "haarcascade"
# For stored data, unless INSTANCE names another folder: an installed package may be another user's, and is replaced.
INSTANCE_DIR: Final = platformdirs.user_data_path("mood-mirror", appauthor=False) if IS_INSTALLED else ROOT / "instance"
