"""Bars per layer for networks side by side: quantization error and energy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.labels import legend_name, shorten
from redundancy.plots.layout import label_axes, new_figure
from redundancy.plots.style import (
    AC_COLOUR,
    COLUMN_WIDTH,
    MAC_COLOUR,
    NETWORK_COLOURS,
    TICK_SIZE,
    paper_style,
)

_NAME_LENGTH = 24
_LEGEND_LENGTH = 24
# Names up to so long stand in two columns.
_SHORT_NAME = 13
_BAR = 0.13
_GAP = 0.1
_HATCHES = ("", "//////", "......", "xxxxxx", "||||||", "------")
_ERRORS = {
    schema.QE: r"QE, mean of $(U - S)^2$",
    schema.QE_SCALED: r"QE, mean of $(U - V_{th} S)^2$",
    schema.QE_NORMALIZED: r"QE, mean of $(U / V_{th} - S)^2$",
}
_ENERGY_UNITS = {"pJ": 1.0, "nJ": 1e3, "µJ": 1e6, "mJ": 1e9}


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
    _check(layers_by_network)
    values = {
        network: {name: float(layer[variant].mean()) for name, layer in layers.items()}
        for network, layers in layers_by_network.items()
    }
    rows = merged_order(layers_by_network.values())
    for network, whole in (networks or {}).items():
        values[network]["network"] = float(whole[variant])
    rows += ["network"] if networks else []
    with paper_style():
        n_columns, n_lines = _legend_shape(list(values))
        ax = _axes(ax, len(rows), len(values), n_lines if len(values) > 1 else 0)
        y, height = _places(len(rows), len(values), bool(networks))
        for index, (network, errors) in enumerate(values.items()):
            drawn = [errors.get(row, np.nan) for row in rows]
            bars = ax.barh(
                y[:, index],
                np.nan_to_num(drawn),
                height=height,
                color=NETWORK_COLOURS[index % len(NETWORK_COLOURS)],
                label=legend_name(network, _LEGEND_LENGTH),
            )
            words = ["" if np.isnan(value) else f"{value:.3f}" for value in drawn]
            ax.bar_label(bars, labels=words, padding=2, size=TICK_SIZE)
        _finish(ax, rows, y, [value for e in values.values() for value in e.values()])
        label_axes(ax, _ERRORS[variant])
        ax.xaxis.label.set_parse_math(True)
        ax.set_title(title or "Quantization error per layer", loc="left")
        if len(values) > 1:
            _legend(ax, ax.get_legend_handles_labels()[0], n_columns)
    return ax


def plot_energy(
    tables_by_network: Mapping[str, xr.Dataset],
    *,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the energy of each synaptic layer as stacked bars, networks side by side.

    Parameters
    ----------
    tables_by_network : mapping of str to Dataset
        By network, its energy table: ``acs`` and ``macs`` (synapse) per sample, with the
        attributes e_ac and e_mac (pJ), convention and total_energy (pJ).
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        The energy of ACs and, after it, that of MACs; networks are told by the hatching,
        with their totals in the legend. Layers that a network does not have are blank.

    Raises
    ------
    UsageError
        If there is no network or no layer, or the tables follow different conventions.
    """
    _check({name: table[schema.SYNAPSE].to_numpy() for name, table in tables_by_network.items()})
    conventions = {str(table.attrs[schema.CONVENTION]) for table in tables_by_network.values()}
    if len(conventions) > 1:
        raise UsageError(
            "energies side by side need one convention, got " + " and ".join(sorted(conventions))
        )
    names = {
        network: [str(name) for name in table[schema.SYNAPSE].to_numpy()]
        for network, table in tables_by_network.items()
    }
    rows = merged_order(names.values())
    parts = {network: _energies(table) for network, table in tables_by_network.items()}
    totals = {n: float(t.attrs[schema.TOTAL_ENERGY]) for n, t in tables_by_network.items()}
    stacks = {network: ac + mac for network, (ac, mac) in parts.items()}
    unit, scale = _unit([float(value) for stack in stacks.values() for value in stack])
    with paper_style():
        handles = _energy_handles(totals)
        ax = _axes(ax, len(rows), len(names), len(handles))
        y, height = _places(len(rows), len(names), False)
        for index, (network, (ac, mac)) in enumerate(parts.items()):
            at = y[[rows.index(name) for name in names[network]], index]
            look: dict[str, Any] = {"height": height, "edgecolor": "white", "linewidth": 0}
            look["hatch"] = _HATCHES[index % len(_HATCHES)]
            ax.barh(at, np.nan_to_num(ac / scale), color=AC_COLOUR, **look)
            drawn = np.nan_to_num(mac / scale)
            bars = ax.barh(at, drawn, left=np.nan_to_num(ac / scale), color=MAC_COLOUR, **look)
            words = [_short(value / scale) for value in ac + mac]
            ax.bar_label(bars, labels=words, padding=2, size=TICK_SIZE)
        every = [float(value) / scale for stack in stacks.values() for value in stack]
        _finish(ax, rows, y, every)
        label_axes(ax, f"energy ({unit} per sample)")
        convention = conventions.pop()
        ax.set_title(title or f"Energy per layer, convention {convention!r}", loc="left")
        _legend(ax, handles, 1)
    return ax


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


def _energies(table: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the picojoules of ACs and of MACs per synaptic layer."""
    ac = table[schema.ACS].to_numpy() * float(table.attrs[schema.E_AC])
    mac = table[schema.MACS].to_numpy() * float(table.attrs[schema.E_MAC])
    return ac, mac


def _unit(values: Sequence[float]) -> tuple[str, float]:
    """Return the largest unit in which the greatest of picojoules is at least 1."""
    most = max((value for value in values if np.isfinite(value)), default=0.0)
    fitting = [(unit, scale) for unit, scale in _ENERGY_UNITS.items() if most >= scale]
    return fitting[-1] if fitting else ("pJ", 1.0)


def _short(value: float) -> str:
    if np.isnan(value):
        return "unknown"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _energy_handles(totals: Mapping[str, float]) -> list[Patch]:
    unit, scale = _unit(list(totals.values()))
    handles = [Patch(color=AC_COLOUR, label="AC"), Patch(color=MAC_COLOUR, label="MAC")]
    for index, (network, total) in enumerate(totals.items()):
        label = f"{shorten(network, _LEGEND_LENGTH)}: {_short(total / scale)} {unit} in all"
        look: dict[str, Any] = {"facecolor": "#8c8c8c", "edgecolor": "white", "linewidth": 0}
        handles.append(Patch(hatch=_HATCHES[index % len(_HATCHES)], label=label, **look))
    return handles


def _check(networks: Mapping[str, Any]) -> None:
    if not networks or not all(len(layers) for layers in networks.values()):
        raise UsageError("there are no layers to draw: give the layers of at least one network")
    if len(networks) > len(NETWORK_COLOURS):
        raise UsageError(
            f"bars show up to {len(NETWORK_COLOURS)} networks side by side, got {len(networks)}"
        )


def _legend_shape(names: Sequence[str]) -> tuple[int, int]:
    """Return the columns and lines of a legend."""
    n_columns = 2 if max(map(len, names)) <= _SHORT_NAME else 1
    return n_columns, -(-len(names) // n_columns)


def _axes(ax: Axes | None, n_rows: int, n_networks: int, n_lines: int) -> Axes:
    if ax is not None:
        return ax
    height = 0.95 + n_rows * (n_networks * _BAR + _GAP) + 0.14 * n_lines
    return new_figure(COLUMN_WIDTH, height, constrained=True).add_subplot()


def _places(n_rows: int, n_networks: int, apart: bool) -> tuple[NDArray[np.float64], float]:
    """Return the places of bars (row, network) and their height; rows are 1 apart."""
    rows = np.arange(n_rows, dtype=np.float64)
    if apart:
        # The network stands apart from its layers.
        rows[-1] += 0.35
    height = _BAR / (n_networks * _BAR + _GAP)
    shift = (np.arange(n_networks) - (n_networks - 1) / 2) * height
    return rows[:, None] + shift, height


def _finish(ax: Axes, rows: list[str], y: NDArray[np.float64], values: list[float]) -> None:
    ax.set_yticks(y.mean(axis=1), [shorten(row, _NAME_LENGTH) for row in rows])
    ax.set_ylim(float(y[-1].mean()) + 0.6, -0.6)
    most = max((value for value in values if np.isfinite(value)), default=0.0)
    # Room for the numbers.
    ax.set_xlim(0, 1.25 * most if most > 0 else 1)
    ax.xaxis.set_major_locator(MaxNLocator(4))


def _legend(ax: Axes, handles: Sequence[Any], n_columns: int) -> None:
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
