"""Spike firing rates of neurons, channels, timesteps and the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_statistic import SpikeStatistic
from redundancy.stats.layer_sweep import SpikeSweep

_UNITS = "spikes per sample"


@dataclass(frozen=True)
class FiringRate(SpikeStatistic):
    """Spike firing rates of one layer: N-SFR, C-SFR, T-SFR and NASFR.

    Definition 1 of Yao et al., ICCV 2023: the N-SFR of a neuron at a timestep is the
    share of samples in which it spikes there; the others are its means over the
    neurons of a channel, of the layer, and over time.
    """

    def observe_sweep(self, sweep: SpikeSweep) -> xr.Dataset:
        """Count, per neuron and timestep, the samples in which it spikes.

        Returns
        -------
        Dataset
            ``spike_count`` (time, channel[, y, x]) and ``n_samples``, int64.
        """
        return xr.Dataset(
            {
                schema.SPIKE_COUNT: state_variable(
                    sweep.dims,
                    sweep.spike_counts,
                    "sum",
                    "samples in which the neuron spikes",
                    "samples",
                ),
                schema.N_SAMPLES: state_variable(
                    (), np.int64(sweep.n_samples), "sum", "samples", "samples"
                ),
            },
            attrs=sweep.attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Turn counts into rates.

        Parameters
        ----------
        state : Dataset
            What :meth:`observe` returns, or several of it merged.

        Returns
        -------
        Dataset
            ``n_sfr`` (time, channel[, y, x]), ``c_sfr`` (time, channel), ``t_sfr``
            (time), ``nasfr`` (); float64 fractions of samples. Attribute ``n_neurons``.

        Raises
        ------
        ValueError
            If the state holds no sample.
        """
        n_samples = int(state[schema.N_SAMPLES])
        if n_samples < 1:
            raise ValueError("firing rates need at least one sample, the state holds none")
        counts = state[schema.SPIKE_COUNT]
        n_sfr = counts / n_samples
        n_neurons = int(np.prod([counts.sizes[dim] for dim in counts.dims if dim != schema.TIME]))
        per_step = counts.sum([dim for dim in counts.dims if dim != schema.TIME])
        t_sfr = per_step / (n_samples * n_neurons)
        result = xr.Dataset(
            {
                schema.N_SFR: n_sfr,
                schema.C_SFR: n_sfr.mean([d for d in n_sfr.dims if d in (schema.Y, schema.X)]),
                schema.T_SFR: t_sfr,
                schema.NASFR: t_sfr.mean(),
            },
            attrs={**state.attrs, "n_neurons": n_neurons, schema.N_SAMPLES: n_samples},
        )
        for name, long_name in _LONG_NAMES.items():
            result[name].attrs = {"long_name": long_name, "units": _UNITS}
        return result


_LONG_NAMES = {
    schema.N_SFR: "neuron spike firing rate (N-SFR)",
    schema.C_SFR: "channel spike firing rate (C-SFR)",
    schema.T_SFR: "timestep spike firing rate (T-SFR)",
    schema.NASFR: "network average spike firing rate (NASFR)",
}


def network_firing_rate(layers: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return T-SFR and NASFR over all neurons of a network.

    Parameters
    ----------
    layers : mapping of str to Dataset
        States of :class:`FiringRate`, one a layer.

    Returns
    -------
    Dataset
        ``t_sfr`` (time) and ``nasfr``: the mean over ALL neurons, so layers weigh by
        their number of neurons (Definition 1; what the published code prints).
        ``t_sfr_conv`` and ``nasfr_conv``: the same over layers with feature maps only,
        NaN where there is none.

    Raises
    ------
    ValueError
        If the layers do not share timesteps and samples.
    """
    everything = list(layers.values())
    maps = [state for state in everything if schema.Y in state[schema.SPIKE_COUNT].dims]
    t_sfr, t_sfr_conv = _mean_rate(everything), _mean_rate(maps or everything)
    if not maps:
        t_sfr_conv = t_sfr_conv * np.nan
    result = xr.Dataset(
        {
            schema.T_SFR: (schema.TIME, t_sfr),
            f"{schema.T_SFR}_conv": (schema.TIME, t_sfr_conv),
            schema.NASFR: ((), t_sfr.mean()),
            f"{schema.NASFR}_conv": ((), t_sfr_conv.mean()),
        }
    )
    for name in (schema.T_SFR, schema.NASFR):
        result[name].attrs = {"long_name": _LONG_NAMES[name], "units": _UNITS}
        result[f"{name}_conv"].attrs = {
            "long_name": f"{_LONG_NAMES[name]}, convolutional layers only",
            "units": _UNITS,
        }
    return result


def _mean_rate(states: list[xr.Dataset]) -> NDArray[np.float64]:
    n_samples = {int(state[schema.N_SAMPLES]) for state in states}
    n_timesteps = {state.sizes[schema.TIME] for state in states}
    if len(n_samples) != 1 or len(n_timesteps) != 1:
        raise ValueError(
            "all layers must have the same samples and timesteps, got "
            f"{sorted(n_samples)} samples and {sorted(n_timesteps)} timesteps"
        )
    spikes = np.zeros(n_timesteps.pop(), dtype=np.int64)
    n_neurons = 0
    for state in states:
        counts = state[schema.SPIKE_COUNT].transpose(schema.TIME, ...).values
        flat = counts.reshape(len(counts), -1)
        spikes += flat.sum(1)
        n_neurons += flat.shape[1]
    rate: NDArray[np.float64] = spikes / (n_samples.pop() * n_neurons)
    return rate
