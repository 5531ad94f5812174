"""Redundancy in time: how much a layer repeats itself from timestep to timestep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.base import state_variable
from redundancy.stats.ghosts import LINKAGE, average_linkage, count_groups, cut_height
from redundancy.stats.hsic import MINIMUM_SAMPLES, sample_kernels, unbiased_hsic
from redundancy.stats.layer_statistic import SpikeStatistic
from redundancy.stats.layer_sweep import SpikeSweep
from redundancy.stats.similarity import MEASURES, feature_maps, map_measure

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TemporalKernel(SpikeStatistic):
    """Linear centred kernel alignment (CKA) between the timesteps of a layer.

    How alike two timesteps tell the samples apart: 1 where their spikes, seen as features
    of the samples, are equal up to rotation and scale. Minibatch estimate of Nguyen,
    Raghu and Kornblith, ICLR 2021, eqs 2-3: the unbiased HSIC_1 of Song et al., JMLR 2012,
    averaged over minibatches (each weighs by its samples), numerator and denominator
    apart. Unlike counts it depends a little on how samples fall into minibatches; the
    expectation of HSIC does not.

    Parameters
    ----------
    minibatch : int
        A batch of more samples is cut into nearly equal parts of at most so many. Batches
        of fewer than 4 samples have no unbiased estimate and are left out.
    """

    minibatch: int = 64

    def __post_init__(self) -> None:
        # With this, no batch of 4 samples or more is cut into parts of fewer.
        if self.minibatch < 2 * MINIMUM_SAMPLES - 1:
            raise UsageError(
                f"a minibatch of CKA must allow at least {2 * MINIMUM_SAMPLES - 1} samples, "
                f"got {self.minibatch}"
            )

    def observe_sweep(self, sweep: SpikeSweep) -> xr.Dataset:
        """Sum HSIC_1 of every pair of timesteps over minibatches; graded spikes count as one.

        Returns
        -------
        Dataset
            ``hsic_sum`` (time, other_time) float64, weighted by samples, and
            ``n_hsic_samples`` () int64, the samples that took part.
        """
        n_timesteps = len(sweep.bits)
        total = np.zeros((n_timesteps, n_timesteps))
        n_used = 0
        for bits in self._minibatches(sweep.bits):
            total += bits.shape[2] * unbiased_hsic(sample_kernels(bits, sweep.n_positions))
            n_used += bits.shape[2]
        return xr.Dataset(
            {
                schema.HSIC_SUM: state_variable(
                    (schema.TIME, schema.OTHER_TIME),
                    total,
                    "sum",
                    "unbiased HSIC of two timesteps, times samples",
                    "neurons squared",
                ),
                schema.N_HSIC_SAMPLES: state_variable(
                    (), np.int64(n_used), "sum", "samples in minibatches of 4 or more", "samples"
                ),
            },
            attrs=sweep.attributes,
        )

    def _minibatches(self, bits: NDArray[np.uint64]) -> list[NDArray[np.uint64]]:
        n_samples = bits.shape[2]
        if n_samples < MINIMUM_SAMPLES:
            return []
        return np.array_split(bits, -(-n_samples // self.minibatch), axis=2)

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return ``cka`` (time, other_time).

        In [-1, 1] and 1 on the diagonal; NaN where a timestep does not tell samples apart
        (all silent, all alike) and where no minibatch had 4 samples.
        """
        hsic = state[schema.HSIC_SUM].values
        own = np.maximum(np.diagonal(hsic), 0.0)
        # The root of a square is exact, so that the diagonal is exactly 1.
        scale = np.sqrt(own[:, None] * own[None, :])
        cka = np.full(hsic.shape, np.nan)
        np.divide(hsic, scale, out=cka, where=scale > 0)
        cka = np.clip(cka, -1.0, 1.0)
        attributes = {"long_name": "linear CKA between timesteps", "units": "1"}
        return xr.Dataset(
            {schema.CKA: ((schema.TIME, schema.OTHER_TIME), cka, attributes)},
            attrs={
                **state.attrs,
                "minibatch": self.minibatch,
                schema.N_HSIC_SAMPLES: int(state[schema.N_HSIC_SAMPLES]),
            },
        )


def temporal_similarity(rates: xr.Dataset, measure: str = "cosine") -> xr.DataArray:
    """Compare each channel's spike feature at two timesteps.

    Parameters
    ----------
    rates : Dataset
        Firing rates of a layer with feature maps: ``n_sfr`` (time, channel, y, x).
    measure : str
        "cosine", "pearson" or "ssim"; see
        :func:`redundancy.stats.similarity.feature_similarity`.

    Returns
    -------
    DataArray, shape (channel, time, other_time)
        NaN where the channel is silent at one of the timesteps. Attributes measure, name,
        long_name, units.

    Raises
    ------
    UsageError
        If the measure is none of these, or the layer has no feature maps.
    """
    compare = map_measure(measure)
    maps = feature_maps(rates, measure)
    matrices = np.stack([compare(maps[:, channel]) for channel in range(maps.shape[1])])
    return xr.DataArray(
        matrices,
        dims=(schema.CHANNEL, schema.TIME, schema.OTHER_TIME),
        name=schema.TEMPORAL_SIMILARITY,
        attrs={
            "measure": measure,
            "name": rates.attrs.get("name", ""),
            "long_name": f"{MEASURES[measure]} between timesteps",
            "units": "1",
        },
    )


def temporal_ghost_curve(
    rates: xr.Dataset, threshold: float, measure: str = "cosine"
) -> xr.Dataset:
    """Return how much of the first T' timesteps repeats what the channel showed before.

    A channel's active features at timesteps below T' are grouped by average linkage at the
    threshold, as channels are by :func:`redundancy.stats.ghosts.ghost_groups`; all but one
    feature of a group are repeats (Observation 2 of Yao et al., ICCV 2023).

    Parameters
    ----------
    rates : Dataset
        Firing rates of a layer with feature maps.
    threshold : float
        Similarity from -1 to 1.
    measure : str
        See :func:`temporal_similarity`.

    Returns
    -------
    Dataset
        Over ``n_timesteps`` = T' = 1, ..., T: ``temporal_ghost_ratio``, repeats as a share
        of the active features of all channels (NaN while there is none), and ``n_active``
        and ``n_groups``, int64. Attributes threshold, measure, linkage, name.

    Raises
    ------
    UsageError
        As :func:`temporal_similarity`, or if the threshold lies outside [-1, 1].
    """
    cut_height(threshold)
    similarity = temporal_similarity(rates, measure)
    n_timesteps = similarity.sizes[schema.TIME]
    n_active, n_groups = np.zeros((2, n_timesteps), np.int64)
    for matrix in similarity.values:
        active, groups = _groups_over_time(matrix, threshold)
        n_active += active
        n_groups += groups
    ratio = np.full(n_timesteps, np.nan)
    np.divide(n_active - n_groups, n_active, out=ratio, where=n_active > 0)
    values = {
        schema.TEMPORAL_GHOST_RATIO: (ratio, "features that repeat a timestep", "fraction"),
        schema.N_ACTIVE: (n_active, "active features", "features"),
        schema.N_GROUPS: (n_groups, "groups of features", "groups"),
    }
    coordinate = np.arange(1, n_timesteps + 1)
    label = {"long_name": "number of timesteps", "units": "timesteps"}
    return xr.Dataset(
        {
            name: (schema.N_TIMESTEPS, value, {"long_name": long_name, "units": units})
            for name, (value, long_name, units) in values.items()
        },
        coords={schema.N_TIMESTEPS: (schema.N_TIMESTEPS, coordinate, label)},
        attrs={
            "measure": measure,
            schema.THRESHOLD: threshold,
            "linkage": LINKAGE,
            "name": rates.attrs.get("name", ""),
        },
    )


def _groups_over_time(
    similarity: Array, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count one channel's active features and their groups in the first T' timesteps."""
    is_active = ~np.isnan(np.diagonal(similarity))
    n_active = np.cumsum(is_active)
    kept = similarity[np.ix_(is_active, is_active)]
    counts = [0]
    for n in range(1, len(kept) + 1):
        counts.append(count_groups(average_linkage(kept[:n, :n]), n, threshold))
    return n_active, np.array(counts, np.int64)[n_active]
