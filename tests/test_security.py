"""Nobody is let in who should not be: hosts, origins, proxies, tokens, limits, secrets, and what browsers are told."""

import itertools
import json
import queue
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest
import socketio
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from moodmirror.app_factory import close_app, create_app
from moodmirror.config import CameraSource, Config, ConfigError
from moodmirror.live.connection_auth import SAID_OF_VISITOR, TOO_FAST, Bucket
from moodmirror.web.rate_limits import limit_requests
from tests.cluster import running_redis
from tests.conftest import ROOT, Server, admitted, free_port, serving

pytestmark = pytest.mark.services

OFF = CameraSource.parse("off")
SECRET = "0f3b6a51c2d94e7788aa1b2c3d4e5f60"
PATIENCE = 60  # seconds
FOLLOWED = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def visit(tmp_path) -> Iterator[Callable[..., FlaskClient]]:
    """Make a site with settings, and a visitor of it."""
    apps = []

    def make(**settings) -> FlaskClient:
        apps.append(create_app(Config(**{"camera": OFF, "instance": tmp_path, "rate_limits": False, **settings})))
        return apps[-1].test_client()

    yield make
    for app in apps:
        close_app(app)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory) -> Iterator[Server]:
    """A server as it is shipped, its limits on."""
    with serving(tmp_path_factory.mktemp("guarded") / "log", CAMERA="off", RATE_LIMITS="on") as server:
        yield server


class TestPagesOfOtherSites:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_they_cant_have_anything_read(self, visit, headers):
        answer = visit().post("/api/analyze/text", data="hello", content_type="text/plain", headers=headers)
        assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
        assert "page of another site" in answer.json["detail"]

    def test_a_program_and_the_own_page_can(self, visit):
        for headers in ({}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}):
            answer = visit().post("/api/analyze/text", data="I am happy!", content_type="text/plain", headers=headers)
            assert answer.status_code == 200

    def test_they_may_link_here_but_show_nothing_of_it_and_open_no_camera(self, visit):
        client = visit()
        assert client.get("/", headers=FOLLOWED).status_code == 200
        assert client.get("/", headers={**FOLLOWED, "Sec-Fetch-Dest": "iframe"}).status_code == 403
        assert client.get("/stream.mjpg", headers=FOLLOWED).status_code == 403
        picture = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        assert client.get("/stream.mjpg", headers=picture).status_code == 403
        assert client.get("/token", headers={**picture, "Sec-Fetch-Dest": "empty"}).status_code == 403
        assert client.get("/stream.mjpg").status_code == 404  # this one has none; a program may ask


class TestWhatBrowsersAreTold:
    def test_no_script_but_the_pages_own_files_and_no_sense_for_others(self, visit):
        answer = visit().get("/")
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["object-src"] == "'none'"
        assert "camera=(self), microphone=(self)" in answer.headers["Permissions-Policy"]
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert " style=" not in answer.text
        assert "<script>" not in answer.text

    def test_only_over_https_to_stay_there_and_to_send_the_cookie_there_alone(self, visit):
        client = visit()
        plain, secure = client.get("/"), visit().get("/", base_url="https://localhost")
        assert "Strict-Transport-Security" not in plain.headers
        assert "max-age=" in secure.headers["Strict-Transport-Security"]
        assert "Secure" not in plain.headers["Set-Cookie"]
        assert "Secure" in secure.headers["Set-Cookie"]


class TestNamesAndProxies:
    def test_a_site_for_this_computer_answers_to_no_other_name(self, visit):
        client = visit()
        for host in ("localhost:8000", "127.0.0.1"):
            assert client.get("/", headers={"Host": host}).status_code == 200
        answer = client.get("/", headers={"Host": "rebound.example"})
        assert answer.status_code == 400
        assert "not configured for that host name" in answer.text

    def test_a_public_one_answers_to_those_that_are_named(self, visit):
        client = visit(host="0.0.0.0", trusted_hosts=("mirror.example",))
        assert client.get("/", headers={"Host": "mirror.example"}).status_code == 200
        assert client.get("/healthz", headers={"Host": "127.0.0.1:8000"}).status_code == 200
        assert client.get("/", headers={"Host": "evil.example"}).status_code == 400
        assert visit(host="0.0.0.0").get("/", headers={"Host": "any.example"}).status_code == 200

    @pytest.mark.parametrize(("proxies", "secure"), [(0, False), (1, True)])
    def test_what_proxies_say_is_believed_only_when_told(self, visit, proxies, secure, caplog):
        client = visit(host="0.0.0.0", trusted_proxies=proxies)
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        answer = client.get("/", headers=headers)
        assert ("Secure" in answer.headers["Set-Cookie"]) is secure
        assert ("TRUSTED_PROXIES is not set" in caplog.text) is not secure
        own = {"Origin": f"{'https' if secure else 'http'}://localhost", **headers}
        assert client.post("/api/analyze/text", data="hi", content_type="text/plain", headers=own).status_code == 200
        forged = {"Origin": "https://evil.example", **headers}
        assert client.post("/api/analyze/text", data="hi", content_type="text/plain", headers=forged).status_code == 403


def exhausted(ask: Callable[[], TestResponse]) -> tuple[int, TestResponse]:
    """Ask until the answer is 429: how often it was not, and that answer. An allowance fills anew as its minute passes."""
    for count in range(2000):
        answer = ask()
        if answer.status_code == 429:
            return count, answer
        assert answer.status_code == 200
    raise AssertionError("2,000 requests were answered")


class TestLimits:
    def test_who_asks_too_much_is_told_when_to_come_back_and_others_go_on(self, visit):
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
        # Another visitor at this address goes on, until the address itself has had enough, cookie or not.
        other = client.application.test_client()
        assert other.get("/api/mood", headers=here).status_code == 200
        assert exhausted(lambda: other.get("/api/mood", headers=here))[0] < 600
        assert other.get("/api/mood", headers=there).status_code == 200

    def test_files_may_be_sent_less_often(self, visit):
        client = visit(rate_limits=True)
        read, _ = exhausted(lambda: client.post("/api/analyze/text", data="hello", content_type="text/plain"))
        assert 60 <= read < 120
        assert client.get("/api/mood").status_code == 200

    def test_an_ipv6_customer_is_one_address(self, visit):
        client = visit(rate_limits=True, trusted_proxies=1)
        numbers = itertools.count(1)

        count, _ = exhausted(
            lambda: client.get("/api/mood", headers={"X-Forwarded-For": f"2001:db8:1:2::{next(numbers):x}"})
        )
        assert 600 <= count < 1200

    def test_processes_of_one_site_count_together_and_alone_while_redis_is_away(self, tmp_path):
        with running_redis(tmp_path) as redis:
            visitors = []
            for name in ("one", "two"):
                process = Flask(name)
                limit_requests(process, Blueprint("files", name), redis_url=redis.url)
                process.add_url_rule("/", "page", lambda: "here")
                visitors.append(process.test_client())
            one, two = visitors
            assert 600 <= exhausted(lambda: one.get("/"))[0] < 1200
            assert exhausted(lambda: two.get("/"))[0] < 100
            redis.kill()
            assert 600 <= exhausted(lambda: two.get("/"))[0] < 1200

    def test_an_allowance_fills_as_time_passes(self):
        now = [0.0]
        bucket = Bucket(40, 80, lambda: now[0])
        assert [bucket.take() for _ in range(81)] == [True] * 80 + [False]
        now[0] = 0.5
        assert [bucket.take() for _ in range(21)] == [True] * 20 + [False]


class TestDoor:
    def enter(self, server: Server, headers: dict[str, str], auth: dict[str, str] | None) -> socketio.Client:
        """Connect. Raises PermissionError with what the server says where it refuses."""
        client = socketio.Client(reconnection=False)
        words: list[str] = []
        client.on("connect_error", words.append)
        try:
            client.connect(server.url, headers=headers, auth=auth, transports=["websocket"])
        except socketio.exceptions.ConnectionError:
            client.disconnect()
            raise PermissionError(str(words)) from None
        return client

    def knock(self, server: Server, headers: dict[str, str], auth: dict[str, str] | None) -> str:
        """Connect by plain requests, with no header but those given; returns what the door says."""
        address = f"{server.url}/socket.io/?EIO=4&transport=polling"

        def ask(more: str = "", content: bytes | None = None) -> str:
            with urllib.request.urlopen(
                urllib.request.Request(address + more, content, headers), timeout=PATIENCE
            ) as answer:
                return answer.read().decode()

        sid = json.loads(ask()[1:])["sid"]
        ask(f"&sid={sid}", b"40" + json.dumps(auth or {}).encode())
        return ask(f"&sid={sid}")

    def test_only_who_shows_a_token_for_their_cookie_gets_in(self, guarded):
        headers, auth = admitted(guarded)
        others_auth = admitted(guarded)[1]
        for shown_headers, shown in [
            (headers, None),
            (headers, {"token": "made-up"}),
            (headers, others_auth),
            ({}, auth),
            ({"Cookie": headers["Cookie"] + "x"}, auth),
            ({**headers, "Host": "rebound.example"}, auth),
        ]:
            assert "could not show" in self.knock(guarded, shown_headers, shown)
        for own in ({}, {"Origin": guarded.url}):
            assert '40{"sid"' in self.knock(guarded, {**headers, **own}, auth)

    def test_a_page_of_another_site_is_refused_before_it_says_a_word(self, guarded):
        headers, auth = admitted(guarded)
        forwarded = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}
        for origin in ("https://evil.example", "null", guarded.url.replace("http:", "https:")):
            with pytest.raises(urllib.error.HTTPError) as refused:
                self.knock(guarded, {**headers, **forwarded, "Origin": origin}, auth)
            with refused.value as answer:
                assert answer.code == 400

    def test_who_says_too_much_is_told_so_and_stays(self, guarded):
        headers, auth = admitted(guarded)
        client = self.enter(guarded, headers, auth)
        answers: queue.Queue[dict[str, str]] = queue.Queue()
        given: list[dict[str, str]] = []
        while {"error": TOO_FAST} not in given:
            assert len(given) < 5000
            for _ in range(100):
                client.emit("watch", False, callback=answers.put)
            given += [answers.get(timeout=PATIENCE) for _ in range(100)]
        assert given.count({}) >= SAID_OF_VISITOR[1]
        while client.call("watch", False, timeout=PATIENCE) != {}:
            pass  # soon there is room again
        client.disconnect()
        client.wait()

    def test_a_visitor_opens_a_dozen_windows_and_no_more(self, guarded):
        headers, auth = admitted(guarded)
        clients = [self.enter(guarded, headers, auth) for _ in range(12)]
        with pytest.raises(PermissionError, match="more connections than one visitor"):
            self.enter(guarded, headers, auth)
        clients.pop().disconnect()
        self.enter(guarded, *admitted(guarded)).disconnect()
        for client in clients:
            client.disconnect()


class TestSecret:
    @pytest.mark.parametrize(
        "secret", [None, "please-change-me-please", "my secret for the mirror", "kkkkkkkkkkkkkkkkkkkkkkkk"]
    )
    @pytest.mark.parametrize("reached", [{"host": "0.0.0.0"}, {"host": "::"}, {"trusted_proxies": 1}])
    def test_a_site_that_others_reach_needs_one_of_its_own(self, secret, reached):
        with pytest.raises(ConfigError, match="Draw one, and keep it"):
            Config(secret_key=secret, **reached).require_secret()
        Config(secret_key=SECRET, **reached).require_secret()
        Config(secret_key=secret).require_secret()

    @pytest.mark.parametrize("command", [["-m", "gunicorn", "app:app"], ["app.py"]])
    def test_the_start_ends_with_a_sentence(self, command, tmp_path):
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
