"""The threads that publish moods and tables, and that reload visitors' data from the database."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from moodmirror.live.camera_room import CameraRoom
from moodmirror.live.co_likes import CoLikesJob
from moodmirror.live.session import MOOD_SECONDS, REFRESH_SECONDS, Session
from moodmirror.storage.database import VisitorDeletedError

LOGGER = logging.getLogger("moodmirror.live")

RELOAD_SECONDS: Final = (
    10.0  # maximum delay until changes of another process are seen, or that the database is available again
)


class Publisher:
    """Publishes moods and tables of all sessions until it is closed."""

    def __init__(
        self,
        sessions: Callable[[], list[Session]],
        room: CameraRoom,
        co_likes: CoLikesJob,
        reload: Callable[[Session], None],
        wake: threading.Event,
    ) -> None:
        """`sessions` returns the open sessions; `reload` reloads a visitor's data; setting `wake` wakes the publisher."""
        self._sessions = sessions
        self._room = room
        self._co_likes = co_likes
        self._reload = reload
        self._wake = wake
        self._wake_tables = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Start the threads, unless they run already."""
        with self._lock:
            if self._started:
                return
            self._started = True
        for name, run in (("publisher", self._publish), ("tables", self._publish_tables), ("taste", self._reload_all)):
            threading.Thread(target=run, name=name, daemon=True).start()

    def close(self) -> None:
        """End the threads."""
        self._closing.set()
        self._wake.set()
        self._wake_tables.set()

    def _publish(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(REFRESH_SECONDS)
            self._wake.clear()
            sessions = self._sessions()
            self._room.publish_faces()
            for session in sessions:
                session.expire_inputs(time.monotonic())
            self._room.update(sessions)
            # Members of the camera room receive its mood instead of their own.
            for audience in (self._room.audience, *(session for session in sessions if session.audience is session)):
                try:
                    audience.publish(time.monotonic())
                except Exception:  # a failure of one audience must not stop the others
                    LOGGER.exception("can't publish the mood of %s", audience.name)
            self._wake_tables.set()
            self._closing.wait(MOOD_SECONDS / 2)

    def _publish_tables(self) -> None:
        """Publish tables in a separate thread: ranking for many visitors takes longer than a mood may be delayed."""
        while not self._closing.is_set():
            self._wake_tables.wait(REFRESH_SECONDS)
            self._wake_tables.clear()
            for session in self._sessions():
                try:
                    session.publish_tables(time.monotonic())
                except Exception:  # a failure of one session must not stop the others
                    LOGGER.exception("can't publish the tables of %s", session.name)

    def _reload_all(self) -> None:
        """Reload visitors' data periodically: another process may have changed it, or the database is available again."""
        while not self._closing.wait(RELOAD_SECONDS):
            try:
                self._co_likes.refresh()
            except Exception:  # recommendations go on with the previous counts
                LOGGER.exception("can't count which items visitors like together")
            for session in self._sessions():
                try:
                    self._reload(session)
                except Exception:  # a failure of one session must not stop the others
                    LOGGER.exception("can't reload the stored data of a visitor")


def reload_session(session: Session, disconnect: Callable[[str], None]) -> None:
    """Reload a visitor's data and publish what has changed; disconnect a session whose visitor was deleted."""
    try:
        changed = session.recommendations.reload()
    except VisitorDeletedError:  # by another process: the browser has a new id, and will connect again with it
        disconnect(session.name)
        return
    if changed:
        session.skip_throttle()
        session.publish_taste()
