"""The paper's figures, composed of this package's plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from redundancy import schema
from redundancy.plots import selection
from redundancy.plots.labels import channel_facts, samples_note, shorten
from redundancy.plots.layout import add_axes, new_figure
from redundancy.plots.mosaic import choose_grid
from redundancy.plots.rate_maps import (
    LEFT,
    MAPS_WIDTH,
    MOSAIC_LAYOUT,
    SERIES_LAYOUT,
    SERIES_PER_ROW,
    add_colour_bar,
    need_maps,
)
from redundancy.plots.spike_features import plot_feature_mosaic, plot_feature_series
from redundancy.plots.style import PAGE_WIDTH, PICK_COLOURS, TITLE_SIZE, paper_style

_HEAD = 0.3
_PANEL_TITLE = 0.22
_ROW_TITLE = 0.24
_GAP = 0.14
_BOTTOM = 0.06
_MOSAIC_HEIGHT = 4.0


def figure_2(layers: Mapping[str, xr.Dataset], network: xr.Dataset, **selection: Any) -> Figure:
    """Draw Figure 2: spike features of a vanilla network.

    Parameters
    ----------
    layers, network, **selection
        Those of `spike_feature_figure`.
    """
    return spike_feature_figure(
        layers, network, title="Spike features of the vanilla network", **selection
    )


def figure_5(
    layers: Mapping[str, xr.Dataset],
    network: xr.Dataset,
    *,
    attention: str = "ASA",
    **selection: Any,
) -> Figure:
    """Draw Figure 5: spike features of a network with attention.

    Parameters
    ----------
    layers, network, **selection
        Those of `spike_feature_figure`.
    attention : str, default "ASA"
        Which, for the title.
    """
    title = f"Spike features of the network with {attention}"
    return spike_feature_figure(layers, network, title=title, **selection)


def spike_feature_figure(
    layers: Mapping[str, xr.Dataset],
    network: xr.Dataset,
    *,
    layer: str | None = None,
    time: int | None = None,
    channels: Mapping[str, int] | Iterable[int] | None = None,
    times: Iterable[int] | None = None,
    title: str = "Spike features",
) -> Figure:
    """Draw (a) all spike features of a layer at one timestep, (b) some of them over time.

    Parameters
    ----------
    layers : mapping of str to Dataset
        Firing rates per layer in network order.
    network : Dataset
        The network's ``nasfr``, which stands in the title.
    layer : str, optional
        Default the deepest convolutional layer.
    time : int, optional
        Timestep of (a), counted from 0; default the middle one.
    channels : mapping of str to int or iterable of int, optional
        Channels of (b), as a mapping with a name for each; default the channels with the
        highest and a typical C-SFR.
    times : iterable of int, optional
        Timesteps of (b); default six from the first to the last.
    title : str

    Returns
    -------
    Figure
        Of page width. The channels of (b) are framed in (a) in the colour of their row.

    Raises
    ------
    UsageError
        If the layer, a channel or a timestep does not exist, or the layer has no maps.
    """
    rates = layers[selection.check_layer(layers, layer)]
    need_maps(rates)
    time = selection.check_time(rates, time)
    picks = _picks(rates, time, channels)
    shown = selection.check_times(rates, times)
    colours = {channel: PICK_COLOURS[i % len(PICK_COLOURS)] for i, channel in enumerate(picks)}
    box_height, mosaic_height = _mosaic_heights(rates)
    row_height = _ROW_TITLE + _series_height(rates, len(shown))
    with paper_style():
        rows_top = _HEAD + _PANEL_TITLE + mosaic_height + _GAP
        figure = new_figure(PAGE_WIDTH, rows_top + len(picks) * row_height + _BOTTOM)
        _write_head(figure, title, float(network[schema.NASFR]))
        ax = add_axes(figure, LEFT, _HEAD + _PANEL_TITLE, MAPS_WIDTH, box_height)
        plot_feature_mosaic(
            rates,
            time=time,
            highlight=colours,
            title=_mosaic_title(rates, time),
            colour_bar=False,
            ax=ax,
        )
        variable = rates[schema.N_SFR]
        add_colour_bar(ax.images[0], variable, "N-SFR", MAPS_WIDTH, mosaic_height)
        for row, (channel, name) in enumerate(picks.items()):
            top = rows_top + row * row_height + _ROW_TITLE
            ax = add_axes(figure, LEFT, top, MAPS_WIDTH, row_height - _ROW_TITLE + 0.2)
            plot_feature_series(
                rates,
                channel=channel,
                times=shown,
                title=f"{'(b)  ' if row == 0 else ''}channel {channel}{name}",
                colour_bar=False,
                ax=ax,
            )
            ax.set_title(ax.get_title(loc="left"), loc="left", color=colours[channel])
    return figure


def _picks(
    rates: xr.Dataset, time: int, channels: Mapping[str, int] | Iterable[int] | None
) -> dict[int, str]:
    """Return channel -> what to say of it, each channel once."""
    said = f"C-SFR at t = {time}"
    if channels is None:
        channels = selection.default_channels(rates, time)
        named = [(channel, f", {name} {said}") for name, channel in channels.items()]
    elif isinstance(channels, Mapping):
        named = [(channel, f", {name}") for name, channel in channels.items()]
    else:
        named = [(channel, "") for channel in channels]
    selection.check_channels(rates, [channel for channel, _ in named])
    return dict(named)


def _mosaic_heights(rates: xr.Dataset) -> tuple[float, float]:
    """Return the height of the mosaic's box and of the maps in it, in inches."""
    n_channels = rates.sizes[schema.CHANNEL]
    shape = (rates.sizes[schema.Y], rates.sizes[schema.X])
    box = _MOSAIC_HEIGHT
    grid = choose_grid(n_channels, shape, width=MAPS_WIDTH, height=box, **MOSAIC_LAYOUT)
    if grid.size[1] > box:
        # Too many channels for the box: it grows to what their smallest size needs.
        box = grid.size[1] + 0.03 * grid.n_rows
        grid = choose_grid(n_channels, shape, width=MAPS_WIDTH, height=box, **MOSAIC_LAYOUT)
    return box, grid.size[1]


def _series_height(rates: xr.Dataset, n_times: int) -> float:
    grid = choose_grid(
        n_times,
        (rates.sizes[schema.Y], rates.sizes[schema.X]),
        width=MAPS_WIDTH,
        height=9.0,
        n_columns=min(n_times, SERIES_PER_ROW),
        **SERIES_LAYOUT,
    )
    return grid.size[1]


def _write_head(figure: Figure, title: str, nasfr: float) -> None:
    width, height = figure.get_size_inches()
    figure.text(
        LEFT / width,
        1 - 0.1 / height,
        f"{title} · NASFR {nasfr:.3f}",
        fontsize=TITLE_SIZE + 1,
        fontweight="bold",
        va="top",
    )


def _mosaic_title(rates: xr.Dataset, time: int) -> str:
    c_sfr = rates[schema.C_SFR].isel({schema.TIME: time}).to_numpy()
    facts = channel_facts(c_sfr, list(range(len(c_sfr))))
    name = shorten(str(rates.attrs.get("name", "")), 40)
    words = [f"(a)  {name} at t = {time}", *facts, samples_note(rates.attrs)]
    return " · ".join(word for word in words if word)
