"""The sums of one spiking layer over one batch, from which every statistic makes its state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The column of (U - S)^2 among the sums.
_SQUARED_ERROR = 2


@dataclass(frozen=True)
class SpikeSweep:
    """Sums of the spikes of one layer over a batch.

    Attributes
    ----------
    attributes : dict
        Those of the recorded layer.
    dims : tuple of str
        ("time", "channel") or ("time", "channel", "y", "x").
    spike_counts : ndarray of int64, over `dims`
        Samples in which a neuron spikes.
    fired : ndarray of int64, shape (sample, time, channel, 2)
        Neurons that spike; those of the foreground.
    bits : ndarray of uint64, shape (time, channel, sample, word)
        Spikes as bits.
    foreground_cells : ndarray of int64, shape (time,), or None
        Positions in which the input has events; None without maps or without an input.
    """

    attributes: dict[Any, Any]
    dims: tuple[str, ...]
    spike_counts: NDArray[np.int64]
    fired: NDArray[np.int64]
    bits: NDArray[np.uint64]
    foreground_cells: NDArray[np.int64] | None

    @property
    def n_samples(self) -> int:
        """Samples of the batch."""
        return len(self.fired)

    @property
    def n_positions(self) -> int:
        """Neurons of a channel."""
        return math.prod(self.spike_counts.shape[2:])


@dataclass(frozen=True)
class LayerSweep(SpikeSweep):
    """Sums of the spikes and potentials of one layer over a batch.

    Attributes
    ----------
    bins : ndarray of int64, shape (time, channel, bin)
        With the counters below, above and NaN at the end.
    sums : ndarray of float64, shape (sample, time, channel, 6)
        The columns of :mod:`redundancy.stats.sweep_rows`.
    first_potential, first_spikes : ndarray, shape (time, channel, position)
        Of the first sample.
    """

    bins: NDArray[np.int64]
    sums: NDArray[np.float64]
    first_potential: NDArray[np.floating[Any]]
    first_spikes: NDArray[np.uint8]

    @property
    def is_finite(self) -> bool:
        """Whether all potentials are numbers, and no infinite ones."""
        # Squares of float32 do not leave the range of float64.
        return bool(np.isfinite(self.sums[..., _SQUARED_ERROR]).all())
