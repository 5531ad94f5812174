"""Uniform bins about a threshold, which is always an edge."""

from __future__ import annotations

import math
from dataclasses import dataclass

from redundancy import schema
from redundancy.errors import UsageError

# Each bin takes 8 bytes a channel and timestep; more than these are a slip.
_TOO_MANY_BINS = 1 << 15


def check_quantity(quantity: str) -> None:
    """Raise a UsageError unless `quantity` is known."""
    if quantity not in schema.QUANTITY_VARIABLES:
        raise UsageError(
            f"the quantity must be one of {', '.join(schema.QUANTITY_VARIABLES)}, got {quantity!r}"
        )


def check_bins(bin_width: float | None, bounds: tuple[float, float] | None) -> None:
    """Raise a UsageError unless a width and a range of bins make sense, where given."""
    if bin_width is not None and not 0 < bin_width < math.inf:
        raise UsageError(f"the bin width must be positive and finite, got {bin_width}")
    if bounds is not None and not -math.inf < bounds[0] < bounds[1] < math.inf:
        raise UsageError(
            f"the bins' range must run from low to high and be finite, got {bounds[0]:g} to "
            f"{bounds[1]:g}"
        )


@dataclass(frozen=True)
class UniformBins:
    """Bins of one width, counted from the threshold.

    Parameters
    ----------
    bin_width : float
        In the units of the potential.
    n_bins_below, n_bins_above : int
        Number of bins below and above the threshold.
    quantity : {"pre-fire", "input", "post-reset"}
        What is binned: the potential before firing (U), the input current (X), or the
        potential after the reset.

    Raises
    ------
    UsageError
        If there is no such quantity, or bins of that width or number make no sense.
    """

    bin_width: float
    n_bins_below: int
    n_bins_above: int
    quantity: str = "pre-fire"

    def __post_init__(self) -> None:
        check_quantity(self.quantity)
        check_bins(self.bin_width, None)
        if min(self.n_bins_below, self.n_bins_above) < 1:
            raise UsageError(
                "there must be a bin below and one above the threshold, got "
                f"{self.n_bins_below} and {self.n_bins_above}"
            )
        if self.n_bins_below + self.n_bins_above > _TOO_MANY_BINS:
            raise UsageError(
                f"a bin width of {self.bin_width:g} makes {self.n_bins_below + self.n_bins_above} "
                f"bins, and at most {_TOO_MANY_BINS} are counted; widen the bins or narrow their "
                "range"
            )
