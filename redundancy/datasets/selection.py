"""Checks that the datasets share: which split, which samples."""

from __future__ import annotations

import math

from redundancy.errors import UsageError
from redundancy.limits import VARIABLE, memory_limit

SPLITS = ("train", "test")


def check_split(split: str, known: tuple[str, ...] = SPLITS) -> str:
    """Return `split`.

    Raises
    ------
    UsageError
        If it is none of `known`.
    """
    if split not in known:
        raise UsageError(f"split must be {' or '.join(known)}, got {split!r}")
    return split


def check_sample_size(frame_shape: tuple[int, ...]) -> None:
    """Check that the frames of one sample fit into memory, before anything is read.

    Raises
    ------
    UsageError
        If they take more than :func:`redundancy.limits.memory_limit`.
    """
    n_bytes, limit = 4 * math.prod(frame_shape), memory_limit()
    if n_bytes > limit:
        raise UsageError(
            f"frames (time, channel, y, x) of {' x '.join(map(str, frame_shape))} take "
            f"{n_bytes / 2**30:.3g} GiB a sample, more than the {limit / 2**30:.3g} GiB that may "
            f"be taken; lower n_timesteps or the frames' size, or set {VARIABLE} to more GiB"
        )


def check_range(start: int, stop: int, n_samples: int) -> None:
    """Check that samples `start` to `stop` (exclusive) are there and at least one.

    Raises
    ------
    UsageError
        If they are not.
    """
    if not 0 <= start < stop <= n_samples:
        raise UsageError(
            f"samples {start} to {stop} (exclusive) are not within the dataset's {n_samples}"
        )
