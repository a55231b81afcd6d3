"""The text network as a Keras model: its outputs and losses, for training and for serving.

Runs on every Keras backend.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from moodmirror.emotions import EMOTIONS
from moodmirror.recognition.text_network import MODEL_NAME
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_calibration import Calibration
from moodmirror.training.text_corpora import FINE_LABELS
from moodmirror.training.text_encoder import ENCODER, PretrainedEncoder, build_encoder, set_pretrained_weights
from moodmirror.training.text_token_batcher import TokenBatcher

# Logit that the fine labels start with: a text has one or two of the 28.
INITIAL_FINE_BIAS: Final = -3.0
MIN_PROBABILITY: Final = 1e-7  # lower bound of probabilities whose logarithm is taken

# Names of outputs and layers in saved networks.
EMOTIONS_OUTPUT: Final = "emotions"
FINE_OUTPUT: Final = "fine"
SENTENCE_OUTPUT: Final = "sentence"
TRAINING_OUTPUTS: Final = (EMOTIONS_OUTPUT, FINE_OUTPUT, SENTENCE_OUTPUT)
MOODS_OUTPUT: Final = "moods"
CLASSIFIER: Final = "reader"
TOKEN_ROWS: Final = "token_rows"
POSITION_ROWS: Final = "position_rows"

Floats = npt.NDArray[np.float32]


def build_classifier(encoder: keras.Model, dropout: float, emotion_of_fine: npt.NDArray[np.int_]) -> keras.Model:
    """Add the outputs to an encoder: fine labels, emotions and sentence vector.

    ``fine``, [n, 28], are logits of GoEmotions' labels.
    An emotion is present in a text if any of its labels is; labels are taken as independent (a noisy-or: Pearl,
    "Probabilistic Reasoning in Intelligent Systems", 1988). ``emotions``, [n, 7], are log probabilities that don't sum to 1
    across emotions. `emotion_of_fine`, int [28], is the index of the emotion of each label.
    """
    embeddings, mask = encoder.inputs
    states = encoder([embeddings, mask])
    sentence = layers.Identity(name=SENTENCE_OUTPUT)(_mean_state(states, mask))
    features = layers.Concatenate()([states[:, 0], sentence])
    features = layers.Dense(sentence.shape[-1], activation="tanh", name="pooler")(layers.Dropout(dropout)(features))
    features = layers.Dropout(dropout)(features)
    initial_bias = keras.initializers.Constant(INITIAL_FINE_BIAS)
    fine = layers.Dense(FINE_LABELS, bias_initializer=initial_bias, name=FINE_OUTPUT)(features)
    # Softplus is −log of the probability that a label is absent; these add up because labels are independent. Written out
    # because LiteRT has no softplus.
    label_absences = ops.relu(fine) + ops.log(1.0 + ops.exp(-ops.abs(fine)))
    grouping = layers.Dense(len(EMOTIONS), use_bias=False, trainable=False, name="groups")
    # Products may be bfloat16, in which one minus a small number is too coarse.
    absences = ops.cast(grouping(label_absences), "float32")
    grouping.set_weights([np.eye(len(EMOTIONS), dtype=np.float32)[emotion_of_fine]])
    emotions = layers.Identity(name=EMOTIONS_OUTPUT)(ops.log(1.0 - ops.exp(-absences) + MIN_PROBABILITY))
    return keras.Model(
        [embeddings, mask],
        {EMOTIONS_OUTPUT: emotions, FINE_OUTPUT: fine, SENTENCE_OUTPUT: sentence},
        name=CLASSIFIER,
    )


def _mean_state(states: Any, mask: Any) -> Any:
    """Return the mean of the states [n, t, width] of real tokens.

    It is the sentence vector, not yet of unit length.
    """
    return ops.sum(states * ops.expand_dims(mask, -1), axis=1) / ops.sum(mask, axis=1, keepdims=True)


def build_network(classifier: keras.Model, pretrained: PretrainedEncoder) -> keras.Model:
    """Add the token table to a classifier, for training.

    Its inputs are token ids, int32 [n, t], and their mask [n, t]; its outputs those of the classifier.
    """
    ids = layers.Input((None,), dtype="int32", name="ids")
    mask = layers.Input((None,), name="mask")
    tokens = layers.Embedding(*pretrained.token_rows.shape, name=TOKEN_ROWS)
    positions = layers.Embedding(*pretrained.position_rows.shape, trainable=False, name=POSITION_ROWS)
    embeddings = tokens(ids) + positions(ops.cumsum(ops.ones_like(ids), axis=1) - 1)
    network = keras.Model([ids, mask], classifier([embeddings, mask]), name=MODEL_NAME)
    tokens.set_weights([pretrained.token_rows])
    positions.set_weights([pretrained.position_rows])
    return network


def initial_network(
    pretrained: PretrainedEncoder, config: TextTraining, emotion_of_fine: npt.NDArray[np.int_]
) -> keras.Model:
    """Build the untrained network: a pre-trained encoder with randomly initialized outputs."""
    encoder = build_encoder(pretrained.shape, config.dropout)
    set_pretrained_weights(encoder, pretrained)
    return build_network(build_classifier(encoder, config.dropout, emotion_of_fine), pretrained)


def build_serving_model(classifier: keras.Model, calibration: Calibration) -> keras.Model:
    """Turn a classifier into the served model: calibrated mood vectors and sentence vectors."""
    moods = layers.Dense(len(EMOTIONS), activation="softmax", name=MOODS_OUTPUT)
    emotions, sentence = (classifier.get_layer(name).output for name in (EMOTIONS_OUTPUT, SENTENCE_OUTPUT))
    served = keras.Model(classifier.inputs, {MOODS_OUTPUT: moods(emotions), SENTENCE_OUTPUT: sentence}, name=MODEL_NAME)
    moods.set_weights([calibration.factor * np.eye(len(EMOTIONS)), calibration.bias])
    return served


@keras.saving.register_keras_serializable(package="moodmirror")
def emotions_cross_entropy(target: Any, log_probabilities: Any) -> Any:
    """Return the binary cross-entropy summed over the emotions that a text's corpus can label.

    `target` is [n, 14]: for each emotion its probability, then for each emotion 1 if the corpus can label it, else 0. A
    corpus without neutral thus trains which emotion it is, and not whether there is one.
    """
    present, possible = target[:, : len(EMOTIONS)], target[:, len(EMOTIONS) :]
    log_absent = ops.log(ops.maximum(1.0 - ops.exp(log_probabilities), MIN_PROBABILITY))
    return -ops.sum(possible * (present * log_probabilities + (1.0 - present) * log_absent), axis=-1)


@keras.saving.register_keras_serializable(package="moodmirror")
def fine_cross_entropy(target: Any, logits: Any) -> Any:
    """Return the binary cross-entropy over GoEmotions' labels.

    It is their sum, because about one label of a text is positive.
    """
    return ops.sum(ops.binary_crossentropy(target, logits, from_logits=True), axis=-1)


@keras.saving.register_keras_serializable(package="moodmirror")
def angle_loss(target: Any, vectors: Any) -> Any:
    """Return one minus the cosine between vectors [n, width] and their targets."""
    return 1.0 - ops.sum(ops.normalize(target, axis=-1) * ops.normalize(vectors, axis=-1), axis=-1)


def emotion_probabilities(fine: Floats, emotion_of_fine: npt.NDArray[np.int_]) -> Floats:
    """Return emotion probabilities, float32 [n, 7], of label probabilities, [n, 28].

    By the same noisy-or as the network.
    """
    groups = np.eye(len(EMOTIONS), dtype=np.float32)[emotion_of_fine]
    log_absent = np.log(np.maximum(1 - fine, MIN_PROBABILITY)) @ groups
    return np.float32(1) - np.exp(log_absent, dtype=np.float32)


def freeze(network: keras.Model, layer_count: int) -> None:
    """Freeze the token table and the lowest `layer_count` encoder layers of a network.

    No gradients are computed for them.
    """
    frozen = ("embeddings_norm", "distances", *(f"layer{number}_" for number in range(layer_count)))
    network.get_layer(TOKEN_ROWS).trainable = False
    for layer in network.get_layer(CLASSIFIER).get_layer(ENCODER).layers:
        layer.trainable = not layer.name.startswith(frozen)


def compile_network(network: keras.Model, config: TextTraining) -> None:
    """Compile a network with its optimizer and losses."""
    optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay, global_clipnorm=1.0)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta", "embeddings"])
    network.compile(
        optimizer=optimizer,
        loss={
            EMOTIONS_OUTPUT: emotions_cross_entropy,
            FINE_OUTPUT: fine_cross_entropy,
            SENTENCE_OUTPUT: angle_loss,
        },
        loss_weights={EMOTIONS_OUTPUT: 1.0, FINE_OUTPUT: config.fine_weight, SENTENCE_OUTPUT: config.anchor_weight},
    )


def predict(network: keras.Model, texts: list[str], batcher: TokenBatcher, batch_size: int = 64) -> dict[str, Floats]:
    """Return the outputs of a Keras network by name, float32 [n, …], for texts of any length."""
    outputs: dict[str, Floats] = {}
    order = np.argsort(batcher.lengths(texts), kind="stable")
    for rows in np.split(order, range(batch_size, len(order), batch_size)):
        for name, output in network.predict_on_batch(batcher([texts[index] for index in rows])).items():
            values = keras.ops.convert_to_numpy(output)
            outputs.setdefault(name, np.empty((len(texts), *values.shape[1:]), np.float32))[rows] = values
    return outputs


def average_networks(paths: Sequence[Path]) -> keras.Model:
    """Return a network with the mean of the weights of those stored at `paths`.

    All must have started from the same weights. The mean is better than each of them and no larger (Wortsman et al., "Model
    Soups", ICML 2022).
    """
    networks = [keras.models.load_model(path, compile=False) for path in paths]
    mean = [np.mean(weights, axis=0) for weights in zip(*(network.get_weights() for network in networks), strict=True)]
    networks[0].set_weights(mean)
    return networks[0]


def bfloat16_products() -> AbstractContextManager[Any]:
    """Return a context manager under which matrix products use bfloat16: twice the speed.

    Only where backend and processor support it. The weights stay float32 (Micikevicius et al., "Mixed Precision Training",
    ICLR 2018).
    """
    if keras.backend.backend() != "torch":
        return nullcontext()
    import torch  # noqa: PLC0415  # no other backend needs it

    context: AbstractContextManager[Any] = torch.autocast(
        "cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported()
    )
    return context
