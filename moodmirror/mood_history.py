"""Ring buffer of a session's last moods in one numpy structured array, because memory is used per visitor."""

from bisect import bisect_right
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import SOURCES, Contribution, Mood

MIN_ROWS: Final = 32  # of the first allocation; most visits are shorter than the history
_SHARES: Final = ("vector", "<f4", (len(EMOTIONS),))
_CONTRIBUTION: Final = np.dtype([("source", "i1"), ("weight", "<f4"), ("share", "<f4"), ("at", "<f8"), _SHARES])
_NO_CONTRIBUTION: Final = (-1, 0.0, 0.0, 0.0, (0.0,) * len(EMOTIONS))  # fills the slots that a mood does not use


def _row_dtype(slots: int) -> np.dtype[np.void]:
    """Return the packed dtype of one mood with at most `slots` contributions.

    Times are in seconds; `source` is an index into SOURCES, `label` and `mixed` are indices into EMOTIONS, −1 for none.
    """
    return np.dtype(
        [
            ("at", "<f8"),
            _SHARES,
            ("conflict", "<f4"),
            ("label", "i1"),
            ("mixed", "i1", (2,)),
            ("slots", _CONTRIBUTION, (slots,)),
        ]
    )


class MoodHistory:
    """The last moods of a session, oldest first. Not safe for use by several threads at once.

    The array grows with the session: in rows up to the limit, in slots up to the most contributions that a mood had. A full
    history of 600 moods takes 53 KB with one source and 107 KB with three.
    """

    def __init__(self, max_moods: int) -> None:
        """Hold at most `max_moods`; the oldest is overwritten by the next."""
        self._max_moods = max_moods
        self.clear()

    def clear(self) -> None:
        """Delete all moods and release their memory."""
        self._rows = np.zeros(0, _row_dtype(1))
        self._oldest = 0  # index of a row
        self._count = 0

    @property
    def newest_at(self) -> float:
        """The time of the newest mood in seconds; minus infinity if there is none."""
        return float(self._rows["at"][self._row_index(self._count - 1)]) if self._count else -np.inf

    def append(self, mood: Mood) -> None:
        """Add a mood that is newer than all others."""
        slots = self._rows.dtype["slots"].shape[0]
        if len(mood.contributions) > slots or self._count == len(self._rows) < self._max_moods:
            slots = max(slots, len(mood.contributions))
            self._grow(slots)
        if self._count == self._max_moods:
            self._oldest = self._row_index(1)
        else:
            self._count += 1
        contributions = [
            (SOURCES.index(source), contribution.weight, contribution.share, contribution.at, contribution.vector)
            for source, contribution in mood.contributions.items()
        ]
        self._rows[self._row_index(self._count - 1)] = (
            mood.at,
            mood.vector,
            mood.conflict,
            EMOTIONS.index(mood.label),
            [EMOTIONS.index(emotion) for emotion in mood.mixed] if mood.mixed else (-1, -1),
            contributions + [_NO_CONTRIBUTION] * (slots - len(contributions)),
        )

    def after(self, at: float) -> list[Mood]:
        """Return the moods that are newer than `at` seconds, oldest first."""
        rows = self._rows[self._indices_after(at)]  # a copy, which the next moods don't overwrite
        rows.flags.writeable = False
        numbers = rows[["at", "conflict", "label"]].tolist(), rows["mixed"].tolist()
        slots = rows["slots"][["source", "weight", "share", "at"]].tolist()
        moods = []
        for vector, (mood_at, conflict, label), (first, second), row_slots, slot_vectors in zip(
            rows["vector"], *numbers, slots, rows["slots"]["vector"], strict=True
        ):
            contributions = {
                SOURCES[source]: Contribution(slot_vector, weight, share, read_at)
                for (source, weight, share, read_at), slot_vector in zip(row_slots, slot_vectors, strict=True)
                if source >= 0
            }
            mixed = (EMOTIONS[first], EMOTIONS[second]) if first >= 0 else None
            confidence = float(vector[label])
            moods.append(Mood(vector, EMOTIONS[label], confidence, contributions, mood_at, conflict, mixed))
        return moods

    def vectors_after(self, at: float) -> npt.NDArray[np.float32]:
        """Return the mood vectors of the moods that are newer than `at` seconds, float32 [n, 7]."""
        vectors: npt.NDArray[np.float32] = self._rows["vector"][self._indices_after(at)]
        return vectors

    def _row_index(self, position: int) -> int:
        """Return the row of the mood at `position`, counted from the oldest."""
        return (self._oldest + position) % len(self._rows)

    def _indices_after(self, at: float) -> npt.NDArray[np.int_]:
        times = self._rows["at"]
        first = bisect_right(range(self._count), at, key=lambda position: times[self._row_index(position)])
        return (self._oldest + np.arange(first, self._count)) % max(len(self._rows), 1)

    def _grow(self, slots: int) -> None:
        """Copy the moods, oldest first, into an array with more rows or with more slots."""
        rows = len(self._rows) if self._count < len(self._rows) else min(max(2 * self._count, MIN_ROWS), self._max_moods)
        grown = np.zeros(rows, _row_dtype(slots))
        moods = self._rows[self._indices_after(-np.inf)]
        for name in ("at", "vector", "conflict", "label", "mixed"):
            grown[name][: self._count] = moods[name]
        grown["slots"]["source"] = -1
        grown["slots"][: self._count, : moods["slots"].shape[1]] = moods["slots"]
        self._rows, self._oldest = grown, 0
