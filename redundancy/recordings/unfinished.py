"""Folders under construction: never taken for whole ones, and cleared when orphaned."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from redundancy.files import atomic_path

# Locked by the process that writes the folder, for as long as it lives: the operating
# system gives the lock back even after kill -9.
MARK = ".writing"


@contextlib.contextmanager
def folder_under_construction(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty folder beside `path` that becomes `path` if the block succeeds.

    Folders that killed processes left behind for the same `path` are removed first; those
    of processes that still run are not touched.
    """
    remove_orphans(path)
    with atomic_path(path) as temporary:
        temporary.mkdir()
        with _marked(temporary):
            yield temporary


def remove_orphans(path: str | os.PathLike[str]) -> list[Path]:
    """Remove what killed processes left of `path`, and return which folders these were."""
    target = Path(path)
    found = [
        folder
        for folder in target.parent.glob(f"{_escaped(target.stem)}.partial-*{target.suffix}")
        if (folder / MARK).is_file() and _is_orphan(folder / MARK)
    ]
    for folder in found:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def is_under_construction(path: str | os.PathLike[str]) -> bool:
    """Tell whether a folder is, or was when its process ended, being written."""
    return (Path(path) / MARK).exists()


@contextlib.contextmanager
def _marked(folder: Path) -> Iterator[None]:
    # Locked under another name first, so that no other process sees it unlocked.
    nameless = folder / f"{MARK}-{secrets.token_hex(4)}"
    with open(nameless, "w") as file:
        _lock(file)
        nameless.rename(folder / MARK)
        try:
            yield
        finally:
            (folder / MARK).unlink(missing_ok=True)


def _is_orphan(mark: Path) -> bool:
    try:
        with open(mark, "r+") as file:
            return _lock(file)
    except OSError:
        return False


def _lock(file: IO[str]) -> bool:
    """Lock a file for as long as it is open; tell whether nobody else has."""
    try:
        import fcntl
    except ImportError:
        return False  # no such locks here: nothing is ever taken for an orphan
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _escaped(text: str) -> str:
    import glob

    return glob.escape(text)
