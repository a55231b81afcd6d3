"""`flask import` and `flask cluster`: one's own catalogue, and playlists of it."""

import os
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from flask.cli import with_appcontext

from moodmirror.recognition.model_files import ModelError, cached_loader
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.importers import generic_csv, movies, songs
from moodmirror.recommendation.importers.imported_table import ImportedTable, Row, import_entries
from moodmirror.recommendation.importers.source_files import Entry, Source, SourceError
from moodmirror.recommendation.item_item import MIN_PEOPLE
from moodmirror.services import current_services

if TYPE_CHECKING:
    pass

FILE: Final = click.Path(path_type=Path)
TOLD: Final = ("title", "tags", "text", "minutes")
SHOWN_SONGS: Final = 3  # of a group


@click.group("import")
def import_group() -> None:
    """Bring in a catalogue of your own, beside the one that is shipped.

    It is kept in instance/catalogue/ and read when the site starts. What was imported before is not imported again.
    """


def _run(kind: str, source: Source, make_rows: Callable[[Sequence[Entry]], list[Row]], batch: int) -> ImportedTable:
    """Import what is new of a source, and say what became of it all."""
    try:
        table = ImportedTable(current_services().config.imported_dir, kind)
        fresh = table.new_entries(source)
        with click.progressbar(length=len(fresh), label=f"Importing {kind}", show_pos=True) as bar:
            import_entries(table, fresh, make_rows, batch, bar.update)
    except (ModelError, SourceError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(table.report(source))
    return table


def _text_recognizer() -> Callable[[], TextEmotionRecognizer]:
    return cached_loader(partial(TextEmotionRecognizer.load, threads=os.cpu_count() or 1))  # nobody else is served meanwhile


def import_song_entries(source: Source, features: Sequence[Path] = ()) -> None:
    """Import songs and say what became of them. Raises SourceError if a file of `features` is in no known form."""
    sources = [songs.read(path) for path in features]

    @cache
    def rows() -> songs.SongRowBuilder:
        made = songs.SongRowBuilder(current_services().recommender.items("songs"), _text_recognizer())
        for further in (source, *sources):
            made.add_audio_features(further)
        return made

    table = _run("songs", source, lambda entries: rows().build(entries), songs.BATCH)
    if table.added and (note := songs.guessed_note(table.rows.values(), source.entries)):
        click.echo(note)


@import_group.command("songs")
@click.argument("file", type=FILE)
@click.option("--features", type=FILE, multiple=True, help="A file of songs with audio features, to look up missing ones.")
@with_appcontext
def import_songs(file: Path, features: tuple[Path, ...]) -> None:
    """Import songs that come from Spotify; their mood is measured from audio features.

    FILE is the Kaggle file "Spotify 1921-2020", the TidyTuesday file spotify_songs.csv, an Exportify CSV, or
    YourLibrary.json of the account data download. Which one is told by its columns.

    \b
      flask import songs spotify_songs.csv
      flask import songs YourLibrary.json --features spotify_songs.csv
    """  # noqa: D301 - click's mark for lines that it must not join
    try:
        import_song_entries(songs.read(file), features)
    except SourceError as error:
        raise click.ClickException(str(error)) from None


@import_group.command("movies")
@click.argument("file", type=FILE)
@with_appcontext
def import_movies(file: Path) -> None:
    """Import films and series; their mood is read in the overview, genres and keywords.

    FILE is TMDB's tmdb_5000_movies.csv (directors come from tmdb_5000_credits.csv beside it), MovieLens' movies.csv (tags
    come from tags.csv beside it) or its folder, a list exported from IMDb, or the Kaggle file of IMDb's top 1000.

    Of MovieLens' ratings.csv, where it lies beside movies.csv, the site learns which films the same people like. Only counts
    of five people and more are kept, instead of those of an earlier import.
    """
    try:
        source, likes = movies.read(file), movies.count_co_likes(file)
    except SourceError as error:
        raise click.ClickException(str(error)) from None
    _run("movies", source, partial(movies.make_rows, _text_recognizer()), movies.BATCH)
    if likes is not None:
        likes.save(current_services().config.imported_dir, "movies")
        click.echo(
            f"From the ratings: {len(likes.items):,} films that at least {MIN_PEOPLE} people like, "
            f"and {len(likes.pair_counts):,} pairs of them that as many like together."
        )


def _import_things(kind: str) -> click.Command:
    what = {"food": "dishes and drinks", "activities": "things to do"}[kind]

    @with_appcontext
    def command(file: Path, **columns: str | None) -> None:
        told = {name.removesuffix("_column"): column for name, column in columns.items() if column is not None}
        try:
            source = generic_csv.read(file, kind, told)
        except SourceError as error:
            raise click.ClickException(str(error)) from None
        _run(kind, source, partial(generic_csv.make_rows, kind, _text_recognizer()), generic_csv.BATCH)

    for name in reversed(TOLD):
        names = ", ".join(generic_csv.COLUMN_NAMES[name][:3])
        command = click.option(f"--{name}-column", help=f"Which column holds it (default: {names} …).")(command)
    command = click.argument("file", type=FILE)(command)
    return click.command(
        kind,
        help=f"Import {what} from any CSV file with a title and, if possible, tags and a text.\n\n"
        "Columns are guessed from their names unless options tell.",
    )(command)


import_group.add_command(_import_things("food"))
import_group.add_command(_import_things("activities"))
