"""Compiled count of what comes into a synaptic layer.

Import it only where it is used: it brings numba.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from redundancy.compiling import compiled
from redundancy.synapses.levels import GREATEST_LEVEL, Lattice

_ALL = (
    "void({0}[:,:,:,::1], int64[::1], boolean, {0}, {0}, {0}, boolean, float64[::1], int64[:,::1])"
)


def _whole_levels(
    row: NDArray[Any],
    parts: Any,
    slack: Any,
    most: Any,
    limit: Any,
    zero: Any,
    half: Any,
    above: bool,
) -> tuple[int, int]:
    """Return the sum of a row in levels, and how many of its values are on none.

    Levels are multiples of 1 / `parts` from 0 to `most`; with `above`, whole numbers too.
    """
    levels: Any = 0
    n_off = 0
    for position in range(len(row)):
        level = row[position] * parts
        # Only what fits may become an integer; what does not is its own distance from 0.
        nearest = np.int32((level if (level >= zero) & (level <= limit) else zero) + half)
        levels += nearest
        distance = level - row.dtype.type(nearest)
        n_off += int(not ((distance <= slack) & (distance >= -slack)))
    if above:
        for position in range(len(row)):
            n_off += int(row[position] > most) & int(row[position] != np.rint(row[position]))
    return levels, n_off


def _plain_sum(row: NDArray[Any], total: float) -> tuple[float, int]:
    """Add a row to `total` in order; count what is negative or no number."""
    unfit = 0
    for position in range(len(row)):
        total += row[position]
        unfit += int(not (row[position] >= 0))
    return total, unfit


# Of no signature of their own: they are compiled into the count. As globals, not in a
# closure, whose contents would make every process a key of its own in numba's cache.
_levels_of_row: Any = numba.njit(nogil=True)(_whole_levels)
_add_row: Any = numba.njit(nogil=True)(_plain_sum)


def _count(
    values: NDArray[Any],
    meetings: NDArray[np.int64],
    exact: bool,
    parts: Any,
    slack: Any,
    most: Any,
    above: bool,
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    n_outer, n_samples, n_rows, n_positions = values.shape
    zero, half = values.dtype.type(0), values.dtype.type(0.5)
    limit = values.dtype.type(GREATEST_LEVEL)
    if not above:
        limit = min(most * parts + half, limit)
    for sample in numba.prange(n_samples):
        for outer in range(n_outer):
            total = 0.0
            nonzero, nonbinary, met, unfit, off = 0, 0, 0, 0, 0
            for index in range(n_rows):
                row = values[outer, sample, index]
                row_nonzero, row_nonbinary, row_met = 0, 0, 0
                for position in range(n_positions):
                    is_nonzero = int(row[position] != 0)
                    row_nonzero += is_nonzero
                    row_nonbinary += is_nonzero & int(row[position] != 1)
                    row_met += is_nonzero * meetings[position]
                nonzero += row_nonzero
                nonbinary += row_nonbinary
                met += row_met
                # Binary rows, nearly all, are summed as integers: that is what
                # makes the loop a fast one.
                if row_nonbinary == 0:
                    total += row_nonzero
                    continue
                if off == 0:
                    levels, n_off = _levels_of_row(
                        row, parts, slack, most, limit, zero, half, above
                    )
                    off = int(n_off > 0)
                    if exact and off == 0:
                        # All that was added so far is on the levels too, so
                        # that this is the sum in order, to the bit.
                        total += levels / parts
                        continue
                total, row_unfit = _add_row(row, total)
                unfit += row_unfit
            sums[sample] += total
            counts[sample, 0] += nonzero
            counts[sample, 1] += nonbinary
            counts[sample, 2] += met
            counts[sample, 3] += unfit
            counts[sample, 4] += off


_COUNTS = {
    np.dtype(name): compiled(_ALL.format(name), parallel=True)(_count)
    for name in ("float32", "float64")
}


def count_inputs(
    values: NDArray[Any],
    meetings: NDArray[np.int64],
    lattice: Lattice,
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
    lattice : Lattice
        What sums and averages of spikes would be.
    sums : ndarray of float64, shape (sample,)
        Sum of the values. Each sample is summed on its own, in a fixed order.
    counts : ndarray of int64, shape (sample, 5)
        Values that are not zero, neither zero nor one, the sum of `meetings` over those
        that are not zero, values that are negative or no number, and the outer blocks in
        which some value is not on the lattice.
    """
    _COUNTS[values.dtype](
        values,
        meetings,
        lattice.exact,
        lattice.parts,
        lattice.slack,
        lattice.most,
        lattice.above,
        sums,
        counts,
    )
