"""The dataset `frames`: event frames that a user brings in an .npz file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.arguments import argument_values
from redundancy.datasets.array_files import read_npz
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.checked_batch import UNLABELLED, as_float32
from redundancy.datasets.selection import check_range, check_split
from redundancy.errors import DataError, UsageError
from redundancy.files import sha256_of
from redundancy.limits import check_regular_file

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
        optionally ``labels`` [sample], integers from 0, or -1 for a sample without one.
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
        check_regular_file(location)
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
        n_classes = 0 if self._labels is None else int(self._labels.max()) + 1
        self.n_classes = n_classes or None

    def __len__(self) -> int:
        return len(self._frames)

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        labels = None if self._labels is None else self._labels[start:stop].copy()
        return Batch(start, as_float32(self._frames[start:stop], self.location), labels)


def _read(location: str) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Return frames, in the file's own type, and labels."""
    arrays = read_npz(location, ["frames"], ["labels"], _LAYOUT)
    frames, labels = arrays["frames"], arrays.get("labels")
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
    if labels.dtype.kind not in "ui":
        kind = "no numbers" if labels.dtype.kind not in "buif" else "no whole numbers"
        raise DataError(
            f"{location}: 'labels' must be class indices, integers from 0, or {UNLABELLED} for a "
            f"sample without a label, got {n_samples} that are {kind} ({labels.dtype}), the first "
            f"{labels[0]!r}"
        )
    wrong = (labels < UNLABELLED) | (labels >= 2**31)
    if wrong.any():
        raise DataError(
            f"{location}: 'labels' must be class indices, integers from 0, or {UNLABELLED} for a "
            f"sample without a label, got {int(wrong.sum())} of {n_samples} that are not, the "
            f"first {labels[wrong][0]}"
        )
    return labels.astype(np.int64)
