"""Which statistics an analysis takes, and one batch seen by all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.nodes import Nodes, spiking_layers
from redundancy.states import joined_states, other_layers
from redundancy.stats import (
    Accuracy,
    ExampleNeuron,
    FiringRate,
    InputEvents,
    MembranePotentialDistribution,
    Moments,
    PoissonBootstrap,
    QuantizationError,
    RecordingAccuracy,
    SpatialRates,
    SpikeGram,
    SynapticOperations,
    TemporalKernel,
)
from redundancy.stats.base import state_variable
from redundancy.stats.bins import check_bins, check_quantity
from redundancy.stats.bootstrap import WEIGHT
from redundancy.stats.foreground import Foreground
from redundancy.stats.layer_statistic import LayerStatistic
from redundancy.stats.layer_sweep import LayerSweep
from redundancy.stats.membrane_potential import check_spikes_above_threshold
from redundancy.stats.sweep import SweepBuilder, sweep_recording

if TYPE_CHECKING:
    from redundancy.sweep_probe import Sweeper

Bins = Mapping[str, MembranePotentialDistribution]


@dataclasses.dataclass(frozen=True)
class AnalysisOptions:
    """Parameters of the statistics of an analysis.

    Parameters
    ----------
    quantity : {"pre-fire", "input", "post-reset"}
        What membrane potential distributions and moments are of: the potential before
        firing, the input current, or the potential after the reset.
    bin_width : float, optional
        Of the distributions; default from the threshold, see
        :meth:`redundancy.stats.MembranePotentialDistribution.from_pilot`.
    bounds : tuple of float, optional
        Least and greatest potential to bin; default from the first batch, per layer.
    n_replicates, seed : int
        Of the bootstrap over samples; random numbers that a network draws are of this seed
        and of the sample a batch begins with.
    ignore_layers : tuple of str
        Qualified names of modules that make masks of 0 and 1 which are no spikes.
    """

    quantity: str = "pre-fire"
    bin_width: float | None = None
    bounds: tuple[float, float] | None = None
    n_replicates: int = 1000
    seed: int = 0
    ignore_layers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_quantity(self.quantity)
        check_bins(self.bin_width, self.bounds)
        if self.n_replicates < 1 or self.seed < 0:
            raise UsageError(
                "the bootstrap needs at least 1 replicate and a seed of at least 0, got "
                f"{self.n_replicates} and {self.seed}"
            )

    @property
    def recorded(self) -> tuple[str, ...]:
        """The variables that the statistics need of a recording."""
        wanted = (schema.SPIKE, schema.MEMBRANE_POTENTIAL)
        other = schema.QUANTITY_VARIABLES[self.quantity]
        return wanted if other in wanted else (*wanted, other)


@dataclasses.dataclass(frozen=True)
class Read:
    """How a layer was read in one batch.

    Attributes
    ----------
    path : str
        ``"fused"`` or ``"general"``.
    is_verified : bool
        Whether what was read was compared with what the neuron itself did.
    """

    path: str
    is_verified: bool


def _reading_counts(read: Read) -> dict[str, xr.Variable]:
    """Return how many batches a state is of, and in how many of them it was verified."""
    counts = {
        schema.N_BATCHES: (1, "batches"),
        schema.VERIFIED_BATCHES: (
            int(read.is_verified),
            "batches in which the reading was compared with the neuron itself",
        ),
    }
    return {
        name: state_variable((), np.int64(value), "sum", long_name, "batches")
        for name, (value, long_name) in counts.items()
    }


def choose_bins(recording: Mapping[str, xr.Dataset], options: AnalysisOptions) -> Bins:
    """Choose the bins of every spiking layer on a recording of the dataset's first batch.

    Raises
    ------
    UsageError
        If what the statistics need was not recorded.
    """
    bins = {}
    for name, layer in spiking_layers(recording).items():
        _check_recorded(name, layer, options.recorded)
        bins[name] = MembranePotentialDistribution.from_pilot(
            layer, quantity=options.quantity, bin_width=options.bin_width, bounds=options.bounds
        )
    return bins


class Observer:
    """The statistics of one analysis.

    Parameters
    ----------
    bins : mapping of str to MembranePotentialDistribution
        Of every spiking layer; see :func:`choose_bins`. Every part of a dataset must be
        observed with the same bins.
    options : AnalysisOptions
    """

    def __init__(self, bins: Bins, options: AnalysisOptions) -> None:
        self.bins = bins
        self._options = options
        self._bootstrap = PoissonBootstrap(options.n_replicates, options.seed)
        self._layers: dict[str, tuple[LayerStatistic, ...]] = {
            name: (
                FiringRate(),
                distribution,
                Moments(options.quantity),
                QuantizationError(),
                SpatialRates(),
                SpikeGram(),
                TemporalKernel(),
                ExampleNeuron(),
            )
            for name, distribution in bins.items()
        }

    @classmethod
    def from_pilot(cls, recording: Mapping[str, xr.Dataset], options: AnalysisOptions) -> Observer:
        """Return the statistics with the bins that a recording of the first batch asks for."""
        return cls(choose_bins(recording, options), options)

    def observe(self, recording: Mapping[str, xr.Dataset]) -> Nodes:
        """Return the states of all statistics for one recording, node by node.

        Raises
        ------
        UsageError
            If what the statistics need was not recorded.
        RecordingError
            If the batch ran through other layers than the first one, or potentials
            at or above the threshold are not as many as the spikes.
        """
        layers = {name: recording[name] for name in recording if name not in schema.OTHER_NODES}
        nodes = {name: recording[name] for name in recording if name in schema.OTHER_NODES}
        return self.observe_swept(nodes, layers)

    def sweeper(self, frames: NDArray[Any]) -> Sweeper:
        """Return what begins the sweeps of a batch with these input frames.

        See :class:`redundancy.sweep_probe.SweepProbe`.
        """
        foreground = Foreground(frames)

        def begin(
            name: str, attributes: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[Any]
        ) -> SweepBuilder:
            if name not in self.bins:
                raise other_layers([name])
            return SweepBuilder(self.bins[name], attributes, shape, dtype, foreground)

        return begin

    def observe_swept(
        self,
        nodes: Mapping[str, xr.Dataset],
        layers: Mapping[str, xr.Dataset | LayerSweep],
        read: Mapping[str, Read] | None = None,
    ) -> Nodes:
        """Return the states of all statistics for one batch, node by node.

        Parameters
        ----------
        nodes : mapping of str to Dataset
            What is no spiking layer.
        layers : mapping of str to LayerSweep or Dataset
            The spiking layers, swept or recorded.
        read : mapping of str to Read, optional
            How each module is read, to be named in the states.

        Raises
        ------
        UsageError, RecordingError
            As :meth:`observe`.
        """
        foreground = Foreground(nodes[schema.INPUT_NODE][schema.FRAMES].values)
        weighted = self._bootstrap.with_weights(nodes)
        weights = weighted[schema.ROOT][WEIGHT].values
        states: Nodes = {}
        for name, node in weighted.items():
            if name == schema.ROOT:
                found = (Accuracy(), RecordingAccuracy(), self._bootstrap)
                states[name] = joined_states(statistic.observe(node) for statistic in found)
                states[name].attrs.update(node.attrs)
            elif name == schema.INPUT_NODE:
                states[name] = InputEvents().observe(node)
            else:
                parts = [SynapticOperations().observe(node), self._bootstrap.observe(node)]
                states[name] = joined_states(parts)
        for name, layer in layers.items():
            if name not in self._layers:
                raise other_layers([name])
            if isinstance(layer, xr.Dataset):
                _check_recorded(name, layer, self._options.recorded)
                layer = sweep_recording(layer, self.bins[name], foreground)
            state = self._observe_layer(name, layer, weights)
            if read is not None:
                how = read[name.partition("@")[0]]
                state.attrs[schema.PATH] = how.path
                state = state.assign(_reading_counts(how))
            states[name] = state
        return states

    def _observe_layer(
        self, name: str, layer: LayerSweep, weights: NDArray[np.uint8]
    ) -> xr.Dataset:
        parts = [statistic.observe_sweep(layer) for statistic in self._layers[name]]
        state = joined_states([*parts, self._bootstrap.observe_sweep(layer, weights)])
        check_spikes_above_threshold(name, state)
        return state


def _check_recorded(name: str, layer: xr.Dataset, wanted: Iterable[str]) -> None:
    missing = [quantity for quantity in wanted if quantity not in layer]
    if missing:
        raise UsageError(
            f"the recording holds no {' and no '.join(missing)} of layer {name!r}, only "
            f"{', '.join(map(str, layer.data_vars))}; record it again with --quantities "
            f"{','.join(wanted)}"
        )
