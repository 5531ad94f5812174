"""Spikes where the input has events, and where it has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.foreground import Foreground
from redundancy.stats.layer_statistic import SpikeStatistic
from redundancy.stats.layer_sweep import SpikeSweep
from redundancy.stats.sweep import sweep_spikes


@dataclass(frozen=True)
class SpatialRates(SpikeStatistic):
    """Spikes over the foreground, where a sample's input has events, and the background.

    Foreground and background are told per sample and timestep: over a whole test set
    there are events nearly everywhere.
    """

    def observe(self, recording: xr.Dataset, frames: NDArray[Any] | None = None) -> xr.Dataset:
        """Return the state of one recorded layer.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` (sample, time, channel[, y, x]), uint8.
        frames : ndarray, shape (sample, time, channel, y, x), optional
            The input of the same samples, of any height and width. Without it all counts
            are 0, as they are for a layer without maps.

        Returns
        -------
        Dataset
            That of :meth:`observe_sweep`.

        Raises
        ------
        ValueError
            If there are no spikes, or not in these dimensions, or the frames are of other
            samples or timesteps.
        """
        foreground = None if frames is None else Foreground(frames)
        return self.observe_sweep(sweep_spikes(recording, foreground))

    def observe_sweep(self, sweep: SpikeSweep) -> xr.Dataset:
        """Count spikes and cells inside and outside the foreground.

        Returns
        -------
        Dataset
            ``foreground_spikes``, ``background_spikes`` (time, channel) and
            ``foreground_cells``, ``background_cells`` (time), int64.
        """
        everywhere, inside_spikes = (sweep.fired[..., column].sum(0) for column in range(2))
        inside_cells = sweep.foreground_cells
        if inside_cells is None:
            outside_spikes = np.zeros_like(inside_spikes)
            inside_cells = outside_cells = outside_spikes[:, 0]
        else:
            outside_spikes = everywhere - inside_spikes
            outside_cells = sweep.n_samples * sweep.n_positions - inside_cells
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
            attrs=sweep.attributes,
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
