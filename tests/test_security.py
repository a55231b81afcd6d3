"""Security: host names, origins, proxies, connection tokens, rate limits, the secret key and response headers."""

import itertools
import json
import queue
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import socketio
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from werkzeug.test import TestResponse

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config, ConfigError
from moodmirror.live import connection_auth
from moodmirror.live.connection_auth import MESSAGES_PER_VISITOR, TOO_MANY_MESSAGES, ConnectionAuth
from moodmirror.web.rate_limits import limit_requests
from tests.cluster import running_redis
from tests.conftest import ROOT, Server, admitted, free_port, serving

pytestmark = pytest.mark.services

OFF = CameraSource.parse("off")
SECRET = "0f3b6a51c2d94e7788aa1b2c3d4e5f60"
PATIENCE = 60  # seconds
FOLLOWED_LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def visit(tmp_path) -> Iterator[Callable[..., FlaskClient]]:
    """Return a function that creates an application with settings and returns its test client."""
    apps = []

    def make(**settings) -> FlaskClient:
        apps.append(create_app(Config(**{"camera": OFF, "instance": tmp_path, "rate_limits": False, **settings})))
        return apps[-1].test_client()

    yield make
    for app in apps:
        close_app(app)


@pytest.fixture(scope="module")
def limited(tmp_path_factory) -> Iterator[Server]:
    """A server with rate limits, as by default."""
    with serving(tmp_path_factory.mktemp("limited") / "log", CAMERA="off", RATE_LIMITS="on") as server:
        yield server


class TestCrossSiteRequests:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_pages_of_other_sites_cant_have_content_analyzed(self, visit, headers):
        answer = visit().post("/api/analyze/text", data="hello", content_type="text/plain", headers=headers)
        assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
        assert "page of another site" in answer.json["detail"]

    def test_programs_and_the_own_page_can_have_content_analyzed(self, visit):
        for headers in ({}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}):
            answer = visit().post("/api/analyze/text", data="I am happy!", content_type="text/plain", headers=headers)
            assert answer.status_code == 200

    def test_pages_of_other_sites_may_link_but_not_embed_and_not_open_the_camera(self, visit):
        client = visit()
        assert client.get("/", headers=FOLLOWED_LINK).status_code == 200
        assert client.get("/", headers={**FOLLOWED_LINK, "Sec-Fetch-Dest": "iframe"}).status_code == 403
        assert client.get("/stream.mjpg", headers=FOLLOWED_LINK).status_code == 403
        picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        assert client.get("/stream.mjpg", headers=picture).status_code == 403
        assert client.get("/token", headers={**picture, "Sec-Fetch-Dest": "empty"}).status_code == 403
        assert client.get("/stream.mjpg").status_code == 404  # this server has no camera; programs may request it


class TestResponseHeaders:
    def test_only_own_scripts_run_and_no_other_site_gets_camera_or_microphone(self, visit):
        answer = visit().get("/")
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
        assert "camera=(self), microphone=(self)" in answer.headers["Permissions-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert " style=" not in answer.text
        assert "<script>" not in answer.text

    def test_hsts_and_secure_cookies_over_https_only(self, visit):
        client = visit()
        plain, secure = client.get("/"), visit().get("/", base_url="https://localhost")
        assert "Strict-Transport-Security" not in plain.headers
        assert "max-age=" in secure.headers["Strict-Transport-Security"]
        assert "Secure" not in plain.headers["Set-Cookie"]
        assert "Secure" in secure.headers["Set-Cookie"]


class TestHostNamesAndProxies:
    def test_a_local_site_answers_to_no_other_host_name(self, visit):
        client = visit()
        for host in ("localhost:8000", "127.0.0.1"):
            assert client.get("/", headers={"Host": host}).status_code == 200
        answer = client.get("/", headers={"Host": "rebound.example"})
        assert answer.status_code == 400
        assert "not configured for that host name" in answer.text

    def test_a_public_site_answers_to_trusted_hosts(self, visit):
        client = visit(host="0.0.0.0", trusted_hosts=("mirror.example",))
        assert client.get("/", headers={"Host": "mirror.example"}).status_code == 200
        assert client.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert visit(host="0.0.0.0").get("/", headers={"Host": "any.example"}).status_code == 200

    @pytest.mark.parametrize(("proxies", "secure"), [(0, False), (1, True)])
    def test_forwarded_headers_are_trusted_only_if_configured(self, visit, proxies, secure, caplog):
        client = visit(host="0.0.0.0", trusted_proxies=proxies)
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        answer = client.get("/", headers=headers)
        assert ("Secure" in answer.headers["Set-Cookie"]) is secure
        assert ("TRUSTED_PROXIES is not set" in caplog.text) is not secure
        own = {"Origin": f"{'https' if secure else 'http'}://localhost", **headers}
        assert client.post("/api/analyze/text", data="hi", content_type="text/plain", headers=own).status_code == 200
        forged = {"Origin": "https://evil.example", **headers}
        assert client.post("/api/analyze/text", data="hi", content_type="text/plain", headers=forged).status_code == 403


def exhausted(request: Callable[[], TestResponse]) -> tuple[int, TestResponse]:
    """Send requests until one gets 429; return how many did not, and that response. A limit recovers within its minute."""
    for count in range(2000):
        response = request()
        if response.status_code == 429:
            return count, response
        assert response.status_code == 200
    raise AssertionError("2,000 requests were served")


class TestRateLimits:
    def test_a_limited_visitor_gets_retry_after_and_others_are_served(self, visit):
        client = visit(rate_limits=True, trusted_proxies=1)
        here, there = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
        client.get("/", headers=here)
        count, refused = exhausted(lambda: client.get("/api/mood", headers=here))
        assert 239 <= count < 480
        assert refused.mimetype == "application/problem+json"
        assert 1 <= int(refused.headers["Retry-After"]) <= 120
        assert f"Try again in {refused.headers['Retry-After']} s" in json.loads(refused.data)["detail"]
        _, page = exhausted(lambda: client.get("/", headers=here))
        assert page.mimetype == "text/html"
        assert client.get("/healthz", headers=here).status_code == 200
        # Another visitor at this address is served until the address itself reaches its limit, with or without a cookie.
        other = client.application.test_client()
        assert other.get("/api/mood", headers=here).status_code == 200
        assert exhausted(lambda: other.get("/api/mood", headers=here))[0] < 600
        assert other.get("/api/mood", headers=there).status_code == 200

    def test_an_ipv6_network_counts_as_one_address(self, visit):
        client = visit(rate_limits=True, trusted_proxies=1)
        numbers = itertools.count(1)

        count, _ = exhausted(
            lambda: client.get("/api/mood", headers={"X-Forwarded-For": f"2001:db8:1:2::{next(numbers):x}"})
        )
        assert 600 <= count < 1200

    def test_processes_count_together_and_alone_while_redis_is_unavailable(self, tmp_path):
        with running_redis(tmp_path) as redis:
            visitors = []
            for name in ("one", "two"):
                process = Flask(name)
                limit_requests(process, redis_url=redis.url)
                process.add_url_rule("/", "page", lambda: "here")
                visitors.append(process.test_client())
            one, two = visitors
            assert 600 <= exhausted(lambda: one.get("/"))[0] < 1200
            assert exhausted(lambda: two.get("/"))[0] < 100
            redis.kill()
            assert 600 <= exhausted(lambda: two.get("/"))[0] < 1200

    def test_messages_are_allowed_again_as_time_passes(self, monkeypatch):
        now = [1000.0]
        monkeypatch.setattr(time, "time", lambda: now[0])
        limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

        def allowed(attempts: int) -> list[bool]:
            return [limiter.hit(MESSAGES_PER_VISITOR, "visitor") for _ in range(attempts)]

        assert allowed(81) == [True] * 80 + [False]
        now[0] += 3.0  # in the middle of the next window of two seconds: half of the last one still counts
        assert allowed(41) == [True] * 40 + [False]

    def test_message_counts_are_deleted_with_the_last_connection(self, tmp_path):
        app = create_app(Config(camera=OFF, instance=tmp_path))
        try:
            auth = ConnectionAuth(app, Config(camera=OFF, instance=tmp_path))
            with app.test_request_context(base_url="http://localhost"):
                credentials = connection_auth.token().get_json()
                auth.accept("first", credentials)
                auth.accept("second", credentials)
            storage = auth._limiter.storage.storage  # type: ignore[attr-defined]  # of the one in memory
            connections = set(storage)
            assert auth.allows_message("first")
            assert set(storage) > connections
            auth.release("first")
            assert set(storage) > connections  # the visitor's other connection is still open
            auth.release("second")
            assert set(storage) == connections
        finally:
            close_app(app)


class TestConnectionAuth:
    def connect(self, server: Server, headers: dict[str, str], auth: dict[str, str] | None) -> socketio.Client:
        """Connect. Raises PermissionError with the server's reason if it refuses."""
        client = socketio.Client(reconnection=False)
        reasons: list[str] = []
        client.on("connect_error", reasons.append)
        try:
            client.connect(server.url, headers=headers, auth=auth, transports=["websocket"])
        except socketio.exceptions.ConnectionError:
            client.disconnect()
            raise PermissionError(str(reasons)) from None
        return client

    def poll(self, server: Server, headers: dict[str, str], auth: dict[str, str] | None) -> str:
        """Connect by polling, with no headers but the given ones; return the server's reply."""
        address = f"{server.url}/socket.io/?EIO=4&transport=polling"

        def ask(more: str = "", content: bytes | None = None) -> str:
            with urllib.request.urlopen(
                urllib.request.Request(address + more, content, headers), timeout=PATIENCE
            ) as answer:
                return answer.read().decode()

        sid = json.loads(ask()[1:])["sid"]
        ask(f"&sid={sid}", b"40" + json.dumps(auth or {}).encode())
        return ask(f"&sid={sid}")

    def test_only_a_token_for_the_own_cookie_is_accepted(self, limited):
        headers, auth = admitted(limited)
        others_auth = admitted(limited)[1]
        for shown_headers, shown in [
            (headers, None),
            (headers, {"token": "made-up"}),
            (headers, others_auth),
            ({}, auth),
            ({"Cookie": headers["Cookie"] + "x"}, auth),
            ({**headers, "Host": "rebound.example"}, auth),
        ]:
            assert "could not verify" in self.poll(limited, shown_headers, shown)
        for own in ({}, {"Origin": limited.url}):
            assert '40{"sid"' in self.poll(limited, {**headers, **own}, auth)

    def test_a_page_of_another_site_is_refused_at_the_handshake(self, limited):
        headers, auth = admitted(limited)
        forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        for origin in ("https://evil.example", "null", limited.url.replace("http:", "https:")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                self.poll(limited, {**headers, **forwarded, "Origin": origin}, auth)
            with refused.value as answer:
                assert answer.code == 400

    def test_a_client_over_the_message_limit_gets_an_error_and_stays_connected(self, limited):
        headers, auth = admitted(limited)
        client = self.connect(limited, headers, auth)
        answers: queue.Queue[dict[str, str]] = queue.Queue()
        given: list[dict[str, str]] = []
        while {"error": TOO_MANY_MESSAGES} not in given:
            assert len(given) < 5000
            for _ in range(100):
                client.emit("watch", False, callback=answers.put)
            given += [answers.get(timeout=PATIENCE) for _ in range(100)]
        assert given.count({}) >= MESSAGES_PER_VISITOR.amount
        while client.call("watch", False, timeout=PATIENCE) != {}:
            time.sleep(0.05)  # the limit recovers soon; a client that floods would be closed
        client.disconnect()
        client.wait()

    def test_a_visitor_may_open_twelve_connections(self, limited):
        headers, auth = admitted(limited)
        clients = [self.connect(limited, headers, auth) for _ in range(12)]
        with pytest.raises(PermissionError, match="opened too many connections"):
            self.connect(limited, headers, auth)
        clients.pop().disconnect()
        self.connect(limited, *admitted(limited)).disconnect()
        for client in clients:
            client.disconnect()


class TestSecretKey:
    @pytest.mark.parametrize(
        "secret", [None, "please-change-me-please", "my secret for the mirror", "kkkkkkkkkkkkkkkkkkkkkkkk"]
    )
    @pytest.mark.parametrize("reached", [{"host": "0.0.0.0"}, {"host": "::"}, {"trusted_proxies": 1}])
    def test_a_reachable_site_needs_its_own_secret_key(self, secret, reached):
        with pytest.raises(ConfigError, match="Generate one, and keep it"):
            Config(secret_key=secret, **reached).require_secret()
        Config(secret_key=SECRET, **reached).require_secret()
        Config(secret_key=secret).require_secret()

    @pytest.mark.parametrize("command", [["-m", "gunicorn", "app:app"], ["app.py"]])
    def test_a_missing_secret_key_ends_the_start_with_a_message(self, command, tmp_path):
        environment = {
            "CAMERA": "off",
            "HOST": "0.0.0.0",
            "PORT": str(free_port()),
            "INSTANCE": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        }
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 1
        assert "Mood Mirror can't start: SECRET_KEY is not set" in done.stderr
        assert "Traceback" not in done.stderr
