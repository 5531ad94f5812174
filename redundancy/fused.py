"""Which neurons a fused sweep can stand in for, and with which parameters.

SpikingJelly's IF, LIF and parametric LIF, multi-step, in float32 on the CPU. Everything
else is read in the general way.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

from redundancy.neurons import (
    IFNodeAdapter,
    LIFNodeAdapter,
    NeuronAdapter,
    ParametricLIFNodeAdapter,
)
from redundancy.stats.sweep import NeuronParameters

if TYPE_CHECKING:
    from torch import Tensor, nn

_METHODS = (
    "forward", "multi_step_forward", "single_step_forward", "multi_step_functional_forward",
    "single_step_functional_forward", "materialize_states",
)  # fmt: skip
_SURROGATES = "spikingjelly.activation_based.surrogate"
# As the kernels number them.
_IF, _LIF, _LIF_UNDECAYED, _PLIF, _PLIF_UNDECAYED = range(5)


def fusable(module: nn.Module, adapter: NeuronAdapter) -> NeuronParameters | None:
    """Return the parameters of a neuron that a fused sweep can stand in for, else None.

    They are read anew for every call: whoever changes a threshold means it. A class or a
    module of which anything that matters was replaced is none of SpikingJelly's any more.
    """
    node = cast(Any, module)
    surrogate = getattr(node, "surrogate_function", None)
    is_plain = (
        isinstance(adapter, IFNodeAdapter | LIFNodeAdapter | ParametricLIFNodeAdapter)
        and node.step_mode == "m"
        and not node.store_v_seq
        and getattr(node, "_neuron_precision", None) is None
        and isinstance(node.v_threshold, float)
        and (node.v_reset is None or isinstance(node.v_reset, float))
        and type(surrogate).__module__ == _SURROGATES
        and bool(getattr(surrogate, "spiking", False))
        and _is_untouched(module, surrogate)
    )
    if not is_plain:
        return None
    charging = _charging(node, adapter)
    if charging is None:
        return None
    return NeuronParameters(*charging, node.v_threshold, node.v_reset)


def _is_untouched(module: nn.Module, surrogate: Any) -> bool:
    """Tell whether a neuron runs SpikingJelly's own code, its fused stand-in left aside."""
    kind = type(module)
    own = vars(module)
    for name in _METHODS:
        if name in own and not (name == "forward" and isinstance(own[name], StandIn)):
            return False
        function = getattr(kind, name, None)
        if function is not None and not function.__module__.startswith("spikingjelly."):
            return False
    function = type(surrogate).forward
    return "forward" not in vars(surrogate) and function.__module__.startswith("spikingjelly.")


class StandIn(functools.partial[Any]):
    """A forward function of ours in the place of a module's own."""


def is_watched(module: nn.Module) -> bool:
    """Tell whether somebody listens to a neuron's calls, or to those of its surrogate."""
    import torch

    everywhere = torch.nn.modules.module
    return any(
        getattr(everywhere, hooks)
        for hooks in ("_global_forward_hooks", "_global_forward_pre_hooks")
    ) or any(
        bool(getattr(each, hooks, None))
        for each in module.modules()
        for hooks in ("_forward_hooks", "_forward_pre_hooks")
    )


def _charging(node: Any, adapter: NeuronAdapter) -> tuple[int, float] | None:
    """Return the kind of a neuron and its rate."""
    import torch

    if isinstance(adapter, IFNodeAdapter):
        return _IF, 1.0
    if isinstance(adapter, LIFNodeAdapter):
        if not isinstance(node.tau, float):
            return None
        return (_LIF if node.decay_input else _LIF_UNDECAYED), node.tau
    if node.w.dim() != 0 or node.w.dtype != torch.float32 or node.w.device.type != "cpu":
        return None
    rate = float(node.w.detach().sigmoid())
    return (_PLIF if node.decay_input else _PLIF_UNDECAYED), rate


def takes(currents: Tensor) -> bool:
    """Tell whether the input of a call is what the fused sweep reads."""
    import torch

    return (
        isinstance(currents, torch.Tensor)
        and currents.dtype == torch.float32
        and currents.device.type == "cpu"
        and currents.dim() in (3, 5)
        and currents.numel() > 0
    )


def carried_before(module: nn.Module, currents: Tensor, potential: Tensor | float) -> Tensor | None:
    """Return a copy of the potential a neuron brings to a call as a state; None if it is odd."""
    import torch

    node = cast(Any, module)
    state: Any = node.materialize_states((currents,), (potential,), "m")[0]
    if state.dtype != torch.float32 or state.shape != currents.shape[1:]:
        return None
    return cast("Tensor", state.detach().clone(memory_format=torch.contiguous_format))
