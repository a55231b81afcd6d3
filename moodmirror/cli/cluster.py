"""`flask cluster`: group songs with K-Means and write one playlist for each group."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from flask.cli import with_appcontext

from moodmirror.cli.reports import missing_package_message
from moodmirror.emotions import EMOTIONS
from moodmirror.recommendation.importers import songs
from moodmirror.recommendation.importers.imported_table import AUDIO_COLUMNS, SPOTIFY_ID, ImportedTable
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.services import current_services

if TYPE_CHECKING:
    from moodmirror.recommendation.playlist_clustering import Song

FILE: Final = click.Path(path_type=Path)
EXAMPLE_SONGS: Final = 3  # per group


@click.group("cluster")
def cluster_group() -> None:
    """Group items by mood."""


@cluster_group.command("songs")
@click.argument("file", type=FILE, required=False)
@click.option("--k", type=click.IntRange(1, len(EMOTIONS)), default=6, show_default=True, help="The number of groups.")
@click.option(
    "--emotion",
    "emotions",
    type=click.Choice(EMOTIONS),
    multiple=True,
    help="An emotion to name groups by; repeat for several (default: fear, happy, angry, surprise, sad, neutral).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of K-Means' random start.")
@click.option("--out", type=FILE, default=Path("playlists"), show_default=True, help="The folder to write to.")
@with_appcontext
def cluster_songs(file: Path | None, k: int, emotions: tuple[str, ...], seed: int, out: Path) -> None:
    """Group songs by their audio features and write one playlist per emotion.

    FILE is any file that `flask import songs` accepts and that has audio features; without it, the imported songs are
    grouped. Written to the folder: for each group a playlist as M3U, CSV and JSPF, and a plot of all groups, clusters.png.
    """
    try:
        from moodmirror.recommendation import playlist_clustering  # noqa: PLC0415  # scikit-learn takes a second
    except ModuleNotFoundError as error:
        raise click.ClickException(missing_package_message(error)) from None
    try:
        found, left_out = songs_to_cluster(file)
        clusters = playlist_clustering.cluster_songs(found, k, emotions or None, seed=seed)
    except (SourceError, playlist_clustering.ClusterError) as error:
        raise click.ClickException(str(error)) from None
    playlist_clustering.write_playlists(clusters, out)
    playlist_clustering.draw_clusters(clusters, out / "clusters.png")
    for cluster in clusters:
        examples = ", ".join(f"{song.title} by {song.artist}" for song in cluster.songs[:EXAMPLE_SONGS])
        click.echo(f"{cluster.emotion:<9}{len(cluster.songs):>6,} songs, such as {examples}")
    if left_out:
        click.echo(f"Left out, without audio features: {left_out:,}.")
    click.echo(f"Playlists and clusters.png are in {out}.")


def songs_to_cluster(file: Path | None) -> "tuple[list[Song], int]":
    """Return the songs of a file, or the imported ones, that have audio features, and the number of songs without.

    Raises SourceError if no song has audio features.
    """
    from moodmirror.recommendation.playlist_clustering import Song  # noqa: PLC0415  # scikit-learn takes a second

    if file is not None:
        entries = songs.read(file).entries
        found = [
            Song(entry.title, entry.cells["artist"].replace("|", ", "), entry.cells[SPOTIFY_ID], entry.features)
            for entry in entries
            if entry.features
        ]
        count = len(entries)
    else:
        rows = ImportedTable(current_services().config.imported_dir, "songs").rows.values()
        found = [
            Song(row["title"], row["artist"].replace("|", ", "), row[SPOTIFY_ID], features)
            for row in rows
            if (features := songs.parse_features({name: row[column] for name, column in AUDIO_COLUMNS.items()}))
        ]
        count = len(rows)
    if not found:
        where = str(file) if file else "The imported catalogue"
        raise SourceError(f"{where} has no songs with audio features. Import some first: flask import songs FILE")
    return found, count - len(found)
