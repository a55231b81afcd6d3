"""The result of analyzing a file or a text: its mood as a whole, its segments and its faces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector
from moodmirror.fusion import Mood, Reading, Source, fuse
from moodmirror.media.formats import Kind
from moodmirror.recognition.face import Face


@dataclass(frozen=True)
class Segment:
    """The mood of one part of a file: of a moment in a clip, a window of audio, a sentence of a text.

    `vector` is a mood vector, float32 [7], or None where nothing was recognized, `sources` each source's share in it,
    summing to 1. `mixed` names the leading emotions of two sources that strongly contradict each other, see
    :func:`moodmirror.fusion.fuse`. `at` is the time in seconds, or `start` and `end` the position in a text, in characters.
    `weight`, 0…1, is the reading's reliability, and `snr_db` the voice's level above the noise.
    """

    vector: MoodVector | None
    sources: dict[Source, float]
    at: float | None = None
    start: int | None = None
    end: int | None = None
    weight: float | None = None
    snr_db: float | None = None
    mixed: tuple[str, str] | None = None


@dataclass(frozen=True)
class Analysis:
    """The analysis of one file or text.

    `vector` is the mood vector, float32 [7], of the whole, None where nothing was recognized, and `sources` each source's
    share in it, summing to 1. `leading_share`, 0…1, is the share of the recognized segments (of a photo: faces) in which the
    whole's leading emotion leads. `width` and `height` are the picture's, in pixels, as are the boxes of `faces`; `seconds`
    is the length of a recording or clip. `words` are the most influential words of a text: (start, end, weight); `language`
    is the ISO 639 code of its language, and `language_known` whether that is supported; both are None for other kinds.
    `readings` hold what each of its sources says of the whole, for :func:`combine`. `notices` are sentences for the user
    about what was read differently than they may expect, for example that the file is incomplete and only a part of it was
    read. `states_crisis` is true if a text, of whatever kind of file, states suicidality or self-harm
    (:mod:`moodmirror.recognition.crisis_statements`).
    """

    kind: Kind
    vector: MoodVector | None = None
    sources: dict[Source, float] | None = None
    leading_share: float = 0.0
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    segments: Sequence[Segment] = ()
    faces: Sequence[Face] = ()
    words: Sequence[tuple[int, int, float]] = ()
    language: str | None = None
    language_known: bool | None = None
    weight: float | None = None
    notices: Sequence[str] = ()
    readings: Sequence[Reading] = ()
    states_crisis: bool = False

    @property
    def label(self) -> str | None:
        """The leading emotion; None where nothing was recognized."""
        return None if self.vector is None else EMOTIONS[int(self.vector.argmax())]


def combine(analyses: Iterable[Analysis]) -> Mood | None:
    """Fuse what several files and texts say of one person into one mood; None if nothing was recognized in any."""
    readings = [reading for analysis in analyses for reading in analysis.readings]
    return fuse(readings) if readings else None


def source_reading(source: Source, readings: Sequence[Reading]) -> Reading:
    """Return what one source says of a whole file: the mean, by weight, of its readings, of which there must be one."""
    weights = [reading.weight for reading in readings]
    vector = np.average([reading.vector for reading in readings], axis=0, weights=weights).astype(np.float32)
    return Reading(vector, source, float(np.mean(weights)), 0.0)


def leading_share(vector: MoodVector, parts: Sequence[Segment | Face]) -> float:
    """Return the share, 0…1, of the recognized parts whose leading emotion is that of `vector`."""
    vectors = [part.vector for part in parts if part.vector is not None]
    leading = vector.argmax()
    return sum(bool(other.argmax() == leading) for other in vectors) / len(vectors) if vectors else 0.0


def mean_vector(parts: Sequence[Segment | Face]) -> MoodVector:
    """Return the mean mood vector of the recognized parts, of which there must be at least one."""
    vectors = [part.vector for part in parts if part.vector is not None]
    return np.asarray(np.mean(vectors, axis=0), dtype=np.float32)
