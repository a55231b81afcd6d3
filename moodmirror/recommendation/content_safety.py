"""What is not offered to who feels low: things that may do harm then, told by the words they are described in.

The shipped tables hold none of it, which ``make check-data`` makes sure of; imported ones may. The words are a net, not a
judgement: it rather lets a harmless thing wait for a brighter mood than offers a harmful one. Portrayals of suicide and
self-harm can be followed by those at risk, says the World Health Organization ("Preventing suicide: a resource for
filmmakers and others working on stage and screen", 2019); alcohol and other drugs are a poor answer to any bad mood.
"""

import re
from collections.abc import Mapping
from typing import Final

from moodmirror.emotions import EMOTIONS, MoodVector

UNPLEASANT: Final = [EMOTIONS.index(emotion) for emotion in ("angry", "disgust", "fear", "sad")]
LOW_SHARE: Final = 0.5  # of a mood, that the unpleasant emotions have together from which on it counts as low

_TOLD: Final[Mapping[str, str]] = {
    "self-harm": r"suicid\w*|self[- ]?(harm|injur|mutilat)\w*|kill(s|ed|ing)? (my|your|him|her|them)sel(f|ves)"
    r"|(take|takes|took|taking) (my|your|his|her|their) own li(fe|ves)|anorexi\w*|bulimi\w*",
    "drugs": r"heroin|cocaine|crystal meth|methamphetamine|overdos\w*|(drug|heroin|opioid) (abuse|addict\w*|use)|junkies?",
}
"""Whatever tells it, a summary too."""

_ALCOHOL: Final = (
    r"(?<!root )(?<!ginger )(?<!alcohol[- ]free )(?<!non[- ]alcoholic )"
    r"(beers?|wines?|cocktails?|whisk(?:e?y|ies)|vodka|gin|rum|tequila|liqueurs?|brandy|cognac|champagne|prosecco|sangria"
    r"|martinis?|margaritas?|mojitos?|bourbon|absinthe|schnapps|booze|drunk|pubs?|alcohol)(?! vinegar)(?![- ](free|less))"
)
_DANGER: Final = (
    r"guns?|firearms?|shooting range|knife throwing|axe throwing|gambl\w*|casinos?|fireworks?|skydiv\w*|free solo\w*"
    r"|cliff jump\w*|drag rac\w*|fasting|detox diet|crash diet"
)
_NAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "songs": {},
    "movies": {},
    "food": {"alcohol": _ALCOHOL},
    "activities": {"alcohol": _ALCOHOL, "danger": _DANGER},
}
"""What their names must tell: a recipe may take a spoon of wine, and a song may dream of one."""


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b({words})\b", re.IGNORECASE)


_TELLING: Final = {risk: _pattern(words) for risk, words in _TOLD.items()}
_NAMING: Final = {kind: {risk: _pattern(words) for risk, words in named.items()} for kind, named in _NAMED.items()}


def find_risks(kind: str, name: str, text: str = "") -> list[str]:
    """Why an item of a kind may harm who feels low, by its `name`, with its tags, and by a `text` on it; mostly empty."""
    told = [risk for risk, pattern in _TELLING.items() if pattern.search(name) or pattern.search(text)]
    return told + [risk for risk, pattern in _NAMING[kind].items() if pattern.search(name)]


def is_low_mood(mood: MoodVector) -> bool:
    """Whether a mood vector, float32 [7] that sums to 1, is low: mostly anger, disgust, fear or sadness."""
    return float(mood[UNPLEASANT].sum()) >= LOW_SHARE
