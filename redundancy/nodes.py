"""What files of results and recordings have in common: nodes, attributes, versions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.checksums import attribute_checksum, variable_checksum
from redundancy.errors import ResultsError
from redundancy.files import atomic_path

# What a file holds, so that a part that is lost or changed is missed.
CONTENTS = "contents"
# The root node's own attributes, beside those of the file.
_OF_ROOT = "root "
_DIGEST_BYTES = hashlib.sha256().digest_size

Nodes = dict[str, xr.Dataset]
"""The nodes of a recording, state or result by name, the root as ``"/"``.

Streaming passes nodes on rather than an :class:`xarray.DataTree`: a tree refers to
itself in circles, so that a batch would live until Python's cyclic garbage collector
comes by, and memory would grow.
"""


def spiking_layers(nodes: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return the spiking layers of a recording, state or result, in network order."""
    layers = {name: node for name, node in nodes.items() if name not in schema.OTHER_NODES}
    return dict(sorted(layers.items(), key=lambda item: int(item[1].attrs[schema.POSITION])))


def nodes_of(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the nodes of a tree by name, the root as ``"/"``."""
    children = {str(name): node.to_dataset(inherit=False) for name, node in tree.children.items()}
    return {schema.ROOT: tree.to_dataset(), **children}


def check_version(path: object, attributes: Mapping[Any, Any], kind: str) -> None:
    """Raise a ResultsError unless a file is of this kind and schema version."""
    if attributes.get(schema.KIND) != kind:
        raise ResultsError(
            f"{path} is not a {kind} file of this project (its {schema.KIND!r} attribute is "
            f"{attributes.get(schema.KIND)!r})"
        )
    version = attributes.get(schema.VERSION)
    if version is None:
        raise ResultsError(
            f"{path} is not a complete {kind} file: its {schema.VERSION!r} attribute is missing; "
            "analyse the checkpoint again"
        )
    number = float(version) if isinstance(version, int | float | np.number) else 0
    if number != schema.SCHEMA_VERSION:
        age = "an older" if number < schema.SCHEMA_VERSION else "a newer"
        raise ResultsError(
            f"{path} was written by {age} version of redundancy (schema {version}, this one reads "
            f"{schema.SCHEMA_VERSION}); analyse the checkpoint again with this version"
        )


def pack(value: Any) -> Any:
    """Return `value` as a netCDF attribute; mappings become JSON text."""
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value


def unpack(key: str, value: Any) -> Any:
    """Return a netCDF attribute as it was before :func:`pack`."""
    if key in schema.JSON_ATTRIBUTES:
        return json.loads(value)
    return value.item() if isinstance(value, np.generic) else value


def contents(tree: xr.DataTree) -> dict[str, dict[str, str]]:
    """Return the checksums of all variables and attributes of a tree by name, node by node."""
    found: dict[str, dict[str, str]] = {}
    for node in tree.subtree:
        own = {str(name): attribute_checksum(value) for name, value in node.attrs.items()}
        own |= {
            str(name): variable_checksum(variable, is_coordinate=name in node.coords)
            for name, variable in node.variables.items()
        }
        found[node.path] = {name: own[name] for name in sorted(own) if name != CONTENTS}
    return found


def write_tree(path: str | os.PathLike[str], tree: xr.DataTree) -> None:
    """Write a tree to one netCDF-4 file, whole or not at all.

    Its attribute `CONTENTS` lists what the file holds, each with its checksum.
    """
    listed = tree.copy()
    listed.attrs[CONTENTS] = pack(contents(tree))
    content = _as_netcdf(listed, {"zlib": True, "complevel": 1, "shuffle": True})
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _as_netcdf(tree: xr.DataTree, encoding: Mapping[str, Any]) -> Any:
    """Return the bytes of a netCDF-4 file, all its arrays encoded so."""
    encodings: dict[str, Any] = {
        node.path: {
            str(name): dict(encoding) for name, variable in node.data_vars.items() if variable.ndim
        }
        for node in tree.subtree
    }
    # HDF5 writing to a full disk takes the process down; a buffer does not fill up.
    return tree.to_netcdf(engine="h5netcdf", encoding=encodings)


def write_nodes(
    path: str | os.PathLike[str], nodes: Mapping[str, xr.Dataset], attributes: Mapping[str, Any]
) -> None:
    """Write nodes as one netCDF-4 file with these attributes, and its checksum at the end.

    Not compressed, so that it takes little time; HDF5 itself would read what a disk has
    lost as numbers.
    """
    tree = xr.DataTree.from_dict(dict(nodes))
    of_root = {f"{_OF_ROOT}{name}": value for name, value in tree.attrs.items()}
    tree.attrs = {**of_root, **attributes}
    content = _as_netcdf(tree, {})
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.write(hashlib.sha256(content).digest())


def read_nodes(path: str | os.PathLike[str]) -> tuple[dict[str, xr.Dataset], dict[str, Any]]:
    """Return the nodes and attributes that :func:`write_nodes` wrote.

    Raises
    ------
    ResultsError
        If the file is damaged.
    """
    try:
        _check_digest(Path(path))
        # HDF5 does not mind what stands behind its own end.
        with xr.open_datatree(path, engine="h5netcdf") as opened:
            tree = opened.load()
    except Exception as error:
        # h5py and xarray raise many classes for a damaged file.
        raise ResultsError(
            f"{path} cannot be read ({type(error).__name__}); it is damaged, remove it"
        ) from error
    every = {str(key): value for key, value in tree.attrs.items()}
    attributes = {key: value for key, value in every.items() if not key.startswith(_OF_ROOT)}
    of_root = {key: value for key, value in every.items() if key not in attributes}
    tree.attrs = {key.removeprefix(_OF_ROOT): value for key, value in of_root.items()}
    return nodes_of(tree), attributes


def _check_digest(path: Path) -> None:
    """Raise a ValueError unless a file ends in the checksum of what comes before."""
    digest, left = hashlib.sha256(), path.stat().st_size - _DIGEST_BYTES
    with open(path, "rb") as file:
        while block := file.read(min(max(left, 0), 1 << 20)):
            digest.update(block)
            left -= len(block)
        if file.read() != digest.digest():
            raise ValueError("the checksum is wrong")
