"""Counters and timings for Prometheus at /metrics, all aggregated: none describes a single person."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Seconds: a frame should be answered within 0.2, a file takes tens of seconds.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass(frozen=True)
class CurrentValues:
    """Values that are read when /metrics is requested.

    `camera` counts frames of the server's camera that were ``captured`` and ``read``, and its ``openings``; `pause` is the
    time in seconds that clients are asked to leave between two frames.
    """

    camera: Mapping[str, int]
    viewers: int
    visitors: int
    connections: int
    pause: float


class Metrics:
    """The counters and timings of one site, with those of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.stages = Histogram(
            "mood_mirror_stage_seconds",
            "Duration of each stage: wait (in the fair scheduler's queue), frame, audio, text, tables.",
            ["stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.requests = Histogram(
            "mood_mirror_request_seconds",
            "Duration of HTTP requests until the response begins, by endpoint and status.",
            ["endpoint", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.readings = Counter(
            "mood_mirror_readings", "Readings that changed a visitor's mood, by source.", ["source"], registry=self.registry
        )
        self.messages = Counter(
            "mood_mirror_messages",
            "Frames, audio and texts received, by event and outcome: read, empty (no face or voice, or unclear) or refused.",
            ["event", "outcome"],
            registry=self.registry,
        )
        self.rejections = Counter(
            "mood_mirror_rejections",
            "Connections refused (connections, address, visitors, authentication) or ended (too_big, slow, malformed), and "
            "messages refused (too_fast, cpu).",
            ["reason"],
            registry=self.registry,
        )

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure the duration of a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(stage).observe(time.perf_counter() - started)

    def add_current_values(self, current: Callable[[], CurrentValues]) -> None:
        """Add the metrics that `current` returns each time /metrics is requested."""
        self.registry.register(_CurrentValuesCollector(current))


class _CurrentValuesCollector(Collector):
    def __init__(self, current: Callable[[], CurrentValues]) -> None:
        self._current = current

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        current = self._current()
        captured, read = current.camera.get("captured", 0), current.camera.get("read", 0)
        frames = CounterMetricFamily(
            "mood_mirror_camera_frames",
            "Frames of the server's camera: captured, and of these read or skipped for a newer one. All processes that show "
            "a published camera report the same.",
            labels=["outcome"],
        )
        for outcome, count in (("captured", captured), ("read", read), ("skipped", max(captured - read, 0))):
            frames.add_metric([outcome], count)
        yield frames
        yield CounterMetricFamily(
            "mood_mirror_camera_openings",
            "How often the server's camera was opened: the first time, and each reconnection.",
            value=current.camera.get("openings", 0),
        )
        for name, description, value in (
            ("viewers", "Viewers of the server camera's stream.", current.viewers),
            ("visitors", "Visitors who are connected.", current.visitors),
            ("connections", "Open Socket.IO connections.", current.connections),
            ("frame_pause_seconds", "Pause that clients are asked to leave between two frames.", current.pause),
            ("threads", "Threads of this process.", threading.active_count()),
        ):
            yield GaugeMetricFamily(f"mood_mirror_{name}", description, value=value)
