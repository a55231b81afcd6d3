"""Run the text transformer: from texts to mood vectors and sentence vectors."""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import MODELS_DIR
from moodmirror.recognition.model_files import LiteRTSignature, ModelError, verified_model_bytes
from moodmirror.recognition.text_input import Texts
from moodmirror.recognition.text_tokenizer import TextTokenizer

MODEL_NAME: Final = "text_emotion"
GRAPH_FILE: Final = f"{MODEL_NAME}.tflite"
TABLES_FILE: Final = f"{MODEL_NAME}.npz"
TOKENIZER_FILE: Final = f"{MODEL_NAME}_tokenizer.json"
TEXT_FILES: Final = (GRAPH_FILE, TABLES_FILE, TOKENIZER_FILE)
MAKE_COMMAND: Final = "python train.py text --data PATH"

MAX_TOKENS: Final = 128  # of one window, special tokens included; longer texts are split into windows
BATCH_TOKENS: Final = 512  # tokens in one batch: the activations fit into a core's cache

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class TokenTables:
    """The embedding tables that convert token ids to the graph's input.

    `tokens` int8 [vocabulary, 384] with a `scale` float32 [vocabulary] for each row, `positions` float32 [128, 384], and
    `counts` uint32 [vocabulary], how often each token occurs in the training texts. The lookup is done in numpy, so the
    graph needs no table of its own.
    """

    tokens: npt.NDArray[np.int8]
    scale: Vectors
    positions: Vectors
    counts: npt.NDArray[np.uint32]

    @classmethod
    def quantized(cls, tokens: Vectors, positions: Vectors, counts: npt.NDArray[np.uint32]) -> Self:
        """Make tables from float32 rows [n, 384]: each row is quantized to int8, its largest absolute value being 127."""
        scale = np.maximum(np.abs(tokens).max(axis=1), 1e-8) / 127
        rounded = np.rint(tokens / scale[:, np.newaxis]).astype(np.int8)
        return cls(rounded, scale.astype(np.float32), positions[:MAX_TOKENS].astype(np.float32), counts)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Load tables from the bytes of an .npz file. Raises ModelError for any other content."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                return cls(**{name: stored[name] for name in ("tokens", "scale", "positions", "counts")})
        except (ValueError, KeyError, OSError) as error:
            raise ModelError(f"{TABLES_FILE} has no token tables: {error}. Create it again with: {MAKE_COMMAND}") from None

    def to_bytes(self) -> bytes:
        """Return the tables as the bytes of an .npz file."""
        stored = io.BytesIO()
        np.savez(stored, tokens=self.tokens, scale=self.scale, positions=self.positions, counts=self.counts)
        return stored.getvalue()

    def embed(self, ids: npt.NDArray[np.int_]) -> Vectors:
        """Return the graph's input, float32 [n, tokens, 384], for token ids, int [n, tokens]."""
        embedded: Vectors = self.tokens[ids] * self.scale[ids][..., np.newaxis]
        embedded += self.positions[: ids.shape[1]]
        return embedded


class TextNetwork:
    """The transformer in LiteRT, with its tokenizer, for any number and length of texts."""

    def __init__(self, tokenizer: Tokenizer, tables: TokenTables, graph: LiteRTSignature) -> None:
        self.tokenizer = TextTokenizer(tokenizer, tables.counts)
        self._tables = tables
        self._graph = graph
        self._start, self._end, self._padding = (special_token_id(tokenizer, token) for token in ("[CLS]", "[SEP]", "[PAD]"))

    @classmethod
    def load(cls, models_dir: Path = MODELS_DIR, *, threads: int = 1) -> Self:
        """Load the trained network, to run on `threads` threads.

        Raises ModelError if a file is missing or its hash is not that of the manifest.
        """
        graph, tables, tokenizer = (verified_model_bytes(name, MAKE_COMMAND, models_dir) for name in TEXT_FILES)
        return cls(
            Tokenizer.from_str(tokenizer.decode("utf-8")), TokenTables.from_bytes(tables), LiteRTSignature(graph, threads)
        )

    def __call__(self, texts: Texts) -> tuple[Vectors, Vectors]:
        """Return mood vectors, float32 [n, 7], and sentence vectors of unit length, float32 [n, 384].

        The result for a text longer than one window is the mean of its windows, weighted by their numbers of tokens. Texts
        that occur several times are run once. Raises ModelError if the graph's output is not finite.
        """
        rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        if len(rows) < len(texts):
            moods, vectors = self(list(rows))
            order = [rows[text] for text in texts]
            return moods[order], vectors[order]
        windows: list[list[int]] = []
        owners: list[int] = []  # the text of each window
        for owner, ids in enumerate(self.tokenizer.encode(texts)):
            parts = list(_split(ids, MAX_TOKENS - 2))
            windows += parts
            owners += [owner] * len(parts)
        moods, vectors = self._run(windows)
        lengths = np.array([len(window) + 1 for window in windows], dtype=np.float32)[:, np.newaxis]
        mood_sums = np.zeros((len(texts), len(EMOTIONS)), np.float32)
        vector_sums = np.zeros((len(texts), vectors.shape[1]), np.float32)
        np.add.at(mood_sums, owners, moods * lengths)
        np.add.at(vector_sums, owners, vectors * lengths)
        if not (np.isfinite(mood_sums).all() and np.isfinite(vector_sums).all()):
            raise ModelError(f"The text network's output is not finite. Create the network again with: {MAKE_COMMAND}")
        return (
            mood_sums / mood_sums.sum(axis=1, keepdims=True),
            vector_sums / np.maximum(np.linalg.norm(vector_sums, axis=1, keepdims=True), 1e-12),
        )

    def _run(self, windows: list[list[int]]) -> tuple[Vectors, Vectors]:
        """Return mood vectors and sentence vectors of windows of token ids, in batches of equal length.

        A window's padding depends on its own length only, so that the other windows of the call don't change its result.
        """
        moods = np.empty((len(windows), len(EMOTIONS)), np.float32)
        vectors = np.empty((len(windows), self._tables.positions.shape[1]), np.float32)
        lengths = np.array([padded_length(len(window) + 2) for window in windows], dtype=np.int_)
        for length in np.unique(lengths):
            members = np.flatnonzero(lengths == length)
            size = max(BATCH_TOKENS // int(length), 1)
            for batch in np.split(members, range(size, len(members), size)):
                ids = np.full((len(batch), length), self._padding, dtype=np.int_)
                mask = np.zeros((len(batch), length), np.float32)
                for row, window in enumerate(batch):
                    tokens = [self._start, *windows[window], self._end]
                    ids[row, : len(tokens)] = tokens
                    mask[row, : len(tokens)] = 1
                outputs = self._graph(embeddings=self._tables.embed(ids), mask=mask)
                moods[batch], vectors[batch] = outputs["moods"], outputs["sentence"]
        return moods, vectors


def special_token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a special token such as [CLS]. Raises ModelError if it is not in the vocabulary."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise ModelError(f"{TOKENIZER_FILE} has no {token}. Create it again with: {MAKE_COMMAND}")
    return int(number)


def padded_length(tokens: int) -> int:
    """Return the length to which a window of `tokens` tokens is padded: few different lengths, little padding."""
    step = 2 if tokens <= 32 else 8 if tokens <= 64 else 16
    return -(-tokens // step) * step


def _split(ids: list[int], max_tokens: int) -> Iterator[list[int]]:
    """Split token ids into windows of about equal length, at most `max_tokens` each; at least one, which may be empty."""
    count = max(-(-len(ids) // max_tokens), 1)
    bounds = [round(len(ids) * part / count) for part in range(count + 1)]
    return (ids[start:end] for start, end in itertools.pairwise(bounds))
