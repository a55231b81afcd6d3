"""The live page over Socket.IO: frames and choices come in, moods and recommendations go out.

Each connection is a visitor with a mood of their own, kept only as long as the connection. Whoever watches the server's
camera shares its mood, as people in one room do, until they choose a mood by hand.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from flask import request
from flask_socketio import ConnectionRefusedError, SocketIO, join_room, leave_room

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.fusion import Mood, Reading
from moodmirror.mood import MoodState
from moodmirror.recognition.media import MediaError, decode_frame
from moodmirror.recognition.runtime import ModelError
from moodmirror.recognition.tracking import FaceTracker
from moodmirror.web.messages import (
    camera_message,
    face_message,
    faces_message,
    mood_message,
    recommendations_message,
)
from moodmirror.web.site import CameraStatus, Site

LOGGER = logging.getLogger("moodmirror.live")

ROOM: Final = "server-camera"
MOOD_SECONDS: Final = 0.125  # between two moods sent: bars glide at eight a second
TABLES_SECONDS: Final = 0.5  # between two sets of tables: people read them
REFRESH_SECONDS: Final = 0.5  # how often moods fade by themselves when nothing comes
# A hand-chosen mood leaves room for its neighbours, so that ranking still tells its items apart.
CHOSEN_SHARE: Final = 0.88


class Audience:
    """Those who share one mood: one visitor, or all in the server camera's room. Tells them of changes, not too often."""

    def __init__(self, name: str, state: MoodState, site: Site, emit: Callable[..., None], wake: Callable[[], None]) -> None:
        self.name = name
        self.state = state
        self._site = site
        self._emit = emit
        self._mood_due = False
        self._tables_due = False
        self._hurry = False
        self._mood_at = self._tables_at = 0.0
        self._tables: dict[str, Any] = {}
        self._wake = wake
        self._unsubscribe = state.subscribe(self._on_change)

    def _on_change(self, mood: Mood | None) -> None:
        self._mood_due = True
        self._tables_due = True
        self._wake()

    def close(self) -> None:
        """Tell no more."""
        self._unsubscribe()

    def hurry(self) -> None:
        """Tell at once: the person has just chosen, and waits."""
        self._hurry = True
        self._wake()

    def publish(self, now: float) -> None:
        """Let the mood fade by time, and send what is due at `now`, in monotonic seconds. Called by one thread only."""
        self.state.refresh()
        hurry, self._hurry = self._hurry, False
        # Each flag is cleared before the mood is read: a change in between is then told once more, never lost.
        if self._mood_due and (hurry or now - self._mood_at >= MOOD_SECONDS):
            self._mood_due, self._mood_at = False, now
            self._emit("mood", mood_message(self.state.mood), to=self.name)
        if self._tables_due and (hurry or now - self._tables_at >= TABLES_SECONDS):
            self._tables_due, self._tables_at = False, now
            self._publish_tables(self.state.mood)

    def _publish_tables(self, mood: Mood | None) -> None:
        if mood is None:
            self._tables = {}  # whoever joins before the next mood has not seen them
            return
        tables = recommendations_message(self._site.recommender, mood.vector)
        if _told(tables) != _told(self._tables):
            self._tables = tables
            self._emit("recommendations", tables, to=self.name)

    def greet(self, sid: str) -> None:
        """Send one newcomer what the others know."""
        mood = self.state.mood
        self._emit("mood", mood_message(mood), to=sid)
        if mood:
            self._emit("recommendations", recommendations_message(self._site.recommender, mood.vector), to=sid)


class Live:
    """The Socket.IO side of one site."""

    def __init__(self, socketio: SocketIO, site: Site) -> None:
        self._socketio = socketio
        self._site = site
        self._lock = threading.Lock()
        self._visitors: dict[str, Audience] = {}
        self._trackers: dict[str, FaceTracker] = {}  # of those who send frames
        self._watching: set[str] = set()  # see the server camera's stream
        self._in_room: set[str] = set()  # and share its mood, for they chose none by hand
        self._reading: set[str] = set()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._publisher: threading.Thread | None = None
        self._room = Audience(ROOM, site.camera.mood, site, socketio.emit, self._wake.set)
        self._model_failed = False
        self._faces_told: dict[str, Any] = {}
        site.camera.subscribe(self._tell_camera_status)
        socketio.on_event("connect", self._on_connect)
        socketio.on_event("disconnect", self._on_disconnect)
        for event, handler in (
            ("frame", self._on_frame),
            ("watch", self._on_watch),
            ("choose", self._on_choose),
            ("forget", self._on_forget),
        ):
            socketio.on_event(event, handler)

    def close(self) -> None:
        """Disconnect every visitor and stop telling."""
        self._closing.set()
        self._wake.set()
        with self._lock:
            sids = list(self._visitors)
        for sid in sids:
            self._socketio.server.disconnect(sid)

    # Connections

    def _on_connect(self, auth: Any = None) -> None:
        sid = _sid()
        with self._lock:
            if len(self._visitors) >= self._site.config.max_visitors:
                raise ConnectionRefusedError("The mirror has as many visitors as it can take. Try again in a minute.")
            state = MoodState()
            self._visitors[sid] = Audience(sid, state, self._site, self._socketio.emit, self._wake.set)
            if self._publisher is None:
                self._publisher = threading.Thread(target=self._publish, name="publisher", daemon=True)
                self._publisher.start()
        self._socketio.emit("camera", camera_message(self._site.camera.status), to=sid)

    def _on_disconnect(self, reason: Any = None) -> None:
        sid = _sid()
        with self._lock:
            visitor = self._visitors.pop(sid, None)
            self._trackers.pop(sid, None)
            self._watching.discard(sid)
            self._in_room.discard(sid)
        if visitor:
            visitor.close()

    # What visitors send. Each answer is the acknowledgement: {} or {"error": what is wrong}.

    def _on_frame(self, content: Any = None) -> dict[str, Any]:
        """A JPEG frame of the visitor's own camera; answers with its size and the faces in it."""
        visitor = self._visitor()
        if visitor is None:
            return {"error": "not connected"}
        if not isinstance(content, bytes):
            return {"error": "a frame must be sent as bytes"}
        with self._lock:
            if visitor.name in self._reading:
                return {"error": "one frame at a time: send the next when the last is answered"}
            self._reading.add(visitor.name)
        try:
            return self._read_frame(visitor, content)
        finally:
            with self._lock:
                self._reading.discard(visitor.name)

    def _read_frame(self, visitor: Audience, content: bytes) -> dict[str, Any]:
        try:
            gray = decode_frame(content)
            faces = self._tracker(visitor).follow(gray, time.monotonic())
        except MediaError as error:
            return {"error": str(error)}
        except (ModelError, FileNotFoundError) as error:
            if not self._model_failed:
                self._model_failed = True
                LOGGER.error("faces can't be read: %s", error)
            return {"error": "This server can't read faces at present; its log says why. You can choose a mood by hand."}
        # The visitor is whoever is nearest; people passing behind have not asked for anything.
        if faces and faces[0].vector is not None:
            visitor.state.update(Reading(faces[0].vector, "face", 1.0, time.monotonic()))
        return {"width": gray.shape[1], "height": gray.shape[0], "faces": [face_message(face) for face in faces]}

    def _tracker(self, visitor: Audience) -> FaceTracker:
        """What follows the visitor's face. Raises ModelError or FileNotFoundError if faces can't be read at all."""
        reader = self._site.face_reader()  # outside the lock: the first call opens the models
        with self._lock:
            if visitor.name not in self._visitors:
                return FaceTracker(reader)  # gone meanwhile: nothing of them is kept
            return self._trackers.setdefault(visitor.name, FaceTracker(reader))

    def _on_watch(self, watching: Any = None) -> dict[str, Any]:
        """Whether the visitor watches the server's camera, and so shares its room's mood."""
        visitor = self._visitor()
        if visitor is None or not isinstance(watching, bool):
            return {"error": "watch takes true or false"}
        with self._lock:
            (self._watching.add if watching else self._watching.discard)(visitor.name)
        self._settle(visitor)
        return {}

    def _on_choose(self, emotion: Any = None) -> dict[str, Any]:
        """The mood that the visitor chose by hand, or null to let go of it."""
        visitor = self._visitor()
        if visitor is None or not (emotion is None or emotion in EMOTIONS):
            return {"error": f"choose takes null or one of {', '.join(EMOTIONS)}"}
        if emotion is not None:
            visitor.state.update(Reading(chosen_vector(emotion), "chosen", 1.0, time.monotonic()))
        else:
            visitor.state.release()
        visitor.hurry()
        self._settle(visitor)
        return {}

    def _on_forget(self) -> dict[str, Any]:
        """Forget all that was read of the visitor, and the mood they chose."""
        visitor = self._visitor()
        if visitor is not None:
            visitor.state.forget()
            with self._lock:
                self._trackers.pop(visitor.name, None)
            visitor.hurry()
            self._settle(visitor)
        return {}

    def _visitor(self) -> Audience | None:
        with self._lock:
            return self._visitors.get(_sid())

    def _settle(self, visitor: Audience) -> None:
        """Put a visitor into the server camera's room, or out of it, as what they watch and chose demands.

        In whichever order their messages are handled, the last one leaves them in the right place.
        """
        with self._lock:
            mood = visitor.state.mood
            belongs = visitor.name in self._watching and not (mood and "chosen" in mood.sources)
            if belongs == (visitor.name in self._in_room):
                return
            if belongs:
                self._in_room.add(visitor.name)
                join_room(ROOM)
                self._room.greet(visitor.name)
                self._socketio.emit("faces", faces_message(self._site.camera.faces), to=visitor.name)
            else:
                self._in_room.discard(visitor.name)
                leave_room(ROOM)
                visitor.greet(visitor.name)

    # What visitors are told

    def _tell_camera_status(self, status: CameraStatus) -> None:
        self._socketio.emit("camera", camera_message(status))

    def _tell_faces(self) -> None:
        message = faces_message(self._site.camera.faces)
        if message != self._faces_told:
            self._faces_told = message
            self._socketio.emit("faces", message, to=ROOM)

    def _publish(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(REFRESH_SECONDS)
            self._wake.clear()
            with self._lock:
                # Who shares the room's mood is not told their own beside it.
                alone = [visitor for sid, visitor in self._visitors.items() if sid not in self._in_room]
                audiences = [self._room, *alone]
            self._tell_faces()
            for audience in audiences:
                try:
                    audience.publish(time.monotonic())
                except Exception:  # one audience's trouble must not silence the others
                    LOGGER.exception("an audience can't be told")
            self._closing.wait(MOOD_SECONDS / 2)


def chosen_vector(emotion: str) -> Any:
    """The mood vector, float32 [7], of an emotion chosen by hand: mostly it, and a little of each other."""
    rest = (1 - CHOSEN_SHARE) / (len(EMOTIONS) - 1)
    return mood_vector({name: CHOSEN_SHARE if name == emotion else rest for name in EMOTIONS})


def _told(tables: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What people read of tables: the reason too, which must stay true when the mood changes and the list does not."""
    return {kind: [(row["id"], row["why"]) for row in rows] for kind, rows in tables.items()}


def _sid() -> str:
    sid: str = request.sid  # type: ignore[attr-defined]
    return sid
