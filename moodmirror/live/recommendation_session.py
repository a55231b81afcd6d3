"""The recommendations of one connection: its tables, and its visitor's taste, preferences and saved items."""

import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from moodmirror.emotions import MoodVector
from moodmirror.live.message_schemas import CatalogueItem, FeedbackPayload, PreferencesPayload, TableRow, TastePayload
from moodmirror.live.messages import ROWS_PER_TABLE, item_fields, row_fields
from moodmirror.live.preferences import Preferences, read_preferences
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.importers.liked_songs import LikedSongs
from moodmirror.recommendation.taste import Taste
from moodmirror.services import Services
from moodmirror.storage.database import DatabaseUnavailableError, VisitorDeletedError, VisitorRecord

SAVE: Final = "save"
# Four clicks a second, bursts of 20: people don't click faster for long, and a program that does must wait.
CLICK_LIMIT: Final = parse("20 per 5 seconds")
MAX_PENDING_WRITES: Final = 200

# One for all sessions: each storage starts a thread of its own.
_click_limiter: Final = SlidingWindowCounterRateLimiter(MemoryStorage())


class FeedbackError(ValueError):
    """Feedback is invalid or too frequent; the message says why, for the user."""


class RecommendationSession:
    """The recommendations of one connection. Methods may be called from any thread."""

    def __init__(self, services: Services, visitor: str | None) -> None:
        """`visitor` is the anonymous id, None without a cookie: the taste then lives as long as the connection."""
        self.visitor = visitor
        self.is_stored = visitor is not None  # whether feedback is stored in the database at present
        self._services = services
        self._taste = Taste()
        self._recommender = services.recommender.with_taste(self._taste)
        self._preferences = Preferences()
        self.comforting = False  # whether the tables show only what comforts
        self._query_states_crisis = False  # such a text query names nothing that the tables should look for
        self._saved: tuple[tuple[str, str], ...] = ()  # (kind, id), newest first
        self._exists = False  # whether the database has a record of the visitor
        # Changes to write once the database is available again.
        self._pending_writes: deque[Callable[[str], None]] = deque(maxlen=MAX_PENDING_WRITES)
        self._liked_songs: LikedSongs | None = None
        self._lock = threading.Lock()  # one change at a time, in memory and in the database
        self._click_key = secrets.token_hex(8)

    @property
    def has_text_query(self) -> bool:
        """Whether the visitor has a text query, which ranks by itself while no mood is known."""
        return self._preferences.text_query is not None

    def use_liked_songs(self, songs: LikedSongs | None) -> bool:
        """Recommend with the visitor's liked songs of another site, or without; return whether these are others now."""
        if songs is self._liked_songs:
            return False
        self._liked_songs = songs
        self._taste.set_likes_elsewhere("songs", songs.likes if songs else ())
        self._recommender = (songs or self._services).recommender.with_taste(self._taste)
        return True

    def make_tables(self, mood: MoodVector | None) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of each table for a mood, float32 [7], or for the text query alone, and mark them as shown.

        Where they only comfort, they need neither a mood nor a query.
        """
        preferences, recommender, tables = self._preferences, self._recommender, {}
        lists = self._liked_songs.lists if self._liked_songs and not self.comforting else {}
        mode, towards = (preferences.mode, preferences.towards) if mood is not None else ("match", None)
        for kind in KINDS:
            recommendations = recommender.recommend(
                mood,
                kind,
                ROWS_PER_TABLE,
                mode,
                preferences.filters.get(kind),
                towards=towards,
                seed=preferences.seed,
                text_query=None if self.comforting and self._query_states_crisis else preferences.text_query,
                only=lists.get(preferences.song_list) if kind == "songs" else None,
                comforting=self.comforting,
                sort=preferences.sort,
            )
            self._taste.mark_shown(kind, [recommendation.item.id for recommendation in recommendations])
            saved = set(self._saved)
            tables[kind] = [
                TableRow(**row_fields(kind, row), saved=(kind, row.item.id) in saved).model_dump() for row in recommendations
            ]
        return tables

    def taste_message(self) -> dict[str, Any]:
        """Return the `taste` message: whether anything can be stored, and the saved and hidden items, newest first."""
        opinions = self._taste.opinions
        hidden = [(opinion.kind, opinion.item) for opinion in reversed(opinions) if opinion.verdict == "hide"]
        return TastePayload(
            kept=self.is_stored, opinions=len(opinions), saved=self._items(self._saved), hidden=self._items(hidden)
        ).model_dump()

    def _items(self, keys: Iterable[tuple[str, str]]) -> list[CatalogueItem]:
        """Return the items with these kinds and ids; items that are no longer in the catalogue are left out."""
        found = ((kind, self._recommender.item(kind, item)) for kind, item in keys)
        return [CatalogueItem.model_validate({"kind": kind, **item_fields(kind, item)}) for kind, item in found if item]

    def set_preferences(self, payload: PreferencesPayload) -> None:
        """Replace the preferences. Raises PreferenceError, TextQueryError, or FeedbackError if too frequent."""
        self._count_click()
        self._preferences = read_preferences(self._services, payload)
        self._query_states_crisis = is_crisis_statement(payload.wish)

    def replace_rows(self, kind: str) -> None:
        """Replace a table's rows by others. Raises FeedbackError if too frequent."""
        self._count_click()
        self._taste.dismiss_shown(kind)

    def add_feedback(self, payload: FeedbackPayload) -> None:
        """Apply feedback in memory and in the database.

        Raises FeedbackError for an unknown item or if too frequent, and VisitorDeletedError if the visitor's data was
        deleted meanwhile.
        """
        kind, item, verdict = payload.kind, payload.id, payload.verdict
        if self._recommender.item(kind, item) is None:
            raise FeedbackError(f"feedback.id: the table {kind} has no such item")
        self._count_click()
        with self._lock:
            if verdict == SAVE:
                others = tuple(key for key in self._saved if key != (kind, item))
                self._saved = ((kind, item), *others) if payload.on else others
                self._write(lambda visitor: self._write_saved(visitor, kind, item, payload.on))
            elif payload.on:
                opinion = self._taste.add_opinion(kind, item, verdict)
                self._write(lambda visitor: self._services.database.save_opinion(visitor, opinion, must_exist=self._exists))
            else:
                self._taste.remove_opinion(kind, item, verdict)
                if verdict == "like" and kind == "songs" and self._liked_songs:
                    self._liked_songs.withdraw(item)
                    self._taste.set_likes_elsewhere("songs", self._liked_songs.likes)
                self._write(lambda visitor: self._services.database.delete_opinion(visitor, kind, item, verdict))

    def reload(self) -> bool:
        """Load the visitor's data from the database; return whether anything that the page shows has changed.

        Raises VisitorDeletedError if the visitor had a record and has none any more.
        """
        if self.visitor is None:
            return False
        before = (self.is_stored, self._saved)
        with self._lock:
            try:
                while self._pending_writes:
                    self._pending_writes[0](self.visitor)
                    self._pending_writes.popleft()
                record: VisitorRecord = self._services.database.load_visitor(self.visitor)
            except DatabaseUnavailableError:
                self.is_stored = False
                return before != (self.is_stored, self._saved)
            if self._exists and not record.exists:
                raise VisitorDeletedError(self.visitor)
            self.is_stored, self._exists, self._saved = True, record.exists, record.saved
            changed = self._taste.replace_opinions(record.opinions)
        return changed or before != (self.is_stored, self._saved)

    def close(self) -> None:
        """Delete the click count."""
        _click_limiter.clear(CLICK_LIMIT, self._click_key)

    def _write_saved(self, visitor: str, kind: str, item: str, on: bool) -> None:
        if on:
            self._services.database.save_item(visitor, kind, item, must_exist=self._exists)
        else:
            self._services.database.delete_saved_item(visitor, kind, item)

    def _write(self, write: Callable[[str], None]) -> None:
        """Write a change; while the database is unavailable, the change waits for as long as the connection lives."""
        if self.visitor is None:
            return
        try:
            write(self.visitor)
        except DatabaseUnavailableError:
            self.is_stored = False
            self._pending_writes.append(write)
        else:
            self.is_stored = self._exists = True

    def _count_click(self) -> None:
        if not _click_limiter.hit(CLICK_LIMIT, self._click_key):
            raise FeedbackError("You are clicking faster than the server can follow. Wait a moment.")
