"""The shared mood: thread-safe, with a short history, telling its subscribers only about changes."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS
from moodmirror.fusion import Mood, Reading, fuse

# A source is forgotten when its newest reading is older than this: a face that left says nothing of the mood any more.
FORGET_AFTER_SECONDS: Final = 4.0
# Another emotion must lead the present label by this much to take its place; without it two that are level would flicker.
LABEL_LEAD: Final = 0.08
# Subscribers hear of a change when some share moved by this much: a tenth of what the eye sees move in a bar.
TOLD_CHANGE: Final = 0.01
HISTORY_SECONDS: Final = 600
HISTORY_STEP_SECONDS: Final = 1.0
MAX_READINGS: Final = 240  # 8 s of a 30-frame camera: bounds memory, and the work of one fusion

Subscriber = Callable[[Mood | None], None]


class MoodState:
    """One person's mood, or one room's. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._lock = threading.Lock()
        self._readings: deque[Reading] = deque(maxlen=MAX_READINGS)
        self._chosen: Reading | None = None
        self._mood: Mood | None = None
        self._told: Mood | None = None
        self._history: deque[Mood] = deque(maxlen=int(HISTORY_SECONDS / HISTORY_STEP_SECONDS))
        self._subscribers: list[Subscriber] = []

    @property
    def mood(self) -> Mood | None:
        """The mood as of the last update or refresh; None when nothing is known of it."""
        with self._lock:
            return self._mood

    @property
    def history(self) -> list[Mood]:
        """The course of the last ten minutes, oldest first, at most one mood a second."""
        with self._lock:
            return list(self._history)

    def update(self, reading: Reading) -> Mood:
        """Take in a reading and return the mood that follows. A chosen mood stays until :meth:`release`."""
        with self._lock:
            if reading.source == "chosen":
                self._chosen = reading
            else:
                self._readings.append(reading)
        mood = self.refresh()
        assert mood is not None
        return mood

    def release(self) -> Mood | None:
        """Let go of the mood that was chosen by hand; the sources speak again."""
        with self._lock:
            self._chosen = None
        return self.refresh()

    def forget(self) -> None:
        """Forget every reading, the chosen mood and the history."""
        with self._lock:
            self._readings.clear()
            self._chosen = None
            self._history.clear()
        self.refresh()

    def refresh(self) -> Mood | None:
        """Let time pass: drop what is old, fuse the rest, tell subscribers if that changed anything."""
        with self._lock:
            now = self._clock()
            while self._readings and now - self._readings[0].at > FORGET_AFTER_SECONDS:
                self._readings.popleft()
            given = [*self._readings, *([self._chosen] if self._chosen else [])]
            self._mood = self._keep_label(fuse(given, max(now, *(r.at for r in given)))) if given else None
            mood = self._mood
            if mood and (not self._history or mood.at - self._history[-1].at >= HISTORY_STEP_SECONDS):
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

    def _keep_label(self, mood: Mood) -> Mood:
        """Keep the present label while no other emotion leads it clearly."""
        before = self._mood
        if before is None or mood.label == before.label or self._chosen:
            return mood
        share = float(mood.vector[EMOTIONS.index(before.label)])
        if mood.confidence - share >= LABEL_LEAD:
            return mood
        return replace(mood, label=before.label, confidence=share)


def _differs(mood: Mood | None, told: Mood | None) -> bool:
    if mood is None or told is None:
        return mood is not told
    return (
        mood.label != told.label
        or set(mood.sources) != set(told.sources)
        or float(np.abs(mood.vector - told.vector).max()) >= TOLD_CHANGE
    )
