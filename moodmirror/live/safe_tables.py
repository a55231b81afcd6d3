"""Visitors whose tables show only what comforts, from a statement of a crisis until they choose otherwise.

In memory only, and only as long as it protects: while a visitor's page is open, and for a while after it was closed, because
a reload or a lost connection must not bring bleak rows back. It is neither logged nor counted.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

KEPT_SECONDS: Final = 3600.0  # after the visitor's last page was closed


class SafeTables:
    """The visitors whose tables show only what comforts. Methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns monotonic seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._until: dict[str, float] = {}  # by visitor

    def set(self, visitor: str, *, on: bool) -> None:
        """Store for KEPT_SECONDS that a visitor's tables are safe, or delete that."""
        now = self._clock()
        with self._lock:
            self._until = {other: until for other, until in self._until.items() if until > now and other != visitor}
            if on:
                self._until[visitor] = now + KEPT_SECONDS

    def __contains__(self, visitor: str) -> bool:
        with self._lock:
            return self._until.get(visitor, 0.0) > self._clock()
