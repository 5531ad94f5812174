"""Networks that are hard to analyse, opened by name as checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from spikingjelly.activation_based import layer, neuron
from torch import Tensor, nn

from redundancy.networks import NETWORKS
from redundancy.neurons import NEURON_ADAPTERS, NeuronDescription, qualified_name
from redundancy.neurons.base import thresholds_of

THRESHOLDS = (0.125, 0.25, 0.5, 8.0)


class ChannelNeuron(nn.Module):
    """A neuron of our own, with a threshold for each channel and a hard reset to 0."""

    def __init__(self, thresholds: tuple[float, ...], step_mode: str) -> None:
        super().__init__()
        self.register_buffer("v_threshold", torch.tensor(thresholds))
        self.step_mode = step_mode
        self.v: Tensor | float = 0.0

    def reset(self) -> None:
        self.v = 0.0

    def step(self, x: Tensor) -> tuple[Tensor, Tensor]:
        u = 0.5 * self.v + x
        spikes = (u >= self.v_threshold.view(-1, *[1] * (x.dim() - 2))).to(x)
        self.v = u * (1 - spikes)
        return u, spikes

    def forward(self, x: Tensor) -> Tensor:
        if self.step_mode == "s":
            return self.step(x)[1]
        return torch.stack([self.step(now)[1] for now in x])


class ChannelNeuronAdapter:
    """Reads a `ChannelNeuron`."""

    def describe(self, module: Any) -> NeuronDescription:
        return NeuronDescription(
            neuron_type="ChannelNeuron",
            framework="tests",
            v_threshold=thresholds_of(module.v_threshold),
            v_reset=0.0,
            fires_at=">=",
            has_time_axis=module.step_mode == "m",
        )

    def potential(self, module: Any) -> Tensor | float:
        return module.v

    def reset(self, module: Any) -> None:
        module.reset()

    def replay(
        self, module: Any, currents: Tensor, potential: Tensor | float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        again = ChannelNeuron(tuple(module.v_threshold.tolist()), "s")
        again.v = potential
        for current in currents:
            u, spikes = again.step(current)
            yield u, spikes, again.v


class ChannelNetwork(nn.Module):
    """A convolution and a fully connected layer with thresholds per channel."""

    def __init__(
        self,
        *,
        step_mode: str = "m",
        n_classes: int = 4,
        n_timesteps: int = 5,
        input_channels: int = 2,
        input_size: tuple[int, int] = (8, 8),
    ) -> None:
        super().__init__()
        self.conv = layer.Conv2d(input_channels, 4, 3, padding=1, step_mode=step_mode)
        self.conv_neuron = ChannelNeuron(THRESHOLDS, step_mode)
        self.linear = layer.Linear(
            4 * input_size[0] * input_size[1], n_classes, step_mode=step_mode
        )
        self.linear_neuron = ChannelNeuron((0.25, 0.5, 0.75, 1.0), step_mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_neuron(self.linear(self.conv_neuron(self.conv(x)).flatten(-3)))


class VectorNetwork(nn.Module):
    """Fully connected layers alone: there is no feature map anywhere."""

    def __init__(
        self,
        *,
        hidden: int = 12,
        n_classes: int = 3,
        n_timesteps: int = 5,
        input_channels: int = 2,
        input_size: tuple[int, int] = (8, 8),
    ) -> None:
        super().__init__()
        n_inputs = input_channels * input_size[0] * input_size[1]
        self.fc1 = layer.Linear(n_inputs, hidden, step_mode="m")
        self.fc1_neuron = neuron.LIFNode(v_threshold=0.25, step_mode="m")
        self.fc2 = layer.Linear(hidden, n_classes, step_mode="m")
        self.fc2_neuron = neuron.LIFNode(v_threshold=0.25, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2_neuron(self.fc2(self.fc1_neuron(self.fc1(x.flatten(2))))).mean(0)


def register_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make these networks known by name, and their neuron's adapter, for a while."""
    monkeypatch.setitem(NETWORKS._entries, "thresholds", lambda: ChannelNetwork)
    monkeypatch.setitem(NETWORKS._entries, "vectors", lambda: VectorNetwork)
    monkeypatch.setitem(
        NEURON_ADAPTERS._entries, qualified_name(ChannelNeuron), ChannelNeuronAdapter
    )
