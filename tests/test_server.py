"""The site under real gunicorn: pages, the HTTP API, the camera stream, start and stop."""

import io
import itertools
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from flask import request

from app import app
from moodmirror.app_factory import create_app
from moodmirror.camera.annotation import ACCENT_BGR
from moodmirror.config import CameraSource, Config
from moodmirror.emotions import EMOTIONS
from moodmirror.media import decoder_worker
from moodmirror.recognition.audio import SAMPLE_RATE, read_sound
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.speech import SpeechEmotionRecognizer
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.services import EXTENSION
from tests.clips import clip, encode_picture
from tests.conftest import ROOT, Server, Viewer, running, serving, wav

pytestmark = pytest.mark.services


def get(server: Server, path: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def post(server: Server, path: str, body: bytes, content_type: str) -> tuple[int, dict[str, str], Any]:
    request = urllib.request.Request(server.url + path, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), json.load(error)


def vector_of(answer: dict[str, Any]) -> list[float]:
    return [answer["vector"][emotion] for emotion in EMOTIONS]


def form(*files: bytes) -> tuple[bytes, str]:
    """Return a form with files, as a browser sends it, and its content type."""
    parts = [
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="note.wav"\r\n\r\n' + file + b"\r\n"
        for file in files
    ]
    return b"".join(parts) + b"--edge--\r\n", "multipart/form-data; boundary=edge"


def has_box(jpeg: bytes) -> bool:
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return int((np.abs(picture.astype(int) - ACCENT_BGR).max(axis=2) < 40).sum()) > 400


class TestStream:
    def test_parts_are_jpegs_with_a_drawn_box(self, filming):
        with Viewer(filming) as viewer:
            for number, jpeg in enumerate(viewer.parts()):
                assert jpeg.startswith(b"\xff\xd8")
                assert jpeg.endswith(b"\xff\xd9")
                if has_box(jpeg):
                    break
                assert number < 200, "no frame had a box"

    def test_a_viewer_who_reads_nothing_does_not_delay_two_others(self, filming):
        with Viewer(filming, receive_buffer=4096), Viewer(filming) as one, Viewer(filming) as other:
            counts: queue.Queue[int] = queue.Queue()

            def view(viewer: Viewer) -> None:
                counts.put(sum(has_box(jpeg) for jpeg in itertools.islice(viewer.parts(), 60)))

            for viewer in (one, other):
                threading.Thread(target=view, args=(viewer,), daemon=True).start()
            # Sixty frames each: far more than the silent one's buffers could have let through.
            assert counts.get(timeout=90) > 30
            assert counts.get(timeout=90) > 30
            assert get(filming, "/healthz")[0] == 200

    def test_viewers_above_the_limit_are_refused_with_a_message(self, face_video, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="1") as server, Viewer(server) as viewer:
            next(viewer.parts())
            status, headers, _ = get(server, "/stream.mjpg")
            assert status == 503
            assert int(headers["Retry-After"]) > 0

    def test_simultaneous_viewers_never_exceed_the_limit(self, face_video, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="2") as server, ExitStack() as stack:
            viewers = [stack.enter_context(Viewer(server)) for _ in range(12)]
            answers = [viewer.headers()[0].split()[1] for viewer in viewers]
            assert sorted(answers) == [b"200"] * 2 + [b"503"] * 10

    def test_a_viewer_who_stops_reading_loses_the_slot(self, face_video, tmp_path):
        with (
            serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="1") as server,
            Viewer(server, receive_buffer=4096) as silent,
        ):
            silent.headers()
            assert get(server, "/stream.mjpg")[0] == 503
            for _ in range(600):
                with Viewer(server) as viewer:
                    if b"200" in viewer.headers()[0]:
                        break
                threading.Event().wait(0.1)  # the end of the connection sends no event
            else:
                pytest.fail("the silent viewer kept the only place")
        assert "Traceback" not in (tmp_path / "log").read_text()

    def test_a_server_without_camera_has_no_stream(self, hosted):
        assert get(hosted, "/stream.mjpg")[0] == 404


class TestPages:
    def test_a_running_server_is_healthy_and_ready(self, hosted):
        assert get(hosted, "/healthz")[0] == 200
        status, _, body = get(hosted, "/readyz")
        assert (status, json.loads(body)) == (200, {"status": "ready", "camera": "off", "problems": []})

    def test_a_failing_camera_makes_the_server_not_ready_with_a_reason(self, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(tmp_path / "none.mp4")) as server, Viewer(server) as viewer:
            for _ in viewer.parts():
                if get(server, "/readyz")[0] == 503:
                    break
            assert "CAMERA must name a video file" in json.loads(get(server, "/readyz")[2])["problems"][0]
            assert get(server, "/")[0] == 200

    def test_pages_load_nothing_from_other_hosts(self, hosted):
        _, headers, body = get(hosted, "/")
        # Where a person may go of their own will is not what the page fetches.
        sources = re.findall(r'<(?!a\s)[^>]*?\s(?:src|href)="([^"]+)"', body.decode())
        assert sources
        assert all(re.match(r"#|/(?!/)", source) for source in sources)
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        for source in {source.partition("#")[0] for source in sources} - {""}:
            assert get(hosted, source)[0] == 200

    def test_the_mood_is_null_without_a_camera(self, hosted):
        assert json.loads(get(hosted, "/api/mood")[2])["label"] is None


class TestRecommendations:
    def test_each_table_has_ten_rows_with_links(self, hosted):
        status, _, body = get(hosted, "/api/recommendations?mood=sad")
        tables = json.loads(body)
        assert status == 200
        assert set(tables) == {"songs", "movies", "food", "activities"}
        for rows in tables.values():
            assert len(rows) == 10
            for row in rows:
                assert row["title"]
                assert row["about"]
                assert row["why"]
                assert all(link["url"].startswith("https://") for link in row["links"])

    def test_every_emotion_has_its_own_recommendations(self, hosted):
        answers = [get(hosted, f"/api/recommendations?mood={emotion}&k=3")[2] for emotion in EMOTIONS]
        assert len(set(answers)) == len(EMOTIONS)

    @pytest.mark.parametrize(
        "query", ["", "mood=bored", "mood=sad&k=0", "mood=sad&k=x", "mood=sad&k=101", "mood=sad&mode=no"]
    )
    def test_an_invalid_query_gets_problem_details(self, hosted, query):
        status, headers, body = get(hosted, f"/api/recommendations?{query}")
        assert status == 400
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["detail"]


class TestAnalyzeText:
    TEXT = "I am so happy today! 😀 But I am sad that you can't be here."

    def test_json_and_plain_text_get_the_result_of_the_python_call(self, hosted):
        status, _, answer = post(hosted, "/api/analyze/text", json.dumps({"text": self.TEXT}).encode(), "application/json")
        assert status == 200
        assert answer == post(hosted, "/api/analyze/text", self.TEXT.encode(), "text/plain")[2]
        expected = TextEmotionRecognizer.load().read(self.TEXT)
        assert vector_of(answer) == pytest.approx(expected.vector, abs=1e-3)
        assert answer["label"] == expected.label
        assert answer["language_known"]

    def test_segments_and_words_have_the_stated_positions(self, hosted):
        answer = post(hosted, "/api/analyze/text", self.TEXT.encode(), "text/plain")[2]
        parts = [self.TEXT[part["start"] : part["end"]].strip() for part in answer["course"]]
        assert parts[0].startswith("I am so happy today!")
        assert parts[-1].endswith("But I am sad that you can't be here.")
        assert answer["course"][0]["label"] == "happy"
        words = [self.TEXT[word["start"] : word["end"]] for word in answer["words"]]
        assert words
        assert set(words) <= set(self.TEXT.split())

    def test_an_unsupported_language_is_reported(self, hosted):
        text = "Сегодня я получил новую работу, и мы долго праздновали с друзьями."
        answer = post(hosted, "/api/analyze/text", text.encode(), "text/plain; charset=utf-8")[2]
        assert (answer["language"], answer["language_known"], answer["label"]) == ("ru", False, "neutral")
        assert "Russian" in answer["notices"][0]
        assert answer["readings"] == []

    @pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
    def test_plain_text_in_another_encoding_is_read(self, hosted, encoding):
        body = "I am so happy in this café".encode(encoding)
        status, _, answer = post(hosted, "/api/analyze/text", body, "text/plain")
        assert (status, answer["label"], answer["language"]) == (200, "happy", "en")

    @pytest.mark.parametrize(
        ("body", "content_type", "expected"),
        [
            (b"", "text/plain", 400),
            (b" \n ", "text/plain", 400),
            (b"\0\1\2", "text/plain", 400),
            (b"caf\xe9\1", "text/plain", 400),
            (b"word " * 5000, "text/plain", 400),
            (b"a" * 1_000_000, "text/plain", 413),
            (b"hello", "text/plain; charset=latin-1", 415),
            (b"hello", "application/x-www-form-urlencoded", 415),
            (b"hello", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b'"hello"', "application/json", 400),
            (b'{"text": 3}', "application/json", 400),
            (b'{"text": "hello", "language": "en"}', "application/json", 400),
            (b"[" * 100_000, "application/json", 400),
        ],
    )
    def test_unreadable_content_gets_one_clear_error(self, hosted, body, content_type, expected):
        status, headers, answer = post(hosted, "/api/analyze/text", body, content_type)
        assert status == answer["status"] == expected
        assert headers["Content-Type"] == "application/problem+json"
        assert len(answer["detail"]) > 10

    def test_other_methods_and_unknown_paths_get_problem_details(self, hosted):
        for path, expected in (("/api/analyze/text", 405), ("/api/analyze/smell", 404)):
            status, headers, body = get(hosted, path)
            assert (status, headers["Content-Type"]) == (expected, "application/problem+json")
            assert json.loads(body)["detail"]
        assert "text/html" in get(hosted, "/nothing")[1]["Content-Type"]


def mixed_form(*parts: tuple[str, str | None, bytes]) -> tuple[bytes, str]:
    """Return a form with files and texts: each part's field, its file name or None, and its content."""
    encoded = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (f'; filename="{file_name}"'.encode() if file_name else b"")
        + b"\r\n\r\n"
        + content
        + b"\r\n"
        for name, file_name, content in parts
    ]
    return b"".join(encoded) + b"--edge--\r\n", "multipart/form-data; boundary=edge"


class TestAnalyzeTogether:
    def test_a_photo_a_voice_note_and_a_sentence_make_one_mood(self, hosted, portrait, voice):
        photo = cv2.imencode(".png", portrait)[1].tobytes()
        parts = [("file", "me.png", photo), ("file", "note.wav", wav(voice)), ("text", None, b"I am so sad, I keep crying.")]
        status, _, answer = post(hosted, "/api/analyze", *mixed_form(*parts))
        assert status == 200
        assert [part["name"] for part in answer["parts"]] == ["me.png", "note.wav", "text"]
        assert [part["problem"] for part in answer["parts"]] == [None] * 3
        photo_alone = post(hosted, "/api/analyze/image", photo, "image/png")[2]
        assert answer["parts"][0]["analysis"] == photo_alone
        mood = answer["together"]
        assert set(mood["sources"]) == {"face", "speech", "text"}
        assert (mood["said"]["face"]["label"], mood["said"]["text"]["label"]) == ("happy", "sad")
        assert sum(mood["vector"].values()) == pytest.approx(1, abs=0.01)

    def test_one_part_has_the_mood_of_its_own_analysis(self, hosted):
        answer = post(hosted, "/api/analyze", *mixed_form(("text", None, b"I am so happy today!")))[2]
        assert answer["together"]["vector"] == answer["parts"][0]["analysis"]["vector"]

    def test_a_part_that_can_not_be_read_has_a_problem_and_the_others_count(self, hosted):
        form = mixed_form(("file", "cut.jpg", b"\xff\xd8\xff"), ("text", None, b"I am so happy today!"))
        status, _, answer = post(hosted, "/api/analyze", *form)
        assert status == 200
        assert answer["parts"][0]["analysis"] is None
        assert "damaged" in answer["parts"][0]["problem"]["detail"]
        assert answer["together"]["label"] == "happy"
        nothing = post(hosted, "/api/analyze", *mixed_form(("file", "cut.jpg", b"\xff\xd8\xff")))[2]
        assert nothing["together"]["label"] is None

    @pytest.mark.parametrize(
        ("parts", "reason"),
        [
            ([], "one to 8 files and texts, but holds 0"),
            ([("text", None, b"hello")] * 9, "but holds 9"),
            ([("words", None, b"hello")], "has a field 'words'"),
        ],
    )
    def test_an_invalid_form_is_refused_with_the_reason(self, hosted, parts, reason):
        status, headers, answer = post(hosted, "/api/analyze", *mixed_form(*parts))
        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        assert reason in answer["detail"]

    def test_the_progress_of_all_parts_is_streamed(self, hosted):
        body, content_type = mixed_form(("text", None, b"I am so happy today!"), ("text", None, b"I am sad."))
        request = urllib.request.Request(
            f"{hosted.url}/api/analyze", body, {"Content-Type": content_type, "Accept": "application/x-ndjson"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            lines = [json.loads(line) for line in response]
        assert [line["progress"] for line in lines[:-1]] == sorted(line["progress"] for line in lines[:-1])
        assert len(lines[-1]["analysis"]["parts"]) == 2


class TestRecommendationsForAVector:
    def test_the_vector_of_an_analysis_gets_recommendations(self, hosted):
        vector = post(hosted, "/api/analyze/text", b"I am so sad and lonely.", "text/plain")[2]["vector"]
        query = urllib.parse.urlencode({"vector": json.dumps(vector)})
        status, _, body = get(hosted, f"/api/recommendations?{query}")
        assert status == 200
        numbers = urllib.parse.urlencode({"vector": ",".join(str(vector[emotion]) for emotion in EMOTIONS)})
        assert json.loads(get(hosted, f"/api/recommendations?{numbers}")[2]) == json.loads(body)

    @pytest.mark.parametrize("vector", ["1,2", "a,b,c,d,e,f,g", '{"bored": 1}', "0,0,0,0,0,0,0", "-1,0,0,0,0,0,1", "{", ""])
    def test_an_invalid_vector_is_refused_with_the_reason(self, hosted, vector):
        status, headers, body = get(hosted, f"/api/recommendations?{urllib.parse.urlencode({'vector': vector})}")
        assert (status, headers["Content-Type"]) == (400, "application/problem+json")
        assert len(json.loads(body)["detail"]) > 10

    def test_a_mood_and_a_vector_are_refused(self, hosted):
        assert get(hosted, "/api/recommendations?mood=sad&vector=0,0,0,1,0,0,0")[0] == 400


class TestAnalyzeAudio:
    def test_a_recording_gets_the_same_result_as_body_as_form_and_from_python(self, hosted, voice):
        note = wav(voice)
        status, _, answer = post(hosted, "/api/analyze/audio", note, "audio/wav")
        assert status == 200
        assert answer == post(hosted, "/api/analyze/audio", *form(note))[2]
        samples = read_sound(note)
        recognizer = SpeechEmotionRecognizer.load()
        expected = recognizer.predict_proba((samples, SAMPLE_RATE))
        assert vector_of(answer) == pytest.approx(expected, abs=1e-3)
        assert answer["seconds"] == 7.0
        assert [part["at"] for part in answer["course"]] == [3.0, 4.0, 5.0, 6.0, 7.0]
        for part, (_, reading) in zip(answer["course"], recognizer.read_windows(samples), strict=True):
            assert reading is not None
            assert vector_of(part) == pytest.approx(reading.vector, abs=1e-3)

    def test_a_large_stereo_recording_at_another_rate_is_analyzed(self, hosted, voice):
        note = wav(np.repeat(np.repeat(voice, 3)[:, np.newaxis], 2, axis=1), rate=3 * SAMPLE_RATE)
        assert len(note) > 1_000_000
        assert post(hosted, "/api/analyze/audio", *form(note))[2]["seconds"] == 7.0

    def test_silence_has_no_mood(self, hosted):
        answer = post(hosted, "/api/analyze/audio", wav(np.zeros(5 * SAMPLE_RATE)), "audio/wav")[2]
        assert answer["label"] is None
        assert [part["label"] for part in answer["course"]] == [None] * 3
        assert answer["share"] == 0

    def test_an_unusable_recording_gets_one_clear_error(self, hosted, voice, face_video):
        note = wav(voice)
        broken = np.array(voice)
        broken[100] = np.nan
        for body, content_type, expected in [
            (b"", "audio/wav", 400),
            (b"no sound", "audio/wav", 415),
            (face_video.read_bytes(), "video/avi", 415),
            (wav(broken, subtype="FLOAT"), "audio/wav", 400),
            (note[:40], "audio/wav", 400),  # not even its header
            (wav(voice, rate=1), "audio/wav", 400),
            (wav(np.zeros(8_100_000), rate=8_000, subtype="PCM_U8"), "audio/wav", 400),  # seventeen minutes
            (b"\0" * 20_000_001, "audio/wav", 413),
            (*form(), 400),
            (*form(note, note), 400),
            (*form(b""), 400),
        ]:
            status, headers, answer = post(hosted, "/api/analyze/audio", body, content_type)
            assert (status, headers["Content-Type"]) == (expected, "application/problem+json"), answer
            assert len(answer["detail"]) > 10
        assert post(hosted, "/api/analyze/audio", note, "audio/wav")[0] == 200

    def test_recordings_above_the_limit_are_asked_to_retry(self, voice):
        site = app.extensions[EXTENSION]
        with site.analysis_slots, site.analysis_slots:
            answer = app.test_client().post("/api/analyze/audio", data=wav(voice))
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert int(answer.headers["Retry-After"]) > 0
        assert app.test_client().post("/api/analyze/audio", data=wav(voice)).status_code == 200

    def test_an_unusable_model_is_reported_without_its_path(self, voice, tmp_path):
        def refuse() -> Any:
            raise ModelError("/secret/place/model.tflite is missing")

        lame = create_app(Config(camera=CameraSource.parse("off"), instance=tmp_path))
        lame.extensions[EXTENSION] = replace(lame.extensions[EXTENSION], speech_recognizer=refuse, text_recognizer=refuse)
        for path, body in (("audio", wav(voice)), ("text", b"hello")):
            answer = lame.test_client().post(f"/api/analyze/{path}", data=body, content_type="text/plain")
            assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
            assert "secret" not in answer.text
        assert lame.test_client().get("/readyz").status_code == 503

    def test_uploads_stay_in_memory(self):
        body, content_type = form(b"\0" * 2_000_000)
        with app.test_request_context("/api/analyze/audio", method="POST", data=body, content_type=content_type):
            request.max_content_length = 3_000_000
            assert isinstance(request.files["file"].stream, io.BytesIO)


class TestAnalyzeFiles:
    def test_a_picture_gets_the_same_result_from_the_image_and_the_file_route(self, hosted, portrait):
        photo = encode_picture(portrait, "PNG")
        status, _, answer = post(hosted, "/api/analyze/image", photo, "image/png")
        assert status == 200
        assert answer == post(hosted, "/api/analyze/file", *form(photo))[2]
        assert (answer["kind"], answer["label"], len(answer["faces"])) == ("image", "happy", 1)

    def test_all_kinds_of_files_have_the_same_response_fields(self, hosted, portrait, voice):
        face = cv2.resize(portrait, (320, 320))
        files = {
            "image": encode_picture(face, "JPEG"),
            "video": clip([face] * 10, "avi"),
            "audio": wav(voice[:SAMPLE_RATE]),
            "text": b"What a day!",
        }
        answers = {kind: post(hosted, "/api/analyze/file", content, "text/plain")[2] for kind, content in files.items()}
        assert {kind: answer["kind"] for kind, answer in answers.items()} == {kind: kind for kind in files}
        assert len({tuple(sorted(answer)) for answer in answers.values()}) == 1
        assert len({tuple(sorted(part)) for answer in answers.values() for part in answer["course"]}) == 1

    def test_progress_is_sent_line_by_line_before_the_result(self, hosted, portrait):
        film = clip([cv2.resize(portrait, (320, 320))] * 30, "avi")
        asked = urllib.request.Request(
            f"{hosted.url}/api/analyze/video", film, {"Content-Type": "video/x-msvideo", "Accept": "application/x-ndjson"}
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            lines = [json.loads(line) for line in answer]
        progress = [line["progress"] for line in lines[:-1]]
        assert len(progress) > 5
        assert progress == sorted(progress)
        assert lines[-1]["analysis"]["label"] == "happy"

    def test_unreadable_content_gets_one_clear_error(self, hosted, portrait):
        photo = encode_picture(portrait, "PNG")
        for path, body, expected in [
            ("image", photo[:40], 400),
            ("image", b"", 400),
            ("video", photo, 415),
            ("image", b"\0" * 30_000_001, 413),
            ("file", os.urandom(1000), 400),
        ]:
            for accept in ("application/json", "application/x-ndjson"):
                asked = urllib.request.Request(f"{hosted.url}/api/analyze/{path}", body, {"Accept": accept})
                with pytest.raises(urllib.error.HTTPError) as raised, urllib.request.urlopen(asked, timeout=60):
                    pass
                with raised.value as answer:
                    problem = json.load(answer)
                    assert answer.headers["Content-Type"] == "application/problem+json"
                assert (raised.value.code, problem["status"]) == (expected, expected), problem
                assert len(problem["detail"]) > 10

    def test_a_client_that_disconnects_ends_the_analysis_and_frees_its_slot(self, hosted, portrait):
        film = clip([portrait] * 300, "avi")
        head = (
            "POST /api/analyze/video HTTP/1.1\r\nHost: localhost\r\nAccept: application/x-ndjson\r\n"
            f"Content-Type: video/x-msvideo\r\nContent-Length: {len(film)}\r\n\r\n"
        )
        for _ in range(4):  # more than are read at once
            with socket.create_connection(("127.0.0.1", hosted.port), timeout=60) as connection:
                connection.sendall(head.encode() + film)
                assert b" 200 " in connection.recv(4096)
            for _ in range(600):
                if not running(decoder_worker, hosted.process.pid):
                    break
                threading.Event().wait(0.1)  # the end of another process's child sends no event
            else:
                pytest.fail("the decoder goes on though nobody waits for it")


class TestOpenApi:
    def test_every_route_under_api_is_described(self, hosted):
        description = json.loads(get(hosted, "/openapi.json")[2])
        described = {(path, method) for path, methods in description["paths"].items() for method in methods}
        routes = {
            (rule.rule, method.lower())
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith("/api/") and rule.endpoint != "api_docs.docs"
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        assert described == routes
        assert len(described) == 10


class TestStartAndStop:
    def test_sigterm_during_a_stream_ends_cleanly(self, face_video, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(face_video)) as server, Viewer(server) as viewer:
            next(viewer.parts())
            assert server.stop() == 0
            while viewer.file.read(65536):
                pass  # what was under way still comes, and then the end
        log = (tmp_path / "log").read_text()
        assert "Traceback" not in log
        assert "SIGKILL" not in log

    def test_serving_imports_no_training_package(self):
        program = (
            "import sys; import app; site = app.app.extensions['moodmirror']; "
            "site.face_analyzer(); site.speech_recognizer(); site.text_recognizer(); "
            "print({'tensorflow', 'keras', 'moodmirror.training', 'pandas', 'sklearn'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"

    @pytest.mark.parametrize(("name", "value"), [("PORT", "none"), ("MAX_VIEWERS", "0")])
    def test_an_invalid_setting_ends_the_start_with_a_reason(self, name, value):
        done = subprocess.run(
            [sys.executable, "app.py"],
            cwd=ROOT,
            env={**os.environ, name: value},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert f"{name}='{value}'" in done.stderr
        assert "Traceback" not in done.stderr
