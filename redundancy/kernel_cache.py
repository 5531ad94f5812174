"""Numba's cache of compiled loops on disk, made safe: every entry carries a checksum.

Numba itself runs machine code as it finds it, so that a few bytes that a disk lost end the
process, or change its numbers; and it looks at the time of a kernel's own file only, not at
those of the functions that are compiled into it. Import this module only where it is used:
it brings numba.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.serialize import dumps


class _CheckedEntries(CompileResultCacheImpl):  # type: ignore[misc, unused-ignore]
    """What is written of a compiled function, behind the checksum of it and its sources."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._sources = b"".join(path.read_bytes() for path in sources_of(function))

    def reduce(self, data: Any) -> tuple[bytes, bytes]:
        content = dumps(super().reduce(data))
        return self._checksum(content), content

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        found, content = payload
        if found != self._checksum(content):
            raise ValueError("a compiled function is damaged, or of other sources")
        return super().rebuild(target_context, pickle.loads(content))

    def _checksum(self, content: bytes) -> bytes:
        return hashlib.sha256(self._sources + content).digest()


class KernelCache(FunctionCache):  # type: ignore[misc, unused-ignore]
    """The entries of one function; what cannot be read is compiled and written anew.

    The folder may be read-only, full or damaged, in as many ways as there are errors: none
    of them leaves this class.
    """

    _impl_class = _CheckedEntries

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled function for a signature, None if it is not there."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            with contextlib.suppress(Exception):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write a compiled function, if that is possible."""
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def sources_of(function: Callable[..., Any]) -> list[Path]:
    """Return the file of a function, and those beside it of which it may have code inlined."""
    own = Path(function.__code__.co_filename)
    found, todo = {own}, [function.__globals__]
    while todo:
        for value in list(todo.pop().values()):
            module = sys.modules.get(str(getattr(value, "__module__", "")))
            path = Path(getattr(module, "__file__", None) or "")
            if path.parent == own.parent and path not in found:
                found.add(path)
                todo.append(vars(module))
    return sorted(found)
