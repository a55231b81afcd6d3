"""What each ranking mode looks for: the mood as it is, a better one, or the steps of a path to another one.

A target is a mood vector and, except in the mode match, a position on the circumplex of affect: a mood vector alone doesn't
distinguish a soothing joyful song from a stirring one, and a visitor who is angry and wants to feel better may prefer the
first.

None of this is treatment or promises an effect: it only orders a list.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from moodmirror.emotions import MoodVector, mood_vector, valence_arousal

MODES: Final = ("match", "lift", "journey", "surprise")

# How far `lift` goes from the mood to happiness. More than half, or the list would hardly differ from `match`; well short
# of all of it, because cheer that is far from one's mood is easily felt as an intrusion, and a sad visitor may want hope
# and comfort rather than a party.
LIFT_SHARE: Final = 0.6
# What a squared distance of 1 on the circumplex subtracts from an item's fit, whose cosine lies in 0…1: a quarter of the way
# across the circle (0.5) costs an eighth, as much as a clear difference between two moods.
DISTANCE_COST: Final = 0.5
# Of what comforts, on the circumplex (valence, arousal): clearly pleasant, and calm.
COMFORT_POSITION: Final = (0.5, -0.4)


@dataclass(frozen=True)
class Target:
    """A mood vector, float32 [7], to look for, and a position (valence, arousal in −1…1), or None for any."""

    vector: MoodVector
    position: tuple[float, float] | None = None


def match(mood: MoodVector) -> list[Target]:
    """Return the mood as it is, as the only target.

    What fits a mood, a bad one too, is often chosen on purpose, for solace or to let it out: S. Saarikallio and J. Erkkilä,
    "The role of music in adolescents' mood regulation", Psychology of Music 35 (2007).
    """
    return [Target(mood)]


def lift(mood: MoodVector) -> list[Target]:
    """Return a better mood within reach as the only target: :data:`LIFT_SHARE` of the way from the mood to happiness.

    Happiness lies bright and just above the middle in arousal (Russell 1980), so on the way valence always rises, while
    arousal falls for anger and fear and rises gently for sadness. That people look for such a balance of pleasure and
    excitement in what they watch and hear is D. Zillmann's mood management, "Mood management through communication
    choices", American Behavioral Scientist 31 (1988); that music and movement are among what they find to help with a bad
    mood is the self-report of R. E. Thayer, J. R. Newman and T. M. McClain, "Self-regulation of mood", Journal of
    Personality and Social Psychology 67 (1994). Neither shows that a list of this kind does.
    """
    return [_target_between(mood, "happy", LIFT_SHARE)]


def comfort() -> list[Target]:
    """Return what comforts in a crisis as the only target, whatever the mood: warm and calm, with room for sadness.

    Not the cheer of `lift`: far from one's mood it may be felt as an intrusion.
    """
    return [Target(mood_vector({"happy": 0.5, "neutral": 0.3, "sad": 0.2}), COMFORT_POSITION)]


def journey(mood: MoodVector, towards: str, steps: int) -> list[Target]:
    """Return `steps` targets in even steps from the mood to the emotion `towards`, both ends included.

    This is the iso principle of music therapy: meet people where they are, then move on by degrees (I. M. Altshuler, "A
    psychiatrist's experience with music as a therapeutic agent", 1948). Evidence for it is thin and mixed: mostly
    practice and single cases (A. Heiderscheit and A. Madson, Music Therapy Perspectives 33, 2015); in an experiment sad
    music before happy music lifted healthy people's mood most, but not all differences were significant (K. Starcke,
    J. Mayr and R. von Georgi, International Journal of Environmental Research and Public Health 18, 2021). Both are about
    music; applying the order to movies, food and activities is our own choice.
    """
    return [_target_between(mood, towards, float(share)) for share in np.linspace(0, 1, steps)]


def _target_between(mood: MoodVector, towards: str, share: float) -> Target:
    """Return the target at a share, 0…1, of the way from a mood to an emotion, in mood vector and position."""
    vector = ((1 - share) * mood + share * mood_vector({towards: 1})).astype(np.float32)
    return Target(vector, valence_arousal(vector))
