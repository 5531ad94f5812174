"""Settings of the process that make a spiking network run several times faster.

For the command line, before anything imports torch; a library leaves the process of
others alone.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


# What the process holds may grow by this much before free memory is given back: to less
# it settles by itself, and to fault pages in anew takes as long as half a batch.
_GROWTH = 1.5
_STATUS = Path("/proc/self/statm")


def keep_heap() -> bool:
    """Keep freed memory in the process instead of giving it back after every tensor.

    A spiking network allocates and frees large tensors at every timestep. glibc maps
    and unmaps each of them, and the time goes into page faults: a forward pass was seen
    to take twice as long for it.

    Returns
    -------
    bool
        Whether the allocator could be told; elsewhere than on glibc nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        mallopt, trim = libc.mallopt, libc.malloc_trim
    except (OSError, AttributeError):
        return False
    if not (mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, -1)):
        return False
    _kept.trim = trim
    return True


def settle_heap() -> bool:
    """Give back the free memory of a kept heap if the process has grown.

    Between large tensors that come and go, what stays leaves gaps in which none of them
    fits, and kept, gaps add up: by a quarter within some hundred batches was seen. This
    sets a limit to it. To be called after each batch; the process is compared with itself
    after the first one.

    Returns
    -------
    bool
        Whether memory was given back.
    """
    if _kept.trim is None:
        return False
    try:
        pages = int(_STATUS.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return False
    if _kept.settled is None:
        _kept.settled = pages
    if pages <= _GROWTH * _kept.settled:
        return False
    _kept.trim(0)
    # The next batch says anew what a batch needs: it may be a larger one.
    _kept.settled = None
    return True


@dataclass
class _KeptHeap:
    """glibc's function that gives memory back, and the pages held when a batch was done."""

    trim: Callable[[int], int] | None = None
    settled: int | None = None


_kept = _KeptHeap()


def available_cores() -> int:
    """Return how many cores this process may use; a container may have fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_cores() -> None:
    """Let threads that wait for one another sleep soon, unless the user said otherwise.

    A network over time is thousands of short parallel loops, each with a barrier, at
    which OpenMP spins. Beside another busy program the thread that is waited for has no
    core, and training was seen 50 times slower for it; on idle cores nothing is lost.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
