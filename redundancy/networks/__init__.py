"""The networks the project builds by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.arguments import convert_arguments, signature_defaults
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
        For a network, an argument or a value that is not known.
    """
    return NETWORKS.get(name)()(**complete_arguments(name, arguments))


def network_summary(name: str) -> str:
    """Return the first line of the network's documentation."""
    return (inspect.getdoc(NETWORKS.get(name)()) or "").splitlines()[0]


__all__ = [
    "NETWORKS",
    "argument_choices",
    "build_network",
    "complete_arguments",
    "network_arguments",
    "network_summary",
]
