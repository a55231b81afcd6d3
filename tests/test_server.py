"""The site under real gunicorn: pages, the HTTP interface, the stream, the end."""

import itertools
import json
import os
import queue
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from camera import ACCENT_BGR
from moodmirror.emotions import EMOTIONS
from tests.conftest import ROOT, Server, Viewer, serving


def get(server: Server, path: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(server.url + path, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


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

    def test_two_watch_at_once_and_a_third_who_reads_nothing_holds_up_neither(self, filming):
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

    def test_more_viewers_than_allowed_are_told_so(self, face_video, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(face_video), MAX_VIEWERS="1") as server, Viewer(server) as viewer:
            next(viewer.parts())
            status, headers, _ = get(server, "/stream.mjpg")
            assert status == 503
            assert int(headers["Retry-After"]) > 0

    def test_a_tab_left_open_that_reads_nothing_does_not_keep_its_place(self, face_video, tmp_path):
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
                threading.Event().wait(0.1)  # being let go sends no event
            else:
                pytest.fail("the silent viewer kept the only place")
        assert "Traceback" not in (tmp_path / "log").read_text()

    def test_a_server_without_camera_has_no_stream(self, hosted):
        assert get(hosted, "/stream.mjpg")[0] == 404


class TestPages:
    def test_alive_and_ready(self, hosted):
        assert get(hosted, "/healthz")[0] == 200
        status, _, body = get(hosted, "/readyz")
        assert (status, json.loads(body)) == (200, {"status": "ready", "camera": "off", "problems": []})

    def test_a_camera_that_fails_is_not_ready_and_says_why(self, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(tmp_path / "none.mp4")) as server, Viewer(server) as viewer:
            for _ in viewer.parts():
                if get(server, "/readyz")[0] == 503:
                    break
            assert "CAMERA must name a video file" in json.loads(get(server, "/readyz")[2])["problems"][0]
            assert get(server, "/")[0] == 200

    def test_nothing_comes_from_elsewhere(self, hosted):
        _, headers, body = get(hosted, "/")
        sources = re.findall(r'(?:src|href)="([^"]+)"', body.decode())
        assert sources
        assert all(source.startswith(("/static/", "#")) for source in sources)
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        for source in {source.partition("#")[0] for source in sources} - {""}:
            assert get(hosted, source)[0] == 200

    def test_mood_is_null_while_no_camera_reads_one(self, hosted):
        assert json.loads(get(hosted, "/api/mood")[2])["label"] is None


class TestRecommendations:
    def test_ten_rows_of_each_with_links(self, hosted):
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

    def test_every_emotion_has_an_answer_of_its_own(self, hosted):
        answers = [get(hosted, f"/api/recommendations?mood={emotion}&k=3")[2] for emotion in EMOTIONS]
        assert len(set(answers)) == len(EMOTIONS)

    @pytest.mark.parametrize(
        "query", ["", "mood=bored", "mood=sad&k=0", "mood=sad&k=x", "mood=sad&k=101", "mood=sad&mode=no"]
    )
    def test_a_wrong_question_gets_problem_details(self, hosted, query):
        status, headers, body = get(hosted, f"/api/recommendations?{query}")
        assert status == 400
        assert headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["detail"]


class TestEnd:
    def test_sigterm_in_the_middle_of_a_stream_ends_cleanly(self, face_video, tmp_path):
        with serving(tmp_path / "log", CAMERA=str(face_video)) as server, Viewer(server) as viewer:
            next(viewer.parts())
            assert server.stop() == 0
            while viewer.file.read(65536):
                pass  # what was under way still comes, and then the end
        log = (tmp_path / "log").read_text()
        assert "Traceback" not in log
        assert "SIGKILL" not in log

    def test_serving_never_loads_what_only_training_needs(self):
        program = (
            "import sys; import app; app.app.extensions['moodmirror'].face_reader(); "
            "print({'tensorflow', 'keras', 'moodmirror.training', 'pandas', 'sklearn'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "set()"

    @pytest.mark.parametrize(("name", "value"), [("PORT", "none"), ("MAX_VIEWERS", "0")])
    def test_a_wrong_setting_ends_the_start_with_a_reason(self, name, value):
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
