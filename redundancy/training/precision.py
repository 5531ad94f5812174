"""Mixed precision: convolutions in half, membrane potentials and weights in float32."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from redundancy.neurons import find_spiking_layers

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.optim import Optimizer


class MixedPrecision:
    """Where a training computes in half precision, and how its small gradients survive.

    Neurons are always given their input in float32: a potential that is summed up over
    many timesteps in half precision would miss its threshold.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16"}
        With float32 nothing is changed.
    network : nn.Module
    device : torch.device
    """

    def __init__(self, precision: str, network: nn.Module, device: torch.device) -> None:
        import torch

        self._device = device
        self._dtype = None if precision == "float32" else getattr(torch, precision)
        # The gradients of float16 would be lost below 6e-8; those of bfloat16 are not.
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16")
        if self._dtype is not None:
            modules = dict(network.named_modules())
            for name in find_spiking_layers(network):
                modules[name].register_forward_pre_hook(_in_float32)

    def forward(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which the network is run."""
        import torch

        if self._dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self._device.type, self._dtype)

    def update(self, loss: Tensor, optimizer: Optimizer) -> None:
        """Take one step of the optimizer along the gradient of `loss`."""
        optimizer.zero_grad()
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return what a training needs to go on with the same scale of gradients."""
        state: dict[str, Any] = self._scaler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with the scale of gradients in `state`."""
        self._scaler.load_state_dict(state)


def _in_float32(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(value.float() if hasattr(value, "float") else value for value in inputs)
