"""Compiled loops: numba, cached on disk where that is possible."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def compiled(signature: str, *, parallel: bool = False) -> Callable[[F], F]:
    """Compile a function for one signature; never with fast-math.

    Use it only in modules that are imported where they are needed: it brings numba.
    """
    import numba

    from redundancy.kernel_cache import KernelCache

    def compile_now(function: F) -> F:
        kernel: Any = numba.njit(nogil=True, parallel=parallel)(function)
        # There may be no folder that a cache could be in.
        with contextlib.suppress(Exception):
            kernel._cache = KernelCache(function)
        kernel.compile(signature)
        kernel.disable_compile()
        return kernel  # type: ignore[no-any-return]

    return compile_now
