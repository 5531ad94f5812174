"""Mean, variance, least and greatest value of the membrane potential."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.bins import UniformBins
from redundancy.stats.layer_statistic import PotentialStatistic
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.stats.layer_values import thresholds

_DIMS = (schema.TIME, schema.CHANNEL)


@dataclass(frozen=True)
class Moments(PotentialStatistic):
    """Moments of U per timestep and channel, over all samples and neurons.

    Sums are float64 and taken about the threshold, where potentials are small.

    Parameters
    ----------
    quantity : {"pre-fire", "input", "post-reset"}
        See :class:`redundancy.stats.MembranePotentialDistribution`.
    """

    quantity: str = "pre-fire"

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Add up deviations from the threshold; the sweep must have binned this quantity.

        Returns
        -------
        Dataset
            ``n_values`` int64, ``deviation_sum``, ``deviation_square_sum``, ``minimum``
            and ``maximum`` (of the deviation) float64, all (time, channel).
        """
        from redundancy.stats.sweep_rows import DEVIATION, DEVIATION_SQUARE, LEAST, MOST

        sums = sweep.sums
        n_values = np.full(sums.shape[1:3], len(sums) * sweep.n_positions, np.int64)
        units = "same as V_th"
        return xr.Dataset(
            {
                schema.N_VALUES: state_variable(_DIMS, n_values, "sum", "values", "1"),
                schema.DEVIATION_SUM: state_variable(
                    _DIMS, sums[..., DEVIATION].sum(0), "sum", "sum of U - V_th", units
                ),
                schema.DEVIATION_SQUARE_SUM: state_variable(
                    _DIMS,
                    sums[..., DEVIATION_SQUARE].sum(0),
                    "sum",
                    "sum of (U - V_th)^2",
                    "square of V_th's",
                ),
                schema.MINIMUM: state_variable(
                    _DIMS, sums[..., LEAST].min(0), "min", "least U - V_th", units
                ),
                schema.MAXIMUM: state_variable(
                    _DIMS, sums[..., MOST].max(0), "max", "greatest U - V_th", units
                ),
            },
            attrs=sweep.attributes,
        )

    def _swept_bins(self) -> UniformBins:
        return dataclasses.replace(super()._swept_bins(), quantity=self.quantity)

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``mean``, ``variance`` (of the population), ``minimum``, ``maximum``.

        All are (time, channel), float64, and absolute, no longer about the threshold.
        """
        n_values = state[schema.N_VALUES]
        threshold = xr.DataArray(
            thresholds(state.attrs, state.sizes[schema.CHANNEL]), dims=schema.CHANNEL
        )
        deviation = state[schema.DEVIATION_SUM] / n_values
        variance = (state[schema.DEVIATION_SQUARE_SUM] / n_values - deviation**2).clip(min=0)
        # What never varies has no variance, whatever the sums were rounded to.
        constant = (state[schema.MINIMUM] == state[schema.MAXIMUM]) & np.isfinite(deviation)
        variance = variance.where(~constant, 0.0)
        known = state[schema.MINIMUM] <= state[schema.MAXIMUM]  # else all are NaN
        result = xr.Dataset(
            {
                schema.MEAN: deviation + threshold,
                schema.VARIANCE: variance,
                schema.MINIMUM: (state[schema.MINIMUM] + threshold).where(known),
                schema.MAXIMUM: (state[schema.MAXIMUM] + threshold).where(known),
            }
        )
        for name, long_name in _LONG_NAMES.items():
            units = "square of V_th's" if name == schema.VARIANCE else "same as V_th"
            result[name].attrs = {"long_name": long_name, "units": units}
        return result


_LONG_NAMES = {
    schema.MEAN: "mean membrane potential",
    schema.VARIANCE: "variance of the membrane potential",
    schema.MINIMUM: "least membrane potential",
    schema.MAXIMUM: "greatest membrane potential",
}
