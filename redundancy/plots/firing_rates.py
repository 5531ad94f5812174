"""Firing rates of layers, channels and the whole network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.labels import counted, layer_title, shorten, with_units
from redundancy.plots.layout import label_axes, new_figure, title_width
from redundancy.plots.style import (
    BAR_COLOUR,
    COLUMN_WIDTH,
    LAYER_COLOUR_MAP,
    NETWORK_COLOUR,
    NULL_COLOUR,
    PICK_COLOURS,
    TICK_SIZE,
    paper_style,
)

_NAME_LENGTH = 22
_LEGEND_LENGTH = 34


def plot_t_sfr(
    layers: Mapping[str, xr.Dataset],
    network: xr.Dataset,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spike firing rate over time, per layer and of the network (Observation 2).

    Parameters
    ----------
    layers : mapping of str to Dataset
        Firing rates per layer in network order, each with ``t_sfr`` (time,) and ``nasfr``.
    network : Dataset
        ``t_sfr`` (time,) and ``nasfr`` over all neurons.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        One line a layer, from dark (first) to light (last), the network's in bold black
        on top; the mean over time (NASFR) of each stands in the legend.
    """
    _need_layers(layers)
    with paper_style():
        if ax is None:
            height = 2.3 + 0.13 * (len(layers) + 1)
            ax = new_figure(COLUMN_WIDTH, height, constrained=True).add_subplot()
        shades = matplotlib.colormaps[LAYER_COLOUR_MAP](np.linspace(0.05, 0.88, len(layers)))
        lines = [
            (shorten(name, _LEGEND_LENGTH), rates, {"color": shade, "markersize": 2.2})
            for (name, rates), shade in zip(layers.items(), shades, strict=True)
        ]
        bold = {"color": NETWORK_COLOUR, "linewidth": 2.2, "markersize": 2.8, "zorder": 3}
        highest = 0.0
        for name, rates, look in [*lines, ("network", network, bold)]:
            t_sfr = rates[schema.T_SFR].to_numpy()
            # Legends leave out what begins with an underscore.
            label = f"{' ' if name[0] == '_' else ''}{name}: {float(rates[schema.NASFR]):.3f}"
            marker = "o" if len(t_sfr) <= 20 else None
            ax.plot(np.arange(len(t_sfr)), t_sfr, label=label, marker=marker, **look)
            highest = max(highest, float(t_sfr.max()))
        ax.set_ylim(0, 1.08 * highest if highest > 0 else 1)
        label_axes(ax, "timestep t", with_units("T-SFR", network[schema.T_SFR]))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set_title(title or "Spike firing rate over time", loc="left")
        ax.legend(
            loc="upper left",
            bbox_to_anchor=(0, 0),
            title="layer: mean over time (NASFR)",
            title_fontsize=TICK_SIZE,
            alignment="left",
            # Below the ticks and the label of the x axis.
            borderaxespad=4.6,
            labelspacing=0.25,
        )
    return ax


def plot_layer_rates(
    layers: Mapping[str, xr.Dataset],
    network: xr.Dataset,
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean firing rate (NASFR) of each layer and of the network as bars.

    Parameters
    ----------
    layers : mapping of str to Dataset
        Firing rates per layer in network order, each with ``nasfr`` and the attribute
        n_neurons.
    network : Dataset
        ``nasfr`` over all neurons and, optionally, ``nasfr_conv`` over convolutional ones.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        Layers from top to bottom, then the network; rates at the ends of the bars, numbers
        of neurons in a column at the right.
    """
    _need_layers(layers)
    bars: list[tuple[str, float, int | None, str]] = [
        (
            shorten(name, _NAME_LENGTH),
            float(rates[schema.NASFR]),
            rates.attrs.get("n_neurons"),
            BAR_COLOUR,
        )
        for name, rates in layers.items()
    ]
    counts = [bar[2] for bar in bars]
    total = sum(int(n) for n in counts if n is not None) if None not in counts else None
    bars.append(("network", float(network[schema.NASFR]), total, NETWORK_COLOUR))
    if f"{schema.NASFR}_conv" in network:
        conv = float(network[f"{schema.NASFR}_conv"])
        bars.append(("network, conv only", conv, None, NULL_COLOUR))
    names, rates_, neurons, colours = zip(*bars, strict=True)
    # The network stands apart from its layers.
    y = np.arange(len(bars)) + 0.5 * (np.arange(len(bars)) >= len(layers))
    with paper_style():
        if ax is None:
            height = 0.75 + 0.19 * (len(bars) + 0.5)
            ax = new_figure(COLUMN_WIDTH, height, constrained=True).add_subplot()
        drawn = ax.barh(y, rates_, height=0.68, color=colours)
        ax.bar_label(drawn, labels=[f"{rate:.3f}" for rate in rates_], padding=2, size=TICK_SIZE)
        ax.set_yticks(y, names)
        ax.set_ylim(y[-1] + 0.6, -0.6)
        ax.set_xlim(0, 1.3 * max(rates_) if max(rates_) > 0 else 1)
        ax.xaxis.set_major_locator(MaxNLocator(4))
        label_axes(ax, with_units("NASFR", network[schema.NASFR]))
        ax.set_title(title or "Firing rate per layer", loc="left")
        column: dict[str, Any] = {"ha": "right", "va": "center", "size": TICK_SIZE}
        words = [(at, f"{int(n):,}") for at, n in zip(y, neurons, strict=True) if n is not None]
        words = [(-0.95, "neurons"), *words] if words else []
        offset = 4 + 0.62 * TICK_SIZE * max((len(word) for _, word in words), default=0)
        for at, word in words:
            ax.annotate(
                word,
                (1, at),
                xycoords=ax.get_yaxis_transform(),
                xytext=(offset, 0),
                textcoords="offset points",
                annotation_clip=False,
                **column,
            )
    return ax


def plot_channel_rates(
    rates: xr.Dataset, *, time: int | None = None, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the C-SFR of a layer's channels at one timestep, from highest to lowest.

    Parameters
    ----------
    rates : Dataset
        A layer's firing rates with ``c_sfr`` (time, channel), in spikes per sample.
    time : int, optional
        Timestep, counted from 0; default the middle one.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        The channels with the highest, the median (the lower of two) and the lowest C-SFR
        are marked and named in the legend.

    Raises
    ------
    UsageError
        If there is no such timestep.
    """
    time = selection.check_time(rates, time)
    c_sfr = rates[schema.C_SFR].isel({schema.TIME: time})
    values = c_sfr.to_numpy()
    order = selection.channel_order(values)
    n_channels = len(order)
    n_null = int((values == 0).sum())
    with paper_style():
        if ax is None:
            ax = new_figure(COLUMN_WIDTH, 2.5, constrained=True).add_subplot()
        rank = np.arange(n_channels)
        ax.bar(rank, values[order], width=1.0 if n_channels > 30 else 0.8, color=BAR_COLOUR)
        places = {"max": 0, "median": n_channels // 2, "min": n_channels - 1}
        for at, colour in zip(sorted(set(places.values())), PICK_COLOURS, strict=False):
            name = ", ".join(name for name, place in places.items() if place == at)
            channel = order[at]
            rate = f"{values[channel]:.3f}" if values[channel] else "0"
            ax.plot(
                [at],
                [values[channel]],
                marker="o",
                linestyle="none",
                markersize=4,
                color=colour,
                clip_on=False,
                label=f"{name} {rate} (channel {channel})",
                zorder=3,
            )
        ax.legend(loc="upper right", borderaxespad=0, handletextpad=0.2, labelspacing=0.3)
        # Head room for the legend, which would hide the bars of a flat distribution.
        top = float(values.max()) or 1.0
        ax.set_ylim(0, 1.45 * top)
        ticks = np.asarray(MaxNLocator(5).tick_values(0, top))
        ax.set_yticks(ticks[ticks <= max(top, 1.0)])
        ax.set_xlim(-0.7, n_channels - 0.3)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        label_axes(ax, "rank of the channel", with_units("C-SFR", c_sfr))
        facts = [f"C-SFR at t = {time}", counted(n_channels, "channel")]
        facts += [f"{n_null} null"] if n_null else []
        ax.set_title(title or layer_title(rates, facts, title_width(ax) - 0.4), loc="left")
    return ax


def _need_layers(layers: Mapping[str, xr.Dataset]) -> None:
    if not layers:
        raise UsageError("there are no layers to draw: the results hold no spiking layer")
