"""SEW-ResNet-18 (Res-SNN-18) of "Inherent Redundancy in Spiking Neural Networks"."""

from __future__ import annotations

from typing import cast

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from redundancy.networks.asa import MASKS
from redundancy.networks.attention import ATTENTIONS, build_attention
from redundancy.networks.blocks import SURROGATES, integrating_neuron, leaky_neuron
from redundancy.networks.checks import check_choice, check_positive, check_tau

NAME = "sew-resnet-18"
NEURONS = ("lif", "if", "plif")


class _Firing:
    """What all neurons of a network share; makes one on each call."""

    def __init__(self, kind: str, tau: float, v_threshold: float, gradient: str) -> None:
        self._kind = kind
        self._arguments = (tau, v_threshold, gradient)

    def __call__(self) -> nn.Module:
        if self._kind == "if":
            return integrating_neuron(*self._arguments[1:])
        return leaky_neuron(*self._arguments, learned=self._kind == "plif")


def _conv(before: int, after: int, size: int, stride: int) -> nn.Module:
    convolution = layer.Conv2d(
        before, after, size, stride=stride, padding=size // 2, bias=False, step_mode="m"
    )
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    return cast(nn.Module, convolution)


class SEWBlock(nn.Module):
    """Spike-element-wise residual block with ADD: what it was given plus what it fires.

    Fang et al., "Deep Residual Learning in Spiking Neural Networks", NeurIPS 2021. Its
    modules are called as in SpikingJelly's model, whose weights fit.

    Parameters
    ----------
    before, after : int
        Channels.
    stride : int
        With another than 1, or other channels, the shortcut is a convolution that fires.
    attention : nn.Module or None
        Weighs the input current of the block's last neuron.
    fire : callable
        Makes a neuron.
    """

    def __init__(
        self, before: int, after: int, stride: int, attention: nn.Module | None, fire: _Firing
    ) -> None:
        super().__init__()
        self.conv1 = _conv(before, after, 3, stride)
        self.bn1 = layer.BatchNorm2d(after, step_mode="m")
        self.sn1 = fire()
        self.conv2 = _conv(after, after, 3, 1)
        self.bn2 = layer.BatchNorm2d(after, step_mode="m")
        self.attention = attention
        self.sn2 = fire()
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(
                _conv(before, after, 1, stride), layer.BatchNorm2d(after, step_mode="m")
            )
            self.downsample_sn = fire()

    def forward(self, x: Tensor) -> Tensor:
        """Map (time, sample, channel, y, x) to sums of spikes, which can exceed 1."""
        current = self.bn2(self.conv2(self.sn1(self.bn1(self.conv1(x)))))
        if self.attention is not None:
            current = self.attention(current)
        shortcut = x if self.downsample is None else self.downsample_sn(self.downsample(x))
        return cast(Tensor, shortcut + self.sn2(current))


class SEWResNet18(nn.Module):
    """SEW-ResNet-18 for event frames: residual blocks whose spikes are added up.

    A 7 x 7 convolution of stride 2, maximum pooling, four stages of two blocks, the mean
    over space and a fully connected layer; its output is the mean over time. With 300
    classes it has 11,327,276 parameters, and 408 more with ASA-1 at T = 8.
    SpikingJelly's `sew_resnet18` is the same network, but for images of three channels
    and in a module that needs torchvision. Neither the paper nor its code says which
    neuron it took; this is SpikingJelly's LIF neuron with its defaults.

    Parameters
    ----------
    n_classes : int, default 300
    n_timesteps : int, default 8
        T; only attention depends on it.
    attention : {"none", "asa-1", "asa-2", "sa", "tcsa"}, default "none"
        Once a stage: in its last block, before the last neuron.
    input_size : tuple of int, default (260, 346)
        Height and width of the input frames; the weights fit any.
    input_channels : int, default 2
    widths : tuple of four int, default (64, 128, 256, 512)
        Channels of the stages.
    v_threshold : float, default 1.0
    tau : float, default 2.0
        Membrane time constant in timesteps; greater than 1.
    reduction : int, default 1
        r of ASA-1.
    mask : {"per-sample", "batch-union", "straight-through"}, default "per-sample"
        Of ASA-1 and ASA-2; see :class:`redundancy.networks.asa.AdvanceSpatialAttention`.
    surrogate_gradient : {"rectangle", "arctan"}, default "arctan"
        Stands in for the derivative of a spike in training; no effect afterwards.
    neuron : {"lif", "if", "plif"}, default "lif"
        IF neurons have no time constant, PLIF neurons learn theirs from `tau` on.

    Notes
    -----
    Neurons fire 0 or 1, but with ADD a convolution is given sums of spikes, integers
    from 0 upwards: its operations are multiplications, not additions.
    """

    def __init__(
        self,
        *,
        n_classes: int = 300,
        n_timesteps: int = 8,
        attention: str = "none",
        input_size: tuple[int, int] = (260, 346),
        input_channels: int = 2,
        widths: tuple[int, int, int, int] = (64, 128, 256, 512),
        v_threshold: float = 1.0,
        tau: float = 2.0,
        reduction: int = 1,
        mask: str = "per-sample",
        surrogate_gradient: str = "arctan",
        neuron: str = "lif",
    ) -> None:
        super().__init__()
        check_choice(NAME, "neuron", neuron, NEURONS)
        check_choice(NAME, "attention", attention, ATTENTIONS)
        check_choice(NAME, "mask", mask, MASKS)
        check_choice(NAME, "surrogate_gradient", surrogate_gradient, SURROGATES)
        check_positive(
            NAME,
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_size=min(input_size),
            input_channels=input_channels,
            widths=min(widths),
            v_threshold=v_threshold,
        )
        check_tau(NAME, tau)
        fire = _Firing(neuron, tau, v_threshold, surrogate_gradient)
        self.conv1 = _conv(input_channels, widths[0], 7, 2)
        self.bn1 = layer.BatchNorm2d(widths[0], step_mode="m")
        self.sn1 = fire()
        self.maxpool = layer.MaxPool2d(3, stride=2, padding=1, step_mode="m")
        before = widths[0]
        for stage, width in enumerate(widths):
            attend = build_attention(
                attention,
                n_timesteps=n_timesteps,
                n_channels=width,
                reduction=reduction,
                mask=mask,
            )
            first = SEWBlock(before, width, 1 if stage == 0 else 2, None, fire)
            second = SEWBlock(width, width, 1, attend, fire)
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, second))
            before = width
        self.avgpool = layer.AdaptiveAvgPool2d((1, 1), step_mode="m")
        self.fc = layer.Linear(before, n_classes, step_mode="m")

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean output over time.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)

        Returns
        -------
        Tensor, shape (sample, class)
        """
        x = self.maxpool(self.sn1(self.bn1(self.conv1(x))))
        for name, module in self.named_children():
            if name.startswith("layer"):
                x = module(x)
        return cast(Tensor, self.fc(self.avgpool(x).flatten(2)).mean(0))
