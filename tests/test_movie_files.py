"""Tests of the forms in which people have films: data sets, exports, histories and APIs' answers, made up here."""

import csv
import json

import pytest

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.catalogue import read_items, read_table
from moodmirror.recommendation.importers import movie_files
from moodmirror.recommendation.importers.imported_table import ImportedTable
from moodmirror.recommendation.importers.list_cells import parse_names
from moodmirror.recommendation.importers.movies import make_rows
from moodmirror.recommendation.importers.source_files import SourceError

pytestmark = pytest.mark.unit


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def entries(path, **options):
    return {entry.title: entry for entry in movie_files.read(path, **options).entries}


@pytest.fixture
def flask(tmp_path):
    app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))

    def run(*words):
        return app.test_cli_runner().invoke(args=[str(word) for word in words])

    yield run
    close_app(app)


FILM = {
    "id": "11",
    "title": "Made-up Lake",
    "overview": "",
    "genres": "[]",
    "keywords": "[]",
    "release_date": "1999-01-01",
    "vote_average": "7.25",
    "vote_count": "40",
}


class TestCellsWithLists:
    @pytest.mark.parametrize(
        ("cell", "expected"),
        [
            ('[{"id": 28, "name": "Action"}]', ["Action"]),
            ("[{'id': 28, 'name': \"Director's cut\"}]", ["Director's cut"]),
            ('{"id": 28, "name": "Action"}', ["Action"]),
            ('{"/m/01": "Comedy", "/m/02": "War"}', ["Comedy", "War"]),
            ('"Action"', ["Action"]),
            ("Action, Science Fiction", ["Action", "Science Fiction"]),
            ("Action|War", ["Action", "War"]),
            ("['Action', 'War']", ["Action", "War"]),
            ("['Action' 'War']", ["Action", "War"]),
            ('c("Comfort Food", "Soup")', ["Comfort Food", "Soup"]),
            ('c("Comfort Food", NA)', ["Comfort Food"]),
            ("character(0)", []),
            ("null", []),
            ("[]", []),
            ("", []),
        ],
    )
    def test_lists_of_many_syntaxes_are_read(self, cell, expected):
        assert parse_names(cell) == (expected, True)

    @pytest.mark.parametrize(
        "cell",
        ["5", "true", "[1, 2]", '[{"id": 1', '{"name": {"x": 1}}', "[[[[['deep']]]]]", "[" * 100_000, 'c("open', "{}x"],
    )
    def test_other_content_is_no_list(self, cell):
        assert parse_names(cell) == ([], False)

    def test_what_can_be_read_of_a_list_is_kept(self):
        assert parse_names('[{"name": "Action"}, 7]') == (["Action"], False)


class TestTmdb:
    @pytest.mark.parametrize("cell", ["null", "5", '{"id": 1, "name": "War"}', "War", '[{"id": ', "[[[[[1]]]]]", "true"])
    @pytest.mark.parametrize("column", ["genres", "keywords"])
    def test_a_bad_cell_costs_no_film(self, tmp_path, cell, column):
        bad = {**FILM, column: cell}
        source = movie_files.read(write_csv(tmp_path / "a.csv", [bad, {**FILM, "id": "12", "title": "Made-up Sea"}]))
        assert [entry.title for entry in source.entries] == ["Made-up Lake", "Made-up Sea"]
        is_readable = cell in ("null", '{"id": 1, "name": "War"}', "War")
        assert source.unread.total() == (0 if is_readable else 1)

    def test_unreadable_cells_are_named_and_counted(self, tmp_path, flask):
        sea = {**FILM, "id": "12", "title": "Made-up Sea", "genres": "[{oops", "runtime": "9 moons"}
        rows = [{**FILM, "genres": "5"}, sea]
        done = flask(
            "import", "movies", write_csv(tmp_path / "a.csv", [{**row, "runtime": row.get("runtime", "")} for row in rows])
        )
        assert done.exit_code == 0
        assert "2 added" in done.output
        assert "2 unreadable in the column genres, left out: such as '5'" in done.output
        assert "1 unreadable in the column runtime, left out: such as '9 moons'" in done.output

    def test_a_crew_of_any_shape_ends_no_import(self, tmp_path):
        rows = [{"movie_id": "11", "title": "x", "cast": "[]", "crew": crew} for crew in ("5", "[[1]]", "{}", "[" * 100_000)]
        write_csv(tmp_path / "tmdb_5000_credits.csv", rows)
        assert entries(write_csv(tmp_path / "a.csv", [FILM]))["Made-up Lake"].cells["director"] == ""

    def test_the_large_data_set_is_read(self, tmp_path):
        columns = (
            "id,title,vote_average,vote_count,status,release_date,runtime,adult,imdb_id,original_language,overview,genres,"
            "keywords"
        )
        file = write(
            tmp_path / "TMDB_movie_dataset_v11.csv",
            f"{columns}\n"
            '7,Made-up Heist,8.364,34495,Released,2010-07-15,148,False,tt7654321,en,"A thief.\nHe dreams.",'
            '"Action, Science Fiction","rescue, dream"\n'
            "8,Made-up Smut,5,9,Released,2010-07-15,90,True,,en,x,Drama,\n"
            "9,Made-up Plan,5,9,Planned,2030-07-15,90,False,,en,x,Drama,\n",
        )
        source = movie_files.read(file)
        [heist] = source.entries
        assert heist.cells["genres"] == "action|science fiction"
        assert heist.words == ("rescue", "dream")
        assert (heist.cells["imdb_id"], heist.cells["tmdb_id"]) == ("tt7654321", "7")
        assert (heist.cells["rating"], heist.cells["votes"], heist.cells["minutes"]) == ("8.4", "34495", "148")
        assert source.skipped == {"an adult film": 1, "not released": 1}

    def test_of_more_films_than_the_limit_the_most_voted_are_kept(self, tmp_path):
        votes = [3, 90, 1, 50, 70, 2]
        rows = [{**FILM, "id": n, "title": f"Made-up {n}", "vote_count": count} for n, count in enumerate(votes)]
        source = movie_files.read(write_csv(tmp_path / "a.csv", rows), limit=3)
        assert [entry.title for entry in source.entries] == ["Made-up 1", "Made-up 3", "Made-up 4"]
        assert [int(entry.cells["popularity"]) for entry in source.entries] == [100, 33, 67]
        [(reason, count)] = source.skipped.items()
        assert count == 3
        assert "--limit" in reason

    def test_an_import_of_nothing_fails(self, tmp_path, flask):
        file = write_csv(tmp_path / "a.csv", [{**FILM, "adult": "True"}])
        done = flask("import", "movies", file)
        assert done.exit_code == 1
        assert "1 skipped: an adult film" in done.output

    @pytest.mark.parametrize(
        "wrap", [lambda rows: rows, lambda rows: {"page": 1, "results": rows}, lambda rows: {"items": rows}]
    )
    def test_answers_of_the_api_are_read(self, tmp_path, wrap):
        film = {"id": 5, "title": "Made-up Storm", "overview": "Wind.", "genre_ids": [28, 878], "release_date": "2001-02-03",
                "vote_average": 7.3, "vote_count": 12, "adult": False, "original_language": "fr"}  # fmt: skip
        show = {"id": 6, "name": "Made-up Nights", "overview": "Rain.", "genre_ids": [10765], "first_air_date": "2005-02-03",
                "vote_average": 6.0, "vote_count": 2, "media_type": "tv"}  # fmt: skip
        found = entries(
            write(tmp_path / "a.json", json.dumps(wrap([film, show, {"media_type": "person", "name": "P", "id": 1}])))
        )
        storm, nights = found["Made-up Storm"], found["Made-up Nights"]
        assert (storm.cells["genres"], storm.cells["language"]) == ("action|science fiction", "fr")
        assert (storm.cells["tmdb_id"], storm.cells["rating"]) == ("5", "7.3")
        assert (nights.cells["kind"], nights.cells["genres"]) == ("series", "science fiction|fantasy")
        assert len(found) == 2

    def test_details_of_a_film_are_read(self, tmp_path):
        details = {"id": 5, "imdb_id": "tt0000005", "title": "Made-up Storm", "overview": "Wind.", "runtime": 95,
                   "status": "Released", "genres": [{"id": 18, "name": "Drama"}], "release_date": "2001-02-03",
                   "vote_average": 7.3, "vote_count": 12, "keywords": {"keywords": [{"id": 1, "name": "storm"}]},
                   "credits": {"crew": [{"job": "Editor", "name": "E. Two"},
                   {"job": "Director", "name": "D. One"}]}}  # fmt: skip
        storm = entries(write(tmp_path / "a.json", json.dumps(details)))["Made-up Storm"]
        assert (storm.cells["director"], storm.cells["minutes"], storm.cells["imdb_id"]) == ("D. One", "95", "tt0000005")
        assert storm.words == ("storm",)


class TestExports:
    def test_letterboxd_ratings_are_likes(self, tmp_path, flask):
        folder = tmp_path / "letterboxd"
        head = "Date,Name,Year,Letterboxd URI"
        write(
            folder / "watched.csv",
            f"{head}\n2026-01-21,Made-up Fall,2023,https://boxd.it/a\n2026-01-21,Made-up Rise,2001,u\n",
        )
        write(
            folder / "ratings.csv",
            f"{head},Rating\n2026-01-21,Made-up Fall,2023,u,4.5\n2026-01-21,Made-up Low,2001,u,2\n",
        )
        write(folder / "likes" / "films.csv", f"{head}\n2026-01-21,Made-up Rise,2001,u\n")
        write(folder / "deleted" / "diary.csv", f"{head}\n2026-01-21,Made-up Gone,2001,u\n")
        write(
            folder / "lists" / "best.csv",
            "Letterboxd list export v7\nDate,Name,Tags,URL,Description\n2026,Best,,,\n\nPosition,Name,Year,URL,Description\n"
            "1,Made-up Best,1961,https://boxd.it/b,the saddest day of my life\n",
        )
        found = entries(folder)
        assert {title: entry.liked for title, entry in found.items()} == {
            "Made-up Fall": True, "Made-up Rise": True, "Made-up Low": False, "Made-up Best": False,
        }  # fmt: skip
        assert found["Made-up Fall"].cells["rating"] == ""  # the user's own is not the public's
        assert found["Made-up Best"].text == ""
        done = flask("import", "movies", folder)
        assert done.exit_code == 0, done.output
        assert "Liked, because played often or rated high: 2." in done.output
        assert "nothing tells their mood" in done.output

    def test_a_liked_film_of_the_shipped_catalogue_is_found(self, tmp_path, flask):
        film = read_items("movies")[0]
        row = {"Date": "2026-01-01", "Name": film.title, "Year": film.facts["year"], "Letterboxd URI": "u", "Rating": "5"}
        done = flask("import", "movies", write_csv(tmp_path / "ratings.csv", [row]))
        assert done.exit_code == 0
        assert "1 skipped: already in the shipped catalogue" in done.output
        assert "Liked, because played often or rated high: 1." in done.output

    def test_own_ratings_at_imdb_are_likes_beside_the_public_rating(self, tmp_path):
        row = {"Const": "tt0000001", "Your Rating": "8", "Date Rated": "2020-01-01", "Title": "Made-up Vow",
               "Title Type": "Movie",
               "IMDb Rating": "6.1", "Runtime (mins)": "90", "Year": "1999", "Genres": "Drama", "Num Votes": "1,234",
               "Release Date": "1999-05-01", "Directors": "A. One", "Description": "my wife hates it"}  # fmt: skip
        rows = [row, {**row, "Const": "tt0000002", "Title": "Made-up Feud", "Your Rating": "5"}]
        found = entries(write_csv(tmp_path / "a.csv", rows))
        vow = found["Made-up Vow"]
        assert (vow.liked, found["Made-up Feud"].liked) == (True, False)  # of ten, although none is above 8
        assert (vow.cells["imdb_id"], vow.cells["rating"], vow.cells["votes"]) == ("tt0000001", "6.1", "1234")
        assert vow.text == ""

    def test_netflix_history_counts_viewings(self, tmp_path):
        shows = [f'"Made-up Town: Season 1: Chapter {n}: The Door","1/{n}/24"' for n in range(1, 6)]
        more = [
            '"Made-up Ship: Limited Series: Sink","1/9/24"',
            '"Made-up Moon: The Return","2/1/24"',
            '"Made-up Moon: The Return","3/1/24"',
        ]
        found = entries(write(tmp_path / "NetflixViewingHistory.csv", "\n".join(["Title,Date", *shows, *more])))
        assert {title: (entry.cells["kind"], entry.plays, entry.liked) for title, entry in found.items()} == {
            "Made-up Town": ("series", 5, True),
            "Made-up Ship": ("series", 1, False),
            "Made-up Moon: The Return": ("film", 2, True),
        }

    def test_a_film_without_a_year_is_the_known_one_of_its_title(self, tmp_path):
        titles = [item.title for item in read_items("movies")]
        film = next(item for item in read_items("movies") if titles.count(item.title) == 1 and ":" not in item.title)
        source = movie_files.read(write(tmp_path / "h.csv", f'Title,Date\n"{film.title}","1/1/24"\n'))
        assert ImportedTable(tmp_path, "movies").id_of(source.entries[0]) == film.id

    def test_the_catalogue_of_netflix_is_read(self, tmp_path):
        rows = [
            {"show_id": "s1", "type": "Movie", "title": "Made-up Ride", "director": "A. One, B. Two", "cast": "x",
             "country": "",
             "date_added": "May 1, 2020", "release_year": "2019", "rating": "PG-13", "duration": "93 min",
             "listed_in": "Romantic Movies, International Movies", "description": "Two ride."},
            {"show_id": "s2", "type": "TV Show", "title": "Made-up Row", "director": "", "cast": "x", "country": "",
             "date_added": "", "release_year": "2018", "rating": "TV-MA", "duration": "2 Seasons", "listed_in": "TV Dramas",
             "description": "They row."},
        ]  # fmt: skip
        source = movie_files.read(write_csv(tmp_path / "netflix_titles.csv", rows))
        ride, row = source.entries
        assert (ride.cells["year"], ride.cells["genres"], ride.cells["minutes"]) == ("2019", "romance", "93")
        assert (ride.cells["audience"], ride.cells["director"], ride.liked) == ("teen", "A. One|B. Two", False)
        assert (row.cells["kind"], row.cells["genres"], row.cells["audience"]) == ("series", "drama", "adult")
        assert not source.unread

    def test_imdb_data_sets_are_read_with_their_ratings(self, tmp_path):
        head = "tconst\ttitleType\tprimaryTitle\toriginalTitle\tisAdult\tstartYear\tendYear\truntimeMinutes\tgenres"
        rows = [
            'tt0000001\tmovie\t"Made-up" Pact\tx\t0\t1999\t\\N\t100\tDrama,Sci-Fi',
            "tt0000002\ttvEpisode\tMade-up Bit\tx\t0\t1999\t\\N\t20\tDrama",
            "tt0000003\ttvMiniSeries\tMade-up Saga\tx\t0\t1999\t2000\t\\N\t\\N",
            "tt0000004\tmovie\tMade-up Smut\tx\t1\t1999\t\\N\t100\tAdult",
        ]
        file = write(tmp_path / "title.basics.tsv", "\n".join([head, *rows]))
        write(tmp_path / "title.ratings.tsv", "tconst\taverageRating\tnumVotes\ntt0000001\t7.9\t345\n")
        source = movie_files.read(file)
        pact, saga = source.entries
        assert pact.title == '"Made-up" Pact'
        assert (pact.cells["rating"], pact.cells["votes"], pact.cells["genres"]) == ("7.9", "345", "drama|science fiction")
        assert (saga.cells["kind"], saga.cells["minutes"], saga.cells["rating"]) == ("series", "", "")
        assert source.skipped == {"a tvepisode, not a film or series": 1, "an adult film": 1}

    def test_trakt_ratings_and_plays_are_likes(self, tmp_path):
        ids = {"trakt": 1, "slug": "x", "imdb": "tt0000009", "tmdb": 99}
        items = [
            {"rating": 9, "type": "movie", "movie": {"title": "Made-up Oath", "year": 2010, "ids": ids}},
            {"rating": 4, "type": "show", "show": {"title": "Made-up Farm", "year": 2011, "ids": {"trakt": 2}}},
            {"plays": 3, "movie": {"title": "Made-up Loop", "year": 2012, "ids": {"trakt": 3}}},
        ]
        found = entries(write(tmp_path / "ratings.json", json.dumps(items)))
        assert {title: entry.liked for title, entry in found.items()} == {
            "Made-up Oath": True, "Made-up Farm": False, "Made-up Loop": True,
        }  # fmt: skip
        assert (found["Made-up Oath"].cells["imdb_id"], found["Made-up Oath"].cells["tmdb_id"]) == ("tt0000009", "99")
        assert found["Made-up Farm"].cells["kind"] == "series"

    def test_old_movielens_files_are_read(self, tmp_path):
        write(
            tmp_path / "movies.dat",
            "1::Amélie's Lie, The (1995)::Children's|Comedy\n2::Made-up Mix: Part II (1996)::Drama\n",
            "latin-1",
        )
        write(tmp_path / "ratings.dat", "".join(f"{user}::1::{4 + user % 2}::97830{user}\n" for user in range(8)))
        write(tmp_path / "users.dat", "1::F::1::10::48067\n")
        found = entries(tmp_path)
        lie = found["The Amélie's Lie"]
        assert (lie.cells["year"], lie.cells["genres"]) == ("1995", "children|comedy")
        assert (lie.cells["votes"], lie.cells["rating"]) == ("8", "9")
        assert found["Made-up Mix: Part II"].cells["genres"] == "drama"
        likes = movie_files.count_co_likes(tmp_path)
        assert likes is not None
        assert list(likes.items) == [lie.id]

    def test_the_oldest_movielens_set_is_read(self, tmp_path):
        flags = "|".join("1" if position in (5, 15) else "0" for position in range(19))
        write(tmp_path / "u.item", f"7|Made-up Café (1995)|01-Jan-1995||http://x|{flags}\n", "latin-1")
        write(tmp_path / "u.data", "1\t7\t4\t881250949\n2\t7\t2\t881250950\n")
        cafe = entries(tmp_path)["Made-up Café"]
        assert (cafe.cells["genres"], cafe.cells["votes"], cafe.cells["rating"]) == ("comedy|science fiction", "2", "6")

    def test_movielens_links_give_ids(self, tmp_path):
        file = write(tmp_path / "movies.csv", "movieId,title,genres\n1,Made-up Toy (1995),Comedy\n")
        write(tmp_path / "links.csv", "movieId,imdbId,tmdbId\n1,0114709,862.0\n")
        toy = entries(file)["Made-up Toy"]
        assert (toy.cells["imdb_id"], toy.cells["tmdb_id"]) == ("tt0114709", "862")

    @pytest.mark.parametrize(
        "text", ["name,minutes,tags\nSoup,5,warm\n", "track,artist,year\nSong,A,1999\n", "film\nx\n", "[[[1"]
    )
    def test_other_files_are_rejected_with_the_supported_forms(self, tmp_path, text):
        with pytest.raises(SourceError, match=r"Letterboxd|not valid JSON"):
            movie_files.read(write(tmp_path / "a.csv", text))


class TestEmotions:
    def test_films_tagged_by_emotion_have_that_mood(self, tmp_path, flask):
        file = write(tmp_path / "a.csv", "title;emotion\nMade-up Tears;sadness\nMade-up Fright;scared\nMade-up Blank;qwrt\n")
        done = flask("import", "movies", file)
        assert "2 added" in done.output
        assert "1 skipped: unknown emotion 'qwrt'" in done.output
        found = {item.title: item for item in read_table(tmp_path / "catalogue" / "movies.csv", "movies", imported=True)}
        assert EMOTIONS[found["Made-up Tears"].vector.argmax()] == "sad"
        assert EMOTIONS[found["Made-up Fright"].vector.argmax()] == "fear"
        assert found["Made-up Tears"].facts["origin"] == "named in the file: sadness"

    @pytest.mark.parametrize("kind", ["food", "activities"])
    def test_dishes_and_activities_tagged_by_emotion_have_that_mood(self, tmp_path, flask, kind):
        done = flask("import", kind, write(tmp_path / "a.csv", "title,emotion\nMade-up Thing,anger\n"))
        assert done.exit_code == 0, done.output
        [item] = read_table(tmp_path / "catalogue" / f"{kind}.csv", kind, imported=True)
        assert EMOTIONS[item.vector.argmax()] == "angry"


class TestRecipes:
    def test_tags_and_times_of_many_syntaxes_are_read(self, tmp_path, flask):
        rows = [
            {"Name": "Made-up Pot", "Keywords": 'c("Comfort Food", "Soup")', "TotalTime": "P1DT2H30M"},
            {"Name": "Made-up Pan", "Keywords": "character(0)", "TotalTime": "PT5400S"},
            {"Name": "Made-up Pit", "Keywords": '["spicy"]', "TotalTime": "a while"},
        ]
        done = flask("import", "food", write_csv(tmp_path / "recipes.csv", rows))
        assert "3 added" in done.output
        assert "1 unreadable in the column TotalTime, left out: such as 'a while'" in done.output
        found = {item.title: item for item in read_table(tmp_path / "catalogue" / "food.csv", "food", imported=True)}
        assert [found[f"Made-up {name}"].facts["minutes"] for name in ("Pot", "Pan", "Pit")] == ["1590", "90", ""]
        assert found["Made-up Pot"].tags[0] == "comfort"
        assert found["Made-up Pit"].tags[0] == "intense"


class TestRatingsOfKnownFilms:
    def test_an_import_completes_shipped_films(self, tmp_path, flask):
        film = read_items("movies")[0]
        row = {**FILM, "title": film.title, "release_date": f"{film.facts['year']}-01-01"}
        file = write_csv(tmp_path / "a.csv", [row])
        done = flask("import", "movies", file)
        assert done.exit_code == 0, done.output
        assert "1 of the shipped catalogue have a rating or a link" in done.output
        completed = next(item for item in read_items("movies", imported_dir=tmp_path / "catalogue") if item.id == film.id)
        assert (completed.facts["rating"], completed.facts["votes"]) == ("7.2", "40")
        assert (completed.line, completed.tags) == (film.line, film.tags)
        assert len(read_items("movies", imported_dir=tmp_path / "catalogue")) == len(read_items("movies"))
        again = flask("import", "movies", file)
        assert again.exit_code == 0
        assert "Nothing new." in again.output

    def test_a_film_is_known_by_its_id_under_another_title(self, tmp_path):
        table = ImportedTable(tmp_path, "movies")
        source = movie_files.read(write_csv(tmp_path / "a.csv", [{**FILM, "imdb_id": "tt0000011"}]))
        table.add(make_rows(lambda: pytest.fail("there is no overview"), source.entries))
        other = movie_files.read(
            write_csv(tmp_path / "b.csv", [{**FILM, "imdb_id": "tt0000011", "title": "Erfundener See", "id": ""}])
        )
        assert table.id_of(other.entries[0]) == "made-up-lake-1999"
