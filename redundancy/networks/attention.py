"""Attention modules by name, as the event networks take them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from spikingjelly.activation_based import layer
from torch import Tensor, nn

from redundancy.errors import UsageError
from redundancy.networks.asa import ASA1, ASA2

ATTENTIONS = ("none", "asa-1", "asa-2", "sa", "tcsa")


class _MultiDimensional(nn.Module):
    """SpikingJelly's attention along time, channels and space, checked for its input.

    What each attention weighs goes on to the next, in this order; a ReLU follows the
    last. Equations of Yao et al., "Attention Spiking Neural Networks", TPAMI 2023.
    """

    name = ""

    def __init__(
        self,
        n_timesteps: int,
        n_channels: int,
        *,
        along_time: bool,
        along_channels: bool,
        reduction: int = 1,
        kernel_size: int = 7,
    ) -> None:
        super().__init__()
        if kernel_size not in (3, 7):
            raise UsageError(f"{self.name}'s kernel_size must be 3 or 7, got {kernel_size}")
        if reduction < 1:
            raise UsageError(f"{self.name}'s reduction must be at least 1, got {reduction}")
        self.n_timesteps = n_timesteps
        self.n_channels = n_channels
        self.weighing = layer.MultiDimensionalAttention(
            n_timesteps,
            n_channels,
            # So that a hidden layer always has a unit.
            reduction_t=min(reduction, n_timesteps),
            reduction_c=min(reduction, n_channels),
            kernel_size=kernel_size,
            use_temporal=along_time,
            use_channel=along_channels,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Weigh input currents (time, sample, channel, y, x); what is negative becomes 0."""
        if x.dim() != 5 or (x.shape[0], x.shape[2]) != (self.n_timesteps, self.n_channels):
            raise UsageError(
                f"{self.name} was built for {self.n_timesteps} timesteps, {self.n_channels} "
                f"channels and maps of shape (time, sample, channel, y, x), got {tuple(x.shape)}"
            )
        return cast(Tensor, self.weighing(x))


class SA(_MultiDimensional):
    """SA: one attention map in space, shared by all timesteps and channels, then ReLU.

    A 7 x 7 convolution over mean and maximum of all features: 98 parameters a layer,
    +294 for the paper's three.

    Parameters
    ----------
    n_timesteps, n_channels : int
        Of its input.
    kernel_size : {3, 7}, default 7
    """

    name = "SA"

    def __init__(self, n_timesteps: int, n_channels: int, *, kernel_size: int = 7) -> None:
        super().__init__(
            n_timesteps,
            n_channels,
            along_time=False,
            along_channels=False,
            kernel_size=kernel_size,
        )


class TCSA(_MultiDimensional):
    """TCSA: attention along time, then channels, then in space, then ReLU.

    With the defaults (hidden layers of a quarter of the timesteps and of the channels,
    a 7 x 7 convolution) a layer has 2 T (T // 4) + 2 C (C // 4) + 98 parameters: for
    64, 128 and 128 channels at T = 60 together the paper's +24,126.

    Parameters
    ----------
    n_timesteps, n_channels : int
        Of its input.
    reduction : int, default 4
        Timesteps, and channels, per unit of the hidden layers; at most as many as
        there are.
    kernel_size : {3, 7}, default 7
    """

    name = "TCSA"

    def __init__(
        self, n_timesteps: int, n_channels: int, *, reduction: int = 4, kernel_size: int = 7
    ) -> None:
        super().__init__(
            n_timesteps,
            n_channels,
            along_time=True,
            along_channels=True,
            reduction=reduction,
            kernel_size=kernel_size,
        )


def build_attention(
    name: str, *, n_timesteps: int, n_channels: int, reduction: int = 1, mask: str = "per-sample"
) -> nn.Module | None:
    """Build the attention module of one layer.

    Parameters
    ----------
    name : str
        One of ``ATTENTIONS``.
    n_timesteps, n_channels : int
        Of the layer's input currents.
    reduction : int, default 1
        r of ASA-1; no other has one.
    mask : str, default "per-sample"
        Of ASA-1 and ASA-2; see :class:`redundancy.networks.asa.AdvanceSpatialAttention`.

    Returns
    -------
    nn.Module or None
        None for ``"none"``.

    Raises
    ------
    UsageError
        If there is no such attention or mask, or the reduction does not fit.
    """
    builders: dict[str, Callable[[], nn.Module | None]] = {
        "none": lambda: None,
        "asa-1": lambda: ASA1(n_timesteps, reduction=reduction, mask=mask),
        "asa-2": lambda: ASA2(n_timesteps, mask=mask),
        "sa": lambda: SA(n_timesteps, n_channels),
        "tcsa": lambda: TCSA(n_timesteps, n_channels),
    }
    if name not in builders:
        raise UsageError(f"attention must be one of {', '.join(ATTENTIONS)}, got {name!r}")
    return builders[name]()
