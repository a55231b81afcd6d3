"""Write files atomically: beside their place, then renamed. An interruption leaves the old or the new file, never a part."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file."""
    partial = path.with_name(path.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def write_arrays(path: Path, arrays: list[npt.NDArray[np.float32]]) -> None:
    """Write arrays, such as the weights of a network, to an ``.npz`` file in their order."""
    partial = path.with_suffix(".part.npz")
    np.savez(partial, *arrays)
    partial.replace(path)


def read_arrays(path: Path) -> list[npt.NDArray[np.float32]]:
    """Read the arrays that :func:`write_arrays` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        return [stored[name] for name in stored.files]


def write_network(path: Path, network: Any) -> None:
    """Write a Keras network with its optimizer to a ``.keras`` file."""
    partial = path.with_suffix(".part.keras")
    network.save(partial)
    partial.replace(path)
