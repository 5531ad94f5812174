"""Of which types and values the weights of a network may be; what else there is, is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from redundancy.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

# How often a normalisation was updated: the one integer that trained networks keep.
_COUNTER = "num_batches_tracked"


def check_weight_types(named_tensors: Iterable[tuple[str, Tensor]]) -> None:
    """Refuse weights that are no plain real numbers in memory.

    Parameters
    ----------
    named_tensors : iterable of (str, Tensor)
        Such as ``network.named_parameters()`` or ``network.named_buffers()``. Counters of
        batches may be integers; buffers of a network that are integers or masks are not to be
        given.

    Raises
    ------
    CheckpointError
        Naming the weight, the type found and the type expected, for weights that are integers,
        booleans, complex, quantized, of 8 or fewer bits, sparse, without memory (meta), not
        finite, or variances below 0.
    """
    problems = [problem for name, value in named_tensors if (problem := _problem(name, value))]
    if problems:
        more = f"; and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CheckpointError(
            f"{'; '.join(problems[:4])}{more}. Save the weights as float32 with "
            "network.float().state_dict()"
        )


def _problem(name: str, value: Tensor) -> str | None:
    """Return what is wrong with a weight, as a phrase that names it."""
    kind = type_problem(name, value)
    if kind is not None:
        return f"weight {name} is {kind}"
    if not value.is_floating_point():
        return None
    import torch

    # A minimum and a maximum take no memory, and are NaN if any value is.
    if value.numel():
        least, most = (float(bound) for bound in torch.aminmax(value.detach()))
        if not -float("inf") < least <= most < float("inf"):
            return f"weight {name} has values that are not finite (NaN or infinite)"
        if name.endswith("running_var") and least < 0:
            return f"weight {name} has a variance below 0 ({least:g})"
        if max(-least, most) > torch.finfo(torch.float32).max:
            return f"weight {name} has values beyond the range of float32"
    return None


def type_problem(name: str, value: Tensor) -> str | None:
    """Return the type of a weight and the expected one, as a phrase, if they differ.

    Counters of batches must be integers, all other weights floating point numbers of 16 to
    64 bits.
    """
    import torch

    found = str(value.dtype).removeprefix("torch.")
    if value.is_meta:
        return "a meta tensor, which has no values"
    if value.layout != torch.strided:
        layout = str(value.layout).removeprefix("torch.")
        return f"{layout} {found}, expected a dense float32 tensor"
    if value.is_quantized:
        return f"quantized ({found}), expected float32"
    if name.rpartition(".")[2] == _COUNTER:
        known: tuple[torch.dtype, ...] = (torch.int64, torch.int32, torch.int16)
        return None if value.dtype in known else f"{found}, expected int64"
    known = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    return None if value.dtype in known else f"{found}, expected float32"


def cast_notes(state: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what is to be said about weights that float32 does not hold as they are.

    Weights of 16 bits become float32 without a change, but were rounded before; those of
    64 bits may be rounded now.
    """
    import torch

    return tuple(_cast_notes({k: v for k, v in state.items() if isinstance(v, torch.Tensor)}))


def _cast_notes(state: Mapping[str, Tensor]) -> Iterator[str]:
    import torch

    for dtype in (torch.float16, torch.bfloat16):
        keys = [key for key, value in state.items() if value.dtype == dtype]
        if keys:
            yield (
                f"{len(keys)} of {len(state)} weights ({keys[0]}, …) are stored as "
                f"{str(dtype).removeprefix('torch.')} and taken as float32; a network that runs in "
                "16 bits can fire otherwise"
            )
    rounded = [
        key
        for key, value in state.items()
        if value.dtype == torch.float64 and not torch.equal(value.float().double(), value)
    ]
    if rounded:
        yield (
            f"{len(rounded)} of {len(state)} weights ({rounded[0]}, …) are stored as float64 and "
            "rounded to float32; a network that runs in 64 bits can fire otherwise"
        )
