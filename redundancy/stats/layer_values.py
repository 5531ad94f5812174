"""What the statistics of potentials share: thresholds, values and their sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema

_SUMS = "potential_sums"


def thresholds(attributes: Mapping[Any, Any], n_channels: int) -> NDArray[np.float64]:
    """Return the threshold of every channel of a layer, shape (channel,).

    Raises
    ------
    ValueError
        If the layer has thresholds per channel, but not as many as channels.
    """
    given = np.asarray(attributes[schema.V_THRESHOLD], np.float64)
    if given.size not in (1, n_channels):
        raise ValueError(
            f"a layer of {n_channels} channels must have 1 threshold or {n_channels}, "
            f"got {given.size}"
        )
    return np.ascontiguousarray(np.broadcast_to(given.ravel(), (n_channels,)))


def as_compared(
    threshold: NDArray[np.float64], dtype: np.dtype[np.floating[Any]]
) -> NDArray[np.float64]:
    """Return the thresholds as a neuron of that data type compares with them."""
    return threshold.astype(dtype).astype(np.float64)


def per_position(variable: xr.DataArray) -> NDArray[Any]:
    """Return a recorded variable as (sample, time, channel, position)."""
    if variable.dims[:3] != (schema.SAMPLE, schema.TIME, schema.CHANNEL):
        raise ValueError(
            f"{variable.name} must be (sample, time, channel[, y, x]), got {variable.dims}"
        )
    return variable.values.reshape(*variable.shape[:3], -1)


def quantity_values(recording: xr.Dataset, quantity: str) -> NDArray[np.floating[Any]]:
    """Return the recorded values of a quantity, (sample, time, channel, position).

    Raises
    ------
    ValueError
        If they were not recorded.
    """
    name = schema.QUANTITY_VARIABLES[quantity]
    if name not in recording:
        raise ValueError(
            f"the recording holds no {name}, only {', '.join(map(str, recording.data_vars))}"
        )
    values = per_position(recording[name])
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def layer_thresholds(recording: xr.Dataset, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the thresholds per channel as `values`, (sample, time, channel, …), meet them."""
    return as_compared(thresholds(recording.attrs, values.shape[2]), values.dtype)


def potential_sums(recording: xr.Dataset, quantity: str = "pre-fire") -> NDArray[np.float64]:
    """Return the sums of :func:`redundancy.stats.kernels.sum_potentials` of a layer.

    Several statistics need them; :func:`with_sums` leaves them in the recording, so that
    memory is swept once.
    """
    from redundancy.stats import kernels

    if quantity == "pre-fire" and _SUMS in recording:
        sums: NDArray[np.float64] = recording[_SUMS].values
        return sums
    values = quantity_values(recording, quantity)
    return kernels.sum_potentials(
        values,
        per_position(recording[schema.SPIKE]),
        thresholds(recording.attrs, values.shape[2]),
    )


def with_sums(recording: xr.Dataset) -> xr.Dataset:
    """Return a recording of a layer with the sums of its pre-fire potentials."""
    dims = (schema.SAMPLE, schema.TIME, schema.CHANNEL, "sum")
    return recording.assign({_SUMS: (dims, potential_sums(recording))})
