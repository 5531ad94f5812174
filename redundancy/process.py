"""Settings of the process that make a spiking network run several times faster.

For the command line, before anything imports torch; a library leaves the process of
others alone.
"""

from __future__ import annotations

import ctypes
import os
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_heap() -> bool:
    """Keep freed memory in the process instead of giving it back after every tensor.

    A spiking network allocates and frees large tensors at every timestep. glibc maps
    and unmaps each of them, and the time goes into page faults: training steps were
    seen 1.6 times slower for it.

    Returns
    -------
    bool
        Whether the allocator could be told; elsewhere than on glibc nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))


def share_cores() -> None:
    """Let threads that wait for one another sleep soon, unless the user said otherwise.

    A network over time is thousands of short parallel loops, each with a barrier, at
    which OpenMP spins. Beside another busy program the thread that is waited for has no
    core, and training was seen 50 times slower for it; on idle cores nothing is lost.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
