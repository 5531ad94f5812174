"""Membrane potential distributions (MPD), as in Figures 1 and 6 of the paper."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, MaxNLocator

from redundancy import schema
from redundancy.plots import selection
from redundancy.plots.labels import layer_title
from redundancy.plots.layout import add_axes, label_axes, new_figure, title_width
from redundancy.plots.patterns import Rule, pattern_names
from redundancy.plots.potential_axis import (
    V_TH,
    channel_threshold,
    deviation_edges,
    label_level,
    occupied_range,
    quantity_name,
)
from redundancy.plots.style import (
    COLUMN_WIDTH,
    POTENTIAL_COLOUR,
    POTENTIAL_EDGE_COLOUR,
    RESET_COLOUR,
    THRESHOLD_COLOUR,
    TICK_SIZE,
    paper_style,
)

# Bars end below the label of the threshold.
_HEAD_ROOM = 1.2


def plot_membrane_potential_distribution(
    potentials: xr.Dataset,
    *,
    channel: int,
    time: int | None = None,
    patterns: xr.Dataset | None = None,
    rule: Rule = "potential",
    x_limits: tuple[float, float] | None = None,
    short: bool = False,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the histogram of one channel's membrane potential at one timestep (MPD).

    Parameters
    ----------
    potentials : Dataset
        A layer's ``histogram`` (time, channel, bin), its counters, ``variance`` and
        ``peak_to_threshold_distance`` (time, channel).
    channel : int
    time : int, optional
        Timestep, counted from 0; default the middle one.
    patterns : Dataset, optional
        The layer's patterns (time, channel), to name the channel's in the title.
    rule : {"potential", "spatial"}
        Which of the two patterns is named.
    x_limits : (float, float), optional
        Range of potentials to show; default where there are counts, and V_th.
    short : bool
        Shorter words, for small panels.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of column width.

    Returns
    -------
    Axes
        The threshold is a red dashed line. PTD and variance stand under the axis; values
        beyond the bins and values that are not numbers are counted in a corner.

    Raises
    ------
    UsageError
        If the channel or the timestep does not exist.
    """
    channel = selection.check_channel(potentials, channel)
    time = selection.check_time(potentials, time)
    one = potentials.isel({schema.TIME: time, schema.CHANNEL: channel})
    counts = one[schema.HISTOGRAM].to_numpy()
    v_threshold = channel_threshold(potentials, channel)
    edges = deviation_edges(potentials) + v_threshold
    with paper_style():
        if ax is None:
            figure = new_figure(COLUMN_WIDTH, 2.3)
            ax = add_axes(figure, 0.5, 0.45, COLUMN_WIDTH - 0.65, 1.33)
        ax.stairs(
            counts,
            edges,
            fill=True,
            facecolor=POTENTIAL_COLOUR,
            edgecolor=POTENTIAL_EDGE_COLOUR,
            linewidth=0.4,
        )
        ax.set_xlim(*(x_limits or occupied_range(counts, edges, v_threshold)))
        ax.set_ylim(0, _HEAD_ROOM * max(float(counts.max()), 1.0))
        _mark_threshold(ax, v_threshold)
        _note_left_out(ax, one, v_threshold)
        _count_axis(ax, short)
        numbers = _summary(one, short)
        label_axes(ax, f"{quantity_name(potentials, short)}\n{numbers}", "" if short else "count")
        pattern = None if patterns is None else str(pattern_names(patterns, time, rule)[channel])
        if title is None:
            title = _title(potentials, channel, time, pattern, title_width(ax))
        ax.set_title(title, loc="left")
    return ax


def _summary(one: xr.Dataset, short: bool) -> str:
    """Return PTD and variance of one channel at one timestep, in words."""
    distance, variance = float(one[schema.PTD]), float(one[schema.VARIANCE])
    ptd = "none" if np.isnan(distance) else f"{distance:+.3f}".replace("-", "−")
    spread = "none" if np.isnan(variance) else f"{variance:.3g}"
    return f"PTD {ptd} · {'var.' if short else 'variance'} {spread}"


def _count_axis(ax: Axes, short: bool) -> None:
    """Write counts as 200, 15k, 2M, on few ticks."""
    ax.yaxis.set_major_formatter(EngFormatter(sep=""))
    ax.yaxis.set_major_locator(MaxNLocator(3 if short else 5, integer=True))
    ax.xaxis.set_major_locator(MaxNLocator(4 if short else 6))


def _mark_threshold(ax: Axes, v_threshold: float) -> None:
    ax.axvline(v_threshold, color=THRESHOLD_COLOUR, linestyle="--", linewidth=1.0)
    low, high = ax.get_xlim()
    left = (v_threshold - low) > 0.7 * (high - low)
    side = "right" if left else "left"
    label_level(ax, V_TH, v_threshold, 1.0, (-2 if left else 2, -1), ha=side, va="top")


def _note_left_out(ax: Axes, one: xr.Dataset, v_threshold: float) -> None:
    """Write how many values no bar shows."""
    names = {
        schema.UNDERFLOW: "below the bins",
        schema.OVERFLOW: "above the bins",
        schema.NAN_COUNT: "not a number",
    }
    found = {word: int(one[name]) for name, word in names.items() if name in one}
    words = [f"{n:,} {word}" for word, n in found.items() if n]
    if not int(one[schema.HISTOGRAM].sum()):
        words.append("no value in the bins")
    if words:
        # On the side that the threshold leaves free.
        right = sum(ax.get_xlim()) / 2 > v_threshold
        ax.annotate(
            "\n".join(words),
            (1.0 if right else 0.0, 1.0),
            xycoords="axes fraction",
            xytext=(-2 if right else 2, -1),
            textcoords="offset points",
            ha="right" if right else "left",
            va="top",
            fontsize=TICK_SIZE - 0.5,
            color=RESET_COLOUR,
        )


def _title(
    potentials: xr.Dataset, channel: int, time: int, pattern: str | None, width: float
) -> str:
    facts = [f"channel {channel} at t = {time}", pattern or ""]
    return layer_title(potentials, facts, width)
