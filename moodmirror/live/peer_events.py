"""Events about visitors between the processes of one site.

Their taste has changed, their data was deleted, or their tables show only what comforts.

Without these events each process would find out from the database within seconds; with them the visitor's other windows
are updated at once.
"""

import json
import logging
import secrets
from collections.abc import Callable
from typing import Final

from redis.exceptions import RedisError

from moodmirror.redis_connection import Subscriber, connect

LOGGER = logging.getLogger("moodmirror.peer_events")

CHANNEL: Final = "mood-mirror:visitors"


class PeerEvents:
    """Publishes events to the other processes and receives theirs; without Redis it does nothing."""

    def __init__(
        self,
        url: str | None,
        on_changed: Callable[[str], None],
        on_deleted: Callable[[str], None],
        on_safe_tables: Callable[[str, bool], None],
    ) -> None:
        """After :meth:`start`, call a function with the visitor's id for each event, in its own thread."""
        self._process = secrets.token_hex(8)  # Redis also delivers a process's own events
        self._on_changed = on_changed
        self._on_deleted = on_deleted
        self._on_safe_tables = on_safe_tables
        self._redis = connect(url) if url else None
        self._subscriber = Subscriber(url, [CHANNEL], self._receive) if url else None

    def start(self) -> None:
        """Start to receive events."""
        if self._subscriber:
            self._subscriber.start()

    def publish_changed(self, visitor: str) -> None:
        """Publish that a visitor's opinions or saved items have changed in the database."""
        self._publish(visitor)

    def publish_deleted(self, visitor: str) -> None:
        """Publish that a visitor's data was deleted."""
        self._publish(visitor, forgotten=True)

    def publish_safe_tables(self, visitor: str, *, on: bool) -> None:
        """Publish whether a visitor's tables show only what comforts."""
        self._publish(visitor, safe_tables=on)

    def close(self) -> None:
        """Close the connections to Redis."""
        if self._subscriber:
            self._subscriber.close()
        if self._redis:
            self._redis.close()

    def _publish(self, visitor: str, *, forgotten: bool = False, safe_tables: bool | None = None) -> None:
        # While Redis is known to be unavailable, publishing would only wait for its timeout.
        if self._redis is None or self._subscriber is None or not self._subscriber.connected:
            return
        try:
            message = {"from": self._process, "visitor": visitor, "forgotten": forgotten, "safe_tables": safe_tables}
            self._redis.publish(CHANNEL, json.dumps(message))
        except (RedisError, OSError) as error:
            LOGGER.warning("can't notify the other processes, they will find the change in the database: %s", error)

    def _receive(self, channel: str, content: bytes) -> None:
        message = json.loads(content)
        if message["from"] == self._process:
            return
        safe_tables = message.get("safe_tables")  # a process of an earlier release sends none
        if safe_tables is not None:
            self._on_safe_tables(message["visitor"], safe_tables)
        else:
            (self._on_deleted if message["forgotten"] else self._on_changed)(message["visitor"])
