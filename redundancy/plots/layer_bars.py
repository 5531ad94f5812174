"""What bars per layer have in common, for networks side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from redundancy.errors import UsageError
from redundancy.plots.labels import shorten
from redundancy.plots.layout import new_figure
from redundancy.plots.style import COLUMN_WIDTH, NETWORK_COLOURS

LEGEND_LENGTH = 24
_NAME_LENGTH = 24
# Names up to so long stand in two columns.
_SHORT_NAME = 13
_BAR = 0.13
_GAP = 0.1


def merged_order(lists: Iterable[Iterable[str]]) -> list[str]:
    """Merge lists of layers: each new one goes after the one before it in its own list."""
    merged: list[str] = []
    for names in lists:
        after = 0
        for name in names:
            if name not in merged:
                merged.insert(after, name)
            after = merged.index(name) + 1
    return merged


def check_networks(networks: Mapping[str, Any]) -> None:
    """Refuse no network, one without layers, or more than there are colours."""
    if not networks or not all(len(layers) for layers in networks.values()):
        raise UsageError("there are no layers to draw: give the layers of at least one network")
    if len(networks) > len(NETWORK_COLOURS):
        raise UsageError(
            f"bars show up to {len(NETWORK_COLOURS)} networks side by side, got {len(networks)}"
        )


def legend_shape(names: Sequence[str]) -> tuple[int, int]:
    """Return the columns and lines of a legend."""
    n_columns = 2 if max(map(len, names)) <= _SHORT_NAME else 1
    return n_columns, -(-len(names) // n_columns)


def bar_axes(ax: Axes | None, n_rows: int, n_networks: int, n_lines: int) -> Axes:
    """Return `ax`, or an Axes as high as rows of bars and a legend of so many lines need."""
    if ax is not None:
        return ax
    height = 0.95 + n_rows * (n_networks * _BAR + _GAP) + 0.14 * n_lines
    return new_figure(COLUMN_WIDTH, height, constrained=True).add_subplot()


def bar_places(n_rows: int, n_networks: int, apart: bool) -> tuple[NDArray[np.float64], float]:
    """Return the places of bars (row, network) and their height; rows are 1 apart."""
    rows = np.arange(n_rows, dtype=np.float64)
    if apart:
        # The network stands apart from its layers.
        rows[-1] += 0.35
    height = _BAR / (n_networks * _BAR + _GAP)
    shift = (np.arange(n_networks) - (n_networks - 1) / 2) * height
    return rows[:, None] + shift, height


def finish_rows(ax: Axes, rows: list[str], y: NDArray[np.float64], values: list[float]) -> None:
    """Name the rows, the first on top, and leave room for the numbers beside the bars."""
    ax.set_yticks(y.mean(axis=1), [shorten(row, _NAME_LENGTH) for row in rows])
    ax.set_ylim(float(y[-1].mean()) + 0.6, -0.6)
    most = max((value for value in values if np.isfinite(value)), default=0.0)
    ax.set_xlim(0, 1.25 * most if most > 0 else 1)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def legend_below(ax: Axes, handles: Sequence[Any], n_columns: int) -> None:
    """Draw a legend under the Axes."""
    ax.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        ncols=n_columns,
        # Below the ticks and the label of the x axis.
        borderaxespad=4.8,
        columnspacing=1.2,
        handlelength=1.4,
        labelspacing=0.3,
    )
