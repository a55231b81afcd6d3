"""What the loaders of all corpora share: the files to read, notes on what is left out, and whether enough is left."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from moodmirror.csv_files import CsvFileError, detect_dialect
from moodmirror.emotions import parse_emotion, plain_name
from moodmirror.recognition.speech import parse_label

# What systems and tools put between files: macOS (in folders and in ZIP archives), Windows, Synology's NAS. Names that begin
# with a dot, such as ._a.wav, .DS_Store and .ipynb_checkpoints, are theirs too.
SYSTEM_NAMES: Final = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information", "__pycache__"}
)
MIN_EXAMPLES: Final = 2  # of each class: one to train on, one to evaluate
NAMES_IN_NOTE: Final = 10  # the most frequent names of what was left out


class CorpusError(ValueError):
    """A corpus can't be read. The message names the file, and what was expected there."""


def is_system_name(name: str) -> bool:
    """Return whether a file or folder of this name is a system's or a tool's, not the user's."""
    return name.startswith(".") or name.casefold() in SYSTEM_NAMES


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in `folder`, ordered by name, without those of systems and tools."""
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not is_system_name(entry.name))


def files_in(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """Yield the files under `folder` with one of the suffixes, ordered by name, without those of systems and tools."""
    for path in sorted(folder.rglob("*")):
        ours = path.suffix.lower() in suffixes and not any(map(is_system_name, path.relative_to(folder).parts))
        if ours and path.is_file():
            yield path


def left_out_note(what: str, counts: Mapping[str, int]) -> str:
    """Return the note that `what`, such as pictures of other emotions, was left out, with counts by name."""
    named = Counter(counts).most_common(NAMES_IN_NOTE)
    others = sum(counts.values()) - sum(count for _, count in named)
    parts = [f"{name or '(empty)'} {count:,}" for name, count in named] + ([f"others {others:,}"] if others else [])
    return f"left out, {what}: {', '.join(parts)}"


def parse_emotions(names: Sequence[str], *, calm: bool = False) -> tuple[str, ...]:
    """Return the emotions that ``--emotions`` names, separated by commas or given one by one; nothing for none.

    With `calm`, calm is a class of its own, as in speech. Raises CorpusError for an unknown name, or a single emotion.
    """
    parse = parse_label if calm else parse_emotion
    try:
        emotions = tuple(dict.fromkeys(parse(name) for entry in names for name in entry.split(",") if name.strip()))
    except ValueError as error:
        raise CorpusError(f"--emotions: {error}") from None
    if len(emotions) == 1:
        raise CorpusError(f"--emotions names {emotions[0]} only: a model needs at least two emotions")
    return emotions


def require_classes(source: str, counts: Mapping[str, int], unit: str, *, minimum: int = MIN_EXAMPLES) -> None:
    """Raise CorpusError if fewer than two classes have examples, or a class has fewer than the minimum.

    `counts` are the examples by class; a class without any is none of this training.
    """
    present = {name: count for name, count in counts.items() if count}
    if len(present) < 2:
        found = f"of one class only, {next(iter(present))}" if present else "of no emotion"
        raise CorpusError(f"{source} has {unit} {found}: a model needs at least two. Add {unit} of other emotions to --data")
    few = [f"{name} {count}" for name, count in present.items() if count < minimum]
    if few:
        raise CorpusError(
            f"{source} has too few {unit} of {', '.join(few)}: each class needs at least {minimum}, to train on some and to "
            "evaluate on others. Add more, or leave the class out"
        )


def require_columns(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise CorpusError if the table, which was read from `path`, lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise CorpusError(f"{path}: no column {', '.join(missing)}")


def with_standard_columns(table: pd.DataFrame, names: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return a table whose columns have the standard names where they have one of their other names, in any case."""
    renamed = {}
    for standard, others in names.items():
        wanted = [plain_name(name) for name in (standard, *others)]
        found = {plain_name(str(column)): column for column in reversed(list(table.columns))}
        match = next((found[name] for name in wanted if name in found), None)
        if match is not None:
            renamed[match] = standard
    return table.rename(columns=renamed)


def read_table(path: Path, **options: Any) -> pd.DataFrame:
    """Read a CSV file, however it separates cells and writes decimals; column names without surrounding blanks.

    `options` are those of ``pandas.read_csv``. Raises CorpusError if the file can't be read.
    """
    try:
        table: pd.DataFrame = pd.read_csv(path, **detect_dialect(path).pandas_options(), **options)
    except (CsvFileError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        message = str(error) if isinstance(error, CsvFileError) else f"{path} can't be read as a table: {error}"
        raise CorpusError(message) from None
    table.columns = table.columns.map(lambda column: str(column).strip())
    return table
