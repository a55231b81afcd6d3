"""Metrics and logs: what they contain, and that they contain no personal data."""

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
def monitored(face_video, tmp_path_factory) -> Iterator[Server]:
    """A server with a JSON log and a camera."""
    log = tmp_path_factory.mktemp("monitored") / "log"
    with serving(log, CAMERA=str(face_video), LOG_FORMAT="json", MAX_VISITORS="2") as server:
        yield server


def read_metrics(server: Server) -> dict[tuple[str, ...], float]:
    """Return all metrics by name and label values."""
    status, headers, body = get(server, "/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def log_lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


class TestMetrics:
    def test_what_visitors_send_is_counted_and_timed(self, monitored, scene):
        frame = cv2.imencode(".jpg", cv2.resize(scene(), (320, 240)))[1].tobytes()
        before = read_metrics(monitored)
        with Visitor(monitored) as visitor:
            visitor.call("frame", frame)
            visitor.call("frame", b"no picture")
            visitor.call("text", "What a wonderful day!")
            visitor.call("choose", "sad")
            visitor.wait_for("recommendations")
            current = read_metrics(monitored)
        increase = {name: value - before.get(name, 0.0) for name, value in current.items()}
        assert increase["mood_mirror_readings_total", "face"] == 1
        assert increase["mood_mirror_readings_total", "text"] == 1
        assert increase["mood_mirror_readings_total", "chosen"] == 1
        assert increase["mood_mirror_messages_total", "frame", "read"] == 1
        assert increase["mood_mirror_messages_total", "frame", "refused"] == 1
        assert increase["mood_mirror_stage_seconds_count", "frame"] == 2
        assert increase["mood_mirror_stage_seconds_count", "wait"] == 3
        assert increase["mood_mirror_stage_seconds_count", "tables"] >= 1
        assert current["mood_mirror_visitors",] == 1
        assert current["mood_mirror_connections",] == 1
        assert current["process_resident_memory_bytes",] > 10_000_000

    def test_the_servers_camera_is_counted(self, monitored):
        with urllib.request.urlopen(f"{monitored.url}/stream.mjpg", timeout=60) as stream:
            while read_metrics(monitored)["mood_mirror_camera_frames_total", "read"] < 3:
                stream.read(20_000)
            current = read_metrics(monitored)
        assert current["mood_mirror_viewers",] == 1
        assert current["mood_mirror_camera_openings_total",] >= 1
        captured, read, skipped = (
            current["mood_mirror_camera_frames_total", outcome] for outcome in ("captured", "read", "skipped")
        )
        assert captured == read + skipped

    def test_refused_visitors_are_counted(self, monitored):
        before = read_metrics(monitored).get(("mood_mirror_rejections_total", "visitors"), 0.0)
        with Visitor(monitored), Visitor(monitored), pytest.raises(socketio.exceptions.ConnectionError):
            Visitor(monitored)
        assert read_metrics(monitored)["mood_mirror_rejections_total", "visitors"] == before + 1

    def test_requests_are_timed_by_endpoint_and_status(self, monitored):
        get(monitored, "/privacy")
        get(monitored, "/nothing/here")
        current = read_metrics(monitored)
        assert current["mood_mirror_request_seconds_count", "pages.privacy", "200"] >= 1
        assert current["mood_mirror_request_seconds_count", "none", "404"] >= 1

    def test_metrics_are_refused_behind_a_proxy(self, monitored):
        # A proxy on this machine forwards a request of another one.
        request = urllib.request.Request(f"{monitored.url}/metrics", headers={"X-Forwarded-For": "203.0.113.7"})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)
        with refused.value as answer:
            assert answer.code == 404

    def test_metrics_with_a_token_need_that_token(self):
        client = create_app(replace(Config.from_environment({"CAMERA": "off"}), metrics_token=TOKEN)).test_client()
        for given in (None, "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            assert client.get("/metrics", headers={"Authorization": given} if given else {}).status_code == 404
        elsewhere = {"REMOTE_ADDR": "203.0.113.7"}
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_base=elsewhere)
        assert answer.status_code == 200
        assert "mood_mirror_visitors" in answer.text

    def test_the_dashboard_uses_existing_metrics(self, monitored):
        dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text())
        expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
        exposed = get(monitored, "/metrics")[2].decode()
        names = {line.split()[2] for line in exposed.splitlines() if line.startswith("# TYPE")}
        assert len(expressions) > 8
        for expression in expressions:
            assert any(name in expression for name in names), expression


class TestLogs:
    def test_each_request_is_logged_with_the_id_of_its_response(self, monitored):
        _, headers, _ = get(monitored, "/privacy")
        [line] = [line for line in log_lines(monitored.log) if line["request_id"] == headers["X-Request-ID"]]
        assert (line["method"], line["path"], line["status"], line["level"]) == ("GET", "/privacy", 200, "INFO")
        assert line["milliseconds"] > 0
        assert "T" in str(line["timestamp"])

    def test_the_request_id_of_a_proxy_is_kept_unless_malformed(self, monitored):
        for given, kept in (("proxy-0123456789", True), ('"}{"level":"CRITICAL', False)):
            request = urllib.request.Request(f"{monitored.url}/privacy", headers={"X-Request-ID": given})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert (answer.headers["X-Request-ID"] == given) is kept

    def test_the_log_contains_no_query_no_text_and_no_address(self, monitored):
        quoted = WORDS.replace(" ", "+")
        get(monitored, f"/api/recommendations?mood=sad&wish={quoted}")
        get(monitored, f"/{quoted}")
        post(monitored, "/api/analyze/text", json.dumps({"text": WORDS}).encode(), "application/json")
        with Visitor(monitored) as visitor:
            visitor.call("text", WORDS)
            visitor.call("preferences", {"wish": WORDS})
        log = monitored.log.read_text()
        assert "/api/analyze/text" in log
        assert "giraffe" not in log
        assert "127.0.0.1" not in "".join(line for line in log.splitlines() if '"path"' in line)

    def test_the_log_is_readable_text_by_default(self, hosted):
        get(hosted, "/privacy")
        first = hosted.log.read_text().splitlines()[0]
        assert "gunicorn" in first
        assert not first.startswith("{")
