"""One neuron's membrane potential over time, as in Figure 1a of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.layout import add_axes, label_axes, new_figure
from redundancy.plots.potential_axis import V_TH, label_level
from redundancy.plots.style import (
    COLUMN_WIDTH,
    POTENTIAL_EDGE_COLOUR,
    RESET_COLOUR,
    TEXT_COLOUR,
    THRESHOLD_COLOUR,
    TICK_SIZE,
    paper_style,
)

# Share of the height that the spikes take at the top.
_SPIKE_BAND = 0.16


def plot_neuron_trace(
    potential: xr.DataArray,
    spikes: xr.DataArray,
    *,
    v_threshold: float,
    v_reset: float | None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw how one neuron charges, fires and is reset (Figure 1a).

    Parameters
    ----------
    potential : DataArray, dims (time,)
        Membrane potential before firing (U) of one neuron in one sample.
    spikes : DataArray, dims (time,)
        Its spikes.
    v_threshold : float
    v_reset : float or None
        Potential after a spike; None for a soft reset, which takes off the threshold.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        The line charges up to U at each timestep and, where the neuron spikes, drops to
        the potential after the reset. Spikes are bars at the top.

    Raises
    ------
    UsageError
        If `potential` and `spikes` do not have the one dimension time, of equal length.
    """
    for name, variable in (("potential", potential), ("spikes", spikes)):
        if variable.dims != (schema.TIME,) or variable.sizes != potential.sizes:
            raise UsageError(
                f"the trace of one neuron needs potential and spikes with the one dimension time, "
                f"of equal length, but {name} has {dict(variable.sizes)}; select a sample and a "
                "neuron first"
            )
    u = potential.to_numpy().astype(np.float64)
    n_spikes = spikes.to_numpy().astype(np.float64)
    x, y = _path(u, n_spikes, v_threshold, v_reset)
    times = np.flatnonzero(n_spikes)
    with paper_style():
        if ax is None:
            figure = new_figure(COLUMN_WIDTH, 1.95)
            ax = add_axes(figure, 0.5, 0.28, COLUMN_WIDTH - 0.85, 1.25)
        ax.plot(x, y, color=POTENTIAL_EDGE_COLOUR, linewidth=1.1, label="U", zorder=2)
        ax.axhline(v_threshold, color=THRESHOLD_COLOUR, linestyle="--", linewidth=0.9)
        label_level(ax, V_TH, 1.0, v_threshold, (2, 0), ha="left", va="center", axes_x=True)
        if v_reset is not None:
            ax.axhline(v_reset, color=RESET_COLOUR, linestyle=":", linewidth=0.9)
            label_level(
                *(ax, r"$V_{reset}$", 1.0, v_reset, (2, 0)),
                colour=RESET_COLOUR,
                ha="left",
                va="center",
                axes_x=True,
            )
        ax.vlines(
            times,
            1 - 0.6 * _SPIKE_BAND,
            1,
            transform=ax.get_xaxis_transform(),
            color=TEXT_COLOUR,
            linewidth=1.2,
            label="spikes",
        )
        ax.annotate(
            "spikes",
            (1.0, 1 - 0.3 * _SPIKE_BAND),
            xycoords="axes fraction",
            xytext=(2, 0),
            textcoords="offset points",
            va="center",
            fontsize=TICK_SIZE,
        )
        _set_limits(ax, y, v_threshold, v_reset, len(u))
        label_axes(ax, "timestep t", "potential U")
        ax.set_title("Membrane potential of one neuron" if title is None else title, loc="left")
    return ax


def _path(
    u: NDArray[np.float64], spikes: NDArray[np.float64], v_threshold: float, v_reset: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the corners of the line: U, and what is left of it after firing."""
    left = u - v_threshold * spikes if v_reset is None else np.where(spikes > 0, v_reset, u)
    return np.repeat(np.arange(len(u), dtype=np.float64), 2), np.stack([u, left], 1).ravel()


def _set_limits(
    ax: Axes, y: NDArray[np.float64], v_threshold: float, v_reset: float | None, n_times: int
) -> None:
    levels = [*y[np.isfinite(y)], v_threshold, *([] if v_reset is None else [v_reset])]
    low, high = min(levels), max(levels)
    span = (high - low) or 1.0
    low, high = low - 0.06 * span, high + 0.06 * span
    ax.set_ylim(low, low + (high - low) / (1 - _SPIKE_BAND))
    ax.set_xlim(-0.3, max(n_times - 0.7, 0.3))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.yaxis.set_major_locator(MaxNLocator(4))
