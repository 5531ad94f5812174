"""Compiled count of what comes into a synaptic layer.

Import it only where it is used: it brings numba.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from redundancy.compiling import compiled

_SIGNATURE = "void({0}[:,:,:,::1], int64[::1], float64[::1], int64[:,::1])"


def _count(
    values: NDArray[Any],
    meetings: NDArray[np.int64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    n_outer, n_samples, n_rows, n_positions = values.shape
    for sample in numba.prange(n_samples):
        for outer in range(n_outer):
            total = 0.0
            nonzero, nonbinary, met = 0, 0, 0
            for index in range(n_rows):
                row = values[outer, sample, index]
                row_nonzero, row_nonbinary, row_met = 0, 0, 0
                for position in range(n_positions):
                    is_nonzero = int(row[position] != 0)
                    row_nonzero += is_nonzero
                    row_nonbinary += is_nonzero & int(row[position] != 1)
                    row_met += is_nonzero * meetings[position]
                # Binary rows, nearly all, are summed as integers: that is what
                # makes the loop a fast one.
                if row_nonbinary:
                    for position in range(n_positions):
                        total += row[position]
                else:
                    total += row_nonzero
                nonzero += row_nonzero
                nonbinary += row_nonbinary
                met += row_met
            sums[sample] += total
            counts[sample, 0] += nonzero
            counts[sample, 1] += nonbinary
            counts[sample, 2] += met


_COUNTS = {
    np.dtype(name): compiled(_SIGNATURE.format(name), parallel=True)(_count)
    for name in ("float32", "float64")
}


def count_inputs(
    values: NDArray[Any],
    meetings: NDArray[np.int64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Add to `sums` and `counts` what is in `values`, sample by sample.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (outer, sample, row, position)
        C-contiguous.
    meetings : ndarray of int64, shape (position,)
        What a non-zero input at each position counts for the third column of `counts`.
    sums : ndarray of float64, shape (sample,)
        Sum of the values. Each sample is summed on its own, in a fixed order.
    counts : ndarray of int64, shape (sample, 3)
        Values that are not zero, neither zero nor one, and the sum of `meetings` over
        those that are not zero.
    """
    _COUNTS[values.dtype](values, meetings, sums, counts)
