"""flask analyze: read the mood of texts, recordings, pictures and clips."""

import json
import mimetypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import click
from flask.cli import with_appcontext

from moodmirror.cli import reports
from moodmirror.live.messages import analysis_message, reading_message
from moodmirror.media.errors import DecoderError, MediaError
from moodmirror.media.file_analysis import Progress, analyze_text, run_to_completion
from moodmirror.media.file_analysis import analyze as analyze_file
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import TextError, clean_text, decode_text
from moodmirror.services import Services, current_services

BATCH: Final = 256  # lines that are read at once: enough to keep the model busy, few enough to show progress
SHOWN_CHARACTERS: Final = 60  # of an input, to tell which one is meant
SHOWN_NAME: Final = 24  # of them beside a progress bar


@click.command("analyze")
@click.argument("inputs", nargs=-1, metavar="[FILE-OR-TEXT]…")
@click.option(
    "--file", "lines", type=click.File("rb"), help="Read each line of this UTF-8 file as a text; - is standard input."
)
@click.option("--json", "form", flag_value="json", help="Print JSON, one object a line, with all figures.")
@click.option("--csv", "form", flag_value="csv", help="Print CSV: a row for each input, and for each part of its course.")
@click.option("--plot", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="Draw the courses into a PNG.")
@with_appcontext
def analyze(inputs: tuple[str, ...], lines: BinaryIO | None, form: str | None, plot: Path | None) -> None:
    """Read the mood of texts, recordings, pictures and clips.

    What names a file is read as what it holds: a picture (JPEG, PNG, WebP, GIF, HEIC), a clip (MP4, WebM, MOV, AVI, animated
    GIF), a recording (WAV, FLAC, OGG, Opus, MP3, M4A) or a text. All else is read as a text. Nothing is stored.

    \b
      flask analyze "I can't believe I got the job!"
      flask analyze party.mp4 --plot party.png
      flask analyze photos/*.jpg --csv > moods.csv
      flask analyze --file lines.txt --json > moods.jsonl
    """  # noqa: D301 - click's mark for lines that it must not join
    if not inputs and lines is None:
        raise click.UsageError(
            'Give a text in quotes, a file, or --file with a text a line, as in: flask analyze "What a day!"'
        )
    failed = False
    try:
        if inputs:
            failed = not _analyze_inputs(current_services(), inputs, form, plot)
        if lines is not None:
            failed |= not _analyze_lines(lines, form)
    except (ModelError, FileNotFoundError, DecoderError) as error:
        raise click.ClickException(str(error)) from None
    if failed:
        raise SystemExit(1)


def _analyze_inputs(site: Services, inputs: tuple[str, ...], form: str | None, plot: Path | None) -> bool:
    """Read each input and print what it says; returns whether all could be read."""
    read: list[reports.Read] = []
    problems: list[str] = []
    with click.progressbar(length=len(inputs) * 100, label="Reading", file=sys.stderr) as bar:
        for number, given in enumerate(inputs):
            bar.label = f"Reading {reports.shortened(given, SHOWN_NAME)}"

            def tell(progress: Progress, done: int = 100 * number) -> None:
                bar.update(done + int(100 * (progress or 0)) - bar.pos)

            try:
                read.append(_analyzed(site, given, tell))
            except (MediaError, TextError) as error:
                problems.append(f"{reports.shortened(given, SHOWN_CHARACTERS)}: {error}")
            tell(1.0)
    match form:
        case "json":
            for name, message, _ in read:
                click.echo(json.dumps({"input": name, **message}))
        case "csv":
            click.echo(reports.as_csv(read), nl=False)
        case _:
            click.echo(reports.as_table(read), nl=False)
    for words in problems:
        click.echo(words, err=True)
    if plot is not None and read:
        try:
            reports.draw(read, plot)
        except ModuleNotFoundError as missing:
            raise click.ClickException(reports.told_missing(missing)) from None
    return not problems


def _analyzed(site: Services, given: str, on_progress: Callable[[Progress], None]) -> reports.Read:
    """What there is to say of one input. Raises TextError or MediaError."""
    path = Path(given)
    if _is_file(path):
        with path.open("rb") as file:
            return reports.Read(given, analysis_message(run_to_completion(analyze_file(file, site), on_progress)))
    kind = mimetypes.guess_type(given)[0]
    if kind and not any(character.isspace() for character in given):
        raise MediaError("there is no such file")
    return reports.Read(given, analysis_message(analyze_text(given, site.text_recognizer())), given)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text may be longer than any file's name
        return False


def _analyze_lines(file: BinaryIO, form: str | None) -> bool:
    """Read each line that is not empty and print what it says; returns whether all could be read."""
    texts: list[tuple[int, str]] = []
    unreadable = 0
    for number, line in enumerate(file.read().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            text = decode_text(line).strip()
            clean_text(text)
            texts.append((number, text))
        except TextError as error:
            unreadable += 1
            click.echo(f"line {number}: {error}", err=True)
    recognizer = TextEmotionRecognizer.load(threads=os.cpu_count() or 1)  # nobody else is served meanwhile
    if form == "csv":
        click.echo(reports.csv_line(["line", "text", *reports.COLUMNS[2:]]), nl=False)
    with click.progressbar(length=len(texts), label="Reading", file=sys.stderr) as bar:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors = recognizer.predict_proba([text for _, text in batch])
            for (number, text), vector in zip(batch, vectors, strict=True):
                message = reading_message(vector)
                if form == "json":
                    click.echo(json.dumps({"line": number, "text": text, **message}))
                elif form == "csv":
                    click.echo(reports.csv_line([str(number), text, *reports.figures(message)]), nl=False)
                else:
                    click.echo(
                        f"{message['label']:<8} {message['confidence']:4.0%}  {reports.shortened(text, SHOWN_CHARACTERS)}"
                    )
            bar.update(len(batch))
    return not unreadable
