"""One real neuron of every channel over time, for the eye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_statistic import PotentialStatistic
from redundancy.stats.layer_sweep import LayerSweep

_VARIABLES = (schema.EXAMPLE_POTENTIAL, schema.EXAMPLE_SPIKE, schema.EXAMPLE_POSITION)


@dataclass(frozen=True)
class ExampleNeuron(PotentialStatistic):
    """Of the first sample and every channel, the neuron that spikes most often.

    Of equals, the one whose potential comes nearest to the threshold or goes farthest
    above it, then the first.
    """

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Keep potentials and spikes of one neuron a channel.

        Returns
        -------
        Dataset
            ``example_potential`` float32 and ``example_spike`` uint8 (time, channel),
            and ``example_position`` (channel), the index of the neuron in its map.
        """
        potential, spikes = sweep.first_potential, sweep.first_spikes
        n_spikes = (spikes != 0).view(np.uint8).sum(0, dtype=np.uint32)
        most = n_spikes == n_spikes.max(-1, keepdims=True)
        position = np.where(most, potential.max(0), -np.inf).argmax(-1)
        place = position[None, :, None]
        both = (schema.TIME, schema.CHANNEL)
        return xr.Dataset(
            {
                schema.EXAMPLE_POTENTIAL: state_variable(
                    both,
                    np.take_along_axis(potential, place, -1)[..., 0].astype(np.float32),
                    "first",
                    "membrane potential before firing of one neuron",
                    "same as V_th",
                ),
                schema.EXAMPLE_SPIKE: state_variable(
                    both,
                    np.take_along_axis(spikes, place, -1)[..., 0],
                    "first",
                    "spikes of one neuron",
                    "spikes",
                ),
                schema.EXAMPLE_POSITION: state_variable(
                    (schema.CHANNEL,), position, "first", "index of the neuron in its map", "1"
                ),
            },
            attrs=sweep.attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the three variables as they are."""
        return state[list(_VARIABLES)]
