"""Whether all that spikes in a network is read, judged by what the network does.

Run once, on next to nothing, under a :class:`redundancy.probes.spike_watch.SpikeWatch`.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redundancy.errors import RecordingError, UsageError
from redundancy.synapses.geometry import find_synaptic_layers
from redundancy.synapses.graph import attention_modules

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from redundancy.neurons import NeuronAdapter
    from redundancy.probes.spike_watch import Found, Making, Sources

HOW = "how"


@dataclass(frozen=True)
class SpikeSource:
    """What emits spikes in a network, and how it is known.

    Attributes
    ----------
    name : str
        Of the module; a place in the code where it is no module.
    kind : str
        Its class, or the operation.
    how : str
        ``"read by ADAPTER"``, ``"never called"``, ``"input made binary"`` or ``"ignored"``.
    """

    name: str
    kind: str
    how: str

    def as_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return {"name": self.name, "kind": self.kind, HOW: self.how}


@dataclass(frozen=True)
class Completeness:
    """What a complete network consists of.

    Attributes
    ----------
    sources : tuple of SpikeSource
    uncounted : tuple of str
        Operations with weights, or products of activations, that are no modules, so that
        the energy table does not count them.
    fed : tuple of (str, frozenset)
        Neurons in the order of their calls, and where their input came from.
    """

    sources: tuple[SpikeSource, ...]
    uncounted: tuple[str, ...]
    fed: tuple[tuple[str, Sources], ...]


def check_complete(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    inputs: Tensor,
    run: Callable[[Tensor], Any],
    ignore: Collection[str] = (),
) -> Completeness:
    """Run a network once and refuse it if a spiking layer of it is not read.

    Parameters
    ----------
    network : nn.Module
    adapters : mapping of str to NeuronAdapter
        Of the neurons that are read, by qualified name.
    inputs : Tensor
        A few samples, as `run` takes them.
    run : callable
        Runs the network and returns its output.
    ignore : collection of str
        Qualified names of modules whose 0/1 are masks and no spikes.

    Raises
    ------
    RecordingError
        If real numbers become levels outside of every neuron that is read, and these reach
        a synaptic layer, a neuron or the output; or a synaptic layer is given levels that
        nothing has made.
    UsageError
        If `ignore` names no module, or one that is read.

    Warns
    -----
    UserWarning
        If a neuron is never called.
    """
    from redundancy.probes.spike_watch import SpikeWatch

    modules = dict(network.named_modules())
    neurons = {name: modules.get(name, network) for name in adapters}
    ignored = ignored_modules(modules, neurons, ignore)
    synapses = list(find_synaptic_layers(network).values())
    watch = SpikeWatch(
        network, neurons, {**attention_modules(network), **ignored}, synapses, inputs
    )
    with watch:
        output = run(inputs)
    found = watch.finish(output)
    idle = [name for name in neurons if name not in found.called]
    if found.makings or found.unexplained:
        raise RecordingError(_refusal(found, idle, neurons))
    if idle:
        warnings.warn(
            f"{_listed([repr(name) for name in idle])} {'was' if len(idle) == 1 else 'were'} never "
            "called, so no numbers are of "
            f"{'it' if len(idle) == 1 else 'them'}",
            UserWarning,
            stacklevel=2,
        )
    return Completeness(
        tuple(_sources(found, neurons, adapters, ignored)),
        tuple(found.uncounted),
        tuple(found.fed),
    )


def are_layers(fed: Sequence[tuple[str, Sources]], n_repeats: int) -> bool:
    """Tell whether a neuron's further calls in one timestep are fed by others than the first.

    Fed by neurons alone, or by a synaptic layer that has not fed it before, they are further
    layers; else they may be timesteps of a loop within the network.

    Parameters
    ----------
    fed : sequence of (str, frozenset)
        See :class:`Completeness`.
    n_repeats : int
        Calls of each neuron in one timestep.
    """
    own = [sources for name, sources in fed if name == fed[0][0]]
    for number, sources in enumerate(own):
        before = own[number - number % n_repeats : number]
        by_neurons = all(source[0].endswith("neuron") for source in sources)
        if before and not by_neurons and sources in before:
            return False
    return True


def ignored_modules(
    modules: Mapping[str, nn.Module], neurons: Mapping[str, nn.Module], ignore: Collection[str]
) -> dict[str, nn.Module]:
    """Return the modules to ignore by name.

    Raises
    ------
    UsageError
        If a name is none of a module, or that of a neuron that is read.
    """
    import difflib

    for name in ignore:
        if name in neurons:
            raise UsageError(
                f"layer {name!r} is a neuron that is read; only modules that make masks can be "
                "ignored"
            )
        if not name or name not in modules:
            near = difflib.get_close_matches(name, [other for other in modules if other], n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise UsageError(f"there is no module {name!r} to ignore in the network{hint}")
    return {name: modules[name] for name in ignore}


def _sources(
    found: Found,
    neurons: Mapping[str, nn.Module],
    adapters: Mapping[str, NeuronAdapter],
    ignored: Mapping[str, nn.Module],
) -> list[SpikeSource]:
    read = [
        SpikeSource(
            name,
            type(module).__name__,
            f"read by {type(adapters[name]).__name__}" if name in found.called else "never called",
        )
        for name, module in neurons.items()
    ]
    encodings = [SpikeSource(n, op, "input made binary") for n, op in found.encodings.items()]
    masks = [SpikeSource(n, type(m).__name__, "ignored") for n, m in ignored.items()]
    return [*read, *encodings, *masks]


def _refusal(found: Found, idle: Sequence[str], neurons: Mapping[str, nn.Module]) -> str:
    """Return one sentence about what is not read."""
    parts = [_about(making) for making in _distinct(found.makings)]
    parts += [
        f"{layer.consumer!r} is given levels such as spikes make "
        + (f"by {_listed([repr(n) for n in layer.after])}" if layer.after else f"({layer.site})")
        + ", out of real numbers and by code that cannot be seen through"
        for layer in found.unexplained
    ]
    advice = (
        "register an adapter for its class (redundancy.neurons.base.NeuronAdapter), or, if these "
        "are masks and no spikes, name the module with --ignore-layer (ignore_layers in Python)"
    )
    if idle:
        kinds = ", ".join(f"{name!r} ({type(neurons[name]).__name__})" for name in idle[:4])
        advice = (
            f"{kinds} {'is a neuron' if len(idle) == 1 else 'are neurons'} that could be read but "
            "whose hooks never ran: call the module itself, self.neuron(x), not one of its methods"
        )
    return (
        f"not every spiking layer is read, so every number would lack some: {_listed(parts[:4])}"
        f"{', …' if len(parts) > 4 else ''}; {advice}"
    )


def _distinct(makings: Sequence[Making]) -> list[Making]:
    """Return one of those that were made in the same place."""
    return list({(making.modules, making.site): making for making in makings}.values())


def _about(making: Making) -> str:
    """Say where levels are made."""
    named = [(name, kind) for name, kind in making.modules if name]
    unregistered = [kind for name, kind in making.modules if not name]
    where = f"the network's own forward ({making.site})"
    # The root has no name; behind it, a module without one is none of the network's.
    own = unregistered[1:] if making.modules and not making.modules[0][0] else unregistered
    if own:
        where = f"a {own[0]} that is no registered module of the network ({making.site})"
    elif named:
        name, kind = _owner(named)
        where = f"{name!r} ({kind}, {making.site})"
    return f"{where} turns real numbers into spikes"


def _owner(named: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the module that makes spikes: a neuron, and not the surrogate inside of it."""
    name, kind = named[-1]
    for outer, outer_kind in reversed(named[:-1]):
        if name.startswith(f"{outer}.") and "surrogate" in name.rpartition(".")[2]:
            return outer, outer_kind
    return name, kind


def _listed(parts: Sequence[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
