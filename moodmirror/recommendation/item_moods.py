"""How an item's stated parts become its mood vector: the one place to improve what the catalogue feels like.

A row of the catalogue states an energy and a valence (each 0…1), one to four tags, and for songs and movies genres. Each
gives a vote on the seven emotions; the mood vector is their weighted mean:

- **Tags** say what feeling a thing carries (a song of grief) or meets (a soup for lonely days). They are a person's
  judgement of this very item, so they weigh most. The first counts most, as :data:`TAGS` reads.
- **Energy and valence** place the item on the circumplex of affect (J. A. Russell, "A circumplex model of affect",
  Journal of Personality and Social Psychology 39, 1980): valence runs from bleak to bright, energy is his arousal. An
  emotion gets the more, the nearer its own place, :data:`moodmirror.emotions.CIRCUMPLEX`, lies. This parts two items of
  the same tags: a fast song of heartbreak leans to anger, a slow one to sadness.
- **Genres** are a shop's label, right on average and often wrong of one item: they only tip a balance.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import CIRCUMPLEX, EMOTIONS, MoodVector, mood_vector

# What each vote weighs; they sum to 1. Energy and valence can't tell fear from anger (Russell puts both at high arousal
# and slightly low valence), and a dish that helps against fear is itself calm and bright: so they must not outvote tags.
TAG_SHARE: Final = 0.80
PLACE_SHARE: Final = 0.15
GENRE_SHARE: Final = 0.05

# How far an emotion reaches on the circumplex, whose axes run from −1 to 1: the standard deviation of a Gaussian. Half the
# way from the centre to the rim, so that a place between two emotions belongs to both and a far one to neither.
REACH: Final = 0.5

TAGS: Final[Mapping[str, Mapping[str, float]]] = {
    # Sadness and what consoles it
    "heartbreak": {"sad": 0.85, "angry": 0.15},
    "grief": {"sad": 1.0},
    "lonely": {"sad": 0.85, "fear": 0.15},
    "melancholy": {"sad": 0.85, "neutral": 0.15},
    "nostalgic": {"sad": 0.55, "happy": 0.3, "neutral": 0.15},
    "bittersweet": {"sad": 0.6, "happy": 0.4},
    # Anger and what works it off
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
"""What each tag says about the emotions, as shares that sum to 1: the feeling it stands for first, then its undertones."""

GENRES: Final[Mapping[str, str]] = {
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
"""The emotion that a genre leans to. Genres that hold every mood, as pop, rock and folk, are left out and weigh nothing."""

_TAG_VECTORS: Final = {tag: mood_vector(shares) for tag, shares in TAGS.items()}
_GENRE_VECTORS: Final = {genre: mood_vector({emotion: 1}) for genre, emotion in GENRES.items()}
_EMOTION_PLACES: Final = np.array([CIRCUMPLEX[emotion] for emotion in EMOTIONS], dtype=np.float32)


def place(energy: float, valence: float) -> tuple[float, float]:
    """Valence and arousal on the circumplex, each −1…1, of a stated energy and valence, each 0…1."""
    return 2 * valence - 1, 2 * energy - 1


def mood_at_position(valence: float, arousal: float) -> MoodVector:
    """The mood vector, float32 [7], of a place on the circumplex: each emotion's share falls with its distance."""
    vector: MoodVector = moods_at_positions(np.array([[valence, arousal]]))[0]
    return vector


def moods_at_positions(places: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """The mood vectors, float32 [n, 7], of places on the circumplex, [n, 2]: valence and arousal in −1…1."""
    distances = np.linalg.norm(places[:, np.newaxis, :] - _EMOTION_PLACES, axis=2)
    weights = np.exp(-((distances / REACH) ** 2) / 2)
    vectors: npt.NDArray[np.float32] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return vectors


def compute_item_mood(energy: float, valence: float, tags: Sequence[str], genres: Sequence[str] = ()) -> MoodVector:
    """The mood vector, float32 [7], of an item's stated parts.

    `energy` and `valence` are in 0…1; `tags`, from :data:`TAGS`, stand strongest first: the second counts half of the
    first, the third a third, and so on. Genres that :data:`GENRES` does not name are passed over. Raises ValueError
    without tags, and for an unknown one.
    """
    if not tags:
        raise ValueError("at least one tag is needed")
    for tag in tags:
        if tag not in TAGS:
            raise ValueError(f"unknown tag {tag!r}: use one of {', '.join(TAGS)}")
    said = _mean(np.sum([_TAG_VECTORS[tag] / rank for rank, tag in enumerate(tags, start=1)], axis=0))
    vector = TAG_SHARE * said + PLACE_SHARE * mood_at_position(*place(energy, valence))
    leaning = [_GENRE_VECTORS[genre] for genre in genres if genre in _GENRE_VECTORS]
    if leaning:
        vector += GENRE_SHARE * np.mean(leaning, axis=0)
    return _mean(vector)


def _mean(weights: MoodVector) -> MoodVector:
    vector: MoodVector = (weights / weights.sum()).astype(np.float32)
    return vector
