"""Compute an item's mood vector from its energy, valence, tags and genres: the one place to improve the catalogue's moods.

A row of the catalogue states an energy and a valence (each 0…1), one to four tags, and for songs and movies genres. Each
of them is a vote on the seven emotions; the mood vector is their weighted mean:

- **Tags** name the feeling that an item expresses (a song of grief) or answers (a soup for lonely days). They are a
  person's judgment of this very item, so they weigh most. The first tag counts most; :data:`TAG_EMOTIONS` maps tags.
- **Energy and valence** place the item on the circumplex of affect (J. A. Russell, "A circumplex model of affect",
  Journal of Personality and Social Psychology 39, 1980): valence runs from bleak to bright, energy is Russell's arousal.
  An emotion's share grows with the closeness of its own position, :data:`moodmirror.emotions.CIRCUMPLEX`. This
  distinguishes items of the same tags: a fast song of heartbreak is angrier, a slow one sadder.
- **Genres** are right on average and often wrong for one item: they only tip the balance.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, MoodVector, mood_vector

# Weights of the votes; they sum to 1. Energy and valence can't distinguish fear from anger (Russell puts both at high
# arousal and slightly low valence), and a dish that helps against fear is itself calm and bright: tags must outvote them.
TAG_SHARE: Final = 0.80
POSITION_SHARE: Final = 0.15
GENRE_SHARE: Final = 0.05

# An emotion's extent on the circumplex, whose axes run from −1 to 1: the standard deviation of a Gaussian. Half the way
# from the center to the rim, so that a position between two emotions belongs to both and a far one to neither.
EMOTION_STD: Final = 0.5

TAG_EMOTIONS: Final[Mapping[str, Mapping[str, float]]] = {
    # Sadness and consolation
    "heartbreak": {"sad": 0.85, "angry": 0.15},
    "grief": {"sad": 1.0},
    "lonely": {"sad": 0.85, "fear": 0.15},
    "melancholy": {"sad": 0.85, "neutral": 0.15},
    "nostalgic": {"sad": 0.55, "happy": 0.3, "neutral": 0.15},
    "bittersweet": {"sad": 0.6, "happy": 0.4},
    # Anger and its release
    "rage": {"angry": 1.0},
    "protest": {"angry": 0.8, "disgust": 0.2},
    "defiant": {"angry": 0.75, "happy": 0.25},
    "betrayal": {"angry": 0.55, "sad": 0.25, "disgust": 0.2},
    "intense": {"angry": 0.8, "surprise": 0.1, "fear": 0.1},
    # Disgust, its laughter, and what is clean after it
    "cynical": {"disgust": 0.85, "angry": 0.15},
    "satire": {"disgust": 0.75, "happy": 0.15, "angry": 0.1},
    "gross": {"disgust": 0.7, "surprise": 0.3},
    "dark-humour": {"disgust": 0.7, "happy": 0.2, "fear": 0.1},
    "disillusion": {"disgust": 0.7, "sad": 0.3},
    "cleansing": {"disgust": 1.0},
    # Fear and what gives courage
    "eerie": {"fear": 0.7, "surprise": 0.3},
    "tense": {"fear": 0.85, "angry": 0.15},
    "anxious": {"fear": 0.9, "sad": 0.1},
    "nightmare": {"fear": 0.9, "disgust": 0.1},
    "brave": {"fear": 0.75, "happy": 0.25},
    "grounding": {"fear": 0.75, "neutral": 0.25},
    # Happiness
    "joyful": {"happy": 1.0},
    "party": {"happy": 0.85, "surprise": 0.15},
    "love": {"happy": 0.9, "neutral": 0.1},
    "comfort": {"happy": 0.5, "sad": 0.35, "neutral": 0.15},
    "playful": {"happy": 0.8, "surprise": 0.2},
    "triumphant": {"happy": 0.85, "surprise": 0.15},
    "hopeful": {"happy": 0.75, "sad": 0.25},
    # Surprise
    "wonder": {"surprise": 0.8, "happy": 0.2},
    "strange": {"surprise": 0.8, "fear": 0.2},
    "twist": {"surprise": 0.9, "fear": 0.1},
    "epic": {"surprise": 0.8, "happy": 0.2},
    "novelty": {"surprise": 0.9, "happy": 0.1},
    # An even mood
    "calm": {"neutral": 0.9, "happy": 0.1},
    "steady": {"neutral": 1.0},
    "reflective": {"neutral": 0.8, "sad": 0.2},
    "everyday": {"neutral": 0.9, "happy": 0.1},
    "focus": {"neutral": 1.0},
}
"""Each tag's shares of the emotions, which sum to 1: the main feeling first, then its undertones."""

GENRE_EMOTIONS: Final[Mapping[str, str]] = {
    # songs
    "metal": "angry",
    "punk": "angry",
    "hardcore": "angry",
    "industrial": "disgust",
    "goth": "fear",
    "disco": "happy",
    "funk": "happy",
    "samba": "happy",
    "salsa": "happy",
    "blues": "sad",
    "experimental": "surprise",
    "novelty": "surprise",
    "ambient": "neutral",
    "minimalism": "neutral",
    # movies
    "war": "angry",
    "crime": "disgust",
    "horror": "fear",
    "thriller": "fear",
    "comedy": "happy",
    "family": "happy",
    "drama": "sad",
    "fantasy": "surprise",
    "mystery": "surprise",
    "science fiction": "surprise",
    "documentary": "neutral",
}
"""The typical emotion of a genre. Genres of every mood, such as pop, rock and folk, are left out and have no vote."""

_TAG_VECTORS: Final = {tag: mood_vector(shares) for tag, shares in TAG_EMOTIONS.items()}
_GENRE_VECTORS: Final = {genre: mood_vector({emotion: 1}) for genre, emotion in GENRE_EMOTIONS.items()}
_EMOTION_POSITIONS: Final = np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS], dtype=np.float32)


def circumplex_position(energy: float, valence: float) -> tuple[float, float]:
    """Return the position on the circumplex, valence and arousal in −1…1, of an energy and a valence in 0…1."""
    return 2 * valence - 1, 2 * energy - 1


def mood_at_position(valence: float, arousal: float) -> MoodVector:
    """Return the mood vector, float32 [7], of a position on the circumplex: an emotion's share falls with its distance."""
    vector: MoodVector = moods_at_positions(np.array([[valence, arousal]]))[0]
    return vector


def moods_at_positions(positions: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Return the mood vectors, float32 [n, 7], of positions on the circumplex, [n, 2]: valence and arousal in −1…1."""
    distances = np.linalg.norm(positions[:, np.newaxis, :] - _EMOTION_POSITIONS, axis=2)
    weights = np.exp(-((distances / EMOTION_STD) ** 2) / 2)
    vectors: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return vectors


def compute_item_mood(energy: float, valence: float, tags: Sequence[str], genres: Sequence[str] = ()) -> MoodVector:
    """Compute an item's mood vector, float32 [7].

    `energy` and `valence` are in 0…1; `tags`, from :data:`TAG_EMOTIONS`, are ordered strongest first: the second counts
    half of the first, the third a third, and so on. Genres that :data:`GENRE_EMOTIONS` does not contain are ignored. Raises
    ValueError without tags, and for an unknown one.
    """
    if not tags:
        raise ValueError("at least one tag is needed")
    for tag in tags:
        if tag not in TAG_EMOTIONS:
            raise ValueError(f"unknown tag {tag!r}: use one of {', '.join(TAG_EMOTIONS)}")
    tag_vector = _normalized(np.sum([_TAG_VECTORS[tag] / rank for rank, tag in enumerate(tags, start=1)], axis=0))
    vector = TAG_SHARE * tag_vector + POSITION_SHARE * mood_at_position(*circumplex_position(energy, valence))
    genre_vectors = [_GENRE_VECTORS[genre] for genre in genres if genre in _GENRE_VECTORS]
    if genre_vectors:
        vector += GENRE_SHARE * np.mean(genre_vectors, axis=0)
    return _normalized(vector)


def _normalized(weights: MoodVector) -> MoodVector:
    vector: MoodVector = (weights / weights.sum()).astype(np.float32)
    return vector
