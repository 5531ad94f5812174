"""Spike features: where in its maps a layer spikes, as in Figures 2 and 5 of the paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import xarray as xr
from matplotlib.axes import Axes

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.labels import channel_facts, layer_title
from redundancy.plots.layout import title_width
from redundancy.plots.mosaic import caption, frame_map
from redundancy.plots.rate_maps import (
    MOSAIC_LAYOUT,
    SERIES_LAYOUT,
    SERIES_PER_ROW,
    Annotate,
    add_colour_bar,
    draw_rate_maps,
    fit_maps,
    need_maps,
)
from redundancy.plots.style import (
    CHANNEL_LABEL_SIZE,
    NULL_COLOUR,
    TEXT_COLOUR,
    TICK_SIZE,
    paper_style,
)

_MOSAIC_HEIGHT = 4.6


def plot_feature_mosaic(
    rates: xr.Dataset,
    *,
    time: int | None = None,
    channels: Iterable[int] | None = None,
    order: Literal["index", "rate"] = "index",
    annotate: Annotate = "auto",
    highlight: Mapping[int, str] | None = None,
    title: str | None = None,
    colour_bar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spike features of a layer's channels at one timestep (Figures 2a, 5a).

    Parameters
    ----------
    rates : Dataset
        A layer's firing rates: ``n_sfr`` (time, channel, y, x) and ``c_sfr``
        (time, channel), in spikes per sample.
    time : int, optional
        Timestep, counted from 0; default the middle one.
    channels : iterable of int, optional
        Channels to show; default all.
    order : {"index", "rate"}
        By the order given (channel number), or from the highest to the lowest C-SFR.
    annotate : bool or "auto"
        Write the rates into the cells. "auto" writes them where a map is 8x8 or smaller
        and a cell is big enough for readable numbers; True always does, and enlarges the
        figure beyond page width if it must.
    highlight : mapping of int to str, optional
        Channels to frame, with the colour of each.
    title : str, optional
        Default: layer, timestep, number of channels, null channels and samples.
    colour_bar : bool
    ax : Axes, optional
        Where to draw; default an Axes in a figure of its own, as high as it needs.

    Returns
    -------
    Axes
        Its coordinates are inches from the top left. Numbers over null channels
        (C-SFR exactly 0) are grey.

    Raises
    ------
    UsageError
        If the layer has no maps, or the timestep or a channel does not exist.
    """
    need_maps(rates)
    time = selection.check_time(rates, time)
    shown = selection.check_channels(rates, channels)
    c_sfr = rates[schema.C_SFR].isel({schema.TIME: time}).to_numpy()
    if order == "rate":
        shown = [shown[i] for i in selection.channel_order(c_sfr[shown])]
    elif order != "index":
        raise UsageError(f"order is 'index' or 'rate', got {order!r}")
    maps = rates[schema.N_SFR].isel({schema.TIME: time, schema.CHANNEL: shown})
    with paper_style():
        ax, grid = fit_maps(
            maps, annotate, ax, colour_bar, max_height=_MOSAIC_HEIGHT, **MOSAIC_LAYOUT
        )
        image = draw_rate_maps(ax, maps, grid, annotate)
        for index, channel in enumerate(shown):
            null = c_sfr[channel] == 0
            picked = (highlight or {}).get(channel)
            caption(
                ax,
                grid,
                index,
                str(channel),
                # Clear of the frame.
                lift=0.022 if picked else 0.0,
                fontsize=CHANNEL_LABEL_SIZE,
                color=picked or (NULL_COLOUR if null else TEXT_COLOUR),
                fontweight="bold" if picked else "normal",
                in_layout=False,
            )
            if picked:
                frame_map(ax, grid, index, picked)
        if title is None:
            facts = [f"spike features at t = {time}", *channel_facts(c_sfr, shown)]
            title = layer_title(rates, facts, title_width(ax))
        ax.set_title(title, loc="left")
        if colour_bar:
            add_colour_bar(image, rates[schema.N_SFR], "N-SFR", *grid.size)
    return ax


def plot_feature_series(
    rates: xr.Dataset,
    *,
    channel: int,
    times: Iterable[int] | None = None,
    annotate: Annotate = "auto",
    title: str | None = None,
    colour_bar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spike feature of one channel at several timesteps in a row (Figures 2b, 5b).

    Parameters
    ----------
    rates : Dataset
        A layer's firing rates, as for `plot_feature_mosaic`.
    channel : int
    times : iterable of int, optional
        Timesteps, counted from 0; default six from the first to the last.
    annotate, title, colour_bar, ax
        As for `plot_feature_mosaic`.

    Returns
    -------
    Axes
        The timestep stands over each map, its C-SFR under it (grey where it is 0).

    Raises
    ------
    UsageError
        If the layer has no maps, or the channel or a timestep does not exist.
    """
    need_maps(rates)
    channel = selection.check_channel(rates, channel)
    shown = selection.check_times(rates, times)
    c_sfr = rates[schema.C_SFR].isel({schema.CHANNEL: channel}).to_numpy()
    maps = rates[schema.N_SFR].isel({schema.CHANNEL: channel, schema.TIME: shown})
    with paper_style():
        ax, grid = fit_maps(
            maps,
            annotate,
            ax,
            colour_bar,
            max_height=9.0,
            n_columns=min(len(shown), SERIES_PER_ROW),
            **SERIES_LAYOUT,
        )
        image = draw_rate_maps(ax, maps, grid, annotate)
        for index, time in enumerate(shown):
            rate = c_sfr[time]
            caption(ax, grid, index, f"t = {time}", fontsize=TICK_SIZE)
            caption(
                ax,
                grid,
                index,
                "C-SFR 0" if rate == 0 else f"C-SFR {rate:.3f}",
                under=True,
                fontsize=TICK_SIZE,
                color=NULL_COLOUR if rate == 0 else TEXT_COLOUR,
            )
        if title is None:
            title = layer_title(rates, [f"spike features of channel {channel}"], title_width(ax))
        ax.set_title(title, loc="left")
        if colour_bar:
            add_colour_bar(image, rates[schema.N_SFR], "N-SFR", *grid.size)
    return ax
