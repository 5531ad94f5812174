"""The 3-layer LIF-SNN of "Inherent Redundancy in Spiking Neural Networks" (arch A)."""

from __future__ import annotations

import itertools
from typing import cast

from spikingjelly.activation_based import layer, neuron, surrogate
from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1

ATTENTIONS = ("none", "asa-1")


def _spiking_neuron(v_threshold: float, decay: float) -> nn.Module:
    """Return the paper's LIF neuron: hard reset to 0, undecayed input, decay `decay`.

    Its surrogate gradient is a rectangle of half-width 0.25 and area 1.
    """
    return cast(
        nn.Module,
        neuron.LIFNode(
            tau=1.0 / (1.0 - decay),
            decay_input=False,
            v_threshold=v_threshold,
            v_reset=0.0,
            surrogate_function=surrogate.Rect(alpha=2.0),
            step_mode="m",
        ),
    )


class ConvolutionalBlock(nn.Module):
    """Convolution, batch normalisation, pooling, attention and spiking neuron.

    Parameters
    ----------
    in_channels, out_channels : int
    pool : bool
        Whether 2 x 2 average pooling follows the normalisation.
    attention : nn.Module or None
        Weighs the input current before the neuron.
    spiking_neuron : nn.Module
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        pool: bool,
        attention: nn.Module | None,
        spiking_neuron: nn.Module,
    ) -> None:
        super().__init__()
        self.conv = layer.Conv2d(in_channels, out_channels, 3, padding=1, step_mode="m")
        self.bn = layer.BatchNorm2d(out_channels, step_mode="m")
        self.pool = layer.AvgPool2d(2, step_mode="m") if pool else None
        self.attention = attention
        self.neuron = spiking_neuron

    def forward(self, x: Tensor) -> Tensor:
        """Map (time, sample, channel, y, x) to the spikes of this layer."""
        x = self.bn(self.conv(x))
        if self.pool is not None:
            x = self.pool(x)
        if self.attention is not None:
            x = self.attention(x)
        return cast(Tensor, self.neuron(x))


class LinearBlock(nn.Module):
    """Fully connected layer and spiking neuron."""

    def __init__(self, in_features: int, out_features: int, spiking_neuron: nn.Module) -> None:
        super().__init__()
        self.linear = layer.Linear(in_features, out_features, step_mode="m")
        self.neuron = spiking_neuron

    def forward(self, x: Tensor) -> Tensor:
        """Map (time, sample, feature) to the spikes of this layer."""
        return cast(Tensor, self.neuron(self.linear(x)))


class LIFSNN3(nn.Module):
    """Three convolutional and two fully connected spiking layers; output is their mean rate.

    With 11 classes, 32 x 32 input and T = 60 it has the paper's 2,323,531 parameters,
    and 10,914 more with ASA-1.

    Parameters
    ----------
    n_classes : int, default 11
    n_timesteps : int, default 60
        T; only attention depends on it.
    attention : {"none", "asa-1"}, default "none"
        In every convolutional layer, after normalisation and pooling, before the neuron.
    input_size : tuple of int, default (32, 32)
        Height and width of the input frames.
    input_channels : int, default 2
    widths : tuple of int, default (64, 128, 128)
        Channels of the three convolutions.
    hidden : int, default 256
        Neurons of the first fully connected layer.
    v_threshold : float, default 0.3
    decay : float, default 0.3
        Share of the potential that survives a timestep, beta of eq. 4.
    reduction : int, default 1
        r of ASA-1.
    """

    def __init__(
        self,
        *,
        n_classes: int = 11,
        n_timesteps: int = 60,
        attention: str = "none",
        input_size: tuple[int, int] = (32, 32),
        input_channels: int = 2,
        widths: tuple[int, int, int] = (64, 128, 128),
        hidden: int = 256,
        v_threshold: float = 0.3,
        decay: float = 0.3,
        reduction: int = 1,
    ) -> None:
        super().__init__()
        if attention not in ATTENTIONS:
            raise UsageError(
                f"lif-snn-3 knows the attentions {', '.join(ATTENTIONS)}, got {attention!r}"
            )
        if not 0.0 < decay < 1.0:
            raise UsageError(f"decay must lie strictly between 0 and 1, got {decay}")
        pooled_height, pooled_width = input_size[0] // 4, input_size[1] // 4
        if min(pooled_height, pooled_width) < 1:
            raise UsageError(
                "lif-snn-3 halves its maps twice and needs an input of at least 4 x 4, "
                f"got {input_size[0]} x {input_size[1]}"
            )
        blocks = []
        sizes = (input_channels, *widths)
        for index, (before, after) in enumerate(itertools.pairwise(sizes)):
            blocks.append(
                ConvolutionalBlock(
                    before,
                    after,
                    pool=index > 0,
                    attention=None
                    if attention == "none"
                    else ASA1(n_timesteps, reduction=reduction),
                    spiking_neuron=_spiking_neuron(v_threshold, decay),
                )
            )
        self.conv1, self.conv2, self.conv3 = blocks
        features = widths[-1] * pooled_height * pooled_width
        self.fc1 = LinearBlock(features, hidden, _spiking_neuron(v_threshold, decay))
        self.fc2 = LinearBlock(hidden, n_classes, _spiking_neuron(v_threshold, decay))

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean output rate.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)

        Returns
        -------
        Tensor, shape (sample, class)
            Spikes per timestep of each output neuron.
        """
        x = self.conv3(self.conv2(self.conv1(x)))
        x = self.fc2(self.fc1(x.flatten(2)))
        return x.mean(0)
