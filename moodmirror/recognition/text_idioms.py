"""Rewrite idioms whose words say the opposite of what is meant, before the text network reads them.

The network errs systematically where a negated comparative is the strongest possible statement ("I could not be happier",
"it couldn't have gone worse"), where boredom is written without any other word, and where dismay is joked about with death
("kill me lol"). Each rule replaces the idiom by plain words of the same meaning; all other texts stay as they are.
"""

import re
from typing import Final

_COMPARATIVES: Final = {
    "better": "wonderful", "happier": "happy", "prouder": "proud", "luckier": "lucky", "nicer": "nice",
    "more excited": "excited",
    "more grateful": "grateful", "more pleased": "pleased", "more thrilled": "thrilled", "calmer": "calm",
    "worse": "miserable",
    "sadder": "sad", "angrier": "angry", "madder": "mad", "lonelier": "lonely",
    "more miserable": "miserable",
    "more disappointed": "disappointed", "more scared": "scared", "more afraid": "afraid", "more disgusted": "disgusted",
    "more surprised": "surprised", "more proud": "proud", "more happy": "happy", "unhappier": "unhappy",
}  # fmt: skip
_WORDS: Final = "|".join(sorted(_COMPARATIVES, key=len, reverse=True))
_NEGATED_COMPARATIVE: Final = re.compile(
    r"\b(?:(?:could|can)(?:n['’]?t| ?not| never) (?:possibly )?(?:be|feel|get|have been|have gone|have felt|go)"
    r"|(?:have|has|had|['’]ve|['’]s|was|were)?(?:n['’]?t| not)? ?never (?:been|felt))"
    rf" (?:any )?(?P<word>{_WORDS})\b(?! than)",
    re.IGNORECASE,
)
_BOREDOM: Final = re.compile(
    r"\b(?:i['’]?m|i am|we['’]?re|i feel|feeling|so|got) (?:so |really |very |just |a bit |super )*bored\b", re.IGNORECASE
)
_DEATH_JOKE: Final = re.compile(
    r"\b(?:(?:just |please |someone |somebody )*kill me(?: (?:now|already|please))*|shoot me(?: now)?|kms)"
    r"[\s,.!]*(?:lol|lmao|lmfao|haha\w*|rofl|😂|🤣|💀)",
    re.IGNORECASE,
)


def plain_idioms(text: str) -> str:
    """Return a text with these idioms in plain words."""
    text = _NEGATED_COMPARATIVE.sub(lambda match: f" am extremely {_COMPARATIVES[match['word'].lower()]}", text)
    text = _BOREDOM.sub("nothing is going on here and I feel listless", text)
    return _DEATH_JOKE.sub("this is awful", text)
