"""Print figures, and collect them for the summary table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Finding:
    """One line of the summary table: what was measured, its target or a figure to compare, and the result."""

    measure: str
    target: str
    result: str


def print_row(name: str, *values: object) -> None:
    """Print one line of a table."""
    cells = (f"{value:10.3f}" if isinstance(value, float) else f"{value:>10}" for value in values)
    print(f"  {name:46}{''.join(cells)}", flush=True)
