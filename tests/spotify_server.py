"""A local HTTP server that stands in for Spotify."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

TOKEN = "made-up-token"


def made_up(number, name=None, artist="The Inventions", identity=None):
    """Return a track."""
    return {
        "id": identity or f"{number:022}",
        "name": name or f"Made-up {number}",
        "artists": [{"name": artist}],
        "album": {"release_date": "1984"},
        "popularity": 12,
    }


class SpotifyHandler(BaseHTTPRequestHandler):
    """One user with liked songs and one playlist."""

    server: "SpotifyServer"

    def log_message(self, format, *args):  # the name of the base class
        pass

    def respond(self, message, status=200, headers=()):
        content = json.dumps(message).encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with suppress(ConnectionError):  # the site may have ended meanwhile
            self.wfile.write(content)

    def rejected(self):
        if self.server.limited:
            self.respond({"error": {"status": 429, "message": "rate limit"}}, 429, {"Retry-After": "7"})
        elif self.server.forbidden:
            self.respond({"error": {"status": 403, "message": "user not registered"}}, 403)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.respond({"error": {"status": 401, "message": "no token"}}, 401)
        else:
            return False
        return True

    def do_GET(self):
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/authorize":
            self.server.scopes = asked["scope"]
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({'code': 'yes', 'state': asked['state']})}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.rejected():
            pass
        elif address.path == "/v1/me/tracks":
            start, count, liked = int(asked.get("offset", 0)), int(asked["limit"]), self.server.liked
            if start:  # the first page shows how many there are
                assert self.server.may_read.wait(30)
            further = f"{self.server.address}/v1/me/tracks?limit={count}&offset={start + count}"
            items = [{"track": track} for track in liked[start : start + count]]
            self.respond({"items": items, "next": further if start + count < len(liked) else None, "total": len(liked)})
        elif address.path == "/v1/me/playlists":
            names = {"happylist": "Mood: happy", "oldlist": "Mood: angry", "mine": "Running"}
            self.respond({"items": [{"id": key, "name": name} for key, name in names.items()], "next": None})
        else:
            self.respond({"error": {"status": 404, "message": "not there"}}, 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/api/token":
            assert self.headers["Authorization"].startswith("Basic ")
            asked = parse_qs(body)
            if asked["grant_type"] == ["refresh_token"]:
                assert asked["refresh_token"] == ["again"]
                self.server.renewed += 1
            elif asked["code"] == ["yes"]:
                self.server.signed_in += 1
            else:
                self.respond({"error": "invalid_grant", "error_description": "Invalid authorization code"}, 400)
                return
            expires = self.server.token_seconds
            self.respond({"access_token": TOKEN, "token_type": "Bearer", "expires_in": expires, "refresh_token": "again"})
        elif not self.rejected():
            self.server.written.append(("POST", self.path.partition("?")[0], json.loads(body)))
            self.respond({"id": "newlist", "snapshot_id": "1"}, 201)

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if not self.rejected():
            self.server.written.append(("PUT", self.path, json.loads(body)))
            self.respond({"snapshot_id": "1"})


class SpotifyServer(ThreadingHTTPServer):
    address: str
    forbidden = False
    limited = False
    signed_in = 0
    renewed = 0
    token_seconds = 3600
    liked: list[object]
    may_read: threading.Event  # further pages of the liked songs
    scopes = ""
    written: list[tuple[str, str, object]]


@contextmanager
def serving_spotify() -> Iterator[SpotifyServer]:
    server = SpotifyServer(("127.0.0.1", 0), SpotifyHandler)
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    server.written = []
    server.liked = [made_up(number) for number in range(51)]
    server.may_read = threading.Event()
    server.may_read.set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.may_read.set()
        server.shutdown()
        server.server_close()
        thread.join()
