"""A checksum over all metadata of a recording; chunks carry their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from redundancy import schema
from redundancy.errors import ResultsError

_METADATA = "zarr.json"


def seal(folder: Path) -> None:
    """Write the checksum of all metadata into the root's."""
    root = _root(folder)
    root["attributes"][schema.METADATA_CHECKSUM] = _checksum(folder, root)
    (folder / _METADATA).write_text(json.dumps(root, indent=2), encoding="utf-8")


def check_seal(folder: Path) -> None:
    """Raise a ResultsError if any metadata is not what was written."""
    root = _root(folder)
    if root["attributes"].pop(schema.METADATA_CHECKSUM, None) != _checksum(folder, root):
        raise ResultsError(
            f"the metadata of {folder} is not what was recorded; it is damaged, record it again"
        )


def _root(folder: Path) -> Any:
    return json.loads((folder / _METADATA).read_text(encoding="utf-8"))


def _checksum(folder: Path, root: Any) -> str:
    import google_crc32c

    found = google_crc32c.Checksum(json.dumps(root, sort_keys=True).encode())
    for path in sorted(folder.rglob(_METADATA)):
        if path.parent != folder:
            found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return str(found.hexdigest().decode())
