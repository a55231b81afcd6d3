"""The directory of a training run: its state, and what remains after an interruption."""

from pathlib import Path

import pytest

from moodmirror.training.run_directory import RunDirectory
from moodmirror.training.settings import FaceTraining

pytestmark = pytest.mark.training

SETTINGS = FaceTraining(epochs=3, teachers=("one.keras", "two.keras"))


class FakeNetwork:
    """A network that is saved as text, or fails in the middle of it as on a full disk."""

    def __init__(self, content: str, *, fails: bool = False) -> None:
        self.content, self.fails = content, fails

    def save(self, path: Path) -> None:
        path.write_text(self.content[: len(self.content) // 2])
        if self.fails:
            raise OSError("No space left on device")
        path.write_text(self.content)


@pytest.fixture
def run(tmp_path):
    return RunDirectory(tmp_path / "run", FaceTraining, contents=("*.keras", "teacher*/*.npy"))


def test_state_is_read_as_it_was_written(run):
    run.start(SETTINGS)
    assert run.read_state().history == []
    run.write_state(SETTINGS, [{"epoch": 1, "loss": 0.5}], averaged_steps=4)
    state = run.read_state()
    assert state.settings == SETTINGS
    assert state.history == [{"epoch": 1, "loss": 0.5}]
    assert state.counters == {"averaged_steps": 4}


def test_a_directory_without_a_run_cannot_be_resumed(run):
    assert not run.holds_run
    with pytest.raises(FileNotFoundError, match=r"run holds no run to resume: start one without --resume"):
        run.read_state()


def test_a_new_run_deletes_the_files_of_the_earlier_one(run):
    run.start(SETTINGS)
    run.write_network(FakeNetwork("earlier"))
    (run.path / "teacher1").mkdir()
    (run.path / "teacher1" / "targets.npy").touch()
    (run.path / "notes.txt").touch()
    run.start(FaceTraining(epochs=9))
    assert not run.holds_network
    assert run.read_state().settings.epochs == 9
    assert {path.name for path in run.path.rglob("*") if path.is_file()} == {"state.json", "notes.txt"}


def test_an_interrupted_start_leaves_no_run_rather_than_a_mixed_one(run, monkeypatch):
    run.start(SETTINGS)
    run.write_network(FakeNetwork("earlier"))
    unlink = Path.unlink

    def fails_at_networks(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".keras":
            raise OSError("interrupted")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", fails_at_networks)
    with pytest.raises(OSError, match="interrupted"):
        run.start(FaceTraining(epochs=9))
    assert not run.holds_run


def test_an_interrupted_save_leaves_the_earlier_network_whole(run):
    run.start(SETTINGS)
    run.write_network(FakeNetwork("earlier"))
    with pytest.raises(OSError, match="No space"):
        run.write_network(FakeNetwork("a longer network", fails=True))
    assert (run.path / "last.keras").read_text() == "earlier"
