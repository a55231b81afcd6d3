"""Simulated clients of the load benchmark: visitors who send frames over Socket.IO, and viewers of the camera's stream."""

import asyncio
import contextlib
import json
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage

from tests.conftest import Server, admitted

MAX_PENDING_FRAMES: Final = 50  # frames whose sending time is stored until a mood includes them
RECEIVE_BYTES: Final = 65_536


@dataclass
class VisitorFigures:
    """The measurements of one visitor: times in seconds, and numbers of frames."""

    acknowledged: list[float] = field(default_factory=list)  # from a frame to its acknowledgement
    moods: list[float] = field(default_factory=list)  # from a frame to the first mood that includes it
    dropped: int = 0  # frames that were due while another one was in progress
    errors: Counter[str] = field(default_factory=Counter)  # acknowledgements with an error, by its message


class Visitor:
    """One Socket.IO connection that sends frames."""

    def __init__(self, server: Server, pictures: Iterator[bytes], rate: float, offset: float, share: float = 0.0) -> None:
        """Send `rate` frames per second, the first one `offset` seconds after the connection is open.

        `share`, 0…1, is the share of all visitors before this one: behind nginx it determines the process.
        """
        self._offset = offset
        self._routing_cookie = f"; mirror_process={int(256 * share):02x}"
        self._server = server
        self._pictures = pictures
        self._interval = 1 / rate  # seconds
        self._number = 0
        self._acknowledgement: asyncio.Future[dict[str, Any]] | None = None
        self._sent_at: deque[float] = deque(maxlen=MAX_PENDING_FRAMES)
        self._read_at = -1.0  # the server's time of the newest face reading in a mood
        self.connected = asyncio.Event()
        self.figures = VisitorFigures()

    async def visit(self, stay: float | None) -> None:
        """Connect and send frames until cancelled; with `stay`, disconnect and connect again after as many seconds."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stay):
                    await self._visit_once()

    async def _visit_once(self) -> None:
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self.connected.clear()
        headers, self._auth = await asyncio.to_thread(admitted, self._server)
        headers["Cookie"] += self._routing_cookie
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self._server.port)
        self._send(
            Request(
                host=f"127.0.0.1:{self._server.port}",
                target="/socket.io/?EIO=4&transport=websocket",
                extra_headers=[(name.lower().encode(), value.encode()) for name, value in headers.items()],
            )
        )
        receiving = asyncio.create_task(self._receive(reader))
        sending = asyncio.create_task(self._send_frames())
        try:
            await asyncio.gather(receiving, sending)
        finally:
            receiving.cancel()
            sending.cancel()
            self._writer.close()

    def _send(self, *events: Any) -> None:
        self._writer.write(b"".join(self._websocket.send(event) for event in events))

    async def _receive(self, reader: asyncio.StreamReader) -> None:
        text = ""
        while content := await reader.read(RECEIVE_BYTES):
            self._websocket.receive_data(content)
            for event in self._websocket.events():
                match event:
                    case AcceptConnection():
                        self._send(TextMessage(f"40{json.dumps(self._auth)}"))  # Socket.IO's CONNECT
                    case TextMessage():
                        text += event.data
                        if event.message_finished:
                            self._handle_message(text)
                            text = ""
                    case Ping():
                        self._send(event.response())
                    case CloseConnection():
                        raise ConnectionError(f"the server closed the connection: {event.code} {event.reason or ''}")
        raise ConnectionError("the server closed the connection")

    def _handle_message(self, text: str) -> None:
        if text == "2":  # Engine.IO's ping
            self._send(TextMessage("3"))
        elif text.startswith("40"):
            self.connected.set()
        elif text.startswith("44"):
            raise ConnectionError(f"the server refused the connection: {text[2:]}")
        elif text.startswith("43") and self._acknowledgement and not self._acknowledgement.done():
            self._acknowledgement.set_result(json.loads(text[text.index("[") :])[0])
        elif text.startswith('42["mood"'):
            self._handle_mood(json.loads(text[2:])[1])

    def _handle_mood(self, mood: dict[str, Any]) -> None:
        # The server's monotonic clock is the same as ours; in moods it is rounded to hundredths.
        read_at = mood["said"].get("face", {}).get("at", -1.0)
        if read_at > self._read_at:
            self._read_at = read_at
            sent_at = max((at for at in self._sent_at if at <= read_at + 0.005), default=None)
            if sent_at is not None:
                self.figures.moods.append(time.monotonic() - sent_at)

    async def _send_frames(self) -> None:
        await self.connected.wait()
        loop = asyncio.get_running_loop()
        due = loop.time() + self._offset
        for picture in self._pictures:
            await asyncio.sleep(max(due - loop.time(), 0))
            self._number += 1
            self._acknowledgement = loop.create_future()
            sent_at = time.monotonic()
            self._sent_at.append(sent_at)
            self._send(
                TextMessage(f'451-{self._number}["frame",{{"_placeholder":true,"num":0}}]'),
                BytesMessage(picture),
            )
            answer = await self._acknowledgement
            now = time.monotonic()
            if "error" in answer:
                self.figures.errors[answer["error"]] += 1
            else:
                self.figures.acknowledged.append(now - sent_at)
            # The server may request a longer interval than the visitor's own.
            interval = max(self._interval, answer.get("pause", 0.0))
            missed = max(int((loop.time() - due) // interval), 0)
            self.figures.dropped += missed
            due += (missed + 1) * interval


async def watch_camera(port: int, number: int, picture_counts: Counter[int]) -> None:
    """Receive the camera's stream as viewer `number` and count its pictures, until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream.mjpg HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    try:
        while content := await reader.read(RECEIVE_BYTES):
            picture_counts[number] += content.count(b"Content-Type: image/jpeg")
    finally:
        writer.close()
