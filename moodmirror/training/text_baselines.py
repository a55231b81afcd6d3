"""Baselines of the text network: logistic regression on TF-IDF and on pre-trained sentence vectors."""

import pickle
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_corpora import TextSplit, load_for_training
from moodmirror.training.text_evaluation import MultilabelMetrics, evaluate_recognizer, multilabel_metrics
from moodmirror.training.text_tfidf import TFIDF_FILE, TfidfEmotionRecognizer

MAX_FEATURES: Final = 60_000  # words and word pairs: 4 MB of weights

Floats = npt.NDArray[np.float32]


def fit_tfidf_pipeline(training: TextSplit) -> Any:
    """Fit and return a pipeline of TF-IDF (words, word pairs) and a logistic regression per emotion."""
    vectorizer = TfidfVectorizer(
        lowercase=True,
        ngram_range=(1, 2),
        min_df=2,
        max_features=MAX_FEATURES,
        sublinear_tf=True,
        token_pattern=r"[^\W\d_]+|[^\w\s]",
        dtype=np.float32,
    )
    pipeline = make_pipeline(vectorizer, OneVsRestClassifier(LogisticRegression(C=4.0, max_iter=300)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label not .* is present", UserWarning)  # of emotions that are left out
        return pipeline.fit(training.texts, training.labels.astype(int))


def tfidf_metrics(training: TextSplit, development: TextSplit) -> MultilabelMetrics:
    """Fit the TF-IDF baseline on `training` and return its metrics on `development`."""
    scores = fit_tfidf_pipeline(training).predict_proba(development.texts)
    return multilabel_metrics(development.labels, np.asarray(scores, dtype=np.float32))


def sentence_vector_metrics(
    vectors: Floats, labels: npt.NDArray[np.bool_], development_vectors: Floats, development: TextSplit
) -> MultilabelMetrics:
    """Fit a logistic regression per emotion on sentence vectors; return its development metrics.

    `vectors` and `development_vectors` are float32 [n, width], `labels` bool [n, 7].
    """
    model = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=300)).fit(vectors, labels.astype(int))
    scores = model.predict_proba(development_vectors)
    return multilabel_metrics(development.labels, np.asarray(scores, dtype=np.float32))


def train(data: Path, *, config: TextTraining, models_dir: Path) -> None:
    """Train the TF-IDF model on the corpora at `data`, those texts that `config` names, and print its metrics.

    Stores it in `models_dir` and in the manifest there. Raises CorpusError for a corpus that can't be read.
    """
    corpora = load_for_training(data, config)
    print(f"fitting TF-IDF and logistic regression to {len(corpora.training['GoEmotions'])} GoEmotions texts …", flush=True)
    pipeline = fit_tfidf_pipeline(corpora.training["GoEmotions"])
    models_dir.mkdir(parents=True, exist_ok=True)
    (models_dir / TFIDF_FILE).write_bytes(pickle.dumps(pipeline))
    record_in_manifest(models_dir, [TFIDF_FILE], config.emotions)
    evaluate(data, config=config, models_dir=models_dir)


def evaluate(data: Path, *, config: TextTraining, models_dir: Path) -> None:
    """Print the metrics of the TF-IDF model in `models_dir` on the corpora at `data`: those texts that `config` names."""
    print(f"the TF-IDF model {TFIDF_FILE}\n")
    print(evaluate_recognizer(load_for_training(data, config), TfidfEmotionRecognizer.load(models_dir)).as_text())
