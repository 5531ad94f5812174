"""Compiled average pooling, 2 x 2, in the order of PyTorch's own sums.

Import this module only where it is used: it brings numba.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from redundancy.compiling import compiled

# Maps that a thread takes at once.
_MAPS = 16


def halve(maps: NDArray[np.float32], halved: NDArray[np.float32]) -> None:
    """Write the means of 2 x 2 neighbours.

    Parameters
    ----------
    maps : ndarray of float32, shape (map, y, x)
        C-contiguous, as `halved`. A last odd row or column is left out.
    halved : ndarray of float32, shape (map, y // 2, x // 2)
    """
    _compile()(maps, halved)


@functools.cache
def _compile() -> Any:
    @compiled("void(float32[:,:,::1], float32[:,:,::1])", parallel=True)
    def pool(maps: Any, halved: Any) -> None:
        n_maps = np.uint64(maps.shape[0])
        n_rows, n_columns = np.uint64(halved.shape[1]), np.uint64(halved.shape[2])
        zero, quarter, two = np.float32(0.0), np.float32(0.25), np.uint64(2)
        one = np.uint64(1)
        for block in numba.prange((maps.shape[0] + _MAPS - 1) // _MAPS):
            first = np.uint64(block) * np.uint64(_MAPS)
            for index in range(first, min(first + np.uint64(_MAPS), n_maps)):
                for y in range(n_rows):
                    upper, lower = maps[index, two * y], maps[index, two * y + one]
                    row = halved[index, y]
                    for x in range(n_columns):
                        # From 0.0 on, which makes 0.0 of -0.0.
                        total = zero + upper[two * x] + upper[two * x + one]
                        row[x] = (total + lower[two * x] + lower[two * x + one]) * quarter

    return pool
