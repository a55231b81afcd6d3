"""The tables of what was imported: one CSV file a kind, in the format of data/."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from moodmirror.emotions import MoodVector
from moodmirror.recommendation.catalogue import CATALOGUE_DIR, COLUMNS, MOOD, RISKS, cell_faults
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.importers.source_files import Entry, Source, SourceError, read_csv
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

ORIGIN: Final = "origin"  # the form that a row came in
SPOTIFY_ID: Final = "spotify_id"
POPULARITY: Final = "popularity"  # how well known it is, 0…100
# Audio features under names of their own, for energy and valence name the stated ones of every table.
AUDIO_COLUMNS: Final = {feature: f"audio_{feature}" for feature in AUDIO_FEATURES}
FURTHER_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "songs": (POPULARITY, SPOTIFY_ID, *AUDIO_COLUMNS.values()),
    "movies": (POPULARITY,),
    "food": (),
    "activities": (),
}

Row = dict[str, str]


def row_of(
    entry: Entry, vector: MoodVector, place: tuple[float, float], *, tags: Iterable[str], line: str, origin: str
) -> Row:
    """An entry's row, with its mood vector, float32 [7], and its `place`: valence and arousal in −1…1."""
    valence, arousal = place
    return {
        **entry.cells,
        "id": entry.id,
        "title": entry.title,
        "energy": f"{(arousal + 1) / 2:.3f}",
        "valence": f"{(valence + 1) / 2:.3f}",
        "tags": "|".join(tags),
        "line": line,
        MOOD: "|".join(f"{share:.4f}" for share in vector),
        ORIGIN: origin,
    }


class ImportedTable:
    """One kind's imported rows, and what became of an import."""

    def __init__(self, folder: Path, kind: str) -> None:
        """Read what was imported before, if anything; broken rows of it are dropped.

        Raises SourceError if it is no such table.
        """
        self.kind = kind
        self.path = folder / f"{kind}.csv"
        self.columns = (*COLUMNS[kind], MOOD, ORIGIN, RISKS, *FURTHER_COLUMNS[kind])
        self.rows: dict[str, Row] = {}
        self.broken = 0
        if self.path.exists():
            self._read()
        with (CATALOGUE_DIR / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
            self._shipped = {row["id"] for row in csv.DictReader(file)}
        self.added = 0
        self.present = 0
        self.skipped: Counter[str] = Counter()

    def _read(self) -> None:
        columns, rows = read_csv(self.path)
        missing = [column for column in (*COLUMNS[self.kind], MOOD) if column not in columns]
        if missing:
            raise SourceError(f"{self.path} has no column {', '.join(missing)}. Delete it, then import again.")
        for row in rows:
            if row["id"] in self.rows or cell_faults(row, self.kind, imported=True):
                self.broken += 1
            else:
                self.rows[row["id"]] = {column: row.get(column, "") for column in self.columns}

    def new_entries(self, source: Source) -> list[Entry]:
        """The entries that are neither imported nor shipped yet."""
        self.skipped += source.skipped
        fresh = []
        for entry in source.entries:
            if entry.id in self.rows:
                self.present += 1
            elif entry.id in self._shipped:
                self.skipped["in the shipped catalogue already"] += 1
            else:
                fresh.append(entry)
        return fresh

    def add(self, rows: Iterable[Row]) -> None:
        """Take in rows that pass the catalogue's own check; others are skipped, and why is counted."""
        for row in rows:
            cells = {column: _one_line(row.get(column, "")) for column in self.columns}
            faults = cell_faults(cells, self.kind, imported=True)
            if faults:
                self.skipped[faults[0]] += 1
            else:
                self.rows[cells["id"]] = cells
                self.added += 1

    def save(self) -> None:
        """Write the table, whole or not at all."""
        if not self.added and not self.broken:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".part")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.rows.values())
        os.replace(temporary, self.path)

    def report(self, source: Source) -> str:
        """What became of the import, in lines to read."""
        read = len(source.entries) + sum(source.skipped.values())
        lines = [
            f"Read {read:,} rows ({source.form}): {self.added:,} added, {self.present:,} there before, "
            f"{sum(self.skipped.values()):,} skipped."
        ]
        if not self.added:
            lines.append("Nothing new.")
        if self.broken:
            lines.append(f"  {self.broken:,} broken rows of an earlier import were dropped from {self.path}.")
        lines += [f"  {count:,} skipped: {reason}" for reason, count in self.skipped.most_common()]
        return "\n".join(lines)


def import_entries(
    table: ImportedTable,
    entries: Sequence[Entry],
    make_rows: Callable[[Sequence[Entry]], list[Row]],
    batch: int,
    done: Callable[[int], object],
) -> None:
    """Make rows of entries, `batch` by batch, and save them, also if ended early; `done` hears how many each time.

    What may do harm to who feels low is marked.
    """
    try:
        for start in range(0, len(entries), batch):
            part = entries[start : start + batch]
            table.add(
                row | {RISKS: "|".join(find_risks(table.kind, "\n".join((entry.title, *entry.words)), entry.text))}
                for entry, row in zip(part, make_rows(part), strict=True)
            )
            done(len(part))
    finally:
        table.save()


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
