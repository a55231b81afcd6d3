"""How a connection ends so that the client can read what it was told last."""

import socket
import time
from contextlib import suppress
from typing import Final

LINGER_SECONDS: Final = 2.0  # for a client to finish what it was sending, and to close its end
TAKEN_BYTES: Final = 65_536  # at once


def linger(connection: socket.socket) -> None:
    """End a connection: send nothing more, and take what still comes until the client ends it too, but not for long.

    One that is closed with bytes of the client's unread is reset, and what was sent last is lost with it (RFC 9112, 9.6, and
    RFC 6455, 7.1.1). Blocks for up to LINGER_SECONDS.
    """
    until = time.monotonic() + LINGER_SECONDS
    with suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while (left := until - time.monotonic()) > 0:
            connection.settimeout(left)
            if not connection.recv(TAKEN_BYTES):
                break
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
