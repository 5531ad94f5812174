"""Membrane potential distributions over time."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.labels import layer_title
from redundancy.plots.layout import add_axes, axes_size, label_axes, new_figure, title_width
from redundancy.plots.potential_axis import (
    V_TH,
    channel_thresholds,
    deviation_edges,
    label_level,
    occupied_range,
    quantity_name,
)
from redundancy.plots.style import (
    COLUMN_WIDTH,
    POTENTIAL_COLOUR_MAP,
    THRESHOLD_COLOUR,
    TICK_SIZE,
    paper_style,
)


def plot_potential_over_time(
    potentials: xr.Dataset,
    *,
    channel: int | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the membrane potential distribution of a channel or a layer over time.

    Parameters
    ----------
    potentials : Dataset
        A layer's ``histogram`` (time, channel, bin) or, for the whole layer, the same
        with the channels added up (time, bin).
    channel : int, optional
        Needed where there are channels.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        Time runs to the right, the potential upward; the colour is the count, on a
        logarithmic scale, and white is none. Layers with a threshold per channel are
        drawn about the threshold.

    Raises
    ------
    UsageError
        If the channel does not exist, or none is named where there are channels.
    """
    histogram = potentials[schema.HISTOGRAM]
    thresholds = np.unique(np.atleast_1d(potentials.attrs[schema.V_THRESHOLD]))
    if channel is not None:
        channel = selection.check_channel(potentials, channel)
        histogram = histogram.isel({schema.CHANNEL: channel})
        thresholds = channel_thresholds(potentials)[[channel]]
    elif schema.CHANNEL in histogram.dims:
        raise UsageError(
            "name the channel to show over time, or add up the channels' histograms first, "
            "for the whole layer"
        )
    counts = histogram.transpose(schema.BIN, schema.TIME).to_numpy()
    v_threshold = float(thresholds[0]) if len(thresholds) == 1 else 0.0
    edges = deviation_edges(potentials) + v_threshold
    name = quantity_name(potentials, short=True)
    with paper_style():
        if ax is None:
            figure = new_figure(COLUMN_WIDTH, 2.4)
            ax = add_axes(figure, 0.5, 0.42, COLUMN_WIDTH - 1.26, 1.58)
        n_times = counts.shape[1]
        image = ax.pcolormesh(
            np.arange(n_times + 1) - 0.5,
            edges,
            np.ma.masked_equal(counts, 0),
            cmap=POTENTIAL_COLOUR_MAP,
            norm=LogNorm(0.5, max(float(counts.max()), 2.0)),
            rasterized=True,
        )
        ax.axhline(v_threshold, color=THRESHOLD_COLOUR, linestyle="--", linewidth=1.0)
        label_level(ax, V_TH, 1.0, v_threshold, (3, 0), ha="left", va="center", axes_x=True)
        ax.set_ylim(*occupied_range(counts.sum(axis=1), edges, v_threshold))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        label_axes(ax, "timestep t", name if len(thresholds) == 1 else f"{name} − threshold")
        width, _ = axes_size(ax)
        beside = ax.inset_axes((1 + 0.24 / width, 0.0, 0.08 / width, 1.0))
        bar = ax.figure.colorbar(image, cax=beside, label="count", format=EngFormatter(sep=""))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.ax.tick_params(labelsize=TICK_SIZE)
        bar.outline.set_linewidth(0.5)
        if title is None:
            shown = "all channels" if channel is None else f"channel {channel}"
            facts = [f"potentials of {shown}"]
            title = layer_title(potentials, facts, title_width(ax))
        ax.set_title(title, loc="left")
    return ax
