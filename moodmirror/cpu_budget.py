"""Limit the CPU time that one visitor and one address may use: requests of the same kind differ in cost a thousandfold.

Work is charged after it was done, when its cost is known. A client with time left may start work that takes more; the debt
delays the client's next work. The algorithm is virtual scheduling (the GCRA of ITU-T I.371): of each client only the time is
stored at which all that they have used will be regained.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from redis.exceptions import RedisError

from moodmirror.redis_connection import connect
from moodmirror.visitor_identity import address_key, visitor_id

# CPU seconds regained per second, and the most that can be saved up. A visitor gets half a core, all visitors of an address,
# such as a household's or an office's, a whole one. A page that reads a letter while it is typed uses a fifth of a core, and
# a clip of a minute takes 4 s.
VISITOR_RATE: Final = 0.5
ADDRESS_RATE: Final = 1.0
VISITOR_SECONDS: Final = 30.0
ADDRESS_SECONDS: Final = 60.0
MAX_DEBT_SECONDS: Final = 120.0  # nobody waits longer than a minute, even after work of hours or a jump of Redis's clock
REDIS_PAUSE_SECONDS: Final = 10.0  # after Redis failed, each process counts alone for so long
PRUNED_SIZE: Final = 1000  # stored clients from which on those who have regained everything are deleted

# KEYS: of a client. ARGV: seconds to add, the longest debt in seconds. Returns the seconds until all is regained, as text:
# Redis would round a number.
_ADD: Final = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local added = tonumber(ARGV[1])
local debt = math.min(math.max(tonumber(redis.call('GET', KEYS[1]) or 0) - now, 0) + added, tonumber(ARGV[2]))
if added > 0 then
  redis.call('SET', KEYS[1], string.format('%.3f', now + debt), 'EX', math.ceil(debt))
end
return string.format('%.3f', debt)
"""


class Client(NamedTuple):
    """Whose work is charged: a visitor's id, None for a program without a cookie, and the key of an address."""

    visitor: str | None
    address: str


def current_client() -> Client:
    """Return the client of the current request."""
    return Client(visitor_id(), address_key())


class BudgetSpentError(Exception):
    """A client has used its CPU time; the message says so, and `retry_after` when to try again, in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"You have sent more than the server can analyze for one visitor. Try again in {retry_after} s.")
        self.retry_after: Final = retry_after


class CpuMeter:
    """CPU time in seconds that some work used outside of its own thread, as in decoder processes."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        """Count CPU time."""
        self.seconds += seconds


class CpuBudget:
    """Counts the CPU time of each visitor and address; the processes of one site count together in Redis. Thread-safe."""

    def __init__(
        self, redis_url: str | None = None, *, enabled: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Count in Redis at `redis_url`, or in this process alone without it and while Redis is unavailable.

        Where `enabled` is false, nothing is counted or refused.
        """
        self._enabled = enabled
        self._clock = clock
        self._alone = _MemoryDebts(clock)
        self._together = _RedisDebts(redis_url) if redis_url else None
        self._retry_redis_at = -math.inf

    @contextmanager
    def charged(self, client: Client) -> Iterator[CpuMeter]:
        """Charge the CPU time that this thread uses inside, and what is added to the meter, to `client`.

        Work inside must stay in one thread. Raises BudgetSpentError before it starts if the client has no time left.
        """
        self.require(client)
        meter, started = CpuMeter(), time.thread_time()
        try:
            yield meter
        finally:
            self.charge(client, time.thread_time() - started + meter.seconds)

    def require(self, client: Client) -> None:
        """Raise BudgetSpentError if the client has no time left."""
        wait = self._seconds_to_wait(client, 0.0)
        if wait > 0:
            raise BudgetSpentError(math.ceil(wait))

    def charge(self, client: Client, seconds: float) -> None:
        """Count CPU time that was used."""
        self._seconds_to_wait(client, seconds)

    def _seconds_to_wait(self, client: Client, used: float) -> float:
        if not self._enabled:
            return 0.0
        waits = [self._debt(client.address, used / ADDRESS_RATE) - ADDRESS_SECONDS / ADDRESS_RATE]
        if client.visitor is not None:
            waits.append(self._debt(f"visitor {client.visitor}", used / VISITOR_RATE) - VISITOR_SECONDS / VISITOR_RATE)
        return max(waits)

    def _debt(self, key: str, added: float) -> float:
        if self._together is not None and self._clock() >= self._retry_redis_at:
            try:
                return self._together.add(key, added)
            except RedisError:
                self._retry_redis_at = self._clock() + REDIS_PAUSE_SECONDS
        return self._alone.add(key, added)


class _MemoryDebts:
    """The time, by client, at which all that was used will be regained."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._regained_at: dict[str, float] = {}

    def add(self, key: str, seconds: float) -> float:
        """Add to the time that a client needs to regain what was used; return it, in seconds."""
        with self._lock:
            now = self._clock()
            debt = min(max(self._regained_at.get(key, now) - now, 0.0) + seconds, MAX_DEBT_SECONDS)
            if seconds > 0:
                if len(self._regained_at) >= PRUNED_SIZE:
                    self._regained_at = {name: at for name, at in self._regained_at.items() if at > now}
                self._regained_at[key] = now + debt
            return debt


class _RedisDebts:
    """The same for all processes of one site, by Redis's clock."""

    def __init__(self, url: str) -> None:
        self._add = connect(url).register_script(_ADD)

    def add(self, key: str, seconds: float) -> float:
        """As :meth:`_MemoryDebts.add`. Raises RedisError if Redis is unavailable."""
        return float(self._add(keys=[f"mood_mirror:cpu:{key}"], args=[seconds, MAX_DEBT_SECONDS]))
