"""Folders that only one process at a time writes its results to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from redundancy.errors import UsageError

_LOCK = ".analyze.lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing results to a folder during the block.

    Folders that have to be made are removed again if nothing was written to it. The lock ends with
    the process, however that ends. File systems that know no locks give none.

    Raises
    ------
    UsageError
        If another process has the lock.
    """
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _LOCK
    descriptor = _lock(folder, path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(descriptor)
        with contextlib.suppress(OSError):
            for parent in made:
                parent.rmdir()


def _lock(folder: Path, path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(
                f"another analyze is writing to {folder} at this moment; wait for it, or name "
                "another folder with --out"
            ) from None
        except (ImportError, OSError):
            return descriptor
        # The one who had the lock may have removed the file after it was opened here.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)
