"""What is read of a recorded layer: thresholds, spikes and potentials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema

_VECTOR = (schema.SAMPLE, schema.TIME, schema.CHANNEL)
_LAYERS = (_VECTOR, (*_VECTOR, schema.Y, schema.X))


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


def spike_values(recording: xr.Dataset) -> NDArray[np.uint8]:
    """Return the recorded spikes, (sample, time, channel[, y, x]).

    Raises
    ------
    ValueError
        If there are none, in other dimensions, or of another type than uint8.
    """
    spikes: NDArray[np.uint8] = _layer_values(recording, schema.SPIKE)
    if spikes.dtype != np.uint8:
        raise ValueError(
            f"{schema.SPIKE} must be uint8, 0 where a neuron does not spike, got {spikes.dtype}"
        )
    return spikes


def quantity_values(recording: xr.Dataset, quantity: str) -> NDArray[np.floating[Any]]:
    """Return the recorded values of a quantity, (sample, time, channel[, y, x]).

    Raises
    ------
    ValueError
        If they were not recorded, or in other dimensions.
    """
    values = _layer_values(recording, schema.QUANTITY_VARIABLES[quantity])
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def _layer_values(recording: xr.Dataset, name: str) -> NDArray[Any]:
    if name not in recording:
        raise ValueError(
            f"the recording holds no {name}, only {', '.join(map(str, recording.data_vars))}"
        )
    variable = recording.variables[name]
    if variable.dims not in _LAYERS:
        raise ValueError(f"{name} must be (sample, time, channel[, y, x]), got {variable.dims}")
    values: NDArray[Any] = variable.values
    return values
