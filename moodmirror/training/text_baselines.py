"""The plain ways beside which the transformer is measured: TF-IDF, and the pre-trained sentence vectors as they are."""

import pickle
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.training.text_corpora import TextSplit, load_texts
from moodmirror.training.text_evaluation import MultilabelFigures, evaluation, multilabel_figures
from moodmirror.training.text_tfidf import TFIDF_FILE, TfidfEmotionRecognizer

WORDS_AT_MOST: Final = 60_000  # words and pairs of words: 4 MB of weights

Floats = npt.NDArray[np.float32]


def fitted_pipeline(training: TextSplit) -> Any:
    """TF-IDF over words and pairs of words, and a logistic regression for each of the seven."""
    words = TfidfVectorizer(
        lowercase=True,
        ngram_range=(1, 2),
        min_df=2,
        max_features=WORDS_AT_MOST,
        sublinear_tf=True,
        token_pattern=r"[^\W\d_]+|[^\w\s]",
        dtype=np.float32,
    )
    pipeline = make_pipeline(words, OneVsRestClassifier(LogisticRegression(C=4.0, max_iter=300)))
    return pipeline.fit(training.texts, training.labels.astype(int))


def tfidf_figures(training: TextSplit, development: TextSplit) -> MultilabelFigures:
    """How well TF-IDF does that is trained on one part, on another."""
    scores = fitted_pipeline(training).predict_proba(development.texts)
    return multilabel_figures(development.labels, np.asarray(scores, dtype=np.float32))


def vectors_figures(
    vectors: Floats, labels: npt.NDArray[np.bool_], development_vectors: Floats, development: TextSplit
) -> MultilabelFigures:
    """How well a logistic regression for each of the seven does on sentence vectors, float32 [n, width]."""
    model = OneVsRestClassifier(LogisticRegression(C=10.0, max_iter=300)).fit(vectors, labels.astype(int))
    scores = model.predict_proba(development_vectors)
    return multilabel_figures(development.labels, np.asarray(scores, dtype=np.float32))


def train(data: Path, *, models_dir: Path) -> None:
    """Train the small model on the corpora at `data`, store it in `models_dir` with its sum, and print its figures.

    Raises CorpusError for a corpus that can't be read.
    """
    corpora = load_texts(data)
    print(f"TF-IDF and logistic regression on {len(corpora.training['GoEmotions'])} texts of GoEmotions …", flush=True)
    pipeline = fitted_pipeline(corpora.training["GoEmotions"])
    models_dir.mkdir(parents=True, exist_ok=True)
    (models_dir / TFIDF_FILE).write_bytes(pickle.dumps(pipeline))
    record_in_manifest(models_dir, [TFIDF_FILE])
    evaluate(data, models_dir=models_dir)


def evaluate(data: Path, *, models_dir: Path) -> None:
    """Print the figures of the small model in `models_dir` on the corpora at `data`."""
    print(f"the small {TFIDF_FILE}\n")
    print(evaluation(load_texts(data), TfidfEmotionRecognizer.load(models_dir)).as_text())
