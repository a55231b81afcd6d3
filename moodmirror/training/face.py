"""Train and evaluate the face network: a residual CNN over 48×48 gray faces, seven emotions out.

Runs on every Keras backend; only the last step, the export, starts TensorFlow in a process of its own.
"""

import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import FACE_SIZE, MODEL_NAME, FaceEmotionRecognizer, Faces, preprocess
from moodmirror.recognition.runtime import record_in_manifest
from moodmirror.training import report
from moodmirror.training.corpora import FaceCorpus, FaceSplit, load_faces, without_copies
from moodmirror.training.export import DYNAMIC_RANGE, export_to_litert


@dataclass(frozen=True)
class FaceTraining:
    """How to train. Stored beside the checkpoint, so that a resumed run goes on as it began."""

    epochs: int = 30
    batch_size: int = 128
    learning_rate: float = 1.5e-3  # AdamW's peak, reached after the first epoch, then falling along a cosine
    weight_decay: float = 5e-4
    votes_weight: float = 0.3  # share of the FER+ votes in the target; the rest is FER2013's own label
    label_smoothing: float = 0.05
    balance: float = 0.5  # 0: every face counts the same; 1: every emotion does
    dropout: float = 0.3
    patience: int = 8  # epochs without a better development accuracy before the run ends
    seed: int = 7


# The averaged weights take one step towards the current ones after so many batches, each worth so much: an average over
# about the last 2 epochs of FER2013 (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018, in its
# exponential form).
AVERAGE_EVERY_BATCHES: Final = 10
AVERAGE_MOMENTUM: Final = 0.97


def build_network(dropout: float) -> keras.Model:
    """A residual network (He et al., CVPR 2016) of about 1 M parameters: [n, 48, 48, 1] → probabilities [n, 7]."""
    inputs = layers.Input((FACE_SIZE, FACE_SIZE, 1), name="faces")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    for filters, blocks in ((40, 1), (80, 2), (160, 2)):
        for block in range(blocks):
            x = _residual_block(x, filters, stride=2 if block == 0 else 1)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(len(EMOTIONS), activation="softmax", name="emotions")(x), name=MODEL_NAME)


def _residual_block(x: Any, filters: int, stride: int) -> Any:
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if stride > 1:
        x = layers.AveragePooling2D(stride)(x)
        x = layers.BatchNormalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def soft_targets(split: FaceSplit, votes_weight: float, label_smoothing: float) -> npt.NDArray[np.float32]:
    """What the network is to answer, float32 [n, 7]: the label, mixed with the votes where there are any, smoothed."""
    labels = np.eye(len(EMOTIONS), dtype=np.float32)[split.labels]
    votes = split.vote_distributions()
    weight = votes_weight * votes.sum(axis=1, keepdims=True)
    mixed = (1 - weight) * labels + weight * votes
    targets: npt.NDArray[np.float32] = (1 - label_smoothing) * mixed + label_smoothing / len(EMOTIONS)
    return targets


def class_weights(labels: npt.NDArray[np.int_], balance: float) -> npt.NDArray[np.float32]:
    """Weight of each face, float32 [n], mean 1: its emotion's share of the faces to the power of −`balance`."""
    counts = np.bincount(labels, minlength=len(EMOTIONS)).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)[labels]
    balanced: npt.NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return balanced


def augment(face: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Another picture of the same face, uint8 [48, 48]: mirrored, turned, moved, lit, blurred, noisy or half hidden."""
    angle = rng.uniform(-14, 14)  # degrees
    scale = rng.uniform(0.85, 1.18)
    middle = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, scale), dtype=np.float64)
    matrix[:, 2] += rng.uniform(-4, 4, size=2)  # pixels
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, FACE_SIZE - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    face = cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.3:
        gamma = rng.uniform(0.6, 1.6)
        face = (255 * (face / 255.0) ** gamma).astype(np.uint8)
    if rng.random() < 0.1:
        face = cv2.GaussianBlur(face, (3, 3), rng.uniform(0.4, 1.2))
    if rng.random() < 0.1:
        noise = rng.normal(0, rng.uniform(2, 12), face.shape)  # gray levels
        face = np.clip(face + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:  # random erasing (Zhong et al., AAAI 2020)
        height, width = rng.integers(6, 20, size=2)
        top, left = rng.integers(0, FACE_SIZE - height), rng.integers(0, FACE_SIZE - width)
        face = face.copy()
        face[top : top + height, left : left + width] = rng.integers(0, 256)
    return face


class FaceBatches(keras.utils.PyDataset):
    """Augmented batches of a training part, in an order that depends only on seed and epoch."""

    def __init__(self, split: FaceSplit, config: FaceTraining, first_epoch: int) -> None:
        super().__init__()
        self._faces = split.faces
        self._targets = soft_targets(split, config.votes_weight, config.label_smoothing)
        self._weights = class_weights(split.labels, config.balance)
        self._config = config
        self._epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self._faces) / self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], ...]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        chosen = self._order[index * self._config.batch_size : (index + 1) * self._config.batch_size]
        faces = np.stack([augment(self._faces[face], rng) for face in chosen])
        return preprocess(faces), self._targets[chosen], self._weights[chosen]

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order and pictures."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = np.random.default_rng((self._config.seed, self._epoch)).permutation(len(self._faces))


class Checkpoint(keras.callbacks.Callback):
    """Averages the weights, judges the average on the development part after each epoch, and keeps what a resume needs.

    In `folder`: ``last.keras`` (weights and optimiser), ``average.npz``, ``state.json`` (configuration and history), and
    ``best.npz``, the averaged weights of the best epoch so far.
    """

    def __init__(self, folder: Path, config: FaceTraining, development: FaceSplit) -> None:
        super().__init__()
        self._folder = folder
        self._config = config
        self._development = development
        self._average: list[npt.NDArray[np.float32]] | None = None
        self._averaged_steps = 0
        self._started = time.monotonic()
        self.history: list[dict[str, float]] = []

    def restore(self) -> None:
        """Go on from what `folder` holds."""
        state = json.loads((self._folder / "state.json").read_text(encoding="utf-8"))
        self.history = state["history"]
        self._averaged_steps = state["averaged_steps"]
        self._average = _load_weights(self._folder / "average.npz")

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Take the current weights into the average."""
        if batch % AVERAGE_EVERY_BATCHES:
            return
        current = self.model.get_weights()
        if self._average is None:
            self._average = [weight.copy() for weight in current]
        # Early on the average must follow quickly, or it would remember the random start for epochs.
        momentum = min(AVERAGE_MOMENTUM, (1 + self._averaged_steps) / (10 + self._averaged_steps))
        self._average = [
            momentum * mean + (1 - momentum) * weight for mean, weight in zip(self._average, current, strict=True)
        ]
        self._averaged_steps += 1

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Judge the averaged weights, and store what a resumed run needs."""
        assert self._average is not None
        assert logs is not None
        current = self.model.get_weights()
        self.model.set_weights(self._average)
        probabilities = predict(self.model, self._development.faces)
        self.model.set_weights(current)
        figures = report.figures(self._development.labels, probabilities)
        best_before = max((entry["development_accuracy"] for entry in self.history), default=0.0)
        self.history.append(
            {
                "epoch": epoch + 1,
                "loss": float(logs["loss"]),
                "training_accuracy": float(logs["accuracy"]),
                "development_accuracy": figures.accuracy,
                "development_macro_f1": figures.macro_f1,
                "development_loss": figures.log_loss,
            }
        )
        better = figures.accuracy > best_before
        if better:
            _save_weights(self._folder / "best.npz", self._average)
        _save_weights(self._folder / "average.npz", self._average)
        self.model.save(self._folder / "last.part.keras")
        (self._folder / "last.part.keras").replace(self._folder / "last.keras")
        state = {"config": asdict(self._config), "history": self.history, "averaged_steps": self._averaged_steps}
        report.write_text(self._folder / "state.json", json.dumps(state, indent=1))
        minutes = (time.monotonic() - self._started) / 60
        print(
            f"epoch {epoch + 1}/{self._config.epochs}  loss {logs['loss']:.4f}  training {logs['accuracy']:.1%}  "
            f"development {figures.accuracy:.2%}, macro-F1 {figures.macro_f1:.3f}{'  best so far' if better else ''}  "
            f"({minutes:.0f} min)",
            flush=True,
        )
        best_epoch = max(self.history, key=lambda entry: entry["development_accuracy"])["epoch"]
        if epoch + 1 - best_epoch >= self._config.patience:
            print(f"no better development accuracy for {self._config.patience} epochs: stopping early")
            self.model.stop_training = True


def predict(network: keras.Model, faces: Faces) -> npt.NDArray[np.float32]:
    """Probabilities, float32 [n, 7], of the Keras network for faces, uint8 [n, 48, 48]."""
    return np.asarray(network.predict(preprocess(faces), batch_size=256, verbose=0), dtype=np.float32)


def train(data: Path, *, config: FaceTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpus at `data`, then export, evaluate and describe the result in `models_dir`.

    Checkpoints go to `run_dir`; with `resume` the run there goes on under the configuration it began with.
    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is nothing to resume.
    """
    state_path = run_dir / "state.json"
    first_epoch = 0
    if resume:
        if not state_path.is_file():
            raise FileNotFoundError(f"{run_dir} holds no run to resume: start one without --resume")
        state = json.loads(state_path.read_text(encoding="utf-8"))
        config = FaceTraining(**state["config"])
        first_epoch = len(state["history"])
    keras.utils.set_random_seed(config.seed)
    corpus = load_faces(data, config.seed)
    print(
        f"{corpus.name}: {len(corpus.training)} faces to train on, {len(corpus.development)} to choose by; "
        f"{'; '.join(corpus.notes)}",
        flush=True,
    )
    run_dir.mkdir(parents=True, exist_ok=True)
    batches = FaceBatches(corpus.training, config, first_epoch)
    checkpoint = Checkpoint(run_dir, config, corpus.development)
    if resume:
        checkpoint.restore()
        network = keras.models.load_model(run_dir / "last.keras")
        print(f"going on after epoch {first_epoch}", flush=True)
    else:
        network = build_network(config.dropout)
        steps = len(batches) * config.epochs
        network.compile(
            optimizer=keras.optimizers.AdamW(
                keras.optimizers.schedules.CosineDecay(
                    0.0, decay_steps=steps, warmup_target=config.learning_rate, warmup_steps=len(batches)
                ),
                weight_decay=config.weight_decay,
                clipnorm=5.0,
            ),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )
    network.fit(
        batches,
        epochs=config.epochs,
        initial_epoch=first_epoch,
        callbacks=[checkpoint],
        verbose=1 if sys.stdout.isatty() else 0,
    )
    export_best(corpus, config=config, run_dir=run_dir, models_dir=models_dir)


def export_best(corpus: FaceCorpus, *, config: FaceTraining, run_dir: Path, models_dir: Path) -> None:
    """Write the best epoch of the run in `run_dir` to `models_dir`: Keras, LiteRT, manifest, pictures, model card."""
    network = build_network(config.dropout)
    network.set_weights(_load_weights(run_dir / "best.npz"))
    models_dir.mkdir(parents=True, exist_ok=True)
    keras_path, litert_path = models_dir / f"{MODEL_NAME}.keras", models_dir / f"{MODEL_NAME}.tflite"
    network.save(keras_path)
    export_to_litert(keras_path, litert_path)
    record_in_manifest(models_dir, [keras_path.name, litert_path.name])
    history = json.loads((run_dir / "state.json").read_text(encoding="utf-8"))["history"]
    report.draw_curves(history, models_dir / f"{MODEL_NAME}_curves.png")
    write_card(corpus, config=config, history=history, models_dir=models_dir)


def evaluate(data: Path, *, models_dir: Path, seed: int) -> None:
    """Print the figures of the served model in `models_dir` on the corpus at `data`."""
    corpus = load_faces(data, seed)
    recognizer = FaceEmotionRecognizer.load(models_dir)
    for name, split in evaluation_splits(corpus):
        print(f"\n{corpus.name}, {name}: {len(split)} faces")
        print(report.figures(split.labels, recognizer.predict_proba(split.faces)).as_text())


def evaluation_splits(corpus: FaceCorpus) -> list[tuple[str, FaceSplit]]:
    """The parts on which figures are reported, by name; each with and without exact copies of training faces."""
    parts = [("development", corpus.development)]
    if corpus.test is not None:
        parts.append(("test", corpus.test))
    return [
        entry
        for name, split in parts
        for entry in (
            (f"{name}, without exact copies of training faces", without_copies(split, corpus.training)),
            (f"{name}, all", split),
        )
    ]


def write_card(corpus: FaceCorpus, *, config: FaceTraining, history: list[dict[str, float]], models_dir: Path) -> None:
    """Evaluate the files in `models_dir`, draw the confusion matrix and write the model card beside them."""
    recognizer = FaceEmotionRecognizer.load(models_dir)
    network = keras.models.load_model(models_dir / f"{MODEL_NAME}.keras", compile=False)
    results = [
        (name, report.figures(split.labels, recognizer.predict_proba(split.faces)))
        for name, split in evaluation_splits(corpus)
    ]
    for name, figures in results:
        print(f"\n{name}\n{figures.as_text()}")
    report.draw_confusion(results[0][1], models_dir / f"{MODEL_NAME}_confusion.png")
    faces = corpus.development.faces
    keras_probabilities = predict(network, faces)
    agreement = (keras_probabilities.argmax(axis=1) == recognizer.predict_proba(faces).argmax(axis=1)).mean()
    keras_accuracy = report.figures(corpus.development.labels, keras_probabilities).accuracy
    best = max(history, key=lambda entry: entry["development_accuracy"])
    card = [
        "# Model card: the face network",
        "",
        f"`{MODEL_NAME}.tflite` maps a gray 48×48 face to probabilities of {', '.join(EMOTIONS)}. "
        f"`{MODEL_NAME}.keras` is the same network for Keras. Both are checked against `manifest.json` before use.",
        "",
        "## Data",
        "",
        f"{corpus.name}: {len(corpus.training)} training faces; {'; '.join(corpus.notes)}. "
        "FER2013 (Goodfellow et al., 2013) holds pictures scraped from the web, for research use; the FER+ votes (Barsoum "
        "et al., 2016) are under the MIT licence. No picture is part of this repository.",
        "",
        "## Network and training",
        "",
        f"Residual CNN, {network.count_params():,} parameters, trained from nothing with AdamW, cosine decay and averaged "
        f"weights under Keras {keras.version()}. "
        f"The best of {len(history)} epochs on the development part was epoch {best['epoch']:.0f}. Settings: "
        + ", ".join(f"{key} {value}" for key, value in asdict(config).items())
        + ".",
        "",
        f"Served with {DYNAMIC_RANGE}. Keras and LiteRT name the same emotion on {agreement:.1%} of the development faces; "
        f"the Keras model is right on {keras_accuracy:.2%} of them.",
        "",
        f"![Training curves]({MODEL_NAME}_curves.png)",
        "",
        "## Figures",
        "",
        "All of the served `.tflite`, one forward pass a face, against FER2013's own labels. The development part "
        "(publictest) chose the epoch, so its figures are a little kind; no face of it was trained on, but FER2013 itself "
        "repeats some training faces there, so the figures without those copies come first. Measured by "
        "`python train.py face --data PATH --evaluate`.",
        "",
        *(part for name, figures in results for part in (f"### {name.capitalize()}", "", figures.as_markdown(), "")),
        f"![Confusion matrix]({MODEL_NAME}_confusion.png)",
        "",
        "## Limits",
        "",
        "It reads an expression, not a feeling. People agree with FER2013's labels on about 65 % of its faces. The corpus "
        "was found by English search words, so expect more errors on faces that are rarer there, on turned or half hidden "
        "ones, and on subtle expressions. Not to be used to judge people, at work or at school (EU AI Act, Article 5).",
        "",
    ]
    report.write_text(models_dir / f"{MODEL_NAME}.md", "\n".join(card))


def _save_weights(path: Path, weights: list[npt.NDArray[np.float32]]) -> None:
    # Written whole before it takes the old one's place: a run may be ended at any moment.
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, *weights)
    temporary.replace(path)


def _load_weights(path: Path) -> list[npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in stored.files]
