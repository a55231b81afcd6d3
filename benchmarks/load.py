"""Measure how many visitors the site serves at once: `make bench-load`; `make bench-load LOAD="--visitors 80 --minutes 10"`.

Starts the site, under gunicorn or as `--server` says, on 127.0.0.1 and connects simulated visitors
(:mod:`benchmarks.load_client`): Socket.IO connections that each send a browser's frames (320×240 JPEG of NASA's portrait of
Eileen Collins, public domain, moving). As on the page, each visitor sends one frame at a time, and frames that are due while
one is in progress are dropped. The clients run in one process, but take CPU from the server. CPU milliseconds per frame are
comparable even if the machine has other work; figures by the clock are not.
"""

import argparse
import asyncio
import contextlib
import itertools
import secrets
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import psutil

from benchmarks.load_client import Visitor, VisitorFigures, watch_camera
from benchmarks.load_report import LoadFigures, ServerFigures, print_report
from benchmarks.scenes import video
from tests.cluster import LOG, running_cluster, running_redis
from tests.conftest import Server, own_memory, serving

MAX_VISITORS: Final = 500
MAX_VIEWERS: Final = 200
MAX_MINUTES: Final = 60.0
PICTURES: Final = 120  # different frames; each visitor starts at another one
WARM_UP_SECONDS: Final = 5.0  # not measured: models are loaded, caches fill
HEALTH_INTERVAL_SECONDS: Final = 0.25  # between two requests for /healthz
SIZE_INTERVAL_SECONDS: Final = 2.0  # between two measurements of the processes, each of which takes some milliseconds
MAX_LOG_CHARACTERS: Final = 4000  # of the server's log, printed if the server fails


async def monitor_server(port: int, processes: list[psutil.Process], figures: ServerFigures) -> None:
    """Request /healthz, each time over a new connection, and measure all processes, until cancelled."""
    sized_at = -SIZE_INTERVAL_SECONDS
    while True:
        began = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        if b" 200 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(f"/healthz answered {answer[:60]!r}")
        figures.health.append(time.monotonic() - began)
        if not figures.sizes or began - sized_at >= SIZE_INTERVAL_SECONDS:
            sized_at = began
            figures.sizes.append(_sizes(processes))
        await asyncio.sleep(HEALTH_INTERVAL_SECONDS)


def encoded_pictures() -> list[bytes]:
    """Return frames as browsers send them, forward and backward, so that the face never jumps."""
    forward = [
        cv2.imencode(".jpg", cv2.resize(frame, (320, 240), interpolation=cv2.INTER_AREA), [cv2.IMWRITE_JPEG_QUALITY, 80])[
            1
        ].tobytes()
        for frame in itertools.islice(video(4 * PICTURES), 0, None, 4)
    ]
    return forward + forward[::-1]


async def measure(server: Server, processes: list[psutil.Process], options: argparse.Namespace) -> LoadFigures:
    """Run the clients against the site that `processes` serve, and return the figures after the warm-up."""
    pictures = encoded_pictures()
    visitors = [
        Visitor(
            server,
            itertools.islice(itertools.cycle(pictures), 7 * number % len(pictures), None),
            options.rate,
            offset,
            number / options.visitors,
        )
        for number, offset in enumerate(np.arange(options.visitors) / options.visitors / options.rate)
    ]
    figures = ServerFigures()
    tasks = []
    try:
        for visitor in visitors:
            tasks.append(asyncio.create_task(visitor.visit(options.stay)))
            await asyncio.wait_for(visitor.connected.wait(), 30)
        tasks += [
            asyncio.create_task(watch_camera(server.port, number, figures.picture_counts))
            for number in range(options.viewers)
        ]
        tasks.append(asyncio.create_task(monitor_server(server.port, processes, figures)))
        await _wait_unless_one_fails(tasks, WARM_UP_SECONDS)
        for visitor in visitors:
            visitor.figures = VisitorFigures()
        figures.clear()
        server_cpu, client_cpu, began = _cpu_seconds(processes), time.process_time(), time.monotonic()
        await _wait_unless_one_fails(tasks, options.seconds)
        seconds = time.monotonic() - began
        server_cpu, client_cpu = _cpu_seconds(processes) - server_cpu, time.process_time() - client_cpu
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return LoadFigures([visitor.figures for visitor in visitors], figures, seconds, server_cpu, client_cpu)


def _sizes(processes: list[psutil.Process]) -> tuple[float, ...]:
    """Return the sums of memory in MB, threads and open files of processes and their children."""
    each = [(own_memory(process) / 1e6, process.num_threads(), process.num_fds()) for process in _with_children(processes)]
    return tuple(map(sum, zip(*each, strict=True)))


def _with_children(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [member for process in processes for member in (process, *process.children(recursive=True))]


def _cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that processes and their children have used."""
    return sum(sum(process.cpu_times()[:2]) for process in _with_children(processes))


async def _wait_unless_one_fails(tasks: list[asyncio.Task[None]], seconds: float) -> None:
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task
        raise ConnectionError("a camera stream ended early")


def number_between(minimum: float, maximum: float, kind: type) -> Any:
    """Return a parser of numbers within bounds, for argparse."""

    def parse(text: str) -> Any:
        value = kind(text)
        if not minimum <= value <= maximum:
            raise argparse.ArgumentTypeError(f"must be between {minimum:g} and {maximum:g}, not {value:g}")
        return value

    return parse


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.load", description=(__doc__ or "").partition("\n\n")[0], allow_abbrev=False
    )
    parser.add_argument(
        "--visitors", type=number_between(1, MAX_VISITORS, int), default=40, help="number of visitors (default: 40)"
    )
    parser.add_argument(
        "--rate", type=number_between(0.1, 10, float), default=5.0, help="frames per second of each visitor (default: 5)"
    )
    parser.add_argument(
        "--viewers",
        type=number_between(0, MAX_VIEWERS, int),
        default=0,
        help="number of viewers of the server's camera in addition (default: 0)",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--seconds", type=number_between(1, 60 * MAX_MINUTES, float), default=20.0, help="time measured (default: 20)"
    )
    length.add_argument(
        "--minutes", type=number_between(0.1, MAX_MINUTES, float), help="time measured, to see whether memory stays constant"
    )
    parser.add_argument(
        "--processes", type=number_between(1, 16, int), default=1, help="web processes, several behind nginx (default: 1)"
    )
    parser.add_argument(
        "--stay", type=number_between(1, 3600, float), help="seconds after which each visitor disconnects and connects again"
    )
    parser.add_argument(
        "--server",
        choices=("gunicorn", "app"),
        default="gunicorn",
        help="app: python app.py, which serves where gunicorn does not run (default: gunicorn)",
    )
    parser.add_argument("--flat", action="store_true", help="fail if memory, threads or open files have grown")
    options = parser.parse_args()
    if options.server == "app" and options.processes > 1:
        parser.error("--server app serves in one process")
    if options.minutes:
        options.seconds = 60 * options.minutes
    return options


@contextlib.contextmanager
def running_site(
    folder: Path, processes: int, server_name: str, settings: dict[str, str]
) -> Iterator[tuple[Server, list[psutil.Process]]]:
    """Run the site in one process, or in several behind nginx with Redis; yields its address and its web processes."""
    if server_name == "app":
        with serving(folder / LOG, None, server="app", **settings) as server:
            yield server, [psutil.Process(server.process.pid)]
        return
    if processes == 1:
        with serving(folder / LOG, None, **settings) as server:
            yield server, psutil.Process(server.process.pid).children()
        return
    shared = {"TRUSTED_PROXIES": "1", "SECRET_KEY": secrets.token_hex(32)}
    with (
        running_redis(folder) as redis,
        running_cluster(folder, processes, REDIS_URL=redis.url, **shared, **settings) as cluster,
    ):
        yield cluster.front, [cluster.worker(port) for port in cluster.ports]


def write_camera_video(path: Path) -> None:
    """Write a video file with a moving face, which the server's camera plays."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (640, 480))
    for frame in video(100):
        writer.write(frame)
    writer.release()


def main() -> None:
    """Run the site and its clients, and print the figures."""
    options = parse_options()
    print(
        f"{options.visitors} visitors, {options.rate:g} frames per second each (320×240, one face), {options.viewers} "
        f"viewers of the camera, {options.processes} process(es) of {options.server}, "
        f"{options.seconds:g} s after {WARM_UP_SECONDS:g} s of warm-up; "
        f"{psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f} before the start",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="mood-mirror-load-") as folder:
        camera = Path(folder) / "face.avi"
        if options.viewers:
            write_camera_video(camera)
        settings = {
            "CAMERA": str(camera) if options.viewers else "off",
            "MAX_VISITORS": str(options.visitors + 10),
            "MAX_VIEWERS": str(max(options.viewers, 1)),
            "MAX_PER_ADDRESS": "1000",  # all clients have the same address
        }
        with running_site(Path(folder), options.processes, options.server, settings) as (server, processes):
            try:
                figures = asyncio.run(measure(server, processes, options))
            except (ConnectionError, TimeoutError) as error:
                with contextlib.suppress(OSError):
                    print((Path(folder) / LOG).read_text()[-MAX_LOG_CHARACTERS:])
                raise SystemExit(f"The server failed under this load: {error}") from None
    grown = print_report(figures)
    if options.flat and grown:
        raise SystemExit(f"These have grown during the run: {', '.join(grown)}")


if __name__ == "__main__":
    main()
