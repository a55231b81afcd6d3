"""Settings that apply to a whole server process."""

import ctypes
import os
import sys
from typing import Final

import cv2
from threadpoolctl import threadpool_limits

_PR_SET_DUMPABLE: Final = 4  # of linux/prctl.h


def protect_memory() -> None:
    """Keep other processes of the same user from reading this process's memory and environment, where Linux can.

    Its children by fork are protected, too, but not the programs that it starts.
    """
    if sys.platform == "linux" and ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def limit_library_threads() -> None:
    """Make OpenCV and BLAS use one thread each.

    Visitors are served in parallel, one core each; further threads for one visitor's frame would mostly wait.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")
