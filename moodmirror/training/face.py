"""Train the face network, resume an interrupted run, and export the best epoch.

Runs on every Keras backend; only the last step, the export, starts TensorFlow, in a process of its own.
"""

import math
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import ModelError, record_in_manifest
from moodmirror.training.atomic_files import read_arrays, write_arrays
from moodmirror.training.corpora import CorpusError
from moodmirror.training.export import export_to_litert
from moodmirror.training.face_batches import FaceBatches, face_size_in, resized
from moodmirror.training.face_calibration import calibrated
from moodmirror.training.face_card import TrainingRun, write_card
from moodmirror.training.face_corpora import (
    FaceCorpus,
    FaceSplit,
    load_faces,
    require_trainable,
    sampled,
    without_copies,
)
from moodmirror.training.face_evaluation import halves
from moodmirror.training.face_network import (
    EMOTIONS_OUTPUT,
    VOTES_OUTPUT,
    build_network,
    model_name,
    predict,
    teacher_predictions,
)
from moodmirror.training.metrics import classification_metrics
from moodmirror.training.run_directory import NETWORK_FILE, RunDirectory
from moodmirror.training.settings import FaceTraining
from moodmirror.training.torch_normalization import fastest_normalization

# Every 10 batches the average of the weights moves toward the current ones by 1 − AVERAGE_MOMENTUM: an average over about
# the last 2 epochs of FER2013 (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018, in its
# exponential form).
BATCHES_PER_AVERAGE_STEP: Final = 10
AVERAGE_MOMENTUM: Final = 0.97
WARMUP_EPOCHS: Final = 2  # at most a tenth of all epochs
QUICK_FACES: Final = (4000, 1000)  # of a quick run: training faces; development faces, and as many test faces

AVERAGE_FILE: Final = "average.npz"  # averaged weights after the last epoch
BEST_FILE: Final = "best.npz"  # averaged weights of the best epoch so far


def face_run(path: Path) -> RunDirectory[FaceTraining]:
    """Return the run directory at `path`."""
    return RunDirectory(path, FaceTraining, contents=(NETWORK_FILE, AVERAGE_FILE, BEST_FILE))


class Checkpoint(keras.callbacks.Callback):
    """Average the weights, evaluate the average on the development part after each epoch, and store what a resume needs.

    The run directory then holds ``last.keras`` (weights and optimizer), ``average.npz``, ``state.json`` (settings and
    history), and ``best.npz``, the averaged weights of the best epoch so far.
    """

    def __init__(self, run: RunDirectory[FaceTraining], config: FaceTraining, development: FaceSplit) -> None:
        super().__init__()
        self._run = run
        self._config = config
        self._development = development
        self._average: list[npt.NDArray[np.float32]] | None = None
        self._averaged_steps = 0
        self._started = time.monotonic()
        self.history: list[dict[str, float]] = []

    def restore(self) -> None:
        """Continue from the last epoch that the run directory holds."""
        state = self._run.read_state()
        self.history = state.history
        self._averaged_steps = state.counters["averaged_steps"]
        self._average = read_arrays(self._run.path / AVERAGE_FILE)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Add the current weights to the average."""
        if batch % BATCHES_PER_AVERAGE_STEP:
            return
        current = self.model.get_weights()
        if self._average is None:
            self._average = [weight.copy() for weight in current]
        # At first the average must follow quickly, or the random initial weights would stay in it for epochs.
        momentum = min(AVERAGE_MOMENTUM, (1 + self._averaged_steps) / (10 + self._averaged_steps))
        self._average = [
            momentum * mean + (1 - momentum) * weight for mean, weight in zip(self._average, current, strict=True)
        ]
        self._averaged_steps += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Evaluate the averaged weights, and store what a resumed run needs."""
        assert self._average is not None
        assert logs is not None
        current = self.model.get_weights()
        self.model.set_weights(self._average)
        size = face_size_in(epoch, self._config)
        probabilities = predict(self.model, resized(self._development.faces, size))
        self.model.set_weights(current)
        metrics = classification_metrics(self._development.labels, probabilities)
        best_before = max((entry["development_accuracy"] for entry in self.history if entry["size"] == size), default=0.0)
        self.history.append(
            {
                "epoch": epoch + 1,
                "size": size,
                "loss": float(logs["loss"]),
                "training_accuracy": float(logs["emotions_accuracy"]),
                "development_accuracy": metrics.accuracy,
                "development_macro_f1": metrics.macro_f1,
                "development_loss": metrics.log_loss,
            }
        )
        better = metrics.accuracy > best_before
        if better:
            write_arrays(self._run.path / BEST_FILE, self._average)
        write_arrays(self._run.path / AVERAGE_FILE, self._average)
        self._run.write_network(self.model)
        self._run.write_state(self._config, self.history, averaged_steps=self._averaged_steps)
        minutes = (time.monotonic() - self._started) / 60
        print(
            f"epoch {epoch + 1}/{self._config.epochs}, {size} px  loss {logs['loss']:.4f}  "
            f"training {logs['emotions_accuracy']:.1%}  "
            f"development {metrics.accuracy:.2%}, macro-F1 {metrics.macro_f1:.3f}{'  best so far' if better else ''}  "
            f"({minutes:.0f} min)",
            flush=True,
        )


def load_corpus(data: Path | Sequence[Path], config: FaceTraining) -> FaceCorpus:
    """Load the faces of a run: the emotions that it names, and a part of them for a quick one.

    Raises CorpusError if a network can't be trained on them.
    """
    corpus = load_faces(data, config.seed, config.emotions)
    if config.quick:
        corpus = sampled(corpus, *QUICK_FACES, config.seed)
    require_trainable(corpus)
    unseen = without_copies(corpus.development, corpus.training)
    if not all(len(half) for half in halves(unseen)):
        raise CorpusError(
            f"{corpus.name}: {len(unseen)} development faces that are no copies of training faces are too few to calibrate "
            "a network and to measure it. Add pictures to --data"
        )
    return corpus


def train(data: Path | Sequence[Path], *, config: FaceTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpora at `data`, then export, evaluate and describe the result in `models_dir`.

    Checkpoints are written to `run_dir`; with `resume` the run there continues with the settings it was started with.
    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is nothing to resume or a run to start
    from is missing, ModelError for a run that would start from itself.
    """
    run = face_run(run_dir)
    epochs_done = 0
    if resume:
        state = run.read_state()
        config, epochs_done = state.settings, len(state.history)
    elif config.start_from and Path(config.start_from).resolve() == run_dir.resolve():
        raise ModelError(f"--start-from and --run-dir both name {run_dir}: give the new run a directory of its own")
    initial_weights = served_weights(Path(config.start_from)) if config.start_from and not epochs_done else None
    keras.utils.set_random_seed(config.seed)
    corpus = load_corpus(data, config)
    print(
        f"{corpus.name}: {len(corpus.training)} training faces, {len(corpus.development)} development faces; "
        f"{'; '.join(corpus.notes)}",
        flush=True,
    )
    teacher_targets = teacher_predictions(config.teachers, corpus.training.faces)
    if not resume:
        run.start(config)
    checkpoint = Checkpoint(run, config, corpus.development)
    if epochs_done:
        checkpoint.restore()
        network = run.read_network()
        print(f"resuming after epoch {epochs_done}", flush=True)
    else:
        network = build_network(config.dropout, kind=config.model, size=None, normalization=fastest_normalization())
        if initial_weights:
            network.set_weights(initial_weights)
        compile_network(network, config, steps_per_epoch=math.ceil(len(corpus.training) / config.batch_size))
    # One fit for each epoch: in one for all, backends prefetch faces of the next epoch, which may have another size.
    for epoch in range(epochs_done, config.epochs):
        network.fit(
            FaceBatches(corpus.training, config, epoch, teacher_targets),
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[checkpoint],
            verbose=1 if sys.stdout.isatty() else 0,
        )
    export_best(corpus, config=config, run_dir=run_dir, models_dir=models_dir)


def compile_network(network: keras.Model, config: FaceTraining, steps_per_epoch: int) -> None:
    """Set the optimizer, the learning rate schedule and the losses of a network that is to be trained from its start."""
    steps = steps_per_epoch * config.epochs
    warmup = min(steps_per_epoch * WARMUP_EPOCHS, steps // 10)
    optimizer = keras.optimizers.SGD(
        keras.optimizers.schedules.CosineDecay(
            0.0, decay_steps=steps - warmup, warmup_target=config.learning_rate, warmup_steps=warmup
        ),
        momentum=0.9,
        nesterov=True,
        weight_decay=config.weight_decay,
        global_clipnorm=5.0,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    network.compile(
        optimizer=optimizer,
        loss={EMOTIONS_OUTPUT: "categorical_crossentropy", VOTES_OUTPUT: "categorical_crossentropy"},
        loss_weights={EMOTIONS_OUTPUT: 1 - config.votes_weight, VOTES_OUTPUT: config.votes_weight},
        metrics={EMOTIONS_OUTPUT: "accuracy"},
    )


def export_run(data: Path | Sequence[Path], *, run_dir: Path, models_dir: Path) -> None:
    """Export, evaluate and describe the best epoch so far of the run in `run_dir`, finished or not, without training.

    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no run with a finished epoch.
    """
    config = face_run(run_dir).read_state().settings
    export_best(load_corpus(data, config), config=config, run_dir=run_dir, models_dir=models_dir)


def served_weights(run_dir: Path) -> list[npt.NDArray[np.float32]]:
    """Return the weights that the run in `run_dir` serves.

    They are those of its best epoch, averaged with the share `kept` of the weights that it started from.
    Raises FileNotFoundError if there is no run with a finished epoch.
    """
    state = face_run(run_dir).read_state()
    if not state.history:
        raise FileNotFoundError(f"{run_dir} holds no finished epoch yet: continue the run with --resume")
    config, weights = state.settings, read_arrays(run_dir / BEST_FILE)
    if not config.start_from or config.kept == 0:
        return weights
    earlier = served_weights(Path(config.start_from))
    return [config.kept * old + (1 - config.kept) * new for old, new in zip(earlier, weights, strict=True)]


def training_runs(run_dir: Path) -> list[TrainingRun]:
    """Return the run in `run_dir` after the runs that it started from, the first one first."""
    state = face_run(run_dir).read_state()
    earlier = training_runs(Path(state.settings.start_from)) if state.settings.start_from else []
    return [*earlier, TrainingRun(state.settings, state.history)]


def export_best(corpus: FaceCorpus, *, config: FaceTraining, run_dir: Path, models_dir: Path) -> None:
    """Write the best epoch of the run in `run_dir` to `models_dir`: models, manifest, metrics, plots and card."""
    two_outputs = build_network(config.dropout, kind=config.model)
    two_outputs.set_weights(served_weights(run_dir))
    calibration_half, _ = halves(without_copies(corpus.development, corpus.training))
    network, calibration = calibrated(two_outputs, calibration_half, corpus.emotions)
    models_dir.mkdir(parents=True, exist_ok=True)
    name = model_name(config.model)
    keras_path, litert_path = models_dir / f"{name}.keras", models_dir / f"{name}.tflite"
    network.save(keras_path)
    export_to_litert(keras_path, litert_path)
    trained = [] if corpus.emotions == EMOTIONS else corpus.emotions
    record_in_manifest(models_dir, [keras_path.name, litert_path.name], trained)
    write_card(corpus, network, runs=training_runs(run_dir), calibration=calibration, models_dir=models_dir)
