"""One real neuron of every channel over time, for the eye."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_values import per_position, quantity_values

if TYPE_CHECKING:
    from redundancy.stats.layer_sweep import LayerSweep

_VARIABLES = (schema.EXAMPLE_POTENTIAL, schema.EXAMPLE_SPIKE, schema.EXAMPLE_POSITION)


@dataclass(frozen=True)
class ExampleNeuron:
    """Of the first sample and every channel, the neuron that spikes most often.

    Of equals, the one whose potential comes nearest to the threshold or goes farthest
    above it, then the first.
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Keep potentials and spikes of one neuron a channel.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` and ``membrane_potential`` (sample, time, channel[, y, x]).

        Returns
        -------
        Dataset
            ``example_potential`` float32 and ``example_spike`` uint8 (time, channel),
            and ``example_position`` (channel), the index of the neuron in its map.
        """
        spikes = per_position(recording[schema.SPIKE])[0]
        potential = quantity_values(recording, "pre-fire")[0]
        return self._state(potential, spikes, recording.attrs)

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Return the state of :meth:`observe` from the sweep of a batch."""
        return self._state(sweep.first_potential, sweep.first_spikes, sweep.attributes)

    @staticmethod
    def _state(
        potential: NDArray[Any], spikes: NDArray[np.uint8], attributes: Mapping[Any, Any]
    ) -> xr.Dataset:
        n_spikes = (spikes != 0).sum(0)
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
            attrs=attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the three variables as they are."""
        return state[list(_VARIABLES)]
