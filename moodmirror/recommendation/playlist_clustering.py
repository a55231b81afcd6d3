"""Group songs with K-Means on audio features, and name each group with an emotion where its centroid is clearly of that.

A centroid has a mood vector like any song (:mod:`moodmirror.recommendation.song_mood`), whose shares say how near it stands
to each emotion, and a place: its valence and arousal in standard deviations of songs from the typical song. The place is
compared with the emotions' on :data:`moodmirror.emotions.CIRCUMPLEX`, whose rim then lies one standard deviation out: there
stands the mean of the third of all songs that is furthest in a direction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from scipy.cluster.vq import kmeans, vq

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, MoodVector
from moodmirror.recommendation.song_mood import POSITION_SCALE, SongMood

DEFAULT_EMOTIONS: Final = ("angry", "fear", "happy", "sad", "surprise", "neutral")
"""The emotions that name groups: disgust only on request, as hardly any song is of it."""
MIXED: Final = "mixed"  # the name of a group that stands near no emotion, or between two
MAX_GROUPS: Final = 20  # more than anybody can tell apart
N_INIT: Final = 20  # random starts of K-Means, of which the best is used
# How many times every other emotion's share that of the emotion that names a group must be. A difference that counts as none
# (ALIKE_SHARE, in one feature) changes the ratio of the two leading shares by less in 99 of 100 cases, measured with the
# centroids of 66 groups of the TidyTuesday file.
MIN_NAME_LEAD: Final = 1.25
# How much nearer to another emotion's place a group may stand than to that of the emotion that names it: a third of the
# distance between the two emotions that are nearest to each other (angry and fear, 0.3).
PLACE_TOLERANCE: Final = 0.1
# The standard deviation of each feature over the 25,824 different songs of the TidyTuesday file, in the order of
# AUDIO_FEATURES.
TYPICAL_SPREAD: Final = np.array([0.145, 0.185, 3.05, 0.104, 0.227, 0.239, 0.157, 0.235, 26.9])
# Songs, or groups, are alike where every feature differs by less than this part of its typical spread: 0.6 dB, 5 beats a
# minute, 0.03 of danceability. Below it not even a small effect begins (J. Cohen, "Statistical Power Analysis for the
# Behavioral Sciences", 1988), few people hear it, and rounded figures differ as much.
ALIKE_SHARE: Final = 0.2


class ClusterError(ValueError):
    """The songs can't be grouped as requested; the message gives the reason."""


@dataclass(frozen=True)
class Song:
    """A song to group: `features` are its nine audio features, in the order of AUDIO_FEATURES."""

    title: str
    artists: tuple[str, ...]
    spotify_id: str
    features: tuple[float, ...]

    @property
    def artist(self) -> str:
        """The names of its artists, as a reader expects them."""
        return ", ".join(self.artists)

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
    """A group of songs.

    `name` is its `emotion`, or "mixed" where that is None, with a number where several groups have the same. `songs` are
    ordered from the most typical on. `centroid` is the mean of their audio features, `place` its valence and arousal in
    standard deviations from the typical song, and `mood` its mood vector, float32 [7]. `places`, [n, 2], are the songs'.
    """

    name: str
    emotion: str | None
    songs: list[Song]
    centroid: npt.NDArray[np.float64]
    place: tuple[float, float]
    mood: MoodVector
    places: npt.NDArray[np.float64]


def cluster_songs(
    songs: Sequence[Song], k: int = 6, emotions: Sequence[str] | None = None, *, seed: int = 0
) -> list[Cluster]:
    """Group songs by K-Means on standardized audio features, and name each group by :func:`name_group`.

    Returns fewer than `k` groups if further ones would differ from each other by no more than rounding does. The groups are
    ordered as EMOTIONS, mixed ones last, larger before smaller ones.

    Raises ClusterError for an unknown emotion, an invalid `k`, fewer songs than groups, and for songs that are all alike.
    """
    names = tuple(emotions or DEFAULT_EMOTIONS)
    unknown = [emotion for emotion in names if emotion not in EMOTIONS]
    if unknown:
        raise ClusterError(f"unknown emotion {unknown[0]!r}: use {', '.join(EMOTIONS)}.")
    if not 1 <= k <= MAX_GROUPS:
        raise ClusterError(f"{k} groups are not possible: choose k from 1 to {MAX_GROUPS}.")
    if len(songs) < k:
        raise ClusterError(f"{len(songs)} songs with audio features are too few for {k} groups.")
    features = np.array([song.features for song in songs], dtype=np.float64).reshape(len(songs), -1)
    labels, distances = _group(features, k, seed)
    group_count = int(labels.max()) + 1
    if group_count < k and group_count == 1:
        raise ClusterError(
            f"These {len(songs):,} songs are alike: no audio feature differs by more than rounding does, so there are no "
            "groups among them."
        )
    mood = SongMood.load()
    centroids = np.stack([features[labels == group].mean(axis=0) for group in range(group_count)])
    places, centroid_places = (mood.positions(each) / POSITION_SCALE for each in (features, centroids))
    vectors = mood.mood_vectors(centroids)
    named: list[tuple[str | None, int]] = [
        (name_group((float(valence), float(arousal)), vectors[group], names), group)
        for group, (valence, arousal) in enumerate(centroid_places)
    ]
    sizes = np.bincount(labels)
    named.sort(key=lambda each: (EMOTIONS.index(each[0]) if each[0] else len(EMOTIONS), -sizes[each[1]]))
    counts = Counter(emotion for emotion, _ in named)
    numbers: Counter[str | None] = Counter()
    clusters = []
    for emotion, group in named:
        numbers[emotion] += 1
        members = np.flatnonzero(labels == group)
        members = members[np.argsort(distances[members], kind="stable")]
        valence, arousal = centroid_places[group]
        clusters.append(
            Cluster(
                f"{emotion or MIXED} {numbers[emotion]}" if counts[emotion] > 1 else emotion or MIXED,
                emotion,
                [songs[int(index)] for index in members],
                centroids[group],
                (float(valence), float(arousal)),
                vectors[group],
                places[members],
            )
        )
    return clusters


def name_group(place: tuple[float, float], mood: MoodVector, emotions: Sequence[str] = DEFAULT_EMOTIONS) -> str | None:
    """Return the one of `emotions` whose share of a centroid's `mood`, float32 [7], leads by :data:`MIN_NAME_LEAD`.

    None if there is none, and if the `place`, valence and arousal in the units of CIRCUMPLEX, contradicts it: if it is
    nearer to another emotion's place, or on the other side of valence, so that fear names nothing pleasant.
    """
    shares = sorted(((float(mood[EMOTIONS.index(emotion)]), emotion) for emotion in set(emotions)), reverse=True)
    share, emotion = shares[0]
    if len(shares) > 1 and share < MIN_NAME_LEAD * shares[1][0]:
        return None
    on_disc = np.array(place) / max(float(np.hypot(*place)), 1.0)  # places beyond the rim are compared by their direction
    distances = {other: float(np.hypot(*(on_disc - CIRCUMPLEX[other]))) for other in {*emotions}}
    if distances[emotion] > min(distances.values()) + PLACE_TOLERANCE or place[0] * CIRCUMPLEX[emotion][0] < 0:
        return None
    return emotion


def _group(features: npt.NDArray[np.float64], k: int, seed: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return the group of each song, intp [n], and its distance to the group's centroid, float64 [n]."""
    smallest = ALIKE_SHARE * TYPICAL_SPREAD
    # A feature that differs by rounding only is not stretched to the same spread as the others.
    standardized = features / np.maximum(features.std(axis=0), smallest)
    if (features.std(axis=0) < smallest).all():
        k = 1
    for count in range(k, 0, -1):
        centroids = kmeans(standardized, count, iter=N_INIT, rng=np.random.default_rng(seed))[0]
        labels, distances = vq(standardized, centroids)
        used, labels = np.unique(labels, return_inverse=True)
        middles = np.stack([features[labels == group].mean(axis=0) for group in range(len(used))])
        differences = np.abs(middles[:, np.newaxis] - middles) / smallest
        np.fill_diagonal(largest := differences.max(axis=2), np.inf)
        if len(used) == count and (largest >= 1).all():
            return labels, distances
    raise AssertionError("one group always differs from no other")
