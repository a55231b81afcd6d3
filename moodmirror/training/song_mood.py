"""Learn a song's mood from audio features, and measure it.

``python -m moodmirror.training.song_mood --data PATH`` fits the weights of :mod:`moodmirror.recommendation.song_mood` and
writes them beside it; with ``--evaluate`` it only measures. PATH is a folder with

- ``songs_pmemo_joined_spotify.csv``: people's mean valence ``v`` and arousal ``a``, 0…1, beside audio features;
- ``songs_mood_labelled.csv``: songs with one ``mood``: Calm, Energetic, Happy or Sad.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from moodmirror.recommendation.song_mood import AUDIO_FEATURES, LABELS, WEIGHTS_PATH, LinearModel, SongMood
from moodmirror.training.corpora import CorpusError

RATED: Final = "songs_pmemo_joined_spotify.csv"
LABELLED: Final = "songs_mood_labelled.csv"
SOURCES: Final = (
    "PMEmo (K. Zhang et al., ICMR 2018), joined with Spotify's audio features: valence and arousal of 375 songs",
    "songs_mood_labelled.csv, 313 songs with one of four labels",
)
ALPHAS: Final = np.logspace(0, 3.5, 12)  # penalties of the ridge; each fold chooses its own by leave-one-out
RATING_FOLDS: Final = 10
LABEL_FOLDS: Final = 5
SEEDS: Final = 10  # folds are drawn so often: one draw alone may be lucky


@dataclass(frozen=True)
class Songs:
    """Songs that people judged.

    `rated` [n, 9] have people's `affect` [n, 2], and `tracks` [n] tells which rows are one recording; `labelled` [m, 9]
    have `labels`, indices into LABELS [m].
    """

    rated: npt.NDArray[np.float64]
    affect: npt.NDArray[np.float64]
    tracks: npt.NDArray[np.int_]
    labelled: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int_]

    @classmethod
    def read(cls, folder: Path) -> "Songs":
        """Read both tables. Raises CorpusError if one is missing or lacks a column."""
        rated, labelled = _table(folder / RATED, "v", "a", "track_id"), _table(folder / LABELLED, "mood")
        return cls(
            rated[list(AUDIO_FEATURES)].to_numpy(float),
            rated[["v", "a"]].to_numpy(float),
            pd.factorize(rated["track_id"])[0].astype(np.int_),
            labelled[list(AUDIO_FEATURES)].to_numpy(float),
            np.array([LABELS.index(label) for label in labelled["mood"]]),
        )


def _table(path: Path, *columns: str) -> pd.DataFrame:
    if not path.is_file():
        raise CorpusError(f"{path} is missing: --data must name the folder that holds it.")
    table = pd.read_csv(path)
    missing = [column for column in (*columns, *AUDIO_FEATURES) if column not in table]
    if missing:
        raise CorpusError(f"{path} has no column {', '.join(missing)}.")
    return table


def fit_affect(features: npt.NDArray[np.float64], answers: npt.NDArray[np.float64]) -> LinearModel:
    """Ridge regressions on standardised features, one for each column of `answers` [n, 2]."""
    fitted = [make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(features, column) for column in answers.T]
    return _joined([_linear(pipeline) for pipeline in fitted])


def fit_labels(features: npt.NDArray[np.float64], labels: npt.NDArray[np.int_]) -> LinearModel:
    """A multinomial logistic regression on standardised features."""
    return _linear(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, labels))


def _linear(pipeline: Any) -> LinearModel:
    """A scaler and a linear model as one linear mapping."""
    scaler, model = pipeline[0], pipeline[1]
    weights = np.atleast_2d(model.coef_).T / scaler.scale_[:, np.newaxis]
    return LinearModel(weights, np.atleast_1d(model.intercept_) - scaler.mean_ @ weights)


def _joined(parts: list[LinearModel]) -> LinearModel:
    return LinearModel(np.hstack([part.weights for part in parts]), np.concatenate([part.bias for part in parts]))


def fit(songs: Songs) -> SongMood:
    """The mapping, from all songs."""
    affect = fit_affect(songs.rated, songs.affect)
    answers = affect(songs.rated)
    seen = np.vstack([songs.rated, songs.labelled])
    return SongMood(
        affect=affect,
        labels=fit_labels(songs.labelled, songs.labels),
        typical=answers.mean(axis=0),
        deviation=answers.std(axis=0),
        least=seen.min(axis=0),
        most=seen.max(axis=0),
    )


def measure(songs: Songs) -> dict[str, float]:
    """What the mapping is worth on songs it was not fitted on, and what Spotify's own figures are; means over the seeds.

    Ratings: Spearman's correlation of all songs' predictions with people's, ten folds, a recording never on both sides.
    Labels: the share that is right, five folds, each with its part of every label; Spotify's own are the quadrants of
    valence and energy.
    """
    energy, valence = (AUDIO_FEATURES.index(name) for name in ("energy", "valence"))
    ratings, right = [], []
    for seed in range(SEEDS):
        predicted = np.empty_like(songs.affect)
        for train, test in GroupKFold(RATING_FOLDS, shuffle=True, random_state=seed).split(songs.rated, groups=songs.tracks):
            predicted[test] = fit_affect(songs.rated[train], songs.affect[train])(songs.rated[test])
        ratings.append([_rank_correlation(predicted[:, column], songs.affect[:, column]) for column in range(2)])
        chosen = np.empty_like(songs.labels)
        folds = StratifiedKFold(LABEL_FOLDS, shuffle=True, random_state=seed)
        for train, test in folds.split(songs.labelled, songs.labels):
            chosen[test] = fit_labels(songs.labelled[train], songs.labels[train])(songs.labelled[test]).argmax(axis=1)
        right.append(float((chosen == songs.labels).mean()))
    quadrants = {(False, False): "Sad", (True, False): "Calm", (True, True): "Happy", (False, True): "Energetic"}
    guessed = [LABELS.index(quadrants[row[valence] > 0.5, row[energy] > 0.5]) for row in songs.labelled]
    return {
        "valence, ours": float(np.mean([valences for valences, _ in ratings])),
        "valence, Spotify's": _rank_correlation(songs.rated[:, valence], songs.affect[:, 0]),
        "arousal, ours": float(np.mean([arousals for _, arousals in ratings])),
        "arousal, Spotify's energy": _rank_correlation(songs.rated[:, energy], songs.affect[:, 1]),
        "labels, ours": float(np.mean(right)),
        "labels, quadrants of Spotify's": float((np.array(guessed) == songs.labels).mean()),
    }


def _rank_correlation(ours: npt.NDArray[np.float64], theirs: npt.NDArray[np.float64]) -> float:
    return float(spearmanr(ours, theirs).statistic)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with both tables")
    parser.add_argument("--evaluate", action="store_true", help="only print the figures of the cross-validation")
    parser.add_argument("--output", type=Path, default=WEIGHTS_PATH, help="where the weights go (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        songs = Songs.read(options.data)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    figures = measure(songs)
    for name, value in figures.items():
        print(f"{name:34}{value:6.3f}")
    if not options.evaluate:
        stored = {
            "sources": list(SOURCES),
            "features": list(AUDIO_FEATURES),
            "label_names": list(LABELS),
            "measured": {name: round(value, 3) for name, value in figures.items()},
            **fit(songs).to_json(),
        }
        options.output.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
