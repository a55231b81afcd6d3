"""Exact top-k selection from very many values, in about the time it takes to read them once."""

from typing import Final

import numpy as np
import numpy.typing as npt

BLOCK_SIZE: Final = 1 << 16  # values processed together: 256 kB, which stay in a core's cache


def top_k_indices(values: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.intp]:
    """Return the indices of the `k` largest of `values` [n], the largest first; ties go to the earlier one. k ≤ n.

    Block by block, only values above the k-th best so far are considered, which soon are very few: neither a copy nor an
    index of all values is made, as sorting or partitioning them would need.
    """
    best = np.empty(0, dtype=np.intp)
    for start in range(0, len(values), BLOCK_SIZE):
        block = values[start : start + BLOCK_SIZE]
        if len(best) == k:
            found = np.flatnonzero(block > values[best[-1]])
            if not len(found):
                continue
        elif len(block) > k:  # the first block
            found = np.flatnonzero(block >= np.partition(block, len(block) - k)[len(block) - k])
        else:
            found = np.arange(len(block))
        best = np.concatenate([best, found + start])
        best = best[np.argsort(-values[best], kind="stable")[:k]]
    return best
