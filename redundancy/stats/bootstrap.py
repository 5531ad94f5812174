"""Bootstrap over samples in a single pass: every sample drawn a Poisson number of times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.stats.accuracy import judged_samples
from redundancy.stats.base import state_variable
from redundancy.stats.bins import UniformBins
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.stats.sweep import sweep_recording

WEIGHT = "bootstrap_weight"
_PREFIX = "bootstrap_"
# What the replicates of each node add up.
DRAWN = _PREFIX + "drawn"
CORRECT = _PREFIX + "correct"
LABELLED = _PREFIX + "labelled"
SPIKES = _PREFIX + "spikes"
SQUARED_ERROR = _PREFIX + "squared_error"
# What of the synaptic layers is resampled; energies follow from these.
SYNAPTIC = (schema.INPUT_SUM, schema.INPUT_NONZERO, schema.EFFECTIVE_OPERATIONS)


@dataclass(frozen=True)
class PoissonBootstrap:
    """Sums over resampled samples, for confidence intervals of whatever they make up.

    In each replicate a sample counts Poisson(1) times, which in the limit of many
    samples is drawing with replacement, but can be done sample by sample in one pass
    and merged (Chamandy et al., "Estimating uncertainty for massive data streams",
    2012). The weights follow from the seed and the sample's index alone, so that two
    networks analysed on the same data are resampled alike and can be compared in pairs.

    Parameters
    ----------
    n_replicates : int
    seed : int
    """

    n_replicates: int = 1000
    seed: int = 0

    def weights(self, samples: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return how often each sample counts, shape (sample, replicate)."""
        return np.stack(
            [
                np.random.Generator(np.random.Philox(key=[self.seed, int(sample)]))
                .poisson(1.0, self.n_replicates)
                .astype(np.uint8)
                for sample in samples
            ]
        )

    def with_weights(self, recording: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
        """Return the nodes of a recording with the weights of their samples."""
        weights = self.weights(recording[schema.ROOT][schema.SAMPLE].values)
        dims = (schema.SAMPLE, schema.REPLICATE)
        return {name: node.assign({WEIGHT: (dims, weights)}) for name, node in recording.items()}

    def observe(self, recording: xr.Dataset) -> xr.Dataset:
        """Add up what every replicate draws of one node.

        Parameters
        ----------
        recording : Dataset
            Of the root, of a spiking layer or of the synaptic layers, with weights.

        Returns
        -------
        Dataset
            Resampled sums, (replicate) or (replicate, synapse).
        """
        weights: NDArray[np.uint8] = recording[WEIGHT].values
        if schema.SPIKE in recording:
            return self.observe_sweep(sweep_recording(recording, UniformBins(1.0, 1, 1)), weights)
        # A list that files would not keep; `SynapticOperations` holds it.
        attributes = {
            name: value
            for name, value in recording.attrs.items()
            if name != schema.UNCOUNTED_OPERATIONS
        }
        return self._state(_totals(recording), weights, attributes)

    def observe_sweep(self, sweep: LayerSweep, weights: NDArray[np.uint8]) -> xr.Dataset:
        """Add up what every replicate draws of a swept spiking layer.

        Parameters
        ----------
        sweep : LayerSweep
        weights : ndarray of uint8, shape (sample, replicate)
            See :meth:`weights`.

        Returns
        -------
        Dataset
            Resampled spikes and squared errors, (replicate).
        """
        from redundancy.stats.sweep_rows import SQUARED_ERROR as ERROR

        totals = {
            SPIKES: sweep.fired[..., 0].sum((1, 2)).astype(np.float64),
            SQUARED_ERROR: sweep.sums[..., ERROR].sum((1, 2)),
        }
        return self._state(totals, weights, sweep.attributes)

    @staticmethod
    def _state(
        totals: Mapping[str, NDArray[np.float64]],
        drawn_times: NDArray[np.uint8],
        attributes: Mapping[Any, Any],
    ) -> xr.Dataset:
        weights = drawn_times.astype(np.float64)
        variables = {}
        for name, values in totals.items():
            dims = (schema.REPLICATE, schema.SYNAPSE)[: values.ndim]
            with np.errstate(invalid="ignore"):  # 0 times infinity
                drawn = weights.T @ values
            variables[name] = state_variable(dims, drawn, "sum", f"resampled {name}", "1")
        return xr.Dataset(variables, attrs=attributes)

    def compute(self, state: xr.Dataset) -> xr.Dataset:
        """Return the resampled sums as they are; see :func:`headline_replicates`."""
        names = [str(name) for name in state.data_vars if str(name).startswith(_PREFIX)]
        return state[names]


def _totals(recording: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return what each sample adds to the root or the synaptic layers.

    Of shape (sample,) or (sample, synapse).
    """
    if schema.INPUT_NONZERO in recording:
        return {
            _PREFIX + name: recording.variables[name]
            .transpose(schema.SAMPLE, schema.SYNAPSE)
            .values.astype(np.float64)
            for name in SYNAPTIC
        }
    n_samples = recording.sizes[schema.SAMPLE]
    judged, right = judged_samples(recording)
    return {
        DRAWN: np.ones(n_samples),
        CORRECT: right.astype(np.float64),
        LABELLED: judged.astype(np.float64),
    }


def headline_replicates(
    root: xr.Dataset, layers: Mapping[str, xr.Dataset]
) -> dict[str, NDArray[np.float64]]:
    """Return accuracy, NASFR and quantization error of every replicate.

    Parameters
    ----------
    root, layers : Dataset, mapping of str to Dataset
        States of :class:`PoissonBootstrap`.

    Returns
    -------
    dict of str to ndarray, shape (replicate,)
        Keys ``accuracy``, ``nasfr``, ``quantization_error``; NaN where a replicate
        draws nothing.
    """
    drawn = root[DRAWN].values
    n_values = sum(_neurons_and_times(state) for state in layers.values())
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            schema.ACCURACY: root[CORRECT].values / root[LABELLED].values,
            schema.NASFR: _sum(layers, SPIKES) / (drawn * n_values),
            schema.QE: _sum(layers, SQUARED_ERROR) / (drawn * n_values),
        }


def synaptic_replicates(root: xr.Dataset, synapses: xr.Dataset) -> xr.Dataset:
    """Return the state of the synaptic layers as each replicate draws it, per sample drawn.

    Parameters
    ----------
    root, synapses : Dataset
        States of :class:`PoissonBootstrap`.

    Returns
    -------
    Dataset
        ``input_sum``, ``input_nonzero``, ``effective_operations`` (replicate, synapse)
        per sample; NaN where a replicate draws nothing.
    """
    drawn = root[DRAWN].where(root[DRAWN] > 0)
    return xr.Dataset({name: synapses[_PREFIX + name] / drawn for name in SYNAPTIC})


def interval(replicates: NDArray[np.float64], confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of replicates, ignoring those that drew nothing."""
    if not 0 < confidence < 1:
        raise UsageError(f"the confidence must lie between 0 and 1, got {confidence}")
    known = replicates[np.isfinite(replicates)]
    if not known.size:
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def _neurons_and_times(state: xr.Dataset) -> int:
    return int(np.prod(state[schema.SPIKE_COUNT].shape))


def _sum(layers: Mapping[str, xr.Dataset], name: str) -> Any:
    return sum(state[name].values for state in layers.values())
