"""Augment training texts, so that the network doesn't depend on the style of a corpus."""

import re
from typing import Final

import numpy as np

Rng = np.random.Generator

# GoEmotions masks names and religions; other texts contain the name itself or a pronoun.
_MASK_REPLACEMENTS: Final = {
    "[NAME]": (
        "he",
        "she",
        "they",
        "him",
        "her",
        "my friend",
        "Sam",
        "Anna",
        "Maria",
        "John",
        "Mike",
        "Emma",
        "Mr. Lee",
        "dad",
    ),
    "[RELIGION]": ("Christian", "Muslim", "Catholic", "religious", "Jewish", "Buddhist"),
}
# CARER's tweets were collected by "I feel": that opening is removed or replaced in three of four.
_FEELING_OPENING: Final = re.compile(
    r"^(?:i (?:just )?(?:feel|felt|am feeling|was feeling|have been feeling)|im feeling|ive been feeling)\b ?"
)
_OTHER_OPENINGS: Final = ("i am ", "i'm ", "we were ", "", "", "it is so ", "she was ")
_APOSTROPHES: Final = {"im": "i'm", "dont": "don't", "didnt": "didn't", "ive": "i've", "cant": "can't", "wasnt": "wasn't"}


def augment(text: str, rng: Rng) -> str:
    """Return a random variant of a text.

    Masks are filled, openings replaced, punctuation changed and typing errors added. About a third of the texts stay
    unchanged except for their masks.
    """
    for mask, words in _MASK_REPLACEMENTS.items():
        while mask in text and rng.random() < 0.75:
            text = text.replace(mask, words[rng.integers(len(words))], 1)
    if _FEELING_OPENING.match(text) and rng.random() < 0.75:
        text = _FEELING_OPENING.sub(_OTHER_OPENINGS[rng.integers(len(_OTHER_OPENINGS))], text)
    if rng.random() < 0.5:
        text = " ".join(_APOSTROPHES.get(word, word) for word in text.split(" "))
    chance = rng.random()
    if chance < 0.08:
        text = re.sub(r"[^\w\s']", "", text)
    elif chance < 0.16:
        text = text.rstrip(".!? ")
    elif chance < 0.22:
        text = text.replace("'", "")
    elif chance < 0.26:
        text = f"{text.rstrip('.!? ')}{('.', '!', '...', '!!')[rng.integers(4)]}"
    if rng.random() < 0.18:
        text = add_typing_errors(text, rng)
    return text if text.strip() else "."


def add_typing_errors(text: str, rng: Rng) -> str:
    """Return the text with typing errors in one of eight words, at least one.

    Letters are swapped, dropped, doubled or stretched.
    """
    words = text.split(" ")
    candidates = [index for index, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    if not candidates:
        return text
    for index in rng.choice(candidates, size=min(max(len(words) // 8, 1), len(candidates)), replace=False):
        word = words[index]
        position = int(rng.integers(1, len(word) - 1))
        error = rng.integers(4)
        if error == 0:
            word = word[:position] + word[position + 1] + word[position] + word[position + 2 :]
        elif error == 1:
            word = word[:position] + word[position + 1 :]
        elif error == 2:
            word = word[: position + 1] + word[position:]
        else:
            word = word[:position] + word[position] * int(rng.integers(3, 6)) + word[position + 1 :]
        words[index] = word
    return " ".join(words)
