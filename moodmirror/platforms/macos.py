"""macOS: resource limits, and AVFoundation for cameras."""

import os
import resource
import signal
import threading
import time
from functools import cache
from typing import Final

from moodmirror.platforms.isolation_rules import ENVIRONMENT, IsolationRules
from moodmirror.platforms.posix import limit_resources

CAMERA_BACKENDS: Final = ("CAP_AVFOUNDATION",)
CAMERA_PERMISSION: Final = (
    "macOS: allow the terminal to use the camera in System Settings, Privacy & Security, Camera; then start it again."
)
_MEMORY_INTERVAL_SECONDS: Final = 0.02  # decoding takes a gigabyte in a few tenths of a second
_MAX_WEBCAMS: Final = 3  # numbers to try: macOS lists none


def isolate(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
    """Limit this process permanently: memory, CPU time, priority and files."""
    limit_resources(None, cpu_seconds, niceness)
    threading.Thread(target=_limit_memory, args=(memory_bytes,), name="memory-limit", daemon=True).start()


def _limit_memory(most: int) -> None:
    """End this process when it has taken `most` more bytes of memory: macOS refuses limits of address space."""
    # A new process may start with its parent's maximum. In bytes, unlike on Linux.
    limit = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + most
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss <= limit:
        time.sleep(_MEMORY_INTERVAL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


@cache
def isolation_rules() -> IsolationRules:
    """Return the rules for this machine."""
    missing = ("isolation from files and the network, which this program uses on Linux only",)
    # In its own session, so that Ctrl-C in the server's terminal does not reach it.
    return IsolationRules(ENVIRONMENT, {"start_new_session": True}, missing)


def protect_memory() -> None:
    """Do nothing: macOS lets only root and signed debuggers read another process's memory."""


def webcam_indices() -> list[int]:
    """Return the numbers of webcams worth trying: opening one is the only test."""
    return list(range(_MAX_WEBCAMS))


def has_webcam(index: int) -> bool:  # macOS lists none
    """Return whether the system lists a webcam."""
    return False
