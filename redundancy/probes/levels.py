"""Whether numbers are spikes, sums of spikes or averages of spikes: a few levels, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# Averages over windows of up to 8 x 8, and over up to as many timesteps.
_DENOMINATORS = range(1, 65)
_MOST_LEVELS = 64
# Averages are rounded to float32.
_TOLERANCE = 5e-7
# Fewer numbers may be levels by chance.
_LEAST_VALUES = 16
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
    tolerance = _TOLERANCE if levels.element_size() >= 4 else 1e-2
    levels = levels.double()
    if not bool(levels.isfinite().all()) or (len(levels) and float(levels.max()) > _MOST_LEVELS):
        return False
    for denominator in _DENOMINATORS:
        scaled = levels * denominator
        if bool(((scaled - scaled.round()).abs() <= tolerance * scaled.clamp(min=1)).all()):
            return True
    return False


def tells_of_spikes(values: Tensor) -> bool:
    """Tell whether values are levels which reals are not by chance.

    Zeros alone tell nothing, and neither do a few numbers. One number that comes again and
    again must be a simple one: a constant may be any.
    """
    nonzero = values[values != 0]
    if len(nonzero) < _LEAST_VALUES or not is_levelled(nonzero):
        return False
    levels: Tensor = nonzero.abs().unique()  # type: ignore[no-untyped-call]
    if len(levels) > 1:
        return len(nonzero) >= 4 * len(levels)
    level = float(levels[0])
    return level <= 4 and (level == round(level) or abs(1 / level - round(1 / level)) < 1e-6)
