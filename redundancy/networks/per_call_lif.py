"""The LIF neuron of "Gated Attention Coding": its potential lives within one call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from redundancy.errors import UsageError

SurrogateGradient = Callable[[Tensor], Tensor]

# Stand-ins for the derivative of a spike, of the potential's distance to the threshold.
# The published code trains with the first on CIFAR and with the second on ImageNet.
SURROGATE_GRADIENTS: dict[str, SurrogateGradient] = {
    "triangle": lambda distance: (1.0 - distance.abs()).clamp(min=0.0),
    "rectangle": lambda distance: (distance.abs() < 0.5).to(distance.dtype),
}


class _StrictStep(torch.autograd.Function):
    """1 above the threshold, 0 at and below it."""

    @staticmethod
    def forward(ctx: Any, potential: Tensor, v_threshold: float, gradient: str) -> Tensor:
        ctx.save_for_backward(potential)
        ctx.v_threshold, ctx.gradient = v_threshold, gradient
        return (potential > v_threshold).to(potential.dtype)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor, None, None]:
        (potential,) = ctx.saved_tensors
        slope = SURROGATE_GRADIENTS[ctx.gradient](potential - ctx.v_threshold)
        return outer[0] * slope, None, None


class PerCallLIF(nn.Module):
    """LIF neuron that starts at 0 in every call and keeps nothing after it.

    U[t] = decay * H[t-1] + X[t]; S[t] = 1 where U[t] > V_th, strictly; H[t] = U[t], or 0
    after a spike. As there is no state, one neuron may stand in several places of a
    network; each of its calls in a forward pass is a layer of its own.

    Parameters
    ----------
    v_threshold : float
    decay : float
        Share of the potential that survives a timestep.
    time_axis : {0, 1}, default 0
        1 for inputs (sample, time, ...), as the published CIFAR networks have them.
    surrogate_gradient : {"triangle", "rectangle"}, default "triangle"
    detach_reset : bool, default False
        Whether gradients ignore that a spike resets the potential.
    """

    step_mode = "m"

    def __init__(
        self,
        v_threshold: float,
        decay: float,
        *,
        time_axis: int = 0,
        surrogate_gradient: str = "triangle",
        detach_reset: bool = False,
    ) -> None:
        super().__init__()
        if not 0.0 < v_threshold < math.inf or not 0.0 < decay <= 1.0:
            raise UsageError(
                "a LIF neuron needs a finite threshold greater than 0 and a decay in (0, 1], got "
                f"{v_threshold} and {decay}"
            )
        if time_axis not in (0, 1) or surrogate_gradient not in SURROGATE_GRADIENTS:
            raise UsageError(
                "time_axis must be 0 or 1 and surrogate_gradient one of "
                f"{', '.join(SURROGATE_GRADIENTS)}, got {time_axis} and {surrogate_gradient!r}"
            )
        self.v_threshold, self.decay = v_threshold, decay
        self.time_axis = time_axis
        self.surrogate_gradient, self.detach_reset = surrogate_gradient, detach_reset

    def forward(self, x: Tensor) -> Tensor:
        """Return the spikes of input currents, of the same shape.

        Parameters
        ----------
        x : Tensor, shape (time, sample, ...) or (sample, time, ...)
        """
        potential = torch.zeros((), dtype=x.dtype, device=x.device)
        spikes = []
        for current in x.unbind(self.time_axis):
            potential = potential * self.decay + current
            fired = cast(
                Tensor,
                _StrictStep.apply(  # type: ignore[no-untyped-call]
                    potential, self.v_threshold, self.surrogate_gradient
                ),
            )
            potential = (1.0 - (fired.detach() if self.detach_reset else fired)) * potential
            spikes.append(fired)
        return torch.stack(spikes, dim=self.time_axis)

    def extra_repr(self) -> str:
        """Return the settings that decide when the neuron fires."""
        return f"v_threshold={self.v_threshold}, decay={self.decay}, time_axis={self.time_axis}"
