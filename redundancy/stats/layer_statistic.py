"""What the statistics of a spiking layer share: all of them are made of one sweep over it.

A statistic writes what it takes of a sweep and what that computes to. An analysis sweeps a
layer once for all of them; a recording of one layer can be observed by one of them alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import xarray as xr

from redundancy.stats.bins import UniformBins
from redundancy.stats.layer_sweep import LayerSweep, SpikeSweep
from redundancy.stats.sweep import sweep_recording, sweep_spikes


class SpikeStatistic(ABC):
    """A statistic of a layer's spikes alone."""

    @abstractmethod
    def observe_sweep(self, sweep: SpikeSweep) -> xr.Dataset:
        """Return the state of a batch that was swept."""

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Return the state of one recorded layer.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` (sample, time, channel[, y, x]), uint8; potentials are not needed.

        Returns
        -------
        Dataset
            That of :meth:`observe_sweep`.

        Raises
        ------
        ValueError
            If there are no spikes, or not in these dimensions.
        """
        return self.observe_sweep(sweep_spikes(recording))


class PotentialStatistic(ABC):
    """A statistic of a layer's membrane potentials, and maybe its spikes."""

    @abstractmethod
    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Return the state of a batch that was swept."""

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Return the state of one recorded layer.

        Parameters
        ----------
        recording : Dataset
            With ``spike``, ``membrane_potential`` and the quantity's variable, (sample, time,
            channel[, y, x]), and the layer's attributes.

        Returns
        -------
        Dataset
            That of :meth:`observe_sweep`.

        Raises
        ------
        ValueError
            If one of these was not recorded, or not in these dimensions, or there are
            thresholds per channel, but not as many as channels.
        """
        return self.observe_sweep(sweep_recording(recording, self._swept_bins()))

    def _swept_bins(self) -> UniformBins:
        """Return what the sweep of one recording bins: here as little as it can."""
        return UniformBins(1.0, 1, 1)


LayerStatistic = SpikeStatistic | PotentialStatistic
