"""Firing rates of all channels over time, as one heat map."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from redundancy import schema
from redundancy.plots import selection
from redundancy.plots.labels import counted, layer_title
from redundancy.plots.layout import add_axes, axes_size, label_axes, new_figure, title_width
from redundancy.plots.rate_maps import MAPS_WIDTH, add_colour_bar
from redundancy.plots.style import (
    NULL_COLOUR,
    PAGE_WIDTH,
    RATE_COLOUR_MAP,
    RATE_RANGE,
    paper_style,
)


def plot_channel_raster(
    rates: xr.Dataset, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw every channel's firing rate over time as a heat map.

    For vector layers (fully connected), whose channels are single neurons, this takes
    the place of the spike features; for feature maps it shows the C-SFR.

    Parameters
    ----------
    rates : Dataset
        A layer's firing rates with ``c_sfr`` (time, channel), in spikes per sample.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of its own.

    Returns
    -------
    Axes
        Channels that never spike carry a grey cross at the right edge.
    """
    c_sfr = rates[schema.C_SFR].transpose(schema.CHANNEL, schema.TIME)
    values = c_sfr.to_numpy()
    n_channels, n_times = values.shape
    with paper_style():
        if ax is None:
            height = float(np.clip(0.11 * n_channels, 0.9, 4.6))
            figure = new_figure(PAGE_WIDTH, height + 0.85)
            ax = add_axes(figure, 0.48, 0.42, MAPS_WIDTH - 0.55, height)
        image = ax.imshow(
            values,
            aspect="auto",
            interpolation="nearest",
            cmap=RATE_COLOUR_MAP,
            vmin=RATE_RANGE[0],
            vmax=RATE_RANGE[1],
        )
        label_axes(ax, "timestep t", "channel")
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if n_times <= 30:
            ax.set_xticks(range(n_times))
        if n_channels <= 40:
            ax.set_yticks(range(n_channels))
        silent = np.flatnonzero((values == 0).all(axis=1))
        ax.plot(
            np.full(len(silent), n_times - 0.5),
            silent,
            linestyle="none",
            marker="x",
            markersize=2.5,
            color=NULL_COLOUR,
            clip_on=False,
            transform=ax.transData + ScaledTranslation(4 / 72, 0, ax.figure.dpi_scale_trans),
            label="never spikes",
        )
        name = "C-SFR" if selection.has_maps(rates) else "N-SFR"
        facts = [f"{name} of {counted(n_channels, 'channel')}"]
        if len(silent):
            facts.append(
                f"{len(silent)} never spike (×)" if len(silent) > 1 else "1 never spikes (×)"
            )
        ax.set_title(title or layer_title(rates, facts, title_width(ax)), loc="left")
        width, height = axes_size(ax)
        add_colour_bar(image, c_sfr, name, width + 0.1, height)
    return ax
