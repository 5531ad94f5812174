"""Run a network once, on next to nothing, to see how its synaptic layers hang together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redundancy.forward import reset_state
from redundancy.synapses.graph import SynapseFacts, Tracer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from redundancy.forward import Forward
    from redundancy.neurons import NeuronAdapter


@dataclass(frozen=True)
class SynapseTrace:
    """Facts of every synaptic layer by name, and how many samples the run had."""

    facts: Mapping[str, SynapseFacts]
    n_samples: int


def trace_synapses(
    network: nn.Module,
    synapses: Mapping[str, nn.Module],
    adapters: Mapping[str, NeuronAdapter],
    inputs: Tensor,
    forward: Forward,
    *,
    stepwise: bool,
) -> SynapseTrace:
    """Find out where the inputs of every synaptic layer come from.

    Runs the network on the first sample, with gradients, for the graph of operations is
    what is followed; if it cannot be run so, without them, and then on more samples.
    Random numbers are left as they were, neuron states are reset.

    Parameters
    ----------
    network : nn.Module
    synapses : mapping of str to nn.Module
    adapters : mapping of str to NeuronAdapter
    inputs : Tensor, shape (time, sample, channel, y, x)
    forward : callable
    stepwise : bool
        Whether the network is called once for each timestep.

    Returns
    -------
    SynapseTrace
    """
    for n_samples, with_graph in ((1, True), (1, False), (2, False)):
        try:
            return _run(
                network, synapses, adapters, inputs[:, :n_samples], forward, with_graph, stepwise
            )
        # A network that cannot be run so may fail with any error. The facts say how they
        # were found, and a true fault comes up again with the whole batch.
        except Exception:
            continue
    return _run(network, synapses, adapters, inputs, forward, False, stepwise)


def _run(
    network: nn.Module,
    synapses: Mapping[str, nn.Module],
    adapters: Mapping[str, NeuronAdapter],
    inputs: Tensor,
    forward: Forward,
    with_graph: bool,
    stepwise: bool,
) -> SynapseTrace:
    import torch

    tracer = Tracer(
        network,
        synapses,
        adapters,
        n_samples=inputs.shape[1],
        n_timesteps=inputs.shape[0],
        stepwise=stepwise,
    )
    devices = [inputs.device] if inputs.device.type == "cuda" else []
    reset_state(network)
    try:
        with (
            torch.random.fork_rng(devices),
            torch.inference_mode(False),
            torch.set_grad_enabled(with_graph),
            # The graph is only walked: without the values to differentiate with, it
            # takes next to no memory.
            torch.autograd.graph.saved_tensors_hooks(_drop, _refuse),
        ):
            # Not a leaf, so that the network may write to it.
            copy = inputs.detach().clone().requires_grad_(with_graph).clone()
            with tracer.watch(copy):
                forward(network, copy)
    finally:
        reset_state(network)
    return SynapseTrace(tracer.facts, inputs.shape[1])


def _drop(tensor: Tensor) -> Tensor | None:
    # Factors are what tells scaled spikes from averages.
    return tensor.detach() if tensor.numel() == 1 else None


def _refuse(packed: Tensor | None) -> Tensor:
    if packed is not None:
        return packed
    raise RuntimeError("a traced run keeps no values and cannot be differentiated")
