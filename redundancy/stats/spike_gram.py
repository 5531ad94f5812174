"""How often two channels of a layer spike together: counts over samples and positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.stats.base import state_variable

if TYPE_CHECKING:
    from redundancy.stats.layer_sweep import LayerSweep


def binary_spikes(spikes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return spikes as 0 and 1: graded spikes count as one; 0/1 input is not copied."""
    return spikes if spikes.size == 0 or spikes.max() <= 1 else (spikes != 0).view(np.uint8)


def recorded_spikes(recording: xr.Dataset) -> NDArray[np.uint8]:
    """Return the 0/1 spikes of a recorded layer, positions flattened.

    Parameters
    ----------
    recording : Dataset
        With ``spike`` (sample, time, channel[, y, x]).

    Returns
    -------
    ndarray of uint8, shape (sample, time, channel, position)

    Raises
    ------
    ValueError
        If the dimensions come in another order.
    """
    spikes = recording[schema.SPIKE]
    first = (schema.SAMPLE, schema.TIME, schema.CHANNEL)
    if spikes.dims[:3] != first:
        raise ValueError(f"spike must have the dimensions {first} first, got {spikes.dims}")
    n_positions = int(np.prod(spikes.shape[3:], dtype=np.int64))
    return binary_spikes(spikes.values.reshape(*spikes.shape[:3], n_positions))


def count_joint_spikes(spikes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Count where two channels spike together.

    Parameters
    ----------
    spikes : ndarray of uint8, shape (sample, channel, position)
        0 and 1.

    Returns
    -------
    ndarray of int64, shape (channel, channel)
    """
    from redundancy.stats.bit_kernels import count_common, pack_bits

    n_channels = spikes.shape[1]
    rows = spikes.transpose(1, 0, 2).reshape(1, n_channels, -1)
    counts: NDArray[np.int64] = count_common(pack_bits(rows))[0]
    return counts


@dataclass(frozen=True)
class SpikeGram:
    """Joint spikes of every pair of channels, per timestep.

    The Gram matrix of the 0/1 spikes with (sample, position) as observations. It is all
    that Jaccard similarity and the dimensionality of the channels need
    (:func:`redundancy.stats.similarity.feature_similarity`,
    :func:`redundancy.stats.dimensionality.dimensionality`).
    """

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Count joint spikes.

        Parameters
        ----------
        recording : Dataset
            With ``spike`` (sample, time, channel[, y, x]), uint8; graded spikes count as
            one.

        Returns
        -------
        Dataset
            ``spike_gram`` (time, channel, other_channel) int64: (sample, position) pairs
            at which both channels spike, the channel's spikes on the diagonal.
            ``n_positions`` () int64: all such pairs, samples times positions.
        """
        spikes = recorded_spikes(recording)
        n_samples, n_timesteps, n_channels, n_positions = spikes.shape
        gram = np.zeros((n_timesteps, n_channels, n_channels), np.int64)
        for time in range(n_timesteps):
            gram[time] = count_joint_spikes(spikes[:, time])
        return self._state(gram, n_samples * n_positions, recording.attrs)

    def observe_sweep(self, sweep: LayerSweep) -> xr.Dataset:
        """Return the state of :meth:`observe` from the sweep of a batch."""
        from redundancy.stats.bit_kernels import close_ranks, count_common

        gram = count_common(close_ranks(sweep.bits, sweep.n_positions))
        return self._state(gram, sweep.n_samples * sweep.n_positions, sweep.attributes)

    @staticmethod
    def _state(
        gram: NDArray[np.int64], n_positions: int, attributes: Mapping[Any, Any]
    ) -> xr.Dataset:
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
                    np.int64(n_positions),
                    "sum",
                    "samples times positions of a channel",
                    "neurons",
                ),
            },
            attrs=attributes,
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
