"""The dataset `frames`: event frames that a user brings in an .npz file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.arguments import argument_values
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.selection import check_range, check_split
from redundancy.errors import DataError, UsageError
from redundancy.files import sha256_of

_LAYOUT = (
    "an .npz file with an array 'frames' [sample, time, channel, y, x] and optionally "
    "'labels' [sample]"
)
_CHECKED_VALUES = 1 << 22


@dataclass(frozen=True)
class FramesFileArguments:
    """What determines the samples of `frames`.

    Attributes
    ----------
    sha256 : str or None
        SHA-256 of the file. It is always recorded from the file that is read; a
        given value is not compared, since a network may be run on another file than
        the one it was trained on.
    """

    sha256: str | None = None


class FramesFile:
    """Frames from an .npz file, in its order.

    Parameters
    ----------
    location : str or path
        The file: array ``frames`` [sample, time, channel, y, x], numbers, and
        optionally ``labels`` [sample], integers from 0.
    arguments : FramesFileArguments
    split : str
        The file has no splits: "train", "test" and "all" give all of it, and "all"
        is what is recorded.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If the file is not what it should be.
    """

    name = "frames"
    split = "all"

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: FramesFileArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        check_split(split, ("train", "test", "all"))
        self.location = os.fspath(location)
        if not os.path.isfile(location):
            raise UsageError(f"there is no file {self.location}; expected {_LAYOUT}")
        self._frames, self._labels = _read(self.location)
        try:
            digest = sha256_of(location)
        except OSError as error:
            raise DataError(f"{self.location} cannot be read: {error}") from error
        stated = replace(arguments or FramesFileArguments(), sha256=digest)
        self.arguments: Mapping[str, Argument] = argument_values(stated)
        time, channel, y, x = self._frames.shape[1:]
        self.frame_shape = (time, channel, y, x)
        self.n_classes = None if self._labels is None else int(self._labels.max()) + 1

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        labels = None if self._labels is None else self._labels[start:stop].copy()
        return Batch(start, self._frames[start:stop].astype(np.float32), labels)


def _read(location: str) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Return frames, in the file's own type, and labels."""
    try:
        with np.load(location, allow_pickle=False) as archive:
            if isinstance(archive, np.ndarray):
                raise TypeError("it holds a single array")
            frames = archive.get("frames")
            labels = archive.get("labels")
            found = ", ".join(archive.files) or "nothing"
    # A damaged archive fails in as many ways as zip, deflate and NumPy's header have.
    except Exception as error:
        raise DataError(f"{location} cannot be read as {_LAYOUT}: {error}") from error
    if not isinstance(frames, np.ndarray):
        raise DataError(f"{location} has no array 'frames' (it holds {found}); expected {_LAYOUT}")
    _check_frames(location, frames)
    return frames, None if labels is None else _checked_labels(location, labels, len(frames))


def _check_frames(location: str, frames: NDArray[Any]) -> None:
    if frames.ndim != 5 or not frames.size:
        raise DataError(
            f"{location}: 'frames' must have five dimensions [sample, time, channel, y, x], none "
            f"of them empty, got shape {frames.shape}"
        )
    if frames.dtype.kind not in "buif":
        raise DataError(f"{location}: 'frames' must hold real numbers, got {frames.dtype}")
    if frames.dtype.kind != "f":
        return
    flat = frames.reshape(-1)
    for begin in range(0, flat.size, _CHECKED_VALUES):
        with np.errstate(over="ignore"):
            good = np.isfinite(flat[begin : begin + _CHECKED_VALUES].astype(np.float32))
        if not good.all():
            place = np.unravel_index(begin + int(np.flatnonzero(~good)[0]), frames.shape)
            raise DataError(
                f"{location}: 'frames' must be finite float32 numbers, but "
                f"frames{[int(i) for i in place]} is {frames[place]}"
            )


def _checked_labels(location: str, labels: object, n_samples: int) -> NDArray[np.int64]:
    if not isinstance(labels, np.ndarray) or labels.shape != (n_samples,):
        shape = getattr(labels, "shape", None)
        raise DataError(
            f"{location}: 'labels' must have one label for each of the {n_samples} samples, "
            f"got shape {shape}"
        )
    if labels.dtype.kind not in "ui" or labels.min() < 0 or labels.max() >= 2**31:
        raise DataError(
            f"{location}: 'labels' must be class indices, integers from 0, got {labels.dtype} "
            f"from {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.int64)
