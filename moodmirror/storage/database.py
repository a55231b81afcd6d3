"""Store what a visitor likes and saves, under an anonymous id, in SQLite or PostgreSQL.

Only opinions on items and saved items are stored: no mood, picture, sound, or text that a visitor wrote. SQLite keeps them
in one file; PostgreSQL serves several processes and machines. The schema is created and migrated on first use, in one
transaction and under a lock, so that several processes can start at the same time.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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
MIGRATION_LOCK_ID: Final = 0x6D6D_6462  # PostgreSQL advisory lock; any number that no other program uses
DAY_SECONDS: Final = 24 * 3600.0
RETENTION_DAYS: Final = 180  # a visitor's data is deleted this long after their last visit
RETRY_SECONDS: Final = 10.0  # after a failure, calls fail at once for this long, so that no request waits for the database
MAX_LIKES_LOADED: Final = 500_000  # newest likes of one kind: about one second of work and some hundred megabytes
CONNECT_TIMEOUT_SECONDS: Final = 3  # to open a connection or to get one from the pool
STATEMENT_TIMEOUT_SECONDS: Final = 5  # for one statement, or to wait for another process that writes
PURGE_INTERVAL_SECONDS: Final = 3600.0  # between two deletions of expired visitors
UNAVAILABLE_MESSAGE: Final = "The database is unavailable. The server's log gives the reason."

metadata = sa.MetaData()
visitors = sa.Table(
    "visitors",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("created_at", sa.Double, nullable=False),  # this and all other times: seconds since the epoch
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


class DatabaseUnavailableError(RuntimeError):
    """The database can't be used at present; the log gives the reason."""


class VisitorDeletedError(RuntimeError):
    """The visitor's data was deleted in the meantime: nothing more may be stored under that id."""


@dataclass(frozen=True)
class VisitorRecord:
    """A visitor's stored data.

    `opinions` are ordered oldest first, `saved` items, as (kind, item), newest first; `exists` tells if there is a row.
    """

    opinions: tuple[Opinion, ...] = ()
    saved: tuple[tuple[str, str], ...] = ()
    exists: bool = False


class Database:
    """Reads and writes the tables.

    Thread-safe. Every method raises DatabaseUnavailableError if the database can't be used.
    """

    def __init__(
        self, url: str, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Prepare the engine for an SQLAlchemy `url`, such as ``sqlite:///file`` or ``postgresql://user@host/name``.

        No connection is opened yet. `clock` returns seconds since the epoch, `monotonic` seconds that never decrease.
        """
        self._url = engine_url(url)
        self._clock = clock
        self._monotonic = monotonic
        self._engine = self._create_engine()
        self._lock = threading.Lock()
        self._schema_ready = False
        self._unavailable_until = -float("inf")
        self._next_purge = -float("inf")

    def load_visitor(self, visitor: str) -> VisitorRecord:
        """Return what is stored of a visitor, and update the time of their last visit."""
        with self._transaction() as connection:
            row = connection.execute(sa.select(visitors.c.seen_at).where(visitors.c.id == visitor)).one_or_none()
            if row is None:
                return VisitorRecord()
            opinion_rows = connection.execute(
                sa.select(opinions).where(opinions.c.visitor == visitor).order_by(opinions.c.at)
            )
            saved_rows = connection.execute(sa.select(saved).where(saved.c.visitor == visitor).order_by(saved.c.at.desc()))
            record = VisitorRecord(
                tuple(Opinion(row.kind, row.item, row.verdict, row.at) for row in opinion_rows),
                tuple((row.kind, row.item) for row in saved_rows),
                exists=True,
            )
        if self._clock() - row.seen_at > DAY_SECONDS:
            with self._transaction(writing=True) as connection:
                connection.execute(visitors.update().where(visitors.c.id == visitor).values(seen_at=self._clock()))
        return record

    def save_opinion(self, visitor: str, opinion: Opinion, *, must_exist: bool = False) -> None:
        """Store an opinion and delete the one that it contradicts.

        With `must_exist`, raises VisitorDeletedError if the visitor has no row any more.
        """
        key = {"visitor": visitor, "kind": opinion.kind, "item": opinion.item}
        with self._transaction(writing=True) as connection:
            self._ensure_visitor(connection, visitor, must_exist)
            self._upsert(connection, opinions, {**key, "verdict": opinion.verdict}, opinion.at)
            if opinion.verdict in OPPOSITES:
                self._delete(connection, opinions, {**key, "verdict": OPPOSITES[opinion.verdict]})

    def save_opinions(self, visitor: str, added: Iterable[Opinion]) -> None:
        """Store opinions, except those that contradict one that is stored already."""
        with self._transaction(writing=True) as connection:
            self._ensure_visitor(connection, visitor, must_exist=False)
            stored = connection.execute(sa.select(opinions).where(opinions.c.visitor == visitor))
            known = {(row.kind, row.item, row.verdict) for row in stored}
            for opinion in added:
                if (opinion.kind, opinion.item, OPPOSITES.get(opinion.verdict)) not in known:
                    key = {"visitor": visitor, "kind": opinion.kind, "item": opinion.item, "verdict": opinion.verdict}
                    self._upsert(connection, opinions, key, opinion.at)

    def delete_opinion(self, visitor: str, kind: str, item: str, verdict: str) -> None:
        """Delete an opinion, if it is stored."""
        with self._transaction(writing=True) as connection:
            self._delete(connection, opinions, {"visitor": visitor, "kind": kind, "item": item, "verdict": verdict})

    def save_item(self, visitor: str, kind: str, item: str, *, must_exist: bool = False) -> None:
        """Add an item to the visitor's saved items. Raises VisitorDeletedError as :meth:`save_opinion` does."""
        with self._transaction(writing=True) as connection:
            self._ensure_visitor(connection, visitor, must_exist)
            self._upsert(connection, saved, {"visitor": visitor, "kind": kind, "item": item}, self._clock())

    def delete_saved_item(self, visitor: str, kind: str, item: str) -> None:
        """Remove an item from the visitor's saved items, if it is there."""
        with self._transaction(writing=True) as connection:
            self._delete(connection, saved, {"visitor": visitor, "kind": kind, "item": item})

    def delete_visitor(self, visitor: str) -> None:
        """Delete everything that is stored of a visitor."""
        with self._transaction(writing=True) as connection:
            for table in (opinions, saved):
                connection.execute(table.delete().where(table.c.visitor == visitor))
            connection.execute(visitors.delete().where(visitors.c.id == visitor))

    def export_visitor(self, visitor: str) -> dict[str, Any]:
        """Return everything that is stored of a visitor, every column, for their own download; times in ISO 8601."""
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

    def rename_items(self, kind: str, ids: Mapping[str, str]) -> None:
        """Refer to items of a kind by the values of `ids` instead of its keys; opinions already there take precedence."""
        with self._transaction(writing=True) as connection:
            for old, new in ids.items():
                for table in (opinions, saved):
                    of_old, of_new = ((table.c.kind == kind, table.c.item == item) for item in (old, new))
                    stored = connection.execute(sa.select(table).where(*of_new)).mappings().all()
                    known = {(row["visitor"], row.get("verdict")) for row in stored}
                    for row in connection.execute(sa.select(table).where(*of_old)).mappings().all():
                        if (row["visitor"], OPPOSITES.get(row.get("verdict", ""))) not in known:
                            renamed = self._insert(connection, table).values({**row, "item": new})
                            connection.execute(renamed.on_conflict_do_nothing())
                    connection.execute(table.delete().where(*of_old))

    def load_likes(self, kind: str) -> tuple[list[str], list[str]]:
        """Return the newest likes of a kind, oldest first, as visitor ids and item ids; only for counting co-likes."""
        liked = sa.select(opinions.c.visitor, opinions.c.item).where(opinions.c.kind == kind, opinions.c.verdict == "like")
        with self._transaction() as connection:
            rows = connection.execute(liked.order_by(opinions.c.at.desc()).limit(MAX_LIKES_LOADED)).all()
        return [row.visitor for row in reversed(rows)], [row.item for row in reversed(rows)]

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, writing: bool = False) -> Iterator[sa.Connection]:
        """Run one transaction, which is committed as a whole or rolled back."""
        self._check_available()
        try:
            self._prepare_schema()
            # SQLite allows one writer at a time: a writing transaction takes the lock at its start and waits there.
            with self._engine.execution_options(exclusive=writing).begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            self._unavailable_until = self._monotonic() + RETRY_SECONDS
            LOGGER.error(
                "The database %s can't be used: %s. Check DATABASE_URL, the database and its disk; retrying in %.0f s.",
                self._url.render_as_string(),
                _first_line(error),
                RETRY_SECONDS,
            )
            raise DatabaseUnavailableError(UNAVAILABLE_MESSAGE) from None

    def _check_available(self) -> None:
        if self._monotonic() < self._unavailable_until:
            raise DatabaseUnavailableError(UNAVAILABLE_MESSAGE)

    def _prepare_schema(self) -> None:
        """Create the tables, or migrate those of an older version."""
        if self._schema_ready:
            return
        if not self._lock.acquire(timeout=CONNECT_TIMEOUT_SECONDS):  # a migration may take minutes; requests can't wait
            raise DatabaseUnavailableError(UNAVAILABLE_MESSAGE)
        try:
            if self._schema_ready:
                return
            self._check_available()  # a thread that waited for the lock while another failed must not wait again
            if self._url.get_backend_name() == "sqlite" and self._url.database:
                Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
            # Importing Alembic takes as long as the rest of the start: it is imported with the first use of the database.
            import alembic.command
            import alembic.config
            import alembic.util

            config = alembic.config.Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            with self._engine.execution_options(exclusive=True).begin() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK_ID)))
                    connection.execute(sa.text("SET LOCAL statement_timeout = 0"))  # a step takes as long as it must
                config.attributes["connection"] = connection
                try:
                    alembic.command.upgrade(config, "head")
                except alembic.util.CommandError as error:  # the schema of a newer version of this program
                    raise OSError(str(error)) from error
            self._schema_ready = True
        finally:
            self._lock.release()

    def _create_engine(self) -> sa.Engine:
        # Parameters stay out of error messages: they contain who likes what.
        options: dict[str, Any] = {"hide_parameters": True, "pool_timeout": CONNECT_TIMEOUT_SECONDS}
        if self._url.get_backend_name() == "sqlite":
            engine = sa.create_engine(self._url, connect_args={"timeout": STATEMENT_TIMEOUT_SECONDS}, **options)
            sa.event.listen(engine, "connect", _configure_sqlite)
            sa.event.listen(engine, "begin", _begin_sqlite)
            return engine
        arguments = {
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": f"-c statement_timeout={1000 * STATEMENT_TIMEOUT_SECONDS}",
        }
        return sa.create_engine(self._url, connect_args=arguments, pool_pre_ping=True, **options)

    def _ensure_visitor(self, connection: sa.Connection, visitor: str, must_exist: bool) -> None:
        """Insert a row for a visitor if there is none, and from time to time delete expired visitors."""
        now = self._clock()
        if must_exist and not connection.execute(sa.select(visitors.c.id).where(visitors.c.id == visitor)).first():
            raise VisitorDeletedError(visitor)
        if self._monotonic() >= self._next_purge:
            self._next_purge = self._monotonic() + PURGE_INTERVAL_SECONDS
            connection.execute(visitors.delete().where(visitors.c.seen_at < now - RETENTION_DAYS * DAY_SECONDS))
        row = {"id": visitor, "created_at": now, "seen_at": now}
        connection.execute(self._insert(connection, visitors).values(row).on_conflict_do_nothing())

    def _upsert(self, connection: sa.Connection, table: sa.Table, key: dict[str, str], at: float) -> None:
        statement = self._insert(connection, table).values({**key, "at": at})
        connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"at": at}))

    @staticmethod
    def _delete(connection: sa.Connection, table: sa.Table, key: dict[str, str]) -> None:
        connection.execute(table.delete().where(*(table.c[column] == value for column, value in key.items())))

    @staticmethod
    def _insert(connection: sa.Connection, table: sa.Table) -> Any:
        return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def engine_url(text: str) -> sa.URL:
    """Parse a database URL and set its driver. Raises ValueError for anything but SQLite and PostgreSQL."""
    try:
        url = sa.make_url(text)
    except SQLAlchemyError:
        raise ValueError("must be a URL such as sqlite:///file.sqlite3 or postgresql://user:password@host/name") from None
    if url.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername == "sqlite":
        return url
    raise ValueError("must begin with sqlite:// or postgresql://")


def _configure_sqlite(connection: Any, _: Any) -> None:
    # Transactions begin explicitly (_begin_sqlite): the driver's own mode leaves schema changes outside of them.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    deadline = time.monotonic() + STATEMENT_TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")  # readers do not wait for a writer
            return
        except sqlite3.OperationalError:
            # While another process changes the mode of a new file, SQLite fails at once instead of waiting.
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
