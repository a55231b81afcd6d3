"""`flask spotify`: import liked songs and save playlists.

Available only if SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET are set.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from flask.cli import with_appcontext

from moodmirror.cli.import_catalogue import FILE, import_song_entries
from moodmirror.cli.reports import command_line
from moodmirror.recommendation.importers.source_files import SourceError, read_csv
from moodmirror.recommendation.playlist_files import PLAYLIST_COLUMNS
from moodmirror.services import current_services

if TYPE_CHECKING:
    from moodmirror.recommendation.importers.spotify import SpotifyAccount

PREFIX = "Mood: "  # of the playlists' names at Spotify
TOKEN_FILE = "spotify-token.json"  # beside the imported tables


@click.group("spotify")
def spotify_group() -> None:
    """Import liked songs from Spotify and save playlists there. The first use signs in, in a browser."""


def account() -> "SpotifyAccount":
    """Return the Spotify account of the configured app."""
    # only if configured: spotipy takes a moment to import
    from moodmirror.cli.spotify_sign_in import TerminalSignIn  # noqa: PLC0415
    from moodmirror.recommendation.importers import spotify  # noqa: PLC0415

    config = current_services().config
    token = spotify.TokenFile(config.imported_dir / TOKEN_FILE)
    redirect_uri = config.spotify_redirect_uri
    sign_in = spotify.sign_in_with(config, redirect_uri, token, spotify.SAVE_SCOPES, TerminalSignIn)
    return spotify.SpotifyAccount(sign_in, config.spotify_api_url)


@spotify_group.command("import")
@click.option("--features", type=FILE, multiple=True, help="A file with audio features of songs, to look up missing ones.")
@with_appcontext
def import_liked(features: tuple[Path, ...]) -> None:
    """Import your liked songs. Spotify gives new apps no audio features: name a file with them in --features."""
    from moodmirror.recommendation.importers.spotify import SpotifyError  # noqa: PLC0415

    try:
        import_song_entries(account().liked_songs(), features)
    except (SpotifyError, SourceError) as error:
        raise click.ClickException(str(error)) from None


def read_playlists(folder: Path) -> dict[str, list[str]]:
    """Return the songs' URIs in each playlist that `flask cluster songs` wrote to a folder, by the playlist's name.

    Raises SourceError if a file can't be read.
    """
    playlists = {}
    for path in sorted(folder.glob("*.csv")):
        columns, rows = read_csv(path)
        if set(PLAYLIST_COLUMNS) <= set(columns):  # not centroids.csv
            playlists[path.stem] = [row["uri"] for row in rows]
    return playlists


@spotify_group.command("save")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), default="playlists")
@with_appcontext
def save_playlists(folder: Path) -> None:
    """Save the playlists that `flask cluster songs` wrote to FOLDER as private playlists at Spotify."""
    from moodmirror.recommendation.importers.spotify import SpotifyError  # noqa: PLC0415

    try:
        playlists = read_playlists(folder)
        if not playlists:
            raise click.ClickException(f"{folder} has no playlists. Create them first: {command_line('cluster songs')}")
        spotify = account()
        for name, uris in playlists.items():
            known = [uri for uri in uris if uri.startswith("spotify:track:")]
            spotify.save_playlist(f"{PREFIX}{name}", known)
            skipped = f", {len(uris) - len(known):,} left out: their Spotify id is unknown" if len(known) < len(uris) else ""
            click.echo(f"{PREFIX}{name}: {len(known):,} songs saved{skipped}")
        older = [
            name for name in spotify.playlist_names() if name.startswith(PREFIX) and name[len(PREFIX) :] not in playlists
        ]
        if older:
            click.echo(f"Still at Spotify, of an earlier run: {', '.join(older)}. Delete there what you no longer want.")
    except (SpotifyError, SourceError) as error:
        raise click.ClickException(str(error)) from None
