"""Files of the event datasets, written byte by byte."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from redundancy.datasets.events import Events
from redundancy.errors import DataError

Rows = list[tuple[int, int, int, int]]

AEDAT3_HEADER = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n"
AEDAT2_HEADER = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n"


def text(rows: Rows) -> bytes:
    return "".join(f"{t} {x} {y} {p}\n" for t, x, y, p in rows).encode()


def packet3(rows: Rows, *, overflows: int = 0, kind: int = 1, valid: int = 1) -> bytes:
    """A packet of AEDAT 3.1: 28 bytes of header, 8 bytes an event, little-endian."""
    head = struct.pack("<hhiiiiii", kind, 1, 8, 4, overflows, len(rows), len(rows), len(rows))
    body = b"".join(struct.pack("<Ii", x << 17 | y << 2 | p << 1 | valid, t) for t, x, y, p in rows)
    return head + body


def aedat3(*packets: bytes) -> bytes:
    return AEDAT3_HEADER + b"".join(packets)


def davis_address(x: int, y: int, p: int) -> int:
    return y << 22 | x << 12 | p << 11


def dvs128_address(x: int, y: int, p: int) -> int:
    return y << 8 | x << 1 | p


def aedat2(pairs: list[tuple[int, int]], camera: str = "") -> bytes:
    """AEDAT 2.0 of (address, time) pairs, big-endian."""
    named = f"# AEChip: {camera}\r\n".encode() if camera else b""
    return AEDAT2_HEADER + named + b"".join(struct.pack(">II", a, t) for a, t in pairs)


def events_or_named_fault(read: Callable[[Path], Events], path: Path) -> Events | None:
    """Return what `read` gives, None where it gives one DataError that names the file."""
    with contextlib.suppress(DataError):
        return read(path)
    with pytest.raises(DataError, match=re.escape(path.name)):
        read(path)
    return None
