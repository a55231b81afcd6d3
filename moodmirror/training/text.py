"""Train the text network: fine-tune a pre-trained sentence encoder to classify seven emotions.

The steps are in modules of their own: :mod:`.text_encoder` (pre-trained encoder), :mod:`.text_batches` (sampling),
:mod:`.text_teachers` (distillation), :mod:`.text_training_loop` (one network) and :mod:`.text_export`. Every Keras backend
can train; only the export starts TensorFlow, in a process of its own.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from moodmirror.recognition.text_network import TOKENIZER_FILE
from moodmirror.training.atomic_files import write_text
from moodmirror.training.settings import TextTraining
from moodmirror.training.text_batches import NetworkSetup, anchor_vectors
from moodmirror.training.text_corpora import load_for_training
from moodmirror.training.text_encoder import encoder_folder, load_pretrained
from moodmirror.training.text_export import export
from moodmirror.training.text_run import (
    ANCHORS,
    TOKEN_COUNTS,
    network_directories,
    other_network_directories,
    text_run_directory,
)
from moodmirror.training.text_teachers import distill_teachers, load_teacher_predictions, train_specialist
from moodmirror.training.text_token_batcher import TokenBatcher, count_tokens
from moodmirror.training.text_training_loop import NetworkRun, fit


def train(data: Path, *, config: TextTraining, run_dir: Path, models_dir: Path, resume: bool) -> None:
    """Train on the corpora at `data`, then export, evaluate and describe the result in `models_dir`.

    Checkpoints are stored in `run_dir`. With `resume` the run there continues with its stored configuration, except for the
    numbers of epochs and networks and the networks averaged from other runs: a run may be extended or shortened.
    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no encoder or nothing to resume,
    ModelError for networks that can't be averaged: all before anything is trained.
    """
    run = text_run_directory(run_dir)
    if resume:
        stored = run.read_state().settings
        config = replace(stored, epochs=config.epochs, networks=config.networks, also_averaged=config.also_averaged)
    pretrained = load_pretrained(encoder_folder(config.encoder))
    encoder_folder(config.teacher_encoder)
    corpora = load_for_training(data, config)
    print(f"{len(corpora.training['GoEmotions'])} GoEmotions texts; {'; '.join(corpora.notes)}", flush=True)
    goemotions = corpora.training["GoEmotions"]
    other_predictions = [load_teacher_predictions(Path(path), goemotions) for path in config.also_taught]
    other_network_directories(config)
    if resume:
        run.write_state(config, [])
    else:
        run.start(config)
    counts = count_tokens(corpora.training.values(), pretrained.tokenizer)
    np.save(run_dir / TOKEN_COUNTS, counts)
    write_text(run_dir / TOKENIZER_FILE, pretrained.tokenizer.to_str())
    batcher = TokenBatcher(pretrained.tokenizer, counts, config.most_tokens)
    anchors = anchor_vectors(pretrained, corpora, batcher, config, path=run_dir / ANCHORS)
    setup = NetworkSetup(pretrained, batcher, anchors)
    if config.folds or other_predictions:
        corpora = distill_teachers(corpora, other_predictions, setup, config, run_dir, resume=resume)
    if config.specialist_share or config.specialist_share_of_patterns:
        setup = replace(setup, specialist=train_specialist(corpora, setup, config, run_dir, resume=resume))
    for number, directory in enumerate(network_directories(run_dir, config)):
        print(f"network {number + 1} of {config.networks}", flush=True)
        fit(NetworkRun(directory, config, resume=resume), corpora, setup, config, order=number)
    export(corpora, config=config, run_dir=run_dir, models_dir=models_dir)


def export_run(data: Path, *, run_dir: Path, models_dir: Path) -> None:
    """Export and evaluate the run in `run_dir` in its current state, without training.

    Raises CorpusError for a corpus that can't be read, FileNotFoundError if there is no run.
    """
    config = text_run_directory(run_dir).read_state().settings
    export(load_for_training(data, config), config=config, run_dir=run_dir, models_dir=models_dir)
