"""Convert texts to the token ids of the text network. Training and serving share this one conversion."""

import itertools
import re
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from moodmirror.recognition.text_input import Texts, remove_invisible

COMMON_WORD_COUNT: Final = 5  # occurrences in the training texts from which a word is common

_REPEATED_LETTERS: Final = re.compile(r"([^\W\d_])\1{2,}")
_LETTERS: Final = re.compile(r"[^\W\d_]+")
_FIRST_PICTOGRAPH: Final = 0x2600  # the first code point of Unicode's Miscellaneous Symbols
_MAX_REPETITIONS: Final = 4  # repeated letters in one word; with more there would be too many spellings to compare
_PLAIN_PUNCTUATION: Final = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "..."})


class TextTokenizer:
    """Converts texts to token ids: pictographs become their names, repeated letters the most frequent spelling."""

    def __init__(self, tokenizer: Tokenizer, counts: npt.NDArray[np.uint32]) -> None:
        """`counts`, uint32 [vocabulary], is how often each token occurs in English texts."""
        self._tokenizer = tokenizer
        self._counts = counts
        self._vocabulary: dict[str, int] = tokenizer.get_vocab()

    def normalize(self, text: str) -> str:
        """Return a text in lower case, with plain punctuation, names for pictographs, and without repeated letters."""
        text = unicodedata.normalize("NFKC", remove_invisible(text)).translate(_PLAIN_PUNCTUATION).lower()
        if not text.isascii():
            text = _name_pictographs(text)
        return _LETTERS.sub(lambda match: self._shorten(match[0]), text) if _REPEATED_LETTERS.search(text) else text

    def encode(self, texts: Texts) -> list[list[int]]:
        """Return the token ids of each text, without the special tokens at its ends."""
        encoded = self._tokenizer.encode_batch([self.normalize(text) for text in texts], add_special_tokens=False)
        return [encoding.ids for encoding in encoded]

    def common_word_share(self, text: str) -> float:
        """Return the share of words that are common English words, 0…1; 1 for a text without letters."""
        words = _LETTERS.findall(self.normalize(text))
        common = [self._count(word) >= COMMON_WORD_COUNT for word in words]
        return sum(common) / len(common) if common else 1.0

    def _count(self, word: str) -> int:
        token = self._vocabulary.get(word)
        return 0 if token is None else int(self._counts[token])

    def _shorten(self, word: str) -> str:
        """Return a word with letters repeated three times or more, "sooo", in its most frequent spelling.

        Each of these letters is written once or twice.
        """
        parts = _REPEATED_LETTERS.split(word)  # between, letter, between, letter, …, between
        repetitions = len(parts) // 2
        if repetitions == 0:
            return word
        if repetitions > _MAX_REPETITIONS:
            return _REPEATED_LETTERS.sub(r"\1", word)
        spellings = [
            "".join(itertools.chain(*zip(parts[::2], (*letters, ""), strict=True)))
            for letters in itertools.product(*((letter, 2 * letter) for letter in parts[1::2]))
        ]
        return max(spellings, key=self._count)


def _name_pictographs(text: str) -> str:
    """Replace pictographs by their Unicode names, repeated ones by one: "😂😂" by " face with tears of joy "."""
    parts: list[str] = []
    last = ""
    for character in text:
        category = unicodedata.category(character)
        if category == "So" and ord(character) >= _FIRST_PICTOGRAPH:
            if character != last:
                parts.append(f" {unicodedata.name(character, '').lower()} ")
            last = character
        # Skin tones and variation selectors are left out: they have no meaning for a mood.
        elif not ("\U0001f3fb" <= character <= "\U0001f3ff" or "\ufe00" <= character <= "\ufe0f"):
            parts.append(character)
            last = ""
    return "".join(parts)
