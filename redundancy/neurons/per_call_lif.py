"""The neuron of "Gated Attention Coding", which keeps its potential within one call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from redundancy.neurons.base import NEURON_ADAPTERS, NeuronDescription

if TYPE_CHECKING:
    from torch import Tensor, nn


@NEURON_ADAPTERS.register("redundancy.networks.per_call_lif.PerCallLIF")
class PerCallLIFAdapter:
    """U = decay V + X with V = 0 at the start of every call; fires at U > V_th."""

    def describe(self, module: nn.Module) -> NeuronDescription:
        """Return how `module` fires and resets, as it is set now."""
        neuron = cast(Any, module)
        return NeuronDescription(
            neuron_type=type(module).__name__,
            framework="redundancy",
            v_threshold=float(neuron.v_threshold),
            v_reset=0.0,
            fires_at=">",
            has_time_axis=True,
            time_axis=int(neuron.time_axis),
        )

    def potential(self, module: nn.Module) -> Tensor | float:
        """Return 0, the potential before every call; what a call ends in is dropped."""
        return 0.0

    def reset(self, module: nn.Module) -> None:
        """Do nothing: every call begins anew."""

    def replay(
        self, module: nn.Module, currents: Tensor, potential: Tensor | float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Repeat a call; see :meth:`redundancy.neurons.base.NeuronAdapter.replay`."""
        neuron = cast(Any, module)
        for current in currents:
            charged = potential * neuron.decay + current
            spikes = (charged > neuron.v_threshold).to(charged.dtype)
            rest = (1.0 - spikes) * charged
            yield charged, spikes, rest
            potential = rest
