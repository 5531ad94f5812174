"""Compiled loops: numba, cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def compiled(signature: str, *, parallel: bool = False) -> Callable[[F], F]:
    """Compile a function for one signature; never with fast-math.

    Use it only in modules that are imported where they are needed: it brings numba.
    """
    import numba

    def compile_now(function: F) -> F:
        options = {"nogil": True, "parallel": parallel}
        try:
            return numba.njit(signature, cache=True, **options)(function)  # type: ignore[no-any-return]
        except Exception:
            # The cache folder may be read-only, full or damaged, in as many ways as
            # errors; an error of the function itself is raised again by this line.
            return numba.njit(signature, **options)(function)  # type: ignore[no-any-return]

    return compile_now
