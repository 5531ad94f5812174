"""Which timestep, and which use of a neuron, each call of a single-step neuron is.

A neuron that is called once for each timestep may be used several times: at every timestep
twice, or for all timesteps and then for all of them again. The order of calls alone does not
tell. Where they come from does: the place in the code, and the calls of the modules around.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redundancy.errors import RecordingError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Origin:
    """Where a call comes from.

    Attributes
    ----------
    place : hashable
        The modules and lines of code that were running.
    around : tuple of int
        Numbers of the calls of these modules, from the outside in.
    """

    place: Hashable
    around: tuple[int, ...]


class CallStack:
    """Numbers the calls of modules that hold neurons, while they run.

    Parameters
    ----------
    network : nn.Module
        All modules of it with children are listened to.
    """

    def __init__(self, network: nn.Module) -> None:
        self._modules = {
            module: name for name, module in network.named_modules() if any(module.children())
        }
        self._running: list[tuple[str, int]] = []
        self._counter = itertools.count()

    def attach(self) -> Iterator[Any]:
        """Add the hooks and yield their handles."""
        self._running, self._counter = [], itertools.count()
        for module in self._modules:
            yield module.register_forward_pre_hook(self._on_entry)
            yield module.register_forward_hook(self._on_exit, always_call=True)

    def _on_entry(self, module: nn.Module, args: Any) -> None:
        self._running.append((self._modules[module], next(self._counter)))

    def _on_exit(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._running:
            self._running.pop()

    def origin(self) -> Origin:
        """Return where the call comes from that is being made."""
        lines = []
        frame: Any = sys._getframe(1)
        while frame is not None:
            # Two calls may stand on one line.
            lines.append((frame.f_code, frame.f_lasti))
            frame = frame.f_back
        modules = tuple(name for name, _ in self._running)
        return Origin((modules, tuple(lines)), tuple(number for _, number in self._running))


def uses_of(
    origins: Sequence[Origin | None], n_timesteps: int, name: str, *, stepwise: bool = False
) -> list[list[int]]:
    """Part the calls of a single-step neuron into its uses.

    Parameters
    ----------
    origins : sequence of Origin
        Of all calls in one forward pass, in their order. None where it does not matter.
    n_timesteps : int
    name : str
        Of the layer, for errors.
    stepwise : bool
        Whether the whole network is called once for each timestep, so that its uses alternate.

    Returns
    -------
    list of list of int
        For every use, in the order of first calls, the numbers of its calls by timestep.

    Raises
    ------
    RecordingError
        If the calls are no multiple of the timesteps, or it cannot be known which belong
        together.
    """
    n_calls = len(origins)
    if n_calls % n_timesteps:
        raise RecordingError(
            f"layer {name!r} works in single-step mode and was called {n_calls} times in a forward "
            f"pass of {n_timesteps} timesteps; a multiple of {n_timesteps} was expected"
        )
    if n_calls <= n_timesteps:
        return [list(range(n_calls))] if n_calls else []
    n_uses = n_calls // n_timesteps
    if stepwise:
        return [list(range(use, n_calls, n_uses)) for use in range(n_uses)]
    groups: dict[Hashable, list[int]] = {}
    around: list[tuple[int, ...]] = []
    for number, origin in enumerate(origins):
        groups.setdefault(origin and origin.place, []).append(number)
        around.append(origin.around if origin else ())
    uses = [
        use
        for numbers in groups.values()
        for use in _parted(numbers, [around[n] for n in numbers], n_timesteps, name)
    ]
    return sorted(uses, key=lambda use: use[0])


def _parted(
    numbers: list[int], around: list[tuple[int, ...]], n_timesteps: int, name: str
) -> Iterator[list[int]]:
    """Yield the uses among calls from one place, told by the calls of modules around them."""
    n_uses, rest = divmod(len(numbers), n_timesteps)
    if n_uses == 1 and not rest:
        yield numbers
        return
    found: set[str] = set()
    for level in range(len(around[0])):
        sizes = [len(list(group)) for _, group in itertools.groupby(a[level] for a in around)]
        if rest or len(set(sizes)) != 1:
            continue
        if sizes[0] == n_uses and len(sizes) == n_timesteps:
            found.add("alternating")
        if sizes[0] == n_timesteps and len(sizes) == n_uses:
            found.add("one after the other")
    if len(found) != 1:
        raise RecordingError(
            f"layer {name!r} works in single-step mode and was called {len(numbers)} times from "
            f"one place in a forward pass of {n_timesteps} timesteps; which are which timestep "
            "cannot be known, so call it from a module or a line of its own for each use"
        )
    for use in range(n_uses):
        if found == {"alternating"}:
            yield numbers[use::n_uses]
        else:
            yield numbers[use * n_timesteps : (use + 1) * n_timesteps]
