"""The commands: `make` and `flask`."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest

from moodmirror.cli.analyze_inputs import find_inputs, looks_like_path
from moodmirror.emotions import EMOTIONS
from tests.conftest import ROOT, wav

pytestmark = pytest.mark.services


def flask(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flask", *arguments],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_check_camera_reports_the_face(face_video):
    result = flask("check-camera", CAMERA=str(face_video))
    assert result.returncode == 0
    assert "The camera is live." in result.stdout
    assert "Faces: happy" in result.stdout


@pytest.mark.parametrize(
    ("camera", "message"),
    [("off", "This server has no camera."), ("97", "No camera was found."), ("none.mp4", "CAMERA must name a video file")],
)
def test_check_camera_reports_a_fault(camera, message):
    result = flask("check-camera", CAMERA=camera)
    assert result.returncode == 1
    assert message in result.stdout


def test_analyze_reads_a_text_sentence_by_sentence():
    result = flask("analyze", "I am so happy today! But I am sad and alone tonight.")
    assert result.returncode == 0
    assert re.search(r"I am so happy today! +happy +\d+%", result.stdout)
    assert re.search(r"But I am sad and alone tonight. +sad +\d+%", result.stdout)
    assert "mainly from:" in result.stdout


def test_analyze_detects_files_by_their_content(voice, portrait, tmp_path):
    note, photo = tmp_path / "note", tmp_path / "me.txt"  # names that do not fit the content
    note.write_bytes(wav(voice))
    photo.write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    result = flask("analyze", str(note), str(photo), "I am so happy today!", "--json")
    assert result.returncode == 0
    sound, picture, text = map(json.loads, result.stdout.splitlines())
    assert (sound["kind"], len(sound["course"])) == ("audio", 5)
    assert (picture["kind"], picture["label"], len(picture["faces"])) == ("image", "happy", 1)
    assert (text["kind"], text["label"]) == ("text", "happy")


def test_analyze_table_csv_and_plot_agree(face_video, tmp_path):
    plot = tmp_path / "course.png"
    table = flask("analyze", str(face_video), "I am so happy today!", "--plot", str(plot))
    assert table.returncode == 0
    assert re.search(r"happy leads in 100% of \d", table.stdout)
    rows = list(csv.DictReader(io.StringIO(flask("analyze", str(face_video), "--csv").stdout)))
    assert [row["part"] for row in rows] == ["", "0.0 s", "0.5 s", "1.0 s", "face 1"]
    for row in rows:
        assert row["mood"] == "happy"
        assert sum(float(row[emotion]) for emotion in EMOTIONS) == pytest.approx(1, abs=0.01)
        if row["part"].endswith("s"):
            assert re.search(rf"{row['part']} +happy +{round(100 * float(row['confidence']))}%", table.stdout)
    assert cv2.imread(str(plot)) is not None


def test_analyze_prints_the_windows_of_a_recording(voice, tmp_path):
    note = tmp_path / "note.wav"
    note.write_bytes(wav(voice))
    result = flask("analyze", str(note))
    assert result.returncode == 0
    assert re.findall(r"(\d\.0) s +\w+ +\d+%", result.stdout) == ["3.0", "4.0", "5.0", "6.0", "7.0"]


def test_analyze_reports_unreadable_inputs_and_reads_the_rest(face_video, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "cut.avi").write_bytes(face_video.read_bytes()[:20_000])  # a part of it can be read
    result = flask(
        "analyze", str(tmp_path / "cut.avi"), str(tmp_path / "empty.wav"), "missing.wav", "", "I am so happy today!"
    )
    assert result.returncode == 1
    assert "happy" in result.stdout
    assert "cut.avi" in result.stdout
    assert "incomplete" in result.stdout
    assert "/empty.wav: the file is empty" in result.stderr
    assert "missing.wav: there is no such file" in result.stderr
    assert "The text is empty" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("output", [(), ("--json",), ("--csv",), ("--together",)])
def test_analyze_says_that_nothing_was_found_in_a_picture_without_a_face_or_a_silent_recording(tmp_path, output):
    photo, silence = tmp_path / "noface.jpg", tmp_path / "silence.wav"
    photo.write_bytes(cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes())
    silence.write_bytes(wav(np.zeros(48_000, dtype=np.float32)))
    plot = tmp_path / "nothing.png"
    for inputs in ([photo], [photo, silence]):
        result = flask("analyze", *map(str, inputs), *output, "--plot", str(plot))
        assert result.returncode == 0, result.stderr
        assert "Traceback" not in result.stderr
        assert cv2.imread(str(plot)) is not None
        if output in ((), ("--together",)):
            assert "no face found" in result.stdout
            assert ("no speech found" in result.stdout) == (silence in inputs)
        elif output == ("--json",):
            assert [json.loads(line)["label"] for line in result.stdout.splitlines()] == [None] * len(inputs)


def test_analyze_prints_nothing_but_the_reasons_if_no_input_can_be_read(tmp_path):
    (tmp_path / "empty.jpg").write_bytes(b"")
    result = flask("analyze", str(tmp_path / "empty.jpg"), str(tmp_path / "missing one.jpg"))
    assert result.returncode == 1
    assert result.stdout == ""
    assert "the file is empty" in result.stderr
    assert "missing one.jpg: there is no such file or folder" in result.stderr


def test_analyze_walks_folders_and_says_what_it_skips(portrait, voice, tmp_path):
    content = cv2.imencode(".png", portrait)[1].tobytes()
    deeper = tmp_path / "2024" / "a day"
    deeper.mkdir(parents=True)
    (deeper / "me").write_bytes(content)
    (deeper / "other.bin").write_bytes(content)  # known by its content alone
    (tmp_path / "note.wav").write_bytes(wav(voice))
    (tmp_path / "diary.txt").write_text("I am so happy today!")
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    for leftover in ("._me.jpg", ".DS_Store", "Thumbs.db"):
        (tmp_path / leftover).write_bytes(content)
    (tmp_path / "list.csv").write_text("a,b\n")
    (tmp_path / "empty").mkdir()
    result = flask("analyze", str(tmp_path), "--json")
    names = [json.loads(line)["input"] for line in result.stdout.splitlines()]
    expected = (deeper / "me", deeper / "other.bin", tmp_path / "diary.txt", tmp_path / "note.wav")
    assert names == [str(path) for path in expected]
    assert result.returncode == 1  # because of one file
    assert "the picture is damaged" in result.stderr
    assert "1 other files were skipped: *.csv" in result.stderr
    nothing = flask("analyze", str(tmp_path / "empty"))
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "the folder has no pictures" in nothing.stderr


@pytest.mark.parametrize(
    "path",
    [
        "my holiday photo.jpg",
        "photos/*.jpg",
        "no/such/folder",
        "photos/",
        "./a",
        "~/me.png",
        "C:\\me.png",
        "notes.docx",
        "/home/me/a photo",
        "voice note.m4a",
        "a/b",
        "clip.MP4",
        "me.heic",
        "my report.xlsx",
        "photo (1).jpg",
        "IMG 1.CR3",
        "talk.mp3 ",
        "My Photos/*",
        "*.xyz",
        "my holiday photos/",
        "C:\\My Photos",
        "\\\\nas\\my share",
        "~/my photos",
    ],
)
def test_what_looks_like_a_path_and_is_missing_is_no_text(path):
    assert looks_like_path(path)
    found = find_inputs([path])
    assert found.inputs == []
    assert "there is no such file or folder. To read it as a text, use --text." in found.errors[0]


@pytest.mark.parametrize(
    "text",
    [
        "What a day.",
        "I like songs and/or films",
        "see you at 5.30 pm",
        "happy",
        "Wow... so good",
        "a" * 5000,
        "null\0byte",
        "50/50 chance that I am sad",
        "She said: hello.",
        "and/or",
        "Yes/No",
        "10/10",
        "either/or mp3 players are old",
        "work/life balance is hard",
        "/shrug I am tired",
        "I'm happy :/",
        ":-/",
        "I work with .zip",
        "I love node.js",
        "I love example.com and so on",
        "line\nme.jpg",
        "😀",
        "",
    ],
)
def test_a_sentence_is_read_as_a_text(text):
    assert [value.name for value in find_inputs([text]).inputs] == [text]


def test_a_missing_file_in_a_folder_that_exists_is_no_text(tmp_path):
    (tmp_path / "My Photos").mkdir()
    missing = os.path.relpath(tmp_path / "My Photos" / "that day", start=os.getcwd())
    assert find_inputs([missing]).inputs == []


@pytest.mark.parametrize("content", ["", "\n \n\n"])
@pytest.mark.parametrize("output", [(), ("--json",), ("--csv",)])
def test_analyze_says_that_a_file_of_lines_is_empty(tmp_path, content, output):
    lines = tmp_path / "lines.txt"
    lines.write_text(content)
    result = flask("analyze", "--file", str(lines), *output)
    assert result.returncode == 0
    assert f"{lines}: no text found" in result.stderr
    assert len(result.stdout.splitlines()) == (output == ("--csv",))  # the names of the columns


@pytest.mark.parametrize("option", [("--together",), ("--plot", "moods.png")])
def test_analyze_refuses_options_that_lines_would_not_count_in(tmp_path, option):
    lines = tmp_path / "lines.txt"
    lines.write_text("I am so happy today!\n")
    result = flask("analyze", "--file", str(lines), *option)
    assert result.returncode == 2
    assert option[0] in result.stderr
    assert result.stdout == ""


def test_analyze_reads_a_text_that_looks_like_a_path_with_an_option():
    result = flask("analyze", "--text", "happy/glad", "--json")
    assert (result.returncode, json.loads(result.stdout)["kind"]) == (0, "text")


def test_analyze_reports_the_language_of_texts():
    german, english = "Ich bin heute sehr traurig und weiß nicht, was ich tun soll.", "I am so happy today!"
    table = flask("analyze", german, english)
    assert "not read (German)" in table.stdout
    assert "Only English can be read" in table.stdout
    answers = [json.loads(line) for line in flask("analyze", german, english, "--json").stdout.splitlines()]
    assert [(answer["language"], answer["language_known"]) for answer in answers] == [("de", False), ("en", True)]
    rows = list(csv.DictReader(io.StringIO(flask("analyze", german, english, "--csv").stdout)))
    assert [row["language"] for row in rows if row["part"] == ""] == ["de", "en"]
    assert "German" in rows[0]["notes"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "cp1252"])
def test_analyze_reports_the_language_of_each_line(tmp_path, encoding):
    lines = tmp_path / "lines.txt"
    spanish = "Estoy muy triste hoy y no sé qué hacer con mi vida"
    lines.write_text(f"{spanish}\nI am so happy today!\n", encoding=encoding)
    shown = flask("analyze", "--file", str(lines)).stdout.splitlines()
    assert re.fullmatch(rf"not read +{spanish} +\(Spanish\)", shown[0])
    assert shown[1].startswith("happy")
    answers = [json.loads(line) for line in flask("analyze", "--file", str(lines), "--json").stdout.splitlines()]
    assert [(answer["language"], answer["language_known"]) for answer in answers] == [("es", False), ("en", True)]
    rows = list(csv.DictReader(io.StringIO(flask("analyze", "--file", str(lines), "--csv").stdout)))
    assert [row["language"] for row in rows] == ["es", "en"]


def test_analyze_makes_one_mood_of_a_photo_a_voice_note_and_a_sentence(portrait, voice, tmp_path):
    photo, note = tmp_path / "me.png", tmp_path / "note.wav"
    photo.write_bytes(cv2.imencode(".png", portrait)[1].tobytes())
    note.write_bytes(wav(voice))
    inputs = (str(photo), str(note), "I am so sad and lonely, I keep crying.", "Ich bin heute traurig und allein.")
    *parts, mood = [json.loads(line) for line in flask("analyze", *inputs, "--together", "--json").stdout.splitlines()]
    assert [part["kind"] for part in parts] == ["image", "audio", "text", "text"]
    assert mood["input"] == "together"
    assert set(mood["sources"]) == {"face", "speech", "text"}
    assert sum(mood["sources"].values()) == pytest.approx(1, abs=0.01)
    assert (mood["said"]["face"]["label"], mood["said"]["text"]["label"]) == ("happy", "sad")
    table = flask("analyze", *inputs, "--together")
    assert re.search(rf"together +{mood['label']} +\d+%", table.stdout)
    rows = list(csv.DictReader(io.StringIO(flask("analyze", *inputs, "--together", "--csv").stdout)))
    assert (rows[-1]["input"], rows[-1]["mood"]) == ("together", mood["label"])


def test_analyze_without_input_explains_its_arguments():
    result = flask("analyze")
    assert result.returncode == 2
    assert "Give a text in quotes" in result.stderr


def test_analyze_reads_a_file_of_lines_and_reports_unreadable_ones(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_bytes("\ufeffI am so happy today!\n\r\n".encode() + b"caf\xe9\0\1\n" + b"I am sad and alone.\r\n" * 600)
    result = flask("analyze", "--file", str(lines), "--json")
    assert result.returncode == 1
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["line"] for answer in answers] == [1, *range(4, 604)]
    assert (answers[0]["text"], answers[0]["label"]) == ("I am so happy today!", "happy")
    assert {answer["label"] for answer in answers[1:]} == {"sad"}
    assert "line 3: This is no text" in result.stderr


@pytest.mark.training  # classic features use librosa
def test_analyze_reads_voices_with_another_speech_model(tmp_path):
    """The model's tree is one leaf, so the expected mood is known: three quarters happy, a quarter sad."""
    from moodmirror.recognition.classic_speech import classic_features  # noqa: PLC0415  # librosa

    count = len(classic_features(np.zeros(48_000, np.float32)))
    leaf = {"feature": [0], "threshold": [0.0], "left": [-1], "right": [-1], "roots": [0], "shares": [[0.75, 0.25]]}
    arrays: dict[str, Any] = {name: np.array(values) for name, values in leaf.items()}
    np.savez(
        tmp_path / "model.npz",
        kind=np.array("bagging"),
        classes=np.array(["happy", "sad"]),
        mean=np.zeros(count, np.float32),
        scale=np.ones(count, np.float32),
        **arrays,
    )
    speech = np.sin(np.arange(48_000) / 16_000 * 2 * np.pi * 180) * (1 + np.sin(np.arange(48_000) / 700)) / 3
    (tmp_path / "voice.wav").write_bytes(wav(speech))
    arguments = ("analyze", str(tmp_path / "voice.wav"), "--json", "--speech-model")
    result = flask(*arguments, str(tmp_path / "model.npz"))
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert answer["vector"]["happy"] == pytest.approx(0.75, abs=1e-3)
    assert answer["vector"]["sad"] == pytest.approx(0.25, abs=1e-3)
    (tmp_path / "model.joblib").write_bytes(b"\x80\x04.")
    refused = flask(*arguments, str(tmp_path / "model.joblib"))
    assert refused.returncode == 1
    assert "Pickled models" in refused.stderr


def test_recommend_prints_recommendations_for_a_mood():
    result = flask("recommend", "--mood", "sad", "--kind", "songs", "-k", "3")
    assert result.returncode == 0
    assert result.stdout.splitlines()[0] == "Songs"
    assert len(result.stdout.splitlines()) == 1 + 3 * 2  # the title and its line, then the reason


def test_recommend_journey_leads_to_another_mood():
    result = flask("recommend", "--mood", "sad", "--mode", "journey", "--towards", "happy", "--minutes", "30", "-k", "2")
    assert result.returncode == 0
    assert "step 2 of 2, from sadness to joy" in result.stdout


def test_recommend_takes_other_names_of_an_emotion():
    arguments = ("--mode", "journey", "-k", "2", "--kind", "songs")
    other_names = flask("recommend", "--mood", "Sadness", "--towards", "pleasant_surprise", *arguments)
    assert other_names.returncode == 0, other_names.stderr
    assert other_names.stdout == flask("recommend", "--mood", "sad", "--towards", "surprise", *arguments).stdout


def test_recommend_lists_the_emotions_for_an_unknown_name():
    result = flask("recommend", "--mood", "contempt")
    assert result.returncode == 2
    assert "'angry', 'disgust', 'fear', 'happy', 'sad', 'surprise', 'neutral'" in result.stderr


def test_recommend_accepts_a_text_query_with_a_mood():
    result = flask("recommend", "--mood", "sad", "--kind", "food", "--wish", "a bowl of soup", "-k", "3")
    assert result.returncode == 0
    assert "close to your search" in result.stdout


def test_recommend_accepts_a_text_query_alone():
    result = flask("recommend", "--wish", "a bowl of soup", "--kind", "food", "-k", "3")
    assert result.returncode == 0, result.stderr
    reasons = result.stdout.splitlines()[2::2]
    assert len(reasons) == 3
    assert all("close to your search (" in reason for reason in reasons)
    assert "you feel" not in result.stdout, "the reasons mention a mood although none was given"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Give a mood, a wish, or both: --mood sad"),
        (["--wish", "  "], "Give a mood, a wish, or both: --mood sad"),
        (["--wish", "soup", "--mode", "lift"], "the mode lift needs a mood to start from"),
    ],
)
def test_recommend_explains_missing_arguments(arguments, message):
    result = flask("recommend", *arguments)
    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode", "sideways"], "'sideways' is not one of"),
        (["--mode", "journey"], "a journey needs an emotion"),
        (["--kind", "songs", "--diet", "vegan"], "'diet' does not filter songs"),
        (["--decade", "1987"], "decade must be a year that ends in 0"),
    ],
)
def test_recommend_rejects_unknown_values(arguments, message):
    result = flask("recommend", "--mood", "sad", *arguments)
    assert result.returncode == 2
    assert message in result.stderr


def test_make_help_lists_every_target():
    result = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for target in ("setup", "run", "test", "bench", "lint", "check-data"):
        assert f"make {target}" in result.stdout
