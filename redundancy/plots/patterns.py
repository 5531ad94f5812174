"""Spike patterns on figures: their names, and which one a channel is of."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError

Rule = Literal["potential", "spatial"]

# What the codes of the statistics mean.
PATTERN_NAMES = {1: "noise", 2: "normal", 0: "null", -1: "undecided"}
_VARIABLES = {"potential": schema.PATTERN_POTENTIAL, "spatial": schema.PATTERN_SPATIAL}


def pattern_names(patterns: xr.Dataset, time: int, rule: Rule = "potential") -> NDArray[np.str_]:
    """Return the name of every channel's pattern at one timestep.

    Parameters
    ----------
    patterns : Dataset
        A layer's ``pattern_potential`` and ``pattern_spatial`` (time, channel).
    time : int
    rule : {"potential", "spatial"}
        By the potentials (Definition 6 of the paper) or by the place of the spikes.

    Returns
    -------
    ndarray of str, shape (channel,)
        "noise", "normal", "null" or "undecided".

    Raises
    ------
    UsageError
        If there is no such rule.
    """
    if rule not in _VARIABLES:
        raise UsageError(
            f"patterns are told by the rule {' or '.join(map(repr, _VARIABLES))}, got {rule!r}"
        )
    codes = patterns[_VARIABLES[rule]].isel({schema.TIME: time}).to_numpy()
    return np.array([PATTERN_NAMES[int(code)] for code in codes], dtype="U9")
