"""Food and activities, from any CSV file with a title and, if possible, tags and a text.

Which column holds what is guessed from its name (:data:`COLUMN_NAMES`) unless it is told.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.catalogue import COSTS, MAX_TAGS
from moodmirror.recommendation.importers.imported_table import Row, row_of
from moodmirror.recommendation.importers.movies import story_moods
from moodmirror.recommendation.importers.source_files import (
    Entry,
    Form,
    Source,
    SourceError,
    entries_of,
    first_sentence,
    listed,
    read_csv,
    required,
    slug,
)
from moodmirror.recommendation.importers.tag_lexicon import mood_of_tags, plain_tags, tags_in

BATCH: Final = 64
# What a thing's tags and title say outweighs the text: directions are written in even words.
WORDS_SHARE: Final = 0.75
MOST_READ: Final = 280  # characters of a text
# Upper ends of what a share of the dearest, 0…1, is called.
COST_ENDS: Final = (0.0, 0.3, 0.6, 1.0)

COLUMN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "name", "activity", "recipe", "dish", "recipe_name", "recipename", "label", "what"),
    "tags": ("tags", "keywords", "categories", "category", "type", "labels", "course", "recipecategory"),
    "text": ("text", "description", "summary", "overview", "about", "notes", "directions", "instructions", "line"),
    "minutes": ("minutes", "totaltime", "total_time", "times", "time", "cook_time", "cooktime", "duration"),
}
"""Names, in small letters, by which each column is known; the first that is there counts."""
_HOURS: Final = re.compile(r"(\d+(?:[.,]\d+)?)\s*(?:h\b|hours?\b|hrs?\b)", re.IGNORECASE)
_MINUTES: Final = re.compile(r"(\d+)\s*(?:m\b|mins?\b|minutes?\b)", re.IGNORECASE)
# ISO 8601, as schema.org writes a recipe's time: PT1H20M.
_ISO_TIME: Final = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?", re.IGNORECASE)


def guess_columns(path: Path, columns: Sequence[str], told: Mapping[str, str]) -> dict[str, str]:
    """Which column holds what; `told` goes first.

    Raises SourceError for a told column that is not there, and if none can be the title.
    """
    for option, column in told.items():
        if column not in columns:
            raise SourceError(f"{path} has no column {column!r} for --{option}-column: it has {', '.join(columns)}.")
    named = {column.lower(): column for column in columns}
    found = {what: next((named[name] for name in names if name in named), None) for what, names in COLUMN_NAMES.items()}
    chosen = {what: column for what, column in found.items() if column is not None} | dict(told)
    if "title" not in chosen:
        raise SourceError(
            f"{path} has no column that looks like a title, one of {', '.join(COLUMN_NAMES['title'])}: "
            f"it has {', '.join(columns) or 'none'}. Name it with --title-column."
        )
    return chosen


def read(path: Path, kind: str, told: Mapping[str, str] | None = None) -> Source:
    """The rows of a file as entries of a `kind`, food or activities. Raises SourceError if there is no title."""
    columns, rows = read_csv(path)
    chosen = guess_columns(path, columns, told or {})

    def entry(row: Mapping[str, str]) -> Entry:
        title = required(row, chosen["title"], "title")
        cells = {"cuisine": row.get("cuisine", "").lower()} if kind == "food" else _circumstances(row)
        return Entry(
            id=slug(title),
            title=title,
            cells={**cells, "minutes": minutes_in(row.get(chosen.get("minutes", ""), ""))},
            words=listed(re.split(r"[|,;]", row.get(chosen.get("tags", ""), ""))),
            text=row.get(chosen.get("text", ""), ""),
        )

    named = ", ".join(f"{what} from {column!r}" for what, column in chosen.items())
    return entries_of(Form(named, (), entry), rows)


def minutes_in(cell: str) -> str:
    """The minutes that a cell states, those of its parts added up; empty if it states none."""
    if cell.isdigit():
        total = int(cell)
    elif match := _ISO_TIME.fullmatch(cell):
        total = 60 * int(match[1] or 0) + int(match[2] or 0)
    else:
        hours = sum(float(number.replace(",", ".")) for number in _HOURS.findall(cell))
        total = round(60 * hours) + sum(map(int, _MINUTES.findall(cell)))
    return str(total) if 1 <= total <= 2880 else ""


def _circumstances(row: Mapping[str, str]) -> dict[str, str]:
    """Company and cost of an activity, where columns `participants` and `price` tell."""
    cells = {"place": "", "company": "", "cost": ""}
    if row.get("participants", "").isdigit():
        cells["company"] = "alone" if int(row["participants"]) == 1 else "together"
    try:
        price = float(row.get("price", ""))
    except ValueError:
        return cells
    if 0 <= price <= 1:
        cells["cost"] = next(cost for cost, end in zip(COSTS, COST_ENDS, strict=True) if price <= end)
    return cells


def make_rows(kind: str, recognizer: Callable[[], TextEmotionRecognizer], entries: Sequence[Entry]) -> list[Row]:
    """Rows of food or activities: the mood is what tags and title stand for, and what is read in text or title."""
    moods = story_moods(recognizer(), [(entry.text.strip() or entry.title)[:MOST_READ] for entry in entries])
    rows = []
    for entry, read_mood in zip(entries, moods, strict=True):
        tags = tags_in((*entry.words, entry.title.lower()), kind)
        vector: MoodVector = read_mood.astype(np.float32)
        if tags:
            vector = WORDS_SHARE * mood_of_tags(tags) + (1 - WORDS_SHARE) * vector
        assert vector.shape == (len(EMOTIONS),)
        rows.append(
            row_of(
                entry,
                vector,
                valence_arousal(vector),
                tags=tags[:MAX_TAGS] or plain_tags(vector[np.newaxis])[0],
                line=first_sentence(entry.text) or f"{entry.title}.",
                origin="measured from tags, title and text",
            )
        )
    return rows
