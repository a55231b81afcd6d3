"""Rewrite a text into the plain form that the patterns of crisis statements are written for.

People in distress type fast, without apostrophes, with letters missing, doubled or replaced by digits, and some write words
so that a filter does not recognize them. :func:`plain_sentences` undoes what can be undone without a dictionary: "I DONT
wanna b here any more" becomes "i do not want to be here anymore".
"""

import re
import unicodedata
from typing import Final

from moodmirror.recognition.text_input import remove_invisible

_PLAIN_LETTERS: Final = str.maketrans(
    {"‘": "'", "’": "'", "`": "'", "´": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": ". ", "ł": "l", "ø": "o",
     "æ": "ae", "œ": "oe", "ı": "i"}
)  # fmt: skip
_DISGUISED: Final = str.maketrans("013457!$@", "oieastisa")
_DISGUISED_WORD: Final = re.compile(r"(?<![a-z0-9!$@])[a-z][a-z0-9!$@]*[0-9!$@][a-z0-9!$@]*")
_SPACED_LETTERS: Final = re.compile(r"(?<!\S)(?:[a-z][ .\-_]{1,3}){3,}[a-z](?!\S)")
_REPEATED: Final = re.compile(r"([a-z])\1{2,}")
_SENTENCE_END: Final = re.compile(r"[.!?;\n]+(?:\s|$)|\n+|(?<=[a-z])\.(?=[a-z]{2})")
_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")

# Words of the patterns that are often misspelled: one letter doubled, left out or exchanged with its neighbor.
_CRITICAL_WORDS: Final = (
    "kill", "killing", "myself", "suicide", "suicidal", "want", "wanna", "alive", "anymore", "living", "overdose",
    "unalive", "exist", "going", "gonna", "thinking", "jump", "reason", "nothing", "hanging", "wrists", "dead", "live",
)  # fmt: skip
# Other words among those misspellings, which keep their meaning.
_OTHER_WORDS: Final = frozenset(
    ["ant", "wat", "ill", "kiln", "gong", "going", "iving", "ded", "lie", "liev", "lve", "dad", "exit", "hinting", "handing"]
)
_MISSPELLED: Final = {
    "miself": "myself", "meself": "myself", "mysefl": "myself", "mysel": "myself", "myslf": "myself", "mself": "myself",
    "mysekf": "myself", "suiside": "suicide", "suicude": "suicide", "suicid": "suicide", "sucidal": "suicidal",
    "suacide": "suicide", "sewerslide": "suicide", "suicidle": "suicidal", "kil": "kill", "anymor": "anymore",
    "nomore": "anymore", "dyin": "dying", "wnna": "wanna", "waana": "wanna", "wana": "wanna", "wann": "wanna",
    "wanto": "want to", "exsist": "exist", "exsit": "exist", "deid": "died", "nto": "not", "mylife": "my life",
    "myown": "my own", "tonite": "tonight", "tn": "tonight", "2nite": "tonight", "tmrw": "tomorrow", "tmr": "tomorrow",
}  # fmt: skip
_SHORT_FORMS: Final = {
    "wanna": "want to", "gonna": "going to", "gunna": "going to", "finna": "going to", "boutta": "about to",
    "bouta": "about to", "tryna": "trying to", "gotta": "have to", "hafta": "have to", "u": "you", "ur": "your",
    "im": "i am", "i'm": "i am", "ima": "i am going to", "imma": "i am going to", "i'ma": "i am going to",
    "ive": "i have", "i've": "i have", "i'd": "i would", "i'll": "i will", "dont": "do not", "don't": "do not",
    "doesnt": "does not", "doesn't": "does not", "didnt": "did not", "didn't": "did not", "cant": "can not",
    "can't": "can not", "cannot": "can not", "couldnt": "could not", "couldn't": "could not", "wont": "will not",
    "won't": "will not", "wouldnt": "would not", "wouldn't": "would not", "shouldnt": "should not",
    "shouldn't": "should not", "isnt": "is not", "isn't": "is not", "aint": "is not", "ain't": "is not",
    "arent": "are not", "aren't": "are not", "wasnt": "was not", "wasn't": "was not", "werent": "were not",
    "weren't": "were not", "havent": "have not", "haven't": "have not", "hasnt": "has not", "hasn't": "has not",
    "theres": "there is", "there's": "there is", "thats": "that is", "that's": "that is", "whats": "what is",
    "what's": "what is", "lifes": "life is", "life's": "life is", "its": "it is", "it's": "it is", "they'd": "they would",
    "theyd": "they would", "he'd": "he would", "she'd": "she would", "everyone's": "everyone is", "tho": "though",
    "everyone'd": "everyone would", "world'd": "world would", "bc": "because", "cuz": "because", "coz": "because",
    "cos": "because", "becuz": "because", "ppl": "people", "rly": "really", "rlly": "really", "n": "and", "b": "be",
    "thinkin": "thinking", "killin": "killing", "livin": "living", "cuttin": "cutting", "endin": "ending", "goin": "going",
    "feelin": "feeling", "hurtin": "hurting", "tryin": "trying", "planin": "planning", "anything'd": "anything would",
}  # fmt: skip
# Short forms of two words, and fillers that change nothing.
_PHRASES: Final = (
    (re.compile(r"\bmy self\b"), "myself"),
    (re.compile(r"\bany more\b"), "anymore"),
    (re.compile(r"\bwan (?:t|na)\b"), "want to"),
    (re.compile(r"\bwant ta\b"), "want to"),
    (re.compile(r"\bwan to\b"), "want to"),
    (re.compile(r"\b(?:don|do) t\b"), "do not"),
    (re.compile(r"\bcan t\b"), "can not"),
    (re.compile(r"\bi m\b"), "i am"),
    (re.compile(r"\bill (?=(?:just |probably |definitely |finally |soon )?(?:kill|end|hang|shoot|do it|jump|die|be dead))"),
     "i will "),
    (re.compile(r"\bid (?=(?:just |probably |be |rather |like |love |kill|end|die|prefer|want))"), "i would "),
    (re.compile(r"\bsewer slide\b"), "suicide"),
    (re.compile(r"\bself(?:-| )?harm"), "selfharm"),
    (re.compile(r"\b2 (?=die|kill|end|be dead|live)"), "to "),
    (re.compile(r"\b(?:k\*ll|ki\*l|k\*\*l)"), "kill"),
    (re.compile(r"\b(?:s\*icide|su\*cide|sui\*ide|su\*\*ide|s\*\*cide)\b"), "suicide"),
    (re.compile(r"\bd\*e\b"), "die"),
    (re.compile(r"\bwould of\b"), "would have"),
    (re.compile(r"\bhow come\b"), "why"),
    (re.compile(r",? ?\b(?:really|just|honestly|actually|literally|truly|simply|seriously|genuinely|fucking|fuckin|freaking"
                r"|frickin|goddamn|damn|bloody|kinda|sorta|badly|definitely|probably|maybe|even|ever|finally|currently"
                r"|constantly|sometimes|also|so(?= ?(?:badly|much)? ?(?:want|tired|sick|done|ready))|rn)\b"), ""),
)  # fmt: skip
_SPACES: Final = re.compile(r"\s+")


def _misspellings(word: str) -> set[str]:
    found = {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(1, len(word) - 1)}
    found |= {word[:i] + word[i] + word[i:] for i in range(len(word))}
    if len(word) > 4:
        found |= {word[:i] + word[i + 1 :] for i in range(1, len(word))}
    return found - {word}


_CORRECTIONS: Final = {
    **{wrong: word for word in _CRITICAL_WORDS for wrong in _misspellings(word) - _OTHER_WORDS - set(_CRITICAL_WORDS)},
    **_MISSPELLED,
}
_FURTHER_WORDS: Final = (
    "die", "dying", "death", "kms", "kys", "end", "life", "cut", "harm", "hurt", "hang", "not", "so", "to", "me", "please",
)  # fmt: skip
_KNOWN_WORDS: Final = {*_CRITICAL_WORDS, *_CORRECTIONS, *_SHORT_FORMS, *_FURTHER_WORDS}


def folded(text: str) -> str:
    """Return a text in lower case without accents, decorated letters and invisible characters."""
    plain = unicodedata.normalize("NFKC", remove_invisible(text)).translate(_PLAIN_LETTERS).casefold()
    if plain.isascii():
        return plain
    # Korean syllables would fall apart into letters, which NFC puts together again.
    parts = unicodedata.normalize("NFKD", plain.translate(_PLAIN_LETTERS))
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def plain_sentences(text: str) -> list[str]:
    """Return the sentences of a text in plain English spelling, without punctuation except commas and quotes."""
    plain = _SPACED_LETTERS.sub(_joined, folded(text))
    plain = _DISGUISED_WORD.sub(_undisguised, plain)
    return [rewritten for part in _SENTENCE_END.split(plain) if (rewritten := _rewritten(part))]


def _joined(match: re.Match[str]) -> str:
    """Join "k i l l  m y s e l f": letters between single separators are one word."""
    words = re.split(r" {2,}", match[0])
    return " ".join(re.sub(r"[ .\-_]", "", word) for word in words)


def _undisguised(match: re.Match[str]) -> str:
    """Return "kill" for "k1ll"; words that don't become known words stay."""
    ending = re.search(r"[!?]*$", match[0])
    word = match[0][: ending.start()] if ending else match[0]
    plain = word.translate(_DISGUISED)
    return plain + match[0][len(word) :] if plain in _KNOWN_WORDS else match[0]


def _rewritten(sentence: str) -> str:
    for pattern, replacement in _PHRASES[:2]:
        sentence = pattern.sub(replacement, sentence)
    sentence = _WORD.sub(lambda match: _rewritten_word(match[0]), sentence)
    sentence = re.sub(r"[^\w\s,\"'*-]", " ", sentence)
    for pattern, replacement in _PHRASES:
        sentence = pattern.sub(replacement, sentence)
    return _SPACES.sub(" ", sentence).strip(" ,-'")


def _rewritten_word(word: str) -> str:
    if _REPEATED.search(word):
        spellings = _REPEATED.sub(r"\1", word), _REPEATED.sub(r"\1\1", word)
        word = next((spelling for spelling in spellings if spelling in _KNOWN_WORDS), spellings[0])
    word = _CORRECTIONS.get(word, word)
    return _SHORT_FORMS.get(word, word)
