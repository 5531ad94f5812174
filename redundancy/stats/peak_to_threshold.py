"""Peak-to-threshold distance (PTD): where the bulk of the potentials lies."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema

_N_BARS = 3


def peak_to_threshold_distance(
    histogram: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean centre of the three highest bars.

    Definition 6 of Yao et al., ICCV 2023: the centre of the averaged interval of the
    three highest bars, minus the threshold. Near or above 0 it marks noise.

    Parameters
    ----------
    histogram : ndarray of int64, shape (..., bin)
    distance : ndarray of float64, shape (bin,)
        Centre of every bin minus the threshold.

    Returns
    -------
    ndarray of float64, shape (...)
        In the units of the potential, negative below the threshold.

    Notes
    -----
    Of equal bars the lower one counts as higher. Empty bins are no bars: with fewer
    than three that are not empty, those there are count; with none the distance is NaN.
    """
    bars = histogram.copy()
    total = np.zeros(bars.shape[:-1])
    n_found = np.zeros(bars.shape[:-1], np.int64)
    for _ in range(min(_N_BARS, bars.shape[-1])):
        place = bars.argmax(-1)  # the first of equals, so the lower one
        height = np.take_along_axis(bars, place[..., None], -1)[..., 0]
        total += np.where(height > 0, distance[place], 0.0)
        n_found += height > 0
        np.put_along_axis(bars, place[..., None], 0, -1)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / n_found, np.float64)


def distance_of(distribution: xr.Dataset) -> xr.DataArray:
    """Return the PTD (time, channel) of a computed membrane potential distribution."""
    histogram = distribution[schema.HISTOGRAM].transpose(..., schema.BIN)
    values = peak_to_threshold_distance(
        histogram.values, distribution[schema.BIN_CENTRE].values.astype(np.float64)
    )
    return xr.DataArray(
        values,
        dims=histogram.dims[:-1],
        name=schema.PTD,
        attrs={"long_name": "peak-to-threshold distance (PTD)", "units": "same as V_th"},
    )
