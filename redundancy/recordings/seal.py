"""Checksums of all files of a recording, in the root's attributes.

Chunks of long arrays carry their own, which are checked when they are read; of their files
the index is sealed, which says where the chunks lie. All other files are sealed whole: Zarr
itself takes a file that is not there for zeros.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from redundancy import schema
from redundancy.errors import ResultsError
from redundancy.recordings.folder import METADATA, SHARDING, files_of, read_whole

# Copies of all metadata in the root, for readers that look there first, such as xarray. Nothing
# of them is read here: users may make them anew.
_CONSOLIDATED = "consolidated_metadata"
_INDEX_CHECKSUM_BYTES = 4
_DAMAGED = "it is damaged, record it again"


def seal(folder: Path) -> None:
    """Write the checksums of all files, and of all metadata, into the root's metadata."""
    root, metadata = read_root(folder), _metadata(folder)
    root["attributes"].pop(schema.METADATA_CHECKSUM, None)
    root["attributes"][schema.FILE_CHECKSUMS] = {
        name: _file_checksum(folder, name, metadata)
        for name in sorted(files_of(folder))
        if name != METADATA
    }
    root["attributes"][schema.METADATA_CHECKSUM] = _checksum(folder, root)
    root[_CONSOLIDATED] = {"kind": "inline", "must_understand": False, "metadata": metadata}
    (folder / METADATA).write_text(json.dumps(root, indent=2), encoding="utf-8")


def check_seal(folder: Path) -> bool:
    """Refuse a recording of which a file is missing, changed or added.

    Returns
    -------
    bool
        Whether all files are sealed: older versions sealed metadata only.

    Raises
    ------
    ResultsError
    """
    root = read_root(folder)
    attributes = root["attributes"]
    sealed, found = attributes.get(schema.FILE_CHECKSUMS), set(files_of(folder)) - {METADATA}
    if sealed is not None:
        for name in sorted(sealed.keys() - found):
            raise ResultsError(f"{folder} lacks {name}; {_DAMAGED}")
        for name in sorted(found - sealed.keys()):
            raise ResultsError(f"{folder} was recorded without {name}; {_DAMAGED}")
    if attributes.pop(schema.METADATA_CHECKSUM, None) != _checksum(folder, root):
        raise ResultsError(f"the metadata of {folder} is not what was recorded; {_DAMAGED}")
    if sealed is not None:
        metadata = _metadata(folder)
        for name, checksum in sealed.items():
            if _file_checksum(folder, name, metadata) != checksum:
                raise ResultsError(f"{name} of {folder} is not what was recorded; {_DAMAGED}")
    return sealed is not None


def read_root(folder: Path) -> Any:
    """Return the root's metadata as they were recorded.

    Raises
    ------
    OSError, ValueError, AttributeError
        If they cannot be read.
    """
    root = json.loads(read_whole(folder / METADATA))
    root.pop(_CONSOLIDATED, None)
    return root


def _metadata(folder: Path) -> dict[str, Any]:
    """Return the metadata of every group and array but the root, by their paths."""
    return {
        path.parent.relative_to(folder).as_posix(): json.loads(read_whole(path))
        for path in sorted(folder.rglob(METADATA))
        if path.parent != folder
    }


def _checksum(folder: Path, root: Any) -> str:
    import google_crc32c

    found = google_crc32c.Checksum(json.dumps(root, sort_keys=True).encode())
    for path in sorted(folder.rglob(METADATA)):
        if path.parent != folder:
            found.update(path.relative_to(folder).as_posix().encode() + read_whole(path))
    return str(found.hexdigest().decode())


def _file_checksum(folder: Path, name: str, metadata: dict[str, Any]) -> str:
    """Return the CRC32C of a file; of a shard its size and the CRC32C of its index, at its end."""
    import google_crc32c

    array = metadata.get(name.rpartition("/c/")[0], {})
    if not any(codec["name"] == SHARDING for codec in array.get("codecs", ())):
        return f"{google_crc32c.value(read_whole(folder / name)):08x}"
    with open(folder / name, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - _INDEX_CHECKSUM_BYTES, 0))
        return f"{size}-{file.read().hex()}"
