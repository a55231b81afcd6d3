"""What those who run the site see of it: figures and logs, and nothing of anybody in them."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
import socketio
from prometheus_client.parser import text_string_to_metric_families

from moodmirror.app_factory import create_app
from moodmirror.config import Config
from tests.conftest import ROOT, Server, serving
from tests.test_live import Visitor
from tests.test_server import get, post

pytestmark = pytest.mark.services

TOKEN = "a token of some length"
WORDS = "My secret wish is a pink giraffe"


@pytest.fixture(scope="module")
def watched(face_video, tmp_path_factory) -> Iterator[Server]:
    """A server whose log programs read."""
    log = tmp_path_factory.mktemp("watched") / "log"
    with serving(log, CAMERA=str(face_video), LOG_FORMAT="json", MAX_VISITORS="2") as server:
        yield server


def figures(server: Server) -> dict[tuple[str, ...], float]:
    """All figures by name and values of labels."""
    status, headers, body = get(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


class TestMetrics:
    def test_what_visitors_send_is_counted_and_timed(self, watched, scene):
        frame = cv2.imencode(".jpg", cv2.resize(scene(), (320, 240)))[1].tobytes()
        before = figures(watched)
        with Visitor(watched) as visitor:
            visitor.call("frame", frame)
            visitor.call("frame", b"no picture")
            visitor.call("text", "What a wonderful day!")
            visitor.call("choose", "sad")
            visitor.wait_for("recommendations")
            present = figures(watched)
        grown = {name: value - before.get(name, 0.0) for name, value in present.items()}
        assert grown["mood_mirror_readings_total", "face"] == 1
        assert grown["mood_mirror_readings_total", "text"] == 1
        assert grown["mood_mirror_readings_total", "chosen"] == 1
        assert grown["mood_mirror_messages_total", "frame", "read"] == 1
        assert grown["mood_mirror_messages_total", "frame", "refused"] == 1
        assert grown["mood_mirror_stage_seconds_count", "frame"] == 2
        assert grown["mood_mirror_stage_seconds_count", "wait"] == 3
        assert grown["mood_mirror_stage_seconds_count", "tables"] >= 1
        assert present["mood_mirror_visitors",] == 1
        assert present["mood_mirror_connections",] == 1
        assert present["process_resident_memory_bytes",] > 10_000_000

    def test_the_servers_camera_is_counted(self, watched):
        with urllib.request.urlopen(f"{watched.url}/stream.mjpg", timeout=60) as stream:
            while figures(watched)["mood_mirror_camera_frames_total", "read"] < 3:
                stream.read(20_000)
            present = figures(watched)
        assert present["mood_mirror_viewers",] == 1
        assert present["mood_mirror_camera_openings_total",] >= 1
        captured, read, skipped = (
            present["mood_mirror_camera_frames_total", outcome] for outcome in ("captured", "read", "skipped")
        )
        assert captured == read + skipped

    def test_refused_visitors_are_counted(self, watched):
        before = figures(watched).get(("mood_mirror_rejections_total", "visitors"), 0.0)
        with Visitor(watched), Visitor(watched), pytest.raises(socketio.exceptions.ConnectionError):
            Visitor(watched)
        assert figures(watched)["mood_mirror_rejections_total", "visitors"] == before + 1

    def test_requests_are_timed_by_endpoint_and_status(self, watched):
        get(watched, "/privacy")
        get(watched, "/nothing/here")
        present = figures(watched)
        assert present["mood_mirror_request_seconds_count", "pages.privacy", "200"] >= 1
        assert present["mood_mirror_request_seconds_count", "none", "404"] >= 1

    def test_they_are_not_for_everybody(self, watched):
        # As a proxy on this machine asks for somebody elsewhere.
        request = urllib.request.Request(f"{watched.url}/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        with refused.value as answer:
            assert answer.code == 404

    def test_with_a_token_they_are_for_who_knows_it(self):
        client = create_app(replace(Config.from_environment({"CAMERA": "off"}), metrics_token=TOKEN)).test_client()
        for given in (None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            assert client.get("/metrics", headers={"Authorization": given} if given else {}).status_code == 404
        elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_base=elsewhere)
        assert answer.status_code == 200
        assert "mood_mirror_visitors" in answer.text

    def test_the_dashboard_asks_for_figures_that_there_are(self, watched):
        dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        told = get(watched, "/metrics")[2].decode()
        names = {line.split()[2] for line in told.splitlines() if line.startswith("# TYPE")}
        assert len(asked) > 8
        for expression in asked:
            assert any(name in expression for name in names), expression


class TestLogs:
    def test_each_request_is_a_line_with_the_id_that_it_was_answered_with(self, watched):
        _, headers, _ = get(watched, "/privacy")
        [line] = [line for line in lines(watched.log) if line["request_id"] == headers["X-Request-ID"]]
        assert (line["method"], line["path"], line["status"], line["level"]) == ("GET", "/privacy", 200, "INFO")
        assert line["milliseconds"] > 0
        assert "T" in str(line["timestamp"])

    def test_an_id_that_a_proxy_gave_is_kept_and_a_malformed_one_is_not(self, watched):
        for given, kept in (("proxy-0123456789", True), ('"}{"level":"CRITICAL', False)):
            request = urllib.request.Request(f"{watched.url}/privacy", headers={"X-Request-ID": given})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert (answer.headers["X-Request-ID"] == given) is kept

    def test_what_people_wish_write_and_where_they_come_from_stands_in_no_line(self, watched):
        quoted = WORDS.replace(" ", "+")
        get(watched, f"/api/recommendations?mood=sad&wish={quoted}")
        get(watched, f"/{quoted}")
        post(watched, "/api/analyze/text", json.dumps({"text": WORDS}).encode(), "application/json")
        with Visitor(watched) as visitor:
            visitor.call("text", WORDS)
            visitor.call("preferences", {"wish": WORDS})
        told = watched.log.read_text()
        assert "/api/analyze/text" in told
        assert "giraffe" not in told
        assert "127.0.0.1" not in "".join(line for line in told.splitlines() if '"path"' in line)

    def test_people_get_lines_to_read_unless_they_ask_for_json(self, hosted):
        get(hosted, "/privacy")
        first = hosted.log.read_text().splitlines()[0]
        assert "gunicorn" in first
        assert not first.startswith("{")
