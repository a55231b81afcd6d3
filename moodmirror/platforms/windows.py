"""Windows: job objects (pywin32) limit decoder processes; Media Foundation and DirectShow open cameras."""

import os
from functools import cache
from typing import Final

from moodmirror.platforms.isolation_rules import ENVIRONMENT, IsolationRules

CAMERA_BACKENDS: Final = ("CAP_DSHOW", "CAP_MSMF")  # DirectShow opens within a second, Media Foundation knows more cameras
CAMERA_PERMISSION: Final = (
    "Windows: allow desktop apps to use the camera in Settings, Privacy & security, Camera; then start the site again."
)
_MAX_WEBCAMS: Final = 3  # numbers to try: OpenCV has no list
_CREATE_NEW_PROCESS_GROUP: Final = 0x200  # of winbase.h: Ctrl-C in the server's window does not reach it
_CREATE_NO_WINDOW: Final = 0x08000000
_TICKS_PER_SECOND: Final = 10_000_000  # of job objects, 100 ns each


def isolate(memory_bytes: int, cpu_seconds: int | None, niceness: int) -> None:
    """Limit this process permanently: memory, CPU time, priority, and that it starts no process."""
    import win32api  # noqa: PLC0415  # only Windows has them
    import win32job  # noqa: PLC0415
    import win32process  # noqa: PLC0415

    job = win32job.CreateJobObject(None, "")
    limits = win32job.QueryInformationJobObject(job, win32job.JobObjectExtendedLimitInformation)
    flags = win32job.JOB_OBJECT_LIMIT_PROCESS_MEMORY | win32job.JOB_OBJECT_LIMIT_ACTIVE_PROCESS
    limits["ProcessMemoryLimit"] = memory_bytes
    limits["BasicLimitInformation"]["ActiveProcessLimit"] = 1
    if cpu_seconds is not None:
        flags |= win32job.JOB_OBJECT_LIMIT_PROCESS_TIME
        limits["BasicLimitInformation"]["PerProcessUserTimeLimit"] = cpu_seconds * _TICKS_PER_SECOND
    limits["BasicLimitInformation"]["LimitFlags"] = flags
    win32job.SetInformationJobObject(job, win32job.JobObjectExtendedLimitInformation, limits)
    win32job.AssignProcessToJobObject(job, win32api.GetCurrentProcess())
    if niceness > 0:
        win32process.SetPriorityClass(win32api.GetCurrentProcess(), win32process.BELOW_NORMAL_PRIORITY_CLASS)


@cache
def isolation_rules() -> IsolationRules:
    """Return the rules for this machine."""
    environment = {**ENVIRONMENT, "SYSTEMROOT": os.environ.get("SYSTEMROOT", r"C:\Windows")}  # Python needs it to start
    options = {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW}
    missing = ("isolation from files and the network, which this program uses on Linux only",)
    return IsolationRules(environment, options, missing)


def protect_memory() -> None:
    """Do nothing: Windows gives a user's processes access to each other."""


def webcam_indices() -> list[int]:
    """Return the numbers of webcams worth trying: opening one is the only test."""
    return list(range(_MAX_WEBCAMS))


def has_webcam(index: int) -> bool:  # OpenCV has no list
    """Return whether the system lists a webcam."""
    return False
