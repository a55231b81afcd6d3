"""`flask analyze`: read the mood of texts, recordings, pictures and clips."""

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

BATCH_LINES: Final = 256  # large enough to keep the model busy, small enough to show progress
MAX_INPUT_CHARACTERS: Final = 60  # of an input in a message or a row
MAX_LABEL_CHARACTERS: Final = 24  # of an input beside a progress bar


@click.command("analyze")
@click.argument("inputs", nargs=-1, metavar="[FILE-OR-TEXT]…")
@click.option(
    "--file", "lines", type=click.File("rb"), help="Read each line of this UTF-8 file as a text; - is standard input."
)
@click.option("--json", "output_format", flag_value="json", help="Print JSON, one object per line, with all figures.")
@click.option(
    "--csv", "output_format", flag_value="csv", help="Print CSV, one row per input and per moment, sentence or face of it."
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Plot the moods over time to this PNG file.",
)
@with_appcontext
def analyze(inputs: tuple[str, ...], lines: BinaryIO | None, output_format: str | None, plot: Path | None) -> None:
    """Read the mood of texts, recordings, pictures and clips.

    An input that names a file is read by the file's content: a picture (JPEG, PNG, WebP, GIF, HEIC), a clip (MP4, WebM, MOV,
    AVI, animated GIF), a recording (WAV, FLAC, OGG, Opus, MP3, M4A) or a text. Any other input is read as a text itself.
    Nothing is stored.

    \b
      flask analyze "I can't believe I got the job!"
      flask analyze party.mp4 --plot party.png
      flask analyze photos/*.jpg --csv > moods.csv
      flask analyze --file lines.txt --json > moods.jsonl
    """  # noqa: D301 - click's mark for lines that it must not join
    if not inputs and lines is None:
        raise click.UsageError(
            'Give a text in quotes, a file, or --file with one text per line. Example: flask analyze "What a day!"'
        )
    failed = False
    try:
        if inputs:
            failed = not _analyze_inputs(current_services(), inputs, output_format, plot)
        if lines is not None:
            failed |= not _analyze_lines(lines, output_format)
    except (ModelError, FileNotFoundError, DecoderError) as error:
        raise click.ClickException(str(error)) from None
    if failed:
        raise SystemExit(1)


def _analyze_inputs(services: Services, inputs: tuple[str, ...], output_format: str | None, plot: Path | None) -> bool:
    """Analyze each input and print the results; returns whether all inputs could be read."""
    analyzed: list[reports.AnalyzedInput] = []
    errors: list[str] = []
    with click.progressbar(length=len(inputs) * 100, label="Reading", file=sys.stderr) as bar:
        for number, value in enumerate(inputs):
            bar.label = f"Reading {reports.shorten(value, MAX_LABEL_CHARACTERS)}"

            def show_progress(progress: Progress, done: int = 100 * number) -> None:
                bar.update(done + int(100 * (progress or 0)) - bar.pos)

            try:
                analyzed.append(_analyze_input(services, value, show_progress))
            except (MediaError, TextError) as error:
                errors.append(f"{reports.shorten(value, MAX_INPUT_CHARACTERS)}: {error}")
            show_progress(1.0)
    match output_format:
        case "json":
            for name, message, _ in analyzed:
                click.echo(json.dumps({"input": name, **message}))
        case "csv":
            click.echo(reports.to_csv(analyzed), nl=False)
        case _:
            click.echo(reports.to_table(analyzed), nl=False)
    for line in errors:
        click.echo(line, err=True)
    if plot is not None and analyzed:
        try:
            reports.write_plot(analyzed, plot)
        except ModuleNotFoundError as error:
            raise click.ClickException(reports.missing_package_message(error)) from None
    return not errors


def _analyze_input(services: Services, value: str, on_progress: Callable[[Progress], None]) -> reports.AnalyzedInput:
    """Analyze one input: the file that it names, or the text that it is. Raises TextError or MediaError."""
    path = Path(value)
    if _is_file(path):
        with path.open("rb") as file:
            analysis = run_to_completion(analyze_file(file, services), on_progress)
        return reports.AnalyzedInput(value, analysis_message(analysis))
    media_type = mimetypes.guess_type(value)[0]
    if media_type and not any(character.isspace() for character in value):
        raise MediaError("there is no such file")
    return reports.AnalyzedInput(value, analysis_message(analyze_text(value, services.text_recognizer())), value)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text may be longer than any file name
        return False


def _analyze_lines(file: BinaryIO, output_format: str | None) -> bool:
    """Analyze each line that is not empty and print its result; returns whether all lines could be read."""
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
    recognizer = TextEmotionRecognizer.load(threads=os.cpu_count() or 1)  # this process serves no visitors
    if output_format == "csv":
        click.echo(reports.csv_line(["line", "text", *reports.COLUMNS[2:]]), nl=False)
    with click.progressbar(length=len(texts), label="Reading", file=sys.stderr) as bar:
        for start in range(0, len(texts), BATCH_LINES):
            batch = texts[start : start + BATCH_LINES]
            vectors = recognizer.predict_proba([text for _, text in batch])
            for (number, text), vector in zip(batch, vectors, strict=True):
                message = reading_message(vector)
                if output_format == "json":
                    click.echo(json.dumps({"line": number, "text": text, **message}))
                elif output_format == "csv":
                    click.echo(reports.csv_line([str(number), text, *reports.figure_cells(message)]), nl=False)
                else:
                    shown = reports.shorten(text, MAX_INPUT_CHARACTERS)
                    click.echo(f"{message['label']:<8} {message['confidence']:4.0%}  {shown}")
            bar.update(len(batch))
    return not unreadable
