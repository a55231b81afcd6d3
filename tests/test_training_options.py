"""The command line of train.py: one option per setting, and a quick start."""

import subprocess
import sys
from dataclasses import fields

import pytest

import train
from moodmirror.training import face, speech, text
from moodmirror.training.settings import FaceTraining, SpeechTraining, TextTraining
from tests.conftest import ROOT

pytestmark = pytest.mark.training

TRAININGS = [("face", face, FaceTraining), ("speech", speech, SpeechTraining), ("text", text, TextTraining)]
TRAININGS_BY_NAME = {name: settings for name, _, settings in TRAININGS}


def settings_of(monkeypatch, module, arguments):
    """Return the settings that train.py passes to the training for these arguments."""
    passed = []
    monkeypatch.setattr(module, "train", lambda data, *, config, **_: passed.append(config))
    assert train.main(arguments) == 0
    return passed[0]


@pytest.mark.parametrize(("command", "module", "settings_type"), TRAININGS)
def test_without_options_the_settings_have_their_defaults(monkeypatch, command, module, settings_type):
    assert settings_of(monkeypatch, module, [command, "--data", "x"]) == settings_type()


@pytest.mark.parametrize(("command", "module", "settings_type"), TRAININGS)
def test_every_setting_has_an_option(monkeypatch, command, module, settings_type):
    arguments, expected = [command, "--data", "x"], {}
    for field in fields(settings_type):
        arguments.append(field.metadata["flag"] or f"--{field.name.replace('_', '-')}")
        text = field.metadata["choices"][-1] if field.metadata["choices"] else "x"
        names = ["happy", "sad"] if field.name == "emotions" else ["/a.keras", "/b.keras"]
        value = {int: 3, float: 0.125, str: text, tuple: names, bool: True}[type(field.default)]
        arguments += value if isinstance(value, list) else [] if value is True else [str(value)]
        expected[field.name] = value
    if command == "text":  # there --model is no setting: it selects another training
        arguments += ["--model", "transformer"]
    config = settings_of(monkeypatch, module, arguments)
    assert {name: list(v) if isinstance(v, tuple) else v for name, v in vars(config).items()} == expected


@pytest.mark.parametrize("command", ["face", "speech", "text", "fusion"])
def test_help_describes_every_option(command, capsys):
    with pytest.raises(SystemExit):
        train.main([command, "--help"])
    assert "--seed" in capsys.readouterr().out


def test_the_command_line_starts_without_a_training_framework():
    code = "import sys, train; print([name for name in ('tensorflow', 'keras', 'torch', 'sklearn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", ["face", "speech", "text", "fusion"])
@pytest.mark.parametrize("abbreviation", [["--models", "vgg"], ["--dat", "x"], ["--see", "3"]])
def test_an_abbreviated_option_is_refused(command, abbreviation, capsys):
    """--model was once read as --models-dir, and a training of hours began."""
    data = ["face=x", "speech=x"] if command == "fusion" else ["x"]
    with pytest.raises(SystemExit):
        train.main([command, "--data", *data, *abbreviation])
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(("command", "module"), [("face", face), ("speech", speech), ("text", text)])
def test_a_quick_run_is_shorter_and_has_directories_of_its_own(monkeypatch, capsys, command, module):
    passed = {}
    monkeypatch.setattr(module, "train", lambda data, **given: passed.update(given))
    assert train.main([command, "--data", "x", "--quick"]) == 0
    assert passed["config"].quick
    assert passed["config"].epochs < TRAININGS_BY_NAME[command]().epochs
    assert passed["run_dir"].name.endswith("-quick")
    assert passed["models_dir"] == passed["run_dir"] / "models"
    assert "QUICK RUN" in capsys.readouterr().out
    assert train.main([command, "--data", "x", "--quick", "--epochs", "2", "--models-dir", "here"]) == 0
    assert passed["config"].epochs == 2
    assert str(passed["models_dir"]) == "here"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["happy,sad,neutral"], ("happy", "sad", "neutral")),
        (["Happiness", "surprised,PS"], ("happy", "surprise")),
        (["anger,", "fearful"], ("angry", "fear")),
    ],
)
@pytest.mark.parametrize(("command", "module"), [("face", face), ("speech", speech), ("text", text)])
def test_emotions_are_chosen_by_any_of_their_names(monkeypatch, command, module, given, expected):
    assert settings_of(monkeypatch, module, [command, "--data", "x", "--emotions", *given]).emotions == expected


def test_calm_is_a_class_of_its_own_in_speech_only(monkeypatch):
    arguments = ["--data", "x", "--emotions", "calm,happy"]
    assert settings_of(monkeypatch, speech, ["speech", *arguments]).emotions == ("calm", "happy")
    assert settings_of(monkeypatch, face, ["face", *arguments]).emotions == ("neutral", "happy")


@pytest.mark.parametrize(
    ("given", "message"), [("contempt,sad", "use one of angry, disgust"), ("sad", "at least two emotions")]
)
def test_unknown_emotions_or_a_single_one_are_an_error(capsys, given, message):
    assert train.main(["face", "--data", "x", "--emotions", given]) == 1
    assert message in capsys.readouterr().err


def test_several_paths_of_faces_are_passed_on(monkeypatch):
    passed = []
    monkeypatch.setattr(face, "train", lambda data, **_: passed.extend(data))
    assert train.main(["face", "--data", "a", "b"]) == 0
    assert list(map(str, passed)) == ["a", "b"]
