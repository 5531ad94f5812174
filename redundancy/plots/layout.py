"""Figures and Axes placed in inches, so that sizes and fonts fit in print."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from redundancy.plots.style import LABEL_SIZE, TICK_SIZE


def new_figure(width: float, height: float, *, constrained: bool = False) -> Figure:
    """Return an empty figure of `width` x `height` inches, unknown to pyplot."""
    return Figure(figsize=(width, height), layout="constrained" if constrained else None)


def add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add an Axes whose box is given in inches from the figure's top left corner."""
    figure_width, figure_height = figure.get_size_inches()
    return figure.add_axes(
        (
            left / figure_width,
            1 - (top + height) / figure_height,
            width / figure_width,
            height / figure_height,
        )
    )


def axes_size(ax: Axes) -> tuple[float, float]:
    """Return the width and height of an Axes' box in inches."""
    box = ax.get_position(original=True)
    width, height = _figure_size(ax)
    return float(box.width * width), float(box.height * height)


def title_width(ax: Axes) -> float:
    """Return how wide a left-aligned title may be, in inches.

    It may run over the room right of the Axes, where a colour bar's label stands lower,
    but not into a neighbour: beside other Axes, it ends with its own.
    """
    width, _ = axes_size(ax)
    if len(ax.figure.axes) > 1:
        return width
    return float((1 - ax.get_position(original=True).x0) * _figure_size(ax)[0] - 0.05)


def _figure_size(ax: Axes) -> tuple[float, float]:
    figure = ax.figure
    if isinstance(figure, SubFigure):
        return figure.bbox.width / figure.dpi, figure.bbox.height / figure.dpi
    width, height = figure.get_size_inches()
    return float(width), float(height)


def label_axes(ax: Axes, x_label: str, y_label: str | None = None) -> None:
    """Label both axes in the style's font sizes, also on an Axes made outside of it."""
    ax.set_xlabel(x_label, fontsize=LABEL_SIZE)
    if y_label is not None:
        ax.set_ylabel(y_label, fontsize=LABEL_SIZE)
    ax.tick_params(labelsize=TICK_SIZE)
