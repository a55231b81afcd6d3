"""The commands: `make` and `flask`."""

import csv
import io
import json
import os
import re
import subprocess
import sys

import cv2
import pytest

from moodmirror.emotions import EMOTIONS
from tests.conftest import ROOT, wav


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
    [("off", "This server has no camera."), ("97", "No camera was found."), ("none.mp4", "CAMERA must name a video file")],
)
def test_check_camera_says_what_is_wrong(camera, words):
    done = flask("check-camera", CAMERA=camera)
    assert done.returncode == 1
    assert words in done.stdout


def test_analyze_reads_a_text_sentence_by_sentence():
    done = flask("analyze", "I am so happy today! But I am sad and alone tonight.")
    assert done.returncode == 0
    assert re.search(r"I am so happy today! +happy +\d+%", done.stdout)
    assert re.search(r"But I am sad and alone tonight. +sad +\d+%", done.stdout)
    assert "most by:" in done.stdout


def test_analyze_reads_files_by_what_they_hold(voice, portrait, tmp_path):
    note, photo = tmp_path / "note", tmp_path / "me.txt"  # whatever they are called
    note.write_bytes(wav(voice))
    photo.write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    done = flask("analyze", str(note), str(photo), "I am so happy today!", "--json")
    assert done.returncode == 0
    sound, picture, text = map(json.loads, done.stdout.splitlines())
    assert (sound["kind"], len(sound["course"])) == ("audio", 5)
    assert (picture["kind"], picture["label"], len(picture["faces"])) == ("image", "happy", 1)
    assert (text["kind"], text["label"]) == ("text", "happy")


def test_analyze_tells_the_same_as_a_table_as_csv_and_as_a_drawing(face_video, tmp_path):
    drawing = tmp_path / "course.png"
    table = flask("analyze", str(face_video), "I am so happy today!", "--plot", str(drawing))
    assert table.returncode == 0
    assert re.search(r"happy leads in 100% of \d", table.stdout)
    rows = list(csv.DictReader(io.StringIO(flask("analyze", str(face_video), "--csv").stdout)))
    assert [row["part"] for row in rows] == ["", "0.0 s", "0.5 s", "1.0 s", "face 1"]
    for row in rows:
        assert row["mood"] == "happy"
        assert sum(float(row[emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=0.01)
        if row["part"].endswith("s"):
            assert re.search(rf"{row['part']} +happy +{round(100 * float(row['confidence']))}%", table.stdout)
    assert cv2.imread(str(drawing)) is not None


def test_analyze_prints_the_course_of_a_recording(voice, tmp_path):
    note = tmp_path / "note.wav"
    note.write_bytes(wav(voice))
    done = flask("analyze", str(note))
    assert done.returncode == 0
    assert re.findall(r"(\d\.0) s +\w+ +\d+%", done.stdout) == ["3.0", "4.0", "5.0", "6.0", "7.0"]


def test_analyze_names_what_it_cant_read_and_reads_the_rest(face_video, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cut.avi").write_bytes(face_video.read_bytes()[:20_000])
    done = flask(
        "analyze", str(tmp_path / "cut.avi"), str(tmp_path / "empty.wav"), "missing.wav", "", "I am so happy today!"
    )
    assert done.returncode == 1
    assert "happy" in done.stdout
    assert "the clip is damaged" in done.stderr
    assert "the file is empty" in done.stderr
    assert "missing.wav: there is no such file" in done.stderr
    assert "The text is empty" in done.stderr
    assert "Traceback" not in done.stderr


def test_analyze_without_input_says_what_it_takes():
    done = flask("analyze")
    assert done.returncode == 2
    assert "Give a text in quotes" in done.stderr


def test_analyze_reads_a_file_of_lines_and_names_those_it_cant_read(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_bytes("\ufeffI am so happy today!\n\r\n".encode() + b"caf\xe9\n" + b"I am sad and alone.\r\n" * 600)
    done = flask("analyze", "--file", str(lines), "--json")
    assert done.returncode == 1
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, *range(4, 604)]
    assert (answers[0]["text"], answers[0]["label"]) == ("I am so happy today!", "happy")
    assert {answer["label"] for answer in answers[1:]} == {"sad"}
    assert "line 3: The text is not UTF-8" in done.stderr


def test_recommend_prints_what_suits():
    done = flask("recommend", "--mood", "sad", "--kind", "songs", "-k", "3")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "Songs"
    assert len(done.stdout.splitlines()) == 1 + 3 * 2  # the title and its line, then the reason


def test_recommend_leads_from_one_mood_to_another():
    done = flask("recommend", "--mood", "sad", "--mode", "journey", "--towards", "happy", "--minutes", "30", "-k", "2")
    assert done.returncode == 0
    assert "step 2 of 2, from sadness to joy" in done.stdout


def test_recommend_takes_a_wish_in_own_words():
    done = flask("recommend", "--mood", "sad", "--kind", "food", "--wish", "a bowl of soup", "-k", "3")
    assert done.returncode == 0
    assert "close to your wish" in done.stdout


def test_recommend_does_with_a_wish_alone():
    done = flask("recommend", "--wish", "a bowl of soup", "--kind", "food", "-k", "3")
    assert done.returncode == 0, done.stderr
    reasons = done.stdout.splitlines()[2::2]
    assert len(reasons) == 3
    assert all("close to your wish (" in reason for reason in reasons)
    assert "you feel" not in done.stdout, "a mood that nobody stated was spoken of"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Say what to go by: --mood sad"),
        (["--wish", "  "], "Say what to go by: --mood sad"),
        (["--wish", "soup", "--mode", "lift"], "the mode lift needs a mood to start from"),
    ],
)
def test_recommend_says_what_it_needs_to_go_by(arguments, words):
    done = flask("recommend", *arguments)
    assert done.returncode == 2
    assert words in done.stderr


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
