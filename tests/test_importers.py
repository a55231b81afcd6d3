"""Tests of the importers on small made-up files of each format, and of top-k selection."""

import csv
import json
import re
import shutil

import numpy as np
import pytest

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.paths import DATA_DIR
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation import Recommender
from moodmirror.recommendation.catalogue import CatalogueError, read_items, read_table
from moodmirror.recommendation.importers import movie_files, movies
from moodmirror.recommendation.importers.durations import minutes_of
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.recommendation.song_mood import AUDIO_FEATURES, SongMood
from moodmirror.recommendation.taste import Opinion, Taste
from moodmirror.recommendation.top_k import BLOCK_SIZE, top_k_indices

pytestmark = pytest.mark.unit

WAKE_ID = "0123456789abcdefABCDEF"  # 22 characters, as Spotify's ids
FESTIVE = {
    "danceability": 0.85,
    "energy": 0.9,
    "loudness": -4.0,
    "speechiness": 0.06,
    "acousticness": 0.05,
    "instrumentalness": 0.0,
    "liveness": 0.1,
    "valence": 0.95,
    "tempo": 124.0,
}
MOURNFUL = {
    **FESTIVE,
    "danceability": 0.3,
    "energy": 0.1,
    "loudness": -18.0,
    "acousticness": 0.95,
    "valence": 0.08,
    "tempo": 72.0,
}


def write_csv(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def kaggle(path):
    song = {"id": "a1", "name": "Made-up Feast", "artists": "['The Inventions', 'A \"Guest\"']", "year": "1984"}
    more = {"release_date": "1984-05-01", "popularity": "61", "duration_ms": "1", "explicit": "0", "key": "1", "mode": "1"}
    return [
        {**song, **more, **FESTIVE},
        {**song, **more, **MOURNFUL, "id": "a2", "name": "Made-up Wake"},
        {**song, **more, **FESTIVE, "id": "a3", "name": "Made-up Feast - 2011 Remaster"},
        {**song, **more, **FESTIVE, "id": "a4", "name": "Broken", "tempo": "fast"},
    ]


def tidytuesday(path):
    song = {"track_id": "a1", "track_name": "Made-up Feast", "track_artist": "The Inventions", "track_popularity": "61"}
    more = {"track_album_release_date": "1984-05-01", "playlist_genre": "pop", "playlist_subgenre": "dance pop"}
    wake = {"track_id": WAKE_ID, "track_name": "Made-up Wake", **MOURNFUL}
    return [
        {**song, **more, **FESTIVE},
        {**song, **more, **wake},
        {**song, **more, **FESTIVE},
        {**song, **more, "tempo": "x"},
    ]


def exportify(path):
    def row(name, uri, features):
        columns = {feature.capitalize(): value for feature, value in features.items()}
        known = {
            "Artist Name(s)": "The Inventions,A Guest",
            "Release Date": "1984",
            "Genres": "Dance Pop",
            "Popularity": "61",
        }
        return {"Track URI": f"spotify:track:{uri}", "Track Name": name, **known, **columns}

    return [
        row("Made-up Feast", "a1", FESTIVE),
        row("Made-up Wake", "a2", MOURNFUL),
        row("", "a3", FESTIVE),
        row("Made-up Feast", "a4", FESTIVE),
    ]


@pytest.fixture
def flask(tmp_path):
    """Run a `flask` command of an app with its own instance folder."""

    def run(*arguments):
        app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
        return app.test_cli_runner().invoke(args=list(map(str, arguments)))

    return run


def imported(tmp_path, kind):
    return {item.title: item for item in read_table(tmp_path / "catalogue" / f"{kind}.csv", kind, imported=True)}


def leading(item):
    return EMOTIONS[int(item.vector.argmax())]


class TestUnusableTables:
    """An imported table or co-likes file that can't be used is reported and ignored, and the rest works."""

    def write(self, tmp_path, flask):
        flask("import", "songs", write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path)))
        return tmp_path / "catalogue" / "songs.csv"

    def test_commands_ignore_an_invalid_table_and_log_it(self, flask, tmp_path, caplog):
        path = self.write(tmp_path, flask)
        path.write_text(path.read_text(encoding="utf-8").replace("0.9", "much", 1), encoding="utf-8")
        done = flask("recommend", "--mood", "sad", "--kind", "songs", "--wish", "Made-up Wake")
        assert done.exit_code == 0, done.output
        assert "Made-up" not in done.output
        assert re.search(rf"{re.escape(str(path))}, line \d, column .*delete that file", caplog.text)

    def test_importing_again_drops_invalid_rows(self, flask, tmp_path, caplog):
        path = self.write(tmp_path, flask)
        path.write_text(path.read_text(encoding="utf-8").replace("made-up-feast,", "no id at all,"), encoding="utf-8")
        done = flask("import", "songs", tmp_path / "songs.csv")
        assert "1 invalid rows of an earlier import were dropped" in done.output
        assert caplog.text.count("Ignoring the imported songs") == 1
        assert set(imported(tmp_path, "songs")) == {"Made-up Feast", "Made-up Wake"}
        caplog.clear()
        assert "Made-up Wake" in flask("recommend", "--mood", "sad", "--kind", "songs", "--wish", "Made-up Wake").output
        assert not caplog.text

    @pytest.mark.parametrize("content", [b"", b"title\nx\n", b"\xff\xfe", b'id,title\n"a'])
    def test_an_unreadable_table_is_reported_and_never_overwritten(self, flask, tmp_path, content, caplog):
        path = self.write(tmp_path, flask)
        path.write_bytes(content)
        assert flask("recommend", "--mood", "sad", "--kind", "songs").exit_code == 0
        assert "Ignoring the imported songs" in caplog.text
        done = flask("import", "songs", tmp_path / "songs.csv")
        assert done.exit_code == 1
        assert str(path) in done.output
        assert path.read_bytes() == content

    def test_a_damaged_co_likes_file_is_ignored_and_logged(self, flask, tmp_path, caplog):
        (tmp_path / "catalogue").mkdir()
        (tmp_path / "catalogue" / "movies_likes.npz").write_bytes(b"no archive")
        assert flask("recommend", "--mood", "sad", "--kind", "movies").exit_code == 0
        assert "movies_likes.npz can't be read" in caplog.text


class TestSongs:
    @pytest.mark.parametrize("make_rows", [kaggle, tidytuesday, exportify])
    def test_each_format_is_detected_by_its_columns_and_moods_are_measured(self, flask, tmp_path, make_rows):
        file = write_csv(tmp_path / "whatever.txt", make_rows(tmp_path))
        done = flask("import", "songs", file)
        assert done.exit_code == 0, done.output
        assert "2 added, 0 already imported, 2 skipped" in done.output
        found = imported(tmp_path, "songs")
        assert leading(found["Made-up Feast"]) == "happy"
        assert leading(found["Made-up Wake"]) == "sad"
        assert found["Made-up Feast"].facts["year"] == "1984"
        assert found["Made-up Feast"].facts["artist"].split("|")[0] == "The Inventions"
        assert found["Made-up Feast"].facts["popularity"] == "61"

    @pytest.mark.parametrize(
        ("names", "uris", "artist"),
        [
            ("Tyler, The Inventor", "spotify:artist:1", "Tyler, The Inventor"),
            ("Tyler, The Inventor;A Guest", "spotify:artist:1;spotify:artist:2", "Tyler, The Inventor|A Guest"),
            ("The Inventions,A Guest", "spotify:artist:1,spotify:artist:2", "The Inventions|A Guest"),
        ],
    )
    def test_a_comma_in_an_artists_name_is_no_separator(self, flask, tmp_path, names, uris, artist):
        row = {**exportify(tmp_path)[0], "Artist Name(s)": names, "Artist URI(s)": uris}
        flask("import", "songs", write_csv(tmp_path / "songs.csv", [row]))
        assert imported(tmp_path, "songs")["Made-up Feast"].facts["artist"] == artist

    def test_a_second_import_adds_nothing_and_reports_it(self, flask, tmp_path):
        file = write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path))
        flask("import", "songs", file)
        before = (tmp_path / "catalogue" / "songs.csv").read_bytes()
        done = flask("import", "songs", file)
        assert "0 added, 2 already imported, 2 skipped" in done.output
        assert "Nothing new." in done.output
        assert (tmp_path / "catalogue" / "songs.csv").read_bytes() == before

    def test_a_second_import_that_knows_more_improves_the_rows(self, flask, tmp_path):
        library = tmp_path / "YourLibrary.json"
        names = ("Made-up Feast", "Made-up Wake")
        tracks = [{"artist": "the inventions", "album": "x", "track": name, "uri": ""} for name in names]
        library.write_text(json.dumps({"tracks": tracks}), encoding="utf-8")
        flask("import", "songs", library)
        assert imported(tmp_path, "songs")["Made-up Wake"].facts["origin"].startswith("guessed")
        features = write_csv(tmp_path / "features.csv", tidytuesday(tmp_path)[1:2])
        done = flask("import", "songs", library, "--features", features)
        assert "0 added, 1 improved, 1 already imported, 0 skipped" in done.output
        wake = imported(tmp_path, "songs")["Made-up Wake"]
        assert leading(wake) == "sad"
        assert wake.facts["origin"] == "measured from audio features"
        assert wake.facts["audio_tempo"] == "72"
        assert wake.facts["year"] == ""
        done = flask("import", "songs", features)  # the file that knows more, itself
        assert "0 added, 1 improved, 0 already imported" in done.output
        wake = imported(tmp_path, "songs")["Made-up Wake"]
        assert (wake.facts["year"], wake.facts["popularity"], wake.facts["spotify_id"]) == ("1984", "61", WAKE_ID)
        assert wake.facts["genres"] == "dance pop|pop"
        assert wake.facts["artist"] == "the inventions"
        before = (tmp_path / "catalogue" / "songs.csv").read_bytes()
        for file in (library, features):
            assert "Nothing new." in flask("import", "songs", file).output
        assert (tmp_path / "catalogue" / "songs.csv").read_bytes() == before

    def test_a_mood_that_the_file_names_is_the_songs_mood(self, flask, tmp_path):
        flask("import", "songs", write_csv(tmp_path / "a.csv", tidytuesday(tmp_path)[:2]))
        rows = [
            {"name": "Made-up Feast", "artist": "The Inventions", "emotion": "sad"},
            {"name": "Made-up Dance", "artist": "The Inventions", "emotion": "surprised"},
        ]
        file = write_csv(tmp_path / "b.csv", rows)
        assert "1 added, 1 improved, 0 already imported" in flask("import", "songs", file).output
        found = imported(tmp_path, "songs")
        for title, emotion in (("Made-up Feast", "sad"), ("Made-up Dance", "surprise")):
            np.testing.assert_allclose(found[title].vector, mood_vector({emotion: 1}))
        assert found["Made-up Dance"].facts["origin"] == "named in the file: surprised"
        assert found["Made-up Feast"].facts["audio_tempo"] == "124"
        for path in (file, tmp_path / "a.csv"):  # what the person says stays
            assert "Nothing new." in flask("import", "songs", path).output
        write_csv(file, [{"title": "Made-up Alone", "emotion": "sad"}])
        assert "1 added" in flask("import", "songs", file).output
        assert imported(tmp_path, "songs")["Made-up Alone"].facts["artist"] == "Unknown artist"

    def test_a_row_keeps_its_id_and_learns_that_its_artist_is_one(self, flask, tmp_path):
        row = {**exportify(tmp_path)[0], "Track URI": f"spotify:track:{WAKE_ID}", "Artist Name(s)": "Tyra,The Inventor"}
        flask("import", "songs", write_csv(tmp_path / "songs.csv", [row]))
        before = imported(tmp_path, "songs")["Made-up Feast"]
        assert before.facts["artist"] == "Tyra|The Inventor"
        row |= {"Artist Name(s)": "Tyra, The Inventor", "Artist URI(s)": "spotify:artist:1"}
        done = flask("import", "songs", write_csv(tmp_path / "songs.csv", [row]))
        assert "1 improved" in done.output
        after = imported(tmp_path, "songs")["Made-up Feast"]
        assert (after.id, after.facts["artist"]) == (before.id, "Tyra, The Inventor")

    def test_an_import_of_nothing_fails_and_says_why(self, flask, tmp_path):
        path = write_csv(tmp_path / "songs.csv", [{**tidytuesday(tmp_path)[0], "track_name": "NA", "track_artist": "NA"}])
        done = flask("import", "songs", path)
        assert done.exit_code == 1
        assert "1 skipped: no title" in done.output
        assert "Nothing could be imported" in done.output
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
        done = flask("import", "songs", path)
        assert done.exit_code == 1
        assert "the file has no rows" in done.output
        assert not (tmp_path / "catalogue").exists()

    def test_the_report_gives_the_reasons_for_skipped_rows(self, flask, tmp_path):
        shipped = read_table(DATA_DIR / "songs.csv", "songs")[0]
        rows = [
            *kaggle(tmp_path),
            {**kaggle(tmp_path)[0], "name": shipped.title, "artists": f"[{shipped.facts['artist']!r}]"},
        ]
        done = flask("import", "songs", write_csv(tmp_path / "songs.csv", rows))
        for line in (
            "1 skipped: duplicate of an earlier row",
            "1 skipped: an audio feature is not a number",
            "1 skipped: already in the shipped catalogue",
        ):
            assert line in done.output

    def test_missing_audio_features_are_looked_up_or_moods_are_guessed(self, flask, tmp_path):
        library = tmp_path / "YourLibrary.json"
        tracks = [
            {"artist": "The Inventions", "album": "x", "track": "Made-up Feast", "uri": "spotify:track:a1"},
            {"artist": "The Inventions", "album": "x", "track": "Made-up Wake", "uri": "spotify:track:other"},
            {"artist": "Nobody At All", "album": "x", "track": "I Am So Sad and Alone", "uri": "spotify:track:b"},
        ]
        library.write_text(json.dumps({"tracks": tracks, "albums": [], "shows": []}), encoding="utf-8")
        features = write_csv(tmp_path / "features.csv", tidytuesday(tmp_path)[:2])
        done = flask("import", "songs", library, "--features", features)
        assert done.exit_code == 0, done.output
        assert "3 added" in done.output
        assert "1 song has no audio features" in done.output
        found = imported(tmp_path, "songs")
        assert leading(found["Made-up Feast"]) == "happy"
        assert leading(found["Made-up Wake"]) == "sad"
        assert found["I Am So Sad and Alone"].facts["origin"].startswith("guessed")

    def test_audio_features_are_looked_up_by_spotify_id(self, flask, tmp_path):
        library = tmp_path / "YourLibrary.json"
        track = {"artist": "The Inventions", "album": "x", "track": "Another Title", "uri": f"spotify:track:{WAKE_ID}"}
        library.write_text(json.dumps({"tracks": [track]}), encoding="utf-8")
        flask("import", "songs", library, "--features", write_csv(tmp_path / "features.csv", tidytuesday(tmp_path)[:2]))
        another = imported(tmp_path, "songs")["Another Title"]
        assert another.facts["origin"].startswith("measured")
        assert leading(another) == "sad"

    def test_a_mood_is_guessed_from_the_artists_other_songs(self, flask, tmp_path):
        flask("import", "songs", write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path)[:2]))
        library = tmp_path / "YourLibrary.json"
        track = {"artist": "The Inventions", "album": "x", "track": "Another Title", "uri": "spotify:track:b"}
        library.write_text(json.dumps({"tracks": [track]}), encoding="utf-8")
        flask("import", "songs", library)
        found = imported(tmp_path, "songs")
        mean = (found["Made-up Feast"].vector + found["Made-up Wake"].vector) / 2
        np.testing.assert_allclose(found["Another Title"].vector, mean, atol=1e-3)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("color,shape\nred,round\n", "its columns are color, shape"),
            ("", "its columns are none"),
            ('{"playlists": []}', "JSON in an unknown format"),
        ],
    )
    def test_an_unknown_format_is_rejected_with_the_supported_ones(self, flask, tmp_path, content, words):
        file = tmp_path / "spotify_songs.csv"
        file.write_text(content, encoding="utf-8")
        done = flask("import", "songs", file)
        assert done.exit_code == 1
        assert words in done.output
        assert "YourLibrary.json" in done.output
        assert not (tmp_path / "catalogue").exists()

    def test_a_missing_file_is_reported(self, flask, tmp_path):
        done = flask("import", "songs", tmp_path / "none.csv")
        assert done.exit_code == 1
        assert "none.csv can't be read" in done.output

    def test_imported_songs_are_recommended_beside_the_shipped(self, flask, tmp_path):
        flask("import", "songs", write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path)))
        wake = imported(tmp_path, "songs")["Made-up Wake"]
        recommender = Recommender.open(imported_dir=tmp_path / "catalogue")
        best = recommender.recommend(wake.vector, "songs", k=1)
        assert best[0].item.title == "Made-up Wake"
        assert best[0].score == pytest.approx(1, abs=1e-3)
        assert len(read_items("songs", imported_dir=tmp_path / "catalogue")) == len(read_items("songs")) + 2


TMDB = {
    "id": "1",
    "title": "Made-up Haunting",
    "release_date": "1999-10-31",
    "genres": json.dumps([{"id": 1, "name": "Horror"}]),
    "keywords": json.dumps([{"id": 1, "name": "haunted house"}, {"id": 2, "name": "ghost"}]),
    "overview": "A terrified family hides from a ghost. They are so scared that they dare not breathe.",
    "original_language": "en",
    "runtime": "101.0",
    "status": "Released",
    "vote_count": "12",
}
WEDDING = {
    **TMDB,
    "id": "2",
    "title": "Made-up Wedding",
    "genres": "[{'id': 1, 'name': 'Comedy'}, {'id': 2, 'name': 'Romance'}]",
    "keywords": json.dumps([{"id": 1, "name": "wedding"}]),
    "overview": "Everybody is so happy and dances with joy at the funniest wedding of the year.",
    "vote_count": "90",
}


class TestMovies:
    def test_tmdb_is_parsed_with_json_columns_and_directors(self, flask, tmp_path):
        file = write_csv(tmp_path / "movies.csv", [TMDB, WEDDING, TMDB])
        crew = json.dumps([{"job": "Editor", "name": "E. Cutter"}, {"job": "Director", "name": "D. Shouter"}])
        write_csv(tmp_path / "tmdb_5000_credits.csv", [{"movie_id": "1", "title": "x", "cast": "[]", "crew": crew}])
        done = flask("import", "movies", file)
        assert "2 added, 0 already imported, 1 skipped" in done.output
        found = imported(tmp_path, "movies")
        haunting, wedding = found["Made-up Haunting"], found["Made-up Wedding"]
        assert (leading(haunting), leading(wedding)) == ("fear", "happy")
        assert haunting.tags[0] == "eerie"
        assert (haunting.facts["director"], haunting.facts["minutes"], haunting.facts["year"]) == (
            "D. Shouter",
            "101",
            "1999",
        )
        assert (haunting.facts["popularity"], wedding.facts["popularity"]) == ("50", "100")
        assert wedding.line == WEDDING["overview"]
        assert "0 added, 2 already imported" in flask("import", "movies", file).output

    def test_a_second_import_that_knows_more_improves_films(self, flask, tmp_path):
        flask(
            "import",
            "movies",
            write_csv(tmp_path / "a.csv", [{"movieId": "1", "title": "Made-up Haunting (1999)", "genres": "Comedy"}]),
        )
        assert leading(imported(tmp_path, "movies")["Made-up Haunting"]) == "happy"
        file = write_csv(tmp_path / "b.csv", [TMDB])
        assert "1 improved" in flask("import", "movies", file).output
        haunting = imported(tmp_path, "movies")["Made-up Haunting"]
        assert haunting.line == TMDB["overview"].split(". ")[0] + "."
        assert (haunting.facts["minutes"], haunting.facts["genres"]) == ("101", "comedy")
        assert haunting.facts["origin"] == "measured from overview, keywords and genres"
        assert "Nothing new." in flask("import", "movies", file).output

    def test_the_neutral_share_of_a_story_is_reduced(self):
        recognizer = TextEmotionRecognizer.load()
        [plain] = recognizer.predict_proba([WEDDING["overview"]])
        [story] = movies.predict_story_moods(recognizer, [WEDDING["overview"]])
        neutral, happy = EMOTIONS.index("neutral"), EMOTIONS.index("happy")
        assert story.sum() == pytest.approx(1)
        assert story[neutral] / story[happy] == pytest.approx(
            movies.NEUTRAL_FACTOR * plain[neutral] / plain[happy], rel=1e-3
        )

    def test_a_folder_without_movielens_is_rejected(self, flask, tmp_path):
        done = flask("import", "movies", tmp_path)
        assert done.exit_code == 1
        assert "is a folder without files of films" in done.output

    def test_movielens_ratings_give_co_likes_and_popularity(self, tmp_path, flask):
        folder = tmp_path / "ml"
        folder.mkdir()
        films = ("Invented Story, The (1991)", "Another Story (1992)", "Third Story (1993)")
        write_csv(folder / "movies.csv", [{"movieId": n, "title": t, "genres": "Drama"} for n, t in enumerate(films)])
        rated = [(person, film, 5.0) for person in range(6) for film in (0, 1)] + [(person, 2, 1.0) for person in range(3)]
        rows = [{"userId": p, "movieId": f, "rating": r, "timestamp": at} for at, (p, f, r) in enumerate(rated)]
        write_csv(folder / "ratings.csv", rows)
        for _ in range(2):
            done = flask("import", "movies", folder)
            assert done.exit_code == 0, done.output
            assert "2 films that at least 5 people like, and 1 pairs" in done.output
        found = imported(tmp_path, "movies")
        assert int(found["The Invented Story"].facts["popularity"]) > int(found["Third Story"].facts["popularity"])
        recommender = Recommender.open(imported_dir=tmp_path / "catalogue")
        liked = found["The Invented Story"].id
        taste = Taste([Opinion("movies", liked, "like", 1.0)])
        [best, *_] = recommender.with_taste(taste).recommend(None, "movies", exclude=[liked])
        assert best.item.title == "Another Story"
        assert "others who liked The Invented Story like it too" in best.why

    def test_ratings_in_another_format_are_rejected(self, tmp_path, flask):
        write_csv(tmp_path / "movies.csv", [{"movieId": 1, "title": "Another Story (1992)", "genres": "Drama"}])
        write_csv(tmp_path / "ratings.csv", [{"user": 1, "stars": 5}])
        done = flask("import", "movies", tmp_path / "movies.csv")
        assert done.exit_code == 1
        assert re.search(r"ratings\.csv can't be read as MovieLens' ratings, which have the columns userId", done.output)

    def test_movielens_is_parsed_with_user_tags(self, tmp_path, flask):
        rows = [
            {"movieId": "1", "title": "Made-up Night, The (1995)", "genres": "Thriller"},
            {"movieId": "2", "title": "Made-up Day", "genres": "(no genres listed)"},
        ]
        write_csv(tmp_path / "movies.csv", rows)
        write_csv(tmp_path / "tags.csv", [{"userId": "1", "movieId": "2", "tag": "Heartwarming", "timestamp": "1"}])
        done = flask("import", "movies", tmp_path)  # the folder
        assert "2 added" in done.output
        found = imported(tmp_path, "movies")
        assert found["The Made-up Night"].facts["year"] == "1995"
        assert leading(found["The Made-up Night"]) == "fear"
        assert found["Made-up Day"].tags[0] == "comfort"
        recommender = Recommender.open(imported_dir=tmp_path / "catalogue")
        for filters in ({"decade": 1990}, {"minutes": 100}, {"language": "en"}, {"audience": "family"}):
            passing = recommender.recommend(mood_vector({"fear": 1}), "movies", k=1000, filters=filters)
            assert "Made-up Day" not in {row.item.title for row in passing}  # an unknown value passes no filter

    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            (
                {
                    "Position": "1",
                    "Const": "tt1",
                    "Title": "Made-up Tale",
                    "Title Type": "TV Mini Series",
                    "Year": "2001",
                    "Genres": "Drama, Mystery",
                    "Runtime (mins)": "55",
                    "Directors": "A. One, B. Two",
                },
                ("A. One|B. Two", "55", "", "series"),
            ),
            (
                {
                    "Series_Title": "Made-up Tale",
                    "Released_Year": "2001",
                    "Certificate": "PG-13",
                    "Runtime": "142 min",
                    "Genre": "Drama, Sci-Fi",
                    "Overview": "A man weeps for his lost friend.",
                    "Director": "A. One",
                },
                ("A. One", "142", "teen", "film"),
            ),
        ],
    )
    def test_imdb_lists_are_parsed(self, tmp_path, row, expected):
        entry = movie_files.read(write_csv(tmp_path / "list.csv", [row])).entries[0]
        assert entry.id == "made-up-tale-2001"
        facts = entry.cells
        assert (facts["director"], facts["minutes"], facts["audience"], facts["kind"]) == expected

    def test_an_unknown_format_is_rejected_with_the_supported_ones(self, tmp_path):
        file = write_csv(tmp_path / "movies.csv", [{"film": "x"}])
        with pytest.raises(SourceError, match=r"TMDB: id, title(.|\n)*MovieLens(.|\n)*IMDb"):
            movie_files.read(file)


class TestGenericCsv:
    def test_food_is_imported_by_guessed_columns(self, flask, tmp_path):
        rows = [
            {"Name": "Made-up soup", "Category": "Soup", "Description": "Warm and soft.", "Total_Time": "PT1H10M"},
            {"Name": "", "Category": "", "Description": "", "Total_Time": ""},
        ]
        done = flask("import", "food", write_csv(tmp_path / "f.csv", rows))
        assert "1 added, 0 already imported, 1 skipped" in done.output
        assert "title from 'Name'" in done.output
        soup = imported(tmp_path, "food")["Made-up soup"]
        assert soup.tags[0] == "comfort"
        assert soup.facts["minutes"] == "70"
        vegan = Recommender.open(imported_dir=tmp_path / "catalogue").recommend(
            soup.vector, "food", k=1000, filters={"diet": "vegan"}
        )
        assert soup.id not in {row.item.id for row in vegan}

    def test_a_second_import_that_knows_more_improves_dishes(self, flask, tmp_path):
        flask("import", "food", write_csv(tmp_path / "a.csv", [{"title": "Made-up Thing"}]))
        file = write_csv(tmp_path / "b.csv", [{"title": "made-up thing", "tags": "spicy", "minutes": "20"}])
        assert "1 improved" in flask("import", "food", file).output
        dish = imported(tmp_path, "food")["Made-up Thing"]
        assert (dish.tags, dish.facts["minutes"]) == (("intense",), "20")
        assert "Nothing new." in flask("import", "food", file).output

    def test_activities_are_imported_by_given_columns(self, flask, tmp_path):
        row = {"Idee": "Made-up walk in the woods", "Art": "relaxation", "participants": "1", "price": "0"}
        file = write_csv(tmp_path / "a.csv", [row])
        refused = flask("import", "activities", file)
        assert refused.exit_code == 1
        assert "Name it with --title-column" in refused.output
        done = flask("import", "activities", file, "--title-column", "Idee", "--tags-column", "Art")
        assert "1 added" in done.output
        walk = imported(tmp_path, "activities")["Made-up walk in the woods"]
        assert set(walk.tags) >= {"comfort", "calm"}
        assert (walk.facts["company"], walk.facts["cost"], walk.facts["place"]) == ("alone", "free", "")
        wrong = flask("import", "activities", file, "--title-column", "Idea")
        assert "no column 'Idea'" in wrong.output

    @pytest.mark.parametrize(
        ("cell", "minutes"),
        [
            *(("15", 15), ("90.0", 90), ("1,440 minutes", 1440), ("", 0), ("0", 0), ("PT0S", 0)),
            *(("PT45M", 45), ("P0DT1H30M", 90), ("P1DT2H30M", 1590), ("PT5400S", 90), ("PT1H30M0S", 90), ("pt1.5h", 90)),
            *(("1/2 hour", 30), ("1 1/2 hours", 90), ("1-1/2 hours", 90), ("½ hour", 30), ("1½ hours", 90), ("1,5 h", 90)),
            *(("1h30", 90), ("1h 30m", 90), ("1 h 30 min", 90), ("1:30", 90), ("00:45:00", 45), ("45:00", 45), ("90'", 90)),
            *(("90 min", 90), ("2 hrs", 120), ("1 Std. 30 Min.", 90), ("1 heure 30", 90), ("1 day 2 hours", 1560)),
            *(("45-60 minutes", 60), ("45–60 min", 60), ("30 min to 1 hour", 60), ("1 to 1 1/2 hours", 90), ("30+ min", 30)),
            *(("about an hour", 60), ("half an hour", 30), ("an hour and a half", 90), ("one and a half hours", 90)),
            *(("10 min|5 min", 15), ("20 mins prep, 2 hrs chilling", 140), ("20 seconds", 1), ("0 days 01:30:00", 90)),
            *((".5 hour", 30), ("PT1H30M (90 min)", 90), ("-PT1H", None), ("prep 10 min", 10)),
            *(("a while", None), ("2147483647", None), ("5 ingredients", None), ("PT", None), ("1/0 hour", None)),
            *(("9" * 500, None), ("1" * 150 + " min", None)),
        ],
    )
    def test_minutes_are_parsed(self, cell, minutes):
        assert minutes_of(cell) == minutes


class TestImportedLikes:
    """Songs that are played often, and items that are rated high, become likes of the visitor who opens the link."""

    @pytest.fixture
    def app(self, tmp_path):
        app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path))
        yield app
        close_app(app)

    def import_history(self, flask, tmp_path, titles):
        plays = [
            {"endTime": "x", "artistName": "The Inventions", "trackName": title, "msPlayed": 200000}
            for title in titles
            for _ in range(3)
        ]
        (tmp_path / "StreamingHistory_music_0.json").write_text(json.dumps(plays), encoding="utf-8")
        done = flask("import", "songs", tmp_path / "StreamingHistory_music_0.json")
        assert done.exit_code == 0, done.output
        return re.search(r"Liked, because .*: (\d+)\.(?:.|\n)*(/likes/[0-9a-f]{32})", done.output)

    def opinions(self, app, client):
        with client.session_transaction() as session:
            record = app.extensions["moodmirror"].database.load_visitor(session["visitor"])
        return {(opinion.item, opinion.verdict) for opinion in record.opinions}

    def test_a_visitor_takes_over_the_likes_once(self, flask, tmp_path, app):
        count, link = self.import_history(flask, tmp_path, ["Made-up Feast", "Made-up Wake"]).groups()
        assert count == "2"
        assert self.import_history(flask, tmp_path, ["Made-up Feast", "Made-up Wake"])[2] == link  # not twice
        ann, bob = app.test_client(), app.test_client()
        page = ann.get(link)
        assert "2 songs" in page.text
        assert ann.post(link).location == "/"
        liked = {("the-inventions-made-up-feast", "like"), ("the-inventions-made-up-wake", "like")}
        assert self.opinions(app, ann) == liked
        assert bob.get(link).status_code == bob.post(link).status_code == 404
        assert self.opinions(app, ann) == liked

    def test_an_opinion_of_the_visitors_own_stays(self, flask, tmp_path, app):
        client = app.test_client()
        client.get("/")
        with client.session_transaction() as session:
            opinion = Opinion("songs", "the-inventions-made-up-feast", "hide", 1.0)
            app.extensions["moodmirror"].database.save_opinion(session["visitor"], opinion)
        client.post(self.import_history(flask, tmp_path, ["Made-up Feast", "Made-up Wake"])[2])
        expected = {("the-inventions-made-up-feast", "hide"), ("the-inventions-made-up-wake", "like")}
        assert self.opinions(app, client) == expected

    def test_a_shipped_song_is_liked_under_its_own_id(self, flask, tmp_path, app):
        shipped = next(item for item in read_items("songs") if "|" not in item.facts["artist"])
        rows = [{"title": shipped.title, "artist": shipped.facts["artist"], "rating": 5}]
        done = flask("import", "songs", write_csv(tmp_path / "songs.csv", rows))
        client = app.test_client()
        client.post(re.findall(r"/likes/[0-9a-f]{32}", done.output)[0])
        assert self.opinions(app, client) == {(shipped.id, "like")}

    def test_nothing_is_said_of_likes_without_any(self, flask, tmp_path):
        done = flask("import", "songs", write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path)))
        assert "Liked" not in done.output


class TestImportedTables:
    @pytest.mark.parametrize("mood", ["1|2", "a|b|c|d|e|f|g", "0|0|0|0|0|0|0", "1|1|1|1|1|1|-1", "nan|1|1|1|1|1|1"])
    def test_an_invalid_mood_is_rejected(self, flask, tmp_path, mood):
        flask("import", "songs", write_csv(tmp_path / "songs.csv", tidytuesday(tmp_path)))
        path = tmp_path / "catalogue" / "songs.csv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        write_csv(path, [{**rows[0], "mood": mood}])
        with pytest.raises(CatalogueError, match="line 2, column mood"):
            read_table(path, "songs", imported=True)

    def test_an_imported_row_with_a_shipped_id_is_ignored(self, tmp_path):
        shutil.copy(DATA_DIR / "songs.csv", tmp_path)
        assert len(read_items("songs", imported_dir=tmp_path)) == len(read_items("songs"))


class TestSongMood:
    def test_moods_are_distributions_and_follow_the_features(self):
        mood = SongMood.load()
        features = np.array([[song[name] for name in AUDIO_FEATURES] for song in (FESTIVE, MOURNFUL)], dtype=float)
        vectors, positions = mood.mood_vectors(features), mood.positions(features)
        assert vectors.dtype == np.float32
        assert vectors.sum(axis=1) == pytest.approx(1)
        assert (positions[0] > positions[1]).all()
        assert np.abs(positions).max() <= 1

    def test_features_are_clipped_to_the_training_range(self):
        wild = np.array([[9, -9, -200, 5, 7, 9, 9, -4, 5000]], dtype=float)
        mood = SongMood.load()
        clipped = np.clip(wild, mood.least, mood.most)
        assert np.isfinite(mood.mood_vectors(wild)).all()
        np.testing.assert_array_equal(mood.mood_vectors(wild), mood.mood_vectors(clipped))

    def test_weights_are_stored_and_loaded_unchanged(self):
        mood = SongMood.load()
        assert SongMood.from_json(mood.to_json()).to_json() == mood.to_json()


class TestTopK:
    @pytest.mark.parametrize("n", [1, 20, BLOCK_SIZE - 1, BLOCK_SIZE, 3 * BLOCK_SIZE + 17])
    @pytest.mark.parametrize("k", [1, 20])
    def test_it_equals_a_stable_sort(self, n, k):
        values = np.random.default_rng(n).integers(0, 1000, n).astype(np.float32)
        k = min(k, n)
        assert top_k_indices(values, k).tolist() == np.argsort(-values, kind="stable")[:k].tolist()

    @pytest.mark.parametrize("order", [1, -1])
    def test_sorted_values_are_selected_exactly(self, order):
        values = np.arange(2 * BLOCK_SIZE, dtype=np.float32)[::order]
        assert top_k_indices(values, 3).tolist() == np.argsort(-values, kind="stable")[:3].tolist()

    def test_a_million_moods_are_ranked_exactly(self):
        # Multiples of 0.25, so that sums are exact in any order.
        features = np.random.default_rng(0).integers(0, 8, (1_000_000, 7)).astype(np.float32) / 4
        fits = (np.asfortranarray(features) @ np.arange(1, 8, dtype=np.float32)).astype(np.float32)
        expected = np.argsort(-(features.astype(np.float64) @ np.arange(1, 8)), kind="stable")[:20]
        assert top_k_indices(fits, 20).tolist() == expected.tolist()
