"""Train one text network: steps, learning rate, checkpoints and progress."""

import time
from collections.abc import Mapping
from typing import Final

import keras
import numpy as np
from scipy.special import softmax

from moodmirror.training.run_directory import RunDirectory
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_batches import NetworkSetup, TextBatches
from moodmirror.training.text_corpora import TextCorpora, TextSplit
from moodmirror.training.text_evaluation import multilabel_metrics
from moodmirror.training.text_network import (
    EMOTIONS_OUTPUT,
    TRAINING_OUTPUTS,
    bfloat16_products,
    compile_network,
    freeze,
    initial_network,
    predict,
)
from moodmirror.training.text_token_batcher import TokenBatcher

WARMUP_SHARE: Final = 0.05  # of the steps
STEPS_PER_CHECKPOINT: Final = 150  # some minutes
MONITORED_TEXTS: Final = 800  # development texts on which progress is measured; for orientation, not a reported figure


class NetworkRun:
    """The training of one network, with checkpoints in a directory from which it can be resumed."""

    def __init__(self, directory: RunDirectory[TextTraining], config: TextTraining, *, resume: bool) -> None:
        """Start a run, or continue the one in `directory` if `resume` and there is one."""
        self._directory, self._config = directory, config
        self._history: list[dict[str, float]] = []
        if resume and directory.holds_run:
            self._history = directory.read_state().history
            directory.write_state(config, self._history)
        else:
            directory.start(config)

    @property
    def step(self) -> int:
        """Number of completed steps."""
        return round(self._history[-1]["step"]) if self._history else 0

    def stored_network(self) -> keras.Model | None:
        """Load the network of the last checkpoint; None if there is none."""
        return self._directory.read_network() if self._history else None

    def train(self, network: keras.Model, batches: TextBatches, monitored: TextSplit, batcher: TokenBatcher) -> None:
        """Train to the last step, with a checkpoint every STEPS_PER_CHECKPOINT steps."""
        start = time.monotonic()
        while self.step < batches.steps:
            end = min(self.step + STEPS_PER_CHECKPOINT, batches.steps)
            losses: list[dict[str, float]] = []  # of each step since the last checkpoint
            for step in range(self.step, end):
                network.optimizer.learning_rate = learning_rate(self._config, step, batches.steps)
                inputs, targets, weights = batches.at(step)
                with bfloat16_products():  # a new context for each step, because it caches converted weights
                    losses.append(network.train_on_batch(inputs, targets, sample_weight=weights, return_dict=True))
            log_probabilities = predict(network, monitored.texts, batcher)[EMOTIONS_OUTPUT]
            macro_f1 = multilabel_metrics(monitored.labels, softmax(log_probabilities, axis=1)).macro_f1
            mean = {name: float(np.mean([loss[name] for loss in losses])) for name in losses[0]}
            self._store(network, end, mean, macro_f1)
            parts = ", ".join(f"{name} {self._history[-1][name]:.3f}" for name in TRAINING_OUTPUTS)
            print(
                f"step {end}/{batches.steps}  loss {mean['loss']:.3f} ({parts})  "
                f"macro-F1 on {len(monitored)} development texts {macro_f1:.3f}  "
                f"({(time.monotonic() - start) / 60:.0f} min)",
                flush=True,
            )

    def _store(self, network: keras.Model, step: int, losses: Mapping[str, float], macro_f1: float) -> None:
        parts = {name: losses[f"{name}_loss"] for name in TRAINING_OUTPUTS}
        self._history.append({"step": step, "loss": losses["loss"], **parts, "glance_macro_f1": macro_f1})
        self._directory.write_network(network)
        self._directory.write_state(self._config, self._history)


def learning_rate(config: TextTraining, step: int, steps: int) -> float:
    """Return the learning rate of a step, 0…`steps` − 1: linear warm-up, then linear decay."""
    rise = (step + 1) / max(WARMUP_SHARE * steps, 1)
    fall = (1 - step / steps) / (1 - WARMUP_SHARE)
    return config.learning_rate * min(rise, fall, 1.0)


def fit(run: NetworkRun, corpora: TextCorpora, setup: NetworkSetup, config: TextTraining, order: int = 0) -> keras.Model:
    """Train a network to the end of its run and return it.

    Networks of one configuration differ only in `order`, the number of the order of the texts: their initial weights must be
    the same, or they could not be averaged.
    """
    keras.utils.set_random_seed(config.seed)
    batches = TextBatches(corpora, setup, config, order)
    print(
        f"training texts: {', '.join(f'{name} {len(split)}' for name, split in corpora.training.items())}, "
        f"{config.patterns} pattern sentences per epoch; development texts: {len(corpora.development)}; "
        f"{'; '.join(corpora.notes)}; {run.step} of {batches.steps} steps completed",
        flush=True,
    )
    network = run.stored_network()
    if network is None:
        network = initial_network(setup.pretrained, config, corpora.emotion_of_fine)
        if setup.frozen_layers:
            freeze(network, setup.frozen_layers)
        compile_network(network, config)
    is_monitored = np.random.default_rng(config.seed).permutation(len(corpora.development)) < MONITORED_TEXTS
    run.train(network, batches, corpora.development.select(is_monitored), setup.batcher)
    return network
