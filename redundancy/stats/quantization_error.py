"""Quantization error (QE): how far a spike is from the potential it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_statistic import PotentialStatistic
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.stats.layer_values import thresholds

_DIMS = (schema.TIME, schema.CHANNEL)
_ERROR_SUM = "squared_error_sum"
_SCALED_SUM = "squared_error_scaled_sum"

LONG_NAMES = {
    schema.QE: "quantization error, mean of (U - S)^2",
    schema.QE_SCALED: "quantization error, mean of (U - V_th S)^2",
    schema.QE_NORMALIZED: "quantization error, mean of (U / V_th - S)^2",
}


@dataclass(frozen=True)
class QuantizationError(PotentialStatistic):
    """Mean of (U - S)^2 per timestep and channel, over all samples and neurons.

    Yao et al., ICCV 2023, section 5.5. U is the potential before firing. The paper
    does not say what spikes of height 1 mean where the threshold is not 1, nor over
    what it averages; so (U - V_th S)^2 and (U / V_th - S)^2 are given beside it, and
    :func:`network_quantization_error` averages over all neurons, samples and timesteps.
    """

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Add up squared errors.

        Returns
        -------
        Dataset
            ``squared_error_sum``, ``squared_error_scaled_sum`` float64 and ``n_errors``
            int64, (time, channel).
        """
        from redundancy.stats.sweep_rows import SQUARED_ERROR, SQUARED_ERROR_SCALED

        sums = sweep.sums
        n_values = np.full(sums.shape[1:3], len(sums) * sweep.n_positions, np.int64)
        squares = "square of V_th's"
        return xr.Dataset(
            {
                _ERROR_SUM: state_variable(
                    _DIMS, sums[..., SQUARED_ERROR].sum(0), "sum", "sum of (U - S)^2", squares
                ),
                _SCALED_SUM: state_variable(
                    _DIMS,
                    sums[..., SQUARED_ERROR_SCALED].sum(0),
                    "sum",
                    "sum of (U - V_th S)^2",
                    squares,
                ),
                schema.N_ERRORS: state_variable(_DIMS, n_values, "sum", "values", "1"),
            },
            attrs=sweep.attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the three variants, (time, channel); attribute ``n_neurons``.

        The normalized one is NaN where the threshold is 0.
        """
        return _errors(_sums(state)).assign_attrs(
            {
                schema.N_SAMPLES: int(state[schema.N_SAMPLES]),
                "n_neurons": int(state[schema.N_ERRORS].isel(time=0).sum())
                // int(state[schema.N_SAMPLES]),
            }
        )


def network_quantization_error(layers: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Return the quantization errors over all neurons of a network.

    Parameters
    ----------
    layers : mapping of str to Dataset
        States of :class:`QuantizationError`, one a layer.

    Returns
    -------
    Dataset
        The three variants as single numbers, and with the suffix ``_conv`` those over
        layers with feature maps only (NaN where there is none).
    """
    result = xr.Dataset()
    maps = [state for state in layers.values() if schema.Y in state[schema.SPIKE_COUNT].dims]
    for suffix, states in (("", list(layers.values())), ("_conv", maps)):
        sums = [_sums(state).sum(_DIMS, skipna=False) for state in states]
        errors = _errors(sum(sums[1:], sums[0])) if sums else None
        for name, long_name in LONG_NAMES.items():
            value = np.nan if errors is None else float(errors[name])
            note = ", convolutional layers only" if suffix else ""
            result[name + suffix] = (
                (),
                value,
                {"long_name": long_name + note, "units": _units(name)},
            )
    return result


def _sums(state: xr.Dataset) -> xr.Dataset:
    """Return the sums of a state with those normalized by the threshold of each channel."""
    threshold = thresholds(state.attrs, state.sizes[schema.CHANNEL])
    with np.errstate(divide="ignore"):
        inverse = np.where(threshold == 0, np.nan, threshold**-2.0)
    scaled = state[_SCALED_SUM]
    return xr.Dataset(
        {
            schema.QE: state[_ERROR_SUM],
            schema.QE_SCALED: scaled,
            schema.QE_NORMALIZED: scaled * xr.DataArray(inverse, dims=schema.CHANNEL),
            schema.N_ERRORS: state[schema.N_ERRORS],
        }
    )


def _errors(sums: xr.Dataset) -> xr.Dataset:
    result = xr.Dataset({name: sums[name] / sums[schema.N_ERRORS] for name in LONG_NAMES})
    for name, long_name in LONG_NAMES.items():
        result[name].attrs = {"long_name": long_name, "units": _units(name)}
    return result


def _units(name: str) -> str:
    return "1" if name == schema.QE_NORMALIZED else "square of V_th's"
