"""Store a training run in a directory, so that it can be resumed with its own settings after an interruption."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import keras

from moodmirror.training.atomic_files import write_network, write_text

STATE_FILE: Final = "state.json"  # settings, history and counters
NETWORK_FILE: Final = "last.keras"  # the network as far as it is trained, with its optimizer

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class RunState(Generic[Settings]):
    """The state of a run: its settings, one history entry per checkpoint, and counters that a resumed run continues."""

    settings: Settings
    history: list[dict[str, float]]
    counters: dict[str, int]


class RunDirectory(Generic[Settings]):
    """The directory of one training run.

    A new run first deletes the files of an earlier one, the state before all others: after an interruption the directory
    holds the earlier run, no run, or the new run, but never parts of both. All files are written atomically.
    """

    def __init__(self, path: Path, settings_type: type[Settings], *, contents: Sequence[str] = (NETWORK_FILE,)) -> None:
        """`contents` are the glob patterns, relative to `path`, of the files that a new run deletes beside the state."""
        self.path = path
        self._settings_type = settings_type
        self._contents = contents

    @property
    def holds_run(self) -> bool:
        """Whether a run was started here."""
        return (self.path / STATE_FILE).is_file()

    @property
    def holds_network(self) -> bool:
        """Whether the run has stored its network."""
        return (self.path / NETWORK_FILE).is_file()

    def start(self, settings: Settings) -> None:
        """Delete the files of an earlier run and store the settings of a new one. Call it once nothing can fail any more."""
        (self.path / STATE_FILE).unlink(missing_ok=True)
        for pattern in self._contents:
            for file in self.path.glob(pattern):
                file.unlink()
        self.write_state(settings, [])

    def read_state(self) -> RunState[Settings]:
        """Read the state of the run. Raises FileNotFoundError if there is none."""
        if not self.holds_run:
            raise FileNotFoundError(f"{self.path} holds no run to resume: start one without --resume and --export")
        state: dict[str, Any] = json.loads((self.path / STATE_FILE).read_text(encoding="utf-8"))
        config = {name: tuple(value) if isinstance(value, list) else value for name, value in state.pop("config").items()}
        return RunState(self._settings_type(**config), state.pop("history"), state)

    def write_state(self, settings: Settings, history: list[dict[str, float]], **counters: int) -> None:
        """Write the state of the run, in place of the one before."""
        self.path.mkdir(parents=True, exist_ok=True)
        state = {"config": asdict(settings), "history": history, **counters}  # type: ignore[call-overload]
        write_text(self.path / STATE_FILE, json.dumps(state, indent=1))

    def read_network(self) -> keras.Model:
        """Load the network with its optimizer, to train it further."""
        return keras.models.load_model(self.path / NETWORK_FILE)

    def write_network(self, network: keras.Model) -> None:
        """Write the network with its optimizer, in place of the one before."""
        write_network(self.path / NETWORK_FILE, network)
