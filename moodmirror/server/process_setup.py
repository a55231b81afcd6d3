"""Settings that apply to a whole server process."""

import cv2
from threadpoolctl import threadpool_limits


def limit_library_threads() -> None:
    """Make OpenCV and BLAS use one thread each.

    Visitors are served in parallel, one core each; further threads for one visitor's frame would mostly wait.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")
