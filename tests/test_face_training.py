"""Training on small corpora in every form that FER2013 has."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from scipy.special import softmax

from moodmirror.emotions import EMOTIONS, FERPLUS_EMOTIONS
from moodmirror.recognition.face import FaceEmotionRecognizer, preprocess, standardize
from moodmirror.recognition.model_files import verified_model_bytes
from moodmirror.training.corpora import CorpusError
from moodmirror.training.face import augment, build_network, calibrated, help_of_neglected, predict, resized
from moodmirror.training.face_corpora import FERPLUS_OTHERS, FaceSplit, load_faces, without_copies
from moodmirror.training.face_evaluation import WORSENINGS
from moodmirror.training.metrics import classification_metrics, reliability
from tests.conftest import ROOT

VOTES = [*FERPLUS_EMOTIONS, *FERPLUS_OTHERS]


def make_faces(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pictures that tell their label: a bright bar whose height on the picture is the label's number."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(EMOTIONS)
    faces = rng.integers(60, 120, (count, 48, 48), dtype=np.uint8)
    for face, label in zip(faces, labels, strict=True):
        face[6 * label + 2 : 6 * label + 7] = 230
    return faces, labels


def write_csv(folder: Path, training: int = 70, development: int = 21, votes: bool = False) -> Path:
    faces, labels = make_faces(training + development + 7)
    usage = ["Training"] * training + ["PublicTest"] * development + ["PrivateTest"] * 7
    path = folder / "fer2013.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", "pixels", "Usage"])
        for face, label, part in zip(faces, labels, usage, strict=True):
            writer.writerow([label, " ".join(map(str, face.ravel())), part])
    if votes:
        with (folder / "fer2013new.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Usage", "Image name", *VOTES])
            for part, label in zip(usage, labels, strict=True):
                seen = {name: 8 if emotion == EMOTIONS[label] else 0 for name, emotion in FERPLUS_EMOTIONS.items()}
                writer.writerow([part, "", *(seen.get(name, 1 if name == "unknown" else 0) for name in VOTES)])
    return path


def write_grid(folder: Path, name: str, count: int, columns: int) -> None:
    faces, labels = make_faces(count, seed=count)
    rows = -(-count // columns)
    tiles = np.zeros((rows * columns, 48, 48), np.uint8)
    tiles[:count] = faces
    grid = tiles.reshape(rows, columns, 48, 48).swapaxes(1, 2).reshape(rows * 48, columns * 48)
    cv2.imwrite(str(folder / f"{name}.webp"), grid, [cv2.IMWRITE_WEBP_QUALITY, 101])
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emotion", *VOTES, "ferplus_ok"])
        writer.writerows([EMOTIONS[label], *([0] * len(VOTES)), 1] for label in labels)


class TestCorpora:
    def test_csv(self, tmp_path):
        corpus = load_faces(write_csv(tmp_path), seed=1)
        faces, labels = make_faces(98)
        assert corpus.test is not None
        assert (len(corpus.training), len(corpus.development), len(corpus.test)) == (70, 21, 7)
        np.testing.assert_array_equal(corpus.training.faces, faces[:70])
        np.testing.assert_array_equal(corpus.development.labels, labels[70:91])
        assert corpus.training.votes is None
        assert not corpus.training.vote_distributions().any()

    def test_csv_with_votes_beside_it(self, tmp_path):
        write_csv(tmp_path, votes=True)
        training = load_faces(tmp_path, seed=1).training
        np.testing.assert_allclose(training.vote_distributions(), np.eye(7)[training.labels])

    def test_grids(self, tmp_path):
        write_grid(tmp_path, "fer2013_training", 30, columns=7)
        write_grid(tmp_path, "fer2013_publictest", 11, columns=4)
        corpus = load_faces(tmp_path, seed=1)
        np.testing.assert_array_equal(corpus.training.faces, make_faces(30, seed=30)[0])
        np.testing.assert_array_equal(corpus.development.labels, make_faces(11)[1])

    @pytest.mark.parametrize("with_validation", [True, False])
    def test_folders(self, tmp_path, with_validation):
        parts = {"train": 70, "test": 14, **({"validation": 21} if with_validation else {})}
        for part, count in parts.items():
            faces, labels = make_faces(count, seed=count)
            for number, (face, label) in enumerate(zip(faces, labels, strict=True)):
                folder = tmp_path / part / EMOTIONS[label]
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{number}.png"), face)
        corpus = load_faces(tmp_path, seed=1)
        assert corpus.test is not None
        assert len(corpus.test) == 14
        assert len(corpus.training) + len(corpus.development) == (91 if with_validation else 70)
        assert len(without_copies(corpus.development, corpus.training)) == len(corpus.development) > 0
        brightest = corpus.training.faces.mean(axis=2).argmax(axis=1) // 6
        np.testing.assert_array_equal(brightest, corpus.training.labels)

    def test_copies_blank_tiles_and_what_is_no_face_are_left_out(self, tmp_path):
        write_grid(tmp_path, "fer2013_training", 30, columns=7)
        write_grid(tmp_path, "fer2013_publictest", 30, columns=7)  # the same pictures once more
        corpus = load_faces(tmp_path, seed=1)
        assert len(without_copies(corpus.development, corpus.training)) == 0
        grid = np.array(cv2.imread(str(tmp_path / "fer2013_training.webp"), cv2.IMREAD_GRAYSCALE))
        grid[:48, :48] = 0
        cv2.imwrite(str(tmp_path / "fer2013_training.webp"), grid, [cv2.IMWRITE_WEBP_QUALITY, 101])
        table = (tmp_path / "fer2013_training.csv").read_text().splitlines()
        table[5] = ",".join([table[5].partition(",")[0], *["0"] * 9, "10", "0"])
        (tmp_path / "fer2013_training.csv").write_text("\n".join(table))
        assert len(load_faces(tmp_path, seed=1).training) == 28

    @pytest.mark.parametrize(
        ("damage", "complaint"),
        [
            (lambda folder: None, "holds no face corpus"),
            (lambda folder: (folder / "fer2013.csv").write_text("a,b\n1,2\n"), "no column emotion"),
            (
                lambda folder: (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n0,1 2,Training\n"),
                "line 2, pixels",
            ),
            (lambda folder: (folder / "train" / "bored").mkdir(parents=True), "no emotion"),
        ],
    )
    def test_a_damaged_corpus_is_named(self, tmp_path, damage, complaint):
        damage(tmp_path)
        with pytest.raises(CorpusError, match=complaint):
            load_faces(tmp_path, seed=1)


def test_reliability_of_a_known_answer():
    """Ten answers of 80 % of which seven are right are 10 % too sure."""
    probabilities = np.tile(np.array([0.8, 0.2, 0, 0, 0, 0, 0], np.float32), (10, 1))
    result = reliability(np.array([0] * 7 + [1] * 3), probabilities)
    assert result.error == pytest.approx(0.1, abs=1e-6)
    assert result.count.sum() == 10
    assert np.nanmax(result.accuracy) == pytest.approx(0.7)


def test_calibration_makes_a_network_as_sure_as_it_is_right():
    """A network whose answers are made three times too sure gets its factor of a third back, on the labels' side."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    network = build_network(0.0)
    faces = rng.integers(0, 256, (400, 48, 48), dtype=np.uint8)
    logits = np.log(predict(network, faces))
    means = logits.mean(axis=0)
    spread = 4 / (logits - means).std()  # so sure that it recognises most faces of every emotion: none needs help
    labels = np.array([rng.choice(7, p=softmax(row)) for row in spread * (logits - means)])
    layer = network.get_layer("emotions")
    kernel, bias = layer.get_weights()
    layer.set_weights([3 * spread * kernel, 3 * spread * (bias - means)])
    served, factors = calibrated(network, FaceSplit(faces, labels))
    assert factors.labels == pytest.approx(1 / 3, rel=0.25)
    assert factors.votes == 0  # there are no votes in this corpus
    np.testing.assert_array_equal(factors.help, 0)
    assert reliability(labels, predict(served, faces)).error < 0.06
    assert [layer.name for layer in served.layers].count("emotions") == 1


def test_an_emotion_that_is_passed_over_is_helped_until_enough_of_its_faces_are_recognised():
    """Fear is right in 45 of 100 faces; in 30 more it comes second to sad, ever closer."""
    labels = np.repeat(np.arange(7), 100)
    logits = 5.0 * np.eye(7)[labels]
    fear, sad = EMOTIONS.index("fear"), EMOTIONS.index("sad")
    behind = np.concatenate([np.full(45, -1), np.linspace(0.01, 0.3, 30), np.full(25, 4)])
    logits[labels == fear, sad] = 5.0 + behind
    helped = help_of_neglected(logits, labels)
    assert np.flatnonzero(helped).tolist() == [fear]
    assert helped[fear] < 0.05  # no more than it takes
    answers = (logits + helped).argmax(axis=1)
    assert (answers[labels == fear] == fear).mean() >= 0.47
    np.testing.assert_array_equal(help_of_neglected(5.0 * np.eye(7)[labels], labels), 0)


@pytest.mark.parametrize("name", sorted(WORSENINGS))
def test_a_worsened_face_is_still_one(name, portrait):
    face = cv2.resize(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)[67:164, 177:274], (48, 48))
    worse = WORSENINGS[name](face, np.random.default_rng(0))
    assert worse.shape == (48, 48)
    assert 0 <= worse.min() <= worse.max() <= 255
    assert (np.abs(worse.astype(float) - face).mean() > 1) == (name != "as they are")


def test_augmented_faces_are_other_pictures_of_the_same_form():
    face = make_faces(1)[0][0]
    rng = np.random.default_rng(0)
    pictures = {augment(face, rng).tobytes() for _ in range(50)}
    assert len(pictures) == 50
    assert all(len(picture) == 48 * 48 for picture in pictures)


def test_served_pixels_are_the_trained_ones():
    """What the network is fed in training, at its full size, is number for number what serving feeds it."""
    faces, _ = make_faces(4)
    np.testing.assert_array_equal(standardize(resized(faces, 48)), preprocess(faces))


def test_figures_of_a_known_answer():
    labels = np.array([3, 3, 3, 4])
    probabilities = np.eye(7, dtype=np.float32)[[3, 3, 4, 4]]
    result = classification_metrics(labels, probabilities)
    assert result.accuracy == 0.75
    assert result.recall[3] == pytest.approx(2 / 3)
    assert result.precision[4] == pytest.approx(1 / 2)
    assert result.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "train.py", "face", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a corpus and a run of two epochs on it, the arguments that name its places, and what it printed."""
    folder = tmp_path_factory.mktemp("training")
    write_csv(folder, training=140)
    places = ["--data", str(folder), "--run-dir", str(folder / "run"), "--models-dir", str(folder / "models")]
    first = train(*places, "--epochs", "2", "--seed", "5", "--batch-size", "35")
    assert first.returncode == 0, first.stderr
    return folder, places, first


class TestTraining:
    @pytest.mark.timeout(600)
    def test_it_writes_models_manifest_pictures_and_card(self, trained):
        folder, _, first = trained
        assert "epoch 2/2" in first.stdout
        models = folder / "models"
        assert {path.name for path in models.iterdir()} == {
            "face_emotion.keras",
            "face_emotion.tflite",
            "face_emotion.md",
            "face_emotion.json",
            "face_emotion_curves.png",
            "face_emotion_confusion.png",
            "face_emotion_reliability.png",
            "face_emotion_robustness.png",
            "manifest.json",
        }
        for name in ("face_emotion.keras", "face_emotion.tflite"):
            assert verified_model_bytes(name, "train", models)
        faces, _ = make_faces(5)
        assert FaceEmotionRecognizer.load(models).predict_proba(faces).sum() == pytest.approx(5, abs=1e-3)
        for picture in models.glob("*.png"):
            assert cv2.imread(str(picture)) is not None
        card = (models / "face_emotion.md").read_text()
        assert "Test, without exact copies of training faces" in card
        assert all(f"| {emotion} |" in card for emotion in EMOTIONS)
        assert "JPEG, quality 10" in card
        written = json.loads((models / "face_emotion.json").read_text())
        assert written["splits"]["test, all"]["faces"] == 7
        assert 0 <= written["expected_calibration_error"] <= 1

    def test_keras_and_litert_answer_alike(self, trained):
        folder, _, _ = trained
        network = keras.models.load_model(folder / "models" / "face_emotion.keras", compile=False)
        faces, _ = make_faces(50, seed=9)
        served = FaceEmotionRecognizer.load(folder / "models").predict_proba(faces)
        # int8 weights: the answers differ a little, the emotions they name do not.
        np.testing.assert_allclose(predict(network, faces), served, atol=0.03)

    @pytest.mark.timeout(600)
    def test_a_network_learns_from_others_and_from_where_another_run_was_best(self, trained):
        folder, places, _ = trained
        teacher = folder / "models" / "face_emotion.keras"
        student = [*places[:2], "--run-dir", str(folder / "student"), "--models-dir", str(folder / "taught")]
        learning = ["--distil", str(teacher), str(teacher), "--start-from", str(folder / "run")]
        done = train(*student, "--epochs", "1", "--batch-size", "70", *learning)
        assert done.returncode == 0, done.stderr
        assert "asking the teacher face_emotion.keras about 140 faces" in done.stdout
        card = (folder / "taught" / "face_emotion.md").read_text()
        assert "1. 2 epochs" in card
        assert "2. 1 epoch;" in card
        assert "began with the weights that the run before led to. 2 trained networks taught it" in card

    @pytest.mark.timeout(600)
    def test_a_run_that_was_ended_goes_on(self, trained):
        folder, places, _ = trained
        state_path = folder / "run" / "state.json"
        state = json.loads(state_path.read_text())
        state["config"]["epochs"] = 3  # as if it had been ended before its last epoch
        state_path.write_text(json.dumps(state))
        resumed = train(*places, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert "going on after epoch 2" in resumed.stdout
        assert "epoch 3/3" in resumed.stdout
        assert "epoch 2/3" not in resumed.stdout
        assert [entry["epoch"] for entry in json.loads(state_path.read_text())["history"]] == [1, 2, 3]

    @pytest.mark.timeout(600)
    def test_evaluate_prints_the_served_models_figures(self, trained):
        _, places, _ = trained
        done = train(*places, "--evaluate")
        assert done.returncode == 0, done.stderr
        assert "accuracy 0." in done.stdout
        assert "test, all: 7 faces" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["--data", "nowhere"], "nowhere holds no face corpus"),
            (["--data", "nowhere", "--resume", "--run-dir", "nowhere"], "holds no run to resume"),
        ],
    )
    def test_errors_say_what_to_do_next(self, arguments, complaint):
        done = train(*arguments)
        assert done.returncode == 1
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr
