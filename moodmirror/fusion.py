"""Several readings, one mood: what a reading and a mood are, and how the first become the second."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, MoodVector, MoodVectorMixin, valence_arousal

Source = Literal["face", "speech", "text", "chosen"]
SOURCES: Final[tuple[Source, ...]] = get_args(Source)

# Seconds after which a reading counts half.
# A face is read many times a second and single frames err, so its half-life is the smoothing: long enough that one odd
# frame does not turn the label, short enough that a changed face leads within two seconds.
# A voice is read once a second over the last three, which smooths by itself; people pause for breath and thought, so what
# was heard must outlast some seconds of silence, yet a changed tone must lead within three readings.
# Words are said once and stay true for a while: they speak for the time in which one reads a table, and then give way.
# A mood chosen by hand does not fade: it holds until the person lets go of it.
HALF_LIFE_SECONDS: Final[Mapping[Source, float]] = {"face": 0.9, "speech": 2.5, "text": 30.0, "chosen": float("inf")}

# How often each source finds each emotion, in the order of EMOTIONS: its network's mean answer about what it did not learn
# from (half of FER2013's publictest, RAVDESS by folds of speakers, GoEmotions' development part).
BASE_RATES: Final[Mapping[Source, tuple[float, ...]]] = {
    "face": (0.149, 0.020, 0.133, 0.240, 0.176, 0.099, 0.183),
    "speech": (0.136, 0.138, 0.121, 0.138, 0.145, 0.117, 0.205),
    "text": (0.116, 0.015, 0.015, 0.368, 0.058, 0.088, 0.339),
}
_LOG_BASE_RATES: Final = {source: np.log(rates) for source, rates in BASE_RATES.items()}
# No source rules an emotion out: below this share it has said all that it can against one.
LEAST_SHARE: Final = 0.01
# By how much each of two sources must prefer its emotion to the other's, as shares, to begin to contradict it, and to do so
# wholly. Below the first, differences are those that single readings err by.
LEAST_CONTRARY, MOST_CONTRARY = 0.25, 0.75
# Conflict from which a mood is called mixed: two equally trusted sources that prefer theirs by 0.5, as 60 % to 10 %.
MIXED_FROM: Final = 0.5


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Contribution(MoodVectorMixin):
    """What one source says in a mood.

    `vector` is a mood vector, float32 [7], the source's own; `weight`, 0…1, how far it is trusted by now, `share`, 0…1, its
    part in the trust of all; `at` the time of its newest reading in monotonic seconds.
    """

    vector: MoodVector
    weight: float
    share: float
    at: float


@dataclass(frozen=True, slots=True)
class Mood:
    """The fused state.

    `vector` is a mood vector, float32 [7]; `label` its leading emotion and `confidence` that one's share, 0…1; `said` is
    what each source says, their shares summing to 1; `at` is the time of the fusion in monotonic seconds. `conflict`, 0…1,
    is how strongly two sources contradict each other; `mixed` names what the two say when that is strongly, the more
    trusted one's emotion first; it is None otherwise, and where a third emotion leads.
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
        """Each source's share in the mood, summing to 1."""
        return {source: said.share for source, said in self.contributions.items()}

    @property
    def name(self) -> str:
        """What to call the mood: its label, or ``mixed: happy and sad``."""
        return f"mixed: {self.mixed[0]} and {self.mixed[1]}" if self.mixed else self.label

    @property
    def valence(self) -> float:
        """How pleasant, −1…1."""
        return valence_arousal(self.vector)[0]

    @property
    def arousal(self) -> float:
        """How aroused, −1…1."""
        return valence_arousal(self.vector)[1]


def fuse(readings: Iterable[Reading], now: float | None = None) -> Mood:
    """Pool what the sources say, each fading with its half-life; a mood chosen by hand overrules all.

    A source says the average of its readings by weight and age, and counts as much as the one of them that counts most.
    So a camera's ten readings a second do not outvote a sentence that was written once.

    What sources say is multiplied emotion by emotion, each raised to its trust by that of the most trusted source (a
    logarithmic opinion pool: Genest and Zidek, "Combining probability distributions", Statistical Science 1 (1986)): what
    several think likely becomes likelier than each alone makes it, one that knows little changes little, and one source
    alone is believed as it is. How common an emotion is, which each source already reckons with, counts once. Which pool
    serves best is measured by ``train.py fusion``: models/fusion.md.

    Where two trusted sources contradict each other a product would leave what neither of them says; as far as they do, the
    mood is their average instead, in which both stay visible, and is called mixed.

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
    averages, trusts = zip(*(_average(source, said, moment) for source, said in by_source.items()), strict=True)
    vectors = np.stack(averages)
    # As powers of two, measured by the greatest: many half-lives would underflow to 0 for every source at once.
    trust = np.exp2(np.array(trusts) - max(trusts))
    shares = trust / trust.sum()
    said = {
        source: Contribution(vector, 2.0**trusted, float(share), max(reading.at for reading in by_source[source]))
        for source, vector, trusted, share in zip(by_source, averages, trusts, shares, strict=True)
    }
    conflict, contrary = strongest_conflict(said)
    together, average = pooled(list(by_source), vectors, trust), (shares @ vectors).astype(np.float32)
    vector = together + np.float32(min(conflict / MIXED_FROM, 1.0)) * (average - together)
    label = EMOTIONS[int(vector.argmax())]
    # Where a third emotion leads, one that both know or another source says, the two are not what the mood is.
    mixed = contrary if contrary and conflict >= MIXED_FROM and label in contrary else None
    return Mood(vector, label, float(vector[EMOTIONS.index(label)]), said, moment, conflict, mixed)


def pooled(sources: Sequence[Source], vectors: npt.NDArray[np.float32], exponents: npt.NDArray[np.float64]) -> MoodVector:
    """The logarithmic opinion pool, float32 [7], of the sources' mood vectors, float32 [n, 7], and exponents, float64 [n].

    By Bayes' rule opinions of sources that look at different things are multiplied and divided by what was known before:
    else two who find disgust as rare as it is would together make it rarer. What was known are the base rates' weighted
    geometric mean, so often as there is trust beyond that of one source.
    """
    if len(vectors) == 1:
        return np.array(vectors[0])
    before = exponents @ np.array([_LOG_BASE_RATES[source] for source in sources]) / exponents.sum()
    logarithms = exponents @ np.log(np.maximum(vectors, LEAST_SHARE).astype(np.float64)) - (exponents.sum() - 1) * before
    powers = np.exp(logarithms - logarithms.max())
    return np.asarray(powers / powers.sum(), dtype=np.float32)


def strongest_conflict(said: Mapping[Source, Contribution]) -> tuple[float, tuple[str, str] | None]:
    """How strongly the two sources contradict each other that do so most, 0…1, and what they say, the more trusted first.

    Two sources contradict each other as far as each prefers its leading emotion to the other's, the less decided one's
    preference counting, and as far as both are trusted: wholly from half the other's trust on. None contradicts neutral: it
    says that no feeling shows, not that there is none. Of equal conflicts the one of the most trusted sources is told.
    """
    strongest: tuple[float, float, tuple[str, str] | None] = 0.0, 0.0, None
    for pair in itertools.combinations(said.values(), 2):
        stronger, weaker = sorted(pair, key=lambda one: -one.share)
        if stronger.label == weaker.label or "neutral" in (stronger.label, weaker.label):
            continue
        one, other = EMOTIONS.index(stronger.label), EMOTIONS.index(weaker.label)
        contrary = min(stronger.vector[one] - stronger.vector[other], weaker.vector[other] - weaker.vector[one])
        apart = np.clip((contrary - LEAST_CONTRARY) / (MOST_CONTRARY - LEAST_CONTRARY), 0, 1)
        conflict = float(apart * min(2 * weaker.share / stronger.share, 1.0))
        if (conflict, stronger.share + weaker.share) > strongest[:2] and conflict > 0:
            strongest = conflict, stronger.share + weaker.share, (stronger.label, weaker.label)
    return strongest[0], strongest[2]


def _average(source: Source, readings: list[Reading], moment: float) -> tuple[MoodVector, float]:
    """What one source's readings say together, and the binary logarithm of how far to trust it at `moment`."""
    ages = moment - np.array([reading.at for reading in readings])
    trusts = np.log2([reading.weight for reading in readings]) - np.maximum(ages, 0.0) / HALF_LIFE_SECONDS[source]
    weights = np.exp2(trusts - trusts.max())
    vector: MoodVector = (weights @ np.array([reading.vector for reading in readings]) / weights.sum()).astype(np.float32)
    return vector, float(trusts.max())
