"""Small text corpora and a small random encoder, on which text training runs in seconds."""

import json

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

FINE = ["admiration", "anger", "disgust", "fear", "joy", "sadness", "surprise", *(f"other{n}" for n in range(20))]
GROUPS = {
    "anger": ["anger"],
    "disgust": ["disgust"],
    "fear": ["fear"],
    "joy": ["joy", "admiration", *FINE[7:]],
    "sadness": ["sadness"],
    "surprise": ["surprise"],
    "neutral": ["neutral"],
}
SEVEN = {"anger": "angry", "joy": "happy", "sadness": "sad"}
# Words that determine the label of their text, and the label's index in FINE.
LABEL_WORDS = {"furious": 1, "yuck": 2, "scared": 3, "happy": 4, "sad": 5, "wow": 6, "table": 27}


def write_corpora(folder, rows=280):
    """Write GoEmotions, CARER and DailyDialog in which one word determines the label; return `folder`."""
    rng = np.random.default_rng(0)
    goemotions = folder / "goemotions"
    goemotions.mkdir(parents=True)
    (goemotions / "emotions.txt").write_text("\n".join(FINE) + "\n")
    to7 = {group: SEVEN.get(group, group) for group in GROUPS}
    (goemotions / "ekman_mapping.json").write_text(json.dumps({"ekman": GROUPS, "to7": to7}))
    words = list(LABEL_WORDS)
    fillers = ["the", "a", "so", "very", "one", "day", "it", "was", "and", "then", "we", "all"]
    for name, count in (("train", rows), ("dev", 70)):
        lines = []
        for row in range(count):
            word = words[row % len(words)]
            text = " ".join([*rng.choice(fillers, 3), word, str(rng.choice(fillers)), str(row) if name == "dev" else ""])
            lines.append(f"{text}\t{LABEL_WORDS[word]}\tid{row}")
        (goemotions / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    carer = folder / "carer"
    carer.mkdir()
    for name in ("train", "val"):
        (carer / f"{name}.txt").write_text("i feel so happy;joy\ni feel love today;love\nim feeling sad;sadness\n" * 4)
    dialogues = folder / "dailydialog"
    dialogues.mkdir()
    (dialogues / "validation_dialogues.txt").write_text(
        "".join(f"Where is table {n} ? __eou__ So happy , {n} ! __eou__\n" for n in range(40))
    )
    (dialogues / "validation_dialogues_emotion.txt").write_text("0 4 \n" * 40)
    return folder


def write_encoder(folder, *, mpnet=False):
    """Write a BERT or MPNet encoder of one layer with random weights; return `folder`.

    Its vocabulary contains letters and the words that determine labels.
    """
    folder.mkdir()
    padding, start, end = ("<pad>", "<s>", "</s>") if mpnet else ("[PAD]", "[CLS]", "[SEP]")
    rng = np.random.default_rng(0)
    letters = [chr(code) for code in range(33, 127)]
    special_tokens = [start, padding, end, "[UNK]"] if mpnet else [padding, "[UNK]", start, end]
    vocabulary = [*special_tokens, "[unused1]", "ж", *letters, *(f"##{letter}" for letter in letters)]
    vocabulary += [*LABEL_WORDS, "the", "so", "very", "one", "day", "was", "and", "then", "feel", "where"]
    vocabulary = [token for number, token in enumerate(vocabulary) if token not in vocabulary[:number]]
    tokenizer = Tokenizer(WordPiece({token: number for number, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.add_special_tokens(special_tokens)
    tokenizer.enable_padding(length=128)
    tokenizer.save(str(folder / "tokenizer.json"))
    width, rise = 24, 48
    shape: dict[str, float | str] = {
        "num_hidden_layers": 1,
        "hidden_size": width,
        "num_attention_heads": 2,
        "intermediate_size": rise,
    }
    if mpnet:
        shape |= {"model_type": "mpnet", "pad_token_id": 1, "layer_norm_eps": 1e-5, "relative_attention_num_buckets": 32}
    (folder / "config.json").write_text(json.dumps(shape))

    def weights(*shape: int):
        return rng.normal(0, 0.3, shape).astype(np.float32)

    layer = "encoder.layer.0"
    tensors = {
        "embeddings.word_embeddings.weight": weights(len(vocabulary), width),
        "embeddings.position_embeddings.weight": 0.1 * weights(128, width),
        "embeddings.token_type_embeddings.weight": 0.1 * weights(2, width),
    }
    for name, outputs, inputs in (
        (f"{layer}.attention.self.query", width, width),
        (f"{layer}.attention.self.key", width, width),
        (f"{layer}.attention.self.value", width, width),
        (f"{layer}.attention.output.dense", width, width),
        (f"{layer}.intermediate.dense", rise, width),
        (f"{layer}.output.dense", width, rise),
    ):
        tensors |= {f"{name}.weight": weights(outputs, inputs), f"{name}.bias": 0.1 * weights(outputs)}
    for name in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        tensors |= {
            f"{name}.LayerNorm.weight": np.ones(width, np.float32),
            f"{name}.LayerNorm.bias": np.zeros(width, np.float32),
        }
    if mpnet:
        tensors |= {"encoder.relative_attention_bias.weight": 3 * weights(32, 2)}
        del tensors["embeddings.token_type_embeddings.weight"]
        tensors = {mpnet_name(name): values for name, values in tensors.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


def mpnet_name(name):
    """Return the name that MPNet gives to a parameter of BERT."""
    for part in ("query", "key", "value"):
        name = name.replace(f"attention.self.{part}", f"attention.attn.{part[0]}")
    return name.replace("attention.output.dense", "attention.attn.o").replace("attention.output.L", "attention.L")
