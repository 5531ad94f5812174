"""Recordings on disk as labelled arrays, of which nothing is read before it is needed."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xarray as xr
from xarray.core.indexing import LazilyIndexedArray

from redundancy import schema
from redundancy.errors import RedundancyError, ResultsError, UsageError
from redundancy.nodes import CONTENTS, Nodes, check_version, nodes_of
from redundancy.recordings.folder import check_claims
from redundancy.recordings.layout import ArrayLayout
from redundancy.recordings.seal import check_seal, read_root
from redundancy.recordings.stored import ShardReader, StoredArray
from redundancy.recordings.unfinished import is_under_construction
from redundancy.recordings.writer import FORMAT

DEFAULT_CHUNKS: Mapping[str, int] = {schema.SAMPLE: 16}


def is_recording(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is a Zarr folder, or one that was never finished."""
    path = Path(path)
    return path.is_dir() and ((path / "zarr.json").exists() or is_under_construction(path))


def is_own_recording(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is a recording of this project, of any version, whole or not."""
    if is_under_construction(path):
        return True
    try:
        root = json.loads((Path(path) / "zarr.json").read_text(encoding="utf-8"))
        return bool(root["attributes"][schema.KIND] == "recording")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def open_recording(
    path: str | os.PathLike[str], *, chunks: Mapping[str, int] | None = DEFAULT_CHUNKS
) -> xr.DataTree:
    """Open a recording on disk; its values are read when they are needed.

    Parameters
    ----------
    path : path
        What ``analyze record`` or :func:`write_recording` wrote.
    chunks : mapping of str to int, optional
        Length of dask's chunks along dimensions; others are whole. By default 16 samples.
        With None there is no dask: what is selected is read when its values are asked for.

    Returns
    -------
    xarray.DataTree
        One node per spiking layer with ``spike`` (0/1, uint8) and potentials, (sample, time,
        channel[, y, x]), beside ``input_frames`` and ``synaptic_layers``; the root holds
        labels, predictions and the provenance. Only the chunks that a selection of samples
        and channels needs are read.

    Raises
    ------
    UsageError
        If there is nothing at `path`.
    ResultsError
        If it is damaged, foreign, unfinished, or of another version; also when values are
        read that turn out to be damaged.
    """
    nodes = open_nodes(Path(path))
    if chunks is not None:
        nodes = {name: _chunked(node, chunks) for name, node in nodes.items()}
    return xr.DataTree.from_dict(dict(nodes))


def _chunked(node: xr.Dataset, chunks: Mapping[str, int]) -> xr.Dataset:
    """Return a node whose variables, not its coordinates, are arrays of dask."""
    values = node.drop_vars(node.coords)
    values = values.chunk({dim: size for dim, size in chunks.items() if dim in values.dims})
    return values.assign_coords(node.coords)


def open_nodes(path: Path) -> Nodes:
    """Return the nodes of a recording by name, without dask; see :func:`open_recording`."""
    if not path.exists():
        raise UsageError(f"there is no recording at {path}")
    if is_under_construction(path):
        raise ResultsError(
            f"{path} is a recording that was not finished; it is still being written, or its "
            "process was killed: record it again"
        )
    with _refusing("cannot be read as a recording", path):
        attributes = read_root(path)["attributes"]
        check_version(path, attributes, "recording")
        _check_format(path, attributes)
        # Before Zarr reads anything: it takes what is missing for zeros, and sizes as they are.
        is_sealed = check_seal(path)
        check_claims(path)
        tree = xr.open_datatree(path, engine="zarr", chunks=None, consolidated=False)
    with _refusing("is not a complete recording", path):
        nodes = _with_stored_arrays(path, tree)
    if not is_sealed:
        warnings.warn(
            f"{path} was recorded by a version of redundancy that kept no checksums of its small "
            "arrays, so that not all damage to it would be seen; record it again to have them",
            UserWarning,
            stacklevel=3,
        )
    return nodes


@contextlib.contextmanager
def _refusing(what: str, path: Path) -> Iterator[None]:
    """Raise whatever is raised in the block as a sentence that says what is the matter."""
    try:
        yield
    except RedundancyError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ResultsError(
            f"{path} {what} ({reason}); it is damaged or none of this project, record it again"
        ) from error


def _check_format(path: Path, attributes: Mapping[str, object]) -> None:
    """Raise a ResultsError unless a recording is in the format of this version."""
    if attributes.get(schema.RECORDING_FORMAT) != FORMAT:
        raise ResultsError(
            f"{path} was recorded by another version of redundancy (recording format "
            f"{attributes.get(schema.RECORDING_FORMAT, 1)}, this one reads {FORMAT}); record it "
            "again with analyze record"
        )


def _with_stored_arrays(path: Path, tree: xr.DataTree) -> Nodes:
    """Return the nodes of a tree; what is long is read by us, spikes are unpacked."""
    n_samples = int(tree.attrs[schema.N_SAMPLES])
    plain = nodes_of(tree)
    samples = ShardReader(
        path / schema.SAMPLE, _layout(path / schema.SAMPLE), n_samples, str(path)
    ).read((0, n_samples))
    nodes: Nodes = {}
    for name, names in json.loads(tree.attrs[CONTENTS]).items():
        if name not in plain or (missing := set(names) - set(map(str, plain[name].variables))):
            what = name if name not in plain else f"{min(missing)} of {name}"
            raise ResultsError(f"{path} lacks {what}; it is damaged, record it again")
        coordinates = {k: v for k, v in plain[name].coords.items() if schema.SAMPLE not in v.dims}
        node = xr.Dataset(coords={schema.SAMPLE: samples}, attrs=plain[name].attrs)
        node = node.assign_coords({str(k): _in_memory(v.variable) for k, v in coordinates.items()})
        for variable in names:
            if variable in coordinates or variable == schema.SAMPLE:
                continue
            place = path / name.strip("/") / variable
            shown = schema.SPIKE if variable == schema.SPIKE_BITS else variable
            node[shown] = _stored_variable(place, plain[name][variable].variable, n_samples)
        nodes[name] = node
    return nodes


def _in_memory(variable: xr.Variable) -> xr.Variable:
    """Return text as the objects that it was recorded from."""
    return variable.astype(object) if variable.dtype.kind == "T" else variable.load()


def _stored_variable(place: Path, plain: xr.Variable, n_samples: int) -> xr.Variable:
    if not plain.dims or plain.dims[0] != schema.SAMPLE:
        return plain.load()
    label = f"{place.parent.name}/{place.name} in {place.parents[1]}"
    reader = ShardReader(place, _layout(place), n_samples, label)
    for shard in reader.shards:
        if not shard.exists():
            raise ResultsError(
                f"{label} lacks its file {shard.relative_to(place)}; the recording is damaged, "
                "record it again"
            )
    attributes = dict(plain.attrs)
    dims, unpacked = tuple(map(str, plain.dims)), None
    if place.name == schema.SPIKE_BITS:
        unpacked = tuple(int(size) for size in attributes.pop(schema.UNPACKED_SHAPE))
        attributes.pop(schema.BIT_ORDER)
        maps = (schema.Y, schema.X) if len(unpacked) == 3 else ()
        dims = (schema.SAMPLE, schema.TIME, schema.CHANNEL, *maps)
    return xr.Variable(dims, LazilyIndexedArray(StoredArray(reader, unpacked)), attributes)


def _layout(place: Path) -> ArrayLayout:
    """Return how an array was cut, from its metadata."""
    import zarr

    array = zarr.open_array(place, mode="r")
    dims = tuple(array.metadata.dimension_names)
    return ArrayLayout(
        dims, array.shape[1:], np.dtype(array.dtype), array.chunks, int(array.shards[0])
    )
