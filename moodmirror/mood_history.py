"""The course of a mood through a session, packed: what a visitor's ten minutes hold in memory is counted by the visitor."""

import struct
from collections import deque
from collections.abc import Iterator
from itertools import takewhile
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import SOURCES, Contribution, Mood

_AT: Final = struct.Struct("<d")  # seconds
_VECTOR: Final = struct.Struct(f"<{len(EMOTIONS)}f")
_NAMES: Final = struct.Struct("<fbbb")  # conflict; indices into EMOTIONS: the label and the two that are mixed, −1 for none
_SAID: Final = struct.Struct("<bffd")  # index into SOURCES, weight, share, seconds; its vector follows
_HEAD: Final = _AT.size + _VECTOR.size


class MoodHistory:
    """The last moods of a session, oldest first. Not for several threads at once."""

    def __init__(self, most: int) -> None:
        """Of so many moods, at `most`."""
        self._packed: deque[bytes] = deque(maxlen=most)

    @property
    def newest_at(self) -> float:
        """The time of the newest mood in seconds; minus infinity when there is none."""
        return _at(self._packed[-1]) if self._packed else -np.inf

    def append(self, mood: Mood) -> None:
        """Add a mood that is newer than all others."""
        self._packed.append(_pack(mood))

    def clear(self) -> None:
        """Forget all."""
        self._packed.clear()

    def after(self, at: float) -> list[Mood]:
        """The moods that are newer than `at` seconds, oldest first."""
        return [_unpack(packed) for packed in self._after(at)]

    def vectors_after(self, at: float) -> npt.NDArray[np.float32]:
        """The vectors of the moods that are newer than `at` seconds, float32 [n, 7]."""
        joined = b"".join(packed[_AT.size : _HEAD] for packed in self._after(at))
        return np.frombuffer(joined, dtype="<f4").reshape(-1, len(EMOTIONS))

    def _after(self, at: float) -> Iterator[bytes]:
        newest_first = takewhile(lambda packed: _at(packed) > at, reversed(self._packed))
        return reversed(list(newest_first))


def _at(packed: bytes) -> float:
    at: float = _AT.unpack_from(packed)[0]
    return at


def _pack(mood: Mood) -> bytes:
    mixed = [EMOTIONS.index(name) for name in mood.mixed] if mood.mixed else [-1, -1]
    parts = [_AT.pack(mood.at), _VECTOR.pack(*mood.vector), _NAMES.pack(mood.conflict, EMOTIONS.index(mood.label), *mixed)]
    for source, said in mood.contributions.items():
        parts += [_SAID.pack(SOURCES.index(source), said.weight, said.share, said.at), _VECTOR.pack(*said.vector)]
    return b"".join(parts)


def _unpack(packed: bytes) -> Mood:
    def vector(start: int) -> npt.NDArray[np.float32]:
        return np.frombuffer(packed, dtype="<f4", count=len(EMOTIONS), offset=start)

    conflict, label, first, second = _NAMES.unpack_from(packed, _HEAD)
    said = {}
    for start in range(_HEAD + _NAMES.size, len(packed), _SAID.size + _VECTOR.size):
        source, weight, share, at = _SAID.unpack_from(packed, start)
        said[SOURCES[source]] = Contribution(vector(start + _SAID.size), weight, share, at)
    shares = vector(_AT.size)
    mixed = (EMOTIONS[first], EMOTIONS[second]) if first >= 0 else None
    return Mood(shares, EMOTIONS[label], float(shares[label]), said, _at(packed), conflict, mixed)
