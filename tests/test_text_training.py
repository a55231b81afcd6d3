"""Training the text network on small corpora, with a small encoder that knows nothing."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.special import log_softmax
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import ModelError, verified_model_bytes
from moodmirror.recognition.text import TextEmotionRecognizer, TextEncoder
from moodmirror.recognition.text_network import TokenTables
from moodmirror.training.corpora import CorpusError
from moodmirror.training.settings import TextTraining
from moodmirror.training.text import (
    Batcher,
    Beginning,
    Run,
    TextBatches,
    TokenBatcher,
    compile_network,
    emotions_cross_entropy,
    emotions_of,
    encoder_folder,
    fit,
    freeze,
    fresh_network,
    load_pretrained,
    mean_network,
    predict,
    stacked,
    store_run,
    stored_run,
    train,
)
from moodmirror.training.text_augmentation import augment, mistyped
from moodmirror.training.text_calibration import calibrate
from moodmirror.training.text_corpora import TextCorpora, TextSplit, load_texts
from moodmirror.training.text_evaluation import best_threshold, multilabel_figures, read_cases
from moodmirror.training.text_patterns import patterned
from tests.conftest import ROOT

FINE = ["admiration", "anger", "disgust", "fear", "joy", "sadness", "surprise", *(f"other{n}" for n in range(20))]
GROUPS = {
    "anger": ["anger"],
    "disgust": ["disgust"],
    "fear": ["fear"],
    "joy": ["joy", "admiration", *FINE[7:]],
    "sadness": ["sadness"],
    "surprise": ["surprise"],
    "neutral": ["neutral"],
}
SEVEN = {"anger": "angry", "joy": "happy", "sadness": "sad"}
# Words that tell their label, and the label's number among FINE.
TELLING = {"furious": 1, "yuck": 2, "scared": 3, "happy": 4, "sad": 5, "wow": 6, "table": 27}


def write_corpora(folder, rows=280):
    """GoEmotions, CARER and DailyDialog in which one word tells the label."""
    rng = np.random.default_rng(0)
    goemotions = folder / "goemotions"
    goemotions.mkdir(parents=True)
    (goemotions / "emotions.txt").write_text("\n".join(FINE) + "\n")
    to7 = {group: SEVEN.get(group, group) for group in GROUPS}
    (goemotions / "ekman_mapping.json").write_text(json.dumps({"ekman": GROUPS, "to7": to7}))
    words = list(TELLING)
    fillers = ["the", "a", "so", "very", "one", "day", "it", "was", "and", "then", "we", "all"]
    for name, count in (("train", rows), ("dev", 70)):
        lines = []
        for row in range(count):
            word = words[row % len(words)]
            text = " ".join([*rng.choice(fillers, 3), word, str(rng.choice(fillers)), str(row) if name == "dev" else ""])
            lines.append(f"{text}\t{TELLING[word]}\tid{row}")
        (goemotions / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    carer = folder / "carer"
    carer.mkdir()
    for name in ("train", "val"):
        (carer / f"{name}.txt").write_text("i feel so happy;joy\ni feel love today;love\nim feeling sad;sadness\n" * 4)
    dialogues = folder / "dailydialog"
    dialogues.mkdir()
    (dialogues / "validation_dialogues.txt").write_text(
        "".join(f"Where is table {n} ? __eou__ So happy , {n} ! __eou__\n" for n in range(40))
    )
    (dialogues / "validation_dialogues_emotion.txt").write_text("0 4 \n" * 40)
    return folder


def write_encoder(folder, *, mpnet=False):
    """A BERT or MPNet encoder of one layer with random weights, and a vocabulary of letters and the telling words."""
    folder.mkdir()
    padding, start, end = ("<pad>", "<s>", "</s>") if mpnet else ("[PAD]", "[CLS]", "[SEP]")
    rng = np.random.default_rng(0)
    letters = [chr(code) for code in range(33, 127)]
    marks = [start, padding, end, "[UNK]"] if mpnet else [padding, "[UNK]", start, end]
    vocabulary = [*marks, "[unused1]", "ж", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary += [*TELLING, "the", "so", "very", "one", "day", "was", "and", "then", "feel", "where"]
    vocabulary = [token for number, token in enumerate(vocabulary) if token not in vocabulary[:number]]
    tokenizer = Tokenizer(WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(marks)
    tokenizer.enable_padding(length=128)
    tokenizer.save(str(folder / "tokenizer.json"))
    width, rise = 24, 48
    shape: dict[str, float | str] = {
        "num_hidden_layers": 1,
        "hidden_size": width,
        "num_attention_heads": 2,
        "intermediate_size": rise,
    }
    if mpnet:
        shape |= {"model_type": "mpnet", "pad_token_id": 1, "layer_norm_eps": 1e-5, "relative_attention_num_buckets": 32}
    (folder / "config.json").write_text(json.dumps(shape))

    def weights(*shape: int):
        return rng.normal(0, 0.3, shape).astype(np.float32)

    layer = "encoder.layer.0"
    tensors = {
        "embeddings.word_embeddings.weight": weights(len(vocabulary), width),
        "embeddings.position_embeddings.weight": 0.1 * weights(128, width),
        "embeddings.token_type_embeddings.weight": 0.1 * weights(2, width),
    }
    for name, out, into in (
        (f"{layer}.attention.self.query", width, width),
        (f"{layer}.attention.self.key", width, width),
        (f"{layer}.attention.self.value", width, width),
        (f"{layer}.attention.output.dense", width, width),
        (f"{layer}.intermediate.dense", rise, width),
        (f"{layer}.output.dense", width, rise),
    ):
        tensors |= {f"{name}.weight": weights(out, into), f"{name}.bias": 0.1 * weights(out)}
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        tensors |= {
            f"{name}.LayerNorm.weight": np.ones(width, np.float32),
            f"{name}.LayerNorm.bias": np.zeros(width, np.float32),
        }
    if mpnet:
        tensors |= {"encoder.relative_attention_bias.weight": 3 * weights(32, 2)}
        del tensors["embeddings.token_type_embeddings.weight"]
        tensors = {mpnet_name(name): values for name, values in tensors.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


class TestCorpora:
    def test_all_three(self, tmp_path):
        corpora = load_texts(write_corpora(tmp_path))
        goemotions = corpora.training["GoEmotions"]
        row = goemotions.texts.index(next(text for text in goemotions.texts if "furious" in text))
        assert [EMOTIONS[index] for index in np.flatnonzero(goemotions.labels[row])] == ["angry"]
        assert goemotions.fine[row].argmax() == TELLING["furious"]
        carer = corpora.training["CARER"]
        assert {EMOTIONS[index] for index in carer.labels.argmax(axis=1)} == {"happy", "sad"}
        assert not carer.possible[:, [EMOTIONS.index("disgust"), EMOTIONS.index("neutral")]].any()
        assert np.isnan(carer.fine).all()

    def test_no_dialogue_stands_on_both_sides(self, tmp_path):
        corpora = load_texts(write_corpora(tmp_path))
        assert corpora.everyday is not None
        assert corpora.everyday_calibration is not None
        parts = [corpora.everyday, corpora.everyday_calibration, corpora.training["DailyDialog"]]
        numbers = [{"".join(filter(str.isdigit, text)) for text in part.texts} for part in parts]
        assert all(numbers)
        assert not numbers[0] & numbers[1]
        assert not (numbers[0] | numbers[1]) & numbers[2]

    def test_helpers_may_be_absent(self, tmp_path):
        folder = write_corpora(tmp_path)
        for name in ("carer", "dailydialog"):
            (folder / name).rename(folder / f"no-{name}")
        corpora = load_texts(folder)
        assert list(corpora.training) == ["GoEmotions"]
        assert corpora.everyday is None
        assert {"no carer/", "no dailydialog/"} <= set(corpora.notes)

    @pytest.mark.parametrize(
        ("path", "content", "complaint"),
        [
            ("goemotions/train.tsv", None, "holds no goemotions/train.tsv"),
            ("goemotions/dev.tsv", "text without label\n", "dev.tsv, line 1"),
            ("goemotions/dev.tsv", "fine\t3\tid\nodd\t99\tid\n", "dev.tsv, line 2"),
            ("goemotions/emotions.txt", "joy\n", "28 labels"),
            ("carer/val.txt", "i feel odd;oddness\n", "val.txt, line 1"),
            ("carer/val.txt", None, "val.txt is missing"),
            ("dailydialog/validation_dialogues_emotion.txt", "0\n" * 40, "line 1: 2 utterances, 1 emotions"),
        ],
    )
    def test_a_damaged_corpus_is_named(self, tmp_path, path, content, complaint):
        folder = write_corpora(tmp_path)
        if content is None:
            (folder / path).unlink()
        else:
            (folder / path).write_text(content)
        with pytest.raises(CorpusError, match=complaint):
            load_texts(folder)


class TestTexts:
    def test_no_sentence_of_the_case_table_is_trained_on(self):
        cases = {_plain(case.text) for case in read_cases()}
        made = {_plain(text) for text in patterned(60_000, np.random.default_rng(3)).texts}
        assert cases & made == set()

    def test_patterns_are_many_and_name_every_emotion(self):
        split = patterned(3000, np.random.default_rng(1))
        assert len(set(split.texts)) > 2000
        assert (split.labels.mean(axis=0) > 0.05).all()
        assert split.labels.any(axis=1).all()
        assert patterned(50, np.random.default_rng(2)).texts == patterned(50, np.random.default_rng(2)).texts

    def test_augmented_texts_are_never_empty_and_mostly_keep_their_words(self):
        rng = np.random.default_rng(0)
        texts = ["I met [NAME] at the [RELIGION] market, and [NAME] was so kind!", "i feel terribly lonely", "...", "ok"]
        written = [augment(text, rng) for text in texts * 50]
        assert all(text.strip() for text in written)
        assert len(set(written)) > 60
        assert any("[NAME]" in text for text in written)
        assert any("lonely" in text and not text.startswith("i feel") for text in written)

    def test_a_typing_error_changes_one_word_in_eight(self):
        rng = np.random.default_rng(0)
        text = "nobody expected that wonderful little present yesterday evening"
        for _ in range(20):
            words = mistyped(text, rng).split()
            assert sum(word != plain for word, plain in zip(words, text.split(), strict=True)) <= 1
        assert mistyped("I am ok", rng) == "I am ok"


def _plain(text):
    return "".join(character for character in text.lower() if character.isalnum() or ord(character) > 0x2000)


def test_what_is_learnt_of_the_emotions_follows_from_their_labels():
    fine = np.zeros((2, 28), np.float32)
    fine[0, 3] = 1
    fine[1, [3, 5, 27]] = [0.5, 0.5, 0.2]
    emotions = np.full(28, 3)
    emotions[[3, 5]], emotions[27] = 0, 6
    found = emotions_of(fine, emotions)[:, [0, 3, 6]].ravel()
    assert found.tolist() == pytest.approx([1, 0, 0, 0.75, 0, 0.2], abs=1e-5)


class TestStacked:
    def test_who_is_right_about_a_label_is_trusted_about_it(self):
        rng = np.random.default_rng(0)
        fine = np.zeros((900, 28), np.float32)
        fine[:, :2] = rng.random((900, 2)) < 0.3
        parts = rng.integers(0, 3, 900)
        knowing, guessing = 0.1 + 0.8 * fine, rng.random(fine.shape).astype(np.float32)
        first, second = guessing.copy(), guessing.copy()
        first[:, 0], second[:, 1] = knowing[:, 0], knowing[:, 1]
        together = stacked([first, second], fine, parts)
        assert np.abs(together[:, :2] - fine[:, :2]).max() < 0.1
        np.testing.assert_allclose(together[:, 2:], (first + second)[:, 2:] / 2, atol=1e-6)

    def test_a_part_is_answered_for_without_its_own_labels(self):
        rng = np.random.default_rng(1)
        fine = (rng.random((300, 28)) < 0.3).astype(np.float32)
        said, parts = [rng.random(fine.shape, np.float32) for _ in range(2)], rng.integers(0, 3, 300)
        turned = np.where(parts[:, np.newaxis] == 1, 1 - fine, fine)
        here = parts == 1
        np.testing.assert_array_equal(stacked(said, fine, parts)[here], stacked(said, turned, parts)[here])


class TestFigures:
    def test_thresholds_of_a_known_answer(self):
        scores = np.array([0.9, 0.8, 0.4, 0.3, 0.1], np.float32)
        assert best_threshold(np.array([True, True, False, True, False]), scores) == pytest.approx(0.3)
        assert best_threshold(np.array([True, True, False, False, False]), scores) == pytest.approx(0.8)

    def test_thresholds_are_judged_on_texts_that_they_were_not_found_on(self):
        rng = np.random.default_rng(0)
        labels, scores = rng.random((300, 7)) < 0.05, rng.random((300, 7), np.float32)  # nothing to be known of them
        columns = [(labels[:, i], scores[:, i] >= best_threshold(labels[:, i], scores[:, i])) for i in range(7)]
        flattered = np.mean([f1_score(there, read) for there, read in columns])
        assert multilabel_figures(labels, scores).macro_f1 < 0.8 * flattered

    def test_perfect_answers_score_one(self):
        labels = np.eye(7, dtype=bool)[np.arange(140) % 7]
        result = multilabel_figures(labels, labels.astype(np.float32))
        assert result.macro_f1 == 1
        assert result.top_accuracy == 1

    def test_calibration_gives_back_the_factor_of_a_network_that_is_too_sure(self):
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 1.5, (4000, 7))
        probabilities = np.exp(log_softmax(logits, axis=1))
        labels = np.eye(7, dtype=bool)[[rng.choice(7, p=row) for row in probabilities]]
        texts = [f"text {number}" for number in range(4000)]
        corpora = TextCorpora({}, TextSplit.of(texts, labels), np.zeros(28, np.int_))
        too_sure = dict(zip(texts, 3 * logits, strict=True))
        found = calibrate(corpora, lambda chosen: np.array([too_sure[text] for text in chosen], np.float32))
        assert found.factor == pytest.approx(1 / 3, rel=0.1)
        np.testing.assert_allclose(found.bias, 0, atol=0.25)

    def test_a_corpus_teaches_nothing_about_emotions_it_never_names(self):
        """The loss on a text of CARER stays the same whatever the network says about neutral."""
        wanted = np.zeros((1, 14), np.float32)
        wanted[0, 3] = 1
        wanted[0, 7:] = [1, 0, 1, 1, 1, 1, 0]
        probabilities = np.array([[0.4, 0.9, 0.2, 0.6, 0.1, 0.3, 0.7]], np.float32)
        loss = float(keras.ops.convert_to_numpy(emotions_cross_entropy(wanted, np.log(probabilities)))[0])
        assert loss == pytest.approx(-np.log([1 - 0.4, 1 - 0.2, 0.6, 1 - 0.1, 1 - 0.3]).sum(), abs=1e-4)
        probabilities[0, [1, 6]] = 0.2
        unmoved = emotions_cross_entropy(wanted, np.log(probabilities))
        assert float(keras.ops.convert_to_numpy(unmoved)[0]) == pytest.approx(loss)


def test_the_rebuilt_encoder_gives_the_vectors_of_the_original():
    """The first numbers of sentence-transformers' own vectors for two sentences, to six digits."""
    pretrained = load_pretrained(encoder_folder())
    network = fresh_network(pretrained, TextTraining(), np.zeros(28, np.int_))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    vectors = predict(network, ["I am very happy today"], batcher)["sentence"]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[0, :4], [0.01250716, 0.08911537, 0.0458276, -0.03673842], atol=1e-6)


def mpnet_name(name):
    """What MPNet calls a part of a BERT encoder."""
    for part in ("query", "key", "value"):
        name = name.replace(f"attention.self.{part}", f"attention.attn.{part[0]}")
    return name.replace("attention.output.dense", "attention.attn.o").replace("attention.output.L", "attention.L")


def test_an_mpnet_gives_the_states_of_the_original(tmp_path):
    """Numbers that the transformers library (5.23) gives for the same weights, a text longer than distances told apart."""
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder", mpnet=True))
    network = fresh_network(pretrained, TextTraining(), np.zeros(28, np.int_))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    texts = ["so happy", " ".join(["the day was so very sad and then happy feel where"] * 4)]
    vectors = predict(network, texts, batcher)["sentence"]
    theirs = [[-0.616755, 0.419967, 0.590658, -0.337260], [-0.554488, -0.794286, 0.605769, -0.230507]]
    np.testing.assert_allclose(vectors[:, :4], theirs, atol=1e-5)


def test_what_is_frozen_stays_as_it_was_pre_trained(tmp_path):
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder", mpnet=True))
    config = TextTraining(batch_size=8, patterns=0, anchor_weight=0.0, learning_rate=0.01)
    corpora = load_texts(write_corpora(tmp_path / "data"))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    network = fresh_network(pretrained, config, corpora.emotion_of_fine)
    freeze(network, 1)
    compile_network(network, config)
    encoder = network.get_layer("reader").get_layer("encoder")
    before = [*network.get_layer("token_rows").get_weights(), *encoder.get_weights()]
    answer = network.get_layer("reader").get_layer("fine").get_weights()[0]
    inputs, wanted, weights = TextBatches(corpora, Beginning(pretrained, batcher, {}), config).at(0)
    network.train_on_batch(inputs, wanted, sample_weight=weights)
    for old, new in zip(before, [*network.get_layer("token_rows").get_weights(), *encoder.get_weights()], strict=True):
        np.testing.assert_array_equal(old, new)
    assert not np.array_equal(answer, network.get_layer("reader").get_layer("fine").get_weights()[0])


@pytest.mark.timeout(600)
def test_a_run_trains_resumes_and_ships_a_model_that_reads(tmp_path):
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

    told = run(*settings)
    assert "teacher 2 of 2" in told
    of_unseen = [float(figure) for figure in re.findall(r"not learnt from: macro-F1 ([\d.]+)", told)]
    assert len(of_unseen) == 3
    assert min(of_unseen) > 0.9
    assert "macro-F1" in told
    recognizer = TextEmotionRecognizer.load(models)
    read = recognizer.predict(["the day was furious and", "so very happy then", "one table the day"])
    assert read == ["angry", "happy", "neutral"]
    assert TextEncoder.load(models).encode(["happy day"]).shape == (1, 24)
    card = (models / "text_emotion.md").read_text(encoding="utf-8")
    assert "GoEmotions" in card
    assert "TF-IDF" in card
    assert "learnt all but one of them each: 2 parts, larger, 8 epochs, learning rate 0.01." in card
    assert str(tmp_path) not in card
    assert "learnt GoEmotions alone says of them counts 0.4 of their targets, 0.1 of the patterns'" in card
    assert "the mean of the weights of 2 networks" in card
    graph = (models / "text_emotion.tflite").read_bytes()
    other = tmp_path / "run" / "network2"
    resumed = run("--resume", "--epochs", "12", "--networks", "1", "--also-averaged", str(other))
    assert len(re.findall(r"; (\d+) steps, \1 of them done", resumed)) == 2  # of the specialist and the network
    card = (models / "text_emotion.md").read_text(encoding="utf-8")
    assert "the mean of the weights of one network trained so, and of 1 more" in card
    assert (models / "text_emotion.tflite").read_bytes() == graph
    assert "teacher 1 of 2" not in resumed
    assert "macro-F1" in run("--evaluate")

    network = keras.models.load_model(tmp_path / "run" / "text_emotion.keras", compile=False)
    tables = TokenTables.from_bytes(verified_model_bytes("text_emotion.npz", "make", models))
    tokenizer = Tokenizer.from_file(str(models / "text_emotion_tokenizer.json"))
    texts = load_texts(data).development.texts
    by_keras = predict(network, texts, Batcher(tokenizer, tables))["moods"]
    agree = by_keras.argmax(axis=1) == recognizer.network(texts)[0].argmax(axis=1)
    assert agree.mean() >= 0.99

    told = run("--model", "tfidf")
    assert "macro-F1" in told


# Keras under TensorFlow warns so of itself when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_networks_to_be_averaged_begin_alike_and_see_other_texts(tmp_path):
    corpora = load_texts(write_corpora(tmp_path / "data"))
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    config = TextTraining(batch_size=8, patterns=8, learning_rate=0.0, epochs=0.1)
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    beginning = Beginning(pretrained, batcher, {})
    one, two = (
        fit(Run(tmp_path / f"run{order}", config, resume=False), corpora, beginning, config, order).get_weights()
        for order in range(2)
    )
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
    shown = [TextBatches(corpora, beginning, config, order).at(0)[0][0] for order in range(2)]
    assert shown[0].shape != shown[1].shape or (shown[0] != shown[1]).any()


# Keras under TensorFlow warns so of itself when it saves a network.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_what_is_served_has_the_mean_of_the_networks_weights(tmp_path):
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    paths = [tmp_path / "one.keras", tmp_path / "two.keras"]
    weights = []
    for path, seed in zip(paths, (1, 2), strict=True):
        keras.utils.set_random_seed(seed)
        network = fresh_network(pretrained, TextTraining(), np.zeros(28, np.int_))
        network.save(path)
        weights.append(network.get_weights())
    assert any((one != two).any() for one, two in zip(*weights, strict=True))
    for mean, one, two in zip(mean_network(paths).get_weights(), *weights, strict=True):
        np.testing.assert_allclose(mean, (one + two) / 2, atol=1e-7)


def test_without_an_encoder_the_command_says_how_to_get_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="--encoder"):
        encoder_folder(str(tmp_path))


@pytest.mark.parametrize("there", [[], ["taught.npy"]])
def test_what_another_run_must_have_left_is_missed_before_anything_is_trained(tmp_path, there):
    for name in there:
        (tmp_path / name).touch()
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    config = TextTraining(encoder=str(encoder), also_taught=[str(tmp_path / "taught.npy")])
    with pytest.raises(FileNotFoundError, match="--also-taught"):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert not (tmp_path / "run" / "teacher1").exists()


def test_what_is_wanted_of_other_texts_is_between_their_labels_and_the_specialist(tmp_path):
    corpora = load_texts(write_corpora(tmp_path / "data"))
    pretrained = load_pretrained(write_encoder(tmp_path / "encoder"))
    batcher = TokenBatcher(pretrained.tokenizer, np.zeros(len(pretrained.token_rows), np.uint32))
    specialist = fresh_network(pretrained, TextTraining(), corpora.emotion_of_fine)
    config = TextTraining(batch_size=8, patterns=0, specialist_share=0.3)

    def wanted(corpus: str, specialist: keras.Model | None) -> set[tuple[float, ...]]:
        """Rows of emotions that are wanted in the first epoch."""
        only = replace(corpora, training={corpus: corpora.training[corpus]})
        batches = TextBatches(only, Beginning(pretrained, batcher, {}, specialist=specialist), config)
        steps = len(corpora.training[corpus]) // config.batch_size
        rows = np.concatenate([batches.at(step)[1]["emotions"][:, : len(EMOTIONS)] for step in range(steps)])
        return set(map(tuple, rows.round(3).tolist()))

    tweets = corpora.training["CARER"]
    said = np.exp(predict(specialist, tweets.texts, batcher)["emotions"])
    between = (0.7 * tweets.labels + 0.3 * said).astype(np.float32)
    assert wanted("CARER", specialist) == set(map(tuple, between.round(3).tolist()))
    assert wanted("CARER", None) == set(map(tuple, tweets.labels.astype(float).tolist()))
    assert wanted("GoEmotions", specialist) == wanted("GoEmotions", None)


def test_a_run_that_is_broken_off_has_nothing_of_an_earlier_one_in_its_folder(tmp_path):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    earlier = tmp_path / "run" / "network1"
    earlier.mkdir(parents=True)
    store_run(earlier, TextTraining(), [{"step": 1}])
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
    assert "no network yet: go on with --resume" in exported.stderr


def test_a_run_that_cannot_begin_leaves_an_earlier_one_in_its_folder(tmp_path):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    earlier, other = tmp_path / "run" / "network1", tmp_path / "other"
    for folder in (earlier, other):
        folder.mkdir(parents=True)
        store_run(folder, TextTraining(), [{"step": 1}])
    np.save(other / "taught.npy", np.zeros((1, 28)))
    config = TextTraining(encoder=str(encoder), also_taught=[str(other / "taught.npy")])
    with pytest.raises(CorpusError, match="let its run finish"):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert stored_run(earlier)[1] == [{"step": 1}]


@pytest.mark.parametrize(
    ("seed", "error", "complaint"), [(None, FileNotFoundError, "holds no network"), (8, ModelError, "another seed")]
)
def test_what_can_not_be_averaged_is_told_before_anything_is_trained(tmp_path, seed, error, complaint):
    data, encoder = write_corpora(tmp_path / "data"), write_encoder(tmp_path / "encoder")
    other = tmp_path / "other" / "network1"
    config = TextTraining(encoder=str(encoder), also_averaged=[str(other)])
    if seed is not None:
        other.mkdir(parents=True)
        (other / "last.keras").touch()
        store_run(other, replace(config, seed=seed), [{"step": 1}])
    with pytest.raises(error, match=complaint):
        train(data, config=config, run_dir=tmp_path / "run", models_dir=tmp_path / "models", resume=False)
    assert not (tmp_path / "run").exists()
