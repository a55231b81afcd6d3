"""The camera room: the visitors who share the mood of the server's camera, and those who watch its stream."""

import threading
from collections.abc import Callable, Collection
from typing import Any, Final

from moodmirror.live.messages import faces_message
from moodmirror.live.session import Audience, Emit, Session
from moodmirror.services import ServerCamera

MEMBERS: Final = "room"  # the Socket.IO room of visitors who share the camera's mood
WATCHERS: Final = "watchers"  # the Socket.IO room of all who watch: the members, and visitors with sources of their own
NAMESPACE: Final = "/"  # Socket.IO's default


class CameraRoom:
    """Puts each session into the room or out of it, in :meth:`update` alone.

    Events only change whether a session watches and which sources its mood has. The publisher calls :meth:`update` before
    it publishes, so that no visitor receives the mood of an audience that they have left.
    """

    def __init__(self, server: Any, camera: ServerCamera, emit: Emit, wake: Callable[[], None]) -> None:
        """`server` is the python-socketio server; `wake` wakes the publisher."""
        self.audience = Audience(MEMBERS, camera.mood, emit, wake)
        self._server = server
        self._camera = camera
        self._emit = emit
        self._wake = wake
        self._lock = threading.Lock()
        self._watchers: set[str] = set()  # connections in the Socket.IO room of that name
        self._published_faces: dict[str, Any] = {}

    def set_watching(self, session: Session, watching: bool) -> None:
        """Set whether a visitor watches; the camera's readings leave the mood of a visitor who no longer does."""
        with self._lock:
            session.watching = watching
            if not watching:
                session.state.clear("face")
        self._wake()

    def update(self, sessions: Collection[Session]) -> None:
        """Bring watchers and members up to date with what sessions watch, and with the sources that their moods have."""
        for session in sessions:
            with self._lock:
                if session.is_closed:
                    continue
                self._update_watching(session)
                self._update_membership(session)
                if session.watching and session.audience is session:
                    session.add_camera_reading(self.audience.state.mood)

    def publish_faces(self) -> None:
        """Emit how many faces the camera sees, if that has changed."""
        message = faces_message(self._camera.faces)
        if message != self._published_faces:
            self._published_faces = message
            self._emit("faces", message, to=WATCHERS)

    def remove(self, session: Session) -> None:
        """Close a session whose connection has ended; Socket.IO itself takes it out of its rooms."""
        with self._lock:
            session.close()
            self._watchers.discard(session.name)

    def _update_watching(self, session: Session) -> None:
        if session.watching == (session.name in self._watchers):
            return
        if session.watching:
            self._watchers.add(session.name)
            self._server.enter_room(session.name, WATCHERS, NAMESPACE)
            self._emit("faces", faces_message(self._camera.faces), to=session.name)
        else:
            self._watchers.discard(session.name)
            self._server.leave_room(session.name, WATCHERS, NAMESPACE)

    def _update_membership(self, session: Session) -> None:
        is_member = session.audience is self.audience
        if session.shares_camera_mood == is_member:
            return
        if is_member:
            session.audience = session
            self._server.leave_room(session.name, MEMBERS, NAMESPACE)
            if session.watching:  # the first mood that they receive contains the camera's reading
                session.add_camera_reading(self.audience.state.mood)
        else:
            session.audience = self.audience
            self._server.enter_room(session.name, MEMBERS, NAMESPACE)
        session.audience.send_current(session.name)
        session.skip_throttle()
