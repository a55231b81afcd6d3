"""`flask import`: add songs, movies, food and activities of your own to the catalogue."""

import os
import secrets
import time
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Final

import click
from flask.cli import with_appcontext

from moodmirror.recognition.model_files import ModelError, cached_loader
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.importers import generic_csv, movie_files, movies, song_files, songs
from moodmirror.recommendation.importers.imported_table import ImportedTable, Row, import_entries
from moodmirror.recommendation.importers.source_files import Entry, Source, SourceError
from moodmirror.recommendation.item_item import MIN_PEOPLE
from moodmirror.recommendation.taste import Opinion
from moodmirror.services import current_services
from moodmirror.storage.database import DatabaseUnavailableError

FILE: Final = click.Path(path_type=Path)
COLUMN_OPTIONS: Final = ("title", "tags", "text", "minutes")
LIKES_TOKEN_FILE: Final = "likes-token"  # beside the imported tables: who holds the token may take the likes over
ITEM_NAMES: Final = {"food": "dishes and drinks", "activities": "activities"}


@click.group("import")
def import_group() -> None:
    """Import a catalogue of your own, in addition to the one that is included.

    It is stored in instance/catalogue/ and loaded when the site starts. Items that were imported before are skipped.
    """


def _import(kind: str, source: Source, make_rows: Callable[[Sequence[Entry]], list[Row]], batch: int) -> ImportedTable:
    """Import a source's new entries and print how many were added or skipped, and why."""
    try:
        table = ImportedTable(current_services().config.imported_dir, kind)
        entries = table.entries_to_import(source)
        with click.progressbar(length=len(entries), label=f"Importing {kind}", show_pos=True) as bar:
            import_entries(table, entries, make_rows, batch, bar.update)
    except (ModelError, SourceError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(table.report(source))
    if table.is_fruitless:
        raise click.ClickException(
            "Nothing could be imported: the file has no rows."
            if not table.skipped
            else "Nothing could be imported: the reasons are above."
        )
    _store_likes(table, source.entries)
    return table


def _store_likes(table: ImportedTable, entries: Sequence[Entry]) -> None:
    """Store the likes of an import for the visitor who opens the printed link."""
    liked = sorted((entry for entry in entries if entry.liked), key=lambda entry: entry.plays)
    now = time.time()
    # The most played ones count as the newest opinions, which weigh most.
    opinions = [
        Opinion(table.kind, item, "like", now - (len(liked) - rank) / 1000)
        for rank, entry in enumerate(liked)
        if (item := table.id_of(entry)) is not None
    ]
    if not opinions:
        return
    services = current_services()
    path = services.config.imported_dir / LIKES_TOKEN_FILE
    token = path.read_text(encoding="ascii") if path.exists() else secrets.token_hex(16)
    try:
        services.database.save_opinions(token, opinions)
    except DatabaseUnavailableError as error:
        click.echo(f"The likes could not be stored: {error} Import the file again later.")
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(token, encoding="ascii")
    click.echo(
        f"Liked, because played often or rated high: {len(opinions):,}. To take these likes over, open this page of your "
        f"site in your browser: /likes/{token}"
    )


def _text_recognizer() -> Callable[[], TextEmotionRecognizer]:
    # All cores, because this process serves no visitors.
    return cached_loader(partial(TextEmotionRecognizer.load, threads=os.cpu_count() or 1))


def import_song_entries(source: Source, features: Sequence[Path] = ()) -> None:
    """Import songs and print the result; missing audio features are looked up in the files `features`.

    Raises SourceError if one of these files has an unknown format.
    """
    feature_sources = [song_files.read(path) for path in features]

    @cache
    def builder() -> songs.SongRowBuilder:
        created = songs.SongRowBuilder(current_services().recommender.items("songs"), _text_recognizer())
        for feature_source in (source, *feature_sources):
            created.add_audio_features(feature_source)
        return created

    table = _import("songs", source, lambda entries: builder().build(entries), songs.BATCH)
    if table.added and (note := songs.guessed_note(table.rows.values(), source.entries)):
        click.echo(note)


@import_group.command("songs")
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--features", type=FILE, multiple=True, help="A file with audio features of songs, to look up missing ones.")
@with_appcontext
def import_songs(files: tuple[Path, ...], features: tuple[Path, ...]) -> None:
    """Import songs from playlists, libraries, listening histories and data sets, of Spotify and other programs.

    FILES are tables with columns of titles and artists (Exportify, TuneMyMusic, Soundiiz, Shazam, the Kaggle data sets,
    spotify_songs.csv …) or emotions, the JSON files of Spotify's account data, an iTunes library, M3U playlists, or folders
    of these. A song's mood is computed from audio features, unless the file names it.

    \b
      flask import songs spotify_songs.csv
      flask import songs "Spotify Account Data" --features spotify_songs.csv
    """  # noqa: D301 - click's mark for lines that it must not join
    try:
        import_song_entries(song_files.read_all(files), features)
    except SourceError as error:
        raise click.ClickException(str(error)) from None


@import_group.command("movies")
@click.argument("file", type=FILE)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=movie_files.DEFAULT_LIMIT,
    show_default=True,
    help="Import at most so many films of a file, those with most votes.",
)
@with_appcontext
def import_movies(file: Path, limit: int) -> None:
    """Import films and series; their mood is computed from the overview, genres and keywords, unless the file names it.

    FILE is a table of films or a folder: TMDB's data sets (tmdb_5000_movies.csv, movies_metadata.csv,
    TMDB_movie_dataset_v11.csv) and JSON of its API, MovieLens, IMDb's lists and title.basics.tsv (ratings come from
    title.ratings.tsv beside it), the export of Letterboxd or Trakt, Netflix's catalogue or viewing history, or any CSV file
    with titles and years, genres or emotions. Films that you rate high or watch often become likes.

    If MovieLens' ratings are beside its films, they show which films are liked by the same people. Only counts of at
    least five people are stored; they replace those of an earlier import.
    """
    try:
        source = movie_files.read(file, limit, lambda rows: click.echo(f"{rows:,} rows read", err=True))
        likes = movie_files.count_co_likes(file)
    except SourceError as error:
        raise click.ClickException(str(error)) from None
    table = _import("movies", source, partial(movies.make_rows, _text_recognizer()), movies.BATCH)
    if table.added and (note := movies.guessed_note(table.rows.values(), source.entries)):
        click.echo(note)
    if likes is not None:
        stored_ids = {entry.id: table.id_of(entry) or entry.id for entry in source.entries}
        likes.renamed(stored_ids).save(current_services().config.imported_dir, "movies")
        click.echo(
            f"From the ratings: {len(likes.items):,} films that at least {MIN_PEOPLE} people like, "
            f"and {len(likes.pair_counts):,} pairs of films that at least {MIN_PEOPLE} people both like."
        )


def _import_csv_command(kind: str) -> click.Command:
    @with_appcontext
    def command(file: Path, **columns: str | None) -> None:
        chosen = {name.removesuffix("_column"): column for name, column in columns.items() if column is not None}
        try:
            source = generic_csv.read(file, kind, chosen)
        except SourceError as error:
            raise click.ClickException(str(error)) from None
        _import(kind, source, partial(generic_csv.make_rows, kind, _text_recognizer()), generic_csv.BATCH)

    for name in reversed(COLUMN_OPTIONS):
        names = ", ".join(generic_csv.COLUMN_NAMES[name][:3])
        command = click.option(f"--{name}-column", help=f"The column with the {name} (default: {names} …).")(command)
    command = click.argument("file", type=FILE)(command)
    return click.command(
        kind,
        help=f"Import {ITEM_NAMES[kind]} from any CSV file with a title and, if possible, tags and a text.\n\n"
        "Columns are detected by their names unless you name them with options.",
    )(command)


import_group.add_command(_import_csv_command("food"))
import_group.add_command(_import_csv_command("activities"))
