"""Several readings, one mood: what a reading and a mood are, and how the first become the second."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal

Source = Literal["face", "chosen"]

# Seconds after which a reading counts half. A face is read many times a second and single frames err, so its half-life
# is the smoothing: long enough that one odd frame does not turn the label, short enough that a changed face leads within
# two seconds. A mood chosen by hand does not fade: it holds until the person lets go of it.
HALF_LIFE: Final[Mapping[Source, float]] = {"face": 0.9, "chosen": float("inf")}


@dataclass(frozen=True)
class Reading:
    """What one source saw at one moment.

    `vector` is a mood vector, float32 [7]; `weight` says how far to trust it, above 0 and at most 1; `at` is in seconds on
    the monotonic clock.
    """

    vector: MoodVector
    source: Source
    weight: float
    at: float

    def __post_init__(self) -> None:
        vector = self.vector
        if vector.shape != (len(EMOTIONS),) or not np.isfinite(vector).all() or vector.min() < 0:
            raise ValueError(f"a reading's vector must be {len(EMOTIONS)} non-negative numbers, not {vector!r}")
        if abs(float(vector.sum()) - 1) > 1e-3:
            raise ValueError(f"a reading's vector must sum to 1, not {vector.sum():.4f}")
        if not 0 < self.weight <= 1:
            raise ValueError(f"a reading's weight must be above 0 and at most 1, not {self.weight}")


@dataclass(frozen=True)
class Mood:
    """The fused state.

    `vector` is a mood vector, float32 [7]; `label` its leading emotion and `confidence` that one's share, 0…1; `sources`
    maps each source to its share in the mood, summing to 1; `at` is the time of the fusion in monotonic seconds.
    """

    vector: MoodVector
    label: str
    confidence: float
    sources: Mapping[Source, float]
    at: float

    @property
    def valence(self) -> float:
        """How pleasant, −1…1."""
        return valence_arousal(self.vector)[0]

    @property
    def arousal(self) -> float:
        """How aroused, −1…1."""
        return valence_arousal(self.vector)[1]


def fuse(readings: Iterable[Reading], now: float | None = None) -> Mood:
    """Average readings by their weights, each fading with its source's half-life; a mood chosen by hand overrules all.

    `now`, in monotonic seconds, is the moment that ages count from; by default the newest reading's.
    Raises ValueError without readings.
    """
    given = list(readings)
    if not given:
        raise ValueError("there is no reading to fuse")
    chosen = [reading for reading in given if reading.source == "chosen"]
    if chosen:
        given = [max(chosen, key=lambda reading: reading.at)]
    moment = max(reading.at for reading in given) if now is None else now
    weights = np.array(
        [reading.weight * 0.5 ** (max(moment - reading.at, 0.0) / HALF_LIFE[reading.source]) for reading in given],
        dtype=np.float64,
    )
    # Ages of many half-lives underflow to a total of 0; only their proportions matter.
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(given), 1 / len(given))
    vector = (weights @ np.stack([reading.vector for reading in given])).astype(np.float32)
    leading = int(vector.argmax())
    sources: dict[Source, float] = {}
    for reading, weight in zip(given, weights, strict=True):
        sources[reading.source] = sources.get(reading.source, 0.0) + float(weight)
    return Mood(vector, EMOTIONS[leading], float(vector[leading]), sources, moment)
