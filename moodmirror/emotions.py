"""The seven emotions in fixed order, their other names, mood vectors, and the columns of FER+.

A *mood vector* is ``float32 [7]``, non-negative, sums to 1, in the order of :data:`EMOTIONS`, which is FER2013's.
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

MoodVector = npt.NDArray[np.float32]

# FER+ has ten columns of annotators' votes (Barsoum et al., "Training Deep Networks for Facial Expression Recognition
# with Crowd-Sourced Label Distribution", ICMI 2016). The columns contempt, unknown and NF (not a face) map to none of
# the seven emotions and are left out of the distribution.
FERPLUS_EMOTIONS: Final[Mapping[str, str]] = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}

# Other names of the emotions: what corpora, emotion lists and their users write for them. Ekman's and Plutchik's nouns, the
# adjectives of FER2013, AffectNet and RAVDESS, CREMA-D's three letters, and TESS's pleasant surprise. Calm is neutral here;
# the speech models, which learn it as a class of its own, look for it first (moodmirror.recognition.speech.parse_label).
EMOTION_ALIASES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("anger", "ang", "mad", "rage", "fury", "furious"), "angry"),
    **dict.fromkeys(("disgusted", "disgusting", "disgusts", "dis", "revulsion"), "disgust"),
    **dict.fromkeys(("fearful", "fears", "feared", "fea", "afraid", "scared", "terrified"), "fear"),
    **dict.fromkeys(("happiness", "hap", "joy", "joyful", "enjoyment"), "happy"),
    **dict.fromkeys(("sadness", "sorrow", "sorrowful", "unhappy", "grief"), "sad"),
    **dict.fromkeys(("surprised", "surprising", "surprises", "suprise", "suprised"), "surprise"),
    **dict.fromkeys(("ps", "sur", "pleasant surprise", "pleasant surprised", "pleasantly surprised"), "surprise"),
    **dict.fromkeys(("astonished", "astonishment", "amazed", "amazement"), "surprise"),
    **dict.fromkeys(("neutrality", "neu", "normal", "calm", "calmness"), "neutral"),
}
_EMOTION_OF_NAME: Final[Mapping[str, str]] = {**{emotion: emotion for emotion in EMOTIONS}, **EMOTION_ALIASES}

# Position of each emotion on the circumplex of affect: (valence, arousal), both in −1…1. The angles follow the
# placement of the emotion words in J. A. Russell, "A circumplex model of affect", Journal of Personality and Social
# Psychology 39 (1980), figure 2, read to the nearest 0.05; neutral is its center. Russell has no "surprise" and no
# "disgust": surprise takes his "astonished"; disgust lies between his "annoyed" and "distressed".
CIRCUMPLEX: Final[Mapping[str, tuple[float, float]]] = {
    "angry": (-0.4, 0.8),
    "disgust": (-0.65, 0.5),
    "fear": (-0.1, 0.8),
    "happy": (0.9, 0.15),
    "sad": (-0.8, -0.4),
    "surprise": (0.4, 0.9),
    "neutral": (0.0, 0.0),
}

_CIRCUMPLEX_MATRIX: Final = np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS], dtype=np.float32)


class MoodVectorMixin:
    """Adds the leading emotion to a class whose `vector` is a mood vector, float32 [7]."""

    __slots__ = ()  # subclasses use slots, because thousands of instances exist
    vector: MoodVector

    @property
    def label(self) -> str:
        """Return the leading emotion."""
        return EMOTIONS[int(self.vector.argmax())]

    @property
    def confidence(self) -> float:
        """Return the leading emotion's share, 0…1."""
        return float(self.vector.max())


def plain_name(name: str) -> str:
    """Return a name for comparison: lower case, with one blank for every run of blanks, hyphens, underscores and dots."""
    return re.sub(r"[\s._\-‐-―]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def parse_emotion(name: str) -> str:
    """Return the emotion that a name stands for, such as ``surprise`` for ``Pleasant_Surprise``.

    Case, blanks, hyphens, underscores and dots don't matter; :data:`EMOTION_ALIASES` has the names beside those of
    :data:`EMOTIONS`. Raises ValueError, which lists the emotions, for every other name.
    """
    emotion = _EMOTION_OF_NAME.get(plain_name(name))
    if emotion is None:
        raise ValueError(f"unknown emotion {name!r}: use one of {', '.join(EMOTIONS)}")
    return emotion


def mood_vector(weights: Mapping[str, float]) -> MoodVector:
    """Return the mood vector of non-negative weights by emotion; an emotion left out has weight 0.

    Emotions may have any name that :func:`parse_emotion` reads; weights of the same emotion are added.
    Raises ValueError for an unknown emotion, a negative or non-finite weight, or weights that are all zero.
    """
    vector = np.zeros(len(EMOTIONS), dtype=np.float32)
    for emotion, weight in weights.items():
        index = EMOTIONS.index(parse_emotion(emotion))
        if not np.isfinite(weight) or weight < 0:
            raise ValueError(f"the weight of {emotion} must be a number of at least 0, not {weight}")
        vector[index] += weight
    total = vector.sum()
    if total <= 0:
        raise ValueError("at least one emotion needs a weight above 0")
    vector /= total
    return vector


def shares_by_name(vector: MoodVector) -> dict[str, float]:
    """Return the shares of a mood vector, [7], by emotion."""
    return {emotion: float(share) for emotion, share in zip(EMOTIONS, vector, strict=True)}


def parse_mood_vector(text: str) -> MoodVector:
    """Return the mood vector of a text: a JSON object of weights by emotion, or seven numbers in the order of EMOTIONS.

    The numbers may be a JSON array or separated by commas. Raises ValueError for anything else.
    """
    try:
        weights = json.loads(text if text.lstrip()[:1] in ("{", "[") else f"[{text}]")
    except ValueError:
        weights = None
    if isinstance(weights, list) and len(weights) == len(EMOTIONS):
        weights = dict(zip(EMOTIONS, weights, strict=True))
    if not isinstance(weights, dict) or not all(type(weight) in (int, float) for weight in weights.values()):
        raise ValueError(f"a vector must be numbers by emotion in JSON, or seven numbers: {', '.join(EMOTIONS)}")
    return mood_vector(weights)


def valence_arousal(vector: MoodVector) -> tuple[float, float]:
    """Return valence and arousal, −1…1, of a mood vector: its weighted mean position on :data:`CIRCUMPLEX`."""
    valence, arousal = vector @ _CIRCUMPLEX_MATRIX
    return float(valence), float(arousal)
