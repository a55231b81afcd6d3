"""Training the face network: corpora in every form of FER2013, augmentation, calibration, and the command."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest
from scipy.special import softmax

from moodmirror.emotions import EMOTIONS, FERPLUS_EMOTIONS
from moodmirror.recognition.face import FaceEmotionRecognizer, preprocess, standardize
from moodmirror.recognition.model_files import ModelError, verified_model_bytes
from moodmirror.training import face as face_training
from moodmirror.training.corpora import CorpusError
from moodmirror.training.face_batches import augment, resized
from moodmirror.training.face_calibration import calibrated, recall_bias
from moodmirror.training.face_corpora import (
    AFFECTNET_NUMBERS,
    FERPLUS_OTHERS,
    RAFDB_NUMBERS,
    FaceSplit,
    load_faces,
    without_copies,
)
from moodmirror.training.face_evaluation import DEGRADATIONS
from moodmirror.training.face_network import build_network, predict
from moodmirror.training.metrics import classification_metrics, reliability
from moodmirror.training.settings import FaceTraining
from tests.conftest import ROOT

pytestmark = pytest.mark.training

VOTES = [*FERPLUS_EMOTIONS, *FERPLUS_OTHERS]


def make_faces(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures with a bright bar, whose vertical position stands for the label."""
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


def write_icml(folder: Path) -> None:
    """Write the faces of write_csv() as icml_face_data.csv."""
    rows = list(csv.reader(write_csv(folder).read_text().splitlines()))
    (folder / "fer2013.csv").unlink()
    lines = ["emotion, Usage, pixels", *(f"{emotion},{usage},{pixels}" for emotion, pixels, usage in rows[1:])]
    (folder / "icml_face_data.csv").write_text("\n".join(lines))


def write_folders(folder: Path, count: int, names: Sequence[str]) -> None:
    """Write pictures into one folder for each emotion; `names` are those of the folders, in the order of EMOTIONS."""
    for number, (face, label) in enumerate(zip(*make_faces(count, seed=count), strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / names[label] / f"{number}.png"), face)


def write_class(folder: Path, emotion: str, count: int) -> None:
    """Write `count` pictures of an emotion into a folder."""
    faces, labels = make_faces(7 * count, seed=len(str(folder)))
    folder.mkdir(parents=True)
    for number, face in enumerate(faces[labels == EMOTIONS.index(emotion)]):
        cv2.imwrite(str(folder / f"{number}.png"), face)


def meaning(name: str) -> str:
    """Return the emotion to draw in the folder `name`; any for one that names none."""
    words = {"anger": "angry", "sadness": "sad", "happiness": "happy"}
    word = name.lower().split("_")[-1]
    return words.get(word, word if word in EMOTIONS else "sad")


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

    def test_copies_blank_tiles_and_pictures_without_a_face_are_excluded(self, tmp_path):
        write_grid(tmp_path, "fer2013_training", 30, columns=7)
        write_grid(tmp_path, "fer2013_publictest", 30, columns=7)  # the same pictures again
        corpus = load_faces(tmp_path, seed=1)
        assert len(without_copies(corpus.development, corpus.training)) == 0
        grid = np.array(cv2.imread(str(tmp_path / "fer2013_training.webp"), cv2.IMREAD_GRAYSCALE))
        grid[:48, :48] = 0
        cv2.imwrite(str(tmp_path / "fer2013_training.webp"), grid, [cv2.IMWRITE_WEBP_QUALITY, 101])
        table = (tmp_path / "fer2013_training.csv").read_text().splitlines()
        table[5] = ",".join([table[5].partition(",")[0], *["0"] * 9, "10", "0"])
        (tmp_path / "fer2013_training.csv").write_text("\n".join(table))
        assert len(load_faces(tmp_path, seed=1).training) == 28

    def test_icml_face_data(self, tmp_path):
        """The file of the challenge has blanks before its column names, and another order of them."""
        write_icml(tmp_path)
        corpus = load_faces(tmp_path, seed=1)
        faces, labels = make_faces(98)
        assert corpus.test is not None
        assert (len(corpus.training), len(corpus.development), len(corpus.test)) == (70, 21, 7)
        np.testing.assert_array_equal(corpus.development.faces, faces[70:91])
        np.testing.assert_array_equal(corpus.training.labels, labels[:70])

    def test_a_table_without_parts_and_with_names_of_emotions(self, tmp_path):
        faces, labels = make_faces(42)
        names = ["anger", "Disgusted", "fearful", "Happiness", "sadness", "surprised", "neutral"]
        rows = [f"{names[label]};{' '.join(map(str, face.ravel()))}" for face, label in zip(faces, labels, strict=True)]
        (tmp_path / "mine.csv").write_text("\n".join(["Emotion;Pixels", *rows, rows[0].replace("anger", "contempt")]))
        corpus = load_faces(tmp_path / "mine.csv", seed=1)
        assert len(corpus.training) + len(corpus.development) == 42
        assert len(corpus.development) == 7  # one of each emotion
        np.testing.assert_array_equal(corpus.training.faces.mean(axis=2).argmax(axis=1) // 6, corpus.training.labels)
        assert "left out, rows with another emotion: contempt 1" in corpus.notes

    def test_files_of_systems_and_tools_are_no_pictures(self, tmp_path):
        write_folders(tmp_path / "train", 42, EMOTIONS)
        for junk in ("._0.png", ".DS_Store", "Thumbs.db", ".ipynb_checkpoints/0-checkpoint.png"):
            path = tmp_path / "train" / "happy" / junk
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"\x00\x05\x16\x07Mac OS X")
        for folder in (".ipynb_checkpoints", "__MACOSX"):
            write_folders(tmp_path / "train" / folder, 7, EMOTIONS)
            write_folders(tmp_path / folder / "train", 7, EMOTIONS)
        corpus = load_faces(tmp_path, seed=1)
        assert len(corpus.training) + len(corpus.development) == 42
        assert not any("left out" in note for note in corpus.notes)

    @pytest.mark.parametrize(
        ("names", "left_out"),
        [
            (("Anger", "Contempt", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"), "Contempt 6"),
            (AFFECTNET_NUMBERS, "7 (contempt) 6"),
            (
                ("1_surprise", "2_fear", "3_disgust", "4_happiness", "5_sadness", "6_anger", "7_neutral", "others"),
                "others 6",
            ),
        ],
    )
    @pytest.mark.parametrize("parts", [("Train", "Test"), ("",)])
    def test_folders_of_other_classes_are_left_out_and_counted(self, tmp_path, names, left_out, parts):
        for part in parts:
            folders = map(str, range(len(names))) if names == AFFECTNET_NUMBERS else names
            for folder, name in zip(folders, names, strict=True):
                write_class(tmp_path / part / folder, meaning(name), 6)
        corpus = load_faces(tmp_path, seed=1)
        faces = len(corpus.training) + len(corpus.development) + (len(corpus.test) if corpus.test else 0)
        assert faces == 7 * 6 * len(parts)
        np.testing.assert_array_equal(corpus.training.faces.mean(axis=2).argmax(axis=1) // 6, corpus.training.labels)
        counted = left_out.replace(" 6", f" {6 * len(parts)}")
        assert f"left out, pictures in folders of other names: {counted}" in corpus.notes

    def test_rafdb_numbers(self, tmp_path):
        for number, emotion in enumerate(RAFDB_NUMBERS):
            if emotion:
                write_class(tmp_path / "train" / str(number), emotion, 5)
        training = load_faces(tmp_path, seed=1).training
        np.testing.assert_array_equal(training.faces.mean(axis=2).argmax(axis=1) // 6, training.labels)

    def test_a_damaged_picture_is_left_out_and_named(self, tmp_path):
        write_folders(tmp_path, 42, EMOTIONS)
        (tmp_path / "sad" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
        corpus = load_faces(tmp_path, seed=1)
        assert "left out, pictures that can't be read: sad/broken.jpg 1" in corpus.notes

    def test_nothing_left_is_an_error_that_says_what_was_left_out(self, tmp_path):
        write_class(tmp_path / "train" / "contempt", "sad", 3)
        with pytest.raises(CorpusError, match=r"no faces of angry.*left out.*contempt 3"):
            load_faces(tmp_path, seed=1)

    def test_several_corpora_are_joined(self, tmp_path):
        (tmp_path / "table").mkdir()
        write_csv(tmp_path / "table", votes=True)
        write_folders(tmp_path / "own", 42, EMOTIONS)
        corpus = load_faces([tmp_path / "table", tmp_path / "own"], seed=1)
        assert len(corpus.training) == 70 + 35
        assert len(corpus.development) == 21 + 7
        assert (corpus.training.vote_distributions().sum(axis=1) > 0).sum() == 70

    def test_chosen_emotions(self, tmp_path):
        write_folders(tmp_path, 42, EMOTIONS)
        corpus = load_faces(tmp_path, 1, ("sad", "happy"))
        assert corpus.emotions == ("happy", "sad")
        assert set(corpus.training.labels) == set(corpus.development.labels) == {3, 4}
        assert any("that --emotions does not name: angry 5, disgust 5" in note for note in corpus.notes)
        (tmp_path / "sad").rename(tmp_path / "other")
        with pytest.raises(CorpusError, match="training part has no face with sad"):
            load_faces(tmp_path, 1, ("sad", "happy"))

    @pytest.mark.parametrize(
        ("counts", "message"),
        [({"sad": 20}, "of one class only, sad"), ({"sad": 20, "happy": 1}, "too few training faces of happy 1")],
    )
    def test_one_class_or_too_few_faces_of_a_class_is_an_error(self, tmp_path, counts, message):
        for emotion, count in counts.items():
            write_class(tmp_path / "data" / emotion, emotion, count)
        with pytest.raises(CorpusError, match=message):
            face_training.train(
                tmp_path / "data", config=FaceTraining(), run_dir=tmp_path / "run", models_dir=tmp_path, resume=False
            )

    @pytest.mark.parametrize(
        ("damage", "message"),
        [
            (lambda folder: None, "holds no face corpus"),
            (lambda folder: (folder / "fer2013.csv").write_text("a,b\n1,2\n"), "no column emotion"),
            (
                lambda folder: (folder / "fer2013.csv").write_text("emotion,pixels,Usage\n0,1 2,Training\n"),
                "line 2, pixels",
            ),
            (lambda folder: (folder / "train" / "bored").mkdir(parents=True), "no faces of angry, disgust"),
        ],
    )
    def test_the_error_names_the_damaged_file(self, tmp_path, damage, message):
        damage(tmp_path)
        with pytest.raises(CorpusError, match=message):
            load_faces(tmp_path, seed=1)


def test_reliability_of_known_predictions():
    """Ten predictions with a confidence of 80 %, seven of them correct, have a calibration error of 10 %."""
    probabilities = np.tile(np.array([0.8, 0.2, 0, 0, 0, 0, 0], np.float32), (10, 1))
    result = reliability(np.array([0] * 7 + [1] * 3), probabilities)
    assert result.error == pytest.approx(0.1, abs=1e-6)
    assert result.count.sum() == 10
    assert np.nanmax(result.accuracy) == pytest.approx(0.7)


def test_calibration_makes_confidence_equal_accuracy():
    """A network whose logits are three times too large gets a factor of a third for the logits of the labels."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    network = build_network(0.0)
    faces = rng.integers(0, 256, (400, 48, 48), dtype=np.uint8)
    logits = np.log(predict(network, faces))
    means = logits.mean(axis=0)
    spread = 4 / (logits - means).std()  # confident enough to recognize most faces of every emotion: none needs a bias
    labels = np.array([rng.choice(7, p=softmax(row)) for row in spread * (logits - means)])
    layer = network.get_layer("emotions")
    kernel, bias = layer.get_weights()
    layer.set_weights([3 * spread * kernel, 3 * spread * (bias - means)])
    served, calibration = calibrated(network, FaceSplit(faces, labels))
    assert calibration.label_factor == pytest.approx(1 / 3, rel=0.25)
    assert calibration.vote_factor == 0  # there are no votes in this corpus
    np.testing.assert_array_equal(calibration.bias, 0)
    assert reliability(labels, predict(served, faces)).error < 0.06
    assert [layer.name for layer in served.layers].count("emotions") == 1


def test_the_bias_raises_a_neglected_emotion_until_it_reaches_the_minimum_recall():
    """Fear has the largest logit for 45 of its 100 faces; for 30 more it is second to sad, by a growing distance."""
    labels = np.repeat(np.arange(7), 100)
    logits = 5.0 * np.eye(7)[labels]
    fear, sad = EMOTIONS.index("fear"), EMOTIONS.index("sad")
    behind = np.concatenate([np.full(45, -1), np.linspace(0.01, 0.3, 30), np.full(25, 4)])
    logits[labels == fear, sad] = 5.0 + behind
    bias = recall_bias(logits, labels)
    assert np.flatnonzero(bias).tolist() == [fear]
    assert bias[fear] < 0.05  # no more than needed
    predicted = (logits + bias).argmax(axis=1)
    assert (predicted[labels == fear] == fear).mean() >= 0.47
    np.testing.assert_array_equal(recall_bias(5.0 * np.eye(7)[labels], labels), 0)


@pytest.mark.parametrize("name", sorted(DEGRADATIONS))
def test_a_degraded_face_keeps_its_shape_and_range(name, portrait):
    face = cv2.resize(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)[67:164, 177:274], (48, 48))
    degraded = DEGRADATIONS[name](face, np.random.default_rng(0))
    assert degraded.shape == (48, 48)
    assert 0 <= degraded.min() <= degraded.max() <= 255
    assert (np.abs(degraded.astype(float) - face).mean() > 1) == (name != "as they are")


def test_augmented_faces_differ_and_keep_their_shape():
    face = make_faces(1)[0][0]
    rng = np.random.default_rng(0)
    pictures = {augment(face, rng).tobytes() for _ in range(50)}
    assert len(pictures) == 50
    assert all(len(picture) == 48 * 48 for picture in pictures)


def test_the_strength_of_augmentation_is_set():
    """Without any of it a face stays as it is; a shift alone moves it, by at most as much as is set."""
    face = make_faces(4)[0][3]  # its bar is in the middle
    off: dict[str, Any] = dict.fromkeys(("mirror", "rotation", "shift", "zoom_in", "zoom_out", "relit", "hidden"), 0.0)
    rng = np.random.default_rng(0)
    same = [augment(face, rng, FaceTraining(**off)) for _ in range(100)]
    assert sum((picture == face).all() for picture in same) > 50  # a few are blurred, noisy, small or compressed
    for strength, least, most in (({"shift": 10.0}, 5, 10), ({"shift": 2.0}, 0, 2)):
        moved = [augment(face, rng, FaceTraining(**off | strength)) for _ in range(100)]
        rows = [abs(int(picture.mean(axis=1).argmax()) - int(face.mean(axis=1).argmax())) for picture in moved]
        assert least < max(rows) <= most + 4  # pixels; the bar is five wide


@pytest.mark.parametrize(("kind", "fewest", "most"), [("vgg", 1_000_000, 1_400_000), ("mini_xception", 30_000, 80_000)])
def test_other_networks_learn_the_bars(kind, fewest, most):
    keras.utils.set_random_seed(1)
    network = build_network(0.0, kind=kind)
    assert fewest < network.count_params() < most
    faces, labels = make_faces(140)
    targets = np.eye(7, dtype=np.float32)[labels]
    network.compile(optimizer=keras.optimizers.Adam(3e-3), loss="categorical_crossentropy")
    fitted = network.fit(preprocess(faces), {"emotions": targets, "votes": targets}, epochs=6, batch_size=20, verbose=0)
    assert fitted.history["loss"][-1] < 0.5 * fitted.history["loss"][0]


def test_emotions_without_training_get_no_probability():
    keras.utils.set_random_seed(0)
    faces, labels = make_faces(70)
    chosen = np.isin(labels, [3, 4])
    served, _ = calibrated(
        build_network(0.0, kind="mini_xception"), FaceSplit(faces[chosen], labels[chosen]), ("happy", "sad")
    )
    probabilities = predict(served, faces)
    np.testing.assert_allclose(probabilities[:, [3, 4]].sum(axis=1), 1, atol=1e-5)
    assert probabilities[:, [0, 1, 2, 5, 6]].max() < 1e-6


def test_training_and_serving_scale_pixels_the_same():
    """At full size, the network's input in training equals its input in serving, number for number."""
    faces, _ = make_faces(4)
    np.testing.assert_array_equal(standardize(resized(faces, 48)), preprocess(faces))


def test_metrics_of_known_predictions():
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
    """A folder with a corpus and a run of two epochs on it, the arguments that name its paths, and the finished process."""
    folder = tmp_path_factory.mktemp("training")
    write_csv(folder, training=140)
    paths = ["--data", str(folder), "--run-dir", str(folder / "run"), "--models-dir", str(folder / "models")]
    first = train(*paths, "--epochs", "2", "--seed", "5", "--batch-size", "35")
    assert first.returncode == 0, first.stderr
    return folder, paths, first


class TestTraining:
    @pytest.mark.timeout(600)
    def test_a_run_writes_models_manifest_plots_and_card(self, trained):
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

    def test_keras_and_litert_predict_the_same(self, trained):
        folder, _, _ = trained
        network = keras.models.load_model(folder / "models" / "face_emotion.keras", compile=False)
        faces, _ = make_faces(50, seed=9)
        served = FaceEmotionRecognizer.load(folder / "models").predict_proba(faces)
        # With int8 weights the probabilities differ a little, the predicted emotions do not.
        np.testing.assert_allclose(predict(network, faces), served, atol=0.03)

    @pytest.mark.timeout(600)
    def test_a_quick_run_over_some_emotions_is_marked_and_written_beside_the_served_network(self, trained):
        folder, paths, _ = trained
        own = [*paths[:2], "--run-dir", str(folder / "quick"), "--model", "mini_xception"]
        done = train(*own, "--quick", "--epochs", "1", "--batch-size", "35", "--emotions", "happiness,sadness,surprised")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("QUICK RUN")
        models = folder / "quick" / "models"
        card = (models / "face_emotion_mini_xception.md").read_text()
        assert card.splitlines()[2].startswith("> **QUICK RUN")
        assert "trained on happy, sad, surprise only" in card
        assert "separable convolutions" in card
        written = json.loads((models / "face_emotion_mini_xception.json").read_text())
        assert (written["quick"], written["emotions"]) == (True, ["happy", "sad", "surprise"])
        manifest = json.loads((models / "manifest.json").read_text())
        assert manifest["face_emotion_mini_xception.tflite"]["emotions"] == ["happy", "sad", "surprise"]
        recognizer = FaceEmotionRecognizer.load(models, name="face_emotion_mini_xception")
        assert recognizer.predict_proba(make_faces(20)[0])[:, [0, 1, 2, 6]].max() < 1e-6
        shown = train(*own[:2], "--models-dir", str(models), "--evaluate", "--model", "mini_xception")
        assert shown.returncode == 0, shown.stderr
        assert "face_emotion_mini_xception.tflite" in shown.stdout

    @pytest.mark.timeout(600)
    def test_a_network_is_distilled_from_others_and_starts_from_another_run(self, trained):
        folder, paths, _ = trained
        teacher = folder / "models" / "face_emotion.keras"
        student = [*paths[:2], "--run-dir", str(folder / "student"), "--models-dir", str(folder / "student_models")]
        sources = ["--distil", str(teacher), str(teacher), "--start-from", str(folder / "run")]
        done = train(*student, "--epochs", "1", "--batch-size", "70", *sources)
        assert done.returncode == 0, done.stderr
        assert "computing the predictions of the teacher face_emotion.keras for 140 faces" in done.stdout
        card = (folder / "student_models" / "face_emotion.md").read_text()
        assert "1. 2 epochs" in card
        assert "2. 1 epoch;" in card
        assert (
            "The run started with the weights of the run before. Beside the labels it was trained on the predictions of 2"
            in card
        )

    @pytest.mark.timeout(600)
    def test_an_interrupted_run_is_resumed(self, trained):
        folder, paths, _ = trained
        state_path = folder / "run" / "state.json"
        state = json.loads(state_path.read_text())
        state["config"]["epochs"] = 3  # as if it had been interrupted before its last epoch
        state_path.write_text(json.dumps(state))
        resumed = train(*paths, "--resume")
        assert resumed.returncode == 0, resumed.stderr
        assert "resuming after epoch 2" in resumed.stdout
        assert "epoch 3/3" in resumed.stdout
        assert "epoch 2/3" not in resumed.stdout
        assert [entry["epoch"] for entry in json.loads(state_path.read_text())["history"]] == [1, 2, 3]

    @pytest.mark.timeout(600)
    def test_evaluate_prints_the_metrics_of_the_served_model(self, trained):
        _, paths, _ = trained
        done = train(*paths, "--evaluate")
        assert done.returncode == 0, done.stderr
        assert "accuracy 0." in done.stdout
        assert "test, all: 7 faces" in done.stdout

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--data", "nowhere"], "nowhere holds no face corpus"),
            (["--data", "nowhere", "--resume", "--run-dir", "nowhere"], "holds no run to resume"),
        ],
    )
    def test_errors_state_what_to_do_next(self, arguments, message):
        done = train(*arguments)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr


class TestRunDirectory:
    def test_a_run_that_cannot_start_leaves_the_earlier_one(self, tmp_path):
        run = face_training.face_run(tmp_path / "run")
        run.start(FaceTraining(epochs=3))
        with pytest.raises(CorpusError, match="holds no face corpus"):
            face_training.train(
                tmp_path, config=FaceTraining(), run_dir=run.path, models_dir=tmp_path / "models", resume=False
            )
        assert run.read_state().settings.epochs == 3

    def test_a_run_cannot_start_from_itself(self, tmp_path):
        config = FaceTraining(start_from=str(tmp_path / "run"))
        with pytest.raises(ModelError, match="directory of its own"):
            face_training.train(
                tmp_path, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False
            )

    def test_a_run_without_a_finished_epoch_has_nothing_to_export(self, tmp_path):
        corpus = write_csv(tmp_path)
        face_training.face_run(tmp_path / "run").start(FaceTraining())
        with pytest.raises(FileNotFoundError, match="no finished epoch yet"):
            face_training.export_run(corpus, run_dir=tmp_path / "run", models_dir=tmp_path / "models")
