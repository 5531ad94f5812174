"""Channels as points: what their potentials say of their firing, coloured by pattern."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.labels import layer_title, shorten
from redundancy.plots.layer_results import LayerResults, check_networks
from redundancy.plots.layout import label_axes, new_figure, title_width
from redundancy.plots.patterns import Rule, pattern_names
from redundancy.plots.style import (
    COLUMN_WIDTH,
    PAGE_WIDTH,
    PATTERN_COLOURS,
    PATTERN_MARKERS,
    THRESHOLD_COLOUR,
    TITLE_SIZE,
    paper_style,
)

_PTD_LABEL = "PTD (peak − threshold)"


def plot_ptd_against_rate(
    potentials: xr.Dataset,
    rates: xr.Dataset,
    patterns: xr.Dataset,
    *,
    time: int | None = None,
    rule: Rule = "potential",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a layer's channels by peak-to-threshold distance and C-SFR (Observation 4).

    Parameters
    ----------
    potentials, rates, patterns : Dataset
        Of one layer, with ``peak_to_threshold_distance``, ``c_sfr`` and the patterns
        (time, channel).
    time : int, optional
        Timestep, counted from 0; default the middle one.
    rule : {"potential", "spatial"}
        Which of the two patterns colours the points.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        One series of points a pattern, with the number of channels in the legend.
        Channels without a distance are left out and counted there.

    Raises
    ------
    UsageError
        If there is no such timestep or rule, or the datasets are of different layers.
    """
    time = selection.check_time(rates, time)
    _same_channels(potentials, rates, patterns)
    x = rates[schema.C_SFR].isel({schema.TIME: time}).to_numpy()
    y = potentials[schema.PTD].isel({schema.TIME: time}).to_numpy()
    names = pattern_names(patterns, time, rule)
    with paper_style():
        ax = _scatter(ax, x, y, names)
        ax.axhline(0, color=THRESHOLD_COLOUR, linestyle="--", linewidth=0.9, zorder=1)
        label_axes(ax, "C-SFR (spikes per sample)", _PTD_LABEL)
        ax.set_xlim(left=-0.03 * max(ax.get_xlim()[1], 1e-9))
        if title is None:
            facts = [f"channels at t = {time}"]
            title = layer_title(potentials, facts, title_width(ax) - 0.4)
        ax.set_title(title, loc="left")
    return ax


def plot_variance_against_ptd(
    potentials: xr.Dataset,
    rates: xr.Dataset,
    patterns: xr.Dataset,
    *,
    time: int | None = None,
    rule: Rule = "potential",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a layer's channels by variance and peak-to-threshold distance (Observation 5).

    Parameters
    ----------
    potentials, rates, patterns, time, rule, title, ax
        As for `plot_ptd_against_rate`; `potentials` has ``variance`` (time, channel) too.

    Returns
    -------
    Axes
        As of `plot_ptd_against_rate`.

    Raises
    ------
    UsageError
        If there is no such timestep or rule, or the datasets are of different layers.
    """
    time = selection.check_time(potentials, time)
    _same_channels(potentials, rates, patterns)
    x = potentials[schema.PTD].isel({schema.TIME: time}).to_numpy()
    y = potentials[schema.VARIANCE].isel({schema.TIME: time}).to_numpy()
    names = pattern_names(patterns, time, rule)
    with paper_style():
        ax = _scatter(ax, x, y, names)
        ax.axvline(0, color=THRESHOLD_COLOUR, linestyle="--", linewidth=0.9, zorder=1)
        ax.set_ylim(bottom=0)
        label_axes(ax, _PTD_LABEL, "variance of the potential")
        if title is None:
            facts = [f"channels at t = {time}"]
            title = layer_title(potentials, facts, title_width(ax) - 0.4)
        ax.set_title(title, loc="left")
    return ax


def pattern_scatter_figure(
    networks: Mapping[str, LayerResults],
    *,
    time: int | None = None,
    rule: Rule = "potential",
) -> Figure:
    """Draw both scatter plots for networks side by side, on the same axes.

    Parameters
    ----------
    networks : mapping of str to LayerResults
        The same layer of up to four networks; the first is the one others compare with.
    time : int, optional
        Timestep, counted from 0; default the middle one.
    rule : {"potential", "spatial"}

    Returns
    -------
    Figure
        Of page width (column width for one network): PTD against C-SFR above, variance
        against PTD below.

    Raises
    ------
    UsageError
        If there are no networks or more than four, or no such timestep or rule.
    """
    check_networks(networks, most=4)
    plots: tuple[Callable[..., Axes], ...] = (plot_ptd_against_rate, plot_variance_against_ptd)
    with paper_style():
        n = len(networks)
        figure = new_figure(COLUMN_WIDTH if n == 1 else PAGE_WIDTH, 5.0, constrained=True)
        axes = figure.subplots(2, n, squeeze=False, sharex="row", sharey="row")
        for column, (name, layer) in enumerate(networks.items()):
            for row, plot in enumerate(plots):
                ax = plot(
                    layer["potentials"],
                    layer["rates"],
                    layer["patterns"],
                    time=time,
                    rule=rule,
                    title=shorten(name, 40 // n + 10) if row == 0 else "",
                    ax=axes[row, column],
                )
                if row == 0:
                    # That of the plot below says the same.
                    ax.legend_ = None
                if column:
                    ax.set_ylabel("")
        first = next(iter(networks.values()))
        shown = selection.check_time(first["rates"], time)
        figure.suptitle(
            f"{shorten(str(first['rates'].attrs.get('name', '')), 40)} · channels at t = {shown}",
            x=0.01,
            ha="left",
            fontsize=TITLE_SIZE,
        )
    return figure


def _scatter(
    ax: Axes | None, x: NDArray[np.float64], y: NDArray[np.float64], names: NDArray[np.str_]
) -> Axes:
    if ax is None:
        ax = new_figure(COLUMN_WIDTH, 2.7, constrained=True).add_subplot()
    shown = np.isfinite(x) & np.isfinite(y)
    for name, colour in PATTERN_COLOURS.items():
        of_pattern = names == name
        if not of_pattern.any():
            continue
        drawn = of_pattern & shown
        left_out = int((of_pattern & ~shown).sum())
        count = f"{int(of_pattern.sum())}" + (f", {left_out} not shown" if left_out else "")
        ax.scatter(
            x[drawn],
            y[drawn],
            s=13,
            marker=PATTERN_MARKERS[name],
            color=colour,
            alpha=0.75,
            linewidths=0,
            label=f"{name} ({count})",
            zorder=2,
        )
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        ncols=4 if shown.all() else 2,
        handletextpad=0.1,
        columnspacing=0.9,
        # Below the ticks and the label of the x axis.
        borderaxespad=4.6,
    )
    return ax


def _same_channels(*datasets: xr.Dataset) -> None:
    sizes = [(d.sizes[schema.TIME], d.sizes[schema.CHANNEL]) for d in datasets]
    if len(set(sizes)) > 1:
        raise UsageError(
            "potentials, rates and patterns must be of the same layer, but their timesteps and "
            f"channels are {', '.join(map(str, sizes))}"
        )
