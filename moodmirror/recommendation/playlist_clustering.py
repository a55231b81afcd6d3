"""Group songs with K-Means on audio features, name each group with an emotion, and write a playlist of each.

Imported only by commands: importing scikit-learn takes a second, and the server does not need it.
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
N_INIT: Final = 10  # starts of K-Means, of which the best is used
PLAYLIST_COLUMNS: Final = ("title", "artist", "uri", "emotion")


class ClusterError(ValueError):
    """The songs can't be grouped as requested; the message gives the reason."""


@dataclass(frozen=True)
class Song:
    """A song to group: `features` are its nine audio features, in the order of AUDIO_FEATURES."""

    title: str
    artist: str
    spotify_id: str
    features: tuple[float, ...]

    @property
    def uri(self) -> str:
        """The song's Spotify URI; empty if its id is unknown."""
        return f"spotify:track:{self.spotify_id}" if self.spotify_id else ""

    @property
    def url(self) -> str:
        """The song's Spotify page, or a search for it if its id is unknown."""
        path = f"track/{self.spotify_id}" if self.spotify_id else f"search/{quote(f'{self.artist} {self.title}', safe='')}"
        return f"https://open.spotify.com/{path}"


@dataclass(frozen=True)
class Cluster:
    """A group of songs, named with an `emotion`, the most typical first; their `positions`, [n, 2], on the circumplex."""

    emotion: str
    songs: list[Song]
    positions: npt.NDArray[np.float64]


def cluster_songs(
    songs: Sequence[Song], k: int = 6, emotions: Sequence[str] | None = None, *, seed: int = 0
) -> list[Cluster]:
    """Group songs by K-Means on standardized audio features, and name each group with one of the `emotions`.

    A group is named with the emotion that is most distinctive of its centroid: the centroid's mood is standardized over all
    songs' moods, because otherwise the commonest emotion would name every group. Names are unique; they are assigned for the
    greatest sum (H. W. Kuhn, Naval Research Logistics Quarterly 2, 1955). By default there are six emotions, and disgust is
    the seventh. Groups are ordered as EMOTIONS.

    Raises ClusterError if there are fewer distinct songs than groups, or fewer emotions.
    """
    names = tuple(emotions or (DEFAULT_EMOTIONS if k <= len(DEFAULT_EMOTIONS) else EMOTIONS))
    unknown = [emotion for emotion in names if emotion not in EMOTIONS]
    if unknown:
        raise ClusterError(f"unknown emotion {unknown[0]!r}: use {', '.join(EMOTIONS)}.")
    if not 1 <= k <= len(names):
        raise ClusterError(f"{k} groups can't be named with {len(names)} emotions: choose k from 1 to {len(names)}.")
    features = np.array([song.features for song in songs], dtype=np.float64).reshape(len(songs), -1)
    if len(np.unique(features, axis=0)) < k:
        raise ClusterError(f"{len(songs)} songs with audio features are too few for {k} groups.")
    mood = SongMood.load()
    scaler = StandardScaler().fit(features)
    means = KMeans(k, n_init=N_INIT, random_state=seed).fit(scaler.transform(features))
    vectors = mood.mood_vectors(features)
    centroids = mood.mood_vectors(scaler.inverse_transform(means.cluster_centers_))
    spread = np.maximum(vectors.std(axis=0), 1e-6)
    distinctiveness = ((centroids - vectors.mean(axis=0)) / spread)[:, [EMOTIONS.index(emotion) for emotion in names]]
    rows, columns = linear_sum_assignment(distinctiveness, maximize=True)
    positions = mood.positions(features)
    distances = np.linalg.norm(scaler.transform(features) - means.cluster_centers_[means.labels_], axis=1)
    clusters = []
    for row, column in zip(rows, columns, strict=True):
        members = np.flatnonzero(means.labels_ == row)
        members = members[np.argsort(distances[members], kind="stable")]
        clusters.append(Cluster(names[column], [songs[int(index)] for index in members], positions[members]))
    return sorted(clusters, key=lambda cluster: EMOTIONS.index(cluster.emotion))


def write_playlists(clusters: Sequence[Cluster], folder: Path) -> list[Path]:
    """Write each group as a playlist in three formats, M3U, CSV and JSPF (JSON XSPF); returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for cluster in clusters:
        path = folder / f"{cluster.emotion}.m3u"
        lines = ["#EXTM3U", f"#PLAYLIST:{cluster.emotion}"]
        for song in cluster.songs:
            lines += [f"#EXTINF:-1,{_one_line(song.artist)} - {_one_line(song.title)}", song.url]  # -1: length unknown
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
                "location": [song.url],
                **({"identifier": [song.uri]} if song.uri else {}),
            }
            for song in cluster.songs
        ]
        playlist = {"playlist": {"title": cluster.emotion, "creator": "Mood Mirror", "track": tracks}}
        path.write_text(json.dumps(playlist, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        written.append(path)
    return written


def draw_clusters(clusters: Sequence[Cluster], path: Path) -> None:
    """Draw the songs on the circumplex of affect, colored by group, as a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415  # importing it takes a second, and only this picture needs it

    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    for number, cluster in enumerate(clusters):
        color = f"C{number}"
        axes.scatter(cluster.positions[:, 0], cluster.positions[:, 1], s=12, color=color, alpha=0.4, linewidths=0)
        middle = cluster.positions.mean(axis=0)
        axes.annotate(
            f"{cluster.emotion} ({len(cluster.songs)})",
            (float(middle[0]), float(middle[1])),
            ha="center",
            weight="bold",
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": color},
        )
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xlabel="valence: bleak … bright", ylabel="arousal: calm … stirring")
    axes.axhline(0, color="gray", linewidth=0.5)
    axes.axvline(0, color="gray", linewidth=0.5)
    axes.set_title("Songs grouped by audio features, each group named with its most distinctive emotion")
    figure.savefig(path, dpi=110)


def _one_line(text: str) -> str:
    return " ".join(text.split())
