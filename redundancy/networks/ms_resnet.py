"""MS-ResNets, with membrane shortcuts, and GAC's encoder at their entrance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from redundancy.networks.gac import GatedAttention, GatedEncoder, apply_over_time
from redundancy.networks.per_call_lif import PerCallLIF

MakeNeuron = Callable[[], PerCallLIF]


class MembraneShortcutBlock(nn.Module):
    """Two spiking convolutions whose sum of currents joins the currents that came in.

    Parameters
    ----------
    in_channels, out_channels, stride : int
    make_neuron : callable
    one_neuron : bool
        Whether both convolutions are fed by one neuron, called twice.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        make_neuron: MakeNeuron,
        one_neuron: bool,
    ) -> None:
        super().__init__()
        self.neuron = make_neuron()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.second_neuron = self.neuron if one_neuron else make_neuron()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut: nn.Sequential | None = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False),
                nn.BatchNorm2d(out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map input currents to currents; the two leading axes are time and sample."""
        first = apply_over_time(self.bn1, apply_over_time(self.conv1, self.neuron(x)))
        second = apply_over_time(self.bn2, apply_over_time(self.conv2, self.second_neuron(first)))
        return second + (x if self.shortcut is None else apply_over_time(self.shortcut, x))


@dataclass(frozen=True)
class Shape:
    """What the published MS-ResNets differ in.

    Attributes
    ----------
    stem_kernel, stem_stride : int
        Of the first convolution.
    blocks, strides : tuple of int
        Blocks of every stage, and the stride of its first one.
    one_neuron : bool
        Whether a block has one neuron that is called twice.
    samples_first : bool
        Whether currents are (sample, time, ...) inside.
    """

    stem_kernel: int
    stem_stride: int
    blocks: tuple[int, ...]
    strides: tuple[int, ...]
    one_neuron: bool
    samples_first: bool


class MSResNet(nn.Module):
    """Stem, optionally GAC's encoder, stages of membrane shortcut blocks, classifier.

    Parameters
    ----------
    shape : Shape
    widths : sequence of int
        Channels of the stem and of every stage.
    make_neuron : callable
    n_classes, n_timesteps, input_channels : int
    encoder : bool
    gate_kernel : int
        Kernel of the encoder's convolutions.
    """

    def __init__(
        self,
        shape: Shape,
        widths: Sequence[int],
        make_neuron: MakeNeuron,
        *,
        n_classes: int,
        n_timesteps: int,
        input_channels: int,
        encoder: bool,
        gate_kernel: int,
    ) -> None:
        super().__init__()
        self._samples_first = shape.samples_first
        self.conv1 = nn.Conv2d(
            input_channels,
            widths[0],
            shape.stem_kernel,
            shape.stem_stride,
            shape.stem_kernel // 2,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(widths[0])
        # The published network for CIFAR has one object for this and the encoder's neuron. They
        # carry nothing from one to the other, and as two the last layer has one name with and
        # without the encoder.
        self.neuron = make_neuron()
        self.encoder: GatedEncoder | None = None
        if encoder:
            gate = GatedAttention(
                n_timesteps,
                widths[0],
                kernel_size=gate_kernel,
                time_axis=int(shape.samples_first),
            )
            self.encoder = GatedEncoder(gate, make_neuron())
        stages = zip(itertools.pairwise(widths), shape.blocks, shape.strides, strict=True)
        for number, ((before, after), n_blocks, stride) in enumerate(stages, 1):
            blocks = [
                MembraneShortcutBlock(
                    before if index == 0 else after,
                    after,
                    stride if index == 0 else 1,
                    make_neuron=make_neuron,
                    one_neuron=shape.one_neuron,
                )
                for index in range(n_blocks)
            ]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self._stages = [f"layer{number + 1}" for number in range(len(shape.blocks))]
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1], n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of every class, averaged over time.

        Parameters
        ----------
        x : Tensor, shape (time, sample, channel, y, x)
            For a static image, the same at every timestep.

        Returns
        -------
        Tensor, shape (sample, class)
        """
        if self._samples_first:
            x = x.transpose(0, 1)
        x = apply_over_time(self.bn1, apply_over_time(self.conv1, x))
        if self.encoder is not None:
            x = self.encoder(x)
        for stage in self._stages:
            x = self.get_submodule(stage)(x)
        x = apply_over_time(self.pool, self.neuron(x)).flatten(2)
        scores = cast(Tensor, self.fc(x))
        return scores.mean(1 if self._samples_first else 0)
