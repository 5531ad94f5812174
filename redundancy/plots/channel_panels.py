"""One channel: its spike feature and its membrane potential distribution as small panels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.labels import samples_note, shorten
from redundancy.plots.layer_results import LayerResults
from redundancy.plots.layout import add_axes
from redundancy.plots.patterns import Rule, pattern_names
from redundancy.plots.potential_axis import channel_threshold, deviation_edges, occupied_range
from redundancy.plots.potentials import plot_membrane_potential_distribution
from redundancy.plots.rate_maps import draw_rate_maps, fit_maps
from redundancy.plots.style import NULL_COLOUR, PATTERN_COLOURS, TEXT_COLOUR, TICK_SIZE

Picks = Iterable[int | tuple[str, int]]


def pick_channels(
    networks: Mapping[str, LayerResults],
    time: int,
    channels: Picks | None,
    n: int,
    rule: Rule,
) -> tuple[list[int], str]:
    """Return the channels to show of all networks, and a note on how they were chosen."""
    name, first = next(iter(networks.items()))
    if channels is not None:
        picks = [pick[1] if isinstance(pick, tuple) else pick for pick in channels]
        return selection.check_channels(first["rates"], dict.fromkeys(picks)), ""
    chosen = selection.choose_pattern_channels(
        first["patterns"], first["rates"], time, n, rule=rule
    )
    of_network = f" of {shorten(name, 40)}" if name else ""
    if not chosen:
        raise UsageError(
            f"at t = {time} this layer{of_network} has neither noise nor normal channels by the "
            f"{rule} rule; name the channels to show"
        )
    missing = {"noise", "normal"} - {pattern for pattern, _ in chosen}
    which = "the highest" if n == 2 else "the highest and the median"
    note = (
        # No break within the timestep.
        f"Channels: of the noise and of the normal channels{of_network} at t\u00a0=\u00a0{time} "
        f"({rule} rule), those with {which} C-SFR."
    )
    note += "".join(f" It has no {pattern} channel." for pattern in missing)
    return [channel for _, channel in chosen], note


def shared_limits(layers: Iterable[LayerResults], time: int, channel: int) -> tuple[float, float]:
    """Return the range of potentials that shows a channel of every network."""
    limits = []
    for layer in layers:
        potentials = layer["potentials"]
        counts = potentials[schema.HISTOGRAM].isel({schema.TIME: time, schema.CHANNEL: channel})
        v_threshold = channel_threshold(potentials, channel)
        edges = deviation_edges(potentials) + v_threshold
        limits.append(occupied_range(counts.to_numpy(), edges, v_threshold))
    lows, highs = zip(*limits, strict=True)
    return min(lows), max(highs)


def draw_feature(
    figure: Figure,
    box: tuple[float, float, float, float],
    rates: xr.Dataset,
    time: int,
    channel: int,
) -> AxesImage:
    """Draw one channel's spike feature, with its C-SFR below.

    `box` is left, top, width and height in inches from the figure's top left corner.
    """
    left, top, width, height = box
    # The grid's own gaps, so that the map fills its box.
    ax = add_axes(figure, left, top, width + 0.065, height + 0.025)
    maps = rates[schema.N_SFR].isel({schema.TIME: time, schema.CHANNEL: [channel]})
    layout: dict[str, Any] = {"above": 0.0, "max_map": 9.0, "n_columns": 1}
    _, grid = fit_maps(maps, "auto", ax, False, max_height=9.0, **layout)
    image = draw_rate_maps(ax, maps, grid, "auto")
    rate = float(rates[schema.C_SFR].isel({schema.TIME: time, schema.CHANNEL: channel}))
    ax.text(
        0,
        grid.size[1] + 0.03,
        "C-SFR 0" if rate == 0 else f"C-SFR {rate:.3f}",
        ha="left",
        va="top",
        fontsize=TICK_SIZE,
        color=NULL_COLOUR if rate == 0 else TEXT_COLOUR,
    )
    return image


def draw_potential(
    ax: Axes,
    layer: LayerResults,
    time: int,
    channel: int,
    x_limits: tuple[float, float],
) -> None:
    """Draw the membrane potential distribution of one channel into a small `ax`."""
    plot_membrane_potential_distribution(
        layer["potentials"],
        channel=channel,
        time=time,
        x_limits=x_limits,
        short=True,
        title="",
        ax=ax,
    )


def name_channel(
    ax: Axes, layer: LayerResults, time: int, channel: int, rule: Rule, letter: str = ""
) -> None:
    """Write channel and pattern, in the pattern's colour, over the first Axes of a panel."""
    pattern = str(pattern_names(layer["patterns"], time, rule)[channel])
    words = f"{letter}  " if letter else ""
    ax.set_title(
        f"{words}channel {channel} · {pattern}",
        loc="left",
        color=PATTERN_COLOURS[pattern],
        pad=3,
        fontsize=7.5,
    )


def layer_facts(layers: Sequence[LayerResults], time: int) -> list[str]:
    """Return layer and timestep, and the number of samples where all have as many."""
    attributes = layers[0]["rates"].attrs
    facts = [f"{shorten(str(attributes.get('name', '')), 40)} at t = {time}"]
    counts = {layer["rates"].attrs.get(schema.N_SAMPLES) for layer in layers}
    if len(counts) == 1:
        facts.append(samples_note(attributes))
    return facts
