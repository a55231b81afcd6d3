"""The live page over Socket.IO: frames, sound, words and choices come in, moods and recommendations go out.

Each connection is a visitor with a mood of their own, kept only as long as the connection. Whoever watches the server's
camera shares its mood, as people in one room do, until they say, write or choose something themselves.
"""

import logging
import math
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from flask import request
from flask_socketio import ConnectionRefusedError, SocketIO

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.fusion import SOURCES, Mood, Reading, Source
from moodmirror.live.co_likes import Crowd
from moodmirror.live.connection_auth import TOO_FAST, Door
from moodmirror.live.fair_scheduler import Turns
from moodmirror.live.inputs import Hearing, Reader, Sense, SenseError, Sight
from moodmirror.live.messages import camera_message, faces_message, mood_message
from moodmirror.live.peer_events import Siblings
from moodmirror.live.preferences import PreferenceError, TextQueryError
from moodmirror.live.recommendation_session import FeedbackError, Offers
from moodmirror.logs import log_connection
from moodmirror.media.errors import DecoderError
from moodmirror.mood import HISTORY_STEP_SECONDS, MoodState
from moodmirror.recognition.model_files import ModelError
from moodmirror.services import CameraStatus, Services
from moodmirror.storage.database import VisitorDeletedError
from moodmirror.visitor_identity import visitor_id

LOGGER = logging.getLogger("moodmirror.live")

ROOM: Final = "room"  # of those who share the server camera's mood
WATCHERS: Final = "watchers"  # of its stream: those in the room, and those who say something themselves
NAMESPACE: Final = "/"  # Socket.IO's default
MOOD_SECONDS: Final = 0.125  # between two moods sent: bars glide at eight a second
TABLES_SECONDS: Final = 0.5  # between two sets of tables when the mood has got another name
STEADY_TABLES_SECONDS: Final = 3.0  # and while it only drifts: what one reads should not move under one's eyes
TABLES_CHANGE: Final = 0.04  # of some share: with less, ranking anew costs as much as several frames and shows the same
RELOAD_SECONDS: Final = 10.0  # how soon what another process kept is seen, and that a database is back
GOODBYE_SECONDS: Final = 1.0  # between an answer and the end of its connection
REFRESH_SECONDS: Final = 0.5  # how often moods fade by themselves when nothing comes
# A hand-chosen mood leaves room for its neighbours, so that ranking still tells its items apart.
CHOSEN_SHARE: Final = 0.88
COURSE: Final = "course"  # what a visitor asks to forget who wants the past forgotten, and the mood of the moment kept


class Audience:
    """Those who share one mood: one visitor, or all in the server camera's room. Tells them of changes, not too often."""

    def __init__(self, name: str, state: MoodState, emit: Callable[..., None], wake: Callable[[], None]) -> None:
        self.name = name
        self.state = state
        self.version = 0  # counts changes of the mood
        self._emit = emit
        self._mood_due = False
        self._hurry = False
        self._mood_at = 0.0
        self._course_at = -math.inf  # when the course was looked at
        self._course_told = -math.inf  # the time of the last mood of it that was told
        self._low_told = False  # that the mood has been very low for long
        self._wake = wake
        self._unsubscribe = state.subscribe(self._on_change)

    def _on_change(self, mood: Mood | None) -> None:
        self._mood_due = True
        self.version += 1
        self._wake()

    def close(self) -> None:
        """Tell no more."""
        self._unsubscribe()

    def hurry(self) -> None:
        """Tell at once: the person has just chosen, and waits."""
        self._hurry = True
        self._wake()

    def publish(self, now: float) -> None:
        """Let the mood fade by time, and send it if it is due at `now`, in monotonic seconds. Called by one thread only."""
        if now - self.state.refreshed_at >= REFRESH_SECONDS:
            self.state.refresh()
        hurry, self._hurry = self._hurry, False
        # Each flag is cleared before the mood is read: a change in between is then told once more, never lost.
        if self._mood_due and (hurry or now - self._mood_at >= MOOD_SECONDS):
            self._mood_due, self._mood_at = False, now
            self._emit("mood", mood_message(self.state.mood), to=self.name)
        if now - self._course_at >= HISTORY_STEP_SECONDS:
            self._course_at = now
            self._publish_course()

    def _publish_course(self) -> None:
        """Send the moods that the course has gained, and whether they are very low for long."""
        gained = self.state.history_after(self._course_told)
        if gained:
            self._course_told = gained[-1].at
            self._emit("course", [mood_message(mood) for mood in gained], to=self.name)
        low = self.state.is_low_for_long
        if low != self._low_told:
            self._low_told = low
            self._emit("low", low, to=self.name)

    def greet(self, sid: str) -> None:
        """Send one newcomer what the others know."""
        self._emit("mood", mood_message(self.state.mood), to=sid)
        self._emit("low", self._low_told, to=sid)


class Visitor(Audience):
    """One connection: a mood of its own, the senses that read it, and tables of its own for this mood or the room's."""

    def __init__(
        self, sid: str, visitor: str | None, site: Services, emit: Callable[..., None], wake: Callable[[], None]
    ) -> None:
        super().__init__(sid, MoodState(), emit, wake)
        self.offers = Offers(site, visitor)
        self._metrics = site.metrics
        self._tables_due = False  # at once: the person has just asked
        self._tables_at = 0.0
        self._tables: dict[str, Any] = {}
        self._tables_of: tuple[str, int] | None = None  # whose mood they were made for, and which one
        self._tables_mood: Mood | None = None
        self._tables_by_wish = False  # alone, for there was no mood
        senses = (
            Sight(self.state, site.frames, site.face_analyzer),
            Hearing(self.state, site.speech_recognizer),
            Reader(self.state, site.text_recognizer),
        )
        self.senses: dict[str, Sense] = {sense.event: sense for sense in senses}

    @property
    def says_something(self) -> bool:
        """Whether the mood has more than a face to go by."""
        mood = self.state.mood
        return mood is not None and not set(mood.sources) <= {"face"}

    def hurry(self) -> None:
        """Tell at once, the tables too."""
        self._tables_due = True
        super().hurry()

    def publish_tables(self, now: float, audience: Audience) -> None:
        """Send the tables for an audience's mood if they are due at `now`, in monotonic seconds, and have changed."""
        hurry, self._tables_due = self._tables_due, False
        of, mood = (audience.name, audience.version), audience.state.mood
        before = self._tables_mood
        steady = (mood and mood.label) == (before and before.label)
        if not hurry and (
            of == self._tables_of or now - self._tables_at < (STEADY_TABLES_SECONDS if steady else TABLES_SECONDS)
        ):
            return
        same_audience = self._tables_of is not None and self._tables_of[0] == audience.name
        if not hurry and steady and same_audience and not _moved(mood, before):
            return
        self._tables_of, self._tables_at, self._tables_mood = of, now, mood
        if mood is None and not self.offers.wishes:
            if self._tables_by_wish:  # and it was taken back: nothing speaks for these rows any more
                self._emit("recommendations", {}, to=self.name)
            self._tables, self._tables_by_wish = {}, False
            return
        with self._metrics.timed("tables"):
            tables = self.offers.tables(mood.vector if mood else None)
        self._tables_by_wish = mood is None
        if _told(tables) != _told(self._tables):
            self._tables = tables
            self._emit("recommendations", tables, to=self.name)

    def tell_kept(self) -> None:
        """Send what is kept of the visitor."""
        self._emit("taste", self.offers.message(), to=self.name)

    def fade(self, now: float) -> None:
        """Let each sense drop what grew too old at `now`, in monotonic seconds."""
        for sense in self.senses.values():
            sense.fade(now)

    def look(self, mood: Mood | None) -> None:
        """See what the server's camera reads, beside what the visitor says themselves."""
        if mood is not None:
            self.state.update(Reading(mood.vector, "face", mood.contributions["face"].weight, mood.at))

    def forget(self, source: Source | None) -> None:
        """Forget what `source` said; None stands for everything."""
        for sense in self.senses.values():
            if source in (None, sense.source):
                sense.forget()
        self.state.clear(source)


class Live:
    """The Socket.IO side of one site."""

    def __init__(self, socketio: SocketIO, site: Services, door: Door) -> None:
        self._socketio = socketio
        self._door = door
        # Each process tells its own visitors, and hears of the camera itself: through Redis all would be told by all.
        self._emit = partial(socketio.emit, ignore_queue=True)
        self._site = site
        self._metrics = site.metrics
        self._lock = threading.Lock()
        self._visitors: dict[str, Visitor] = {}
        self._watching: set[str] = set()  # see the server camera's stream
        self._in_room: set[str] = set()  # and share its mood, for they say nothing themselves
        self._turns = Turns(os.cpu_count() or 1)  # more readings at once would only take time from each other
        self._wake = threading.Event()
        self._tables_wake = threading.Event()
        self._closing = threading.Event()
        self._publisher: threading.Thread | None = None
        self._room = Audience(ROOM, site.camera.mood, self._emit, self._wake.set)
        self._failed: set[str] = set()  # senses whose model can't be used; the log says so once
        self._faces_told: dict[str, Any] = {}
        site.camera.subscribe(self._tell_camera_status)
        self._siblings = Siblings(site.config.redis_url, self._on_changed, self._on_forgotten)
        site.on_forgotten.extend((self._on_forgotten, self._siblings.tell_forgotten))
        # Who comes is known by the request that they come with. What they send afterwards needs none: to make one, and to
        # open its session, takes 0.1 ms for each message.
        socketio.on_event("connect", self._on_connect)
        socketio.server.on("disconnect", self._on_disconnect)
        handlers: tuple[tuple[str, Callable[..., dict[str, Any]]], ...] = (
            *((sense.event, partial(self._on_sense, sense.event)) for sense in (Sight, Hearing, Reader)),
            ("watch", self._on_watch),
            ("choose", self._on_choose),
            ("show", self._on_show),
            ("forget", self._on_forget),
            ("preferences", self._on_preferences),
            ("others", self._on_others),
            ("feedback", self._on_feedback),
        )
        for event, handler in handlers:
            socketio.server.on(event, partial(self._hear, handler))

    @property
    def visitors(self) -> int:
        """How many visitors are connected."""
        with self._lock:
            return len(self._visitors)

    @property
    def pause(self) -> float:
        """Seconds that visitors are asked to keep between two frames."""
        return self._turns.pause()

    def close(self) -> None:
        """Disconnect every visitor and stop telling."""
        self._closing.set()
        self._wake.set()
        self._tables_wake.set()
        self._siblings.close()
        with self._lock:
            sids = list(self._visitors)
        for sid in sids:
            self._socketio.server.disconnect(sid)
        self._turns.close()

    # Connections

    def _on_connect(self, auth: Any = None) -> None:
        sid: str = request.sid  # type: ignore[attr-defined]
        with log_connection(sid):
            self._admit(sid, auth)

    def _admit(self, sid: str, auth: Any) -> None:
        try:
            self._door.enter(sid, auth)
        except ConnectionRefusedError:
            self._metrics.rejections.labels("authentication").inc()
            raise
        with self._lock:
            if len(self._visitors) >= self._site.config.max_visitors:
                self._metrics.rejections.labels("visitors").inc()
                self._door.leave(sid)
                raise ConnectionRefusedError("The mirror has as many visitors as it can take. Try again in a minute.")
            visitor = Visitor(sid, visitor_id(), self._site, self._emit, self._wake.set)
            self._visitors[sid] = visitor
            if self._publisher is None:
                self._publisher = threading.Thread(target=self._publish, name="publisher", daemon=True)
                self._publisher.start()
                threading.Thread(target=self._publish_tables, name="tables", daemon=True).start()
                threading.Thread(target=self._reload_all, name="taste", daemon=True).start()
        self._emit("camera", camera_message(self._site.camera.status), to=sid)
        visitor.offers.reload()
        visitor.tell_kept()

    def _on_disconnect(self, sid: str, reason: Any = None) -> None:
        with self._lock:
            visitor = self._visitors.pop(sid, None)
            self._watching.discard(sid)
            self._in_room.discard(sid)
        self._door.leave(sid)
        if visitor:
            visitor.close()

    # What visitors send. Each answer is the acknowledgement: {} or {"error": what is wrong}.

    def _hear(self, handler: Callable[..., dict[str, Any]], sid: str, *content: Any) -> dict[str, Any]:
        """Have `handler` take what a visitor sent, unless it is too much."""
        with log_connection(sid):
            if not self._door.lets_speak(sid):
                self._metrics.rejections.labels("too_fast").inc()
                return {"error": TOO_FAST}
            with self._lock:
                visitor = self._visitors.get(sid)
            if visitor is None or self._closing.is_set():
                return {"error": "not connected"}
            return handler(visitor, *content) if len(content) < 2 else {"error": "an event takes one value at most"}

    def _on_sense(self, event: str, visitor: Visitor, content: Any = None) -> dict[str, Any]:
        """What one of the visitor's senses is to perceive: a ``frame``, ``audio`` or ``text``."""
        sense = visitor.senses[event]
        before, asked_at = sense.readings, time.perf_counter()

        def perceive() -> dict[str, Any]:
            self._metrics.stages.labels("wait").observe(time.perf_counter() - asked_at)
            with self._metrics.timed(event):
                return sense.take(content)

        try:
            answer = self._turns.take(visitor.name, perceive)
        except SenseError as error:
            self._metrics.messages.labels(event, "refused").inc()
            return {"error": str(error)}
        except (ModelError, FileNotFoundError, DecoderError) as error:
            if event not in self._failed:
                self._failed.add(event)
                LOGGER.error("no %s can be read: %s", event, error)
            self._metrics.messages.labels(event, "refused").inc()
            return {"error": sense.unavailable}
        self._metrics.messages.labels(event, "read" if sense.readings > before else "empty").inc()
        self._metrics.readings.labels(sense.source).inc(sense.readings - before)
        self._settle(visitor)
        return {**answer, "pause": round(self._turns.pause(), 3)} if event == Sight.event else answer

    def _on_watch(self, visitor: Visitor, watching: Any = None) -> dict[str, Any]:
        """Whether the visitor watches the server's camera, and so shares its room's mood."""
        if not isinstance(watching, bool):
            return {"error": "watch takes true or false"}
        with self._lock:
            if watching:
                self._watching.add(visitor.name)
                self._socketio.server.enter_room(visitor.name, WATCHERS, NAMESPACE)
                self._emit("faces", faces_message(self._site.camera.faces), to=visitor.name)
            else:
                self._watching.discard(visitor.name)
                self._socketio.server.leave_room(visitor.name, WATCHERS, NAMESPACE)
                visitor.state.clear("face")
        self._settle(visitor)
        return {}

    def _on_choose(self, visitor: Visitor, emotion: Any = None) -> dict[str, Any]:
        """The mood that the visitor chose by hand, or null to let go of it."""
        if not (emotion is None or emotion in EMOTIONS):
            return {"error": f"choose takes null or one of {', '.join(EMOTIONS)}"}
        if emotion is not None:
            visitor.state.update(Reading(chosen_vector(emotion), "chosen", 1.0, time.monotonic()))
            self._metrics.readings.labels("chosen").inc()
        else:
            visitor.state.clear("chosen")
        visitor.hurry()
        self._settle(visitor)
        return {}

    def _on_show(self, visitor: Visitor, shares: Any = None) -> dict[str, Any]:
        """What a file that the visitor showed was read as, shares by emotion: it holds, as a chosen mood does."""
        try:
            if not isinstance(shares, dict):
                raise ValueError("show takes shares by emotion")
            vector = mood_vector(shares)
        except (TypeError, ValueError) as error:
            return {"error": str(error)}
        visitor.state.update(Reading(vector, "chosen", 1.0, time.monotonic()))
        self._metrics.readings.labels("chosen").inc()
        visitor.hurry()
        self._settle(visitor)
        return {}

    def _on_forget(self, visitor: Visitor, what: Any = None) -> dict[str, Any]:
        """Forget what one source said of the visitor, or their course; by default everything, and the mood they chose."""
        if what in (None, COURSE):
            visitor.state.clear_history()
            with self._lock:
                shares = visitor.name in self._in_room
            if shares:  # it is their course too, and what the others have been told they keep
                self._room.state.clear_history()
            if what == COURSE:
                return {}
        if not (what is None or (isinstance(what, str) and what in SOURCES)):
            return {"error": f"forget takes null or one of {', '.join((*SOURCES, COURSE))}"}
        visitor.forget(what)
        visitor.hurry()
        self._settle(visitor)
        return {}

    def _on_preferences(self, visitor: Visitor, content: Any = None) -> dict[str, Any]:
        """How the visitor's tables are to be made."""
        return self._ask_offers(visitor, lambda offers: offers.prefer(content))

    def _on_others(self, visitor: Visitor, kind: Any = None) -> dict[str, Any]:
        """That a table shall show others."""
        return self._ask_offers(visitor, lambda offers: offers.send_away(kind))

    def _on_feedback(self, visitor: Visitor, content: Any = None) -> dict[str, Any]:
        """What the visitor thinks of an item, or that they save it."""
        try:
            answer = self._ask_offers(visitor, lambda offers: offers.take(content))
        except VisitorDeletedError:  # in another process: the browser has another id by now, and shall connect with that
            self._socketio.start_background_task(self._let_go, visitor.name)
            return {"error": "You were forgotten meanwhile. Try again."}
        if "error" in answer:
            return answer
        visitor.tell_kept()
        if visitor.offers.visitor is not None:  # tell the visitor's other windows
            self._on_changed(visitor.offers.visitor, but=visitor)
            self._siblings.tell_changed(visitor.offers.visitor)
        return {"kept": visitor.offers.kept}

    @staticmethod
    def _ask_offers(visitor: Visitor, ask: Callable[[Offers], None]) -> dict[str, Any]:
        try:
            ask(visitor.offers)
        except (PreferenceError, TextQueryError, FeedbackError) as error:
            return {"error": str(error)}
        visitor.hurry()
        return {}

    def _let_go(self, sid: str) -> None:
        """Disconnect, once the answer that is on its way will have arrived."""
        self._closing.wait(GOODBYE_SECONDS)
        self._socketio.server.disconnect(sid)

    def _on_changed(self, visitor: str, but: Visitor | None = None) -> None:
        """Read anew what is kept of a visitor, in all their windows `but` the one that knows it already."""
        with self._lock:
            windows = [other for other in self._visitors.values() if other.offers.visitor == visitor and other is not but]
        for window in windows:
            self._reload(window)

    def _on_forgotten(self, visitor: str) -> None:
        """Let go of the connections of who asked to be forgotten; their pages connect anew, as somebody else."""
        with self._lock:
            sids = [sid for sid, other in self._visitors.items() if other.offers.visitor == visitor]
        for sid in sids:
            self._socketio.server.disconnect(sid)

    def _reload_all(self) -> None:
        """Now and then read anew what is kept: another process may have changed it, or the database be back."""
        crowd = Crowd(self._site.database, self._site.recommender)
        while not self._closing.wait(RELOAD_SECONDS):
            try:
                crowd.refresh()
            except Exception:  # lists go on without what visitors like together
                LOGGER.exception("what visitors like together can't be counted")
            with self._lock:
                visitors = list(self._visitors.values())
            for visitor in visitors:
                try:
                    self._reload(visitor)
                except Exception:  # one visitor's trouble must not end this for all
                    LOGGER.exception("what is kept of a visitor can't be read")

    def _reload(self, visitor: Visitor) -> None:
        try:
            changed = visitor.offers.reload()
        except VisitorDeletedError:  # in another process: the browser has another id by now
            self._socketio.server.disconnect(visitor.name)
            return
        if changed:
            visitor.hurry()
            visitor.tell_kept()

    def _settle(self, visitor: Visitor) -> None:
        """Put a visitor into the server camera's room, or out of it, as what they watch and say demands.

        In whichever order their messages are handled, the last one leaves them in the right place.
        """
        with self._lock:
            if visitor.name not in self._visitors:
                return
            belongs = visitor.name in self._watching and not visitor.says_something
            if belongs == (visitor.name in self._in_room):
                return
            if belongs:
                self._in_room.add(visitor.name)
                self._socketio.server.enter_room(visitor.name, ROOM, NAMESPACE)
                self._room.greet(visitor.name)
            else:
                self._in_room.discard(visitor.name)
                self._socketio.server.leave_room(visitor.name, ROOM, NAMESPACE)
                if visitor.name in self._watching:
                    visitor.look(self._room.state.mood)
                visitor.greet(visitor.name)
            visitor.hurry()

    # What visitors are told

    def _tell_camera_status(self, status: CameraStatus) -> None:
        self._emit("camera", camera_message(status))

    def _tell_faces(self) -> None:
        message = faces_message(self._site.camera.faces)
        if message != self._faces_told:
            self._faces_told = message
            self._emit("faces", message, to=WATCHERS)

    def _publish(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(REFRESH_SECONDS)
            self._wake.clear()
            with self._lock:
                visitors = list(self._visitors.values())
                # Who shares the room's mood is not told their own beside it.
                alone = [visitor for visitor in visitors if visitor.name not in self._in_room]
                beside = [visitor for visitor in alone if visitor.name in self._watching]
            self._tell_faces()
            for visitor in visitors:
                visitor.fade(time.monotonic())
            for visitor in beside:
                visitor.look(self._room.state.mood)
                self._settle(visitor)  # what they said may have faded
            for audience in (self._room, *alone):
                try:
                    audience.publish(time.monotonic())
                except Exception:  # one audience's trouble must not silence the others
                    LOGGER.exception("an audience can't be told")
            self._tables_wake.set()
            self._closing.wait(MOOD_SECONDS / 2)

    def _publish_tables(self) -> None:
        """Send tables, in a thread of their own: ranking for many visitors takes longer than a mood may wait."""
        while not self._closing.is_set():
            self._tables_wake.wait(REFRESH_SECONDS)
            self._tables_wake.clear()
            with self._lock:
                audiences = [
                    (visitor, self._room if name in self._in_room else visitor) for name, visitor in self._visitors.items()
                ]
            for visitor, audience in audiences:
                try:
                    visitor.publish_tables(time.monotonic(), audience)
                except Exception:  # one visitor's trouble must not silence the others
                    LOGGER.exception("a visitor can't be told")


def chosen_vector(emotion: str) -> Any:
    """The mood vector, float32 [7], of an emotion chosen by hand: mostly it, and a little of each other."""
    rest = (1 - CHOSEN_SHARE) / (len(EMOTIONS) - 1)
    return mood_vector({name: CHOSEN_SHARE if name == emotion else rest for name in EMOTIONS})


def _moved(mood: Mood | None, before: Mood | None) -> bool:
    """Whether a mood is so far from an earlier one that other items may suit it."""
    if mood is None or before is None:
        return mood is not before
    return float(np.abs(mood.vector - before.vector).max()) >= TABLES_CHANGE


def _told(tables: dict[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """What people read of tables: the reason too, which must stay true when the mood changes and the list does not."""
    return {kind: [(row["id"], row["why"], row["liked"], row["saved"]) for row in rows] for kind, rows in tables.items()}
