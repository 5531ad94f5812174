"""Samples in random order, for training."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.base import Dataset
from redundancy.datasets.checked_batch import UNLABELLED, read_batch
from redundancy.errors import UsageError

_CACHED_FRAME_BYTES = 2 * 1024**3


class RandomAccess:
    """Random access to a dataset, keeping frames in memory up to a limit."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._kept: dict[int, tuple[NDArray[np.float32], int]] = {}
        n_kept = _CACHED_FRAME_BYTES // (4 * math.prod(dataset.frame_shape))
        self._limit = int(n_kept)

    def take(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the frames (sample, time, channel, y, x) and labels of `indices`."""
        pairs = [self._one(int(index)) for index in indices]
        return (
            np.stack([frames for frames, _ in pairs]),
            np.array([label for _, label in pairs], dtype=np.int64),
        )

    def _one(self, index: int) -> tuple[NDArray[np.float32], int]:
        if index in self._kept:
            return self._kept[index]
        batch = read_batch(self._dataset, index, index + 1)
        if batch.labels is None:
            raise UsageError(f"training needs labels, and dataset {self._dataset.name} has none")
        if batch.labels[0] == UNLABELLED:
            raise UsageError(
                f"training needs a label of every sample, and sample {index} of dataset "
                f"{self._dataset.name} has none ({UNLABELLED})"
            )
        pair = (batch.frames[0], int(batch.labels[0]))
        if len(self._kept) < self._limit:
            self._kept[index] = pair
        return pair


def slices(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield consecutive parts of `order`, `size` long; the last may be shorter."""
    for start in range(0, len(order), size):
        yield order[start : start + size]


def shifted(
    frames: NDArray[np.float32], limit: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return `frames` with each sample moved by up to `limit` pixels, zeros moving in."""
    if limit == 0:
        return frames
    height, width = frames.shape[-2:]
    padded = np.pad(frames, [(0, 0)] * 3 + [(limit, limit)] * 2)
    offsets = random.integers(0, 2 * limit + 1, size=(len(frames), 2))
    return np.stack(
        [
            sample[..., y : y + height, x : x + width]
            for sample, (y, x) in zip(padded, offsets, strict=True)
        ]
    )


def mirrored(frames: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Return `frames` with about half of the samples, drawn by lot, mirrored in x."""
    chosen = random.random(len(frames)) < 0.5
    return np.where(chosen[:, None, None, None, None], frames[..., ::-1], frames)
