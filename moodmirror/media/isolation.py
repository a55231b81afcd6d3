"""What a process may still do that decodes what somebody sent: it may be made to do harm."""

import os
import resource
from typing import Final

OPEN_FILES: Final = 32


def limit_resources(memory_bytes: int, cpu_seconds: int | None, politeness: int) -> None:
    """Give this process so much address space and CPU time, no end of it if None, and no file to write, for good."""
    limits = [
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),  # no file can be written, not even by a decoder that wants to
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ]
    if cpu_seconds is not None:
        limits.append((resource.RLIMIT_CPU, cpu_seconds))
    for limit, most in limits:
        _, allowed = resource.getrlimit(limit)
        wanted = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(limit, (wanted, wanted))
    os.nice(politeness)
