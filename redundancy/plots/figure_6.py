"""Figure 6 of the paper: spike patterns and where their membrane potentials lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from redundancy.plots.labels import shorten, wrap_facts, wrap_words
from redundancy.plots.layer_results import LayerResults, check_networks
from redundancy.plots.layout import add_axes, new_figure
from redundancy.plots.patterns import Rule
from redundancy.plots.rate_maps import add_colour_bar
from redundancy.plots.style import COLUMN_WIDTH, PAGE_WIDTH, TICK_SIZE, TITLE_SIZE, paper_style

_MOST_NETWORKS = 4
_MOST_CHANNELS = 4
_LEFT = 0.04
_BAR_ROOM = 0.66
_PITCH = (PAGE_WIDTH - _LEFT - _BAR_ROOM) / _MOST_CHANNELS
# Left of a panel's box stand the ticks of its potentials.
_TICKS = 0.3
_BOX = _PITCH - _TICKS - 0.06
_HEAD = 0.28
_ROW_TITLE = 0.36
_CAPTION = 0.2
_POTENTIAL = 0.85
_AXIS = 0.54


def figure_6(
    networks: Mapping[str, LayerResults],
    *,
    time: int | None = None,
    channels: Picks | None = None,
    rule: Rule = "potential",
    title: str = "Spike patterns",
) -> Figure:
    """Draw Figure 6: spike features and membrane potentials of channels A to D.

    Parameters
    ----------
    networks : mapping of str to LayerResults
        Rates, potentials and patterns of the same layer of each network, by the
        network's name: (a) the vanilla network first, (b) that with ASA.
        The name may be empty where there is one.
    time : int, optional
        Timestep, counted from 0; default the middle one.
    channels : iterable of int or (str, int), optional
        Up to four channels, the same of all networks; default those that
        `choose_pattern_channels` picks from the first network.
    rule : {"potential", "spatial"}
        Which of the two patterns is named and picked by.
    title : str

    Returns
    -------
    Figure
        Of page width. Each channel's potentials have the same range in all networks.
        Layers without maps show potentials alone. How the channels were chosen, and
        which pattern is missing, stands at the bottom.

    Raises
    ------
    UsageError
        If a channel, the timestep or the rule does not exist, networks do not match, or
        the first network has neither noise nor normal channels to pick.
    """
    check_networks(networks, most=_MOST_NETWORKS)
    layers = list(networks.values())
    time = selection.check_time(layers[0]["rates"], time)
    shown, note = pick_channels(networks, time, channels, _MOST_CHANNELS, rule)
    if len(shown) > _MOST_CHANNELS:
        raise UsageError(f"figure 6 shows up to {_MOST_CHANNELS} channels, got {len(shown)}")
    width = max(_LEFT + len(shown) * _PITCH + _BAR_ROOM, COLUMN_WIDTH)
    lines = wrap_words(note, width - 2 * _LEFT, TICK_SIZE)
    # Bold letters are wider.
    head = wrap_facts([title, *layer_facts(layers, time)], 0.9 * width, TITLE_SIZE + 1)
    first = _HEAD + 0.16 * head.count("\n")
    heights = [_row_height(layer) for layer in layers]
    bottom = first + sum(heights)
    with paper_style():
        figure = new_figure(width, bottom + 0.12 * len(lines) + 0.06)
        _write(figure, 0.1, head, TITLE_SIZE + 1)
        limits = {channel: shared_limits(layers, time, channel) for channel in shown}
        for row, (name, layer) in enumerate(networks.items()):
            top = first + sum(heights[:row])
            letter = f"({'abcd'[row]})  " if len(networks) > 1 else ""
            _write(figure, top + 0.04, letter + shorten(name, int(9 * width)), TITLE_SIZE)
            _draw_row(figure, layer, _Row(top + _ROW_TITLE, time, shown, rule), limits)
        for row, line in enumerate(lines):
            _write(figure, bottom + 0.12 * row, line, TICK_SIZE, bold=False)
    return figure


@dataclass(frozen=True)
class _Row:
    """What the panels of one network have in common; `top` is in inches."""

    top: float
    time: int
    channels: list[int]
    rule: Rule


def _draw_row(
    figure: Figure, layer: LayerResults, row: _Row, limits: dict[int, tuple[float, float]]
) -> None:
    map_height = _map_height(layer)
    for index, channel in enumerate(row.channels):
        left = _LEFT + index * _PITCH + _TICKS
        below = row.top
        if map_height:
            box = (left, row.top, _BOX, map_height)
            image = draw_feature(figure, box, layer["rates"], row.time, channel)
            below = row.top + map_height + _CAPTION
        potential = add_axes(figure, left, below, _BOX, _POTENTIAL)
        draw_potential(potential, layer, row.time, channel, limits[channel])
        top_ax = image.axes if map_height else potential
        name_channel(top_ax, layer, row.time, channel, row.rule, "ABCD"[index])
    if map_height:
        add_colour_bar(image, layer["rates"][schema.N_SFR], "N-SFR", _BOX, map_height)


def _map_height(layer: LayerResults) -> float:
    """Return the height of a map as wide as its box, 0 where there are no maps."""
    if not selection.has_maps(layer["rates"]):
        return 0.0
    sizes = layer["rates"].sizes
    return min(_BOX * sizes[schema.Y] / sizes[schema.X], _BOX)


def _row_height(layer: LayerResults) -> float:
    map_height = _map_height(layer)
    return _ROW_TITLE + (map_height + _CAPTION if map_height else 0.0) + _POTENTIAL + _AXIS


def _write(figure: Figure, top: float, text: str, size: float, *, bold: bool = True) -> None:
    width, height = figure.get_size_inches()
    figure.text(
        (_LEFT + 0.04) / width,
        1 - top / height,
        text,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        va="top",
    )
