"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from redundancy.errors import StorageError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# One slash: pathlib makes "s3:/bucket" of "s3://bucket". One letter is a drive of Windows.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_PARTIAL = re.compile(r"\.partial-(old-)?[0-9a-f]{8}(\.[^.]*)?$")


def refuse_url(path: str | os.PathLike[str], name: str = "the path") -> None:
    """Refuse what is no path of this machine: a URL, or text with a NUL character.

    Parameters
    ----------
    path : path
    name : str
        What takes it, such as ``--out``.

    Raises
    ------
    UsageError
        If it is one.
    """
    text = os.fspath(path)
    if _URL.match(text):
        raise UsageError(
            f"{name} takes a file or folder of this machine, got {text}; mount that storage and "
            "name the folder, or copy between it and here yourself"
        )
    if "\0" in text:
        raise UsageError(f"{name} takes a file or folder, got {text!r}, with a NUL character")


def check_target(path: Path, name: str = "--out") -> None:
    """Refuse a file or folder that could not be written, before anything is computed.

    Raises
    ------
    UsageError
        If it is no path of this machine, its name is too long, or no file can be written
        where it would lie.
    """
    refuse_url(path, name)
    try:
        # With what is added to its name while it is written.
        os.stat(f"{path}.partial-old-00000000")
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise UsageError(
            f"{name} cannot be {path} ({error.strerror or error}); name another"
        ) from error
    existing = next(p for p in (path, *path.absolute().parents) if os.path.exists(p))
    folder = existing.parent if existing == path and not existing.is_dir() else existing
    if not folder.is_dir():
        raise UsageError(f"{folder} is a file, so {path} cannot lie in it; name another {name}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written to; name another folder with {name}")


def remove_partials(folder: Path, stem: str = "") -> None:
    """Remove what processes that were killed left unfinished in a folder.

    Parameters
    ----------
    folder : Path
        Nobody else may be writing to it.
    stem : str
        Only files of this name, without its suffix; default all.
    """
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        if _PARTIAL.search(path.name) and path.name.startswith(f"{stem}." if stem else ""):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` if the block succeeds.

    Works for files and for folders (an existing folder of that name is replaced).
    Whatever was written is removed if the block fails. After a power cut too, there is the
    old or the whole new: all is on the disk before it takes its name.
    """
    target = Path(path)
    refuse_url(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The suffix is kept: writers such as matplotlib choose the format by it.
    temporary = target.with_name(f"{target.stem}.partial-{secrets.token_hex(4)}{target.suffix}")
    try:
        yield temporary
        sync(temporary)
        if temporary.is_dir() and target.is_dir():
            replaced = target.with_name(f"{target.name}.partial-old-{secrets.token_hex(4)}")
            target.rename(replaced)
            try:
                temporary.rename(target)
            except BaseException:
                replaced.rename(target)
                raise
            shutil.rmtree(replaced)
        else:
            os.replace(temporary, target)
        _sync_one(target.parent)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or a folder and all that is in it, is on the disk."""
    if path.is_dir() and not path.is_symlink():
        for member in path.iterdir():
            sync(member)
    _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = None
    try:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
    except OSError as error:
        # Not every system and disk can do this; that it is full is for the user to know.
        if error.errno in (*_FULL, errno.EIO):
            raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_archive_start(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a zip archive before which something else stands.

    Archives are read from their end: of two files in one, only the second would be seen.

    Raises
    ------
    BadZipFile
        If no entry begins with the file.
    """
    start = min((entry.header_offset for entry in entries), default=0)
    if start:
        raise zipfile.BadZipFile(f"its archive begins at byte offset {start} only")


@contextlib.contextmanager
def full_disk_as_sentence(folder: str | os.PathLike[str], advice: str) -> Iterator[None]:
    """Raise a StorageError if what is written in the block does not fit on the disk.

    Parameters
    ----------
    folder : path
        Where it is written.
    advice : str
        What to do, the end of the sentence.
    """
    try:
        yield
    except Exception as error:
        # HDF5 raises RuntimeError and OSError alike, and says the number in its text only.
        found = re.search(r"errno = (\d+)", str(error))
        number = getattr(error, "errno", None) or (int(found[1]) if found else None)
        if number not in _FULL:
            raise
        raise StorageError(
            f"{folder} takes no more data ({os.strerror(number)}); {advice}"
        ) from error
