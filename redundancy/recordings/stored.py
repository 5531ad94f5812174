"""Arrays of a recording on disk, of which only the chunks that are asked for are read."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from redundancy.errors import ResultsError
from redundancy.recordings.chunks import DamagedChunkError, codec_of, decode, verified
from redundancy.recordings.layout import ArrayLayout
from redundancy.recordings.shards import ABSENT, shard_path
from redundancy.recordings.values import unpack_spikes

_ENTRY_BYTES = 16
_CHECKSUM_BYTES = 4
# Of the file that is read, and the next one.
_INDICES_KEPT = 2

Span = tuple[int, int]


class ShardReader:
    """Reads samples and channels of one array.

    Parameters
    ----------
    folder : Path
        Of the array.
    layout : ArrayLayout
    n_samples : int
    label : str
        The array's name in errors.
    """

    def __init__(self, folder: Path, layout: ArrayLayout, n_samples: int, label: str) -> None:
        self.layout, self.n_samples = layout, n_samples
        self._folder, self._label = folder, label
        self._codec = codec_of(layout.dtype)
        self._index = functools.lru_cache(_INDICES_KEPT)(self._read_index)

    @property
    def shards(self) -> list[Path]:
        """Every file that the array must have."""
        n_shards = -(-self.n_samples // self.layout.samples_per_file)
        return [self._shard(number) for number in range(n_shards)]

    def read(self, samples: Span, channels: Span | None = None) -> NDArray[Any]:
        """Return a range of samples, and of channels where there are any.

        Raises
        ------
        ResultsError
            If a chunk is missing or damaged.
        """
        layout, axis = self.layout, self.layout.channel_axis
        shape = [samples[1] - samples[0], *layout.shape]
        if axis is not None and channels is not None:
            shape[axis] = channels[1] - channels[0]
        first = 0 if channels is None else channels[0]
        result = np.empty(shape, layout.dtype)
        if not result.size:
            return result
        for block in range(samples[0] // layout.chunk[0], -(-samples[1] // layout.chunk[0])):
            start = block * layout.chunk[0] - samples[0]
            for corner, values in self._block(block, channels):
                target = [slice(0, size) for size in shape]
                source = [slice(0, size) for size in shape]
                target[0], source[0] = _overlap(start, layout.chunk[0], shape[0])
                if axis is not None:
                    place = corner * layout.chunk[axis] - first
                    target[axis], source[axis] = _overlap(place, layout.chunk[axis], shape[axis])
                result[tuple(target)] = values[tuple(source)]
        return result

    def _block(self, block: int, channels: Span | None) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the chunks of some samples: their place along the channels, their values."""
        layout, axis = self.layout, self.layout.channel_axis
        columns = range(1 if axis is None else layout.grid[axis])
        if axis is not None and channels is not None:
            columns = range(
                channels[0] // layout.chunk[axis], -(-channels[1] // layout.chunk[axis])
            )
        number, row = divmod(block, layout.grid[0])
        try:
            places = self._index(number)[row, columns.start : columns.stop]
            contents = _read_places(self._shard(number), places)
            for column, content in zip(columns, contents, strict=True):
                yield column, decode(content, self._codec, layout.dtype, layout.chunk)
        except (OSError, DamagedChunkError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            start = block * layout.chunk[0]
            stop = min(start + layout.chunk[0], self.n_samples) - 1
            raise ResultsError(
                f"{self._label}: samples {start} to {stop} cannot be read ({reason}); the "
                "recording is damaged, record it again"
            ) from error

    def _read_index(self, number: int) -> NDArray[np.uint64]:
        """Return (offset, size) of a shard's chunks, by block of samples and of channels."""
        grid = self.layout.grid
        n_columns = int(np.prod(grid[1:], dtype=np.int64))
        n_bytes = grid[0] * n_columns * _ENTRY_BYTES + _CHECKSUM_BYTES
        with open(self._shard(number), "rb") as file:
            size = file.seek(0, 2)
            if size < n_bytes:
                raise DamagedChunkError("a file is cut short")
            file.seek(size - n_bytes)
            content = file.read(n_bytes)
        index = np.frombuffer(verified(content), "<u8").reshape(grid[0], n_columns, 2)
        return index.astype(np.uint64)

    def _shard(self, number: int) -> Path:
        return shard_path(self._folder, number, len(self.layout.chunk))


def _read_places(path: Path, places: NDArray[np.uint64]) -> Iterator[bytes]:
    """Yield the bytes of chunks, in one read where they lie one after another."""
    if (places == ABSENT).any():
        raise DamagedChunkError("a chunk is missing")
    offsets, sizes = places[:, 0].astype(np.int64), places[:, 1].astype(np.int64)
    together = bool((offsets[1:] == offsets[:-1] + sizes[:-1]).all())
    with open(path, "rb") as file:
        if together:
            file.seek(int(offsets[0]))
            content = file.read(int(sizes.sum()))
            starts = np.cumsum(sizes) - sizes
            for start, size in zip(starts, sizes, strict=True):
                yield content[int(start) : int(start + size)]
            return
        for offset, size in zip(offsets, sizes, strict=True):
            file.seek(int(offset))
            yield file.read(int(size))


def _overlap(start: int, size: int, length: int) -> tuple[slice, slice]:
    """Return where a piece that begins at `start` lies in an axis, and which part of it does."""
    low, high = max(start, 0), min(start + size, length)
    return slice(low, high), slice(low - start, high - start)


class StoredArray(BackendArray):  # type: ignore[no-untyped-call, misc, unused-ignore]
    """An array as xarray loads it lazily; spikes are unpacked on the way.

    Parameters
    ----------
    reader : ShardReader
    unpacked : tuple of int, optional
        (time[, y, x]) where the array holds spikes eight a byte.
    """

    def __init__(self, reader: ShardReader, unpacked: tuple[int, ...] | None = None) -> None:
        self._reader, self._unpacked = reader, unpacked
        layout = reader.layout
        shape = layout.shape
        self._channel_axis = layout.channel_axis
        if unpacked is not None:
            shape = (unpacked[0], shape[0], *unpacked[1:])
            self._channel_axis = 2
        self.shape: tuple[int, ...] = (reader.n_samples, *shape)
        self.dtype = layout.dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.BASIC, self._get
        )

    def __dask_tokenize__(self) -> object:
        paths = self._reader.shards
        return (type(self).__name__, [(str(path), path.stat().st_mtime_ns) for path in paths])

    def _get(self, key: tuple[int | slice, ...]) -> NDArray[Any]:
        rest = list(key)
        samples, rest[0] = _span(key[0], self.shape[0])
        channels = None
        if axis := self._channel_axis:
            channels, rest[axis] = _span(key[axis], self.shape[axis])
        values = self._reader.read(samples, channels)
        if self._unpacked is not None:
            values = unpack_spikes(values, self._unpacked)
        result: NDArray[Any] = values[tuple(rest)]
        return result


def _span(key: int | slice, length: int) -> tuple[Span, int | slice]:
    """Return the range of an axis that a key needs, and the key within that range."""
    if not isinstance(key, slice):
        place = int(key) + (length if key < 0 else 0)
        return (place, place + 1), 0
    wanted = range(*key.indices(length))
    if not wanted:
        return (0, 0), slice(0, 0)
    low, high = min(wanted), max(wanted) + 1
    stop = wanted.stop - low
    return (low, high), slice(wanted.start - low, None if stop < 0 else stop, wanted.step)
