"""Decode, check and clean texts before they are read, and split them into sentences. Texts are never logged or stored."""

import codecs
import itertools
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import charset_normalizer

MAX_CHARACTERS: Final = 20_000  # about forty windows of the network: one second of inference

# Unicode categories that are removed. Cc: controls; Cf: direction overrides, zero-width marks; Cs: single surrogates;
# Co, Cn: private use and unassigned.
_INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
# The end of a sentence: punctuation with closing quotes and brackets, before white space; or the end of a line.
_SENTENCE_END: Final = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|\n+")
# Not an end: "Mr. Meng", "e.g. so", "U.S. law". The longest has four letters and a full stop.
_ABBREVIATION: Final = re.compile(r"(?:\b(?:mr|mrs|ms|dr|prof|st|vs|etc)|\b[a-z]\.[a-z])\.$", re.IGNORECASE)

# Longer marks first: UTF-32's begins with UTF-16's.
_BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MIN_ZERO_SHARE, MAX_ZERO_SHARE = 0.6, 0.1  # of zeros among the bytes at even, or at odd positions of UTF-16
MAX_ACCENTED_SHARE: Final = 0.3  # of the bytes of a text in a Western European language
MAX_DETECTION_BYTES: Final = 20_000  # from which an encoding is guessed: more takes seconds
# Controls that no text has, other than white space, escape sequences and the end mark of DOS.
CONTROLS: Final = re.compile(rb"[\x00-\x06\x0e-\x19\x1c-\x1f\x7f]")
_TYPOGRAPHY: Final = "–—‘’“”„…•€£°«»¡¿§©®™´·"
_NOT_TEXT: Final = "This is no text, or its encoding is unknown. Save it as UTF-8."

Texts = Sequence[str]


class TextError(ValueError):
    """A text can't be read. The message gives the reason and never repeats the text."""


def decode_text(content: bytes) -> str:
    """Decode a text as :func:`decode_bytes` does. Raises TextError also for more bytes than MAX_CHARACTERS can take."""
    if len(content) > 4 * MAX_CHARACTERS + 4:  # four bytes a character at most, four of the byte order mark
        raise TextError(_too_long())
    return decode_bytes(content)[0]


def decode_bytes(content: bytes) -> tuple[str, str]:
    """Return a text and its encoding, which is detected: UTF-8, UTF-16, UTF-32, Windows-1252, or one that is likely.

    An incomplete last character is left out. Raises TextError for bytes that are no text.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return _decode_complete(content, encoding), encoding
    if b"\0" in content:
        unmarked = _unmarked_utf_16(content)
        if unmarked is None:
            raise TextError(_NOT_TEXT)
        return _decode_complete(content, unmarked), unmarked
    try:
        return content.decode(), "utf-8"
    except UnicodeDecodeError as error:
        complete = content[: error.start]
        # One such byte after plain ASCII is rather an accented letter of an older encoding: caf\xe9.
        if error.reason == "unexpected end of data" and not (complete.isascii() and error.start == len(content) - 1):
            return complete.decode(), "utf-8"
    if CONTROLS.search(content):
        raise TextError(_NOT_TEXT)
    encoding = _legacy_encoding(content)
    return content.decode(encoding, errors="replace"), encoding


def _decode_complete(content: bytes, encoding: str) -> str:
    """Decode without an incomplete last character. Raises TextError for other errors."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(content).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise TextError(_NOT_TEXT) from None


def _unmarked_utf_16(content: bytes) -> str | None:
    """Return the encoding of UTF-16 without a byte order mark: in Western texts, most characters have a zero byte."""
    even, odd = content[::2], content[1::2]
    zeros = even.count(0) / len(even), odd.count(0) / max(len(odd), 1)
    if max(zeros) < MIN_ZERO_SHARE or min(zeros) > MAX_ZERO_SHARE:
        return None
    return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"


def _legacy_encoding(content: bytes) -> str:
    """Return the encoding of a text that is not Unicode: Windows-1252 where it fits, else the likeliest one."""
    other = len(content.translate(None, bytes(range(128))))
    if other <= MAX_ACCENTED_SHARE * len(content):
        try:
            accented = [character for character in content.decode("cp1252") if not character.isascii()]
        except UnicodeDecodeError:
            accented = []
        if sum(character.isalpha() or character in _TYPOGRAPHY for character in accented) > 0.9 * len(accented):
            return "cp1252"
    best = charset_normalizer.from_bytes(content[:MAX_DETECTION_BYTES]).best()
    if best is None:
        raise TextError(_NOT_TEXT)
    return best.encoding


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
