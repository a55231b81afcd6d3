"""The data of text training: corpora, pattern sentences and augmentation."""

import numpy as np
import pytest
from scipy.special import softmax

import train
from moodmirror.emotions import EMOTIONS
from moodmirror.training import text_corpora
from moodmirror.training.corpora import CorpusError
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_augmentation import add_typing_errors, augment
from moodmirror.training.text_calibration import calibrate
from moodmirror.training.text_corpora import load_for_training, load_text_corpora, only_emotions
from moodmirror.training.text_evaluation import read_cases
from moodmirror.training.text_patterns import pattern_sentences
from moodmirror.training.text_tfidf import TfidfEmotionRecognizer
from tests.small_text_model import LABEL_WORDS, write_corpora

pytestmark = pytest.mark.training


class TestCorpora:
    def test_all_three_corpora_are_loaded(self, tmp_path):
        corpora = load_text_corpora(write_corpora(tmp_path))
        goemotions = corpora.training["GoEmotions"]
        row = goemotions.texts.index(next(text for text in goemotions.texts if "furious" in text))
        assert [EMOTIONS[index] for index in np.flatnonzero(goemotions.labels[row])] == ["angry"]
        assert goemotions.fine[row].argmax() == LABEL_WORDS["furious"]
        carer = corpora.training["CARER"]
        assert {EMOTIONS[index] for index in carer.labels.argmax(axis=1)} == {"happy", "sad"}
        assert not carer.possible[:, [EMOTIONS.index("disgust"), EMOTIONS.index("neutral")]].any()
        assert np.isnan(carer.fine).all()

    def test_dialogues_of_calibration_evaluation_and_training_are_disjoint(self, tmp_path):
        corpora = load_text_corpora(write_corpora(tmp_path))
        assert corpora.everyday is not None
        assert corpora.everyday_calibration is not None
        parts = [corpora.everyday, corpora.everyday_calibration, corpora.training["DailyDialog"]]
        numbers = [{"".join(filter(str.isdigit, text)) for text in part.texts} for part in parts]
        assert all(numbers)
        assert not numbers[0] & numbers[1]
        assert not (numbers[0] | numbers[1]) & numbers[2]

    def test_carer_and_dailydialog_are_optional(self, tmp_path):
        folder = write_corpora(tmp_path)
        for name in ("carer", "dailydialog"):
            (folder / name).rename(folder / f"no-{name}")
        corpora = load_text_corpora(folder)
        assert list(corpora.training) == ["GoEmotions"]
        assert corpora.everyday is None
        assert {"no carer/", "no dailydialog/"} <= set(corpora.notes)

    @pytest.mark.parametrize(
        ("path", "content", "message"),
        [
            ("goemotions/train.tsv", None, "contains no goemotions/train.tsv"),
            ("goemotions/dev.tsv", "text without label\n", "dev.tsv, line 1"),
            ("goemotions/dev.tsv", "fine\t3\tid\nodd\t99\tid\n", "dev.tsv, line 2"),
            ("goemotions/emotions.txt", "joy\n", "28 labels"),
            ("carer/val.txt", "i feel odd;oddness\n", "val.txt, line 1"),
            ("carer/val.txt", None, "val.txt is missing"),
            ("dailydialog/validation_dialogues_emotion.txt", "0\n" * 40, "line 1: 2 utterances, 1 emotions"),
        ],
    )
    def test_the_error_names_the_damaged_file(self, tmp_path, path, content, message):
        folder = write_corpora(tmp_path)
        if content is None:
            (folder / path).unlink()
        else:
            (folder / path).write_text(content)
        with pytest.raises(CorpusError, match=message):
            load_text_corpora(folder)

    def test_chosen_emotions(self, tmp_path):
        folder = write_corpora(tmp_path)
        corpora = load_for_training(folder, TextTraining(emotions=("happy", "angry")))
        assert corpora.emotions == ("angry", "happy")
        for split in (*corpora.training.values(), corpora.development, corpora.tweets, corpora.everyday):
            assert split is not None
            assert len(split) > 0
            assert {EMOTIONS[index] for index in np.flatnonzero(split.labels.any(axis=0))} <= {"angry", "happy"}
        assert any("that --emotions does not name: GoEmotions" in note for note in corpora.notes)
        some = only_emotions(sentences(), ("sad", "fear"))
        assert {EMOTIONS[index] for index in some.labels.argmax(axis=1)} == {"sad", "fear"}

    def test_a_quick_run_has_a_part_of_the_texts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(text_corpora, "QUICK_TEXTS", (50, 20))
        corpora = load_for_training(write_corpora(tmp_path), TextTraining(quick=True))
        assert (len(corpora.training["GoEmotions"]), len(corpora.development)) == (50, 20)

    def test_one_class_is_an_error(self, tmp_path, capsys):
        folder = write_corpora(tmp_path)
        for name in ("train", "dev"):
            path = folder / "goemotions" / f"{name}.tsv"
            happy = [line for line in path.read_text().splitlines() if "happy" in line]
            path.write_text("\n".join(happy) + "\n")
        for model in ("transformer", "tfidf"):
            command = ["text", "--data", str(folder), "--model", model, "--run-dir", str(tmp_path / "run")]
            assert train.main([*command, "--models-dir", str(tmp_path / "models")]) == 1
            assert "of one class only, happy" in capsys.readouterr().err

    def test_other_labels_are_left_out_and_counted(self, tmp_path):
        folder = write_corpora(tmp_path)
        with (folder / "carer" / "train.txt").open("a") as file:
            file.write("i feel odd;oddness\nim bored;boredom\nso bored;boredom\n")
        corpora = load_text_corpora(folder)
        assert "left out, lines of train.txt with another label: boredom 2, oddness 1" in corpora.notes

    def test_the_word_count_model_of_some_emotions_gives_the_others_nothing(self, tmp_path, capsys):
        folder, models = write_corpora(tmp_path / "data"), tmp_path / "models"
        command = ["text", "--data", str(folder), "--model", "tfidf", "--models-dir", str(models), "--emotions", "anger,joy"]
        assert train.main(command) == 0
        moods = TfidfEmotionRecognizer.load(models).predict_proba(["so very happy then", "the day was furious and"])
        assert [EMOTIONS[index] for index in moods.argmax(axis=1)] == ["happy", "angry"]
        assert moods[:, [EMOTIONS.index(name) for name in ("sad", "fear", "neutral")]].max() == 0
        assert train.main([*command, "--evaluate"]) == 0
        assert "macro-F1" in capsys.readouterr().out

    def test_the_calibration_gives_untrained_emotions_nothing(self, tmp_path):
        corpora = load_for_training(write_corpora(tmp_path), TextTraining(emotions=("happy", "angry")))
        calibration = calibrate(corpora, lambda texts: np.zeros((len(texts), len(EMOTIONS)), np.float32))
        moods = softmax(calibration.factor * np.zeros(len(EMOTIONS)) + calibration.bias)
        assert moods[[EMOTIONS.index("happy"), EMOTIONS.index("angry")]].sum() == 1


def sentences():
    """Return sentences of every emotion."""
    return pattern_sentences(500, np.random.default_rng(1))


class TestPatternsAndAugmentation:
    def test_no_test_sentence_is_among_the_pattern_sentences(self):
        cases = {_normalized(case.text) for case in read_cases()}
        generated = {_normalized(text) for text in pattern_sentences(60_000, np.random.default_rng(3)).texts}
        assert len(cases) > 100
        assert len(generated) > 10_000
        assert cases & generated == set()

    def test_pattern_sentences_vary_and_cover_every_emotion(self):
        split = pattern_sentences(3000, np.random.default_rng(1))
        assert len(set(split.texts)) > 2000
        assert (split.labels.mean(axis=0) > 0.05).all()
        assert split.labels.any(axis=1).all()
        assert pattern_sentences(50, np.random.default_rng(2)).texts == pattern_sentences(50, np.random.default_rng(2)).texts

    def test_augmented_texts_are_never_empty_and_mostly_keep_their_words(self):
        rng = np.random.default_rng(0)
        texts = ["I met [NAME] at the [RELIGION] market, and [NAME] was so kind!", "i feel terribly lonely", "...", "ok"]
        augmented = [augment(text, rng) for text in texts * 50]
        assert all(text.strip() for text in augmented)
        assert len(set(augmented)) > 60
        assert any("[NAME]" in text for text in augmented)
        assert any("lonely" in text and not text.startswith("i feel") for text in augmented)

    def test_typing_errors_change_one_word_in_eight(self):
        rng = np.random.default_rng(0)
        text = "nobody expected that wonderful little present yesterday evening"
        changes = []
        for _ in range(20):
            words = add_typing_errors(text, rng).split()
            changes.append(sum(word != original for word, original in zip(words, text.split(), strict=True)))
        assert max(changes) == 1
        assert sum(changes) > 10  # swapping two equal letters changes nothing
        assert add_typing_errors("I am ok", rng) == "I am ok"


def _normalized(text):
    return "".join(character for character in text.lower() if character.isalnum() or ord(character) > 0x2000)
