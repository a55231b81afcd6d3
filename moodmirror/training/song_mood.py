"""Fit and evaluate the models that predict the mood of a song from its audio features.

``python -m moodmirror.training.song_mood --data PATH`` fits the weights of :mod:`moodmirror.recommendation.song_mood` and
writes them beside it; with ``--evaluate`` it only prints the metrics. PATH is a folder with

- ``songs_pmemo_joined_spotify.csv``: audio features with people's mean valence ``v`` and arousal ``a``, 0…1;
- ``songs_mood_labelled.csv``: audio features with a ``mood``: Calm, Energetic, Happy or Sad.
"""

import argparse
import json
import sys
from collections import Counter
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
from moodmirror.training.corpora import CorpusError, left_out_note, read_table, require_classes, require_columns
from moodmirror.training.progress import QUICK_NOTICE

RATED_TABLE: Final = "songs_pmemo_joined_spotify.csv"
LABELED_TABLE: Final = "songs_mood_labelled.csv"
SOURCES: Final = (
    "PMEmo (K. Zhang et al., ICMR 2018), joined with Spotify's audio features: valence and arousal of 375 songs",
    "songs_mood_labelled.csv, 313 songs with one of four labels",
)
RIDGE_PENALTIES: Final = np.logspace(0, 3.5, 12)  # each fold selects its own by leave-one-out
RATING_FOLDS: Final = 10
LABEL_FOLDS: Final = 5
QUICK_WEIGHTS_PATH: Final = Path("runs/song_mood-quick.json")
FOLD_DRAWS: Final = 10  # the metrics are means over several random draws of the folds, because a single one varies


@dataclass(frozen=True)
class Songs:
    """The audio features of songs with people's ratings and labels.

    `rated` [n, 9] are the features of songs with people's valence and arousal, `affect` [n, 2]; equal `tracks` [n] mark rows
    of the same recording. `labeled` [m, 9] are the features of songs with `labels` [m], indices into LABELS.
    """

    rated: npt.NDArray[np.float64]
    affect: npt.NDArray[np.float64]
    tracks: npt.NDArray[np.int_]
    labeled: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int_]

    @classmethod
    def read(cls, folder: Path) -> "Songs":
        """Read both tables. Raises CorpusError if one is missing or lacks a column."""
        rated = _table(folder / RATED_TABLE, "v", "a", "track_id")
        labeled = _table(folder / LABELED_TABLE, "mood")
        moods = labeled["mood"].astype(str).str.strip().str.capitalize()
        others = Counter(moods[~moods.isin(LABELS)])
        if others:
            print(left_out_note("songs of other moods", others), flush=True)
        labeled, moods = labeled[moods.isin(LABELS)], moods[moods.isin(LABELS)]
        counts = Counter(moods)
        require_classes(str(folder / LABELED_TABLE), counts, "songs", minimum=LABEL_FOLDS)
        if missing := [label for label in LABELS if label not in counts]:
            raise CorpusError(f"{folder / LABELED_TABLE} has no song with the mood {', '.join(missing)}")
        if len(set(rated["track_id"])) < RATING_FOLDS:
            raise CorpusError(f"{folder / RATED_TABLE}: measuring takes at least {RATING_FOLDS} different recordings")
        return cls(
            rated[list(AUDIO_FEATURES)].to_numpy(float),
            rated[["v", "a"]].to_numpy(float),
            pd.factorize(rated["track_id"])[0].astype(np.int_),
            labeled[list(AUDIO_FEATURES)].to_numpy(float),
            np.array([LABELS.index(label) for label in moods]),
        )


def _table(path: Path, *columns: str) -> pd.DataFrame:
    if not path.is_file():
        raise CorpusError(f"{path} is missing: --data must name the folder that contains it")
    table = read_table(path)
    require_columns(path, table, (*columns, *AUDIO_FEATURES))
    return table


def fit_affect(features: npt.NDArray[np.float64], ratings: npt.NDArray[np.float64]) -> LinearModel:
    """Fit ridge regressions on standardized features, one for each column of `ratings` [n, 2]."""
    fitted = [make_pipeline(StandardScaler(), RidgeCV(RIDGE_PENALTIES)).fit(features, column) for column in ratings.T]
    return _joined([_linear(pipeline) for pipeline in fitted])


def fit_labels(features: npt.NDArray[np.float64], labels: npt.NDArray[np.int_]) -> LinearModel:
    """Fit a multinomial logistic regression on standardized features."""
    return _linear(make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(features, labels))


def _linear(pipeline: Any) -> LinearModel:
    """Merge the scaler and the linear model of a pipeline into one linear model."""
    scaler, model = pipeline[0], pipeline[1]
    weights = np.atleast_2d(model.coef_).T / scaler.scale_[:, np.newaxis]
    return LinearModel(weights, np.atleast_1d(model.intercept_) - scaler.mean_ @ weights)


def _joined(parts: list[LinearModel]) -> LinearModel:
    return LinearModel(np.hstack([part.weights for part in parts]), np.concatenate([part.bias for part in parts]))


def fit(songs: Songs) -> SongMood:
    """Fit the models on all songs."""
    affect = fit_affect(songs.rated, songs.affect)
    predicted = affect(songs.rated)
    features = np.vstack([songs.rated, songs.labeled])
    return SongMood(
        affect=affect,
        labels=fit_labels(songs.labeled, songs.labels),
        typical=predicted.mean(axis=0),
        deviation=predicted.std(axis=0),
        least=features.min(axis=0),
        most=features.max(axis=0),
    )


def measure(songs: Songs, draws: int = FOLD_DRAWS) -> dict[str, float]:
    """Cross-validate the models, and evaluate Spotify's own features for comparison; means over the draws of the folds.

    Ratings: Spearman's correlation of predictions and people's ratings, ten folds, each recording within one fold.
    Labels: accuracy, five folds, stratified by label; for comparison, the quadrants of Spotify's valence and energy.
    """
    energy, valence = (AUDIO_FEATURES.index(name) for name in ("energy", "valence"))
    correlations, accuracies = [], []
    for seed in range(draws):
        predicted = np.empty_like(songs.affect)
        for train, test in GroupKFold(RATING_FOLDS, shuffle=True, random_state=seed).split(songs.rated, groups=songs.tracks):
            predicted[test] = fit_affect(songs.rated[train], songs.affect[train])(songs.rated[test])
        correlations.append([_rank_correlation(predicted[:, column], songs.affect[:, column]) for column in range(2)])
        predicted_labels = np.empty_like(songs.labels)
        folds = StratifiedKFold(LABEL_FOLDS, shuffle=True, random_state=seed)
        for train, test in folds.split(songs.labeled, songs.labels):
            logits = fit_labels(songs.labeled[train], songs.labels[train])(songs.labeled[test])
            predicted_labels[test] = logits.argmax(axis=1)
        accuracies.append(float((predicted_labels == songs.labels).mean()))
    quadrants = {(False, False): "Sad", (True, False): "Calm", (True, True): "Happy", (False, True): "Energetic"}
    by_quadrant = [LABELS.index(quadrants[row[valence] > 0.5, row[energy] > 0.5]) for row in songs.labeled]
    return {
        "valence, ours": float(np.mean([valences for valences, _ in correlations])),
        "valence, Spotify's": _rank_correlation(songs.rated[:, valence], songs.affect[:, 0]),
        "arousal, ours": float(np.mean([arousals for _, arousals in correlations])),
        "arousal, Spotify's energy": _rank_correlation(songs.rated[:, energy], songs.affect[:, 1]),
        "labels, ours": float(np.mean(accuracies)),
        "labels, quadrants of Spotify's": float((np.array(by_quadrant) == songs.labels).mean()),
    }


def _rank_correlation(predicted: npt.NDArray[np.float64], rated: npt.NDArray[np.float64]) -> float:
    return float(spearmanr(predicted, rated).statistic)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with both tables")
    parser.add_argument("--evaluate", action="store_true", help="only print the metrics of the cross-validation")
    parser.add_argument(
        "--quick", action="store_true", help="a trial: one division into folds, written to runs/song_mood-quick.json, marked"
    )
    parser.add_argument(
        "--output", type=Path, help=f"file for the weights (default: {WEIGHTS_PATH}; with --quick {QUICK_WEIGHTS_PATH})"
    )
    options = parser.parse_args(arguments)
    if options.quick:
        print(QUICK_NOTICE)
    try:
        songs = Songs.read(options.data)
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 1
    metrics = measure(songs, draws=1 if options.quick else FOLD_DRAWS)
    for name, value in metrics.items():
        print(f"{name:34}{value:6.3f}")
    if not options.evaluate:
        stored = {
            **({"notice": QUICK_NOTICE} if options.quick else {}),
            "sources": list(SOURCES),
            "features": list(AUDIO_FEATURES),
            "label_names": list(LABELS),
            "measured": {name: round(value, 3) for name, value in metrics.items()},
            **fit(songs).to_json(),
        }
        output = options.output or (QUICK_WEIGHTS_PATH if options.quick else WEIGHTS_PATH)
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
