"""Find items by a wish in one's own words: "something short and funny with dogs"."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.sentence_vectors import item_text

# What the best answer to a wish gains over an average one, beside a fit to the mood whose cosine lies in 0…1: who wishes for
# something means it, and the mood decides among what answers it.
TEXT_QUERY_WEIGHT: Final = 0.6
# Of the likeness to a wish; the rest is what the sentences mean. A word that is named counts most: who says dogs wants dogs.
WORDS_SHARE: Final = 0.6
MOST_NAMED: Final = 3  # words of a wish that a reason repeats

SHORT_MINUTES: Final = {"movies": 90, "food": 20, "activities": 20}  # up to which people call a thing of a kind short
FUNNY_GENRES: Final = {"comedy", "novelty"}
FUNNY_TAGS: Final = {"satire", "dark-humour"}  # and of a dish or a thing to do, playful: a song may be so and frighten

_WORD: Final = re.compile(r"[^\W\d_]{2,}|\d+")


@dataclass(frozen=True)
class TextQuery:
    """A wish: its words, and their sentence vector, float32 [d] of unit length, where there is an encoder."""

    words: str = field(repr=False)  # nothing that people write stands in a log
    vector: npt.NDArray[np.float32] | None = field(default=None, repr=False)


class TextQueryIndex:
    """The words and the sentence vectors of a table's items."""

    def __init__(self, items: Sequence[Item], kind: str, vectors: npt.NDArray[np.float32] | None = None) -> None:
        """`vectors`, float32 [n, d], are the items' sentence vectors; a row of zeros stands for none."""
        self._size = len(items)
        self._vectors = vectors
        self._items_with: dict[str, list[int]] = {}
        for index, item in enumerate(items):
            facts = " ".join(item.facts.values()).replace("|", " ")
            words = _words(f"{item_text(item, kind)} {facts}") - _MEANT.keys()
            for word in words | {word for word, is_meant in _MEANT.items() if is_meant(kind, item)}:
                self._items_with.setdefault(word, []).append(index)

    def likeness(self, wish: TextQuery) -> npt.NDArray[np.float32]:
        """How well each item answers a wish, float32 [n]: 1 the best, 0 an average one or worse."""
        by_words = np.zeros(self._size, dtype=np.float32)
        for word in _words(wish.words) - _EMPTY_WORDS:
            having = self._items_with.get(word, [])
            if having:
                by_words[having] += np.log(1 + self._size / len(having))
        answer = WORDS_SHARE * _to_best(by_words)
        if self._vectors is not None and wish.vector is not None:
            near = self._vectors @ wish.vector
            answer = answer + (1 - WORDS_SHARE) * _to_best(near - near.mean())
        return _to_best(answer)

    def named(self, wish: TextQuery, index: int) -> list[str]:
        """The words of a wish, as they were written, that stand in an item's own words; some of them if there are many.

        What sentences mean alike ranks too, but is too vague to be told as a reason.
        """
        written = dict.fromkeys(_WORD.findall(wish.words))
        mine = [word for word in written if any(index in self._items_with.get(w, ()) for w in _words(word) - _EMPTY_WORDS)]
        return mine[:MOST_NAMED]


def _to_best(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Values that end at 1 for the greatest, with nothing below 0."""
    above = np.maximum(values, 0)
    best = above.max(initial=0)
    shares: npt.NDArray[np.float32] = (above / best if best > 0 else above).astype(np.float32)
    return shares


def _words(text: str) -> set[str]:
    """The words of a text, in small letters, without accents and without the s of a plural."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return {_singular(word) for word in _WORD.findall(plain)}


def _singular(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return word


def _is_short(kind: str, item: Item) -> bool:
    minutes = item.facts.get("minutes", "")
    return minutes != "" and int(minutes) <= SHORT_MINUTES[kind]


def _is_funny(kind: str, item: Item) -> bool:
    tags = FUNNY_TAGS if kind in ("songs", "movies") else FUNNY_TAGS | {"playful"}
    return bool(FUNNY_GENRES & set(item.facts.get("genres", "").split("|")) or tags & set(item.tags))


def _is_cheap(kind: str, item: Item) -> bool:
    return item.facts.get("cost") in ("free", "low")


# Words of a wish that ask what an item is like, which its facts tell. Where they stand in its line they say something else:
# who wishes for something short is not served by a song about falling short.
_MEANT: Final[Mapping[str, Callable[[str, Item], bool]]] = {
    **dict.fromkeys(("short", "quick", "brief"), _is_short),
    **dict.fromkeys(("funny", "hilarious", "humorous", "comic"), _is_funny),
    **dict.fromkeys(("cheap", "inexpensive"), _is_cheap),
}

# Words of a wish that say nothing of what is wished for.
_EMPTY_WORDS: Final = frozenset(
    _words(
        "a about an and any anything are as at be but by can do for from give has have i in is it its like me my of on or "
        "please really so some something that the their them there these thing this to too very want was we what which with "
        "would you your song music film movie series dish dishes drink food activity activities"
    )
)
