"""A spiking layer whose statistics are swept while it runs, instead of recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.fused import StandIn, carried_before, fusable, is_watched, takes
from redundancy.fused_pooling import Replaced
from redundancy.probe import (
    Call,
    Probe,
    check_layer_shape,
    check_thresholds,
    layer_attributes,
    spike_bytes,
    to_numpy,
)
from redundancy.stats.bins import UniformBins
from redundancy.stats.sweep import NeuronParameters, SweepBuilder

if TYPE_CHECKING:
    from torch import Tensor

# Begins the sweep of a layer: its name, attributes, shape (sample, time, channel[, y, x]) and
# the data type of its potentials.
Sweeper = Callable[[str, dict[str, Any], tuple[int, ...], "np.dtype[Any]"], SweepBuilder]

FUSED, GENERAL = "fused", "general"


@dataclass(eq=False)
class SweepProbe(Probe):
    """The hooks of one spiking layer, or a fused sweep in the place of its neurons.

    Without a sweeper it records as every probe does. With one, a sweep that is the neuron
    as well replaces the module's forward, once it was seen to give the same spikes and
    the same potential to the bit; else the call is repeated from its input and swept.
    """

    may_fuse: bool = False
    sweeper: Sweeper | None = None
    quantity: str = "pre-fire"
    # (sample, time) of the batch.
    expected: tuple[int, int] = (0, 0)
    # Which sample of the batch to run through the neuron itself too.
    verified_sample: int | None = None
    _same: bool | None = None

    @property
    def path(self) -> str:
        """How the layer is read: "fused" or "general"."""
        return FUSED if self._neuron() is not None else GENERAL

    def _neuron(self) -> NeuronParameters | None:
        if not self._same or is_watched(self.module):
            return None
        return fusable(self.module, self.adapter)

    def attach(self, counter: Iterator[int]) -> Iterator[Any]:
        """Add the hooks, or the fused sweep, and yield their handles."""
        neuron = None if self.sweeper is None else self._neuron()
        if neuron is None:
            yield from super().attach(counter)
            return
        self.calls, self._counter = [], counter
        yield Replaced(self.module, StandIn(self._run_fused))

    def _run_fused(self, *args: Any, **kwargs: Any) -> Any:
        import torch

        if is_watched(self.module):
            raise RecordingError(
                f"hooks were added to layer {self.name!r}, or to all modules, while the network "
                "ran; add them before the analysis, or leave them out"
            )
        self._note_description()
        given = (*args, *kwargs.values())
        currents = given[0] if len(given) == 1 and not self.calls else None
        # As it is now: forward may have set its time constant or replaced a method.
        neuron = self._neuron()
        before = None
        if currents is not None and neuron is not None and takes(currents):
            before = carried_before(self.module, currents, self.adapter.potential(self.module))
        if currents is None or neuron is None or before is None:
            self._on_entry(self.module, args, kwargs)
            output = type(self.module).forward(self.module, *args, **kwargs)
            self._on_exit(self.module, args, kwargs, output)
            return output
        self._number = next(self._counter)
        self.dtype = currents.dtype
        spikes = torch.empty(currents.shape, dtype=currents.dtype)
        builder = self._begin(currents[0], len(currents))
        sample = self.verified_sample
        began = None if sample is None else before[sample : sample + 1].clone()
        builder.run_neuron(neuron, _array(currents), before.numpy(), spikes.numpy())
        sweep = builder.finish()
        if not sweep.is_finite:
            self._check_finite(currents)
            self._check_finite(before.unsqueeze(0))
        if sample is not None and began is not None:
            one = slice(sample, sample + 1)
            self._check_against_neuron(currents[:, one], began, spikes[:, one], before[one])
        self.module.v = before
        self.calls.append(Call(self._number, {}, sweep))
        return spikes

    def _check_against_neuron(
        self, currents: Tensor, began: Tensor, spikes: Tensor, ended: Tensor
    ) -> None:
        """Run a sample through the neuron itself and refuse a sweep that did anything else."""
        self.module.v = began
        expected = type(self.module).forward(self.module, currents.clone())
        if not (_same_bits(expected, spikes) and _same_bits(self.module.v, ended)):
            raise RecordingError(
                f"layer {self.name!r} ({self.description.neuron_type}) does not do in this batch "
                "what the fused sweep in its place does, though it did in the first; analyse "
                "without fused sweeps (--no-fused)"
            )

    def _read(self, currents: Tensor, spikes: Tensor) -> Call:
        if self.calls:
            self._same = False  # a fused sweep is for modules that are called once
        elif self.may_fuse and self._same is None:
            self._same = self._is_same(currents, spikes)
        if self.sweeper is None or not self.description.has_time_axis:
            return super()._read(currents, spikes)
        return self._sweep(currents, spikes)

    def _sweep(self, currents: Tensor, spikes: Tensor) -> Call:
        """Repeat the call, check it, and sweep each timestep while it is in the cache."""
        builder: SweepBuilder | None = None
        binned = schema.QUANTITY_VARIABLES[self.quantity]
        for time, values in enumerate(self._steps(currents, spikes)):
            potential = to_numpy(values[schema.MEMBRANE_POTENTIAL])
            if builder is None:
                builder = self._begin(values[schema.MEMBRANE_POTENTIAL], len(currents))
            others = potential if self.quantity == "pre-fire" else to_numpy(values[binned])
            fired = to_numpy(spike_bytes(values[schema.SPIKE]))
            builder.add(potential[None], others[None], fired[None], began=time)
        return Call(self._number, {}, None if builder is None else builder.finish())

    def _begin(self, step: Tensor, n_times: int) -> SweepBuilder:
        """Begin the sweep of a call whose timesteps look like `step` (sample, channel, …)."""
        assert self.sweeper is not None
        name = self.name if not self.calls else f"{self.name}@{len(self.calls)}"
        shape = (len(step) if step.dim() else 0, n_times, *step.shape[1:])
        check_layer_shape(name, schema.MEMBRANE_POTENTIAL, shape, self.expected)
        check_thresholds(name, self.description, shape[2])
        dtype = np.dtype(np.float64 if step.element_size() == 8 else np.float32)
        return self.sweeper(name, layer_attributes(self), shape, dtype)

    def _is_same(self, currents: Tensor, spikes: Tensor) -> bool:
        """Tell whether the fused sweep gives exactly what the module has just given."""
        import torch

        neuron = fusable(self.module, self.adapter)
        if neuron is None or not takes(currents):
            return False
        before = carried_before(self.module, currents, self._before)
        after = self.adapter.potential(self.module)
        if before is None or not isinstance(after, torch.Tensor) or after.shape != before.shape:
            return False
        output = torch.empty(currents.shape, dtype=currents.dtype)
        shape = (currents.shape[1], currents.shape[0], *currents.shape[2:])
        builder = SweepBuilder(
            UniformBins(1.0, 1, 1),
            layer_attributes(self),
            shape,
            np.dtype(np.float32),
        )
        builder.run_neuron(neuron, _array(currents), before.numpy(), output.numpy())
        return _same_bits(output, spikes) and _same_bits(before, after)


def _array(tensor: Tensor) -> Any:
    return tensor.detach().contiguous().numpy()


def _same_bits(first: Tensor, second: Tensor) -> bool:
    """Tell whether two tensors of float32 are the same to the bit."""
    import torch

    bits = torch.int32
    return torch.equal(first.contiguous().view(bits), second.contiguous().view(bits))
