"""The cache file of a generated dataset: packed events of every recording.

A file is a magic number, one 32-bit word an event, and a JSON footer with the
recordings' offsets and checksums, followed by the footer's own checksum and
length. Footer last, so that recordings are written as they are generated.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from redundancy.datasets.events import EVENT_DTYPE, Events
from redundancy.datasets.synthetic_gait.walker import VIEW
from redundancy.files import atomic_path

_MAGIC = b"RDNGAIT1"
_TAIL = struct.Struct("<IQ")
_ADDRESS_BITS = 15
_MAX_GAP_US = (1 << 17) - 1

Words = NDArray[np.uint32]


def pack(events: NDArray[np.int64]) -> Words:
    """Pack events of `camera.record` into words: microseconds since the last event, address.

    Raises
    ------
    ValueError
        If two events are more than 131 ms apart; background noise rules that out.
    """
    time = events >> _ADDRESS_BITS
    gap = np.diff(time, prepend=0)
    if len(gap) and gap.max() > _MAX_GAP_US:
        raise ValueError(f"events {gap.max()} us apart do not fit the cache format")
    return (gap << _ADDRESS_BITS | events & (1 << _ADDRESS_BITS) - 1).astype("<u4")


def unpack(words: Words) -> Events:
    """Return the events of packed words, shape (n_events,), with `EVENT_DTYPE`."""
    events = np.empty(len(words), EVENT_DTYPE)
    events["t"] = np.cumsum(words >> _ADDRESS_BITS, dtype=np.int64)
    events["y"] = (words >> 8) & (VIEW - 1)
    events["x"] = (words >> 1) & (VIEW - 1)
    events["p"] = words & 1
    return events


class Recordings:
    """Packed recordings, in memory or in a mapped file.

    Parameters
    ----------
    words : ndarray of uint32
        The events of all recordings, one after the other.
    offsets : sequence of int
        Where each recording begins, and the end of the last.
    checksums : sequence of int, optional
        CRC-32 of each recording's bytes, None where they need no check.
    """

    def __init__(self, words: Words, offsets: list[int], checksums: list[int] | None) -> None:
        self._words = words
        self._offsets = offsets
        self._checksums = checksums

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, index: int) -> Words | None:
        """Return the words of recording `index`, None if its bytes are damaged."""
        words = np.asarray(self._words[self._offsets[index] : self._offsets[index + 1]])
        if self._checksums is not None and zlib.crc32(words.tobytes()) != self._checksums[index]:
            return None
        return words


def cache_folder() -> Path:
    """Return the folder for generated data: ``REDUNDANCY_CACHE``, or the user's cache folder."""
    chosen = os.environ.get("REDUNDANCY_CACHE")
    if chosen:
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_cache_dir("redundancy"))


def read_recordings(path: Path, key: Mapping[str, object]) -> Recordings | None:
    """Open a cache file.

    Parameters
    ----------
    path : Path
    key : mapping
        What the file must have been generated from.

    Returns
    -------
    Recordings or None
        None if the file is missing, damaged or holds something else.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < len(_MAGIC) + _TAIL.size or file.read(len(_MAGIC)) != _MAGIC:
                return None
            file.seek(size - _TAIL.size)
            checksum, length = _TAIL.unpack(file.read(_TAIL.size))
            end = size - _TAIL.size - length
            if end < len(_MAGIC):
                return None
            file.seek(end)
            text = file.read(length)
        if zlib.crc32(text) != checksum:
            return None
        footer = json.loads(text)
        offsets, checksums = footer["offsets"], footer["crc32"]
        if footer["key"] != key or len(_MAGIC) + 4 * offsets[-1] != end:
            return None
        words = np.memmap(path, "<u4", mode="r", offset=len(_MAGIC), shape=(offsets[-1],))
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    return Recordings(words, offsets, checksums)


def write_recordings(path: Path, key: Mapping[str, object], recordings: Iterator[Words]) -> None:
    """Write recordings to a cache file as they come; the file appears whole or not at all.

    Raises
    ------
    OSError
        If the folder cannot be written or is full.
    """
    offsets, checksums = [0], []
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(_MAGIC)
        for words in recordings:
            file.write(words.tobytes())
            offsets.append(offsets[-1] + len(words))
            checksums.append(zlib.crc32(words.tobytes()))
        footer = {"key": dict(key), "offsets": offsets, "crc32": checksums}
        text = json.dumps(footer, separators=(",", ":")).encode()
        file.write(text + _TAIL.pack(zlib.crc32(text), len(text)))
        # Errors of a full disk must come before the file gets its name.
        file.flush()


def in_memory(recordings: Iterator[Words]) -> Recordings:
    """Hold recordings in memory instead of in a file."""
    parts = list(recordings)
    offsets = [0, *np.cumsum([len(part) for part in parts]).tolist()]
    return Recordings(np.concatenate([*parts, np.empty(0, "<u4")]), offsets, None)
