"""What `flask` can do: read a text, a recording or a photo, recommend, check the camera."""

import json
import mimetypes
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from flask.cli import with_appcontext

from moodmirror.emotions import EMOTIONS, mood_vector
from moodmirror.recognition.media import MAX_PHOTO_BYTES, MediaError, decode_photo
from moodmirror.recognition.runtime import ModelError
from moodmirror.recognition.sound import SoundError, read_sound
from moodmirror.recognition.text import TextEmotionRecognizer, TextError, checked, decoded
from moodmirror.recommendation.catalogue import KINDS
from moodmirror.recommendation.filters import FILTERS
from moodmirror.recommendation.modes import MODES
from moodmirror.web.messages import face_message, reading_message, sound_message, words_message
from moodmirror.web.preferences import make_wish
from moodmirror.web.site import Site, current_site

FRAMES_TO_JUDGE: Final = 10  # a webcam's first ones are still dark
BATCH: Final = 256  # lines that are read at once: enough to keep the model busy, few enough to show progress
SHOWN_CHARACTERS: Final = 60  # of an input, to tell which one is meant
SHOWN_WORDS: Final = 3  # that weighed most
NO_MOOD: Final = {"text": "nothing to read", "sound": "nobody speaks", "photo": "no face that can be read"}


@click.command("analyze")
@click.argument("inputs", nargs=-1, metavar="[FILE-OR-TEXT]…")
@click.option(
    "--file", "lines", type=click.File("rb"), help="Read each line of this UTF-8 file as a text; - is standard input."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line, with all figures.")
@with_appcontext
def analyze(inputs: tuple[str, ...], lines: BinaryIO | None, as_json: bool) -> None:
    """Read the mood of texts, recordings and photos.

    What names a file is read as what it holds: a recording (WAV, FLAC, OGG, Opus, MP3) or a photo (JPEG, PNG, WebP, GIF).
    All else is read as a text. Nothing is stored.

    \b
      flask analyze "I can't believe I got the job!"
      flask analyze note.wav
      flask analyze --file lines.txt --json > moods.jsonl
    """  # noqa: D301 - click's mark for lines that it must not join
    if not inputs and lines is None:
        raise click.UsageError(
            'Give a text in quotes, a file, or --file with a text a line, as in: flask analyze "What a day!"'
        )
    site = current_site()
    failed = False
    try:
        for given in inputs:
            try:
                _tell(given, _analyzed(site, given), as_json)
            except (SoundError, TextError, MediaError) as error:
                failed = True
                click.echo(f"{_shortened(given)}: {error}", err=True)
        if lines is not None:
            failed |= not _analyze_lines(lines, as_json)
    except (ModelError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from None
    if failed:
        raise SystemExit(1)


def _analyzed(site: Site, given: str) -> dict[str, Any]:
    """What there is to say of one input. Raises SoundError, TextError or MediaError."""
    path = Path(given)
    if not _is_file(path):
        kind = mimetypes.guess_type(given)[0]
        if kind and not any(character.isspace() for character in given):
            raise MediaError("there is no such file")
        recognizer = site.text_recognizer()
        reading = recognizer.read(given)
        return {"kind": "text", **words_message(reading, recognizer.explain(given) if reading.language_known else ())}
    photo = decode_photo(path.read_bytes()) if path.stat().st_size <= MAX_PHOTO_BYTES else None
    if photo is not None:
        faces = site.face_reader().read(photo)
        whole = reading_message(faces[0].vector if faces else None)  # the largest face's, as live
        return {"kind": "photo", **whole, "faces": [face_message(face) for face in faces]}
    samples = read_sound(path)
    return {"kind": "sound", **sound_message(samples, site.speech_recognizer().course(samples))}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text may be longer than any file's name
        return False


def _tell(given: str, message: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"input": given, **message}))
        return
    click.secho(_shortened(given), bold=True)
    click.echo(f"  {_mood_line(message, NO_MOOD[message['kind']])}")
    match message["kind"]:
        case "text":
            parts = [(given[part["start"] : part["end"]].strip(), part) for part in message["course"]]
            if not message["language_known"]:
                click.echo("  in a language that the mirror does not know")
            weighty = sorted(message["words"], key=lambda word: -word["weight"])[:SHOWN_WORDS]
            if weighty:
                click.echo("  most by: " + ", ".join(given[word["start"] : word["end"]] for word in weighty))
        case "sound":
            parts = [(f"{part['at']:6.1f} s", part) for part in message["course"]]
        case _:
            parts = [(f"face {number}", face) for number, face in enumerate(message["faces"], start=1)]
    for name, part in parts if len(parts) > 1 else []:
        click.echo(f"    {_shortened(name)}: {_mood_line(part, part.get('obstacle') or 'silence')}")


def _mood_line(message: dict[str, Any], otherwise: str) -> str:
    if message["label"] is None:
        return otherwise
    line = f"{message['label']} {message['confidence']:.0%}"
    return line + (f", valence {message['valence']:+.2f}, arousal {message['arousal']:+.2f}" if "valence" in message else "")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[: SHOWN_CHARACTERS - 1]}…"


def _analyze_lines(file: BinaryIO, as_json: bool) -> bool:
    """Read each line that is not empty and print what it says; returns whether all could be read."""
    texts: list[tuple[int, str]] = []
    unreadable = 0
    for number, line in enumerate(file.read().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            text = decoded(line).strip()
            checked(text)
            texts.append((number, text))
        except TextError as error:
            unreadable += 1
            click.echo(f"line {number}: {error}", err=True)
    recognizer = TextEmotionRecognizer.load(threads=os.cpu_count() or 1)  # nobody else is served meanwhile
    with click.progressbar(length=len(texts), label="Reading", file=sys.stderr) as bar:
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            vectors = recognizer.predict_proba([text for _, text in batch])
            for (number, text), vector in zip(batch, vectors, strict=True):
                message = reading_message(vector)
                if as_json:
                    click.echo(json.dumps({"line": number, "text": text, **message}))
                else:
                    click.echo(f"{message['label']:<8} {message['confidence']:4.0%}  {_shortened(text)}")
            bar.update(len(batch))
    return not unreadable


@click.command("check-camera")
@with_appcontext
def check_camera() -> None:
    """Open the camera that CAMERA names and say what it sees. Nothing is stored."""
    site = current_site()
    camera, source = site.camera, site.config.camera
    click.echo(f"Trying {source.name} (CAMERA={source.kind}) …")
    live_frames = 0
    pictures = camera.watch()
    for _ in pictures:
        live_frames += camera.status.state == "live"
        if live_frames == FRAMES_TO_JUDGE or camera.status.state not in ("starting", "live"):
            break
    status, faces = camera.status, camera.faces
    camera.close()
    click.echo(f"{status.message} {status.advice}".strip())
    if status.state != "live":
        raise SystemExit(1)
    labels = ", ".join(
        f"{face.label} {face.confidence:.0%}" if face.label else f"unreadable ({face.obstacle})" for face in faces
    )
    click.echo(f"Faces: {labels}" if labels else "No face in the picture: sit in front of it, with light on you.")


def _filter_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, meaning in reversed(list(FILTERS.items())):
        command = click.option(f"--{name}", help=f"{meaning[0].upper()}{meaning[1:]}.")(command)
    return command


@click.command("recommend")
@click.option("--mood", type=click.Choice(EMOTIONS), required=True, help="The mood to recommend for.")
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="match",
    show_default=True,
    help="match: as it is; lift: toward a better one; journey: step by step to another; surprise: what fits unexpectedly.",
)
@click.option("--towards", type=click.Choice(EMOTIONS), help="Where a journey leads.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another surprise for another number.")
@click.option("--kind", type=click.Choice(KINDS), multiple=True, help="Which tables (default: all).")
@click.option("-k", type=click.IntRange(1, 100), default=5, show_default=True, help="Rows of each.")
@click.option("--wish", default="", help="A wish in your own words, that counts beside the mood.")
@_filter_options
@with_appcontext
def recommend(
    *, mood: str, mode: str, towards: str | None, seed: int, kind: tuple[str, ...], k: int, wish: str, **filters: str | None
) -> None:
    """Print what suits a mood. A filter narrows the tables that know it."""
    given = {name: value for name, value in filters.items() if value is not None}
    kinds = tuple(dict.fromkeys(kind)) or KINDS
    try:
        site = current_site()
        tables = site.recommender.recommend_each(
            mood_vector({mood: 1}), kinds, k, mode, given, towards=towards, seed=seed, wish=make_wish(site, wish)
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for name, rows in tables.items():
        click.secho(name.capitalize(), bold=True)
        for row in rows:
            click.echo(f"  {row.score:.2f}  {row.item.title}: {row.item.line}\n        {row.why}")
        if not rows:
            click.echo("  Nothing passes these filters.")
