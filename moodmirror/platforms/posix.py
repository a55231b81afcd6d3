"""What Linux and macOS have in common."""

import os
import resource
from typing import Final

MAX_OPEN_FILES: Final = 32


def limit_resources(memory_bytes: int | None, cpu_seconds: int | None, niceness: int) -> None:
    """Limit address space and CPU time of this process (None: unlimited), its files and its priority."""
    limits = [
        (resource.RLIMIT_FSIZE, 0),  # bytes that any file may grow to
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]
    if memory_bytes is not None:
        limits.append((resource.RLIMIT_AS, memory_bytes))
    if cpu_seconds is not None:
        limits.append((resource.RLIMIT_CPU, cpu_seconds))
    for name, value in limits:
        _, hard_limit = resource.getrlimit(name)
        limit = value if hard_limit == resource.RLIM_INFINITY else min(value, hard_limit)
        resource.setrlimit(name, (limit, limit))
    os.nice(niceness)
