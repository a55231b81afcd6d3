"""`flask analyze`: read the mood of texts, recordings, pictures and clips."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import click
from flask.cli import with_appcontext

from moodmirror.cli import reports
from moodmirror.cli.analyze_inputs import FileInput, TextInput, find_inputs
from moodmirror.cli.help_notice import print_help_notice, terminal_country
from moodmirror.live.messages import analysis_message, combined_mood_message, help_message, reading_message
from moodmirror.media.analysis_result import Analysis
from moodmirror.media.errors import DecoderError, MediaError
from moodmirror.media.file_analysis import Progress, analyze_text, run_to_completion, unsupported_language_notice
from moodmirror.media.file_analysis import analyze as analyze_file
from moodmirror.recognition.crisis_statements import is_crisis_statement
from moodmirror.recognition.model_files import ModelError
from moodmirror.recognition.speech_model_file import load_speech_model
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recognition.text_input import TextError, clean_text, decode_bytes, decode_text
from moodmirror.recognition.text_language import LANGUAGES, language_name
from moodmirror.services import Services, current_services

BATCH_LINES: Final = 256  # large enough to keep the model busy, small enough to show progress
MAX_INPUT_CHARACTERS: Final = 60  # of an input in a message or a row
MAX_LABEL_CHARACTERS: Final = 24  # of an input beside a progress bar


@click.command("analyze")
@click.argument("inputs", nargs=-1, metavar="[FILE|FOLDER|TEXT]…")
@click.option("--text", "texts", multiple=True, help="A text, also where it looks like a path; repeat for several.")
@click.option("--file", "lines", type=click.File("rb"), help="Read each line of this file as a text; - is standard input.")
@click.option("--together", is_flag=True, help="Also make one mood of all inputs: of a photo, a voice note and a sentence.")
@click.option("--json", "output_format", flag_value="json", help="Print JSON, one object per line, with all figures.")
@click.option(
    "--csv", "output_format", flag_value="csv", help="Print CSV, one row per input and per moment, sentence or face of it."
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Plot the moods over time to this PNG file.",
)
@click.option(
    "--speech-model",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Read voices with a model of train.py speech, a .tflite or .npz file (default: the served network).",
)
@with_appcontext
def analyze(
    inputs: tuple[str, ...],
    texts: tuple[str, ...],
    lines: BinaryIO | None,
    output_format: str | None,
    plot: Path | None,
    *,
    speech_model: Path | None,
    together: bool,
) -> None:
    """Read the mood of texts, recordings, pictures and clips.

    An input that names a file is read by the file's content: a picture, a clip, a recording or a text; docs/file_formats.md
    lists the formats. A folder is read with its subfolders. Any other input is read as a text itself. Nothing is stored.

    \b
      flask analyze "I can't believe I got the job!"
      flask analyze party.mp4 --plot party.png
      flask analyze photos/ --csv > moods.csv
      flask analyze me.jpg note.wav "What a day!" --together
      flask analyze note.wav --speech-model models/speech_emotion_mlp.npz
      flask analyze --file lines.txt --json > moods.jsonl

    The exit status is 0 if all inputs were read, also where they show no face and no voice or a file of lines is empty; 1 if
    some could not be read or a model is unavailable; 2 for wrong usage.
    """  # noqa: D301 - click's mark for lines that it must not join
    if not inputs and not texts and lines is None:
        raise click.UsageError(
            "Give a text in quotes, a file, a folder, or --file with one text per line. Example: "
            + reports.command_line('analyze "What a day!"')
        )
    if lines is not None and together:
        raise click.UsageError("--together makes one mood of files, folders and texts; it can't include the lines of --file")
    if plot is not None and not inputs and not texts:
        raise click.UsageError("--plot plots files, folders and texts; give some beside --file")
    failed = False
    try:
        if inputs or texts:
            services = current_services()
            if speech_model is not None:
                recognizer = load_speech_model(speech_model)
                services = replace(services, speech_recognizer=lambda: recognizer)
            failed = not _analyze_inputs(services, inputs, texts, output_format, plot, together=together)
        if lines is not None:
            failed |= not _analyze_lines(lines, output_format)
    except (ModelError, FileNotFoundError, DecoderError) as error:
        raise click.ClickException(str(error)) from None
    if failed:
        raise SystemExit(1)


def _analyze_inputs(
    services: Services,
    arguments: tuple[str, ...],
    texts: tuple[str, ...],
    output_format: str | None,
    plot: Path | None,
    *,
    together: bool,
) -> bool:
    """Analyze each input and print the results; returns whether all inputs could be read."""
    found = find_inputs(arguments)
    inputs, errors = [*found.inputs, *(TextInput(text) for text in texts)], found.errors
    analyzed: list[reports.AnalyzedInput] = []
    analyses: list[Analysis] = []
    with click.progressbar(length=len(inputs) * 100, label="Reading", file=sys.stderr) as bar:
        for number, value in enumerate(inputs):
            is_file = isinstance(value, FileInput)
            bar.label = f"Reading {reports.shorten_name(value.name, is_file=is_file, max_characters=MAX_LABEL_CHARACTERS)}"
            name = reports.shorten_name(value.name, is_file=is_file, max_characters=MAX_INPUT_CHARACTERS)

            def show_progress(progress: Progress, done: int = 100 * number) -> None:
                bar.update(done + int(100 * (progress or 0)) - bar.pos)

            try:
                analysis = _analyze_input(services, value, show_progress)
                analyses.append(analysis)
                text = value.name if isinstance(value, TextInput) else ""
                analyzed.append(reports.AnalyzedInput(value.name, analysis_message(analysis, terminal_country()), text))
            except (MediaError, TextError) as error:
                errors.append(f"{name}: {error}")
            except OSError as error:
                errors.append(f"{name}: it can't be opened: {error.strerror}.")
            show_progress(1.0)
    mood = combined_mood_message(analyses) if together else None
    if any(each.message["help"] for each in analyzed):
        print_help_notice()
    match output_format:
        case "json":
            for name, message, _ in analyzed:
                click.echo(json.dumps({"input": name, **message}))
            if mood is not None:
                click.echo(json.dumps({"input": reports.TOGETHER, "kind": reports.TOGETHER, **mood}))
        case "csv":
            click.echo(reports.to_csv(analyzed, mood), nl=False)
        case _ if analyzed:
            click.echo(reports.to_table(analyzed, mood), nl=False)
    for suffix, count in found.skipped.most_common():
        click.echo(f"{count:,} other files were skipped: *{suffix}", err=True)
    for line in errors:
        click.echo(line, err=True)
    if plot is not None and analyzed:
        try:
            reports.write_plot(analyzed, plot)
        except ModuleNotFoundError as error:
            raise click.ClickException(reports.missing_package_message(error)) from None
    return not errors


def _analyze_input(services: Services, value: FileInput | TextInput, on_progress: Callable[[Progress], None]) -> Analysis:
    """Analyze one input. Raises TextError, MediaError, or OSError for a file that can't be opened."""
    if isinstance(value, TextInput):
        return analyze_text(value.name, services.text_recognizer())
    with value.path.open("rb") as file:
        return run_to_completion(analyze_file(file, services), on_progress)


def _analyze_lines(file: BinaryIO, output_format: str | None) -> bool:
    """Analyze each line that is not empty and print its result; returns whether all lines could be read."""
    texts: list[tuple[int, str]] = []
    unreadable = 0
    for number, line in enumerate(_lines(file.read()), start=1):
        if not line.strip():
            continue
        try:
            text = decode_text(line).strip()
            clean_text(text)
            texts.append((number, text))
        except TextError as error:
            unreadable += 1
            click.echo(f"line {number}: {error}", err=True)
    if not texts and not unreadable:
        click.echo(f"{file.name}: no text found", err=True)
    if any(is_crisis_statement(text) for _, text in texts):
        print_help_notice()
    if output_format == "csv":
        click.echo(reports.csv_line(["line", "text", *reports.COLUMNS[2:]]), nl=False)
    if not texts:
        return not unreadable
    recognizer = TextEmotionRecognizer.load(threads=os.cpu_count() or 1)  # this process serves no visitors
    with click.progressbar(length=len(texts), label="Reading", file=sys.stderr) as bar:
        for start in range(0, len(texts), BATCH_LINES):
            batch = texts[start : start + BATCH_LINES]
            vectors, languages = recognizer.predict_proba_and_languages([text for _, text in batch])
            for (number, text), vector, language in zip(batch, vectors, languages, strict=True):
                supported = language in LANGUAGES
                message = {
                    **reading_message(vector),
                    "language": language,
                    "language_known": supported,
                    "notices": [] if supported else [unsupported_language_notice(language)],
                }
                if output_format == "json":
                    help_notice = help_message(terminal_country()) if is_crisis_statement(text) else None
                    click.echo(json.dumps({"line": number, "text": text, **message, "help": help_notice}))
                elif output_format == "csv":
                    click.echo(reports.csv_line([str(number), text, *reports.figure_cells(message)]), nl=False)
                else:
                    shown = reports.shorten(text, MAX_INPUT_CHARACTERS)
                    figures = f"{message['label']:<8} {message['confidence']:4.0%}" if supported else f"{'not read':<13}"
                    click.echo(f"{figures}  {shown}{'' if supported else f'  ({language_name(language)})'}")
            bar.update(len(batch))
    return not unreadable


def _lines(content: bytes) -> list[bytes]:
    """Return the lines of a file of texts in UTF-8, or as they are where the file as a whole is no text."""
    try:
        return decode_bytes(content)[0].encode(errors="replace").splitlines()
    except TextError:
        return content.splitlines()
