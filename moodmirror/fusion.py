"""Fuse readings of several sources into one mood: a logarithmic opinion pool with conflict detection."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin, valence_arousal

Source = Literal["face", "speech", "text", "chosen"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

# Seconds after which a reading has half its weight.
# Face: read many times a second with errors in single frames, so the half-life smooths the readings. It is long enough that
# one wrong frame does not change the label, and short enough that a changed face leads within two seconds.
# Speech: read once a second from a window of three seconds, which is smooth already. People pause, so a reading must outlast
# some seconds of silence; a changed tone must lead within three readings.
# Text: written once and valid for a while, about as long as the visitor reads a recommendation table.
# Chosen: a mood chosen by hand does not fade; it holds until the visitor clears it.
HALF_LIFE_SECONDS: Final[Mapping[Source, float]] = {"face": 0.9, "speech": 2.5, "text": 30.0, "chosen": float("inf")}

# How often each source finds each emotion, in the order of EMOTIONS: the network's mean prediction on data that it was not
# trained on (half of FER2013's publictest, RAVDESS by folds of speakers, GoEmotions' development set).
BASE_RATES: Final[Mapping[Source, tuple[float, ...]]] = {
    "face": (0.149, 0.020, 0.133, 0.240, 0.176, 0.099, 0.183),
    "speech": (0.136, 0.138, 0.121, 0.138, 0.145, 0.117, 0.205),
    "text": (0.116, 0.015, 0.015, 0.368, 0.058, 0.088, 0.339),
}
_LOG_BASE_RATES: Final = {source: np.log(rates) for source, rates in BASE_RATES.items()}
# Smaller shares are raised to this before they are multiplied, so that no source alone can exclude an emotion.
MIN_SHARE: Final = 0.01
# Margin, as a share, by which each of two sources must prefer its emotion to the other's: conflict begins at the first value
# and is complete at the second. Differences below the first are within the error of single readings.
CONFLICT_MARGIN_START, CONFLICT_MARGIN_FULL = 0.25, 0.75
# Conflict from which a mood is mixed: two sources of equal weight with a margin of 0.5, for example 60 % to 10 %.
MIXED_MIN_CONFLICT: Final = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """The mood vector that one source gives for one moment.

    `vector` is a mood vector, float32 [7]; `weight`, above 0 and at most 1, is how reliable it is; `at` is its time in
    seconds on the monotonic clock. Raises ValueError for values outside these ranges.
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


@dataclass(frozen=True, slots=True)
class Contribution(MoodVectorMixin):
    """One source's part in a mood.

    `vector` is the source's own mood vector, float32 [7]; `weight`, 0…1, its weight at the time of the fusion; `share`, 0…1,
    its part in the weights of all sources; `at` the time of its newest reading in monotonic seconds.
    """

    vector: MoodVector
    weight: float
    share: float
    at: float


@dataclass(frozen=True, slots=True)
class Mood:
    """The fused state.

    `vector` is a mood vector, float32 [7]; `label` its leading emotion and `confidence` that emotion's share, 0…1;
    `contributions` are the sources' parts, whose shares sum to 1; `at` is the time of the fusion in monotonic seconds.
    `conflict`, 0…1, is how strongly two sources contradict each other. `mixed` holds their two emotions when the conflict is
    strong, that of the source with more weight first; it is None otherwise, and where a third emotion leads.
    """

    vector: MoodVector
    label: str
    confidence: float
    contributions: Mapping[Source, Contribution]
    at: float
    conflict: float = 0.0
    mixed: tuple[str, str] | None = None

    @property
    def sources(self) -> dict[Source, float]:
        """Return each source's share in the mood; shares sum to 1."""
        return {source: contribution.share for source, contribution in self.contributions.items()}

    @property
    def name(self) -> str:
        """Return the mood's display name: its label, or ``mixed: happy and sad``."""
        return f"mixed: {self.mixed[0]} and {self.mixed[1]}" if self.mixed else self.label

    @property
    def valence(self) -> float:
        """Return how pleasant the mood is, −1…1."""
        return valence_arousal(self.vector)[0]

    @property
    def arousal(self) -> float:
        """Return how aroused the mood is, −1…1."""
        return valence_arousal(self.vector)[1]


def fuse(readings: Iterable[Reading], now: float | None = None) -> Mood:
    """Fuse readings into one mood; a mood chosen by hand overrides all other sources.

    Within a source, readings are averaged by weight and age, and the source has the weight of its strongest reading. A
    camera's ten readings a second therefore do not outvote one sentence.

    Across sources, the vectors are multiplied emotion by emotion, each raised to the source's weight relative to the
    strongest (a logarithmic opinion pool: Genest and Zidek, "Combining probability distributions", Statistical Science 1
    (1986)). An emotion that several sources find likely becomes likelier, an uncertain source changes little, and a single
    source is returned unchanged. How common an emotion is, which every source already contains, counts once. Which pool
    performs best is measured by ``train.py fusion``: models/fusion.md.

    Where two sources of sufficient weight contradict each other, a product would favor emotions that neither of them shows.
    In proportion to the conflict the mood is therefore their average, in which both remain visible, and is named mixed.

    `now`, in monotonic seconds, is the time from which ages are counted; by default that of the newest reading.
    Raises ValueError if there are no readings.
    """
    used = list(readings)
    if not used:
        raise ValueError("there is no reading to fuse")
    chosen = [reading for reading in used if reading.source == "chosen"]
    if chosen:
        used = [max(chosen, key=lambda reading: reading.at)]
    time = max(reading.at for reading in used) if now is None else now
    by_source: dict[Source, list[Reading]] = {}
    for reading in used:
        by_source.setdefault(reading.source, []).append(reading)
    averages, log_weights = zip(*(_average(source, group, time) for source, group in by_source.items()), strict=True)
    vectors = np.stack(averages)
    # Relative to the greatest, in powers of two: after many half-lives all weights would underflow to 0 at once.
    exponents = np.exp2(np.array(log_weights) - max(log_weights))
    shares = exponents / exponents.sum()
    contributions = {
        source: Contribution(vector, 2.0**log_weight, float(share), max(reading.at for reading in by_source[source]))
        for source, vector, log_weight, share in zip(by_source, averages, log_weights, shares, strict=True)
    }
    conflict, pair = strongest_conflict(contributions)
    product = logarithmic_pool(list(by_source), vectors, exponents)
    average = (shares @ vectors).astype(np.float32)
    vector = product + np.float32(min(conflict / MIXED_MIN_CONFLICT, 1.0)) * (average - product)
    label = EMOTIONS[int(vector.argmax())]
    # Where a third emotion leads, common to both or from another source, the pair does not describe the mood.
    mixed = pair if pair and conflict >= MIXED_MIN_CONFLICT and label in pair else None
    return Mood(vector, label, float(vector[EMOTIONS.index(label)]), contributions, time, conflict, mixed)


def logarithmic_pool(
    sources: Sequence[Source], vectors: npt.NDArray[np.float32], exponents: npt.NDArray[np.float64]
) -> MoodVector:
    """Return the logarithmic opinion pool, float32 [7], of mood vectors, float32 [n, 7], with exponents, float64 [n].

    By Bayes' rule, posteriors from independent evidence are multiplied and divided by the prior; otherwise two sources that
    both give disgust its usual low share would together make it rarer. The prior is the weighted geometric mean of the base
    rates; it is divided out once for each unit of exponent beyond the first.
    """
    if len(vectors) == 1:
        return np.array(vectors[0])
    log_prior = exponents @ np.array([_LOG_BASE_RATES[source] for source in sources]) / exponents.sum()
    logarithms = exponents @ np.log(np.maximum(vectors, MIN_SHARE).astype(np.float64)) - (exponents.sum() - 1) * log_prior
    powers = np.exp(logarithms - logarithms.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def strongest_conflict(contributions: Mapping[Source, Contribution]) -> tuple[float, tuple[str, str] | None]:
    """Return the strongest conflict between two sources, 0…1, and their emotions, the weightier source's first.

    The conflict of two sources is the smaller of the margins by which each prefers its leading emotion to the other's,
    scaled by CONFLICT_MARGIN_START and CONFLICT_MARGIN_FULL, times the ratio of their weights, which counts as 1 from one
    half on. Neutral conflicts with nothing: it means that no feeling shows, not that there is none. Of equal conflicts, the
    one whose sources have more weight is returned.
    """
    strongest: tuple[float, float, tuple[str, str] | None] = 0.0, 0.0, None
    for pair in itertools.combinations(contributions.values(), 2):
        stronger, weaker = sorted(pair, key=lambda contribution: -contribution.share)
        if stronger.label == weaker.label or "neutral" in (stronger.label, weaker.label):
            continue
        one, other = EMOTIONS.index(stronger.label), EMOTIONS.index(weaker.label)
        margin = min(stronger.vector[one] - stronger.vector[other], weaker.vector[other] - weaker.vector[one])
        contrast = np.clip((margin - CONFLICT_MARGIN_START) / (CONFLICT_MARGIN_FULL - CONFLICT_MARGIN_START), 0, 1)
        conflict = float(contrast * min(2 * weaker.share / stronger.share, 1.0))
        if (conflict, stronger.share + weaker.share) > strongest[:2] and conflict > 0:
            strongest = conflict, stronger.share + weaker.share, (stronger.label, weaker.label)
    return strongest[0], strongest[2]


def _average(source: Source, readings: list[Reading], time: float) -> tuple[MoodVector, float]:
    """Return the weighted average of one source's readings, and the binary logarithm of the source's weight at `time`."""
    ages = time - np.array([reading.at for reading in readings])
    log_weights = np.log2([reading.weight for reading in readings]) - np.maximum(ages, 0.0) / HALF_LIFE_SECONDS[source]
    weights = np.exp2(log_weights - log_weights.max())
    vector: MoodVector = (weights @ np.array([reading.vector for reading in readings]) / weights.sum()).astype(np.float32)
    return vector, float(log_weights.max())
