"""What a file is, told by its first bytes, so that a wrong one can be named for what it is."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable

_HEAD_BYTES = 1024
_LFS = b"version https://git-lfs.github.com/spec/"
_STARTS: tuple[tuple[bytes, str], ...] = (
    (_LFS, "a Git-LFS pointer and not the file itself; fetch it with git lfs pull"),
    (b"#!AER-DAT1", "an AEDAT 1 recording"),
    (b"#!AER-DAT2", "an AEDAT 2 recording"),
    (b"#!AER-DAT3", "an AEDAT 3 recording"),
    (b"#!AER-DAT4", "an AEDAT 4 recording; export it as AEDAT 2 or as text t x y p"),
    (b"% evt 3", "a Prophesee recording (EVT 3); export its events as text t x y p"),
    (b"% evt 2", "a Prophesee recording (EVT 2); export its events as text t x y p"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"CDF\x01", "a netCDF-3 file"),
    (b"CDF\x02", "a netCDF-3 file"),
    (b"\x93NUMPY", "a NumPy array (.npy)"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ\x00", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!\x1a\x07", "a rar archive; unpack it first"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"%PDF-", "a PDF document"),
    (b"\x7fELF", "a program"),
)
_HTML = (b"<!doctype html", b"<html", b"<head")
_PROPHESEE_LINES = (b"% date", b"% data file", b"% camera", b"% format", b"% version")


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """Return what a file is, with the way on where there is one, by its first bytes.

    Parameters
    ----------
    path : path
        Only its beginning is read, and of a zip archive the list of names.

    Returns
    -------
    str or None
        Words that follow "it is", such as ``"an empty file"`` or ``"a Git-LFS pointer and
        not the file itself; fetch it with git lfs pull"``; None where it is nothing known,
        or cannot be read.
    """
    try:
        if not os.path.isfile(path):
            return None
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except (OSError, ValueError):
        return None
    if not head:
        return "an empty file"
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(path)
    for is_kind, kind in _TESTS:
        if is_kind(head):
            return kind
    return None


def but_is(path: str | os.PathLike[str]) -> str:
    """Return ``"; it is ..."`` for the end of a sentence, or nothing; see :func:`kind_of`."""
    kind = kind_of(path)
    return "" if kind is None else f"; it is {kind}"


def _zip_kind(path: str | os.PathLike[str]) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return "a zip archive that is cut off or damaged"
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner:
        return "a TorchScript archive"
    if "data.pkl" in inner:
        return "a PyTorch checkpoint"
    if names and all(name.endswith(".npy") for name in names):
        return "a NumPy archive (.npz)"
    return "a zip archive; unpack it first"


def _is_safetensors(head: bytes) -> bool:
    # The length of a JSON header in eight bytes, and the header.
    return len(head) > 9 and head[8:9] == b"{" and head[9:10] in b'"} ' and head[5:8] == b"\0\0\0"


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _is_html(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML)


def _is_prophesee(head: bytes) -> bool:
    return head.lower().startswith(_PROPHESEE_LINES)


def _is_json(head: bytes) -> bool:
    return head.lstrip()[:1] == b"{" and b'"' in head[:64] and head.isascii()


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")


def _is_zeros(head: bytes) -> bool:
    return not head.strip(b"\0")


_TESTS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (_is_html, "a web page (HTML): what was downloaded is no data; download it again"),
    (
        _is_prophesee,
        "a Prophesee recording (.dat or .raw); export its events as text t x y p",
    ),
    (_is_safetensors, "a safetensors file"),
    (_is_tar, "a tar archive; unpack it first"),
    (_is_json, "JSON text"),
    (_is_pickle, "a Python pickle, or an old PyTorch checkpoint"),
    (_is_zeros, "nothing but zero bytes, as a failed copy or download leaves"),
)
