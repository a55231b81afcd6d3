"""Train the speech networks, judge them on speakers they never heard, and export them.

Every figure comes from folds of speakers: five trainings, each judged on the speakers it did not hear. The network that is
served is then trained by the same recipe on everybody. Runs on every Keras backend; only the last step, the export, starts
TensorFlow in a process of its own.
"""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers
from scipy.special import softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import LiteRTModel, record_in_manifest
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, MEL_BANDS, MODEL_NAME, WINDOW_FRAMES, to_mood_vectors
from moodmirror.training.atomic_files import write_text
from moodmirror.training.export import export_to_litert
from moodmirror.training.progress import show_progress
from moodmirror.training.settings import SpeechTraining
from moodmirror.training.speech_augmentation import augmented_copies
from moodmirror.training.speech_card import write_card
from moodmirror.training.speech_classic import CLASSIC_MODELS, train_classic
from moodmirror.training.speech_corpora import FOLDS, SpeechCorpus, load_speech
from moodmirror.training.speech_evaluation import (
    AS_RECORDED,
    CONDITIONS,
    FoldAnswers,
    judged,
    unweighted_average_recall,
    windows_of,
)
from moodmirror.training.speech_networks import build_network
from moodmirror.training.torch_normalization import fastest_normalization

WARMUP_EPOCHS: Final = 2

# SpecAugment (Park et al., Interspeech 2019): so many stripes of up to so many bands and frames are blanked.
BLANKED_BANDS: Final = (2, 10)
BLANKED_FRAMES: Final = (2, 20)


class SpeechBatches(keras.utils.PyDataset):
    """Batches of augmented copies, in an order that depends only on seed and epoch."""

    def __init__(
        self,
        copies: npt.NDArray[np.float16],
        labels: npt.NDArray[np.int_],
        speakers: npt.NDArray[np.str_],
        config: SpeechTraining,
    ) -> None:
        """`copies` is float16 [n, copies, 150, 64], `labels` int [n] into LABELS, `speakers` [n] names."""
        super().__init__()
        self._copies, self._labels, self._speakers, self._config = copies, labels, speakers, config
        counts = np.bincount(labels, minlength=len(LABELS)).astype(np.float64)
        weights = np.maximum(counts, 1) ** -config.balance
        self._weights = (weights[labels] / weights[labels].mean()).astype(np.float32)
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], ...]:
        config = self._config
        rng = np.random.default_rng((config.seed, self._epoch, index))
        chosen = self._order[index * config.batch_size : (index + 1) * config.batch_size]
        which = rng.integers(self._copies.shape[1], size=len(chosen))
        which[rng.random(len(chosen)) < config.unchanged] = 0
        features = self._copies[chosen, which].astype(np.float32)
        for one in features:
            _blank(one, rng)
        targets = np.eye(len(LABELS), dtype=np.float32)[self._labels[chosen]]
        targets = (1 - config.label_smoothing) * targets + np.float32(config.label_smoothing / len(LABELS))
        weights = self._weights[chosen]
        if config.mixup:
            share = rng.beta(config.mixup, config.mixup, size=len(chosen)).astype(np.float32)
            other = rng.permutation(len(chosen))
            features = share[:, None, None] * features + (1 - share)[:, None, None] * features[other]
            targets = share[:, None] * targets + (1 - share)[:, None] * targets[other]
            weights = share * weights + (1 - share) * weights[other]
        return features, targets, weights

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order and copies."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._config.seed, self._epoch))
        shuffled = rng.permutation(len(self._labels))
        order = [
            shuffled[self._speakers[shuffled] == speaker][: self._config.most_of_a_speaker]
            for speaker in np.unique(self._speakers)
        ]
        self._order = rng.permutation(np.concatenate(order))


def _blank(features: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    """Blank stripes of features, float32 [150, 64], in place, with their mean."""
    mean = features.mean()
    for _ in range(rng.integers(BLANKED_BANDS[0] + 1)):
        width = rng.integers(1, BLANKED_BANDS[1] + 1)
        start = rng.integers(MEL_BANDS - width)
        features[:, start : start + width] = mean
    for _ in range(rng.integers(BLANKED_FRAMES[0] + 1)):
        width = rng.integers(1, BLANKED_FRAMES[1] + 1)
        start = rng.integers(WINDOW_FRAMES - width)
        features[start : start + width] = mean


class Progress(keras.callbacks.Callback):
    """Shows on the error stream how far a training is."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Tell the epochs that are done."""
        show_progress(f"{self.model.name}: epochs", epoch + 1, self.params["epochs"])


class HeldOut(keras.callbacks.Callback):
    """Every fifth epoch, how well the weights of the moment do on recordings that are not trained on."""

    def __init__(self, windows: npt.NDArray[np.float32], labels: npt.NDArray[np.int_]) -> None:
        """`windows` is float32 [n, 150, 64], `labels` int [n] into LABELS."""
        super().__init__()
        self._windows, self._labels = windows, labels
        self.recalls: dict[int, float] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judge."""
        if epoch % 5 == 4 or epoch + 1 == self.params["epochs"]:
            answers = predict_logits(self.model, self._windows)
            self.recalls[epoch + 1] = unweighted_average_recall(self._labels, answers.argmax(axis=1))


def predict_logits(network: keras.Model, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Logits of LABELS, float64 [n, 8], for windows, float32 [n, 150, 64]."""
    return np.asarray(network.predict(windows, batch_size=64, verbose=0), dtype=np.float64)


def fit_network(
    copies: npt.NDArray[np.float16],
    labels: npt.NDArray[np.int_],
    speakers: npt.NDArray[np.str_],
    config: SpeechTraining,
    held_out: HeldOut | None = None,
) -> tuple[keras.Model, list[float]]:
    """Train one network; returns it, answering with logits, and each epoch's loss."""
    keras.utils.set_random_seed(config.seed)
    batches = SpeechBatches(copies, labels, speakers, config)
    sample = np.asarray(copies[:, 0], dtype=np.float32)
    shape: dict[str, Any] = {
        "mean": sample.mean(axis=(0, 1)),
        "variance": sample.var(axis=(0, 1)),
        "dropout": config.dropout,
        "name": f"{MODEL_NAME}_{config.model}_{config.seed}",
    }
    network = build_network(config.model, **shape, normalization=fastest_normalization())
    steps = len(batches) * config.epochs
    warmup = min(WARMUP_EPOCHS * len(batches), steps // 2)
    network.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                0.0, steps - warmup, warmup_target=config.learning_rate, warmup_steps=warmup
            ),
            weight_decay=config.weight_decay,
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    history = network.fit(
        batches, epochs=config.epochs, verbose=0, callbacks=[Progress(), *([held_out] if held_out else [])]
    )
    fitted = build_network(config.model, **shape)
    fitted.set_weights(network.get_weights())
    return fitted, [float(loss) for loss in history.history["loss"]]


class Run:
    """A training in its folder: what is done there is not done again when it is resumed."""

    def __init__(self, corpus: SpeechCorpus, config: SpeechTraining, folder: Path) -> None:
        self.corpus, self.config, self.folder = corpus, config, folder
        self._copies = augmented_copies(corpus, config.copies, config.seed, folder.parent)
        self._speakers = np.array([clip.speaker for clip in corpus.clips])
        self._started = time.monotonic()

    def networks(self, name: str, chosen: npt.NDArray[np.bool_], members: int, held_out: HeldOut | None = None) -> list[Any]:
        """So many networks trained on the `chosen` recordings, bool [n]; what ``<name>-<member>.keras`` holds is taken."""
        found = []
        copies: npt.NDArray[np.float16] | None = None
        for member in range(members):
            path = self.folder / f"{name}-{member}.keras"
            if not path.is_file():
                copies = self._copies[chosen] if copies is None else copies
                config = replace(self.config, seed=self.config.seed + member)
                network, losses = fit_network(copies, self.corpus.labels[chosen], self._speakers[chosen], config, held_out)
                recalls = held_out.recalls if held_out else {}
                write_text(path.with_suffix(".json"), json.dumps({"loss": losses, "recall": recalls}))
                network.save(path.with_suffix(".part.keras"))
                path.with_suffix(".part.keras").replace(path)
                heard = f", UAR of a window held out {list(recalls.values())[-1]:.3f}" if recalls else ""
                minutes = (time.monotonic() - self._started) / 60
                print(
                    f"{name}, network {member + 1} of {members}: loss {losses[-1]:.3f}{heard} ({minutes:.0f} min)",
                    flush=True,
                )
            found.append(keras.models.load_model(path, compile=False))
        return found

    def histories(self, name: str) -> list[dict[str, Any]]:
        """What was noted while the networks of that name were trained."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob(f"{name}*.json"))]


def mean_logits(networks: list[Any], windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The mean of the networks' logits, float64 [n, 8]."""
    return np.asarray(np.mean([predict_logits(network, windows) for network in networks], axis=0))


def cross_validate(run: Run) -> FoldAnswers:
    """Train the recipe once for each fold of speakers, and ask about the fold in every condition."""
    corpus, config = run.corpus, run.config
    chosen = judged(corpus)
    labels, folds = corpus.labels[chosen], corpus.folds[chosen]
    sounds = [corpus.sounds[index] for index in chosen]
    windows = {name: windows_of(sounds, condition) for name, condition in CONDITIONS.items()}
    logits = {name: np.zeros((len(entry.owner), len(LABELS))) for name, entry in windows.items()}
    for fold in np.unique(folds):
        trained_on = np.ones(len(corpus), dtype=bool)
        trained_on[chosen[folds == fold]] = False
        clean = windows[AS_RECORDED]
        here = folds[clean.owner] == fold
        held_out = HeldOut(clean.features[here], labels[clean.owner[here]])
        networks = run.networks(f"fold{fold}", trained_on, config.members, held_out)
        for name, entry in windows.items():
            here = folds[entry.owner] == fold
            logits[name][here] = mean_logits(networks, entry.features[here])
    return FoldAnswers(chosen, labels, folds, windows, logits)


def served_network(networks: list[Any], temperature: float) -> keras.Model:
    """One network of several: the softmax of their mean logits divided by a temperature, [n, 150, 64] → [n, 8]."""
    inputs = layers.Input((WINDOW_FRAMES, MEL_BANDS), name="log_mel")
    logits = [network(inputs) for network in networks]
    mean = layers.Average()(logits) if len(logits) > 1 else logits[0]
    return keras.Model(inputs, layers.Softmax()(layers.Rescaling(1 / temperature)(mean)), name=MODEL_NAME)


def random_split(run: Run) -> float:
    """The figure not to believe: UAR on a fifth of the judged recordings drawn at random, of speakers heard in training."""
    chosen = judged(run.corpus)
    rng = np.random.default_rng(run.config.seed)
    tested = rng.permutation(chosen)[: len(chosen) // FOLDS]
    trained_on = np.ones(len(run.corpus), dtype=bool)
    trained_on[tested] = False
    networks = run.networks("random", trained_on, run.config.members)
    windows = windows_of([run.corpus.sounds[index] for index in tested])
    answers = windows.means(softmax(mean_logits(networks, windows.features), axis=1))
    return unweighted_average_recall(run.corpus.labels[tested], answers.argmax(axis=1))


def from_corpus_to_corpus(run: Run) -> dict[str, dict[str, float]]:
    """UAR by corpora trained on and corpus judged on, over the emotions that both have, calm counted to neutral."""
    names = list(dict.fromkeys(run.corpus.corpora.tolist()))
    table: dict[str, dict[str, float]] = {}
    for trained in names if len(names) > 1 else []:
        within = run.corpus.corpora == trained
        networks = run.networks(f"only-{trained}", within, 1)
        known = {LABEL_TO_EMOTION[LABELS[label]] for label in np.unique(run.corpus.labels[within])}
        table[trained] = {}
        for other in names:
            emotions = np.array([EMOTIONS.index(LABEL_TO_EMOTION[clip.label]) for clip in run.corpus.clips])
            tested = np.flatnonzero(
                (run.corpus.corpora == other) & np.isin(emotions, [EMOTIONS.index(name) for name in known])
            )
            if other == trained or len(tested) == 0:
                continue
            windows = windows_of([run.corpus.sounds[index] for index in tested])
            answers = windows.means(softmax(mean_logits(networks, windows.features), axis=1))
            common = [EMOTIONS[emotion] for emotion in np.unique(emotions[tested])]
            vectors = to_mood_vectors(answers, LABELS, common)
            table[trained][other] = unweighted_average_recall(emotions[tested], vectors.argmax(axis=1))
    return table


def train(data: list[Path], *, config: SpeechTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpora at `data`, judge by folds of speakers, and export and describe the result in `models_dir`.

    Networks go to `run_dir` when they are done; with `resume` those there are not trained again, under the configuration
    that the run began with. Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no run.
    """
    path = run_dir / "config.json"
    if resume:
        if not path.is_file():
            raise FileNotFoundError(f"{run_dir} holds no run to resume: start one without --resume")
        config = SpeechTraining(**json.loads(path.read_text(encoding="utf-8")))
    corpus = load_speech(data)
    judged(corpus)
    print(f"{corpus.describe()}; {'; '.join(corpus.notes)}", flush=True)
    run_dir.mkdir(parents=True, exist_ok=True)
    models_dir.mkdir(parents=True, exist_ok=True)
    if not resume:
        for old in (*run_dir.glob("*.keras"), *run_dir.glob("*.json")):
            old.unlink()
        write_text(path, json.dumps(asdict(config), indent=1))
    if config.model in CLASSIC_MODELS:
        train_classic(corpus, config.model, seed=config.seed, models_dir=models_dir)
        return
    run = Run(corpus, config, run_dir)
    answers = cross_validate(run)
    networks = run.networks("final", np.ones(len(corpus), dtype=bool), config.members)
    temperature = answers.temperature()
    network = served_network(networks, temperature)
    keras_path, litert_path = run_dir / f"{MODEL_NAME}.keras", models_dir / f"{MODEL_NAME}.tflite"
    network.save(keras_path)
    export_to_litert(keras_path, litert_path)
    record_in_manifest(models_dir, [litert_path.name])
    clean = answers.windows[AS_RECORDED].features
    served_answers = LiteRTModel(litert_path.read_bytes())(clean)
    trained_answers = softmax(mean_logits(networks, clean) / temperature, axis=1)
    write_card(
        corpus,
        answers,
        settings={name: value for name, value in asdict(config).items() if name != "model"},
        network=f"{config.members} × {config.model}, {network.count_params():,} parameters",
        temperature=temperature,
        agreement=float((served_answers.argmax(axis=1) == trained_answers.argmax(axis=1)).mean()),
        random_recall=random_split(run),
        transfer=from_corpus_to_corpus(run),
        histories=run.histories("fold"),
        models_dir=models_dir,
    )
