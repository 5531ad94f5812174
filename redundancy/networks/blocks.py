"""Building blocks of the event networks: neuron, convolutional and linear layer."""

from __future__ import annotations

from typing import cast

from spikingjelly.activation_based import layer, neuron, surrogate
from torch import Tensor, nn

SURROGATES = {
    # The paper's: a rectangle of half-width 0.25 and area 1. Neurons that are driven
    # out of it no longer learn, so it wants small learning rates.
    "rectangle": lambda: surrogate.Rect(alpha=2.0),
    # Reaches everywhere; trains in fewer epochs.
    "arctan": lambda: surrogate.ATan(alpha=2.0),
}


def spiking_neuron(v_threshold: float, decay: float, gradient: str) -> nn.Module:
    """Return the paper's LIF neuron: hard reset to 0, undecayed input.

    Parameters
    ----------
    v_threshold : float
    decay : float
        Share of the potential that survives a timestep, beta of eq. 4.
    gradient : str
        A key of ``SURROGATES``.
    """
    return cast(
        nn.Module,
        neuron.LIFNode(
            tau=1.0 / (1.0 - decay),
            decay_input=False,
            v_threshold=v_threshold,
            v_reset=0.0,
            surrogate_function=SURROGATES[gradient](),
            step_mode="m",
        ),
    )


def leaky_neuron(tau: float, v_threshold: float, gradient: str, *, learned: bool) -> nn.Module:
    """Return SpikingJelly's own (parametric) LIF neuron: hard reset to 0, decayed input.

    Parameters
    ----------
    tau : float
        Membrane time constant, in timesteps; its start if it is learned.
    v_threshold : float
    gradient : str
        A key of ``SURROGATES``.
    learned : bool
        Whether the time constant, one a layer, is a parameter (PLIF).
    """
    arguments = {
        "v_threshold": v_threshold,
        "v_reset": 0.0,
        "surrogate_function": SURROGATES[gradient](),
        "step_mode": "m",
    }
    if learned:
        return cast(nn.Module, neuron.ParametricLIFNode(init_tau=tau, **arguments))
    return cast(nn.Module, neuron.LIFNode(tau=tau, **arguments))


def integrating_neuron(v_threshold: float, gradient: str) -> nn.Module:
    """Return SpikingJelly's IF neuron: hard reset to 0, no decay; arguments as above."""
    return cast(
        nn.Module,
        neuron.IFNode(
            v_threshold=v_threshold,
            v_reset=0.0,
            surrogate_function=SURROGATES[gradient](),
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
    bias : bool, default True
        Whether the convolution has one.
    dropout : float, default 0.0
        In training, the probability of a zero in the input, and once more in the
        spikes; which spikes, is the same at all timesteps.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        pool: bool,
        attention: nn.Module | None,
        spiking_neuron: nn.Module,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_in, self.drop_out = _dropouts(dropout)
        self.conv = layer.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias, step_mode="m")
        self.bn = layer.BatchNorm2d(out_channels, step_mode="m")
        self.pool = layer.AvgPool2d(2, step_mode="m") if pool else None
        self.attention = attention
        self.neuron = spiking_neuron

    def forward(self, x: Tensor) -> Tensor:
        """Map (time, sample, channel, y, x) to the spikes of this layer."""
        x = self.bn(self.conv(self.drop_in(x)))
        if self.pool is not None:
            x = self.pool(x)
        if self.attention is not None:
            x = self.attention(x)
        return cast(Tensor, self.drop_out(self.neuron(x)))


class LinearBlock(nn.Module):
    """Fully connected layer and spiking neuron; `dropout` as in `ConvolutionalBlock`."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        spiking_neuron: nn.Module,
        *,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.drop_in, self.drop_out = _dropouts(dropout)
        self.linear = layer.Linear(in_features, out_features, step_mode="m")
        self.neuron = spiking_neuron

    def forward(self, x: Tensor) -> Tensor:
        """Map (time, sample, feature) to the spikes of this layer."""
        return cast(Tensor, self.drop_out(self.neuron(self.linear(self.drop_in(x)))))


def _dropouts(p: float) -> tuple[nn.Module, nn.Module]:
    """Return what drops a layer's input and what drops its spikes."""
    if p == 0.0:
        return nn.Identity(), nn.Identity()
    return nn.Dropout(p), layer.Dropout(p, step_mode="m")
