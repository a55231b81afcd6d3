"""Training batches of speech: one of several augmented copies of each recording, with random stripes masked."""

import math
from typing import Final

import keras
import numpy as np
import numpy.typing as npt

from moodmirror.recognition.speech import LABELS
from moodmirror.recognition.speech_features import MEL_BANDS, WINDOW_FRAMES
from moodmirror.training.settings import SpeechTraining

# SpecAugment (Park et al., Interspeech 2019): the largest number of masked stripes, and the largest width of each.
MASKED_BANDS: Final = (2, 10)
MASKED_FRAMES: Final = (2, 20)


class SpeechBatches(keras.utils.PyDataset):
    """Batches of augmented copies. Their order depends only on seed and epoch."""

    def __init__(
        self,
        copies: npt.NDArray[np.float16],
        labels: npt.NDArray[np.int_],
        speakers: npt.NDArray[np.str_],
        config: SpeechTraining,
    ) -> None:
        """`copies` is float16 [n, copies, 150, 64], `labels` int [n] indices into LABELS, `speakers` [n] names."""
        super().__init__()
        self._copies, self._labels, self._speakers, self._config = copies, labels, speakers, config
        counts = np.bincount(labels, minlength=len(LABELS)).astype(np.float64)
        weights = np.maximum(counts, 1) ** -config.balance
        self._weights = (weights[labels] / weights[labels].mean()).astype(np.float32)
        self._epoch = 0
        self._shuffle()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._config.batch_size)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.float32], ...]:
        config = self._config
        rng = np.random.default_rng((config.seed, self._epoch, index))
        rows = self._order[index * config.batch_size : (index + 1) * config.batch_size]
        copy = rng.integers(self._copies.shape[1], size=len(rows))
        copy[rng.random(len(rows)) < config.unchanged] = 0
        features = self._copies[rows, copy].astype(np.float32)
        for one in features:
            _mask_stripes(one, rng)
        targets = np.eye(len(LABELS), dtype=np.float32)[self._labels[rows]]
        targets = (1 - config.label_smoothing) * targets + np.float32(config.label_smoothing / len(LABELS))
        weights = self._weights[rows]
        if config.mixup:
            share = rng.beta(config.mixup, config.mixup, size=len(rows)).astype(np.float32)
            other = rng.permutation(len(rows))
            features = share[:, None, None] * features + (1 - share)[:, None, None] * features[other]
            targets = share[:, None] * targets + (1 - share)[:, None] * targets[other]
            weights = share * weights + (1 - share) * weights[other]
        return features, targets, weights

    def on_epoch_end(self) -> None:
        """Draw the order and the copies of the next epoch."""
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng((self._config.seed, self._epoch))
        shuffled = rng.permutation(len(self._labels))
        order = [
            shuffled[self._speakers[shuffled] == speaker][: self._config.most_of_a_speaker]
            for speaker in np.unique(self._speakers)
        ]
        self._order = rng.permutation(np.concatenate(order))


def _mask_stripes(features: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    """Replace stripes of features, float32 [150, 64], by their mean, in place."""
    mean = features.mean()
    for _ in range(rng.integers(MASKED_BANDS[0] + 1)):
        width = rng.integers(1, MASKED_BANDS[1] + 1)
        start = rng.integers(MEL_BANDS - width)
        features[:, start : start + width] = mean
    for _ in range(rng.integers(MASKED_FRAMES[0] + 1)):
        width = rng.integers(1, MASKED_FRAMES[1] + 1)
        start = rng.integers(WINDOW_FRAMES - width)
        features[start : start + width] = mean
