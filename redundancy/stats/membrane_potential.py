"""Membrane potential distributions (MPD): histograms with the threshold on an edge."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.stats.base import state_variable
from redundancy.stats.bins import UniformBins, check_bins, check_quantity
from redundancy.stats.layer_statistic import PotentialStatistic
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.stats.layer_values import as_compared, quantity_values, thresholds

# A histogram of a channel at a timestep has at most so many bins by default.
_MOST_BINS = 1024
# The bins of a pilot leave out this share of its values at either end; its range is
# then widened by a share of itself on either side.
_TAIL = 0.0005
_MARGIN = 0.25
# The pilot looks at no more than about so many values.
_PILOT_VALUES = 1 << 20

_COUNTERS = {
    schema.UNDERFLOW: "values below the first bin",
    schema.OVERFLOW: "values above the last bin",
    schema.NAN_COUNT: "values that are not a number",
}
_LONG_NAMES = {
    "pre-fire": "membrane potential before firing",
    "input": "input current",
    "post-reset": "membrane potential after reset",
}


@dataclass(frozen=True)
class MembranePotentialDistribution(UniformBins, PotentialStatistic):
    """Histogram of U per timestep and channel, over all samples and neurons.

    Definition 5 of Yao et al., ICCV 2023, which leaves the bins open. Here they are
    uniform and counted from the threshold, which is always an edge: with
    `quantity` "pre-fire", what lies to its right is exactly what fires. A bin holds
    its lower edge where the neuron fires at ``>=``, its upper one where at ``>``. The
    distance from the threshold is taken in float64, which is exact at the threshold.

    Parameters
    ----------
    bin_width : float
        In the units of the potential.
    n_bins_below, n_bins_above : int
        Number of bins below and above the threshold.
    quantity : {"pre-fire", "input", "post-reset"}
        The potential before firing (U), the input current (X; what the published code
        plots), or the potential after the reset.
    """

    @classmethod
    def from_pilot(
        cls,
        recording: xr.Dataset,
        *,
        quantity: str = "pre-fire",
        bin_width: float | None = None,
        bounds: tuple[float, float] | None = None,
    ) -> MembranePotentialDistribution:
        """Choose bins from the first batch of a dataset.

        Parameters
        ----------
        recording : Dataset
            One layer of the batch.
        quantity : str
        bin_width : float, optional
            Default the power of two nearest to a tenth of the threshold (of its
            magnitude, the largest where each channel has its own), doubled until
            there are at most 1024 bins.
        bounds : tuple of float, optional
            Least and greatest potential to bin; default what holds 99.9 % of the batch,
            and a quarter of that range more on either side. What lies outside is
            counted in the underflow and the overflow.
        """
        check_quantity(quantity)
        check_bins(bin_width, bounds)
        values = quantity_values(recording, quantity)
        threshold = as_compared(thresholds(recording.attrs, values.shape[2]), values.dtype)
        low, high = _range_about(values, threshold)
        if bounds is not None:
            low, high = bounds[0] - float(threshold.max()), bounds[1] - float(threshold.min())
        width = bin_width or _default_width(float(np.abs(threshold).max()), low, high)
        below, above = max(math.ceil(-low / width), 1), max(math.ceil(high / width), 1)
        while bin_width is None and below + above > _MOST_BINS:
            width *= 2
            below, above = max(math.ceil(-low / width), 1), max(math.ceil(high / width), 1)
        return cls(width, below, above, quantity)

    @classmethod
    def of(cls, state: xr.Dataset) -> MembranePotentialDistribution:
        """Return the statistic that a state was observed with."""
        attributes = state.attrs
        return cls(
            float(attributes[schema.BIN_WIDTH]),
            int(attributes[schema.BINS_BELOW]),
            int(attributes[schema.BINS_ABOVE]),
            str(attributes[schema.QUANTITY]),
        )

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Count the values of one layer; the sweep must have been made with these bins.

        Returns
        -------
        Dataset
            ``histogram`` (time, channel, bin), ``underflow``, ``overflow`` and
            ``nan_count`` (time, channel), int64: nothing is dropped.
        """
        counts = sweep.bins
        n_bins = self.n_bins_below + self.n_bins_above
        dims = (schema.TIME, schema.CHANNEL)
        name = _LONG_NAMES[self.quantity]
        variables = {
            schema.HISTOGRAM: state_variable(
                (*dims, schema.BIN), counts[..., :n_bins].copy(), "sum", f"counts of {name}", "1"
            )
        }
        for place, (counter, long_name) in enumerate(_COUNTERS.items()):
            variables[counter] = state_variable(
                dims, counts[..., n_bins + place].copy(), "sum", long_name, "1"
            )
        attributes = {
            **sweep.attributes,
            schema.QUANTITY: self.quantity,
            schema.BIN_WIDTH: self.bin_width,
            schema.BINS_BELOW: self.n_bins_below,
            schema.BINS_ABOVE: self.n_bins_above,
        }
        return xr.Dataset(variables, attrs=attributes)

    def _swept_bins(self) -> UniformBins:
        return self

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the counts with ``bin_centre`` (bin), the distance of a bin from V_th."""
        names = [schema.HISTOGRAM, *_COUNTERS]
        centres = (np.arange(state.sizes[schema.BIN]) - self.n_bins_below + 0.5) * self.bin_width
        attributes = {
            "long_name": f"{_LONG_NAMES[self.quantity]} minus the threshold",
            "units": "same as V_th",
        }
        return state[names].assign_coords({schema.BIN_CENTRE: (schema.BIN, centres, attributes)})


def check_spikes_above_threshold(name: str, state: xr.Dataset) -> None:
    """Refuse a state whose counts right of V_th are not its spikes.

    Parameters
    ----------
    name : str
        Of the layer.
    state : Dataset
        Of this statistic and of :class:`redundancy.stats.FiringRate`.

    Raises
    ------
    RecordingError
        If they differ for any timestep and channel.
    """
    if state.attrs[schema.QUANTITY] != "pre-fire":
        return
    right = state[schema.HISTOGRAM].values[..., int(state.attrs[schema.BINS_BELOW]) :].sum(-1)
    right = right + state[schema.OVERFLOW].values
    spikes = state[schema.SPIKE_COUNT].values
    spikes = spikes.reshape(*spikes.shape[:2], -1).sum(-1)
    if not np.array_equal(right, spikes):
        raise RecordingError(
            f"layer {name!r}: {int(right.sum())} membrane potentials reach the threshold but there "
            f"are {int(spikes.sum())} spikes; what was read of its potentials cannot be trusted"
        )


def _range_about(
    values: NDArray[np.floating[Any]], threshold: NDArray[np.float64]
) -> tuple[float, float]:
    """Return where the values of a pilot lie about their thresholds."""
    n_positions = math.prod(values.shape[3:])
    flat = values.ravel()
    places = np.arange(0, flat.size, max(flat.size // _PILOT_VALUES, 1) | 1)
    deviation = flat[places] - threshold[places // n_positions % len(threshold)]
    deviation = deviation[np.isfinite(deviation)]
    if not deviation.size:
        return 0.0, 0.0
    low, high = np.quantile(deviation, [_TAIL, 1 - _TAIL])
    margin = _MARGIN * (high - low)
    return float(low - margin), float(high + margin)


def _default_width(threshold: float, low: float, high: float) -> float:
    if threshold > 0:
        return float(2.0 ** round(math.log2(threshold / 10)))
    width = (high - low) / 100
    return float(2.0 ** round(math.log2(width))) if width > 0 else 1.0
