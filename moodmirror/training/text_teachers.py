"""Distill teachers into the text network: cross-fold teachers and a specialist on GoEmotions.

Each teacher is trained on all but one fold of GoEmotions and predicts the labels of that fold, so its predictions are what
is usual for such a text, not what its few annotators chose (Hinton et al., "Distilling the Knowledge in a Neural Network",
2015). The predictions of several teachers are stacked and mixed into the labels.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from moodmirror.training.corpora import CorpusError
from moodmirror.training.run_directory import STATE_FILE
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_batches import NetworkSetup
from moodmirror.training.text_corpora import FINE_LABELS, TextCorpora, TextSplit
from moodmirror.training.text_encoder import encoder_folder, load_pretrained
from moodmirror.training.text_evaluation import multilabel_metrics
from moodmirror.training.text_network import (
    FINE_OUTPUT,
    MIN_PROBABILITY,
    bfloat16_products,
    emotion_probabilities,
    predict,
)
from moodmirror.training.text_run import SPECIALIST, TEACHER_PREDICTIONS, network_directory
from moodmirror.training.text_token_batcher import TokenBatcher, count_tokens
from moodmirror.training.text_training_loop import NetworkRun, fit

Floats = npt.NDArray[np.float32]


def distill_teachers(
    corpora: TextCorpora,
    other_predictions: Sequence[Floats],
    setup: NetworkSetup,
    config: TextTraining,
    run_dir: Path,
    *,
    resume: bool,
) -> TextCorpora:
    """Return the corpora with teacher predictions mixed into GoEmotions' training labels.

    `other_predictions`, each float32 [n, 28], are those of teachers of other runs.
    """
    texts = corpora.training["GoEmotions"]
    own = [_cross_fold_predictions(corpora, setup, config, run_dir, resume=resume)] if config.folds else []
    predictions = stack_predictions([*own, *other_predictions], texts.fine, texts.folds(max(config.folds, 2)))
    _print_held_out_metrics(texts, predictions, corpora.emotion_of_fine)
    fine = config.teacher_share * predictions + (1 - config.teacher_share) * texts.fine
    return replace(corpora, training={**corpora.training, "GoEmotions": replace(texts, fine=fine.astype(np.float32))})


def train_specialist(
    corpora: TextCorpora, setup: NetworkSetup, config: TextTraining, run_dir: Path, *, resume: bool
) -> keras.Model:
    """Train a network on GoEmotions alone, without anchor vectors.

    It is free of the labeling conventions of other corpora.
    """
    print("specialist", flush=True)
    settings = replace(config, patterns=0, tweets=0, anchor_weight=0.0)
    run = NetworkRun(network_directory(run_dir / SPECIALIST), settings, resume=resume)
    return fit(run, replace(corpora, training={"GoEmotions": corpora.training["GoEmotions"]}), setup, settings)


def _cross_fold_predictions(
    corpora: TextCorpora, setup: NetworkSetup, config: TextTraining, run_dir: Path, *, resume: bool
) -> Floats:
    """Return label probabilities of GoEmotions' training texts, float32 [n, 28].

    Each fold is predicted by a teacher trained on the others.
    """
    texts = corpora.training["GoEmotions"]
    path = run_dir / TEACHER_PREDICTIONS
    predictions: Floats = (
        np.load(path, allow_pickle=False) if resume and path.is_file() else np.full_like(texts.fine, np.nan)
    )
    folds = texts.folds(config.folds)
    if config.teacher_encoder and np.isnan(predictions).any():
        pretrained = load_pretrained(encoder_folder(config.teacher_encoder))
        counts = count_tokens(corpora.training.values(), pretrained.tokenizer)
        setup = NetworkSetup(pretrained, TokenBatcher(pretrained.tokenizer, counts, config.most_tokens), {})
    setup = replace(setup, frozen_layers=config.teacher_frozen)
    settings = replace(
        config,
        epochs=config.teacher_epochs,
        learning_rate=config.teacher_learning_rate,
        patterns=0,
        anchor_weight=0.0,
    )
    for number in range(config.folds):
        held_out = folds == number
        if not np.isnan(predictions[held_out]).any():
            continue
        print(f"teacher {number + 1} of {config.folds}", flush=True)
        training, unseen = texts.select(~held_out), texts.select(held_out)
        run = NetworkRun(network_directory(run_dir / f"teacher{number + 1}"), settings, resume=resume)
        network = fit(run, replace(corpora, training={"GoEmotions": training}), setup, settings)
        with bfloat16_products():
            predictions[held_out] = expit(predict(network, unseen.texts, setup.batcher)[FINE_OUTPUT])
        _print_held_out_metrics(unseen, predictions[held_out], corpora.emotion_of_fine)
        np.save(path, predictions)
    return predictions


def load_teacher_predictions(path: Path, texts: TextSplit) -> Floats:
    """Load another run's teacher predictions of GoEmotions' training texts, float32 [n, 28].

    Raises FileNotFoundError if the file or its run's settings are missing, CorpusError if it doesn't cover these texts.
    """
    for file in (path, path.parent / STATE_FILE):  # the model card describes that run's settings
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing. Pass --also-taught the taught.npy in the folder of another run")
    predictions: Floats = np.load(path, allow_pickle=False)
    if predictions.shape != texts.fine.shape or np.isnan(predictions).any():
        raise CorpusError(f"{path} doesn't cover the {len(texts)} GoEmotions texts. Let its run finish first")
    return predictions


def stack_predictions(predictions: Sequence[Floats], fine: Floats, folds: npt.NDArray[np.int_]) -> Floats:
    """Combine predictions of several teachers into one probability per label, float32 [n, 28].

    Each of `predictions` is float32 [n, 28], as are the true labels `fine`. A logistic regression over the teachers' log
    odds for each label (Wolpert, "Stacked Generalization", Neural Networks, 1992) weights each teacher by how accurate it
    is on that label. Texts of one of the `folds`, int [n], are predicted by a regression fitted on the others; a label that
    doesn't occur there gets the mean of the predictions.
    """
    log_odds = logit(np.clip(np.stack(predictions, axis=2), MIN_PROBABILITY, 1 - MIN_PROBABILITY))
    combined: Floats = np.mean(predictions, axis=0, dtype=np.float32)
    for fold in np.unique(folds):
        held_out = folds == fold
        for label in range(FINE_LABELS):
            present = fine[~held_out, label] > 0
            if 0 < present.sum() < len(present):
                regression = LogisticRegression(solver="newton-cholesky").fit(log_odds[~held_out, label], present)
                combined[held_out, label] = regression.predict_proba(log_odds[held_out, label])[:, 1]
    return combined


def _print_held_out_metrics(texts: TextSplit, predictions: Floats, emotion_of_fine: npt.NDArray[np.int_]) -> None:
    result = multilabel_metrics(texts.labels, emotion_probabilities(predictions, emotion_of_fine))
    print(
        f"{len(texts)} held-out texts: macro-F1 {result.macro_f1:.3f}, "
        f"top emotion is among the labels {result.top_accuracy:.3f}",
        flush=True,
    )
