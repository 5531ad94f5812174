"""How arrays of a recording are cut into chunks, and chunks gathered in files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from redundancy import schema

# A chunk is one channel of one sample, or several where these are small: about as many
# bytes before compression as it takes for the index and a read to cost little.
SMALL_CHUNK_BYTES = 2048
_GROUPED_BYTES = 4096
_MOST_SAMPLES = 64
_MOST_CHANNELS = 16
# A file (a shard, in Zarr's words) holds about this much before compression.
_FILE_BYTES = 256 << 20
# More samples would be fewer files, but the index that one sample needs grows with them.
_MOST_SAMPLES_A_FILE = 256


@dataclass(frozen=True)
class ArrayLayout:
    """One array of a recording: its axes, and how it is cut.

    Parameters
    ----------
    dims : tuple of str
        The first is the sample.
    shape : tuple of int
        Of one sample: without the first axis.
    dtype : dtype
    chunk : tuple of int
        All axes but those of samples and channels are whole.
    samples_per_file : int
        A multiple of the samples of a chunk.
    attributes : mapping
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunk: tuple[int, ...]
    samples_per_file: int
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def channel_axis(self) -> int | None:
        """The axis of channels, if there is one."""
        return channel_axis(self.dims)

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks of a file along every axis."""
        first = self.samples_per_file // self.chunk[0]
        return (first, *map(math.ceil, np.divide(self.shape, self.chunk[1:])))

    @property
    def file_shape(self) -> tuple[int, ...]:
        """Shape of what one file holds, whole chunks along every axis."""
        return tuple(int(n * size) for n, size in zip(self.grid, self.chunk, strict=True))


def channel_axis(dims: tuple[str, ...]) -> int | None:
    """Return which of `dims` is the channel's, if any is."""
    return dims.index(schema.CHANNEL) if schema.CHANNEL in dims else None


def layout_of(
    dims: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    attributes: Mapping[str, Any] | None = None,
) -> ArrayLayout:
    """Choose the chunks and files of an array.

    Parameters
    ----------
    dims : tuple of str
        The first is the sample.
    shape : tuple of int
        Of one sample.
    dtype : dtype
    attributes : mapping, optional

    Returns
    -------
    ArrayLayout
        It depends on nothing but the parameters, so not on the size of batches.
    """
    axis = channel_axis(dims)
    sample_bytes = max(math.prod(shape) * dtype.itemsize, 1)
    n_channels = 1 if axis is None else shape[axis - 1]
    samples, channels = _grouped(sample_bytes / max(n_channels, 1), n_channels)
    chunk = [samples, *shape]
    if axis is not None:
        chunk[axis] = channels
    most = min(_FILE_BYTES // sample_bytes, _MOST_SAMPLES_A_FILE)
    per_file = max(most // samples, 1) * samples
    return ArrayLayout(dims, shape, dtype, tuple(chunk), per_file, attributes or {})


def _grouped(channel_bytes: float, n_channels: int) -> tuple[int, int]:
    """Return how many samples and channels of so many bytes each make a chunk."""
    if channel_bytes >= SMALL_CHUNK_BYTES:
        return 1, 1
    # Evenly, so that one channel and one sample are read with as little else.
    doublings = int(math.log2(max(_GROUPED_BYTES / channel_bytes, 1)))
    channels = min(1 << doublings // 2, _MOST_CHANNELS, n_channels)
    samples = int(_GROUPED_BYTES / channel_bytes / channels)
    return min(1 << int(math.log2(max(samples, 1))), _MOST_SAMPLES), channels
