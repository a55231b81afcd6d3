"""The figures of the load benchmark, and the table that it prints."""

import statistics
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from benchmarks.load_client import VisitorFigures

# What must not grow once caches have filled, from the third tenth of the time to the last, and the growth allowed: visitors
# come and go.
MAX_GROWTH: Final = {"memory, MB": 8.0, "threads": 4.0, "open files": 4.0}


@dataclass
class ServerFigures:
    """Measurements of the server during the run."""

    health: list[float] = field(default_factory=list)  # seconds until /healthz answered
    sizes: list[tuple[float, ...]] = field(default_factory=list)  # in the order of MAX_GROWTH
    picture_counts: Counter[int] = field(default_factory=Counter)  # pictures received, by viewer

    def clear(self) -> None:
        """Discard what was measured so far."""
        self.health.clear()
        self.sizes.clear()
        self.picture_counts.clear()


@dataclass(frozen=True)
class LoadFigures:
    """All measurements of one run: `seconds` by the clock, `server_cpu` and `client_cpu` in CPU seconds."""

    visitors: list[VisitorFigures]
    server: ServerFigures
    seconds: float
    server_cpu: float
    client_cpu: float


def print_report(figures: LoadFigures) -> list[str]:
    """Print a table of the figures; returns the names of the sizes that have grown."""
    visitors, seconds = figures.visitors, figures.seconds
    acknowledged = [value for visitor in visitors for value in visitor.acknowledged]
    rates = [len(visitor.acknowledged) / seconds for visitor in visitors]
    errors = sum((visitor.errors for visitor in visitors), Counter[str]())
    if not acknowledged:
        raise SystemExit(f"No frame was processed. Errors: {dict(errors)}")
    print_row("frame to acknowledgement, ms: median, 95 %, maximum", *_quantiles(acknowledged))
    moods = [value for visitor in visitors for value in visitor.moods]
    if moods:
        print_row("frame to mood, ms: median, 95 %, maximum", *_quantiles(moods))
    else:  # a steady face may not change for the whole run
        print("  frame to mood: no mood changed enough to be sent")
    print_row("frames processed per second: total", len(acknowledged) / seconds)
    print_row("  of one visitor: minimum, median, maximum", min(rates), statistics.median(rates), max(rates))
    dropped = sum(visitor.dropped for visitor in visitors)
    print_row("frames dropped for a newer one, % of those due", 100 * dropped / (dropped + len(acknowledged)))
    for message, count in errors.items():
        print_row(f"error: {message}", count)
    print_row("/healthz, ms: median, 95 %, maximum", *_quantiles(figures.server.health))
    print_row("CPU of the server, ms per frame", 1000 * figures.server_cpu / len(acknowledged))
    print_row("CPU of server and clients, cores", figures.server_cpu / seconds, figures.client_cpu / seconds)
    grown = _print_sizes(figures.server.sizes)
    if figures.server.picture_counts:
        picture_rates = [count / seconds for count in figures.server.picture_counts.values()]
        print_row(
            "pictures per second of one viewer: minimum, median, maximum",
            min(picture_rates),
            statistics.median(picture_rates),
            max(picture_rates),
        )
    return grown


def _print_sizes(sizes: list[tuple[float, ...]]) -> list[str]:
    """Print how the server's sizes develop; returns the names of those that have grown."""
    grown = []
    for (name, allowed), values in zip(MAX_GROWTH.items(), zip(*sizes, strict=True), strict=True):
        tenth = max(len(values) // 10, 1)
        third_start = min(2 * tenth, len(values) - tenth)
        first, third, last = (statistics.mean(values[at : at + tenth]) for at in (0, third_start, len(values) - tenth))
        print_row(f"{name}: first, third and last tenth, maximum", first, third, last, max(values))
        if last > third + allowed:
            grown.append(name)
    return grown


def _quantiles(seconds: list[float]) -> tuple[float, float, float]:
    """Return the median, the 95 % quantile and the maximum in milliseconds."""
    return tuple(1000 * float(value) for value in np.quantile(seconds, (0.5, 0.95, 1.0)))  # type: ignore[return-value]


def print_row(label: str, *values: float) -> None:
    """Print one row of the table."""
    print(f"  {label:60}" + "".join(f"{value:9.1f}" for value in values), flush=True)
