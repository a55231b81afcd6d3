"""Import food and activities from any CSV file with a title and, if possible, tags, a text or an emotion.

The meaning of a column is guessed from its name (:data:`COLUMN_NAMES`) unless it is given.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from moodmirror.csv_files import parse_decimal
from moodmirror.emotions import EMOTIONS, MoodVector, valence_arousal
from moodmirror.recognition.text import TextEmotionRecognizer
from moodmirror.recommendation.catalogue import COSTS, MAX_TAGS
from moodmirror.recommendation.importers.durations import minutes_of
from moodmirror.recommendation.importers.imported_table import GUESSED, NAMED, Row, make_row, measured_from
from moodmirror.recommendation.importers.list_cells import parse_names
from moodmirror.recommendation.importers.movies import predict_story_moods
from moodmirror.recommendation.importers.source_files import (
    Entry,
    FileFormat,
    Source,
    SourceError,
    first_sentence,
    normalized_values,
    parse_entries,
    read_csv,
    required_cell,
    unread_cell,
)
from moodmirror.recommendation.importers.tag_lexicon import mood_of_tags, mood_of_words, plain_tags, tags_of_keywords
from moodmirror.recommendation.item_keys import slug

BATCH: Final = 64
# Tags and title outweigh the text, because directions are written in a neutral tone.
TAGS_SHARE: Final = 0.75
MAX_TEXT_CHARACTERS: Final = 280  # of a text, for its mood
# Upper ends of the costs, as a share, 0…1, of the highest price.
COST_UPPER_ENDS: Final = (0.0, 0.3, 0.6, 1.0)

COLUMN_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "title": ("title", "name", "activity", "recipe", "dish", "recipe_name", "recipename", "label", "what"),
    "tags": ("tags", "keywords", "categories", "category", "type", "labels", "course", "recipecategory"),
    "text": ("text", "description", "summary", "overview", "about", "notes", "directions", "instructions", "line"),
    "emotion": ("emotion", "emotions", "mood", "moods", "feeling", "feelings", "emotion_label", "mood_label"),
    "minutes": ("minutes", "totaltime", "total_time", "times", "time", "cook_time", "cooktime", "duration"),
}
"""Names, in lower case, of each column; the first that is present is used."""


def guess_columns(path: Path, columns: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return the column names by meaning; those in `given` take precedence.

    Raises SourceError for a given column that does not exist, and if no column can be the title.
    """
    for option, column in given.items():
        if column not in columns:
            raise SourceError(
                f"{path} has no column {column!r} for --{option}-column: its columns are {', '.join(columns)}."
            )
    by_name = {column.lower(): column for column in columns}
    found = {
        meaning: next((by_name[name] for name in names if name in by_name), None) for meaning, names in COLUMN_NAMES.items()
    }
    chosen = {meaning: column for meaning, column in found.items() if column is not None} | dict(given)
    if "title" not in chosen:
        raise SourceError(
            f"{path} has no column that looks like a title, one of {', '.join(COLUMN_NAMES['title'])}: "
            f"its columns are {', '.join(columns) or 'none'}. Name it with --title-column."
        )
    return chosen


def read(path: Path, kind: str, given: Mapping[str, str] | None = None) -> Source:
    """Parse a file into entries of a `kind`, food or activities. Raises SourceError if there is no title column."""
    columns, rows = read_csv(path)
    chosen = guess_columns(path, columns, given or {})

    def parse_row(row: Mapping[str, str]) -> Entry:
        title = required_cell(row, chosen["title"], "title")
        cells = {"cuisine": row.get("cuisine", "").lower()} if kind == "food" else _company_and_cost(row)
        duration, tags = row.get(chosen.get("minutes", ""), ""), row.get(chosen.get("tags", ""), "")
        emotions = normalized_values(re.split(r"[|,;/+]", row.get(chosen.get("emotion", ""), "")))
        minutes, (words, is_complete) = minutes_of(duration), parse_names(tags)
        unread = [] if minutes is not None else [unread_cell(chosen["minutes"], duration)]
        unread += [] if is_complete else [unread_cell(chosen["tags"], tags)]
        return Entry(
            id=slug(title),
            title=title,
            cells={**cells, "minutes": str(minutes or "")},
            words=emotions or normalized_values(words),
            text=row.get(chosen.get("text", ""), ""),
            mood=mood_of_words(emotions) if emotions else None,
            unread=tuple(unread),
        )

    description = ", ".join(f"{meaning} from {column!r}" for meaning, column in chosen.items())
    return parse_entries(FileFormat(description, (), parse_row), rows)


def _company_and_cost(row: Mapping[str, str]) -> dict[str, str]:
    """Return company and cost of an activity from the columns `participants` and `price`, where present."""
    cells = {"place": "", "company": "", "cost": ""}
    if row.get("participants", "").isdigit():
        cells["company"] = "alone" if int(row["participants"]) == 1 else "together"
    try:
        price = parse_decimal(row.get("price", ""))
    except ValueError:
        return cells
    if 0 <= price <= 1:
        cells["cost"] = next(cost for cost, end in zip(COSTS, COST_UPPER_ENDS, strict=True) if price <= end)
    return cells


def make_rows(kind: str, recognizer: Callable[[], TextEmotionRecognizer], entries: Sequence[Entry]) -> list[Row]:
    """Make rows of food or activities, with a mood from tags and title and from the reading of text or title."""
    moods = predict_story_moods(
        recognizer(), [(entry.text.strip() or entry.title)[:MAX_TEXT_CHARACTERS] for entry in entries]
    )
    rows = []
    for entry, text_mood in zip(entries, moods, strict=True):
        tags = tags_of_keywords((*entry.words, entry.title.lower()), kind)
        vector: MoodVector = text_mood.astype(np.float32) if entry.mood is None else entry.mood
        if tags and entry.mood is None:
            vector = TAGS_SHARE * mood_of_tags(tags) + (1 - TAGS_SHARE) * vector
        assert vector.shape == (len(EMOTIONS),)
        rows.append(
            make_row(
                entry,
                vector,
                valence_arousal(vector),
                tags=(tags[:MAX_TAGS] if entry.mood is None else ()) or plain_tags(vector[np.newaxis])[0],
                line=first_sentence(entry.text) or f"{entry.title}.",
                origin=_origin(entry),
            )
        )
    return rows


def _origin(entry: Entry) -> str:
    if entry.mood is not None:
        return f"{NAMED}: {', '.join(entry.words)}"
    evidence = [name for name, given in (("tags", entry.words), ("text", entry.text)) if given]
    return measured_from(evidence) if evidence else f"{GUESSED} from the title"
