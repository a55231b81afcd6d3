"""What differs between operating systems: a module for each, with the same names, of which this package takes one.

isolate(memory_bytes, cpu_seconds, niceness)
    Limit the process of a decoder permanently, called by itself before it reads anything untrusted: memory, CPU time in
    seconds (None: unlimited), priority, and what else the system can take from it. So everything that it needs must be
    imported before, and no thread be started. Raises OSError if the system refuses.
isolation_rules()
    Return how to start such a process, and which protections this machine lacks.
protect_memory()
    Keep other processes of the same user from reading this process's memory and environment, where the system can.
CAMERA_BACKENDS
    The names of OpenCV's backends for webcams, in the order in which to try them.
webcam_indices()
    Return the numbers of webcams worth trying.
has_webcam(index)
    Return whether the system lists that webcam; without a list, False.
CAMERA_PERMISSION
    Where the system lets programs use the camera, as a sentence; empty where it asks no permission.
"""

import sys

if sys.platform == "linux":
    from moodmirror.platforms.linux import (
        CAMERA_BACKENDS,
        CAMERA_PERMISSION,
        has_webcam,
        isolate,
        isolation_rules,
        protect_memory,
        webcam_indices,
    )
elif sys.platform == "darwin":
    from moodmirror.platforms.macos import (
        CAMERA_BACKENDS,
        CAMERA_PERMISSION,
        has_webcam,
        isolate,
        isolation_rules,
        protect_memory,
        webcam_indices,
    )
elif sys.platform == "win32":
    from moodmirror.platforms.windows import (
        CAMERA_BACKENDS,
        CAMERA_PERMISSION,
        has_webcam,
        isolate,
        isolation_rules,
        protect_memory,
        webcam_indices,
    )
else:
    raise ImportError(f"Mood Mirror runs on Linux, macOS and Windows, not on {sys.platform}")

__all__ = [
    "CAMERA_BACKENDS",
    "CAMERA_PERMISSION",
    "has_webcam",
    "isolate",
    "isolation_rules",
    "protect_memory",
    "webcam_indices",
]
