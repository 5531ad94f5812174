"""Checks that the datasets share: which split, which samples."""

from __future__ import annotations

from redundancy.errors import UsageError

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
