"""AEDAT 2.0, the format of DailyAction-DVS: pairs of address and time behind a text header.

Two cameras' addresses are in use. A file's header names the camera; where it does
not, addresses of more than 16 bits are those of a DAVIS346. Read here since tonic 1.7's
`read_dvs_128` fails on every file, and its `read_davis_346` drops a cut-off end and a
first event that begins like a line of text, and lets pixels outside the camera pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.cameras import cameras_in
from redundancy.datasets.event_bytes import assemble_events, read_bytes
from redundancy.datasets.events import Events
from redundancy.errors import DataError
from redundancy.file_kinds import but_is

Column = NDArray[Any]

_MAGIC = b"#!AER-DAT2."
_HEADER_LINES = {
    b"\n": re.compile(rb"#[\t\x20-\x7e]*\n"),
    b"\r\n": re.compile(rb"#[\t\x20-\x7e]*\r\n"),
}
_LAST_LINE = b"#End Of ASCII Header"
_PAIR = np.dtype([("address", ">u4"), ("t", ">u4")])
_DVS128_BITS = 16


def _dvs128(address: Column) -> tuple[Column, Column, Column, Column]:
    return address >> 15 & 1, address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1


def _davis346(address: Column) -> tuple[Column, Column, Column, Column]:
    # Bit 31 marks samples of the grey-scale sensor, bit 10 external signals.
    other = address >> 31 | address >> 10 & 1
    return other, address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1


def _asa(address: Column) -> tuple[Column, Column, Column, Column]:
    _, x, y, p = _davis346(address)
    outside = (x > 127) | (y > 127) | (address >> 31 > 0)
    return outside, np.where(outside, 0, 127 - x.astype(np.int64)), y, 1 - p


DECODINGS: dict[str, tuple[tuple[int, int], Callable[[Column], tuple[Column, ...]]]] = {
    "dvs128": ((128, 128), _dvs128),
    "davis346": ((260, 346), _davis346),
    "asa": ((260, 346), _asa),
}
"""Name of a decoding: (height, width) of its camera, and what turns addresses into
(is no event, x, y, p). "asa" is how the published code reads DAVIS346 addresses: the
corner of 128x128 pixels alone, mirrored in x, ON and OFF exchanged."""


def read_aedat2(path: Path, decoding: str) -> Events:
    """Read the polarity events of an AEDAT 2.0 file.

    Parameters
    ----------
    path : Path
    decoding : str
        One of `DECODINGS`.

    Returns
    -------
    structured ndarray, shape (n_events,)
        `EVENT_DTYPE`, sorted by time; a 32-bit clock that wrapped is continued.

    Raises
    ------
    DataError
        If the file is not AEDAT 2, is cut off, is of another camera, or an event lies
        outside the camera; the message names file and byte offset.
    """
    data, start = _open(path)
    sensor_size, decode = DECODINGS[decoding]
    named = _named_camera(data[:start])
    if named not in (None, *(DECODINGS if decoding == "asa" else (decoding,))):
        raise DataError(
            f"{path} is of another camera: its header up to byte offset {start} names a {named}, "
            f"but the data set is read as {decoding}"
        )
    pairs = np.frombuffer(data, _PAIR, offset=start)
    address = pairs["address"].astype(np.uint32)
    if decoding == "dvs128" and (large := address >= 1 << _DVS128_BITS).any():
        first = int(np.flatnonzero(large)[0])
        raise DataError(
            f"{path}: the event at byte offset {start + 8 * first} has address "
            f"{address[first]:#x}, but those of a DVS128 have {_DVS128_BITS} bits; set "
            "decoding=davis346 if it is one"
        )
    other, x, y, p = decode(address)
    kept = np.flatnonzero(other == 0)
    columns = (pairs["t"][kept], x[kept], y[kept], p[kept])
    return assemble_events(
        path, columns, sensor_size, lambda i: f"the event at byte offset {start + 8 * int(kept[i])}"
    )


def recognise_decoding(path: Path) -> str:
    """Return "dvs128" or "davis346" by a file's header, else by its largest address.

    Raises
    ------
    DataError
        If the file is not AEDAT 2.0 or has no events.
    """
    data, start = _open(path)
    named = _named_camera(data[:start])
    if named in DECODINGS:
        return named
    if named is not None:
        raise DataError(
            f"{path} is of a camera that is not read: its header up to byte offset {start} names "
            f"a {named}, expected one of a DVS128 or a DAVIS346"
        )
    address = np.frombuffer(data, _PAIR, offset=start)["address"]
    if not len(address):
        raise DataError(f"{path} holds no events from byte offset {start} on")
    return "dvs128" if int(address.max()) < 1 << _DVS128_BITS else "davis346"


def _open(path: Path) -> tuple[bytes, int]:
    """Return a file's bytes and where its events begin."""
    data = read_bytes(path)
    if not data.startswith(_MAGIC):
        raise DataError(
            f"{path} is no AEDAT 2 file: it has {len(data)} bytes and does not begin with "
            f"{_MAGIC.decode()}0 at byte offset 0{but_is(path)}"
        )
    start = _data_start(data)
    if (len(data) - start) % _PAIR.itemsize:
        end = len(data) - (len(data) - start) % _PAIR.itemsize
        raise DataError(
            f"{path} is cut off: the {len(data) - end} bytes from byte offset {end} on are no "
            f"event of {_PAIR.itemsize} bytes"
        )
    return data, start


def _data_start(data: bytes) -> int:
    """Return where the lines of text end.

    An event can begin with the byte of "#" too. Then it is hardly ever text up to an
    end of line like the first one's, and if it is, the file's length gives it away.
    """
    line_end = b"\r\n" if data.partition(b"\n")[0].endswith(b"\r") else b"\n"
    before, start = 0, 0
    while line := _HEADER_LINES[line_end].match(data, start):
        before, start = start, line.end()
        if line[0].startswith(_LAST_LINE):
            return start
    size = _PAIR.itemsize
    short = start - before <= size and before > 0
    if short and (len(data) - start) % size and not (len(data) - before) % size:
        return before
    return start


def _named_camera(header: bytes) -> str | None:
    """Return the camera of a header, None where it names none, or both of those in use."""
    text = header.lower()
    other = cameras_in(text.decode("latin-1")) - set(DECODINGS)
    if other:
        return ", ".join(sorted(other))
    davis, dvs128 = b"davis" in text, b"dvs128" in text
    if davis == dvs128:
        return None
    return "davis346" if davis else "dvs128"
