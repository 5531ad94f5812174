"""The dataset `nmnist`: recordings of N-MNIST in their usual layout."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from redundancy.datasets.arguments import argument_values, parse_size
from redundancy.datasets.base import Argument, Batch
from redundancy.datasets.event_bytes import read_bytes
from redundancy.datasets.events import EVENT_DTYPE, Events
from redundancy.datasets.frames import FrameBuilder
from redundancy.datasets.selection import check_range, check_split
from redundancy.errors import DataError, UsageError
from redundancy.file_kinds import but_is

SENSOR_SIZE = (34, 34)
N_DIGITS = 10
_EVENT_BYTES = 5
# A "row" of 240 marks that the camera's clock wrapped around.
_WRAP_ROW = 240
_MAX_WRAPS = 10_000
_READ_DTYPE = np.dtype([("x", "<i8"), ("y", "<i8"), ("t", "<i8"), ("p", "<i8")])
_FOLDERS = {"train": "Train", "test": "Test"}
_LAYOUT = "Train/<digit>/*.bin and Test/<digit>/*.bin"


@dataclass(frozen=True)
class NMNISTArguments:
    """What determines the samples of `nmnist`, beside the files; see `FrameBuilder`."""

    n_timesteps: int = 20
    dt_ms: float | None = None
    downsample: int | None = None
    size: str | None = None
    binary: bool = False


class NMNIST:
    """Recordings of moving digits, 34x34 pixels, about 0.3 s each.

    The order is fixed by the names alone: each digit's files by the number in their
    name (then by name), and of all digits first the first files, digit 0 to 9, then
    the second ones, and so on, so that the first samples are balanced for as long as
    every digit has files.

    Parameters
    ----------
    location : str or path
        The folder that holds ``Train`` and ``Test``.
    arguments : NMNISTArguments
    split : str
        "train" or "test".

    Raises
    ------
    UsageError
        If the folder is missing or not laid out as N-MNIST.
    """

    name = "nmnist"
    n_classes = N_DIGITS

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: NMNISTArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        arguments = arguments or NMNISTArguments()
        self.arguments: Mapping[str, Argument] = argument_values(arguments)
        self.split = check_split(split)
        self.location = os.fspath(location)
        self._frame_builder = FrameBuilder(
            sensor_size=SENSOR_SIZE,
            n_timesteps=arguments.n_timesteps,
            dt_ms=arguments.dt_ms,
            downsample=arguments.downsample,
            size=parse_size(arguments.size),
            binary=arguments.binary,
        )
        self.frame_shape = self._frame_builder.frame_shape
        self._samples = _list_recordings(Path(location), self.split)

    def __len__(self) -> int:
        return len(self._samples)

    def events(self, index: int) -> Events:
        """Return the events of sample `index`, in the order of time."""
        check_range(index, index + 1, len(self))
        return read_recording(self._samples[index][0])

    def batch(self, start: int, stop: int) -> Batch:
        """Return samples `start` to `stop` (exclusive)."""
        check_range(start, stop, len(self))
        frames = np.stack([self._frame_builder(self.events(i)) for i in range(start, stop)])
        labels = np.array([digit for _, digit in self._samples[start:stop]], np.int64)
        return Batch(start, frames, labels)


def read_recording(path: Path) -> Events:
    """Read one recording.

    Parameters
    ----------
    path : Path
        Five bytes an event: x, y, polarity and time (see the N-MNIST description).

    Returns
    -------
    structured ndarray, shape (n_events,)
        `EVENT_DTYPE`; sorted by time (events of one time stay in file order).

    Raises
    ------
    DataError
        If the file cannot be read, is empty or cut off, or an event lies outside
        34x34; the message names file and byte offset.
    """
    import tonic.io

    data = read_bytes(path)
    _check_bytes(path, data)
    read = tonic.io.read_mnist_file(io.BytesIO(data), dtype=_READ_DTYPE, is_stream=True)
    events = np.empty(len(read), EVENT_DTYPE)
    for field in ("t", "x", "y"):
        events[field] = read[field]
    events["p"] = read["p"] > 0
    if np.any(np.diff(events["t"]) < 0):
        events = events[np.argsort(events["t"], kind="stable")]
    return events


def _check_bytes(path: Path, data: bytes) -> None:
    if not data or len(data) % _EVENT_BYTES:
        raise DataError(
            f"{path} has {len(data)} bytes, but an N-MNIST recording has a positive multiple of "
            f"{_EVENT_BYTES}; the bytes from offset {len(data) - len(data) % _EVENT_BYTES} on are "
            f"no event{but_is(path)}"
        )
    rows = np.frombuffer(data, np.uint8).reshape(-1, _EVENT_BYTES)
    marks = rows[:, 1] == _WRAP_ROW
    outside = ((rows[:, 0] >= SENSOR_SIZE[1]) | (rows[:, 1] >= SENSOR_SIZE[0])) & ~marks
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"{path}: the event at byte offset {first * _EVENT_BYTES} lies at "
            f"x={rows[first, 0]}, y={rows[first, 1]}, outside N-MNIST's 34x34 pixels{but_is(path)}"
        )
    if marks.all() or marks.sum() > _MAX_WRAPS:
        raise DataError(
            f"{path}: {marks.sum()} of {len(rows)} events from byte offset "
            f"{int(np.flatnonzero(marks)[0]) * _EVENT_BYTES} on are marks of a clock's "
            "wrap-around, so this is no N-MNIST recording"
        )


def _list_recordings(folder: Path, split: str) -> list[tuple[Path, int]]:
    """Return path and digit of every recording, in the order of the dataset."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
    subfolder = folder / _FOLDERS[split]
    if not subfolder.is_dir():
        raise UsageError(
            f"{folder} has no folder {_FOLDERS[split]}; expected recordings as {_LAYOUT}"
        )
    ranked = []
    for digit in range(N_DIGITS):
        paths = sorted((subfolder / str(digit)).glob("*.bin"), key=_file_order)
        ranked += [(rank, digit, path) for rank, path in enumerate(paths)]
    if not ranked:
        raise UsageError(
            f"{subfolder} holds no recordings; expected {_FOLDERS[split]}/<digit>/*.bin with "
            "digits 0 to 9"
        )
    return [(path, digit) for _, digit, path in sorted(ranked, key=lambda entry: entry[:2])]


def _file_order(path: Path) -> tuple[int, str]:
    number = re.search(r"\d{1,18}", path.stem)
    return (int(number[0]) if number else 0, path.name)
