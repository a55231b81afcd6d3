"""Train the classic models, scikit-learn's over the classic features, and judge them by the same folds of speakers."""

from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import BaggingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.recognition.speech import LABELS, MODEL_NAME, WINDOW_SAMPLES, classic_features
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.metrics import classification_metrics
from moodmirror.training.progress import show_progress
from moodmirror.training.speech_augmentation import augment
from moodmirror.training.speech_corpora import SpeechCorpus
from moodmirror.training.speech_evaluation import judged

CLASSIC_MODELS: Final = ("mlp", "bagging")
COPIES: Final = 2  # of each recording: as it is, and augmented


def build_classic(kind: str, seed: int) -> Pipeline:
    """An untrained pipeline of `kind` ``mlp`` or ``bagging`` over classic features; the scaling is part of it."""
    model: Any
    if kind == "mlp":
        model = MLPClassifier((256,), alpha=1.0, tol=1e-3, max_iter=500, random_state=seed)
    else:
        model = BaggingClassifier(n_estimators=100, max_features=0.3, random_state=seed)
    return make_pipeline(StandardScaler(), model)


def classic_copies(corpus: SpeechCorpus, seed: int) -> npt.NDArray[np.float32]:
    """Classic features of each recording's first 3 s, as they are and augmented: float32 [n, COPIES, features]."""
    voices = corpus.voices()
    made = []
    for index, samples in enumerate(corpus.sounds):
        rngs = [np.random.default_rng((seed, index, copy)) for copy in range(1, COPIES)]
        changed = [augment(samples, voices[index], rng) for rng in rngs]
        made.append([classic_features(part) for part in (samples[:WINDOW_SAMPLES], *changed)])
        show_progress("classic features", index + 1, len(corpus))
    return np.array(made, dtype=np.float32)


def train_classic(corpus: SpeechCorpus, kind: str, *, seed: int, models_dir: Path) -> None:
    """Judge a classic model by folds of speakers, train it on everybody, and write it and its card to `models_dir`."""
    copies = classic_copies(corpus, seed)
    names = np.array([clip.label for clip in corpus.clips])

    def fitted(chosen: npt.NDArray[np.bool_]) -> Pipeline:
        features = copies[chosen].reshape(-1, copies.shape[2])
        return build_classic(kind, seed).fit(features, np.repeat(names[chosen], COPIES))

    tested = judged(corpus)
    folds = corpus.folds
    probabilities = np.zeros((len(corpus), len(LABELS)), dtype=np.float32)
    for number, fold in enumerate(np.unique(folds[tested])):
        here = np.isin(np.arange(len(corpus)), tested) & (folds == fold)
        model = fitted(~here)
        columns = [LABELS.index(name) for name in model.classes_]
        probabilities[np.ix_(here, columns)] = model.predict_proba(copies[here, 0])
        show_progress("folds", number + 1, len(np.unique(folds[tested])))
    result = classification_metrics(corpus.labels[tested], probabilities[tested], names=LABELS, unit="recordings")
    print(f"{result.as_text()}\nUAR {result.unweighted_average_recall:.4f}", flush=True)
    path = models_dir / f"{MODEL_NAME}_{kind}.joblib"
    joblib.dump(fitted(np.ones(len(corpus), dtype=bool)), path, compress=3)
    record_in_manifest(models_dir, [path.name])
    plots.plot_confusion(result, path.with_name(f"{path.stem}_confusion.png"))
    card = [
        f"# Model card: the speech model `{kind}`",
        "",
        f"`{path.name}`, scikit-learn over classic features; checked against `manifest.json` before it is opened.",
        "",
        f"{corpus.describe()}; {'; '.join(corpus.notes)}.",
        "",
        f"Judged by folds of speakers whom it did not hear: UAR **{result.unweighted_average_recall:.3f}**.",
        "",
        result.as_markdown(),
        "",
        f"![Confusion matrix]({path.stem}_confusion.png)",
        "",
    ]
    write_text(path.with_suffix(".md"), "\n".join(card))
