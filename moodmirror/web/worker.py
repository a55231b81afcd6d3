"""gunicorn's worker with threads, in which nobody waits for a client that is slow to close its connection."""

from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from moodmirror.web.linger import linger


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Ends each connection in the thread that answered it.

    gunicorn (26 and 27) does so in the one thread that accepts connections and hands them out, where a client that read its
    answer and kept its end open would hold up everybody for two seconds.
    """

    def handle(self, conn: Any) -> Any:
        """Answer a request; returns what gunicorn's own returns: false when the connection is to be closed."""
        goes_on = super().handle(conn)
        if not goes_on:
            linger(conn.sock)
        return goes_on
