"""What the mirror keeps of a visitor, under an anonymous id: their opinions on items, and the items they saved.

Nothing else: no mood, no picture, no sound, and no word that anybody wrote. SQLite holds it in a file, PostgreSQL for many
processes and machines. The tables are made and brought up to date by themselves when the database is first needed: in one
transaction, under a lock, so that several processes may start at once.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from moodmirror.recommendation.taste import OPPOSITES, Opinion

LOGGER = logging.getLogger("moodmirror.storage.database")

MIGRATIONS: Final = Path(__file__).with_name("migrations")
MIGRATION_LOCK: Final = 0x6D6D_6462  # any number that is nobody else's
DAY: Final = 24 * 3600.0  # seconds
KEEP_DAYS: Final = 180  # so long after their last visit somebody's taste is kept
AWAY_SECONDS: Final = 10.0  # for so long a database that failed is not asked again: nobody shall wait for it
MOST_COUNTED: Final = 500_000  # likes that are counted of a kind, the newest: a second's work, some hundred megabytes
CONNECT_SECONDS: Final = 3  # to open a connection, or to get one of those that are open
STATEMENT_SECONDS: Final = 5  # for one statement, or to wait for another process that writes
AWAY: Final = "The database can't be used at present; the server's log says why."
PURGE_SECONDS: Final = 3600.0  # between two looks for those who stayed away

metadata = sa.MetaData()
visitors = sa.Table(
    "visitors",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_at", sa.Double, nullable=False),  # this and the other times are in seconds since the epoch
    sa.Column("seen_at", sa.Double, nullable=False, index=True),
)
opinions = sa.Table(
    "opinions",
    metadata,
    sa.Column("visitor", sa.String(32), sa.ForeignKey("visitors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("item", sa.String(200), primary_key=True),
    sa.Column("verdict", sa.String(8), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)
saved = sa.Table(
    "saved",
    metadata,
    sa.Column("visitor", sa.String(32), sa.ForeignKey("visitors.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("item", sa.String(200), primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)


class DatabaseAway(RuntimeError):
    """The database can't be used at present; the log says why."""


class Forgotten(RuntimeError):
    """The visitor was forgotten meanwhile: nothing more may be kept under that id."""


@dataclass(frozen=True)
class Kept:
    """What is kept of a visitor: their opinions, and what they saved as (kind, item), newest first; `known`: if anything."""

    opinions: tuple[Opinion, ...] = ()
    saved: tuple[tuple[str, str], ...] = ()
    known: bool = False


class Database:
    """The tables. Every method may be called from any thread, and raises DatabaseAway where the database can't be used."""

    def __init__(
        self, url: str, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`url` is SQLAlchemy's, as ``sqlite:///file`` or ``postgresql://user@host/name``. Opens nothing yet.

        `clock` gives seconds since the epoch, `monotonic` seconds that never go back.
        """
        self._url = engine_url(url)
        self._clock = clock
        self._monotonic = monotonic
        self._engine = self._make_engine()
        self._lock = threading.Lock()
        self._ready = False
        self._away_until = -float("inf")
        self._purge_at = -float("inf")

    def load(self, visitor: str) -> Kept:
        """What is kept of a visitor, and take note that they were here."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(visitors.c.seen_at).where(visitors.c.id == visitor)).one_or_none()
            if row is None:
                return Kept()
            given = connection.execute(sa.select(opinions).where(opinions.c.visitor == visitor).order_by(opinions.c.at))
            kept = connection.execute(sa.select(saved).where(saved.c.visitor == visitor).order_by(saved.c.at.desc()))
            answer = Kept(
                tuple(Opinion(row.kind, row.item, row.verdict, row.at) for row in given),
                tuple((row.kind, row.item) for row in kept),
                known=True,
            )
        if self._clock() - row.seen_at > DAY:
            with self._transaction(writing=True) as connection:
                connection.execute(visitors.update().where(visitors.c.id == visitor).values(seen_at=self._clock()))
        return answer

    def give(self, visitor: str, opinion: Opinion, *, known: bool = False) -> None:
        """Keep an opinion; what it contradicts is taken back.

        Raises Forgotten if the visitor should be `known` and is not any more.
        """
        key = {"visitor": visitor, "kind": opinion.kind, "item": opinion.item}
        with self._transaction(writing=True) as connection:
            self._note(connection, visitor, known)
            self._put(connection, opinions, {**key, "verdict": opinion.verdict}, opinion.at)
            if opinion.verdict in OPPOSITES:
                self._drop(connection, opinions, {**key, "verdict": OPPOSITES[opinion.verdict]})

    def take_back(self, visitor: str, kind: str, item: str, verdict: str) -> None:
        """Forget an opinion, if it is kept."""
        with self._transaction(writing=True) as connection:
            self._drop(connection, opinions, {"visitor": visitor, "kind": kind, "item": item, "verdict": verdict})

    def save(self, visitor: str, kind: str, item: str, *, known: bool = False) -> None:
        """Keep an item on the visitor's list. Raises Forgotten as :meth:`give` does."""
        with self._transaction(writing=True) as connection:
            self._note(connection, visitor, known)
            self._put(connection, saved, {"visitor": visitor, "kind": kind, "item": item}, self._clock())

    def unsave(self, visitor: str, kind: str, item: str) -> None:
        """Take an item off the visitor's list, if it is there."""
        with self._transaction(writing=True) as connection:
            self._drop(connection, saved, {"visitor": visitor, "kind": kind, "item": item})

    def forget(self, visitor: str) -> None:
        """Delete all that is kept of a visitor."""
        with self._transaction(writing=True) as connection:
            for table in (opinions, saved):
                connection.execute(table.delete().where(table.c.visitor == visitor))
            connection.execute(visitors.delete().where(visitors.c.id == visitor))

    def everything(self, visitor: str) -> dict[str, Any]:
        """All that is kept of a visitor, every column of it, for their own eyes; times as ISO 8601."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(visitors).where(visitors.c.id == visitor)).one_or_none()
            tables = {
                table.name: connection.execute(sa.select(table).where(table.c.visitor == visitor).order_by(table.c.at)).all()
                for table in (opinions, saved)
            }
        return {
            "visitor": {"id": row.id, "created_at": _iso(row.created_at), "seen_at": _iso(row.seen_at)} if row else None,
            "opinions": [
                {"kind": o.kind, "item": o.item, "verdict": o.verdict, "at": _iso(o.at)} for o in tables["opinions"]
            ],
            "saved": [{"kind": s.kind, "item": s.item, "at": _iso(s.at)} for s in tables["saved"]],
        }

    def likes(self, kind: str) -> tuple[list[str], list[str]]:
        """The newest likes of a kind, oldest first, as visitors and items; only to be counted."""
        liked = sa.select(opinions.c.visitor, opinions.c.item).where(opinions.c.kind == kind, opinions.c.verdict == "like")
        with self._transaction() as connection:
            rows = connection.execute(liked.order_by(opinions.c.at.desc()).limit(MOST_COUNTED)).all()
        return [row.visitor for row in reversed(rows)], [row.item for row in reversed(rows)]

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        """One transaction, that is kept whole or not at all."""
        self._check_away()
        try:
            self._make_ready()
            # SQLite lets one write at a time: who will write says so at the start, and waits for its turn there.
            with self._engine.execution_options(exclusive=writing).begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            self._away_until = self._monotonic() + AWAY_SECONDS
            LOGGER.error("the database %s can't be used: %s", self._url.render_as_string(), _first_line(error))
            raise DatabaseAway(AWAY) from None

    def _check_away(self) -> None:
        if self._monotonic() < self._away_until:
            raise DatabaseAway(AWAY)

    def _make_ready(self) -> None:
        """Make the tables, or bring those of an older version up to date."""
        with self._lock:
            if self._ready:
                return
            self._check_away()  # who waited for the lock need not wait for the database once more
            if self._url.get_backend_name() == "sqlite" and self._url.database:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            # Alembic costs as much at start as all of the site's own: it is opened with the database.
            import alembic.command
            import alembic.config
            import alembic.util

            config = alembic.config.Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            with self._engine.execution_options(exclusive=True).begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
                config.attributes["connection"] = connection
                try:
                    alembic.command.upgrade(config, "head")
                except alembic.util.CommandError as error:  # a newer program's tables
                    raise OSError(str(error)) from error
            self._ready = True

    def _make_engine(self) -> sa.Engine:
        # Parameters are left out of messages: they say who likes what.
        options: dict[str, Any] = {"hide_parameters": True, "pool_timeout": CONNECT_SECONDS}
        if self._url.get_backend_name() == "sqlite":
            engine = sa.create_engine(self._url, connect_args={"timeout": STATEMENT_SECONDS}, **options)
            sa.event.listen(engine, "connect", _prepare_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        arguments = {
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={1000 * STATEMENT_SECONDS}",
        }
        return sa.create_engine(self._url, connect_args=arguments, pool_pre_ping=True, **options)

    def _note(self, connection: sa.Connection, visitor: str, known: bool) -> None:
        """Have a row for a visitor; and now and then let go of those who stayed away."""
        now = self._clock()
        if known and not connection.execute(sa.select(visitors.c.id).where(visitors.c.id == visitor)).first():
            raise Forgotten(visitor)
        if self._monotonic() >= self._purge_at:
            self._purge_at = self._monotonic() + PURGE_SECONDS
            connection.execute(visitors.delete().where(visitors.c.seen_at < now - KEEP_DAYS * DAY))
        row = {"id": visitor, "created_at": now, "seen_at": now}
        connection.execute(self._insert(connection, visitors).values(row).on_conflict_do_nothing())

    def _put(self, connection: sa.Connection, table: sa.Table, key: dict[str, str], at: float) -> None:
        statement = self._insert(connection, table).values({**key, "at": at})
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"at": at}))

    @staticmethod
    def _drop(connection: sa.Connection, table: sa.Table, key: dict[str, str]) -> None:
        connection.execute(table.delete().where(*(table.c[column] == value for column, value in key.items())))

    @staticmethod
    def _insert(connection: sa.Connection, table: sa.Table) -> Any:
        return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def engine_url(text: str) -> sa.URL:
    """The address of a database, with the driver that is installed. Raises ValueError for another sort of database."""
    try:
        url = sa.make_url(text)
    except SQLAlchemyError:
        raise ValueError("must be an address as sqlite:///file.sqlite3 or postgresql://user:password@host/name") from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise ValueError("must begin with sqlite:// or postgresql://")


def _prepare_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say so: its own manner leaves table changes out of them
    connection.execute("PRAGMA foreign_keys = ON")
    deadline = time.monotonic() + STATEMENT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # who reads does not wait for who writes
            return
        except sqlite3.OperationalError:
            # While another process makes the same change of a new file, SQLite refuses at once instead of waiting.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: sa.Connection) -> None:
    exclusive = connection.get_execution_options().get("exclusive", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if exclusive else "BEGIN")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
