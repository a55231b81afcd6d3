"""Linux: Landlock and seccomp isolate decoder processes; Video4Linux lists and opens cameras.

The server makes the rules of isolation, because making them takes longer than decoding a photo; a decoder process applies
them to itself.
"""

import ctypes
import errno
import os
from functools import cache
from pathlib import Path
from typing import Final

from moodmirror.platforms.isolation_rules import ENVIRONMENT, IsolationRules
from moodmirror.platforms.posix import limit_resources

CAMERA_BACKENDS: Final = ("CAP_V4L2",)
CAMERA_PERMISSION: Final = ""

LANDLOCK_VARIABLE: Final = "LANDLOCK_RULESET"  # the number of the file descriptor of the rules
SECCOMP_VARIABLE: Final = "SECCOMP_FILTER"  # the filter's instructions, in hexadecimal
FILTER_INSTRUCTION_BYTES: Final = 8

# Of the kernel's interface: linux/prctl.h, linux/seccomp.h, and the unified system call numbers.
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_LANDLOCK_RESTRICT_SELF: Final = 446

# What decoding needs: open pipes, memory, threads, clocks and an end.
_ALLOWED_CALLS: Final = (
    "read", "readv", "write", "writev", "lseek", "close", "fstat",
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


class _FilterProgram(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def isolate(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
    """Limit this process permanently: address space, CPU time, priority, files, and system calls.

    Afterwards the process can read and write what it has open, use memory and threads, and end; it can open no file or
    socket and start no process.
    """
    limit_resources(memory_bytes, cpu_seconds, niceness)
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


@cache
def isolation_rules() -> IsolationRules:
    """Return the rules for this machine; `missing` names what its kernel or its libraries lack."""
    environment, file_descriptors, missing = dict(ENVIRONMENT), [], []
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
    # In its own session, so that Ctrl-C in the server's terminal does not reach it.
    options = {"pass_fds": tuple(file_descriptors), "start_new_session": True}
    return IsolationRules(environment, options, tuple(missing))


def _landlock_ruleset() -> int | None:
    """Return a file descriptor of rules that allow no file, port, signal or socket at all; None without Landlock."""
    import landlockpy  # noqa: PLC0415  # decoders don't need it

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


def protect_memory() -> None:
    """Keep other processes of the same user from reading this process's memory and environment.

    Its children by fork are protected, too, but not the programs that it starts.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def webcam_indices() -> list[int]:
    """Return the numbers of the webcams that Linux lists."""
    numbers = (device.name.removeprefix("video") for device in Path("/dev").glob("video*"))
    return sorted(int(number) for number in numbers if number.isdigit())


def has_webcam(index: int) -> bool:
    """Return whether Linux lists a webcam."""
    return Path(f"/dev/video{index}").exists()
