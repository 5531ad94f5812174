"""The MS-ResNet-18 for CIFAR of "Gated Attention Coding"."""

from __future__ import annotations

from redundancy.networks.checks import check_positive
from redundancy.networks.ms_resnet import MSResNet, Shape
from redundancy.networks.per_call_lif import PerCallLIF

_SHAPE = Shape(
    stem_kernel=3,
    stem_stride=1,
    blocks=(3, 3, 2),
    strides=(1, 2, 2),
    one_neuron=True,
    samples_first=True,
)


class GACMSResNet18CIFAR(MSResNet):
    """MS-ResNet-18 for CIFAR with GAC's encoder; its output is the mean score over time.

    12,633,198 parameters with 10 classes and T = 6, 12,679,368 with 100. One neuron
    serves both convolutions of a block: its second call is the layer ``NAME@1``.
    Qiu et al., AAAI 2024.

    Parameters
    ----------
    n_classes : int, default 10
    n_timesteps : int, default 6
        T; only the encoder's weights depend on it.
    encoder : bool, default True
        Whether GAC's encoder stands between the stem and the first block.
    input_size : tuple of int, default (32, 32)
        Height and width of the images; no weight depends on it.
    input_channels : int, default 3
    widths : tuple of int, default (64, 128, 256, 512)
        Channels of the stem and of the three stages.
    gate_kernel : int, default 4
        Kernel of the encoder's two convolutions.
    v_threshold : float, default 1.0
    decay : float, default 0.5
        Share of the potential that survives a timestep.
    """

    def __init__(
        self,
        *,
        n_classes: int = 10,
        n_timesteps: int = 6,
        encoder: bool = True,
        input_size: tuple[int, int] = (32, 32),
        input_channels: int = 3,
        widths: tuple[int, int, int, int] = (64, 128, 256, 512),
        gate_kernel: int = 4,
        v_threshold: float = 1.0,
        decay: float = 0.5,
    ) -> None:
        check_positive(
            "gac-ms-resnet-18-cifar",
            input_size=min(input_size),
            widths=min(widths),
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
        )

        def make_neuron() -> PerCallLIF:
            return PerCallLIF(v_threshold, decay, time_axis=int(_SHAPE.samples_first))

        super().__init__(
            _SHAPE,
            widths,
            make_neuron,
            n_classes=n_classes,
            n_timesteps=n_timesteps,
            input_channels=input_channels,
            encoder=encoder,
            gate_kernel=gate_kernel,
        )
