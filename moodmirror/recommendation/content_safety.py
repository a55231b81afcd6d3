"""Content safety: items that may do harm in a low mood, recognized by the words in their names and descriptions.

The shipped tables contain none, which ``make check-data`` verifies; imported ones may. The word lists are a coarse net: they
rather hold a harmless item back until a brighter mood than recommend a harmful one. Portrayals of suicide and self-harm can
be imitated by those at risk, says the World Health Organization ("Preventing suicide: a resource for filmmakers and others
working on stage and screen", 2019); alcohol and other drugs are a poor answer to any bad mood.
"""

import re
from collections.abc import Mapping
from typing import Final

from moodmirror.emotions import EMOTIONS, MoodVector

UNPLEASANT: Final = [EMOTIONS.index(emotion) for emotion in ("angry", "disgust", "fear", "sad")]
MIN_LOW_SHARE: Final = 0.5  # a mood is low if the unpleasant emotions together have at least this share

_RISKS_IN_TEXT: Final[Mapping[str, str]] = {
    "self-harm": r"suicid\w*|self[- ]?(harm|injur|mutilat)\w*|kill(s|ed|ing)? (my|your|him|her|them)sel(f|ves)"
    r"|(take|takes|took|taking) (my|your|his|her|their) own li(fe|ves)|anorexi\w*|bulimi\w*",
    "drugs": r"heroin|cocaine|crystal meth|methamphetamine|overdos\w*|(drug|heroin|opioid) (abuse|addict\w*|use)|junkies?",
}
"""Patterns that count in names and in descriptions, of every kind."""

ALCOHOL: Final = (
    r"(?<!root )(?<!ginger )(?<!alcohol[- ]free )(?<!non[- ]alcoholic )"
    r"(beers?|wines?|cocktails?|whisk(?:e?y|ies)|vodka|gin|rum|tequila|liqueurs?|brandy|cognac|champagne|prosecco|sangria"
    r"|martinis?|margaritas?|mojitos?|bourbon|absinthe|schnapps|booze|drunk|pubs?|alcohol)(?! vinegar)(?![- ](free|less))"
)
_DANGER: Final = (
    r"guns?|firearms?|shooting range|knife throwing|axe throwing|gambl\w*|casinos?|fireworks?|skydiv\w*|free solo\w*"
    r"|cliff jump\w*|drag rac\w*|fasting|detox diet|crash diet"
)
_RISKS_IN_NAME: Final[Mapping[str, Mapping[str, str]]] = {
    "songs": {},
    "movies": {},
    "food": {"alcohol": ALCOHOL},
    "activities": {"alcohol": ALCOHOL, "danger": _DANGER},
}
"""Patterns that count only in names, by kind: a recipe may contain a spoon of wine, and a song may mention one."""


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b({words})\b", re.IGNORECASE)


_TEXT_PATTERNS: Final = {risk: _pattern(words) for risk, words in _RISKS_IN_TEXT.items()}
_NAME_PATTERNS: Final = {
    kind: {risk: _pattern(words) for risk, words in risks.items()} for kind, risks in _RISKS_IN_NAME.items()
}


def find_risks(kind: str, name: str, text: str = "") -> list[str]:
    """Return the risks of an item in a low mood, from its `name` (with tags) and description `text`; mostly empty."""
    risks = [risk for risk, pattern in _TEXT_PATTERNS.items() if pattern.search(name) or pattern.search(text)]
    return risks + [risk for risk, pattern in _NAME_PATTERNS[kind].items() if pattern.search(name)]


def is_low_mood(mood: MoodVector) -> bool:
    """Return whether a mood vector, float32 [7] that sums to 1, is low: mostly anger, disgust, fear or sadness."""
    return float(mood[UNPLEASANT].sum()) >= MIN_LOW_SHARE
