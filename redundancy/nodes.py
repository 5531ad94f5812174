"""What files of results and recordings have in common: nodes, attributes, versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from redundancy import schema
from redundancy.errors import ResultsError

# What a file holds, so that a part that is lost is missed.
CONTENTS = "contents"


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


def contents(tree: xr.DataTree) -> dict[str, list[str]]:
    """Return the names of all variables and attributes of a tree, node by node."""
    return {
        node.path: sorted({str(name) for name in (*node.variables, *node.attrs)} - {CONTENTS})
        for node in tree.subtree
    }
