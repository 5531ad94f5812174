"""Frames of a recording file, kept on disk once they have been converted.

One cache file for each file of the dataset: a magic number, the length and the
checksum of a JSON header, the header with the key and the place of every sample, and
the samples' counts, each compressed by itself so that one can be read alone.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from redundancy.files import atomic_path

_MAGIC = b"RDNFRMS1"
_HEAD = struct.Struct("<QI")
_MAX_HEADER = 1 << 26


class FramesCache:
    """Cache files of one dataset.

    Parameters
    ----------
    folder : Path
        Where the files lie; made when needed.
    frame_shape : tuple of int
        (time, channel, y, x) of every sample.
    """

    def __init__(self, folder: Path, frame_shape: tuple[int, int, int, int]) -> None:
        self._folder = folder
        self._frame_shape = frame_shape

    def path(self, key: Mapping[str, object]) -> Path:
        """Return the cache file for `key`: all that the frames were made from."""
        text = json.dumps(key, sort_keys=True)
        digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
        return self._folder / digest[:2] / f"{digest[2:40]}.frames"

    def write(self, key: Mapping[str, object], samples: Iterable[NDArray[np.float32]]) -> None:
        """Write the samples of one recording file; the file appears whole or not at all.

        One sample is held in memory at a time, and its compressed predecessors.

        Raises
        ------
        OSError
            If the folder cannot be written or is full.
        """
        blobs, types, checksums = [], [], []
        for frames in samples:
            largest = float(frames.max(initial=0))
            kind = "<u1" if largest < 2**8 else "<u2" if largest < 2**16 else "<u4"
            blob = zlib.compress(frames.astype(kind).tobytes(), 1)
            blobs.append(blob)
            types.append(kind)
            checksums.append(zlib.crc32(blob))
        header = {
            "key": dict(key),
            "shape": list(self._frame_shape),
            "lengths": [len(blob) for blob in blobs],
            "types": types,
            "crc32": checksums,
        }
        text = json.dumps(header, separators=(",", ":")).encode()
        with atomic_path(self.path(key)) as temporary, open(temporary, "wb") as file:
            file.write(_MAGIC + _HEAD.pack(len(text), zlib.crc32(text)) + text)
            for blob in blobs:
                file.write(blob)
            # Errors of a full disk must come before the file gets its name.
            file.flush()

    def holds(self, key: Mapping[str, object]) -> bool:
        """Tell whether the samples for `key` are there, by header and length of the file."""
        try:
            with open(self.path(key), "rb") as file:
                header = self._header(file, key)
                return header is not None and file.seek(0, 2) == header["end"]
        except (OSError, ValueError, KeyError, TypeError, struct.error):
            return False

    def read(self, key: Mapping[str, object], index: int) -> NDArray[np.float32] | None:
        """Return sample `index` of a recording file.

        Returns
        -------
        ndarray of float32, shape (time, channel, y, x), or None
            None if the cache file is missing, damaged or holds something else.
        """
        try:
            with open(self.path(key), "rb") as file:
                header = self._header(file, key)
                if header is None:
                    return None
                file.seek(sum(header["lengths"][:index]), 1)
                blob = file.read(header["lengths"][index])
            if zlib.crc32(blob) != header["crc32"][index]:
                return None
            counts = np.frombuffer(zlib.decompress(blob), header["types"][index])
            return counts.reshape(self._frame_shape).astype(np.float32)
        except (OSError, ValueError, KeyError, IndexError, TypeError, struct.error, zlib.error):
            return None

    def _header(self, file: BinaryIO, key: Mapping[str, object]) -> dict[str, Any] | None:
        """Read the header, up to the first sample; None if it is not that of `key`.

        Its ``end`` is where the file should end.
        """
        if file.read(len(_MAGIC)) != _MAGIC:
            return None
        length, checksum = _HEAD.unpack(file.read(_HEAD.size))
        text = file.read(min(length, _MAX_HEADER))
        if zlib.crc32(text) != checksum:
            return None
        header: dict[str, Any] = json.loads(text)
        if header["key"] != dict(key) or header["shape"] != list(self._frame_shape):
            return None
        return {**header, "end": file.tell() + sum(header["lengths"])}
