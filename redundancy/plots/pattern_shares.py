"""Which share of the features, and of the spikes, is noise (section 5.5 of the paper)."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from redundancy.errors import UsageError
from redundancy.plots.labels import shorten
from redundancy.plots.layout import label_axes, new_figure
from redundancy.plots.style import (
    MIN_NUMBER_SIZE,
    NULL_COLOUR,
    PAGE_WIDTH,
    PATTERN_COLOURS,
    TEXT_COLOUR,
    TICK_SIZE,
    TITLE_SIZE,
    paper_style,
)

_PANELS = {"feature_share": "features", "layer_spike_share": "spikes"}
# Narrower parts hold no number.
_LEAST_LABELLED = 0.09


def plot_pattern_shares(
    shares: xr.Dataset, *, title: str | None = None, width: float = PAGE_WIDTH
) -> Figure:
    """Draw, layer by layer, the share of features and of spikes that each pattern has.

    Parameters
    ----------
    shares : Dataset
        ``feature_share``, ``layer_spike_share`` and ``spike_share`` (layer, pattern), with
        the attribute rule.
        Patterns are noise, normal, null and undecided; those of no feature are left out.
    title : str, optional
    width : float
        Of the figure, in inches.

    Returns
    -------
    Figure
        Features at the left, spikes at the right, layers from top to bottom. In the
        legend stands the share of all the network's spikes that a pattern fires.

    Raises
    ------
    UsageError
        If there are no layers.
    """
    n_layers = shares.sizes.get("layer", 0)
    if not n_layers:
        raise UsageError("there are no layers to draw: the shares of patterns are empty")
    found = shares["feature_share"].max("layer")
    names = [name for name in PATTERN_COLOURS if float(found.sel(pattern=name)) > 0]
    spikes = shares["spike_share"].sum("layer")
    rule = str(shares.attrs.get("rule", "potential"))
    with paper_style():
        figure = new_figure(width, 0.95 + 0.22 * n_layers, constrained=True)
        axes = figure.subplots(1, 2, sharey=True)
        for ax, (variable, word) in zip(axes, _PANELS.items(), strict=True):
            _draw_bars(ax, shares[variable], names)
            label_axes(ax, f"share of the layer's {word}" if width > 5 else f"{word} (share)")
        length = int(5.5 * width)
        layers = [shorten(str(layer), length) for layer in shares["layer"].to_numpy()]
        axes[0].set_yticks(range(n_layers), layers)
        axes[0].set_ylim(n_layers - 0.5, -0.5)
        handles = [axes[0].containers[i] for i in range(len(names))]
        labels = [f"{name}: {float(spikes.sel(pattern=name)):.1%}" for name in names]
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=len(names) if width > 5 else 2,
            title="share of all spikes of the network",
            title_fontsize=TICK_SIZE,
            handlelength=1.0,
            columnspacing=1.2,
        )
        figure.suptitle(
            title or f"Spike patterns by the {rule} rule", x=0.01, ha="left", fontsize=TITLE_SIZE
        )
    return figure


def _draw_bars(ax: Axes, share: xr.DataArray, names: list[str]) -> None:
    values = share.transpose("layer", "pattern").sel(pattern=names).to_numpy()
    values = np.nan_to_num(values)
    left = np.zeros(len(values))
    for column, name in enumerate(names):
        part = values[:, column]
        bars = ax.barh(
            np.arange(len(values)),
            part,
            left=left,
            height=0.72,
            color=PATTERN_COLOURS[name],
            edgecolor="white",
            linewidth=0.4,
            label=name,
        )
        words = [f"{100 * value:.0f}" if value >= _LEAST_LABELLED else "" for value in part]
        colour = TEXT_COLOUR if name == "null" else "white"
        size = max(TICK_SIZE - 0.5, MIN_NUMBER_SIZE)
        ax.bar_label(bars, labels=words, label_type="center", size=size, color=colour)
        left += part
    for row in np.flatnonzero(left == 0):
        ax.text(0.01, float(row), "none", va="center", fontsize=TICK_SIZE, color=NULL_COLOUR)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))
