"""Input frames: events as in Figure 1b of the paper, or images."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import UsageError
from redundancy.plots import selection
from redundancy.plots.layout import add_axes, axes_size, new_figure
from redundancy.plots.mosaic import caption, choose_grid, show_maps
from redundancy.plots.style import (
    BOTH_COLOUR,
    COLUMN_WIDTH,
    EVENT_BACKGROUND,
    OFF_COLOUR,
    ON_COLOUR,
    PAGE_WIDTH,
    TICK_SIZE,
    paper_style,
)

_MARGIN = 0.08
_TITLE_HEIGHT = 0.3
_PER_ROW = 8


def plot_event_strip(
    frames: xr.DataArray,
    *,
    times: Iterable[int] | None = None,
    n_frames: int = 8,
    title: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the input frames of one sample as a strip (Figure 1b).

    Parameters
    ----------
    frames : DataArray, dims (time, channel, y, x)
        With two channels, event counts; channel 0 holds OFF, channel 1 ON events. With
        one or three, images, drawn from their least value to their greatest. The
        attribute dt_ms, if there, is the length of a frame in milliseconds.
    times : iterable of int, optional
        Timesteps, counted from 0; default `n_frames` from the first to the last, or the
        first of an image that never changes.
    n_frames : int
        How many frames to show where `times` is not given.
    title : str, optional
    ax : Axes, optional
        Where to draw; default an Axes in a figure of at most page width.

    Returns
    -------
    Axes
        Of events, a pixel is red where ON, green where OFF and dark where both fell into
        the frame. Timestep and, if known, milliseconds stand under each frame.

    Raises
    ------
    UsageError
        If `frames` has other dimensions or a timestep does not exist.
    """
    dims = (schema.TIME, schema.CHANNEL, schema.Y, schema.X)
    if set(frames.dims) != set(dims) or frames.sizes[schema.CHANNEL] not in (1, 2, 3):
        raise UsageError(
            f"input frames need the dimensions {', '.join(dims)} with two channels (OFF, ON), or "
            f"one or three of an image, got {dict(frames.sizes)}; select one sample first"
        )
    frames = frames.transpose(*dims)
    of_events = frames.sizes[schema.CHANNEL] == 2
    is_static = not of_events and bool((frames == frames.isel({schema.TIME: 0})).all())
    if times is None:
        n_times = 1 if is_static else frames.sizes[schema.TIME]
        times = selection.times_to_show(n_times, n_frames)
    shown = selection.check_times(
        frames.to_dataset(name=schema.FRAMES).assign_attrs(name="the input"), times
    )
    colour = colour_events if of_events else colour_images
    pixels = colour(frames.isel({schema.TIME: shown}).to_numpy())
    dt_ms = frames.attrs.get("dt_ms")
    lines = 1 if dt_ms is None else 2
    layout: dict[str, Any] = {
        "above": 0.0,
        "below": 0.02 + 0.11 * lines + 0.04,
        "min_pitch": 0.72,
        "max_map": 1.5,
        "n_columns": min(len(shown), _PER_ROW),
    }
    with paper_style():
        shape = (pixels.shape[1], pixels.shape[2])
        if ax is None:
            width = PAGE_WIDTH - 2 * _MARGIN
            grid = choose_grid(len(shown), shape, width=width + 0.06, height=9.0, **layout)
            width = min(max(grid.size[0], COLUMN_WIDTH - 2 * _MARGIN), width)
            figure = new_figure(width + 2 * _MARGIN, _TITLE_HEIGHT + grid.size[1] + _MARGIN / 2)
            ax = add_axes(figure, _MARGIN, _TITLE_HEIGHT, width, grid.size[1])
        else:
            width, height = axes_size(ax)
            grid = choose_grid(len(shown), shape, width=width, height=height, grow=False, **layout)
        show_maps(ax, pixels, grid)
        for index, time in enumerate(shown):
            text = "every t" if is_static else f"t = {time}"
            if dt_ms is not None:
                text += f"\n{time * dt_ms:g}–{(time + 1) * dt_ms:g} ms"
            caption(ax, grid, index, text, under=True, fontsize=TICK_SIZE, linespacing=1.1)
        default = "Input event frames" if of_events else "Input images"
        ax.set_title(default if title is None else title, loc="left")
        if of_events:
            _add_legend(ax)
    return ax


def _add_legend(ax: Axes) -> None:
    colours = {"ON": ON_COLOUR, "OFF": OFF_COLOUR, "both": BOTH_COLOUR}
    ax.legend(
        handles=[Patch(color=colour, label=name) for name, colour in colours.items()],
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        borderaxespad=0.3,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.0,
    )


def colour_events(frames: NDArray[Any]) -> NDArray[np.float64]:
    """Return the colours (time, y, x, RGBA) of event counts (time, channel, y, x)."""
    off, on = frames[:, 0] > 0, frames[:, 1] > 0
    pixels = np.empty((*off.shape, 4))
    pixels[...] = (*to_rgb(EVENT_BACKGROUND), 1.0)
    pixels[off] = (*to_rgb(OFF_COLOUR), 1.0)
    pixels[on] = (*to_rgb(ON_COLOUR), 1.0)
    pixels[off & on] = (*to_rgb(BOTH_COLOUR), 1.0)
    return pixels


def colour_images(frames: NDArray[Any]) -> NDArray[np.float64]:
    """Return the colours (time, y, x, RGBA) of grey or red, green and blue values.

    Parameters
    ----------
    frames : ndarray, shape (time, channel, y, x), one or three channels
        Black is the least of all values and white the greatest; what is the same
        everywhere is black.
    """
    values = frames.astype(np.float64)
    low, high = values.min(), values.max()
    pixels = np.ones((frames.shape[0], *frames.shape[2:], 4))
    pixels[..., :3] = np.moveaxis((values - low) / ((high - low) or 1.0), 1, -1)
    return pixels
