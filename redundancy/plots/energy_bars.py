"""Energy per synaptic layer as stacked bars, networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.labels import shorten
from redundancy.plots.layer_bars import (
    LEGEND_LENGTH,
    bar_axes,
    bar_places,
    check_networks,
    finish_rows,
    legend_below,
    merged_order,
)
from redundancy.plots.layout import label_axes
from redundancy.plots.style import AC_COLOUR, MAC_COLOUR, TICK_SIZE, paper_style

_HATCHES = ("", "//////", "......", "xxxxxx", "||||||", "------")
_ENERGY_UNITS = {"pJ": 1.0, "nJ": 1e3, "µJ": 1e6, "mJ": 1e9}


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
        attributes e_ac and e_mac (pJ), convention and total_energy (pJ), and the list
        uncounted_operations, of which the title says how many there are.
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
    check_networks(
        {name: table[schema.SYNAPSE].to_numpy() for name, table in tables_by_network.items()}
    )
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
        ax = bar_axes(ax, len(rows), len(names), len(handles))
        y, height = bar_places(len(rows), len(names), False)
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
        finish_rows(ax, rows, y, every)
        label_axes(ax, f"energy ({unit} per sample)")
        convention = conventions.pop()
        heading = title or f"Energy per layer, convention {convention!r}"
        ax.set_title("\n".join([heading, *_left_out(tables_by_network)]), loc="left")
        legend_below(ax, handles, 1)
    return ax


def _left_out(tables: Mapping[str, xr.Dataset]) -> list[str]:
    """Return lines on operations that the totals leave out."""
    counts = {
        name: len(table.attrs.get(schema.UNCOUNTED_OPERATIONS, []))
        for name, table in tables.items()
    }
    total = sum(counts.values())
    if not total:
        return []
    line = f"operations of {total} functional call{'s' if total > 1 else ''} not counted"
    if len(tables) == 1:
        return [line]
    networks = (f"{n} in {shorten(name, LEGEND_LENGTH)}" for name, n in counts.items() if n)
    return [line, f"({', '.join(networks)})"]


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
        label = f"{shorten(network, LEGEND_LENGTH)}: {_short(total / scale)} {unit} in all"
        look: dict[str, Any] = {"facecolor": "#8c8c8c", "edgecolor": "white", "linewidth": 0}
        handles.append(Patch(hatch=_HATCHES[index % len(_HATCHES)], label=label, **look))
    return handles
