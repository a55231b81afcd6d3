"""Who is served next when more comes in than the machine can read: each visitor in turn, and all of them less often."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

PLACES_USED: Final = 0.8  # share of the time that places may be busy: above it waiting grows without bound
ACTIVE_SECONDS: Final = 2.0  # who sent nothing for so long counts no more
SMOOTHING: Final = 0.05  # share of the newest turn in the mean: some twenty turns back


class _Ticket:
    def __init__(self) -> None:
        self.gate = threading.Lock()  # open once it is called; an Event would take several locks, with every frame
        self.gate.acquire()
        self.called_at = 0.0


class Turns:
    """So many places to work at, given in the order of asking, and how often each visitor may ask.

    A visitor asks for one turn at a time, so the order of asking serves everybody equally often. The pause between two turns
    of a visitor is what keeps the places just busy enough: nobody's frame waits in a queue and grows old.
    """

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._free = places
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._asked_at: dict[str, float] = {}
        self._pruned_at = clock()
        self._seconds = 0.0  # that a turn takes

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        with self._lock:
            return len(self._waiting)

    @contextmanager
    def turn(self, visitor: str) -> Iterator[None]:
        """Wait for a place, and hold it."""
        mine = None
        with self._lock:
            self._asked_at[visitor] = self._clock()
            if self._free:
                self._free -= 1
            else:
                mine = _Ticket()
                self._waiting.append(mine)
        if mine:
            mine.gate.acquire()
        # On a machine that is busy otherwise it may take long until whoever is called runs: that is part of their turn.
        began = mine.called_at if mine else self._clock()
        try:
            yield
        finally:
            now = self._clock()
            took = now - began
            with self._lock:
                self._seconds += SMOOTHING * (took - self._seconds)  # the first one opens the model: it counts little
                if self._waiting:
                    ticket = self._waiting.popleft()
                    ticket.called_at = now
                    ticket.gate.release()
                else:
                    self._free += 1

    def pause(self) -> float:
        """Seconds from one turn of a visitor to their next that all who are active can have."""
        with self._lock:
            now = self._clock()
            if now - self._pruned_at > ACTIVE_SECONDS / 4:
                self._pruned_at = now
                self._asked_at = {name: at for name, at in self._asked_at.items() if now - at <= ACTIVE_SECONDS}
            return len(self._asked_at) * self._seconds / (self._places * PLACES_USED)
