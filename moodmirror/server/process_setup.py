"""Settings of libraries that hold for a whole server process."""

import cv2
from threadpoolctl import threadpool_limits


def limit_library_threads() -> None:
    """Make OpenCV and BLAS use one thread each.

    Visitors are served side by side, a core for each: within one visitor's frame, further threads would mostly wait.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")
