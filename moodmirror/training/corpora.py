"""What the loaders of all corpora share."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from moodmirror.csv_files import CsvFileError, detect_dialect


class CorpusError(ValueError):
    """A corpus can't be read. The message names the file, and what was expected there."""


def require_columns(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise CorpusError if the table, which was read from `path`, lacks one of the columns."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise CorpusError(f"{path}: no column {', '.join(missing)}")


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
