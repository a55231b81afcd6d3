"""Train the models over classic features, and evaluate them in the same folds of speakers as the networks."""

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
from moodmirror.training.metrics import ClassificationMetrics, classification_metrics
from moodmirror.training.model_card import render, with_notices
from moodmirror.training.progress import show_progress
from moodmirror.training.settings import SpeechTraining
from moodmirror.training.speech_augmentation import DEFAULT_STRENGTH, augment
from moodmirror.training.speech_card import notices_of
from moodmirror.training.speech_cnn1d import Cnn1dClassifier
from moodmirror.training.speech_corpora import KNOWN_VOICE, SpeechCorpus
from moodmirror.training.speech_evaluation import evaluation_recordings, model_file, training_recordings
from moodmirror.training.speech_model_export import write_classic_model

CLASSIC_MODELS: Final = ("mlp", "bagging", "cnn1d")
COPIES: Final = 2  # per recording: unchanged and augmented
QUICK_CNN1D_EPOCHS: Final = 20


def build_classic(kind: str, seed: int, *, quick: bool = False) -> Pipeline | Cnn1dClassifier:
    """Return an untrained model of `kind` ``mlp``, ``bagging`` or ``cnn1d``; the scaling of the features is part of it."""
    if kind == "cnn1d":
        return Cnn1dClassifier(seed, QUICK_CNN1D_EPOCHS) if quick else Cnn1dClassifier(seed)
    model: Any
    if kind == "mlp":
        model = MLPClassifier((256,), alpha=1.0, tol=1e-3, max_iter=500, random_state=seed)
    else:
        model = BaggingClassifier(n_estimators=100, max_features=0.3, random_state=seed)
    return make_pipeline(StandardScaler(), model)


def classic_copies(corpus: SpeechCorpus, seed: int, strength: SpeechTraining = DEFAULT_STRENGTH) -> npt.NDArray[np.float32]:
    """Return classic features of the first 3 s of each recording, unchanged and augmented: float32 [n, COPIES, features]."""
    voices = corpus.voices()
    copies = []
    for index, samples in enumerate(corpus.sounds):
        rngs = [np.random.default_rng((seed, index, copy)) for copy in range(1, COPIES)]
        augmented = [augment(samples, voices[index], rng, strength) for rng in rngs]
        copies.append([classic_features(part) for part in (samples[:WINDOW_SAMPLES], *augmented)])
        show_progress("classic features", index + 1, len(corpus))
    return np.array(copies, dtype=np.float32)


def train_classic(
    corpus: SpeechCorpus, kind: str, *, seed: int, models_dir: Path, settings: SpeechTraining = DEFAULT_STRENGTH
) -> None:
    """Cross-validate a classic model over speakers, train it on all, and write it and its card to `models_dir`.

    `settings` state the strength of the augmentation, and whether this is a quick run, with one fold only.
    """
    copies = classic_copies(corpus, seed, settings)
    names = np.array([clip.label for clip in corpus.clips])

    def fitted(selected: npt.NDArray[np.bool_]) -> Any:
        features = copies[selected].reshape(-1, copies.shape[2])
        return build_classic(kind, seed, quick=settings.quick).fit(features, np.repeat(names[selected], COPIES))

    evaluated = evaluation_recordings(corpus)
    folds = np.unique(corpus.folds[evaluated])[: 1 if settings.quick else None]
    probabilities = np.zeros((len(corpus), len(LABELS)), dtype=np.float32)
    for number, fold in enumerate(folds):
        in_fold = evaluated[corpus.folds[evaluated] == fold]
        model = fitted(training_recordings(corpus, in_fold))
        columns = [LABELS.index(name) for name in model.classes_]
        probabilities[np.ix_(in_fold, columns)] = model.predict_proba(copies[in_fold, 0])
        show_progress("folds", number + 1, len(folds))
    tested = evaluated[np.isin(corpus.folds[evaluated], folds)]
    metrics = classification_metrics(corpus.labels[tested], probabilities[tested], names=LABELS, unit="recordings")
    print(f"{metrics.as_text()}\nUAR {metrics.unweighted_average_recall:.4f}", flush=True)
    if corpus.known_voice:
        print(KNOWN_VOICE, flush=True)
    _write(fitted(np.ones(len(corpus), dtype=bool)), kind, corpus, models_dir)
    _write_card(kind, corpus, metrics, models_dir, quick=settings.quick)


def _write(model: Any, kind: str, corpus: SpeechCorpus, models_dir: Path) -> None:
    """Write the model in the format that the command line reads, and as a scikit-learn pipeline or Keras network."""
    path = models_dir / model_file(kind)
    if kind == "cnn1d":
        own_path = path.with_suffix(".keras")
        model.export(own_path, path)
    else:
        own_path = models_dir / classic_model_file(kind)
        joblib.dump(model, own_path, compress=3)
        write_classic_model(path, kind, model)
    record_in_manifest(models_dir, [path.name, own_path.name], corpus.trained_subset)


def _write_card(kind: str, corpus: SpeechCorpus, metrics: ClassificationMetrics, models_dir: Path, *, quick: bool) -> None:
    path = models_dir / model_file(kind)
    plot_path = path.with_name(f"{path.stem}_confusion.png")
    plots.plot_confusion(metrics, plot_path)
    card = render(
        "speech_classic.md.j2",
        kind=kind,
        file=path.name,
        labels=corpus.present_labels,
        corpus=corpus.describe(),
        notes=corpus.notes,
        known_voice=corpus.known_voice,
        quick=quick,
        metrics=metrics,
        plot=plot_path.name,
    )
    write_text(path.with_suffix(".md"), with_notices(card, notices_of(corpus, quick=quick)))
