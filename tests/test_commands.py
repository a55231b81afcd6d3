"""The commands: `make` and `flask`."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


def flask(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_camera_reads_the_face_it_sees(face_video):
    done = flask("check-camera", CAMERA=str(face_video))
    assert done.returncode == 0
    assert "The camera is live." in done.stdout
    assert "Faces: happy" in done.stdout


@pytest.mark.parametrize(
    ("camera", "words"),
    [("off", "This server has no camera."), ("97", "No camera answers."), ("none.mp4", "CAMERA must name a video file")],
)
def test_check_camera_says_what_is_wrong(camera, words):
    done = flask("check-camera", CAMERA=camera)
    assert done.returncode == 1
    assert words in done.stdout


def test_recommend_prints_what_suits():
    done = flask("recommend", "--mood", "sad", "--kind", "songs", "-k", "3")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Songs"
    assert len(done.stdout.splitlines()) == 1 + 3 * 2  # the title and its line, then the reason


def test_recommend_leads_from_one_mood_to_another():
    done = flask("recommend", "--mood", "sad", "--mode", "journey", "--towards", "happy", "--minutes", "30", "-k", "2")
    assert done.returncode == 0
    assert "step 2 of 2, from sadness to joy" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "sideways"], "'sideways' is not one of"),
        (["--mode", "journey"], "a journey needs an emotion"),
        (["--kind", "songs", "--diet", "vegan"], "'diet' does not filter songs"),
        (["--decade", "1987"], "decade must be a year that ends in 0"),
    ],
)
def test_recommend_refuses_what_it_does_not_know(arguments, words):
    done = flask("recommend", "--mood", "sad", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_make_help_names_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("setup", "run", "test", "bench", "lint", "check-data"):
        assert f"make {target}" in done.stdout
