"""What a network is made of, layer by layer."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from redundancy import schema
from redundancy.devices import device_of
from redundancy.forward import default_forward, evaluating, reset_state
from redundancy.neurons import find_spiking_layers
from redundancy.probes.proving import prove
from redundancy.probes.repeating import keeping_buffers

if TYPE_CHECKING:
    from torch import Tensor, nn


def _shape_of_one(module: nn.Module, output: Tensor) -> tuple[int, ...]:
    """Return the shape of an output without its axes of time and sample."""
    from torch import nn

    # These work on frames, in which axes of time and sample may be joined.
    if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
        return tuple(output.shape[-3:])
    # A layer within attention may know no time.
    return tuple(output.shape[2 if takes_all_timesteps(module) else 1 :] or output.shape[-1:])


def takes_all_timesteps(module: nn.Module) -> bool:
    """Tell whether a call of `module` sees all timesteps, and not one of them."""
    return bool(getattr(module, "step_mode", "m") == "m")


def inspect_network(
    network: nn.Module, frame_shape: tuple[int, int, int, int], ignore: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Run one blank sample and describe every module that has weights or spikes.

    Parameters
    ----------
    network : nn.Module
    frame_shape : tuple of int
        (time, channel, y, x) of a sample.
    ignore : collection of str
        Modules that make masks and no spikes.

    Returns
    -------
    list of dict
        ``name``, ``kind``, ``output`` (shape without time and sample), ``n_neurons``
        (0 where it does not spike), ``parameters`` (its own, without its children's)
        and ``detail`` (threshold and reset of a neuron), in the order of first use. A
        neuron that is called again with all timesteps at once has a row for each call,
        named as in results: ``NAME@1`` is the second one.
    """
    import torch

    adapters = find_spiking_layers(network, ignore)
    names = {module: name for name, module in network.named_modules()}
    layers: dict[str, dict[str, Any]] = {}

    calls: Counter[nn.Module] = Counter()

    def note(module: nn.Module, args: Any, output: Any) -> None:
        name = names[module] or type(module).__name__
        own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
        adapter = adapters.get(name)
        if adapter is not None and calls[module] and takes_all_timesteps(module):
            # Its weights are counted at the first call.
            name, own = f"{name}@{calls[module]}", 0
        calls[module] += 1
        if name in layers or not (own or adapter):
            return
        layers[name] = {
            "name": name,
            "kind": type(module).__name__,
            "output": "",
            "n_neurons": 0,
            "parameters": own,
            "detail": "",
        }
        if isinstance(output, torch.Tensor):
            shape = _shape_of_one(module, output)
            layers[name]["output"] = " x ".join(map(str, shape))
        if adapter is not None:
            described = adapter.describe(module)
            reset = "soft reset" if described.v_reset is None else f"reset to {described.v_reset:g}"
            layers[name]["detail"] = f"fires at {described.firing_rule}, {reset}"
            layers[name]["n_neurons"] = math.prod(shape)

    handles = [module.register_forward_hook(note) for module in names]
    try:
        with evaluating(network):
            reset_state(network)
            with torch.inference_mode():
                blank = torch.zeros(frame_shape[0], 1, *frame_shape[1:], device=device_of(network))
                default_forward(network, blank)
    finally:
        for handle in handles:
            handle.remove()
    return list(layers.values())


def spike_sources_of(
    network: nn.Module, frame_shape: tuple[int, int, int, int], ignore: Collection[str] = ()
) -> list[dict[str, str]]:
    """Run a few samples of noise and tell what emits spikes in a network, and how it is known.

    Parameters
    ----------
    network : nn.Module
    frame_shape : tuple of int
        (time, channel, y, x) of a sample.
    ignore : collection of str
        Modules that make masks and no spikes.

    Returns
    -------
    list of dict
        See :attr:`redundancy.results.Results.spike_sources`.

    Raises
    ------
    RecordingError
        If the network cannot be analysed, with the reason.
    """
    import torch

    frames = np.random.default_rng(0).poisson(0.5, (2, *frame_shape)).astype(np.float32)
    adapters = find_spiking_layers(network, ignore)
    with evaluating(network), keeping_buffers(network), torch.no_grad():
        proof = prove(network, adapters, frames, forward=None, ignore=ignore, seed=0)
    sources: list[dict[str, str]] = json.loads(proof.facts[schema.SPIKE_SOURCES])
    return sources
