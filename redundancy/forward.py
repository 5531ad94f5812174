"""Run a spiking network on one batch, whichever step mode it works in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, cast

from redundancy.errors import RecordingError
from redundancy.neurons import NEURON_ADAPTERS, qualified_name

if TYPE_CHECKING:
    from torch import Tensor, nn

    Forward = Callable[[nn.Module, Tensor], Tensor]


def is_multi_step(network: nn.Module) -> bool:
    """Tell whether `network` takes whole sequences (time first) rather than timesteps.

    A network is multi-step if any of its modules is; containers that loop over time
    themselves have no step mode but support multi-step only, whatever they hold.
    """
    return any(
        getattr(module, "step_mode", None) == "m" or _supports_sequences_only(module)
        for module in network.modules()
    )


def _supports_sequences_only(module: nn.Module) -> bool:
    supported = getattr(module, "supported_step_mode", None)
    return callable(supported) and tuple(supported()) == ("m",)


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Keep a network in evaluation mode.

    Afterwards, also after an exception, neuron states are reset and every module's
    train/eval mode is what it was.
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        network.eval()
        yield
    finally:
        try:
            reset_state(network)
        finally:
            for module, training in modes:
                module.training = training


def default_forward(network: nn.Module, x: Tensor) -> Tensor:
    """Return the network's output.

    Parameters
    ----------
    network : nn.Module
    x : Tensor, shape (time, sample, channel, y, x)

    Returns
    -------
    Tensor
        What a multi-step network returns, or the outputs of a single-step network
        stacked along a leading time axis.
    """
    import torch

    if is_multi_step(network):
        return cast("Tensor", network(x))
    return torch.stack([network(step) for step in x])


def reset_state(network: nn.Module) -> None:
    """Bring every neuron of `network`, and all else that has a reset, to its initial state.

    A neuron that an adapter reads is reset by its adapter, any other module by its own
    ``reset()``.
    """
    for module in network.modules():
        kind = qualified_name(type(module))
        if kind in NEURON_ADAPTERS:
            NEURON_ADAPTERS.get(kind)().reset(module)
            continue
        reset = getattr(module, "reset", None)
        if callable(reset):
            try:
                reset()
            # It is the user's own code, which may fail with any error.
            except Exception as error:
                raise RecordingError(
                    f"the reset() of a {type(module).__name__} fails ({type(error).__name__}: "
                    f"{error}); it must bring the module back without arguments"
                ) from error
