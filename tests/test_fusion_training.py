"""Measuring fusions: pairs that keep to the rules, senses whose gain is known, the command on small synthetic corpora."""

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
    FITTED,
    FITTED_FUSIONS,
    FIXED,
    MISSING,
    SERVED,
    WORSE,
    Sense,
    evaluation,
    paired,
)
from moodmirror.training.speech_networks import build_network
from tests.conftest import ROOT
from tests.test_speech_training import write_ravdess

PICTURES = {"fusion_confusion.png", "fusion_reliability.png", "fusion_robustness.png"}


def sense(source, number, knows, seed, worse=0.5):
    """A sense that tells the emotions in `knows` apart from all others and takes the rest for one another."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % len(EMOTIONS)
    others = [emotion for emotion in range(len(EMOTIONS)) if emotion not in knows]
    vectors = {}
    for condition, clear in ((FINE, 1.0), (FITTED, worse), (WORSE, worse)):
        sure = np.full((number, len(EMOTIONS)), 0.02)
        for row, label in enumerate(labels):
            sure[row, [label] if label in knows else others] = 1.0
        noise = rng.dirichlet(np.ones(len(EMOTIONS)), number)
        sure = sure / sure.sum(axis=1, keepdims=True) * clear + noise * (1 - clear)
        sure += rng.uniform(0, 0.02, sure.shape)
        vectors[condition] = (sure / sure.sum(axis=1, keepdims=True)).astype(np.float32)
    weights = {FINE: np.ones(number), FITTED: np.full(number, worse), WORSE: np.full(number, worse)}
    return Sense(source, labels, vectors, weights)


@pytest.fixture(scope="module")
def result():
    voices = sense("speech", 140, knows={3, 4, 5, 6}, seed=1)
    fitted, judged = (sense("face", 210, knows={0, 1, 2}, seed=seed) for seed in (2, 3))
    return evaluation(fitted, judged, voices, np.arange(140) // 70, pairings=2, seed=5)


class TestEvaluation:
    def test_senses_that_err_differently_are_worth_more_together(self, result):
        fine = result.figures["both fine"]
        assert max(fine["face alone"].accuracy, fine["voice alone"].accuracy) < 0.8
        for name in (SERVED, *FITTED_FUSIONS):
            assert fine[name].accuracy > 0.95
        assert result.gain > 0.2

    def test_a_missing_sense_costs_no_more_than_itself(self, result):
        assert set(result.figures) == set(CONDITIONS)
        assert set(result.figures["both fine"]) == set(FIXED) | set(FITTED_FUSIONS)
        without_face, without_voice = result.figures["face missing"], result.figures["voice missing"]
        assert "face alone" not in without_face
        assert "voice alone" not in without_voice
        assert without_face[SERVED].accuracy == without_face["voice alone"].accuracy
        assert without_voice[SERVED].accuracy == without_voice["face alone"].accuracy

    def test_contraries_are_called_mixed_more_often_than_agreement(self, result):
        same, different = result.mixed
        assert same < 0.05
        assert different > same

    def test_it_is_told_as_a_table(self, result):
        lines = result.as_text().splitlines()
        assert [line.split("  ")[0].strip() for line in lines[2:]] == list(CONDITIONS)


class TestPairs:
    @pytest.mark.parametrize("states", CONDITIONS.values(), ids=CONDITIONS)
    def test_both_express_one_emotion_and_one_of_them_at_least_speaks(self, states):
        face, voice = sense("face", 70, {0, 1, 2}, 1), sense("speech", 140, {3, 4}, 2)
        for vectors in face.vectors.values():  # each face says which one it is
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
def places(tmp_path_factory) -> dict[str, Path]:
    """Faces, voices, a run whose networks are as they were made, and the served face network."""
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


def command(places: dict[str, Path], **changes: Path) -> list[str]:
    given = {**places, **changes}
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


# Keras under TensorFlow warns so of itself when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class TestCommand:
    def test_it_prints_the_figures_and_writes_card_and_pictures(self, places, capsys):
        assert train.main(command(places)) == 0
        printed = capsys.readouterr().out
        assert "points of macro-F1 on the" in printed
        card = (places["models"] / "fusion.md").read_text()
        for condition in CONDITIONS:
            assert condition in printed
            assert f"| {condition} |" in card
        assert all(name in printed for name in (*FIXED, *FITTED_FUSIONS))
        written = json.loads((places["models"] / "fusion.json").read_text())
        assert set(written["conditions"]) == set(CONDITIONS)
        for name in PICTURES:
            assert cv2.imread(str(places["models"] / name)) is not None

    def test_networks_that_heard_the_speakers_are_refused(self, places, tmp_path, capsys):
        """A run whose folds held other speakers knows these better than it says it knew those whom it never heard."""
        shutil.copytree(places["run"], tmp_path / "run")
        for note in (tmp_path / "run").glob("*.json"):
            note.write_text(json.dumps({"loss": [2.0], "recall": {"1": 0.0}}))
        assert train.main(command(places, run=tmp_path / "run")) == 1
        assert "were trained on other folds: give the same recordings" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("missing", "complaint"),
        [
            ("run", "has no network of fold 0: make it with train.py speech"),
            ("face", "holds no face corpus"),
            ("speech", "is neither a folder nor a CSV file"),
            ("models", "Restore it from the repository, or make it with: python train.py face"),
        ],
    )
    def test_what_is_missing_is_told_with_what_to_do(self, places, tmp_path, capsys, missing, complaint):
        assert train.main(command(places, **{missing: tmp_path / "nowhere"})) == 1
        assert complaint in capsys.readouterr().err

    @pytest.mark.parametrize("data", [["faces/"], ["voice=x"], ["face="]])
    def test_data_must_be_named(self, data, capsys):
        with pytest.raises(SystemExit):
            train.main(["fusion", "--data", *data])
        assert "expected face=PATH or speech=PATH" in capsys.readouterr().err

    def test_both_are_needed(self, capsys):
        assert train.main(["fusion", "--data", "face=here"]) == 1
        assert "speech=PATH at least once" in capsys.readouterr().err
