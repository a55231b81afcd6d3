"""Tests of the visitor database, on SQLite and on a real PostgreSQL server."""

import json
import logging
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config
from moodmirror.live.message_schemas import FeedbackPayload
from moodmirror.live.recommendation_session import RecommendationSession
from moodmirror.recommendation.taste import Opinion
from moodmirror.services import EXTENSION
from moodmirror.storage.database import (
    DAY_SECONDS,
    MIGRATIONS,
    RETENTION_DAYS,
    RETRY_SECONDS,
    Database,
    DatabaseUnavailableError,
    VisitorDeletedError,
    VisitorRecord,
    engine_url,
    metadata,
)
from tests.cluster import TemporaryDatabase
from tests.conftest import ROOT, free_port

pytestmark = pytest.mark.services

ANN, BOB = "a" * 32, "b" * 32


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def url(request, tmp_path) -> Iterator[str]:
    """An empty database."""
    if request.param == "SQLite":
        yield f"sqlite:///{tmp_path / 'new' / 'mirror.sqlite3'}"
        return
    address = request.getfixturevalue("postgres")
    engine = sa.create_engine(engine_url(address))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    yield address


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def database(url, clock) -> Iterator[Database]:
    database = Database(url, clock)
    yield database
    database.close()


def opinion(item: str, verdict: str = "like", at: float = Clock.now) -> Opinion:
    return Opinion("songs", item, verdict, at)


def assert_no_row_of(visitor: str, url: str) -> None:
    engine = sa.create_engine(engine_url(url))
    with engine.connect() as connection:
        for table in metadata.tables.values():
            assert all(visitor not in row for row in connection.execute(sa.select(table)))
    engine.dispose()


class TestVisitorRecords:
    def test_stored_data_is_loaded_for_its_visitor_only(self, database):
        database.save_opinion(ANN, opinion("one", at=2.5))
        database.save_opinion(ANN, opinion("two", "skip", at=1.5))
        database.save_item(ANN, "food", "soup")
        record = database.load_visitor(ANN)
        assert record.opinions == (opinion("two", "skip", at=1.5), opinion("one", at=2.5))
        assert record.saved == (("food", "soup"),)
        assert record.exists
        assert database.load_visitor(BOB) == VisitorRecord()

    def test_another_process_loads_the_stored_data(self, database, url):
        database.save_opinion(ANN, opinion("one"))
        script = (
            f"from moodmirror.storage.database import Database; print(len(Database({url!r}).load_visitor({ANN!r}).opinions))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.strip() == "1"

    def test_a_repeated_opinion_is_stored_once_and_opposites_replace_each_other(self, database):
        for verdict in ("like", "like", "hide", "play"):
            database.save_opinion(ANN, opinion("one", verdict))
        assert {o.verdict for o in database.load_visitor(ANN).opinions} == {"hide", "play"}
        database.delete_opinion(ANN, "songs", "one", "hide")
        database.delete_opinion(ANN, "songs", "never", "like")
        assert {o.verdict for o in database.load_visitor(ANN).opinions} == {"play"}

    def test_saved_items_are_ordered_newest_first_and_can_be_removed(self, database, clock):
        for item in ("one", "two", "three"):
            clock.now += 1
            database.save_item(ANN, "songs", item)
        database.delete_saved_item(ANN, "songs", "two")
        assert database.load_visitor(ANN).saved == (("songs", "three"), ("songs", "one"))

    def test_deleting_a_visitor_leaves_no_row(self, database, url):
        for visitor in (ANN, BOB):
            database.save_opinion(visitor, opinion("one"))
            database.save_item(visitor, "songs", "one")
        database.delete_visitor(ANN)
        assert not database.load_visitor(ANN).exists
        assert database.load_visitor(BOB).exists
        assert_no_row_of(ANN, url)

    def test_a_visitor_deleted_elsewhere_is_not_created_again(self, database):
        database.save_opinion(ANN, opinion("one"))
        database.delete_visitor(ANN)
        with pytest.raises(VisitorDeletedError):
            database.save_opinion(ANN, opinion("two"), must_exist=True)
        with pytest.raises(VisitorDeletedError):
            database.save_item(ANN, "songs", "two", must_exist=True)
        assert not database.load_visitor(ANN).exists

    def test_opinions_of_an_import_never_contradict_those_that_are_stored(self, database):
        database.save_opinion(ANN, opinion("one", "hide", at=1.5))
        database.save_opinions(ANN, [opinion("one", at=2.5), opinion("two", at=3.5), opinion("two", at=4.5)])
        assert database.load_visitor(ANN).opinions == (opinion("one", "hide", at=1.5), opinion("two", at=4.5))

    def test_renamed_items_keep_their_opinions_and_stay_saved(self, database):
        database.save_opinion(ANN, opinion("old", at=1.5))
        database.save_opinion(ANN, opinion("old", "play", at=2.5))
        database.save_opinion(ANN, opinion("new", "play", at=3.5))
        database.save_opinion(BOB, opinion("other", at=1.5))
        database.save_opinion(BOB, opinion("old", at=1.5))
        database.save_opinion(BOB, opinion("new", "hide", at=2.5))
        database.save_opinion(BOB, Opinion("food", "old", "like", 1.5))
        for visitor in (ANN, BOB):
            database.save_item(visitor, "songs", "old")
        for _ in range(2):
            database.rename_items("songs", {"old": "new", "unknown": "else"})
            ann, bob = database.load_visitor(ANN), database.load_visitor(BOB)
            assert ann.opinions == (opinion("new", at=1.5), opinion("new", "play", at=3.5))
            expected = {opinion("other", at=1.5), opinion("new", "hide", at=2.5), Opinion("food", "old", "like", 1.5)}
            assert set(bob.opinions) == expected
            assert ann.saved == bob.saved == (("songs", "new"),)

    def test_the_export_contains_every_stored_column(self, database):
        database.save_opinion(ANN, opinion("one"))
        database.save_item(ANN, "food", "soup")
        exported = json.loads(json.dumps(database.export_visitor(ANN)))
        assert exported == {
            "visitor": {"id": ANN, "created_at": "2023-11-14T22:13:20+00:00", "seen_at": "2023-11-14T22:13:20+00:00"},
            "opinions": [{"kind": "songs", "item": "one", "verdict": "like", "at": "2023-11-14T22:13:20+00:00"}],
            "saved": [{"kind": "food", "item": "soup", "at": "2023-11-14T22:13:20+00:00"}],
        }

    def test_expired_visitors_are_deleted_and_returning_visitors_are_kept(self, url, clock):
        first = Database(url, clock)
        for visitor in (ANN, BOB):
            first.save_opinion(visitor, opinion("one"))
        clock.now += 100 * DAY_SECONDS
        assert first.load_visitor(BOB).exists
        first.close()
        clock.now += (RETENTION_DAYS - 99) * DAY_SECONDS
        second = Database(url, clock)
        second.save_opinion("c" * 32, opinion("one"))
        assert not second.load_visitor(ANN).exists
        assert second.load_visitor(BOB).opinions
        second.close()
        assert_no_row_of(ANN, url)

    def test_concurrent_writes_are_all_stored(self, database):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: database.save_opinion(ANN if n % 2 else BOB, opinion(str(n))), range(60)))
        assert len(database.load_visitor(ANN).opinions) == len(database.load_visitor(BOB).opinions) == 30


class TestMigrations:
    def test_concurrent_starts_create_the_tables_once(self, url):
        databases = [Database(url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            assert [record.exists for record in pool.map(lambda database: database.load_visitor(ANN), databases)] == [
                False
            ] * 4
        for database in databases:
            database.close()

    def test_migrations_create_the_declared_schema_and_can_be_reverted(self, url, database):
        database.load_visitor(ANN)
        engine = sa.create_engine(engine_url(url))
        with engine.begin() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            config = alembic.config.Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, "base")
            assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}
        engine.dispose()

    def test_a_schema_of_a_newer_version_is_not_changed(self, url, database, caplog):
        database.save_opinion(ANN, opinion("one"))
        engine = sa.create_engine(engine_url(url))
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        older = Database(url)
        with caplog.at_level(logging.ERROR), pytest.raises(DatabaseUnavailableError):
            older.load_visitor(ANN)
        older.close()
        assert "9999" in caplog.text


# One visitor in the tables of each version of the schema. A new migration needs its own entry here.
OLD_DATA = {
    "0001": (
        "INSERT INTO visitors (id, created_at, seen_at) VALUES ('{ann}', 1, 2)",
        "INSERT INTO opinions (visitor, kind, item, verdict, at) VALUES ('{ann}', 'songs', 'one', 'like', 2.5)",
        "INSERT INTO saved (visitor, kind, item, at) VALUES ('{ann}', 'food', 'soup', 1.5)",
    )
}
# Later versions as they may come: a new column, then a new table that is filled from an old one.
NEXT_STEPS = {
    "0002": """
        op.add_column("opinions", sa.Column("strength", sa.Double, nullable=False, server_default="1"))
    """,
    "0003": """
        op.create_table("kinds", sa.Column("visitor", sa.String(32)), sa.Column("kind", sa.String(16)))
        op.execute("INSERT INTO kinds SELECT visitor, kind FROM opinions")
    """,
}


def migrations_with(folder: Path, steps: dict[str, str]) -> Path:
    """Return a copy of the migrations with further steps; `steps` holds the body of each one's upgrade."""
    copy = shutil.copytree(MIGRATIONS, folder / f"migrations-{len(steps)}")
    previous = max(OLD_DATA)
    for revision, body in steps.items():
        (copy / "versions" / f"{revision}_next.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\nrevision = {revision!r}\ndown_revision = {previous!r}\n"
            f"def upgrade():\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"
        )
        previous = revision
    return copy


def create_old_database(url: str, revision: str) -> None:
    """Create the tables as an older version did, with a visitor's data."""
    engine = sa.create_engine(engine_url(url))
    if engine.url.get_backend_name() == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
    with engine.begin() as connection:
        config = alembic.config.Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, revision)
        for statement in OLD_DATA[revision]:
            connection.exec_driver_sql(statement.format(ann=ANN))
    engine.dispose()


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sa.create_engine(engine_url(url))
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.exec_driver_sql(statement)]
    engine.dispose()
    return rows


class TestUpgrade:
    """An upgrade of the program, over a database with data in it."""

    def test_old_data_of_every_version_is_tried(self):
        assert {path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py")} == set(OLD_DATA)

    @pytest.mark.parametrize("revision", sorted(OLD_DATA))
    def test_data_of_every_older_schema_is_kept(self, url, clock, revision):
        create_old_database(url, revision)
        clock.now = 3.0
        with closing(Database(url, clock)) as database:
            assert database.load_visitor(ANN) == VisitorRecord((opinion("one", at=2.5),), (("food", "soup"),), exists=True)
            database.save_opinion(ANN, opinion("two", at=3.5))
            assert len(database.load_visitor(ANN).opinions) == 2
        engine = sa.create_engine(engine_url(url))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        engine.dispose()

    def test_later_versions_keep_the_data_while_an_older_process_goes_on(self, url, clock, tmp_path, monkeypatch):
        create_old_database(url, max(OLD_DATA))
        clock.now = 3.0
        with closing(Database(url, clock)) as older:
            assert older.load_visitor(ANN).exists
            for count in range(1, len(NEXT_STEPS) + 1):
                steps = dict(list(NEXT_STEPS.items())[:count])
                monkeypatch.setattr("moodmirror.storage.database.MIGRATIONS", migrations_with(tmp_path, steps))
                with closing(Database(url, clock)) as newer:
                    assert newer.load_visitor(ANN).opinions[0] == opinion("one", at=2.5)
                    older.save_opinion(ANN, opinion(f"older-{count}"))
                    newer.save_opinion(ANN, opinion(f"newer-{count}"))
                    assert len(older.load_visitor(ANN).opinions) == len(newer.load_visitor(ANN).opinions) == 1 + 2 * count
        assert query(url, "SELECT DISTINCT strength FROM opinions") == [(1.0,)]
        assert query(url, "SELECT * FROM kinds") == [(ANN, "songs")] * 3

    def test_a_step_that_fails_leaves_the_older_tables_as_they_were(self, url, clock, tmp_path, monkeypatch):
        create_old_database(url, max(OLD_DATA))
        clock.now = 3.0
        monkeypatch.setattr(
            "moodmirror.storage.database.MIGRATIONS",
            migrations_with(tmp_path, {**NEXT_STEPS, "0004": 'op.execute("INSERT INTO nowhere VALUES (1)")'}),
        )
        with closing(Database(url, clock)) as newer, pytest.raises(DatabaseUnavailableError):
            newer.load_visitor(ANN)
        monkeypatch.undo()
        with closing(Database(url, clock)) as older:
            assert older.load_visitor(ANN).opinions == (opinion("one", at=2.5),)
            older.save_opinion(ANN, opinion("two"))
        assert query(url, "SELECT version_num FROM alembic_version") == [(max(OLD_DATA),)]

    def test_a_step_may_take_longer_than_a_request_and_requests_do_not_wait_for_it(self, postgres, tmp_path, monkeypatch):
        url = TemporaryDatabase(postgres).url
        create_old_database(url, max(OLD_DATA))
        monkeypatch.setattr("moodmirror.storage.database.STATEMENT_TIMEOUT_SECONDS", 1)
        monkeypatch.setattr("moodmirror.storage.database.CONNECT_TIMEOUT_SECONDS", 1)
        slow = {"0002": 'op.execute("SELECT pg_sleep(3)")'}
        monkeypatch.setattr("moodmirror.storage.database.MIGRATIONS", migrations_with(tmp_path, slow))
        with closing(Database(url, Clock())) as database, ThreadPoolExecutor(1) as pool:
            upgraded = pool.submit(database.load_visitor, ANN)
            while not query(url, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%%'"):
                assert not upgraded.done()
            with pytest.raises(DatabaseUnavailableError):
                database.load_visitor(ANN)
            assert not upgraded.done()
            assert upgraded.result(timeout=60).opinions == (opinion("one", at=2.5),)


class TestUnavailable:
    def test_an_unreachable_server_is_logged_once_without_the_password(self, caplog):
        database = Database(f"postgres://mirror:hunter2@127.0.0.1:{free_port()}/none")
        with caplog.at_level(logging.ERROR):
            for _ in range(50):
                with pytest.raises(DatabaseUnavailableError):
                    database.load_visitor(ANN)
        database.close()
        assert len(caplog.records) == 1
        assert "hunter2" not in caplog.text

    def test_postgresql_is_used_again_after_an_outage(self, postgres, caplog):
        own = TemporaryDatabase(postgres)
        passed = [0.0]
        database = Database(own.url, monotonic=lambda: passed[0])
        database.save_opinion(ANN, opinion("one"))
        own.make_unavailable()
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                with pytest.raises(DatabaseUnavailableError):
                    database.save_opinion(ANN, opinion("two"))
        assert len(caplog.records) == 1
        own.make_available()
        passed[0] += RETRY_SECONDS
        assert database.load_visitor(ANN).opinions == (opinion("one"),)
        database.save_opinion(ANN, opinion("two"))
        assert len(database.load_visitor(ANN).opinions) == 2
        database.close()

    def test_a_file_that_is_not_a_database_is_logged(self, tmp_path, caplog):
        path = tmp_path / "mirror.sqlite3"
        path.write_bytes(b"no database at all, but long enough to be looked at" * 50)
        database = Database(f"sqlite:///{path}")
        with caplog.at_level(logging.ERROR), pytest.raises(DatabaseUnavailableError):
            database.load_visitor(ANN)
        database.close()
        assert "not a database" in caplog.text

    @pytest.mark.parametrize("address", ["mysql://host/name", "nonsense", "", "sqlite+aiosqlite:///x"])
    def test_an_unsupported_database_url_is_rejected(self, address):
        with pytest.raises(ValueError, match="must be"):
            engine_url(address)


@pytest.fixture
def site(tmp_path) -> Iterator[Any]:
    app = create_app(Config(camera=CameraSource.parse("off"), instance=tmp_path))
    yield app
    close_app(app)


PAGE_HEADERS = {"X-Mood-Mirror": "1"}


def test_feedback_during_an_outage_is_stored_afterwards(site, tmp_path):
    place = tmp_path / "place"
    place.write_text("a file where a folder should be")
    passed = [0.0]
    database = Database(f"sqlite:///{place / 'mirror.sqlite3'}", monotonic=lambda: passed[0])
    recommendations = RecommendationSession(replace(site.extensions[EXTENSION], database=database), ANN)
    recommendations.reload()
    recommendations.add_feedback(
        FeedbackPayload.model_validate({"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like"})
    )
    recommendations.add_feedback(
        FeedbackPayload.model_validate({"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "save"})
    )
    assert not recommendations.taste_message()["kept"]
    place.unlink()
    passed[0] += RETRY_SECONDS
    assert recommendations.reload()
    assert recommendations.taste_message()["kept"]
    assert [row["id"] for row in recommendations.taste_message()["saved"]] == ["10cc-im-not-in-love"]
    assert [opinion.verdict for opinion in database.load_visitor(ANN).opinions] == ["like"]
    database.close()


class TestVisitorDataApi:
    def create_data(self, site, client) -> str:
        client.get("/")
        with client.session_transaction() as session:
            visitor: str = session["visitor"]
        database = site.extensions[EXTENSION].database
        database.save_opinion(visitor, Opinion("songs", "10cc-im-not-in-love", "like", Clock.now))
        database.save_item(visitor, "songs", "10cc-im-not-in-love")
        return visitor

    def test_the_cookie_is_signed_http_only_and_same_site(self, site):
        cookie = site.test_client().get("/").headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        assert "Secure" in site.test_client().get("/", base_url="https://localhost").headers["Set-Cookie"]
        client = site.test_client()
        self.create_data(site, client)
        value = client.get_cookie("mood_mirror").value
        client.set_cookie("mood_mirror", value[:-2] + ("AA" if value[-2:] != "AA" else "BB"))
        assert client.get("/api/my-data").json["opinions"] == []

    def test_viewing_the_page_stores_nothing(self, site, tmp_path):
        client = site.test_client()
        client.get("/")
        client.get("/api/recommendations?mood=sad")
        assert client.get("/api/my-data").json == {"visitor": None, "opinions": [], "saved": []}
        with sqlite3.connect(tmp_path / "mood_mirror.sqlite3") as connection:
            assert connection.execute("SELECT count(*) FROM visitors").fetchone() == (0,)
        connection.close()

    def test_a_download_contains_all_data_with_titles(self, site):
        client = site.test_client()
        visitor = self.create_data(site, client)
        answer = client.get("/api/my-data")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json["visitor"]["id"] == visitor
        assert [(o["title"], o["verdict"]) for o in answer.json["opinions"]] == [("I'm Not in Love", "like")]
        assert answer.json["saved"][0]["title"] == "I'm Not in Love"
        assert site.test_client().get("/api/my-data").json["opinions"] == []

    def test_deleting_removes_all_data_and_issues_a_new_id(self, site):
        client = site.test_client()
        visitor = self.create_data(site, client)
        assert client.delete("/api/my-data", headers=PAGE_HEADERS).status_code == 204
        assert client.get("/api/my-data").json["opinions"] == []
        assert not site.extensions[EXTENSION].database.load_visitor(visitor).exists
        with client.session_transaction() as session:
            assert session["visitor"] != visitor

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Mood-Mirror": "yes"},
            {**PAGE_HEADERS, "Origin": "https://evil.example"},
            {**PAGE_HEADERS, "Origin": "null"},
            {**PAGE_HEADERS, "Sec-Fetch-Site": "cross-site"},
            {**PAGE_HEADERS, "Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_another_sites_page_cannot_delete_data(self, site, headers):
        client = site.test_client()
        self.create_data(site, client)
        assert client.delete("/api/my-data", headers=headers).status_code == 403
        assert len(client.get("/api/my-data").json["opinions"]) == 1

    def test_an_unavailable_database_leaves_other_routes_working(self, tmp_path, caplog):
        url = f"postgresql://mirror@127.0.0.1:{free_port()}/none"
        app = create_app(Config(camera=CameraSource.parse("off"), instance=tmp_path, database_url=url))
        client = app.test_client()
        assert client.get("/").status_code == 200
        assert client.get("/api/recommendations?mood=sad").status_code == 200
        for answer in (client.get("/api/my-data"), client.delete("/api/my-data", headers=PAGE_HEADERS)):
            assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        close_app(app)

    def test_an_invalid_database_url_ends_the_start_with_one_message(self):
        command = [sys.executable, "-c", "import app"]
        environment = {"CAMERA": "off", "DATABASE_URL": "mysql://me:hunter2@host/name", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "DATABASE_URL: must be a URL such as sqlite:" in done.stderr
        assert "hunter2" not in done.stderr
