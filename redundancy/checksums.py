"""Checksums of labelled values: whatever changes a number or what it means changes them.

They are of the values as they are read, not of a file's bytes, so that they do not depend
on how a file is compressed or laid out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

_DIGEST_BYTES = 8


def variable_checksum(variable: xr.Variable, *, is_coordinate: bool = False) -> str:
    """Return the checksum of a variable: values, data type, dimensions and attributes."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    values, kind = _as_bytes(variable.values)
    header = [list(map(str, variable.dims)), list(variable.shape), kind, is_coordinate]
    digest.update(json.dumps([*header, _of_attributes(variable.attrs)]).encode())
    digest.update(values)
    return digest.hexdigest()


def attribute_checksum(value: Any) -> str:
    """Return the checksum of an attribute; netCDF tells no number from a list of one."""
    values, kind = _as_bytes(np.atleast_1d(np.asarray(value)))
    digest = hashlib.blake2b(kind.encode(), digest_size=_DIGEST_BYTES)
    digest.update(values)
    return digest.hexdigest()


def _of_attributes(attributes: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name): attribute_checksum(attributes[name]) for name in sorted(attributes, key=str)}


def _as_bytes(values: NDArray[Any]) -> tuple[bytes | memoryview, str]:
    """Return values as bytes, and their data type; text of any length is one type."""
    if values.dtype.kind not in "biufc":
        return json.dumps([str(value) for value in values.ravel().tolist()]).encode(), "text"
    plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    if plain.dtype.kind == "f" and (missing := np.isnan(plain)).any():
        # There are many NaNs, and readers may replace one by another.
        plain = np.where(missing, plain.dtype.type(np.nan), plain)
    return plain.reshape(-1).view(np.uint8).data, plain.dtype.str
