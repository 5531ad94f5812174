"""Gated Attention Coding (GAC): an encoder that weighs its spikes by learned attention."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from redundancy.errors import UsageError


def apply_over_time(module: nn.Module, x: Tensor) -> Tensor:
    """Apply a module that knows no time to the two leading axes of `x` at once."""
    return cast(Tensor, module(x.flatten(0, 1)).unflatten(0, x.shape[:2]))


class SameConv2d(nn.Conv2d):
    """Convolution with ``padding="same"`` that pads by itself.

    PyTorch's own warns for even kernels, which this attention has.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        total = [size - 1 for size in reversed(self.kernel_size)]
        sides = [side for both in total for side in (both // 2, both - both // 2)]
        return functional.conv2d(functional.pad(input, sides), weight, bias)


class GatedAttention(nn.Module):
    """The gate of GAC: sigmoid(TA(x) SCA(x)), between 0 and 1.

    Temporal attention (TA) scores every timestep from the mean and the maximum of its
    features, by one shared network T -> T / 2 -> T; spatial-channel attention (SCA)
    scores every feature of every timestep by two convolutions. Qiu et al., AAAI 2024.

    Parameters
    ----------
    n_timesteps : int
        T, at least 2.
    channels : int
    kernel_size : int, default 4
        Of the two convolutions.
    time_axis : {0, 1}, default 0
        1 for inputs (sample, time, channel, y, x).
    """

    def __init__(
        self, n_timesteps: int, channels: int, *, kernel_size: int = 4, time_axis: int = 0
    ) -> None:
        super().__init__()
        if n_timesteps < 2:
            raise UsageError(
                "GAC's temporal attention halves the number of timesteps and needs at least 2, "
                f"got n_timesteps = {n_timesteps}"
            )
        if kernel_size < 1:
            raise UsageError(f"GAC needs a kernel_size of at least 1, got {kernel_size}")
        self.n_timesteps, self.time_axis = n_timesteps, time_axis
        self.temporal = nn.Sequential(
            nn.Linear(n_timesteps, n_timesteps // 2, bias=False),
            nn.ReLU(),
            nn.Linear(n_timesteps // 2, n_timesteps, bias=False),
        )
        self.spatial_channel = nn.Sequential(
            SameConv2d(channels, channels, kernel_size, padding="same", bias=False),
            nn.ReLU(),
            SameConv2d(channels, channels, kernel_size, padding="same", bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the gate of every feature, of the shape of `x`.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)
            Or (sample, time, channel, y, x), with ``time_axis=1``.
        """
        if x.dim() != 5 or x.shape[self.time_axis] != self.n_timesteps:
            raise UsageError(
                f"GAC was built for {self.n_timesteps} timesteps on axis {self.time_axis} of five, "
                f"got an input of shape {tuple(x.shape)}; give it data of n_timesteps = "
                f"{self.n_timesteps}"
            )
        pooled = [x.mean((2, 3, 4)), x.amax((2, 3, 4))]
        if self.time_axis == 0:
            pooled = [scores.transpose(0, 1) for scores in pooled]
        scores = self.temporal(pooled[0]) + self.temporal(pooled[1])
        if self.time_axis == 0:
            scores = scores.transpose(0, 1)
        features = apply_over_time(self.spatial_channel, x)
        return torch.sigmoid(scores[..., None, None, None] * features)


class GatedEncoder(nn.Module):
    """The encoder of GAC: spikes of a neuron, each weighed by the gate.

    Its output lies between 0 and 1 and is no spike: what multiplies it with weights
    makes multiply-accumulates.

    Parameters
    ----------
    gate : GatedAttention
    neuron : nn.Module
    """

    def __init__(self, gate: GatedAttention, neuron: nn.Module) -> None:
        super().__init__()
        self.gate = gate
        self.neuron = neuron

    def forward(self, x: Tensor) -> Tensor:
        """Return spikes times gate of input currents, of their shape."""
        spikes = self.neuron(x)
        return cast(Tensor, self.gate(x) * spikes)
