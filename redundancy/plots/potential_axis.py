"""The axis of membrane potentials: bins, ranges, words, and lines at levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from redundancy import schema
from redundancy.plots.style import LABEL_SIZE, THRESHOLD_COLOUR

V_TH = r"$V_{th}$"
_QUANTITIES = {
    "pre-fire": "membrane potential before firing",
    "input": "input current",
    "post-reset": "membrane potential after reset",
}
_SHORT_QUANTITIES = {
    "pre-fire": "membrane potential",
    "input": "input current",
    "post-reset": "potential after reset",
}
# Of what is shown, on either side of it.
_MARGIN = 0.05


def channel_thresholds(potentials: xr.Dataset) -> NDArray[np.float64]:
    """Return the threshold of every channel of a layer."""
    thresholds = np.atleast_1d(np.asarray(potentials.attrs[schema.V_THRESHOLD], np.float64))
    return np.broadcast_to(thresholds, potentials.sizes[schema.CHANNEL])


def channel_threshold(potentials: xr.Dataset, channel: int) -> float:
    """Return the threshold of one channel of a layer."""
    return float(channel_thresholds(potentials)[channel])


def deviation_edges(potentials: xr.Dataset) -> NDArray[np.float64]:
    """Return the edges of the bins, counted from the threshold."""
    n_bins = potentials.sizes[schema.BIN]
    below = int(potentials.attrs[schema.BINS_BELOW])
    edges = np.arange(n_bins + 1, dtype=np.float64) - below
    return edges * float(potentials.attrs[schema.BIN_WIDTH])


def occupied_range(
    counts: NDArray[Any], edges: NDArray[np.float64], v_threshold: float
) -> tuple[float, float]:
    """Return the range of the bins that hold counts and the threshold, with a margin."""
    occupied = np.flatnonzero(counts)
    shown = [v_threshold, *(edges[[occupied[0], occupied[-1] + 1]] if len(occupied) else edges)]
    low, high = float(min(shown)), float(max(shown))
    margin = _MARGIN * (high - low)
    return low - margin, high + margin


def quantity_name(potentials: xr.Dataset, short: bool = False) -> str:
    """Return what was binned, in words."""
    names = _SHORT_QUANTITIES if short else _QUANTITIES
    quantity = str(potentials.attrs.get(schema.QUANTITY, "pre-fire"))
    return names.get(quantity, quantity)


def label_level(
    ax: Axes,
    text: str,
    x: float,
    y: float,
    shift: tuple[float, float],
    *,
    colour: str = THRESHOLD_COLOUR,
    axes_x: bool = False,
    **place: Any,
) -> None:
    """Write a symbol, in TeX's notation, beside a line at a level of the potential."""
    transform = ax.get_yaxis_transform() if axes_x else ax.get_xaxis_transform()
    ax.annotate(
        text,
        (x, y),
        xycoords=transform,
        xytext=shift,
        textcoords="offset points",
        color=colour,
        fontsize=LABEL_SIZE,
        parse_math=True,
        annotation_clip=False,
        **place,
    )
