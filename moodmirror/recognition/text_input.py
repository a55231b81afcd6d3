"""Decode, check and clean texts before they are read, and split them into sentences. Texts are never logged or stored."""

import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

MAX_CHARACTERS: Final = 20_000  # about forty windows of the network: one second of inference

# Unicode categories that are removed. Cc: controls; Cf: direction overrides, zero-width marks; Cs: single surrogates;
# Co, Cn: private use and unassigned.
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
# The end of a sentence: punctuation with closing quotes and brackets, before white space; or the end of a line.
_SENTENCE_END: Final = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")
# Not an end: "Mr. Meng", "e.g. so", "U.S. law". The longest has four letters and a full stop.
_ABBREVIATION: Final = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc)|\b[a-z]\.[a-z])\.$", re.IGNORECASE)

Texts = Sequence[str]


class TextError(ValueError):
    """A text can't be read. The message gives the reason and never repeats the text."""


def decode_text(content: bytes) -> str:
    """Decode UTF-8 bytes, with or without a byte order mark.

    Raises TextError for other bytes, and for more bytes than MAX_CHARACTERS can take.
    """
    if len(content) > 4 * MAX_CHARACTERS + 3:  # four bytes a character at most, three of the byte order mark
        raise TextError(_too_long())
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(f"The text is not UTF-8: byte {error.start} fits no character. Save it as UTF-8.") from None


def clean_text(text: str) -> str:
    """Return a text without control characters, direction overrides and other invisible characters.

    Raises TextError if the text is longer than MAX_CHARACTERS, or if no visible character remains.
    """
    if len(text) > MAX_CHARACTERS:
        raise TextError(_too_long())
    clean = remove_invisible(text)
    if not clean.strip():
        raise TextError("The text is empty. Write at least one word.")
    return clean


def clean_texts(texts: Texts) -> list[str]:
    """Apply :func:`clean_text` to each text. Raises TextError with the number of the first that can't be read."""
    if isinstance(texts, str):
        raise TextError("Give a list of texts, not one text.")
    clean = []
    for number, text in enumerate(texts, start=1):
        try:
            clean.append(clean_text(text))
        except TextError as error:
            raise error if len(texts) == 1 else TextError(f"Text {number} of {len(texts)}: {error}") from None
    return clean


def remove_invisible(text: str) -> str:
    """Remove invisible characters and replace every white-space character by a blank."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in _INVISIBLE
    )


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the sentences of a text as (start, end) in characters, without the white space around them.

    A text with a visible character has at least one; parts without a visible character are left out.
    """
    ends = [m.end() for m in _SENTENCE_END.finditer(text) if not _ABBREVIATION.search(text, max(m.end() - 6, 0), m.end())]
    bounds = [0, *(end for end in ends if 0 < end < len(text)), len(text)]
    spans = []
    for start, end in itertools.pairwise(bounds):
        sentence = text[start:end]
        if remove_invisible(sentence).strip():
            spans.append((start + len(sentence) - len(sentence.lstrip()), start + len(sentence.rstrip())))
    return spans


def _too_long() -> str:
    return f"The text is too long: at most {MAX_CHARACTERS:,} characters are read. Send a part of it."
