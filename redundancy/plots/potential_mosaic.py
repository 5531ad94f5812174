"""The membrane potential distributions of all channels of a layer in one picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.patches import Patch
from numpy.typing import NDArray

from redundancy import schema
from redundancy.plots import selection
from redundancy.plots.labels import counted, layer_title
from redundancy.plots.layout import add_axes, axes_size, new_figure, title_width
from redundancy.plots.mosaic import Grid, caption, choose_grid
from redundancy.plots.patterns import Rule, pattern_names
from redundancy.plots.potential_axis import deviation_edges, quantity_name
from redundancy.plots.style import (
    CHANNEL_LABEL_SIZE,
    COLUMN_WIDTH,
    PAGE_WIDTH,
    PATTERN_COLOURS,
    POTENTIAL_COLOUR,
    POTENTIAL_EDGE_COLOUR,
    TEXT_COLOUR,
    THRESHOLD_COLOUR,
    paper_style,
)

# Height and width of a panel, in cells of the grid.
_PANEL = (3, 4)
_LEFT = 0.08
_ABOVE = 0.46
_LEGEND = 0.2
# Bars lower than this share of their panel's highest are too low to be seen.
_VISIBLE = 0.02


def plot_potential_mosaic(
    potentials: xr.Dataset,
    *,
    time: int | None = None,
    channels: Iterable[int] | None = None,
    patterns: xr.Dataset | None = None,
    rule: Rule = "potential",
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the membrane potential distributions (MPD) of a layer's channels at one timestep.

    Parameters
    ----------
    potentials : Dataset
        A layer's ``histogram`` (time, channel, bin).
    time : int, optional
        Timestep, counted from 0; default the middle one.
    channels : iterable of int, optional
        Channels to show; default all.
    patterns : Dataset, optional
        The layer's patterns (time, channel), which colour the channels' numbers.
    rule : {"potential", "spatial"}
        Which of the two patterns.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of page width.

    Returns
    -------
    Axes
        All panels share the range of potentials, counted from the threshold (red dashed
        line) and wide enough for every bar that can be seen; each is as high as its own
        highest bar. Coordinates are inches from the top left.

    Raises
    ------
    UsageError
        If the timestep or a channel does not exist.
    """
    time = selection.check_time(potentials, time)
    shown = selection.check_channels(potentials, channels)
    selected = potentials[schema.HISTOGRAM].isel({schema.TIME: time, schema.CHANNEL: shown})
    counts = selected.transpose(schema.CHANNEL, schema.BIN).to_numpy()
    heights = counts / np.maximum(counts.max(axis=1, keepdims=True), 1)
    edges, first, last = _visible_bins(potentials, heights)
    names = None if patterns is None else pattern_names(patterns, time, rule)[shown]
    with paper_style():
        ax, grid = _fit(ax, len(shown), legend=names is not None)
        outlines, lines, floors = _panels(grid, heights[:, first:last], edges)
        ax.add_collection(
            PolyCollection(
                list(outlines),
                facecolors=POTENTIAL_COLOUR,
                edgecolors=POTENTIAL_EDGE_COLOUR,
                linewidths=0.3,
            )
        )
        ax.add_collection(
            LineCollection(list(floors), colors=TEXT_COLOUR, linewidths=0.4, clip_on=False)
        )
        ax.add_collection(
            LineCollection(
                list(lines), colors=THRESHOLD_COLOUR, linewidths=0.7, linestyles=(0, (3, 2))
            )
        )
        for index, channel in enumerate(shown):
            colour = TEXT_COLOUR if names is None else PATTERN_COLOURS[names[index]]
            caption(ax, grid, index, str(channel), fontsize=CHANNEL_LABEL_SIZE, color=colour)
        if names is not None:
            _legend(ax, grid, names)
        if title is None:
            facts = [
                f"{quantity_name(potentials, short=True)} at t = {time}",
                counted(len(shown), "channel"),
                f"from {_signed(edges[0])} to {_signed(edges[-1])} about the threshold (red)",
            ]
            title = layer_title(potentials, facts, title_width(ax))
        ax.set_title(title, loc="left")
    return ax


def _visible_bins(
    potentials: xr.Dataset, heights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int, int]:
    """Return the edges of the bins to show, the first of them and the one after the last."""
    n_below = int(potentials.attrs[schema.BINS_BELOW])
    visible = np.flatnonzero((heights > _VISIBLE).any(axis=0))
    first = int(min([*visible[:1], n_below - 1]))
    last = int(max([*visible[-1:] + 1, n_below + 1]))
    return deviation_edges(potentials)[first : last + 1], first, last


def _fit(ax: Axes | None, n_panels: int, *, legend: bool) -> tuple[Axes, Grid]:
    layout: dict[str, Any] = {"max_map": 1.2, "above": 0.13}
    below = _LEGEND if legend else 0.0
    if ax is None:
        width = PAGE_WIDTH - 2 * _LEFT
        grid = choose_grid(n_panels, _PANEL, width=width, height=4.6, **layout)
        figure_width = min(max(grid.size[0] + 2 * _LEFT, COLUMN_WIDTH), PAGE_WIDTH)
        # Titles of narrow figures break into more lines.
        above = _ABOVE if figure_width > 4.8 else _ABOVE + 0.28
        height = grid.size[1] + below
        figure = new_figure(figure_width, above + height + 0.1)
        ax = add_axes(figure, _LEFT, above, figure_width - 2 * _LEFT, height)
    else:
        width, height = axes_size(ax)
        grid = choose_grid(
            n_panels, _PANEL, width=width, height=height - below, grow=False, **layout
        )
    width, height = axes_size(ax)
    ax.set_xlim(0, width)
    ax.set_ylim(height, 0)
    ax.set_axis_off()
    return ax, grid


def _panels(
    grid: Grid, heights: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return outlines of the bars, threshold lines and floors, (n, points, 2), in inches."""
    boxes = np.array([grid.box(index) for index in range(grid.n_maps)])
    left, top, width, height = (column[:, None] for column in boxes.T)
    floor = top + height
    span = edges[-1] - edges[0]
    x = left + width * (np.repeat(edges, 2) - edges[0]) / span
    bars = np.repeat(heights, 2, axis=1)
    y = floor - height * np.pad(bars, ((0, 0), (1, 1)))
    threshold = left + width * (0.0 - edges[0]) / span
    return (
        np.stack([x, y], axis=-1),
        np.stack([np.hstack([threshold] * 2), np.hstack([top, floor])], axis=-1),
        np.stack([np.hstack([left, left + width]), np.hstack([floor] * 2)], axis=-1),
    )


def _legend(ax: Axes, grid: Grid, names: NDArray[np.str_]) -> None:
    found = {name: int((names == name).sum()) for name in PATTERN_COLOURS}
    handles = [
        Patch(color=PATTERN_COLOURS[name], label=f"{name} ({n})") for name, n in found.items() if n
    ]
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.0, grid.size[1] + 0.05),
        bbox_transform=ax.transData,
        ncols=len(handles),
        borderaxespad=0.0,
        borderpad=0.0,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.2,
    )


def _signed(value: float) -> str:
    return f"{value:+.2g}".replace("-", "−")
