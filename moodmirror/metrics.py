"""What the site counts and times, for Prometheus at /metrics. Nothing here says anything of a single person."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Seconds: a frame is to be answered within 0.2, a file takes tens of them.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0, 60.0)


@dataclass(frozen=True)
class Present:
    """What is so at the moment.

    `camera` counts frames of the server's camera that were ``captured`` and ``read``, and its ``openings``; `pause` is in
    seconds.
    """

    camera: Mapping[str, int]
    viewers: int
    visitors: int
    connections: int
    pause: float


class Metrics:
    """The counters and clocks of one site, with those of its process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.stages = Histogram(
            "mood_mirror_stage_seconds",
            "What each stage takes: turn (the wait for a place), frame, audio, text, tables.",
            ["stage"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.requests = Histogram(
            "mood_mirror_request_seconds",
            "HTTP requests until their answer begins, by endpoint and status.",
            ["endpoint", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.readings = Counter(
            "mood_mirror_readings", "Readings that went into a visitor's mood.", ["source"], registry=self.registry
        )
        self.messages = Counter(
            "mood_mirror_messages",
            "What visitors sent to be perceived, by event and outcome: read, empty (nobody there, or unclear) or refused.",
            ["event", "outcome"],
            registry=self.registry,
        )
        self.rejections = Counter(
            "mood_mirror_rejections",
            "Connections refused (connections, address, visitors, door) or ended (too_big, slow, malformed), and messages "
            "refused (too_fast).",
            ["reason"],
            registry=self.registry,
        )

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.stages.labels(stage).observe(time.perf_counter() - began)

    def watch(self, present: Callable[[], Present]) -> None:
        """Tell what is present too, whenever somebody asks."""
        self.registry.register(_PresentCollector(present))


class _PresentCollector(Collector):
    def __init__(self, present: Callable[[], Present]) -> None:
        self._present = present

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        present = self._present()
        captured, read = present.camera.get("captured", 0), present.camera.get("read", 0)
        frames = CounterMetricFamily(
            "mood_mirror_camera_frames",
            "Frames of the server's camera: captured, and of these read or skipped for a newer one. Each process that shows "
            "a published camera tells the same.",
            labels=["outcome"],
        )
        for outcome, count in (("captured", captured), ("read", read), ("skipped", max(captured - read, 0))):
            frames.add_metric([outcome], count)
        yield frames
        yield CounterMetricFamily(
            "mood_mirror_camera_openings",
            "How often the server's camera was opened; the first time, and each reconnection.",
            value=present.camera.get("openings", 0),
        )
        for name, told, value in (
            ("viewers", "Who watch the server's camera.", present.viewers),
            ("visitors", "Visitors who are connected.", present.visitors),
            ("connections", "Live connections that are open.", present.connections),
            ("frame_pause_seconds", "The pause between two frames that visitors are asked to keep.", present.pause),
            ("threads", "Threads of this process.", threading.active_count()),
        ):
            yield GaugeMetricFamily(f"mood_mirror_{name}", told, value=value)
