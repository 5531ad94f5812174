"""What all readers of event files share: bytes, time, polarity, the camera's borders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.events import EVENT_DTYPE, Events
from redundancy.errors import DataError
from redundancy.limits import check_claim, check_regular_file

Place = Callable[[int], str]
"""Names where event i stands in its file, such as "the event at byte offset 16"."""

_CLOCK_PERIOD = 1 << 32
# Farther back than half a period is a clock that began anew, nearer is disorder.
_WRAP_JUMP = _CLOCK_PERIOD // 2
_MAX_TIME = 1 << 53


# Of a file's event of a few bytes, with its columns and places while they are checked.
_MEMORY_PER_BYTE = 8


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file of events or images.

    Raises
    ------
    UsageError
        If it is no regular file.
    DataError
        If it cannot be read, or holds nothing but zeros: some formats take any bytes.
    LimitError
        If what is read of it would take more memory than one file may.
    """
    check_regular_file(path)
    try:
        check_claim(_MEMORY_PER_BYTE * path.stat().st_size, f"{path}")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if data and not any(data[:64]) and data.count(0) == len(data):
        raise DataError(
            f"{path} holds nothing but zero bytes, {len(data)} of them, as a file that was copied "
            "or downloaded in part; get it again"
        )
    return data


def assemble_events(
    path: Path,
    columns: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]],
    sensor_size: tuple[int, int],
    place: Place,
    *,
    clock_wraps: bool = True,
) -> Events:
    """Check the columns of an event file and return its events in the order of time.

    Parameters
    ----------
    path : Path
        For messages.
    columns : tuple of ndarray, each of shape (n_events,)
        t in microseconds, x, y, and p, either 0 and 1 or -1 and 1; numbers.
    sensor_size : tuple of int
        (height, width) of the camera in pixels.
    place : callable
        Names where event i stands.
    clock_wraps : bool
        Whether times are those of a 32-bit clock that may begin anew.

    Returns
    -------
    structured ndarray, shape (n_events,)
        `EVENT_DTYPE`. A clock of 32 bits that began anew is continued; events out of
        order are sorted, those of one time stay in the file's order.

    Raises
    ------
    DataError
        If there are no events, or one is no event of this camera; the message names
        the file and the place.
    """
    if not len(columns[0]):
        raise DataError(f"{path} holds no events")
    for name, values in zip("txyp", columns, strict=True):
        _check_whole(path, name, values, place)
    t, x, y, p = (values.astype(np.int64) for values in columns)
    for name, values, limit in (("x", x, sensor_size[1]), ("y", y, sensor_size[0])):
        _refuse(path, name, values, (values < 0) | (values >= limit), place, f"0 to {limit - 1}")
    # -1 and 0 are both OFF, but a file that has both follows neither convention.
    low = -1 if p.min() < 0 else 0
    _refuse(path, "p", p, (p != low) & (p != 1), place, f"{low} or 1, as the file's other events")
    events = np.empty(len(t), EVENT_DTYPE)
    events["t"] = continued_clock(t) if clock_wraps else t
    events["x"], events["y"], events["p"] = x, y, p > 0
    if np.any(np.diff(events["t"]) < 0):
        events = events[np.argsort(events["t"], kind="stable")]
    return events


def continued_clock(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times of a 32-bit clock as if it had not wrapped around.

    A step back of more than half the clock's period is a wrap, and such a step
    forward undoes one (an older event that comes late); where there is none to undo
    it is a long pause.
    """
    if not len(time) or np.ptp(time) < _WRAP_JUMP:
        return time
    if time.min() < -_WRAP_JUMP or time.max() >= _CLOCK_PERIOD:
        return time  # no clock of 32 bits, signed or not
    step = np.diff(time, prepend=time[0])
    wraps = np.cumsum((step < -_WRAP_JUMP).astype(np.int64) - (step > _WRAP_JUMP))
    wraps -= np.minimum.accumulate(np.minimum(wraps, 0))
    return time + _CLOCK_PERIOD * wraps


def without_duplicates(events: Events) -> Events:
    """Return `events`, sorted by time, without repetitions of the very same event."""
    order = np.lexsort((events["p"], events["y"], events["x"], events["t"]))
    ordered = events[order]
    first = np.ones(len(events), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return events[np.sort(order[first])]


def _check_whole(path: Path, name: str, values: NDArray[Any], place: Place) -> None:
    if values.dtype.kind not in "buif":
        raise DataError(f"{path}: {name} must be numbers, got {values.dtype}")
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            broken = ~np.isfinite(values) | (np.floor(values) != values)
        _refuse(path, name, values, broken, place, "a whole number")
    if values.dtype.kind != "b":
        large = (values > _MAX_TIME) | (values < -_MAX_TIME if values.dtype.kind != "u" else False)
        _refuse(path, name, values, large, place, "at most 2^53 in size")


def _refuse(
    path: Path,
    name: str,
    values: NDArray[Any],
    wrong: NDArray[np.bool_],
    place: Place,
    expected: str,
) -> None:
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise DataError(
            f"{path}: {place(first)} has {name}={values[first]}, but {name} must be {expected}"
        )
