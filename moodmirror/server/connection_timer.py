"""Call a function once for each connection after a fixed delay, from one thread."""

import queue
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any


class ConnectionTimer:
    """Calls a function with each scheduled connection after a delay, from one thread.

    Engine.IO starts a thread for each ping, which sleeps until the ping is due even if its connection has ended meanwhile:
    a client that connects and disconnects in a loop would leave one thread behind each time.
    """

    def __init__(self, name: str, delay: float, call: Callable[[Any], None]) -> None:
        """`name` is the thread's; `delay` is in seconds; `call` must not block, as it delays all other connections."""
        self._name = name
        self._delay = delay
        self._call = call
        self._lock = threading.Lock()
        self._started = False
        # All wait equally long, so they are due in the order in which they were scheduled.
        self._scheduled: queue.SimpleQueue[tuple[float, weakref.ref[Any]]] = queue.SimpleQueue()

    def schedule(self, connection: Any) -> None:
        """Schedule the call for a connection, which is referenced weakly."""
        self._scheduled.put((time.monotonic() + self._delay, weakref.ref(connection)))
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            due, reference = self._scheduled.get()
            time.sleep(max(due - time.monotonic(), 0))
            connection = reference()
            if connection is not None:
                self._call(connection)
            del connection  # else it would be referenced until the next one is due
