"""The 3-layer LIF-SNN of "Inherent Redundancy in Spiking Neural Networks" (arch A)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks.asa import MASKS
from redundancy.networks.attention import ATTENTIONS, build_attention
from redundancy.networks.blocks import (
    SURROGATES,
    ConvolutionalBlock,
    LinearBlock,
    spiking_neuron,
)
from redundancy.networks.checks import check_choice, check_positive, check_share, halved

NAME = "lif-snn-3"


class LIFSNN3(nn.Module):
    """The paper's 3-layer LIF-SNN: three convolutional, two fully connected spiking layers.

    Its output is the mean rate of the last layer.

    With 11 classes, 32 x 32 input and T = 60 it has the paper's 2,323,531 parameters,
    and 10,914 more with ASA-1, 114 with ASA-2, 294 with SA, 24,126 with TCSA. Its narrow
    form for Gait-night (arch D) is that of widths 32, 32, 32: 548,980 parameters with
    20 classes.

    Parameters
    ----------
    n_classes : int, default 11
    n_timesteps : int, default 60
        T; only attention depends on it.
    attention : {"none", "asa-1", "asa-2", "sa", "tcsa"}, default "none"
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
    mask : {"per-sample", "batch-union", "straight-through"}, default "per-sample"
        Of ASA-1 and ASA-2; see :class:`redundancy.networks.asa.AdvanceSpatialAttention`.
    dropout : tuple of five floats, default no dropout
        For each layer the probability of a zero in its input, and once more in its
        spikes, in training. The published scripts take 0, 0, 0.1, 0.1, 0.1, and 0.5 for
        0.1 in the narrow form.
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
        mask: str = "per-sample",
        dropout: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0),
        surrogate_gradient: str = "rectangle",
    ) -> None:
        super().__init__()
        check_choice(NAME, "attention", attention, ATTENTIONS)
        check_choice(NAME, "mask", mask, MASKS)
        check_choice(NAME, "surrogate_gradient", surrogate_gradient, SURROGATES)
        check_positive(
            NAME,
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
            widths=min(widths),
            hidden=hidden,
            v_threshold=v_threshold,
        )
        for share in dropout:
            check_share(NAME, dropout=share)
        if not 0.0 < decay < 1.0:
            raise UsageError(f"decay must lie strictly between 0 and 1, got {decay}")
        height, width = halved(NAME, input_size, 2)

        def fire() -> nn.Module:
            return spiking_neuron(v_threshold, decay, surrogate_gradient)

        def attend(n_channels: int) -> nn.Module | None:
            return build_attention(
                attention,
                n_timesteps=n_timesteps,
                n_channels=n_channels,
                reduction=reduction,
                mask=mask,
            )

        self.conv1, self.conv2, self.conv3 = (
            ConvolutionalBlock(
                before,
                after,
                pool=index > 0,
                attention=attend(after),
                spiking_neuron=fire(),
                dropout=dropout[index],
            )
            for index, (before, after) in enumerate(itertools.pairwise((input_channels, *widths)))
        )
        self.fc1 = LinearBlock(widths[-1] * height * width, hidden, fire(), dropout=dropout[3])
        self.fc2 = LinearBlock(hidden, n_classes, fire(), dropout=dropout[4])

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
