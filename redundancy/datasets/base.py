"""What every dataset is: samples of event frames in a fixed order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Argument = str | int | float | bool | None


@dataclass(frozen=True)
class Batch:
    """Consecutive samples of a dataset.

    Attributes
    ----------
    start : int
        Index in the dataset of the first sample.
    frames : ndarray of float32, shape (sample, time, channel, y, x)
        Event counts (or 0/1) per window; channel 0 holds OFF, channel 1 ON events.
    labels : ndarray of int64, shape (sample,), or None
        Class indices, -1 for a sample without a label; None where the dataset has none.
    recordings : ndarray of int64, shape (sample,), or None
        Which recording each sample is a clip of, None where samples are no clips.
    """

    start: int
    frames: NDArray[np.float32]
    labels: NDArray[np.int64] | None
    recordings: NDArray[np.int64] | None = None


class Dataset(Protocol):
    """Samples of event frames in a deterministic order.

    Attributes
    ----------
    name : str
        The registered name.
    arguments : mapping
        Every argument that determines the samples, defaults included, but no path:
        what a checkpoint or a result stores to build the same dataset again.
    location : str or None
        The file or folder the samples come from, None where they are generated.
    split : str
        "train" or "test", "all" where the samples have no splits.
    n_classes : int or None
        Number of classes, None where there are no labels.
    frame_shape : tuple of int
        (time, channel, y, x) of every sample.
    """

    @property
    def name(self) -> str:
        """The registered name."""
        ...

    @property
    def arguments(self) -> Mapping[str, Argument]:
        """Every argument that determines the samples."""
        ...

    @property
    def location(self) -> str | None:
        """Where the samples come from, None where they are generated."""
        ...

    @property
    def split(self) -> str:
        """Either "train" or "test"; "all" where there are no splits."""
        ...

    @property
    def n_classes(self) -> int | None:
        """Number of classes, None without labels."""
        ...

    @property
    def frame_shape(self) -> tuple[int, int, int, int]:
        """(time, channel, y, x) of every sample."""
        ...

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        ...
