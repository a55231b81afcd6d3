"""The shared mood: thread-safe, with a short history, telling its subscribers only about changes."""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, valence_arousal
from moodmirror.fusion import Mood, Reading, Source, fuse
from moodmirror.mood_history import MoodHistory

# Seconds after which a reading is forgotten: a face that left says nothing of the mood any more, a voice may pause while it
# looks for words, and what was written holds for minutes, though it counts for little (six half-lives) in the end.
FORGET_AFTER: Final[Mapping[Source, float]] = {"face": 4.0, "speech": 10.0, "text": 180.0, "chosen": float("inf")}
# How many readings of a source count at most, which bounds memory and the work of one fusion: 8 s of a 30-frame camera, more
# seconds of a voice than it is remembered. Of what is written or chosen only the last word counts.
KEPT: Final[Mapping[Source, int]] = {"face": 240, "speech": 16, "text": 1, "chosen": 1}
# Another emotion must lead the present label by this much to take its place; without it two that are level would flicker.
LABEL_LEAD: Final = 0.08
# A mood that is mixed stays so while its sources contradict each other by this much (it became so at MIXED_FROM).
MIXED_WHILE: Final = 0.3
# Subscribers hear of a change when some share moved by this much: a tenth of what the eye sees move in a bar.
TOLD_CHANGE: Final = 0.01
TOLD_SOURCE_CHANGE: Final = 0.05  # likewise of what the mood is made from
HISTORY_SECONDS: Final = 600
HISTORY_STEP_SECONDS: Final = 1.0
# A mood counts as very low for long when it was so unpleasant on average for this time, with few gaps: sadness alone has a
# valence of -0.8, and what passes within minutes is none of the mirror's business.
LOW_SECONDS: Final = 300
LOW_VALENCE: Final = -0.6
LOW_LEAST_MOODS: Final = 0.8  # share of the seconds of which a mood is known

Subscriber = Callable[[Mood | None], None]


class MoodState:
    """One person's mood, or one room's. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: dict[Source, deque[Reading]] = {source: deque(maxlen=kept) for source, kept in KEPT.items()}
        self._mood: Mood | None = None
        self._refreshed_at = -np.inf
        self._told: Mood | None = None
        self._history = MoodHistory(int(HISTORY_SECONDS / HISTORY_STEP_SECONDS))
        self._subscribers: list[Subscriber] = []

    @property
    def mood(self) -> Mood | None:
        """The mood as of the last update or refresh; None when nothing is known of it."""
        with self._lock:
            return self._mood

    @property
    def refreshed_at(self) -> float:
        """When time was last let pass, in seconds of the clock: by an update, or a refresh."""
        with self._lock:
            return self._refreshed_at

    @property
    def history(self) -> list[Mood]:
        """The course of the last ten minutes, oldest first, at most one mood a second and 600 in all."""
        return self.history_after(-np.inf)

    def history_after(self, at: float) -> list[Mood]:
        """The part of the course that is newer than `at`, in seconds of the clock."""
        with self._lock:
            return self._history.after(at)

    @property
    def is_low_for_long(self) -> bool:
        """Whether the mood has been very low for minutes."""
        with self._lock:
            lately = self._history.vectors_after(self._clock() - LOW_SECONDS)
        if len(lately) < LOW_LEAST_MOODS * LOW_SECONDS / HISTORY_STEP_SECONDS:
            return False
        # The valence of the mean is the mean of the valences, for one product in place of hundreds.
        valence, _ = valence_arousal(np.mean(lately, axis=0))
        return valence <= LOW_VALENCE

    def update(self, reading: Reading) -> Mood:
        """Take in a reading and return the mood that follows. A chosen mood stays until :meth:`release`."""
        with self._lock:
            self._readings[reading.source].append(reading)
        mood = self.refresh()
        assert mood is not None
        return mood

    def release(self) -> Mood | None:
        """Let go of the mood that was chosen by hand; the sources speak again."""
        self.clear("chosen")
        return self.mood

    def clear_history(self) -> None:
        """Forget the course so far; the mood of the moment stays."""
        with self._lock:
            self._history.clear()

    def clear(self, source: Source | None = None) -> None:
        """Forget what `source` said; by default every reading, the chosen mood and the history."""
        with self._lock:
            for readings in [self._readings[source]] if source else self._readings.values():
                readings.clear()
            if source is None:
                self._history.clear()
        self.refresh()

    def refresh(self) -> Mood | None:
        """Let time pass: drop what is old, fuse the rest, tell subscribers if that changed anything."""
        with self._lock:
            now = self._refreshed_at = self._clock()
            for source, readings in self._readings.items():
                while readings and now - readings[0].at > FORGET_AFTER[source]:
                    readings.popleft()
            given = [reading for readings in self._readings.values() for reading in readings]
            self._mood = self._steady(fuse(given, max(now, *(r.at for r in given)))) if given else None
            mood = self._mood
            if mood and mood.at - self._history.newest_at >= HISTORY_STEP_SECONDS:
                self._history.append(mood)
            changed = _differs(mood, self._told)
            if changed:
                self._told = mood
            subscribers = list(self._subscribers) if changed else []
        for subscriber in subscribers:
            subscriber(mood)
        return mood

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` with the mood after each change, in the thread that caused it. Returns how to end that."""
        with self._lock:
            self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            with self._lock:
                if subscriber in self._subscribers:
                    self._subscribers.remove(subscriber)

        return unsubscribe

    def _steady(self, mood: Mood) -> Mood:
        """Keep the present name of the mood while nothing speaks clearly for another one."""
        before = self._mood
        if before is None or "chosen" in mood.sources:
            return mood
        shares = dict(zip(EMOTIONS, (float(share) for share in mood.vector), strict=True))
        if before.mixed and self._still_mixed(before.mixed, mood, shares):
            # Which of the two is trusted more may change from frame to frame: they stay in their order.
            mood = replace(mood, mixed=before.mixed)
        names = mood.mixed or EMOTIONS
        label = max(names, key=lambda emotion: shares[emotion])
        if before.label in names and shares[label] - shares[before.label] < LABEL_LEAD:
            label = before.label
        return replace(mood, label=label, confidence=shares[label])

    @staticmethod
    def _still_mixed(contraries: tuple[str, str], mood: Mood, shares: dict[str, float]) -> bool:
        """Whether what a mood was mixed of still contradicts each other, and no third emotion clearly leads."""
        if mood.mixed is not None:
            return set(mood.mixed) == set(contraries)
        return (
            mood.conflict >= MIXED_WHILE
            and set(contraries) <= {said.label for said in mood.contributions.values()}
            and max(shares.values()) - max(shares[emotion] for emotion in contraries) < LABEL_LEAD
        )


def _differs(mood: Mood | None, told: Mood | None) -> bool:
    if mood is None or told is None:
        return mood is not told
    return (
        mood.name != told.name
        or set(mood.sources) != set(told.sources)
        or any(abs(share - told.sources[source]) >= TOLD_SOURCE_CHANGE for source, share in mood.sources.items())
        or float(np.abs(mood.vector - told.vector).max()) >= TOLD_CHANGE
    )
