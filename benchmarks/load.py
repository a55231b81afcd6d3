"""Measure how many visitors the site serves at once: `make bench-load`; `make bench-load LOAD="--visitors 80 --minutes 10"`.

Starts the site under gunicorn on this machine's own address and visits it: real Socket.IO connections that each send a
browser's frames (320×240 JPEG of NASA's portrait of Eileen Collins, public domain, moving), one at a time: the next one when
the last is answered and its time has come. What falls due meanwhile is dropped, as the page does it. The clients are one
process, but take CPU from the server. Milliseconds of CPU a frame can be compared even while the machine has other work;
everything by the clock can't.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import secrets
import statistics
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import psutil
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage

from benchmarks.scenes import video
from tests.cluster import LOG, running_cluster, running_redis
from tests.conftest import Server, admitted, own_memory, serving

MOST_VISITORS: Final = 500
MOST_VIEWERS: Final = 200
MOST_MINUTES: Final = 60.0
PICTURES: Final = 120  # different frames; each visitor begins at another one
WARM_SECONDS: Final = 5.0  # of frames that are not counted: models open, caches fill
SENT: Final = 50  # frames whose time is remembered until a mood tells them
SAMPLE_SECONDS: Final = 0.25  # between two looks at /healthz
SIZE_SECONDS: Final = 2.0  # and at the server's size: to find its processes takes some milliseconds
RECEIVED_BYTES: Final = 65_536
# What must not grow once caches have filled, from the third tenth of the time to the last, and by how much it may: visitors
# come and go.
SIZES: Final = {"memory, MB": 8.0, "threads": 4.0, "open files": 4.0}


@dataclass
class Measured:
    """What one visitor saw while it was counted: seconds, and numbers of frames."""

    answers: list[float] = field(default_factory=list)  # from a frame to its answer
    moods: list[float] = field(default_factory=list)  # from a frame to the first mood that it is part of
    dropped: int = 0  # fell due while another was not answered yet
    refused: Counter[str] = field(default_factory=Counter)  # answered with what is wrong


class Visitor:
    """One Socket.IO connection that sends frames."""

    def __init__(self, server: Server, pictures: Iterator[bytes], rate: float, offset: float, share: float = 0.0) -> None:
        """`rate` is in frames a second; the first one goes out `offset` seconds after the connection is there.

        `share` of all visitors, 0…1, come before this one: behind nginx it says to which process it goes.
        """
        self._offset = offset
        self._place = f"; mirror_process={int(256 * share):02x}"
        self._server = server
        self._pictures = pictures
        self._pause = 1 / rate  # seconds
        self._number = 0
        self._answer: asyncio.Future[dict[str, Any]] | None = None
        self._sent_at: deque[float] = deque(maxlen=SENT)
        self._read_at = -1.0  # server's time of the newest face reading that a mood told
        self.connected = asyncio.Event()
        self.measured = Measured()

    async def visit(self, stay: float | None) -> None:
        """Connect, and send frames until cancelled; after so many seconds each, leave and come again."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(stay):
                    await self._visit_once()

    async def _visit_once(self) -> None:
        self._websocket = WSConnection(ConnectionType.CLIENT)
        self.connected.clear()
        headers, self._auth = await asyncio.to_thread(admitted, self._server)
        headers["Cookie"] += self._place
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
        while content := await reader.read(RECEIVED_BYTES):
            self._websocket.receive_data(content)
            for event in self._websocket.events():
                match event:
                    case AcceptConnection():
                        self._send(TextMessage(f"40{json.dumps(self._auth)}"))  # Socket.IO's CONNECT
                    case TextMessage():
                        text += event.data
                        if event.message_finished:
                            self._take(text)
                            text = ""
                    case Ping():
                        self._send(event.response())
                    case CloseConnection():
                        raise ConnectionError(f"the server closed the connection: {event.code} {event.reason or ''}")
        raise ConnectionError("the server closed the connection")

    def _take(self, text: str) -> None:
        if text == "2":  # Engine.IO's ping
            self._send(TextMessage("3"))
        elif text.startswith("40"):
            self.connected.set()
        elif text.startswith("44"):
            raise ConnectionError(f"the server refused the connection: {text[2:]}")
        elif text.startswith("43") and self._answer and not self._answer.done():
            self._answer.set_result(json.loads(text[text.index("[") :])[0])
        elif text.startswith('42["mood"'):
            self._take_mood(json.loads(text[2:])[1])

    def _take_mood(self, mood: dict[str, Any]) -> None:
        # The server's monotonic clock is the same as ours; moods tell it to the hundredth.
        read_at = mood["said"].get("face", {}).get("at", -1.0)
        if read_at > self._read_at:
            self._read_at = read_at
            sent_at = max((at for at in self._sent_at if at <= read_at + 0.005), default=None)
            if sent_at is not None:
                self.measured.moods.append(time.monotonic() - sent_at)

    async def _send_frames(self) -> None:
        await self.connected.wait()
        loop = asyncio.get_running_loop()
        due = loop.time() + self._offset
        for picture in self._pictures:
            await asyncio.sleep(max(due - loop.time(), 0))
            self._number += 1
            self._answer = loop.create_future()
            sent_at = time.monotonic()
            self._sent_at.append(sent_at)
            self._send(
                TextMessage(f'451-{self._number}["frame",{{"_placeholder":true,"num":0}}]'),
                BytesMessage(picture),
            )
            answer = await self._answer
            now = time.monotonic()
            if "error" in answer:
                self.measured.refused[answer["error"]] += 1
            else:
                self.measured.answers.append(now - sent_at)
            # The server may ask for a longer pause than the visitor's own.
            pause = max(self._pause, answer.get("pause", 0.0))
            missed = max(int((loop.time() - due) // pause), 0)
            self.measured.dropped += missed
            due += (missed + 1) * pause


@dataclass
class Beside:
    """What was seen of the server beside the visits."""

    health: list[float] = field(default_factory=list)  # seconds until /healthz answered
    sizes: list[tuple[float, ...]] = field(default_factory=list)  # MB, threads, open files
    viewed: Counter[int] = field(default_factory=Counter)  # pictures by viewer


async def look_after(port: int, servers: list[psutil.Process], seen: Beside) -> None:
    """Ask for /healthz, each time over a new connection, and measure memory, of all processes, until cancelled."""
    sized_at = -SIZE_SECONDS
    while True:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(f"/healthz answered {answer[:60]!r}")
        seen.health.append(time.monotonic() - began)
        if not seen.sizes or began - sized_at >= SIZE_SECONDS:
            sized_at = began
            seen.sizes.append(_sizes(servers))
        await asyncio.sleep(SAMPLE_SECONDS)


async def view(port: int, number: int, seen: Beside) -> None:
    """Watch the server's camera until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /stream.mjpg HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
    try:
        while content := await reader.read(RECEIVED_BYTES):
            seen.viewed[number] += content.count(b"Content-Type: image/jpeg")
    finally:
        writer.close()


def pictures() -> list[bytes]:
    """Frames as browsers send them, there and back again so that nothing jumps."""
    there = [
        cv2.imencode(".jpg", cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 80])[
            1
        ].tobytes()
        for frame in itertools.islice(video(4 * PICTURES), 0, None, 4)
    ]
    return there + there[::-1]


async def measure(started: Server, servers: list[psutil.Process], wanted: argparse.Namespace) -> list[str]:
    """Visit a site of these processes, and print what was seen. Returns what of them has grown."""
    frames = pictures()
    visitors = [
        Visitor(
            started,
            itertools.islice(itertools.cycle(frames), 7 * number % len(frames), None),
            wanted.rate,
            offset,
            number / wanted.visitors,
        )
        for number, offset in enumerate(np.arange(wanted.visitors) / wanted.visitors / wanted.rate)
    ]
    seen = Beside()
    tasks = []
    try:
        for visitor in visitors:
            tasks.append(asyncio.create_task(visitor.visit(wanted.stay)))
            await asyncio.wait_for(visitor.connected.wait(), 30)
        tasks += [asyncio.create_task(view(started.port, number, seen)) for number in range(wanted.viewers)]
        tasks.append(asyncio.create_task(look_after(started.port, servers, seen)))
        await _unless_one_fails(tasks, WARM_SECONDS)
        for visitor in visitors:
            visitor.measured = Measured()
        seen.health.clear()
        seen.sizes.clear()
        seen.viewed.clear()
        used, own, began = _cpu(servers), time.process_time(), time.monotonic()
        await _unless_one_fails(tasks, wanted.seconds)
        seconds = time.monotonic() - began
        used, own = _cpu(servers) - used, time.process_time() - own
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return report([visitor.measured for visitor in visitors], seen, seconds, used, own)


def _sizes(servers: list[psutil.Process]) -> tuple[float, ...]:
    """What processes, and those that they have started, have in all of what SIZES names."""
    each = [(own_memory(member) / 1e6, member.num_threads(), member.num_fds()) for member in _with_children(servers)]
    return tuple(map(sum, zip(*each, strict=True)))


def _with_children(servers: list[psutil.Process]) -> list[psutil.Process]:
    """Processes, and those that they have started."""
    return [member for server in servers for member in (server, *server.children(recursive=True))]


def _cpu(servers: list[psutil.Process]) -> float:
    """Seconds of CPU that processes, and those that they have started, have used."""
    return sum(sum(member.cpu_times()[:2]) for member in _with_children(servers))


async def _unless_one_fails(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task
        raise ConnectionError("a stream ended before its time")


def report(measured: list[Measured], seen: Beside, seconds: float, used: float, own: float) -> list[str]:
    """Print the figures: `used` and `own` are seconds of CPU, the server's and the clients'. Returns what has grown."""
    answers = [answer for visitor in measured for answer in visitor.answers]
    served = [len(visitor.answers) / seconds for visitor in measured]
    refused = sum((visitor.refused for visitor in measured), Counter[str]())
    if not answers:
        raise SystemExit(f"No frame was read: {dict(refused)}")
    show("frame to answer, ms: median, 95 %, most", *_quantiles(answers))
    moods = [mood for visitor in measured for mood in visitor.moods]
    if moods:
        show("frame to mood, ms: median, 95 %, most", *_quantiles(moods))
    else:  # one of few steady faces may stay the same for as long as this takes
        print("  frame to mood: none changed enough to be told")
    show("frames read a second: all", len(answers) / seconds)
    show("frames read a second: least served, median, most", min(served), statistics.median(served), max(served))
    show("frames dropped for a newer one, % of those due", 100 * _share(sum(v.dropped for v in measured), len(answers)))
    for reason, count in refused.items():
        show(f"refused: {reason}", count)
    show("/healthz, ms: median, 95 %, most", *_quantiles(seen.health))
    show("server's CPU, ms a frame", 1000 * used / len(answers))
    show("server's CPU, clients' CPU: cores", used / seconds, own / seconds)
    grown = []
    for (name, slack), values in zip(SIZES.items(), zip(*seen.sizes, strict=True), strict=True):
        tenth = max(len(values) // 10, 1)
        filled = min(2 * tenth, len(values) - tenth)
        first, then, last = (statistics.mean(values[at : at + tenth]) for at in (0, filled, len(values) - tenth))
        show(f"{name}: first, third and last tenth, most", first, then, last, max(values))
        if last > then + slack:
            grown.append(name)
    if seen.viewed:
        rates = [count / seconds for count in seen.viewed.values()]
        show("pictures a second to each viewer: least, median, most", min(rates), statistics.median(rates), max(rates))
    return grown


def _share(part: float, rest: float) -> float:
    return part / (part + rest)


def _quantiles(seconds: list[float]) -> tuple[float, float, float]:
    """Median, 95 % quantile and maximum, in milliseconds."""
    return tuple(1000 * float(value) for value in np.quantile(seconds, (0.5, 0.95, 1.0)))  # type: ignore[return-value]


def show(name: str, *values: float) -> None:
    """Print one line of the table."""
    print(f"  {name:54}" + "".join(f"{value:9.1f}" for value in values), flush=True)


def bounded(least: float, most: float, kind: type) -> Any:
    """A parser of numbers within bounds, for argparse."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must lie between {least:g} and {most:g}")
        return value

    return parse


def arguments() -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--visitors", type=bounded(1, MOST_VISITORS, int), default=40, help="how many (default: 40)")
    parser.add_argument("--rate", type=bounded(0.1, 10, float), default=5.0, help="frames a second of each (default: 5)")
    parser.add_argument(
        "--viewers", type=bounded(0, MOST_VIEWERS, int), default=0, help="of the camera's stream beside them"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=bounded(1, 60 * MOST_MINUTES, float), default=20.0, help="to count (default: 20)")
    length.add_argument(
        "--minutes", type=bounded(0.1, MOST_MINUTES, float), help="likewise, to see whether memory stays flat"
    )
    parser.add_argument(
        "--processes", type=bounded(1, 16, int), default=1, help="web processes, several behind nginx (default: 1)"
    )
    parser.add_argument("--stay", type=bounded(1, 3600, float), help="seconds after which each leaves and comes again")
    parser.add_argument("--flat", action="store_true", help="fail if memory, threads or open files have grown")
    wanted = parser.parse_args()
    if wanted.minutes:
        wanted.seconds = 60 * wanted.minutes
    return wanted


@contextlib.contextmanager
def started_site(folder: Path, processes: int, settings: dict[str, str]) -> Iterator[tuple[Server, list[psutil.Process]]]:
    """The site in one process, or in several behind nginx with Redis: where visitors reach it, and what serves them."""
    if processes == 1:
        with serving(folder / LOG, None, **settings) as server:
            yield server, psutil.Process(server.process.pid).children()
        return
    joined = {"TRUSTED_PROXIES": "1", "SECRET_KEY": secrets.token_hex(32)}
    with (
        running_redis(folder) as redis,
        running_cluster(folder, processes, REDIS_URL=redis.url, **joined, **settings) as cluster,
    ):
        yield cluster.front, [cluster.worker(port) for port in cluster.ports]


def main() -> None:
    """Start the site, visit it, print what was seen."""
    wanted = arguments()
    print(
        f"{wanted.visitors} visitors, {wanted.rate:g} frames a second each (320×240, one face), {wanted.viewers} viewers of "
        f"the camera, {wanted.processes} process(es), {wanted.seconds:g} s after {WARM_SECONDS:g} s to warm up; "
        f"{psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f} before",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="mood-mirror-load-") as folder:
        camera = Path(folder) / "face.avi"
        if wanted.viewers:
            writer = cv2.VideoWriter(str(camera), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
            for frame in video(100):
                writer.write(frame)
            writer.release()
        settings = {
            "CAMERA": str(camera) if wanted.viewers else "off",
            "MAX_VISITORS": str(wanted.visitors + 10),
            "MAX_VIEWERS": str(max(wanted.viewers, 1)),
            "MAX_PER_ADDRESS": "1000",  # all of them come from here
        }
        with started_site(Path(folder), wanted.processes, settings) as (started, workers):
            try:
                grown = asyncio.run(measure(started, workers, wanted))
            except (ConnectionError, TimeoutError) as problem:
                with contextlib.suppress(OSError):
                    print((Path(folder) / LOG).read_text()[-4000:])
                raise SystemExit(f"The server did not hold: {problem}") from None
    if wanted.flat and grown:
        raise SystemExit(f"It has grown: {', '.join(grown)}")


if __name__ == "__main__":
    main()
