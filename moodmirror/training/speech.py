"""Train the speech networks, evaluate them on held-out speakers, and export them.

All figures come from cross-validation over folds of speakers: five trainings, each evaluated on the speakers that it was not
trained on. The served network is then trained in the same way on all speakers. Runs on every Keras backend; only the last
step, the export, starts TensorFlow, in a process of its own.
"""

import json
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
from moodmirror.recognition.speech import LABEL_TO_EMOTION, LABELS, MODEL_NAME, to_mood_vectors
from moodmirror.recognition.speech_features import MEL_BANDS, WINDOW_FRAMES
from moodmirror.training.atomic_files import write_network, write_text
from moodmirror.training.export import export_to_litert
from moodmirror.training.progress import show_progress
from moodmirror.training.settings import SpeechTraining
from moodmirror.training.speech_augmentation import augmented_copies
from moodmirror.training.speech_batches import SpeechBatches
from moodmirror.training.speech_card import write_card
from moodmirror.training.speech_classic import CLASSIC_MODELS, train_classic
from moodmirror.training.speech_conditions import AS_RECORDED, CONDITIONS
from moodmirror.training.speech_corpora import FOLDS, KNOWN_VOICE, SpeechCorpus, load_speech, require_trainable
from moodmirror.training.speech_evaluation import (
    FoldPredictions,
    emotion_indices,
    evaluation_recordings,
    model_file,
    training_recordings,
    unweighted_average_recall,
    windows_of,
)
from moodmirror.training.speech_networks import LOGITS, build_network, silence_untrained
from moodmirror.training.torch_normalization import fastest_normalization

WARMUP_EPOCHS: Final = 2
EPOCHS_PER_EVALUATION: Final = 5
SETTINGS_FILE: Final = "config.json"  # of a run


class ProgressCallback(keras.callbacks.Callback):
    """Show on the error stream how many epochs are done."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the number of finished epochs."""
        show_progress(f"{self.model.name}: epochs", epoch + 1, self.params["epochs"])


class HeldOutRecall(keras.callbacks.Callback):
    """Evaluate the current weights on held-out windows in every fifth epoch."""

    def __init__(self, windows: npt.NDArray[np.float32], labels: npt.NDArray[np.int_]) -> None:
        """`windows` is float32 [n, 150, 64], `labels` int [n] indices into LABELS."""
        super().__init__()
        self._windows, self._labels = windows, labels
        self.recalls: dict[int, float] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record the unweighted average recall, if the epoch is one to evaluate or the last."""
        if (epoch + 1) % EPOCHS_PER_EVALUATION == 0 or epoch + 1 == self.params["epochs"]:
            logits = predict_logits(self.model, self._windows)
            self.recalls[epoch + 1] = unweighted_average_recall(self._labels, logits.argmax(axis=1))


def predict_logits(network: keras.Model, windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the logits of LABELS, float64 [n, 8], for windows, float32 [n, 150, 64]."""
    return np.asarray(network.predict(windows, batch_size=64, verbose=0), dtype=np.float64)


def mean_logits(networks: list[Any], windows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the mean of the networks' logits, float64 [n, 8]."""
    return np.asarray(np.mean([predict_logits(network, windows) for network in networks], axis=0))


def fit_network(
    copies: npt.NDArray[np.float16],
    labels: npt.NDArray[np.int_],
    speakers: npt.NDArray[np.str_],
    config: SpeechTraining,
    held_out: HeldOutRecall | None = None,
) -> tuple[keras.Model, list[float]]:
    """Train one network. Returns it, with logits as its output, and the loss of each epoch."""
    keras.utils.set_random_seed(config.seed)
    batches = SpeechBatches(copies, labels, speakers, config)
    unchanged = np.asarray(copies[:, 0], dtype=np.float32)
    shape: dict[str, Any] = {
        "mean": unchanged.mean(axis=(0, 1)),
        "variance": unchanged.var(axis=(0, 1)),
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
    callbacks = [ProgressCallback(), *([held_out] if held_out else [])]
    history = network.fit(batches, epochs=config.epochs, verbose=0, callbacks=callbacks)
    fitted = build_network(config.model, **shape)
    fitted.set_weights(network.get_weights())
    silence_untrained(fitted.get_layer(LOGITS), labels)
    return fitted, [float(loss) for loss in history.history["loss"]]


class SpeechRun:
    """A training in its directory. A resumed run does not train its finished networks again."""

    def __init__(self, corpus: SpeechCorpus, config: SpeechTraining, folder: Path) -> None:
        self.corpus, self.config, self.folder = corpus, config, folder
        self._copies = augmented_copies(corpus, config.copies, config.seed, folder.parent, config)
        self._speakers = np.array([clip.speaker for clip in corpus.clips])
        self._started = time.monotonic()

    def networks(
        self, name: str, selected: npt.NDArray[np.bool_], members: int, held_out: HeldOutRecall | None = None
    ) -> list[Any]:
        """Return networks trained on the `selected` recordings, bool [n]; those in ``<name>-<member>.keras`` are loaded."""
        networks = []
        copies: npt.NDArray[np.float16] | None = None
        for member in range(members):
            path = self.folder / f"{name}-{member}.keras"
            if not path.is_file():
                copies = self._copies[selected] if copies is None else copies
                config = replace(self.config, seed=self.config.seed + member)
                labels, speakers = self.corpus.labels[selected], self._speakers[selected]
                network, losses = fit_network(copies, labels, speakers, config, held_out)
                recalls = held_out.recalls if held_out else {}
                write_text(path.with_suffix(".json"), json.dumps({"loss": losses, "recall": recalls}))
                write_network(path, network)
                recall = f", UAR of held-out windows {list(recalls.values())[-1]:.3f}" if recalls else ""
                minutes = (time.monotonic() - self._started) / 60
                print(
                    f"{name}, network {member + 1} of {members}: loss {losses[-1]:.3f}{recall} ({minutes:.0f} min)",
                    flush=True,
                )
            networks.append(keras.models.load_model(path, compile=False))
        return networks

    def histories(self, name: str) -> list[dict[str, Any]]:
        """Return the losses and recalls of the networks whose names start with `name`."""
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob(f"{name}*.json"))]


def cross_validate(run: SpeechRun) -> FoldPredictions:
    """Train once for each fold of speakers, and predict for the speakers of the fold in every condition.

    A quick run has the first fold only.
    """
    corpus, config = run.corpus, run.config
    indices = evaluation_recordings(corpus)
    if config.quick:
        indices = indices[corpus.folds[indices] == corpus.folds[indices].min()]
    labels, folds = corpus.labels[indices], corpus.folds[indices]
    sounds = [corpus.sounds[index] for index in indices]
    windows = {name: windows_of(sounds, condition) for name, condition in CONDITIONS.items()}
    logits = {name: np.zeros((len(entry.recording), len(LABELS))) for name, entry in windows.items()}
    for fold in np.unique(folds):
        trained_on = training_recordings(corpus, indices[folds == fold])
        clean = windows[AS_RECORDED]
        in_fold = folds[clean.recording] == fold
        held_out = HeldOutRecall(clean.features[in_fold], labels[clean.recording[in_fold]])
        networks = run.networks(f"fold{fold}", trained_on, config.members, held_out)
        for name, entry in windows.items():
            in_fold = folds[entry.recording] == fold
            logits[name][in_fold] = mean_logits(networks, entry.features[in_fold])
    return FoldPredictions(indices, labels, folds, windows, logits)


def served_network(networks: list[Any], temperature: float) -> keras.Model:
    """Merge networks into one: the softmax of their mean logits divided by a temperature, [n, 150, 64] → [n, 8]."""
    inputs = layers.Input((WINDOW_FRAMES, MEL_BANDS), name="log_mel")
    logits = [network(inputs) for network in networks]
    mean = layers.Average()(logits) if len(logits) > 1 else logits[0]
    return keras.Model(inputs, layers.Softmax()(layers.Rescaling(1 / temperature)(mean)), name=MODEL_NAME)


def random_split(run: SpeechRun) -> float:
    """Return the UAR on a fifth of the recordings drawn at random, whose speakers are in the training set as well.

    It shows how much a random split overestimates.
    """
    indices = evaluation_recordings(run.corpus)
    rng = np.random.default_rng(run.config.seed)
    tested = rng.permutation(indices)[: len(indices) // FOLDS]
    trained_on = np.ones(len(run.corpus), dtype=bool)
    trained_on[tested] = False
    networks = run.networks("random", trained_on, run.config.members)
    windows = windows_of([run.corpus.sounds[index] for index in tested])
    probabilities = windows.means(softmax(mean_logits(networks, windows.features), axis=1))
    return unweighted_average_recall(run.corpus.labels[tested], probabilities.argmax(axis=1))


def from_corpus_to_corpus(run: SpeechRun) -> dict[str, dict[str, float]]:
    """Return the UAR by training corpus and test corpus, over the emotions that both have, calm counted as neutral."""
    corpora = run.corpus.corpora
    names = list(dict.fromkeys(corpora.tolist()))
    emotions = emotion_indices(run.corpus.labels)
    table: dict[str, dict[str, float]] = {}
    for trained in names if len(names) > 1 else []:
        within = corpora == trained
        networks = run.networks(f"only-{trained}", within, 1)
        known = {LABEL_TO_EMOTION[LABELS[label]] for label in np.unique(run.corpus.labels[within])}
        table[trained] = {}
        for other in names:
            tested = np.flatnonzero((corpora == other) & np.isin(emotions, [EMOTIONS.index(name) for name in known]))
            if other == trained or len(tested) == 0:
                continue
            windows = windows_of([run.corpus.sounds[index] for index in tested])
            probabilities = windows.means(softmax(mean_logits(networks, windows.features), axis=1))
            common = [EMOTIONS[emotion] for emotion in np.unique(emotions[tested])]
            vectors = to_mood_vectors(probabilities, LABELS, common)
            table[trained][other] = unweighted_average_recall(emotions[tested], vectors.argmax(axis=1))
    return table


def train(data: list[Path], *, config: SpeechTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpora at `data`, cross-validate over speakers, and export and describe the result in `models_dir`.

    Each network is written to `run_dir` once it is trained. With `resume`, the run there continues with its own settings
    and trains only the networks that are missing. Raises CorpusError for a corpus that can't be read, FileNotFoundError if
    there is no run.
    """
    settings_path = run_dir / SETTINGS_FILE
    if resume:
        if not settings_path.is_file():
            raise FileNotFoundError(f"{run_dir} holds no run to resume: start one without --resume")
        stored: dict[str, Any] = json.loads(settings_path.read_text(encoding="utf-8"))
        stored["emotions"] = tuple(stored.get("emotions", ()))
        config = SpeechTraining(**stored)
    corpus = load_speech(data, config.emotions)
    require_trainable(corpus)
    print(f"{corpus.describe()}; {'; '.join(corpus.notes)}", flush=True)
    if corpus.known_voice:
        print(KNOWN_VOICE, flush=True)
    run_dir.mkdir(parents=True, exist_ok=True)
    models_dir.mkdir(parents=True, exist_ok=True)
    if not resume:
        # The settings go first: after an interruption the networks of the earlier run can't be taken for those of this one.
        for earlier in (settings_path, *run_dir.glob("*.keras"), *run_dir.glob("*.json")):
            earlier.unlink(missing_ok=True)
        write_text(settings_path, json.dumps(asdict(config), indent=1))
    if config.model in CLASSIC_MODELS:
        train_classic(corpus, config.model, seed=config.seed, models_dir=models_dir, settings=config)
        return
    run = SpeechRun(corpus, config, run_dir)
    predictions = cross_validate(run)
    if config.quick:
        name = f"fold{predictions.folds[0]}"
        networks = run.networks(name, training_recordings(corpus, predictions.indices), config.members)
    else:
        networks = run.networks("final", np.ones(len(corpus), dtype=bool), config.members)
    temperature = predictions.temperature()
    network = served_network(networks, temperature)
    litert_path = models_dir / model_file(config.model)
    keras_path = run_dir / litert_path.with_suffix(".keras").name
    network.save(keras_path)
    export_to_litert(keras_path, litert_path)
    record_in_manifest(models_dir, [litert_path.name], corpus.trained_subset)
    clean = predictions.windows[AS_RECORDED].features
    litert_probabilities = LiteRTModel(litert_path.read_bytes())(clean)
    keras_probabilities = softmax(mean_logits(networks, clean) / temperature, axis=1)
    write_card(
        corpus,
        predictions,
        settings={name: value for name, value in asdict(config).items() if name not in ("model", "emotions", "quick")},
        network=f"{config.members} × {config.model}, {network.count_params():,} parameters",
        temperature=temperature,
        agreement=float((litert_probabilities.argmax(axis=1) == keras_probabilities.argmax(axis=1)).mean()),
        # With one speaker, the folds are a random split themselves.
        random_recall=None if config.quick or corpus.known_voice else random_split(run),
        transfer={} if config.quick else from_corpus_to_corpus(run),
        histories=run.histories("fold"),
        name=litert_path.stem,
        quick=config.quick,
        models_dir=models_dir,
    )
