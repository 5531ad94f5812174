"""AEDAT 3.1, the format of DVS128 Gesture: packets of events behind a text header.

Read here since no library's reader serves: tonic 1.7's `read_dvs_ibm` fails on every
file, and SpikingJelly's goes event by event, takes a file that is cut off for a whole
one and cannot be imported without a torchvision that fits torch.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.cameras import cameras_in
from redundancy.datasets.event_bytes import assemble_events, read_bytes
from redundancy.datasets.events import Events
from redundancy.errors import DataError
from redundancy.file_kinds import but_is

_MAGIC = b"#!AER-DAT3."
_END = b"#!END-HEADER"
# Type, source, event size, time offset, time overflows, capacity, number, valid.
_HEADER = struct.Struct("<hhiiiiii")
_POLARITY_TYPE = 1
_MAX_OVERFLOWS = 1 << 20
_COMPRESSED = 1 << 15
_SOURCE_LINE = re.compile(rb"^#\s*Source\s+(-?\d+)\s*:(.*)$", re.M)


@dataclass(frozen=True)
class _Packet:
    """Where a packet's polarity events lie in the file."""

    start: int
    number: int
    source: int
    event_size: int
    time_offset: int
    overflows: int


def read_aedat3(path: Path, sensor_size: tuple[int, int]) -> Events:
    """Read the polarity events of an AEDAT 3.1 file.

    Parameters
    ----------
    path : Path
    sensor_size : tuple of int
        (height, width) of the camera in pixels.

    Returns
    -------
    structured ndarray, shape (n_events,)
        `EVENT_DTYPE`, sorted by time; events marked as invalid and packets of other
        types (frames, inertial measurements) are left out, and the packets' overflow
        count continues the 31-bit clock. All are of one source.

    Raises
    ------
    DataError
        If the file is not AEDAT 3, is cut off, holds compressed packets or events of
        several sources, is of another camera, or an event lies outside the camera; the
        message names file and byte offset.
    """
    data = read_bytes(path)
    start = _data_start(path, data)
    packets = _list_packets(path, data, start)
    _check_source(path, data[:start], packets, sensor_size)
    numbers = [packet.number for packet in packets]
    words = np.empty(sum(numbers), np.uint32)
    time = np.empty(len(words), np.int64)
    edges = np.cumsum([0, *numbers]).tolist()
    for packet, begin, end in zip(packets, edges[:-1], edges[1:], strict=True):
        words[begin:end] = _field(data, packet, 0)
        base = packet.overflows << 31
        time[begin:end] = _field(data, packet, packet.time_offset).astype(np.int64) + base
    kept = np.flatnonzero(words & 1)
    words = words[kept]

    def place(event: int) -> str:
        number = int(kept[event])
        packet = int(np.searchsorted(edges, number, side="right")) - 1
        offset = packets[packet].start + (number - edges[packet]) * packets[packet].event_size
        return f"the event at byte offset {offset}"

    columns = (time[kept], words >> 17, words >> 2 & 0x7FFF, words >> 1 & 1)
    return assemble_events(path, columns, sensor_size, place, clock_wraps=False)


def _data_start(path: Path, data: bytes) -> int:
    """Return where the text header ends."""
    if not data.startswith(_MAGIC):
        raise DataError(
            f"{path} is no AEDAT 3 file: it has {len(data)} bytes and does not begin with "
            f"{_MAGIC.decode()}1 at byte offset 0{but_is(path)}"
        )
    end = data.find(b"\n" + _END)
    after = data.find(b"\n", end + 1)
    if end < 0 or after < 0:
        raise DataError(
            f"{path} has no line {_END.decode()} up to its end at byte offset {len(data)}, so its "
            "header is cut off"
        )
    return after + 1


def _list_packets(path: Path, data: bytes, offset: int) -> list[_Packet]:
    """Return the packets of polarity events that hold any."""
    packets: list[_Packet] = []
    n_packets = 0
    while offset < len(data):
        n_packets += 1
        if len(data) - offset < _HEADER.size:
            raise DataError(
                f"{path} is cut off: the packet header at byte offset {offset} has "
                f"{len(data) - offset} of {_HEADER.size} bytes"
            )
        kind, source, size, time_offset, overflows, capacity, number, _ = _HEADER.unpack_from(
            data, offset
        )
        if kind & _COMPRESSED:
            raise DataError(
                f"{path}: packet {n_packets}, at byte offset {offset}, is compressed, which is "
                f"not read ({sum(packet.number for packet in packets)} events stand before it); "
                "save the recording uncompressed (#Format: RAW)"
            )
        start = offset + _HEADER.size
        sound = size > 0 and capacity >= number >= 0 and 0 <= overflows < _MAX_OVERFLOWS
        if kind == _POLARITY_TYPE:
            sound = sound and 4 <= time_offset <= size - 4
        if not sound:
            raise DataError(
                f"{path}: the packet header at byte offset {offset} cannot be right: "
                f"{number} of {capacity} events of {size} bytes with their time at byte "
                f"{time_offset} after {overflows} overflows"
            )
        offset = start + capacity * size
        if offset > len(data):
            raise DataError(
                f"{path} is cut off: the packet at byte offset {start - _HEADER.size} should "
                f"end at byte offset {offset}, but the file ends at {len(data)}"
            )
        if kind == _POLARITY_TYPE and number:
            packets.append(_Packet(start, number, source, size, time_offset, overflows))
    return packets


def _check_source(
    path: Path, header: bytes, packets: list[_Packet], sensor_size: tuple[int, int]
) -> None:
    """Refuse events of several sources, and those of a camera of another size."""
    counts: dict[int, int] = {}
    for packet in packets:
        counts[packet.source] = counts.get(packet.source, 0) + packet.number
    if len(counts) > 1:
        shown = ", ".join(f"{number} of source {source}" for source, number in counts.items())
        raise DataError(
            f"{path} holds events of {len(counts)} sources ({shown}), expected those of one "
            "camera; save each source as a file of its own"
        )
    lines = {int(source): name.decode("latin-1") for source, name in _SOURCE_LINE.findall(header)}
    named = cameras_in(" ".join(name for source, name in lines.items() if source in counts))
    expected = {f"dvs{sensor_size[1]}", f"davis{sensor_size[1]}"}
    if named - expected:
        raise DataError(
            f"{path} is of another camera: its header names a {', '.join(sorted(named))}, expected "
            f"one of {sensor_size[1]}x{sensor_size[0]} pixels (width x height)"
        )


def _field(data: bytes, packet: _Packet, at: int) -> NDArray[np.uint32]:
    """Return the 32-bit word at byte `at` of every event in a packet."""
    return np.ndarray(
        packet.number, "<u4", data, offset=packet.start + at, strides=(packet.event_size,)
    )
