"""How a netCDF-4 file is built, checked from its headers before anything of it is read."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from redundancy.errors import ResultsError
from redundancy.limits import check_claim

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped, unused-ignore]


def check_structure(path: str | os.PathLike[str]) -> None:
    """Refuse an HDF5 file that holds other than its own groups and arrays, or claims too much.

    Raises
    ------
    ResultsError
        If part of it lies elsewhere (a soft or external link, a virtual array, external
        storage), or is there under two names.
    LimitError
        If its arrays are larger than one file may be; nothing of that size is made.
    OSError, RuntimeError, KeyError, ValueError
        If it cannot be read as HDF5.
    """
    import h5py

    with h5py.File(path, "r") as file:
        claimed = _check_group(path, file, "", {_address(file)})
    check_claim(claimed, f"{path}")


def _check_group(
    path: str | os.PathLike[str], group: h5py.Group, name: str, seen: set[tuple[int, int]]
) -> int:
    """Return how many bytes of memory the arrays of a group and those below it take."""
    import h5py

    claimed = 0
    for key in group:
        below = f"{name}/{key}".lstrip("/")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise _refused(path, f"{below} is a link to another place")
        member = group[key]
        if not isinstance(member, h5py.Group | h5py.Dataset):
            raise _refused(path, f"{below} is neither a group nor an array")
        if _address(member) in seen:
            raise _refused(path, f"{below} is there under two names")
        seen.add(_address(member))
        if isinstance(member, h5py.Group):
            claimed += _check_group(path, member, below, seen)
            continue
        if member.is_virtual or member.external:
            raise _refused(path, f"the values of {below} lie in another file")
        claimed += _claimed(member)
    return claimed


def _claimed(member: h5py.Dataset) -> int:
    # A chunk is unpacked whole, however little of it the array has.
    chunk = math.prod(member.chunks or ())
    return int(max(math.prod(member.shape or ()), chunk)) * int(member.dtype.itemsize)


def _address(member: h5py.Group | h5py.Dataset) -> tuple[int, int]:
    import h5py

    found = h5py.h5o.get_info(member.id)
    return int(found.fileno), int(found.addr)


def _refused(path: str | os.PathLike[str], what: str) -> ResultsError:
    return ResultsError(
        f"{path}: {what}, which no results file holds; it is damaged or foreign, analyse the "
        "checkpoint again"
    )
