"""Arrays appended to, sample by sample, in files of many chunks (Zarr's shards).

A shard holds its chunks one after another and ends in an index of where each lies: the
``sharding_indexed`` codec of Zarr v3. Zarr's own writer needs a whole shard in memory, or
reads and rewrites it for every batch; here a shard grows chunk by chunk.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.recordings.chunks import checksum, codec_of, encode, zarr_codecs
from redundancy.recordings.layout import ArrayLayout

ABSENT = np.uint64(2**64 - 1)
# Blocks that are being compressed or wait to be written, in all.
_AHEAD = 4


class ShardWriter:
    """Appends samples to one array.

    Memory: less than one chunk's samples, the open shard's index (16 bytes a chunk), and
    a few chunks on their way.

    Parameters
    ----------
    folder : Path
        Of the array; nothing but chunks is written until :meth:`close`.
    layout : ArrayLayout
    pool : Executor
        Compresses.
    """

    def __init__(self, folder: Path, layout: ArrayLayout, pool: Executor) -> None:
        self.layout, self.n_bytes, self.n_samples = layout, 0, 0
        self._folder, self._pool = folder, pool
        self._codec = codec_of(layout.dtype)
        self._waiting: list[NDArray[Any]] = []
        self._n_blocks = 0
        self._index = self._empty_index()
        self._offset = 0

    @property
    def n_waiting_bytes(self) -> int:
        """Bytes of samples that do not fill a chunk yet."""
        return sum(values.nbytes for values in self._waiting)

    def append(self, values: NDArray[Any]) -> None:
        """Append samples, shape (sample, ...) as in the layout.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        self.n_samples += len(values)
        if self._waiting:
            values = np.concatenate([*self._waiting, values])
        size = self.layout.chunk[0]
        n_whole = len(values) // size * size
        # A copy, or the whole batch would stay.
        self._waiting = [values[n_whole:].copy()] if n_whole < len(values) else []
        self._write_blocks(values[:n_whole])

    def close(self) -> None:
        """Write what waits, the index and the metadata."""
        if self._waiting:
            (rest,) = self._waiting
            missing = self.layout.chunk[0] - len(rest)
            self._waiting = []
            self._write_blocks(np.pad(rest, [(0, missing), *[(0, 0)] * (rest.ndim - 1)]))
        if self._n_blocks < self.layout.grid[0]:
            # One file, and it will not grow: its index need not be longer than it is.
            held = self._n_blocks * self.layout.chunk[0]
            self.layout = dataclasses.replace(self.layout, samples_per_file=held)
            self._index = self._index[: self._n_blocks]
            self._finish_shard()
        elif self._n_blocks % self.layout.grid[0]:
            self._finish_shard()
        self._write_metadata()

    def _write_blocks(self, values: NDArray[Any]) -> None:
        size = self.layout.chunk[0]
        pending: deque[Future[list[bytes]]] = deque()
        for start in range(0, len(values), size):
            pending.append(self._pool.submit(self._encode_block, values[start : start + size]))
            if len(pending) >= _AHEAD:
                self._write_block(pending.popleft().result())
        while pending:
            self._write_block(pending.popleft().result())

    def _encode_block(self, block: NDArray[Any]) -> list[bytes]:
        return [encode(values, self._codec) for values in self._chunks_of(block)]

    def _chunks_of(self, block: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yield the chunks of so many samples as one has, in the order of the grid."""
        layout = self.layout
        block = block.astype(layout.dtype.newbyteorder("<"), copy=False)
        corners = itertools.product(
            *(range(0, n, size) for n, size in zip(layout.shape, layout.chunk[1:], strict=True))
        )
        for corner in corners:
            part = block[
                :,
                *(slice(a, a + n) for a, n in zip(corner, layout.chunk[1:], strict=True)),
            ]
            if part.shape != layout.chunk:
                missing = zip(part.shape, layout.chunk, strict=True)
                part = np.pad(part, [(0, whole - there) for there, whole in missing])
            yield np.ascontiguousarray(part)

    def _write_block(self, chunks: list[bytes]) -> None:
        row = self._n_blocks % self.layout.grid[0]
        path = self._shard_path(self._n_blocks // self.layout.grid[0])
        if not row:
            path.parent.mkdir(parents=True, exist_ok=True)
        sizes = np.array([len(chunk) for chunk in chunks], np.uint64)
        ends = np.cumsum(sizes, dtype=np.uint64) + np.uint64(self._offset)
        self._index[row] = np.stack([ends - sizes, sizes], axis=-1)
        self._write(path, b"".join(chunks))
        self._offset = int(ends[-1])
        self._n_blocks += 1
        if row + 1 == self.layout.grid[0]:
            self._finish_shard()

    def _finish_shard(self) -> None:
        path = self._shard_path((self._n_blocks - 1) // self.layout.grid[0])
        content = self._index.astype("<u8").tobytes()
        self._write(path, content + checksum(content))
        self._index, self._offset = self._empty_index(), 0

    def _write(self, path: Path, content: bytes) -> None:
        with open(path, "ab") as file:
            file.write(content)
        self.n_bytes += len(content)

    def _empty_index(self) -> NDArray[np.uint64]:
        n_columns = int(np.prod(self.layout.grid[1:], dtype=np.int64))
        return np.full((self.layout.grid[0], n_columns, 2), ABSENT)

    def _shard_path(self, number: int) -> Path:
        return shard_path(self._folder, number, len(self.layout.chunk))

    def _write_metadata(self) -> None:
        import zarr

        zarr.create_array(
            self._folder,
            shape=(self.n_samples, *self.layout.shape),
            dtype=self.layout.dtype,
            chunks=self.layout.chunk,
            shards=self.layout.file_shape,
            compressors=zarr_codecs(self.layout.dtype),
            filters=None,
            fill_value=0,
            dimension_names=self.layout.dims,
            attributes=dict(self.layout.attributes),
            zarr_format=3,
            # What is there already are this array's shards.
            overwrite=False,
        )


def shard_path(folder: Path, number: int, n_axes: int) -> Path:
    """Return the path of an array's shard; only the axis of samples has several."""
    return folder.joinpath("c", str(number), *["0"] * (n_axes - 1))
