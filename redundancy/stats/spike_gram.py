"""How often two channels of a layer spike together: counts over samples and positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable
from redundancy.stats.layer_statistic import SpikeStatistic
from redundancy.stats.layer_sweep import SpikeSweep


@dataclass(frozen=True)
class SpikeGram(SpikeStatistic):
    """Joint spikes of every pair of channels, per timestep.

    The Gram matrix of the 0/1 spikes with (sample, position) as observations. It is all
    that Jaccard similarity and the dimensionality of the channels need
    (:func:`redundancy.stats.similarity.feature_similarity`,
    :func:`redundancy.stats.dimensionality.dimensionality`).
    """

    def observe_sweep(self, sweep: SpikeSweep) -> xr.Dataset:
        """Count joint spikes; graded ones count as one.

        Returns
        -------
        Dataset
            ``spike_gram`` (time, channel, other_channel) int64: (sample, position) pairs
            at which both channels spike, the channel's spikes on the diagonal.
            ``n_positions`` () int64: all such pairs, samples times positions.
        """
        from redundancy.stats.bit_kernels import close_ranks, count_common

        gram = count_common(close_ranks(sweep.bits, sweep.n_positions))
        return xr.Dataset(
            {
                schema.SPIKE_GRAM: state_variable(
                    (schema.TIME, schema.CHANNEL, schema.OTHER_CHANNEL),
                    gram,
                    "sum",
                    "samples and positions at which both channels spike",
                    "spikes",
                ),
                schema.N_POSITIONS: state_variable(
                    (),
                    np.int64(sweep.n_samples * sweep.n_positions),
                    "sum",
                    "samples times positions of a channel",
                    "neurons",
                ),
            },
            attrs=sweep.attributes,
        )

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``jaccard`` (time, channel, other_channel), NaN for silent channels.

        The Jaccard similarity of two channels' spikes pooled over samples and positions:
        where both spike, as a share of where at least one does.
        """
        values = np.stack([jaccard(gram) for gram in state[schema.SPIKE_GRAM].values])
        dims = (schema.TIME, schema.CHANNEL, schema.OTHER_CHANNEL)
        attributes = {"long_name": "Jaccard similarity of the channels' spikes", "units": "1"}
        return xr.Dataset({schema.JACCARD: (dims, values, attributes)}, attrs=state.attrs)


def jaccard(gram: NDArray[np.int64]) -> NDArray[np.float64]:
    """Turn joint counts into Jaccard similarities.

    Parameters
    ----------
    gram : ndarray of int64, shape (channel, channel)

    Returns
    -------
    ndarray of float64, shape (channel, channel)
        In [0, 1], 1 on the diagonal; rows and columns of silent channels are NaN.
    """
    spikes = np.diagonal(gram)
    union = spikes[:, None] + spikes[None, :] - gram
    active = spikes > 0
    both = active[:, None] & active[None, :]
    result = np.full(gram.shape, np.nan)
    np.divide(gram, union, out=result, where=both)
    return result
