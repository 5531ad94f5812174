"""What mosaics, series and rasters of firing rates share: fitting, colouring, colour bar."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colorbar import Colorbar
from matplotlib.image import AxesImage

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots.cell_numbers import cell_for, font_size, write_numbers
from redundancy.plots.labels import with_units
from redundancy.plots.layout import add_axes, axes_size, new_figure
from redundancy.plots.mosaic import Grid, centres, choose_grid, show_maps
from redundancy.plots.selection import has_maps
from redundancy.plots.style import (
    COLUMN_WIDTH,
    MIN_FORCED_NUMBER_SIZE,
    MIN_NUMBER_SIZE,
    PAGE_WIDTH,
    RATE_COLOUR_MAP,
    RATE_RANGE,
)

Annotate = bool | Literal["auto"]

LEFT = 0.08
TITLE_HEIGHT = 0.42
BOTTOM = 0.08
COLOUR_BAR_ROOM = 0.78
# Room for maps on a page, in inches.
MAPS_WIDTH = PAGE_WIDTH - LEFT - COLOUR_BAR_ROOM
_ANNOTATED_UP_TO = 8

# Room for the captions of a mosaic (channel numbers) and of a series (timestep, C-SFR).
MOSAIC_LAYOUT: dict[str, Any] = {"above": 0.13}
SERIES_LAYOUT: dict[str, Any] = {"above": 0.14, "below": 0.15, "min_pitch": 0.72, "max_map": 1.2}
SERIES_PER_ROW = 8


def need_maps(rates: xr.Dataset) -> None:
    """Raise UsageError if a layer is a vector, which has no spike features."""
    if not has_maps(rates):
        raise UsageError(
            f"spike features need feature maps with dimensions y and x, but layer "
            f"{rates.attrs.get('name', '')!r} has only "
            f"{', '.join(map(str, rates[schema.N_SFR].dims))}; plot_channel_raster shows it"
        )


def annotated(map_shape: tuple[int, ...], cell: float, annotate: Annotate) -> bool:
    """Tell whether numbers are written into cells of `cell` inches."""
    if annotate == "auto":
        return max(map_shape) <= _ANNOTATED_UP_TO and font_size(cell) >= MIN_NUMBER_SIZE
    if not isinstance(annotate, bool):
        raise UsageError(f"annotate is True, False or 'auto', got {annotate!r}")
    return annotate


def fit_maps(
    maps: xr.DataArray,
    annotate: Annotate,
    ax: Axes | None,
    colour_bar: bool,
    *,
    max_height: float,
    **options: Any,
) -> tuple[Axes, Grid]:
    """Lay maps out in `ax`, or in a new figure that is as large as they need."""
    n_maps, *map_shape = maps.shape
    shape = (int(map_shape[0]), int(map_shape[1]))
    if ax is not None:
        width, height = axes_size(ax)
        # The colour bar stands beside the maps, within the Axes' box.
        width = max(width - COLOUR_BAR_ROOM, width / 2) if colour_bar else width
        return ax, choose_grid(n_maps, shape, width=width, height=height, grow=False, **options)
    if annotate is True:
        options["min_cell"] = cell_for(MIN_FORCED_NUMBER_SIZE)
    grid = choose_grid(n_maps, shape, width=MAPS_WIDTH, height=max_height, **options)
    maps_width, maps_height = grid.size
    body = max(maps_height, 1.0)
    room = COLOUR_BAR_ROOM if colour_bar else LEFT
    width = max(LEFT + maps_width + room, COLUMN_WIDTH)
    width = width if annotate is True else min(width, PAGE_WIDTH)
    # Titles of narrow figures break into three lines.
    above = TITLE_HEIGHT if width > 4.8 else TITLE_HEIGHT + 0.14
    figure = new_figure(width, above + body + BOTTOM)
    return add_axes(figure, LEFT, above, width - LEFT - room, body), grid


def draw_rate_maps(ax: Axes, maps: xr.DataArray, grid: Grid, annotate: Annotate) -> AxesImage:
    """Draw maps (n, y, x) of rates in the paper's colours, with numbers where they fit."""
    values = maps.to_numpy()
    image = show_maps(
        ax, values, grid, cmap=RATE_COLOUR_MAP, vmin=RATE_RANGE[0], vmax=RATE_RANGE[1]
    )
    if annotated(values.shape[1:], grid.cell, annotate):
        x, y = np.stack([centres(grid, index) for index in range(grid.n_maps)], axis=1)
        write_numbers(ax, x, y, values, font_size(grid.cell))
    return image


def add_colour_bar(
    image: AxesImage, variable: xr.DataArray, name: str, left: float, height: float
) -> Colorbar:
    """Add a colour bar of rates beside what is `left` inches wide and `height` inches high."""
    ax = image.axes
    box_width, box_height = axes_size(ax)
    height = max(height, 0.9)
    beside = ax.inset_axes(
        (
            (left + 0.1) / box_width,
            1 - height / box_height,
            0.09 / box_width,
            height / box_height,
        )
    )
    extend = "max" if float(variable.max()) > RATE_RANGE[1] else "neither"
    bar = ax.figure.colorbar(image, cax=beside, extend=extend)
    bar.set_label(with_units(name, variable, newline=height < 1.6))
    bar.set_ticks([0, 0.5, 1] if height < 1.6 else [0, 0.2, 0.4, 0.6, 0.8, 1])
    bar.outline.set_linewidth(0.5)
    return bar
