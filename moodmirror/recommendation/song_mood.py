"""Predict a song's mood from its audio features, with weights learned from people's ratings.

Spotify's own valence and energy agree with how people rate songs only in part. Two linear models over nine of its audio
features agree better: ridge regressions for people's valence and arousal (PMEmo: K. Zhang et al., ICMR 2018), and a
multinomial logistic regression for four labels, happy, sad, energetic and calm. ``python -m moodmirror.training.song_mood
--data PATH`` fits them and measures them by cross-validation; song_mood.json holds the weights and these figures.

The mood vector is the mean of two predictions that complement each other: the labels distinguish calm from sad, the position
on the circumplex distinguishes furious from festive.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recommendation.item_moods import moods_at_positions

WEIGHTS_PATH: Final = Path(__file__).with_suffix(".json")
MAKE_COMMAND: Final = "python -m moodmirror.training.song_mood --data PATH"
AUDIO_FEATURES: Final = (
    "danceability",
    "energy",
    "loudness",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
)
"""Spotify's audio features: loudness in dB below full scale, tempo in beats per minute, the others 0…1."""
LABELS: Final = ("Calm", "Energetic", "Happy", "Sad")

# Scales a prediction's distance from the typical song, in standard deviations of predictions, to the circumplex: nineteen
# songs of twenty lie within its rim.
POSITION_SCALE: Final = 0.5

# Emotions of the labels. "Energetic" is festive in a bright song and furious in a dark one.
_CALM: Final = mood_vector({"neutral": 0.8, "happy": 0.2})
_HAPPY: Final = mood_vector({"happy": 0.85, "surprise": 0.15})
_SAD: Final = mood_vector({"sad": 0.9, "neutral": 0.1})
_FESTIVE: Final = mood_vector({"happy": 0.4, "surprise": 0.6})
_FURIOUS: Final = mood_vector({"angry": 0.6, "fear": 0.25, "disgust": 0.15})

Features = npt.NDArray[np.float64]
"""[n, 9], in the order of :data:`AUDIO_FEATURES`."""


@dataclass(frozen=True)
class LinearModel:
    """A linear model of the audio features: `weights` [9, outputs] and `bias` [outputs]."""

    weights: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]

    def __call__(self, features: Features) -> npt.NDArray[np.float64]:
        """Return the outputs, float64 [n, outputs]."""
        outputs: npt.NDArray[np.float64] = features @ self.weights + self.bias
        return outputs


@dataclass(frozen=True)
class SongMood:
    """The trained models; the fields are those of song_mood.json.

    `affect` predicts people's valence and arousal, 0…1, as in PMEmo; `typical` and `deviation`, [2], are the mean and the
    standard deviation of its outputs. `labels` predicts the logits of :data:`LABELS`. Features are first clipped to `least`
    and `most`, [9], the range of the training data.
    """

    affect: LinearModel
    labels: LinearModel
    typical: npt.NDArray[np.float64]
    deviation: npt.NDArray[np.float64]
    least: npt.NDArray[np.float64]
    most: npt.NDArray[np.float64]

    @classmethod
    def load(cls, path: Path = WEIGHTS_PATH) -> Self:
        """Read the weights from a JSON file."""
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Create the models from what :meth:`to_json` returned."""
        affect, labels = (
            LinearModel(*(np.array(stored[name][part]) for part in ("weights", "bias"))) for name in ("affect", "labels")
        )
        return cls(affect, labels, *(np.array(stored[name]) for name in ("typical", "deviation", "least", "most")))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as lists of numbers, rounded to six digits."""
        stored: dict[str, Any] = {
            name: {"weights": _rounded(linear.weights), "bias": _rounded(linear.bias)}
            for name, linear in (("affect", self.affect), ("labels", self.labels))
        }
        return stored | {name: _rounded(getattr(self, name)) for name in ("typical", "deviation", "least", "most")}

    def valence_arousal(self, features: Features) -> npt.NDArray[np.float64]:
        """Predict people's ratings of songs, float64 [n, 2]: valence and arousal, 0…1."""
        return self.affect(self._clipped(features))

    def label_probabilities(self, features: Features) -> npt.NDArray[np.float64]:
        """Return the probabilities of :data:`LABELS`, float64 [n, 4]."""
        logits = self.labels(self._clipped(features))
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: npt.NDArray[np.float64] = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    def positions(self, features: Features) -> npt.NDArray[np.float64]:
        """Return positions on the circumplex, float64 [n, 2]: valence and arousal in −1…1, 0 for the typical song."""
        scaled = POSITION_SCALE * (self.valence_arousal(features) - self.typical) / self.deviation
        return np.clip(scaled, -1, 1)

    def mood_vectors(self, features: Features) -> npt.NDArray[np.float32]:
        """Return mood vectors, float32 [n, 7]."""
        positions = self.positions(features)
        calm, energetic, happy, sad = self.label_probabilities(features).T[..., np.newaxis]
        bright = (positions[:, :1] + 1) / 2
        by_label = calm * _CALM + happy * _HAPPY + sad * _SAD + energetic * (bright * _FESTIVE + (1 - bright) * _FURIOUS)
        vectors: npt.NDArray[np.float32] = ((by_label + moods_at_positions(positions)) / 2).astype(np.float32)
        assert vectors.shape == (len(features), len(EMOTIONS))
        return vectors

    def _clipped(self, features: Features) -> Features:
        return np.clip(features, self.least, self.most)


def _rounded(numbers: npt.NDArray[np.float64]) -> Any:
    return np.vectorize(lambda number: float(f"{number:.6g}"))(numbers).tolist()
