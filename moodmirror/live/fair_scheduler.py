"""Who is served next when more comes in than the machine can read: each visitor in turn, and all of them less often."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

PLACES_USED: Final = 0.85  # share of the time that places may be busy: near 1 waiting grows without bound
ACTIVE_SECONDS: Final = 2.0  # who sent nothing for so long counts no more
SMOOTHING: Final = 0.05  # share of the newest turn in the mean: some twenty turns back

T = TypeVar("T")


class Turns:
    """So many places where work is done, in the order of asking, and how often each visitor may ask.

    A visitor asks for one turn at a time, so the order of asking serves everybody equally often. The pause between two turns
    of a visitor is what keeps the places just busy enough: nobody's frame waits in a queue and grows old.

    Each place is a thread, which goes from one visitor's work to the next's: were the place handed on between the visitors'
    own threads, it would stand empty until the next of them has woken up.
    """

    def __init__(self, places: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="place")
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._asked_at: dict[str, float] = {}
        self._pruned_at = clock()
        self._seconds = 0.0  # that a turn takes

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        with self._lock:
            return self._waiting

    def take(self, visitor: str, work: Callable[[], T]) -> T:
        """Have `work` done at the next free place, and return or raise what it does. Raises RuntimeError once closed."""
        with self._lock:  # so that who is counted as waiting has a place in the queue
            turn = self._threads.submit(copy_context().run, self._work, work)  # the log shall know for whom
            self._asked_at[visitor] = self._clock()
            self._waiting += 1
        return turn.result()

    def _work(self, work: Callable[[], T]) -> T:
        began = self._clock()
        with self._lock:
            self._waiting -= 1
        try:
            return work()
        finally:
            took = self._clock() - began
            with self._lock:
                self._seconds += SMOOTHING * (took - self._seconds)  # the first one opens the model: it counts little

    def pause(self) -> float:
        """Seconds from one turn of a visitor to their next that all who are active can have."""
        with self._lock:
            now = self._clock()
            if now - self._pruned_at > ACTIVE_SECONDS / 4:
                self._pruned_at = now
                self._asked_at = {name: at for name, at in self._asked_at.items() if now - at <= ACTIVE_SECONDS}
            return len(self._asked_at) * self._seconds / (self._places * PLACES_USED)

    def close(self) -> None:
        """Take no more work; what is being done is finished."""
        self._threads.shutdown(wait=False)
