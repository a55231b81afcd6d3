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
from scipy.optimize import minimize
from scipy.special import log_softmax

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.face import FACE_SIZE, MODEL_NAME, FaceEmotionRecognizer, Faces, preprocess, standardize
from moodmirror.recognition.model_files import record_in_manifest
from moodmirror.training import plots
from moodmirror.training.atomic_files import write_text
from moodmirror.training.calibration import scale_to_be_right
from moodmirror.training.export import DYNAMIC_RANGE, export_to_litert
from moodmirror.training.face_corpora import FaceCorpus, FaceSplit, load_faces, without_copies
from moodmirror.training.face_evaluation import HAAR_FACES, evaluation, halves, write_json
from moodmirror.training.metrics import RELIABILITY_BINS, classification_metrics
from moodmirror.training.settings import FaceTraining

# The averaged weights take one step towards the current ones after so many batches, each worth so much: an average over
# about the last 2 epochs of FER2013 (Izmailov et al., "Averaging Weights Leads to Wider Optima", UAI 2018, in its
# exponential form).
AVERAGE_EVERY_BATCHES: Final = 10
AVERAGE_MOMENTUM: Final = 0.97
WARMUP_EPOCHS: Final = 2  # at most a tenth of them

# Faces are small at first, for what is learnt early is coarse: (share of the epochs after which it ends, side in pixels).
# An epoch at 32 pixels costs 0.4 of one at 48 (Howard, DAWNBench 2018: "progressive resizing").
GROWTH: Final = ((0.45, 32), (0.77, 40), (1.0, FACE_SIZE))
# A run that starts from a trained network has what is coarse already.
GROWTH_OF_TRAINED: Final = ((0.25, 40), (1.0, FACE_SIZE))

# Of each emotion's faces this share is to be recognised, where a network passes over one in favour of its likes. Its logit
# is raised by so much at a time, at most so often: more would trade away more faces than it gains.
LEAST_RECALL: Final = 0.47
HELP: Final = 0.02
MOST_HELP: Final = 25

VOTES: Final = "votes"
EMOTIONS_ANSWER: Final = "emotions"
FEATURES: Final = "features"


def face_size_in(epoch: int, config: FaceTraining) -> int:
    """The side, in pixels, of the faces to train on in an epoch, counted from 0."""
    growth = GROWTH_OF_TRAINED if config.start_from else GROWTH
    return next(size for share, size in growth if epoch < share * config.epochs or share == 1.0)


@keras.saving.register_keras_serializable(package="moodmirror")
class TorchBatchNormalization(layers.BatchNormalization):
    """Keras' batch normalisation by torch's own kernel: the same numbers, and a third more faces a second on a CPU."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalise [n, h, w, channels]; with `training`, by the batch's own mean and variance."""
        import torch  # noqa: PLC0415  # only this backend has it

        normalised = torch.nn.functional.batch_norm(
            inputs.permute(0, 3, 1, 2),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value,
            self.beta.value,
            training=bool(training),
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        return normalised.permute(0, 2, 3, 1)

    def compute_output_spec(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What :meth:`call` gives: the shape of what it takes."""
        return keras.KerasTensor(inputs.shape, inputs.dtype)


def build_network(
    dropout: float, *, size: int | None = FACE_SIZE, normalization: type[layers.Layer] = layers.BatchNormalization
) -> keras.Model:
    """A residual network (He et al., CVPR 2016) of about 2 M parameters: [n, size, size, 1] → two answers [n, 7].

    ``emotions`` are the probabilities of FER2013's labels, ``votes`` those of the FER+ annotators' votes. The two tasks
    share all but their last layers: the votes are the cleaner teacher, the labels are what is asked for.
    A `size` of None takes faces of any size; whatever `normalization` makes the layers, the weights are the same.
    """
    inputs = layers.Input((size, size, 1), name="faces")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.ReLU()(normalization()(x))
    for filters, blocks in ((40, 1), (80, 2), (160, 2), (256, 1)):
        for block in range(blocks):
            x = _residual_block(x, filters, 2 if block == 0 else 1, normalization)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D(name=FEATURES)(x))
    answers = {name: layers.Dense(len(EMOTIONS), activation="softmax", name=name)(x) for name in (EMOTIONS_ANSWER, VOTES)}
    return keras.Model(inputs, answers, name=MODEL_NAME)


def _residual_block(x: Any, filters: int, stride: int, normalization: type[layers.Layer]) -> Any:
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(normalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = normalization()(y)
    if stride > 1:
        x = layers.AveragePooling2D(stride, padding="same")(x)
        x = normalization()(layers.Conv2D(filters, 1, use_bias=False)(x))
    return layers.ReLU()(layers.Add()([x, y]))


def smoothed_labels(labels: npt.NDArray[np.int_], label_smoothing: float) -> npt.NDArray[np.float32]:
    """What the network is to answer, float32 [n, 7]: the label, and a little of every emotion."""
    targets: npt.NDArray[np.float32] = (1 - label_smoothing) * np.eye(len(EMOTIONS), dtype=np.float32)[labels]
    return targets + np.float32(label_smoothing / len(EMOTIONS))


def class_weights(labels: npt.NDArray[np.int_], balance: float) -> npt.NDArray[np.float32]:
    """Weight of each face, float32 [n], mean 1: its emotion's share of the faces to the power of −`balance`."""
    counts = np.bincount(labels, minlength=len(EMOTIONS)).astype(np.float64)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)[labels]
    balanced: npt.NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return balanced


def augment(face: npt.NDArray[Any], rng: np.random.Generator, *, gently: bool = False) -> npt.NDArray[Any]:
    """Another picture of the same face, uint8 [48, 48]: mirrored, turned, moved, lit, coarse, noisy or half hidden.

    Moves and scales cover how a detector's box differs from FER2013's own crop. `gently`, it is only mirrored and moved
    by a third as much.
    """
    reach = 1 / 3 if gently else 1.0
    angle = reach * rng.uniform(-16, 16)  # degrees
    scale = 1 + reach * rng.uniform(-0.15, 0.2)
    middle = (FACE_SIZE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), angle, scale), dtype=np.float64)
    matrix[:, 2] += reach * rng.uniform(-4, 4, size=2)  # pixels
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, FACE_SIZE - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    face = cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if gently:
        return face
    light, flaw = rng.random(2)
    if light < 0.2:
        gamma = rng.uniform(0.5, 1.8)
        face = cv2.LUT(face, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))
    elif light < 0.4:
        face = cv2.convertScaleAbs(face, alpha=rng.uniform(0.6, 1.7), beta=rng.uniform(-50, 50))  # clips at black and white
    if flaw < 0.08:
        face = cv2.GaussianBlur(face, (0, 0), rng.uniform(0.4, 1.3))  # pixels
    elif flaw < 0.16:
        noise = rng.normal(0, rng.uniform(2, 14), face.shape)  # gray levels
        face = np.clip(face + noise, 0, 255).astype(np.uint8)
    elif flaw < 0.24:
        small = int(rng.integers(18, 40))  # pixels: a face from farther away
        face = cv2.resize(cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA), (FACE_SIZE, FACE_SIZE))
    elif flaw < 0.3:
        quality = int(rng.integers(15, 70))
        coded = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        face = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    if rng.random() < 0.25:  # random erasing (Zhong et al., AAAI 2020)
        height, width = rng.integers(6, 20, size=2)
        top, left = rng.integers(0, FACE_SIZE - height), rng.integers(0, FACE_SIZE - width)
        face = face.copy()
        face[top : top + height, left : left + width] = rng.integers(0, 256)
    return face


def resized(faces: Faces, size: int) -> Faces:
    """Faces, uint8 [n, h, w], at another size: uint8 [n, size, size]."""
    if faces.shape[1] == size:
        return faces
    return np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_AREA) for face in faces]).astype(np.uint8)


class FaceBatches(keras.utils.PyDataset):
    """Augmented batches of a training part in one epoch: which, in what order, depends only on seed and epoch."""

    def __init__(
        self, split: FaceSplit, config: FaceTraining, epoch: int, taught: npt.NDArray[np.float32] | None = None
    ) -> None:
        """`epoch` counts from 0. `taught` is what teachers answer for each face, float32 [n, 7]; None without teachers."""
        super().__init__(workers=2, max_queue_size=6)
        self._faces = split.faces
        votes = split.vote_distributions()
        targets = smoothed_labels(split.labels, config.label_smoothing)
        if taught is not None:
            targets = (1 - config.distilled) * targets + config.distilled * taught
        self._targets = {EMOTIONS_ANSWER: targets, VOTES: votes}
        weights = class_weights(split.labels, config.balance)
        self._weights = {EMOTIONS_ANSWER: weights, VOTES: weights * votes.sum(axis=1)}
        self._config = config
        self._epoch = epoch
        self._size = face_size_in(epoch, config)
        self._order = np.random.default_rng((config.seed, epoch)).permutation(len(self._faces))

    def __len__(self) -> int:
        return math.ceil(len(self._faces) / self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        rng = np.random.default_rng((self._config.seed, self._epoch, index))
        chosen = self._order[index * self._config.batch_size : (index + 1) * self._config.batch_size]
        gently = self._epoch >= self._config.cool_down * self._config.epochs
        faces = np.stack([augment(self._faces[face], rng, gently=gently) for face in chosen])
        return (
            standardize(resized(faces, self._size)),
            {name: targets[chosen] for name, targets in self._targets.items()},
            {name: weights[chosen] for name, weights in self._weights.items()},
        )


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
        size = face_size_in(epoch, self._config)
        probabilities = predict(self.model, resized(self._development.faces, size))
        self.model.set_weights(current)
        figures = classification_metrics(self._development.labels, probabilities)
        best_before = max((entry["development_accuracy"] for entry in self.history if entry["size"] == size), default=0.0)
        self.history.append(
            {
                "epoch": epoch + 1,
                "size": size,
                "loss": float(logs["loss"]),
                "training_accuracy": float(logs["emotions_accuracy"]),
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
        write_text(self._folder / "state.json", json.dumps(state, indent=1))
        minutes = (time.monotonic() - self._started) / 60
        print(
            f"epoch {epoch + 1}/{self._config.epochs}, {size} px  loss {logs['loss']:.4f}  "
            f"training {logs['emotions_accuracy']:.1%}  "
            f"development {figures.accuracy:.2%}, macro-F1 {figures.macro_f1:.3f}{'  best so far' if better else ''}  "
            f"({minutes:.0f} min)",
            flush=True,
        )


def predict(network: keras.Model, faces: Faces) -> npt.NDArray[np.float32]:
    """Probabilities, float32 [n, 7], of a Keras network of one answer or two, for faces, uint8 [n, h, w]."""
    answer = network.predict(standardize(faces), batch_size=256, verbose=0)
    return np.asarray(answer[EMOTIONS_ANSWER] if isinstance(answer, dict) else answer, dtype=np.float32)


def ask_teachers(paths: tuple[str, ...], faces: Faces) -> npt.NDArray[np.float32] | None:
    """The mean answer, float32 [n, 7], of the Keras models at `paths` for faces, uint8 [n, 48, 48], and their mirror images.

    None without teachers. Learning it beside the labels is distillation (Hinton, Vinyals and Dean, arXiv:1503.02531).
    Raises FileNotFoundError for a teacher that is not there.
    """
    if not paths:
        return None
    answers = []
    for path in paths:
        if not Path(path).is_file():
            raise FileNotFoundError(f"the teacher {path} is missing: name a .keras file that train.py face made")
        print(f"asking the teacher {Path(path).name} about {len(faces)} faces …", flush=True)
        teacher = keras.models.load_model(path, compile=False, safe_mode=True)
        answers += [predict(teacher, faces), predict(teacher, faces[:, :, ::-1])]
    mean: npt.NDArray[np.float32] = np.mean(answers, axis=0, dtype=np.float32)
    return mean


def train(data: Path, *, config: FaceTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpus at `data`, then export, evaluate and describe the result in `models_dir`.

    Checkpoints go to `run_dir`; with `resume` the run there goes on under the configuration it began with.
    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is nothing to resume.
    """
    first_epoch, start = 0, None
    if resume:
        config, history = _stored_run(run_dir)
        first_epoch = len(history)
    elif config.start_from:
        start = served_weights(Path(config.start_from))
    keras.utils.set_random_seed(config.seed)
    corpus = load_faces(data, config.seed)
    print(
        f"{corpus.name}: {len(corpus.training)} faces to train on, {len(corpus.development)} to choose by; "
        f"{'; '.join(corpus.notes)}",
        flush=True,
    )
    run_dir.mkdir(parents=True, exist_ok=True)
    taught = ask_teachers(config.teachers, corpus.training.faces)
    checkpoint = Checkpoint(run_dir, config, corpus.development)
    if resume:
        checkpoint.restore()
        network = keras.models.load_model(run_dir / "last.keras")
        print(f"going on after epoch {first_epoch}", flush=True)
    else:
        on_torch = keras.backend.backend() == "torch"
        normalization = TorchBatchNormalization if on_torch else layers.BatchNormalization
        network = build_network(config.dropout, size=None, normalization=normalization)
        if start:
            network.set_weights(start)
        steps_an_epoch = math.ceil(len(corpus.training) / config.batch_size)
        steps = steps_an_epoch * config.epochs
        warmup = min(steps_an_epoch * WARMUP_EPOCHS, steps // 10)
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
            loss={EMOTIONS_ANSWER: "categorical_crossentropy", VOTES: "categorical_crossentropy"},
            loss_weights={EMOTIONS_ANSWER: 1 - config.votes_weight, VOTES: config.votes_weight},
            metrics={EMOTIONS_ANSWER: "accuracy"},
        )
    # A fit for each epoch: in one for all, backends ask ahead for pictures of the next, which may be of another size.
    for epoch in range(first_epoch, config.epochs):
        network.fit(
            FaceBatches(corpus.training, config, epoch, taught),
            initial_epoch=epoch,
            epochs=epoch + 1,
            callbacks=[checkpoint],
            verbose=1 if sys.stdout.isatty() else 0,
        )
    export_best(corpus, config=config, run_dir=run_dir, models_dir=models_dir)


def export_run(data: Path, *, run_dir: Path, models_dir: Path) -> None:
    """Export, evaluate and describe the best epoch so far of the run in `run_dir`, ended or not; train no more.

    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no run.
    """
    config, _ = _stored_run(run_dir)
    export_best(load_faces(data, config.seed), config=config, run_dir=run_dir, models_dir=models_dir)


def _stored_run(run_dir: Path) -> tuple[FaceTraining, list[dict[str, float]]]:
    """The configuration and the history of the run in `run_dir`. Raises FileNotFoundError if there is none."""
    path = run_dir / "state.json"
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir} holds no run to resume: start one without --resume and --export")
    state = json.loads(path.read_text(encoding="utf-8"))
    return FaceTraining(**{**state["config"], "teachers": tuple(state["config"]["teachers"])}), state["history"]


def served_weights(run_dir: Path) -> list[npt.NDArray[np.float32]]:
    """The weights that the run in `run_dir` leads to: its best epoch's, mixed with those kept of what it started from.

    Raises FileNotFoundError if there is no run.
    """
    config, _ = _stored_run(run_dir)
    weights = _load_weights(run_dir / "best.npz")
    if not config.start_from or config.kept == 0:
        return weights
    before = served_weights(Path(config.start_from))
    return [config.kept * old + (1 - config.kept) * new for old, new in zip(before, weights, strict=True)]


def export_best(corpus: FaceCorpus, *, config: FaceTraining, run_dir: Path, models_dir: Path) -> None:
    """Write the best epoch of the run in `run_dir` to `models_dir`: Keras, LiteRT, manifest, figures, pictures, card."""
    two_answers = build_network(config.dropout)
    two_answers.set_weights(served_weights(run_dir))
    calibration_half, _ = halves(without_copies(corpus.development, corpus.training))
    network, calibration = calibrated(two_answers, calibration_half)
    models_dir.mkdir(parents=True, exist_ok=True)
    keras_path, litert_path = models_dir / f"{MODEL_NAME}.keras", models_dir / f"{MODEL_NAME}.tflite"
    network.save(keras_path)
    export_to_litert(keras_path, litert_path)
    record_in_manifest(models_dir, [keras_path.name, litert_path.name])
    _, history = _stored_run(run_dir)
    write_card(corpus, network, config=config, calibration=calibration, history=history, models_dir=models_dir)


@dataclass(frozen=True)
class Calibration:
    """How the two answers become one: ``softmax(labels · z_emotions + votes · z_votes + help)``.

    z are their logits, `help` what is added for each emotion, float64 [7].
    """

    labels: float
    votes: float
    help: npt.NDArray[np.float64]


def calibrated(network: keras.Model, half: FaceSplit) -> tuple[keras.Model, Calibration]:
    """One answer made of the two of `network`, as sure as it is right: a network [n, 48, 48, 1] → [n, 7].

    Two factors, found by least log loss on `half` of the development part, scale and mix the logits: temperature
    scaling (Guo et al., ICML 2017) of two experts. An emotion that is too seldom recognised on that half is then helped, as
    in logit adjustment (Menon et al., "Long-tail learning via logit adjustment", ICLR 2021), until it is not. At last all
    are scaled together until the likeliest emotion is as often right as its probability says. All of it is folded into the
    last layer, so it costs nothing.
    """
    features = keras.Model(network.input, network.get_layer(FEATURES).output)
    kernels, biases = zip(*(network.get_layer(name).get_weights() for name in (EMOTIONS_ANSWER, VOTES)), strict=True)
    seen = np.asarray(features.predict(preprocess(half.faces), batch_size=256, verbose=0), dtype=np.float64)
    logits = [seen @ kernel + bias for kernel, bias in zip(kernels, biases, strict=True)]

    def log_loss(factors: npt.NDArray[np.float64]) -> float:
        log_probabilities = log_softmax(factors[0] * logits[0] + factors[1] * logits[1], axis=1)
        return float(-log_probabilities[np.arange(len(half)), half.labels].mean())

    # Without votes in the corpus the second answer was never taught: it gets no say.
    most = 5.0 if half.votes is not None and half.votes.any() else 0.0
    labels, votes = minimize(log_loss, x0=(1.0, min(0.1, most)), bounds=((0.05, 5.0), (0.0, most)), method="L-BFGS-B").x
    mixed = labels * logits[0] + votes * logits[1]
    helped = help_of_neglected(mixed, half.labels)
    scale = scale_to_be_right([(mixed + helped, (mixed + helped).argmax(axis=1) == half.labels, 1.0)])
    labels, votes, helped = scale * labels, scale * votes, scale * helped
    answer = layers.Dense(len(EMOTIONS), activation="softmax", name=EMOTIONS_ANSWER)
    served = keras.Model(network.input, answer(network.get_layer(FEATURES).output), name=MODEL_NAME)
    bias = labels * biases[0] + votes * biases[1] + helped
    answer.set_weights([labels * kernels[0] + votes * kernels[1], bias])
    return served, Calibration(float(labels), float(votes), helped)


def help_of_neglected(logits: npt.NDArray[np.float64], labels: npt.NDArray[np.int_]) -> npt.NDArray[np.float64]:
    """What to add to logits, float64 [n, 7], for LEAST_RECALL of each emotion's faces to be recognised: float64 [7].

    The most neglected emotion is helped first, a little at a time; so most are left as they are.
    """
    helped = np.zeros(len(EMOTIONS))
    present = np.unique(labels)
    for _ in range(MOST_HELP):
        answers = (logits + helped).argmax(axis=1)
        recalls = np.array([(answers[labels == emotion] == emotion).mean() for emotion in present])
        if recalls.min() >= LEAST_RECALL:
            break
        helped[present[recalls.argmin()]] += HELP
    return helped


def write_card(
    corpus: FaceCorpus,
    network: keras.Model,
    *,
    config: FaceTraining,
    calibration: Calibration,
    history: list[dict[str, float]],
    models_dir: Path,
) -> None:
    """Evaluate the files in `models_dir`, and write figures, pictures and model card beside them."""
    recognizer = FaceEmotionRecognizer.load(models_dir)
    result = evaluation(corpus, recognizer)
    print(f"\n{result.as_text()}", flush=True)
    plots.plot_curves(history, models_dir / f"{MODEL_NAME}_curves.png")
    plots.plot_confusion(result.splits[0][1], models_dir / f"{MODEL_NAME}_confusion.png")
    plots.plot_reliability(result.calibration, models_dir / f"{MODEL_NAME}_reliability.png")
    plots.plot_bars(result.robustness, models_dir / f"{MODEL_NAME}_robustness.png")
    write_json(result, models_dir / f"{MODEL_NAME}.json")
    faces = corpus.development.faces
    keras_probabilities = predict(network, faces)
    agreement = (keras_probabilities.argmax(axis=1) == recognizer.predict_proba(faces).argmax(axis=1)).mean()
    keras_accuracy = classification_metrics(corpus.development.labels, keras_probabilities).accuracy
    haar = result.haar
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
        f"Residual CNN, {network.count_params():,} parameters, trained from nothing with SGD (Nesterov), cosine decay and "
        f"averaged weights under Keras {keras.version()}, on faces that grow from {GROWTH[0][1]} to {FACE_SIZE} pixels. "
        "While it trains it has two answers, FER2013's labels and the FER+ votes; the served one is "
        f"{calibration.labels:.2f} × the labels' logits + {calibration.votes:.2f} × the votes'"
        + "".join(
            f", {emotion} {value:+.2f}" for emotion, value in zip(EMOTIONS, calibration.help, strict=True) if value > 0
        )
        + ", found on one half of the development part (least log loss, then each emotion recognised in "
        f"{LEAST_RECALL:.0%} of its faces, then as sure as it is right).",
        "",
        *(f"{number}. {line}" for number, line in enumerate(_course_of_runs(config, history), 1)),
        "",
        f"Served with {DYNAMIC_RANGE}. Keras and LiteRT name the same emotion on {agreement:.1%} of the development faces; "
        f"the Keras model is right on {keras_accuracy:.2%} of them.",
        "",
        f"![Training curves]({MODEL_NAME}_curves.png)",
        "",
        "## Figures",
        "",
        "All of the served `.tflite`, one forward pass a face, against FER2013's own labels. The development part "
        "(publictest) chose the epoch (and what is kept of earlier weights, where that is told above), and one half of it "
        "the calibration, so its figures are a little kind; no face of it "
        "was trained on, but FER2013 itself repeats some training faces there, so the figures without those copies come "
        f"first. Measured by `python train.py face --data PATH --evaluate`; for programs in `{MODEL_NAME}.json`.",
        "",
        *(part for name, figures in result.splits for part in (f"### {name.capitalize()}", "", figures.as_markdown(), "")),
        f"![Confusion matrix]({MODEL_NAME}_confusion.png)",
        "",
        "### As sure as it is right?",
        "",
        f"Expected calibration error **{result.calibration.error:.3f}** ({RELIABILITY_BINS} bins) on the half of "
        "the development part, without copies, that the calibration was not found on.",
        "",
        f"![Reliability diagram]({MODEL_NAME}_reliability.png)",
        "",
        "### In worse pictures",
        "",
        "Accuracy on the development part without copies, each face worsened:",
        "",
        "| faces | accuracy |",
        "| --- | ---: |",
        *(f"| {name} | {accuracy:.1%} |" for name, accuracy in result.robustness.items()),
        "",
        f"Cut out by Haar instead of by the corpus: {HAAR_FACES} development faces were set into larger pictures whose "
        f"edges go on as they end; {haar.found:.0%} were found (FER2013 cuts foreheads and chins that Haar looks for). On "
        f"these the accuracy is {haar.accuracy_haar:.1%} in Haar's boxes and {haar.accuracy_own:.1%} in the corpus' own; "
        f"Haar's side is {haar.side:.2f} times the corpus' (median), its middle {haar.offset:.1%} of a side away. So crops "
        "have no margin, and training moves and scales faces by about as much.",
        "",
        f"![Robustness]({MODEL_NAME}_robustness.png)",
        "",
        "## Limits",
        "",
        "It reads an expression, not a feeling. People agree with FER2013's labels on about 65 % of its faces. The corpus "
        "was found by English search words, so expect more errors on faces that are rarer there, on turned or half hidden "
        "ones, and on subtle expressions. A face under 20 pixels wide, or very blurred, gets no reading. Not to be used to "
        "judge people, at work or at school (EU AI Act, Article 5).",
        "",
    ]
    write_text(models_dir / f"{MODEL_NAME}.md", "\n".join(card))


def _course_of_runs(config: FaceTraining, history: list[dict[str, float]]) -> list[str]:
    """A line for each run that led to a network, the first first: how long it was, who taught, with which settings."""
    earlier = _course_of_runs(*_stored_run(Path(config.start_from))) if config.start_from else []
    tells = {"teachers": False, "start_from": False, "distilled": config.teachers, "kept": config.start_from}
    settings = {name: value for name, value in asdict(config).items() if tells.get(name, True)}
    length = "1 epoch" if len(history) == 1 else f"{len(history)} epochs"
    line = f"{length}; the best at its largest size was epoch {best_epoch(history):.0f}"
    if config.start_from:
        line += ". It began with the weights that the run before led to"
        if config.kept > 0:
            line += f", of which the served network keeps {config.kept:.0%}, mixed weight by weight"
    if config.teachers:
        taught = f"{len(config.teachers)} trained networks" if len(config.teachers) > 1 else "Another trained network"
        line += f". {taught} taught it beside the labels"
    return [*earlier, f"{line}. Settings: " + ", ".join(f"{key} {value}" for key, value in settings.items()) + "."]


def best_epoch(history: list[dict[str, float]]) -> float:
    """The epoch with the best development accuracy among those of the largest faces: what ``best.npz`` holds."""
    largest = max(entry["size"] for entry in history)
    return max((e for e in history if e["size"] == largest), key=lambda entry: entry["development_accuracy"])["epoch"]


def _save_weights(path: Path, weights: list[npt.NDArray[np.float32]]) -> None:
    # Written whole before it takes the old one's place: a run may be ended at any moment.
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, *weights)
    temporary.replace(path)


def _load_weights(path: Path) -> list[npt.NDArray[np.float32]]:
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in stored.files]
