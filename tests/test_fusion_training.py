"""Evaluating fusion methods: pairs, sources with a known gain, and the command on small synthetic corpora."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import train
from moodmirror.emotions import EMOTIONS
from moodmirror.training.fusion_evaluation import (
    CONDITIONS,
    FINE,
    FITTED_FUSIONS,
    FITTING,
    FIXED,
    MISSING,
    SERVED,
    WORSE,
    SourcePredictions,
    evaluation,
    paired,
)
from moodmirror.training.speech_networks import build_network
from tests.conftest import ROOT
from tests.test_speech_training import write_ravdess

pytestmark = pytest.mark.training

PLOTS = {"fusion_confusion.png", "fusion_reliability.png", "fusion_robustness.png"}


def predictions(source, number, recognizes, seed, worse=0.5):
    """Return predictions of a source that recognizes some emotions and confuses all others with each other."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % len(EMOTIONS)
    others = [emotion for emotion in range(len(EMOTIONS)) if emotion not in recognizes]
    vectors = {}
    for condition, clear in ((FINE, 1.0), (FITTING, worse), (WORSE, worse)):
        values = np.full((number, len(EMOTIONS)), 0.02)
        for row, label in enumerate(labels):
            values[row, [label] if label in recognizes else others] = 1.0
        noise = rng.dirichlet(np.ones(len(EMOTIONS)), number)
        values = values / values.sum(axis=1, keepdims=True) * clear + noise * (1 - clear)
        values += rng.uniform(0, 0.02, values.shape)
        vectors[condition] = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    weights = {FINE: np.ones(number), FITTING: np.full(number, worse), WORSE: np.full(number, worse)}
    return SourcePredictions(source, labels, vectors, weights)


@pytest.fixture(scope="module")
def result():
    voices = predictions("speech", 140, recognizes={3, 4, 5, 6}, seed=1)
    fitting_faces, test_faces = (predictions("face", 210, recognizes={0, 1, 2}, seed=seed) for seed in (2, 3))
    return evaluation(fitting_faces, test_faces, voices, np.arange(140) // 70, pairings=2, seed=5)


class TestEvaluation:
    def test_sources_with_different_errors_are_more_accurate_together(self, result):
        fine = result.metrics["both fine"]
        assert max(fine["face alone"].accuracy, fine["voice alone"].accuracy) < 0.8
        for name in (SERVED, *FITTED_FUSIONS):
            assert fine[name].accuracy > 0.95
        assert result.gain > 0.2

    def test_without_one_source_the_fusion_equals_the_other(self, result):
        assert set(result.metrics) == set(CONDITIONS)
        assert set(result.metrics["both fine"]) == set(FIXED) | set(FITTED_FUSIONS)
        without_face, without_voice = result.metrics["face missing"], result.metrics["voice missing"]
        assert "face alone" not in without_face
        assert "voice alone" not in without_voice
        assert without_face[SERVED].accuracy == without_face["voice alone"].accuracy
        assert without_voice[SERVED].accuracy == without_voice["face alone"].accuracy

    def test_contradicting_sources_are_mixed_more_often_than_agreeing_ones(self, result):
        same, different = result.mixed
        assert same < 0.05
        assert different > same

    def test_the_table_has_one_row_per_condition(self, result):
        lines = result.as_text().splitlines()
        assert [line.split("  ")[0].strip() for line in lines[2:]] == list(CONDITIONS)


class TestPairs:
    @pytest.mark.parametrize("states", CONDITIONS.values(), ids=CONDITIONS)
    def test_both_have_one_emotion_and_at_least_one_is_present(self, states):
        face, voice = predictions("face", 70, {0, 1, 2}, 1), predictions("speech", 140, {3, 4}, 2)
        for vectors in face.vectors.values():  # each vector identifies the emotion of its face
            vectors[:] = np.eye(7, dtype=np.float32)[face.labels]
        pairs = paired(face, voice, np.random.default_rng(0), states)
        np.testing.assert_array_equal(pairs.labels, voice.labels)
        np.testing.assert_array_equal(pairs.face.argmax(axis=1), pairs.labels)
        assert ((pairs.face_weight > 0) | (pairs.voice_weight > 0)).all()
        assert (pairs.face_weight == 0).all() == (states[0] == MISSING)
        assert (pairs.voice_weight == 0).all() == (states[1] == MISSING)


def write_faces(folder: Path) -> Path:
    rng = np.random.default_rng(3)
    for part, number in (("train", 1), ("validation", 12)):
        for emotion in EMOTIONS:
            (folder / part / emotion).mkdir(parents=True)
            for index in range(number):
                picture = cv2.GaussianBlur(rng.integers(0, 256, (48, 48), dtype=np.uint8), (0, 0), 2)
                cv2.imwrite(str(folder / part / emotion / f"{index}.png"), picture)
    return folder


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> dict[str, Path]:
    """Faces, voices, a run with untrained networks, and the served face network."""
    base = tmp_path_factory.mktemp("fusion")
    run, models = base / "run", base / "models"
    run.mkdir()
    models.mkdir()
    for fold in range(2):
        network = build_network("cnn", np.full(64, -40.0), np.full(64, 200.0), dropout=0.1, name=f"fold{fold}")
        network.save(run / f"fold{fold}-0.keras")
        (run / f"fold{fold}-0.json").write_text(json.dumps({"loss": [2.0], "recall": {"1": 1.0}}))
    for name in ("face_emotion.tflite", "manifest.json"):
        shutil.copy(ROOT / "models" / name, models)
    voices = write_ravdess(base / "voices", takes=1)
    return {"face": write_faces(base / "faces"), "speech": voices, "run": run, "models": models}


def command(paths: dict[str, Path], **changes: Path) -> list[str]:
    given = {**paths, **changes}
    data = [f"{name}={given[name]}" for name in ("face", "speech")]
    return [
        "fusion",
        "--data",
        *data,
        "--run-dir",
        str(given["run"]),
        "--models-dir",
        str(given["models"]),
        "--pairings",
        "2",
    ]


# Keras on TensorFlow raises this warning itself when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TestCommand:
    def test_it_prints_the_metrics_and_writes_card_and_plots(self, paths, capsys):
        assert train.main(command(paths)) == 0
        printed = capsys.readouterr().out
        assert "if both are fine, the served fusion exceeds" in printed
        assert "points of macro-F1" in printed
        card = (paths["models"] / "fusion.md").read_text()
        for condition in CONDITIONS:
            assert condition in printed
            assert f"| {condition} |" in card
        assert all(name in printed for name in (*FIXED, *FITTED_FUSIONS))
        written = json.loads((paths["models"] / "fusion.json").read_text())
        assert set(written["conditions"]) == set(CONDITIONS)
        for name in PLOTS:
            assert cv2.imread(str(paths["models"] / name)) is not None

    def test_networks_that_were_trained_on_the_speakers_are_refused(self, paths, tmp_path, capsys):
        """If the folds of the run had other speakers, its recall on these exceeds the recorded one on held-out speakers."""
        shutil.copytree(paths["run"], tmp_path / "run")
        for path in (tmp_path / "run").glob("*.json"):
            path.write_text(json.dumps({"loss": [2.0], "recall": {"1": 0.0}}))
        assert train.main(command(paths, run=tmp_path / "run")) == 1
        assert "were trained on other folds: name the same recordings" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("missing", "message"),
        [
            ("run", "has no network of fold 0: train it with train.py speech"),
            ("face", "holds no face corpus"),
            ("speech", "is neither a folder nor a CSV file"),
            ("models", "Restore it from the repository, or create it with: python train.py face"),
        ],
    )
    def test_errors_name_what_is_missing_and_what_to_do(self, paths, tmp_path, capsys, missing, message):
        assert train.main(command(paths, **{missing: tmp_path / "nowhere"})) == 1
        assert message in capsys.readouterr().err

    @pytest.mark.parametrize("data", [["faces/"], ["voice=x"], ["face="]])
    def test_each_path_needs_the_name_of_its_source(self, data, capsys):
        with pytest.raises(SystemExit):
            train.main(["fusion", "--data", *data])
        assert "expected face=PATH or speech=PATH" in capsys.readouterr().err

    def test_both_sources_are_required(self, capsys):
        assert train.main(["fusion", "--data", "face=here"]) == 1
        assert "speech=PATH at least once" in capsys.readouterr().err
