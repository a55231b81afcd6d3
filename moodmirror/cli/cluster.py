"""flask cluster: group songs with K-Means and write one playlist for each group."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from flask.cli import with_appcontext

from moodmirror.cli.reports import told_missing
from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.importers import songs
from moodmirror.recommendation.importers.imported_table import AUDIO_COLUMNS, SPOTIFY_ID, ImportedTable
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.services import current_services

if TYPE_CHECKING:
    from moodmirror.recommendation.playlist_clustering import Song

FILE: Final = click.Path(path_type=Path)
SHOWN_SONGS: Final = 3  # of a group


@click.group("cluster")
def cluster_group() -> None:
    """Group what you have by its mood."""


@cluster_group.command("songs")
@click.argument("file", type=FILE, required=False)
@click.option("--k", type=click.IntRange(1, len(EMOTIONS)), default=6, show_default=True, help="How many groups.")
@click.option(
    "--emotion",
    "emotions",
    type=click.Choice(EMOTIONS),
    multiple=True,
    help="A name that a group may bear; give several (default: fear, happy, angry, surprise, sad, neutral).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Where K-Means starts.")
@click.option("--out", type=FILE, default=Path("playlists"), show_default=True, help="The folder to write to.")
@with_appcontext
def cluster_songs(file: Path | None, k: int, emotions: tuple[str, ...], seed: int, out: Path) -> None:
    """Group songs by how they sound, and write one playlist an emotion.

    FILE is any that `flask import songs` takes and that has audio features; without it, the imported songs are grouped. The
    folder gets, for each group, a playlist as M3U, CSV and JSPF, and a picture of all, clusters.png.
    """
    try:
        from moodmirror.recommendation import playlist_clustering  # noqa: PLC0415  # scikit-learn takes a second
    except ModuleNotFoundError as missing:
        raise click.ClickException(told_missing(missing)) from None
    try:
        found, left_out = songs_to_cluster(file)
        clusters = playlist_clustering.cluster_songs(found, k, emotions or None, seed=seed)
    except (SourceError, playlist_clustering.ClusterError) as error:
        raise click.ClickException(str(error)) from None
    playlist_clustering.write_playlists(clusters, out)
    playlist_clustering.draw_clusters(clusters, out / "clusters.png")
    for cluster in clusters:
        shown = ", ".join(f"{song.title} by {song.artist}" for song in cluster.songs[:SHOWN_SONGS])
        click.echo(f"{cluster.emotion:<9}{len(cluster.songs):>6,} songs, as {shown}")
    if left_out:
        click.echo(f"Left out, without audio features: {left_out:,}.")
    click.echo(f"Playlists and clusters.png are in {out}.")


def songs_to_cluster(file: Path | None) -> "tuple[list[Song], int]":
    """The songs of a file, or the imported ones, that have audio features, and how many have none.

    Raises SourceError if all have none.
    """
    from moodmirror.recommendation.playlist_clustering import Song  # noqa: PLC0415  # scikit-learn takes a second

    if file is not None:
        given = songs.read(file).entries
        found = [
            Song(entry.title, entry.cells["artist"].replace("|", ", "), entry.cells[SPOTIFY_ID], entry.features)
            for entry in given
            if entry.features
        ]
        count = len(given)
    else:
        rows = ImportedTable(current_services().config.imported_dir, "songs").rows.values()
        found = [
            Song(row["title"], row["artist"].replace("|", ", "), row[SPOTIFY_ID], features)
            for row in rows
            if (features := songs.parse_features({name: row[column] for name, column in AUDIO_COLUMNS.items()}))
        ]
        count = len(rows)
    if not found:
        where = f"{file} has" if file else "Of what was imported there are"
        raise SourceError(f"{where} no songs with audio features. Import some first: flask import songs FILE")
    return found, count - len(found)
