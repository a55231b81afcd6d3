"""Other writings of the same text, so that the network leans on no corpus' habits."""

import re
from typing import Final

import numpy as np

Rng = np.random.Generator

# GoEmotions masks names and religions; elsewhere they stand in full, or there is only a pronoun.
_MASKS: Final = {
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
# CARER's tweets were found by "I feel": in three of four, that opening is taken off or said otherwise.
_FEELING: Final = re.compile(
    r"^(?:i (?:just )?(?:feel|felt|am feeling|was feeling|have been feeling)|im feeling|ive been feeling)\b ?"
)
_FEELINGS: Final = ("i am ", "i'm ", "we were ", "", "", "it is so ", "she was ")
_APOSTROPHES: Final = {"im": "i'm", "dont": "don't", "didnt": "didn't", "ive": "i've", "cant": "can't", "wasnt": "wasn't"}


def augment(text: str, rng: Rng) -> str:
    """The same text written another way: masks filled, an opening changed, punctuation dropped, letters mistyped.

    About a third of the texts stay as they are but for their masks.
    """
    for mask, words in _MASKS.items():
        while mask in text and rng.random() < 0.75:
            text = text.replace(mask, words[rng.integers(len(words))], 1)
    if _FEELING.match(text) and rng.random() < 0.75:
        text = _FEELING.sub(_FEELINGS[rng.integers(len(_FEELINGS))], text)
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
        text = mistyped(text, rng)
    return text if text.strip() else "."


def mistyped(text: str, rng: Rng) -> str:
    """The text with one word in eight, at least one, mistyped: letters swapped, dropped, doubled, or stretched."""
    words = text.split(" ")
    long = [index for index, word in enumerate(words) if len(word) > 3 and word.isalpha()]
    if not long:
        return text
    for index in rng.choice(long, size=min(max(len(words) // 8, 1), len(long)), replace=False):
        word = words[index]
        place = int(rng.integers(1, len(word) - 1))
        way = rng.integers(4)
        if way == 0:
            word = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        elif way == 1:
            word = word[:place] + word[place + 1 :]
        elif way == 2:
            word = word[: place + 1] + word[place:]
        else:
            word = word[:place] + word[place] * int(rng.integers(3, 6)) + word[place + 1 :]
        words[index] = word
    return " ".join(words)
