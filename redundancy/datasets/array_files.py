"""NumPy's files, whose headers are read and limited before any array is made."""

from __future__ import annotations

import ast
import math
import os
import struct
import zipfile
from collections.abc import Sequence
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from redundancy.errors import DataError, LimitError, UsageError
from redundancy.file_kinds import but_is
from redundancy.files import check_archive_start
from redundancy.limits import check_claim, check_regular_file

_MAGIC = b"\x93NUMPY"
_MOST_HEADER_BYTES = 1 << 16


def read_npz(
    path: str | os.PathLike[str], needed: Sequence[str], optional: Sequence[str], layout: str
) -> dict[str, NDArray[Any]]:
    """Read arrays of an .npz file; others in it are not looked at.

    Parameters
    ----------
    path : path
    needed, optional : sequence of str
        Names of arrays.
    layout : str
        What the file should be, such as "an .npz file with an array 't'".

    Returns
    -------
    dict of str to ndarray
        Those that are there.

    Raises
    ------
    UsageError
        If `path` is no regular file.
    DataError
        If it is no such file, or an array is missing or holds Python objects.
    LimitError
        If the arrays would take more memory than one file may.
    """
    check_regular_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive_start(archive.infolist())
            for name in archive.namelist():
                # A name stands twice; one that was damaged would be an array that is missing.
                archive.open(name).close()
            names = {name.removesuffix(".npy"): name for name in archive.namelist()}
            missing = [name for name in needed if name not in names]
            if missing:
                raise DataError(
                    f"{path} has no array {missing[0]!r} (it holds "
                    f"{', '.join(names) or 'nothing'}); expected {layout}"
                )
            wanted = [name for name in (*needed, *optional) if name in names]
            claimed = 0
            for name in wanted:
                with archive.open(names[name]) as file:
                    claimed += _claimed_bytes(file, f"{path}: array {name!r}")
            check_claim(claimed, f"{path} ({', '.join(wanted)})")
            return {name: _member(archive, names[name]) for name in wanted}
    except (DataError, LimitError, UsageError):
        raise
    # A damaged archive fails in as many ways as zip, deflate and NumPy's header have.
    except Exception as error:
        raise DataError(f"{path} cannot be read as {layout}: {error}{but_is(path)}") from error


def read_npy(path: str | os.PathLike[str], layout: str) -> NDArray[Any]:
    """Read the array of an .npy file; parameters and errors as of :func:`read_npz`."""
    check_regular_file(path)
    at = 0
    try:
        with open(path, "rb") as file:
            check_claim(_claimed_bytes(file, f"{path}"), f"{path}")
            file.seek(0)
            try:
                return _whole_array(file)
            finally:
                at = file.tell()
    except (DataError, LimitError, UsageError):
        raise
    # A damaged header fails in as many ways as Python's own parser has.
    except Exception as error:
        raise DataError(
            f"{path} cannot be read as {layout} from byte offset {at} on: {error}{but_is(path)}"
        ) from error


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(name) as file:
        return _whole_array(file)


def _whole_array(file: IO[bytes]) -> NDArray[Any]:
    """Read an array to the end of its file, where a zip archive compares the checksum."""
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    if file.read(1):
        raise ValueError(f"there is more behind its array of shape {array.shape}")
    return array


def _claimed_bytes(file: IO[bytes], what: str) -> int:
    """Return how many bytes an array says it has, from its header alone."""
    version = file.read(8)
    if not version.startswith(_MAGIC) or len(version) < 8:
        raise ValueError(f"there is no NumPy array at byte offset 0, but {version!r}")
    code = "<H" if version[6] == 1 else "<I"
    (length,) = struct.unpack(code, file.read(struct.calcsize(code)))
    if length > _MOST_HEADER_BYTES:
        raise ValueError(f"its header claims {length} bytes")
    header = _header(file.read(length))
    dtype = np.lib.format.descr_to_dtype(header["descr"])
    if dtype.hasobject:
        raise DataError(
            f"{what} holds Python objects, which are not read since they can run code; save it as "
            "an array of numbers"
        )
    return math.prod(max(int(size), 0) for size in header["shape"]) * dtype.itemsize


def _header(text: bytes) -> dict[str, Any]:
    found = ast.literal_eval(text.decode("utf-8").strip())
    if not isinstance(found, dict) or not {"shape", "descr"} <= set(found):
        raise ValueError("its header is no description of an array")
    return found
