"""Synaptic layers under observation: what comes in, and how many operations it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.synapses.geometry import (
    dense_operations,
    find_synaptic_layers,
    frame_elements,
    n_spatial_dimensions,
    weights_met,
)
from redundancy.synapses.graph import SynapseFacts
from redundancy.synapses.trace import SynapseTrace, trace_synapses

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward
    from redundancy.neurons import NeuronAdapter

# The columns of the kernel's counts.
_COUNTED = (
    schema.INPUT_NONZERO,
    schema.INPUT_NONBINARY,
    schema.EFFECTIVE_OPERATIONS,
    schema.INPUT_UNFIT,
    schema.INPUT_OFF_LEVEL,
)
_VARIABLES = {
    schema.INPUT_ELEMENTS: ("inputs", "inputs"),
    schema.INPUT_SUM: ("sum of the inputs", "same as the inputs"),
    schema.INPUT_NONZERO: ("inputs that are not zero", "inputs"),
    schema.INPUT_NONBINARY: ("inputs that are neither 0 nor 1", "inputs"),
    schema.INPUT_UNFIT: ("inputs that are negative or no number", "inputs"),
    schema.INPUT_OFF_LEVEL: ("times that inputs were no sum or average of spikes", "times"),
    schema.EFFECTIVE_OPERATIONS: ("products of a weight and a non-zero input", "operations"),
    schema.DENSE_OPERATIONS: ("products of a weight and an input", "operations"),
    schema.APPLICATIONS: ("frames the layer is applied to", "frames"),
}
_COORDINATES = {
    schema.SYNAPSE_KIND: "class of the layer",
    schema.ROLE: "main path or attention",
    schema.FED_BY: "where its input comes from",
    schema.FED_BY_RULE: "how that was found",
    schema.SOURCE: "what its input is",
    schema.SPIKE_PATH: "what became of the spikes on their way to it",
    schema.CALL_POSITION: "place in the order of calls, -1 if not called",
    schema.BATCH_NORM_ELEMENTS: "normalised values a sample after the layer",
    schema.NEURON_UPDATES: "neuron updates a sample after the layer",
    schema.RESCALE_ELEMENTS: "values a sample that its attention module weighs",
}


class SynapseProbes:
    """The hooks of all synaptic layers of a network.

    Parameters
    ----------
    network : nn.Module
        May have no synaptic layer at all.
    forward : callable
        How the network is run; see :class:`redundancy.recording.Recorder`.
    adapters : mapping of str to NeuronAdapter
        Of its neurons, by qualified name.

    Notes
    -----
    Sums are per sample. Which axis of a layer's input runs over samples is told from
    its shape in a run of another number of samples; an axis that joins time and samples
    is taken to have time outside, as everywhere in this project, or samples outside if
    all neurons of the network take (sample, time, ...). An input that has no such axis,
    because the network made one of all samples, counts in full for each.
    """

    def __init__(
        self, network: nn.Module, forward: Forward, adapters: Mapping[str, NeuronAdapter]
    ) -> None:
        self._network, self._forward, self._adapters = network, forward, adapters
        self._modules = find_synaptic_layers(network)
        self._samples_outside = _takes_samples_first(network, adapters)
        self._trace: SynapseTrace | None = None
        self._reset()

    def __bool__(self) -> bool:
        return bool(self._modules)

    def _reset(self, n_samples: int = 0) -> None:
        self._n_samples = n_samples
        self._calls = dict.fromkeys(self._modules, 0)
        self._sums = {
            name: {
                variable: np.zeros(n_samples, float if variable == schema.INPUT_SUM else np.int64)
                for variable in _VARIABLES
            }
            for name in self._modules
        }

    def trace(self, inputs: Tensor, *, stepwise: bool = False) -> None:
        """Find out, once, where the inputs of every layer come from.

        Parameters
        ----------
        inputs : Tensor, shape (time, sample, channel, y, x)
            Of the first batch; see :func:`redundancy.synapses.trace.trace_synapses`.
        """
        if self._trace is None and self._modules:
            self._trace = trace_synapses(
                self._network,
                self._modules,
                self._adapters,
                inputs,
                self._forward,
                stepwise=stepwise,
            )

    def attach(self, n_samples: int) -> Iterator[Any]:
        """Add the hooks for one batch and yield their handles."""
        self._reset(n_samples)
        for name, module in self._modules.items():
            yield module.register_forward_hook(self._hook(name), with_kwargs=True)

    def _hook(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any, output: Tensor) -> None:
            values = args[0] if args else next(iter(kwargs.values()))
            self._count(name, module, values.detach(), tuple(output.shape))
            self._calls[name] += 1

        return hook

    def _count(
        self, name: str, module: nn.Module, values: Tensor, shape_out: tuple[int, ...]
    ) -> None:
        from redundancy.synapses.kernels import count_inputs

        assert self._trace is not None
        shape = tuple(values.shape)
        axis = self._sample_axis(name, module, shape)
        # Without an axis of samples, all of it is one sample's.
        n_samples = 1 if axis is None else self._n_samples
        met = weights_met(module, shape, shape_out)
        array = _to_array(values)
        outer = 1 if axis is None else math.prod(shape[: axis + 1]) // n_samples
        if axis == 0 and self._samples_outside:
            outer = 1
        sums, counts = np.zeros(n_samples), np.zeros((n_samples, len(_COUNTED)), np.int64)
        lattice = self._trace.facts[name].levels.lattice(_epsilon(values))
        count_inputs(array.reshape(outer, n_samples, -1, len(met)), met, lattice, sums, counts)
        n_inputs = array.size // n_samples
        n_outputs = math.prod(shape_out) // n_samples
        own = self._sums[name]
        own[schema.INPUT_ELEMENTS] += n_inputs
        own[schema.INPUT_SUM] += sums
        own[schema.DENSE_OPERATIONS] += dense_operations(module, n_inputs, n_outputs)
        own[schema.APPLICATIONS] += max(n_inputs // frame_elements(module, shape), 1)
        for column, variable in enumerate(_COUNTED):
            own[variable] += counts[:, column]

    def _sample_axis(self, name: str, module: nn.Module, shape: tuple[int, ...]) -> int | None:
        """Return the axis that runs over samples, alone or inside of time."""
        assert self._trace is not None
        leading = shape[: len(shape) - max(n_spatial_dimensions(module), 1)]
        n_samples, n_traced = self._n_samples, self._trace.n_samples
        traced = self._trace.facts[name].shapes
        if self._calls[name] < len(traced) and n_traced != n_samples:
            other = traced[self._calls[name]]
            scaled = [
                axis
                for axis, size in enumerate(leading)
                if len(other) == len(shape) and size * n_traced == other[axis] * n_samples
            ]
            if scaled or other == shape:
                return scaled[0] if scaled else None
        sizes = [axis for axis, size in enumerate(leading) if size == n_samples]
        multiples = [axis for axis, size in enumerate(leading) if size % n_samples == 0]
        return next(iter([*sizes, *multiples]), None)

    def dataset(self, samples: NDArray[np.int64], n_timesteps: int) -> xr.Dataset:
        """Return what the layers of the last batch were given, sample by sample.

        Parameters
        ----------
        samples : ndarray of int, shape (sample,)
            Their indices in the dataset.
        n_timesteps : int

        Returns
        -------
        Dataset
            (sample, synapse); layers in the order of the network's modules, also those
            that were not called.
        """
        assert self._trace is not None
        dims = (schema.SAMPLE, schema.SYNAPSE)
        variables = {
            variable: (
                dims,
                np.stack([own[variable] for own in self._sums.values()], axis=1),
                {"long_name": long_name, "units": units},
            )
            for variable, (long_name, units) in _VARIABLES.items()
        }
        rows = [
            _coordinates_of(module, self._trace.facts[name])
            for name, module in self._modules.items()
        ]
        coordinates = {
            name: (schema.SYNAPSE, _labels([row[name] for row in rows]), {"long_name": long_name})
            for name, long_name in _COORDINATES.items()
        }
        return xr.Dataset(
            variables,
            coords={
                schema.SAMPLE: samples,
                schema.SYNAPSE: (schema.SYNAPSE, _labels(list(self._modules))),
                **coordinates,
            },
            attrs={schema.N_TIMESTEPS: n_timesteps},
        )


def _takes_samples_first(network: nn.Module, adapters: Mapping[str, NeuronAdapter]) -> bool:
    modules = dict(network.named_modules())
    described = [adapter.describe(modules.get(name, network)) for name, adapter in adapters.items()]
    return all(neuron.has_time_axis and neuron.time_axis == 1 for neuron in described)


def _coordinates_of(module: nn.Module, facts: SynapseFacts) -> dict[str, str | int]:
    return {
        schema.SYNAPSE_KIND: type(module).__name__,
        schema.ROLE: facts.role,
        schema.FED_BY: ", ".join(facts.fed_by),
        schema.FED_BY_RULE: facts.fed_by_rule,
        schema.SOURCE: facts.source,
        schema.SPIKE_PATH: facts.levels.path,
        schema.CALL_POSITION: facts.position,
        schema.BATCH_NORM_ELEMENTS: facts.batch_norm_elements,
        schema.NEURON_UPDATES: facts.neuron_updates,
        schema.RESCALE_ELEMENTS: facts.rescale_elements,
    }


def _labels(values: Sequence[str | int]) -> NDArray[Any]:
    # Strings as objects: files keep these as they are, whatever their length.
    return np.array(values, dtype=object if isinstance(values[0], str) else np.int64)


def _epsilon(values: Tensor) -> float:
    import torch

    return float(torch.finfo(values.dtype if values.is_floating_point() else torch.float32).eps)


def _to_array(values: Tensor) -> NDArray[Any]:
    """Return float32, or float64 as it is, contiguous in memory."""
    import torch

    if values.dtype not in (torch.float32, torch.float64):
        values = values.float()
    return values.contiguous().cpu().numpy()
