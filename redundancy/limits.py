"""What a file may claim: memory is known from its headers and limited before it is taken."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from redundancy.errors import LimitError, UsageError

VARIABLE = "REDUNDANCY_MAX_FILE_MEMORY"
_GIB = 1 << 30
_MOST = 16 * _GIB
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def memory_limit() -> int:
    """Return how many bytes of memory what is read of one file may take.

    ``REDUNDANCY_MAX_FILE_MEMORY`` in GiB, by default half of the machine's memory and at
    most 16 GiB.

    Raises
    ------
    UsageError
        If the variable holds no positive number.
    """
    text = os.environ.get(VARIABLE, "").strip()
    if not text:
        return min(_machine_memory() // 2, _MOST)
    with contextlib.suppress(ValueError, OverflowError):
        if (limit := int(float(text) * _GIB)) > 0:
            return limit
    raise UsageError(f"{VARIABLE} must be a number of GiB above 0, got {text!r}")


def check_claim(n_bytes: int, what: str) -> None:
    """Refuse what would take more memory than one file may.

    Parameters
    ----------
    n_bytes : int
        Of memory, as the headers of the file say, before anything of that size is made.
    what : str
        Begins the sentence: the file, and the part of it.

    Raises
    ------
    LimitError
        If it is above :func:`memory_limit`.
    """
    limit = memory_limit()
    if n_bytes > limit:
        raise LimitError(
            f"{what} claims {n_bytes / _GIB:.3g} GiB of memory, more than the {limit / _GIB:.3g} "
            f"GiB that one file may take; if that is right, set {VARIABLE} to more GiB, else the "
            "file is damaged"
        )


def check_regular_file(path: str | os.PathLike[str]) -> None:
    """Refuse devices, pipes, sockets and folders where a file is to be read.

    A path where nothing is passes: who opens it has better words for that.

    Raises
    ------
    UsageError
        If `path`, or what it links to, is no regular file.
    """
    try:
        mode = os.stat(Path(path)).st_mode
    except (OSError, ValueError):
        return
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            raise UsageError(f"{path} is {kind}, expected a file")


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 2 * _MOST
