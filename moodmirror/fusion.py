"""Several readings, one mood: what a reading and a mood are, and how the first become the second."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal

Source = Literal["face", "speech", "text", "chosen"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

# Seconds after which a reading counts half.
# A face is read many times a second and single frames err, so its half-life is the smoothing: long enough that one odd
# frame does not turn the label, short enough that a changed face leads within two seconds.
# A voice is read once a second over the last three, which smooths by itself; people pause for breath and thought, so what
# was heard must outlast some seconds of silence, yet a changed tone must lead within three readings.
# Words are said once and stay true for a while: they speak for the time in which one reads a table, and then give way.
# A mood chosen by hand does not fade: it holds until the person lets go of it.
HALF_LIFE: Final[Mapping[Source, float]] = {"face": 0.9, "speech": 2.5, "text": 30.0, "chosen": float("inf")}


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
    """Average what the sources say, each fading with its half-life; a mood chosen by hand overrules all.

    A source says the average of its readings by weight and age, and counts as much as the one of them that counts most.
    So a camera's ten readings a second do not outvote a sentence that was written once.

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
    by_source: dict[Source, list[Reading]] = {}
    for reading in given:
        by_source.setdefault(reading.source, []).append(reading)
    vectors, trusts = zip(*(_said(source, said, moment) for source, said in by_source.items()), strict=True)
    # As powers of two, measured by the greatest: many half-lives would underflow to 0 for every source at once.
    weights = np.exp2(np.array(trusts) - max(trusts))
    weights /= weights.sum()
    vector = (weights @ np.stack(vectors)).astype(np.float32)
    leading = int(vector.argmax())
    sources = {source: float(weight) for source, weight in zip(by_source, weights, strict=True)}
    return Mood(vector, EMOTIONS[leading], float(vector[leading]), sources, moment)


def _said(source: Source, readings: list[Reading], moment: float) -> tuple[MoodVector, float]:
    """What one source's readings say together, and the binary logarithm of how far to trust it at `moment`."""
    trusts = np.array(
        [np.log2(reading.weight) - max(moment - reading.at, 0.0) / HALF_LIFE[source] for reading in readings],
        dtype=np.float64,
    )
    weights = np.exp2(trusts - trusts.max())
    vector: MoodVector = (weights @ np.stack([reading.vector for reading in readings]) / weights.sum()).astype(np.float32)
    return vector, float(trusts.max())
