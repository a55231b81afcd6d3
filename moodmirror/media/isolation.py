"""Isolation of decoder processes: an environment without secrets, and limits on memory, CPU time and files.

A hostile file may take over the process that decodes it.
"""

import os
import resource
from typing import Final

MAX_OPEN_FILES: Final = 32
# None of the server's environment, which holds secrets; one thread for numerical libraries, which decoding does not use.
ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def limit_resources(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
    """Limit this process permanently: address space, CPU time (None: unlimited), priority, and no writable file."""
    limits = [
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),  # bytes that any file may grow to
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]
    if cpu_seconds is not None:
        limits.append((resource.RLIMIT_CPU, cpu_seconds))
    for name, value in limits:
        _, hard_limit = resource.getrlimit(name)
        limit = value if hard_limit == resource.RLIM_INFINITY else min(value, hard_limit)
        resource.setrlimit(name, (limit, limit))
    os.nice(niceness)
