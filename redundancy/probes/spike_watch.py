"""Every operation of one run is seen, whoever calls it: where spikes are made, where they go.

Names and classes cannot tell all spiking neurons: one may be a function, live in a list, or
be called past its hooks. What it does can be told: real numbers become a few levels. A
:class:`SpikeWatch` sees the operations below all modules and functions and keeps, for each
piece of memory, where its values come from.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from redundancy.probes.levels import is_binary, is_levelled, tells_of_spikes

if TYPE_CHECKING:
    from torch import Tensor, nn

# Where values come from: ("input",) and ("neuron", name), or a "state of" these;
# ("synapse", name), ("ignored", name), ("unseen",), or
# ("made", number) for levels that were made of real numbers; ("mask", number) are conditions,
# of which spikes may yet be made.
Source = tuple[Any, ...]
Sources = frozenset[Source]
_NOTHING: Sources = frozenset()
_INPUT: Source = ("input",)
# What several of them were put together to, as a neuron's state is.
_MIXED = {"input": "state of input", "neuron": "state of neuron"}
_UNSEEN: Source = ("unseen",)

# Operations as PyTorch names them, in place or not.
_WEIGHING = {
    "convolution", "_convolution", "mkldnn_convolution", "cudnn_convolution", "linear",
    "mm", "addmm", "bmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot", "_trilinear",
    "_scaled_dot_product_flash_attention_for_cpu", "scaled_dot_product_attention",
    "_scaled_dot_product_efficient_attention", "_scaled_dot_product_flash_attention",
}  # fmt: skip
_COMPARING = {
    "gt", "ge", "lt", "le", "eq", "ne", "heaviside", "sign", "sgn", "signbit", "round", "floor",
    "ceil", "trunc", "floor_divide", "argmax", "argmin", "argsort", "searchsorted", "bucketize",
    "bernoulli", "logical_not", "logical_and", "logical_or", "logical_xor",
}  # fmt: skip
# Of these, values are the first output, and positions, which are conditions, the second.
_SELECTING = {"topk", "sort", "max", "min", "kthvalue", "mode", "median", "cummax", "cummin"}
_WITHOUT_VALUES = {
    "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
    "randint_like", "new_zeros", "new_ones", "new_empty", "new_full", "new_empty_strided",
}  # fmt: skip
_KEEPING_INPUT = {"cat", "stack", "copy", "index_put", "where", "scatter"}
# Sums over time of one operand keep as much of the past as a neuron does.
_INTEGRATING = {"cumsum", "cumprod", "logcumsumexp"}
_CASTING = {"_to_copy", "to", "copy", "clone", "one_hot"}
_NATIVE = {"aten", "prim", "prims"}


@dataclass
class Making:
    """Levels made of real numbers, outside of every neuron that is read.

    Attributes
    ----------
    operation : str
    modules : tuple of (str, str)
        Name and class of the modules that were running, from the outside in.
    site : str
        ``file:line`` of the code that asked for it.
    """

    operation: str
    modules: tuple[tuple[str, str], ...]
    site: str


@dataclass
class Unexplained:
    """A synaptic layer that is given a few levels which nothing that was seen has made."""

    consumer: str
    after: tuple[str, ...]
    site: str


@dataclass
class Found:
    """What a watched run shows.

    Attributes
    ----------
    makings : list of Making
        Those whose values reach a synaptic layer, a neuron or the output.
    unexplained : list of Unexplained
    encodings : dict of str to str
        Modules or places at which the network's input itself is made binary, and how.
    uncounted : list of str
        Products with weights, or of activations, outside of the synaptic layers that are
        modules.
    called : set of str
        Names of the neurons that were called through their hooks.
    fed : list of (str, frozenset)
        Neurons in the order of their calls, and the sources of what they were given.
    """

    makings: list[Making] = field(default_factory=list)
    unexplained: list[Unexplained] = field(default_factory=list)
    encodings: dict[str, str] = field(default_factory=dict)
    uncounted: list[str] = field(default_factory=list)
    called: set[str] = field(default_factory=set)
    fed: list[tuple[str, Sources]] = field(default_factory=list)


class SpikeWatch(TorchDispatchMode):
    """Watches one run of a network.

    Parameters
    ----------
    network : nn.Module
    neurons : mapping of str to nn.Module
        Those that are read.
    ignored : mapping of str to nn.Module
        Modules in which masks may be made that are no spikes.
    synapses : collection of nn.Module
        Synaptic layers whose operations are counted.
    inputs : Tensor
        What the network is given.
    """

    def __init__(
        self,
        network: nn.Module,
        neurons: Mapping[str, nn.Module],
        ignored: Mapping[str, nn.Module],
        synapses: Sequence[nn.Module],
        inputs: Tensor,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._names: dict[nn.Module, str] = {m: name for name, m in network.named_modules()}
        self._neurons = {module: name for name, module in neurons.items()}
        self._ignored = {module: name for name, module in ignored.items()}
        self._synapses = set(synapses)
        self._stack: list[nn.Module] = []
        self._sources: dict[int, Sources] = {}
        for tensor in (*network.parameters(), *network.buffers()):
            self._sources[_key(tensor)] = _NOTHING
        self._sources[_key(inputs)] = frozenset([_INPUT])
        self._made: list[Making] = []
        self._reached: set[int] = set()
        self._since: list[str] = []
        self.found = Found()
        self._handles: list[Any] = []

    def __enter__(self) -> SpikeWatch:
        hooks = torch.nn.modules.module
        self._handles = [
            hooks.register_module_forward_pre_hook(self._on_entry),
            hooks.register_module_forward_hook(self._on_exit, always_call=True),
        ]
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        for handle in self._handles:
            handle.remove()

    def finish(self, output: Any) -> Found:
        """Return what was seen, once the network has returned `output`."""
        for tensor in _tensors(output):
            self._reach(self._of(tensor))
        self.found.makings = [self._made[number] for number in sorted(self._reached)]
        return self.found

    # What modules do.

    def _on_entry(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)
        if module in self._neurons:
            sources = frozenset().union(*map(self._of, _tensors(args)))
            self._reach(sources)
            self.found.fed.append((self._neurons[module], sources))

    def _on_exit(self, module: nn.Module, args: Any, output: Any) -> None:
        self._stack.pop()
        if module in self._neurons:
            self.found.called.add(self._neurons[module])
            self._since = []
            spikes = output[0] if isinstance(output, tuple) and output else output
            for tensor in _tensors(spikes):
                self._sources[_key(tensor)] = frozenset([("neuron", self._neurons[module])])
        elif not any(module.children()) and module not in self._synapses:
            self._since.append(self._name(module))

    def _name(self, module: nn.Module) -> str:
        return self._names.get(module) or type(module).__name__

    # What operations do.

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operands = list(_tensors((args, kwargs)))
        name = func.overloadpacket.__name__.rstrip("_")
        sources = frozenset().union(*map(self._of, operands)) - {_UNSEEN}
        inside = [module for module in self._stack if module in self._neurons]
        step = _Operation(name, func, args, operands, sources)
        compared = not inside and name in _COMPARING and self._compares(step)
        weighed = _NOTHING
        if name in _WEIGHING and not inside:
            weighed = self._weigh(step)
        output = func(*args, **kwargs)
        results = list(_tensors(output))
        if name in _WITHOUT_VALUES:
            made = [_NOTHING] * len(results)
        elif inside:
            made = [sources] * len(results)
        elif name in _WEIGHING:
            made = [weighed] * len(results)
        elif compared:
            made = [self._condition(step, result) for result in results]
        elif name in _SELECTING and len(results) == 2:
            made = [sources, self._condition(step, results[1])]
        else:
            made = [self._derived(step, result) for result in results]
        self._keep(func, operands, results, made)
        return output

    def _of(self, tensor: Tensor) -> Sources:
        return self._sources.get(_key(tensor), frozenset([_UNSEEN]))

    def _keep(
        self, func: Any, operands: list[Tensor], results: list[Tensor], made: list[Sources]
    ) -> None:
        shared = {_key(tensor) for tensor in operands}
        for result, sources in zip(results, made, strict=True):
            key = _key(result)
            if key not in shared:
                self._sources[key] = sources
                self._forget_with(result, key)
            elif func._schema.is_mutable:
                # Part of this memory may have been written before.
                self._sources[key] = (self._sources.get(key, _NOTHING) - {_UNSEEN}) | sources

    def _forget_with(self, tensor: Tensor, key: int) -> None:
        """Forget a piece of memory when it is freed: what gets it next comes from elsewhere."""
        with contextlib.suppress(NotImplementedError, RuntimeError, TypeError):
            weakref.finalize(tensor.untyped_storage(), self._sources.pop, key, None).atexit = False

    def _compares(self, step: _Operation) -> bool:
        """Tell whether a comparison makes levels of what was no 0 or 1 before."""
        data = [t for t in step.operands if self._of(t) - {_UNSEEN}]
        if not data:
            return False
        is_state = any(kind in _MIXED.values() for kind, *_ in step.sources)
        return is_state or not all(is_binary(tensor) for tensor in data)

    def _condition(self, step: _Operation, result: Tensor) -> Sources:
        """Return the sources of what a comparison gives."""
        if not step.sources:
            return _NOTHING
        ignored = [self._ignored[module] for module in self._stack if module in self._ignored]
        if ignored:
            return frozenset([("ignored", ignored[0])])
        if step.sources == {_INPUT} and self._data_operands(step) == 1:
            self.found.encodings.setdefault(self._where(), step.name)
            return step.sources
        number = len(self._made)
        self._made.append(Making(step.name, self._modules(), _site()))
        if result.is_floating_point():
            return frozenset([("made", number)])
        return frozenset([("mask", number)])

    def _derived(self, step: _Operation, result: Tensor) -> Sources:
        """Return the sources of what any other operation gives."""
        sources = step.sources
        if not sources:
            return sources
        if step.func.namespace not in _NATIVE and result.is_floating_point():
            # Code that cannot be seen through: what comes out tells.
            if is_levelled(result):
                return self._condition(step, result)
            return sources
        masks = {source for source in sources if source[0] == "mask"}
        if masks and result.is_floating_point():
            sources = sources - masks
            if step.name in _CASTING or not sources or tells_of_spikes(result):
                sources |= {("made", number) for _, number in masks}
        mixes = step.name not in _KEEPING_INPUT and self._data_operands(step) > 1
        if mixes or step.name in _INTEGRATING:
            sources = frozenset((_MIXED.get(kind, kind), *name) for kind, *name in sources)
        return sources

    def _data_operands(self, step: _Operation) -> int:
        return sum(bool(self._of(tensor) - {_UNSEEN}) for tensor in step.operands)

    def _weigh(self, step: _Operation) -> Sources:
        """Look at a product with weights, or of two activations; return its sources."""
        label = self._where()
        counted = any(module in self._synapses for module in self._stack)
        data = [tensor for tensor in step.operands if self._of(tensor) - {_UNSEEN}]
        if not data:
            # Weights alone, or numbers that come from nowhere.
            for tensor in step.operands:
                if _UNSEEN in self._of(tensor):
                    self._explain(label, tensor)
            return _NOTHING
        for tensor in data:
            self._reach(self._of(tensor))
        n_weights = sum(not (self._of(t) - {_UNSEEN}) for t in step.operands)
        if not counted and not any(module in self._ignored for module in self._stack):
            kind = step.name if n_weights else f"{step.name} of two activations"
            self._note_uncounted(kind)
        if not n_weights:
            return step.sources
        for tensor in data:
            self._explain(label, tensor)
        self._since = []
        return frozenset([("synapse", label)])

    def _note_uncounted(self, kind: str) -> None:
        text = f"{kind} in {self._where()} ({_site()})"
        if text not in self.found.uncounted:
            self.found.uncounted.append(text)

    def _explain(self, consumer: str, values: Tensor) -> None:
        """Keep in mind a synaptic layer whose levels have no maker."""
        known = {source[0] for source in self._of(values)} - {"synapse", "unseen"}
        if known or not values.is_floating_point() or not tells_of_spikes(values):
            return
        if consumer not in {other.consumer for other in self.found.unexplained}:
            between = tuple(dict.fromkeys(self._since))
            self.found.unexplained.append(Unexplained(consumer, between, _site()))

    def _reach(self, sources: Sources) -> None:
        self._reached.update(source[1] for source in sources if source[0] == "made")

    # Where one is.

    def _modules(self) -> tuple[tuple[str, str], ...]:
        return tuple((self._names.get(module, ""), type(module).__name__) for module in self._stack)

    def _where(self) -> str:
        return self._name(self._stack[-1]) if self._stack else "the forward function"


@dataclass(frozen=True)
class _Operation:
    name: str
    func: Any
    args: Any
    operands: list[Tensor]
    sources: Sources


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))


def _key(tensor: Tensor) -> int:
    """Return what tells the memory of a tensor; what was freed may be given out again."""
    try:
        storage = tensor.untyped_storage()
        # By address: an array of NumPy's shares it.
        return int(storage.data_ptr() or storage._cdata)
    except (NotImplementedError, RuntimeError):  # a tensor without memory of its own
        return id(tensor)


def _site() -> str:
    """Return ``file:line`` of the innermost code that is no library's, else of a library."""
    frame: Any = sys._getframe(1)
    found = ""
    while frame is not None:
        path = frame.f_code.co_filename.replace("\\", "/")
        if "/torch/" not in path and not path.startswith("<") and path != _OWN:
            place = f"{path.rpartition('/')[2]}:{frame.f_lineno}"
            if "/site-packages/" not in path:
                return place
            found = found or place
        frame = frame.f_back
    return found or "an unknown place"


_OWN = __file__.replace("\\", "/")
