"""Close a connection so that the client can still read the last data sent to it."""

import socket
import time
from contextlib import suppress
from typing import Final

LINGER_SECONDS: Final = 2.0  # for the client to finish sending and to close its end
CHUNK_BYTES: Final = 65_536  # discarded per read


def linger(connection: socket.socket) -> None:
    """Send no more, and discard what the client still sends until it closes its end, for a limited time.

    A connection that is closed while received bytes are unread is reset, and the last data sent is lost with it (RFC 9112,
    9.6, and RFC 6455, 7.1.1). Blocks for up to LINGER_SECONDS.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (remaining := deadline - time.monotonic()) > 0:
            connection.settimeout(remaining)
            if not connection.recv(CHUNK_BYTES):
                break
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
