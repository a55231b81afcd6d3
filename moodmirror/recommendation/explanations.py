"""Explanations: one line on why an item is recommended, from what it is like and how it relates to the mood."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recommendation.catalogue import ORIGIN_COLUMN, Item
from moodmirror.recommendation.diversity import CREATOR_COLUMNS
from moodmirror.recommendation.item_moods import circumplex_position

# The smallest cosine similarity at which two moods count as close: an angle below 37 degrees.
MIN_CLOSE_COSINE: Final = 0.8
# The smallest share of an emotion that is mentioned: above one in seven, the share when all are equal.
MIN_MENTIONED_SHARE: Final = 0.2
# The smallest difference of valence or arousal (−1…1) that is called "brighter" or "calmer".
MIN_NOTICEABLE_CHANGE: Final = 0.3

CALM_ENERGY: Final = 0.4  # of an item, 0…1, up to which it is called gentle

EMOTION_NOUNS: Final[Mapping[str, str]] = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "joy",
    "sad": "sadness",
    "surprise": "surprise",
    "neutral": "calm",
}

COUNT_WORDS: Final = ("no", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Phrases for the tags of songs and movies, which express a feeling.
TAG_PHRASES: Final[Mapping[str, str]] = {
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

# Phrases for the tags of food and activities, which answer a feeling, where they differ from those above.
FOOD_AND_ACTIVITY_TAG_PHRASES: Final[Mapping[str, str]] = {
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


def describe_item(kind: str, item: Item) -> str:
    """Describe an item by its first tag, and its energy, its valence, or its second tag."""
    phrases = _tag_phrases(kind)
    feelings = [phrases[tag] for tag in item.tags[:2]]
    # Beside the first tag, the plainest further property: energy and valence where they stand out.
    if item.energy <= 0.25:
        return f"quiet, {feelings[0]}"
    if item.energy >= 0.8:
        return f"{feelings[0]}, stirring"
    if item.valence <= 0.2:
        return f"{feelings[0]}, bleak"
    if item.valence >= 0.85:
        return f"{feelings[0]}, bright"
    return ", ".join(feelings)


def explain_match(item: Item, mood: MoodVector, cosine: float) -> str:
    """Explain an item's similarity to the mood, by their cosine: close, sharing an emotion, or apart."""
    if cosine >= MIN_CLOSE_COSINE:
        return "close to how you feel"
    common = np.minimum(item.vector, mood)
    shared = int(common.argmax())
    if common[shared] >= MIN_MENTIONED_SHARE:
        return f"it shares the {EMOTION_NOUNS[EMOTIONS[shared]]} in how you feel"
    return "some way from how you feel"


def explain_comfort(kind: str, item: Item) -> str:
    """Explain why an item is among those that comfort: company where it offers that, else its warmth or calm."""
    if "together" in item.facts.get("company", "").split("|"):
        return "good with someone near you"
    if kind == "activities":
        return "something small and gentle to do now"
    return "gentle company for a hard moment" if item.energy <= CALM_ENERGY else "warm company for a hard moment"


def explain_lift(item: Item, mood: MoodVector) -> str:
    """Explain how an item's position on the circumplex differs from the mood's: brighter or less so, calmer or livelier."""
    position = circumplex_position(item.energy, item.valence)
    valence, arousal = (there - here for there, here in zip(position, valence_arousal(mood), strict=True))
    words = []
    if abs(valence) >= MIN_NOTICEABLE_CHANGE:
        words.append("brighter" if valence > 0 else "less bright")
    if abs(arousal) >= MIN_NOTICEABLE_CHANGE:
        words.append("livelier" if arousal > 0 else "calmer")
    return f"{' and '.join(words)} than you feel" if words else "about as bright and lively as you feel"


def explain_journey_step(mood: MoodVector, towards: str, step: int, steps: int) -> str:
    """Explain an item's step on a journey."""
    start = EMOTIONS[int(mood.argmax())]
    if start == towards:
        path = f"staying with {EMOTION_NOUNS[start]}"
    else:
        path = f"from {EMOTION_NOUNS[start]} to {EMOTION_NOUNS[towards]}"
    return f"step {step} of {steps}, {path}"


def explain_same_creator(item: Item, liked: Sequence[Item]) -> tuple[str, list[Item]] | None:
    """Return a phrase naming the creator that an item shares with other `liked` items, and those; None if none does."""
    for column in CREATOR_COLUMNS:
        for creator in filter(None, item.facts.get(column, "").split("|")):
            works = [other for other in liked if other.id != item.id and creator in other.facts.get(column, "").split("|")]
            if works:
                count = COUNT_WORDS[len(works)] if len(works) < len(COUNT_WORDS) else str(len(works))
                return f"you liked {count} {_noun_for(works)} by {creator}", works
    return None


def _noun_for(works: Sequence[Item]) -> str:
    nouns = {work.facts.get("kind", "song") for work in works}
    if nouns == {"series"}:
        return "series"
    noun = nouns.pop() if len(nouns) == 1 else "title"
    return noun if len(works) == 1 else f"{noun}s"


def explain_shared_trait(kind: str, liked: Item, trait: tuple[str, str]) -> str:
    """Return a phrase naming a trait, as column and value, that an item shares with a liked one."""
    column, value = trait
    match column:
        case "tag":
            phrase = _tag_phrases(kind)[value]
        case "cuisine":
            phrase = value.title()
        case "decade":
            phrase = f"from the {value}0s"
        case "company":
            phrase = {"alone": "to do alone", "together": "for company"}.get(value, value)
        case _:
            phrase = value
    return f"you liked {liked.title}, also {phrase}"


def explain_co_likes(liked: Item) -> str:
    """Return a phrase naming the liked item that an item is co-liked with."""
    return f"others who liked {liked.title} like it too"


def describe_item_mood(item: Item) -> str:
    """Describe an item's own mood by its two strongest emotions and their shares, and how it is known if that is stated."""
    first, second = np.argsort(-item.vector, kind="stable")[:2]
    shares = " and ".join(f"{EMOTION_NOUNS[EMOTIONS[e]]} {100 * float(item.vector[e]):.0f} %" for e in (first, second))
    origin = item.facts.get(ORIGIN_COLUMN)
    return f"Its own mood{f', {origin}' if origin else ''}: mostly {shares}."


def compose_explanation(kind: str, item: Item, *phrases: str) -> str:
    """Compose the one-line explanation of an item: its description, and `phrases` on mood, text query and taste."""
    line = ": ".join(filter(None, (describe_item(kind, item), "; ".join(phrases))))
    return line[0].upper() + line[1:]


def _tag_phrases(kind: str) -> Mapping[str, str]:
    return TAG_PHRASES if kind in ("songs", "movies") else {**TAG_PHRASES, **FOOD_AND_ACTIVITY_TAG_PHRASES}
