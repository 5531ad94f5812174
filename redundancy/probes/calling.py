"""How a network wants to be called, found out by calling it.

A network may take whole sequences with time first or samples first, one timestep a call, or
loop over time itself. Its neurons tell which: they see as many timesteps and samples as
there are. This is only so where the two numbers differ, so they always do here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import RecordingError, RedundancyError
from redundancy.forward import is_multi_step, reset_state

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward
    from redundancy.neurons import NeuronAdapter

TIME_FIRST = "sequence, time first"
SAMPLE_FIRST = "sequence, sample first"
STEPWISE = "one timestep a call"
CUSTOM = "forward function given"


@dataclass(frozen=True)
class Calling:
    """How a network is called.

    Attributes
    ----------
    convention : str
        One of the constants above.
    output_axes : str
        Of the output: ``"time, sample, class"``, ``"sample, time, class"``, ``"sample,
        class"``, or empty where it is none of these and predicts nothing.
    forward : callable
        Runs the network on (time, sample, channel, y, x).
    n_repeats : int
        How often, at least, each neuron is called where the network is called once; 0 where
        it takes sequences. Above 1, the network may loop over time itself.
    """

    convention: str
    output_axes: str
    forward: Forward
    n_repeats: int = 0


@dataclass(frozen=True)
class _Call:
    name: str
    shape: tuple[int, ...]


def few_samples(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return two samples of a batch, or three where there are two timesteps.

    Parameters
    ----------
    frames : ndarray, shape (sample, time, ...)

    Returns
    -------
    ndarray
        Of another number of samples than of timesteps; a sample stands there more than
        once if there are not enough.
    """
    wanted = 3 if frames.shape[1] == 2 else 2
    return frames[list(itertools.islice(itertools.cycle(range(len(frames))), wanted))]


def find_calling(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    inputs: Tensor,
    forward: Forward | None,
    runs: Callable[[Forward, Tensor], Any],
) -> Calling:
    """Call a network in each way until its neurons see timesteps and samples as they are.

    Parameters
    ----------
    network : nn.Module
    adapters : mapping of str to NeuronAdapter
    inputs : Tensor, shape (time, sample, channel, y, x)
        Of another number of samples than of timesteps.
    forward : callable, optional
        The only way to call it, where the user gave one.
    runs : callable
        Runs a forward function once on a copy of the inputs.

    Raises
    ------
    RecordingError
        If the network fails in every way, or it cannot be known how it is to be called.
    """
    n_times, n_samples = inputs.shape[:2]
    problems: list[Exception] = []
    repeating: Calling | None = None
    for convention, candidate in _candidates(network, forward):
        with _watched(network, adapters) as calls:
            try:
                output = runs(candidate, inputs)
            # A network that is called in the wrong way may fail with any error.
            except Exception as error:
                problems.append(own_failure(network, error))
                continue
            finally:
                reset_state(network)
        fault = _fault(network, adapters, calls, n_times, n_samples)
        if fault is None:
            n_repeats = _repeats(network, adapters, calls, n_times, convention)
            axes = _axes_of(output, n_times, n_samples)
            found = Calling(convention, axes, candidate, n_repeats)
            if n_repeats <= 1:
                return found
            repeating = repeating or found
            continue
        problems.append(RecordingError(fault))
    if repeating is not None:
        return repeating
    raise problems[0]


def refuse_own_loop(n_repeats: int) -> RecordingError:
    """Return the error of a network that loops over time although it is called each timestep."""
    return RecordingError(
        f"the network calls each of its neurons {n_repeats} times or more for each timestep it is "
        "given: it seems to loop over time itself, and of which frame these are the timesteps "
        "cannot be known; give a forward function that calls it once, such as lambda network, x: "
        "network(x[0])"
    )


def own_failure(network: nn.Module, error: Exception) -> RedundancyError:
    """Return what to say of an error that a network raises by itself."""
    import traceback

    if isinstance(error, RedundancyError):
        return error
    place = traceback.extract_tb(error.__traceback__)[-1]
    first = (str(error).strip().splitlines() or ["without a message"])[0]
    file = place.filename.replace("\\", "/").rpartition("/")[2]
    failure = RecordingError(
        f"the network itself ({type(network).__name__}) fails on these frames, with "
        f"{type(error).__name__} at {file}:{place.lineno}: {first[:300]}"
    )
    failure.__cause__ = error
    return failure


def _candidates(network: nn.Module, forward: Forward | None) -> Iterator[tuple[str, Forward]]:
    if forward is not None:
        yield CUSTOM, forward
        return
    sequences: list[tuple[str, Forward]] = [
        (TIME_FIRST, lambda network, x: network(x)),
        (SAMPLE_FIRST, lambda network, x: network(x.transpose(0, 1))),
    ]
    if not is_multi_step(network):
        # Tried first: single-step networks whose layers would take any shape.
        yield STEPWISE, _step_by_step
    yield from sequences


def _step_by_step(network: nn.Module, x: Tensor) -> Tensor:
    import torch

    outputs = [network(step) for step in x]
    if not all(isinstance(output, torch.Tensor) for output in outputs):
        return outputs[0]  # type: ignore[no-any-return]
    return torch.stack(outputs)


class _Calls(list[_Call]):
    """Calls of neurons in their order; a context manager that listens to them."""

    def __init__(self, network: nn.Module, adapters: Mapping[str, NeuronAdapter]) -> None:
        super().__init__()
        modules = dict(network.named_modules())
        self._modules = {name: modules.get(name, network) for name in adapters}
        self._handles: list[Any] = []

    def __enter__(self) -> _Calls:
        for name, module in self._modules.items():

            def note(module: Any, args: Any, kwargs: Any, output: Any, name: str = name) -> None:
                given = args[0] if args else next(iter(kwargs.values()), None)
                self.append(_Call(name, tuple(getattr(given, "shape", ()))))

            self._handles.append(module.register_forward_hook(note, with_kwargs=True))
        return self

    def __exit__(self, *exception: object) -> None:
        for handle in self._handles:
            handle.remove()


def _watched(network: nn.Module, adapters: Mapping[str, NeuronAdapter]) -> _Calls:
    return _Calls(network, adapters)


def _fault(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    calls: list[_Call],
    n_times: int,
    n_samples: int,
) -> str | None:
    """Return what speaks against a way of calling, as a sentence; None if nothing does."""
    modules = dict(network.named_modules())
    counts = Counter(call.name for call in calls)
    for call in calls:
        neuron = adapters[call.name].describe(modules.get(call.name, network))
        if neuron.has_time_axis:
            axes = (neuron.time_axis, 1 - neuron.time_axis)
            seen = tuple(call.shape[axis] for axis in axes if axis < len(call.shape))
            if seen != (n_times, n_samples):
                return (
                    f"layer {call.name!r} is given {call.shape}, of which {n_times} timesteps and "
                    f"{n_samples} samples were expected on axes {axes[0]} and {axes[1]}; give a "
                    "forward function that calls the network with its own order of axes"
                )
            continue
        if call.shape[:1] != (n_samples,):
            return (
                f"layer {call.name!r}, called once a timestep, is given {call.shape} where "
                f"{n_samples} samples were expected first; give a forward function that calls "
                "the network with its own order of axes"
            )
        if counts[call.name] % n_times:
            return (
                f"layer {call.name!r} works in single-step mode and was called "
                f"{counts[call.name]} times in a forward pass of {n_times} timesteps; a multiple "
                f"of {n_times} was expected"
            )
    return None


def _repeats(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    calls: list[_Call],
    n_times: int,
    convention: str,
) -> int:
    """Return how often each neuron is called at least where the network is called once."""
    modules = dict(network.named_modules())
    counts = Counter(
        call.name
        for call in calls
        if not adapters[call.name].describe(modules.get(call.name, network)).has_time_axis
    )
    return min(counts.values()) // n_times if convention == STEPWISE and counts else 0


def _axes_of(output: Any, n_times: int, n_samples: int) -> str:
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) == 3 and shape[:2] == (n_times, n_samples):
        return "time, sample, class"
    if len(shape) == 3 and shape[:2] == (n_samples, n_times):
        return "sample, time, class"
    if len(shape) == 2 and shape[0] == n_samples:
        return "sample, class"
    return ""
