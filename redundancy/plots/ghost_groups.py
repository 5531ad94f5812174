"""The spike features of a layer, tiled group by group: what repeats what."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.ghosts import group_colours, group_facts
from redundancy.plots.labels import layer_title
from redundancy.plots.layout import add_axes, axes_size, new_figure, title_width
from redundancy.plots.mosaic import Grid, caption, choose_grid
from redundancy.plots.rate_maps import (
    BOTTOM,
    COLOUR_BAR_ROOM,
    LEFT,
    MAPS_WIDTH,
    add_colour_bar,
    draw_rate_maps,
    need_maps,
)
from redundancy.plots.style import (
    CHANNEL_LABEL_SIZE,
    COLUMN_WIDTH,
    PAGE_WIDTH,
    TICK_SIZE,
    paper_style,
)

_HEIGHT = 5.0
_LAYOUT: dict[str, Any] = {"above": 0.28, "max_map": 0.8}
# Lines of a title, which narrow figures break into more of.
_TITLE_HEIGHTS = {4.8: 0.56, 0.0: 0.72}


def plot_ghost_groups(
    rates: xr.Dataset,
    groups: xr.Dataset,
    time: int | None = None,
    *,
    title: str | None = None,
    colour_bar: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draw a layer's spike features group by group.

    Parameters
    ----------
    rates : Dataset
        The layer's firing rates.
    groups : Dataset
        ``group`` (channel) of the ghost features, -1 for null channels, with the
        attributes threshold and ghost_ratio.
    time : int, optional
        Timestep, counted from 0; default the middle one. It should be that of `groups`.
    title : str, optional
    colour_bar : bool
    ax : Axes, optional
        Where to draw; default an Axes in a figure of at most page width.

    Returns
    -------
    Axes
        Groups of two or more, from the largest to the smallest, each in a frame with its
        size over it; then, without frames, the features that resemble no other. Null
        channels are left out and counted in the title.

    Raises
    ------
    UsageError
        If the layer has no maps, the timestep does not exist, the groups are not of this
        layer, or all channels are null.
    """
    need_maps(rates)
    time = selection.check_time(rates, time)
    group = groups[schema.GROUP].to_numpy()
    if len(group) != rates.sizes[schema.CHANNEL] or not (group >= 0).any():
        raise UsageError(
            f"ghost groups need a group of {rates.sizes[schema.CHANNEL]} channels, not all null, "
            f"got {len(group)} of which {int((group < 0).sum())} are null"
        )
    shown, labels, n_first = _tiles(group)
    maps = rates[schema.N_SFR].isel({schema.TIME: time, schema.CHANNEL: shown})
    with paper_style():
        ax, grid = _fit(ax, maps.shape, n_first, colour_bar)
        slots = _slots(len(shown), n_first, grid.n_columns)
        image = draw_rate_maps(ax, _with_holes(maps, slots), grid, False)
        for slot, channel in zip(slots, shown, strict=True):
            caption(ax, grid, slot, str(channel), lift=0.018, fontsize=CHANNEL_LABEL_SIZE)
        for place, (text, colour) in labels.items():
            word: dict[str, Any] = {"fontsize": TICK_SIZE, "color": colour, "fontweight": "bold"}
            caption(ax, grid, int(slots[place]), text, lift=0.125, **word)
        _frame_groups(ax, grid, group[shown[:n_first]], group_colours(group[shown])[:n_first])
        if title is None:
            facts = [f"ghost features at t = {time}", *group_facts(groups)]
            title = layer_title(rates, facts, title_width(ax))
        ax.set_title(title, loc="left")
        if colour_bar:
            add_colour_bar(image, rates[schema.N_SFR], "N-SFR", *grid.size)
    return ax


def _tiles(
    group: NDArray[Any],
) -> tuple[NDArray[np.int64], dict[int, tuple[str, str]], int]:
    """Return channels in the order shown, labels by place, and how many are in groups."""
    channels = np.flatnonzero(group >= 0)
    sizes = np.bincount(group[channels])
    alone = sizes[group[channels]] == 1
    in_groups = channels[~alone]
    in_groups = in_groups[np.lexsort((in_groups, group[in_groups], -sizes[group[in_groups]]))]
    shown = np.concatenate([in_groups, channels[alone]])
    colours = group_colours(group[shown])
    starts = np.flatnonzero(np.diff(group[in_groups], prepend=-1))
    labels = {int(i): (f"×{sizes[group[in_groups[i]]]}", colours[i]) for i in starts}
    if alone.any():
        labels[len(in_groups)] = (f"no ghost: {int(alone.sum())}", "#6b6b6b")
    return shown, labels, len(in_groups)


def _fit(
    ax: Axes | None, shape: tuple[int, ...], n_first: int, colour_bar: bool
) -> tuple[Axes, Grid]:
    n_maps, height, width = shape
    room = COLOUR_BAR_ROOM if colour_bar else LEFT
    box = (MAPS_WIDTH, _HEIGHT) if ax is None else axes_size(ax)
    if ax is not None and colour_bar:
        box = (max(box[0] - COLOUR_BAR_ROOM, box[0] / 2), box[1])
    options = {**_LAYOUT, "width": box[0], "height": box[1], "grow": ax is None}
    columns = choose_grid(n_maps, (height, width), **options).n_columns
    n_slots = int(_slots(n_maps, n_first, columns)[-1]) + 1
    grid = choose_grid(n_slots, (height, width), n_columns=columns, **options)
    if ax is None:
        figure_width = min(max(LEFT + grid.size[0] + room, COLUMN_WIDTH), PAGE_WIDTH)
        above = next(high for least, high in _TITLE_HEIGHTS.items() if figure_width > least)
        body = max(grid.size[1], 1.0)
        figure = new_figure(figure_width, above + body + BOTTOM)
        ax = add_axes(figure, LEFT, above, figure_width - LEFT - room, body)
    return ax, grid


def _slots(n_maps: int, n_first: int, n_columns: int) -> NDArray[np.int64]:
    """Return the places of the maps in the grid: those without ghosts begin a new row."""
    skipped = -n_first % n_columns
    places = np.arange(n_maps)
    return places + np.where(places >= n_first, skipped, 0)


def _with_holes(maps: xr.DataArray, slots: NDArray[np.int64]) -> xr.DataArray:
    filled = np.full((int(slots[-1]) + 1, *maps.shape[1:]), np.nan)
    filled[slots] = maps.to_numpy()
    return xr.DataArray(filled, dims=maps.dims, attrs=maps.attrs)


def _frame_groups(ax: Axes, grid: Grid, group: NDArray[Any], colours: list[str]) -> None:
    """Frame what of a group stands in one row, row by row."""
    pad = 0.016
    for number in dict.fromkeys(group):
        places = np.flatnonzero(group == number)
        for row in np.unique(places // grid.n_columns):
            in_row = places[places // grid.n_columns == row]
            left, top, _, height = grid.box(int(in_row[0]))
            last, _, width, _ = grid.box(int(in_row[-1]))
            ax.add_patch(
                Rectangle(
                    (left - pad, top - pad),
                    last + width - left + 2 * pad,
                    height + 2 * pad,
                    fill=False,
                    edgecolor=colours[places[0]],
                    linewidth=1.2,
                    clip_on=False,
                )
            )
