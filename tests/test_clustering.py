"""Tests of `flask cluster songs`: grouping, naming, and the files in the folder of playlists."""

import csv
import json

import numpy as np
import pytest

from moodmirror.app_factory import create_app
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, mood_vector
from moodmirror.recommendation.catalogue import read_table
from moodmirror.recommendation.playlist_clustering import (
    DEFAULT_EMOTIONS,
    MIN_NAME_LEAD,
    TYPICAL_SPREAD,
    ClusterError,
    Song,
    cluster_songs,
    name_group,
)
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

pytestmark = pytest.mark.unit

FESTIVE = (0.85, 0.9, -4.0, 0.06, 0.05, 0.0, 0.1, 0.95, 124.0)
MOURNFUL = (0.3, 0.1, -18.0, 0.06, 0.95, 0.0, 0.1, 0.08, 72.0)
DARK = (0.3, 0.97, -2.5, 0.06, 0.05, 0.0, 0.1, 0.1, 165.0)
KINDS = {"festive": FESTIVE, "mournful": MOURNFUL, "dark": DARK}


def led_by(emotion, times):
    """Return a mood vector in which an emotion's share is so many times each other's."""
    return mood_vector({**dict.fromkeys(EMOTIONS, 1), emotion: times})


def songs_around(middle, count=12, spread=0.02, name="made-up"):
    generator = np.random.default_rng(5)
    middle = np.array(middle)
    return [
        Song(
            f"{name} {number}",
            (f"Band, {name}",),
            f"{name}{number}",
            tuple(middle * (1 + spread * generator.normal(size=9))),
        )
        for number in range(count)
    ]


@pytest.fixture
def some_songs():
    return [song for name, middle in KINDS.items() for song in songs_around(middle, name=name)]


class TestNames:
    def test_distinct_groups_are_found_and_named(self, some_songs):
        clusters = {cluster.name: cluster for cluster in cluster_songs(some_songs, 3)}
        for emotion, kind in (("happy", "festive"), ("sad", "mournful"), ("surprise", "dark")):
            assert {song.title.split()[0] for song in clusters[emotion].songs} == {kind}

    def test_a_clear_lead_at_the_emotions_own_place_names_it(self):
        for emotion in EMOTIONS:
            assert name_group(CIRCUMPLEX[emotion], led_by(emotion, MIN_NAME_LEAD + 0.01), EMOTIONS) == emotion

    def test_a_smaller_lead_leaves_the_group_mixed(self):
        for emotion in EMOTIONS:
            assert name_group(CIRCUMPLEX[emotion], led_by(emotion, MIN_NAME_LEAD - 0.01), EMOTIONS) is None

    def test_a_place_that_contradicts_leaves_the_group_mixed(self):
        for valence, arousal in np.mgrid[-2:2.01:0.1, -2:2.01:0.1].reshape(2, -1).T:
            for emotion in DEFAULT_EMOTIONS:
                named = name_group((valence, arousal), led_by(emotion, 9))
                assert named in (emotion, None)
                if named and emotion != "neutral":
                    assert valence * CIRCUMPLEX[emotion][0] >= 0
        assert name_group(CIRCUMPLEX["sad"], led_by("happy", 9)) is None
        assert name_group((0.05, 0.8), led_by("fear", 9)) is None
        assert name_group((-0.05, 0.8), led_by("fear", 9)) == "fear"

    def test_groups_of_the_same_emotion_are_numbered_and_no_song_is_lost(self, some_songs):
        for k in (1, 6, 8):
            clusters = cluster_songs(some_songs, k)
            names = [cluster.name for cluster in clusters]
            assert len(set(names)) == len(names)
            for cluster in clusters:
                assert cluster.name.split()[0] == (cluster.emotion or "mixed")
            assert sorted(s.title for cluster in clusters for s in cluster.songs) == sorted(s.title for s in some_songs)

    def test_only_the_given_emotions_name_groups(self, some_songs):
        assert {c.emotion for c in cluster_songs(some_songs, 3, ["happy", "sad"])} <= {"happy", "sad", None}


class TestGroups:
    @pytest.mark.parametrize(
        "songs",
        [
            songs_around(FESTIVE, spread=0),
            songs_around(FESTIVE, spread=1e-9),
            songs_around(FESTIVE, spread=0.005),
            [Song(f"{n}", ("B",), "", tuple(np.round(np.array(DARK) * (1 + 0.002 * (n % 3)), 2))) for n in range(30)],
        ],
        ids=["constant", "floating point", "noise", "rounded"],
    )
    @pytest.mark.parametrize("k", [2, 6, 7])
    def test_alike_songs_make_no_groups(self, songs, k):
        with pytest.raises(ClusterError, match="songs are alike"):
            cluster_songs(songs, k)

    def test_no_more_groups_than_differ(self, some_songs):
        tight = [song for middle in (FESTIVE, MOURNFUL) for song in songs_around(middle, spread=0.002, name=str(middle[0]))]
        assert sorted(len(cluster.songs) for cluster in cluster_songs(tight, 6)) == [12, 12]

    def test_a_feature_that_differs_by_rounding_does_not_group(self):
        """Half of the songs have the liveness 0.100 and half 0.105, across two groups that differ in everything else."""
        songs = [
            Song(f"{kind} {number}", ("B",), "", (*middle[:6], 0.1 + 0.005 * (number % 2), *middle[7:]))
            for kind, middle in (("festive", FESTIVE), ("mournful", MOURNFUL))
            for number in range(20)
        ]
        groups = [{song.title.split()[0] for song in cluster.songs} for cluster in cluster_songs(songs, 2)]
        assert sorted(groups, key=str) == [{"festive"}, {"mournful"}]

    @pytest.mark.parametrize(
        ("k", "emotions", "words"), [(21, None, "21 groups"), (0, None, "0 groups"), (1, ["bored"], "bored")]
    )
    def test_impossible_requests_are_rejected(self, some_songs, k, emotions, words):
        with pytest.raises(ClusterError, match=words):
            cluster_songs(some_songs, k, emotions)

    def test_fewer_songs_than_groups_are_rejected(self, some_songs):
        with pytest.raises(ClusterError, match="2 songs with audio features are too few for 6 groups"):
            cluster_songs(some_songs[:2])

    def test_the_typical_spread_belongs_to_the_features(self):
        assert len(TYPICAL_SPREAD) == len(AUDIO_FEATURES)


@pytest.fixture
def flask(tmp_path):
    """Run a `flask` command of an app with its own instance folder."""

    def run(*arguments):
        app = create_app(Config(camera=CameraSource("off", "off"), instance=tmp_path / "instance"))
        return app.test_cli_runner().invoke(args=list(map(str, arguments)))

    return run


@pytest.fixture
def file(tmp_path, some_songs):
    return write_songs(tmp_path / "songs.csv", some_songs)


def write_songs(path, songs, **changes):
    with path.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(["track_id", "track_name", "track_artist", *AUDIO_FEATURES])
        writer.writerows([song.spotify_id, song.title, song.artist, *song.features] for song in songs)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def playlists(*groups):
    return sorted(["centroids.csv", "clusters.png", *(f"{g}.{form}" for g in groups for form in ("m3u", "csv", "jspf"))])


class TestCommand:
    def test_playlists_contain_the_songs(self, flask, some_songs, tmp_path):
        odd = Song('Odd, "one"\nmore', ("Ärtist",), "", FESTIVE)
        done = flask(
            "cluster", "songs", write_songs(tmp_path / "s.csv", [*some_songs, odd]), "--k", 2, "--out", tmp_path / "l"
        )
        assert done.exit_code == 0, done.output
        titles = []
        for path in (tmp_path / "l").glob("*.jspf"):
            playlist = json.loads(path.read_text(encoding="utf-8"))["playlist"]
            own = [track["title"] for track in playlist["track"]]
            with path.with_suffix(".csv").open(encoding="utf-8", newline="") as output:
                assert [row["title"] for row in csv.DictReader(output)] == own
            lines = path.with_suffix(".m3u").read_text(encoding="utf-8").splitlines()
            assert lines[0] == "#EXTM3U"
            assert len(lines) == 2 + 2 * len(own)
            assert all(line.startswith("https://open.spotify.com/") for line in lines[3::2])
            titles += own
        assert sorted(titles) == sorted(song.title for song in (*some_songs, odd))
        assert (tmp_path / "l" / "clusters.png").read_bytes().startswith(b"\x89PNG")

    def test_a_playlist_imports_as_a_list_of_its_emotion(self, flask, tmp_path):
        groups = (songs_around(FESTIVE, name="festive"), songs_around(MOURNFUL, name="mournful"))
        with (tmp_path / "songs.csv").open("w", newline="") as output:
            writer = csv.writer(output)
            writer.writerow(["Track URI", "Track Name", "Artist Name(s)", *map(str.capitalize, AUDIO_FEATURES)])
            for number, song in enumerate((*groups[0], *groups[1])):
                writer.writerow([f"spotify:track:{number:022}", song.title, "Tyler, The Creator;A Guest", *song.features])
        flask("cluster", "songs", tmp_path / "songs.csv", "--k", 2, "--out", tmp_path / "lists")
        done = flask("import", "songs", tmp_path / "lists" / "happy.csv")
        assert "12 added" in done.output, done.output
        for item in read_table(tmp_path / "instance" / "catalogue" / "songs.csv", "songs", imported=True):
            assert item.title.startswith("festive")
            assert item.facts["artist"] == "Tyler, The Creator|A Guest"
            assert EMOTIONS[int(item.vector.argmax())] == "happy"

    def test_each_centroid_is_printed_in_aligned_columns_and_written(self, flask, file, tmp_path):
        done = flask("cluster", "songs", file, "--k", 3, "--out", tmp_path / "lists")
        start = done.output.index("centroid of")
        table = done.output[start : done.output.index("\n\n", start)].splitlines()
        assert table[0].split()[2:] == ["happy", "sad", "surprise"]
        assert len(table) == 1 + len(AUDIO_FEATURES) + 2 + len(EMOTIONS)
        assert len({len(line) for line in table}) == 1
        cells = {line[:22].strip(): line[22:].split() for line in table[1:]}
        assert float(cells["tempo (beats/min)"][0]) == pytest.approx(124, rel=0.05)
        assert float(cells["mood valence"][0]) > 1 > -1 > float(cells["mood valence"][1])
        with (tmp_path / "lists" / "centroids.csv").open(encoding="utf-8", newline="") as output:
            rows = {row["group"]: row for row in csv.DictReader(output)}
        assert float(rows["happy"]["audio_tempo"]) == pytest.approx(124, rel=0.05)
        assert rows["sad"]["songs"] == "12"
        assert sum(float(rows["sad"][f"share_{emotion}"]) for emotion in EMOTIONS) == pytest.approx(1, abs=0.01)

    def test_the_imported_songs_are_grouped_without_a_file(self, flask, file, tmp_path):
        none = flask("cluster", "songs", "--out", tmp_path / "lists")
        assert none.exit_code == 1
        assert "flask import songs FILE" in none.output
        flask("import", "songs", file)
        assert "12 songs" in flask("cluster", "songs", "--k", 3, "--out", tmp_path / "lists").output

    def test_songs_without_features_are_counted(self, flask, some_songs, tmp_path):
        file = write_songs(tmp_path / "songs.csv", some_songs)
        with file.open("a", encoding="utf-8") as output:
            output.write("s1,Silence,A Band,0.85,0.9,-4.0,0.06,0.05,0.0,0.1,0.95,\n")
        done = flask("cluster", "songs", file, "--k", 2, "--out", tmp_path / "lists")
        assert "Left out, without audio features: 1." in done.output

    def test_alike_songs_are_said_to_be_alike(self, flask, tmp_path):
        file = write_songs(tmp_path / "songs.csv", songs_around(FESTIVE, spread=1e-4))
        done = flask("cluster", "songs", file, "--k", 2, "--out", tmp_path / "lists")
        assert done.exit_code == 1
        assert "12 songs are alike" in done.output
        assert not (tmp_path / "lists").exists()

    def test_fewer_groups_than_asked_are_explained(self, flask, tmp_path):
        tight = [song for middle in (FESTIVE, MOURNFUL) for song in songs_around(middle, spread=0.002, name=str(middle[0]))]
        done = flask("cluster", "songs", write_songs(tmp_path / "s.csv", tight), "--k", 4, "--out", tmp_path / "lists")
        assert "Not 4 groups but 2" in done.output


class TestPlaylistFolder:
    def test_an_earlier_runs_playlists_are_replaced_and_nothing_else(self, flask, file, tmp_path):
        folder = tmp_path / "lists"
        flask("cluster", "songs", file, "--k", 3, "--out", folder)
        assert names(folder) == playlists("happy", "sad", "surprise")
        (folder / "my own.csv").write_text("title,artist,uri,emotion\n")
        (folder / "notes.m3u").write_text("#EXTM3U\n")
        done = flask("cluster", "songs", file, "--k", 1, "--out", folder)
        assert "Deleted" in done.output
        assert "surprise.csv" in done.output
        [group] = {path.stem for path in folder.glob("*.jspf")}
        assert names(folder) == sorted([*playlists(group), "my own.csv", "notes.m3u"])

    def test_playlists_that_the_user_changed_stay(self, flask, file, tmp_path):
        folder = tmp_path / "lists"
        flask("cluster", "songs", file, "--k", 3, "--out", folder)
        with (folder / "surprise.m3u").open("a") as output:
            output.write("#EXTINF:-1,Mine\nmine.mp3\n")
        done = flask("cluster", "songs", file, "--k", 1, "--out", folder)
        assert "Kept in" in done.output
        assert "mine.mp3" in (folder / "surprise.m3u").read_text()
        assert not (folder / "surprise.csv").exists()

    def test_a_file_of_the_users_is_not_overwritten(self, flask, file, tmp_path):
        folder = tmp_path / "lists"
        folder.mkdir()
        (folder / "happy.csv").write_text("mine")
        done = flask("cluster", "songs", file, "--k", 3, "--out", folder)
        assert done.exit_code == 1
        assert "happy.csv is not a file of an earlier run" in done.output
        assert names(folder) == ["happy.csv"]
        assert (folder / "happy.csv").read_text() == "mine"

    def test_the_same_run_again_changes_nothing(self, flask, file, tmp_path):
        folder = tmp_path / "lists"
        flask("cluster", "songs", file, "--k", 3, "--out", folder)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        done = flask("cluster", "songs", file, "--k", 3, "--out", folder)
        assert "Deleted" not in done.output
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def test_playlists_of_a_version_without_a_manifest_are_recognized_by_their_creator(self, flask, file, tmp_path):
        folder = tmp_path / "lists"
        folder.mkdir()
        for creator, name in (("Mood Mirror", "disgust"), ("Mood Mirror", "happy"), ("Somebody", "fear")):
            content = {"playlist": {"title": name, "creator": creator, "track": []}}
            (folder / f"{name}.jspf").write_text(json.dumps(content))
            (folder / f"{name}.m3u").write_text("#EXTM3U\n")
        done = flask("cluster", "songs", file, "--k", 3, "--out", folder)
        assert done.exit_code == 0, done.output
        assert names(folder) == sorted([*playlists("happy", "sad", "surprise"), "fear.jspf", "fear.m3u"])
