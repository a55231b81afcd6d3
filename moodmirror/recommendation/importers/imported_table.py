"""Tables of imported rows: one CSV file for each kind, in the format of data/."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from moodmirror.emotions import MoodVector
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, COLUMNS, MOOD_COLUMN, RISKS_COLUMN, cell_errors
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.importers.source_files import Entry, Source, SourceError, read_csv
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

ORIGIN: Final = "origin"  # how the row's mood was determined
SPOTIFY_ID: Final = "spotify_id"
POPULARITY: Final = "popularity"  # how well known an item is, 0…100
# Prefixed, because every table already has columns named energy and valence.
AUDIO_COLUMNS: Final = {feature: f"audio_{feature}" for feature in AUDIO_FEATURES}
ADDITIONAL_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "songs": (POPULARITY, SPOTIFY_ID, *AUDIO_COLUMNS.values()),
    "movies": (POPULARITY,),
    "food": (),
    "activities": (),
}

Row = dict[str, str]


def make_row(
    entry: Entry, vector: MoodVector, position: tuple[float, float], *, tags: Iterable[str], line: str, origin: str
) -> Row:
    """Make an entry's row with its mood vector, float32 [7], and its `position`: valence and arousal in −1…1."""
    valence, arousal = position
    return {
        **entry.cells,
        "id": entry.id,
        "title": entry.title,
        "energy": f"{(arousal + 1) / 2:.3f}",
        "valence": f"{(valence + 1) / 2:.3f}",
        "tags": "|".join(tags),
        "line": line,
        MOOD_COLUMN: "|".join(f"{share:.4f}" for share in vector),
        ORIGIN: origin,
    }


class ImportedTable:
    """One kind's imported rows, and the counts of an import."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Read the rows of earlier imports, if there are any; invalid rows are dropped.

        Raises SourceError if the file is not such a table.
        """
        self.kind = kind
        self.path = folder / f"{kind}.csv"
        self.columns = (*COLUMNS[kind], MOOD_COLUMN, ORIGIN, RISKS_COLUMN, *ADDITIONAL_COLUMNS[kind])
        self.rows: dict[str, Row] = {}
        self.invalid = 0
        if self.path.exists():
            self._read()
        with (CATALOGUE_DIR / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
            self._shipped = {row["id"] for row in csv.DictReader(file)}
        self.added = 0
        self.already_imported = 0
        self.skipped: Counter[str] = Counter()

    def _read(self) -> None:
        columns, rows = read_csv(self.path)
        missing = [column for column in (*COLUMNS[self.kind], MOOD_COLUMN) if column not in columns]
        if missing:
            raise SourceError(f"{self.path} has no column {', '.join(missing)}. Delete it, then import again.")
        for row in rows:
            if row["id"] in self.rows or cell_errors(row, self.kind, imported=True):
                self.invalid += 1
            else:
                self.rows[row["id"]] = {column: row.get(column, "") for column in self.columns}

    def new_entries(self, source: Source) -> list[Entry]:
        """Return the entries that are neither imported nor shipped yet, and count the others."""
        self.skipped += source.skipped
        new = []
        for entry in source.entries:
            if entry.id in self.rows:
                self.already_imported += 1
            elif entry.id in self._shipped:
                self.skipped["already in the shipped catalogue"] += 1
            else:
                new.append(entry)
        return new

    def add(self, rows: Iterable[Row]) -> None:
        """Add the rows that pass the catalogue's check; the others are counted as skipped, by reason."""
        for row in rows:
            cells = {column: _one_line(row.get(column, "")) for column in self.columns}
            errors = cell_errors(cells, self.kind, imported=True)
            if errors:
                self.skipped[errors[0]] += 1
            else:
                self.rows[cells["id"]] = cells
                self.added += 1

    def save(self) -> None:
        """Write the table atomically, if it has changed."""
        if not self.added and not self.invalid:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.rows.values())
        os.replace(temporary, self.path)

    def report(self, source: Source) -> str:
        """Return the counts of the import as text for the user."""
        row_count = len(source.entries) + sum(source.skipped.values())
        lines = [
            f"Read {row_count:,} rows ({source.format}): {self.added:,} added, {self.already_imported:,} already imported, "
            f"{sum(self.skipped.values()):,} skipped."
        ]
        if not self.added:
            lines.append("Nothing new.")
        if self.invalid:
            lines.append(f"  {self.invalid:,} invalid rows of an earlier import were dropped from {self.path}.")
        lines += [f"  {count:,} skipped: {reason}" for reason, count in self.skipped.most_common()]
        return "\n".join(lines)


def import_entries(
    table: ImportedTable,
    entries: Sequence[Entry],
    make_rows: Callable[[Sequence[Entry]], list[Row]],
    batch: int,
    on_progress: Callable[[int], object],
) -> None:
    """Make rows of entries in batches of size `batch`, and save them, also after an interruption.

    `on_progress` receives the number of entries of each finished batch. Items that may do harm in a low mood are marked.
    """
    try:
        for start in range(0, len(entries), batch):
            part = entries[start : start + batch]
            table.add(
                row | {RISKS_COLUMN: "|".join(find_risks(table.kind, "\n".join((entry.title, *entry.words)), entry.text))}
                for entry, row in zip(part, make_rows(part), strict=True)
            )
            on_progress(len(part))
    finally:
        table.save()


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
