"""`flask cluster`: group songs with K-Means and write one playlist for each group."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from flask.cli import with_appcontext

from moodmirror.cli.emotion_choice import EmotionChoice
from moodmirror.cli.reports import command_line, missing_package_message
from moodmirror.emotions import CIRCUMPLEX, EMOTIONS
from moodmirror.recommendation.importers import song_files
from moodmirror.recommendation.importers.imported_table import AUDIO_COLUMNS, SPOTIFY_ID, ImportedTable
from moodmirror.recommendation.importers.source_files import SourceError
from moodmirror.recommendation.playlist_clustering import (
    DEFAULT_EMOTIONS,
    MAX_GROUPS,
    MIN_NAME_LEAD,
    MIXED,
    Cluster,
    ClusterError,
    Song,
    cluster_songs,
)
from moodmirror.recommendation.playlist_files import PICTURE, PlaylistFolderError, make_files, replace_files
from moodmirror.recommendation.song_mood import AUDIO_FEATURES
from moodmirror.services import current_services

FILE: Final = click.Path(path_type=Path)
EXAMPLE_SONGS: Final = 3  # per group
UNITS: Final = {"loudness": "dB", "tempo": "beats/min"}  # of the audio features; the others are in 0…1
PLACE_LIMIT: Final = 2.1  # of the picture's axes: songs further than 2 standard deviations out are drawn at 2


@click.group("cluster")
def cluster_group() -> None:
    """Group items by mood."""


@cluster_group.command("songs")
@click.argument("file", type=FILE, required=False)
@click.option("--k", type=click.IntRange(1, MAX_GROUPS), default=6, show_default=True, help="The number of groups.")
@click.option(
    "--emotion",
    "emotions",
    type=EmotionChoice(),
    multiple=True,
    help=f"An emotion to name groups by; repeat for several (default: {', '.join(DEFAULT_EMOTIONS)}).",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of K-Means' random start.")
@click.option("--out", type=FILE, default=Path("playlists"), show_default=True, help="The folder to write to.")
@with_appcontext
def cluster_command(file: Path | None, k: int, emotions: tuple[str, ...], seed: int, out: Path) -> None:
    """Group songs by their audio features and write one playlist per group.

    FILE is any file that `flask import songs` accepts and that has audio features; without it, the imported songs are
    grouped. Written to the folder: for each group a playlist as M3U, CSV and JSPF, all centroids as centroids.csv, and a
    plot of all groups, clusters.png. They replace those of an earlier run; other files in the folder stay.
    """
    try:
        found, left_out = songs_to_cluster(file)
        clusters = cluster_songs(found, k, emotions or None, seed=seed)
    except (SourceError, ClusterError) as error:
        raise click.ClickException(str(error)) from None
    files = make_files(clusters)
    try:
        files[PICTURE] = draw_clusters(clusters)
    except ModuleNotFoundError as error:
        click.echo(f"Without {PICTURE}: {missing_package_message(error)}", err=True)
    try:
        deleted, changed = replace_files(out, files)
    except PlaylistFolderError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{out} can't be written: {error.strerror}. Choose another folder with --out.") from None
    width = max(len(cluster.name) for cluster in clusters)
    for cluster in clusters:
        examples = ", ".join(f"{song.title} by {song.artist}" for song in cluster.songs[:EXAMPLE_SONGS])
        noun = "song" if len(cluster.songs) == 1 else "songs"
        click.echo(f"{cluster.name:<{width}}  {len(cluster.songs):>6,} {noun}, such as {examples}")
    click.echo(f"\n{centroid_table(clusters)}\n")
    click.echo(
        "Mood valence and arousal are in standard deviations from the typical song. A group is named with the emotion whose "
        f"share is at least {MIN_NAME_LEAD:g} times every other's, if its place on the circumplex agrees; else {MIXED}."
    )
    if len(clusters) < k:
        click.echo(f"Not {k} groups but {len(clusters)}: further ones would differ by no more than rounding does.")
    if left_out:
        click.echo(f"Left out, without audio features: {left_out:,}.")
    if deleted:
        click.echo(f"Deleted from {out}, of an earlier run: {', '.join(deleted)}.")
    if changed:
        click.echo(f"Kept in {out}, as they were changed since an earlier run wrote them: {', '.join(changed)}.")
    click.echo(f"Playlists{f' and {PICTURE}' if PICTURE in files else ''} are in {out}.")


def songs_to_cluster(file: Path | None) -> tuple[list[Song], int]:
    """Return the songs of a file, or the imported ones, that have audio features, and the number of songs without.

    Raises SourceError if no song has audio features.
    """
    if file is not None:
        entries = song_files.read_all([file]).entries
        found = [
            Song(entry.title, tuple(entry.cells["artist"].split("|")), entry.cells[SPOTIFY_ID], entry.features)
            for entry in entries
            if entry.features
        ]
        count = len(entries)
    else:
        rows = ImportedTable(current_services().config.imported_dir, "songs").rows.values()
        found = [
            Song(row["title"], tuple(row["artist"].split("|")), row[SPOTIFY_ID], features)
            for row in rows
            if (features := song_files.parse_features({name: row[column] for name, column in AUDIO_COLUMNS.items()}))
        ]
        count = len(rows)
    if not found:
        where = str(file) if file else "The imported catalogue"
        remedy = f"Import some first: {command_line('import songs FILE')}"
        raise SourceError(f"{where} has no songs with audio features. {remedy}")
    return found, count - len(found)


def centroid_table(clusters: Sequence[Cluster]) -> str:
    """Return the centroids as an aligned table: a column for each group."""
    rows = [["centroid of", *(cluster.name for cluster in clusters)]]
    for index, feature in enumerate(AUDIO_FEATURES):
        decimals = 0 if feature == "tempo" else 1 if feature == "loudness" else 2
        cells = [f"{cluster.centroid[index]:.{decimals}f}" for cluster in clusters]
        rows.append([f"{feature} ({UNITS.get(feature, '0…1')})", *cells])
    for axis, name in enumerate(("mood valence", "mood arousal")):
        rows.append([name, *(f"{cluster.place[axis]:+.2f}" for cluster in clusters)])
    for index, emotion in enumerate(EMOTIONS):
        rows.append([f"share of {emotion}", *(f"{cluster.mood[index]:.0%}" for cluster in clusters)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def draw_clusters(clusters: Sequence[Cluster]) -> bytes:
    """Draw the songs and the emotions on the circumplex of affect, colored by group, as a PNG file.

    Raises ModuleNotFoundError if only the packages for serving are installed.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  # importing it takes a second, and only this picture needs it

    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots()
    label = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1}
    for emotion, (valence, arousal) in CIRCUMPLEX.items():
        axes.annotate(emotion, (valence, arousal), ha="center", va="center", style="italic", bbox=label)
    for number, cluster in enumerate(clusters):
        color = f"C{number % 10}"
        axes.scatter(cluster.places[:, 0], cluster.places[:, 1], s=12, color=color, alpha=0.4, linewidths=0)
        axes.annotate(
            f"{cluster.name} ({len(cluster.songs)})",
            cluster.place,
            ha="center",
            weight="bold",
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": color},
        )
    axes.set(
        xlim=(-PLACE_LIMIT, PLACE_LIMIT),
        ylim=(-PLACE_LIMIT, PLACE_LIMIT),
        xlabel="valence: bleak … bright, in standard deviations of songs",
        ylabel="arousal: calm … stirring",
    )
    axes.axhline(0, color="gray", linewidth=0.5)
    axes.axvline(0, color="gray", linewidth=0.5)
    axes.set_title("Songs grouped by audio features, each group named with its emotion")
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
