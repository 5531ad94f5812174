"""Batches are appended to a folder, which becomes a recording when all of them are there."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from redundancy import schema
from redundancy.errors import RecordingError
from redundancy.nodes import CONTENTS, pack
from redundancy.provenance import versions
from redundancy.recordings.layout import layout_of
from redundancy.recordings.seal import seal
from redundancy.recordings.shards import ShardWriter
from redundancy.recordings.values import (
    POTENTIALS,
    PotentialDtype,
    is_rounded,
    pack_spikes,
    rounded,
)

FORMAT = 3
Stored = tuple[tuple[str, ...], NDArray[Any], dict[str, Any]]


class RecordingWriter:
    """Appends batches to a folder; it is a recording only after :meth:`close`.

    Parameters
    ----------
    folder : Path
        Exists and is empty.
    pool : Executor
        Compresses.
    potential_dtype : {"float16", "float32"}, optional
    """

    def __init__(
        self, folder: Path, pool: Executor, potential_dtype: PotentialDtype | None = None
    ) -> None:
        self.n_samples = 0
        self._folder, self._pool, self._potential_dtype = folder, pool, potential_dtype
        self._rounded = False
        self._arrays: dict[tuple[str, str], ShardWriter] = {}
        self._static: dict[str, xr.Dataset] = {}

    @property
    def n_bytes(self) -> int:
        """Bytes written, and those that wait for more samples."""
        return sum(array.n_bytes + array.n_waiting_bytes for array in self._arrays.values())

    def append(self, recording: Mapping[str, xr.Dataset]) -> None:
        """Append the samples of one recording."""
        first = not self.n_samples
        written = set()
        for name, node in recording.items():
            if first:
                self._static[name] = _without_samples(node)
            for variable in _sampled(name, node):
                dims, values, attributes = self._stored(name, node, variable)
                key = (name, schema.SPIKE_BITS if variable == schema.SPIKE else variable)
                if first:
                    layout = layout_of(dims, values.shape[1:], values.dtype, attributes)
                    self._arrays[key] = ShardWriter(self._place(*key), layout, self._pool)
                self._check_same(key, values)
                self._arrays[key].append(values)
                written.add(key)
        if missing := set(self._arrays) - written:
            raise _other_layers(*sorted(missing)[0])
        self.n_samples += recording[schema.ROOT].sizes[schema.SAMPLE]

    def close(self, provenance: Mapping[str, Any]) -> None:
        """Write all that makes the folder a recording; the root comes last."""
        for array in self._arrays.values():
            array.close()
        names: dict[str, list[str]] = {
            name: sorted(map(str, node.variables)) for name, node in self._static.items()
        }
        for owner, variable in self._arrays:
            names[owner].append(variable)
        attributes = {
            **provenance,
            schema.KIND: "recording",
            schema.VERSION: schema.SCHEMA_VERSION,
            schema.RECORDING_FORMAT: FORMAT,
            schema.N_SAMPLES: self.n_samples,
            schema.VERSIONS: versions(),
            CONTENTS: names,
        }
        if self._rounded:
            attributes[schema.POTENTIALS_ROUNDED_TO] = self._potential_dtype
        root = self._static.pop(schema.ROOT)
        root.attrs = {key: pack(value) for key, value in attributes.items()}
        for name, node in (*self._static.items(), (schema.ROOT, root)):
            _write_static(self._folder, name, node)
        seal(self._folder)

    def _stored(self, name: str, node: xr.Dataset, variable: str) -> Stored:
        """Return what is written of a variable: dimensions, values and attributes."""
        array = node[variable]
        dims, attributes = tuple(map(str, array.dims)), dict(array.attrs)
        if variable == schema.SPIKE:
            shape = [size for dim, size in array.sizes.items() if dim not in dims[:1] + dims[2:3]]
            attributes |= {schema.BIT_ORDER: "big", schema.UNPACKED_SHAPE: shape}
            bits = self._by_sample(lambda part: pack_spikes(name, part), array.values)
            return (schema.SAMPLE, schema.CHANNEL, schema.BYTE), bits, attributes
        dtype, values = self._potential_dtype, array.values
        if variable in POTENTIALS and dtype is not None and is_rounded(values.dtype, dtype):
            self._rounded = True
            round_part = functools.partial(rounded, name, node.attrs, variable, dtype)
            values = self._by_sample(round_part, values)
        return dims, values, attributes

    def _by_sample(
        self, function: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any]
    ) -> NDArray[Any]:
        """Return what a function makes of the values of every sample, on all cores."""
        parts = [values[k : k + 1] for k in range(len(values))]
        return np.concatenate(list(self._pool.map(function, parts)))

    def _check_same(self, key: tuple[str, str], values: NDArray[Any]) -> None:
        array = self._arrays.get(key)
        if array is None:
            raise _other_layers(*key)
        if (array.layout.shape, array.layout.dtype) != (values.shape[1:], values.dtype):
            raise RecordingError(
                f"{key[1]} of {key[0]!r} has another shape or type than in the first batch: "
                f"{values.shape[1:]} {values.dtype}, expected {array.layout.shape} "
                f"{array.layout.dtype}"
            )

    def _place(self, node: str, variable: str) -> Path:
        return self._folder / node.strip("/") / variable


def _sampled(name: str, node: xr.Dataset) -> list[str]:
    """Return the variables to append to; the sample's own number stands in the root."""
    return [
        str(variable)
        for variable, array in node.variables.items()
        if schema.SAMPLE in array.dims and (variable != schema.SAMPLE or name == schema.ROOT)
    ]


def _without_samples(node: xr.Dataset) -> xr.Dataset:
    return node.drop_vars([name for name, v in node.variables.items() if schema.SAMPLE in v.dims])


def _write_static(folder: Path, name: str, node: xr.Dataset) -> None:
    with warnings.catch_warnings():
        # Of the mark of unfinished folders, which Zarr does not know.
        warnings.filterwarnings("ignore", message=r"Object at \.writing")
        node.to_zarr(
            folder,
            group=None if name == schema.ROOT else name,
            mode="a",
            consolidated=False,
            zarr_format=3,
        )


def _other_layers(node: str, variable: str) -> RecordingError:
    return RecordingError(
        f"not every batch ran through the same layers: {variable} of {node!r} was recorded in some "
        "of them only"
    )
