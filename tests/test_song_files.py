"""Tests of the forms in which people have songs: each is read from its columns, and what is no song is left out."""

import csv
import io
import json
import plistlib

import pytest

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation.importers import song_files
from moodmirror.recommendation.importers.artist_names import ArtistSplitter
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.recommendation.importers.spotify_ids import spoken_kind, track_id
from moodmirror.recommendation.importers.tag_lexicon import mood_of_words
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

pytestmark = pytest.mark.unit

ID = "0123456789abcdefABCDEF"  # 22 characters, as Spotify's ids
URI = f"spotify:track:{ID}"
FEATURES = dict(zip(AUDIO_FEATURES, (0.7, 0.5, -6.5, 0.05, 0.2, 0.0, 0.1, 0.4, 118.5), strict=True))


def table(rows, separator=","):
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.fixture
def read(tmp_path):
    """Read a file with this text; rows are written as CSV."""

    def read_text(text, name="songs.txt"):
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else table(text), encoding="utf-8", newline="")
        return song_files.read_all([path])

    return read_text


def names(source):
    return [(entry.title, entry.cells["artist"]) for entry in source.entries]


# Exportify's columns in another language, in the order in which it always writes them.
GERMAN = (
    """
Track-URI|Track-Name|Künstler-URI(s)|Künstlername(n)|Album-URI|Album-Name|Album-Künstler-URI(s)|Album-Künstlername(n)
Veröffentlichungsdatum des Albums|Album-Bild-URL|Disc-Nummer|Track-Nummer|Track-Dauer (ms)|Track-Vorschau-URL|Explizit
Beliebtheit|ISRC|Hinzugefügt von|Hinzugefügt am|Künstler-Genres|Tanzbarkeit|Energie|Tonart|Lautstärke|Modus|Sprachanteil
Akustik|Instrumentalität|Lebendigkeit|Valenz|Tempo|Taktart
""".strip()
    .replace("\n", "|")
    .split("|")
)
JAPANESE = [f"列{number}" for number in range(len(GERMAN))]


def exportify_row(uri=URI, title="Made-up Feast", artists="The Inventions", artist_uris="spotify:artist:1"):
    head = [
        uri,
        title,
        artist_uris,
        artists,
        "a",
        "Album",
        "b",
        "Album Artist",
        "1984-05-01",
        "",
        "1",
        "2",
        "200",
        "",
        "false",
    ]
    features = ["0.7", "0.5", "4", "-6.5", "1", "0.05", "0.2", "0", "0.1", "0.4", "118.5", "4"]
    return [*head, "61", "ISRC1", "me", "2020-01-01", "dance pop", *features]


FORMS = {
    "the Kaggle file of 114,000 tracks": table(
        [
            {"": 0, "track_id": ID, "artists": "The Inventions;A Guest", "album_name": "x", "track_name": "Made-up Feast",
             "popularity": 61, **FEATURES, "track_genre": "dance pop"},
        ]
    ),
    "a TuneMyMusic CSV": table(
        [
            {"Track name": "Made-up Feast", "Artist name": "The Inventions", "Album": "x", "Playlist name": "y",
             "Type": "Playlist", "ISRC": "", "Spotify - id": ID},
        ]
    ),
    "Shazam's library": "Shazam Library\r\nIndex,TagTime,Title,Artist,URL,TrackKey\r\n"
    '1,2024-01-01,"Made-up Feast","The Inventions",https://www.shazam.com/track/1/x,1\r\n'
    '2,2024-01-01,"Made-up Wake","The Inventions",https://www.shazam.com/track/2/x,2\r\n',
    "a list of songs": "title;artist;album;isrc\nMade-up Feast;The Inventions;x;1\n",
    "Last.fm's scrobbles": table(
        [
            {"uts": at, "utc_time": "x", "artist": "The Inventions", "artist_mbid": "", "album": "x", "album_mbid": "",
             "track": "Made-up Feast", "track_mbid": ""}
            for at in range(1)
        ]
    ),
    "YouTube Music's library": "Video ID,Song Title,Album Title,Artist Name 1,Artist Name 2\n"
    "v1,Made-up Feast,x,The Inventions,A Guest\n",
    "the account data download's library": json.dumps(
        {
            "tracks": [{"artist": "The Inventions", "album": "x", "track": "Made-up Feast", "uri": URI}],
            "albums": [{"artist": "No Song", "album": "x", "uri": ""}],
            "artists": [{"name": "No Song", "uri": ""}],
        }
    ),
    "Spotify's playlists": json.dumps(
        {
            "playlists": [
                {
                    "name": "Mine",
                    "items": [
                        {
                            "track": {"trackName": "Made-up Feast", "artistName": "The Inventions", "trackUri": URI},
                            "episode": None,
                            "localTrack": None,
                            "addedDate": "2024-01-01",
                        }
                    ],
                }
            ]
        }
    ),
    "Spotify's streaming history": json.dumps(
        [{"endTime": "2024-01-01 10:00", "artistName": "The Inventions", "trackName": "Made-up Feast", "msPlayed": 200000}]
    ),
    "Spotify's extended streaming history": json.dumps(
        [
            {
                "ts": "2024-01-01T10:00:00Z",
                "ms_played": 200000,
                "master_metadata_track_name": "Made-up Feast",
                "master_metadata_album_artist_name": "The Inventions",
                "spotify_track_uri": URI,
                "episode_name": None,
            }
        ]
    ),
    "an M3U playlist": "#EXTM3U\n#EXTINF:200,The Inventions - Made-up Feast\nmusic/feast.mp3\n",
    "an iTunes library": plistlib.dumps(
        {"Tracks": {"1": {"Name": "Made-up Feast", "Artist": "The Inventions", "Genre": "Dance pop", "Year": 1984}}}
    ).decode(),
    "an Exportify CSV": table([{"Track URI": URI, "Track Name": "Made-up Feast", "Artist Name(s)": "The Inventions"}]),
}  # fmt: skip


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_each_form_is_known_by_its_content(self, read, form):
        source = read(FORMS[form])
        assert source.format.startswith(form)
        assert source.entries[0].title == "Made-up Feast"
        assert source.entries[0].cells["artist"].split("|")[0] == "The Inventions"
        assert source.entries[0].cells["spotify_id"] == (ID if ID in FORMS[form] else "")
        assert not source.skipped

    def test_json_of_spotifys_interface_is_read(self, read):
        track = {
            "name": "Made-up Feast",
            "artists": [{"name": "The Inventions", "id": "x"}, {"name": "A Guest", "id": "y"}],
            "id": ID,
            "album": {"name": "Another Name", "release_date": "1984-05-01"},
            "popularity": 61,
        }
        added = {"added_by": {"id": "somebody"}, "track": track}
        for document in ({"items": [added]}, {"name": "Mine", "tracks": {"items": [added]}}, [track]):
            [entry] = read(json.dumps(document)).entries
            assert (entry.title, entry.cells["artist"]) == ("Made-up Feast", "The Inventions|A Guest")
            assert (entry.cells["year"], entry.cells["popularity"], entry.cells["spotify_id"]) == ("1984", "61", ID)

    @pytest.mark.parametrize("header", [GERMAN, JAPANESE], ids=["German", "Japanese"])
    def test_exportify_is_read_by_position_whatever_the_language_of_its_header(self, read, header):
        rows = [exportify_row(), exportify_row(uri="spotify:local:Me:Tape:Home+demo:120", title="Home demo", artist_uris="")]
        [entry, local] = read([dict(zip(header, row, strict=True)) for row in rows]).entries
        assert (entry.title, entry.cells["artist"], entry.cells["year"]) == ("Made-up Feast", "The Inventions", "1984")
        assert (entry.cells["popularity"], entry.cells["spotify_id"]) == ("61", ID)
        assert entry.features == tuple(FEATURES.values())
        assert local.title == "Home demo"

    def test_a_playlist_of_the_cluster_command_names_its_emotion(self, read):
        rows = "Feast,The Inventions;A Guest,,happy\nDance,The Inventions,,happy 2\nStew,The Inventions,,mixed 2\n"
        feast, dance, stew = read(f"title,artist,uri,emotion\n{rows}").entries
        assert feast.cells["artist"] == "The Inventions|A Guest"
        assert feast.mood.tolist() == dance.mood.tolist() == mood_vector({"happy": 1}).tolist()
        assert stew.mood is None

    @pytest.mark.parametrize("header", ["Titel;Interpret", "Titre;Artiste", "Título;Artista", "曲名;アーティスト"])
    def test_lists_with_columns_in_other_languages_are_read(self, read, header):
        assert names(read(f"{header}\nMade-up Feast;The Inventions\n")) == [("Made-up Feast", "The Inventions")]

    def test_features_in_percent_and_with_decimal_commas_are_read(self, read):
        row = {"Track.Name": "Made-up Feast", "artist(s)_name": "The Inventions", "artist_count": 1, "bpm": "118,5"}
        percent = {f"{name}_%": f"{100 * value:g}" for name, value in FEATURES.items() if name not in ("loudness", "tempo")}
        [entry] = read(table([row | percent | {"dB": "-6,5"}], ";")).entries
        assert entry.features == pytest.approx(tuple(FEATURES.values()))
        [entry] = read([row | percent]).entries  # the Kaggle file of the most streamed songs has no loudness
        assert entry.features == pytest.approx(tuple((FEATURES | {"loudness": -7.0}).values()))
        del percent["energy_%"]
        assert read([row | percent]).entries[0].features is None

    @pytest.mark.parametrize("text", ["color,shape\nred,round\n", "title\nMade-up Feast\n", "", '{"a": [{"b": 1}]}', "[1]"])
    def test_other_files_are_refused_with_what_is_read(self, read, text):
        with pytest.raises(SourceError, match=r"unknown format(.|\n)*YourLibrary\.json"):
            read(text)

    @pytest.mark.parametrize("text", ["{broken", "<plist><dict>"])
    def test_damaged_files_are_refused(self, read, text):
        with pytest.raises(SourceError, match=r"not valid JSON|not an iTunes library"):
            read(text)

    def test_a_bad_row_costs_only_itself(self, read):
        source = read('title,artist\nMade-up Feast,The Inventions\nNA,NA\nAnother,\nx,y,z\nWake,"The\nInventions"\n')
        assert names(source)[0] == ("Made-up Feast", "The Inventions")
        assert len(source.entries) == 2
        assert source.skipped.keys() == {
            "no title",
            "no artist",
            "more cells than columns: put a cell that contains the separator in quotation marks",
        }

    def test_missing_values_in_json_are_empty(self, read):
        source = read('[{"track": "Feast", "artist": "Band", "year": NaN}, {"track": NaN, "artist": null}]')
        assert names(source) == [("Feast", "Band")]
        assert source.skipped == {"no title": 1}

    def test_artist_and_title_in_one_column_are_told_apart(self, read):
        source = read("Track Name,Last Played Date\nThe Inventions - Made-up Feast,1\nBand-Aid - Wake - Live,2\n")
        assert names(source) == [("Made-up Feast", "The Inventions"), ("Wake - Live", "Band-Aid")]


class TestSpotifyIds:
    @pytest.mark.parametrize(
        "text",
        [ID, URI, f"https://open.spotify.com/track/{ID}?si=abc", f"https://open.spotify.com/intl-de/track/{ID}",
         f"open.spotify.com/embed/track/{ID}", f"spotify:user:me:track:{ID}"],
    )  # fmt: skip
    def test_ids_uris_and_links_of_tracks_are_known(self, text):
        assert track_id(text) == ID
        assert spoken_kind(text) is None

    @pytest.mark.parametrize(
        "text",
        ["", "215", "spotify:local:Me:Tape:Song:215", f"spotify:episode:{ID}", f"https://open.spotify.com/album/{ID}"],
    )
    def test_nothing_else_is_a_track(self, text):
        assert track_id(text) == ""

    def test_local_files_are_songs_by_their_names(self, read):
        rows = [
            {"Track URI": f"spotify:local:Me:Tape:{title}:215", "Track Name": title, "Artist Name(s)": "Me"}
            for title in ("Home demo", "Lullaby")
        ]
        source = read(rows)
        assert [(entry.id, entry.cells["spotify_id"]) for entry in source.entries] == [
            ("me-home-demo", ""),
            ("me-lullaby", ""),
        ]
        local = {"items": [{"track": None, "localTrack": {"uri": "spotify:local:The+Inventions:Tape:Home+%26+demo:120"}}]}
        assert names(read(json.dumps({"playlists": [local]}))) == [("Home & demo", "The Inventions")]

    @pytest.mark.parametrize(
        "text",
        [
            table([{"Track URI": "spotify:episode:x", "Track Name": "Talk", "Artist Name(s)": "Pod"}]),
            table([{"url": f"https://open.spotify.com/episode/{ID}", "title": "Talk", "artist": "Pod"}]),
            json.dumps([{"endTime": "x", "podcastName": "Pod", "episodeName": "Talk", "msPlayed": 900000}]),
            json.dumps(
                {"playlists": [{"items": [{"track": None, "episode": {"episodeName": "Talk", "showName": "Pod"}}]}]}
            ),
            json.dumps(
                [{"ms_played": 900000, "master_metadata_track_name": None, "master_metadata_album_artist_name": None,
                  "episode_name": "Talk", "spotify_episode_uri": "x"}]
            ),
        ],
    )  # fmt: skip
    def test_podcasts_are_left_out_with_the_reason(self, read, text):
        song = dict.fromkeys(("trackName", "master_metadata_track_name"), "Made-up Feast")
        song |= dict.fromkeys(("artistName", "master_metadata_album_artist_name"), "The Inventions")
        document = json.loads(text) if text.startswith(("[", "{")) else None
        if document is None:
            source = read(text)
        else:
            rows = document["playlists"][0]["items"] if isinstance(document, dict) else document
            rows.append({"track": song} if isinstance(document, dict) else {**song, "msPlayed": 60000, "ms_played": 60000})
            source = read(json.dumps(document))
            assert names(source) == [("Made-up Feast", "The Inventions")]
        [reason] = source.skipped
        assert reason.startswith("a podcast or audiobook")


class TestArtists:
    @pytest.mark.parametrize(
        ("cells", "expected"),
        [
            (["A;B", "Tyra, The Inventor", "10,000 Inventors"], [["A", "B"], ["Tyra, The Inventor"], ["10,000 Inventors"]]),
            (["A|B", "Tyra, The Inventor"], [["A", "B"], ["Tyra, The Inventor"]]),
            (["Tyra\\, The Inventor, Guest", "A, B"], [["Tyra, The Inventor", "Guest"], ["A", "B"]]),
            (["A,B", "Tyra, The Inventor,C"], [["A", "B"], ["Tyra, The Inventor", "C"]]),
            (["A, B", "10,000 Inventors, C"], [["A", "B"], ["10,000 Inventors", "C"]]),
            (["Earth, Wind & Fire", "A, Tyler, The Creator, B"], [["Earth, Wind & Fire"], ["A", "Tyler, The Creator", "B"]]),
            (["crosby, stills, nash and young"], [["crosby, stills, nash and young"]]),
            (["AC/DC", "Simon & Garfunkel"], [["AC/DC"], ["Simon & Garfunkel"]]),
            (["['A, B', \"C's\"]"], [["A, B", "C's"]]),
        ],
    )
    def test_the_separator_is_decided_for_the_file(self, read, cells, expected):
        splitter = ArtistSplitter.of_cells([(cell, None) for cell in cells])
        assert [splitter.split(cell) for cell in cells] == expected

    @pytest.mark.parametrize(
        ("cell", "count", "expected"),
        [
            ("Tyra, The Inventor", 1, ["Tyra, The Inventor"]),
            ("Tyra, The Inventor, Guest", 2, ["Tyra, The Inventor", "Guest"]),
            ("Guest, Tyra, The Inventor", 2, ["Guest", "Tyra, The Inventor"]),
            ("Sun, Moon, Guest", 2, ["Sun, Moon", "Guest"]),
            ("Guest, Sun, Moon", 2, ["Guest", "Sun, Moon"]),
            ("A, B", 2, ["A", "B"]),
        ],
    )
    def test_the_number_of_artists_decides_where_it_is_known(self, cell, count, expected):
        splitter = ArtistSplitter.of_cells([("Sun, Moon", 1), (cell, count)])
        assert splitter.split(cell, count) == expected

    def test_exportify_with_escaped_commas_and_artist_ids(self, read):
        rows = [
            exportify_row(artists="Tyra\\, The Inventor, Guest", artist_uris="spotify:artist:1, spotify:artist:2"),
            exportify_row(title="Two", artists="Salt, Sugar & Co", artist_uris="spotify:artist:3"),
        ]
        source = read([dict(zip(GERMAN, row, strict=True)) for row in rows])
        assert [artist for _, artist in names(source)] == ["Tyra, The Inventor|Guest", "Salt, Sugar & Co"]

    @pytest.mark.parametrize("ids", ["i1", ID, "spotify:artist:i1"])
    def test_the_ids_of_artists_tell_their_number(self, read, ids):
        rows = [
            {"Spotify ID": ID, "Artist IDs": ids, "Track Name": "One", "Artist Name(s)": "Sun, Moon"},
            {"Spotify ID": ID, "Artist IDs": f"{ids},{ids}", "Track Name": "Two", "Artist Name(s)": "Sun, Star"},
        ]
        assert [artist for _, artist in names(read(rows))] == ["Sun, Moon", "Sun|Star"]

    def test_a_column_of_one_artist_is_never_split_at_commas(self, read):
        assert names(read([{"title": "Song", "artist": "Salt, Sugar & Co"}])) == [("Song", "Salt, Sugar & Co")]

    def test_exportify_with_record_labels_separates_with_semicolons_only(self, read):
        row = {"Track URI": URI, "Track Name": "Song", "Artist Name(s)": "Sun, The Moon", "Record Label": "x"}
        assert names(read([row])) == [("Song", "Sun, The Moon")]


class TestLikes:
    def history(self, plays, ms=200000):
        return [{"endTime": "x", "artistName": "Band", "trackName": title, "msPlayed": ms} for title in plays]

    def test_songs_played_often_are_liked_and_those_skipped_are_left_out(self, tmp_path):
        for part, plays in enumerate((["Often", "Once", "Often"], ["Often"])):
            rows = self.history(plays) + self.history(["Skipped", "Often"], ms=5000)
            (tmp_path / f"StreamingHistory_music_{part}.json").write_text(json.dumps(rows), encoding="utf-8")
        (tmp_path / "Userdata.json").write_text('{"username": "x"}', encoding="utf-8")
        source = song_files.read_all([tmp_path])
        assert {(entry.title, entry.plays, entry.liked) for entry in source.entries} == {
            ("Often", 3, True),
            ("Once", 1, False),
        }
        assert source.skipped == {
            "played for less than 30 seconds": 4,
            "the file Userdata.json, which is in another format": 1,
        }
        assert "4 plays" in source.format

    def test_at_most_as_many_songs_are_liked_for_plays_as_taste_counts(self, read):
        rows = [{"title": f"Song {n}", "artist": "Band", "Play Count": 3 + n} for n in range(300)]
        liked = [entry for entry in read(rows).entries if entry.liked]
        assert len(liked) == 200
        assert min(entry.plays for entry in liked) == 103

    @pytest.mark.parametrize(
        ("ratings", "liked"), [((5, 4, 3), 2), ((10, 8, 7), 2), ((100, 80, 60), 2), (("4,5", "0", ""), 1)]
    )
    def test_well_rated_songs_are_liked_on_every_scale(self, read, ratings, liked):
        rows = [{"title": f"Song {n}", "artist": "Band", "Rating": rating} for n, rating in enumerate(ratings)]
        assert sum(entry.liked for entry in read(rows).entries) == liked

    def test_favorites_are_liked(self, read):
        text = "Track name,Artist name,Type\nOne,Band,Favorite\nTwo,Band,Playlist\n"
        assert [entry.liked for entry in read(text).entries] == [True, False]

    def test_an_itunes_library_gives_plays_ratings_and_no_podcasts(self, read):
        tracks = {
            "1": {"Name": "Played", "Artist": "Band", "Play Count": 12},
            "2": {"Name": "Rated", "Artist": "Band", "Rating": 100},
            "3": {"Name": "Album's rating", "Artist": "Band", "Rating": 100, "Rating Computed": True},
            "4": {"Name": "Talk", "Artist": "Pod", "Podcast": True},
        }
        source = read(plistlib.dumps({"Tracks": tracks}).decode())
        assert {entry.title for entry in source.entries if entry.liked} == {"Played", "Rated"}
        assert source.skipped == {"a podcast or audiobook, not a song": 1}


class TestNamedMoods:
    @pytest.mark.parametrize(
        "text",
        ["title,emotion\nFeast,happy\nWake,Sadness\n", "name,artist,emotion\nFeast,Band,joyful\nWake,Band,sad\n",
         "Song;Artist;Mood\nFeast;Band;HAPPY\nWake;Band;melancholic\n",
         '[{"song": "Feast", "mood": "happy"}, {"song": "Wake", "mood": "sad"}]'],
    )  # fmt: skip
    def test_lists_tagged_by_emotion_name_the_moods(self, read, text):
        feast, wake = read(text).entries
        assert EMOTIONS[int(feast.mood.argmax())] == "happy"
        assert EMOTIONS[int(wake.mood.argmax())] == "sad"

    def test_several_words_name_one_mood(self):
        assert mood_of_words(["happy", "sad"]).tolist() == mood_vector({"happy": 1, "sad": 1}).tolist()

    def test_an_unknown_word_costs_its_row(self, read):
        source = read("title,artist,emotion\nFeast,Band,happy\nWake,Band,xyzzy\n")
        assert names(source) == [("Feast", "Band")]
        assert source.skipped == {"unknown emotion 'xyzzy'": 1}

    def test_numbers_of_classes_name_no_mood(self, read):
        assert read("title,artist,mood\nFeast,Band,2\n").entries[0].mood is None
