"""The device a network runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redundancy.errors import UsageError

if TYPE_CHECKING:
    import torch
    from torch import nn


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device called `name`.

    Parameters
    ----------
    name : str
        ``"auto"`` takes a CUDA device if there is one, else the CPU; anything else
        is a torch device name.

    Raises
    ------
    UsageError
        If the device does not exist here.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device must be auto, cpu or cuda, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError("device cuda was asked for, but torch sees no CUDA device here; use cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device {name} was asked for, but torch sees {torch.cuda.device_count()} CUDA devices "
            "here, numbered from 0"
        )
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device must be auto, cpu or cuda, got {name!r}")
    return device


def device_of(network: nn.Module) -> torch.device:
    """Return the device of a network's parameters; the CPU if it has none."""
    import torch

    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
