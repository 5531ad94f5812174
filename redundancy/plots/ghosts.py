"""Ghost features: which channels of a layer repeat one another."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.labels import counted, shorten, wrap_facts
from redundancy.plots.layout import add_axes, label_axes, new_figure
from redundancy.plots.style import (
    COLUMN_WIDTH,
    GROUP_COLOURS,
    MIN_NUMBER_SIZE,
    SINGLE_COLOUR,
    TEXT_COLOUR,
    THRESHOLD_COLOUR,
    TICK_SIZE,
    TITLE_SIZE,
    paper_style,
)

_MEASURES = {"ssim": "SSIM", "jaccard": "Jaccard", "cosine": "cosine", "pearson": "Pearson"}
_LEFT = 0.08
_TREE = 0.42
_STRIP = 0.09
_GAP = 0.04
_BAR_ROOM = 0.66
_LINE = 0.14


def plot_ghost_heatmap(
    similarity: xr.DataArray,
    linkage: NDArray[np.float64],
    groups: xr.Dataset,
    *,
    title: str | None = None,
) -> Figure:
    """Draw the similarity of a layer's channels as a clustered heat map.

    Parameters
    ----------
    similarity : DataArray, dims (channel, other_channel)
        With the attributes measure, time and name; NaN for null channels.
    linkage : ndarray, shape (n_active - 1, 4)
        Tree of the channels that are not null, in the form of
        ``scipy.cluster.hierarchy.linkage``, over the distance 1 - similarity.
    groups : Dataset
        ``group`` (channel), -1 for null channels, with the attributes threshold and
        ghost_ratio: the tree cut at the distance 1 - threshold.
    title : str, optional

    Returns
    -------
    Figure
        Channels stand in the order of the tree, the tree on the left with its cut (red
        dashed), the colours of the groups beside it; groups of two or more are framed.
        Null channels are left out and counted in the title.

    Raises
    ------
    UsageError
        If the tree or the groups do not fit the similarity, or all channels are null.
    """
    import seaborn

    group = groups[schema.GROUP].to_numpy()
    active = np.flatnonzero(group >= 0)
    _check(similarity, linkage, group, len(active))
    order, branches = _lay_out_tree(np.asarray(linkage, np.float64))
    channels = active[order]
    values = similarity.to_numpy()[np.ix_(channels, channels)]
    colours = group_colours(group[channels])
    signed = bool(np.nanmin(values) < 0)
    with paper_style():
        side = float(np.clip(0.05 * len(channels), COLUMN_WIDTH - _ROOM, 4.7))
        figure, top = _new_figure(similarity, groups, side, title)
        left = _LEFT + _TREE + 2 * _GAP + _STRIP
        ax = add_axes(figure, left, top, side, side)
        bar_ax = add_axes(figure, left + side + 0.1, top, 0.09, side)
        measure = str(similarity.attrs.get("measure", ""))
        seaborn.heatmap(
            values,
            ax=ax,
            cbar_ax=bar_ax,
            cmap="RdBu_r" if signed else "mako_r",
            vmin=-1.0 if signed else 0.0,
            vmax=1.0,
            xticklabels=False,
            yticklabels=False,
            rasterized=True,
            cbar_kws={"label": f"similarity ({_MEASURES.get(measure, measure)})"},
        )
        bar_ax.tick_params(labelsize=TICK_SIZE)
        _frame_groups(ax, group[channels])
        _number_channels(ax, channels, side)
        strip = add_axes(figure, _LEFT + _TREE + _GAP, top, _STRIP, side)
        strip.imshow(np.array([[to_rgb(c)] for c in colours]), aspect="auto")
        strip.set_axis_off()
        tree = add_axes(figure, _LEFT, top, _TREE, side)
        _draw_tree(tree, branches, len(channels), 1 - float(groups.attrs[schema.THRESHOLD]))
    return figure


_ROOM = _LEFT + _TREE + 2 * _GAP + _STRIP + _BAR_ROOM


def group_colours(group: NDArray[Any]) -> list[str]:
    """Return a colour for every channel: its group's, grey where it is alone in its group."""
    sizes = np.bincount(group[group >= 0], minlength=1)
    return [
        GROUP_COLOURS[number % len(GROUP_COLOURS)]
        if number >= 0 and sizes[number] > 1
        else SINGLE_COLOUR
        for number in group
    ]


def group_facts(groups: xr.Dataset) -> list[str]:
    """Return how many channels there are, in how many groups, and the ghost ratio."""
    group = groups[schema.GROUP].to_numpy()
    sizes = np.bincount(group[group >= 0], minlength=1)
    n_null = int((group < 0).sum())
    ratio = float(groups.attrs[schema.GHOST_RATIO])
    n_groups = counted(int((sizes > 0).sum()), "group")
    return [
        f"{counted(int((group >= 0).sum()), 'channel')} in {n_groups}",
        f"threshold {float(groups.attrs['threshold']):g}",
        "" if np.isnan(ratio) else f"ghost ratio {ratio:.2f}",
        f"{n_null} null left out" if n_null else "",
    ]


def _check(
    similarity: xr.DataArray, linkage: NDArray[np.float64], group: NDArray[Any], n_active: int
) -> None:
    n_channels = similarity.sizes[schema.CHANNEL]
    if len(group) != n_channels:
        raise UsageError(
            f"similarity and groups must be of the same layer, but they have {n_channels} and "
            f"{len(group)} channels"
        )
    if n_active == 0:
        raise UsageError(
            f"all {n_channels} channels are null (no spikes at this timestep), so there is no "
            "similarity to show; choose another timestep or layer"
        )
    if len(linkage) != n_active - 1:
        raise UsageError(
            f"the tree of {n_active} channels that are not null has {n_active - 1} rows, "
            f"got {len(linkage)}"
        )


def _lay_out_tree(
    linkage: NDArray[np.float64],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the leaves in order and the branches (n, 4 corners, distance and place).

    SciPy's own function recurses, too deep for the trees of large layers.
    """
    n = len(linkage) + 1
    members: dict[int, list[int]] = {i: [i] for i in range(n)}
    for row, (a, b, *_) in enumerate(linkage):
        members[n + row] = members.pop(int(a)) + members.pop(int(b))
    order = np.array(next(iter(members.values())), np.int64)
    place = np.empty(2 * n - 1)
    place[order] = np.arange(n) + 0.5
    height = np.zeros(2 * n - 1)
    branches = np.empty((n - 1, 4, 2))
    for row, (a, b, distance, _) in enumerate(linkage):
        a, b = int(a), int(b)
        place[n + row], height[n + row] = (place[a] + place[b]) / 2, distance
        x = [height[a], distance, distance, height[b]]
        branches[row] = np.column_stack([x, [place[a], place[a], place[b], place[b]]])
    return order, branches


def _draw_tree(ax: Axes, branches: NDArray[np.float64], n: int, cut: float) -> None:
    ax.add_collection(LineCollection(list(branches), colors=TEXT_COLOUR, linewidths=0.5))
    ax.axvline(cut, color=THRESHOLD_COLOUR, linestyle="--", linewidth=0.8)
    farthest = float(max(branches[..., 0].max(initial=0.0), cut, 1e-6))
    ax.set_xlim(1.05 * farthest, 0)
    ax.set_ylim(n, 0)
    ax.set_axis_off()


def _frame_groups(ax: Axes, group: NDArray[Any]) -> None:
    """Frame the channels of a group, which stand together in the order of the tree."""
    starts = np.flatnonzero(np.diff(group, prepend=-2))
    for start, stop in zip(starts, [*starts[1:], len(group)], strict=True):
        if stop - start > 1:
            first, size = int(start), int(stop - start)
            colour = GROUP_COLOURS[group[start] % len(GROUP_COLOURS)]
            ax.add_patch(
                Rectangle((first, first), size, size, fill=False, edgecolor=colour, linewidth=1.2)
            )


def _number_channels(ax: Axes, channels: NDArray[np.int64], side: float) -> None:
    size = min(TICK_SIZE, 0.8 * side / len(channels) * 72)
    if size >= MIN_NUMBER_SIZE - 1:
        ax.set_xticks(np.arange(len(channels)) + 0.5, [str(channel) for channel in channels])
    label_axes(ax, "channel" if size >= MIN_NUMBER_SIZE - 1 else "channels, as in the tree")
    ax.tick_params(axis="x", labelsize=size, rotation=90, length=0, pad=1.5)


def _new_figure(
    similarity: xr.DataArray, groups: xr.Dataset, side: float, title: str | None
) -> tuple[Figure, float]:
    """Return a figure with its title, and where what is below it begins, in inches."""
    width = _ROOM + side
    if title is None:
        time = similarity.attrs.get("time")
        name = shorten(str(similarity.attrs.get("name", "")), 30)
        at = "" if time is None else f" at t = {time}"
        facts = [f"ghost features{at}", *group_facts(groups)]
        title = "\n".join(word for word in (name, wrap_facts(facts, width, TITLE_SIZE)) if word)
    top = 0.12 + _LINE * (title.count("\n") + 1)
    figure = new_figure(width, top + side + 0.42)
    _, height = figure.get_size_inches()
    figure.text(
        _LEFT / width, 1 - 0.06 / height, title, fontsize=TITLE_SIZE, va="top", linespacing=1.15
    )
    return figure, top
