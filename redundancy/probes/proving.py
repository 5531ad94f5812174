"""What must hold of a network before anything that is read of it can be believed.

Shown on a few samples, by what the network does: how it is called, that all of its spiking
layers are read, that its state goes with a reset, and whether it draws random numbers.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from redundancy import schema
from redundancy.devices import device_of
from redundancy.errors import RecordingError, UsageError
from redundancy.forward import reset_state
from redundancy.probes.calling import Calling, few_samples, find_calling, refuse_own_loop
from redundancy.probes.completeness import are_layers, check_complete
from redundancy.probes.random_numbers import seeded
from redundancy.probes.repeating import Trace, check_repeatable, first_difference, traced_run

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward
    from redundancy.neurons import NeuronAdapter


@dataclass(frozen=True)
class Proof:
    """What was found of a network.

    Attributes
    ----------
    calling : Calling
    facts : dict
        Attributes of a recording or of results: how the network was called, what emits
        spikes in it, whether it draws random numbers.
    uncounted : tuple of str
        See :class:`redundancy.probes.completeness.Completeness`.
    inputs : Tensor
        The few samples.
    trace : list
        What each module makes of them; see :func:`redundancy.probes.repeating.traced_run`.
    """

    calling: Calling
    facts: dict[str, Any]
    uncounted: tuple[str, ...]
    inputs: Tensor
    trace: Trace


def to_inputs(network: nn.Module, frames: NDArray[Any]) -> Tensor:
    """Return frames as a network takes them: a copy, in its precision and on its device.

    Parameters
    ----------
    network : nn.Module
    frames : ndarray, shape (sample, time, ...)

    Returns
    -------
    Tensor, shape (time, sample, ...)

    Raises
    ------
    UsageError
        If the frames cannot be written in the network's precision.
    """
    import torch

    given = torch.from_numpy(np.ascontiguousarray(frames)).transpose(0, 1)
    # Of its own memory: the network may write to its input.
    inputs = given.to(device_of(network)).clone(memory_format=torch.contiguous_format)
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}
    if len(dtypes) != 1 or inputs.dtype in dtypes or not inputs.is_floating_point():
        return inputs
    converted = inputs.to(next(iter(dtypes)))
    if not torch.equal(converted.to(inputs.dtype), inputs):
        raise UsageError(
            f"the network's weights are {str(converted.dtype).rpartition('.')[2]}, in which the "
            "frames cannot be written exactly; convert the network with .float(), or give a "
            "forward function that converts the frames"
        )
    return converted


def prove(
    network: nn.Module,
    adapters: Mapping[str, NeuronAdapter],
    frames: NDArray[np.float32],
    *,
    forward: Forward | None,
    ignore: Collection[str],
    seed: int,
) -> Proof:
    """Find out on a few samples how a network works, and refuse it if that cannot be known.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode.
    adapters : mapping of str to NeuronAdapter
    frames : ndarray, shape (sample, time, channel, y, x)
        The first batch.
    forward : callable, optional
        How to call it, where the user says so.
    ignore : collection of str
        Modules that make masks and no spikes.
    seed : int
        Of random numbers.

    Raises
    ------
    RecordingError
        See :mod:`redundancy.probes.calling`, :mod:`~redundancy.probes.completeness` and
        :mod:`~redundancy.probes.repeating`.

    Warns
    -----
    UserWarning
        If the network draws random numbers, or has a neuron that it never calls.
    """
    inputs = to_inputs(network, few_samples(frames))
    device = device_of(network)

    def once(function: Forward, x: Tensor) -> Tensor:
        with seeded(seed, device):
            return check_output(network, function(network, x.clone()))

    calling = find_calling(network, adapters, inputs, forward, once)
    complete = check_complete(
        network, adapters, inputs.clone(), lambda x: _seeded_run(network, calling, x, seed), ignore
    )
    if calling.n_repeats > 1 and not are_layers(complete.fed, calling.n_repeats):
        raise refuse_own_loop(calling.n_repeats)
    is_random = check_repeatable(
        network,
        adapters,
        lambda: calling.forward(network, inputs.clone()),
        seed=seed,
        device=device,
    )
    if is_random:
        warnings.warn(
            "the network draws random numbers when it runs (dropout, a Poisson encoder): results "
            f"are of one draw, with seed {seed}; another seed gives others",
            UserWarning,
            stacklevel=2,
        )
    facts = {
        schema.CALLING_CONVENTION: calling.convention,
        schema.OUTPUT_AXES: calling.output_axes,
        schema.IS_RANDOM: int(is_random),
        schema.RANDOM_SEED: seed,
        schema.SPIKE_SOURCES: json.dumps([source.as_dict() for source in complete.sources]),
    }
    trace = rerun(network, calling, inputs, seed)
    return Proof(calling, facts, complete.uncounted, inputs, trace)


def rerun(network: nn.Module, calling: Calling, inputs: Tensor, seed: int) -> Trace:
    """Return what a network and its modules make, from the initial state, of the few samples."""
    reset_state(network)
    try:
        return traced_run(
            network, lambda: calling.forward(network, inputs.clone()), seed, device_of(network)
        )
    finally:
        reset_state(network)


def check_unchanged(network: nn.Module, proof: Proof, seed: int) -> None:
    """Refuse a network that has become another one since it was proven.

    Raises
    ------
    RecordingError
        If a module of it gives anything else for the few samples.
    """
    different = first_difference(proof.trace, rerun(network, proof.calling, proof.inputs, seed))
    if different is not None:
        raise RecordingError(
            "the network has changed while it was analysed: for the first samples, "
            f"{different!r} gives something else than at the beginning "
            "(a counter, weights or state that forward changes); let forward do the same for the "
            "same input, after a reset"
        )


def check_output(network: nn.Module, output: Any) -> Tensor:
    """Return a network's output if it is one tensor, or refuse it by what it is."""
    import torch

    if isinstance(output, torch.Tensor):
        is_plain = output.layout == torch.strided and not output.is_complex()
        if is_plain and output.dtype != torch.bool and output.numel():
            return output
        raise RecordingError(
            f"the network ({type(network).__name__}) returns a tensor of {output.dtype}, "
            f"{output.layout}, shape {tuple(output.shape)}; real numbers for each sample were "
            "expected, so give a forward function that returns them"
        )
    kind = "nothing (None)" if output is None else f"a {type(output).__name__}"
    if isinstance(output, Mapping):
        kind += f" of {', '.join(map(repr, list(output)[:4]))}"
        advice = f"lambda network, x: network(x)[{next(iter(output), 'key')!r}]"
    else:
        advice = "lambda network, x: network(x)[0]"
    raise RecordingError(
        f"the network ({type(network).__name__}) returns {kind} and no tensor; give a forward "
        f"function that returns its output, such as {advice}"
    )


def _seeded_run(network: nn.Module, calling: Calling, inputs: Tensor, seed: int) -> Tensor:
    with seeded(seed, device_of(network)):
        return check_output(network, calling.forward(network, inputs))


def scores_of(output: Tensor, output_axes: str) -> Tensor | None:
    """Return the score of each class (sample, class), the mean over time if there is one."""
    if output_axes == "sample, class":
        return output
    time = {"time, sample, class": 0, "sample, time, class": 1}.get(output_axes)
    return None if time is None else output.mean(time)
