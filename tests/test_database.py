"""What is kept of visitors, in SQLite and in a real PostgreSQL."""

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import alembic.command
import alembic.config
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config
from moodmirror.live.recommendation_session import Offers
from moodmirror.recommendation.taste import Opinion
from moodmirror.services import EXTENSION
from moodmirror.storage.database import (
    AWAY_SECONDS,
    DAY,
    KEEP_DAYS,
    MIGRATIONS,
    Database,
    DatabaseAway,
    Forgotten,
    engine_url,
    metadata,
)
from tests.cluster import OwnDatabase
from tests.conftest import ROOT, free_port

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


class TestKeeping:
    def test_what_is_given_comes_back_and_is_nobody_elses(self, database):
        database.give(ANN, opinion("one", at=2.5))
        database.give(ANN, opinion("two", "skip", at=1.5))
        database.save(ANN, "food", "soup")
        kept = database.load(ANN)
        assert kept.opinions == (opinion("two", "skip", at=1.5), opinion("one", at=2.5))
        assert kept.saved == (("food", "soup"),)
        assert kept.known
        assert database.load(BOB) == type(kept)()

    def test_it_is_there_for_another_process(self, database, url):
        database.give(ANN, opinion("one"))
        script = f"from moodmirror.storage.database import Database; print(len(Database({url!r}).load({ANN!r}).opinions))"
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout.strip() == "1"

    def test_the_same_opinion_twice_is_one_and_opposites_take_each_other_back(self, database):
        for verdict in ("like", "like", "hide", "play"):
            database.give(ANN, opinion("one", verdict))
        assert {o.verdict for o in database.load(ANN).opinions} == {"hide", "play"}
        database.take_back(ANN, "songs", "one", "hide")
        database.take_back(ANN, "songs", "never", "like")
        assert {o.verdict for o in database.load(ANN).opinions} == {"play"}

    def test_the_saved_stand_newest_first_and_can_be_removed(self, database, clock):
        for item in ("one", "two", "three"):
            clock.now += 1
            database.save(ANN, "songs", item)
        database.unsave(ANN, "songs", "two")
        assert database.load(ANN).saved == (("songs", "three"), ("songs", "one"))

    def test_to_forget_leaves_no_row(self, database, url):
        for visitor in (ANN, BOB):
            database.give(visitor, opinion("one"))
            database.save(visitor, "songs", "one")
        database.forget(ANN)
        assert not database.load(ANN).known
        assert database.load(BOB).known
        engine = sa.create_engine(engine_url(url))
        with engine.connect() as connection:
            for table in metadata.tables.values():
                assert all(ANN not in row for row in connection.execute(sa.select(table)))
        engine.dispose()

    def test_who_was_forgotten_elsewhere_is_not_kept_again(self, database):
        database.give(ANN, opinion("one"))
        database.forget(ANN)
        with pytest.raises(Forgotten):
            database.give(ANN, opinion("two"), known=True)
        with pytest.raises(Forgotten):
            database.save(ANN, "songs", "two", known=True)
        assert not database.load(ANN).known

    def test_everything_is_all_that_is_kept(self, database):
        database.give(ANN, opinion("one"))
        database.save(ANN, "food", "soup")
        everything = json.loads(json.dumps(database.everything(ANN)))
        assert everything == {
            "visitor": {"id": ANN, "created_at": "2023-11-14T22:13:20+00:00", "seen_at": "2023-11-14T22:13:20+00:00"},
            "opinions": [{"kind": "songs", "item": "one", "verdict": "like", "at": "2023-11-14T22:13:20+00:00"}],
            "saved": [{"kind": "food", "item": "soup", "at": "2023-11-14T22:13:20+00:00"}],
        }

    def test_who_stays_away_is_let_go_and_who_comes_back_is_kept(self, url, clock):
        first = Database(url, clock)
        for visitor in (ANN, BOB):
            first.give(visitor, opinion("one"))
        clock.now += 100 * DAY
        assert first.load(BOB).known
        first.close()
        clock.now += (KEEP_DAYS - 99) * DAY
        second = Database(url, clock)
        second.give("c" * 32, opinion("one"))
        assert not second.load(ANN).known
        assert second.load(BOB).opinions
        second.close()

    def test_many_at_once_lose_nothing(self, database):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: database.give(ANN if n % 2 else BOB, opinion(str(n))), range(60)))
        assert len(database.load(ANN).opinions) == len(database.load(BOB).opinions) == 30


class TestMigrations:
    def test_several_that_start_at_once_make_the_tables_once(self, url):
        databases = [Database(url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            assert [kept.known for kept in pool.map(lambda database: database.load(ANN), databases)] == [False] * 4
        for database in databases:
            database.close()

    def test_from_empty_they_lead_to_the_tables_that_are_used_and_back(self, url, database):
        database.load(ANN)
        engine = sa.create_engine(engine_url(url))
        with engine.begin() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
            config = alembic.config.Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, "base")
            assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}
        engine.dispose()

    def test_a_database_of_a_newer_program_is_left_alone(self, url, database, caplog):
        database.give(ANN, opinion("one"))
        engine = sa.create_engine(engine_url(url))
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        engine.dispose()
        older = Database(url)
        with caplog.at_level(logging.ERROR), pytest.raises(DatabaseAway):
            older.load(ANN)
        older.close()
        assert "9999" in caplog.text


class TestAway:
    def test_a_server_that_is_not_there_is_told_at_once_the_second_time_and_no_password_is_logged(self, caplog):
        database = Database(f"postgres://mirror:hunter2@127.0.0.1:{free_port()}/none")
        with caplog.at_level(logging.ERROR):
            for _ in range(50):
                with pytest.raises(DatabaseAway):
                    database.load(ANN)
        database.close()
        assert len(caplog.records) == 1
        assert "hunter2" not in caplog.text

    def test_a_postgresql_that_goes_away_and_comes_back_is_used_again(self, postgres, caplog):
        own = OwnDatabase(postgres)
        passed = [0.0]
        database = Database(own.url, monotonic=lambda: passed[0])
        database.give(ANN, opinion("one"))
        own.go_away()
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                with pytest.raises(DatabaseAway):
                    database.give(ANN, opinion("two"))
        assert len(caplog.records) == 1
        own.come_back()
        passed[0] += AWAY_SECONDS
        assert database.load(ANN).opinions == (opinion("one"),)
        database.give(ANN, opinion("two"))
        assert len(database.load(ANN).opinions) == 2
        database.close()

    def test_a_file_that_is_no_database_is_told(self, tmp_path, caplog):
        path = tmp_path / "mirror.sqlite3"
        path.write_bytes(b"no database at all, but long enough to be looked at" * 50)
        database = Database(f"sqlite:///{path}")
        with caplog.at_level(logging.ERROR), pytest.raises(DatabaseAway):
            database.load(ANN)
        database.close()

    @pytest.mark.parametrize("address", ["mysql://host/name", "nonsense", "", "sqlite+aiosqlite:///x"])
    def test_another_sort_of_database_is_refused(self, address):
        with pytest.raises(ValueError, match="must be"):
            engine_url(address)


@pytest.fixture
def site(tmp_path) -> Iterator[Any]:
    app = create_app(Config(camera=CameraSource.parse("off"), instance=tmp_path))
    yield app
    close_app(app)


OURS = {"X-Mood-Mirror": "1"}


def test_what_is_said_while_the_database_is_away_is_kept_once_it_is_back(site, tmp_path):
    place = tmp_path / "place"
    place.write_text("a file where a folder should be")
    passed = [0.0]
    database = Database(f"sqlite:///{place / 'mirror.sqlite3'}", monotonic=lambda: passed[0])
    offers = Offers(replace(site.extensions[EXTENSION], database=database), ANN)
    offers.reload()
    offers.take({"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "like"})
    offers.take({"kind": "songs", "id": "10cc-im-not-in-love", "verdict": "save"})
    assert not offers.message()["kept"]
    place.unlink()
    passed[0] += AWAY_SECONDS
    assert offers.reload()
    assert offers.message()["kept"]
    assert [row["id"] for row in offers.message()["saved"]] == ["10cc-im-not-in-love"]
    assert [opinion.verdict for opinion in database.load(ANN).opinions] == ["like"]
    database.close()


class TestMyData:
    def give_something(self, site, client) -> str:
        client.get("/")
        with client.session_transaction() as session:
            visitor: str = session["visitor"]
        database = site.extensions[EXTENSION].database
        database.give(visitor, Opinion("songs", "10cc-im-not-in-love", "like", Clock.now))
        database.save(visitor, "songs", "10cc-im-not-in-love")
        return visitor

    def test_the_cookie_is_signed_and_kept_from_scripts_and_other_sites(self, site):
        cookie = site.test_client().get("/").headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie
        assert "Secure" in site.test_client().get("/", base_url="https://localhost").headers["Set-Cookie"]
        client = site.test_client()
        self.give_something(site, client)
        value = client.get_cookie("mood_mirror").value
        client.set_cookie("mood_mirror", value[:-2] + ("AA" if value[-2:] != "AA" else "BB"))
        assert client.get("/api/my-data").json["opinions"] == []

    def test_who_only_looks_leaves_nothing_behind(self, site, tmp_path):
        client = site.test_client()
        client.get("/")
        client.get("/api/recommendations?mood=sad")
        assert client.get("/api/my-data").json == {"visitor": None, "opinions": [], "saved": []}
        with sqlite3.connect(tmp_path / "mood_mirror.sqlite3") as connection:
            assert connection.execute("SELECT count(*) FROM visitors").fetchone() == (0,)
        connection.close()

    def test_a_download_has_everything_with_its_titles(self, site):
        client = site.test_client()
        visitor = self.give_something(site, client)
        answer = client.get("/api/my-data")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.json["visitor"]["id"] == visitor
        assert [(o["title"], o["verdict"]) for o in answer.json["opinions"]] == [("I'm Not in Love", "like")]
        assert answer.json["saved"][0]["title"] == "I'm Not in Love"
        assert site.test_client().get("/api/my-data").json["opinions"] == []

    def test_to_be_forgotten_deletes_all_and_gives_another_number(self, site):
        client = site.test_client()
        visitor = self.give_something(site, client)
        assert client.delete("/api/my-data", headers=OURS).status_code == 204
        assert client.get("/api/my-data").json["opinions"] == []
        assert not site.extensions[EXTENSION].database.load(visitor).known
        with client.session_transaction() as session:
            assert session["visitor"] != visitor

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"X-Mood-Mirror": "yes"},
            {**OURS, "Origin": "https://evil.example"},
            {**OURS, "Origin": "null"},
            {**OURS, "Sec-Fetch-Site": "cross-site"},
            {**OURS, "Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_another_sites_page_cant_have_anybody_forgotten(self, site, headers):
        client = site.test_client()
        self.give_something(site, client)
        assert client.delete("/api/my-data", headers=headers).status_code == 403
        assert len(client.get("/api/my-data").json["opinions"]) == 1

    def test_a_database_that_is_away_takes_nothing_else_down(self, tmp_path, caplog):
        url = f"postgresql://mirror@127.0.0.1:{free_port()}/none"
        app = create_app(Config(camera=CameraSource.parse("off"), instance=tmp_path, database_url=url))
        client = app.test_client()
        assert client.get("/").status_code == 200
        assert client.get("/api/recommendations?mood=sad").status_code == 200
        for answer in (client.get("/api/my-data"), client.delete("/api/my-data", headers=OURS)):
            assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        close_app(app)

    def test_an_address_that_is_none_ends_the_start_with_a_sentence(self):
        command = [sys.executable, "-c", "import app"]
        environment = {"CAMERA": "off", "DATABASE_URL": "mysql://me:hunter2@host/name", "PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert "DATABASE_URL: must be an address as sqlite:" in done.stderr
        assert "hunter2" not in done.stderr
