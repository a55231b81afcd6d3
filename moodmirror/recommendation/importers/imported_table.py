"""Tables of imported rows: one CSV file for each kind, in the format of data/."""

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from moodmirror.emotions import MoodVector
from moodmirror.paths import DATA_DIR
from moodmirror.recommendation.catalogue import (
    COLUMNS,
    IMDB_ID,
    KEY_COLUMN,
    MOOD_COLUMN,
    OPTIONAL_COLUMNS,
    ORIGIN_COLUMN,
    RISKS_COLUMN,
    TMDB_ID,
    cell_errors,
)
from moodmirror.recommendation.content_safety import find_risks
from moodmirror.recommendation.importers.source_files import Entry, Source, SourceError, read_csv
from moodmirror.recommendation.importers.spotify_ids import track_id
from moodmirror.recommendation.item_keys import item_key, slug
from moodmirror.recommendation.song_mood import AUDIO_FEATURES

ORIGIN: Final = ORIGIN_COLUMN  # how the row's mood was determined
SPOTIFY_ID: Final = "spotify_id"
POPULARITY: Final = "popularity"  # how well known an item is, 0…100
# Prefixed, because every table already has columns named energy and valence.
AUDIO_COLUMNS: Final = {feature: f"audio_{feature}" for feature in AUDIO_FEATURES}
ADDITIONAL_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "songs": (POPULARITY, SPOTIFY_ID, *AUDIO_COLUMNS.values()),
    "movies": (POPULARITY, *OPTIONAL_COLUMNS["movies"]),
    "food": (),
    "activities": (),
}
ID_COLUMNS: Final = (SPOTIFY_ID, IMDB_ID, TMDB_ID)  # an item's ids on other sites
# The cells that state a mood and describe it: they are replaced together.
MOOD_CELLS: Final = ("energy", "valence", "tags", "line", MOOD_COLUMN, ORIGIN, *AUDIO_COLUMNS.values())

SHIPPED: Final = "already in the shipped catalogue"  # a reason to skip an entry
GUESSED: Final = "guessed"  # beginning of the origin of a mood without any evidence of its own
MEASURED: Final = "measured from "  # … and of one with evidence, which it lists
NAMED: Final = "named in the file"  # the origin of a mood that the file states

Row = dict[str, str]


def measured_from(evidence: Sequence[str]) -> str:
    """Return the origin of a mood that is measured from some evidence, such as ``("overview", "genres")``."""
    *others, last = evidence
    return f"{MEASURED}{', '.join(others)} and {last}" if others else f"{MEASURED}{last}"


def evidence_strength(origin: str) -> int:
    """Return how good a mood's evidence is: 0 for a guess, else the number of sources, and most if the file names it."""
    if origin.startswith(NAMED):
        return 100  # more than any number of sources
    return len(re.split(r", | and ", origin.removeprefix(MEASURED))) if origin.startswith(MEASURED) else 0


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
    """One kind's imported rows, and the counts of an import.

    A row keeps its id, because visitors' likes refer to it; whether an entry is a known item is decided by its ids on other
    sites, or by its key (:mod:`moodmirror.recommendation.item_keys`). What a file knows of a shipped film's ratings and ids
    is stored as a row, too, which completes the shipped one.
    """

    def __init__(self, folder: Path, kind: str) -> None:
        """Read the rows of earlier imports, if there are any; invalid rows are dropped.

        Raises SourceError if the file is not such a table.
        """
        self.kind = kind
        self.path = folder / f"{kind}.csv"
        self.columns = (*COLUMNS[kind], MOOD_COLUMN, ORIGIN, RISKS_COLUMN, *ADDITIONAL_COLUMNS[kind], KEY_COLUMN)
        self.rows: dict[str, Row] = {}
        self.invalid = 0
        self.added = 0
        self.improved = 0
        self.completed = 0  # shipped items, with what the file knows beyond the shipped table
        self.already_imported = 0
        self.skipped: Counter[str] = Counter()
        self._ids: dict[str, str] = {}  # by key or id on another site, of imported rows
        self._shipped: dict[str, str] = {}  # the same of shipped rows
        self._shipped_ids: dict[str, str] = {}  # keys of shipped rows by id
        self._by_title: dict[str, set[str]] = {}  # ids of all films by title, for files without years
        with (DATA_DIR / f"{kind}.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                key = self._shipped_ids[row["id"]] = item_key(kind, row["title"], row)
                self._index(self._shipped, row["id"], key, row)
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        columns, rows = read_csv(self.path)
        missing = [column for column in (*COLUMNS[self.kind], MOOD_COLUMN) if column not in columns]
        if missing:
            raise SourceError(f"{self.path} has no column {', '.join(missing)}. Delete it, then import again.")
        for row in rows:
            if row["id"] in self.rows or cell_errors(row, self.kind, imported=True):
                self.invalid += 1
                continue
            cells = {column: row.get(column, "") for column in self.columns}
            if SPOTIFY_ID in cells:  # earlier versions took the length of a local file for its id
                cells[SPOTIFY_ID] = track_id(cells[SPOTIFY_ID])
            self._store(cells)

    def _store(self, row: Row) -> None:
        row[KEY_COLUMN] = row[KEY_COLUMN] or item_key(self.kind, row["title"], row)
        self.rows[row["id"]] = row
        if row["id"] not in self._shipped_ids:
            self._index(self._ids, row["id"], row[KEY_COLUMN], row)

    def _index(self, index: dict[str, str], identity: str, key: str, cells: Mapping[str, str]) -> None:
        for name in (key, *other_ids(cells)):
            index.setdefault(name, identity)
        if self.kind == "movies":
            self._by_title.setdefault(title_key(cells["title"]), set()).add(identity)

    def id_of(self, entry: Entry) -> str | None:
        """Return the id under which an entry's item is shipped or imported; None if it is neither."""
        return self._known_id(entry.id, entry.title, entry.cells)

    def _known_id(self, identity: str, title: str, cells: Mapping[str, str]) -> str | None:
        for name in (*other_ids(cells), item_key(self.kind, title, cells)):
            if known := self._shipped.get(name) or self._ids.get(name):
                return known
        if identity in self.rows:
            return identity
        if self.kind == "movies" and not cells.get("year"):
            films = self._by_title.get(title_key(title), set())
            return next(iter(films)) if len(films) == 1 else None
        return None

    def entries_to_import(self, source: Source) -> list[Entry]:
        """Return the entries that are new or may improve a row, and count the others."""
        self.skipped += source.skipped
        chosen = []
        for entry in source.entries:
            identity = self.id_of(entry)
            if identity is None or self._may_improve(identity, entry):
                chosen.append(entry)
            elif identity in self._shipped_ids:
                self.skipped[SHIPPED] += 1
            else:
                self.already_imported += 1
        return chosen

    def _may_improve(self, identity: str, entry: Entry) -> bool:
        row = self.rows.get(identity, {})
        if identity in self._shipped_ids:
            return any(entry.cells.get(column) and not row.get(column) for column in OPTIONAL_COLUMNS[self.kind])
        if any(cell and not row.get(column) for column, cell in entry.cells.items()) or _is_same_artist_unsplit(
            row, entry.cells
        ):
            return True
        if entry.mood is not None:
            return not row[ORIGIN].startswith(NAMED)
        strength = evidence_strength(row[ORIGIN])
        has_genres = self.kind == "movies" and bool(entry.cells.get("genres"))
        return strength == 0 or strength < sum((bool(entry.features), bool(entry.text), bool(entry.words), has_genres))

    def add(self, rows: Iterable[Row]) -> None:
        """Add the rows of new items that pass the catalogue's check, and improve those that are imported.

        The others are counted as skipped, by reason.
        """
        for row in rows:
            cells = {column: _one_line(row.get(column, "")) for column in self.columns}
            errors = cell_errors(cells, self.kind, imported=True)
            if errors:
                self.skipped[errors[0]] += 1
                continue
            known = self._known_id(cells["id"], cells["title"], cells)
            if known is None:
                self._store(cells)
                self.added += 1
            elif known in self._shipped_ids:
                old = self.rows.get(known, {})
                completed = {column: cells[column] or old.get(column, "") for column in OPTIONAL_COLUMNS[self.kind]}
                self.rows[known] = {**cells, **completed, "id": known, KEY_COLUMN: self._shipped_ids[known]}
                self.skipped[SHIPPED] += 1
                self.completed += 1
            elif (better := _improved(self.rows[known], cells)) != self.rows[known]:
                self._store(better)
                self.improved += 1
            else:
                self.already_imported += 1

    def save(self) -> None:
        """Write the table atomically, if it has changed."""
        if not (self.added or self.improved or self.completed or self.invalid):
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
        improved = f" {self.improved:,} improved," if self.improved else ""
        lines = [
            f"Read {row_count:,} rows ({source.format}): {self.added:,} added,{improved} "
            f"{self.already_imported:,} already imported, {sum(self.skipped.values()):,} skipped."
        ]
        if self.completed:
            lines.append(f"{self.completed:,} of the shipped catalogue have a rating or a link to their page now.")
        elif not self.added and not self.improved:
            lines.append("Nothing new.")
        if self.invalid:
            lines.append(f"  {self.invalid:,} invalid rows of an earlier import were dropped from {self.path}.")
        lines += [f"  {count:,} skipped: {reason}" for reason, count in self.skipped.most_common()]
        lines += _describe_unread(source)
        return "\n".join(lines)

    @property
    def is_fruitless(self) -> bool:
        """Whether not one of the rows read is in the catalogue now."""
        return not (self.added or self.improved or self.already_imported or self.skipped[SHIPPED])


def other_ids(cells: Mapping[str, str]) -> list[str]:
    """Return an item's ids on other sites, each with its column; TMDB numbers films and series separately."""
    return [
        f"{column}:{cells[column]}" + (f":{cells.get('kind')}" if column == TMDB_ID else "")
        for column in ID_COLUMNS
        if cells.get(column)
    ]


def title_key(title: str) -> str:
    """Return the key of a film's title alone, for files without years."""
    return item_key("movies", title, {"year": ""})


def _describe_unread(source: Source) -> list[str]:
    lines = []
    for column in dict.fromkeys(column for column, _ in source.unread):
        cells = Counter({cell: count for (name, cell), count in source.unread.items() if name == column})
        [(example, _)] = cells.most_common(1)
        lines.append(f"  {cells.total():,} unreadable in the column {column}, left out: such as {example!r}")
    return lines


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


def _improved(old: Row, new: Row) -> Row:
    """Return a row with what a newer row of the same item adds: cells that were empty, and a mood of better evidence."""
    better = {column: cell or new[column] for column, cell in old.items()}
    if evidence_strength(new[ORIGIN]) > evidence_strength(old[ORIGIN]):
        better |= {column: new[column] for column in MOOD_CELLS if column in new}
    if _is_same_artist_unsplit(old, new):
        better |= {"artist": new["artist"], KEY_COLUMN: ""}  # the key is computed again
    return better


def _is_same_artist_unsplit(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Return whether `new` has as one artist what `old` has as several: "Tyler, The Creator" was split once."""
    one, several = new.get("artist", ""), old.get("artist", "")
    return one.count("|") < several.count("|") and slug(one) == slug(several)


def _one_line(cell: str) -> str:
    return " ".join(cell.split())
