"""Find items by a text query, such as "something short and funny with dogs"."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.sentence_vectors import item_text

# What the best match of a query gains over an average item, beside a fit to the mood whose cosine lies in 0…1: a query is a
# deliberate request, so the mood only decides among the items that match it.
TEXT_QUERY_WEIGHT: Final = 0.6
# The keyword share of a match; the rest is semantic similarity. An exact word counts most: "dogs" means dogs.
KEYWORD_SHARE: Final = 0.6
MAX_MATCHED_WORDS: Final = 3  # words of a query that an explanation repeats

SHORT_MINUTES: Final = {"movies": 90, "food": 20, "activities": 20}  # the longest duration that people call short
FUNNY_GENRES: Final = {"comedy", "novelty"}
FUNNY_TAGS: Final = {"satire", "dark-humour"}  # food and activities also: "playful", but a playful song may be frightening

_WORD: Final = re.compile(r"[^\W\d_]{2,}|\d+")


@dataclass(frozen=True)
class TextQuery:
    """A text query: its text, and its sentence vector, float32 [d] of unit length, if an encoder is available."""

    text: str = field(repr=False)  # what visitors write must not appear in a log
    vector: npt.NDArray[np.float32] | None = field(default=None, repr=False)


class TextQueryIndex:
    """An index of the words and sentence vectors of a table's items."""

    def __init__(self, items: Sequence[Item], kind: str, vectors: npt.NDArray[np.float32] | None = None) -> None:
        """Index the items; `vectors`, float32 [n, d], are their sentence vectors, with a row of zeros for a missing one."""
        self._size = len(items)
        self._vectors = vectors
        self._items_with: dict[str, list[int]] = {}
        for index, item in enumerate(items):
            facts = " ".join(item.facts.values()).replace("|", " ")
            words = _words(f"{item_text(item, kind)} {facts}") - _PROPERTY_WORDS.keys()
            for word in words | {word for word, has_property in _PROPERTY_WORDS.items() if has_property(kind, item)}:
                self._items_with.setdefault(word, []).append(index)

    def similarity(self, query: TextQuery) -> npt.NDArray[np.float32]:
        """Return how well each item matches a query, float32 [n]: 1 for the best, 0 for an average item or worse."""
        by_keywords = np.zeros(self._size, dtype=np.float32)
        for word in _words(query.text) - _STOP_WORDS:
            matching = self._items_with.get(word, [])
            if matching:
                by_keywords[matching] += np.log(1 + self._size / len(matching))
        scores = KEYWORD_SHARE * _scaled_to_best(by_keywords)
        if self._vectors is not None and query.vector is not None:
            cosines = self._vectors @ query.vector
            scores = scores + (1 - KEYWORD_SHARE) * _scaled_to_best(cosines - cosines.mean())
        return _scaled_to_best(scores)

    def matched_words(self, query: TextQuery, index: int) -> list[str]:
        """Return up to :data:`MAX_MATCHED_WORDS` words of a query, as written, that an item's own text contains.

        Semantic similarity counts in the ranking too, but is too vague for an explanation.
        """
        written = dict.fromkeys(_WORD.findall(query.text))
        matched = [word for word in written if any(index in self._items_with.get(w, ()) for w in _words(word) - _STOP_WORDS)]
        return matched[:MAX_MATCHED_WORDS]


def _scaled_to_best(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return values scaled so that the greatest is 1, with negative ones set to 0."""
    positive = np.maximum(values, 0)
    best = positive.max(initial=0)
    shares: npt.NDArray[np.float32] = (positive / best if best > 0 else positive).astype(np.float32)
    return shares


def _words(text: str) -> set[str]:
    """Return the words of a text in lower case, without accents and without a plural's s."""
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


# Query words that ask for a property which an item's facts state. In an item's own line these words mean something else: a
# song about falling short does not match a query for something short.
_PROPERTY_WORDS: Final[Mapping[str, Callable[[str, Item], bool]]] = {
    **dict.fromkeys(("short", "quick", "brief"), _is_short),
    **dict.fromkeys(("funny", "hilarious", "humorous", "comic"), _is_funny),
    **dict.fromkeys(("cheap", "inexpensive"), _is_cheap),
}

# Query words without content of their own.
_STOP_WORDS: Final = frozenset(
    _words(
        "a about an and any anything are as at be but by can do for from give has have i in is it its like me my of on or "
        "please really so some something that the their them there these thing this to too very want was we what which with "
        "would you your song music film movie series dish dishes drink food activity activities"
    )
)
