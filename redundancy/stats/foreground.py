"""Where the input has events, for maps of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pool_events(frames: NDArray[Any], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark the cells of a smaller (or larger) grid in which the input has an event.

    Parameters
    ----------
    frames : ndarray, shape (sample, time, channel, y, x)
    size : tuple of int
        Rows and columns of the grid. Cell i of n over m pixels covers the pixels from
        floor(i m / n) up to, without, ceil((i + 1) m / n).

    Returns
    -------
    ndarray of bool, shape (sample, time, y, x)
    """
    events: NDArray[np.bool_] = (frames != 0).any(axis=2)
    for axis, n_cells in ((2, size[0]), (3, size[1])):
        n_pixels = events.shape[axis]
        if n_pixels % n_cells == 0:
            events = _any_of_neighbours(events, axis, n_pixels // n_cells)
            continue
        cells = np.arange(n_cells)
        start, stop = cells * n_pixels // n_cells, -(-(cells + 1) * n_pixels // n_cells)
        totals = np.cumsum(events, axis=axis, dtype=np.int32)
        before = np.where(start > 0, start - 1, 0)
        shape = [-1 if place == axis else 1 for place in range(4)]
        outside = totals.take(before, axis=axis) * (start > 0).reshape(shape)
        events = totals.take(stop - 1, axis=axis) > outside
    return events


def _any_of_neighbours(events: NDArray[np.bool_], axis: int, n_pixels: int) -> NDArray[np.bool_]:
    """Return where any of so many pixels next to each other along an axis has an event."""
    found = events
    for first in range(n_pixels):
        place: list[slice] = [slice(None)] * events.ndim
        place[axis] = slice(first, None, n_pixels)
        found = events[tuple(place)] if first == 0 else found | events[tuple(place)]
    return found


class Foreground:
    """Where the input of a batch has events, as bits, for layers of any size.

    Parameters
    ----------
    frames : ndarray, shape (sample, time, channel, y, x)
    """

    def __init__(self, frames: NDArray[Any]) -> None:
        self._frames = frames
        self._known: dict[tuple[int, ...], tuple[NDArray[np.uint64], NDArray[np.int64]]] = {}

    def of(self, shape: tuple[int, ...]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the bits (sample and time, word) for a layer with maps, and cells (time,).

        Parameters
        ----------
        shape : tuple of int
            (sample, time, channel, y, x) of the layer.

        Raises
        ------
        ValueError
            If the frames are of other samples or timesteps than the layer.
        """
        from redundancy.stats.bit_kernels import pack_bits

        if self._frames.ndim != 5 or self._frames.shape[:2] != shape[:2]:
            raise ValueError(
                f"the frames of a layer of {shape[0]} samples and {shape[1]} timesteps must be "
                f"({shape[0]}, {shape[1]}, channel, y, x), got {self._frames.shape}"
            )
        size = (shape[3], shape[4])
        if size not in self._known:
            inside = pool_events(self._frames, size)
            flat = inside.reshape(*shape[:2], size[0] * size[1])
            bits = pack_bits(flat)
            cells = np.count_nonzero(flat, axis=(0, 2)).astype(np.int64)
            self._known[size] = bits.reshape(shape[0] * shape[1], bits.shape[-1]), cells
        return self._known[size]
