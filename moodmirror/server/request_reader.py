"""Collect one HTTP request, head and body, as its bytes arrive, with time limits.

A request is handed to a thread when it is complete, so that a client that sends slowly or not at all occupies no thread.
"""

import json
from typing import Final

import h11

FIRST_BYTE_SECONDS: Final = 10.0  # browsers open connections ahead of need; one without a request is then closed
HEAD_SECONDS: Final = 10.0  # from a request's first byte to the end of its headers, which a browser sends at once
# The least rate of a body, measured in windows: 64 kbit/s, slower than any mobile network in which a page loads.
BODY_WINDOW_SECONDS: Final = 15.0
MIN_BODY_BYTES_PER_SECOND: Final = 8_000
MAX_HEAD_BYTES: Final = 65_536  # gunicorn's own limits for lines and fields apply afterwards
MAX_BODY_BYTES: Final = 110_000_000  # more than any route accepts: the routes' own messages name their limits
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Refusal(Exception):
    """A request is refused before it is complete; `response` is the whole HTTP response."""

    def __init__(self, status: int, title: str, detail: str, retry_after: int | None = None) -> None:
        super().__init__(title)
        body = json.dumps({"type": "about:blank", "title": title, "status": status, "detail": detail}).encode()
        headers = ["Content-Type: application/problem+json", f"Content-Length: {len(body)}", "Connection: close"]
        if retry_after is not None:
            headers.append(f"Retry-After: {retry_after}")
        self.response = "\r\n".join((f"HTTP/1.1 {status} {title}", *headers, "", "")).encode() + body


class RequestReader:
    """One HTTP/1.1 request that is being received. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._received = bytearray()  # until the head is complete
        self._parts: list[bytes] = []
        self._opened_at = now
        self._began_at: float | None = None  # when the first byte arrived
        self._window_began_at = now
        self._window_bytes = 0
        self._has_head = False
        self._head = b""
        self.size = 0  # bytes held
        self.is_complete = False
        self.body: bytes | None = None  # None if the request is malformed: gunicorn's parser then refuses it

    @property
    def is_empty(self) -> bool:
        """Return whether no byte has arrived yet."""
        return self._began_at is None

    @property
    def head(self) -> bytes:
        """Return the bytes for gunicorn's parser: the head as it arrived, and what follows the body."""
        rest, _ = self._http.trailing_data if self.body is not None else (b"", False)
        return self._head + rest

    def receive(self, data: bytes, now: float) -> bool:
        """Take bytes that have arrived; return whether the client waits for ``100 Continue``.

        Raises Refusal for a body that is too large or malformed.
        """
        if self._began_at is None:
            self._began_at = now
        self.size += len(data)
        self._window_bytes += len(data)
        if not self._has_head:
            self._received += data
        try:
            self._http.receive_data(data)
            self._take_events(now)
        except h11.RemoteProtocolError as error:
            if self._has_head:
                raise Refusal(400, "Bad Request", "The body does not have the form that its headers announce.") from error
            self._head, self.is_complete = bytes(self._received), True
        return self._has_head and not self.is_complete and self._http.they_are_waiting_for_100_continue

    def check_time(self, now: float) -> bool:
        """Return whether the request may still arrive. Raises Refusal for a body that arrives too slowly."""
        if self._began_at is None:
            return now - self._opened_at <= FIRST_BYTE_SECONDS
        if not self._has_head:
            return now - self._began_at <= HEAD_SECONDS
        if now - self._window_began_at >= BODY_WINDOW_SECONDS:
            if self._window_bytes < BODY_WINDOW_SECONDS * MIN_BODY_BYTES_PER_SECOND:
                kilobytes = BODY_WINDOW_SECONDS * MIN_BODY_BYTES_PER_SECOND / 1000
                received = f"less than {kilobytes:.0f} kB arrived in {BODY_WINDOW_SECONDS:.0f} s"
                raise Refusal(408, "Request Timeout", f"The upload stalled: {received}. Send it again.")
            self._window_began_at, self._window_bytes = now, 0
        return True

    def _take_events(self, now: float) -> None:
        while not self.is_complete:
            event = self._http.next_event()
            match event:
                case h11.Request():
                    end = self._received.find(b"\r\n\r\n")
                    if end < 0:
                        raise h11.RemoteProtocolError("lines must end with CR LF")
                    self._head, self._has_head = bytes(self._received[: end + 4]), True
                    self._received.clear()
                    self._window_began_at = now
                    length = next((int(value) for name, value in event.headers if name == b"content-length"), 0)
                    self._check_size(length)
                case h11.Data():
                    self._parts.append(bytes(event.data))
                    self._check_size(self.size)
                case h11.EndOfMessage():
                    self.body, self.is_complete = b"".join(self._parts), True
                    self._parts.clear()
                case _:
                    return

    @staticmethod
    def _check_size(size: int) -> None:
        if size > MAX_BODY_BYTES:
            raise Refusal(
                413, "Content Too Large", f"The body has more than {MAX_BODY_BYTES / 1e6:.0f} MB. Send a smaller file."
            )
