"""Convert texts to network input, with or without the token table, and count tokens."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moodmirror.recognition.text_network import MAX_TOKENS, TokenTables, padded_length, special_token_id
from moodmirror.recognition.text_tokenizer import TextTokenizer
from moodmirror.training.text_corpora import TextSplit


class TokenBatcher:
    """Converts texts to the input of a network that contains its token table."""

    def __init__(self, tokenizer: Tokenizer, counts: npt.NDArray[np.uint32], max_tokens: int = MAX_TOKENS) -> None:
        """`counts`, uint32 [vocabulary], is how often each token occurs in English texts."""
        self._tokenizer = TextTokenizer(tokenizer, counts)
        self._max_tokens = max_tokens
        self._start, self._end, self._padding = (special_token_id(tokenizer, token) for token in ("[CLS]", "[SEP]", "[PAD]"))

    def __call__(self, texts: list[str]) -> list[npt.NDArray[Any]]:
        """Return token ids, int32 [n, t], and their mask, float32 [n, t].

        Texts are truncated to the maximum length.
        """
        rows = [[self._start, *ids[: self._max_tokens - 2], self._end] for ids in self._tokenizer.encode(texts)]
        length = padded_length(max(map(len, rows)))
        ids = np.full((len(rows), length), self._padding, dtype=np.int32)
        mask = np.zeros((len(rows), length), dtype=np.float32)
        for row, tokens in enumerate(rows):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        return [ids, mask]

    def lengths(self, texts: list[str]) -> npt.NDArray[np.int_]:
        """Return the number of tokens of each text, int [n]."""
        return np.array([len(ids) for ids in self._tokenizer.encode(texts)], dtype=np.int_)


class EmbeddedTokenBatcher(TokenBatcher):
    """Converts texts to the input of a network without a token table."""

    def __init__(self, tokenizer: Tokenizer, tables: TokenTables, max_tokens: int = MAX_TOKENS) -> None:
        super().__init__(tokenizer, tables.counts, max_tokens)
        self._tables = tables

    def __call__(self, texts: list[str]) -> list[npt.NDArray[Any]]:
        """Return embedded tokens, float32 [n, t, width], and their mask, float32 [n, t]."""
        ids, mask = super().__call__(texts)
        return [self._tables.embed(ids), mask]


def count_tokens(splits: Iterable[TextSplit], tokenizer: Tokenizer) -> npt.NDArray[np.uint32]:
    """Return how often each token occurs in the texts, uint32 [vocabulary]."""
    counts = np.zeros(tokenizer.get_vocab_size(), dtype=np.uint32)
    text_tokenizer = TextTokenizer(tokenizer, counts)
    for split in splits:
        for ids in text_tokenizer.encode(split.texts):
            np.add.at(counts, ids, 1)
    return counts
