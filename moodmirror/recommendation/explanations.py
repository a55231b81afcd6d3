"""One true line on why an item is offered: what it is like, and how that lies to the mood."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recommendation.catalogue import Item
from moodmirror.recommendation.diversity import MAKERS
from moodmirror.recommendation.item_moods import place

# A cosine similarity from which on two moods count as close: an angle below 37 degrees.
CLOSE: Final = 0.8
# A share from which on an emotion is worth a word: above one in seven, what each has when all are equal.
PRESENT: Final = 0.2
# A difference of valence or arousal (−1…1) from which on people would say "brighter" or "calmer".
NOTICEABLE: Final = 0.3

NOUNS: Final[Mapping[str, str]] = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "joy",
    "sad": "sadness",
    "surprise": "surprise",
    "neutral": "calm",
}

COUNTS: Final = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# What a tag says of a song or a movie, which carry a feeling …
CARRIES: Final[Mapping[str, str]] = {
    "heartbreak": "heartbroken",
    "grief": "full of grief",
    "lonely": "lonely",
    "melancholy": "melancholy",
    "nostalgic": "nostalgic",
    "bittersweet": "bittersweet",
    "rage": "furious",
    "protest": "up in protest",
    "defiant": "defiant",
    "betrayal": "about betrayal",
    "intense": "intense",
    "cynical": "cynical",
    "satire": "satirical",
    "gross": "gleefully gross",
    "dark-humour": "darkly funny",
    "disillusion": "disillusioned",
    "cleansing": "cleansing",
    "eerie": "eerie",
    "tense": "tense",
    "anxious": "anxious",
    "nightmare": "nightmarish",
    "brave": "brave",
    "grounding": "grounding",
    "joyful": "joyful",
    "party": "festive",
    "love": "full of love",
    "comfort": "comforting",
    "playful": "playful",
    "triumphant": "triumphant",
    "hopeful": "hopeful",
    "wonder": "full of wonder",
    "strange": "strange",
    "twist": "full of turns",
    "epic": "epic",
    "novelty": "unusual",
    "calm": "calm",
    "steady": "steady",
    "reflective": "reflective",
    "everyday": "down to earth",
    "focus": "focused",
}

# … and of a dish or a thing to do, which meet one, where that is not the same.
MEETS: Final[Mapping[str, str]] = {
    "heartbreak": "for a sore heart",
    "grief": "for times of grief",
    "lonely": "for lonely hours",
    "melancholy": "for melancholy hours",
    "rage": "for rage that wants out",
    "protest": "for saying no",
    "betrayal": "for when trust was broken",
    "cynical": "for cynical days",
    "satire": "for mocking spirits",
    "gross": "a little gross",
    "disillusion": "for disillusioned days",
    "tense": "for tense hours",
    "anxious": "for anxious hours",
    "nightmare": "for after bad dreams",
    "brave": "for plucking up courage",
    "love": "made for sharing love",
    "twist": "with a twist",
    "focus": "for focus",
}


def describe(kind: str, item: Item) -> str:
    """What an item is like, from its stated parts: its first tag, and its pace, its light, or its second tag."""
    words = CARRIES if kind in ("songs", "movies") else {**CARRIES, **MEETS}
    feelings = [words[tag] for tag in item.tags[:2]]
    # The plainest thing that can be said beside the first tag: energy and valence where they stand out.
    if item.energy <= 0.25:
        return f"quiet, {feelings[0]}"
    if item.energy >= 0.8:
        return f"{feelings[0]}, stirring"
    if item.valence <= 0.2:
        return f"{feelings[0]}, bleak"
    if item.valence >= 0.85:
        return f"{feelings[0]}, bright"
    return ", ".join(feelings)


def nearness(item: Item, mood: MoodVector, cosine: float) -> str:
    """How an item's mood lies to the person's, by their cosine similarity: close, sharing an emotion, or apart."""
    if cosine >= CLOSE:
        return "close to how you feel"
    both = np.minimum(item.vector, mood)
    shared = int(both.argmax())
    if both[shared] >= PRESENT:
        return f"it shares the {NOUNS[EMOTIONS[shared]]} in how you feel"
    return "some way from how you feel"


def change(item: Item, mood: MoodVector) -> str:
    """How an item's place on the circumplex lies to the person's: brighter or less so, calmer or livelier."""
    valence, arousal = (
        there - here for there, here in zip(place(item.energy, item.valence), valence_arousal(mood), strict=True)
    )
    words = []
    if abs(valence) >= NOTICEABLE:
        words.append("brighter" if valence > 0 else "less bright")
    if abs(arousal) >= NOTICEABLE:
        words.append("livelier" if arousal > 0 else "calmer")
    return f"{' and '.join(words)} than you feel" if words else "about as bright and lively as you feel"


def on_the_way(mood: MoodVector, towards: str, step: int, steps: int) -> str:
    """Where on a journey an item stands."""
    start = EMOTIONS[int(mood.argmax())]
    way = f"staying with {NOUNS[start]}" if start == towards else f"from {NOUNS[start]} to {NOUNS[towards]}"
    return f"step {step} of {steps}, {way}"


def by_the_same(item: Item, liked: Sequence[Item]) -> tuple[str, list[Item]] | None:
    """That some of the `liked` items, others than this one, share its maker, in words, and which do; None if none does."""
    for column in MAKERS:
        for maker in filter(None, item.facts.get(column, "").split("|")):
            works = [other for other in liked if other.id != item.id and maker in other.facts.get(column, "").split("|")]
            if works:
                count = COUNTS[len(works)] if len(works) < len(COUNTS) else str(len(works))
                return f"you liked {count} {_called(works)} by {maker}", works
    return None


def _called(works: Sequence[Item]) -> str:
    sorts = {work.facts.get("kind", "song") for work in works}
    if sorts == {"series"}:
        return "series"
    name = sorts.pop() if len(sorts) == 1 else "title"
    return name if len(works) == 1 else f"{name}s"


def in_common(kind: str, liked: Item, trait: tuple[str, str]) -> str:
    """That an item has a trait, as column and value, in common with one that was liked."""
    column, value = trait
    match column:
        case "tag":
            word = (CARRIES if kind in ("songs", "movies") else {**CARRIES, **MEETS})[value]
        case "cuisine":
            word = value.title()
        case "decade":
            word = f"from the {value}0s"
        case "company":
            word = {"alone": "to do alone", "together": "for company"}.get(value, value)
        case _:
            word = value
    return f"you liked {liked.title}, also {word}"


def liked_together(liked: Item) -> str:
    """That people who like an item as the visitor does, like this one too."""
    return f"others who liked {liked.title} like it too"


def own_mood(item: Item) -> str:
    """What an item's own mood is made of: its two strongest emotions and their shares."""
    first, second = np.argsort(-item.vector, kind="stable")[:2]
    shares = " and ".join(f"{NOUNS[EMOTIONS[e]]} {100 * float(item.vector[e]):.0f} %" for e in (first, second))
    return f"Its own mood: mostly {shares}."


def reason(kind: str, item: Item, *relations: str) -> str:
    """The line for an item of a kind, which says what it is like and its `relations`, if any, to mood, wish and taste."""
    line = ": ".join(filter(None, (describe(kind, item), "; ".join(relations))))
    return line[0].upper() + line[1:]
