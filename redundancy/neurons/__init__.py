"""Adapters: how spikes and pre-fire potentials are read from a neuron module."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from redundancy.errors import RecordingError
from redundancy.neurons.base import NEURON_ADAPTERS, NeuronAdapter, NeuronDescription
from redundancy.neurons.per_call_lif import PerCallLIFAdapter
from redundancy.neurons.spikingjelly import (
    IFNodeAdapter,
    LIFNodeAdapter,
    ParametricLIFNodeAdapter,
)

if TYPE_CHECKING:
    from torch import nn

# Base classes and attributes by which a spiking neuron that no adapter knows is told.
_SPIKING_BASES = {
    "spikingjelly.activation_based.neuron.base_node.BaseNode",
    "spikingjelly.activation_based.neuron.base_node.SimpleBaseNode",
    "snntorch._neurons.neurons.SpikingNeuron",
}
_NON_SPIKING = {"spikingjelly.activation_based.neuron.base_node.NonSpikingBaseNode"}
_THRESHOLD_ATTRIBUTES = ("v_threshold", "v_th", "vth", "V_th", "Vth", "threshold", "thresh")


def qualified_name(kind: type) -> str:
    """Return the name a neuron class is registered under."""
    return f"{kind.__module__}.{kind.__qualname__}"


def is_unknown_neuron(module: nn.Module) -> bool:
    """Tell whether `module` looks like a spiking neuron that no adapter reads."""
    kind = type(module)
    names = {qualified_name(base) for base in kind.__mro__}
    if qualified_name(kind) in NEURON_ADAPTERS or names & _NON_SPIKING:
        return False
    if names & _SPIKING_BASES:
        return True
    from torch import nn

    if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm | nn.LayerNorm):
        return False  # some are scaled by the threshold of the neuron that follows
    is_leaf = next(module.children(), None) is None
    has_threshold = any(hasattr(module, name) for name in _THRESHOLD_ATTRIBUTES)
    return is_leaf and has_threshold and not kind.__module__.startswith("torch.")


def _complete(adapter: NeuronAdapter) -> NeuronAdapter:
    """Return an adapter, or refuse one that lacks a method."""
    missing = [
        name
        for name in ("describe", "potential", "reset", "replay")
        if not callable(getattr(adapter, name, None))
    ]
    if missing:
        raise RecordingError(
            f"the neuron adapter {type(adapter).__name__} has no {' and no '.join(missing)}; an "
            "adapter needs all methods of redundancy.neurons.base.NeuronAdapter"
        )
    return adapter


def find_spiking_layers(
    network: nn.Module, ignore: Collection[str] = ()
) -> dict[str, NeuronAdapter]:
    """Return an adapter for every spiking neuron of `network`, by qualified name.

    Modules named in `ignore` are no neurons, whatever they look like.

    Raises
    ------
    RecordingError
        If a neuron is of a class that no adapter reads, or there is no neuron at all.
    """
    layers: dict[str, NeuronAdapter] = {}
    for name, module in network.named_modules():
        kind = qualified_name(type(module))
        if kind in NEURON_ADAPTERS:
            layers[name or type(module).__name__] = _complete(NEURON_ADAPTERS.get(kind)())
        elif name not in ignore and is_unknown_neuron(module):
            raise RecordingError(
                f"layer {name!r} is a spiking neuron of class {kind}, which no adapter reads; "
                f"known: {', '.join(k.rpartition('.')[2] for k in NEURON_ADAPTERS)}. Register an "
                "adapter for it (see redundancy.neurons.base.NeuronAdapter)."
            )
    if not layers:
        raise RecordingError(
            f"the network ({type(network).__name__}) has no spiking neuron that an adapter reads; "
            f"known: {', '.join(k.rpartition('.')[2] for k in NEURON_ADAPTERS)}"
        )
    return layers


__all__ = [
    "NEURON_ADAPTERS",
    "IFNodeAdapter",
    "LIFNodeAdapter",
    "NeuronAdapter",
    "NeuronDescription",
    "ParametricLIFNodeAdapter",
    "PerCallLIFAdapter",
    "find_spiking_layers",
    "is_unknown_neuron",
    "qualified_name",
]
