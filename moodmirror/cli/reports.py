"""Analyses for people at a terminal and for spreadsheets: a table, CSV, and a drawing."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from moodmirror.emotions import EMOTIONS

COLUMNS: Final = ("input", "part", "mood", "confidence", *EMOTIONS, "valence", "arousal", "sources")
NOTHING: Final = {
    "image": "no face that can be read",
    "audio": "nobody speaks",
    "video": "no face and no voice",
    "text": "nothing to read",
}
SHOWN_WORDS: Final = 3  # that weighed most
WIDEST: Final = 40  # characters of a table's column
SOURCES: Final = {"face": "face", "speech": "voice", "text": "words", "chosen": "choice"}
MOST_BARS: Final = 8  # of one drawing, side by side
COLOURS: Final = ("#c0392f", "#4f7d2c", "#6d45b0", "#9a6a00", "#2f6fbd", "#c23a7e", "#6f7787")  # as the page's
PLOT_SIZE: Final = (9.0, 2.6)  # inches: width of the drawing, height of each course


class Read(NamedTuple):
    """One input: what it is called, what it was read as, and its words where it is no file but a text."""

    name: str
    message: dict[str, Any]
    text: str = ""


def figures(reading: dict[str, Any]) -> list[str]:
    """The cells of a reading's figures, in the order of COLUMNS from the mood on; empty where nothing is read."""
    if reading["label"] is None:
        return [""] * (len(COLUMNS) - 2)
    shares = [f"{reading['vector'][emotion]:.4f}" for emotion in EMOTIONS]
    sources = "|".join(f"{SOURCES[source]} {share:.2f}" for source, share in reading.get("sources", {}).items())
    circumplex = [f"{reading['valence']:.4f}", f"{reading['arousal']:.4f}"]
    return [reading["label"], f"{reading['confidence']:.4f}", *shares, *circumplex, sources]


def as_csv(read: Sequence[Read]) -> str:
    """All figures: a row for each input, and one for each part of it, a moment, a sentence or a face."""
    lines = [csv_line(COLUMNS)]
    for given in read:
        parts = [("", given.message), *_parts(given)]
        lines += [csv_line([given.name, part, *figures(reading)]) for part, reading in parts]
    return "".join(lines)


def csv_line(cells: Iterable[str]) -> str:
    """One row; a cell that a spreadsheet would take for a formula is disarmed."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(
        f"'{cell}" if cell[:1] in ("=", "@") or (cell[:1] in ("+", "-") and not cell[1:2].isdigit()) else cell
        for cell in cells
    )
    return line.getvalue()


def as_table(read: Sequence[Read]) -> str:
    """A table to read: the whole of each input first, then its parts where it has several."""
    rows = [("", "mood", "", "valence", "arousal", "from")]
    for given in read:
        rows.append((shortened(given.name), *_cells(given.message, NOTHING[given.message["kind"]])))
        rows += [(f"  {detail}", "", "", "", "", "") for detail in _details(given)]
        parts = _parts(given)
        if len(parts) > 1:
            rows += [
                (f"  {shortened(part)}", *_cells(reading, reading.get("obstacle") or "nothing read"))
                for part, reading in parts
            ]
    widths = [max(len(row[column]) for row in rows if column < len(row) - 1 or row[2]) for column in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _cells(reading: dict[str, Any], otherwise: str) -> tuple[str, str, str, str, str]:
    if reading["label"] is None:
        return otherwise, "", "", "", ""
    sources = reading.get("sources", {})
    names = ", ".join(
        f"{SOURCES[name]} {share:.0%}" if len(sources) > 1 else SOURCES[name] for name, share in sources.items()
    )
    return (
        reading["label"],
        f"{reading['confidence']:.0%}",
        f"{reading['valence']:+.2f}",
        f"{reading['arousal']:+.2f}",
        names,
    )


def _details(given: Read) -> list[str]:
    message, details = given.message, []
    if message["kind"] == "video" and message["label"] is not None:
        details.append(f"{message['label']} leads in {message['share']:.0%} of {message['seconds']:g} s")
    if message["language_known"] is False:
        details.append("in a language that the mirror does not know")
    weighty = sorted(message["words"], key=lambda word: -word["weight"])[:SHOWN_WORDS]
    if given.text and weighty:
        details.append("most by: " + ", ".join(given.text[word["start"] : word["end"]] for word in weighty))
    return details


def _parts(given: Read) -> list[tuple[str, dict[str, Any]]]:
    """What an input consists of, each with a name: moments, sentences, then faces."""
    parts = []
    for number, moment in enumerate(given.message["course"], start=1):
        name = f"{moment['at']:.1f} s" if moment["at"] is not None else f"sentence {number}"
        if given.text:
            name = given.text[moment["start"] : moment["end"]].strip()
        parts.append((name, moment))
    return parts + [(f"face {face['number']}", face) for face in given.message["faces"]]


def shortened(text: str, most: int = WIDEST) -> str:
    """A text on one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def told_missing(missing: ModuleNotFoundError) -> str:
    """What to say where a command needs a package that serving does without."""
    return f"{missing.name} is not installed, for serving does without it: pip install -r requirements.txt"


def draw(read: Sequence[Read], path: Path) -> None:
    """Draw each input's course into a PNG: stacked shares over time, or a bar for each sentence or face.

    Raises ModuleNotFoundError where only what serves is installed.
    """
    from matplotlib.figure import Figure  # only here: serving needs none of it

    figure = Figure(figsize=(PLOT_SIZE[0], PLOT_SIZE[1] * len(read)), layout="constrained")
    for axes, given in zip(figure.subplots(len(read), squeeze=False)[:, 0], read, strict=True):
        message = given.message
        parts = [(part, reading) for part, reading in _parts(given) if reading["label"] is not None]
        axes.set_title(f"{shortened(given.name)}: {message['label'] or NOTHING[message['kind']]}", loc="left", fontsize=10)
        axes.set_ylim(0, 1)
        moments = [moment for moment in message["course"] if moment["at"] is not None]
        timed = len(moments) > 1
        parts = [("", moment) for moment in moments] if timed else parts
        shares = [[reading["vector"][emotion] for _, reading in parts] for emotion in EMOTIONS]
        if timed or len(parts) > MOST_BARS:
            places = [reading["at"] if timed else number for number, (_, reading) in enumerate(parts, start=1)]
            axes.stackplot(places, shares, labels=EMOTIONS, colors=COLOURS)
            axes.set_xlabel("seconds" if timed else "sentences" if message["kind"] == "text" else "faces")
        else:
            below = [0.0] * len(parts)
            for emotion, heights, colour in zip(EMOTIONS, shares, COLOURS, strict=True):
                axes.bar(range(len(parts)), heights, bottom=below, label=emotion, color=colour)
                below = [low + height for low, height in zip(below, heights, strict=True)]
            axes.set_xticks(range(len(parts)), [shortened(part) for part, _ in parts])
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    figure.savefig(path, format="png", dpi=120)
