"""The MS-ResNets for ImageNet of "Gated Attention Coding"."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from redundancy.networks.checks import check_positive
from redundancy.networks.ms_resnet import MembraneShortcutBlock, MSResNet, Shape
from redundancy.networks.per_call_lif import PerCallLIF


class GACMSResNet18(MSResNet):
    """MS-ResNet-18 for ImageNet with GAC's encoder; its output is the mean score over time.

    11,824,824 parameters with 1000 classes and T = 4. Qiu et al., AAAI 2024.

    Parameters
    ----------
    n_classes : int, default 1000
    n_timesteps : int, default 4
        T; only the encoder's weights depend on it.
    encoder : bool, default True
        Whether GAC's encoder stands between the stem and the first block.
    input_size : tuple of int, default (224, 224)
        Height and width of the images; no weight depends on it.
    input_channels : int, default 3
    widths : tuple of int, default (64, 64, 128, 256, 512)
        Channels of the stem and of the four stages.
    gate_kernel : int, default 4
        Kernel of the encoder's two convolutions.
    v_threshold : float, default 0.5
    decay : float, default 0.25
        Share of the potential that survives a timestep.
    """

    registered_name: ClassVar[str] = "gac-ms-resnet-18"
    blocks: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)

    def __init__(
        self,
        *,
        n_classes: int = 1000,
        n_timesteps: int = 4,
        encoder: bool = True,
        input_size: tuple[int, int] = (224, 224),
        input_channels: int = 3,
        widths: tuple[int, int, int, int, int] = (64, 64, 128, 256, 512),
        gate_kernel: int = 4,
        v_threshold: float = 0.5,
        decay: float = 0.25,
    ) -> None:
        check_positive(
            self.registered_name,
            input_size=min(input_size),
            widths=min(widths),
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
        )

        def make_neuron() -> PerCallLIF:
            return PerCallLIF(v_threshold, decay, surrogate_gradient="rectangle", detach_reset=True)

        super().__init__(
            Shape(
                stem_kernel=7,
                stem_stride=2,
                blocks=self.blocks,
                strides=(2, 2, 2, 2),
                one_neuron=False,
                samples_first=False,
            ),
            widths,
            make_neuron,
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
            encoder=encoder,
            gate_kernel=gate_kernel,
        )
        self._initialise(v_threshold)

    def _initialise(self, v_threshold: float) -> None:
        """Start as the published training does: every block as its shortcut alone."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, v_threshold)
        for module in self.modules():
            if isinstance(module, MembraneShortcutBlock):
                nn.init.zeros_(module.bn2.weight)


class GACMSResNet34(GACMSResNet18):
    """MS-ResNet-34 for ImageNet with GAC's encoder; its output is the mean score over time.

    21,932,984 parameters with 1000 classes and T = 4; its arguments are those of
    ``gac-ms-resnet-18``.
    """

    registered_name: ClassVar[str] = "gac-ms-resnet-34"
    blocks: ClassVar[tuple[int, int, int, int]] = (3, 4, 6, 3)
