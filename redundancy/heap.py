"""Keep freed memory in the process instead of giving it back after every tensor.

A spiking network allocates and frees large tensors at every timestep. glibc maps and
unmaps each of them, so that most of the time goes into page faults: training step by
step was seen 7 times slower for it. Keeping the heap removes them.
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_MAX = -4


def keep_heap() -> bool:
    """Tell glibc's allocator to keep and reuse freed memory, for this process.

    Returns
    -------
    bool
        Whether it could be told; elsewhere than on glibc nothing changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
