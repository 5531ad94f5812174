"""The 3-layer LIF-SNN of "Inherent Redundancy in Spiking Neural Networks" (arch A)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1
from redundancy.networks.blocks import (
    SURROGATES,
    ConvolutionalBlock,
    LinearBlock,
    spiking_neuron,
)

ATTENTIONS = ("none", "asa-1")


class LIFSNN3(nn.Module):
    """The paper's 3-layer LIF-SNN: three convolutional, two fully connected spiking layers.

    Its output is the mean rate of the last layer.

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
    surrogate_gradient : {"rectangle", "arctan"}, default "rectangle"
        Stands in for the derivative of a spike in training; no effect afterwards.
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
        surrogate_gradient: str = "rectangle",
    ) -> None:
        super().__init__()
        _check_choice("attention", attention, ATTENTIONS)
        _check_choice("surrogate_gradient", surrogate_gradient, SURROGATES)
        _check_positive(
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
            widths=min(widths),
            hidden=hidden,
            v_threshold=v_threshold,
        )
        if not 0.0 < decay < 1.0:
            raise UsageError(f"decay must lie strictly between 0 and 1, got {decay}")
        height, width = input_size[0] // 4, input_size[1] // 4
        if min(height, width) < 1:
            raise UsageError(
                "lif-snn-3 halves its maps twice and needs an input of at least 4 x 4, "
                f"got {input_size[0]} x {input_size[1]}"
            )

        def fire() -> nn.Module:
            return spiking_neuron(v_threshold, decay, surrogate_gradient)

        def attend() -> nn.Module | None:
            return None if attention == "none" else ASA1(n_timesteps, reduction=reduction)

        self.conv1, self.conv2, self.conv3 = (
            ConvolutionalBlock(
                before, after, pool=index > 0, attention=attend(), spiking_neuron=fire()
            )
            for index, (before, after) in enumerate(itertools.pairwise((input_channels, *widths)))
        )
        self.fc1 = LinearBlock(widths[-1] * height * width, hidden, fire())
        self.fc2 = LinearBlock(hidden, n_classes, fire())

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


def _check_choice(name: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise UsageError(f"lif-snn-3: {name} must be one of {', '.join(known)}, got {value!r}")


def _check_positive(**arguments: float) -> None:
    for name, value in arguments.items():
        if not 0 < value < math.inf:
            raise UsageError(f"lif-snn-3 needs {name} greater than 0 and finite, got {value}")
