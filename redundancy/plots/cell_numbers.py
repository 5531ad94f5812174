"""Numbers written into the cells of a map."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from redundancy.plots.style import RATE_COLOUR_MAP, RATE_RANGE, TEXT_COLOUR

# A Text costs 0.5 ms to draw; beyond this many, numbers are drawn as shared outlines.
_MAX_TEXTS = 1024
# The widest number (".88") is this wide, in units of the font size.
_NUMBER_WIDTH = 1.6
_FILL = 0.88


def number(value: float) -> str:
    """Return a rate as few characters: "0" and "1" are exact, ".00" and "1.0" rounded."""
    if value in (0.0, 1.0):
        return f"{value:.0f}"
    text = f"{value:.2f}"
    if text == "1.00" or value > 1:
        return f"{value:.1f}"
    return text.removeprefix("0")


def font_size(cell: float) -> float:
    """Return the largest font size in points whose numbers fit a cell of `cell` inches."""
    return min(_FILL * cell * 72 / _NUMBER_WIDTH, 7.0)


def cell_for(size: float) -> float:
    """Return the least cell edge in inches that holds numbers of `size` points."""
    return size * _NUMBER_WIDTH / (72 * _FILL)


def write_numbers(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    values: NDArray[np.float64],
    size: float,
) -> None:
    """Write `values` at (x, y), light on dark cells and dark on light ones."""
    x, y, values = x.ravel(), y.ravel(), values.ravel()
    low, high = RATE_RANGE
    rgb = matplotlib.colormaps[RATE_COLOUR_MAP]((values - low) / (high - low))[:, :3]
    dark = rgb @ np.array([0.299, 0.587, 0.114]) < 0.55
    colours = np.where(dark, "white", TEXT_COLOUR)
    words = np.array([number(float(value)) for value in values])
    if len(words) > _MAX_TEXTS:
        _draw_outlines(ax, x, y, words, colours, size)
        return
    font: dict[str, Any] = {"fontsize": size, "ha": "center", "va": "center_baseline"}
    for word, at_x, at_y, colour in zip(words, x, y, colours, strict=True):
        ax.text(at_x, at_y, word, color=colour, in_layout=False, **font)


def _draw_outlines(
    ax: Axes,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    words: NDArray[np.str_],
    colours: NDArray[np.str_],
    size: float,
) -> None:
    properties = FontProperties(family="DejaVu Sans")
    for word in np.unique(words):
        where = words == word
        path = TextPath((0, 0), str(word), size=size, prop=properties)
        box = path.get_extents()
        centred = path.transformed(
            Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2)
        )
        collection = PathCollection(
            [centred],
            offsets=np.column_stack([x[where], y[where]]),
            offset_transform=ax.transData,
            facecolors=list(colours[where]),
            linewidths=0,
            label=f"number {word}",
        )
        # Outlines are in points; the figure's dots per inch scale them.
        collection.set_transform(Affine2D().scale(1 / 72) + ax.figure.dpi_scale_trans)
        collection.set_in_layout(False)
        ax.add_collection(collection, autolim=False)
