"""The numerical parts of text training: losses, stacking of teachers, metrics and calibration."""

import keras
import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import log_softmax
from sklearn.metrics import f1_score

from moodmirror.emotions import EMOTIONS
from moodmirror.training.text_calibration import calibrate
from moodmirror.training.text_corpora import TextCorpora, TextSplit
from moodmirror.training.text_evaluation import best_threshold, evaluate_recognizer, majority_baseline, multilabel_metrics
from moodmirror.training.text_network import emotion_probabilities, emotions_cross_entropy
from moodmirror.training.text_teachers import stack_predictions

pytestmark = pytest.mark.training


def test_emotion_probabilities_combine_their_labels_by_a_noisy_or():
    fine = np.zeros((2, 28), np.float32)
    fine[0, 3] = 1
    fine[1, [3, 5, 27]] = [0.5, 0.5, 0.2]
    emotion_of_fine = np.full(28, 3)
    emotion_of_fine[[3, 5]], emotion_of_fine[27] = 0, 6
    probabilities = emotion_probabilities(fine, emotion_of_fine)[:, [0, 3, 6]].ravel()
    assert probabilities.tolist() == pytest.approx([1, 0, 0, 0.75, 0, 0.2], abs=1e-5)


class TestStackedTeachers:
    def test_a_teacher_is_weighted_by_its_accuracy_on_each_label(self):
        rng = np.random.default_rng(0)
        fine = np.zeros((900, 28), np.float32)
        fine[:, :2] = rng.random((900, 2)) < 0.3
        folds = rng.integers(0, 3, 900)
        informed, guessing = 0.1 + 0.8 * fine, rng.random(fine.shape).astype(np.float32)
        first, second = guessing.copy(), guessing.copy()
        first[:, 0], second[:, 1] = informed[:, 0], informed[:, 1]
        combined = stack_predictions([first, second], fine, folds)
        assert np.abs(combined[:, :2] - fine[:, :2]).max() < 0.1
        np.testing.assert_allclose(combined[:, 2:], (first + second)[:, 2:] / 2, atol=1e-6)

    def test_a_fold_is_predicted_without_its_own_labels(self):
        rng = np.random.default_rng(1)
        fine = (rng.random((300, 28)) < 0.3).astype(np.float32)
        predictions, folds = [rng.random(fine.shape, np.float32) for _ in range(2)], rng.integers(0, 3, 300)
        held_out = folds == 1
        inverted = np.where(held_out[:, np.newaxis], 1 - fine, fine)
        by_fine, by_inverted = (stack_predictions(predictions, labels, folds) for labels in (fine, inverted))
        np.testing.assert_array_equal(by_fine[held_out], by_inverted[held_out])
        assert (by_fine[~held_out] != by_inverted[~held_out]).any()


class TestMetrics:
    def test_the_best_threshold_of_a_known_example(self):
        scores = np.array([0.9, 0.8, 0.4, 0.3, 0.1], np.float32)
        assert best_threshold(np.array([True, True, False, True, False]), scores) == pytest.approx(0.3)
        assert best_threshold(np.array([True, True, False, False, False]), scores) == pytest.approx(0.8)

    def test_thresholds_are_evaluated_on_other_texts_than_they_were_found_on(self):
        rng = np.random.default_rng(0)
        labels, scores = rng.random((300, 7)) < 0.05, rng.random((300, 7), np.float32)  # scores independent of the labels
        columns = [(labels[:, i], scores[:, i] >= best_threshold(labels[:, i], scores[:, i])) for i in range(7)]
        optimistic = np.mean([f1_score(true, predicted) for true, predicted in columns])
        assert multilabel_metrics(labels, scores).macro_f1 < 0.8 * optimistic

    def test_perfect_predictions_score_one(self):
        labels = np.eye(7, dtype=bool)[np.arange(140) % 7]
        result = multilabel_metrics(labels, labels.astype(np.float32))
        assert result.macro_f1 == 1
        assert result.top_accuracy == 1

    def test_calibration_finds_the_factor_of_an_overconfident_network(self):
        rng = np.random.default_rng(0)
        logits = rng.normal(0, 1.5, (4000, 7))
        probabilities = np.exp(log_softmax(logits, axis=1))
        labels = np.eye(7, dtype=bool)[[rng.choice(7, p=row) for row in probabilities]]
        texts = [f"text {number}" for number in range(4000)]
        corpora = TextCorpora({}, TextSplit.from_labels(texts, labels), np.zeros(28, np.int_))
        overconfident = dict(zip(texts, 3 * logits, strict=True))
        calibration = calibrate(corpora, lambda batch: np.array([overconfident[text] for text in batch], np.float32))
        assert calibration.factor == pytest.approx(1 / 3, rel=0.1)
        np.testing.assert_allclose(calibration.bias, 0, atol=0.25)

    def test_the_loss_ignores_emotions_that_a_corpus_cannot_label(self):
        """The loss of a text of CARER is independent of the predicted probabilities of disgust and neutral."""
        target = np.zeros((1, 14), np.float32)
        target[0, 3] = 1
        target[0, 7:] = [1, 0, 1, 1, 1, 1, 0]
        probabilities = np.array([[0.4, 0.9, 0.2, 0.6, 0.1, 0.3, 0.7]], np.float32)
        loss = float(keras.ops.convert_to_numpy(emotions_cross_entropy(target, np.log(probabilities)))[0])
        assert loss == pytest.approx(-np.log([1 - 0.4, 1 - 0.2, 0.6, 1 - 0.1, 1 - 0.3]).sum(), abs=1e-4)
        probabilities[0, [1, 6]] = 0.2
        with_others = emotions_cross_entropy(target, np.log(probabilities))
        assert float(keras.ops.convert_to_numpy(with_others)[0]) == pytest.approx(loss)

    def test_the_majority_baseline_predicts_the_most_frequent_emotion(self):
        neutral, sad = EMOTIONS.index("neutral"), EMOTIONS.index("sad")
        baseline = majority_baseline(np.array([neutral, sad, neutral, neutral]))
        assert (baseline.emotion, baseline.accuracy) == ("neutral", 0.75)
        assert baseline.macro_f1 == pytest.approx((2 * 0.75 / 1.75 + 0) / 2)  # of the two emotions that occur

    def test_the_accuracy_on_dialogues_is_printed_with_that_of_always_predicting_neutral(self):
        class AlwaysSad:
            def predict_proba(self, texts: list[str]) -> npt.NDArray[np.float32]:
                return np.tile(np.eye(7, dtype=np.float32)[EMOTIONS.index("sad")], (len(texts), 1))

        labels = np.eye(7, dtype=bool)
        development = TextSplit.from_labels([f"text {number}" for number in range(70)], labels[np.arange(70) % 7])
        emotions = ["neutral"] * 9 + ["sad"]
        everyday = TextSplit.from_labels(emotions, labels[[EMOTIONS.index(emotion) for emotion in emotions]])
        corpora = TextCorpora({}, development, np.zeros(28, np.int_), everyday=everyday)
        evaluation = evaluate_recognizer(corpora, AlwaysSad())
        assert "accuracy 0.1000 (always neutral: 0.9000)" in evaluation.as_text()
        figures = evaluation.as_json()["everyday"]
        assert figures["accuracy"] == 0.1
        assert figures["majority_baseline"] == {"emotion": "neutral", "accuracy": 0.9, "macro_f1": pytest.approx(0.47368)}
