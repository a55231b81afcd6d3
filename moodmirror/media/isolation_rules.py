"""The rules by which decoder processes are isolated (:mod:`moodmirror.media.isolation`), made once per server process."""

import errno
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from moodmirror.media.isolation import LANDLOCK_VARIABLE, SECCOMP_VARIABLE

# None of the server's environment, which holds secrets; one thread for numerical libraries, which decoding does not use.
_ENVIRONMENT: Final = {
    "PATH": os.defpath,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# What decoding needs: open pipes and sockets, memory, threads, clocks and an end.
_ALLOWED_CALLS: Final = (
    "read", "readv", "write", "writev", "recvfrom", "recvmsg", "sendto", "sendmsg", "lseek", "close", "fstat",
    "poll", "ppoll",
    "brk", "munmap", "mremap", "madvise", "membarrier",
    "futex", "set_robust_list", "rseq", "sched_yield", "sched_getaffinity", "gettid", "getpid",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigaltstack", "restart_syscall",
    "clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "nanosleep", "getrusage", "getrandom", "sysinfo",
    "exit", "exit_group",
)  # fmt: skip
_PROT_EXEC: Final = 0x4  # of mman.h
_CLONE_THREAD: Final = 0x10000  # of sched.h
_PR_SET_NAME: Final = 15  # of prctl.h: threads name themselves


@dataclass(frozen=True)
class IsolationRules:
    """How to start a decoder process: its `environment`, the `file_descriptors` to pass on, and `missing` protections."""

    environment: Mapping[str, str]
    file_descriptors: tuple[int, ...] = ()
    missing: tuple[str, ...] = field(default=())


@cache
def isolation_rules() -> IsolationRules:
    """Return the rules for this machine; `missing` names what its kernel or its libraries lack."""
    if sys.platform != "linux":
        return IsolationRules(_ENVIRONMENT, missing=("Landlock and seccomp, which only Linux has",))
    environment, file_descriptors, missing = dict(_ENVIRONMENT), [], []
    ruleset = _landlock_ruleset()
    if ruleset is None:
        missing.append("Landlock (Linux 5.13, and landlock among the kernel's security modules)")
    else:
        environment[LANDLOCK_VARIABLE] = str(ruleset)
        file_descriptors.append(ruleset)
    seccomp_filter = _seccomp_filter()
    if seccomp_filter is None:
        missing.append("seccomp (the library libseccomp2, and CONFIG_SECCOMP_FILTER in the kernel)")
    else:
        environment[SECCOMP_VARIABLE] = seccomp_filter.hex()
    return IsolationRules(environment, tuple(file_descriptors), tuple(missing))


def _landlock_ruleset() -> int | None:
    """Return a file descriptor of rules that allow no file, port, signal or socket at all; None without Landlock."""
    import landlockpy  # noqa: PLC0415  # only Linux has it

    try:
        rules = landlockpy.Ruleset(scoped=landlockpy.Scope.SIGNAL | landlockpy.Scope.ABSTRACT_UNIX_SOCKET)
    except (landlockpy.LandlockError, OSError):
        return None
    with rules:
        return os.dup(rules.fileno())


def _seccomp_filter() -> bytes | None:
    """Return the instructions of a filter that allows the calls of decoding; None without libseccomp or seccomp."""
    try:
        import pyseccomp as seccomp  # noqa: PLC0415  # it raises without its library
    except (ImportError, OSError, RuntimeError):
        return None
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in _ALLOWED_CALLS:
        if seccomp.resolve_syscall(seccomp.system_arch(), name) >= 0:  # some architectures lack some
            rules.add_rule(seccomp.ALLOW, name)
    for name in ("mmap", "mprotect"):
        rules.add_rule(seccomp.ALLOW, name, seccomp.Arg(2, seccomp.MASKED_EQ, _PROT_EXEC, 0))
    rules.add_rule(seccomp.ALLOW, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, _CLONE_THREAD, _CLONE_THREAD))
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")  # its flags can't be inspected; the C library then uses clone
    rules.add_rule(seccomp.ALLOW, "prctl", seccomp.Arg(0, seccomp.EQ, _PR_SET_NAME))
    descriptor = os.memfd_create("seccomp")
    with os.fdopen(descriptor, "w+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
