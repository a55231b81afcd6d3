"""Strict validation of the Engine.IO and Socket.IO packets that clients send."""

import base64
import io
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from engineio.payload import Payload
from socketio.packet import BINARY_EVENT, CONNECT, DISCONNECT, EVENT, Packet

SOCKETIO_PATH: Final = "/socket.io/"
# An Engine.IO packet: its type, and in a message the Socket.IO type. Engine.IO itself also accepts JSON of any depth here.
ENGINEIO_PACKET: Final = re.compile(r"4\d|[1-356](?!\s*[\[{\"])")
PACKET_SEPARATOR: Final = "\x1e"  # in the body that a polling client posts
RESERVED_EVENTS: Final = ("connect", "disconnect")  # the server's own names for packets of other types

StartResponse = Callable[..., Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class MalformedPacketError(ValueError):
    """The client sent data that is no Socket.IO packet, or one with more attachments than allowed."""


class StrictPacket(Packet):  # type: ignore[misc]  # python-socketio has no types
    """A Socket.IO packet of a type that clients need: connect, disconnect, or an event.

    An event has one attachment at most, a frame or audio: further ones would be held in memory until the last arrives.
    """

    def __init__(self, *arguments: Any, encoded_packet: str | bytes | None = None, **options: Any) -> None:
        """Take python-socketio's own arguments; raise MalformedPacketError for an empty packet, which it would accept."""
        if encoded_packet is not None and not encoded_packet:
            raise MalformedPacketError
        super().__init__(*arguments, encoded_packet=encoded_packet, **options)

    def decode(self, encoded_packet: str | bytes) -> int:
        """Decode a packet; return the number of attachments that follow. Raises MalformedPacketError."""
        try:
            count = int(super().decode(encoded_packet) or 0)
        except (ValueError, TypeError, RecursionError):
            raise MalformedPacketError from None
        if self.packet_type in (EVENT, BINARY_EVENT):
            named = isinstance(self.data, list) and bool(self.data) and isinstance(self.data[0], str)
            accepted = named and self.data[0] not in RESERVED_EVENTS
        else:
            accepted = self.packet_type in (CONNECT, DISCONNECT)
        if not accepted or count != (self.packet_type == BINARY_EVENT):
            raise MalformedPacketError
        return count

    def add_attachment(self, attachment: str | bytes) -> bool:
        """Add the attachment; return true, as the packet is complete then. Raises MalformedPacketError."""
        try:
            return bool(super().add_attachment(attachment))
        except (ValueError, LookupError, TypeError, RecursionError):
            raise MalformedPacketError from None


def is_valid_payload(body: bytes) -> bool:
    """Return whether a body holds Engine.IO packets as polling clients post them, each message a Socket.IO packet."""
    try:
        packets = body.decode().split(PACKET_SEPARATOR)
        for packet in packets:
            if packet.startswith("b"):
                base64.b64decode(packet[1:], validate=True)
            elif not ENGINEIO_PACKET.match(packet):
                return False
            elif packet.startswith("4"):
                StrictPacket(encoded_packet=packet[1:])
    except ValueError:  # invalid UTF-8 or base 64, or a malformed packet
        return False
    return bool(len(packets) <= Payload.max_decode_packets)


class PostValidator:
    """WSGI middleware: forward a polling client's POST only if its body holds Engine.IO packets (version 4), else send 400.

    Engine.IO itself logs a traceback for each invalid body, and answers 200.
    """

    def __init__(
        self,
        application: Application,
        max_body_bytes: int,
        end_session: Callable[[str], None],
        report: Callable[[str], None],
    ) -> None:
        """`end_session` is called with the id of a session that posted invalid data, `report` with ``malformed``."""
        self._application = application
        self._max_body_bytes = max_body_bytes
        self._end_session = end_session
        self._report = report

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get("REQUEST_METHOD") != "POST" or not environ.get("PATH_INFO", "").startswith(SOCKETIO_PATH):
            return self._application(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > self._max_body_bytes:  # Engine.IO refuses it without reading it
            return self._application(environ, start_response)
        body = environ["wsgi.input"].read(length)
        if not is_valid_payload(body):
            self._report("malformed")
            for sid in parse_qs(environ.get("QUERY_STRING", "")).get("sid", ()):
                self._end_session(sid)
            return self._refuse(start_response, "The body must hold Engine.IO packets (version 4).")
        try:
            return self._application(
                {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response
            )
        except KeyError:  # Engine.IO raises it for a session that has just ended
            return self._refuse(start_response, "This session has ended. Connect again.")

    @staticmethod
    def _refuse(start_response: StartResponse, detail: str) -> Iterable[bytes]:
        start_response("400 Bad Request", [("Content-Type", "text/plain")])
        return [detail.encode() + b"\n"]
