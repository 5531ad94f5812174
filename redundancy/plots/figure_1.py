"""Figure 1 of the paper: a neuron, its input, and redundant spikes before and after ASA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import xarray as xr
from matplotlib.figure import Figure

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.channel_panels import (
    Picks,
    draw_feature,
    draw_potential,
    layer_facts,
    name_channel,
    pick_channels,
    shared_limits,
)
from redundancy.plots.events import plot_event_strip
from redundancy.plots.labels import characters_in, shorten, wrap_facts, wrap_words
from redundancy.plots.layer_results import LayerResults, check_networks
from redundancy.plots.layout import add_axes, new_figure
from redundancy.plots.neuron_trace import plot_neuron_trace
from redundancy.plots.patterns import Rule
from redundancy.plots.rate_maps import add_colour_bar, need_maps
from redundancy.plots.style import PAGE_WIDTH, TICK_SIZE, TITLE_SIZE, paper_style

_N_FRAMES = 4
_TOP = 0.3
_UPPER = 1.15
_UPPER_ROOM = 0.5
_PANEL_TITLE = 0.5
_LEFT = 0.08
_BAR_ROOM = 0.62
_MAP = 1.16
_TICKS = 0.36
_PITCH = (PAGE_WIDTH - _LEFT - _BAR_ROOM) / 2
_POTENTIAL = _PITCH - _MAP - _TICKS - 0.2
_ROW = _MAP + 0.66


def figure_1(
    potential: xr.DataArray,
    spikes: xr.DataArray,
    frames: xr.DataArray,
    networks: Mapping[str, LayerResults],
    *,
    v_threshold: float,
    v_reset: float | None,
    time: int | None = None,
    times: Iterable[int] | None = None,
    channels: Picks | None = None,
    rule: Rule = "potential",
) -> Figure:
    """Draw Figure 1: (a) a neuron, (b) event frames, (c) noise and normal channels.

    Parameters
    ----------
    potential, spikes : DataArray, dims (time,)
        Of one neuron in one sample: potential before firing and spikes.
    frames : DataArray, dims (time, channel, y, x)
        Event frames of that sample.
    networks : mapping of str to LayerResults
        Rates, potentials and patterns of the same layer of one or two networks, by the
        network's name: vanilla first, then that with ASA.
    v_threshold : float
        Of the neuron.
    v_reset : float or None
        Of the neuron; None for a soft reset.
    time : int, optional
        Timestep of (c), counted from 0; default the middle one.
    times : iterable of int, optional
        Timesteps of (b); default four from the first to the last.
    channels : iterable of int or (str, int), optional
        Up to four channels of (c), the same of all networks; default the noise and the
        normal channel with the highest C-SFR in the first network.
    rule : {"potential", "spatial"}
        Which of the two patterns is named and picked by.

    Returns
    -------
    Figure
        Of page width.

    Raises
    ------
    UsageError
        If a channel or timestep does not exist, the networks do not match, the layer has
        no maps, or the first network has neither noise nor normal channels to pick.
    """
    check_networks(networks, most=2)
    layers = list(networks.values())
    for layer in layers:
        need_maps(layer["rates"])
    time = selection.check_time(layers[0]["rates"], time)
    shown, note = pick_channels(networks, time, channels, 2, rule)
    if len(shown) > 4:
        raise UsageError(f"figure 1 shows up to 4 channels, got {len(shown)}")
    lines = wrap_words(note, PAGE_WIDTH - 2 * _LEFT, TICK_SIZE)
    lower = _TOP + _UPPER + _UPPER_ROOM
    bottom = lower + _PANEL_TITLE + len(shown) * _ROW
    with paper_style():
        figure = new_figure(PAGE_WIDTH, bottom + 0.12 * len(lines) + 0.05)
        _draw_upper(figure, potential, spikes, frames, v_threshold, v_reset, times)
        head = wrap_facts(["(c)  Spike patterns", *layer_facts(layers, time)], 99, TITLE_SIZE)
        _write(figure, _LEFT, lower, head)
        for column, (name, layer) in enumerate(networks.items()):
            left = _LEFT + column * _PITCH
            label = shorten(name, characters_in(_PITCH - 0.1, TITLE_SIZE))
            _write(figure, left, lower + 0.17, label, bold=True)
            for row, channel in enumerate(shown):
                top = lower + _PANEL_TITLE + row * _ROW
                box = (left, top, _MAP, _MAP)
                image = draw_feature(figure, box, layer["rates"], time, channel)
                name_channel(image.axes, layer, time, channel, rule)
                ax = add_axes(figure, left + _MAP + _TICKS, top, _POTENTIAL, _MAP)
                draw_potential(ax, layer, time, channel, shared_limits(layers, time, channel))
                if column == len(networks) - 1 and row == 0:
                    room = _PITCH - 0.12
                    add_colour_bar(image, layer["rates"][schema.N_SFR], "N-SFR", room, _MAP)
        for row, line in enumerate(lines):
            _write(figure, _LEFT, bottom + 0.12 * row, line, size=TICK_SIZE)
    return figure


def _draw_upper(
    figure: Figure,
    potential: xr.DataArray,
    spikes: xr.DataArray,
    frames: xr.DataArray,
    v_threshold: float,
    v_reset: float | None,
    times: Iterable[int] | None,
) -> None:
    plot_neuron_trace(
        potential,
        spikes,
        v_threshold=v_threshold,
        v_reset=v_reset,
        title="(a)  Membrane potential of one neuron",
        ax=add_axes(figure, 0.48, _TOP, 2.5, _UPPER),
    )
    strip = times if times is not None else selection.times_to_show(len(frames.time), _N_FRAMES)
    plot_event_strip(
        frames,
        times=strip,
        title="(b)  Event frames",
        ax=add_axes(figure, 3.55, _TOP, PAGE_WIDTH - 3.55 - 0.08, _UPPER),
    )


def _write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float = TITLE_SIZE,
    bold: bool = False,
) -> None:
    width, height = figure.get_size_inches()
    weight = "bold" if bold else "normal"
    figure.text(left / width, 1 - top / height, text, fontsize=size, fontweight=weight, va="top")
