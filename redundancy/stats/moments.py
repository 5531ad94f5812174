"""Mean, variance, least and greatest value of the membrane potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_values import per_position, potential_sums, thresholds

if TYPE_CHECKING:
    from redundancy.stats.layer_sweep import LayerSweep

_DIMS = (schema.TIME, schema.CHANNEL)


@dataclass(frozen=True)
class Moments:
    """Moments of U per timestep and channel, over all samples and neurons.

    Sums are float64 and taken about the threshold, where potentials are small.

    Parameters
    ----------
    quantity : {"pre-fire", "input", "post-reset"}
        See :class:`redundancy.stats.MembranePotentialDistribution`.
    """

    quantity: str = "pre-fire"

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Add up deviations from the threshold.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` and the quantity's variable, (sample, time, channel[, y, x]).

        Returns
        -------
        Dataset
            ``n_values`` int64, ``deviation_sum``, ``deviation_square_sum``, ``minimum``
            and ``maximum`` (of the deviation) float64, all (time, channel).
        """
        sums = potential_sums(recording, self.quantity)
        size = per_position(recording[schema.SPIKE]).shape[3]
        return self._state(sums, size, recording.attrs)

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Return the state of :meth:`observe` from the sweep of a batch."""
        return self._state(sweep.sums, sweep.n_positions, sweep.attributes)

    @staticmethod
    def _state(sums: NDArray[np.float64], size: int, attributes: Mapping[Any, Any]) -> xr.Dataset:
        from redundancy.stats.sweep_kernels import DEVIATION, DEVIATION_SQUARE, LEAST, MOST

        n_values = np.full(sums.shape[1:3], len(sums) * size, np.int64)
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
            attrs=attributes,
        )

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
