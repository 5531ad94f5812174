"""The networks the project builds by name."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from redundancy.arguments import convert_arguments, signature_defaults
from redundancy.errors import UsageError
from redundancy.limits import VARIABLE, memory_limit
from redundancy.registry import Registry

if TYPE_CHECKING:
    from torch import nn

NETWORKS: Registry[Callable[[], type[nn.Module]]] = Registry("network")


@NETWORKS.register("lif-snn-3")
def _lif_snn_3() -> type[nn.Module]:
    from redundancy.networks.lif_snn_3 import LIFSNN3

    return LIFSNN3


@NETWORKS.register("plif-snn-5")
def _plif_snn_5() -> type[nn.Module]:
    from redundancy.networks.snn_5 import PLIFSNN5

    return PLIFSNN5


@NETWORKS.register("lif-snn-5")
def _lif_snn_5() -> type[nn.Module]:
    from redundancy.networks.snn_5 import LIFSNN5

    return LIFSNN5


@NETWORKS.register("sew-resnet-18")
def _sew_resnet_18() -> type[nn.Module]:
    from redundancy.networks.sew_resnet import SEWResNet18

    return SEWResNet18


@NETWORKS.register("gac-ms-resnet-18-cifar")
def _gac_ms_resnet_18_cifar() -> type[nn.Module]:
    from redundancy.networks.ms_resnet_cifar import GACMSResNet18CIFAR

    return GACMSResNet18CIFAR


@NETWORKS.register("gac-ms-resnet-18")
def _gac_ms_resnet_18() -> type[nn.Module]:
    from redundancy.networks.ms_resnet_imagenet import GACMSResNet18

    return GACMSResNet18


@NETWORKS.register("gac-ms-resnet-34")
def _gac_ms_resnet_34() -> type[nn.Module]:
    from redundancy.networks.ms_resnet_imagenet import GACMSResNet34

    return GACMSResNet34


def network_arguments(name: str) -> dict[str, Any]:
    """Return every argument of the network called `name` with its default."""
    return signature_defaults(NETWORKS.get(name)())


def argument_choices(name: str) -> dict[str, tuple[str, ...]]:
    """Return what may be given for those arguments that are one of a few words."""
    from redundancy.networks.asa import MASKS
    from redundancy.networks.attention import ATTENTIONS
    from redundancy.networks.blocks import SURROGATES
    from redundancy.networks.sew_resnet import NEURONS
    from redundancy.networks.snn_5 import POOLINGS

    choices = {
        "attention": ATTENTIONS,
        "mask": MASKS,
        "surrogate_gradient": tuple(SURROGATES),
        "neuron": NEURONS,
        "pooling": tuple(POOLINGS),
    }
    return {key: choices[key] for key in network_arguments(name) if key in choices}


def idle_arguments(name: str, arguments: Mapping[str, Any]) -> set[str]:
    """Return those arguments that change nothing of what the trained network computes."""
    attention = arguments.get("attention", "none")
    idle = {
        "surrogate_gradient": True,
        "dropout": True,
        "n_timesteps": attention == "none" and not arguments.get("encoder"),
        "mask": not str(attention).startswith("asa-"),
        "reduction": attention != "asa-1",
        "tau": name == "plif-snn-5" or arguments.get("neuron") in ("if", "plif"),
        "gate_kernel": not arguments.get("encoder"),
    }
    return {key for key in arguments if idle.get(key, False)}


def complete_arguments(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return `arguments` with the network's defaults filled in and strings converted.

    Raises
    ------
    UsageError
        For a network, an argument or a value that is not known; the message lists
        what is.
    """
    return convert_arguments(f"network {name}", network_arguments(name), arguments)


def build_network(name: str, **arguments: Any) -> nn.Module:
    """Build a network by name, with fresh weights, in training mode.

    Parameters
    ----------
    name : str
        One of ``list(NETWORKS)``.
    **arguments
        The builder's own arguments (``network_arguments(name)``); strings are
        converted to the type of the default, as the command line needs.

    Raises
    ------
    UsageError
        For a network, an argument or a value that is not known, and for sizes that would take
        more memory than :func:`redundancy.limits.memory_limit`.
    """
    complete = complete_arguments(name, arguments)
    _check_memory(name, complete)
    return NETWORKS.get(name)()(**complete)


def _check_memory(name: str, complete: Mapping[str, Any]) -> None:
    """Refuse arguments whose network, or one sample for it, would not fit into memory."""
    import torch

    sizes = ("n_timesteps", "input_channels", "input_size")
    values = [math.prod(complete[key]) if key == "input_size" else complete[key] for key in sizes]
    try:
        with torch.device("meta"), _without_values():
            network = NETWORKS.get(name)()(**complete)
        tensors = [*network.parameters(), *network.buffers()]
        n_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    except UsageError:
        raise
    except (RuntimeError, TypeError, ValueError, OverflowError, MemoryError):
        # What torch says of sizes that no tensor can have.
        n_bytes = -1
    claim, limit = max(n_bytes, 4 * math.prod(values)), memory_limit()
    if n_bytes < 0 or claim > limit:
        larger = [key for key, value in complete.items() if value != network_arguments(name)[key]]
        amount = "more" if n_bytes < 0 else f"{claim / 2**30:.3g} GiB of memory, more"
        raise UsageError(
            f"network {name} would take {amount} than the {limit / 2**30:.3g} GiB allowed, with "
            f"these arguments ({', '.join(larger)}); give smaller sizes, or set {VARIABLE} to more "
            "GiB"
        )


def _without_values() -> AbstractContextManager[Any]:
    """Return what leaves new weights without values: on the meta device they take none."""
    from torch.overrides import TorchFunctionMode

    class WithoutValues(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            kwargs = kwargs or {}
            if getattr(func, "__name__", "").endswith(("uniform_", "normal_")):
                return kwargs["tensor"] if "tensor" in kwargs else args[0]
            return func(*args, **kwargs)

    return WithoutValues()


def network_summary(name: str) -> str:
    """Return the first line of the network's documentation."""
    return (inspect.getdoc(NETWORKS.get(name)()) or "").splitlines()[0]


__all__ = [
    "NETWORKS",
    "argument_choices",
    "build_network",
    "complete_arguments",
    "idle_arguments",
    "network_arguments",
    "network_summary",
]
