"""Connections to Redis, and a subscriber to channels that reconnects by itself.

Messages between processes use Redis's publish and subscribe, which stores nothing: they are in no key, file or copy of the
database.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, Final, Self

import redis
from redis.backoff import NoBackoff
from redis.client import PubSub
from redis.exceptions import RedisError
from redis.retry import Retry

LOGGER = logging.getLogger("moodmirror.redis")

TIMEOUT_SECONDS: Final = 2.0  # to connect, or for one response: after that Redis is considered unavailable
PING_SECONDS: Final = 1.0  # between checks of an idle connection: one whose other end vanished reports nothing by itself
SILENCE_SECONDS: Final = 3.0  # without a response for so long, the connection is opened again
RETRY_SECONDS: Final = 0.5  # between two attempts to connect, each one small packet
POLL_SECONDS: Final = 0.1  # until a change of the subscribed channels takes effect


def connect(url: str) -> redis.Redis:
    """Return a thread-safe client for Redis at `url` with short timeouts; it connects when it is first used."""
    return redis.Redis.from_url(url, **connection_options())


def connection_options() -> dict[str, Any]:
    """Return the options of every connection to Redis: short timeouts, and no retries inside the client library."""
    return {
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }


class Subscriber:
    """Receives what is published on some channels, in its own thread, and reconnects until it is closed.

    A context manager: starts on entry, closes on exit.
    """

    def __init__(self, url: str, channels: Collection[str], on_message: Callable[[str, bytes], None]) -> None:
        """After :meth:`start`, call `on_message` with the channel and content of each message; its errors are logged."""
        self._client = connect(url)
        self._on_message = on_message
        self._wanted = frozenset(channels)
        self._closing = threading.Event()
        self._reported_unavailable = False
        self._connected = threading.Event()
        self._thread = threading.Thread(target=self._run, name="redis-subscriber", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start to receive. To be called once."""
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether Redis responds."""
        return self._connected.is_set()

    def subscribe(self, channels: Collection[str]) -> None:
        """Receive from these channels and no others, within POLL_SECONDS."""
        self._wanted = frozenset(channels)

    def close(self) -> None:
        """Disconnect, and stop the thread."""
        self._closing.set()
        if self._thread.ident is not None:  # it was started
            self._thread.join(timeout=2 * TIMEOUT_SECONDS)
        self._client.close()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    self._receive(pubsub)
            except (RedisError, OSError) as error:
                self._connected.clear()
                if not self._reported_unavailable:
                    self._reported_unavailable = True
                    LOGGER.warning("Redis is unavailable; retrying every %s s: %s", RETRY_SECONDS, error)
                self._closing.wait(RETRY_SECONDS)

    def _receive(self, pubsub: PubSub) -> None:
        subscribed: frozenset[str] = frozenset()
        received_at = time.monotonic()
        pinged_at = received_at - PING_SECONDS  # the first response shows that the connection works
        while not self._closing.is_set():
            wanted, now = self._wanted, time.monotonic()
            if wanted - subscribed:
                pubsub.subscribe(*(wanted - subscribed))
            if subscribed - wanted:
                pubsub.unsubscribe(*(subscribed - wanted))
            subscribed = wanted
            if now - pinged_at >= PING_SECONDS:
                pinged_at = now
                pubsub.ping()
            if now - received_at > SILENCE_SECONDS:
                raise redis.ConnectionError(f"no response for {SILENCE_SECONDS:.0f} seconds")
            message = pubsub.get_message(timeout=POLL_SECONDS)
            if message is None:
                continue
            self._connected.set()
            if self._reported_unavailable:
                self._reported_unavailable = False
                LOGGER.info("Redis is available again")
            if message["type"] == "message":
                try:
                    self._on_message(message["channel"].decode(), message["data"])
                except Exception:  # one invalid message must not end the subscription
                    LOGGER.exception("a message of another process could not be handled; it is ignored")
            received_at = time.monotonic()
