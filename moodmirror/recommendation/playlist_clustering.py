"""Group a person's own songs by how they sound, name each group with an emotion, and write a playlist of each.

Opened by the commands alone: scikit-learn takes a second, and the server needs none of this.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.song_mood import SongMood

DEFAULT_EMOTIONS: Final = ("fear", "happy", "angry", "surprise", "sad", "neutral")
STARTS: Final = 10  # K-Means is started so often, and the best kept
PLAYLIST_COLUMNS: Final = ("title", "artist", "uri", "emotion")


class ClusterError(ValueError):
    """The songs can't be grouped as asked; the message says why."""


@dataclass(frozen=True)
class Song:
    """A song to group: `features` are its nine audio features, in the order of AUDIO_FEATURES."""

    title: str
    artist: str
    spotify_id: str
    features: tuple[float, ...]

    @property
    def uri(self) -> str:
        """Spotify's name for it; empty if that is not known."""
        return f"spotify:track:{self.spotify_id}" if self.spotify_id else ""

    @property
    def address(self) -> str:
        """Where to open it: its page, or else a search for it."""
        where = f"track/{self.spotify_id}" if self.spotify_id else f"search/{quote(f'{self.artist} {self.title}', safe='')}"
        return f"https://open.spotify.com/{where}"


@dataclass(frozen=True)
class Cluster:
    """A group of songs, named with an `emotion`, the most typical first; their `places`, [n, 2], on the circumplex."""

    emotion: str
    songs: list[Song]
    places: npt.NDArray[np.float64]


def cluster_songs(
    songs: Sequence[Song], k: int = 6, emotions: Sequence[str] | None = None, *, seed: int = 0
) -> list[Cluster]:
    """Group songs by K-Means on standardised audio features, and name each group with one of the `emotions`.

    A group's emotion is the one that its centroid stands for more than the other centroids do: the mood of the centroid,
    standardised over all songs' moods, for otherwise the commonest emotion would name every group. No two groups bear one
    name; which gets which is the assignment of the greatest sum (H. W. Kuhn, Naval Research Logistics Quarterly 2, 1955).
    By default there are six emotions, and disgust is the seventh. Groups come in the order of EMOTIONS.

    Raises ClusterError if there are fewer different songs than groups, or fewer emotions.
    """
    named = tuple(emotions or (DEFAULT_EMOTIONS if k <= len(DEFAULT_EMOTIONS) else EMOTIONS))
    unknown = [emotion for emotion in named if emotion not in EMOTIONS]
    if unknown:
        raise ClusterError(f"unknown emotion {unknown[0]!r}: use {', '.join(EMOTIONS)}.")
    if not 1 <= k <= len(named):
        raise ClusterError(f"{k} groups can't bear {len(named)} names: choose k from 1 to {len(named)}.")
    features = np.array([song.features for song in songs], dtype=np.float64).reshape(len(songs), -1)
    if len(np.unique(features, axis=0)) < k:
        raise ClusterError(f"{len(songs)} songs with audio features are too few for {k} groups.")
    mood = SongMood.load()
    scaler = StandardScaler().fit(features)
    means = KMeans(k, n_init=STARTS, random_state=seed).fit(scaler.transform(features))
    vectors = mood.vectors(features)
    centroids = mood.vectors(scaler.inverse_transform(means.cluster_centers_))
    spread = np.maximum(vectors.std(axis=0), 1e-6)
    stands_for = ((centroids - vectors.mean(axis=0)) / spread)[:, [EMOTIONS.index(emotion) for emotion in named]]
    rows, columns = linear_sum_assignment(stands_for, maximize=True)
    places = mood.places(features)
    distances = np.linalg.norm(scaler.transform(features) - means.cluster_centers_[means.labels_], axis=1)
    clusters = []
    for row, column in zip(rows, columns, strict=True):
        members = np.flatnonzero(means.labels_ == row)
        members = members[np.argsort(distances[members], kind="stable")]
        clusters.append(Cluster(named[column], [songs[int(index)] for index in members], places[members]))
    return sorted(clusters, key=lambda cluster: EMOTIONS.index(cluster.emotion))


def write_playlists(clusters: Sequence[Cluster], folder: Path) -> list[Path]:
    """Write each group as a playlist in three forms, M3U, CSV and JSPF (JSON XSPF); returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for cluster in clusters:
        path = folder / f"{cluster.emotion}.m3u"
        lines = ["#EXTM3U", f"#PLAYLIST:{cluster.emotion}"]
        for song in cluster.songs:
            lines += [f"#EXTINF:-1,{_line(song.artist)} - {_line(song.title)}", song.address]  # -1: length unknown
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        written.append(path)

        path = folder / f"{cluster.emotion}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(PLAYLIST_COLUMNS)
            writer.writerows([song.title, song.artist, song.uri, cluster.emotion] for song in cluster.songs)
        written.append(path)

        path = folder / f"{cluster.emotion}.jspf"
        tracks = [
            {
                "title": song.title,
                "creator": song.artist,
                "location": [song.address],
                **({"identifier": [song.uri]} if song.uri else {}),
            }
            for song in cluster.songs
        ]
        playlist = {"playlist": {"title": cluster.emotion, "creator": "Mood Mirror", "track": tracks}}
        path.write_text(json.dumps(playlist, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def draw_clusters(clusters: Sequence[Cluster], path: Path) -> None:
    """Draw the songs on the circumplex of affect, coloured by group, as a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # takes a second, and only a picture needs it

    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    for number, cluster in enumerate(clusters):
        colour = f"C{number}"
        axes.scatter(cluster.places[:, 0], cluster.places[:, 1], s=12, color=colour, alpha=0.4, linewidths=0)
        middle = cluster.places.mean(axis=0)
        axes.annotate(
            f"{cluster.emotion} ({len(cluster.songs)})",
            (float(middle[0]), float(middle[1])),
            ha="center",
            weight="bold",
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": colour},
        )
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel="valence: bleak … bright", ylabel="arousal: calm … stirring")
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.axvline(0, color="grey", linewidth=0.5)
    axes.set_title("Songs by how they sound, each group named with the emotion it stands for")
    figure.savefig(path, dpi=110)


def _line(text: str) -> str:
    return " ".join(text.split())
