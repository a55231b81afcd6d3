"""Send the pings of all connections from one thread."""

import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any


class PingScheduler:
    """Sends each connection its next ping when it is due, from one thread.

    Engine.IO starts a thread for each ping, which sleeps until the ping is due even if its connection has ended meanwhile:
    a client that connects and disconnects in a loop would leave one thread behind each time.
    """

    def __init__(self, interval: float, send_ping: Callable[[Any], None]) -> None:
        """`interval` is the time before each ping in seconds; `send_ping` is called with a connection that is due."""
        self._interval = interval
        self._send_ping = send_ping
        self._lock = threading.Lock()
        self._started = False
        # All wait equally long, so they are due in the order in which they were scheduled.
        self._scheduled: queue.SimpleQueue[tuple[float, weakref.ref[Any]]] = queue.SimpleQueue()

    def schedule(self, connection: Any) -> None:
        """Schedule the next ping of a connection; the connection is referenced weakly."""
        self._scheduled.put((time.monotonic() + self._interval, weakref.ref(connection)))
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name="pings", daemon=True).start()

    def _run(self) -> None:
        while True:
            due, reference = self._scheduled.get()
            time.sleep(max(due - time.monotonic(), 0))
            connection = reference()
            if connection is not None:
                self._send_ping(connection)
            del connection  # else it would be referenced until the next ping is due
