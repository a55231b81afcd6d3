"""Fair scheduling of inference when the server is overloaded: first in, first out, with a pause that all clients keep."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

MAX_UTILIZATION: Final = 0.85  # share of the time that workers may be busy: near 1, waiting times grow without bound
ACTIVE_SECONDS: Final = 2.0  # a client that submitted nothing for this long no longer counts
SMOOTHING: Final = 0.05  # weight of the newest job in the mean duration: it averages some twenty jobs

T = TypeVar("T")


class FairScheduler:
    """A fixed number of workers that run jobs in the order of submission, and the pause clients must keep between two jobs.

    Each client submits one job at a time, so first in, first out serves all clients equally often. The pause keeps the
    workers just busy enough: no client's frame waits in the queue and grows old.

    Each worker is a thread, which goes from one client's job to the next. If clients' own threads handed a slot to each
    other instead, it would stay empty until the next thread has woken up.

    Long jobs, of a hundred times a frame's duration, have one worker of their own: clients who send nothing else must not
    make everybody's frames wait.
    """

    def __init__(self, workers: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._workers = workers
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="inference")
        self._long_executor = ThreadPoolExecutor(1, thread_name_prefix="long-inference")
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._submitted_at: dict[str, float] = {}  # by client
        self._pruned_at = clock()
        self._mean_seconds = 0.0  # of a job that is not long

    @property
    def waiting(self) -> int:
        """The number of jobs that wait for a worker."""
        with self._lock:
            return self._waiting

    def run(self, client: str, job: Callable[[], T], *, is_long: bool = False) -> T:
        """Run `job` on the next free worker; return its result or raise its exception.

        Raises RuntimeError after :meth:`close`.
        """
        with self._lock:  # a job that is counted as waiting is in the queue
            # The context holds the connection that log records of the job name.
            executor = self._long_executor if is_long else self._executor
            future = executor.submit(copy_context().run, self._execute, job, is_long)
            self._submitted_at[client] = self._clock()
            self._waiting += 1
        return future.result()

    def _execute(self, job: Callable[[], T], is_long: bool) -> T:
        started = self._clock()
        with self._lock:
            self._waiting -= 1
        try:
            return job()
        finally:
            duration = self._clock() - started
            if not is_long:
                with self._lock:  # the first job loads the model: it counts little
                    self._mean_seconds += SMOOTHING * (duration - self._mean_seconds)

    def pause(self) -> float:
        """Return the seconds that each client must leave between two jobs so that all active clients can be served."""
        with self._lock:
            now = self._clock()
            if now - self._pruned_at > ACTIVE_SECONDS / 4:
                self._pruned_at = now
                self._submitted_at = {name: at for name, at in self._submitted_at.items() if now - at <= ACTIVE_SECONDS}
            return len(self._submitted_at) * self._mean_seconds / (self._workers * MAX_UTILIZATION)

    def close(self) -> None:
        """Reject further jobs; running jobs are finished."""
        self._executor.shutdown(wait=False)
        self._long_executor.shutdown(wait=False)
