"""Sign in to Spotify from a terminal: in this computer's browser, or in any other one by pasting the address it ends at."""

import queue
import sys
import threading
import time
import webbrowser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Final
from urllib.parse import parse_qs, urlsplit

import click
from spotipy import SpotifyOAuth

from moodmirror.recommendation.importers.spotify import SpotifyError

TIMEOUT_SECONDS: Final = 300.0  # for a person to sign in, maybe on another computer
UNATTENDED_TIMEOUT_SECONDS: Final = 60.0  # where no browser opened and nothing can be pasted
LOOPBACK: Final = ("127.0.0.1", "localhost")
SIGNED_IN_PAGE: Final = b"<!doctype html><title>Mood Mirror</title><p>You can close this window and return to the terminal."


class TerminalSignIn(SpotifyOAuth):  # type: ignore[misc]  # spotipy has no types
    """Asks the user to sign in. Whichever comes first counts: the browser's redirect, or a pasted address."""

    timeout = TIMEOUT_SECONDS
    unattended_timeout = UNATTENDED_TIMEOUT_SECONDS

    def get_auth_response(self, open_browser: bool | None = None) -> str:  # the base class's signature
        """Return the code of a sign-in. Raises SpotifyError if it is refused, or if nobody signs in."""
        addresses: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        server = _serve_redirect(self.redirect_uri, addresses)
        threading.Thread(target=_read_lines, args=[addresses], daemon=True).start()
        address = self.get_authorize_url()
        click.echo(f"To sign in to Spotify, open this address in a browser:\n\n  {address}\n")
        click.echo(
            "On another computer, the browser then ends at an address that it can't open: copy it from the address bar, and "
            "paste it here."
        )
        is_browser_open = _open_browser(address)
        try:
            return self._await_code(addresses, can_be_redirected=server is not None, is_browser_open=is_browser_open)
        finally:
            if server:
                server.shutdown()
                server.server_close()

    def _await_code(
        self, addresses: "queue.SimpleQueue[str | None]", *, can_be_redirected: bool, is_browser_open: bool
    ) -> str:
        started, timeout = time.monotonic(), self.timeout
        while True:
            try:
                address = addresses.get(timeout=max(started + timeout - time.monotonic(), 0))
            except queue.Empty:
                raise SpotifyError(f"Nobody signed in to Spotify within {timeout:g} s. Run the command again.") from None
            if address is None:  # the terminal's input has ended
                if not can_be_redirected:
                    raise SpotifyError(
                        f"Nothing can receive the sign-in: {self.redirect_uri} can't be served here, nothing can be pasted. "
                        "Run the command in a terminal, or set SPOTIFY_REDIRECT_URI to a free port of 127.0.0.1."
                    )
                timeout = self.timeout if is_browser_open else self.unattended_timeout
                continue
            answer = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
            if answer.get("state") == self.state and "error" in answer:
                raise SpotifyError(f"Spotify did not sign you in: {answer['error']}. Run the command again to retry.")
            if answer.get("state") == self.state and "code" in answer:
                return answer["code"]
            click.echo("That is not the address after this sign-in. Paste all of it; it contains code= and state=.")


def _open_browser(address: str) -> bool:
    """Open an address in a graphical browser, if there is one; a browser in this terminal would cover it."""
    with suppress(webbrowser.Error):
        if type(webbrowser.get()) is webbrowser.GenericBrowser:
            return False
    with suppress(webbrowser.Error, OSError):
        return webbrowser.open(address)
    return False


def _read_lines(addresses: "queue.SimpleQueue[str | None]") -> None:
    """Put the lines of the terminal's input into a queue, then None."""
    with suppress(OSError, ValueError):  # no input
        for line in sys.stdin:
            if line.strip():
                addresses.put(line.strip())
    addresses.put(None)


def _serve_redirect(redirect_uri: str, addresses: "queue.SimpleQueue[str | None]") -> HTTPServer | None:
    """Serve the redirect of a sign-in, and put its address into a queue; None if that is not possible."""
    uri = urlsplit(redirect_uri)
    if uri.scheme != "http" or uri.hostname not in LOOPBACK or not uri.port:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if urlsplit(self.path).path != uri.path:
                self.send_error(404)
                return
            addresses.put(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(SIGNED_IN_PAGE)))
            self.end_headers()
            self.wfile.write(SIGNED_IN_PAGE)

        def log_message(self, format: str, *args: object) -> None:  # the name of the base class
            pass  # the address contains the code

    try:
        server = HTTPServer(("127.0.0.1", uri.port), Handler)
    except OSError:
        click.echo(f"Port {uri.port} is in use, so the sign-in can't be received here: paste the address instead.")
        return None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
