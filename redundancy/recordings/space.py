"""Whether a recording fits on its disk, known from its first batch."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from redundancy.errors import UsageError


@dataclass(frozen=True)
class Space:
    """What a recording will take, and what there is.

    Parameters
    ----------
    n_samples : int
        Of the whole recording.
    n_bytes : int
        Of the whole recording, as its first batch is on disk.
    free_bytes : int
        On the disk, that batch included.
    folder : Path
    """

    n_samples: int
    n_bytes: int
    free_bytes: int
    folder: Path

    def __str__(self) -> str:
        return (
            f"about {readable(self.n_bytes)} for {self.n_samples} samples; "
            f"{readable(self.free_bytes)} free in {self.folder}"
        )

    def check(self) -> None:
        """Raise a UsageError if it does not fit."""
        if self.n_bytes > self.free_bytes:
            raise UsageError(
                f"the recording does not fit: {self}; record fewer --samples, fewer "
                "--quantities or with --potential-dtype float16, name another disk with --out, "
                "or go on regardless with --no-space-check"
            )


def space_for(folder: Path, n_bytes: int, n_done: int, total: int) -> Space:
    """Return what `total` samples will take if the first `n_done` took `n_bytes`."""
    free = shutil.disk_usage(folder).free + n_bytes
    return Space(total, n_bytes * total // n_done, free, folder)


def readable(n_bytes: int) -> str:
    """Return a number of bytes as a person says it."""
    size, units = float(n_bytes), ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size /= 1000
        del units[0]
    return f"{size:.3g} {units[0]}"
