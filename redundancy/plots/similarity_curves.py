"""Similarity as curves and over time: ghost ratios against the threshold, timesteps alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.labels import layer_title, legend_name, shorten
from redundancy.plots.layout import add_axes, axes_size, label_axes, new_figure, title_width
from redundancy.plots.style import (
    COLUMN_WIDTH,
    PICK_COLOURS,
    SINGLE_COLOUR,
    THRESHOLD_COLOUR,
    TICK_SIZE,
    paper_style,
)

_LINE_STYLES = ("-", "--", "-.", ":")
_COLOUR_MAP = "viridis"
_LEGEND_LENGTH = 36


def plot_ghost_ratio_curve(
    curves: Mapping[str, xr.Dataset],
    *,
    threshold: float | None = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw ghost ratios against the similarity from which features count as ghosts.

    Parameters
    ----------
    curves : mapping of str to Dataset
        ``ghost_ratio`` (threshold), by the name of the measure, network or layer.
    threshold : float, optional
        The chosen threshold, to be marked; the ratio there stands in the legend of
        curves that have a point at it.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes

    Raises
    ------
    UsageError
        If there are no curves.
    """
    with paper_style():
        ax = _curve_axes(curves, ax)
        for index, (name, curve) in enumerate(curves.items()):
            ratio = curve[schema.GHOST_RATIO]
            x, y = ratio[schema.THRESHOLD].to_numpy(), ratio.to_numpy()
            at = np.isclose(x, np.nan if threshold is None else threshold)
            label = legend_name(name, _LEGEND_LENGTH)
            label += f": {y[at][0]:.2f}" if at.any() and np.isfinite(y[at][0]) else ""
            look = _look(index)
            ax.plot(x, y, label=label, **look)
            dot = {**look, "linestyle": "none", "marker": "o", "markersize": 3.5}
            ax.plot(x[at], y[at], label="_chosen", **dot)
        if threshold is not None:
            ax.axvline(threshold, color=THRESHOLD_COLOUR, linestyle="--", linewidth=0.9, zorder=1)
        ax.set_ylim(-0.02, 1.02)
        label_axes(ax, "similarity from which features are ghosts", "ghost ratio")
        ax.set_title(title or "Ghost features", loc="left")
        _legend(ax, None if threshold is None else f"ghost ratio at threshold {threshold:g}")
    return ax


def plot_temporal_ghost_curve(
    curves: Mapping[str, xr.Dataset],
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw which share of the features of the first timesteps repeats an earlier one.

    Parameters
    ----------
    curves : mapping of str to Dataset
        ``temporal_ghost_ratio`` (n_timesteps), by the name of the layer, network or
        measure; NaN while no feature is active.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        The last value of each curve stands in the legend.

    Raises
    ------
    UsageError
        If there are no curves.
    """
    with paper_style():
        ax = _curve_axes(curves, ax)
        for index, (name, curve) in enumerate(curves.items()):
            ratio = curve[schema.TEMPORAL_GHOST_RATIO]
            y = ratio.to_numpy()
            label = legend_name(name, _LEGEND_LENGTH)
            label += f": {y[-1]:.2f}" if np.isfinite(y[-1]) else ""
            marker = "o" if len(y) <= 30 else None
            x = ratio[schema.N_TIMESTEPS].to_numpy()
            ax.plot(x, y, label=label, marker=marker, markersize=2.4, **_look(index))
        ax.set_ylim(-0.02, 1.02)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        label_axes(ax, "number of timesteps", "share of repeated features")
        ax.set_title(title or "Features that repeat an earlier timestep", loc="left")
        _legend(ax, "share at the last timestep")
    return ax


def plot_temporal_similarity(
    similarity: xr.DataArray | xr.Dataset, *, title: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw how alike a layer's timesteps are (Observation 2).

    Parameters
    ----------
    similarity : DataArray or Dataset, dims (time, other_time)
        Up to 1; NaN where it is not defined. Of a dataset, the ``cka`` of a layer.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        Grey is not defined.

    Raises
    ------
    UsageError
        If the dimensions are others.
    """
    if isinstance(similarity, xr.Dataset):
        layer = similarity.attrs.get("name", "")
        similarity = similarity[schema.CKA].assign_attrs(name=layer)
    dims = (schema.TIME, schema.OTHER_TIME)
    if set(similarity.dims) != set(dims):
        raise UsageError(
            f"the similarity of timesteps has the dimensions {' and '.join(dims)}, got "
            f"{dict(similarity.sizes)}; select one channel or variable first"
        )
    values = similarity.transpose(*dims).to_numpy()
    name = str(similarity.attrs.get("long_name", similarity.name or "similarity"))
    with paper_style():
        if ax is None:
            figure = new_figure(COLUMN_WIDTH, 2.95)
            ax = add_axes(figure, 0.46, 0.46, 2.06, 2.06)
        low = -1.0 if np.nanmin(values, initial=0.0) < -0.05 else 0.0
        image = ax.imshow(np.ma.masked_invalid(values), cmap=_COLOUR_MAP, vmin=low, vmax=1.0)
        ax.set_facecolor(SINGLE_COLOUR)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        label_axes(ax, "timestep t", "timestep t")
        width, _ = axes_size(ax)
        beside = ax.inset_axes((1 + 0.08 / width, 0.0, 0.09 / width, 1.0))
        bar = ax.figure.colorbar(image, cax=beside)
        bar.set_label("linear CKA" if similarity.name == schema.CKA else shorten(name, 36))
        bar.ax.tick_params(labelsize=TICK_SIZE)
        bar.outline.set_linewidth(0.5)
        if title is None:
            named = similarity.to_dataset(name="similarity").assign_attrs(similarity.attrs)
            title = layer_title(named, ["similarity of timesteps"], title_width(ax))
        ax.set_title(title, loc="left")
    return ax


def _curve_axes(curves: Mapping[str, xr.Dataset], ax: Axes | None) -> Axes:
    if not curves:
        raise UsageError("there are no ghost ratios to draw: give at least one curve")
    if ax is not None:
        return ax
    height = 2.2 + 0.14 * len(curves)
    return new_figure(COLUMN_WIDTH, height, constrained=True).add_subplot()


def _look(index: int) -> dict[str, Any]:
    style = _LINE_STYLES[index // len(PICK_COLOURS) % len(_LINE_STYLES)]
    return {"color": PICK_COLOURS[index % len(PICK_COLOURS)], "linestyle": style, "linewidth": 1.3}


def _legend(ax: Axes, title: str | None) -> None:
    ax.legend(
        loc="upper left",
        bbox_to_anchor=(0, 0),
        title=title,
        title_fontsize=TICK_SIZE,
        alignment="left",
        # Below the ticks and the label of the x axis.
        borderaxespad=4.6,
        labelspacing=0.25,
    )
