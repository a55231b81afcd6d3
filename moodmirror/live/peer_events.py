"""What the processes of one site tell each other of a visitor: that their taste has changed, that they were forgotten.

Without it each process would see so within seconds in the database; with it the visitor's other windows see it at once.
"""

import json
import logging
import secrets
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from moodmirror.redis_connection import Subscriber, connect

LOGGER = logging.getLogger("moodmirror.siblings")

CHANNEL: Final = "mood-mirror:visitors"


class Siblings:
    """The other processes of this site; with no Redis there are none, and nothing is told."""

    def __init__(self, url: str | None, on_changed: Callable[[str], None], on_forgotten: Callable[[str], None]) -> None:
        """Each is called with the visitor's id when another process tells of them, in a thread of its own."""
        self._name = secrets.token_hex(8)  # who publishes hears it too
        self._on_changed = on_changed
        self._on_forgotten = on_forgotten
        self._redis = connect(url) if url else None
        self._listener = Subscriber(url, [CHANNEL], self._hear) if url else None

    def tell_changed(self, visitor: str) -> None:
        """Tell that a visitor's taste, or what they saved, has changed in the database."""
        self._tell(visitor, forgotten=False)

    def tell_forgotten(self, visitor: str) -> None:
        """Tell that a visitor was forgotten."""
        self._tell(visitor, forgotten=True)

    def close(self) -> None:
        """Hear no more."""
        if self._listener:
            self._listener.close()
        if self._redis:
            self._redis.close()

    def _tell(self, visitor: str, *, forgotten: bool) -> None:
        # Nobody waits for a Redis that is known to be gone.
        if self._redis is None or self._listener is None or not self._listener.connected:
            return
        try:
            self._redis.publish(CHANNEL, json.dumps({"from": self._name, "visitor": visitor, "forgotten": forgotten}))
        except (RedisError, OSError) as error:
            LOGGER.warning("the other processes can't be told, they will see it in the database: %s", error)

    def _hear(self, channel: str, content: bytes) -> None:
        message = json.loads(content)
        if message["from"] != self._name:
            (self._on_forgotten if message["forgotten"] else self._on_changed)(message["visitor"])
