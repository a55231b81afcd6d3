"""Reports of analyses for the terminal and for spreadsheets: a table, CSV, and a plot."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from moodmirror.emotions import EMOTIONS
from moodmirror.paths import IS_INSTALLED
from moodmirror.recognition.text_language import language_name

COLUMNS: Final = ("input", "part", "mood", "confidence", *EMOTIONS, "valence", "arousal", "sources", "language", "notes")
NOTHING_RECOGNIZED: Final = {
    "image": "no face found",
    "audio": "no speech found",
    "video": "no face and no voice found",
    "text": "no text found",
}
NO_READABLE_FACE: Final = "no readable face"
TOGETHER: Final = "together"  # the row of the mood that all inputs make
SOURCE_NAMES: Final = {"face": "face", "speech": "voice", "text": "words", "chosen": "choice"}
MAX_WORDS: Final = 3  # of a text, the most influential ones
MAX_COLUMN_CHARACTERS: Final = 40
MAX_BARS: Final = 8  # side by side in one plot; more parts are drawn as areas
COLORS: Final = ("#c0392f", "#4f7d2c", "#6d45b0", "#9a6a00", "#2f6fbd", "#c23a7e", "#6f7787")  # the page's, per emotion
PLOT_SIZE: Final = (9.0, 2.6)  # inches: width of the image, height per input


class AnalyzedInput(NamedTuple):
    """One input: its name, its analysis as a message, and the text itself if the input is not a file."""

    name: str
    message: dict[str, Any]
    text: str = ""


def figure_cells(reading: dict[str, Any]) -> list[str]:
    """Return a reading's cells in the order of COLUMNS from `mood` on; empty ones where nothing was recognized."""
    remarks = [reading.get("language") or "", " ".join(reading.get("notices", ()))]
    if reading["label"] is None:
        return [""] * (len(COLUMNS) - 2 - len(remarks)) + remarks
    shares = [f"{reading['vector'][emotion]:.4f}" for emotion in EMOTIONS]
    sources = "|".join(f"{SOURCE_NAMES[source]} {share:.2f}" for source, share in reading.get("sources", {}).items())
    circumplex = [f"{reading['valence']:.4f}", f"{reading['arousal']:.4f}"]
    return [reading["label"], f"{reading['confidence']:.4f}", *shares, *circumplex, sources, *remarks]


def nothing_recognized(message: dict[str, Any]) -> str:
    """Return what to say of an analysis in which nothing was recognized."""
    return NO_READABLE_FACE if message["kind"] == "image" and message["faces"] else NOTHING_RECOGNIZED[message["kind"]]


def to_csv(inputs: Sequence[AnalyzedInput], together: dict[str, Any] | None = None) -> str:
    """Format all figures as CSV: a row for each input, and one for each moment, sentence or face of it.

    `together` is the message of the mood that all inputs make, for a last row.
    """
    lines = [csv_line(COLUMNS)]
    for analyzed in inputs:
        parts = [("", analyzed.message), *_parts(analyzed)]
        lines += [csv_line([analyzed.name, part, *figure_cells(reading)]) for part, reading in parts]
    if together is not None:
        lines.append(csv_line([TOGETHER, "", *figure_cells(together)]))
    return "".join(lines)


def csv_line(cells: Iterable[str]) -> str:
    """Format one CSV row; a cell that a spreadsheet would evaluate as a formula is escaped."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        f"'{cell}" if cell[:1] in ("=", "@") or (cell[:1] in ("+", "-") and not cell[1:2].isdigit()) else cell
        for cell in cells
    )
    return line.getvalue()


def to_table(inputs: Sequence[AnalyzedInput], together: dict[str, Any] | None = None) -> str:
    """Format a table for the terminal: each input as a whole, then its parts if there are several.

    `together` is the message of the mood that all inputs make, for a last row.
    """
    rows = [("", "mood", "", "valence", "arousal", "from")]
    for analyzed in inputs:
        rows.append((shorten_name(analyzed.name, is_file=not analyzed.text), *_whole_cells(analyzed.message)))
        rows += [(f"  {detail}", "", "", "", "", "") for detail in _details(analyzed)]
        parts = _parts(analyzed)
        if len(parts) > 1:
            rows += [
                (f"  {shorten(part)}", *_table_cells(reading, reading.get("obstacle") or "not recognized"))
                for part, reading in parts
            ]
    if together is not None:
        rows.append((TOGETHER, *_table_cells(together, "nothing was recognized")))
        if together["mixed"]:
            rows.append((f"  {together['name']}", "", "", "", "", ""))
    # The text of a row without a mood does not widen the column of moods.
    widths = [max(len(row[column]) for row in rows if column != 1 or row[2] or row is rows[0]) for column in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _whole_cells(message: dict[str, Any]) -> tuple[str, str, str, str, str]:
    """Return the cells of a whole input."""
    if message["language_known"] is False:
        return f"not read ({language_name(message['language'])})", "", "", "", ""
    return _table_cells(message, nothing_recognized(message))


def _table_cells(reading: dict[str, Any], fallback: str) -> tuple[str, str, str, str, str]:
    """Return a reading's cells; `fallback` in the first one where nothing was recognized."""
    if reading["label"] is None:
        return fallback, "", "", "", ""
    sources = reading.get("sources", {})
    names = ", ".join(
        f"{SOURCE_NAMES[name]} {share:.0%}" if len(sources) > 1 else SOURCE_NAMES[name] for name, share in sources.items()
    )
    return (
        reading["label"],
        f"{reading['confidence']:.0%}",
        f"{reading['valence']:+.2f}",
        f"{reading['arousal']:+.2f}",
        names,
    )


def _details(analyzed: AnalyzedInput) -> list[str]:
    message, details = analyzed.message, []
    if message["kind"] == "video" and message["label"] is not None:
        details.append(f"{message['label']} leads in {message['share']:.0%} of {message['seconds']:g} s")
    details += message["notices"]
    influential = sorted(message["words"], key=lambda word: -word["weight"])[:MAX_WORDS]
    if analyzed.text and influential:
        details.append("mainly from: " + ", ".join(analyzed.text[word["start"] : word["end"]] for word in influential))
    return details


def _parts(analyzed: AnalyzedInput) -> list[tuple[str, dict[str, Any]]]:
    """Return the named parts of an input: its moments or sentences, then its faces."""
    parts = []
    for number, segment in enumerate(analyzed.message["course"], start=1):
        name = f"{segment['at']:.1f} s" if segment["at"] is not None else f"sentence {number}"
        if analyzed.text:
            name = analyzed.text[segment["start"] : segment["end"]].strip()
        parts.append((name, segment))
    return parts + [(f"face {face['number']}", face) for face in analyzed.message["faces"]]


def shorten_name(name: str, *, is_file: bool, max_characters: int = MAX_COLUMN_CHARACTERS) -> str:
    """Put an input's name on one line of at most `max_characters`; of a file's path, the end remains."""
    if not is_file or len(name) <= max_characters:
        return shorten(name, max_characters)
    return f"…{name[1 - max_characters :]}"


def shorten(text: str, max_characters: int = MAX_COLUMN_CHARACTERS) -> str:
    """Put a text on one line of at most `max_characters`."""
    line = " ".join(text.split())
    return line if len(line) <= max_characters else f"{line[: max_characters - 1]}…"


def missing_package_message(error: ModuleNotFoundError) -> str:
    """Return the message for a command that needs a package beyond those for serving."""
    install = f"pip install {error.name}" if IS_INSTALLED else "python3 tools/install.py training"
    return f"{error.name} is not installed; serving does not need it. Install it: {install}"


def command_line(command: str) -> str:
    """Return how to run another command: `flask …`, or `mood-mirror …` where that is running."""
    context = click.get_current_context(silent=True)
    is_installed = context is not None and context.find_root().info_name == "mood-mirror"
    return f"{'mood-mirror' if is_installed else 'flask'} {command}"


def write_plot(inputs: Sequence[AnalyzedInput], path: Path) -> None:
    """Plot each input's emotions to a PNG file: stacked areas over time, or a bar for each sentence or face.

    Raises ModuleNotFoundError if only the packages for serving are installed.
    """
    from matplotlib.figure import Figure  # serving does not need it

    figure = Figure(figsize=(PLOT_SIZE[0], PLOT_SIZE[1] * len(inputs)), layout="constrained")
    for axes, analyzed in zip(figure.subplots(len(inputs), squeeze=False)[:, 0], inputs, strict=True):
        message = analyzed.message
        parts = [(part, reading) for part, reading in _parts(analyzed) if reading["label"] is not None]
        title = (
            f"{shorten_name(analyzed.name, is_file=not analyzed.text)}: {message['label'] or nothing_recognized(message)}"
        )
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylim(0, 1)
        if not parts:
            axes.set_axis_off()
            continue
        moments = [segment for segment in message["course"] if segment["at"] is not None]
        is_timed = len(moments) > 1
        parts = [("", moment) for moment in moments] if is_timed else parts
        shares = [[reading["vector"][emotion] for _, reading in parts] for emotion in EMOTIONS]
        if is_timed or len(parts) > MAX_BARS:
            positions = [reading["at"] if is_timed else number for number, (_, reading) in enumerate(parts, start=1)]
            axes.stackplot(positions, shares, labels=EMOTIONS, colors=COLORS)
            axes.set_xlabel("seconds" if is_timed else "sentences" if message["kind"] == "text" else "faces")
        else:
            bottoms = [0.0] * len(parts)
            for emotion, heights, color in zip(EMOTIONS, shares, COLORS, strict=True):
                axes.bar(range(len(parts)), heights, bottom=bottoms, label=emotion, color=color)
                bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
            axes.set_xticks(range(len(parts)), [shorten(part) for part, _ in parts])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    figure.savefig(path, format="png", dpi=120)
