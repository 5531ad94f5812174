"""Compiled sweeps over the potentials and spikes of one layer.

Arrays are (sample, time, channel, position), position being a channel's neurons. Each
sum is made by one thread in a fixed order, so that no number depends on how many
threads there are. Import this module only where it is used: it brings numba.
"""

from __future__ import annotations

import functools
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from redundancy.compiling import compiled

# Columns of what `sum_potentials` returns.
DEVIATION, DEVIATION_SQUARE, SQUARED_ERROR, SQUARED_ERROR_SCALED, LEAST, MOST = range(6)
# Counters behind the bins of what `count_bins` returns.
UNDER, OVER, NOT_A_NUMBER = range(3)


def count_bins(
    values: NDArray[np.floating[Any]],
    origin: NDArray[np.float64],
    width: float,
    n_below: int,
    n_above: int,
    *,
    closed_left: bool = True,
) -> NDArray[np.int64]:
    """Count values in uniform bins about an origin, which is an edge.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (sample, time, channel, position)
    origin : ndarray of float64, shape (channel,)
    width : float
        Of a bin.
    n_below, n_above : int
        Number of bins below and above the origin.
    closed_left : bool
        Whether a bin holds its lower edge, or its upper one.

    Returns
    -------
    ndarray of int64, shape (time, channel, n_below + n_above + 3)
        Counts per bin; behind them values below the first bin, above the last, and NaN.
    """
    counts = np.zeros((*values.shape[1:3], n_below + n_above + 3), np.int64)
    _compile_count(str(values.dtype))(
        _readable(values), _readable(origin), width, n_below, n_above, closed_left, counts
    )
    return counts


def sum_potentials(
    values: NDArray[np.floating[Any]], spikes: NDArray[np.uint8], origin: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return sums over the positions of each sample, timestep and channel.

    Parameters
    ----------
    values : ndarray of float32 or float64, shape (sample, time, channel, position)
    spikes : ndarray of uint8, of the same shape
    origin : ndarray of float64, shape (channel,)
        The threshold.

    Returns
    -------
    ndarray of float64, shape (sample, time, channel, 6)
        Sum of the deviation from the origin, of its square, of (U - S)^2, of
        (U - V_th S)^2; least and greatest deviation.
    """
    sums = np.empty((*values.shape[:3], 6))
    _compile_sum(str(values.dtype))(_readable(values), _readable(spikes), _readable(origin), sums)
    return sums


def count_inside(spikes: NDArray[np.uint8], inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the spikes at marked positions.

    Parameters
    ----------
    spikes : ndarray of uint8, shape (sample, time, channel, position)
    inside : ndarray of bool, shape (sample, time, position)

    Returns
    -------
    ndarray of int64, shape (time, channel)
    """
    counts = np.zeros(spikes.shape[1:3], np.int64)
    _compile_inside()(_readable(spikes), _readable(inside), counts)
    return counts


def _readable(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array as compiled code takes it: contiguous, and never read-only."""
    return np.require(array, requirements=["C", "W"])


@functools.cache
def _compile_count(dtype: str) -> Any:
    @compiled(
        f"void({dtype}[:,:,:,::1], float64[::1], float64, int64, int64, boolean, int64[:,:,::1])",
        parallel=True,
    )
    def count(
        values: Any, origin: Any, width: Any, n_below: Any, n_above: Any, closed: Any, counts: Any
    ) -> None:
        n_samples, n_times, n_channels, n_positions = values.shape
        n_bins = n_below + n_above
        for row in numba.prange(n_times * n_channels):
            time, channel = row // n_channels, row % n_channels
            for sample in range(n_samples):
                for position in range(n_positions):
                    value = np.float64(values[sample, time, channel, position])
                    deviation = value - origin[channel]
                    # A difference of floats has the right sign, so the origin is exact;
                    # the quotient of a tiny one may be rounded to 0, on the wrong side.
                    place = deviation / width
                    if closed:
                        place = np.floor(place)
                        if deviation < 0.0 and place >= 0.0:
                            place = -1.0
                    else:
                        place = np.ceil(place) - 1.0
                        if deviation > 0.0 and place < 0.0:
                            place = 0.0
                    if place != place:
                        counts[time, channel, n_bins + NOT_A_NUMBER] += 1
                    elif place < -n_below:
                        counts[time, channel, n_bins + UNDER] += 1
                    elif place >= n_above:
                        counts[time, channel, n_bins + OVER] += 1
                    else:
                        counts[time, channel, np.int64(place) + n_below] += 1

    return count


@functools.cache
def _compile_sum(dtype: str) -> Any:
    @compiled(
        f"void({dtype}[:,:,:,::1], uint8[:,:,:,::1], float64[::1], float64[:,:,:,::1])",
        parallel=True,
    )
    def add(values: Any, spikes: Any, origin: Any, sums: Any) -> None:
        n_samples, n_times, n_channels, n_positions = values.shape
        for row in numba.prange(n_samples * n_times):
            sample, time = row // n_times, row % n_times
            for channel in range(n_channels):
                threshold = origin[channel]
                first = second = error = scaled = 0.0
                least, most = np.inf, -np.inf
                for position in range(n_positions):
                    value = np.float64(values[sample, time, channel, position])
                    spike = np.float64(spikes[sample, time, channel, position])
                    deviation = value - threshold
                    first += deviation
                    second += deviation * deviation
                    error += (value - spike) * (value - spike)
                    scaled += (value - threshold * spike) * (value - threshold * spike)
                    least = min(least, deviation)
                    most = max(most, deviation)
                sums[sample, time, channel, DEVIATION] = first
                sums[sample, time, channel, DEVIATION_SQUARE] = second
                sums[sample, time, channel, SQUARED_ERROR] = error
                sums[sample, time, channel, SQUARED_ERROR_SCALED] = scaled
                sums[sample, time, channel, LEAST] = least
                sums[sample, time, channel, MOST] = most

    return add


@functools.cache
def _compile_inside() -> Any:
    @compiled("void(uint8[:,:,:,::1], boolean[:,:,::1], int64[:,::1])", parallel=True)
    def count(spikes: Any, inside: Any, counts: Any) -> None:
        n_samples, n_times, n_channels, n_positions = spikes.shape
        for row in numba.prange(n_times * n_channels):
            time, channel = row // n_channels, row % n_channels
            total = 0
            for sample in range(n_samples):
                for position in range(n_positions):
                    fired = spikes[sample, time, channel, position] != 0
                    total += fired and inside[sample, time, position]
            counts[time, channel] = total

    return count
