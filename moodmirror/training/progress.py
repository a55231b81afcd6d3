"""Show the progress of long work on the error stream."""

import sys
from typing import Final

QUICK_NOTICE: Final = (
    "QUICK RUN: a trial on a part of the data, with one split and few epochs. Its figures vary by several points, and its "
    "model is not meant to be served."
)


def show_progress(task: str, done: int, total: int) -> None:
    """Print how much of a task is done: a line that overwrites itself on a terminal, about ten lines in a log file."""
    terminal = sys.stderr.isatty()
    if done == total or done % max(total // (100 if terminal else 10), 1) == 0:
        end = "\n" if done == total or not terminal else ""
        start = "\r" if terminal else ""
        print(f"{start}{task}: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)
