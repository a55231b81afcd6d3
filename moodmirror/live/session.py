"""The state of a connection, and the audience that shares one mood: one visitor, or all visitors in the camera room."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from moodmirror.cpu_budget import Client
from moodmirror.fusion import Mood, Reading, Source
from moodmirror.live.inputs import AudioInput, FrameInput, Input, TextInput
from moodmirror.live.message_schemas import HelpPayload, SpotifyPayload
from moodmirror.live.messages import mood_message
from moodmirror.live.recommendation_session import RecommendationSession
from moodmirror.mood import HISTORY_STEP_SECONDS, MoodState
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.services import Services

MOOD_SECONDS: Final = 0.125  # minimum between two moods: the page's bars are animated at eight steps per second
TABLES_SECONDS: Final = 0.5  # minimum between two sets of tables when the mood's label has changed
STEADY_TABLES_SECONDS: Final = 3.0  # the same while the label stays: rows should not move while the user reads them
TABLES_CHANGE: Final = 0.04  # change of a share: below it, ranking again costs as much as several frames for the same rows
REFRESH_SECONDS: Final = 0.5  # maximum between two refreshes of a mood: it fades while no readings arrive

Emit = Callable[..., None]


class Audience:
    """The recipients of one mood: one visitor, or all visitors in the camera room. Publishes changes, throttled."""

    def __init__(self, name: str, state: MoodState, emit: Emit, wake: Callable[[], None]) -> None:
        """`name` is the Socket.IO room of the recipients; `wake` wakes the publisher."""
        self.name = name
        self.state = state
        self.version = 0  # counts changes of the mood
        self._emit = emit
        self._wake = wake
        self._mood_due = False
        self._unthrottled = False
        self._mood_published_at = 0.0
        self._history_checked_at = -math.inf
        self._history_published_to = -math.inf  # the time of the newest published mood of the history
        self._low_published = False  # the last `low` message
        self._unsubscribe = state.subscribe(self._on_change)

    def _on_change(self, mood: Mood | None) -> None:
        self._mood_due = True
        self.version += 1
        self._wake()

    def close(self) -> None:
        """End the subscription to the mood."""
        self._unsubscribe()

    def skip_mood_throttle(self) -> None:
        """Publish the mood at the next opportunity: the visitor has just done something, and waits for the effect."""
        self._unthrottled = True
        self._wake()

    def publish(self, now: float) -> None:
        """Refresh the mood and emit it if it is due at `now`, in monotonic seconds. Called by one thread only."""
        if now - self.state.refreshed_at >= REFRESH_SECONDS:
            self.state.refresh()
        unthrottled, self._unthrottled = self._unthrottled, False
        # Each flag is cleared before the mood is read: a change in between is then published twice rather than lost.
        if self._mood_due and (unthrottled or now - self._mood_published_at >= MOOD_SECONDS):
            self._mood_due, self._mood_published_at = False, now
            self._emit("mood", mood_message(self.state.mood), to=self.name)
        if now - self._history_checked_at >= HISTORY_STEP_SECONDS:
            self._history_checked_at = now
            self._publish_history()

    def _publish_history(self) -> None:
        """Emit the moods that the history has gained, and whether the mood has been very low for long."""
        gained = self.state.history_after(self._history_published_to)
        if gained:
            self._history_published_to = gained[-1].at
            self._emit("course", [mood_message(mood) for mood in gained], to=self.name)
        low = self.state.is_low_for_long
        if low != self._low_published:
            self._low_published = low
            self._emit("low", low, to=self.name)

    def send_current(self, sid: str) -> None:
        """Send one new recipient what the others have already received."""
        self._emit("mood", mood_message(self.state.mood), to=sid)
        self._emit("low", self._low_published, to=sid)


class Session(Audience):
    """One connection: its own mood and inputs, and the tables for its audience's mood."""

    def __init__(self, sid: str, client: Client, services: Services, emit: Emit, wake: Callable[[], None]) -> None:
        super().__init__(sid, MoodState(), emit, wake)
        self.client: Final = client  # whose CPU budget its messages use
        self.recommendations = RecommendationSession(services, client.visitor)
        self.is_closed = False
        self.watching = False  # whether the visitor watches the server camera's stream
        self.audience: Audience = self  # whose mood the visitor receives; the camera room sets it
        self._metrics = services.metrics
        self._tables_unthrottled = False
        self._tables_published_at = 0.0
        self._tables: dict[str, Any] = {}
        self._tables_version: tuple[str, int] | None = (
            None  # the audience and the version of the mood that they were made for
        )
        self._tables_mood: Mood | None = None
        self._tables_from_query = False  # made for the text query alone, as there was no mood
        self._statements: set[str] = set()  # the events whose newest text states a crisis
        self._has_rows = False  # whether the visitor's page shows rows
        inputs: tuple[Input, ...] = (
            FrameInput(self.state, services.frame_decoders, services.face_analyzer),
            AudioInput(self.state, services.speech_recognizer),
            TextInput(self.state, services.text_recognizer),
        )
        self.inputs = {each.event: each for each in inputs}

    @property
    def shares_camera_mood(self) -> bool:
        """Whether the visitor belongs in the camera room: they watch, and have given no text, voice, file or choice."""
        mood = self.state.mood
        return self.watching and not self.state.holds_readings and (mood is None or set(mood.sources) <= {"face"})

    def close(self) -> None:
        """Release what the session holds; it receives nothing more."""
        self.is_closed = True
        super().close()
        self.recommendations.close()

    def skip_throttle(self) -> None:
        """Publish the mood and the tables at the next opportunity."""
        self._tables_unthrottled = True
        self.skip_mood_throttle()

    def publish_tables(self, now: float) -> None:
        """Emit the tables for the audience's mood if they are due at `now`, in monotonic seconds, and have changed."""
        unthrottled, self._tables_unthrottled = self._tables_unthrottled, False
        audience = self.audience
        version, mood = (audience.name, audience.version), audience.state.mood
        before = self._tables_mood
        steady = (mood and mood.label) == (before and before.label)
        interval = STEADY_TABLES_SECONDS if steady else TABLES_SECONDS
        if not unthrottled and (version == self._tables_version or now - self._tables_published_at < interval):
            return
        same_audience = self._tables_version is not None and self._tables_version[0] == audience.name
        if not unthrottled and steady and same_audience and not _has_moved(mood, before):
            return
        self._tables_version, self._tables_published_at, self._tables_mood = version, now, mood
        if mood is None and not self.recommendations.has_text_query and not self.recommendations.comforting:
            # Rows stay while a mood fades, because the visitor may read them with the face turned away. If the mood or the
            # query was removed, or the visitor left the camera room, nothing supports them any more.
            removed = self._tables_from_query or audience.state.was_cleared or not same_audience
            if removed and self._has_rows:
                self._emit("recommendations", {}, to=self.name)
                self._has_rows = False
            self._tables, self._tables_from_query = {}, False
            return
        with self._metrics.timed("tables"):
            tables = self.recommendations.make_tables(mood.vector if mood else None)
        self._tables_from_query = mood is None
        if _visible_content(tables) != _visible_content(self._tables):
            self._tables, self._has_rows = tables, True
            self._emit("recommendations", tables, to=self.name)

    def check_text(self, event: str, text: str) -> bool:
        """Return whether a text states a crisis that the last text of the same event did not state."""
        if not is_crisis_statement(text):
            self._statements.discard(event)
            return False
        is_new = event not in self._statements
        self._statements.add(event)
        return is_new

    def set_safe_tables(self, *, on: bool, statement: bool = False) -> None:
        """Set whether the tables show only what comforts; with `statement`, make the page show the help notice."""
        if not statement and on == self.recommendations.comforting:
            return
        self.recommendations.comforting = on
        self._emit("help", HelpPayload(statement=statement, safe_tables=on).model_dump(), to=self.name)
        self.skip_throttle()

    def publish_taste(self) -> None:
        """Emit the visitor's stored data."""
        self._emit("taste", self.recommendations.taste_message(), to=self.name)

    def publish_spotify(self, payload: SpotifyPayload) -> None:
        """Emit the visitor's sign-in to Spotify."""
        self._emit("spotify", payload.model_dump(), to=self.name)

    def expire_inputs(self, now: float) -> None:
        """Delete what is too old in each input at `now`, in monotonic seconds."""
        for each in self.inputs.values():
            each.expire(now)

    def add_camera_reading(self, mood: Mood | None) -> None:
        """Add the mood that the server's camera reads to the visitor's own sources."""
        if mood is not None:
            self.state.update(Reading(mood.vector, "face", mood.contributions["face"].weight, mood.at))

    def clear(self, source: Source | None) -> None:
        """Delete the readings of `source` and what its input stores; None stands for all sources."""
        for each in self.inputs.values():
            if source in (None, each.source):
                each.clear()
        self.state.clear(source)


def _has_moved(mood: Mood | None, before: Mood | None) -> bool:
    """Return whether a mood differs so much from an earlier one that other items may suit it."""
    if mood is None or before is None:
        return mood is not before
    return float(np.abs(mood.vector - before.vector).max()) >= TABLES_CHANGE


def _visible_content(tables: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the user sees of tables, reasons included: they must stay true if the mood changes and the rows don't."""
    fields = ("id", "why", "liked", "saved", "links")
    return {kind: [tuple(row[field] for field in fields) for row in rows] for kind, rows in tables.items()}
