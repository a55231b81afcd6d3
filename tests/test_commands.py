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
    assert len(done.stdout.splitlines()) == 4


def test_make_help_names_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("setup", "run", "test", "bench", "lint"):
        assert f"make {target}" in done.stdout
