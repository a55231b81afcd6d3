"""A bounded queue of the packets that wait to be sent to one client."""

import queue
from collections.abc import Callable
from typing import Any, Final

# A client gets some ten packets a second, and the network buffers as many again. A client that stalls for longer reconnects
# and then receives the current state.
MAX_QUEUED_PACKETS: Final = 64
DRAIN_SECONDS: Final = 0.5  # to send what is queued for a client that the server disconnects


class SendQueue(queue.Queue[Any]):
    """The packets that wait to be sent to one client, bounded: a client that lets it fill up is disconnected.

    While the queue is empty, the thread that puts a packet also sends it: waking the connection's writer thread for each
    packet takes longer than sending it.
    """

    _on_overflow: Callable[[], None]
    _try_send: Callable[[Any], bool]

    def __init__(self) -> None:
        super().__init__(MAX_QUEUED_PACKETS)
        self.detach()
        self._writer_waits = False
        self._sent_directly = False  # a packet was sent past the queue since the writer began to wait

    def attach(self, on_overflow: Callable[[], None], try_send: Callable[[Any], bool]) -> None:
        """Attach the connection: `on_overflow` ends it, `try_send` sends a packet if that does not block."""
        self._on_overflow = on_overflow
        self._try_send = try_send

    def detach(self) -> None:
        """Detach the connection: packets are only queued."""
        self._on_overflow = _do_nothing
        self._try_send = _send_later

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Send or queue a packet, or queue None as the end; never blocks."""
        with self.not_full:
            # The writer waits only after it has sent all that it took, so no packet overtakes another.
            if self._writer_waits and not self._qsize() and item is not None and self._try_send(item):
                self._sent_directly = True
                return
            full = self._qsize() >= self.maxsize
            if full:
                self.unfinished_tasks -= self._qsize()
                self.queue.clear()
                item = None  # Engine.IO's sign for the end
            self._put(item)
            self.unfinished_tasks += 1
            self.not_empty.notify()
        if full:
            self._on_overflow()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the next packet; raise queue.Empty if there is none, or if none was sent for `timeout` seconds."""
        with self.not_empty:
            self._writer_waits = block
            while not self._qsize():
                self._sent_directly = False
                if not block or not (self.not_empty.wait(timeout) or self._qsize() or self._sent_directly):
                    self._writer_waits = False
                    raise queue.Empty
            self._writer_waits = False
            item = self._get()
            self.not_full.notify()
            return item

    def join(self) -> None:
        """Wait until all packets are sent, for DRAIN_SECONDS at most: a client may read nothing."""
        with self.all_tasks_done:
            self.all_tasks_done.wait_for(lambda: not self.unfinished_tasks, DRAIN_SECONDS)


def _do_nothing() -> None:
    """Stand in for `on_overflow` while no connection is attached."""


def _send_later(packet: Any) -> bool:
    """Stand in for `try_send` while no connection is attached: leave the packet to the writer."""
    return False
