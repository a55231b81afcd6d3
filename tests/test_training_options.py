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
        value = {int: 3, float: 0.125, str: "rnn", tuple: ["/a.keras", "/b.keras"]}[type(field.default)]
        arguments.append(field.metadata["flag"] or f"--{field.name.replace('_', '-')}")
        arguments += value if isinstance(value, list) else [str(value)]
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
