"""Requests that are legal and cost much, under real gunicorn: they are limited by the CPU time that they take."""

import statistics
import threading
import time
from typing import Any

import pytest

from moodmirror.cpu_budget import ADDRESS_SECONDS, BudgetSpentError, Client, CpuBudget
from moodmirror.redis_connection import connect
from tests.clips import encode_picture
from tests.cluster import running_redis
from tests.conftest import Server, serving
from tests.test_live import Visitor
from tests.test_server import get, post

pytestmark = pytest.mark.services

HERE = Client(None, "address 127.0.0.1")
LONG_TEXT = " ".join(f"On day {number} I walked to the river and felt glad." for number in range(380))  # 20,000 characters


def analyze(server: Server, kind: str, content: bytes) -> tuple[int, dict[str, str], Any]:
    return post(server, f"/api/analyze/{kind}", content, "text/plain" if kind == "text" else "image/jpeg")


def test_an_address_that_has_used_its_cpu_time_waits(tmp_path, scene):
    with (
        running_redis(tmp_path) as redis,
        serving(tmp_path / "log", CAMERA="off", RATE_LIMITS="on", REDIS_URL=redis.url) as server,
    ):
        budget, stored, photo = CpuBudget(redis.url), connect(redis.url), encode_picture(scene(), "JPEG")
        for kind, content, least_seconds in (("text", LONG_TEXT.encode(), 0.2), ("image", photo, 0.25)):
            stored.flushdb()
            assert analyze(server, kind, content)[0] == 200
            regained_at = float(stored.get(f"mood_mirror:cpu:{HERE.address}") or 0)
            assert regained_at - time.time() > least_seconds
        with Visitor(server) as visitor:
            # An hour's debt, as after Redis's clock was set back: a minute is waited at most.
            stored.set(f"mood_mirror:cpu:{HERE.address}", time.time() + 3600)
            with pytest.raises(BudgetSpentError) as refused:
                budget.require(HERE)
            assert refused.value.retry_after <= 60
            budget.charge(HERE, 2 * ADDRESS_SECONDS)
            for kind, content in (("text", b"I am so happy"), ("image", photo)):
                status, headers, problem = analyze(server, kind, content)
                assert (status, problem["status"]) == (429, 429)
                assert f"Try again in {headers['Retry-After']} s" in problem["detail"]
            assert get(server, "/api/recommendations?wish=soup")[0] == 429
            for event, payload in (("text", "I am so happy"), ("preferences", {"wish": "soup"})):
                assert "Try again in" in visitor.call(event, payload)["error"]
            # What costs little goes on.
            assert visitor.call("choose", "happy") == {}
            for path in ("/", "/healthz", "/api/mood"):
                assert get(server, path)[0] == 200
            stored.flushdb()  # as if the time had passed
            assert visitor.call("text", "I am so happy")["label"] == "happy"
        assert analyze(server, "text", b"I am so happy")[0] == 200


def test_long_texts_of_many_clients_at_once_leave_the_site_answering(tmp_path):
    with serving(tmp_path / "log", CAMERA="off", RATE_LIMITS="off") as server:
        answers: list[tuple[int, dict[str, str], Any]] = []
        threads = [
            threading.Thread(target=lambda: answers.append(analyze(server, "text", LONG_TEXT.encode()))) for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        waits = []
        while any(thread.is_alive() for thread in threads):
            started = time.perf_counter()
            assert get(server, "/healthz")[0] == 200
            waits.append(time.perf_counter() - started)
        assert {status for status, _, _ in answers} == {200, 503}
        assert {headers["Retry-After"] for status, headers, _ in answers if status == 503} == {"1"}
        assert statistics.median(waits) < 1
