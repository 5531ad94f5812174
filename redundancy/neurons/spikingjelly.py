"""SpikingJelly 2.x: IFNode, LIFNode and ParametricLIFNode, exactly.

A neuron's ``v`` after a call, and its ``v_seq``, are taken after the reset: the
potential that crossed the threshold is never stored. So the call is repeated from
its input and the potential before it, with SpikingJelly's own order of operations,
which gives the pre-fire potential to the bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from redundancy.neurons.base import NEURON_ADAPTERS, NeuronDescription, thresholds_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    Charge = Callable[[Tensor, Tensor], Tensor]

_NEURON = "spikingjelly.activation_based.neuron"


class _SpikingJellyNode(ABC):
    """What the three neurons share: they differ in how they charge."""

    def describe(self, module: nn.Module) -> NeuronDescription:
        node = cast(Any, module)
        return NeuronDescription(
            neuron_type=type(module).__name__,
            framework="spikingjelly",
            v_threshold=thresholds_of(node.v_threshold),
            v_reset=None if node.v_reset is None else float(node.v_reset),
            fires_at=">=",
            has_time_axis=node.step_mode == "m",
        )

    def potential(self, module: nn.Module) -> Tensor | float:
        return cast("Tensor | float", module.v)

    def reset(self, module: nn.Module) -> None:
        cast(Any, module).reset()

    def replay(
        self, module: nn.Module, currents: Tensor, potential: Tensor | float
    ) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        node = cast(Any, module)
        # SpikingJelly's own rule turns the carried number or tensor into the state.
        carried: Tensor = node.materialize_states((currents,), (potential,), "m")[0]
        charge = self._charge(node, carried)
        for current in currents:
            charged = charge(current, carried)
            spikes = (charged >= node.v_threshold).to(charged.dtype)
            if node.v_reset is None:
                carried = charged - spikes * node.v_threshold
            else:
                # Products, as SpikingJelly does it, are 5 times faster than masked_fill.
                carried = (1.0 - spikes) * charged
                if node.v_reset:
                    carried = spikes * node.v_reset + carried
            yield charged, spikes, carried

    @abstractmethod
    def _charge(self, node: Any, state: Tensor) -> Charge:
        """Return how a current and a potential like `state` make the next potential."""

    @staticmethod
    def _above_reset(node: Any, carried: Tensor) -> Tensor:
        # Subtracting zero changes no bit and costs a pass over memory.
        return carried - node.v_reset if node.v_reset else carried


@NEURON_ADAPTERS.register(f"{_NEURON}.integrate_and_fire.IFNode")
class IFNodeAdapter(_SpikingJellyNode):
    """U = V + X."""

    def _charge(self, node: Any, state: Tensor) -> Charge:
        return lambda current, carried: carried + current


@NEURON_ADAPTERS.register(f"{_NEURON}.lif.LIFNode")
class LIFNodeAdapter(_SpikingJellyNode):
    """U = V + (X - (V - V_reset)) / tau, or V - (V - V_reset) / tau + X."""

    def _charge(self, node: Any, state: Tensor) -> Charge:
        import torch

        tau: Any = node.tau
        if state.device.type != "cpu":
            # CUDA multiplies with the inverse of a number; SpikingJelly's kernels divide,
            # and so it does by a tensor.
            tau = torch.tensor(node.tau, dtype=state.dtype, device=state.device)
        if node.decay_input:
            return lambda current, carried: (
                carried + (current - self._above_reset(node, carried)) / tau
            )
        return lambda current, carried: carried - self._above_reset(node, carried) / tau + current


@NEURON_ADAPTERS.register(f"{_NEURON}.plif.ParametricLIFNode")
class ParametricLIFNodeAdapter(_SpikingJellyNode):
    """As LIFNode, with the trained sigmoid(w) in place of 1 / tau."""

    def _charge(self, node: Any, state: Tensor) -> Charge:
        rate = node.w.sigmoid()
        if node.decay_input:
            return lambda current, carried: (
                carried + (current - self._above_reset(node, carried)) * rate
            )
        return lambda current, carried: carried - self._above_reset(node, carried) * rate + current
