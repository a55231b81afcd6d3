"""What the loaders of all corpora share."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd


class CorpusError(ValueError):
    """A corpus can't be read. The message names the file, and what was expected there."""


def require_columns(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise CorpusError if the table, which was read from `path`, lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise CorpusError(f"{path}: no column {', '.join(missing)}")
