"""What the processes of one site tell each other over Redis: whoever listens at that moment hears it, and nothing is kept.

Redis's publish and subscribe pass a message on and forget it: it is in no key, no file and no copy of the database.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError
from redis.retry import Retry

LOGGER = logging.getLogger("moodmirror.redis")

ANSWER_SECONDS: Final = 2.0  # to open a connection, or for one answer: after that Redis counts as gone
PING_SECONDS: Final = 1.0  # how often a silent connection is tried: one whose other end vanished tells nothing by itself
SILENT_SECONDS: Final = 3.0  # without an answer for so long it is opened anew
RETRY_SECONDS: Final = 0.5  # between two attempts to connect: one small packet each
POLL_SECONDS: Final = 0.1  # how soon a change of what is listened to takes effect


def connect(url: str) -> redis.Redis:
    """A client for Redis at `url` that gives up soon. Opens nothing yet; may be used from any thread."""
    return redis.Redis.from_url(url, **connection_options())


def connection_options() -> dict[str, Any]:
    """How every connection to Redis of ours is opened: no waiting for one that is gone, no second try behind our back."""
    return {
        "socket_connect_timeout": ANSWER_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }


class Listener:
    """Hears what is published on some channels, in a thread of its own, and connects anew by itself while it runs."""

    def __init__(self, url: str, channels: Collection[str], hear: Callable[[str, bytes], None]) -> None:
        """`hear` is called with the channel and the content of each message; its errors are logged. Listens at once."""
        self._client = connect(url)
        self._hear = hear
        self._wanted = frozenset(channels)
        self._closing = threading.Event()
        self._told_gone = False
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-listener", daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether Redis answers."""
        return self._connected.is_set()

    def listen_to(self, channels: Collection[str]) -> None:
        """Listen to these channels and to no others, from the next moment on."""
        self._wanted = frozenset(channels)

    def close(self) -> None:
        """Listen no more."""
        self._closing.set()
        self._thread.join(timeout=2 * ANSWER_SECONDS)
        self._client.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as subscription:
                    self._listen(subscription)
            except (RedisError, OSError) as error:
                self._connected.clear()
                if not self._told_gone:
                    self._told_gone = True
                    LOGGER.warning("Redis can't be reached, it is tried again by itself: %s", error)
                self._closing.wait(RETRY_SECONDS)

    def _listen(self, subscription: PubSub) -> None:
        listened: frozenset[str] = frozenset()
        heard_at = time.monotonic()
        pinged_at = heard_at - PING_SECONDS  # the first answer says that it is connected
        while not self._closing.is_set():
            wanted, now = self._wanted, time.monotonic()
            if wanted - listened:
                subscription.subscribe(*(wanted - listened))
            if listened - wanted:
                subscription.unsubscribe(*(listened - wanted))
            listened = wanted
            if now - pinged_at >= PING_SECONDS:
                pinged_at = now
                subscription.ping()
            if now - heard_at > SILENT_SECONDS:
                raise redis.ConnectionError(f"no answer for {SILENT_SECONDS:.0f} seconds")
            message = subscription.get_message(timeout=POLL_SECONDS)
            if message is None:
                continue
            self._connected.set()
            if self._told_gone:
                self._told_gone = False
                LOGGER.info("Redis is back")
            if message["type"] == "message":
                try:
                    self._hear(message["channel"].decode(), message["data"])
                except Exception:  # one message that can't be understood must not end the listening
                    LOGGER.exception("a message of another process can't be understood")
            heard_at = time.monotonic()
