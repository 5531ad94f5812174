"""Many small maps in one image: where each of them goes, and drawing them.

One image of an assembled array with gaps draws a hundred maps in the time of one;
an Axes for each of them takes minutes. Coordinates are inches from the top left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from redundancy.plots.layout import axes_size

# The image's pixels are at most this large, so that gaps get nearly the width asked for.
_MAX_PIXEL = 0.006
_MIN_MAP = 0.24
_GAP = 0.06
# A channel number of three digits.
_MIN_PITCH = 0.2


@dataclass(frozen=True)
class Grid:
    """Where maps of equal size lie.

    Attributes
    ----------
    n_maps, map_height, map_width : int
        Number of maps and their size in cells (neurons).
    n_columns : int
    cell : float
        Edge of one neuron's cell in inches.
    above, below : float
        Room for captions over and under each map, in inches.
    min_pitch : float
        Least distance between the left edges of neighbours, in inches.
    """

    n_maps: int
    map_height: int
    map_width: int
    n_columns: int
    cell: float
    above: float
    below: float
    min_pitch: float = 0.0

    @property
    def n_rows(self) -> int:
        """Number of rows of maps."""
        return math.ceil(self.n_maps / self.n_columns)

    @property
    def repeat(self) -> int:
        """Pixels along each edge of a cell."""
        return max(1, math.ceil(self.cell / _MAX_PIXEL - 1e-9))

    @property
    def pixel(self) -> float:
        """Edge of an image pixel in inches."""
        return self.cell / self.repeat

    @property
    def pitch(self) -> tuple[int, int]:
        """Distance from map to map (down, right) in pixels."""
        down = self._pixels(self.above) + self.map_height * self.repeat + self._pixels(self.below)
        right = max(
            self.map_width * self.repeat + max(1, self._pixels(_GAP)), self._pixels(self.min_pitch)
        )
        return down, right

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        down, right = self.pitch
        return self.n_rows * down, min(self.n_columns, self.n_maps) * right

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the image in inches."""
        height, width = self.shape
        return width * self.pixel, height * self.pixel

    def corner(self, index: int) -> tuple[int, int]:
        """Return the pixel (row, column) of the top left corner of a map."""
        row, column = divmod(index, self.n_columns)
        down, right = self.pitch
        return row * down + self._pixels(self.above), column * right

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Return left, top, width, height of a map in inches."""
        top, left = self.corner(index)
        return (
            left * self.pixel,
            top * self.pixel,
            self.map_width * self.cell,
            self.map_height * self.cell,
        )

    def _pixels(self, length: float) -> int:
        # Rounded down, so that a grid never outgrows its box.
        return math.floor(length / self.pixel + 1e-9)


def choose_grid(
    n_maps: int,
    map_shape: tuple[int, int],
    *,
    width: float,
    height: float,
    max_map: float = 1.5,
    above: float = 0.13,
    below: float = 0.0,
    min_pitch: float = 0.0,
    min_cell: float = 0.0,
    n_columns: int | None = None,
    grow: bool = True,
) -> Grid:
    """Lay maps out as large as they can be in a box.

    Of the numbers of columns near the best one, that with the fewest holes in the last
    row is taken. Where the maps would be too small to see, the grid may `grow` beyond `height`;
    with `min_cell` it grows beyond `width` too.
    """
    rows, columns = map_shape

    def cell_of(n: int) -> float:
        per_map = max(width / n - _GAP, 0.01)
        per_row = max(height / math.ceil(n_maps / n) - above - below - 0.02, 0.01)
        return min(per_map / columns, per_row / rows, max_map / max(rows, columns))

    if n_columns is None:
        smallest = _MIN_MAP * columns / max(rows, columns) + _GAP
        at_least = max(smallest if grow else _MIN_PITCH, min_pitch)
        most = max(1, min(n_maps, int(width / at_least)))
        n_columns = max(range(1, most + 1), key=lambda n: (cell_of(n), n))
        near = range(n_columns, min(most, int(1.25 * n_columns)) + 1)
        n_columns = min(near, key=lambda n: (-n_maps % n, n))
    cell = cell_of(n_columns)
    if grow:
        cell = max(cell, _MIN_MAP / max(rows, columns), min_cell)
    return Grid(n_maps, rows, columns, n_columns, cell, above, below, min_pitch)


def assemble(maps: NDArray[Any], grid: Grid) -> NDArray[Any]:
    """Put maps (n, y, x) or (n, y, x, colour) into one array; the gaps are NaN or clear."""
    gap = np.nan if maps.ndim == 3 else 0.0
    canvas = np.full(grid.shape + maps.shape[3:], gap)
    for index, one in enumerate(maps):
        top, left = grid.corner(index)
        block = one.repeat(grid.repeat, axis=0).repeat(grid.repeat, axis=1)
        canvas[top : top + block.shape[0], left : left + block.shape[1]] = block
    return canvas


def show_maps(ax: Axes, maps: NDArray[Any], grid: Grid, **image_options: Any) -> AxesImage:
    """Draw maps as one image into `ax`, whose coordinates become inches."""
    width, height = grid.size
    options: dict[str, Any] = {"interpolation": "nearest" if grid.cell > 0.01 else "auto"}
    image = ax.imshow(
        assemble(maps, grid), extent=(0, width, height, 0), **(options | image_options)
    )
    box_width, box_height = axes_size(ax)
    # One unit stays one inch, unless the box is too small for the maps.
    scale = max(width / box_width, height / box_height, 1.0)
    ax.set_xlim(0, box_width * scale)
    ax.set_ylim(box_height * scale, 0)
    ax.set_anchor("NW")
    ax.set_axis_off()
    return image


def caption(
    ax: Axes,
    grid: Grid,
    index: int,
    text: str,
    *,
    under: bool = False,
    lift: float = 0.0,
    **font: Any,
) -> None:
    """Write over (`lift` inches higher) or under a map, flush with its left edge."""
    left, top, _, height = grid.box(index)
    y = top + height + 0.025 if under else top - 0.022 - lift
    ax.text(left, y, text, ha="left", va="top" if under else "baseline", **font)


def frame_map(ax: Axes, grid: Grid, index: int, colour: str) -> None:
    """Draw a coloured frame around a map."""
    left, top, width, height = grid.box(index)
    pad = 0.015
    ax.add_patch(
        Rectangle(
            (left - pad, top - pad),
            width + 2 * pad,
            height + 2 * pad,
            fill=False,
            edgecolor=colour,
            linewidth=1.4,
            clip_on=False,
        )
    )


def centres(grid: Grid, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y (map_height, map_width) of the middles of a map's cells, in inches."""
    left, top, _, _ = grid.box(index)
    x = left + grid.cell * (np.arange(grid.map_width) + 0.5)
    y = top + grid.cell * (np.arange(grid.map_height) + 0.5)
    grid_x, grid_y = np.meshgrid(x, y)
    return grid_x, grid_y
