"""Whether a network, reset and run again, does the same again.

If not, its numbers would depend on which samples came before. What stays over is named;
random numbers are told from it, since they are the same for the same seed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import RecordingError
from redundancy.forward import reset_state
from redundancy.probes.random_numbers import seeded

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from redundancy.neurons import NeuronAdapter

# Outputs of modules in the order of their calls: name, a sum over all values weighted by
# place, and the same of their absolute values.
Trace = list[tuple[str, float, float]]
# A matrix product of few rows is rounded as its memory happens to lie.
_ROUNDING = 1e-5
State = dict[str, Any]


def check_repeatable(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    run: Callable[[], Any],
    *,
    seed: int,
    device: torch.device,
) -> bool:
    """Run a network three times after a reset; tell whether it draws random numbers.

    Parameters
    ----------
    network : nn.Module
    adapters : mapping of str to NeuronAdapter
    run : callable
        Runs the network on the same inputs each time.
    seed : int
        Of the first and the last run; the one between has another.
    device : torch.device

    Raises
    ------
    RecordingError
        If a neuron's potential after a reset is not what it was after the one before, the
        last run gives another output than the first, or a buffer of the network has
        changed; what stays over is named.
    """
    modules = dict(network.named_modules())
    neurons = {name: modules.get(name, network) for name in adapters}
    reset_state(network)
    initial = {name: _plain(adapters[name].potential(m)) for name, m in neurons.items()}
    state = _state_of(network)
    first = traced_run(network, run, seed, device)
    reset_state(network)
    for name, module in neurons.items():
        if not _same(initial[name], _plain(adapters[name].potential(module))):
            raise RecordingError(
                f"layer {name!r} ({type(module).__name__}) carries another membrane potential "
                "after a reset than it began with, so each batch would begin where the one "
                "before ended; its adapter's reset() must bring it back to its initial state"
            )
    left = _differences(state, _state_of(network))
    # In between, so that what changes with the number of runs is no random number.
    other = traced_run(network, run, seed + 1, device)
    reset_state(network)
    second = traced_run(network, run, seed, device)
    reset_state(network)
    if first_difference(first, second) is not None:
        raise RecordingError(_state_stays(first, second, left))
    changed = [name for name in left if name in dict(network.named_buffers())]
    if changed:
        raise RecordingError(
            f"running the network changes its own {_listed(changed)} (a batch normalisation in "
            "training mode, or a running average), so results would depend on the samples that "
            "came before; let forward leave buffers as they are in evaluation mode"
        )
    return first_difference(first, other) is not None


def first_difference(first: Trace, second: Trace) -> str | None:
    """Return the name of the first module that gave something else in another run, if any did.

    Differences that rounding makes are none.
    """
    for (name, value, size), (other_name, other, _) in zip(first, second, strict=False):
        if name != other_name or not abs(value - other) <= _ROUNDING * size:
            return name
    return None if len(first) == len(second) else "the number of calls"


def _state_stays(first: Trace, second: Trace, left: list[str]) -> str:
    differing = first_difference(first, second)
    stays = (
        f"{_listed(left)} is not what it was: state stays over from batch to batch"
        if left
        else "state stays over from batch to batch, or it draws random numbers of its own generator"
    )
    return (
        "after a reset and with the same random numbers, the network does not do the same again "
        f"(the first difference is in {differing!r}); {stays}. Give the module that keeps it a "
        "reset() method that brings it back to its initial state, or a neuron's adapter one"
    )


def traced_run(
    network: nn.Module, run: Callable[[], Any], seed: int, device: torch.device
) -> Trace:
    """Run once and return a digest of what each module without children gave."""
    import torch
    from torch.utils._pytree import tree_leaves

    trace: Trace = []

    def note(name: str, output: Any) -> None:
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                trace.append((name, *_sums(tensor)))

    with contextlib.ExitStack() as hooks:
        for name, module in network.named_modules():
            if name and not any(module.children()):
                hook = module.register_forward_hook(_noting(note, name))
                hooks.callback(hook.remove)
        with seeded(seed, device):
            note("the output", run())
    return trace


def _noting(note: Callable[[str, Any], None], name: str) -> Callable[..., None]:
    return lambda module, args, output: note(name, output)


def _sums(tensor: Tensor) -> tuple[float, float]:
    """Return the sums over values, and over absolute values, weighted by place."""
    import torch

    values = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    values = values.detach()
    values = values.nan_to_num() if values.is_floating_point() else values.double()
    rows = values.reshape(len(values), -1) if values.dim() else values.reshape(1, 1)
    weights = torch.arange(1, len(rows) + 1, dtype=torch.float64, device=rows.device)
    sums = (rows.sum(1, dtype=torch.float64), rows.abs().sum(1, dtype=torch.float64))
    value, size = (float((weights * part).sum()) for part in sums)
    return value, size


def _digest(tensor: Tensor) -> int:
    """Return a sum over the bits of a tensor, and over its places in the first axis."""
    import torch

    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    sizes = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    bits = tensor if tensor.dtype == torch.bool else tensor.view(sizes[tensor.element_size()])
    if bits.dim() == 0:
        return int(bits)
    rows = bits.flatten(1).sum(1, dtype=torch.int64) if bits.dim() > 1 else bits.to(torch.int64)
    return int((rows * torch.arange(1, len(rows) + 1, device=rows.device)).sum())


def _plain(potential: Tensor | float) -> Any:
    return potential if isinstance(potential, float | int) else potential.detach().clone()


def _same(first: Any, second: Any) -> bool:
    """Tell whether two potentials are the same, a number standing for any shape."""
    import torch

    a, b = torch.as_tensor(first), torch.as_tensor(second)
    if a.numel() > 1 and b.numel() > 1 and a.shape != b.shape:
        return False
    return bool((a.to(b.device, torch.float64) == b.to(torch.float64)).all())


def _state_of(network: nn.Module) -> State:
    """Return digests of all tensors and numbers that modules hold beside their weights."""
    import torch

    state: State = {}
    for prefix, module in network.named_modules():
        memories = vars(module).get("_memories")
        held = {
            **vars(module),
            **(memories if isinstance(memories, dict) else {}),
            **{n: b for n, b in module._buffers.items() if b is not None},
        }
        for name, value in held.items():
            full = f"{prefix}.{name}" if prefix else name
            if isinstance(value, torch.Tensor):
                state[full] = (tuple(value.shape), _digest(value))
            elif isinstance(value, int | float | str):
                state[full] = value
            elif isinstance(value, list):
                state[full] = len(value)
    return state


def _differences(before: State, after: State) -> list[str]:
    return [n for n in {**before, **after} if before.get(n) != after.get(n)]


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:4]))
    return f"{shown}, …" if len(names) > 4 else shown


@contextlib.contextmanager
def keeping_buffers(network: nn.Module) -> Iterator[None]:
    """Put every buffer of a network back, afterwards, to what it was."""
    import torch

    kept = [
        (module, name, buffer, buffer.detach().clone())
        for module in network.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, buffer, values in kept:
                # Batch normalisation does not count as a version what it writes.
                if not torch.equal(buffer, values):
                    buffer.copy_(values)
                if module._buffers.get(name) is not buffer:
                    module._buffers[name] = buffer
