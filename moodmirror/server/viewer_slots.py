"""The places of the viewers of the server's camera, shared fairly by their addresses."""

import threading
from collections import Counter
from collections.abc import Callable


class ViewerSlots:
    """Limits the number of simultaneous viewers.

    While all places are taken, an address takes one from the address that has the most, if that has at least two more: a
    client that opens many streams leaves room for others, and a single viewer is never disconnected. Thread-safe.
    """

    def __init__(self, count: int) -> None:
        """Allow `count` viewers."""
        self._count = count
        self._lock = threading.Lock()
        self._viewers: dict[object, tuple[str, Callable[[], None]]] = {}  # address and `end` of each, the oldest first

    def acquire(self, address: str, end: Callable[[], None]) -> Callable[[], None] | None:
        """Take a place; return the function that releases it, or None if no place is free.

        `end` must end the viewer's stream: it is called, from another thread, if another address takes the place.
        """
        viewer, end_other = object(), None
        with self._lock:
            if len(self._viewers) >= self._count:
                taken = Counter(other for other, _ in self._viewers.values())
                most, number = taken.most_common(1)[0]
                if number < taken[address] + 2:
                    return None
                newest = next(key for key in reversed(self._viewers) if self._viewers[key][0] == most)
                end_other = self._viewers.pop(newest)[1]
            self._viewers[viewer] = (address, end)
        if end_other:
            end_other()
        return lambda: self._release(viewer)

    def _release(self, viewer: object) -> None:
        with self._lock:
            self._viewers.pop(viewer, None)
