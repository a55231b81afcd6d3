"""Train the classic models, scikit-learn over classic features, and evaluate them in the same folds of speakers."""

from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import BaggingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moodmirror.recognition.classic_speech import classic_features, classic_model_file
from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.recognition.speech import LABELS
from moodmirror.recognition.speech_features import WINDOW_SAMPLES
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.metrics import classification_metrics
from moodmirror.training.model_card import render
from moodmirror.training.progress import show_progress
from moodmirror.training.speech_augmentation import augment
from moodmirror.training.speech_corpora import SpeechCorpus
from moodmirror.training.speech_evaluation import evaluation_recordings

CLASSIC_MODELS: Final = ("mlp", "bagging")
COPIES: Final = 2  # per recording: unchanged and augmented


def build_classic(kind: str, seed: int) -> Pipeline:
    """Return an untrained pipeline of `kind` ``mlp`` or ``bagging`` over classic features; the scaling is part of it."""
    model: Any
    if kind == "mlp":
        model = MLPClassifier((256,), alpha=1.0, tol=1e-3, max_iter=500, random_state=seed)
    else:
        model = BaggingClassifier(n_estimators=100, max_features=0.3, random_state=seed)
    return make_pipeline(StandardScaler(), model)


def classic_copies(corpus: SpeechCorpus, seed: int) -> npt.NDArray[np.float32]:
    """Return classic features of the first 3 s of each recording, unchanged and augmented: float32 [n, COPIES, features]."""
    voices = corpus.voices()
    copies = []
    for index, samples in enumerate(corpus.sounds):
        rngs = [np.random.default_rng((seed, index, copy)) for copy in range(1, COPIES)]
        augmented = [augment(samples, voices[index], rng) for rng in rngs]
        copies.append([classic_features(part) for part in (samples[:WINDOW_SAMPLES], *augmented)])
        show_progress("classic features", index + 1, len(corpus))
    return np.array(copies, dtype=np.float32)


def train_classic(corpus: SpeechCorpus, kind: str, *, seed: int, models_dir: Path) -> None:
    """Cross-validate a classic model over speakers, train it on all, and write it and its card to `models_dir`."""
    copies = classic_copies(corpus, seed)
    names = np.array([clip.label for clip in corpus.clips])

    def fitted(selected: npt.NDArray[np.bool_]) -> Pipeline:
        features = copies[selected].reshape(-1, copies.shape[2])
        return build_classic(kind, seed).fit(features, np.repeat(names[selected], COPIES))

    tested = evaluation_recordings(corpus)
    folds = corpus.folds
    probabilities = np.zeros((len(corpus), len(LABELS)), dtype=np.float32)
    for number, fold in enumerate(np.unique(folds[tested])):
        in_fold = np.isin(np.arange(len(corpus)), tested) & (folds == fold)
        model = fitted(~in_fold)
        columns = [LABELS.index(name) for name in model.classes_]
        probabilities[np.ix_(in_fold, columns)] = model.predict_proba(copies[in_fold, 0])
        show_progress("folds", number + 1, len(np.unique(folds[tested])))
    metrics = classification_metrics(corpus.labels[tested], probabilities[tested], names=LABELS, unit="recordings")
    print(f"{metrics.as_text()}\nUAR {metrics.unweighted_average_recall:.4f}", flush=True)
    path = models_dir / classic_model_file(kind)
    joblib.dump(fitted(np.ones(len(corpus), dtype=bool)), path, compress=3)
    record_in_manifest(models_dir, [path.name])
    plot_path = path.with_name(f"{path.stem}_confusion.png")
    plots.plot_confusion(metrics, plot_path)
    card = render(
        "speech_classic.md.j2",
        kind=kind,
        file=path.name,
        corpus=corpus.describe(),
        notes=corpus.notes,
        metrics=metrics,
        plot=plot_path.name,
    )
    write_text(path.with_suffix(".md"), card)
