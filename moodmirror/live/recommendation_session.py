"""What one connection is offered: the tables for its mood, its visitor's taste and preferences, and what they saved."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from moodmirror.emotions import MoodVector
from moodmirror.live.messages import ROWS, item_message, rows_message
from moodmirror.live.preferences import Preferences, read_preferences
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.taste import VERDICTS, Taste
from moodmirror.services import Services
from moodmirror.storage.database import DatabaseUnavailableError, VisitorDeletedError, VisitorRecord

LOGGER = logging.getLogger("moodmirror.offers")

SAVE: Final = "save"
# Nobody clicks faster for long; a program that does is told to wait.
CLICKS_A_SECOND: Final = 4.0
CLICKS_AT_ONCE: Final = 20.0
MOST_WAITING: Final = 200  # changes


class FeedbackError(ValueError):
    """What was sent is no feedback; the message says why."""


class Offers:
    """One connection's offers. Its methods may be called from any thread."""

    def __init__(self, site: Services, visitor: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`visitor` is the anonymous id, None for who takes no cookie: their taste lives as long as the connection."""
        self.visitor = visitor
        self.kept = visitor is not None  # whether what the visitor says is kept at present
        self._site = site
        self._taste = Taste()
        self._recommender = site.recommender.with_taste(self._taste)
        self._preferences = Preferences()
        self._saved: tuple[tuple[str, str], ...] = ()  # newest first
        self._known = False
        self._waiting: deque[Callable[[str], None]] = deque(maxlen=MOST_WAITING)  # changes for when the database is back
        self._turn = threading.Lock()  # one change at a time, in memory and in the database
        self._clock = clock
        self._clicks, self._clicked_at = CLICKS_AT_ONCE, clock()

    @property
    def wishes(self) -> bool:
        """Whether the visitor has a wish, which ranks by itself while no mood is known."""
        return self._preferences.wish is not None

    def tables(self, mood: MoodVector | None) -> dict[str, Any]:
        """The rows of each table for a mood, float32 [7], or where None is known for the wish. They count as shown."""
        wanted, tables = self._preferences, {}
        mode, towards = (wanted.mode, wanted.towards) if mood is not None else ("match", None)
        for kind in KINDS:
            rows = self._recommender.recommend(
                mood,
                kind,
                ROWS,
                mode,
                wanted.filters.get(kind),
                towards=towards,
                seed=wanted.seed,
                text_query=wanted.wish,
            )
            self._taste.mark_shown(kind, [row.item.id for row in rows])
            saved = set(self._saved)
            tables[kind] = [{**row, "saved": (kind, row["id"]) in saved} for row in rows_message(kind, rows)]
        return tables

    def message(self) -> dict[str, Any]:
        """What the page shows of what is kept: whether anything can be, and the saved and hidden items, newest first."""
        hidden = [(opinion.kind, opinion.item) for opinion in self._taste.opinions if opinion.verdict == "hide"]
        return {
            "kept": self.kept,
            "opinions": len(self._taste.opinions),
            "saved": self._items(self._saved),
            "hidden": self._items(hidden[::-1]),
        }

    def _items(self, named: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
        """What the page shows of items, by kind and id; those that the catalogue has lost are left out."""
        found = ((kind, self._site.recommender.item(kind, item)) for kind, item in named)
        return [{"kind": kind, **item_message(kind, item)} for kind, item in found if item]

    def prefer(self, content: Any) -> None:
        """Take in preferences. Raises PreferenceError or TextQueryError where they are none."""
        self._count_click()
        self._preferences = read_preferences(self._site, content)

    def send_away(self, kind: Any) -> None:
        """Let a table's rows make place for others. Raises FeedbackError for an unknown table."""
        if not isinstance(kind, str) or kind not in KINDS:
            raise FeedbackError(f"others takes one of {', '.join(KINDS)}")
        self._count_click()
        self._taste.dismiss_shown(kind)

    def take(self, content: Any) -> None:
        """Take in feedback: an object with kind, id, verdict, and `on`, which is false to take it back.

        Raises FeedbackError for anything else, and VisitorDeletedError if the visitor was forgotten meanwhile.
        """
        kind, item, verdict, on = self._read(content)
        self._count_click()
        with self._turn:
            if verdict == SAVE:
                others = tuple(one for one in self._saved if one != (kind, item))
                self._saved = ((kind, item), *others) if on else others
                self._keep(lambda visitor: self._keep_saved(visitor, kind, item, on))
            elif on:
                opinion = self._taste.add_opinion(kind, item, verdict)
                self._keep(lambda visitor: self._site.database.save_opinion(visitor, opinion, must_exist=self._known))
            else:
                self._taste.remove_opinion(kind, item, verdict)
                self._keep(lambda visitor: self._site.database.delete_opinion(visitor, kind, item, verdict))

    def reload(self) -> bool:
        """Read anew what is kept of the visitor. Returns whether anything that the page shows has changed.

        Raises VisitorDeletedError if something was kept and nothing is any more.
        """
        if self.visitor is None:
            return False
        before = (self.kept, self._saved)
        with self._turn:
            try:
                while self._waiting:
                    self._waiting[0](self.visitor)
                    self._waiting.popleft()
                kept: VisitorRecord = self._site.database.load_visitor(self.visitor)
            except DatabaseUnavailableError:
                self.kept = False
                return before != (self.kept, self._saved)
            if self._known and not kept.exists:
                raise VisitorDeletedError(self.visitor)
            self.kept, self._known, self._saved = True, kept.exists, kept.saved
            changed = self._taste.replace_opinions(kept.opinions)
        return changed or before != (self.kept, self._saved)

    def _keep_saved(self, visitor: str, kind: str, item: str, on: bool) -> None:
        if on:
            self._site.database.save_item(visitor, kind, item, must_exist=self._known)
        else:
            self._site.database.delete_saved_item(visitor, kind, item)

    def _keep(self, write: Callable[[str], None]) -> None:
        """Have the database keep a change; while it is away, the change waits for as long as the connection lives."""
        if self.visitor is None:
            return
        try:
            write(self.visitor)
        except DatabaseUnavailableError:
            self.kept = False
            self._waiting.append(write)
        else:
            self.kept = self._known = True

    def _read(self, content: Any) -> tuple[str, str, str, bool]:
        verdicts = (*VERDICTS, SAVE)
        if not isinstance(content, dict) or not {"kind", "id", "verdict"} <= set(content) <= {"kind", "id", "verdict", "on"}:
            raise FeedbackError("feedback takes an object with kind, id, verdict and on")
        kind, item, verdict, on = content["kind"], content["id"], content["verdict"], content.get("on", True)
        if not isinstance(kind, str) or not isinstance(item, str) or self._site.recommender.item(kind, item) is None:
            raise FeedbackError("feedback must name an item by kind and id")
        if not isinstance(verdict, str) or verdict not in verdicts or not isinstance(on, bool):
            raise FeedbackError(f"verdict must be one of {', '.join(verdicts)}, and on true or false")
        return kind, item, verdict, on

    def _count_click(self) -> None:
        with self._turn:
            now = self._clock()
            self._clicks = min(self._clicks + (now - self._clicked_at) * CLICKS_A_SECOND, CLICKS_AT_ONCE) - 1
            self._clicked_at = now
            if self._clicks < 0:
                self._clicks = 0.0
                raise FeedbackError("That is faster than the mirror can follow. Wait a moment.")
