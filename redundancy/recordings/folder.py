"""The files of a recording's folder, and what their metadata claim of memory."""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from redundancy import schema
from redundancy.errors import ResultsError
from redundancy.limits import check_claim, check_regular_file

METADATA = "zarr.json"
SHARDING = "sharding_indexed"
_CHUNKS = "c"
_INDEX_ENTRY_BYTES = 16
# Of a value whose type numpy does not know, such as text.
_OTHER_BYTES = 8


def files_of(folder: Path) -> Iterator[str]:
    """Yield the files that a reader of Zarr could take for part of a recording, by their paths.

    Raises
    ------
    ResultsError
        If there is a link in the folder, a device or a pipe: what it gives is not the recording's.
    """
    for place, folders, names in os.walk(folder):
        below = Path(place).relative_to(folder)
        for name in (*folders, *names):
            mode = os.lstat(Path(place) / name).st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                what = "a link" if stat.S_ISLNK(mode) else "no regular file"
                raise ResultsError(
                    f"{below / name} of {folder} is {what}, and a recording holds its own files "
                    "only; copy what belongs there into its place"
                )
        for name in names:
            if name in (METADATA, _CHUNKS) or _CHUNKS in below.parts:
                yield (below / name).as_posix()


def read_whole(path: Path) -> bytes:
    """Return the bytes of a file that is small in a whole recording.

    Raises
    ------
    UsageError, LimitError
        If it is no regular file, or larger than one may be.
    OSError
    """
    check_regular_file(path)
    check_claim(path.stat().st_size, str(path))
    return path.read_bytes()


def check_claims(folder: Path) -> None:
    """Refuse a folder of which more would be read at once than one file may claim.

    Raises
    ------
    LimitError
    OSError, ValueError, TypeError, KeyError, AttributeError
        If there is metadata that cannot be read.
    """
    names = [name for name in files_of(folder) if Path(name).name == METADATA]
    whole = 0
    for name in names:
        array = json.loads(read_whole(folder / name))
        if array.get("node_type") != "array":
            continue
        where = Path(name).parent.as_posix()
        value_bytes = _value_bytes(array["data_type"])
        chunk = array["chunk_grid"]["configuration"]["chunk_shape"]
        for codec in array["codecs"]:
            if codec["name"] == SHARDING:
                inner = codec["configuration"]["chunk_shape"]
                n_chunks = math.prod(map(math.ceil, np.divide(chunk, inner)))
                check_claim(n_chunks * _INDEX_ENTRY_BYTES, f"the index of {where} in {folder}")
                chunk = inner
        check_claim(math.prod(chunk) * value_bytes, f"a chunk of {where} in {folder}")
        # Of arrays over samples parts are read, but for the numbers of the samples.
        if array["dimension_names"][:1] != [schema.SAMPLE] or where == schema.SAMPLE:
            whole += math.prod(array["shape"]) * value_bytes
    check_claim(whole, str(folder))


def _value_bytes(data_type: Any) -> int:
    try:
        return np.dtype(data_type).itemsize or _OTHER_BYTES
    except TypeError:
        return _OTHER_BYTES
