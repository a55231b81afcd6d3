"""Isolation of a decoder process, applied by the process itself before it reads anything untrusted.

A hostile file may take over the process that decodes it. Resource limits bound what it costs; on Linux, Landlock and seccomp
also take every file, socket and process from it. The rules are made by the server (:mod:`moodmirror.media.isolation_rules`),
because making them would take longer than decoding a photo.
"""

import ctypes
import os
import resource
from typing import Final

MAX_OPEN_FILES: Final = 32
LANDLOCK_VARIABLE: Final = "LANDLOCK_RULESET"  # the number of the file descriptor of the rules
SECCOMP_VARIABLE: Final = "SECCOMP_FILTER"  # the filter's instructions, in hexadecimal
FILTER_INSTRUCTION_BYTES: Final = 8

# Of the kernel's interface: linux/prctl.h, linux/seccomp.h, and the unified system call numbers.
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_LANDLOCK_RESTRICT_SELF: Final = 446


class _FilterProgram(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def isolate(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
    """Limit this process permanently: address space, CPU time (None: unlimited), priority, files, and system calls.

    Afterwards the process can read and write what it has open, use memory and threads, and end; it can open no file or
    socket and start no process. So everything that it needs must be imported before. Call it before a thread is started.
    Raises OSError if the kernel refuses rules that it supports.
    """
    _limit_resources(memory_bytes, cpu_seconds, niceness)
    ruleset, instructions = os.environ.get(LANDLOCK_VARIABLE), os.environ.get(SECCOMP_VARIABLE)
    if ruleset is None and instructions is None:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    if ruleset is not None:
        _check(libc.syscall(_LANDLOCK_RESTRICT_SELF, int(ruleset), 0))
        os.close(int(ruleset))
    if instructions is not None:
        content = bytes.fromhex(instructions)
        program = _FilterProgram(len(content) // FILTER_INSTRUCTION_BYTES, content)
        _check(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the decoder can't be isolated: {os.strerror(number)}")


def _limit_resources(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
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
