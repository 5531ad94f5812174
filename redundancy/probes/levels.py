"""Whether numbers are spikes, sums of spikes or averages of spikes: a few levels, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Averages over windows of up to 8 x 8, and over up to as many timesteps.
_DENOMINATORS = range(1, 65)
_MOST_LEVELS = 64
# Averages are rounded to float32, or to less.
_TOLERANCE = 1e-5
_SAMPLE = 8192


def is_binary(values: Tensor) -> bool:
    """Tell whether all values are 0 or 1."""
    import torch

    if values.dtype == torch.bool:
        return True
    return bool(((values == 0) | (values == 1)).all())


def is_levelled(values: Tensor) -> bool:
    """Tell whether values are k / D for a few whole k and one small D.

    So are spikes, sums of spikes, and averages of spikes over a window. Zeros alone are too.
    """
    flat = values.detach().flatten()
    step = len(flat) // _SAMPLE
    # Real numbers are told by a few of them; only levels are worth a look at all.
    if step > 1 and not is_levelled(flat[::step]):
        return False
    levels: Tensor = flat.abs().unique()  # type: ignore[no-untyped-call]
    if len(levels) > _MOST_LEVELS:
        return False
    if not levels.is_floating_point():
        return True
    levels = levels.double()
    if not bool(levels.isfinite().all()) or (len(levels) and float(levels.max()) > _MOST_LEVELS):
        return False
    for denominator in _DENOMINATORS:
        scaled = levels * denominator
        if bool(((scaled - scaled.round()).abs() <= _TOLERANCE * scaled.clamp(min=1)).all()):
            return True
    return False
