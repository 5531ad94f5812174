"""Events as tables of four columns t, x, y, p: text and NumPy arrays."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.array_files import read_npy
from redundancy.datasets.event_bytes import assemble_events, read_bytes
from redundancy.datasets.events import Events
from redundancy.errors import DataError
from redundancy.file_kinds import but_is

_COLUMNS = "t x y p"


def read_text_events(path: Path, sensor_size: tuple[int, int]) -> Events:
    """Read events written as text, one a line: t x y p, separated by white space.

    Parameters
    ----------
    path : Path
        Times in microseconds; p is 0 or 1, or -1 or 1; empty lines are skipped.
    sensor_size : tuple of int
        (height, width) of the camera in pixels.

    Returns
    -------
    structured ndarray, shape (n_events,)
        `EVENT_DTYPE`, sorted by time.

    Raises
    ------
    DataError
        If the file is not that; the message names line and byte offset.
    """
    data = read_bytes(path)
    if not data.strip():
        raise DataError(f"{path} holds no events (its {len(data)} bytes are all white space)")
    table = _fast_table(data)
    if table is None:
        table = _careful_table(path, data)
    columns = (table[:, 0], table[:, 1], table[:, 2], table[:, 3])
    return assemble_events(path, columns, sensor_size, lambda row: _line_place(data, row))


def read_array_events(path: Path, sensor_size: tuple[int, int]) -> Events:
    """Read events of a .npy file, an array (N, 4) of the columns t, x, y, p.

    Raises
    ------
    DataError
        If the file is not that; the message names row or byte offset.
    """
    array = read_npy(path, "a .npy array of numbers")
    if array.ndim != 2 or array.shape[1] != 4:
        raise DataError(f"{path} must hold an array (N, 4) of {_COLUMNS}, got shape {array.shape}")
    start, width = path.stat().st_size - array.nbytes, array.itemsize * 4
    order = "row {0} at byte offset {1}" if array.flags.c_contiguous else "row {0}"
    columns = (array[:, 0], array[:, 1], array[:, 2], array[:, 3])
    return assemble_events(
        path, columns, sensor_size, lambda row: order.format(row, start + row * width)
    )


def _fast_table(data: bytes) -> NDArray[np.float64] | None:
    """Return the table of well-formed text, None where a careful look is needed."""
    try:
        table = np.loadtxt(io.BytesIO(data), np.float64, comments=None, ndmin=2)
    except (ValueError, OverflowError):
        return None
    return table if table.shape[1] == 4 else None


def _careful_table(path: Path, data: bytes) -> NDArray[np.float64]:
    rows = []
    for number, offset, line in _lines(data):
        fields = line.split()
        try:
            if len(fields) != 4:
                raise ValueError
            rows.append([float(field) for field in fields])
        except ValueError:
            shown = line[:40].decode("ascii", "backslashreplace")
            raise DataError(
                f"{path}: line {number} at byte offset {offset} is {shown!r}, but an event is "
                f"four numbers {_COLUMNS}{but_is(path)}"
            ) from None
    return np.array(rows, np.float64).reshape(-1, 4)


def _lines(data: bytes) -> list[tuple[int, int, bytes]]:
    """Return number, byte offset and content of every line that is not empty."""
    found, offset = [], 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        if line.strip():
            found.append((number, offset, line.strip()))
        offset += len(line)
    return found


def _line_place(data: bytes, row: int) -> str:
    lines = _lines(data)
    if row >= len(lines):
        return f"event {row}"
    return f"line {lines[row][0]} at byte offset {lines[row][1]}"
