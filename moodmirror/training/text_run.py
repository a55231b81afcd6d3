"""The directory of a text training run and those of its networks.

The directory of a run contains its settings, token counts, tokenizer, anchor vectors and teacher predictions, and a
directory for each network with checkpoint, settings and history: ``network1`` …, ``teacher1`` …, ``specialist``.
"""

from pathlib import Path
from typing import Final

from moodmirror.recognition.model_files import ModelError
from moodmirror.training.run_directory import NETWORK_FILE, STATE_FILE, RunDirectory
from moodmirror.training.settings import TextTraining

SPECIALIST: Final = "specialist"  # directory
TOKEN_COUNTS: Final = "token_counts.npy"  # occurrences of each token in the training texts
TEACHER_PREDICTIONS: Final = "taught.npy"  # of GoEmotions' training texts, float32 [n, 28]
ANCHORS: Final = "anchors.npy"  # pre-trained sentence vectors

# What a new run deletes of an earlier one.
_CONTENTS: Final = (
    *(f"{folder}/{name}" for folder in ("network*", "teacher*", SPECIALIST) for name in (STATE_FILE, NETWORK_FILE)),
    TEACHER_PREDICTIONS,
    ANCHORS,
)


def text_run_directory(path: Path) -> RunDirectory[TextTraining]:
    """Return the directory of a whole run."""
    return RunDirectory(path, TextTraining, contents=_CONTENTS)


def network_directory(path: Path) -> RunDirectory[TextTraining]:
    """Return the directory of one network of a run."""
    return RunDirectory(path, TextTraining)


def network_directories(run_dir: Path, config: TextTraining) -> list[RunDirectory[TextTraining]]:
    """Return the directories of the networks of a run that are averaged."""
    return [network_directory(run_dir / f"network{number + 1}") for number in range(config.networks)]


def other_network_directories(config: TextTraining) -> list[RunDirectory[TextTraining]]:
    """Return the directories of the networks of other runs that are averaged too.

    Raises FileNotFoundError if one is missing, ModelError if one can't be averaged with the networks of this run.
    """
    directories = [network_directory(Path(folder)) for folder in config.also_averaged]
    for directory in directories:
        if not directory.holds_network:
            raise FileNotFoundError(
                f"{directory.path} contains no network. Pass --also-averaged folders such as runs/text/network1"
            )
        settings = directory.read_state().settings
        if (settings.seed, settings.encoder) != (config.seed, config.encoder):
            raise ModelError(
                f"The network in {directory.path} started from another seed or encoder, so it can't be averaged with this "
                "run's. Leave it out of --also-averaged"
            )
    return directories
