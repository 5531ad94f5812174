"""What a network must be, and must not be, to be read rightly."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from redundancy.errors import RecordingError
from redundancy.weight_types import type_problem

if TYPE_CHECKING:
    from torch import Tensor, nn


def check_same_output(bare: Tensor, hooked: Tensor) -> None:
    """Refuse a network whose output changes when its neurons are read."""
    import torch

    if bare.shape != hooked.shape or not torch.allclose(
        bare, hooked, rtol=0, atol=0, equal_nan=True
    ):
        difference = (
            f"by up to {float((bare - hooked).abs().max()):.3g}"
            if bare.shape == hooked.shape
            else f"in shape, {tuple(bare.shape)} and {tuple(hooked.shape)}"
        )
        raise RecordingError(
            f"the network's outputs with and without recording differ {difference}, though without "
            "it they repeat: reading it disturbs it, so nothing was recorded"
        )


def refuse_compiled(network: nn.Module) -> None:
    """Refuse modules that run without calling hooks."""
    import torch

    for name, module in network.named_modules():
        compiled = getattr(module, "_compiled_call_impl", None) is not None
        if compiled or type(module).__name__ == "OptimizedModule":
            raise RecordingError(
                f"module {name or type(module).__name__!r} is compiled (torch.compile), and "
                "compiled modules ignore hooks; pass the network as it was before compiling"
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise RecordingError(
                f"module {name or type(module).__name__!r} is a TorchScript module, whose neurons "
                "cannot be read; pass the network as it was before scripting"
            )


def refuse_odd_weights(network: nn.Module) -> None:
    """Refuse weights that hold no real numbers: of lazy modules, meta, sparse, integers."""
    import torch

    if not isinstance(network, torch.nn.Module):
        raise RecordingError(
            f"a network is an nn.Module, got {network!r}; give the module itself, built"
        )
    lazy = torch.nn.parameter.UninitializedParameter | torch.nn.UninitializedBuffer
    buffers = [(n, b) for n, b in network.named_buffers() if b.is_floating_point() or b.is_meta]
    for name, tensor in (*network.named_parameters(), *buffers):
        if isinstance(tensor, lazy):
            raise RecordingError(
                f"weight {name!r} is of a lazy module that was never run; run the network once on "
                "a sample and load its weights before it is analysed"
            )
        problem = type_problem(name, tensor)
        if problem is not None:
            raise RecordingError(
                f"weight {name!r} is {problem}; build the network of dense weights on the CPU or a "
                "GPU, as network.float() makes them"
            )


def refuse_names(names: Iterable[str]) -> None:
    """Refuse names of layers that a results file cannot hold."""
    for name in names:
        if "/" in name:
            raise RecordingError(
                f"layer {name!r} has a '/' in its name, which parts folders in files of results; "
                "rename that module"
            )


def warn_about_batch_statistics(network: nn.Module) -> None:
    """Warn, once, if batch normalisation uses the statistics of the batch."""
    import torch

    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is None
    ]
    if names:
        warnings.warn(
            f"batch normalisation without running statistics ({', '.join(names[:4])}"
            f"{', …' if len(names) > 4 else ''}): outputs depend on which samples share a batch, "
            "and so do all results",
            UserWarning,
            stacklevel=3,
        )
