"""A pytest plugin that makes this program believe that it runs on another system: `make test-platforms`.

    AS_PLATFORM=win32 python -m pytest -p tests.other_platform -m "unit and not training"

Other packages are imported first, as what they are here. Then the modules that only POSIX systems have can't be imported any
more, `select` has only what Windows' has, and `sys.platform` is the other one, while the program and its tests are imported.
"""

import importlib
import os
import select
import selectors
import subprocess
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pytest
import soundfile

PLATFORM: Final = os.environ["AS_PLATFORM"]  # win32 or darwin
POSIX_ONLY: Final = (
    *("fcntl", "grp", "nis", "ossaudiodev", "pty", "pwd", "readline", "resource", "spwd", "syslog", "termios", "tty"),
)
LINUX_ONLY: Final = ("landlockpy", "pyseccomp")
ABSENT: Final = {
    "win32": (*POSIX_ONLY, *LINUX_ONLY, "gunicorn"),
    "darwin": ("ossaudiodev", "spwd", *LINUX_ONLY),
}[PLATFORM]
ABSENT_IN_SELECT: Final = {"win32": ("poll", "epoll"), "darwin": ("epoll",)}[PLATFORM]
# Packages that look at the system when they are imported, or that import what is blocked.
IMPORTED_FIRST: Final = (
    "PIL.ImageOps", "_pytest.tmpdir", "ai_edge_litert.interpreter", "alembic.command", "asyncio", "av", "babel",
    "click._termui_impl", "click.testing", "concurrent.futures", "cv2", "email.message", "flask.cli", "flask_limiter",
    "flask_openapi3", "flask_socketio", "getpass", "h11", "html", "hypothesis", "importlib.resources", "joblib",
    "librosa.feature", "limits.storage", "matplotlib.pyplot", "multiprocessing.connection", "numpy", "pandas",
    "pillow_heif", "platformdirs", "prometheus_client", "psutil", "psycopg", "py3langid", "pydantic", "redis",
    "requests", "scipy.optimize", "scipy.sparse", "selectors", "simple_websocket", "skimage.data", "sklearn.metrics",
    "socketio", "soxr", "spotipy", "sqlalchemy.orm", "sqlite3", "subprocess", "tempfile", "threadpoolctl", "tokenizers",
    "unittest.mock", "urllib.request", "venv", "webbrowser", "werkzeug.serving", "wsproto", "xml.etree.ElementTree",
    "yaml", "zipfile",
)  # fmt: skip


class _Absent:
    """Finds the modules of other systems, to say that they are missing."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"{name} does not exist on {PLATFORM}", name=name)
        return None


class _Popen(subprocess.Popen[Any]):
    """Starts programs as this system can, whatever is asked of Windows."""

    def __init__(self, *arguments: Any, creationflags: int = 0, **options: Any) -> None:
        super().__init__(*arguments, **options)


@pytest.hookimpl(wrapper=True, trylast=True)  # after pytest itself has looked at the system
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Become the other system before anything of this program is imported."""
    if getattr(early_config.known_args_namespace, "numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)  # this process only distributes the tests
    for name in IMPORTED_FIRST:
        importlib.import_module(name)
    soundfile._sys = SimpleNamespace(**vars(sys))  # it looks at each call
    webbrowser.register_standard_browsers()  # it looks at the first call
    for name in [name for name in sys.modules if name.partition(".")[0] in ABSENT]:
        del sys.modules[name]
    for name in ABSENT_IN_SELECT:
        delattr(select, name)
    if PLATFORM == "win32":
        del selectors.PollSelector
    sys.meta_path.insert(0, _Absent)
    vars(subprocess)["Popen"] = _Popen
    sys.platform = PLATFORM
    return (yield)
