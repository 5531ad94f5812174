"""The dataset `dvs128-gesture`: eleven hand and arm gestures of 29 users."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from redundancy.datasets.aedat3 import read_aedat3
from redundancy.datasets.clips import ClipArguments
from redundancy.datasets.event_bytes import assemble_events, read_bytes
from redundancy.datasets.event_recordings import EventRecordings
from redundancy.datasets.events import Events
from redundancy.datasets.recording_files import RecordingFile, cut_spans, natural_order
from redundancy.datasets.selection import check_split
from redundancy.errors import DataError, LimitError, UsageError
from redundancy.file_kinds import but_is
from redundancy.limits import check_claim, check_regular_file

SENSOR_SIZE = (128, 128)
N_GESTURES = 11
_USERS = {"train": range(1, 24), "test": range(24, 30)}
_LAYOUT = (
    "user<01..29>_<light>.aedat each with user<01..29>_<light>_labels.csv, or train/*.hdf5 and "
    "test/*.hdf5"
)


@dataclass(frozen=True)
class GestureArguments(ClipArguments):
    """What determines the samples of `dvs128-gesture`; see `ClipArguments`.

    Attributes
    ----------
    form : str or None
        "aedat" or "hdf5", which form of the data is read; None takes what is there,
        AEDAT first, and that is what is recorded.
    """

    form: str | None = None


class DVS128Gesture(EventRecordings):
    """Gestures before a 128x128 event camera.

    In the form "aedat" each file holds a session, and each row of its label table is
    a recording, startTime_usec <= t < endTime_usec; rows that overlap are kept as they
    are (the published set has such a pair), a row that repeats another one is not.
    Users 1 to 23 are "train", 24 to 29 "test"; the order is by file name, then by row,
    which go through the gestures in turn. In the form "hdf5" each file holds one
    recording: times, addrs [x, y, p] and its label 0 to 10.

    Parameters
    ----------
    location : str or path
        The folder of the recordings, or one that holds it.
    arguments : GestureArguments
    split : str
        "train" or "test".

    Raises
    ------
    UsageError
        If the folder is missing or not laid out so.
    DataError
        If a label table is damaged.
    """

    name = "dvs128-gesture"
    n_classes = N_GESTURES

    def __init__(
        self,
        location: str | os.PathLike[str],
        arguments: GestureArguments | None = None,
        *,
        split: str = "test",
    ) -> None:
        check_split(split)
        folder, arguments = Path(location), arguments or GestureArguments()
        if arguments.form not in (None, "aedat", "hdf5"):
            raise UsageError(f"form must be aedat, hdf5 or none, got {arguments.form!r}")
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}; expected one that holds {_LAYOUT}")
        form = arguments.form
        files: list[RecordingFile] = []
        if form in (None, "aedat"):
            files = _list_sessions(folder, split)
        if not files and form in (None, "hdf5"):
            form, files = "hdf5", _list_hdf5(folder, split)
        if not files:
            raise UsageError(f"{folder} holds no {split} recordings; expected {_LAYOUT}")
        arguments = replace(arguments, form=form or "aedat")
        super().__init__(arguments, location, split, SENSOR_SIZE, files)

    def _read(self, file: RecordingFile) -> list[Events]:
        if file.companion is None:
            return [read_hdf5_recording(file.path)[0]]
        events = read_aedat3(file.path, self.sensor_size)
        recordings = cut_spans(events, file.spans)
        for (start, stop), recording in zip(file.spans, recordings, strict=True):
            if not len(recording):
                raise DataError(
                    f"{file.path} has no events from {start} to {stop} us, where "
                    f"{file.companion.name} has a gesture; the file's events are from "
                    f"{events['t'][0]} to {events['t'][-1]} us"
                )
        return recordings


def read_label_table(path: Path) -> list[tuple[int, int, int]]:
    """Read a table of gestures: a header line, then class (1 to 11), start and end in us.

    Returns
    -------
    list of (int, int, int)
        Class from 0, start, stop (exclusive), in the order of the rows, none twice.

    Raises
    ------
    DataError
        If a row is not that; the message names line and byte offset.
    """
    rows: list[tuple[int, int, int]] = []
    offset = 0
    for number, line in enumerate(read_bytes(path).splitlines(keepends=True), start=1):
        cells = [cell.strip() for cell in line.split(b",")]
        if number > 1 and line.strip():
            whole = [int(cell) for cell in cells if re.fullmatch(rb"\d{1,15}", cell)]
            if len(cells) != 3 or len(whole) != 3:
                shown = line.strip()[:40].decode("ascii", "backslashreplace")
                raise DataError(
                    f"{path}: line {number} at byte offset {offset} is {shown!r}, but a row is "
                    "class,startTime_usec,endTime_usec"
                )
            gesture, start, stop = whole
            if not 1 <= gesture <= N_GESTURES or stop <= start:
                raise DataError(
                    f"{path}: line {number} at byte offset {offset} has class {gesture} from "
                    f"{start} to {stop} us, but a class is 1 to {N_GESTURES} and ends after it "
                    "starts"
                )
            if (gesture - 1, start, stop) not in rows:
                rows.append((gesture - 1, start, stop))
        offset += len(line)
    if not rows:
        raise DataError(f"{path} has no rows of gestures up to its end at byte offset {offset}")
    return rows


def read_hdf5_recording(path: Path) -> tuple[Events, int]:
    """Read one recording of the HDF5 form.

    Returns
    -------
    events : structured ndarray, shape (n_events,)
        `EVENT_DTYPE`, sorted by time.
    label : int
        0 to 10.

    Raises
    ------
    DataError
        If the file is not HDF5 or does not hold times, addrs and labels.
    """
    times, addresses = _read_hdf5(path, ("times", "addrs"))
    if times.ndim != 1 or addresses.shape != (len(times), 3):
        raise DataError(
            f"{path}: times must be one column and addrs three (x, y, p) of the same length, got "
            f"shapes {times.shape} and {addresses.shape}"
        )
    columns = (times, addresses[:, 0], addresses[:, 1], addresses[:, 2])
    events = assemble_events(path, columns, SENSOR_SIZE, lambda row: f"row {row} of addrs")
    return events, _hdf5_label(path)


def _hdf5_label(path: Path) -> int:
    (labels,) = _read_hdf5(path, ("labels",))
    if labels.size != 1 or labels.dtype.kind not in "ui" or not 0 <= labels.item() < N_GESTURES:
        raise DataError(
            f"{path}: labels must be one class from 0 to {N_GESTURES - 1}, got {labels.tolist()!r}"
        )
    return int(labels.item())


def _read_hdf5(path: Path, names: Sequence[str]) -> list[Any]:
    import h5py  # type: ignore[import-untyped]

    check_regular_file(path)
    try:
        with h5py.File(path, "r") as file:
            for name in names:
                _check_hdf5(path, file, name)
            return [np.asarray(file[name][()]) for name in names]
    except (DataError, LimitError):
        raise
    # A damaged file fails in as many ways as the HDF5 library has.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as HDF5 with times, addrs and labels: {error}{but_is(path)}"
        ) from error


def _check_hdf5(path: Path, file: Any, name: str) -> None:
    """Refuse an array that claims too much memory, or whose values lie in other files."""
    import h5py

    link = file.get(name, getlink=True)
    array = file[name] if isinstance(link, h5py.HardLink) else None
    if link is not None and (array is None or array.external or array.is_virtual):
        raise DataError(f"{path}: {name} lies in another file, which is not followed; copy it here")
    if array is not None:
        check_claim(8 * math.prod(array.shape) * array.dtype.itemsize, f"{path} ({name})")


def _list_sessions(folder: Path, split: str) -> list[RecordingFile]:
    """Return the AEDAT files of a split's users, with the rows of their label tables."""
    files = []
    paths = [*folder.glob("*.aedat"), *folder.glob("*/*.aedat")]
    for path in sorted(paths, key=natural_order):
        user = re.match(r"user(\d{1,3})_", path.name)
        if user is None or int(user[1]) not in _USERS[split]:
            continue
        table = path.with_name(f"{path.stem}_labels.csv")
        if not table.is_file():
            raise DataError(f"{path} has no table of its gestures: there is no file {table}")
        rows = read_label_table(table)
        labels = tuple(label for label, _, _ in rows)
        spans = tuple((start, stop) for _, start, stop in rows)
        files.append(RecordingFile(path, labels, spans, table))
    return files


def _list_hdf5(folder: Path, split: str) -> list[RecordingFile]:
    """Return the HDF5 files of a split; their labels stand in them."""
    paths = [*(folder / split).glob("*.hdf5"), *(folder / split).glob("*.h5")]
    return [RecordingFile(path, (_hdf5_label(path),)) for path in sorted(paths, key=natural_order)]
