"""Quantization error per layer as bars, networks side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.labels import legend_name
from redundancy.plots.layer_bars import (
    LEGEND_LENGTH,
    bar_axes,
    bar_places,
    check_networks,
    finish_rows,
    legend_below,
    legend_shape,
    merged_order,
)
from redundancy.plots.layout import label_axes
from redundancy.plots.style import NETWORK_COLOURS, TICK_SIZE, paper_style

_ERRORS = {
    schema.QE: r"QE, mean of $(U - S)^2$",
    schema.QE_SCALED: r"QE, mean of $(U - V_{th} S)^2$",
    schema.QE_NORMALIZED: r"QE, mean of $(U / V_{th} - S)^2$",
}


def plot_quantization_error(
    layers_by_network: Mapping[str, Mapping[str, xr.Dataset]],
    *,
    networks: Mapping[str, xr.Dataset] | None = None,
    variant: str = schema.QE,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the quantization error of each layer as bars, networks side by side.

    Parameters
    ----------
    layers_by_network : mapping of str to mapping of str to Dataset
        By network and layer: the layer's quantization errors (time, channel).
    networks : mapping of str to Dataset, optional
        By network: its quantization errors over all neurons, for a bar of their own.
    variant : {"quantization_error", "quantization_error_scaled", \
"quantization_error_normalized"}
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        Layers from top to bottom, then the network, with the numbers at the ends of the
        bars. A layer's bar is the mean over its channels and timesteps, which all hold
        equally many values.

    Raises
    ------
    UsageError
        If there is no network, no layer, or no such variant.
    """
    if variant not in _ERRORS:
        raise UsageError(f"the quantization error is {', '.join(_ERRORS)}, got {variant!r}")
    check_networks(layers_by_network)
    values = {
        network: {name: float(layer[variant].mean()) for name, layer in layers.items()}
        for network, layers in layers_by_network.items()
    }
    rows = merged_order(layers_by_network.values())
    for network, whole in (networks or {}).items():
        values[network]["network"] = float(whole[variant])
    rows += ["network"] if networks else []
    with paper_style():
        n_columns, n_lines = legend_shape(list(values))
        ax = bar_axes(ax, len(rows), len(values), n_lines if len(values) > 1 else 0)
        y, height = bar_places(len(rows), len(values), bool(networks))
        for index, (network, errors) in enumerate(values.items()):
            drawn = [errors.get(row, np.nan) for row in rows]
            bars = ax.barh(
                y[:, index],
                np.nan_to_num(drawn),
                height=height,
                color=NETWORK_COLOURS[index % len(NETWORK_COLOURS)],
                label=legend_name(network, LEGEND_LENGTH),
            )
            words = ["" if np.isnan(value) else f"{value:.3f}" for value in drawn]
            ax.bar_label(bars, labels=words, padding=2, size=TICK_SIZE)
        finish_rows(ax, rows, y, [value for e in values.values() for value in e.values()])
        label_axes(ax, _ERRORS[variant])
        ax.xaxis.label.set_parse_math(True)
        ax.set_title(title or "Quantization error per layer", loc="left")
        if len(values) > 1:
            legend_below(ax, ax.get_legend_handles_labels()[0], n_columns)
    return ax
