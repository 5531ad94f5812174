"""The 5-layer networks of "Inherent Redundancy in Spiking Neural Networks" (arch B, C).

After Fang et al., "Incorporating Learnable Membrane Time Constant", ICCV 2021.
"""

from __future__ import annotations

import itertools

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from redundancy.networks.asa import MASKS
from redundancy.networks.attention import ATTENTIONS, build_attention
from redundancy.networks.blocks import SURROGATES, ConvolutionalBlock, LinearBlock, leaky_neuron
from redundancy.networks.checks import check_choice, check_positive, check_tau, halved

Widths = tuple[int, int, int, int, int]
POOLINGS = {"average": layer.AvgPool2d, "maximum": layer.MaxPool2d}


class _SNN5(nn.Module):
    """Five convolutional layers, maps halved after each, and two fully connected ones."""

    name = ""
    learned_decay = False

    def __init__(
        self,
        *,
        n_classes: int,
        n_timesteps: int,
        attention: str,
        input_size: tuple[int, int],
        input_channels: int,
        widths: Widths,
        hidden: int,
        votes: int,
        v_threshold: float,
        tau: float,
        reduction: int,
        mask: str,
        surrogate_gradient: str,
        pooling: str = "maximum",
    ) -> None:
        super().__init__()
        check_choice(self.name, "attention", attention, ATTENTIONS)
        check_choice(self.name, "mask", mask, MASKS)
        check_choice(self.name, "pooling", pooling, POOLINGS)
        check_choice(self.name, "surrogate_gradient", surrogate_gradient, SURROGATES)
        check_positive(
            self.name,
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
            widths=min(widths),
            hidden=hidden,
            votes=votes,
            v_threshold=v_threshold,
        )
        check_tau(self.name, tau)
        height, width = halved(self.name, input_size, len(widths))
        self.votes = votes

        def fire() -> nn.Module:
            return leaky_neuron(tau, v_threshold, surrogate_gradient, learned=self.learned_decay)

        pairs = itertools.pairwise((input_channels, *widths))
        for number, (before, after) in enumerate(pairs, start=1):
            block = ConvolutionalBlock(
                before,
                after,
                pool=False,
                attention=build_attention(
                    attention,
                    n_timesteps=n_timesteps,
                    n_channels=after,
                    reduction=reduction,
                    mask=mask,
                ),
                spiking_neuron=fire(),
                bias=False,
            )
            self.add_module(f"conv{number}", block)
            last = number == len(widths)
            pool = layer.MaxPool2d if last else POOLINGS[pooling]
            self.add_module(f"pool{number}", pool(2, step_mode="m"))
        self.fc1 = LinearBlock(widths[-1] * height * width, hidden, fire())
        self.fc2 = LinearBlock(hidden, n_classes * votes, fire())

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean rate of the output neurons that vote for each class.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)

        Returns
        -------
        Tensor, shape (sample, class)
        """
        for name, module in self.named_children():
            if name.startswith(("conv", "pool")):
                x = module(x)
        x = self.fc2(self.fc1(x.flatten(2)))
        # The mean over timesteps first would round otherwise than the published code.
        return x.reshape(*x.shape[:-1], -1, self.votes).mean(-1).mean(0)


class PLIFSNN5(_SNN5):
    """The paper's 5-layer PLIF-SNN (arch B), whose output neurons vote in tens.

    Five times [3 x 3 convolution without bias, normalisation, PLIF neuron, 2 x 2 maximum
    pooling], then two fully connected spiking layers. With 11 classes and 128 x 128
    input it has 1,698,933 parameters; 1,717,123 with ASA-1 at T = 60.

    Parameters
    ----------
    n_classes : int, default 11
    n_timesteps : int, default 20
        T; only attention depends on it. The published scripts take 20 for Gesture, 36
        for DailyAction.
    attention : {"none", "asa-1", "asa-2", "sa", "tcsa"}, default "none"
        In every convolutional layer, after normalisation, before the neuron.
    input_size : tuple of int, default (128, 128)
        Height and width of the input frames.
    input_channels : int, default 2
    widths : tuple of five int, default 128 each
        Channels of the convolutions.
    hidden : int, default 512
        Neurons of the first fully connected layer.
    votes : int, default 10
        Output neurons a class.
    v_threshold : float, default 1.0
    tau : float, default 2.0
        Membrane time constant in timesteps at the start of training; greater than 1.
    reduction : int, default 1
        r of ASA-1.
    mask : {"per-sample", "batch-union", "straight-through"}, default "per-sample"
        Of ASA-1 and ASA-2; see :class:`redundancy.networks.asa.AdvanceSpatialAttention`.
    surrogate_gradient : {"rectangle", "arctan"}, default "arctan"
        Stands in for the derivative of a spike in training; no effect afterwards.
    """

    name = "plif-snn-5"
    learned_decay = True

    def __init__(
        self,
        *,
        n_classes: int = 11,
        n_timesteps: int = 20,
        attention: str = "none",
        input_size: tuple[int, int] = (128, 128),
        input_channels: int = 2,
        widths: Widths = (128, 128, 128, 128, 128),
        hidden: int = 512,
        votes: int = 10,
        v_threshold: float = 1.0,
        tau: float = 2.0,
        reduction: int = 1,
        mask: str = "per-sample",
        surrogate_gradient: str = "arctan",
    ) -> None:
        super().__init__(
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            attention=attention,
            input_size=input_size,
            input_channels=input_channels,
            widths=widths,
            hidden=hidden,
            votes=votes,
            v_threshold=v_threshold,
            tau=tau,
            reduction=reduction,
            mask=mask,
            surrogate_gradient=surrogate_gradient,
        )


class LIFSNN5(_SNN5):
    """The 5-layer LIF-SNN of the published code (arch C), with average pooling.

    As :class:`PLIFSNN5` but for its neurons, whose time constant is fixed, the 64
    channels of its first convolution and its pooling: the mean of 2 x 2 spikes, and only
    after the last convolution their maximum. With 11 classes and 128 x 128 input it has
    1,623,918 parameters.

    Parameters
    ----------
    n_classes, n_timesteps, attention, input_size, input_channels
        See :class:`PLIFSNN5`.
    widths : tuple of five int, default (64, 128, 128, 128, 128)
    hidden, votes, v_threshold
        See :class:`PLIFSNN5`.
    tau : float, default 2.0
        Membrane time constant in timesteps; greater than 1.
    reduction, mask, surrogate_gradient
        See :class:`PLIFSNN5`.
    pooling : {"average", "maximum"}, default "average"
        After the first four convolutions; with "maximum" and 128 channels at first it is
        the network of SpikingJelly's example for DVS128 Gesture.
    """

    name = "lif-snn-5"

    def __init__(
        self,
        *,
        n_classes: int = 11,
        n_timesteps: int = 20,
        attention: str = "none",
        input_size: tuple[int, int] = (128, 128),
        input_channels: int = 2,
        widths: Widths = (64, 128, 128, 128, 128),
        hidden: int = 512,
        votes: int = 10,
        v_threshold: float = 1.0,
        tau: float = 2.0,
        reduction: int = 1,
        mask: str = "per-sample",
        surrogate_gradient: str = "arctan",
        pooling: str = "average",
    ) -> None:
        super().__init__(
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            attention=attention,
            input_size=input_size,
            input_channels=input_channels,
            widths=widths,
            hidden=hidden,
            votes=votes,
            v_threshold=v_threshold,
            tau=tau,
            reduction=reduction,
            mask=mask,
            surrogate_gradient=surrogate_gradient,
            pooling=pooling,
        )
