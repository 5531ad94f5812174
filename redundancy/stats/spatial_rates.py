"""Spikes where the input has events, and where it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_values import per_position

if TYPE_CHECKING:
    from redundancy.stats.layer_sweep import LayerSweep


def pool_events(frames: NDArray[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the cells of a smaller (or larger) grid in which the input has an event.

    Parameters
    ----------
    frames : ndarray, shape (sample, time, channel, y, x)
    size : tuple of int
        Rows and columns of the grid. Cell i of n over m pixels covers the pixels from
        floor(i m / n) up to, without, ceil((i + 1) m / n).

    Returns
    -------
    ndarray of bool, shape (sample, time, y, x)
    """
    events: NDArray[np.bool_] = (frames != 0).any(axis=2)
    for axis, n_cells in ((2, size[0]), (3, size[1])):
        n_pixels = events.shape[axis]
        if n_pixels % n_cells == 0:
            events = _any_of_neighbours(events, axis, n_pixels // n_cells)
            continue
        cells = np.arange(n_cells)
        start, stop = cells * n_pixels // n_cells, -(-(cells + 1) * n_pixels // n_cells)
        totals = np.cumsum(events, axis=axis, dtype=np.int32)
        before = np.where(start > 0, start - 1, 0)
        shape = [-1 if place == axis else 1 for place in range(4)]
        outside = totals.take(before, axis=axis) * (start > 0).reshape(shape)
        events = totals.take(stop - 1, axis=axis) > outside
    return events


def _any_of_neighbours(events: NDArray[np.bool_], axis: int, n_pixels: int) -> NDArray[np.bool_]:
    """Return where any of so many pixels next to each other along an axis has an event."""
    found = events
    for first in range(n_pixels):
        place: list[slice] = [slice(None)] * events.ndim
        place[axis] = slice(first, None, n_pixels)
        found = events[tuple(place)] if first == 0 else found | events[tuple(place)]
    return found


def with_foreground(layer: xr.Dataset, frames: NDArray[Any]) -> xr.Dataset:
    """Return a recording of a layer with the input's events pooled to its size."""
    spikes = layer[schema.SPIKE]
    if schema.Y not in spikes.dims:
        return layer
    dims = (schema.SAMPLE, schema.TIME, schema.Y, schema.X)
    inside = pool_events(frames, (spikes.sizes[schema.Y], spikes.sizes[schema.X]))
    return layer.assign({schema.FOREGROUND: (dims, inside)})


@dataclass(frozen=True)
class SpatialRates:
    """Spikes over the foreground, where a sample's input has events, and the background.

    Foreground and background are told per sample and timestep: over a whole test set
    there are events nearly everywhere.
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Count spikes and cells inside and outside the foreground.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` and, for layers with maps, ``foreground`` (sample, time, y,
            x), see :func:`with_foreground`. Without it all counts are 0.

        Returns
        -------
        Dataset
            ``foreground_spikes``, ``background_spikes`` (time, channel) and
            ``foreground_cells``, ``background_cells`` (time), int64.
        """
        from redundancy.stats import kernels

        spikes = per_position(recording[schema.SPIKE])
        n_samples, n_times, n_channels, n_positions = spikes.shape
        inside_spikes = outside_spikes = np.zeros((n_times, n_channels), np.int64)
        inside_cells = outside_cells = np.zeros(n_times, np.int64)
        if schema.FOREGROUND in recording:
            inside = recording[schema.FOREGROUND].values.reshape(n_samples, n_times, n_positions)
            inside_spikes = kernels.count_inside(spikes, inside)
            outside_spikes = kernels.count_inside(spikes, ~inside)
            inside_cells = inside.sum((0, 2), dtype=np.int64)
            outside_cells = n_samples * n_positions - inside_cells
        return self._state(
            (inside_spikes, outside_spikes), (inside_cells, outside_cells), recording.attrs
        )

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Return the state of :meth:`observe` from the sweep of a batch."""
        everywhere, inside = (sweep.fired[..., column].sum(0) for column in range(2))
        cells = sweep.foreground_cells
        if cells is None:
            nowhere = np.zeros_like(inside)
            return self._state((nowhere,) * 2, (nowhere[:, 0],) * 2, sweep.attributes)
        outside = sweep.n_samples * sweep.n_positions - cells
        return self._state((inside, everywhere - inside), (cells, outside), sweep.attributes)

    @staticmethod
    def _state(
        spikes: tuple[NDArray[np.int64], NDArray[np.int64]],
        cells: tuple[NDArray[np.int64], NDArray[np.int64]],
        attributes: Mapping[Any, Any],
    ) -> xr.Dataset:
        (inside_spikes, outside_spikes), (inside_cells, outside_cells) = spikes, cells
        both, times = (schema.TIME, schema.CHANNEL), (schema.TIME,)
        return xr.Dataset(
            {
                schema.FOREGROUND_SPIKES: state_variable(
                    both, inside_spikes, "sum", "spikes where the input has events", "spikes"
                ),
                schema.BACKGROUND_SPIKES: state_variable(
                    both, outside_spikes, "sum", "spikes where the input has none", "spikes"
                ),
                schema.FOREGROUND_CELLS: state_variable(
                    times, inside_cells, "sum", "cells in which the input has events", "cells"
                ),
                schema.BACKGROUND_CELLS: state_variable(
                    times, outside_cells, "sum", "cells in which the input has none", "cells"
                ),
            },
            attrs=attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``foreground_rate`` and ``background_rate`` (time, channel).

        In spikes per cell of one sample; NaN where there is no such cell.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            result = xr.Dataset(
                {
                    schema.FOREGROUND_RATE: state[schema.FOREGROUND_SPIKES]
                    / state[schema.FOREGROUND_CELLS],
                    schema.BACKGROUND_RATE: state[schema.BACKGROUND_SPIKES]
                    / state[schema.BACKGROUND_CELLS],
                }
            )
        result[schema.FOREGROUND_RATE].attrs = {
            "long_name": "firing rate where the input has events",
            "units": "spikes per cell",
        }
        result[schema.BACKGROUND_RATE].attrs = {
            "long_name": "firing rate where the input has no events",
            "units": "spikes per cell",
        }
        return result
