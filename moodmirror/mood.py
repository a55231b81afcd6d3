"""The current mood of a visitor or a camera room: thread-safe, with a history and change notifications."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, valence_arousal
from moodmirror.fusion import Mood, Reading, Source, fuse
from moodmirror.mood_history import MoodHistory

# Seconds after which a reading is deleted. A face that has left shows nothing of the mood any more, a speaker may pause to
# look for words, and text holds for minutes, although it counts for little (six half-lives) in the end.
MAX_AGE_SECONDS: Final[Mapping[Source, float]] = {"face": 4.0, "speech": 10.0, "text": 180.0, "chosen": float("inf")}
# Readings stored per source, which bounds memory and the work of one fusion: 8 s of a camera at 30 frames a second, and more
# seconds of speech than are used. Of text and chosen moods only the newest counts.
MAX_READINGS: Final[Mapping[Source, int]] = {"face": 240, "speech": 16, "text": 1, "chosen": 1}
# Another emotion must lead the present label by this share to replace it; otherwise two nearly equal ones would flicker.
MIN_LABEL_LEAD: Final = 0.08
# A mixed mood stays mixed down to this conflict (it became mixed at MIXED_MIN_CONFLICT).
STILL_MIXED_MIN_CONFLICT: Final = 0.3
# Subscribers are notified when a share changes by this much: a tenth of the change that is visible in a bar.
NOTIFY_SHARE_CHANGE: Final = 0.01
NOTIFY_SOURCE_CHANGE: Final = 0.05  # the same for a source's share in the mood
HISTORY_SECONDS: Final = 600
HISTORY_STEP_SECONDS: Final = 1.0
# A mood is low for long when its mean valence over this time is at most this value, with few gaps: sadness alone has a
# valence of −0.8, and a low mood that passes within minutes needs no offer of help.
LOW_SECONDS: Final = 300
LOW_VALENCE: Final = -0.6
LOW_MIN_COVERAGE: Final = 0.8  # share of these seconds in which a mood is known

Subscriber = Callable[[Mood | None], None]


class MoodState:
    """The mood of one visitor or one camera room. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds that never decrease."""
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[Source, deque[Reading]] = {
            source: deque(maxlen=count) for source, count in MAX_READINGS.items()
        }
        self._held: tuple[Reading, ...] = ()
        self._mood: Mood | None = None
        self._was_cleared = False
        self._notify_next = False  # notify subscribers at the next refresh, even without a change
        self._refreshed_at = -np.inf
        self._notified: Mood | None = None
        self._history = MoodHistory(int(HISTORY_SECONDS / HISTORY_STEP_SECONDS))
        self._subscribers: list[Subscriber] = []

    @property
    def mood(self) -> Mood | None:
        """Return the mood as of the last update or refresh; None when there is no reading."""
        with self._lock:
            return self._mood

    @property
    def was_cleared(self) -> bool:
        """Return whether there is no mood because its last readings were cleared on request, rather than expired."""
        with self._lock:
            return self._was_cleared

    @property
    def holds_readings(self) -> bool:
        """Return whether readings are held, see :meth:`hold`."""
        with self._lock:
            return bool(self._held)

    @property
    def refreshed_at(self) -> float:
        """Return the time of the last update or refresh, in seconds of the clock."""
        with self._lock:
            return self._refreshed_at

    @property
    def history(self) -> list[Mood]:
        """Return the moods of the last ten minutes, oldest first: at most one a second, 600 in all."""
        return self.history_after(-np.inf)

    def history_after(self, at: float) -> list[Mood]:
        """Return the moods of the history that are newer than `at`, in seconds of the clock, oldest first."""
        with self._lock:
            return self._history.after(at)

    @property
    def is_low_for_long(self) -> bool:
        """Return whether the mood has been very low for minutes."""
        with self._lock:
            vectors = self._history.vectors_after(self._clock() - LOW_SECONDS)
        if len(vectors) < LOW_MIN_COVERAGE * LOW_SECONDS / HISTORY_STEP_SECONDS:
            return False
        # The valence of the mean is the mean of the valences: one product instead of hundreds.
        valence, _ = valence_arousal(np.mean(vectors, axis=0))
        return valence <= LOW_VALENCE

    def update(self, reading: Reading) -> Mood:
        """Add a reading and return the new mood. A chosen mood stays until ``clear("chosen")``."""
        with self._lock:
            self._readings[reading.source].append(reading)
            self._was_cleared = False
        # Text is read once rather than many times a second, so its label can't flicker: it replaces the present one at once.
        mood = self._refresh(steady=reading.source != "text")
        assert mood is not None
        return mood

    def hold(self, readings: Iterable[Reading]) -> None:
        """Hold readings, of files that the visitor gave, until the next call: they neither expire nor fade.

        They replace the live readings of their sources, and are fused with those of the others. No readings end it.
        """
        with self._lock:
            self._held = tuple(readings)
            if self._held:
                self._was_cleared = False
            else:
                self._check_cleared()
        self._refresh(steady=False)

    def clear_history(self) -> None:
        """Delete the history; the current mood stays."""
        with self._lock:
            self._history.clear()

    def clear(self, source: Source | None = None) -> None:
        """Delete the readings of `source`; by default all readings, the chosen mood, and the history."""
        with self._lock:
            for readings in [self._readings[source]] if source else self._readings.values():
                readings.clear()
            if source is None:
                self._history.clear()
                self._held = ()
            self._check_cleared()
        self.refresh()

    def refresh(self) -> Mood | None:
        """Delete expired readings, fuse the others, notify subscribers of a change, and return the mood."""
        return self._refresh(steady=True)

    def _check_cleared(self) -> None:
        """After readings were removed on request, note whether none is left.

        Subscribers are then notified even if the mood had expired before: what they still show of it was cleared, too.
        """
        if not (any(self._readings.values()) or self._held or self._was_cleared):
            self._was_cleared = self._notify_next = True

    def _refresh(self, *, steady: bool) -> Mood | None:
        """Refresh the mood; if `steady`, its label stays while no other emotion clearly leads."""
        with self._lock:
            now = self._refreshed_at = self._clock()
            for source, readings in self._readings.items():
                while readings and now - readings[0].at > MAX_AGE_SECONDS[source]:
                    readings.popleft()
            held = {reading.source for reading in self._held}
            current = [reading for source, readings in self._readings.items() if source not in held for reading in readings]
            current += [replace(reading, at=now) for reading in self._held]
            mood = fuse(current, max(now, *(r.at for r in current))) if current else None
            self._mood = mood = self._steady(mood) if mood and steady else mood
            if mood and mood.at - self._history.newest_at >= HISTORY_STEP_SECONDS:
                self._history.append(mood)
            changed = self._notify_next or _differs(mood, self._notified)
            if changed:
                self._notified, self._notify_next = mood, False
            subscribers = list(self._subscribers) if changed else []
        for subscriber in subscribers:
            subscriber(mood)
        return mood

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with the mood after each change; return the function that unsubscribes it.

        The call runs in the thread that caused the change.
        """
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return unsubscribe

    def _steady(self, mood: Mood) -> Mood:
        """Keep the previous label and pair of the mood while no other emotion clearly leads."""
        before = self._mood
        if before is None or "chosen" in mood.sources:
            return mood
        shares = dict(zip(EMOTIONS, (float(share) for share in mood.vector), strict=True))
        if before.mixed and self._still_mixed(before.mixed, mood, shares):
            # Which of the two sources has more weight may change from frame to frame: the pair keeps its order.
            mood = replace(mood, mixed=before.mixed)
        candidates = mood.mixed or EMOTIONS
        label = max(candidates, key=lambda emotion: shares[emotion])
        if before.label in candidates and shares[label] - shares[before.label] < MIN_LABEL_LEAD:
            label = before.label
        return replace(mood, label=label, confidence=shares[label])

    @staticmethod
    def _still_mixed(pair: tuple[str, str], mood: Mood, shares: dict[str, float]) -> bool:
        """Return whether the two emotions of a mixed mood still conflict, and no third emotion clearly leads."""
        if mood.mixed is not None:
            return set(mood.mixed) == set(pair)
        return (
            mood.conflict >= STILL_MIXED_MIN_CONFLICT
            and set(pair) <= {contribution.label for contribution in mood.contributions.values()}
            and max(shares.values()) - max(shares[emotion] for emotion in pair) < MIN_LABEL_LEAD
        )


def _differs(mood: Mood | None, notified: Mood | None) -> bool:
    """Return whether a mood differs enough from the last one that subscribers were notified of."""
    if mood is None or notified is None:
        return mood is not notified
    return (
        mood.name != notified.name
        or set(mood.sources) != set(notified.sources)
        or any(abs(share - notified.sources[source]) >= NOTIFY_SOURCE_CHANGE for source, share in mood.sources.items())
        or float(np.abs(mood.vector - notified.vector).max()) >= NOTIFY_SHARE_CHANGE
    )
