"""Sign visitors in to Spotify, and out; registered only if an app's id and secret are configured.

The page opens the sign-in in a window of its own, so that the mirror goes on. Spotify sends that window back to
`/spotify/callback` with the state that the sign-in began with.
"""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import Forbidden

from moodmirror.live.spotify_sign_ins import SpotifySignIns
from moodmirror.recommendation.importers.spotify import SpotifyError
from moodmirror.visitor_identity import ensure_visitor_id, visitor_id
from moodmirror.web.security import CROSS_SITE_REFUSAL

EXTENSION: Final = "moodmirror.spotify"
LOOPBACK: Final = ("127.0.0.1", "::1")  # the only hosts that Spotify redirects to without https://; not "localhost"
INSECURE_ADDRESS: Final = (
    "Spotify lets visitors sign in at an https:// address only, or on the server's own computer at http://127.0.0.1:{port}. "
    "Open the mirror at such an address."
)

bp = Blueprint("spotify", __name__, url_prefix="/spotify")


def _sign_ins() -> SpotifySignIns:
    sign_ins: SpotifySignIns = current_app.extensions[EXTENSION]
    return sign_ins


@bp.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """Begin a sign-in: redirect to Spotify. Only the site's own page may link here."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden(CROSS_SITE_REFUSAL)
    redirect_uri = url_for("spotify.callback", _external=True)
    address = urlsplit(redirect_uri)
    if address.scheme != "https" and address.hostname not in LOOPBACK:
        return _result(INSECURE_ADDRESS.format(port=address.port or 80), 400)
    try:
        return _not_stored(redirect(_sign_ins().begin(ensure_visitor_id(), redirect_uri)))
    except SpotifyError as error:
        return _result(str(error), 503)


@bp.get("/callback")
def callback() -> ResponseReturnValue:
    """Finish a sign-in: Spotify redirects the visitor's browser here."""
    answer = {name: request.args.get(name, "") for name in ("state", "code", "error")}
    try:
        _sign_ins().finish(visitor_id(), **answer)
    except SpotifyError as error:
        return _result(str(error), 400)
    return _result(None, 200)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """Delete the visitor's token and liked songs."""
    if visitor := visitor_id():
        _sign_ins().sign_out(visitor)
    return Response(status=204)


@bp.post("/read")
def read() -> ResponseReturnValue:
    """Read the visitor's liked songs again."""
    if visitor := visitor_id():
        _sign_ins().read(visitor)
    return Response(status=204)


def _result(problem: str | None, status: int) -> Response:
    """Return the page that tells the visitor how the sign-in ended."""
    return _not_stored(Response(render_template("spotify_result.html", problem=problem), status))


def _not_stored(response: ResponseReturnValue) -> Response:
    made = current_app.make_response(response)
    made.headers["Cache-Control"] = "no-store"
    return made
