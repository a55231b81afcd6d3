"""Tests of comparison keys: the same song or film under other spellings is one item, now and in earlier imports."""

import csv
import json

import pytest

from moodmirror.app_factory import close_app, create_app, start_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import KINDS, read_items, read_table
from moodmirror.recommendation.importers.imported_table import ImportedTable
from moodmirror.recommendation.importers.source_files import Entry, Source
from moodmirror.recommendation.item_item import CoLikeCounts
from moodmirror.recommendation.item_keys import item_key, slug
from moodmirror.recommendation.taste import Opinion, Taste
from moodmirror.storage.database import Database

pytestmark = pytest.mark.unit


def song(artist, title):
    return item_key("songs", title, {"artist": artist})


class TestKeys:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("Band & Friends", "You & Me"), ("Band and Friends", "You and Me")),
            (("Singer + The Machine", "Run"), ("Singer & the Machine", "Run")),
            (("Çağrı Işık", "Yıldız"), ("CAGRI ISIK", "Yildiz")),
            (("Łucja Żółć", "Mon cœur"), ("Lucja Zolc", "Mon coeur")),
            (("Bjørn Þór", "Straße · Æther"), ("Bjorn Thor", "Strasse - Aether")),
            (("Guns ´n’ Pens", "Don’t Stop…"), ("Guns 'n' Pens", "Don't Stop")),
            (("Ｗｉｄｅ Band", "Ｓｏｎｇ"), ("Wide Band", "Song")),
            (("The Inventions", "Feast"), ("Inventions", "Feast")),
            (("The Inventions feat. A Guest", "Feast"), ("The Inventions", "Feast (feat. A Guest)")),
            (("The Inventions|A Guest", "Feast - 2011 Remaster"), ("The Inventions", "Feast [Remastered 2009]")),
            (("The Inventions", 'Feast - From "The Film" Soundtrack'), ("The Inventions", "Feast - Radio Edit")),
            (("Ça$h P!nt", "A·B"), ("Cash Pint", "A–B")),
            (("Группа  Кино", "ЗВЕЗДА"), ("группа кино", "Звезда")),
        ],
    )
    def test_spellings_of_one_song_have_one_key(self, one, other):
        assert song(*one) == song(*other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("The Inventions", "Feast"), ("The Inventions", "Feast II")),
            (("The Inventions", "Feast"), ("The Inventions", "Feast (Live)")),
            (("The The", "Feast"), ("The", "Feasts")),
            (("Кино", "Звезда"), ("Кино", "Группа крови")),
            (("東京", "夜"), ("東京", "朝")),
        ],
    )
    def test_different_songs_have_different_keys(self, one, other):
        assert song(*one) != song(*other)

    @pytest.mark.parametrize(("one", "other"), [("8½", "8 1/2"), ("Wall·E", "WALL-E"), ("The Feast", "Feast")])
    def test_spellings_of_one_film_have_one_key(self, one, other):
        year = {"year": "2008"}
        assert item_key("movies", one, year) == item_key("movies", other, year)
        assert item_key("movies", one, year) != item_key("movies", one, {"year": "2009"})

    @pytest.mark.parametrize("kind", KINDS)
    def test_no_two_shipped_items_have_the_same_key(self, kind):
        items = read_table(DATA_DIR / f"{kind}.csv", kind)
        assert len({item_key(kind, item.title, item.facts) for item in items}) == len(items)
        assert len(read_items(kind)) == len(items)

    def test_ids_distinguish_names_in_other_scripts(self):
        assert slug("Björk", "Jóga") == "bjork-joga"
        assert slug("10cc", "I'm Not in Love") == "10cc-im-not-in-love"
        assert slug("東京", "夜") != slug("東京", "朝")

    def test_long_names_give_distinct_ids_that_the_database_can_store(self):
        one, other = slug("Band", "word " * 100 + "one"), slug("Band", "word " * 100 + "other")
        assert one != other
        assert max(len(one), len(other)) <= 200


def spelled_differently(item):
    """Return an artist or a title as another file may spell it."""
    return item.replace("&", "and") if "&" in item else item.replace(" and ", " & ").replace("'", "’").upper()


@pytest.fixture
def flask(tmp_path):
    """Run a `flask` command of an app with its own instance folder."""

    def run(*arguments):
        app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
        return app.test_cli_runner().invoke(args=list(map(str, arguments)))

    return run


class TestShippedItems:
    def test_no_shipped_song_is_imported_again(self, flask, tmp_path):
        tracks = [
            {"artist": spelled_differently(item.facts["artist"].split("|")[0]), "track": spelled_differently(item.title)}
            for item in read_items("songs")
        ]
        (tmp_path / "library.json").write_text(json.dumps({"tracks": tracks}), encoding="utf-8")
        done = flask("import", "songs", tmp_path / "library.json")
        assert done.exit_code == 0, done.output
        assert f"{len(tracks):,} skipped: already in the shipped catalogue" in done.output

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_shipped_item_is_known_under_its_own_names(self, tmp_path, kind):
        items = read_items(kind)
        table = ImportedTable(tmp_path, kind)
        for item in items:
            assert table.id_of(Entry("another-id", item.title, item.facts)) == item.id


class TestEarlierImports:
    """Rows that an earlier version stored beside the same item, and the likes that refer to them."""

    def earlier_table(self, folder):
        """Write a table of the earlier format with a shipped song under the id that an earlier version made."""
        item = next(item for item in read_items("songs") if item.id == "earth-wind-and-fire-september")
        folder.mkdir(parents=True, exist_ok=True)
        columns = ["id", "title", "artist", "year", "language", "genres", "energy", "valence", "tags", "line", "mood"]
        mood = "|".join(map(str, mood_vector({"happy": 1})))
        cells = ["1978", "en", "pop", "0.5", "0.5", "joyful", "A line.", mood]
        with (folder / "songs.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(
                [
                    columns,
                    ["earth-wind-fire-september", "September", "Earth, Wind and Fire", *cells],
                    ["made-up-song", "Made-up Song", "Someone & Others", *cells],
                ]
            )
        return item

    def test_the_shipped_row_is_used_and_knows_the_other_id(self, tmp_path):
        shipped = self.earlier_table(tmp_path)
        items = read_items("songs", imported_dir=tmp_path)
        [used] = [item for item in items if item.title == "September"]
        assert used.id == shipped.id
        assert used.line == shipped.line
        assert used.other_ids == ("earth-wind-fire-september",)
        assert len(items) == len(read_items("songs")) + 1

    def test_likes_and_saved_items_refer_to_the_shipped_row_after_a_start(self, tmp_path):
        shipped = self.earlier_table(tmp_path / "catalogue")
        app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
        database: Database = app.extensions["moodmirror"].database
        for visitor, item in (("one", "earth-wind-fire-september"), ("two", "made-up-song")):
            database.save_opinion(visitor, Opinion("songs", item, "like", 5.0))
            database.save_item(visitor, "songs", item)
        database.save_opinion("one", Opinion("songs", shipped.id, "play", 6.0))
        try:
            for _ in range(2):
                start_app(app)
                one, two = database.load_visitor("one"), database.load_visitor("two")
                assert {(o.item, o.verdict) for o in one.opinions} == {(shipped.id, "like"), (shipped.id, "play")}
                assert one.saved == (("songs", shipped.id),)
                assert [o.item for o in two.opinions] == ["made-up-song"]
        finally:
            close_app(app)

    def test_co_likes_of_an_earlier_import_count_for_the_shipped_row(self, tmp_path):
        shipped = self.earlier_table(tmp_path)
        people = [person for person in range(6) for _ in range(2)]
        CoLikeCounts.from_likes(people, ["earth-wind-fire-september", "made-up-song"] * 6).save(tmp_path, "songs")
        recommender = Recommender.open(imported_dir=tmp_path)
        taste = Taste([Opinion("songs", shipped.id, "like", 1.0)])
        [best] = recommender.with_taste(taste).recommend(mood_vector({"happy": 1}), "songs", k=1, exclude=[shipped.id])
        assert best.item.id == "made-up-song"
        assert "others who liked September like it too" in best.why

    def test_the_length_of_a_local_file_is_no_id_any_more(self, tmp_path):
        self.earlier_table(tmp_path)
        path = tmp_path / "songs.csv"
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([f"{header},spotify_id", *(f"{row},215" for row in rows)]), encoding="utf-8")
        table = ImportedTable(tmp_path, "songs")
        assert {row["spotify_id"] for row in table.rows.values()} == {""}

    def test_an_entry_is_known_under_the_id_of_the_earlier_import(self, tmp_path):
        self.earlier_table(tmp_path)
        table = ImportedTable(tmp_path, "songs")
        entry = Entry("someone-and-others-made-up-song", "Made-up song", {"artist": "Someone and Others", "spotify_id": ""})
        assert table.id_of(entry) == "made-up-song"
        assert table.entries_to_import(Source("a file", [entry], table.skipped.copy())) in ([], [entry])
