"""Socket.IO event handlers: they accept connections, validate payloads, and return acknowledgements.

Each connection is a visitor with their own mood, stored only as long as the connection is open. Visitors who watch the
server's camera share its mood, as people in one room do, until they speak, write or choose something themselves.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from flask import request
from flask_socketio import ConnectionRefusedError, SocketIO
from pydantic import BaseModel, ValidationError

from moodmirror.cpu_budget import BudgetSpentError, current_client
from moodmirror.emotions import EMOTIONS, MoodVector, mood_vector
from moodmirror.fusion import Reading, Source
from moodmirror.live.camera_room import CameraRoom
from moodmirror.live.co_likes import CoLikesJob
from moodmirror.live.connection_auth import TOO_MANY_MESSAGES, ConnectionAuth
from moodmirror.live.fair_scheduler import FairScheduler
from moodmirror.live.inputs import AudioInput, FrameInput, InputError, TextInput
from moodmirror.live.message_schemas import (
    CLIENT_EVENTS,
    EmptyAck,
    ErrorAck,
    FeedbackAck,
    FeedbackPayload,
    FrameAck,
    FrameReading,
    PreferencesPayload,
    SourceReading,
    error_message,
)
from moodmirror.live.messages import camera_message
from moodmirror.live.peer_events import PeerEvents
from moodmirror.live.preferences import PreferenceError, TextQueryError
from moodmirror.live.publisher import Publisher, reload_session
from moodmirror.live.recommendation_session import FeedbackError
from moodmirror.live.safe_tables import SafeTables
from moodmirror.live.session import Session
from moodmirror.logs import log_connection
from moodmirror.media.errors import DecoderError
from moodmirror.recognition.model_files import ModelError
from moodmirror.services import CameraStatus, Services
from moodmirror.storage.database import VisitorDeletedError

if TYPE_CHECKING:  # imported only if Spotify is configured
    from moodmirror.live.spotify_sign_ins import SpotifySignIns

LOGGER = logging.getLogger("moodmirror.live")

DISCONNECT_DELAY_SECONDS: Final = 1.0  # from an acknowledgement to the end of its connection, so that the client receives it
# A chosen emotion leaves small shares for the others, so that ranking still distinguishes its items.
CHOSEN_SHARE: Final = 0.88
LONG_TEXT_CHARACTERS: Final = 1000  # takes 60 ms of CPU, more than a frame
HISTORY: Final = "course"  # the payload of `forget` that deletes the mood history and leaves the current mood
SITE_FULL: Final = "The site is full. Try again in a minute."

Handler = Callable[[Session, Any], BaseModel]


class LiveServer:
    """The Socket.IO side of one site."""

    def __init__(
        self, socketio: SocketIO, services: Services, auth: ConnectionAuth, sign_ins: "SpotifySignIns | None" = None
    ) -> None:
        """`sign_ins` are those of visitors to Spotify, if that is configured."""
        self._socketio = socketio
        self._server = socketio.server
        self._auth = auth
        # Each process emits to its own visitors, and receives the camera's news itself: through Redis, all processes would
        # emit to all visitors.
        self._emit = partial(socketio.emit, ignore_queue=True)
        self._services = services
        self._metrics = services.metrics
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}  # by connection
        self._scheduler = FairScheduler(os.cpu_count() or 1)  # more jobs at once would only slow each other down
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._room = CameraRoom(self._server, services.camera, self._emit, self._wake.set)
        self._publisher = Publisher(
            self._open_sessions,
            self._room,
            CoLikesJob(services.database, services.recommender),
            self._reload,
            self._wake,
        )
        self._unavailable_inputs: set[str] = set()  # whose model can't be used; logged once
        self._sign_ins = sign_ins
        if sign_ins:
            sign_ins.on_changed.append(self._on_spotify_changed)
        services.camera.subscribe(self._emit_camera_status)
        self._safe_tables = SafeTables()
        self._peer_events = PeerEvents(
            services.config.redis_url, self._reload_visitor, self._disconnect_visitor, self._set_safe_tables_of
        )
        services.on_visitor_deleted.extend((self._disconnect_visitor, self._peer_events.publish_deleted))
        handlers: dict[str, Handler] = {
            FrameInput.event: self._on_frame,
            AudioInput.event: partial(self._on_input, AudioInput.event),
            TextInput.event: self._on_text,
            "watch": self._on_watch,
            "choose": self._on_choose,
            "show": self._on_show,
            "forget": self._on_forget,
            "preferences": self._on_preferences,
            "others": self._on_others,
            "feedback": self._on_feedback,
            "safe_tables": self._on_safe_tables,
        }
        assert set(handlers) == set(CLIENT_EVENTS)
        # A visitor is identified by the request that opens the connection. Messages don't need a request context: creating
        # one and opening its session takes 0.1 ms per message.
        socketio.on_event("connect", self._on_connect)
        self._server.on("disconnect", self._on_disconnect)
        for event, handler in handlers.items():
            self._server.on(event, partial(self._dispatch, event, handler))

    @property
    def session_count(self) -> int:
        """The number of connected visitors."""
        with self._lock:
            return len(self._sessions)

    @property
    def pause(self) -> float:
        """Seconds that clients are asked to leave between two frames."""
        return self._scheduler.pause()

    def start(self) -> None:
        """Start to receive events of other processes."""
        self._peer_events.start()

    def close(self) -> None:
        """Disconnect all visitors and stop publishing."""
        self._closing.set()
        self._publisher.close()
        self._peer_events.close()
        for session in self._open_sessions():
            self._disconnect(session.name)
        self._scheduler.close()

    # Connections

    def _on_connect(self, auth: Any = None) -> None:
        sid: str = request.sid  # type: ignore[attr-defined]
        with log_connection(sid):
            self._open_session(sid, auth)

    def _open_session(self, sid: str, auth: Any) -> None:
        try:
            self._auth.accept(sid, auth)
        except ConnectionRefusedError:
            self._metrics.rejections.labels("authentication").inc()
            raise
        with self._lock:
            if len(self._sessions) >= self._services.config.max_visitors:
                self._metrics.rejections.labels("visitors").inc()
                self._auth.release(sid)
                raise ConnectionRefusedError(SITE_FULL)
            session = Session(sid, current_client(), self._services, self._emit, self._wake.set)
            self._sessions[sid] = session
        self._publisher.start()
        self._emit("camera", camera_message(self._services.camera.status), to=sid)
        session.recommendations.reload()
        session.publish_taste()
        self._show_spotify(session)
        visitor = session.recommendations.visitor
        if visitor is not None and (
            visitor in self._safe_tables or any(one.recommendations.comforting for one in self._sessions_of(visitor))
        ):
            session.set_safe_tables(on=True)

    def _on_disconnect(self, sid: str, reason: Any = None) -> None:
        with self._lock:
            session = self._sessions.pop(sid, None)
        self._auth.release(sid)
        if session:
            visitor = session.recommendations.visitor
            if visitor is not None and session.recommendations.comforting:
                self._safe_tables.set(visitor, on=True)
            self._room.remove(session)

    def _open_sessions(self) -> list[Session]:
        with self._lock:
            return list(self._sessions.values())

    def _sessions_of(self, visitor: str) -> list[Session]:
        return [session for session in self._open_sessions() if session.recommendations.visitor == visitor]

    def _disconnect(self, sid: str) -> None:
        self._server.disconnect(sid)

    # Messages of clients. Each returns its acknowledgement.

    def _dispatch(self, event: str, handler: Handler, sid: str, *payloads: Any) -> dict[str, Any]:
        """Validate a message and return the acknowledgement of its handler, or an error."""
        with log_connection(sid):
            if not self._auth.allows_message(sid):
                self._metrics.rejections.labels("too_fast").inc()
                return _error(TOO_MANY_MESSAGES)
            with self._lock:
                session = self._sessions.get(sid)
            if session is None or self._closing.is_set():
                return _error("not connected")
            if len(payloads) > 1:
                return _error(f"{event}: a message has one payload at most")
            try:
                payload = CLIENT_EVENTS[event].payload.model_validate(payloads[0] if payloads else None)
            except ValidationError as error:
                if event in session.inputs:
                    self._metrics.messages.labels(event, "refused").inc()
                return _error(error_message(event, error))
            try:
                acknowledgement = handler(session, getattr(payload, "root", payload))
            except BudgetSpentError as error:
                self._metrics.rejections.labels("cpu").inc()
                return _error(str(error))
            return acknowledgement.model_dump(exclude_unset=True)

    def _on_input(self, event: str, session: Session, payload: Any, *, is_long: bool = False) -> BaseModel:
        """Process the payload of an input: a ``frame``, ``audio`` or ``text``."""
        each = session.inputs[event]
        count_before, submitted_at = each.reading_count, time.perf_counter()

        def process() -> BaseModel:
            self._metrics.stages.labels("wait").observe(time.perf_counter() - submitted_at)
            with self._metrics.timed(event):
                if event != TextInput.event:
                    return each.process(payload)
                with self._services.cpu_budget.charged(session.client):
                    return each.process(payload)

        try:
            acknowledgement = self._scheduler.run(session.name, process, is_long=is_long)
        except InputError as error:
            self._metrics.messages.labels(event, "refused").inc()
            return ErrorAck(error=str(error))
        except (ModelError, FileNotFoundError, DecoderError) as error:
            if event not in self._unavailable_inputs:
                self._unavailable_inputs.add(event)
                LOGGER.error("can't analyze %s: %s", event, error)
            self._metrics.messages.labels(event, "refused").inc()
            return ErrorAck(error=each.unavailable)
        if each.source == "text":
            session.skip_mood_throttle()  # the page shows what the text says, and the mood must not contradict it
        readings = each.reading_count - count_before
        self._metrics.messages.labels(event, "read" if readings > 0 else "empty").inc()
        self._metrics.readings.labels(each.source).inc(readings)
        return acknowledgement

    def _on_text(self, session: Session, text: str) -> BaseModel:
        """Offer help at once if the text states a crisis, and read its mood."""
        self._check_text(session, TextInput.event, text)
        return self._on_input(TextInput.event, session, text, is_long=len(text) > LONG_TEXT_CHARACTERS)

    def _on_frame(self, session: Session, frame: bytes) -> BaseModel:
        """Return the faces in a frame, and the pause until the next one."""
        acknowledgement = self._on_input(FrameInput.event, session, frame)
        if isinstance(acknowledgement, FrameReading):
            return FrameAck(**dict(acknowledgement), pause=round(self._scheduler.pause(), 3))
        return acknowledgement

    def _on_watch(self, session: Session, watching: bool) -> BaseModel:
        """Set whether the visitor watches the server's camera."""
        self._room.set_watching(session, watching)
        return EmptyAck()

    def _on_choose(self, session: Session, emotion: str | None) -> BaseModel:
        """Set the mood that the visitor chose, or release it."""
        if emotion is None:
            session.state.clear("chosen")
            session.skip_throttle()
        else:
            self._set_chosen(session, chosen_vector(emotion))
        return EmptyAck()

    def _on_show(self, session: Session, shown: dict[str, float] | list[SourceReading]) -> BaseModel:
        """Hold the readings of analyzed files, or set a mood of which only the shares are known as a chosen one."""
        try:
            if isinstance(shown, dict):
                self._set_chosen(session, mood_vector(shown))
            else:
                now = time.monotonic()
                readings = [Reading(mood_vector(dict(each.vector.items())), each.source, each.weight, now) for each in shown]
                session.state.clear("chosen")
                session.state.hold(readings)
                session.skip_throttle()
        except ValueError as error:
            return ErrorAck(error=f"show: {error}")
        return EmptyAck()

    def _set_chosen(self, session: Session, vector: MoodVector) -> None:
        session.state.update(Reading(vector, "chosen", 1.0, time.monotonic()))
        self._metrics.readings.labels("chosen").inc()
        session.skip_throttle()

    def _on_forget(self, session: Session, erasable: Source | str | None) -> BaseModel:
        """Delete the readings of one source, the mood history, or everything."""
        if erasable in (None, HISTORY):
            session.state.clear_history()
            if session.shares_camera_mood:  # its history is the visitor's too; other visitors keep what they received
                self._room.audience.state.clear_history()
        if erasable != HISTORY:
            session.clear(erasable)  # type: ignore[arg-type]  # the schema allows sources, and those two
            session.skip_throttle()
        return EmptyAck()

    def _on_preferences(self, session: Session, payload: PreferencesPayload) -> BaseModel:
        """Set how to make the visitor's tables, and offer help at once if the wish states a crisis."""
        self._check_text(session, "preferences", payload.wish)
        with self._services.cpu_budget.charged(session.client):  # a wish is read by a network
            return self._change_tables(session, lambda: session.recommendations.set_preferences(payload))

    def _on_others(self, session: Session, kind: str) -> BaseModel:
        """Replace the rows of a table."""
        return self._change_tables(session, lambda: session.recommendations.replace_rows(kind))

    def _on_feedback(self, session: Session, payload: FeedbackPayload) -> BaseModel:
        """Store the visitor's opinion of an item, or that they saved it."""
        try:
            acknowledgement = self._change_tables(session, lambda: session.recommendations.add_feedback(payload))
        except VisitorDeletedError:  # by another process: the browser has a new id, and should connect again with it
            self._socketio.start_background_task(self._disconnect_later, session.name)
            return ErrorAck(error="Your data was deleted in another window. Try again.")
        if isinstance(acknowledgement, ErrorAck):
            return acknowledgement
        session.publish_taste()
        visitor = session.recommendations.visitor
        if visitor is not None:  # update the visitor's other windows
            self._reload_visitor(visitor, but=session)
            self._peer_events.publish_changed(visitor)
        return FeedbackAck(kept=session.recommendations.is_stored)

    @staticmethod
    def _change_tables(session: Session, change: Callable[[], None]) -> BaseModel:
        try:
            change()
        except (PreferenceError, TextQueryError, FeedbackError) as error:
            return ErrorAck(error=str(error))
        session.skip_throttle()
        return EmptyAck()

    def _on_safe_tables(self, session: Session, on: bool) -> BaseModel:
        """Set whether the visitor's tables show only what comforts."""
        self._set_safe_tables(session, on=on)
        return EmptyAck()

    def _check_text(self, session: Session, event: str, text: str) -> None:
        """Make the page show the help notice, and all tables of the visitor safe, if a text states a crisis."""
        if session.check_text(event, text):
            session.set_safe_tables(on=True, statement=True)
            self._set_safe_tables(session, on=True)

    def _set_safe_tables(self, session: Session, *, on: bool) -> None:
        """Set it for all of the visitor's connections, here and in the other processes."""
        visitor = session.recommendations.visitor
        session.set_safe_tables(on=on)
        if visitor is not None:
            self._set_safe_tables_of(visitor, on)
            self._peer_events.publish_safe_tables(visitor, on=on)

    def _set_safe_tables_of(self, visitor: str, on: bool) -> None:
        self._safe_tables.set(visitor, on=on)
        for session in self._sessions_of(visitor):
            session.set_safe_tables(on=on)

    # Changes of visitors' data

    def _disconnect_later(self, sid: str) -> None:
        """Disconnect once the client has received its acknowledgement."""
        self._closing.wait(DISCONNECT_DELAY_SECONDS)
        self._disconnect(sid)

    def _reload_visitor(self, visitor: str, but: Session | None = None) -> None:
        """Reload a visitor's data in all their sessions except `but`."""
        for session in self._sessions_of(visitor):
            if session is not but:
                self._reload(session)

    def _reload(self, session: Session) -> None:
        reload_session(session, self._disconnect)

    def _on_spotify_changed(self, visitor: str) -> None:
        for session in self._sessions_of(visitor):
            if self._show_spotify(session):
                session.skip_throttle()
                session.publish_taste()

    def _show_spotify(self, session: Session) -> bool:
        """Use the liked songs of a session's visitor and emit their sign-in; return whether the songs have changed."""
        if self._sign_ins is None:
            return False
        visitor = session.recommendations.visitor
        session.publish_spotify(self._sign_ins.payload(visitor))
        return session.recommendations.use_liked_songs(self._sign_ins.songs(visitor))

    def _disconnect_visitor(self, visitor: str) -> None:
        """Disconnect a visitor whose data was deleted; their pages connect again with a new id."""
        self._safe_tables.set(visitor, on=False)
        for session in self._sessions_of(visitor):
            self._disconnect(session.name)

    def _emit_camera_status(self, status: CameraStatus) -> None:
        self._emit("camera", camera_message(status))


def chosen_vector(emotion: str) -> MoodVector:
    """Return the mood vector, float32 [7], of a chosen emotion: mostly that emotion, and a small share of each other."""
    rest = (1 - CHOSEN_SHARE) / (len(EMOTIONS) - 1)
    return mood_vector({name: CHOSEN_SHARE if name == emotion else rest for name in EMOTIONS})


def _error(message: str) -> dict[str, Any]:
    return ErrorAck(error=message).model_dump()
