"""Sample the text corpora into augmented training batches with their targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from moodmirror.training.settings import TextTraining
from moodmirror.training.text_augmentation import augment
from moodmirror.training.text_corpora import TextCorpora, TextSplit, only_emotions
from moodmirror.training.text_encoder import PretrainedEncoder
from moodmirror.training.text_network import (
    EMOTIONS_OUTPUT,
    FINE_OUTPUT,
    SENTENCE_OUTPUT,
    bfloat16_products,
    emotion_probabilities,
    initial_network,
    predict,
)
from moodmirror.training.text_patterns import pattern_sentences
from moodmirror.training.text_token_batcher import TokenBatcher

ANCHOR_TEXTS: Final = 8_000  # texts with a pre-trained sentence vector; the others have no anchor
# Texts of this many batches are sorted by length together: little padding, and still a random order.
BATCHES_PER_POOL: Final = 50

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class NetworkSetup:
    """What every network of a training run starts from and learns with."""

    pretrained: PretrainedEncoder
    batcher: TokenBatcher
    anchors: Mapping[str, Floats]  # pre-trained sentence vectors of some texts, by text
    frozen_layers: int = 0  # lower layers that stay pre-trained; if any, so does the token table
    specialist: keras.Model | None = None  # trained on GoEmotions alone; its predictions soften other corpora's labels


class TextBatches:
    """Augmented batches whose content depends only on seed, order and step."""

    def __init__(self, corpora: TextCorpora, setup: NetworkSetup, config: TextTraining, order: int = 0) -> None:
        """`order` selects one of several orders of the texts under the same seed."""
        self._training = corpora.training
        self._emotion_of_fine = corpora.emotion_of_fine
        self._anchors = setup.anchors
        self._no_anchor = np.full(setup.pretrained.shape.width, np.nan, np.float32)
        self._config = config
        self._seed = (config.seed, order)
        self._batcher = setup.batcher
        self._specialist = setup.specialist
        self._epoch = -1
        self._split: TextSplit
        self._pattern_count: int
        self._targets: Floats
        self._batches: list[npt.NDArray[np.int_]]
        self._prepare_epoch(0)
        self._batches_per_epoch = len(self._batches)
        self.steps = max(round(self._batches_per_epoch * config.epochs), 1)

    def at(self, step: int) -> tuple[list[npt.NDArray[Any]], dict[str, Floats], dict[str, Floats]]:
        """Return the batch of a step, from 0: network input, targets and sample weights by output."""
        epoch, index = divmod(step, self._batches_per_epoch)
        self._prepare_epoch(epoch)
        rng = np.random.default_rng((*self._seed, step))
        split, rows = self._split, self._batches[index]
        texts = [split.texts[row] for row in rows]
        fine = split.fine[rows]
        anchors = np.stack([self._anchors.get(text, self._no_anchor) for text in texts])
        return (
            self._batcher([augment(text, rng) for text in texts]),
            {
                EMOTIONS_OUTPUT: np.concatenate([self._targets[rows], split.possible[rows]], axis=1, dtype=np.float32),
                FINE_OUTPUT: np.nan_to_num(fine),
                SENTENCE_OUTPUT: np.nan_to_num(anchors, nan=1.0),
            },
            {
                EMOTIONS_OUTPUT: np.ones(len(rows), np.float32),
                FINE_OUTPUT: (~np.isnan(fine[:, 0])).astype(np.float32),
                SENTENCE_OUTPUT: (~np.isnan(anchors[:, 0])).astype(np.float32),
            },
        )

    def _prepare_epoch(self, epoch: int) -> None:
        """Generate an epoch's pattern sentences and its batches: similar lengths, random order."""
        if epoch == self._epoch:
            return
        self._epoch = epoch
        rng = np.random.default_rng((*self._seed, epoch, 1))
        splits = [
            split.select(rng.permutation(len(split)) < self._config.tweets) if name == "CARER" else split
            for name, split in self._training.items()
        ]
        patterns = pattern_sentences(self._config.patterns, rng)
        if self._config.emotions:
            patterns = only_emotions(patterns, self._config.emotions)
        self._pattern_count = len(patterns)
        self._split = TextSplit.concatenate([*splits, patterns])
        self._targets = self._emotion_targets(self._split)
        lengths = self._batcher.lengths(self._split.texts)
        size = self._config.batch_size
        order = rng.permutation(len(self._split) // size * size if len(self._split) >= size else len(self._split))
        pools = np.split(order, range(BATCHES_PER_POOL * size, len(order), BATCHES_PER_POOL * size))
        self._batches = [
            batch
            for pool in pools
            for batch in np.split(pool[np.argsort(lengths[pool], kind="stable")], range(size, len(pool), size))
        ]
        rng.shuffle(self._batches)

    def _emotion_targets(self, split: TextSplit) -> Floats:
        """Return the target emotion probabilities of an epoch's texts, float32 [n, 7].

        The last texts are the pattern sentences.

        Other corpora are labeled by other conventions than GoEmotions, and with certainty. Trained on those labels alone, a
        network would have to recognize a text's corpus by its style. The specialist's predictions, those of a network
        trained on GoEmotions alone, are therefore mixed into the labels of the other corpora.
        """
        targets = split.labels.astype(np.float32)
        of_goemotions = ~np.isnan(split.fine[:, 0])
        targets[of_goemotions] = emotion_probabilities(split.fine[of_goemotions], self._emotion_of_fine)
        others = np.flatnonzero(~of_goemotions)
        if self._specialist is not None and len(others):
            with bfloat16_products():
                outputs = predict(self._specialist, [split.texts[row] for row in others], self._batcher)
            is_pattern = others >= len(split) - self._pattern_count
            share = np.where(is_pattern, self._config.specialist_share_of_patterns, self._config.specialist_share)
            share = share[:, np.newaxis]
            targets[others] = (1 - share) * targets[others] + share * np.exp(outputs[EMOTIONS_OUTPUT])
        return targets


def anchor_vectors(
    pretrained: PretrainedEncoder, corpora: TextCorpora, batcher: TokenBatcher, config: TextTraining, *, path: Path
) -> dict[str, Floats]:
    """Return pre-trained sentence vectors of some training texts, by text.

    They are stored at `path`, so that a resumed run doesn't compute them again.
    """
    texts = sorted({text for split in corpora.training.values() for text in split.texts})
    selected = [texts[index] for index in np.random.default_rng(config.seed).permutation(len(texts))[:ANCHOR_TEXTS]]
    if path.is_file():
        vectors = np.load(path, allow_pickle=False)
    else:
        print(f"computing {len(selected)} pre-trained sentence vectors …", flush=True)
        vectors = predict(initial_network(pretrained, config, corpora.emotion_of_fine), selected, batcher)[SENTENCE_OUTPUT]
        np.save(path, vectors)
    return dict(zip(selected, vectors, strict=True))
