"""What stands before and after each synaptic layer, found in one small traced run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from redundancy.neurons import NeuronAdapter, qualified_name
from redundancy.probes.call_order import CallStack, Origin, uses_of
from redundancy.synapses.levels import OTHER, SPIKES, UNTRACED, SpikeLevels, joined, spike_levels

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

INPUT_NAME = "input"
# Modules that weigh their input by what convolutions or fully connected layers inside
# make of it; these layers are no part of the network's main path.
_ATTENTION = {
    "redundancy.networks.asa.AdvanceSpatialAttention",
    "redundancy.networks.gac.GatedAttention",
    "spikingjelly.activation_based.layer.attention.TemporalWiseAttention",
    "spikingjelly.activation_based.layer.attention.MultiDimensionalAttention",
}

# A spiking layer as (name, number of the call), a synaptic layer by name, or the input.
Mark = tuple[str, int] | str | None


@dataclass
class SynapseFacts:
    """What a traced run tells of one synaptic layer.

    Attributes
    ----------
    position : int
        Place in the order of first calls; -1 if the layer was not called.
    role : str
        ``"attention"`` inside an attention module, else ``"main"``.
    fed_by : list of str
        Spiking layers, synaptic layers or ``"input"`` that its input comes from.
    fed_by_rule : str
        ``"autograd"`` if found by following the graph of operations backwards, else
        ``"call order"``: the last neuron or main synaptic layer called before it.
    source : str
        ``"input"`` if it sees the network's input, ``"spikes"`` if only spiking layers
        feed it, else ``"currents"``.
    levels : SpikeLevels
        What values the spikes that feed it have become; see
        :mod:`redundancy.synapses.levels`.
    batch_norm_elements, neuron_updates : int
        Normalised values and neuron updates a sample, over all timesteps, between this
        layer of the main path and the next one called.
    rescale_elements : int
        Values a sample that the attention module it is the last layer of weighs, as often
        as it weighs them.
    shapes : list of tuple of int
        Of its inputs, call by call.
    """

    position: int = -1
    role: str = "main"
    fed_by: list[str] = field(default_factory=list)
    fed_by_rule: str = "call order"
    source: str = "input"
    levels: SpikeLevels = OTHER
    batch_norm_elements: int = 0
    neuron_updates: int = 0
    rescale_elements: int = 0
    shapes: list[tuple[int, ...]] = field(default_factory=list)


def attention_modules(network: nn.Module) -> dict[str, nn.Module]:
    """Return the modules that weigh features by learned attention, by qualified name."""
    return {
        name: module
        for name, module in network.named_modules()
        if any(qualified_name(base) in _ATTENTION for base in type(module).__mro__)
    }


def _times_weighed(module: nn.Module) -> int:
    """Return how often an attention module multiplies each feature."""
    # SpikingJelly's weighs along time, along channels and in space, or some of these.
    parts = [getattr(module, name, None) for name in ("ta", "ca", "sa")]
    return max(sum(part is not None for part in parts), 1)


class Tracer:
    """Hooks that watch one run from the input to every synaptic layer.

    Parameters
    ----------
    network : nn.Module
    synapses : mapping of str to nn.Module
    neurons : mapping of str to NeuronAdapter
    n_samples, n_timesteps : int
        Of the run.
    stepwise : bool
        Whether the network is called once for each timestep.
    """

    def __init__(
        self,
        network: nn.Module,
        synapses: Mapping[str, nn.Module],
        neurons: Mapping[str, NeuronAdapter],
        *,
        n_samples: int,
        n_timesteps: int,
        stepwise: bool,
    ) -> None:
        self._network, self._synapses, self._neurons = network, synapses, neurons
        self._n_samples, self._n_timesteps, self._stepwise = n_samples, n_timesteps, stepwise
        self._attention = attention_modules(network)
        self.facts = {name: SynapseFacts(role=self._role(name)) for name in synapses}
        self._marks: dict[Any, Mark] = {}
        self._levels: dict[Any, SpikeLevels] = {}
        self._found_levels: dict[str, list[SpikeLevels]] = {name: [] for name in synapses}
        # Marks in the order in which they are found, as keys.
        self._by_graph: dict[str, dict[Mark, None]] = {name: {} for name in synapses}
        self._by_order: dict[str, dict[Mark, None]] = {name: {} for name in synapses}
        modules = dict(network.named_modules())
        self._neuron_modules = {name: modules.get(name, network) for name in neurons}
        self._stack = CallStack(network)
        self._origins: dict[str, list[Origin]] = {name: [] for name in neurons}
        self._n_called = 0
        self._last_source: Mark = None
        self._last_main: SynapseFacts | None = None
        self._last_called = ""

    def _role(self, name: str) -> str:
        inside = any(name.startswith(f"{attention}.") for attention in self._attention)
        return "attention" if inside else "main"

    @contextlib.contextmanager
    def watch(self, inputs: Tensor) -> Iterator[None]:
        """Watch what runs inside, fed with `inputs`."""
        self._mark(inputs, None)
        with contextlib.ExitStack() as hooks:
            for handle in self._stack.attach():
                hooks.callback(handle.remove)
            for module, hook in self._hooks():
                handle = module.register_forward_hook(hook, with_kwargs=True)
                hooks.callback(handle.remove)
            yield
        self._resolve()

    def _hooks(self) -> Iterator[tuple[nn.Module, Callable[..., None]]]:
        from torch import nn

        for name, module in self._synapses.items():
            yield module, _with(self._on_synapse, name)
        for name, module in self._neuron_modules.items():
            yield module, _with(self._on_neuron, name)
        for name, module in self._attention.items():
            yield module, _with(self._on_attention, name)
        norms = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
        for name, module in self._network.named_modules():
            if isinstance(module, norms):
                yield module, _with(self._on_norm, name)

    def _on_synapse(self, name: str, values: Tensor, output: Tensor) -> None:
        facts = self.facts[name]
        if facts.position < 0:
            facts.position = self._n_called
            self._n_called += 1
        facts.shapes.append(tuple(values.shape))
        self._by_graph[name].update(_sources(values.grad_fn, self._marks))
        self._by_order[name][self._last_source] = None
        levels = spike_levels(values.grad_fn, self._levels)
        if levels is not None:
            self._found_levels[name].append(levels)
        self._mark(output, name)
        self._last_called = name
        if facts.role == "main":
            self._last_main, self._last_source = facts, name

    def _on_neuron(self, name: str, values: Tensor, output: Any) -> None:
        mark = (name, len(self._origins[name]))
        self._origins[name].append(self._stack.origin())
        self._last_source = mark
        spikes = output[0] if isinstance(output, tuple) else output
        self._mark(spikes, mark)
        if self._last_main is not None:
            self._last_main.neuron_updates += spikes.numel() // self._n_samples

    def _on_norm(self, name: str, values: Tensor, output: Tensor) -> None:
        if self._last_main is not None:
            self._last_main.batch_norm_elements += output.numel() // self._n_samples

    def _on_attention(self, name: str, values: Tensor, output: Any) -> None:
        if self._last_called.startswith(f"{name}."):
            weighed = output[0] if isinstance(output, tuple) else output
            n_weighed = _times_weighed(self._attention[name]) * weighed.numel()
            self.facts[self._last_called].rescale_elements += n_weighed // self._n_samples

    def _mark(self, tensor: Tensor, mark: Mark) -> None:
        if tensor.grad_fn is not None:
            self._marks[tensor.grad_fn] = mark
            self._levels[tensor.grad_fn] = SPIKES if isinstance(mark, tuple) else OTHER

    def _resolve(self) -> None:
        for name, facts in self.facts.items():
            # An input without a graph, where other calls have one, is a constant: the
            # initial state of a recurrent layer.
            marks = list(self._by_graph[name] or self._by_order[name])
            facts.fed_by = list(dict.fromkeys(self._layer_name(mark) for mark in marks))
            if self._by_graph[name]:
                facts.fed_by_rule = "autograd"
            if marks and None not in marks:
                spikes_only = all(isinstance(mark, tuple) for mark in marks)
                facts.source = "spikes" if spikes_only else "currents"
            if facts.source == "spikes":
                facts.levels = joined(self._found_levels[name] or [UNTRACED])

    def _layer_name(self, mark: Mark) -> str:
        """Return the name under which the recording knows what a mark stands for."""
        if not isinstance(mark, tuple):
            return mark or INPUT_NAME
        name, number = mark
        neuron = self._neurons[name].describe(self._neuron_modules[name])
        k = number
        if not neuron.has_time_axis:
            uses = uses_of(self._origins[name], self._n_timesteps, name, stepwise=self._stepwise)
            k = next(use for use, numbers in enumerate(uses) if number in numbers)
        return name if k == 0 else f"{name}@{k}"


def _with(function: Callable[[str, Any, Any], None], name: str) -> Callable[..., None]:
    """Return a forward hook that calls `function` with (name, first input, output)."""

    def hook(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        function(name, args[0] if args else next(iter(kwargs.values())), output)

    return hook


def _sources(
    start: torch.autograd.graph.Node | None, marks: Mapping[Any, Mark]
) -> dict[Mark, None]:
    """Return, as keys, the marks that are met first on every way back from `start`."""
    found: dict[Mark, None] = {}
    seen: set[Any] = set()
    waiting: list[Any] = [start]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node in marks:
            found[marks[node]] = None
        else:
            waiting.extend(before for before, _ in node.next_functions)
    return found
