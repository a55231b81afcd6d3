"""Fitting the mood of songs on synthetic tables with known dependencies."""

import json

import numpy as np
import pandas as pd
import pytest

from moodmirror.recommendation.song_mood import AUDIO_FEATURES, LABELS, SongMood
from moodmirror.training.song_mood import LABELED_TABLE, RATED_TABLE, main

pytestmark = pytest.mark.training


@pytest.fixture
def tables(tmp_path):
    """Songs whose ratings are linear in danceability and liveness, and whose labels are the quadrants of both."""
    rng = np.random.default_rng(3)
    dance, live = AUDIO_FEATURES.index("danceability"), AUDIO_FEATURES.index("liveness")
    features = rng.random((160, len(AUDIO_FEATURES)))
    rated = pd.DataFrame(features, columns=list(AUDIO_FEATURES))
    rated = rated.assign(v=0.2 + 0.6 * features[:, dance], a=0.9 - 0.5 * features[:, live], track_id=np.arange(160))
    rated.to_csv(tmp_path / RATED_TABLE, index=False)
    labeled = pd.DataFrame(features, columns=list(AUDIO_FEATURES))
    labels = 2 * (features[:, dance] > 0.5) + (features[:, live] > 0.5)
    labeled.assign(mood=[LABELS[label] for label in labels]).to_csv(tmp_path / LABELED_TABLE, index=False)
    return tmp_path, features, rated


def test_the_fitted_models_predict_the_known_dependencies(tables, capsys):
    folder, features, rated = tables
    assert main(["--data", str(folder), "--output", str(folder / "weights.json")]) == 0
    measured = json.loads((folder / "weights.json").read_text())["measured"]
    assert measured["valence, ours"] > 0.95
    assert measured["arousal, ours"] > 0.95
    assert measured["labels, ours"] > 0.8
    assert abs(measured["valence, Spotify's"]) < 0.3  # in these tables Spotify's valence is unrelated to the ratings
    assert measured["labels, quadrants of Spotify's"] < 0.5
    predicted = SongMood.load(folder / "weights.json").valence_arousal(features)
    np.testing.assert_allclose(predicted, rated[["v", "a"]], atol=0.05)
    assert "valence, ours" in capsys.readouterr().out


def test_evaluate_writes_no_weights(tables):
    folder, _, _ = tables
    assert main(["--data", str(folder), "--evaluate", "--output", str(folder / "weights.json")]) == 0
    assert not (folder / "weights.json").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda path: path.unlink(), "songs_mood_labelled.csv is missing: --data must name the folder"),
        (lambda path: path.write_text("mood\nSad\n"), "songs_mood_labelled.csv: no column danceability, energy"),
    ],
)
def test_errors_name_the_table_and_its_fault(tables, capsys, fault, message):
    folder, _, _ = tables
    fault(folder / LABELED_TABLE)
    assert main(["--data", str(folder)]) == 1
    assert message in capsys.readouterr().err


def test_one_mood_only_is_an_error(tables, capsys):
    folder, _, _ = tables
    labeled = pd.read_csv(folder / LABELED_TABLE)
    labeled.assign(mood="Sad").to_csv(folder / LABELED_TABLE, index=False)
    assert main(["--data", str(folder), "--output", str(folder / "weights.json")]) == 1
    assert "of one class only, Sad" in capsys.readouterr().err


def test_a_quick_fit_is_marked_and_songs_of_other_moods_are_counted(tables, capsys):
    folder, _, _ = tables
    labeled = pd.read_csv(folder / LABELED_TABLE)
    pd.concat([labeled, labeled.head(3).assign(mood="Bored")]).to_csv(folder / LABELED_TABLE, index=False)
    output = folder / "weights.json"
    assert main(["--data", str(folder), "--quick", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    assert "QUICK RUN" in printed
    assert "left out, songs of other moods: Bored 3" in printed
    assert "QUICK RUN" in json.loads(output.read_text())["notice"]
